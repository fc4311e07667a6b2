/**
 * Singly linked lists: one long list lives throughout, short ones come and go. An operation builds a list of LENGTH
 * nodes and drops the one that was built SLOTS operations before, after adding it up.
 */

import { mix } from "../driver/tally";

export { checksum } from "../driver/tally";

const LENGTH: i32 = 250;
const SLOTS: i32 = 256;

class Node {
  constructor(
    public value: u32,
    public next: Node | null,
  ) {}
}

let size: i32 = 0;
let long: Node | null = null;
let turn: i32 = 0;
const slots = new StaticArray<Node | null>(SLOTS);

function build(length: i32, seed: u32): Node | null {
  let head: Node | null = null;
  for (let i = 0; i < length; i++) head = new Node(seed + i, head);
  return head;
}

function add(list: Node | null): u32 {
  let sum: u32 = 0;
  let node: Node | null = list;
  while (node) {
    sum = sum * 31 + node.value;
    node = node.next;
  }
  return sum;
}

/** Builds the long list: `n` times 1000 nodes. */
export function setup(n: i32): void {
  size = n;
  long = build(n * 1000, 1);
}

export function operations(): i32 {
  return size * 400;
}

/** The long list and those in the slots are as many nodes as so many operations make. */
export function interval(): i32 {
  return (size * 1000) / LENGTH + SLOTS;
}

export function operation(): void {
  const slot = turn % SLOTS;
  mix(add(slots[slot]));
  slots[slot] = build(LENGTH, turn++);
}

/** Adds up what is left. */
export function finish(): void {
  mix(add(long));
  for (let i = 0; i < SLOTS; i++) mix(add(slots[i]));
}
