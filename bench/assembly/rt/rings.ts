/**
 * Cyclic lists: doubly linked rings, in which every node can be reached from every other. An operation builds a ring of
 * LENGTH nodes, lets the ring before it know of it, and drops the one that was built SLOTS operations before, after
 * adding it up both ways.
 */

import { mix } from "../driver/tally";

export { checksum } from "../driver/tally";

const LENGTH: i32 = 125;
const SLOTS: i32 = 256;

class Node {
  next!: Node;
  prev!: Node;
  /** The next ring: from old to young only, or no ring would ever be unreachable. */
  younger: Node | null = null;

  constructor(public value: u32) {
    this.next = this;
    this.prev = this;
  }
}

let size: i32 = 0;
let turn: i32 = 0;
let youngest: Node = new Node(0);
const slots = new StaticArray<Node | null>(SLOTS);
/** Rings that live throughout. */
let kept: StaticArray<Node | null> = new StaticArray<Node | null>(0);

function build(length: i32, seed: u32): Node {
  const head = new Node(seed);
  for (let i = 1; i < length; i++) {
    const node = new Node(seed + i);
    node.prev = head.prev;
    node.next = head;
    head.prev.next = node;
    head.prev = node;
  }
  return head;
}

function add(ring: Node): u32 {
  let sum = ring.value;
  for (let node = ring.next; node != ring; node = node.next) sum = sum * 31 + node.value;
  for (let node = ring.prev; node != ring; node = node.prev) sum = sum * 33 + node.value;
  const younger = ring.younger;
  return younger ? sum + younger.prev.value : sum;
}

/** Builds the rings that live throughout: 4 `n` of LENGTH nodes. */
export function setup(n: i32): void {
  size = n;
  kept = new StaticArray<Node | null>(n * 4);
  for (let i = 0; i < kept.length; i++) kept[i] = build(LENGTH, i);
}

export function operations(): i32 {
  return size * 400;
}

/** The kept rings and those in the slots are as many nodes as so many operations make. */
export function interval(): i32 {
  return kept.length + SLOTS;
}

export function operation(): void {
  const slot = turn % SLOTS;
  const old = slots[slot];
  if (old) mix(add(old));
  const ring = build(LENGTH, turn++);
  youngest.younger = ring;
  youngest = ring;
  slots[slot] = ring;
}

/** Adds up what is left. */
export function finish(): void {
  for (let i = 0; i < kept.length; i++) mix(add(kept[i]!));
  for (let i = 0; i < SLOTS; i++) {
    const ring = slots[i];
    if (ring) mix(add(ring));
  }
}
