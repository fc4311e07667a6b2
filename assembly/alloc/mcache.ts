/**
 * mcache: what a P allocates from without synchronisation. It has one row per span class (and fitted class), and each
 * row has one group: 64 slots of one span. This file is the slow half: what happens when allocCache is empty, and how
 * everything is returned.
 *
 *   reload, inlined in malloc: the frees into the same group.
 *   refill, cheapest first: another group of the same span; a span of the mcentral; a new span.
 *
 * Law: the cached group's bit is clear in its span's partialMask, and the span is in no list.
 *
 * Owner: the P. Cost: O(1), except for a new span.
 */

import { checkSpan } from "../central/laws";
import { FINALIZE, NUM_ROWS, SHARED } from "../base/config";
import { FULL, Group, MSpan, Row } from "../base/layout";
import { STAT_GROUP_REFILLS, STAT_REFILLS, STAT_SPAN_REFILLS, count, countTaken, countLoaded } from "../base/counters";
import { clearRow, dummyGroup, here, rowAt, rowIndex, rowAddress } from "../base/state";
import { isCommon, hasSweepSets } from "../base/gcstate";
import { giveCollected, reclaimCollected, takeOwnRemote } from "../central/collected";
import { cacheSpan } from "../central/mcentral";
import { hasRemote, takeRemote } from "../central/remote";
import { pushFull } from "../central/lists";
import { uncacheSpan, evict } from "../central/release";
import { freeUnusedAndCompact } from "../central/reclaim";
import { addressOf, groupAt, groupOf, validBits } from "../central/mspan";

/** Take the lowest slot of `cache`, the row's window, which must not be 0. */
@inline
export function takeSlot(row: Row, g: Group, cache: u64): u32 {
  g.allocCache = cache & (cache - 1);
  return row.base + <u32>ctz(cache) * row.elemsize;
}

/** The slots that were freed while the row had the group. With the dummy group both words are 0, and so is tail. */
@inline
export function freedSlots(row: Row, g: Group): u64 {
  return g.freed ^ row.tail;
}

/**
 * Make the freed slots `back` the row's window, as dirty slots. The caller must have written allocCache first: a thread
 * that dies in between then leaves a slot free twice, not lost.
 */
@inline
export function loadFreed(row: Row, g: Group, back: u64): void {
  g.freed = row.tail;
  row.dirty = 1;
  count(STAT_GROUP_REFILLS);
  countTaken(here(), row, popcnt(back));
}

/** freedSlots and loadFreed in one call. False if nothing was freed. */
@inline
export function reloadRow(row: Row, g: Group): bool {
  const back = freedSlots(row, g);
  if (back == 0) return false;
  g.allocCache = back;
  loadFreed(row, g, back);
  return true;
}

/** Drain what other threads have freed, before a refill of a row. False: nothing was freed for this row. */
@inline
function drainForRow(row: Row, index: u32): bool {
  if (isCommon(index)) {
    reclaimCollected();
    return takeOwnRemote(row);
  }
  if (!hasRemote()) return false;
  takeRemote();
  return true;
}

/** The row's group has no free slot: mark it full. */
@inline
function leaveFull(row: Row): void {
  const full = groupAt(row.group);
  // First remove it from the row: in a shared heap other threads read it, and a group in a row whose words look full is
  // one whose slots are all free.
  if (SHARED) row.group = dummyGroup();
  full.freed = FULL;
}

/** The row's span is full. */
@inline
function leaveSpan(row: Row, index: u32, span: MSpan): void {
  if (isCommon(index)) {
    clearRow(row);
    giveCollected(here(), span);
  } else if (hasSweepSets(index)) pushFull(span);
}

/**
 * The row's group has no free slot, not even a freed one: load another group. Returns a group with at least one slot in
 * allocCache. 0 if there is no memory: the row then holds the dummy group, and the next call tries again.
 */
export function refill(address: u32): u32 {
  const row = rowAt(address);
  const index = rowIndex(address);
  if (drainForRow(row, index) && reloadRow(row, groupAt(row.group))) return row.group;
  let span = changetype<MSpan | null>(<usize>row.span);
  count(STAT_REFILLS);
  if (span != null) {
    // Full: in no list until one of its slots is freed. The same holds for the span if it has no other group.
    leaveFull(row);
    if (span.partialMask) {
      count(STAT_SPAN_REFILLS);
    } else {
      leaveSpan(row, index, span);
      span = null;
    }
  }
  if (span == null) {
    clearRow(row);
    span = cacheSpan(index);
    // A finalizer may have run and loaded a window of its own.
    if (FINALIZE) uncacheRow(address);
    if (span == null) return 0;
    row.span = addressOf(span);
  }
  const mask = <u32>span.partialMask;
  const i = <u32>ctz(mask);
  const g = groupOf(span, i);
  const group = <u32>changetype<usize>(g);
  row.group = group;
  span.partialMask = <u16>(mask & (mask - 1));
  const tail = ~validBits(span, i);
  const back = g.freed & ~tail;
  if (back) {
    g.allocCache |= back;
    g.freed = tail;
  }
  row.dirty = back != 0 ? 1 : ((<u32>span.dirtyMask) >> i) & 1;
  row.tail = tail;
  row.base = span.startAddr + (i << 6) * row.elemsize;
  countLoaded(here(), row);
  checkSpan(span);
  return group;
}

/** Whether the slots in the row's allocCache may be dirty. */
@inline
export function isDirty(row: Row): bool {
  return row.dirty != 0;
}

/** Return the row's group and span to the mcentral. */
export function uncacheRow(address: u32): void {
  const span = evict(here(), rowAt(address));
  if (span != null) uncacheSpan(span);
}

/** releaseAll: return all rows to their mcentrals, and retained empty spans and the page cache to the heap. */
export function releaseAll(): void {
  for (let row: u32 = 1; row < NUM_ROWS; row++) uncacheRow(rowAddress(row));
  freeUnusedAndCompact();
}
