/**
 * A heap that the host mutates: nodes of five kinds in numbered slots, every edge change an export. The host keeps the
 * same graph in JavaScript and compares what walk() reports.
 *
 * A node has a number, a payload stamped with it, and edges that live in fields, an Array, a Map's values, a Map's keys
 * or a StaticArray. Deaths are reported where the runtime calls __finalize.
 */

abstract class Node {
  payload: ArrayBuffer;
  seen: u32 = 0;
  constructor(
    public id: u32,
    bytes: i32,
  ) {
    this.payload = new ArrayBuffer(bytes);
    const p = changetype<usize>(this.payload);
    for (let i = 0; i < bytes; i++) store<u8>(p + i, stamp(id, i));
  }
  abstract get count(): i32;
  abstract at(i: i32): Node | null;
  abstract put(i: i32, to: Node | null): void;
  /** Calls size() for each object that is part of the node, the payload and itself excepted. */
  abstract parts(): void;
}

class Pair extends Node {
  a: Node | null = null;
  b: Node | null = null;
  get count(): i32 {
    return 2;
  }
  at(i: i32): Node | null {
    return i ? this.b : this.a;
  }
  put(i: i32, to: Node | null): void {
    if (i) this.b = to;
    else this.a = to;
  }
  parts(): void {}
}

class List extends Node {
  edges: Array<Node | null> = [];
  get count(): i32 {
    return this.edges.length;
  }
  at(i: i32): Node | null {
    return this.edges[i];
  }
  /** One past the end makes it longer. */
  put(i: i32, to: Node | null): void {
    if (i == this.edges.length) this.edges.push(to);
    else this.edges[i] = to;
  }
  parts(): void {
    size(changetype<usize>(this.edges));
    size(changetype<usize>(this.edges.buffer));
  }
}

const SPAN: i32 = 6;

/** A map and its two buffers. */
function mapParts<K, V>(edges: Map<K, V>): void {
  const map = changetype<usize>(edges);
  size(map);
  size(load<usize>(map, offsetof<Map<K, V>>("buckets")));
  size(load<usize>(map, offsetof<Map<K, V>>("entries")));
}

class Values extends Node {
  edges: Map<i32, Node> = new Map<i32, Node>();
  get count(): i32 {
    return SPAN;
  }
  at(i: i32): Node | null {
    return this.edges.has(i) ? this.edges.get(i) : null;
  }
  put(i: i32, to: Node | null): void {
    if (to) this.edges.set(i, to);
    else this.edges.delete(i);
  }
  parts(): void {
    mapParts(this.edges);
  }
}

/** The holder of an edge is the key of its number; a node is at most once a key. */
class Keys extends Node {
  edges: Map<Node, i32> = new Map<Node, i32>();
  get count(): i32 {
    return SPAN;
  }
  at(i: i32): Node | null {
    const keys = this.edges.keys();
    for (let k = 0; k < keys.length; k++) if (this.edges.get(keys[k]) == i) return keys[k];
    return null;
  }
  put(i: i32, to: Node | null): void {
    const old = this.at(i);
    if (old) this.edges.delete(old);
    if (to) this.edges.set(to, i);
  }
  parts(): void {
    mapParts(this.edges);
  }
}

class Fixed extends Node {
  edges: StaticArray<Node | null> = new StaticArray<Node | null>(SPAN);
  get count(): i32 {
    return SPAN;
  }
  at(i: i32): Node | null {
    return this.edges[i];
  }
  put(i: i32, to: Node | null): void {
    this.edges[i] = to;
  }
  parts(): void {
    size(changetype<usize>(this.edges));
  }
}

let slots: Array<Node | null> = [];
let queue: Node[] = [];
let epoch: u32 = 0;

/** What walk() reports: a block of heap.alloc, for which nothing is collected or marked. */
let report: usize = 0;
let words: u32 = 0;
let capacity: u32 = 0;
/** Where the number of parts of the node in hand is. */
let partsAt: u32 = 0;

/** Number of the nodes that garbage() makes, whose deaths are not reported. */
const GARBAGE: u32 = 0;
/** Numbers of the nodes that died since deaths() was last called, as many as there is room for. */
const DEATHS: u32 = 1 << 14;
const dead: usize = memory.data(DEATHS << 2);
let deaths: u32 = 0;

@global
export function __finalize(ptr: usize): void {
  const id = load<u32>(ptr - 8);
  if (id != idof<Pair>() && id != idof<List>() && id != idof<Values>() && id != idof<Keys>() && id != idof<Fixed>())
    return;
  const number = load<u32>(ptr, offsetof<Node>("id"));
  if (number == GARBAGE) return;
  if (deaths < DEATHS) store<u32>(dead + ((<usize>deaths) << 2), number);
  deaths++;
}

/** Forgets the deaths and returns how many there were. */
export function takeDeaths(): u32 {
  const n = deaths;
  assert(n <= DEATHS);
  deaths = 0;
  return n;
}

export function deathList(): usize {
  return dead;
}

@inline
function stamp(id: u32, i: u32): u8 {
  return <u8>((id * 0x9e3779b1 + i * 0x85ebca6b) >> 24);
}

export function open(n: i32): void {
  slots = new Array<Node | null>(n);
  queue = new Array<Node>();
}

export function create(slot: i32, kind: i32, id: u32, bytes: i32): void {
  let node: Node;
  if (kind == 0) node = new Pair(id, bytes);
  else if (kind == 1) node = new List(id, bytes);
  else if (kind == 2) node = new Values(id, bytes);
  else if (kind == 3) node = new Keys(id, bytes);
  else node = new Fixed(id, bytes);
  slots[slot] = node;
}

export function link(slot: i32, i: i32, other: i32): void {
  slots[slot]!.put(i, slots[other]);
}

export function unlink(slot: i32, i: i32): void {
  slots[slot]!.put(i, null);
}

/** Takes an edge's end into a slot. */
export function follow(slot: i32, from: i32, i: i32): void {
  slots[slot] = slots[from]!.at(i);
}

/** Takes an edge's end into a slot and clears the edge: for a moment only a local holds it. */
export function pluck(slot: i32, from: i32, i: i32): void {
  const node = slots[from]!.at(i);
  slots[from]!.put(i, null);
  garbage(8, 64);
  slots[slot] = node;
}

export function clear(slot: i32): void {
  slots[slot] = null;
}

/** Exchanges two slots by way of locals, with allocations while these are the only holders. */
export function swap(a: i32, b: i32): void {
  const x = slots[a];
  const y = slots[b];
  slots[a] = null;
  slots[b] = null;
  garbage(20, 40);
  slots[a] = y;
  slots[b] = x;
}

/** Other contents for the payload: a new buffer, the old one dies. */
export function repay(slot: i32, bytes: i32): void {
  const node = slots[slot]!;
  const fresh = new ArrayBuffer(bytes);
  for (let i = 0; i < bytes; i++) store<u8>(changetype<usize>(fresh) + i, stamp(node.id, i));
  node.payload = fresh;
}

/** Objects that die at once; some hold others. */
export function garbage(n: i32, bytes: i32): void {
  let last: Node | null = null;
  for (let i = 0; i < n; i++) {
    const node = new Pair(GARBAGE, bytes);
    node.a = last;
    last = i % 5 ? node : null;
  }
}

export function address(slot: i32): usize {
  return changetype<usize>(slots[slot]);
}

/** Puts a node that a pin has kept into a slot. */
export function adopt(slot: i32, node: usize): void {
  slots[slot] = changetype<Node>(node);
}

/** A piece of marking where the runtime has such a call. */
export function advance(budget: u32): void {
  if (isDefined(__gcStep)) __gcStep(budget);
}

/** Bytes that the last cycle has marked, or -1 where the runtime does not tell. */
export function marked(): f64 {
  if (isDefined(__gcStat)) return __gcStat(4);
  return -1;
}

function emit(word: u32): void {
  if (words == capacity) {
    capacity = max<u32>(1024, capacity << 1);
    report = report ? heap.realloc(report, (<usize>capacity) << 2) : heap.alloc((<usize>capacity) << 2);
  }
  store<u32>(report + ((<usize>words) << 2), word);
  words++;
}

/** Adds the size of an object to the report, unless the compiler has laid it out. */
function size(ptr: usize): void {
  if (ptr < __heap_base) return;
  emit(load<u32>(ptr - 4));
  store<u32>(report + ((<usize>partsAt) << 2), load<u32>(report + ((<usize>partsAt) << 2)) + 1);
}

function enqueue(node: Node | null): u32 {
  if (!node) return 0;
  if (node.seen != epoch) {
    node.seen = epoch;
    queue.push(node);
  }
  return node.id;
}

/** Begins a walk at the slots, in their order. */
export function beginWalk(): void {
  epoch++;
  words = 0;
  queue = [];
  for (let i = 0; i < slots.length; i++) enqueue(slots[i]);
}

/** Adds a node by its address to where the walk begins. */
export function alsoFrom(node: usize): void {
  enqueue(changetype<Node>(node));
}

/**
 * Walks all that is reached, breadth first. For each node: number, 1 if its payload is intact, length of the payload,
 * n, the numbers at its n edges (0: none), m, the sizes of its m objects. Returns the count of words.
 */
export function walk(): u32 {
  for (let q = 0; q < queue.length; q++) {
    const node = queue[q];
    const p = changetype<usize>(node.payload);
    const bytes = node.payload.byteLength;
    let intact: u32 = 1;
    for (let i = 0; i < bytes; i++) if (load<u8>(p + i) != stamp(node.id, i)) intact = 0;
    emit(node.id);
    emit(intact);
    emit(bytes);
    emit(node.count);
    for (let i = 0; i < node.count; i++) emit(enqueue(node.at(i)));
    partsAt = words;
    emit(0);
    size(changetype<usize>(node));
    size(p);
    node.parts();
  }
  queue = [];
  return words;
}

export function reported(): usize {
  return report;
}
