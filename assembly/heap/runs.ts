/**
 * The run cache: up to 32 free runs of pages in front of the page allocator's tree, for large blocks that come and go.
 *
 *   HEAP_RUNS        u64[MAX_RUNS]: first page | (page behind the last) << 32
 *   MHeap.runCount   how many of them are in use, from the first on
 *   MHeap.runPause   freed runs that still go directly to the tree
 *
 * A freed run is joined with the cached runs beside it. A request takes the first pages of the shortest run that is
 * long enough, and the rest stays cached. So neither a walk of the tree nor an update of its summaries is needed. The
 * walk over the runs has no unpredictable branch, and few words are written: large blocks are cold memory, and the
 * stores to them leave no room in the processor's store buffer.
 *
 * Best fit needs to see all long free runs. When there are more than fit in, the cache is flushed and pauses: first fit
 * by address uses such a heap better.
 *
 * The tree counts these pages as allocated. They are dirty: pages that are known to be zero stay in the tree. The cache
 * is flushed before memory grows, and wherever all free pages have to be in the tree.
 *
 * Invariant (validate checks it): the runs are allocated in the bitmap, do not overlap, and hold no span or record.
 *
 * In a shared heap, pages on their way are noted as moving, and a run changes by one store. After a death runs may be
 * there twice: recovery returns all of them to the tree (check/recover.ts).
 *
 * Lock: H. Cost: a walk over at most 32 words.
 */

import { CHUNK_PAGES, CHUNK_PAGES_SHIFT, SHARED } from "../base/config";
import { HEAP_RUNS } from "../base/layout";
import { STAT_RUN_HITS, count } from "../base/counters";
import { heap, mheap, setMoving } from "../base/state";
import { chunkBits, chunkScav, dirtyPages, freePages, takePages } from "./pagealloc";

/** Most cached runs. */
@inline export const MAX_RUNS: u32 = 32;
/** Shortest run that is cached, pages. What is left of a run that was cut may be shorter. */
@inline export const CACHED_MIN: u32 = 6;
/** Longest run that moves to the tree as a whole when short runs are wanted, pages. */
@inline const WHOLE_MAX: u32 = 512;
/** Freed runs that go to the tree after an overflow. */
@inline export const PAUSE: u32 = 2048;

/** Address of cached run `i`; of the end of the cache for runCount. */
@inline
export function runAt(i: u32): usize {
  return heap + HEAP_RUNS + (i << 3);
}

/** First page of the run at an address. */
@inline
export function runStart(at: usize): u32 {
  return load<u32>(at);
}

/** The page behind the last of the run at an address. */
@inline
export function runEnd(at: usize): u32 {
  return load<u32>(at, 4);
}

/** Take the run at an address out of the cache; the last one takes its place. */
@inline
function removeRun(at: usize): void {
  const h = mheap();
  const last = h.runCount - 1;
  store<u64>(at, load<u64>(runAt(last)));
  h.runCount = last;
}

/** Address of the shortest cached run of at least `npages` pages; 0: there is none. */
export function findRun(npages: u32): usize {
  let best: u32 = 0x80000000;
  let found: usize = 0;
  const end = runAt(mheap().runCount);
  for (let at = runAt(0); at < end; at += 8) {
    // Wraps around for a run that is too short.
    const more = runEnd(at) - runStart(at) - npages;
    const better = more < best;
    found = select(at, found, better);
    best = select(more, best, better);
  }
  return found;
}

/** Whether a cached run has `npages` pages or more. */
export function hasRun(npages: u32): bool {
  return findRun(npages) != 0;
}

/** Page index of `npages` pages of a cached run, now allocated; 0 if no run has as many. They are dirty. */
export function takeRun(npages: u32): u32 {
  const at = findRun(npages);
  if (at == 0) return 0;
  mheap().lastScav = 0;
  return cutRun(at, npages);
}

/** Take the first `npages` pages of the run at an address, which has as many. Returns their page index. */
export function cutRun(at: usize, npages: u32): u32 {
  const page = runStart(at);
  setMoving(page, npages);
  count(STAT_RUN_HITS);
  if (page + npages == runEnd(at)) removeRun(at);
  else store<u32>(at, page + npages);
  return page;
}

/**
 * Take the pages [page, page + npages), which are dirty, if a cached run begins with them. A shorter run that begins
 * there goes to the tree, where it may join what follows.
 */
export function takeRunAt(page: u32, npages: u32): bool {
  const end = runAt(mheap().runCount);
  let at = runAt(0);
  while (at < end && runStart(at) != page) at += 8;
  if (at >= end) return false;
  if (runEnd(at) - page < npages) {
    dropRun(at);
    return false;
  }
  mheap().lastScav = 0;
  cutRun(at, npages);
  return true;
}

/** Move the run at an address to the tree. */
function dropRun(at: usize): void {
  freePages(runStart(at), runEnd(at) - runStart(at));
  removeRun(at);
}

/**
 * Join the freed pages [page, page + npages) with the cached runs beside them, or add them. False, with nothing
 * changed, if they are beside none and cannot be added.
 */
export function joinRun(page: u32, npages: u32): bool {
  const h = mheap();
  const after = page + npages;
  const end = runAt(h.runCount);
  let left: usize = 0;
  let right: usize = 0;
  for (let at = runAt(0); at < end; at += 8) {
    if (runEnd(at) == page) left = at;
    if (runStart(at) == after) right = at;
  }
  if (left) {
    store<u32>(left, right ? runEnd(right) : after, 4);
    if (right) removeRun(right);
  } else if (right) {
    store<u32>(right, page);
  } else {
    if (npages < CACHED_MIN || h.runPause != 0 || h.runCount == MAX_RUNS) return false;
    store<u64>(end, (<u64>page) | ((<u64>after) << 32));
    h.runCount += 1;
  }
  return true;
}

/**
 * The pages [page, page + npages), which were in use and are noted as moving, are free. They are cached, or go to the
 * tree.
 */
export function putRun(page: u32, npages: u32): void {
  if (joinRun(page, npages)) return;
  if (npages >= CACHED_MIN) {
    const h = mheap();
    if (h.runPause) {
      h.runPause -= 1;
    } else {
      h.runPause = PAUSE;
      flushRuns();
    }
  }
  freePages(page, npages);
}

/** The tree has given out [page, page + npages): cache the free dirty pages behind it, if they are many. */
export function cacheRest(page: u32, npages: u32): void {
  const h = mheap();
  if (h.runPause != 0 || h.runCount == MAX_RUNS) return;
  const after = page + npages;
  const more = dirtyPages(after);
  if (more < CACHED_MIN) return;
  const scavenged = h.lastScav;
  setMoving(page, npages + more);
  takePages(after, more);
  putRun(after, more);
  setMoving(page, npages);
  h.lastScav = scavenged;
}

/**
 * Move long runs of free dirty pages out of the tree, from the lowest on, while there is room. Not in a shared heap: a
 * thread that dies in between would lose them. O(chunks).
 */
export function fillRuns(): void {
  const h = mheap();
  if (SHARED || h.runPause != 0) return;
  const scavenged = h.lastScav;
  const end = (h.arenaHi + 1) << 9;
  for (let page = h.searchPage; page < end && h.runCount < MAX_RUNS;) {
    const chunk = page >> CHUNK_PAGES_SHIFT;
    const free = ~(chunkBits(chunk) | chunkScav(chunk)) >> (page & (CHUNK_PAGES - 1));
    if (free == 0) {
      page = (page | (CHUNK_PAGES - 1)) + 1;
      continue;
    }
    page += <u32>ctz(free);
    const n = dirtyPages(page);
    if (n >= CACHED_MIN) {
      takePages(page, n);
      putRun(page, n);
    }
    page += n;
  }
  h.lastScav = scavenged;
}

/**
 * Move the lowest cached run to the tree if it begins below `page`; 0 for `page`: wherever it begins. True if it did.
 * So short runs are taken from the lowest addresses, whatever is cached. Of a run of more than WHOLE_MAX pages only the
 * pages in its first chunk are moved: the next long block would bring the others back, at a cost that grows with the
 * run.
 */
export function dropBelow(page: u32): bool {
  let low = page - 1;
  let found: usize = 0;
  const end = runAt(mheap().runCount);
  for (let at = runAt(0); at < end; at += 8) {
    if (runStart(at) > low) continue;
    low = runStart(at);
    found = at;
  }
  if (found == 0) return false;
  if (runEnd(found) - low > WHOLE_MAX) {
    const rest = (low | (CHUNK_PAGES - 1)) + 1;
    freePages(low, rest - low);
    store<u32>(found, rest);
  } else {
    dropRun(found);
  }
  return true;
}

/** Move all cached runs to the tree. True if there were any. */
export function flushRuns(): bool {
  const h = mheap();
  if (h.runCount == 0) return false;
  while (h.runCount) dropRun(runAt(h.runCount - 1));
  return true;
}

/** Pages of all cached runs. */
export function runPages(): u32 {
  let n: u32 = 0;
  for (let i: u32 = 0; i < mheap().runCount; i++) n += runEnd(runAt(i)) - runStart(runAt(i));
  return n;
}
