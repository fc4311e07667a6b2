/**
 * Fragmentation on purpose: a heap full of small blocks loses every other one, then larger blocks come that
 * fit into none of the holes; then a random half of what is left goes, and larger ones still come.
 */

import { obtain, release } from "./blocks";
import { between, random } from "./prng";
import { at, put, sizeAt } from "./slots";
import { count } from "./tally";

const SMALL: u32 = 20000;
const MEDIUM: u32 = 5000;
const BIG: u32 = 1000;

function drop(i: u32): u32 {
  const ptr = at(i);
  if (!ptr) return 0;
  release(ptr, sizeAt(i));
  put(i, 0, 0);
  return 1;
}

/** One whole course, `n` times; the heap is empty at the end of each. */
export function fragmentation(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const end = SMALL + MEDIUM + BIG;
    let operations: u32 = end;
    for (let i: u32 = 0; i < SMALL; i++) {
      const size: usize = between(32, 160);
      put(i, obtain(size), size);
    }
    for (let i: u32 = 0; i < SMALL; i += 2) operations += drop(i);
    for (let i = SMALL; i < SMALL + MEDIUM; i++) {
      const size: usize = between(200, 1000);
      put(i, obtain(size), size);
    }
    for (let i: u32 = 0; i < SMALL + MEDIUM; i++) {
      if (random() >> 31) operations += drop(i);
    }
    for (let i = SMALL + MEDIUM; i < end; i++) {
      const size: usize = between(2000, 8000);
      put(i, obtain(size), size);
    }
    for (let i: u32 = 0; i < end; i++) operations += drop(i);
    count(operations);
  }
}
