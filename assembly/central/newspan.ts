/**
 * New spans: a record, a run of pages, and the page records that name it.
 *
 * Lock: H. Cost: that of a run of pages, and 16 bytes of stores per page of a small span.
 */

import { ADDRESS_END, PAGE_SHIFT, SHARED_GC } from "../base/config";
import { FLAG_NEEDZERO, PageRecord, MSPAN_SIZE, MSpan } from "../base/layout";
import { isCommon, isCollected } from "../base/gcstate";
import { heap, mheap, rowAt, rowAddress, rowAddressIn } from "../base/state";
import { pageRecord } from "../heap/arena";
import { cutRun, findRun, putRun } from "../heap/runs";
import { heldRecord, holdRecord } from "./compact";
import { deadLargeRecord, spanRecordAlloc, spanRecordFree, metaBytes } from "../heap/persistent";
import { metaOf } from "./mspan";
import { initLarge, initSpan } from "./spans";
import { allocRun } from "./reclaim";
import { refillPersistent } from "./records";

/** A span record from its list, the persistent chunk, or a fresh page for the chunk; 0 if there is no memory. */
function spanRecord(ngroups: u32): u32 {
  const record = spanRecordAlloc(ngroups);
  if (record || !refillPersistent()) return record;
  return spanRecordAlloc(ngroups);
}

/**
 * A small span for `row`: record, pages, page records; the caller sets up the groups. flags has NEEDZERO unless all of
 * its pages read as zero. Null if there is no memory, or if `short` makes allocRun return 0.
 */
export function allocSpan(row: u32, npages: u32, divMagic: u32, short: u32): MSpan | null {
  const nelems = (npages << PAGE_SHIFT) / rowAt(rowAddress(row)).elemsize;
  const ngroups = (nelems + 63) >> 6;
  let record = spanRecord(ngroups);
  if (record == 0) return null;
  holdRecord(record, ngroups);
  const page = allocRun(npages, false, short);
  record = heldRecord(record);
  const span = changetype<MSpan>(<usize>record);
  span.ngroups = <u8>ngroups;
  if (page == 0) {
    spanRecordFree(span);
    return null;
  }
  initSpan(span, page, npages, row);
  span.nelems = <u16>nelems;
  span.partialMask = 0;
  if (isCommon(row)) clearMeta(span);
  const base = page << PAGE_SHIFT;
  for (let i: u32 = 0; i < npages; i++) {
    const r = pageRecord(page + i);
    r.base = base;
    r.divMagic = divMagic;
    r.groups = record + MSPAN_SIZE;
    nameRow(r, row);
  }
  return span;
}

/** Write the row into a new span's page record, last. */
@inline
function nameRow(r: PageRecord, row: u32): void {
  if (SHARED_GC && isCollected(row)) {
    // All are entered as unowned, so that no free takes them for a P's own (central/collected.ts). Atomic, because a
    // marker may read it.
    atomic.store<u32>(changetype<usize>(r), rowAddressIn(heap, row), offsetof<PageRecord>("row"));
  } else {
    r.row = rowAddress(row);
  }
}

/**
 * A large span of `npages` pages, at a multiple of `alignPages` pages (a power of two). With `zero` it reads as zero.
 * Null if there is no memory.
 */
export function allocLargeSpan(npages: u32, alignPages: u32, zero: bool, spanclass: u8): MSpan | null {
  let record = spanRecord(0);
  if (record == 0) return null;
  const slack = alignPages - 1;
  let page: u32 = 0;
  holdRecord(record, 0);
  if (npages + slack <= ADDRESS_END >> PAGE_SHIFT) page = allocRun(npages + slack, zero);
  record = heldRecord(record);
  const span = changetype<MSpan>(<usize>record);
  if (page == 0) {
    span.ngroups = 0;
    span.partialMask = 0;
    spanRecordFree(span);
    return null;
  }
  if (slack) {
    const aligned = (page + slack) & ~slack;
    const head = aligned - page;
    if (head) putRun(page, head);
    if (slack - head) putRun(aligned + npages, slack - head);
    page = aligned;
  }
  initLarge(span, page, npages, spanclass, mheap().lastScav == npages ? 0 : FLAG_NEEDZERO);
  return span;
}

/**
 * First byte of a large block of `npages` pages for malloc: from the run cache, with a dead record. 0: there is no such
 * run or record. The common case of allocLargeSpan. One thread only.
 */
export function takeLarge(npages: u32): u32 {
  const run = findRun(npages);
  if (run == 0) return 0;
  const span = deadLargeRecord();
  if (span == null) return 0;
  const page = cutRun(run, npages);
  initLarge(span, page, npages, 1, FLAG_NEEDZERO);
  return page << PAGE_SHIFT;
}

/**
 * Reset the meta table at a record's front (gc/typebits.ts), if there is one, so that any word of any slot may be a
 * pointer. In a shared heap a marker may scan a slot before its type is written, or forever if the writer dies: it must
 * not find the pointer bits of an earlier span with this record.
 */
export function clearMeta(span: MSpan): void {
  const table = metaOf(span);
  if (table == 0) return;
  const end = table + metaBytes(span.ngroups);
  for (let at = table; at < end; at += 8) store<u64>(at, 0);
}
