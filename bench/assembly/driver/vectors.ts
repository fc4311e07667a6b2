/**
 * Growing vectors: 64 of them, each lengthened by half through realloc until it reaches a limit drawn for it
 * (64 bytes to 32 KiB, small limits as likely as large ones), then freed and begun again.
 * Capacities are kept in both builds: the workload needs them.
 */

import { obtain, release, resize } from "./blocks";
import { below, random } from "./prng";
import { SPARE, at, put } from "./slots";
import { count } from "./tally";

const VECTORS: u32 = 64;
const FIRST: usize = 16;

// SPARE holds capacity and limit of each vector, 8 bytes.

@inline
function entry(i: u32): usize {
  return SPARE + ((<usize>i) << 3);
}

function begin(i: u32): void {
  const r = random();
  const magnitude = (<u32>64) << (r & 7);
  store<u32>(entry(i), FIRST);
  store<u32>(entry(i), magnitude + ((r >> 8) & (magnitude - 1)), 4);
  put(i, obtain(FIRST), FIRST);
}

/** Begins all vectors. */
export function vectorsSetup(): void {
  for (let i: u32 = 0; i < VECTORS; i++) begin(i);
}

/** Lengthens a random vector, `n` times; two operations where one is begun again. */
export function vectors(n: u32): void {
  let again: u32 = 0;
  for (let k: u32 = 0; k < n; k++) {
    const i = below(VECTORS);
    const capacity: usize = load<u32>(entry(i));
    if (capacity >= load<u32>(entry(i), 4)) {
      release(at(i), capacity);
      begin(i);
      again++;
    } else {
      const longer = capacity + (capacity >> 1);
      put(i, resize(at(i), capacity, longer), longer);
      store<u32>(entry(i), longer);
    }
  }
  count(n + again);
}
