/**
 * mheap: the heap's regions of pages. What memory.grow brings is entered here, with the records of its arenas.
 *
 * allspans is not an array: the inUse bits of the arenas mark the first page of every span in use, in address order
 * (nextSpanPage). central/reclaim.ts decides what to try before memory grows.
 *
 * Invariant: pages of spans + of records + of page caches + free pages = grown pages.
 *
 * Lock: H. Cost: O(log heap), and O(arenas) for a region.
 */

import {
  ADDRESS_END,
  ARENA_PAGES,
  COMPACTS,
  PAGE_SHIFT,
  PAGE_SIZE,
  SHARED,
  WASM_PAGE_PAGES,
  WASM_PAGE_SHIFT,
} from "../base/config";
import { ARENA_RECORD_SIZE } from "../base/layout";
import { STAT_PAGE_ALLOCS, STAT_ZERO_CLEARED, STAT_ZERO_SKIPPED, count, countBy } from "../base/counters";
import { arenaIndex, arenaOf, clearMoving, mheap, setMoving } from "../base/state";
import { arenaInit, inUseBits } from "./arena";
import {
  LEAF,
  SUMS_SIZE,
  clearDirtyPages,
  coverArenas,
  findPages,
  freePagesBefore,
  growPages,
  levelFor,
  noteDirtyPages,
  raiseSearch,
  takePages,
} from "./pagealloc";
import { PAGE_MOVES, markPages, persistChunk, persistentAlloc, persistentLeft } from "./persistent";
import { grownAt, growthReserve, memoryEnd, sysGrow } from "./sys";

/** Bytes of the records for the arenas first..last that have none, and of the upper tables if the range needs them. */
function recordsNeeded(first: u32, last: u32): u32 {
  const h = mheap();
  let bytes: u32 = 0;
  for (let a = first; a <= last; a++) {
    if (arenaOf(a) == 0) bytes += ARENA_RECORD_SIZE;
  }
  if (h.sums == 0 && levelFor(min(h.arenaLo, first), max(h.arenaHi, last)) != LEAF) bytes += SUMS_SIZE;
  return bytes;
}

/**
 * Pages for `bytes` of records, and for as many further arenas as there are now plus `more`, up to 8, so that a block
 * that keeps growing seldom meets records. Until then span records use the room. Callers that ask before the region
 * exists count its arenas in `more`.
 */
function recordPages(bytes: u32, more: u32): u32 {
  const arenas = <u32>max(<i32>mheap().arenaHi - <i32>mheap().arenaLo + 1, 0) + more;
  return (bytes + min(arenas, 8) * ARENA_RECORD_SIZE + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/**
 * Add the region [base, base + bytes): records for its arenas, all its pages free. Records that do not fit the
 * persistent chunk come out of free pages, or else are cut from the region's start, where they separate it from the
 * free pages before it. base and bytes are multiples of 8 KiB, bytes > 0. The caller has made sure that the region is
 * longer than its records.
 */
export function addRegion(base: u32, bytes: u32, zero: bool): void {
  const h = mheap();
  const first = arenaIndex(base);
  const last = arenaIndex(base + bytes - 1);
  const need = recordsNeeded(first, last);
  const from = base;
  let cur: u32 = 0;
  let rest: u32 = 0;
  if (need != 0) {
    let pages = recordPages(need, 0);
    if (need <= persistentLeft() || addRecords(allocTree(pages, false), pages)) {
      cur = persistentAlloc(need);
    } else {
      if (pages << PAGE_SHIFT >= bytes >> 2) pages = (need + PAGE_SIZE - 1) >> PAGE_SHIFT;
      cur = base;
      base += pages << PAGE_SHIFT;
      bytes -= pages << PAGE_SHIFT;
      h.metaPages += pages;
      h.grownPages += pages;
      rest = base;
    }
    const lo = min(h.arenaLo, first);
    const hi = max(h.arenaHi, last);
    if (h.sums == 0 && levelFor(lo, hi) != LEAF) {
      memory.fill(cur, 0, SUMS_SIZE);
      h.sums = cur;
      cur += SUMS_SIZE;
    }
    for (let a = first; a <= last; a++) {
      if (arenaOf(a)) continue;
      arenaInit(a, cur);
      cur += ARENA_RECORD_SIZE;
    }
    coverArenas(lo, hi);
    if (rest) {
      recordsTaken(from >> PAGE_SHIFT, (rest - from) >> PAGE_SHIFT);
      persistChunk(cur, rest);
    }
  } else if (SHARED && (first < h.arenaLo || last > h.arenaHi)) {
    // A thread has died after it made the records of the arenas.
    coverArenas(min(h.arenaLo, first), max(h.arenaHi, last));
  }
  h.sysEnd = base + bytes;
  growPages(base >> PAGE_SHIFT, bytes >> PAGE_SHIFT, zero);
}

/**
 * Grow the memory so that a run of `npages` free pages exists. The free pages at the heap's end count if the new region
 * continues them. False if the memory cannot grow that far.
 */
export function grow(npages: u32): bool {
  const h = mheap();
  const end = memoryEnd();
  let need = npages;
  if (end == h.sysEnd) {
    const tail = freePagesBefore(end >> PAGE_SHIFT);
    if (tail >= npages) return true;
    need -= tail;
  }
  const room = (ADDRESS_END - end) >> PAGE_SHIFT;
  if (need > room) return false;
  const extra = growthReserve(pagesToWasm(need));
  const last = end + min(need + (extra << 3) + WASM_PAGE_PAGES, room) * PAGE_SIZE - 1;
  const records = recordsNeeded(arenaIndex(end), arenaIndex(last));
  if (records > persistentLeft()) {
    // The records come out of free pages, which may be the tail, or from the region's start: then the tail does not
    // count.
    const pages = recordPages(records, 1);
    need = (findPages(pages) ? need : npages) + pages;
    if (need > room) return false;
  }
  const n = pagesToWasm(need);
  let got = extra ? sysGrow(n + extra) : 0;
  if (got == 0) got = sysGrow(n);
  if (got == 0) return false;
  h.sys += got << WASM_PAGE_SHIFT;
  addRegion(grownAt << WASM_PAGE_SHIFT, got << WASM_PAGE_SHIFT, true);
  return true;
}

/** Wasm pages that hold `npages` pages. */
@inline
function pagesToWasm(npages: u32): u32 {
  return (npages + WASM_PAGE_PAGES - 1) / WASM_PAGE_PAGES;
}

/**
 * First fit in the tree; with `zero`, see zeroPages. Page index; 0: there is no such
 * run.
 */
export function allocTree(npages: u32, zero: bool): u32 {
  const page = findPages(npages);
  if (page == 0) return 0;
  if (zero) zeroPages(page, npages);
  setMoving(page, npages);
  takePages(page, npages);
  raiseSearch(page, npages);
  count(STAT_PAGE_ALLOCS);
  return page;
}

/**
 * Clear those pages of a free or cached run that are not known to be zero; in a shared heap note them, because others
 * wait for H meanwhile (alloc/zeroing.ts).
 */
export function zeroPages(page: u32, npages: u32): void {
  if (SHARED) {
    noteDirtyPages(page, npages);
    return;
  }
  const cleared = clearDirtyPages(page, npages);
  countBy(STAT_ZERO_CLEARED, cleared);
  countBy(STAT_ZERO_SKIPPED, (npages << PAGE_SHIFT) - cleared);
}

/** These pages hold records from now on. A compaction can free the unused ones, so it has something to do. */
function recordsTaken(page: u32, npages: u32): void {
  markPages(page, npages, PAGE_MOVES);
  noteFreed(1);
}

/** Note that pages have become free, or that records have been added: a compaction has `n` reasons more. */
@inline
export function noteFreed(n: u32): void {
  if (COMPACTS) mheap().freedPages += n;
}

/**
 * Make a run of pages the persistent chunk; the run is longer than the present chunk. False for page 0, which is no
 * run.
 */
export function addRecords(page: u32, npages: u32): bool {
  if (page == 0) return false;
  // In this order, as in allocTable.
  clearMoving();
  mheap().metaPages += npages;
  recordsTaken(page, npages);
  persistChunk(page << PAGE_SHIFT, (page + npages) << PAGE_SHIFT);
  return true;
}

/** Page index of the first span in use at or after page index `from`; 0 if there is none. The walk of allspans. */
export function nextSpanPage(from: u32): u32 {
  const h = mheap();
  const end = (h.arenaHi + 1) * ARENA_PAGES;
  if (from < h.arenaLo * ARENA_PAGES) from = h.arenaLo * ARENA_PAGES;
  while (from < end) {
    const bits = inUseBits(from & ~63) >> (from & 63);
    if (bits) return from + <u32>ctz(bits);
    from = (from & ~63) + 64;
  }
  return 0;
}
