/**
 * The host ABI: the C ABI, and what the TypeScript host needs besides. Addresses are u32. One thread at a time.
 */

import { MISUSE_FOREIGN, MISUSE_NONE, MISUSE_PINNED } from "../base/abinumbers";
export * from "./libc";

import { TELL, checkPointer, checkedSpan, findObject, freeBy, freeChecked } from "../alloc/free";
import { allocateShared } from "../gc/sharedabi";
import { mallocgc as mallocgcImpl } from "../gc/mallocgc";
import { malloc } from "../alloc/malloc";
import { releaseAll as releaseRows } from "../alloc/mcache";
import { reallocChecked } from "../alloc/realloc";
import { isReady } from "../alloc/procs";
import { SHARED, SHARED_GC, TINY_SIZE } from "../base/config";
import { lock, lockHurried, unlock } from "../base/locks";
import { STAT_MISUSES, countAnywhere } from "../base/counters";
import { isCollectedSpan, isMarking } from "../base/gcstate";
import { HEAP_MEMSTATS } from "../base/layout";
import { heap, mheap, dropTiny } from "../base/state";
import { giveOwn } from "../check/recover";
import { fillMemStats } from "../check/memstats";
import { validateHeap } from "../check/validate";
import { spanOf as lookup } from "../heap/arena";
import { isPinned, pinObject, unpinObject } from "../alloc/pins";
import { blockSize } from "../central/mspan";
import { reclaim as reclaimSpans } from "../central/reclaim";
import { scanRange } from "../gc/scan";

export { brokenAt as validateInfo } from "../check/invariants";

let lastKind: i32 = MISUSE_NONE;

/** Go's mallocgc: `scan` 1 for objects with pointers (always zeroed), `needzero` 1 to have others zeroed. 0: no memory. */
export function mallocgc(size: u32, scan: i32, needzero: i32): u32 {
  if (!SHARED_GC) return mallocgcImpl(size, scan != 0, needzero != 0);
  return allocateShared(0, size, scan != 0, needzero != 0);
}

/** free that tells: 0, or the kind of misuse, and then nothing has changed. Null is 0. */
export function tryFree(ptr: u32): i32 {
  if (ptr == 0) return MISUSE_NONE;
  const kind = isPinned(ptr) ? MISUSE_PINNED : freeBy(ptr, 0, TELL);
  if (kind != MISUSE_NONE && heap != 0) countAnywhere(STAT_MISUSES);
  return kind;
}

/**
 * realloc that tells: 0 means no memory, or the misuse that lastMisuse names. The old block is as it was. What it makes of
 * an object of the collector's is another one; if it has pointers, any word of the new one may be one. In a shared heap it
 * takes malloc's blocks only.
 */
export function tryRealloc(ptr: u32, size: u32): u32 {
  if (ptr == 0) return malloc(size);
  lastKind = MISUSE_NONE;
  const kind = checkPointer(ptr);
  if (kind != MISUSE_NONE) {
    if (heap) countAnywhere(STAT_MISUSES);
    lastKind = kind;
    return 0;
  }
  if (isCollectedSpan(checkedSpan)) {
    if (!SHARED && !isPinned(ptr)) return reallocObject(ptr, size);
    lastKind = SHARED ? MISUSE_FOREIGN : MISUSE_PINNED;
    countAnywhere(STAT_MISUSES);
    return 0;
  }
  return reallocChecked(ptr, size);
}

/** The object at `p`, just checked, with another size: always elsewhere, for its pointers are known up to its old one. */
function reallocObject(p: u32, size: u32): u32 {
  const used = min(size, blockSize(checkedSpan));
  // Now: the span's record may move while memory is looked for, for the pin too.
  const scan = (checkedSpan.spanclass & 1) == 0;
  // The allocation may run a cycle, and nobody else need hold the object.
  if (pinObject(p) == 0) return 0;
  // A slot of its own: a piece of a tiny block could not be freed by hand.
  const q = mallocgcImpl(max<u32>(size, TINY_SIZE), scan, true);
  unpinObject(p);
  if (q == 0) return 0;
  memory.copy(q, p, used);
  // The new object is black, and the old one goes: while marking goes on nobody else would look at what it points to.
  if (scan && isMarking()) scanRange(q, 0, 0, used & ~3);
  freeChecked(p);
  return q;
}

/** Kind of misuse of the last tryRealloc that returned 0; 0 if it was out of memory. Asking resets it. */
export function lastMisuse(): i32 {
  const kind = lastKind;
  lastKind = MISUSE_NONE;
  return kind;
}

/** Address of the last byte that the heap has, 0 without a heap. */
export function heapLast(): u32 {
  return heap ? mheap().sysEnd - 1 : 0;
}

/** Address of the mspan in use that holds `ptr`, 0 when there is none. */
export function spanOf(ptr: u32): u32 {
  return heap ? <u32>changetype<usize>(lookup(ptr)) : 0;
}

/** Start of the live block that `ptr` points into, 0 when there is none. A tiny block counts as one. */
export function objectBase(ptr: u32): u32 {
  if (heap == 0) return 0;
  return findObject(ptr);
}

/**
 * Fill the MemStats record (check/memstats.ts) and return its address; 0 without a heap and memory for one, and when a
 * record is so damaged that there are no figures: then validate tells which. In a shared heap it needs no P; it waits for
 * the heap lock, but a second at most: 0 then, and lastStuck names the holder.
 */
export function memstats(): u32 {
  if (SHARED ? heap == 0 : !isReady()) return 0;
  if (!lockHurried(0)) return 0;
  const filled = fillMemStats(heap + HEAP_MEMSTATS);
  unlock(0);
  return filled ? heap + HEAP_MEMSTATS : 0;
}

/** 0 when every invariant holds, else the number of a broken one (base/abinumbers.ts). */
export function validate(): u32 {
  return validateHeap(false);
}

/** validate, reading every free slot that is said to be zero too. */
export function validateDeep(): u32 {
  return validateHeap(true);
}

/** All spans of the mcache back to their mcentrals, retained empty spans and the page cache back to the page heap. */
export function releaseAll(): void {
  if (heap == 0) return;
  if (SHARED) {
    if (isReady()) giveOwn();
    return;
  }
  dropTiny();
  releaseRows();
}

/** Retained empty spans back to the page heap; the number of pages. */
export function reclaim(): u32 {
  if (heap == 0 || !isReady() || !lock(0)) return 0;
  const pages = reclaimSpans();
  unlock(0);
  return pages;
}
