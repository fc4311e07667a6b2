/**
 * Spans that become longer or shorter in place: what realloc tries before it moves a block.
 *
 * A large span frees pages at its end, or takes the free ones behind it. A small span of one slot, like those of most
 * classes from 8 KiB up, can be treated as a large one and becomes one as it grows: a buffer that is doubled again and
 * again is not copied, and leaves no trail of holes that are too short for what it becomes. If the pages behind are not
 * free, and no live block has the first of them, empty spans and the page cache are reclaimed: a span that was just
 * beside this one is often among them. The last block of the heap grows into new memory, unless there is a hole for it.
 *
 * Lock: H. Cost: O(log heap); O(rows) if the pages behind are not already free.
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { STAT_LARGE_MALLOCS, STAT_LARGE_TOTAL, count, countBy, countTaken } from "../base/counters";
import { isCollected } from "../base/gcstate";
import { FLAG_NEEDZERO, MSpan } from "../base/layout";
import { clearRow, mheap, rowAddress, rowAt, setMoving, here } from "../base/state";
import { setLarge, unsetSpan } from "./spans";
import { freeUnused } from "./reclaim";
import { spanOf } from "../heap/arena";
import { grow, noteFreed } from "../heap/mheap";
import { addressOf, isEmpty } from "./mspan";
import { findPages, freePagesBefore, pagesFree, takePages } from "../heap/pagealloc";
import { hasRun, putRun, takeRunAt } from "../heap/runs";
import { memoryEnd } from "../heap/sys";

/** Whether the page belongs to a span with a live slot: then no reclaim makes it free. */
function isLiveAt(page: u32): bool {
  const span = spanOf(page << PAGE_SHIFT);
  return span != null && (span.ngroups == 0 || !isEmpty(span));
}

/**
 * Make a large span `npages` pages long in place: free pages at its end, or take the free ones behind it. Memory grows
 * if it is the last block and no run of npages is free. False, with the span unchanged, if other spans are in the way,
 * there is such a run, or there is no memory.
 */
export function resizeLargeSpan(span: MSpan, npages: u32): bool {
  const h = mheap();
  const old = span.npages;
  const end = (span.startAddr >> PAGE_SHIFT) + old;
  if (npages < old) {
    // The span gives them up before they are free.
    setMoving(end - (old - npages), old - npages);
    span.npages = npages;
    putRun(end - (old - npages), old - npages);
    h.inUsePages -= old - npages;
    noteFreed(old - npages);
  } else if (npages > old) {
    const more = npages - old;
    if (!takeRunAt(end, more)) {
      if (!pagesFree(end, more) && !makeFree(npages, end, more)) return false;
      setMoving(end, more);
      takePages(end, more);
    }
    h.inUsePages += more;
    if (h.lastScav != more) span.flags |= FLAG_NEEDZERO;
    span.npages = npages;
  }
  return true;
}

/**
 * Make the pages [end, end + more) free, behind a block that is to have `npages` pages. False: they are in use, or
 * there is a run of npages pages elsewhere, or no memory.
 */
function makeFree(npages: u32, end: u32, more: u32): bool {
  if (!isLiveAt(end)) {
    freeUnused();
    if (pagesFree(end, more)) return true;
  }
  // At the end of memory the block can continue into a new region.
  const h = mheap();
  const last = h.sysEnd >> PAGE_SHIFT;
  if (memoryEnd() != h.sysEnd || freePagesBefore(last) != last - end) return false;
  // A hole elsewhere is better than more memory.
  if (hasRun(npages) || findPages(npages)) return false;
  return grow(more) && pagesFree(end, more);
}

/**
 * Make a small span of one slot, which is live, a large span of `npages` pages, more than it has, in place. False, with
 * nothing changed, if it has more slots or the pages behind it are not available. Always false in a shared heap, where
 * other threads may read its records at the same moment.
 */
export function widenSpan(span: MSpan, npages: u32): bool {
  const old = span.npages;
  if (SHARED || span.nelems != 1 || isCollected(span.row) || !resizeLargeSpan(span, npages)) return false;
  const row = rowAt(rowAddress(span.row));
  if (row.span == addressOf(span)) clearRow(row);
  const page = span.startAddr >> PAGE_SHIFT;
  // It counts as a large block from the start.
  countTaken(here(), row, -1);
  unsetSpan(span, page, old);
  setLarge(span, page, 1);
  span.partialMask = 1;
  count(STAT_LARGE_MALLOCS);
  countBy(STAT_LARGE_TOTAL, (<u64>npages) << PAGE_SHIFT);
  return true;
}
