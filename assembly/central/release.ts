/**
 * What happens to a span that leaves the mcache, or that regains a slot outside it: it is listed as partial, retained
 * without a live slot, or freed.
 *
 * Owner: the P. Lock: H for a span that is freed. Cost: O(groups).
 */

import { checkSpan } from "./laws";
import { countReturned } from "../base/counters";
import { SHARED } from "../base/config";
import { FLAG_EMPTY, FLAG_FULL, FLAG_LISTED, MCentral, MSpan, Row, FULL, ROW_DIRTY } from "../base/layout";
import { lockSoon, unlock } from "../base/locks";
import { central, local, mheap, mlocal, pAt, clearRowOf } from "../base/state";
import { clearMarks, isCollected, hasSweepSets } from "../base/gcstate";
import { addressOf, isEmptyUncached, spanAt, groupAt, groupIndex, reopenFree } from "./mspan";
import { pushFull, unlinkFull, pushPartial, unlinkPartial } from "./lists";
import { freeSpan } from "./spans";

/**
 * Most pages of empty spans to retain. With one thread a quarter of the heap, for programs that free everything and
 * begin again; they are reclaimed before memory grows. In a shared heap an eighth of the P's own pages, because no
 * other P can reclaim them; but more at least, because freeing a span costs H.
 */
@inline
function mostRetained(): u32 {
  return SHARED ? 64 + (pAt(local).ownedPages >> 3) : 16 + (mheap().grownPages >> 2);
}

/**
 * Take the group and the span out of a row of the mcache in the record at `record`. Returns the span, in no list; null
 * if the row had none. A full group must leave the row before it is marked full: in a row, all ones mean that all slots
 * are free.
 */
export function evict(record: u32, row: Row): MSpan | null {
  if (row.span == 0) return null;
  const span = spanAt(row.span);
  const g = groupAt(row.group);
  const i = groupIndex(span, row.group);
  const some = (g.allocCache | (g.freed & ~row.tail)) != 0;
  countReturned(record, row);
  if (some) span.partialMask = <u16>((<u32>span.partialMask) | (1 << i));
  span.dirtyMask = <u16>((<u32>span.dirtyMask) | ((row.flags & ROW_DIRTY) << i));
  clearRowOf(record, row);
  if (some) reopenFree(span, i);
  else g.freed = FULL;
  checkSpan(span);
  return span;
}

/** uncacheSpan: for a span that leaves the mcache, its group's bit in partialMask set if the group has free slots. */
export function uncacheSpan(span: MSpan): void {
  if (span.partialMask == 0) {
    if (hasSweepSets(span.row)) pushFull(span);
    return;
  }
  const c = central(span.row);
  if (isEmptyUncached(span)) retainOrFree(c, span);
  else pushPartial(c, span);
}

/** A span without a live slot, in no list: retain it for its row while little is retained, else free it. */
export function retainOrFree(c: MCentral, span: MSpan): void {
  if (isCollected(span.row)) clearMarks(span);
  const h = mlocal();
  const retained = h.retainedPages + span.npages;
  // If the lock is not available the span is retained.
  if (retained <= mostRetained() || !lockSoon(0)) {
    h.retainedPages = retained;
    span.next = c.empty;
    c.empty = addressOf(span);
    span.flags |= FLAG_EMPTY;
  } else {
    freeSpan(span);
    unlock(0);
  }
}

/** A span outside the mcache has regained a slot; `maybeEmpty`: one of its groups has no live slot any more. */
export function release(span: MSpan, maybeEmpty: bool): void {
  const c = central(span.row);
  if (hasSweepSets(span.row) && span.flags & FLAG_FULL) unlinkFull(span);
  const listed = (span.flags & FLAG_LISTED) != 0;
  if (maybeEmpty && isEmptyUncached(span)) {
    if (listed) unlinkPartial(c, span);
    retainOrFree(c, span);
  } else {
    if (!listed) pushPartial(c, span);
    checkSpan(span);
  }
}
