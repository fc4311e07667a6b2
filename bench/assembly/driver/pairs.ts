/**
 * malloc followed at once by free: what a scratch buffer or a temporary node costs. Sizes are constants of the
 * code, as sizeof is in a C program, except in the mixed workload.
 */

import { obtain, release } from "./blocks";
import { between } from "./prng";
import { count } from "./tally";

@inline
function pairs(n: u32, size: usize): void {
  for (let i: u32 = 0; i < n; i++) release(obtain(size), size);
  count(n << 1);
}

/** `n` pairs of 16 bytes. */
export function pairs16(n: u32): void {
  pairs(n, 16);
}

/** `n` pairs of 64 bytes. */
export function pairs64(n: u32): void {
  pairs(n, 64);
}

/** `n` pairs of 256 bytes. */
export function pairs256(n: u32): void {
  pairs(n, 256);
}

/** `n` pairs of 1 to 512 bytes, drawn anew each time. */
export function pairsMixed(n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const size: usize = between(1, 512);
    release(obtain(size), size);
  }
  count(n << 1);
}
