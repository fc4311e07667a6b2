/**
 * A directed graph of 1200 nodes with edges in both directions, so that most of it is cycles: random edges come and
 * go, regions are cut off and die, breadth-first search and strongly connected components read it all.
 */
import { below, mix, mixText, next, safepoint, word } from "./lib";

class Edge {
  constructor(
    public to: Node,
    public weight: u32,
  ) {}
}

class Node {
  out: Edge[] = [];
  into: Set<Node> = new Set<Node>();
  visited: i32 = 0;
  index: i32 = -1;
  low: i32 = 0;
  constructor(
    public id: u32,
    public label: string,
  ) {}
}

const NODES: u32 = 1200;
let nodes: Node[] = [];
let made: u32 = 0;
let visit: i32 = 0;
let counter: i32 = 0;
let stack: Node[] = [];
let components: i32 = 0;
let leaving: Node | null = null;

export function start(): void {
  for (let i: u32 = 0; i < NODES; i++) nodes.push(node());
  for (let i: u32 = 0; i < NODES; i++) connect(nodes[i], nodes[below(NODES)]);
}

export function step(round: i32): void {
  for (let i = 0; i < 400; i++) {
    connect(nodes[below(NODES)], nodes[below(NODES)]);
    drop(nodes[below(NODES)]);
    if (below(4) == 0) replace(below(NODES));
  }
  search(nodes[below(NODES)]);
  if (round % 4 == 0) strong();
}

export function finish(): void {
  for (let i: u32 = 0; i < NODES; i++) {
    const it = nodes[i];
    mixText(it.label);
    mix(it.into.size);
    for (let j = 0; j < it.out.length; j++) mix(((<u64>it.out[j].to.id) << 32) | it.out[j].weight);
  }
}

function node(): Node {
  return new Node(++made, word(4));
}

function connect(from: Node, to: Node): void {
  from.out.push(new Edge(to, next()));
  to.into.add(from);
  safepoint(5000);
}

function drop(from: Node): void {
  if (from.out.length == 0) return;
  const gone = from.out.splice(<i32>below(<u32>from.out.length), 1)[0];
  let still = false;
  for (let i = 0; i < from.out.length; i++) still = still || from.out[i].to === gone.to;
  if (!still) gone.to.into.delete(from);
  mix(gone.weight);
}

/** A new node takes an old one's place: most edges to the old one go; what only it reached dies with it. */
function replace(at: u32): void {
  const old = nodes[at];
  const from = old.into.values();
  leaving = old;
  for (let i = 0; i < from.length; i++) from[i].out = from[i].out.filter((e) => e.to !== leaving || e.weight % 4 == 0);
  leaving = null;
  for (let i = 0; i < old.out.length; i++) old.out[i].to.into.delete(old);
  const fresh = node();
  for (let i = 0; i < from.length && i < 3; i++) connect(fresh, from[i]);
  nodes[at] = fresh;
  safepoint(400);
  mixText(old.label);
}

/** Reaches nodes that have left the table too. */
function search(from: Node): void {
  visit++;
  let front = [from];
  let levels = 0;
  let reached = 0;
  from.visited = visit;
  while (front.length) {
    const after: Node[] = [];
    for (let i = 0; i < front.length; i++) {
      const it = front[i];
      reached++;
      for (let j = 0; j < it.out.length; j++) {
        const to = it.out[j].to;
        if (to.visited != visit) {
          to.visited = visit;
          after.push(to);
        }
      }
    }
    safepoint(20);
    front = after;
    levels++;
  }
  mix(((<u64>levels) << 32) | reached);
}

function strong(): void {
  counter = 0;
  components = 0;
  stack = [];
  for (let i: u32 = 0; i < NODES; i++) nodes[i].index = -1;
  for (let i: u32 = 0; i < NODES; i++) if (nodes[i].index < 0) connectFrom(nodes[i], 0);
  mix(components);
}

/** Tarjan's algorithm over the nodes of the table, to a depth that the stack allows. */
function connectFrom(it: Node, depth: i32): void {
  it.index = it.low = counter++;
  stack.push(it);
  for (let j = 0; j < it.out.length; j++) {
    const to = it.out[j].to;
    if (to.index < 0 && depth < 1500) {
      connectFrom(to, depth + 1);
      it.low = min(it.low, to.low);
    } else if (to.index >= 0 && stack.includes(to, max(0, stack.length - 50))) it.low = min(it.low, to.index);
  }
  if (it.low == it.index) {
    components++;
    while (stack.length && stack.pop() !== it) counter++;
  }
}
