/**
 * The page allocator: which 8 KiB pages are free, in a bitmap per chunk under a radix tree of pallocSums.
 *
 * Policy: address-ordered first fit. Tree: level 2 has an entry per chunk (64 pages, stored with its arena), level 1
 * per arena, level 0 per 32 MiB; each inner node has eight children. The walk starts at `rootLevel`. Up to 64 MiB of
 * addresses that is the chunks, and the levels above are not maintained at all; beyond that it is level 0.
 *
 * Invariants (validate checks them): sum(level 2) = summarize(pallocBits); a parent is the merge of its children, from
 * rootLevel down; every page below searchPage is allocated; a scavenged page is free. A page that was never given to
 * the heap reads as allocated. Page 0 is never given, so page index 0 can mean "none".
 *
 * "Scavenged" means on wasm: not allocated since memory.grow brought it, or since the host gave it back to the system
 * (heap/scavenge.ts), so it reads as zero. It also replaces Go's zeroedBase, exact to the page. The tree is that of Go's page allocator (mpagealloc.go).
 *
 * Lock: H. Cost: find O(entries at the root + levels * 8), take and free O(chunks touched + levels * 8).
 */

import { ARENA_CHUNKS, CHUNK_PAGES, CHUNK_PAGES_SHIFT, L0_ENTRIES, NUM_ARENAS, PAGE_SHIFT } from "../base/config";
import { ARENA_BITS, ARENA_SCAV, ARENA_SUMS } from "../base/layout";
import { bitRange, findBitRange64 } from "../base/bits";
import { arenaOf, mheap } from "../base/state";
import { mergeSums, summarize, sumEnd, sumMax, sumStart } from "./pallocsum";

/** Bytes of the table of levels 1 and 0. */
@inline export const SUMS_SIZE: u32 = (NUM_ARENAS + L0_ENTRIES) << 3;
@inline export const LEAF: u32 = 2;
/**
 * Up to this many arenas the chunks are the root: a walk along 128 of them is cheaper than maintaining the levels
 * above.
 */
@inline const LEAF_ARENAS: u32 = 16;

/** log2 of the pages that an entry of a level covers: 6, 9, 12 from the leaves up. */
@inline
function logPages(level: u32): u32 {
  return CHUNK_PAGES_SHIFT + 3 * (LEAF - level);
}

/** Address of a chunk's word in one of its arena's arrays; the arena exists. */
@inline
function chunkWord(chunk: u32): usize {
  return arenaOf(chunk >> 3) + ((chunk & (ARENA_CHUNKS - 1)) << 3);
}

/** Address of a summary. The entries of one parent are adjacent. */
export function sumAddress(level: u32, index: u32): usize {
  if (level == LEAF) return chunkWord(index) + ARENA_SUMS;
  return mheap().sums + ((level ? index : NUM_ARENAS + index) << 3);
}

/** Allocation bits of a chunk; all ones where the heap owns nothing. */
export function chunkBits(chunk: u32): u64 {
  return arenaOf(chunk >> 3) ? load<u64>(chunkWord(chunk), ARENA_BITS) : ~(<u64>0);
}

/** Scavenged bits of a chunk. */
export function chunkScav(chunk: u32): u64 {
  return arenaOf(chunk >> 3) ? load<u64>(chunkWord(chunk), ARENA_SCAV) : 0;
}

/** What the summary of an entry must be: for a leaf by its bits, else by its children. */
export function expectedSum(level: u32, index: u32): u64 {
  if (level == LEAF) return summarize(chunkBits(index));
  if (level == 1 && arenaOf(index) == 0) return 0;
  return mergeSums(sumAddress(level + 1, index << 3), 8, 1 << logPages(level + 1));
}

/** The chunks first..last have changed: update the summaries above them, from the lowest level up. */
function propagate(first: u32, last: u32): void {
  const root = mheap().rootLevel;
  for (let level = LEAF; level > root;) {
    level--;
    first >>= 3;
    last >>= 3;
    for (let i = first; i <= last; i++) store<u64>(sumAddress(level, i), expectedSum(level, i));
  }
}

/** Recompute the whole tree from the chunks' bits. O(arenas). */
export function rebuildSums(): void {
  const h = mheap();
  for (let a = h.arenaLo; a <= h.arenaHi; a++) {
    if (arenaOf(a) == 0) continue;
    for (let c = a << 3; c < (a + 1) << 3; c++) {
      store<u64>(chunkWord(c), summarize(load<u64>(chunkWord(c), ARENA_BITS)), ARENA_SUMS);
    }
  }
  propagate(h.arenaLo << 3, h.arenaHi << 3);
}

/** The level at which find starts if the heap covers the arenas lo..hi. */
export function levelFor(lo: u32, hi: u32): u32 {
  return hi - lo < LEAF_ARENAS ? LEAF : 0;
}

/**
 * Note that the heap's range covers the arenas lo..hi from now on. Their records exist, and the tables too when the
 * range needs a level above the leaves.
 */
export function coverArenas(lo: u32, hi: u32): void {
  const h = mheap();
  h.arenaLo = lo;
  h.arenaHi = hi;
  h.rootLevel = levelFor(lo, hi);
  propagate(lo << 3, hi << 3);
}

/** What the last find learnt: no page below this one is free. */
let firstFree: u32 = 0;

/**
 * Page index of the first run of `npages` free pages; 0 if there is none. Nothing is allocated. Leaves a lower bound of
 * the first free page in `firstFree`.
 */
export function findPages(npages: u32): u32 {
  const h = mheap();
  const searchPage = h.searchPage;
  let level = h.rootLevel;
  let log = logPages(level);
  let j = (h.arenaLo << 9) >> log;
  let end = (((h.arenaHi << 9) | 511) >> log) + 1;
  let refine = true;
  firstFree = searchPage;
  for (; log != CHUNK_PAGES_SHIFT; log -= 3) {
    // Free pages directly before entry j.
    let size: u32 = 0;
    let first = (j = max(j, searchPage >> log));
    let at = sumAddress(level, j);
    for (; j < end; j++, at += 8) {
      const sum = load<u64>(at);
      const start = sumStart(sum);
      const joined = size + start;
      if (joined >= npages || sumMax(sum) >= npages) {
        if (refine) {
          // The entries before `first` have no free page. If `first` is j, the children of j can say more.
          firstFree = max(firstFree, first << log);
          refine = first == j;
        }
        if (joined >= npages) return (j << log) - size;
        break;
      }
      // Entries without a free page so far: the first free page is after them.
      if (refine && sum == 0 && first == j) first = j + 1;
      size = start == 1 << log ? joined : sumEnd(sum);
    }
    if (j >= end) return 0;
    // The run lies inside entry j.
    level++;
    j <<= 3;
    end = j + 8;
  }
  // Chunks, without an unpredictable branch. A missing arena has no free pages.
  let size: u32 = 0;
  for (j = max(j, searchPage >> CHUNK_PAGES_SHIFT); j < end; j++) {
    const sum = arenaOf(j >> 3) ? load<u64>(chunkWord(j), ARENA_SUMS) : 0;
    if (refine) {
      if (sum == 0) continue;
      refine = false;
      firstFree = (j << CHUNK_PAGES_SHIFT) + <u32>ctz(~chunkBits(j));
    }
    const start = sumStart(sum);
    const last = sumEnd(sum);
    const joined = size + start;
    if (joined >= npages) return (j << CHUNK_PAGES_SHIFT) - size;
    if (sumMax(sum) >= npages) return (j << CHUNK_PAGES_SHIFT) + findBitRange64(~chunkBits(j), npages);
    size = last + ((joined - last) & -u32(start == CHUNK_PAGES));
  }
  return 0;
}

/** Mark the free pages [page, page + npages) allocated. Leaves the number of scavenged ones in lastScav. */
export function takePages(page: u32, npages: u32): void {
  const h = mheap();
  const first = page >> CHUNK_PAGES_SHIFT;
  const last = (page + npages - 1) >> CHUNK_PAGES_SHIFT;
  let scavenged: u32 = 0;
  let bit = page & (CHUNK_PAGES - 1);
  let left = npages;
  for (let c = first; c <= last; c++) {
    const n = min(left, CHUNK_PAGES - bit);
    const mask = bitRange(bit, n);
    const w = chunkWord(c);
    const bits = load<u64>(w, ARENA_BITS) | mask;
    const scav = load<u64>(w, ARENA_SCAV);
    scavenged += <u32>popcnt(scav & mask);
    store<u64>(w, bits, ARENA_BITS);
    store<u64>(w, scav & ~mask, ARENA_SCAV);
    store<u64>(w, summarize(bits), ARENA_SUMS);
    left -= n;
    bit = 0;
  }
  h.lastScav = scavenged;
  propagate(first, last);
}

/**
 * Call after a run that findPages found was taken: if it began at the first free page, nothing below its end is free.
 */
export function raiseSearch(page: u32, npages: u32): void {
  const h = mheap();
  if (firstFree >= page) firstFree = max(firstFree, page + npages);
  if (firstFree > h.searchPage) h.searchPage = firstFree;
}

/** First fit: page index of `npages` pages, now allocated; 0 if there is no such run. */
export function allocPages(npages: u32): u32 {
  const page = findPages(npages);
  if (page == 0) {
    if (npages == 1) mheap().searchPage = (mheap().arenaHi + 1) << 9;
    return 0;
  }
  takePages(page, npages);
  raiseSearch(page, npages);
  return page;
}

/** Mark [page, page + npages) free; `scav` says that it reads as zero. The arenas exist. */
function release(page: u32, npages: u32, scav: bool): void {
  const h = mheap();
  const first = page >> CHUNK_PAGES_SHIFT;
  const last = (page + npages - 1) >> CHUNK_PAGES_SHIFT;
  let bit = page & (CHUNK_PAGES - 1);
  let left = npages;
  for (let c = first; c <= last; c++) {
    const n = min(left, CHUNK_PAGES - bit);
    const mask = bitRange(bit, n);
    const w = chunkWord(c);
    const bits = load<u64>(w, ARENA_BITS) & ~mask;
    store<u64>(w, bits, ARENA_BITS);
    if (scav) store<u64>(w, load<u64>(w, ARENA_SCAV) | mask, ARENA_SCAV);
    store<u64>(w, summarize(bits), ARENA_SUMS);
    left -= n;
    bit = 0;
  }
  if (page < h.searchPage) h.searchPage = page;
  propagate(first, last);
}

/**
 * Mark [page, page + npages) allocated in the bitmaps alone, whatever they were. The caller must call rebuildSums
 * after.
 */
export function claimPages(page: u32, npages: u32): void {
  for (let i = page; i < page + npages; i++) {
    const w = chunkWord(i >> CHUNK_PAGES_SHIFT);
    const mask = (<u64>1) << (i & (CHUNK_PAGES - 1));
    store<u64>(w, load<u64>(w, ARENA_BITS) | mask, ARENA_BITS);
    store<u64>(w, load<u64>(w, ARENA_SCAV) & ~mask, ARENA_SCAV);
  }
}

/** Mark a whole chunk allocated: a page cache takes the free pages of it. */
export function takeChunk(chunk: u32): void {
  const w = chunkWord(chunk);
  store<u64>(w, ~(<u64>0), ARENA_BITS);
  store<u64>(w, 0, ARENA_SCAV);
  store<u64>(w, 0, ARENA_SUMS);
  propagate(chunk, chunk);
}

/** Mark the pages of a chunk in the mask `free` free, and those in `scav` scavenged: what a page cache had left. */
export function returnPages(chunk: u32, free: u64, scav: u64): void {
  const h = mheap();
  const w = chunkWord(chunk);
  const bits = load<u64>(w, ARENA_BITS) & ~free;
  store<u64>(w, bits, ARENA_BITS);
  store<u64>(w, load<u64>(w, ARENA_SCAV) | scav, ARENA_SCAV);
  store<u64>(w, summarize(bits), ARENA_SUMS);
  const page = (chunk << CHUNK_PAGES_SHIFT) + <u32>ctz(free);
  if (page < h.searchPage) h.searchPage = page;
  propagate(chunk, chunk);
}

/** Free pages that were in use: they are dirty. */
export function freePages(page: u32, npages: u32): void {
  release(page, npages, false);
}

/** Free pages that the host has given back to the system: they read as zero. */
export function freeScavenged(page: u32, npages: u32): void {
  release(page, npages, true);
}

/** Add new pages to the heap; `zero` if they come from memory.grow and read as zero. */
export function growPages(page: u32, npages: u32, zero: bool): void {
  mheap().grownPages += npages;
  release(page, npages, zero);
}

/** Whether all of [page, page + npages) is free. */
export function pagesFree(page: u32, npages: u32): bool {
  let bit = page & (CHUNK_PAGES - 1);
  for (let c = page >> CHUNK_PAGES_SHIFT; npages > 0; c++) {
    const n = min(npages, CHUNK_PAGES - bit);
    if (c >= NUM_ARENAS * ARENA_CHUNKS || (chunkBits(c) & bitRange(bit, n)) != 0) return false;
    npages -= n;
    bit = 0;
  }
  return true;
}

/** Number of free pages from `page` on that are not known to be zero. O(chunks of the run). */
export function dirtyPages(page: u32): u32 {
  let n: u32 = 0;
  while (true) {
    const chunk = page >> CHUNK_PAGES_SHIFT;
    if (chunk >= NUM_ARENAS * ARENA_CHUNKS) return n;
    const bit = page & (CHUNK_PAGES - 1);
    const stop = (chunkBits(chunk) | chunkScav(chunk)) >> bit;
    const run = stop == 0 ? CHUNK_PAGES - bit : <u32>ctz(stop);
    n += run;
    page += run;
    if (run < CHUNK_PAGES - bit) return n;
  }
}

/** Free pages that end exactly at page index `end`. O(chunks of the run). */
export function freePagesBefore(end: u32): u32 {
  let n: u32 = 0;
  while (end > 0) {
    const inChunk = ((end - 1) & (CHUNK_PAGES - 1)) + 1;
    const bits = chunkBits((end - 1) >> CHUNK_PAGES_SHIFT) << (CHUNK_PAGES - inChunk);
    const run = bits == 0 ? inChunk : min(<u32>clz(bits), inChunk);
    n += run;
    if (run < inChunk) break;
    end -= run;
  }
  return n;
}

/**
 * Clear those pages of the free run [page, page + npages) that are not known to be zero, run by run.
 * Returns the bytes cleared.
 */
export function clearDirtyPages(page: u32, npages: u32): u32 {
  let cleared: u32 = 0;
  while (npages > 0) {
    const bit = page & (CHUNK_PAGES - 1);
    const n = min(npages, CHUNK_PAGES - bit);
    let dirty = ~chunkScav(page >> CHUNK_PAGES_SHIFT) & bitRange(bit, n);
    const chunkBase = (page & ~(CHUNK_PAGES - 1)) << PAGE_SHIFT;
    while (dirty != 0) {
      const from = <u32>ctz(dirty);
      const run = <u32>ctz(~(dirty >> from));
      const bytes = run << PAGE_SHIFT;
      memory.fill(chunkBase + (from << PAGE_SHIFT), 0, bytes);
      cleared += bytes;
      dirty &= ~bitRange(from, run);
    }
    page += n;
    npages -= n;
  }
  return cleared;
}

/**
 * Of the run that noteDirtyPages was last called for: the first and the end of the pages that may be dirty; equal: none.
 */
export let dirtyFrom: u32 = 0;
export let dirtyTo: u32 = 0;

/**
 * Shared heaps: note which pages of the free run [page, page + npages) are not known to be zero. Whoever allocates the
 * run clears them, without H.
 */
export function noteDirtyPages(page: u32, npages: u32): void {
  dirtyFrom = 0;
  dirtyTo = 0;
  while (npages > 0) {
    const bit = page & (CHUNK_PAGES - 1);
    const n = min(npages, CHUNK_PAGES - bit);
    const dirty = ~chunkScav(page >> CHUNK_PAGES_SHIFT) & bitRange(bit, n);
    if (dirty != 0) {
      const chunk = page & ~(CHUNK_PAGES - 1);
      if (dirtyTo == 0) dirtyFrom = chunk + <u32>ctz(dirty);
      dirtyTo = chunk + CHUNK_PAGES - <u32>clz(dirty);
    }
    page += n;
    npages -= n;
  }
}

/** Count of free pages over all arenas, for statistics and checks. O(chunks). */
export function countFreePages(): u32 {
  const h = mheap();
  let n: u32 = 0;
  for (let c = h.arenaLo << 3; c < (h.arenaHi + 1) << 3; c++) n += <u32>popcnt(~chunkBits(c));
  return n;
}
