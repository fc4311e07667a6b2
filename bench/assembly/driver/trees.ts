/**
 * Binary trees, after the benchmark game: one tree of depth DEPTH lives throughout, shorter trees come and go.
 * A node is 16 bytes: left, right, an item and one word of padding. Contents check themselves: the items of every
 * tree are added up as it is felled.
 */

import { free, malloc } from "./allocator";
import { born, count, died, mix } from "./tally";

const DEPTH: u32 = 12;

let kept: usize = 0;

function grow(depth: u32): usize {
  const node = malloc(16);
  if (!node) unreachable();
  if (CHECKED) born(16);
  if (depth) {
    store<u32>(node, grow(depth - 1));
    store<u32>(node, grow(depth - 1), 4);
  } else {
    store<u64>(node, 0);
  }
  store<u32>(node, depth, 8);
  return node;
}

function fell(node: usize): u32 {
  const left: usize = load<u32>(node);
  let sum = load<u32>(node, 8);
  if (left) sum += fell(left) + fell(load<u32>(node, 4));
  if (CHECKED) died(16);
  free(node);
  return sum;
}

function nodes(depth: u32): u32 {
  return ((<u32>2) << depth) - 1;
}

/** Grows the tree that is kept. */
export function treesSetup(): void {
  kept = grow(DEPTH);
}

/** For each even depth from 4 to DEPTH grows and fells as many trees as make 2^DEPTH leaves; `n` times. */
export function trees(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    for (let depth: u32 = 4; depth <= DEPTH; depth += 2) {
      const times = (<u32>1) << (DEPTH - depth);
      for (let i: u32 = 0; i < times; i++) mix(fell(grow(depth)));
      count(times * nodes(depth) * 2);
    }
  }
}

/** Fells the kept tree: its items must add up. */
export function treesFinish(): void {
  mix(fell(kept));
}
