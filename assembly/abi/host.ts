/**
 * The host ABI: the C ABI, and the functions that only the TypeScript host needs. Addresses are u32.
 *
 * Owner: the thread's P; one thread at a time per instance. Cost: stated at each function, else that of the call it
 * wraps.
 */

import { MISUSE_FOREIGN, MISUSE_INTERIOR, MISUSE_NONE, MISUSE_PINNED } from "../base/abinumbers";
export * from "./libc";

import { TELL, findObject, freeBy, freeChecked } from "../alloc/free";
import { checkPointer, checkedSpan } from "../alloc/freeslow";
import { allocateObject } from "../gc/allocate";
import { mallocgc as mallocgcImpl } from "../gc/mallocgc";
import { reclaimRemote } from "../alloc/blocks";
import { malloc } from "../alloc/malloc";
import { releaseAll as releaseRows } from "../alloc/mcache";
import { reallocChecked, reallocSampled } from "../alloc/realloc";
import { interiorKind, sampledSize } from "../alloc/sampled";
import { ensureReady } from "../alloc/procs";
import { ADDRESS_END, PAGE_SHIFT, PAGE_SIZE, SAMPLES, SHARED, TINY_SIZE } from "../base/config";
import { lock, lockBriefly, unlock } from "../base/locks";
import { STAT_MISUSES, countAnywhere } from "../base/counters";
import { isCollectedSpan, isMarking } from "../base/gcstate";
import { HEAP_MEMSTATS } from "../base/layout";
import { dropTiny, heap, here, mheap } from "../base/state";
import { giveOwn } from "../check/recover";
import { fillMemStats } from "../check/memstats";
import { validateHeap } from "../check/validate";
import { spanOf as lookup } from "../heap/arena";
import { isPinned, mayFree, pinObject, unpinObject } from "../alloc/pins";
import { blockSize } from "../central/mspan";
import { freeUnused, reclaim as reclaimSpans } from "../central/reclaim";
import { scanRange } from "../gc/scan";
import { countIdle, heldRun, nextGeneration, putCandidate, takeCandidate } from "../heap/scavenge";

export { brokenAt as validateInfo } from "../check/invariants";

let lastKind: i32 = MISUSE_NONE;

/** Go's mallocgc. `scan` 1: an object with pointers, always zeroed. `needzero` 1: zero the others too. 0: no memory. */
export function mallocgc(size: u32, scan: i32, needzero: i32): u32 {
  return allocateObject(0, size, scan != 0, needzero != 0);
}

/** free that reports: 0, or the kind of misuse; then nothing has changed. Null is allowed and returns 0. */
export function tryFree(ptr: u32): i32 {
  if (ptr == 0) return MISUSE_NONE;
  const kind = mayFree(ptr) ? freeBy(ptr, 0, TELL) : MISUSE_PINNED;
  if (kind != MISUSE_NONE && heap != 0) countAnywhere(STAT_MISUSES);
  return kind;
}

/**
 * realloc that reports: 0 means no memory, or a misuse that lastMisuse names. The old block is then unchanged. For a
 * collected object it allocates a new one, which is scanned conservatively if it has pointers. In a shared heap it
 * accepts only malloc's blocks.
 */
export function tryRealloc(ptr: u32, size: u32): u32 {
  if (ptr == 0) return malloc(size);
  lastKind = MISUSE_NONE;
  if (SAMPLES && heap != 0) {
    const n = sampledSize(ptr);
    if (n) return reallocSampled(ptr, n, size);
  }
  const kind = checkPointer(ptr);
  if (SAMPLES && kind == MISUSE_INTERIOR) return refuse(interiorKind(ptr));
  if (kind != MISUSE_NONE) return refuse(kind);
  if (!isCollectedSpan(checkedSpan)) return reallocChecked(ptr, size);
  if (SHARED) return refuse(MISUSE_FOREIGN);
  return isPinned(ptr) ? refuse(MISUSE_PINNED) : reallocObject(ptr, size);
}

/** Note a misuse of tryRealloc. Returns 0. */
function refuse(kind: i32): u32 {
  if (heap) countAnywhere(STAT_MISUSES);
  lastKind = kind;
  return 0;
}

/** Resize the object at `p`, just checked. It always moves, because its type only covers its old size. */
function reallocObject(p: u32, size: u32): u32 {
  const used = min(size, blockSize(checkedSpan));
  // Read now: the span's record may move while memory is sought, also for the pin.
  const scan = (checkedSpan.spanclass & 1) == 0;
  // The allocation may run a cycle, and there may be no other root for the object.
  if (pinObject(p) == 0) return 0;
  // A slot of its own, because a piece of a tiny block could not be freed by hand.
  const q = mallocgcImpl(max<u32>(size, TINY_SIZE), scan, true);
  unpinObject(p);
  if (q == 0) return 0;
  memory.copy(q, p, used);
  // The new object is black and the old one is freed. During marking nobody else would scan what it points to.
  if (scan && isMarking()) scanRange(q, 0, 0, used & ~3);
  // Nobody has pinned it meanwhile.
  mayFree(p);
  freeChecked(p);
  return q;
}

/** Kind of misuse of the last tryRealloc that returned 0; 0: it was out of memory. The call resets it. */
export function lastMisuse(): i32 {
  const kind = lastKind;
  lastKind = MISUSE_NONE;
  return kind;
}

/** Address of the heap's last byte, 0 without a heap. */
export function heapLast(): u32 {
  return heap ? mheap().sysEnd - 1 : 0;
}

/** Address of the mspan in use that holds `ptr`; 0: none. */
export function spanOf(ptr: u32): u32 {
  return heap ? <u32>changetype<usize>(lookup(ptr)) : 0;
}

/** Start of the live block that `ptr` points into; 0: none. A tiny block counts as one. */
export function objectBase(ptr: u32): u32 {
  if (heap == 0) return 0;
  return findObject(ptr);
}

/**
 * Fill the MemStats record (check/memstats.ts) and return its address. 0: no heap and no memory for one, or a record is
 * so damaged that there are no figures; then validate tells which. In a shared heap it needs no P. It waits at most a
 * second for the heap lock; then it returns 0, and lastStuck names the holder. O(spans).
 */
export function memstats(): u32 {
  if (SHARED ? heap == 0 : !ensureReady()) return 0;
  if (!lockBriefly(0)) return 0;
  const filled = fillMemStats(heap + HEAP_MEMSTATS);
  unlock(0);
  return filled ? heap + HEAP_MEMSTATS : 0;
}

/** 0 if every invariant holds, else the number of a broken one (base/abinumbers.ts). O(the heap's records). */
export function validate(): u32 {
  return validateHeap(false);
}

/** validate that also reads every free slot and page recorded as zero. O(heap). */
export function validateDeep(): u32 {
  return validateHeap(true);
}

/** Return the mcache's spans to their mcentrals, and retained empty spans and the page cache to the page heap. */
export function releaseAll(): void {
  if (heap == 0) return;
  if (SHARED) {
    if (ensureReady()) giveOwn();
    return;
  }
  dropTiny();
  releaseRows();
}

/** Return retained empty spans to the page heap. Returns the number of pages. */
export function reclaim(): u32 {
  if (heap == 0 || !ensureReady() || !lock(0)) return 0;
  const pages = reclaimSpans();
  unlock(0);
  return pages;
}

/**
 * A generation of the scavenger begins: what this thread's P holds without a live slot goes to the page heap, and how
 * dense each chunk is counts from now on. 1: done; 0: there is no heap, or a lock was not available. O(chunks).
 */
export function scavengeBegin(): i32 {
  if (heap == 0 || !ensureReady()) return 0;
  reclaimRemote();
  if (!lock(0)) return 0;
  freeUnused();
  nextGeneration();
  unlock(0);
  return 1;
}

/**
 * Address of a run of free pages, for the host to give back to the system: the highest one that lies below `end` (0:
 * the heap's end) and is not scavenged. It begins at a multiple of 64 KiB, has at most `bytes`, rounded up to such
 * multiples, and does not cross a chunk of 512 KiB. With `force` 1 from dense chunks, too. Nothing else uses it until
 * scavengeEnd. 0: there is none, this thread has one already, or a lock was not available.
 */
export function scavengeOne(end: u32, bytes: u32, force: i32): u32 {
  if (heap == 0 || !ensureReady() || !lock(0)) return 0;
  const most = (bytes >> PAGE_SHIFT) + u32((bytes & (PAGE_SIZE - 1)) != 0);
  const page = takeCandidate((end == 0 ? ADDRESS_END : end) >> PAGE_SHIFT, most, force != 0);
  unlock(0);
  return page << PAGE_SHIFT;
}

/** Bytes of the run that scavengeOne gave; 0: this thread has none. */
export function scavengeBytes(): u32 {
  return here() ? (<u32>(heldRun() >> 32)) << PAGE_SHIFT : 0;
}

/**
 * The run that scavengeOne gave is free again. `zero` 1: it has been given back to the system, and all of it reads as
 * zero. With 0 it may hold anything. 1: done, or there was no run; 0: a lock was not available, and the run is still
 * taken.
 */
export function scavengeEnd(zero: i32): i32 {
  if (scavengeBytes() == 0) return 1;
  if (!lock(0)) return 0;
  putCandidate(zero != 0);
  unlock(0);
  return 1;
}

/** Free pages in the page heap: with `dirty` 0 those that are scavenged, with 1 the others. O(chunks). */
export function idlePages(dirty: i32): u32 {
  return heap ? countIdle(dirty != 0) : 0;
}
