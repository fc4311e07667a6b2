/**
 * mheap: spans out of pages, and the only place that decides to grow.
 *
 * allocRun is the ladder of the page level: page cache of the P, tree, then what can be had back (retained empty spans,
 * the page cache's rest), then memory.grow. freeSpan is its mirror. allspans is no array: the inUse bits of the arenas
 * name the first page of every span in use, in address order (walkSpans).
 *
 * Invariant: inUse + metadata + page cache + free pages = grown pages. Every page of a small span has its record, a
 * large span its first page. Lock: H, which the callers of what is exported here hold in a shared heap. Cost: O(log heap) for a run, plus 16 bytes of stores per page of a small span.
 */

import {
  ADDRESS_END,
  ARENA_PAGES,
  COMPACTS,
  FIRST_GC_ROW,
  GC,
  HOST,
  NUM_ROWS,
  PAGE_CACHE_MAX,
  PAGE_SHIFT,
  PAGE_SIZE,
  SHARED,
  SHARED_GC,
  WASM_PAGE_PAGES,
  WASM_PAGE_SHIFT,
} from "../base/config";
import {
  ARENA_RECORD_SIZE,
  FLAG_NEEDZERO,
  PageRecord,
  HEAP_ROWS,
  MSPAN_SIZE,
  MSpan,
  ROW_SHIFT,
  SPAN_DEAD,
  SPAN_IN_USE,
} from "../base/layout";
import {
  STAT_PAGE_ALLOCS,
  STAT_PAGE_CACHE_HITS,
  STAT_PAGE_CACHE_REFILLS,
  STAT_RECLAIMS,
  STAT_ZERO_CLEARED,
  STAT_ZERO_SKIPPED,
  count,
  countBy,
} from "../base/counters";
import { freeDeferred } from "../alloc/free";
import { isCollected } from "../base/gcstate";
import { lock, unlock } from "../base/locks";
import { softLimit } from "../base/options";
import {
  arenaIndex,
  arenaOf,
  central,
  centralOf,
  clearMoving,
  clearRow,
  heap,
  local,
  mheap,
  mlocal,
  pAt,
  recordOf,
  rowAt,
  rowAddress,
  setMoving,
  syncMemory,
} from "../base/state";
import { arenaInit, clearInUse, clearRecord, inUseBits, pageRecord, setInUse } from "./arena";
import {
  LEAF,
  SUMS_SIZE,
  clearDirtyPages,
  coverArenas,
  findPages,
  freePages,
  freePagesBefore,
  growPages,
  levelFor,
  raiseSearch,
  takePages,
} from "./pagealloc";
import { addressOf, groupAt, isEmpty, spanAt } from "./mspan";
import { pageCacheAlloc, pageCacheFlush, pageCacheRefill } from "./pagecache";
import { compact, heldRecord, holdRecord } from "./compact";
import {
  clearMeta,
  PAGE_MOVES,
  PAGE_STAYS,
  markPages,
  persistChunk,
  persistentAlloc,
  persistentLeft,
  spanRecordAlloc,
  spanRecordFree,
} from "./persistent";
import { grownAt, growthReserve, memoryEnd, sysGrow } from "./sys";

/** Records for the arenas first..last that have none, and the upper tables if the range needs them: bytes. */
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
 * Pages for `bytes` of records, and for as many arenas again as there are and `more`, up to 8: a block that grows on and on
 * meets records seldom. Until then span records use the room. `more` is for who asks before the region is there.
 */
function recordPages(bytes: u32, more: u32): u32 {
  const arenas = <u32>max(<i32>mheap().arenaHi - <i32>mheap().arenaLo + 1, 0) + more;
  return (bytes + min(arenas, 8) * ARENA_RECORD_SIZE + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/**
 * Take the region [base, base + bytes) over: records for its arenas, all its pages free. Records that do not fit the
 * persistent chunk come out of what is free, or else are cut from the region's start, where they part it from the free
 * pages before. base and bytes are multiples of 8 KiB, bytes > 0; the caller made sure that the region is longer than its
 * records.
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
      syncMemory();
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
    // A thread has died after it made the arenas' records.
    coverArenas(min(h.arenaLo, first), max(h.arenaHi, last));
  }
  h.sysEnd = base + bytes;
  growPages(base >> PAGE_SHIFT, bytes >> PAGE_SHIFT, zero);
}

/**
 * Grow the memory so that a run of `npages` free pages exists. The free pages at the heap's end count when the new
 * region continues them. False when the memory cannot grow that far.
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
    // Out of what is free, which may be the tail; or from the region's start, and then the tail does not count.
    const pages = recordPages(records, 1);
    need = (findPages(pages) ? need : npages) + pages;
    if (need > room) return false;
  }
  const n = pagesToWasm(need);
  let got = extra ? sysGrow(n + extra) : 0;
  if (got == 0) got = sysGrow(n);
  if (got == 0) return false;
  h.sys += got << WASM_PAGE_SHIFT;
  addRegion(SHARED ? grownAt << WASM_PAGE_SHIFT : end, got << WASM_PAGE_SHIFT, true);
  return true;
}

/** Wasm pages that hold `npages` pages. */
// @ts-ignore: decorator
@inline
function pagesToWasm(npages: u32): u32 {
  return (npages + WASM_PAGE_PAGES - 1) / WASM_PAGE_PAGES;
}

/** First fit in the tree; with `zero`, pages that are not known to be zero are cleared. Page index or 0. */
function allocTree(npages: u32, zero: bool): u32 {
  const page = findPages(npages);
  if (page == 0) return 0;
  if (zero) {
    const cleared = clearDirtyPages(page, npages);
    countBy(STAT_ZERO_CLEARED, cleared);
    countBy(STAT_ZERO_SKIPPED, (npages << PAGE_SHIFT) - cleared);
  }
  setMoving(page, npages);
  takePages(page, npages);
  raiseSearch(page, npages);
  count(STAT_PAGE_ALLOCS);
  return page;
}

/**
 * A run of `npages` pages, allocated; page index, 0 when there is no memory. Also when memory would have to grow and a
 * run of `short` pages is free: 0 if the caller has no use for that. lastScav tells how many of the pages read as zero;
 * with `zero` all of them do.
 */
export function allocRun(npages: u32, zero: bool, short: u32 = 0): u32 {
  const h = mlocal();
  // What the page cache has may be dirty.
  if (npages < PAGE_CACHE_MAX && !zero) {
    let page = pageCacheAlloc(npages);
    if (page == 0 && h.pcCache == 0 && pageCacheRefill()) {
      count(STAT_PAGE_CACHE_REFILLS);
      page = pageCacheAlloc(npages);
    } else if (page != 0) {
      count(STAT_PAGE_CACHE_HITS);
    }
    if (page != 0) return page;
  } else if (h.retainedPages > (SHARED ? mheap().inUsePages >> RECLAIM_WORTH_SHIFT : 0)) {
    // Long runs: empty spans all over the heap would part what could be whole. In a shared heap others wait for H.
    giveBack();
  }
  const page = allocTree(npages, zero);
  return page ? page : allocRunSlow(npages, zero, short);
}

/** Longest cluster of pages for records. */
@inline const MAX_RECORD_PAGES: u32 = 16;
/**
 * A reclaim takes what may be wanted again at once. Before memory grows: only after as many pages for spans as the least
 * growth brings, and 1/64 of the heap's; or while the heap is small, where it costs little. In one of few pages it would
 * take one class's only span for the next, and back.
 */
@inline const RECLAIM_TINY_PAGES: u32 = 48;
@inline const RECLAIM_SMALL_PAGES: u32 = 512;
@inline const RECLAIM_MIN_PAGES: u32 = WASM_PAGE_PAGES;
@inline const RECLAIM_SHIFT: u32 = 6;
/** In a shared heap, before a long run: when they are an eighth of what is in use. */
@inline const RECLAIM_WORTH_SHIFT: u32 = 3;

/** Whether the heap is small, but not tiny: 384 KiB to 4 MiB in spans. */
export function isSmall(): bool {
  return mheap().inUsePages - RECLAIM_TINY_PAGES < RECLAIM_SMALL_PAGES - RECLAIM_TINY_PAGES;
}

/** Whether it is time for a reclaim, before memory grows. */
// @ts-ignore: decorator
@inline
function isDue(): bool {
  return isSmall() || mlocal().sinceReclaim >= RECLAIM_MIN_PAGES + (mheap().inUsePages >> RECLAIM_SHIFT);
}

/**
 * After the tree had no such run: have back the page cache's rest, and empty spans unless that was just done, then grow.
 * From the soft limit on they are had back each time.
 */
function allocRunSlow(npages: u32, zero: bool, short: u32): u32 {
  const h = mheap();
  const soft = softLimit != 0 && h.sys >= softLimit;
  let some = soft || isDue() ? giveBack() : pageCacheFlush();
  if (COMPACTS && npages >= LONG_RUN && h.freedPages >= npages) {
    giveBackAll();
    some = true;
  }
  if (some) {
    const page = allocTree(npages, zero);
    if (page) return page;
  }
  if (short != 0 && findPages(short) != 0) return 0;
  // Again when more came than was asked for, and its records parted it from the free pages that were counted in.
  while (grow(npages)) {
    const page = allocTree(npages, zero);
    if (page) return page;
  }
  // The last resort, however short ago it was tried.
  return giveBackAll() ? allocTree(npages, zero) : 0;
}

/** Pages of a run that is worth a compaction before memory grows, if as many have been freed since the last one. */
@inline const LONG_RUN: u32 = 64;

/** giveBack, and the pages of records that can be had by compaction. True if that was any page. */
export function giveBackAll(): bool {
  const some = giveBack();
  return (COMPACTS && mheap().freedPages != 0 && compact()) || some;
}

/** All that is held without a live slot back to the tree: spans and the page cache's rest. True if that was any page. */
export function giveBack(): bool {
  mlocal().sinceReclaim = 0;
  if (SHARED) freeDeferred();
  const pages = reclaim() + reclaimCached();
  return pageCacheFlush() || pages != 0;
}

/** Free the spans of the mcache that have no live slot; pages freed. O(rows). */
function reclaimCached(): u32 {
  let pages: u32 = 0;
  // Those of the collector's are touched inside of the gate only.
  const end: u32 = SHARED_GC ? FIRST_GC_ROW : NUM_ROWS;
  for (let row: u32 = 1; row < end; row++) {
    const r = rowAt(rowAddress(row));
    if (r.span == 0) continue;
    const span = spanAt(r.span);
    if (!isEmpty(span)) continue;
    if (HOST) central(row).taken -= popcnt(groupAt(r.group).allocCache);
    clearRow(r);
    pages += span.npages;
    freeSpan(span);
  }
  return pages;
}

/** Free all retained empty spans; pages freed. O(rows + spans freed). */
export function reclaim(): u32 {
  const h = mlocal();
  const pages = h.retainedPages;
  if (pages == 0) return 0;
  count(STAT_RECLAIMS);
  for (let row: u32 = 1; row < NUM_ROWS; row++) {
    const c = central(row);
    let at = c.empty;
    c.empty = 0;
    while (at) {
      const span = changetype<MSpan>(<usize>at);
      at = span.next;
      freeSpan(span);
    }
  }
  h.retainedPages = 0;
  return pages;
}

/**
 * `size` bytes (at most a page) for a record that is never given back, 16-aligned; 0 when there is no memory. Where records
 * move these lie apart from the others.
 */
export function recordSpace(size: u32): u32 {
  if (!COMPACTS) return movingSpace(size);
  const h = mheap();
  size = (size + 15) & ~15;
  let at = h.fixedCur;
  if (h.fixedEnd - at < size) {
    const page = allocTable(1);
    if (page == 0) return 0;
    at = page << PAGE_SHIFT;
    h.fixedEnd = at + PAGE_SIZE;
  }
  h.fixedCur = at + size;
  return at;
}

/** `size` bytes (at most a page) for a meta table, which goes with its span's record; 0 when there is no memory. */
function movingSpace(size: u32): u32 {
  const at = persistentAlloc(size);
  if (at || !refillPersistent()) return at;
  return persistentAlloc(size);
}

/** recordSpace, or with `moves` movingSpace, for who does not hold H. */
export function newRecord(size: u32, moves: bool): u32 {
  if (SHARED_GC && !lock(0)) return 0;
  const at = moves ? movingSpace(size) : recordSpace(size);
  if (SHARED_GC) unlock(0);
  return at;
}

/** `npages` pages for a table of the collector's: page index, 0 when there is no memory. Without H. */
export function allocTable(npages: u32): u32 {
  if (SHARED_GC && !lock(0)) return 0;
  const page = allocRun(npages, false);
  // First they stop moving: a death in between loses them, the other way round they would count twice.
  clearMoving();
  if (page) {
    mheap().metaPages += npages;
    markPages(page, npages, PAGE_STAYS);
  }
  if (SHARED_GC) unlock(0);
  return page;
}

/** The way back. Who cannot have H loses the pages. */
export function freeTable(page: u32, npages: u32): void {
  if (SHARED_GC && !lock(0)) return;
  mheap().metaPages -= npages;
  markPages(page, npages, 0);
  freePages(page, npages);
  if (SHARED_GC) unlock(0);
}

/**
 * Fresh pages for the persistent chunk: in clusters of 1/128 of the heap, up to 16. Single pages of records all over the
 * heap would part long runs while a span of each is in use.
 */
function refillPersistent(): bool {
  let npages = min(max(mheap().inUsePages >> 7, 1), MAX_RECORD_PAGES);
  let page = allocRun(npages, false);
  if (page == 0) {
    npages = 1;
    page = allocRun(1, false);
  }
  return addRecords(page, npages);
}

/** These pages are records' from now on. A compaction can give back those that are not used, so there is work for it. */
function recordsTaken(page: u32, npages: u32): void {
  markPages(page, npages, PAGE_MOVES);
  if (COMPACTS) mheap().freedPages += 1;
}

/** A run of pages for the persistent chunk, which it is longer than; page 0 is none: false. */
function addRecords(page: u32, npages: u32): bool {
  if (page == 0) return false;
  // In this order, as in allocTable.
  clearMoving();
  mheap().metaPages += npages;
  recordsTaken(page, npages);
  persistChunk(page << PAGE_SHIFT, (page + npages) << PAGE_SHIFT);
  return true;
}

/** A span record from its list, the persistent chunk, or a fresh page for the chunk; 0 when there is no memory. */
function spanRecord(ngroups: u32): u32 {
  const record = spanRecordAlloc(ngroups);
  if (record || !refillPersistent()) return record;
  return spanRecordAlloc(ngroups);
}

/**
 * A small span for `row`: record, pages, page records; groups are the caller's to set up. flags has NEEDZERO unless all
 * of its pages read as zero. Null when there is no memory, or with `short` as allocRun has it.
 */
export function allocSpan(row: u32, npages: u32, divMagic: u32, short: u32): MSpan | null {
  const nelems = (npages << PAGE_SHIFT) / rowAt(rowAddress(row)).elemsize;
  const ngroups = (nelems + 63) >> 6;
  let record = spanRecord(ngroups);
  if (record == 0) return null;
  if (COMPACTS) holdRecord(record, ngroups);
  const page = allocRun(npages, false, short);
  if (COMPACTS) record = heldRecord();
  const span = changetype<MSpan>(<usize>record);
  span.ngroups = <u8>ngroups;
  if (page == 0) {
    spanRecordFree(span);
    return null;
  }
  initSpan(span, page, npages);
  span.row = <u8>row;
  span.nelems = <u16>nelems;
  span.partialMask = 0;
  if (SHARED_GC && isCollected(row)) clearMeta(span);
  const base = page << PAGE_SHIFT;
  for (let i: u32 = 0; i < npages; i++) {
    const r = pageRecord(page + i);
    r.base = base;
    r.divMagic = divMagic;
    r.groups = record + MSPAN_SIZE;
    if (SHARED_GC && isCollected(row)) {
      // All entered as nobody's: no free takes them for a P's own (central/collected.ts). Last, for a marker that looks here.
      atomic.store<u32>(changetype<usize>(r), heap + HEAP_ROWS + (row << ROW_SHIFT), offsetof<PageRecord>("row"));
    } else {
      r.row = rowAddress(row);
    }
  }
  return span;
}

function initSpan(span: MSpan, page: u32, npages: u32): void {
  const h = mheap();
  span.next = 0;
  span.prev = 0;
  span.startAddr = page << PAGE_SHIFT;
  span.npages = npages;
  span.flags = h.lastScav == npages ? 0 : FLAG_NEEDZERO;
  if (GC || SHARED) {
    span.sweepgen = h.sweepgen;
    span.owner = SHARED ? <u8>pAt(local).id : 0;
    span.state = SPAN_IN_USE;
  }
  setInUse(page);
  h.inUsePages += npages;
  (SHARED ? mlocal() : h).sinceReclaim += npages;
}

/**
 * A large span of `npages` pages, at a multiple of `alignPages` pages (a power of two). With `zero` it reads as zero.
 * Null when there is no memory.
 */
export function allocLargeSpan(npages: u32, alignPages: u32, zero: bool, spanclass: u8): MSpan | null {
  let record = spanRecord(0);
  if (record == 0) return null;
  const slack = alignPages - 1;
  let page: u32 = 0;
  if (COMPACTS) holdRecord(record, 0);
  if (npages + slack <= ADDRESS_END >> PAGE_SHIFT) page = allocRun(npages + slack, zero);
  if (COMPACTS) record = heldRecord();
  const span = changetype<MSpan>(<usize>record);
  span.ngroups = 0;
  span.partialMask = 0;
  if (page == 0) {
    spanRecordFree(span);
    return null;
  }
  if (slack) {
    const aligned = (page + slack) & ~slack;
    const head = aligned - page;
    if (head) freePages(page, head);
    if (slack - head) freePages(aligned + npages, slack - head);
    page = aligned;
  }
  initSpan(span, page, npages);
  span.nelems = 1;
  setLarge(span, page);
  if (GC) span.spanclass = spanclass;
  return span;
}

/** The span at `page` is a large one. */
export function setLarge(span: MSpan, page: u32): void {
  span.row = 0;
  span.ngroups = 0;
  const r = pageRecord(page);
  r.base = page << PAGE_SHIFT;
  r.divMagic = 0;
  r.groups = addressOf(span) + MSPAN_SIZE;
  r.row = 0;
}

/** A span of `npages` pages that is to go: its page records, and its part in its row's counts. */
export function unsetSpan(span: MSpan, page: u32, npages: u32): void {
  const records: u32 = span.ngroups == 0 ? 1 : npages;
  for (let i: u32 = 0; i < records; i++) clearRecord(page + i);
  if (SHARED) {
    if (span.row) dropSpan(recordOf(span.owner), span);
  } else if (span.row) {
    const c = central(span.row);
    c.nspans -= 1;
    c.npagesInUse -= npages;
  }
}

/** Give a span's pages back to the tree and its record to the list. No live slot, in no list, cached nowhere. */
export function freeSpan(span: MSpan): void {
  const page = span.startAddr >> PAGE_SHIFT;
  const npages = span.npages;
  setMoving(page, npages);
  unsetSpan(span, page, npages);
  clearInUse(page);
  if (GC || SHARED) span.state = SPAN_DEAD;
  span.flags = 0;
  mheap().inUsePages -= npages;
  if (COMPACTS) mheap().freedPages += npages;
  freePages(page, npages);
  spanRecordFree(span);
  clearMoving();
}

/**
 * A small span is no longer one of those that the record at `record` counts. In the heap's own record the counts of a row
 * are under C, and ownedPages means nothing.
 */
export function dropSpan(record: u32, span: MSpan): void {
  const c = centralOf(record, span.row);
  c.nspans -= 1;
  c.npagesInUse -= span.npages;
  if (!SHARED_GC || !isCollected(span.row)) pAt(record).ownedPages -= span.npages;
}

/** The other way round. The pages of collected spans, which the P has for a moment only, are not counted. */
export function addSpan(record: u32, span: MSpan): void {
  const c = centralOf(record, span.row);
  c.nspans += 1;
  c.npagesInUse += span.npages;
  if (!SHARED_GC || !isCollected(span.row)) pAt(record).ownedPages += span.npages;
}

/** Page index of the first span in use at or after page index `from`; 0 when there is none. The walk of allspans. */
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
