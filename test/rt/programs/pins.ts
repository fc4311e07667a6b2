/**
 * Objects held by pins and raw addresses alone, and memory outside of the collector: heap.alloc, realloc, free,
 * unmanaged classes. A pin may be on an object that the graph reaches too, or on one already marked or being swept.
 */
import { below, mix, mixText, next, safepoint, word } from "./lib";

class Node {
  next: Node | null = null;
  constructor(public text: string) {}
}

/** A list outside of the collector, whose payload is the address of a pinned object. */
@unmanaged
class Entry {
  next: Entry | null;
  pinned: usize;
  stamp: u32;
}

const SLOTS: u32 = 64;
let table: usize = 0;
let entries: Entry | null = null;
let shared: Node = new Node("shared");
let block: usize = 0;
let blockSize: usize = 0;

export function start(): void {
  table = heap.alloc(SLOTS * sizeof<usize>());
  memory.fill(table, 0, SLOTS * sizeof<usize>());
}

export function step(round: i32): void {
  for (let i = 0; i < 60; i++) {
    swap(below(SLOTS));
    if (below(3) == 0) enter();
    if (below(3) == 0) leave();
    raw();
    safepoint(150);
  }
  both(round);
}

export function finish(): void {
  for (let i: u32 = 0; i < SLOTS; i++) mixText(describe(load<usize>(table + i * sizeof<usize>())));
  let it: Entry | null = entries;
  while (it) {
    mixText(describe(it.pinned) + it.stamp.toString());
    it = it.next;
  }
  mix(blockSize);
}

function list(): Node {
  const node = new Node(word(5));
  node.next = new Node(word(3));
  node.next!.next = below(2) ? shared : node;
  return node;
}

function describe(ptr: usize): string {
  if (!ptr) return "-";
  const node = changetype<Node>(ptr);
  const after = node.next!;
  return node.text + after.text + (after.next === node ? "cycle" : after.next!.text);
}

/** The object before leaves its pin but is read once more, as a local. */
function swap(slot: u32): void {
  const at = table + slot * sizeof<usize>();
  const old = load<usize>(at);
  store<usize>(at, __pin(changetype<usize>(list())));
  if (!old) return;
  const node = changetype<Node>(old);
  __unpin(old);
  safepoint(20);
  mixText(describe(changetype<usize>(node)));
  if (below(4) == 0) shared = node;
}

function enter(): void {
  const entry = changetype<Entry>(heap.alloc(offsetof<Entry>()));
  entry.next = entries;
  entry.stamp = next();
  entry.pinned = __pin(changetype<usize>(list()));
  entries = entry;
}

function leave(): void {
  const entry = entries;
  if (!entry) return;
  entries = entry.next;
  mixText(describe(entry.pinned));
  __unpin(entry.pinned);
  mix(entry.stamp);
  heap.free(changetype<usize>(entry));
}

/** A block that grows and shrinks by realloc, its contents checked. */
function raw(): void {
  const size: usize = 16 + below(below(16) ? 600 : 90000);
  block = block ? heap.realloc(block, size) : heap.alloc(size);
  const kept = min(size, blockSize);
  for (let i: usize = 0; i + 4 <= kept; i += 4) assert(load<u32>(block + i) == <u32>i * 0x9e3779b1);
  for (let i: usize = 0; i + 4 <= size; i += 4) store<u32>(block + i, <u32>i * 0x9e3779b1);
  blockSize = size;
  if (below(20) == 0) {
    heap.free(block);
    block = 0;
    blockSize = 0;
  }
}

/** Pinned and reachable: either alone keeps it. */
function both(round: i32): void {
  const node = new Node("both" + round.toString());
  const ptr = __pin(changetype<usize>(node));
  shared = node;
  safepoint(3);
  shared = new Node("after" + shared.text);
  safepoint(3);
  mixText(changetype<Node>(ptr).text);
  shared.next = node;
  __unpin(ptr);
  safepoint(3);
  mixText(shared.next!.text + shared.text);
  __unpin(__pin(changetype<usize>(shared)));
}
