/**
 * Spans as the page records, the inUse bits and the counts know them: what makes pages a span, and what makes them free
 * again.
 *
 * Law: every page of a small span has its record; only the first page of a large span has one.
 *
 * Lock: H, or the span's owner where a function says so. Cost: 16 bytes of stores per page of a small span.
 */

import { noteFreed } from "../heap/mheap";
import { GC, PAGE_SHIFT, SHARED } from "../base/config";
import { FLAG_NEEDZERO, MSPAN_SIZE, MSpan, SPAN_DEAD, SPAN_IN_USE } from "../base/layout";
import { isCommon } from "../base/gcstate";
import { centralOf, clearMoving, mheap, mlocal, pAt, setMoving, ownId, central } from "../base/state";
import { clearInUse, clearRecord, pageRecord, setInUse } from "../heap/arena";
import { freePages } from "../heap/pagealloc";
import { addressOf, ownerRecord } from "./mspan";
import { spanRecordFree } from "../heap/persistent";

export function initSpan(span: MSpan, page: u32, npages: u32, row: u32): void {
  const h = mheap();
  span.next = 0;
  span.prev = 0;
  span.startAddr = page << PAGE_SHIFT;
  span.npages = npages;
  span.row = <u8>row;
  span.flags = h.lastScav == npages ? 0 : FLAG_NEEDZERO;
  if (GC || SHARED) {
    span.sweepgen = h.sweepgen;
    span.owner = <u8>ownId();
    span.state = SPAN_IN_USE;
    span.spanclass = central(row).spanclass;
  }
  setInUse(page);
  h.inUsePages += npages;
  mlocal().sinceReclaim += npages;
}

/** Make the span at `page` a large one. */
export function setLarge(span: MSpan, page: u32, spanclass: u8): void {
  span.row = 0;
  span.ngroups = 0;
  span.spanclass = spanclass;
  const r = pageRecord(page);
  r.base = page << PAGE_SHIFT;
  r.divMagic = 0;
  r.groups = addressOf(span) + MSPAN_SIZE;
  r.row = 0;
}

/** Undo what names a span of `npages` pages that is to be freed: its page records, and its part in its row's counts. */
export function unsetSpan(span: MSpan, page: u32, npages: u32): void {
  const records: u32 = span.ngroups == 0 ? 1 : npages;
  for (let i: u32 = 0; i < records; i++) clearRecord(page + i);
  if (span.row) dropSpan(ownerRecord(span), span, npages);
}

/**
 * Return a span's pages to the tree and its record to the list. It has no live slot, is in no list, and no row holds
 * it.
 */
export function freeSpan(span: MSpan): void {
  const page = span.startAddr >> PAGE_SHIFT;
  const npages = span.npages;
  setMoving(page, npages);
  unsetSpan(span, page, npages);
  clearInUse(page);
  if (GC || SHARED) span.state = SPAN_DEAD;
  span.flags = 0;
  mheap().inUsePages -= npages;
  noteFreed(npages);
  freePages(page, npages);
  spanRecordFree(span);
  clearMoving();
}

/** The record at `record` no longer counts a small span of `npages` pages. Under C if it is the heap's record. */
export function dropSpan(record: u32, span: MSpan, npages: u32): void {
  const c = centralOf(record, span.row);
  c.nspans -= 1;
  c.npagesInUse -= npages;
  countOwned(record, span, -npages);
}

/** The record at `record` counts a small span from now on. */
export function addSpan(record: u32, span: MSpan): void {
  const c = centralOf(record, span.row);
  c.nspans += 1;
  c.npagesInUse += span.npages;
  countOwned(record, span, span.npages);
}

/**
 * The P at `record` owns `npages` more pages. Spans that all Ps share are not counted, because a P has them only for a
 * moment; in the heap's own record the sum means nothing.
 */
@inline
function countOwned(record: u32, span: MSpan, npages: u32): void {
  if (SHARED && !isCommon(span.row)) pAt(record).ownedPages += npages;
}
