/**
 * A run of pages, by every means, and the only place that decides to grow.
 *
 * allocRun tries, in this order: the run cache for long runs, the P's page cache for short ones, the tree, then what
 * can be reclaimed (retained empty spans, the rest of both caches, pages of records), then memory.grow. The allocator's
 * own records are allocated from such runs too.
 *
 * Lock: H. Cost: O(log heap) for a run; O(rows + spans freed) for a reclaim.
 */

import { isCommon } from "../base/gcstate";
import { COMPACTS, NUM_ROWS, PAGE_CACHE_MAX, SHARED, WASM_PAGE_PAGES } from "../base/config";
import { MSpan } from "../base/layout";
import { STAT_PAGE_CACHE_HITS, STAT_PAGE_CACHE_REFILLS, STAT_RECLAIMS, count, countReturned } from "../base/counters";
import { softLimit } from "../base/options";
import { central, clearRow, mheap, mlocal, rowAt, rowAddress, here } from "../base/state";
import { findPages } from "../heap/pagealloc";
import { isEmpty, spanAt } from "./mspan";
import { pageCacheAlloc, pageCacheFlush, pageCacheRefill } from "../heap/pagecache";
import { compact } from "./compact";
import { grow, allocTree, zeroPages } from "../heap/mheap";
import { CACHED_MIN, cacheRest, fillRuns, flushRuns, takeRun } from "../heap/runs";
import { freeSpan } from "./spans";
import { freeDeferred } from "./deferred";

/**
 * A run of `npages` pages, allocated. Returns the page index; 0 if there is no memory, or if memory would have to grow
 * while a run of `short` pages is free (`short` 0: the caller cannot use a shorter run). lastScav is how many of the
 * pages read as zero; with `zero` all of them do.
 */
export function allocRun(npages: u32, zero: bool, short: u32 = 0): u32 {
  const h = mlocal();
  if (npages >= CACHED_MIN) {
    const page = takeCached(npages, zero);
    if (page) return page;
  }
  // Pages in the page cache may be dirty.
  if (npages < PAGE_CACHE_MAX && !zero) {
    let page = pageCacheAlloc(npages);
    if (page == 0 && h.pcCache == 0 && pageCacheRefill()) {
      count(STAT_PAGE_CACHE_REFILLS);
      page = pageCacheAlloc(npages);
    } else if (page != 0) {
      count(STAT_PAGE_CACHE_HITS);
    }
    if (page != 0) return page;
  } else if (npages > RECLAIM_RUN && h.retainedPages > (SHARED ? mheap().inUsePages >> RECLAIM_WORTH_SHIFT : 0)) {
    // Empty spans all over the heap would split what could be one run. In a shared heap other threads wait for H.
    freeUnused();
  }
  let page = allocTree(npages, zero);
  if (page) {
    cacheRest(page, npages);
    return page;
  }
  page = takeCached(npages, zero);
  return page ? page : allocRunSlow(npages, zero, short);
}

/** Page index of `npages` pages of the run cache, cleared with `zero`; 0 if it has no such run. */
function takeCached(npages: u32, zero: bool): u32 {
  const page = takeRun(npages);
  if (page != 0 && zero) zeroPages(page, npages);
  return page;
}

/**
 * Empty spans are reclaimed before a run of more than this many pages is searched in the tree. Shorter runs are what
 * buffers up to 64 KiB need: a reclaim for each of them would free the spans that the next ones want.
 */
@inline const RECLAIM_RUN: u32 = 8;

/**
 * A reclaim frees what may be wanted again at once. Before memory grows it is done only after spans have been given as
 * many pages as the least growth brings, and 1/64 of the heap's; or while the heap is small, where it costs little. In
 * a tiny heap it would free the only span of one class for the next class, and back.
 */
@inline const RECLAIM_TINY_PAGES: u32 = 48;

@inline const RECLAIM_SMALL_PAGES: u32 = 512;

@inline const RECLAIM_MIN_PAGES: u32 = WASM_PAGE_PAGES;

@inline const RECLAIM_SHIFT: u32 = 6;

/** In a shared heap, before a long run: reclaim if retained pages are at least an eighth of the pages in use. */
@inline const RECLAIM_WORTH_SHIFT: u32 = 3;

/** Whether the heap is small but not tiny: 384 KiB to 4 MiB in spans. */
export function isSmall(): bool {
  return mheap().inUsePages - RECLAIM_TINY_PAGES < RECLAIM_SMALL_PAGES - RECLAIM_TINY_PAGES;
}

/** Whether a reclaim is due before memory grows. */
@inline
function isDue(): bool {
  return isSmall() || mlocal().sinceReclaim >= RECLAIM_MIN_PAGES + (mheap().inUsePages >> RECLAIM_SHIFT);
}

/**
 * No free run: flush the caches of pages, reclaim empty spans (unless just done), then grow. At or above the soft limit
 * reclaim every time.
 */
function allocRunSlow(npages: u32, zero: bool, short: u32): u32 {
  const h = mheap();
  const soft = softLimit != 0 && h.sys >= softLimit;
  let some = soft || isDue() ? freeUnused() : flushFree();
  if (isCompactionDue(npages)) {
    freeUnusedAndCompact();
    some = true;
  }
  if (some) {
    const page = allocTree(npages, zero);
    if (page) return page;
  }
  if (short != 0 && findPages(short) != 0) return 0;
  // Repeat if more memory came than was asked for, and its records separated it from the free pages that were counted
  // in.
  while (grow(npages)) {
    const page = allocTree(npages, zero);
    if (page) {
      fillRuns();
      return page;
    }
  }
  // The last resort, however recently it was tried.
  return freeUnusedAndCompact() ? allocTree(npages, zero) : 0;
}

/**
 * A run of at least this many pages is worth a compaction before memory grows, if as many have been freed since the
 * last one and half of the heap is free. In a fuller heap records would move into holes that the next long run needs.
 */
@inline const LONG_RUN: u32 = 64;

/** Whether to try a compaction before memory grows for `npages` pages. */
@inline
function isCompactionDue(npages: u32): bool {
  const h = mheap();
  return COMPACTS && npages >= LONG_RUN && h.freedPages >= npages && h.inUsePages << 1 <= h.grownPages;
}

/** freeUnused, then free the pages of records that a compaction empties. True if that freed any page. */
export function freeUnusedAndCompact(): bool {
  const some = freeUnused();
  return compact() || some;
}

/**
 * Free everything that is held without a live slot: spans and the caches of pages. All free pages are in the tree then.
 * True if that freed any page.
 */
export function freeUnused(): bool {
  mlocal().sinceReclaim = 0;
  freeDeferred();
  const pages = reclaim() + reclaimCached();
  return flushFree() || pages != 0;
}

/** Return the pages of the page cache and of the run cache to the tree. True if there were any. */
function flushFree(): bool {
  const some = flushRuns();
  return pageCacheFlush() || some;
}

/** Free the spans of the mcache that have no live slot; pages freed. O(rows). */
function reclaimCached(): u32 {
  let pages: u32 = 0;
  // Collected rows are touched only inside the gate.
  for (let row: u32 = 1; row < NUM_ROWS && !isCommon(row); row++) {
    const r = rowAt(rowAddress(row));
    if (r.span == 0) continue;
    const span = spanAt(r.span);
    if (!isEmpty(span)) continue;
    countReturned(here(), r);
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
