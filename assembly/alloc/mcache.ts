/**
 * mcache: what a P allocates from without asking anybody. One row per span class (and fitted class), each with one
 * group: 64 slots of one span. This file is the slow half: what happens when allocCache is empty, and how all of it is
 * given back.
 *
 *   refill, cheapest first: the frees that came into the same group; another group of the same span; a span of the
 *   mcentral; a new span.
 *
 * Law: the cached group's bit is clear in its span's partialMask, and its span is in no list. Owner: the P. Cost: O(1),
 * but for a new span.
 */

import { HOST, NUM_ROWS } from "../base/config";
import { GROUP_SHIFT, Group, MSPAN_SIZE, MSpan } from "../base/layout";
import { STAT_GROUP_REFILLS, STAT_REFILLS, STAT_SPAN_REFILLS, count } from "../base/counters";
import { central, dummyGroup, rowAt, rowIndex, rowOffset } from "../base/state";
import { cacheSpan, groupOf, uncacheSpan } from "../central/mcentral";
import { giveBack } from "../heap/mheap";

/** The span of a group, null for the dummy. */
// @ts-ignore: decorator
@inline
export function spanOfGroup(g: Group): MSpan | null {
  return changetype<MSpan | null>(<usize>(g.spanz & ~1));
}

/** Index of a group in its span. */
// @ts-ignore: decorator
@inline
export function groupIndex(span: MSpan, g: Group): u32 {
  return (<u32>changetype<usize>(g) - <u32>changetype<usize>(span) - MSPAN_SIZE) >> GROUP_SHIFT;
}

/** Make the frees of a group its window. Slots that come back are dirty. */
// @ts-ignore: decorator
@inline
function reload(g: Group): void {
  g.allocCache |= g.freed;
  g.freed = 0;
  g.spanz |= 1;
}

// @ts-ignore: decorator
@inline
function countTaken(row: u32, g: Group): void {
  if (HOST) central(row).taken += popcnt(g.allocCache);
}

/**
 * The row's allocCache is empty: load another. Returns the group, with at least one slot in allocCache, or 0 when there
 * is no memory; the row then holds the dummy or a group without slots, and the next call tries again.
 */
export function refill(offset: u32): u32 {
  const row = rowAt(offset);
  const index = rowIndex(offset);
  let g = changetype<Group>(<usize>row.group);
  count(STAT_REFILLS);
  if (g.freed) {
    reload(g);
    countTaken(index, g);
    count(STAT_GROUP_REFILLS);
    return row.group;
  }
  let span = spanOfGroup(g);
  if (span == null || span.partialMask == 0) {
    // A span that is left without a free slot is full: it is nobody's until a slot of it is freed.
    row.group = dummyGroup();
    span = cacheSpan(index);
    if (span == null) return 0;
  } else {
    count(STAT_SPAN_REFILLS);
  }
  const mask = span.partialMask;
  span.partialMask = mask & (mask - 1);
  g = groupOf(span, <u32>ctz(mask));
  if (g.freed) reload(g);
  countTaken(index, g);
  const address = <u32>changetype<usize>(g);
  row.group = address;
  return address;
}

/** Give the row's group and span back to the mcentral. */
function uncacheRow(offset: u32): void {
  const row = rowAt(offset);
  const g = changetype<Group>(<usize>row.group);
  const span = spanOfGroup(g);
  if (span == null) return;
  row.group = dummyGroup();
  if (HOST) central(rowIndex(offset)).taken -= popcnt(g.allocCache);
  if ((g.allocCache | g.freed) != 0) span.partialMask |= 1 << groupIndex(span, g);
  uncacheSpan(span);
}

/** releaseAll: all rows back to their mcentrals, retained empty spans and the page cache back to the heap. */
export function releaseAll(): void {
  for (let row: u32 = 1; row < NUM_ROWS; row++) uncacheRow(rowOffset(row));
  giveBack();
}
