/**
 * Shadow-model fuzzing at the speed of wasm: random calls of the whole API with every block's contents stamped and
 * verified, and a map of the bytes that are in use. Compiled by asc, merged with a flavour of the allocator; the
 * plain malloc flavour is driven with `--use HOST=0`.
 *
 * Its own memory lies below the heap, from the address given to setup():
 *
 *   params u32[32] | scratch 32 B | records of live blocks, 16 B each | tiny blocks, 8 B each | use map | tiny map
 *
 * use map: a bit for each 8 bytes of address space that a block's usable bytes cover. tiny map: a bit for each block
 * of 16 bytes that the tiny allocator cut up. run() stops at the first thing that is wrong and returns its code (the
 * list below); at(i) tells more. Deterministic for a seed, the parameters and the allocator.
 */

import * as go from "./gomalloc.assembly";

/** What run() and drain() return. */
const OK: i32 = 0;
const E_NULL: i32 = 1; // no memory, where failing is not allowed
const E_BOUNDS: i32 = 2; // outside the heap's memory
const E_ALIGN: i32 = 3;
const E_OVERLAP: i32 = 4; // bytes of another live block
const E_USABLE: i32 = 5; // usable size below the request
const E_CONTENT: i32 = 6; // a stamp is gone
const E_MOVED: i32 = 7; // realloc did not bring the contents along
const E_CALLOC: i32 = 8; // calloc not zero
const E_REFUSED: i32 = 9; // free of a live block refused
const E_DOUBLE: i32 = 10; // double free not reported as such
const E_INTERIOR: i32 = 11;
const E_FOREIGN: i32 = 12;
const E_TINY: i32 = 13;
const E_VALIDATE: i32 = 14;
const E_POSIX: i32 = 15; // posix_memalign: result does not go with its return value
const E_NEEDZERO: i32 = 16; // mallocgc with needzero not zero
const E_RESIZED: i32 = 17; // usable size changed during a block's life
const E_BASE: i32 = 18; // objectBase of an interior pointer
const E_LEFT: i32 = 19; // bits of the use map left after all was freed

/** Parameters, u32 at 4 * index. */
const P_MAX_LIVE: u32 = 0;
const P_MAX_BYTES: u32 = 1;
const P_OPS: u32 = 2; // weights: malloc calloc realloc aligned_alloc memalign posix_memalign noscan scan misuse
const OPS: u32 = 9;
const P_SIZES: u32 = 11; // weights: 1..16, ..1024, ..32768, ..256 KiB, ..4 MiB
const SIZES: u32 = 5;
const P_VALIDATE_EVERY: u32 = 16; // operations; 0 never
const P_MAY_FAIL: u32 = 17;
const P_MAX_TINY: u32 = 18;
const P_RELEASE_EVERY: u32 = 19; // operations; 0 never
const P_FAVOURITES: u32 = 20; // sizes that most requests have; they change with time
const PARAMS: u32 = 32;

let params: u32 = 0;
let scratch: u32 = 0;
let records: u32 = 0;
let tinies: u32 = 0;
let useMap: u32 = 0;
let tinyMap: u32 = 0;
let heapLo: u32 = 0;
let cover: u32 = 0;

let live: u32 = 0;
let liveBytes: u64 = 0;
let tinyCount: u32 = 0;
let target: u32 = 0;
let freeOrder: u32 = 0;
let cursor: u32 = 0;
let state: u64 = 1;

let done: u64 = 0;
let failed: u64 = 0;
let misuses: u64 = 0;
let peakBytes: u64 = 0;
let fitted: u64 = 0;

let errPtr: u32 = 0;
let errWant: u32 = 0;
let errGot: u32 = 0;

/**
 * Details for the report: 0 operations, 1 live, 2 address, 3 wanted, 4 got, 5 refused requests, 6 misuse probes, 7 peak bytes, 8 tiny,
 * 9 blocks of sizes between Go's classes.
 */
export function at(i: i32): f64 {
  if (i == 0) return <f64>done;
  if (i == 1) return <f64>live;
  if (i == 2) return <f64>errPtr;
  if (i == 3) return <f64>errWant;
  if (i == 4) return <f64>errGot;
  if (i == 5) return <f64>failed;
  if (i == 6) return <f64>misuses;
  if (i == 7) return <f64>peakBytes;
  if (i == 8) return <f64>tinyCount;
  return <f64>fitted;
}

function error(code: i32, p: u32, want: u32, got: u32): i32 {
  errPtr = p;
  errWant = want;
  errGot = got;
  return code;
}

/** Bytes that setup() needs for so many live and tiny blocks and so many bytes of addresses. */
export function footprint(slots: u32, tiny: u32, addresses: u32): u32 {
  return PARAMS * 4 + 32 + slots * 16 + tiny * 8 + (addresses >> 6) + (addresses >> 7);
}

/** The memory from `base` on is zero and ours; the heap lies above `lo` and below `addresses`. */
export function setup(base: u32, slots: u32, tiny: u32, addresses: u32, lo: u32, seed: u64): void {
  params = base;
  scratch = base + PARAMS * 4;
  records = scratch + 32;
  tinies = records + slots * 16;
  useMap = tinies + tiny * 8;
  tinyMap = useMap + (addresses >> 6);
  cover = addresses;
  heapLo = lo;
  state = seed * 0x9e3779b97f4a7c15 + 0x1234567;
  if (state == 0) state = 1;
  for (let i = 0; i < 8; i++) next();
}

export function setParam(i: u32, value: u32): void {
  store<u32>(params + (i << 2), value);
}

@inline
function param(i: u32): u32 {
  return load<u32>(params + (i << 2));
}

/** xorshift64*: upper 32 bits. */
function next(): u32 {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return <u32>((state * 0x2545f4914f6cdd1d) >> 32);
}

@inline
function below(n: u32): u32 {
  return <u32>((<u64>next() * n) >> 32);
}

/** Index drawn by the weights params[from .. from + n). */
function weighted(from: u32, n: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < n; i++) sum += param(from + i);
  let x = below(sum);
  for (let i: u32 = 0; i < n; i++) {
    const w = param(from + i);
    if (x < w) return i;
    x -= w;
  }
  return 0;
}

/** One of the sizes that most requests have for some 30,000 operations: 1 to 32768, as many per octave. */
function favourite(i: u32): u32 {
  const h = ((<u64>i + 1) * 0x9e3779b97f4a7c15 + (done >> 15) * 0xd6e8feb86659fd93) ^ 0x2545f4914f6cdd1d;
  const bits = <u32>((h * 0xff51afd7ed558ccd) >> 32);
  const octave: u32 = 1 << (4 + ((bits >> 28) % 11));
  return octave + 1 + (bits & (octave - 1));
}

/** A size; small sizes of a range more often than large ones. */
function drawSize(): u32 {
  const favourites = param(P_FAVOURITES);
  if (favourites != 0 && (next() & 31) != 0) return favourite(below(favourites));
  const range = weighted(P_SIZES, SIZES);
  if (range == 0) return 1 + below(16);
  const lo: u32 = range == 1 ? 16 : range == 2 ? 1024 : range == 3 ? 32768 : 1 << 18;
  const hi: u32 = range == 1 ? 1024 : range == 2 ? 32768 : range == 3 ? 1 << 18 : 1 << 22;
  // Half of them near a power of two or a page's multiple, where classes and spans change.
  const kind = below(4);
  if (kind == 0) return lo + 1 + below(hi - lo);
  let size = lo + 1 + (below(hi - lo) >> below(6));
  if (kind == 1) size = ((size + 63) & ~63) + below(3) - 1;
  return max(1, min(size, hi));
}

// --- stamps ---------------------------------------------------------------------------------------------------

@inline
function word(tag: u32, offset: u32): u64 {
  return (<u64>tag * 0x9e3779b97f4a7c15) ^ (<u64>(offset >> 3) * 0xd6e8feb86659fd93);
}

@inline
function byteOf(tag: u32, offset: u32): u8 {
  return <u8>(word(tag, offset) >> ((offset & 7) << 3));
}

/** Blocks above 8 KiB are stamped at their ends and once in 4 KiB, one in sixteen whole. */
@inline
function isSparse(size: u32, tag: u32): bool {
  return size > 8192 && (tag & 15) != 0;
}

function stamp(p: u32, size: u32, tag: u32): void {
  if (isSparse(size, tag)) {
    for (let i: u32 = 0; i < 64; i += 8) store<u64>(p + i, word(tag, i));
    for (let i: u32 = 4096; i + 8 <= size; i += 4096) store<u64>(p + i, word(tag, i));
    for (let i = size - 64; i < size; i++) store<u8>(p + i, byteOf(tag, i));
    return;
  }
  let i: u32 = 0;
  for (; i + 8 <= size; i += 8) store<u64>(p + i, word(tag, i));
  for (; i < size; i++) store<u8>(p + i, byteOf(tag, i));
}

/** Whether the first `upto` bytes of a block stamped as one of `size` bytes still carry its stamp. */
function intact(p: u32, size: u32, tag: u32, upto: u32): bool {
  if (isSparse(size, tag)) {
    for (let i: u32 = 0; i < min(64, upto & ~7); i += 8) if (load<u64>(p + i) != word(tag, i)) return false;
    for (let i: u32 = 4096; i + 8 <= upto; i += 4096) if (load<u64>(p + i) != word(tag, i)) return false;
    for (let i = size - 64; i < upto; i++) if (load<u8>(p + i) != byteOf(tag, i)) return false;
    return true;
  }
  let i: u32 = 0;
  for (; i + 8 <= upto; i += 8) if (load<u64>(p + i) != word(tag, i)) return false;
  for (; i < upto; i++) if (load<u8>(p + i) != byteOf(tag, i)) return false;
  return true;
}

function isZero(p: u32, size: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= size; i += 8) if (load<u64>(p + i) != 0) return false;
  for (; i < size; i++) if (load<u8>(p + i) != 0) return false;
  return true;
}

// --- the use map ----------------------------------------------------------------------------------------------

/** Sets the bits of [p, p + size); false if one was set. p is 8-aligned. */
function mark(p: u32, size: u32): bool {
  let bit = p >> 3;
  let n = (size + 7) >> 3;
  let clear = true;
  while (n > 0) {
    const shift = bit & 63;
    const here = min(n, 64 - shift);
    const mask = (~(<u64>0) >> (64 - here)) << shift;
    const w = useMap + ((bit >> 6) << 3);
    const old = load<u64>(w);
    if ((old & mask) != 0) clear = false;
    store<u64>(w, old | mask);
    bit += here;
    n -= here;
  }
  return clear;
}

function unmark(p: u32, size: u32): void {
  let bit = p >> 3;
  let n = (size + 7) >> 3;
  while (n > 0) {
    const shift = bit & 63;
    const here = min(n, 64 - shift);
    const mask = (~(<u64>0) >> (64 - here)) << shift;
    const w = useMap + ((bit >> 6) << 3);
    store<u64>(w, load<u64>(w) & ~mask);
    bit += here;
    n -= here;
  }
}

// --- records of live blocks: ptr | size | tag | usable --------------------------------------------------------

@inline
function record(i: u32): u32 {
  return records + (i << 4);
}

/** Bit of a tag: the block comes from mallocgc, whose slots are 8-aligned, and stays of its kind when resized. */
const GC_BORN: u32 = 1 << 31;

/** Takes a new block up: everything that must hold of it is checked. */
function adopt(p: u32, size: u32, align: u32, gc: u32 = 0): i32 {
  const usable = go.malloc_usable_size(p);
  if (usable < size) return error(E_USABLE, p, size, usable);
  const end = <u64>p + usable;
  if (p < heapLo || end > (<u64>(<u32>memory.size())) << 16 || end > cover) return error(E_BOUNDS, p, size, usable);
  if ((p & (align - 1)) != 0) return error(E_ALIGN, p, align, p & (align - 1));
  if (!mark(p, usable)) return error(E_OVERLAP, p, size, usable);
  const t = (next() & ~GC_BORN) | gc;
  const r = record(live++);
  store<u32>(r, p);
  store<u32>(r, size, 4);
  store<u32>(r, t, 8);
  store<u32>(r, usable, 12);
  stamp(p, size, t);
  liveBytes += usable;
  if (liveBytes > peakBytes) peakBytes = liveBytes;
  // Go's classes above 1024 bytes are multiples of 128.
  if (usable > 1024 && (usable & 127) != 0) fitted++;
  return OK;
}

/** Verifies a record's block and takes it out of the model. The block is still the allocator's to free. */
function disown(i: u32): i32 {
  const r = record(i);
  const p = load<u32>(r);
  const size = load<u32>(r, 4);
  const usable = load<u32>(r, 12);
  if (!intact(p, size, load<u32>(r, 8), size)) return error(E_CONTENT, p, size, load<u32>(r, 8));
  const now = go.malloc_usable_size(p);
  if (now != usable) return error(E_RESIZED, p, usable, now);
  unmark(p, usable);
  liveBytes -= usable;
  live--;
  if (i != live) memory.copy(r, record(live), 16);
  return OK;
}

/** Which record the next free or realloc takes. */
function choose(): u32 {
  if (freeOrder == 0) return below(live);
  if (freeOrder == 1) return live - 1;
  cursor++;
  if (cursor >= live) cursor = 0;
  return cursor;
}

function refused(): i32 {
  failed++;
  return param(P_MAY_FAIL) ? OK : error(E_NULL, 0, 0, 0);
}

@inline
function naturalAlign(size: u32): u32 {
  return size >= 16 ? 16 : 8;
}

// --- operations -----------------------------------------------------------------------------------------------

function release(i: u32): i32 {
  const p = load<u32>(record(i));
  const size = load<u32>(record(i), 4);
  const rc = disown(i);
  if (rc != OK) return rc;
  // Dirty all of it, so that calloc has something to clear.
  if (size <= 1024) memory.fill(p, 0xa5, size);
  if (HOST) {
    const kind = go.tryFree(p);
    if (kind != 0) return error(E_REFUSED, p, 0, kind);
  } else {
    go.free(p);
  }
  // One free in sixteen is tried again at once: the page may have gone back, then the pointer is a foreign one.
  if ((next() & 15) == 0) return secondFree(p);
  return OK;
}

function secondFree(p: u32): i32 {
  misuses++;
  if (HOST) {
    const kind = go.tryFree(p);
    if (kind != 1 && kind != 2) return error(E_DOUBLE, p, 1, kind);
    if (go.tryRealloc(p, 100) != 0) return error(E_DOUBLE, p, 1, 0);
    const why = go.lastMisuse();
    if (why != kind) return error(E_DOUBLE, p, kind, why);
  } else {
    go.free(p);
    if (go.realloc(p, 100) != 0) return error(E_DOUBLE, p, 1, 0);
  }
  return OK;
}

/** A pointer that free must refuse as `kind`. */
function mustRefuse(p: u32, kind: i32, code: i32): i32 {
  misuses++;
  if (HOST) {
    const got = go.tryFree(p);
    if (got != kind) return error(code, p, kind, got);
    if (go.tryRealloc(p, 1 + below(100)) != 0) return error(code, p, kind, 0);
    const why = go.lastMisuse();
    if (why != kind) return error(code, p, kind, why);
  } else {
    go.free(p);
    if (go.realloc(p, 1 + below(100)) != 0) return error(code, p, kind, 0);
  }
  return OK;
}

function misuse(): i32 {
  const kind = below(4);
  if (kind == 0) {
    // Below the heap, past the end of memory, at the very end of addresses.
    const which = below(4);
    if (which == 0) return mustRefuse(1 + below(heapLo - 1), 2, E_FOREIGN);
    const end = (<u32>memory.size()) << 16;
    if (which == 1 && end != 0) return mustRefuse(end + (below(1 << 16) & ~7), 2, E_FOREIGN);
    return mustRefuse(0xffffffff - below(1 << 15), 2, E_FOREIGN);
  }
  if (kind == 1 && tinyCount > 0 && HOST) {
    return mustRefuse(load<u32>(tinies + (below(tinyCount) << 3)), 4, E_TINY);
  }
  if (live == 0) return OK;
  const r = record(below(live));
  const p = load<u32>(r);
  const usable = load<u32>(r, 12);
  // A sampled block may be of one byte.
  if (usable == 1) return OK;
  let inside = 1 + below(usable - 1);
  if (kind == 2) inside = min(usable - 1, (inside + 7) & ~7);
  if (HOST) {
    const base = go.objectBase(p + inside);
    if (base != p) return error(E_BASE, p + inside, p, base);
  }
  return mustRefuse(p + inside, 3, E_INTERIOR);
}

function resize(): i32 {
  if (live == 0) return OK;
  const i = choose();
  const r = record(i);
  const p = load<u32>(r);
  const size = load<u32>(r, 4);
  const tag = load<u32>(r, 8);
  const usable = load<u32>(r, 12);
  // Half of them by a little, as growing vectors and strings do.
  let want = drawSize();
  const how = below(4);
  if (how == 0) want = size + (size >> 1) + 1;
  else if (how == 1) want = max(1, size - below(size));
  if (want > 1 << 22) want = 1 << 22;
  if (liveBytes - usable + want > param(P_MAX_BYTES)) want = max(1, size >> 1);
  const rc = disown(i);
  if (rc != OK) return rc;
  const q = HOST ? go.tryRealloc(p, want) : go.realloc(p, want);
  if (q == 0) {
    const why = HOST ? go.lastMisuse() : 0;
    if (why != 0) return error(E_REFUSED, p, 0, why);
    const failure = refused();
    if (failure != OK) return failure;
    if (!intact(p, size, tag, size)) return error(E_CONTENT, p, size, tag);
    return adopt(p, size, 8, tag & GC_BORN);
  }
  if (!intact(q, size, tag, min(size, want))) return error(E_MOVED, q, min(size, want), p);
  return adopt(q, want, (tag & GC_BORN) != 0 ? 8 : naturalAlign(want), tag & GC_BORN);
}

function tiny(size: u32, needzero: bool): i32 {
  const p = go.mallocgc(size, 0, needzero);
  if (p == 0) return refused();
  const align: u32 = size == 12 || (size & 7) == 0 ? 8 : (size & 3) == 0 ? 4 : (size & 1) == 0 ? 2 : 1;
  if ((p & (align - 1)) != 0) return error(E_ALIGN, p, align, p & (align - 1));
  if ((p & 15) + size > 16) return error(E_OVERLAP, p, 16, (p & 15) + size);
  const block = p >> 4;
  const w = tinyMap + ((block >> 6) << 3);
  const bit = (<u64>1) << (block & 63);
  if ((load<u64>(w) & bit) == 0) {
    if (p < heapLo || p >= cover) return error(E_BOUNDS, p, size, 0);
    if (!mark(block << 4, 16)) return error(E_OVERLAP, p, size, 16);
    store<u64>(w, load<u64>(w) | bit);
  }
  // Always zero: blocks of the tiny allocator are cleared as a whole.
  if (needzero && !isZero(p, size)) return error(E_NEEDZERO, p, size, 0);
  const tag = next() | 1;
  const t = tinies + (tinyCount++ << 3);
  store<u32>(t, p);
  store<u32>(t, (tag << 4) | size, 4);
  stamp(p, size, tag & 0x0fffffff);
  return OK;
}

function collected(scan: i32): i32 {
  const size = drawSize();
  const needzero = (next() & 1) != 0;
  if (scan == 0 && size < 16) return tinyCount < param(P_MAX_TINY) ? tiny(size, needzero) : OK;
  const p = go.mallocgc(size, scan, needzero);
  if (p == 0) return refused();
  if (needzero && !isZero(p, size)) return error(E_NEEDZERO, p, size, scan);
  return adopt(p, size, 8, GC_BORN);
}

/** An alignment; page and beyond seldom. */
function drawAlign(least: u32): u32 {
  const log = (next() & 31) == 0 ? 12 + below(6) : below(13);
  return max(least, (<u32>1) << log);
}

function allocate(op: u32): i32 {
  const size = drawSize();
  if (op == 0) {
    const p = go.malloc(size);
    return p == 0 ? refused() : adopt(p, size, naturalAlign(size));
  }
  if (op == 1) {
    const count = 1 + below(8);
    const each = (size + count - 1) / count;
    const p = (next() & 1) != 0 ? go.calloc(count, each) : go.calloc(each, count);
    if (p == 0) return refused();
    if (!isZero(p, count * each)) return error(E_CALLOC, p, count * each, 0);
    return adopt(p, count * each, naturalAlign(count * each));
  }
  if (op == 3) {
    const align = drawAlign(1);
    // ISO C once asked for a multiple of the alignment.
    const rounded = (next() & 1) != 0 ? (size + align - 1) & ~(align - 1) : size;
    const p = go.aligned_alloc(align, rounded);
    return p == 0 ? refused() : adopt(p, rounded, max(align, naturalAlign(rounded)));
  }
  if (op == 4) {
    const align = drawAlign(1);
    const p = go.memalign(align, size);
    return p == 0 ? refused() : adopt(p, size, max(align, naturalAlign(size)));
  }
  const align = drawAlign(4);
  store<u32>(scratch, 0xdeadbeef);
  const rc = go.posix_memalign(scratch, align, size);
  if (rc == 12) return refused();
  if (rc != 0 || load<u32>(scratch) == 0) return error(E_POSIX, load<u32>(scratch), align, rc);
  return adopt(load<u32>(scratch), size, max(align, naturalAlign(size)));
}

function step(): i32 {
  if ((done & 1023) == 0) {
    // The population swings: full, half, nearly empty; the order of frees changes with it.
    const maxLive = param(P_MAX_LIVE);
    const swing = below(8);
    target = swing == 0 ? 0 : swing < 3 ? below(maxLive) : swing < 5 ? maxLive >> 1 : maxLive;
    freeOrder = below(3);
  }
  const full = live >= param(P_MAX_LIVE) || liveBytes >= param(P_MAX_BYTES);
  const op = weighted(P_OPS, OPS);
  if (op == 8) return misuse();
  if (op == 2) return resize();
  if (live > 0 && (full || below(8) < (live > target ? <u32>6 : <u32>3))) return release(choose());
  if (full) return OK;
  if (HOST && (op == 6 || op == 7)) return collected(op - 6);
  return allocate(op >= 6 ? 0 : op);
}

/** Plays `n` operations. */
export function run(n: u32): i32 {
  const validateEvery = param(P_VALIDATE_EVERY);
  const releaseEvery = param(P_RELEASE_EVERY);
  for (let i: u32 = 0; i < n; i++) {
    const rc = step();
    if (rc != OK) return rc;
    done++;
    if (HOST) {
      if (releaseEvery != 0 && done % releaseEvery == 0) go.releaseAll();
      if (validateEvery != 0 && done % validateEvery == 0) {
        const bad = go.validateDeep();
        if (bad != 0) return error(E_VALIDATE, 0, 0, bad);
      }
    }
  }
  return OK;
}

/** Verifies every live block, tiny ones too, and changes nothing. */
export function verify(): i32 {
  for (let i: u32 = 0; i < live; i++) {
    const r = record(i);
    const size = load<u32>(r, 4);
    if (!intact(load<u32>(r), size, load<u32>(r, 8), size)) return error(E_CONTENT, load<u32>(r), size, i);
  }
  for (let i: u32 = 0; i < tinyCount; i++) {
    const p = load<u32>(tinies + (i << 3));
    const info = load<u32>(tinies + (i << 3), 4);
    const tag = (info >> 4) & 0x0fffffff;
    if (!intact(p, info & 15, tag, info & 15)) return error(E_CONTENT, p, info & 15, i);
  }
  return OK;
}

/** Verifies and frees every block that can be freed; then nothing but tiny blocks may be in use. */
export function drain(): i32 {
  const rc = verify();
  if (rc != OK) return rc;
  freeOrder = 0;
  while (live > 0) {
    const rc = release(below(live));
    if (rc != OK) return rc;
    done++;
  }
  if (HOST) {
    const bad = go.validateDeep();
    if (bad != 0) return error(E_VALIDATE, 0, 0, bad);
  }
  for (let w = useMap, t = tinyMap; w < tinyMap; w += 8) {
    const bits = load<u64>(w);
    if (bits == 0) continue;
    // Two granules a tiny block: both bits set where the tiny map has its bit.
    const pair = (w - useMap) >> 3;
    const tinyBits = load<u32>(t + (pair << 2));
    for (let b: u32 = 0; b < 64; b++) {
      const used = (bits >> b) & 1;
      if (used != ((tinyBits >> (b >> 1)) & 1)) return error(E_LEFT, ((pair << 6) + b) << 3, 0, <u32>used);
    }
  }
  return liveBytes == 0 ? OK : error(E_LEFT, 0, 0, <u32>liveBytes);
}
