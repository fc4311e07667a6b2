/**
 * A million live objects in a hash table with chains: filled, emptied by half at random, filled again, emptied.
 * An object is 16 to 79 bytes: link, size, contents. The table has 4096 heads below the heap; an object goes
 * to the front of a random chain and the victim is the front of a random chain, so objects die in an order
 * that has little to do with their addresses.
 */

import { obtain, release } from "./blocks";
import { below, random } from "./prng";
import { SPARE } from "./slots";
import { count } from "./tally";

const OBJECTS: u32 = 1 << 20;
const HEADS: u32 = 4096;
const HEADER: usize = 8;

function insert(): void {
  const r = random();
  const size: usize = 16 + (r & 63);
  const head = SPARE + ((<usize>(r >> 20)) << 2);
  const ptr = obtain(size, HEADER);
  store<u32>(ptr, load<u32>(head));
  store<u32>(ptr, <u32>size, 4);
  store<u32>(head, ptr);
}

/** Frees the front of chain `i`; returns how many objects went: 0 or 1. */
function take(i: u32): u32 {
  const head = SPARE + ((<usize>i) << 2);
  const ptr: usize = load<u32>(head);
  if (!ptr) return 0;
  store<u32>(head, load<u32>(ptr));
  release(ptr, load<u32>(ptr, 4), HEADER);
  return 1;
}

/** The whole course, `n` times. */
export function million(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    for (let i: u32 = 0; i < OBJECTS; i++) insert();
    let gone: u32 = 0;
    while (gone < OBJECTS / 2) gone += take(below(HEADS));
    for (let i: u32 = 0; i < OBJECTS / 2; i++) insert();
    gone = 0;
    // A pass over all heads in turn; chains differ in length, so later passes find some of them empty.
    while (gone < OBJECTS) {
      for (let i: u32 = 0; i < HEADS; i++) gone += take(i);
    }
    count(OBJECTS * 3);
  }
}
