/**
 * Repair of a span whose thread died while its P worked on it, or whose P is being flushed: its groups' words are made
 * to say what is free, and it leaves all lists and rows. Shared heaps only.
 *
 * Lock: H, or the world is stopped. Cost: O(groups) a span.
 */

import { MAX_PS } from "../base/abinumbers";
import { countReturned } from "../base/counters";
import { FIRST_GC_ROW, NUM_ROWS } from "../base/config";
import { isCollected } from "../base/gcstate";
import { FLAG_EMPTY, FLAG_LISTED, FULL, HEAP_DUMMY, MSPAN_SIZE, MSpan } from "../base/layout";
import { briefWaits } from "../base/locks";
import { pAt, recordOf, rowAt, clearRowOf, rowAddressIn } from "../base/state";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { addressOf, groupOf, validBits } from "./mspan";
import { giveCollected } from "./collected";
import { forgetDrained } from "./remote";

@inline
export function spanOnPage(page: u32): MSpan {
  return changetype<MSpan>(<usize>(pageRecord(page).groups - MSPAN_SIZE));
}

/**
 * Make the words of a span's groups say what is free, whatever its P was doing with it, and take it out of all lists
 * and rows.
 */
export function tidySpan(span: MSpan, record: u32): void {
  const row = rowAt(rowAddressIn(record, span.row));
  const cached: u32 = row.span == addressOf(span) ? row.group : 0;
  let partial: u32 = 0;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    const g = groupOf(span, i);
    const valid = validBits(span, i);
    const mine = <u32>changetype<usize>(g) == cached;
    const known = mine || ((<u32>span.partialMask) >> i) & 1;
    // A full group, or one with a single slot whose first free was in progress.
    const full = !known && g.allocCache == 0 && g.freed == FULL;
    const back = full ? 0 : g.freed & valid;
    const free = (g.allocCache & valid) | back;
    if (mine) countReturned(record, row);
    // A full group must leave the row before it is marked full: in a row, all ones mean that all slots are free.
    if (free == 0 && mine) clearRowOf(record, row);
    g.allocCache = free;
    g.freed = free ? ~valid : FULL;
    const twice = forgetDrained(span, i, free);
    if (!briefWaits) pAt(record).lateDoubleFrees += twice;
    if (back != 0 || mine) span.dirtyMask = <u16>((<u32>span.dirtyMask) | (1 << i));
    if (free) partial |= 1 << i;
  }
  if (cached) clearRowOf(record, row);
  span.partialMask = <u16>partial;
  span.flags &= ~(FLAG_LISTED | FLAG_EMPTY);
}

/**
 * The thread that was emptying the mcaches of all Ps has died: spans that have left their row become unowned, and a row
 * that was half empty is emptied. The world is stopped.
 */
export function emptyOrphans(): void {
  for (let id: u32 = 1; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    for (let row: u32 = FIRST_GC_ROW; row < NUM_ROWS; row++) {
      const r = rowAt(rowAddressIn(record, row));
      if (r.span == 0 || r.group == record + HEAP_DUMMY) clearRowOf(record, r);
    }
  }
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    if (pageRecord(page).groups == 0) continue;
    const span = spanOnPage(page);
    const record = recordOf(span.owner);
    if (span.owner == 0 || record == 0 || !isCollected(span.row)) continue;
    if (rowAt(rowAddressIn(record, span.row)).span == addressOf(span)) continue;
    tidySpan(span, record);
    giveCollected(record, span);
  }
}
