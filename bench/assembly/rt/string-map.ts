/**
 * Map<string, Entry>: an operation inserts or deletes TOGGLES random keys of n times 1000, of which half are there. Each
 * key is a new string, made for the look-up, as it would come out of a parser.
 */

import { below, seed } from "../driver/prng";
import { Churn } from "./churn";

export { checksum } from "../driver/tally";

const TOGGLES: i32 = 128;

let keys: u32 = 0;
const churn = new Churn<string>();

/** Half of the keys are there after a draw for each of them and more. */
export function setup(n: i32): void {
  seed(1);
  keys = n * 1000;
  for (let i: u32 = 0; i < keys * 2; i++) toggle();
}

export function operations(): i32 {
  return keys >> 2;
}

/** As many bytes as live: two strings a toggle, entries and buffers. The least interval is for 1 MiB. */
export function interval(): i32 {
  return max<i32>(keys / 200, 80);
}

function toggle(): void {
  const key = below(keys);
  churn.toggle("key/" + key.toString(), key);
}

export function operation(): void {
  for (let i = 0; i < TOGGLES; i++) toggle();
}

/** Folds what is left into the checksum. */
export function finish(): void {
  churn.finish();
}
