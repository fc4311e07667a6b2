/**
 * Spans as the page records, the inUse bits and the counts know them: what makes pages a span, and what makes them free again.
 *
 * Law: every page of a small span has its record, a large span its first page. Lock: H, or the span's owner where it says so.
 * Cost: 16 bytes of stores per page of a small span.
 */

import { COMPACTS, GC, PAGE_SHIFT, SHARED, SHARED_GC } from "../base/config";
import { FLAG_NEEDZERO, MSPAN_SIZE, MSpan, SPAN_DEAD, SPAN_IN_USE } from "../base/layout";
import { isCollected } from "../base/gcstate";
import { central, centralOf, clearMoving, local, mheap, mlocal, pAt, recordOf, setMoving } from "../base/state";
import { clearInUse, clearRecord, pageRecord, setInUse } from "../heap/arena";
import { freePages } from "../heap/pagealloc";
import { addressOf } from "./mspan";
import { spanRecordFree } from "../heap/persistent";

export function initSpan(span: MSpan, page: u32, npages: u32): void {
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
