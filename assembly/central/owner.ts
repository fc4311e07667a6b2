/**
 * The mcentrals of a shared heap: unowned spans, by row, for every P to adopt.
 *
 * A P owns the spans that it allocates from; a span becomes unowned when its P is flushed or dies (check/recover.ts).
 * Those with free slots are in the list of their row in the heap's own record, with partialMask as if no group were
 * cached; full ones are in no list. A P that has run out of spans of a row adopts one before it makes a new one.
 *
 * Law: mspan.owner and the page records' row change under C, and under H for a span that is made or freed. A thread
 * that reads its own number there certainly owns the span: only the owner gives it away, or a thread that has seen the
 * owner dead. A thread that reads another's number may read a stale one, which central/remote.ts allows for.
 *
 * Lock: C of the row. Cost: O(pages of the span).
 */

import { checkSpan } from "./laws";
import { spanAt } from "./mspan";
import { PAGE_SHIFT } from "../base/config";
import { isCommon } from "../base/gcstate";
import { FLAG_LISTED, MSpan } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { centralOf, heap, local, pAt, rowAddressIn } from "../base/state";
import { pageRecord } from "../heap/arena";
import { pushPartial, unlinkPartial } from "./lists";
import { addSpan, dropSpan } from "./spans";

/** Make the P with the record at `record` the owner of a small span; the heap's record means unowned. */
export function setOwner(span: MSpan, record: u32): void {
  span.owner = <u8>pAt(record).id;
  // The pages of collected spans always say that they are unowned.
  if (isCommon(span.row)) return;
  const row = rowAddressIn(record, span.row);
  const page = span.startAddr >> PAGE_SHIFT;
  for (let i: u32 = 0; i < span.npages; i++) pageRecord(page + i).row = row;
}

/**
 * Under C: an unowned span becomes this P's. It leaves its list last, so that if the thread dies here its owner finds
 * it.
 */
export function adopt(span: MSpan): void {
  dropSpan(heap, span, span.npages);
  setOwner(span, local);
  addSpan(local, span);
  if (span.flags & FLAG_LISTED) unlinkPartial(centralOf(heap, span.row), span);
}

/** Under C: the first listed unowned span of `row` becomes this P's. Null: there is none. */
export function adoptFirst(row: u32): MSpan | null {
  const head = centralOf(heap, row).head;
  if (head == 0) return null;
  const span = spanAt(head);
  adopt(span);
  return span;
}

/** Under C: a span of the P at `record`, in no list, becomes unowned. */
export function abandon(record: u32, span: MSpan): void {
  dropSpan(record, span, span.npages);
  addSpan(heap, span);
  if (span.partialMask) pushPartial(centralOf(heap, span.row), span);
  setOwner(span, heap);
  checkSpan(span);
}

/** A span of the P at `record`, in no list any more, becomes unowned. Under H. False: the lock was not available. */
export function disown(record: u32, span: MSpan): bool {
  const row = <u32>span.row;
  if (!lock(row)) return false;
  abandon(record, span);
  unlock(row);
  return true;
}

/** Under C of its row: list an unowned span that has regained slots. */
export function listShared(span: MSpan): void {
  if ((span.flags & FLAG_LISTED) == 0) pushPartial(centralOf(heap, span.row), span);
}
