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
import { FLAG_NEEDZERO, MSPAN_SIZE, MSpan, PageRecord, SPAN_DEAD, SPAN_IN_USE } from "../base/layout";
import { isCommon } from "../base/gcstate";
import { centralOf, clearMoving, mheap, mlocal, pAt, setMoving, ownId, central } from "../base/state";
import { clearInUse, clearRecord, pageRecord, setInUse } from "../heap/arena";
import { joinRun, putRun } from "../heap/runs";
import { addressOf, ownerRecord } from "./mspan";
import { freeSamples } from "./samples";
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

/**
 * Make a dead record with no room for groups a large span in use on the pages [page, page + npages). Whole words are
 * written: a large block is cold memory, and each store has to wait for those to the block before it.
 */
export function initLarge(span: MSpan, page: u32, npages: u32, spanclass: u8, flags: u8): void {
  const h = mheap();
  const at = changetype<usize>(span);
  let last = ((<u64>1) << 32) | ((<u64>flags) << 48) | ((<u64>spanclass) << 56);
  let sweepgen: u64 = 0;
  if (GC || SHARED) {
    sweepgen = h.sweepgen;
    last |= ((<u64>SPAN_IN_USE) << 8) | ((<u64>ownId()) << 24);
  }
  store<u64>(at, 0, offsetof<MSpan>("next"));
  store<u64>(at, ((<u64>npages) << 32) | (page << PAGE_SHIFT), offsetof<MSpan>("startAddr"));
  store<u64>(at, sweepgen << 32, offsetof<MSpan>("partialMask"));
  store<u64>(at, last, offsetof<MSpan>("row"));
  nameLarge(span, page);
  setInUse(page);
  h.inUsePages += npages;
  mlocal().sinceReclaim += npages;
}

/** Write the page record of a large span. */
@inline
function nameLarge(span: MSpan, page: u32): void {
  const r = changetype<usize>(pageRecord(page));
  store<u64>(r, page << PAGE_SHIFT, offsetof<PageRecord>("base"));
  store<u64>(r, addressOf(span) + MSPAN_SIZE, offsetof<PageRecord>("groups"));
}

/** Make the small span at `page` a large one. */
export function setLarge(span: MSpan, page: u32, spanclass: u8): void {
  span.row = 0;
  span.ngroups = 0;
  span.spanclass = spanclass;
  nameLarge(span, page);
}

/**
 * Free a large span of malloc's if its pages stay in the run cache; false, with nothing changed, if they do not. One
 * thread only.
 */
export function freeLargeCached(span: MSpan, page: u32): bool {
  const npages = span.npages;
  if (!joinRun(page, npages)) return false;
  clearRecord(page);
  clearInUse(page);
  if (GC) span.state = SPAN_DEAD;
  mheap().inUsePages -= npages;
  noteFreed(npages);
  spanRecordFree(span);
  return true;
}

/** Undo what names a span of `npages` pages that is to be freed: its page records, and its part in its row's counts. */
export function unsetSpan(span: MSpan, page: u32, npages: u32): void {
  const records: u32 = span.ngroups == 0 ? 1 : npages;
  for (let i: u32 = 0; i < records; i++) clearRecord(page + i);
  if (span.row) dropSpan(ownerRecord(span), span, npages);
}

/**
 * Return a span's pages to the page heap and its record to the list. It has no live slot, is in no list, and no row
 * holds it.
 */
export function freeSpan(span: MSpan): void {
  const page = span.startAddr >> PAGE_SHIFT;
  const npages = span.npages;
  freeSamples(span);
  setMoving(page, npages);
  unsetSpan(span, page, npages);
  clearInUse(page);
  if (GC || SHARED) span.state = SPAN_DEAD;
  span.flags = 0;
  mheap().inUsePages -= npages;
  noteFreed(npages);
  putRun(page, npages);
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
