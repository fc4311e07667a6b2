/**
 * Space for the allocator's own records and the collector's tables, out of runs of pages.
 *
 * Lock: H; newRecord, allocTable and freeTable take it themselves. Cost: O(1), or that of a run of pages.
 */

import { COMPACTS, PAGE_SHIFT, PAGE_SIZE } from "../base/config";
import { lock, unlock } from "../base/locks";
import { clearMoving, mheap } from "../base/state";
import { freePages } from "../heap/pagealloc";
import { PAGE_STAYS, markPages, persistentAlloc } from "../heap/persistent";
import { addRecords } from "../heap/mheap";
import { allocRun } from "./reclaim";

/** Longest cluster of pages for records. */
@inline const MAX_RECORD_PAGES: u32 = 16;

/**
 * `size` bytes (at most a page) for a record that is never freed, 16-aligned; 0 if there is no memory. Where records
 * move, these are kept apart from the others.
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

/** `size` bytes (at most a page) for a meta table, which moves with its span's record; 0 if there is no memory. */
function movingSpace(size: u32): u32 {
  const at = persistentAlloc(size);
  if (at || !refillPersistent()) return at;
  return persistentAlloc(size);
}

/** recordSpace, or with `moves` movingSpace, for callers that do not hold H. */
export function newRecord(size: u32, moves: bool): u32 {
  if (!lock(0)) return 0;
  const at = moves ? movingSpace(size) : recordSpace(size);
  unlock(0);
  return at;
}

/** `npages` pages for a table of the collector: page index, 0 if there is no memory. The caller does not hold H. */
export function allocTable(npages: u32): u32 {
  if (!lock(0)) return 0;
  const page = takeTable(npages);
  unlock(0);
  return page;
}

/** allocTable for callers that hold H. */
@inline
export function takeTable(npages: u32): u32 {
  const page = allocRun(npages, false);
  // First they stop moving: a death in between then loses them; in the other order they would be counted twice.
  clearMoving();
  if (page) {
    mheap().metaPages += npages;
    markPages(page, npages, PAGE_STAYS);
  }
  return page;
}

/** Free the pages of a table. If H is not available the pages are lost. */
export function freeTable(page: u32, npages: u32): void {
  if (!lock(0)) return;
  freeTableHere(page, npages);
  unlock(0);
}

/** freeTable for callers that hold H. */
@inline
export function freeTableHere(page: u32, npages: u32): void {
  mheap().metaPages -= npages;
  markPages(page, npages, 0);
  freePages(page, npages);
}

/**
 * Fresh pages for the persistent chunk: in clusters of 1/128 of the heap, up to 16. Single pages of records all over
 * the heap would split long runs while a span of each is in use.
 */
export function refillPersistent(): bool {
  let npages = min(max(mheap().inUsePages >> 7, 1), MAX_RECORD_PAGES);
  let page = allocRun(npages, false);
  if (page == 0) {
    npages = 1;
    page = allocRun(1, false);
  }
  return addRecords(page, npages);
}
