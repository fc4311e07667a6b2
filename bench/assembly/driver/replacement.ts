/**
 * Live sets of constant count in which blocks are replaced one by one: the steady state of a server.
 */

import { obtain, obtainZeroed, release, resize } from "./blocks";
import { below, between, random } from "./prng";
import { at, put, sizeAt } from "./slots";
import { count } from "./tally";

/** Puts a new block into slot `i`. */
@inline
function give(i: u32, size: usize): void {
  put(i, obtain(size), size);
}

/** The same where there was one. */
@inline
function renew(i: u32, size: usize): void {
  release(at(i), sizeAt(i));
  give(i, size);
}

// uniform sizes -----------------------------------------------------------------------------------------

/** Fills a live set with blocks of `low` to `high` bytes. */
@inline
function fill(live: u32, low: u32, high: u32): void {
  for (let i: u32 = 0; i < live; i++) {
    const size: usize = between(low, high);
    give(i, size);
  }
}

/** Replaces `n` random blocks of `live`. */
@inline
function replace(n: u32, live: u32, low: u32, high: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const i = below(live);
    const size: usize = between(low, high);
    renew(i, size);
  }
  count(n << 1);
}

// larson -------------------------------------------------------------

const LARSON_LIVE: u32 = 10000;
const LARSON_MAX: u32 = 1024;

/** Fills the live set of larson. */
export function larsonSetup(): void {
  fill(LARSON_LIVE, 1, LARSON_MAX);
}

/** Replaces `n` random blocks of 10000 by blocks of 1 to 1024 bytes. */
export function larson(n: u32): void {
  replace(n, LARSON_LIVE, 1, LARSON_MAX);
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
    give(i, size);
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
    renew(i, size);
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

// small blocks of mixed sizes ---------------------------------------------------------------------------

const SMALL_LIVE: u32 = 10000;
const SMALL_MIN: u32 = 16;
const SMALL_MAX: u32 = 143;

/** Fills the live set of mixed. */
export function mixedSetup(): void {
  fill(SMALL_LIVE, SMALL_MIN, SMALL_MAX);
}

/** Replaces `n` random blocks of 10000 by blocks of 16 to 143 bytes. */
export function mixed(n: u32): void {
  replace(n, SMALL_LIVE, SMALL_MIN, SMALL_MAX);
}

// medium blocks -----------------------------------------------------------------------------------------

const FEW: u32 = 256;
const MANY: u32 = 2000;
const MEDIUM_MIN: u32 = 1024;
const OCTAVES: u32 = 6;

/** 1 KiB up to 64 KiB: each doubling of the size is as likely as the others. */
@inline
function mediumSize(): usize {
  const r = random();
  const low = MEDIUM_MIN << (((r >>> 16) * OCTAVES) >>> 16);
  return low + (r & (low - 1));
}

function fillMedium(live: u32): void {
  for (let i: u32 = 0; i < live; i++) {
    const size = mediumSize();
    give(i, size);
  }
}

@inline
function replaceMedium(n: u32, live: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const i = below(live);
    const size = mediumSize();
    renew(i, size);
  }
  count(n << 1);
}

/** Fills the live set of mediumFew. */
export function mediumFewSetup(): void {
  fillMedium(FEW);
}

/** Replaces `n` random blocks of 256 by blocks of 1 to 64 KiB. */
export function mediumFew(n: u32): void {
  replaceMedium(n, FEW);
}

/** Fills the live set of mediumMany. */
export function mediumManySetup(): void {
  fillMedium(MANY);
}

/** Replaces `n` random blocks of 2000 by blocks of 1 to 64 KiB. */
export function mediumMany(n: u32): void {
  replaceMedium(n, MANY);
}

// powers of two and a header ----------------------------------------------------------------------------

const HEADER: u32 = 8;

/** A power of two from 256 bytes to 64 KiB, each as likely, and a header of 8 bytes. */
@inline
function headedSize(): usize {
  return HEADER + ((<u32>256) << below(9));
}

/** Fills the live set of headed. */
export function headedSetup(): void {
  for (let i: u32 = 0; i < FEW; i++) give(i, headedSize());
}

/** Replaces `n` random blocks of 256 by blocks of a power of two and 8 bytes. */
export function headed(n: u32): void {
  for (let k: u32 = 0; k < n; k++) renew(below(FEW), headedSize());
  count(n << 1);
}

// buffers that are cut to what was needed ---------------------------------------------------------------

const BUFFER: usize = 64 << 10;

/** A buffer in slot `i`, cut at once. */
@inline
function cut(i: u32): void {
  const size = mediumSize();
  put(i, resize(obtain(BUFFER), BUFFER, size), size);
}

/** Fills the live set of trimmed. */
export function trimmedSetup(): void {
  for (let i: u32 = 0; i < FEW; i++) cut(i);
}

/** Replaces `n` random blocks of 256 by buffers of 64 KiB that realloc cuts to 1 to 64 KiB; three operations each. */
export function trimmed(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const i = below(FEW);
    release(at(i), sizeAt(i));
    cut(i);
  }
  count(n * 3);
}

// from an empty heap ------------------------------------------------------------------------------------

const COLD_LIVE: u32 = 50000;

/** Fills a live set of 50000 blocks of 1 to 1024 bytes, then replaces `n` random ones. */
export function coldLarson(n: u32): void {
  fill(COLD_LIVE, 1, LARSON_MAX);
  count(COLD_LIVE);
  replace(n, COLD_LIVE, 1, LARSON_MAX);
}

/** Fills a live set of 2000 blocks of 1 to 64 KiB, then replaces `n` random ones. */
export function coldMedium(n: u32): void {
  fillMedium(MANY);
  count(MANY);
  replaceMedium(n, MANY);
}

// large blocks ----------------------------------------------------------------------------------------------

const LARGE_LIVE: u32 = 32;
const LARGE_MIN: u32 = 32 << 10;
const LARGE_MAX: u32 = 1 << 20;

/** Fills the live set of large. */
export function largeSetup(): void {
  fill(LARGE_LIVE, LARGE_MIN, LARGE_MAX);
}

/** Replaces `n` random blocks of 32 by blocks of 32 KiB to 1 MiB. */
export function large(n: u32): void {
  replace(n, LARGE_LIVE, LARGE_MIN, LARGE_MAX);
}

// small and large blocks whose sizes change --------------------------------------------------------------

const CROWD: u32 = 16384;
const GIANTS: u32 = 24;
const DRIFT: u32 = 128;

/** Large blocks replaced so far: what the sizes follow. */
let giants: u32 = 0;

@inline
function phase(): u32 {
  return (giants / DRIFT) & 3;
}

/** 16 to 271 bytes in the first phase, 256 more in each of the others. */
@inline
function crowdSize(): usize {
  return 16 + (phase() << 8) + below(256);
}

/** 256 to 512 KiB in the first phase, half of that in each of the others. */
@inline
function giantSize(): usize {
  const low: u32 = (256 << 10) >> phase();
  return low + below(low);
}

/** Fills both live sets of smallAndLarge. */
export function smallAndLargeSetup(): void {
  for (let i: u32 = 0; i < CROWD; i++) {
    const size = crowdSize();
    give(i, size);
  }
  for (let i = CROWD; i < CROWD + GIANTS; i++) {
    const size = giantSize();
    give(i, size);
  }
}

/**
 * Replaces `n` blocks: one in 128 is one of 24 large ones, the others are among 16384 small ones. After each 128 large
 * ones both kinds move on to the next of four ranges of sizes, small ones to greater and large ones to smaller sizes, so
 * that what comes does not fit what goes.
 */
export function smallAndLarge(n: u32): void {
  for (let k: u32 = 0; k < n; k++) {
    const r = random();
    let i: u32;
    let size: usize;
    if (r & 127) {
      i = (r >>> 7) & (CROWD - 1);
      size = crowdSize();
    } else {
      i = CROWD + (((r >>> 16) * GIANTS) >>> 16);
      size = giantSize();
      giants++;
    }
    renew(i, size);
  }
  count(n << 1);
}
