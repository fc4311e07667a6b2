/**
 * The little heap of an AssemblyScript program: for a memory too small for pages and records, and for programs compiled
 * with ASC_RTRACE or --lowMemoryLimit. Blocks lie side by side, in the layout of the compiler's own runtimes:
 *
 *   0 bytes behind this word u32, a multiple of 16 less 4, and FREE or RAW | 4 a block of heap.alloc, or an object:
 *   4 link u32 | 8 pins u32 | 12 rtId u32 | 16 rtSize u32 | 20 the object
 *
 * Objects and blocks are at multiples of 16. A search takes the first free block that is long enough, and joins free
 * neighbours on its way. A collection stops the program. It marks everything reachable from the roots, along a list
 * through the links whose lowest bit says marked, and frees the other objects. It is due when the objects have grown by
 * GOGC percent since the last one, and when a search fails. Static objects have the same header and are unmarked by way
 * of the list.
 *
 * With ASC_RTRACE the compiler's hooks are called as its own runtimes call them. Rtrace would report a store outside
 * any block as stray. Those few are made by memory.copy, which it does not watch.
 *
 * Owner: the one thread. Cost: a search O(blocks); a collection O(blocks + references).
 */

import { FINALIZE, MARKED_HOOK, RTRACE, WASM_PAGE_SHIFT } from "../base/config";
import { OBJECT_AT } from "../base/layout";
import { finalize, isFinalizing, leaveFinalizer } from "../central/sweep";
import { shadeStack } from "./ascroots";
import { traceAlloc, traceCollect, traceFree, traceInit, traceInterrupt, traceMove, traceYield } from "./rtrace";
import {
  FLAGS,
  FREE,
  OBJECT,
  RAW,
  after,
  beginMarks,
  bytesOf,
  drainLittle,
  end,
  first,
  isMarkedLittle,
  setBlocks,
  visitLittle,
} from "./littleblocks";

/** Whether the program has a little heap whatever its memory size. */
@inline const LITTLE_ONLY: bool = RTRACE || ASC_LOW_MEMORY_LIMIT != 0;
/** A memory of up to this many wasm pages that cannot grow has a little heap. */
@inline const LITTLE_PAGES: u32 = 4;
/** Longest block. */
@inline const MAX_BYTES: u32 = (1 << 30) - 4;
/** Bytes of an object's header inside its block. */
@inline const HEADER: u32 = 16;
/** No collection begins below this many bytes of objects. */
@inline const LEAST: u32 = 4096;

/** No block below this address is free: a search begins here. */
let cursor: u32 = 0;
/** Bytes of the objects' blocks, and the number of bytes at which a collection begins. */
let live: u32 = 0;
let due: u32 = 0;
let percent: i32 = 100;
/** List of dead blocks that are not finalized yet, through their links. */
let dead: u32 = 0;
/** List of pinned static objects: blocks {next, object, pins}. */
let pinned: u32 = 0;
/** True once the memory was found to be too large for a little heap. */
let large: bool = false;

/** Bytes that the object at `p`, which may be static, can grow to in place. */
@inline
export function roomLittle(p: u32): u32 {
  return bytesOf(p - OBJECT) - HEADER;
}

/**
 * Whether the heap is a little one. Decided once, when the program first asks for memory. `gogc` is the value of
 * GOMALLOC_GOGC.
 */
export function isLittle(gogc: i32): bool {
  if (first != 0) return true;
  if (large) return false;
  // If memory can grow by a page, the paged heap is used; it needs the page soon anyway.
  if (!LITTLE_ONLY && (<u32>memory.size() > LITTLE_PAGES || memory.grow(1) >= 0)) {
    large = true;
    return false;
  }
  percent = gogc;
  startLittle();
  return true;
}

function startLittle(): void {
  traceInit(__heap_base);
  const from = ((<u32>__heap_base + 19) & ~15) - 4;
  if (!ASC_LOW_MEMORY_LIMIT && from + 64 > memoryEnd()) memory.grow(1);
  let to: u32 = ASC_LOW_MEMORY_LIMIT ? ((<u32>ASC_LOW_MEMORY_LIMIT) & ~15) - 4 : memoryEnd() - 4;
  if (to < from + 16) to = from;
  setBlocks(from, to);
  cursor = from;
  if (to > from) put(from, (to - from - 4) | FREE);
  due = max<u32>(LEAST, (end - first) >> 1);
}

/** End of the memory. The last page of a full 4 GiB memory is left out, so that addresses do not wrap. */
function memoryEnd(): u32 {
  return min(<u32>memory.size(), 0xffff) << WASM_PAGE_SHIFT;
}

/** Write a block's first word, which may lie outside all blocks. */
function put(at: u32, value: u32): void {
  if (RTRACE) {
    const scratch = memory.data(4);
    store<u32>(scratch, value);
    memory.copy(at, scratch, 4);
  } else {
    store<u32>(at, value);
  }
}

/**
 * Find the first free block of at least `bytes` bytes and cut it to size. Joins free neighbours on the way. Returns 0
 * if there is none.
 */
function findFree(bytes: u32): u32 {
  let lowest: u32 = 0;
  for (let b = cursor; b < end; b = after(b)) {
    if ((load<u32>(b) & FREE) == 0) continue;
    let next = after(b);
    if (next < end && load<u32>(next) & FREE) {
      do next = after(next);
      while (next < end && load<u32>(next) & FREE);
      put(b, (next - b - 4) | FREE);
    }
    const has = next - b - 4;
    if (has < bytes) {
      if (lowest == 0) lowest = b;
      continue;
    }
    if (has - bytes >= 16) {
      put(b + 4 + bytes, (has - bytes - 4) | FREE);
      put(b, bytes);
    } else {
      put(b, has);
    }
    cursor = lowest ? lowest : after(b);
    return b;
  }
  return 0;
}

/** Allocate a block with room for `bytes` bytes. `raw`: RAW or 0. Returns 0 without memory. */
function allocBlock(bytes: u32, raw: u32): u32 {
  if (bytes > MAX_BYTES) return 0;
  bytes = max<u32>(12, ((bytes + 19) & ~15) - 4);
  let b = findFree(bytes);
  if (b == 0 && growLittle(bytes)) b = findFree(bytes);
  if (b == 0) {
    collectLittle(false);
    b = findFree(bytes);
    if (b == 0) return 0;
  }
  if (raw) put(b, load<u32>(b) | raw);
  return b;
}

/**
 * Grow the memory at the end, where this is allowed: to twice its size, or by what is needed. False: it did not grow.
 */
function growLittle(bytes: u32): bool {
  if (!RTRACE || ASC_LOW_MEMORY_LIMIT) return false;
  const before = memoryEnd();
  const pages = (bytes + 0x1ffff) >> WASM_PAGE_SHIFT;
  if (memory.grow(max<u32>(<u32>memory.size(), pages)) < 0 && memory.grow(pages) < 0) return false;
  // Memory that others have grown in the meantime stays theirs.
  if (before != end + 4) put(end, (before - end - 8) | RAW);
  const block = before - 4;
  setBlocks(first, memoryEnd() - 4);
  put(block, (end - block - 4) | FREE);
  return true;
}

function release(block: u32): void {
  cursor = min(cursor, block);
  store<u32>(block, load<u32>(block) | FREE);
  traceFree(block);
}

/** A zeroed object of `size` bytes and class `id`; 0: no memory. */
export function newLittle(size: u32, id: u32): u32 {
  if (size > MAX_BYTES - HEADER) return 0;
  if (live >= due) collectLittle(false);
  const b = allocBlock(size + HEADER, 0);
  if (b == 0) return 0;
  traceAlloc(b);
  const p = b + OBJECT;
  store<u32>(p - 16, 0);
  store<u32>(p - 12, 0);
  store<u32>(p - 8, id);
  store<u32>(p - 4, size);
  memory.fill(p, 0, size);
  live += 4 + bytesOf(b);
  return p;
}

/** heap.alloc; 0: no memory. */
export function allocLittle(size: u32): u32 {
  const b = allocBlock(size, RAW);
  if (b == 0) return 0;
  traceAlloc(b);
  return b + 4;
}

/** Whether `p` may be a block of heap.alloc. */
export function isLittleBlock(p: u32): bool {
  return (p & 15) == 0 && p - 4 >= first && p < end && (load<u32>(p - 4) & FLAGS) == RAW;
}

/** heap.realloc of a valid block. 0: no memory, and the block is unchanged. */
export function reallocLittle(p: u32, size: u32): u32 {
  const old = bytesOf(p - 4);
  if (size <= old) return p;
  const to = allocLittle(size);
  if (to == 0) return 0;
  memory.copy(to, p, old);
  traceMove(p - 4, to - 4);
  release(p - 4);
  return to;
}

/** heap.free of a valid block. */
export function freeLittle(p: u32): void {
  release(p - 4);
}

/** The list entry of the pinned static object `p`; 0: it is not pinned. */
function staticPin(p: u32): u32 {
  for (let at = pinned; at != 0; at = load<u32>(at)) if (load<u32>(at, 4) == p) return at;
  return 0;
}

/** Pin an object once more. False: no memory for the entry of a static object. */
export function pinLittle(p: u32): bool {
  if (p >= <u32>__heap_base) {
    store<u32>(p - 12, load<u32>(p - 12) + 1);
    return true;
  }
  let at = staticPin(p);
  if (at == 0) {
    // The runtime's own block: no hook is called for it.
    const b = allocBlock(12, RAW);
    if (b == 0) return false;
    at = b + 4;
    put(at, pinned);
    put(at + 4, p);
    put(at + 8, 0);
    pinned = at;
  }
  put(at + 8, load<u32>(at, 8) + 1);
  return true;
}

/** Undo one pinLittle. False: the object was not pinned. */
export function unpinLittle(p: u32): bool {
  if (p >= <u32>__heap_base) {
    const pins = load<u32>(p - 12);
    if (pins) store<u32>(p - 12, pins - 1);
    return pins != 0;
  }
  const at = staticPin(p);
  if (at == 0) return false;
  const pins = load<u32>(at, 8) - 1;
  put(at + 8, pins);
  if (pins) return true;
  if (pinned == at) {
    pinned = load<u32>(at);
  } else {
    let before = pinned;
    while (load<u32>(before) != at) before = load<u32>(before);
    put(before, load<u32>(at));
  }
  cursor = min(cursor, at - 4);
  put(at - 4, bytesOf(at - 4) | FREE);
  return true;
}

function mark(): void {
  beginMarks();
  __visit_globals(0);
  shadeStack();
  for (let at = pinned; at != 0; at = load<u32>(at)) visitLittle(load<u32>(at, 4));
  for (let b = first; b < end; b = after(b)) {
    if ((load<u32>(b) & FLAGS) == 0 && load<u32>(b + OBJECT - 12) != 0) visitLittle(b + OBJECT);
  }
  drainLittle();
}

/**
 * Finalize and free the objects that the last sweep found dead. Each is taken off the list and marked RAW first, in
 * case its finalizer aborts.
 */
function finalizeDead(): void {
  while (dead != 0) {
    const b = dead;
    dead = load<u32>(b + OBJECT - 16);
    const word = load<u32>(b);
    store<u32>(b, word | RAW);
    finalize(b + OBJECT - OBJECT_AT);
    store<u32>(b, word);
    release(b);
  }
}

function sweep(): void {
  for (let b = first; b < end; b = after(b)) {
    if (load<u32>(b) & FLAGS) continue;
    const p = b + OBJECT;
    if (isMarkedLittle(p)) {
      store<u32>(p - 16, 0);
      continue;
    }
    live -= 4 + bytesOf(b);
    if (FINALIZE) {
      store<u32>(p - 16, dead);
      dead = b;
    } else {
      release(b);
    }
  }
}

/** Run a whole collection. Inside a finalizer only an explicit request, `forced`, runs one. */
export function collectLittle(forced: bool): void {
  if (!forced && isFinalizing()) return;
  leaveFinalizer();
  if (!forced) traceInterrupt(live);
  // Objects left over when a finalizer aborted.
  finalizeDead();
  mark();
  if (MARKED_HOOK) __gcMarked();
  sweep();
  const next = live + (<u64>live * percent) / 100;
  due = percent < 0 ? 0xffffffff : max<u32>(LEAST, <u32>min<u64>(next, 0xffffffff));
  finalizeDead();
  if (forced) traceCollect(live);
  else traceYield(live);
}
