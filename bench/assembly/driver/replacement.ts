/**
 * Live sets of constant count in which blocks are replaced one by one: the steady state of a server.
 */

import { obtain, obtainZeroed, release } from "./blocks";
import { below, between, random } from "./prng";
import { at, put, sizeAt } from "./slots";
import { count } from "./tally";

// larson: random replacement, uniform sizes -------------------------------------------------------------

const LARSON_LIVE: u32 = 10000;
const LARSON_MAX: u32 = 1024;

/** Fills the live set of larson. */
export function larsonSetup(): void {
  for (let i: u32 = 0; i < LARSON_LIVE; i++) {
    const size: usize = between(1, LARSON_MAX);
    put(i, obtain(size), size);
  }
}

/** Replaces `n` random blocks of 10000 by blocks of 1 to 1024 bytes. */
export function larson(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const i = below(LARSON_LIVE);
    const size: usize = between(1, LARSON_MAX);
    release(at(i), sizeAt(i));
    put(i, obtain(size), size);
  }
  count(n << 1);
}

// alloc-test: skewed sizes and lifetimes --------------------------------------------------------------------

const RING: u32 = 16384;
const YOUNG: u32 = 64;

let cursor: u32 = 0;

/** Half of the sizes within 9..16 bytes, a quarter within 17..32, and so on up to 8 KiB. */
@inline
function skewedSize(): usize {
  const r = random();
  const e = ctz(r | 0x200);
  return ((<usize>16) << e) - (((<usize>r) >> 10) & (((<usize>8) << e) - 1));
}

/** Fills the ring of alloc-test. */
export function allocTestSetup(): void {
  for (let i: u32 = 0; i < RING; i++) {
    const size = skewedSize();
    put(i, obtain(size), size);
  }
}

/**
 * Replaces `n` blocks: three in four among the youngest YOUNG places of a ring of 16384 that moves on by one
 * each time, the fourth anywhere.
 */
export function allocTest(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const r = random();
    const i = (r & 3 ? cursor - ((r >> 8) % YOUNG) : r >> 8) & (RING - 1);
    cursor++;
    const size = skewedSize();
    release(at(i), sizeAt(i));
    put(i, obtain(size), size);
  }
  count(n << 1);
}

// calloc ----------------------------------------------------------------------------------------------------

const ZEROED_LIVE: u32 = 1024;

@inline
function zeroedSize(): usize {
  const r = random();
  return r & 7 ? 16 + ((r >> 8) % 241) : 256 + ((r >> 8) % 3841);
}

/** Fills the live set of zeroed. */
export function zeroedSetup(): void {
  for (let i: u32 = 0; i < ZEROED_LIVE; i++) {
    const size = zeroedSize();
    put(i, obtainZeroed(size), size);
  }
}

/** Replaces `n` random blocks of 1024 through calloc: seven in eight have 16..256 bytes, the others up to 4 KiB. */
export function zeroed(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const i = below(ZEROED_LIVE);
    const size = zeroedSize();
    release(at(i), sizeAt(i));
    put(i, obtainZeroed(size), size);
  }
  count(n << 1);
}

// large blocks ----------------------------------------------------------------------------------------------

const LARGE_LIVE: u32 = 32;

/** Fills the live set of large. */
export function largeSetup(): void {
  for (let i: u32 = 0; i < LARGE_LIVE; i++) {
    const size: usize = between(32 << 10, 1 << 20);
    put(i, obtain(size), size);
  }
}

/** Replaces `n` random blocks of 32 by blocks of 32 KiB to 1 MiB. */
export function large(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const i = below(LARGE_LIVE);
    const size: usize = between(32 << 10, 1 << 20);
    release(at(i), sizeAt(i));
    put(i, obtain(size), size);
  }
  count(n << 1);
}
