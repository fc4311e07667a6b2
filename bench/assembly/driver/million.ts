/**
 * A million live objects in a hash table with chains: filled, emptied by half at random, filled again, emptied, and
 * from the beginning. An object is 16 to 79 bytes: link, size, contents. The table has 4096 heads below the heap; an
 * object goes to the front of a random chain and the victim is the front of a random chain, so objects die in an
 * order that has little to do with their addresses.
 *
 * The course can be stopped anywhere: its state is in globals.
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

const FILL: u32 = 0;
const HALVE: u32 = 1;
const REFILL: u32 = 2;
const EMPTY: u32 = 3;

let phase: u32 = FILL;
let live: u32 = 0;
let turn: u32 = 0;

/** Goes on with the course for `n` operations. */
export function million(n: u32): void {
  let todo = n;
  while (todo) {
    if (phase == FILL || phase == REFILL) {
      const some = min(todo, OBJECTS - live);
      for (let i: u32 = 0; i < some; i++) insert();
      live += some;
      todo -= some;
      if (live == OBJECTS) phase++;
    } else if (phase == HALVE) {
      const goal = live - min(todo, live - OBJECTS / 2);
      todo -= live - goal;
      while (live > goal) live -= take(below(HEADS));
      if (live == OBJECTS / 2) phase++;
    } else {
      // All heads in turn; chains differ in length, so the last passes find some of them empty.
      const goal = live - min(todo, live);
      todo -= live - goal;
      while (live > goal) {
        live -= take(turn);
        turn = (turn + 1) & (HEADS - 1);
      }
      if (!live) phase = FILL;
    }
  }
  count(n);
}

/** Empties the table. */
export function millionFinish(): void {
  phase = EMPTY;
  if (live) million(live);
}
