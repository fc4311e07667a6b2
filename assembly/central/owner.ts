/**
 * The mcentrals of a shared heap: nobody's spans, by row, for every P to take.
 *
 * A P owns the spans that it allocates from; a span becomes nobody's when its P is flushed or dies (check/recover.ts).
 * Those with free slots stand in the list of their row in the heap's own record, in partialMask's terms without a cached
 * group; full ones in no list. A P that has run out of spans of a row takes one over before it asks for a new one.
 *
 * Law: mspan.owner and the page records' row change under C, and for a span that appears or goes, under H. Who reads its
 * own number there owns the span for sure: only the owner gives it away, or who has seen it dead. Who reads another's may
 * read an old one, which central/remote.ts allows for.
 *
 * Lock: C of the row. Cost: O(pages of the span).
 */

import { checkSpan } from "./laws";
import { spanAt } from "./mspan";
import { PAGE_SHIFT } from "../base/config";
import { isCommon } from "../base/gcstate";
import { FLAG_LISTED, HEAP_ROWS, MSpan, ROW_SHIFT } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { centralOf, heap, local, pAt } from "../base/state";
import { pageRecord } from "../heap/arena";
import { pushPartial, unlinkPartial } from "./lists";
import { addSpan, dropSpan } from "./spans";

/** Make the P with the record at `record` the owner of a small span; the heap's record stands for nobody. */
export function setOwner(span: MSpan, record: u32): void {
  span.owner = <u8>pAt(record).id;
  // The pages of the collector's spans say always that they are nobody's.
  if (isCommon(span.row)) return;
  const row = record + HEAP_ROWS + ((<u32>span.row) << ROW_SHIFT);
  const page = span.startAddr >> PAGE_SHIFT;
  for (let i: u32 = 0; i < span.npages; i++) pageRecord(page + i).row = row;
}

/** Under C, an unowned span becomes this P's, and leaves its list last: if the thread dies here, its owner finds it. */
export function adopt(span: MSpan): void {
  dropSpan(heap, span, span.npages);
  setOwner(span, local);
  addSpan(local, span);
  if (span.flags & FLAG_LISTED) unlinkPartial(centralOf(heap, span.row), span);
}

/** Under C, the first span in the list of unowned ones of `row` becomes this P's. Null: there is none. */
export function adoptFirst(row: u32): MSpan | null {
  const head = centralOf(heap, row).head;
  if (head == 0) return null;
  const span = spanAt(head);
  adopt(span);
  return span;
}

/** Under C, a span of the P at `record`, in no list, is unowned from now on. */
export function abandon(record: u32, span: MSpan): void {
  dropSpan(record, span, span.npages);
  addSpan(heap, span);
  if (span.partialMask) pushPartial(centralOf(heap, span.row), span);
  setOwner(span, heap);
  checkSpan(span);
}

/** A span of the P at `record`, in no list any more, becomes nobody's. Under H. False: the lock was not to be had. */
export function giveShared(record: u32, span: MSpan): bool {
  const row = <u32>span.row;
  if (!lock(row)) return false;
  abandon(record, span);
  unlock(row);
  return true;
}

/** Under C of its row, a span of nobody has got slots back: it stands in the list from now on. */
export function listShared(span: MSpan): void {
  if ((span.flags & FLAG_LISTED) == 0) pushPartial(centralOf(heap, span.row), span);
}
