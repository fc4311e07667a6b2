/**
 * What grows through realloc, three times; capacities are kept in both builds, because the workloads need them.
 *
 * vectors: 64 of them, each lengthened by half through realloc until it reaches a limit drawn for it
 * (64 bytes to 32 KiB, small limits as likely as large ones), then freed and begun again.
 * strings: 4096 of them, each lengthened by 8 to 39 bytes until it reaches its limit (40 to 1023 bytes), then freed and
 * begun again.
 * doubling: eight vectors that double from 16 bytes to 64 KiB, a random one each time, then freed and begun again.
 */

import { obtain, release, resize } from "./blocks";
import { below, between, random } from "./prng";
import { SPARE, at, put } from "./slots";
import { count } from "./tally";

const VECTORS: u32 = 64;
const FIRST: usize = 16;

// SPARE holds capacity and limit of each vector, 8 bytes.

@inline
function entry(i: u32): usize {
  return SPARE + ((<usize>i) << 3);
}

/** Resizes what is in slot `i` from `length` to `longer` bytes. */
@inline
function lengthen(i: u32, length: usize, longer: usize): void {
  put(i, resize(at(i), length, longer), longer);
  store<u32>(entry(i), <u32>longer);
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
      lengthen(i, capacity, capacity + (capacity >> 1));
    }
  }
  count(n + again);
}

const STRINGS: u32 = 4096;
const SHORTEST: u32 = 40;
const LONGEST: u32 = 1023;

@inline
function piece(): u32 {
  return between(8, 39);
}

function beginString(i: u32): void {
  const length = piece();
  store<u32>(entry(i), length);
  store<u32>(entry(i), between(SHORTEST, LONGEST), 4);
  put(i, obtain(length), length);
}

/** Begins all strings. */
export function stringsSetup(): void {
  for (let i: u32 = 0; i < STRINGS; i++) beginString(i);
}

/** Lengthens a random string by 8 to 39 bytes, `n` times; two operations where one is begun again. */
export function strings(n: u32): void {
  let again: u32 = 0;
  for (let k: u32 = 0; k < n; k++) {
    const i = below(STRINGS);
    const length: usize = load<u32>(entry(i));
    if (length >= load<u32>(entry(i), 4)) {
      release(at(i), length);
      beginString(i);
      again++;
    } else {
      lengthen(i, length, length + piece());
    }
  }
  count(n + again);
}

const DOUBLING: u32 = 8;
const DOUBLED: usize = 64 << 10;

function beginDoubling(i: u32): void {
  store<u32>(entry(i), FIRST);
  put(i, obtain(FIRST), FIRST);
}

/** Begins the eight vectors. */
export function doublingSetup(): void {
  for (let i: u32 = 0; i < DOUBLING; i++) beginDoubling(i);
}

/** Doubles a random vector of eight, `n` times; two operations where one is begun again. */
export function doubling(n: u32): void {
  let again: u32 = 0;
  for (let k: u32 = 0; k < n; k++) {
    const i = below(DOUBLING);
    const capacity: usize = load<u32>(entry(i));
    if (capacity >= DOUBLED) {
      release(at(i), capacity);
      beginDoubling(i);
      again++;
    } else {
      lengthen(i, capacity, capacity << 1);
    }
  }
  count(n + again);
}
