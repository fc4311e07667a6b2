/**
 * Map<i32, Entry>: an operation inserts or deletes TOGGLES random keys of n times 1000, of which half are there.
 * Growing and thinning out, the map copies itself into new buffers: long operations that are not the collector's.
 */

import { below, seed } from "../driver/prng";
import { Churn } from "./churn";

export { checksum } from "../driver/tally";

const TOGGLES: i32 = 256;

let keys: u32 = 0;
const churn = new Churn<i32>();

/** Half of the keys are there after a draw for each of them and more. */
export function setup(n: i32): void {
  seed(1);
  keys = n * 1000;
  for (let i: u32 = 0; i < keys * 2; i++) toggle();
}

export function operations(): i32 {
  return keys >> 2;
}

/**
 * As many bytes as live: an entry for every second toggle, of half as many as there are keys, and buffers for both. The
 * least interval is for 1 MiB.
 */
export function interval(): i32 {
  return max<i32>(keys / 200, 150);
}

// Knuth's multiplier spreads the keys; the map hashes them once more.
function toggle(): void {
  const key = below(keys);
  churn.toggle(<i32>(key * 0x9e3779b1), key);
}

export function operation(): void {
  for (let i = 0; i < TOGGLES; i++) toggle();
}

/** Folds what is left into the checksum. */
export function finish(): void {
  churn.finish();
}
