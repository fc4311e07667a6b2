/**
 * A linked list of a million nodes, which a collector that marks by recursion cannot mark, and a doubly linked list of
 * fifty thousand whose nodes are spliced about while the cycles run. Live: some 50 MB; each round replaces a part.
 */
import { below, mix, mixText, next, safepoint } from "./lib";

class Node {
  next: Node | null = null;
  constructor(public value: u32) {}
}

class Both {
  next: Both | null = null;
  prev: Both | null = null;
  constructor(public text: string) {}
}

const LONG: i32 = 1000000;
const SHORT: i32 = 50000;
let head: Node | null = null;
let front: Both | null = null;
let places: Both[] = [];

export function start(): void {
  head = prepend(null, LONG);
  for (let i = 0; i < SHORT; i++) {
    const node = new Both(i.toString());
    node.next = front;
    if (front) front!.prev = node;
    front = node;
    if (i % 500 == 0) places.push(node);
  }
}

export function step(round: i32): void {
  renewFront(400000);
  for (let i = 0; i < 2000; i++) move();
  safepoint(12);
  if (round % 4 == 3) {
    reverse();
    mix(total());
  }
}

export function finish(): void {
  mix(total());
  let n = 0;
  let it: Both | null = front;
  while (it) {
    if (n++ % 100 == 0) mixText(it.text);
    const after = it.next;
    if (after) assert(after.prev === it);
    it = after;
  }
  mix(n);
}

function prepend(list: Node | null, n: i32): Node | null {
  for (let i = 0; i < n; i++) {
    const node = new Node(next());
    node.next = list;
    list = node;
  }
  return list;
}

/** The first n nodes die, and as many new ones precede the rest, which only a local holds meanwhile. */
function renewFront(n: i32): void {
  let rest = head;
  for (let i = 0; i < n; i++) rest = rest!.next;
  head = null;
  safepoint(12);
  head = prepend(rest, n);
}

function reverse(): void {
  let done: Node | null = null;
  let rest = head;
  head = null;
  while (rest) {
    const after = rest.next;
    rest.next = done;
    done = rest;
    rest = after;
  }
  head = done;
}

function total(): u64 {
  let sum: u64 = 0;
  let n: u64 = 0;
  let it: Node | null = head;
  while (it) {
    sum = sum * 31 + it.value;
    n++;
    it = it.next;
  }
  assert(n == LONG);
  return sum;
}

/** Takes a node out of its place, gives it a new text, and puts it behind another. */
function move(): void {
  const from = places[below(<u32>places.length)];
  const node = from.next;
  if (!node) return;
  const after = node.next;
  from.next = after;
  if (after) after.prev = from;
  node.text = node.text.slice(-6) + below(10).toString();
  let to = places[below(<u32>places.length)];
  if (to === node) to = from;
  const behind = to.next;
  to.next = node;
  node.prev = to;
  node.next = behind;
  if (behind) behind.prev = node;
}
