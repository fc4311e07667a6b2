/**
 * mcache: what a P allocates from without synchronisation. It has one row per span class (and fitted class), and each
 * row has one group: 64 slots of one span. This file is the slow half: what happens when allocCache is empty, and how
 * everything is returned.
 *
 *   reload, inlined in malloc: the frees into the same group.
 *   refill, cheapest first: another group of the same span; a span of the mcentral; a new span.
 *
 * A group that is used up is made full, so that the first free into it takes the slow half and notes it in its span.
 * But where the heap is full and blocks are replaced, windows have a few slots, and nearly every group that is used up
 * has another slot freed before its turn comes again. So a group of malloc whose window was short stays noted: its
 * frees take the fast half. If it still has no free slot when its turn comes, it is made full then.
 *
 * Law: the cached group's bit is clear in its span's partialMask, and the span is in no list.
 *
 * Owner: the P. Cost: O(1), except for a new span. A noted group without a free slot costs one look, after which it is
 * full: one refill may look at many, but all together no more than there were short windows.
 */

import { checkSpan } from "../central/laws";
import { FINALIZE, NUM_ROWS, SAMPLES, SHARED } from "../base/config";
import { FULL, Group, MSpan, Row, ROW_DIRTY, ROW_SHORT } from "../base/layout";
import {
  STAT_GROUP_REFILLS,
  STAT_REFILLS,
  STAT_SPAN_REFILLS,
  count,
  countTaken,
  countLoaded,
  STAT_CENTRAL_HITS,
} from "../base/counters";
import { clearRow, dummyGroup, here, rowAt, rowIndex, rowAddress, central } from "../base/state";
import { isCommon, hasSweepSets, isCollected } from "../base/gcstate";
import { giveCollected, reclaimCollected, takeOwnRemote } from "../central/collected";
import { cutWindow, loadCounted } from "../central/countdown";
import { cacheSpan } from "../central/mcentral";
import { hasRemote, takeRemote } from "../central/remote";
import { pushFull, pushPartial, unlinkPartial } from "../central/lists";
import { uncacheSpan, evict } from "../central/release";
import { freeUnusedAndCompact } from "../central/reclaim";
import { addressOf, groupAt, groupOf, validBits, spanAt, groupIndex } from "../central/mspan";

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
  row.flags = ROW_DIRTY | ROW_SHORT;
  count(STAT_GROUP_REFILLS);
  countTaken(here(), row, popcnt(back));
}

/** Whether the fast half may load `back` freed slots: no sample is due among them. */
@inline
export function mayLoad(row: Row, back: u64): bool {
  if (!SAMPLES) return true;
  const n = <u32>popcnt(back);
  if (n >= row.left) return false;
  row.left -= n;
  return true;
}

/** freedSlots and loadFreed in one call. False if nothing was freed. */
@inline
export function reloadRow(row: Row, g: Group): bool {
  return SAMPLES ? reloadCounted(row, g) : reloadPlain(row, g);
}

/** Of the slots that reloadCounted has loaded, those that had never been given out. */
export let freshSlots: u32 = 0;

/** reloadRow up to the next sample. */
function reloadCounted(row: Row, g: Group): bool {
  const back = freedSlots(row, g);
  if (back == 0) return false;
  freshSlots = loadCounted(row, g, back);
  count(STAT_GROUP_REFILLS);
  countTaken(here(), row, popcnt(g.allocCache));
  return true;
}

@inline
function reloadPlain(row: Row, g: Group): bool {
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

/** A window with fewer slots is short. */
@inline const SHORT_WINDOW: u32 = 20;

/**
 * Load a group with a free slot out of `left`, which are groups of a span that are noted: the next from group `from`
 * on, or else the first. The groups without a free slot that are met become full. False: there is none.
 */
function loadGroup(row: Row, span: MSpan, left: u32, from: u32): bool {
  while (left != 0) {
    const later = (left >> from) << from;
    const i = <u32>ctz(select<u32>(later, left, later != 0));
    const bit: u32 = 1 << i;
    left ^= bit;
    const g = groupOf(span, i);
    const tail = ~validBits(span, i);
    const back = g.freed & ~tail;
    const cache = g.allocCache | back;
    span.partialMask = <u16>((<u32>span.partialMask) ^ bit);
    if (cache == 0) {
      g.freed = FULL;
      continue;
    }
    row.group = <u32>changetype<usize>(g);
    // Stores and selects: whether something was freed here is not known to the processor either.
    g.allocCache = cache;
    g.freed = tail;
    const dirty = select<u32>(ROW_DIRTY, ((<u32>span.dirtyMask) >> i) & ROW_DIRTY, back != 0);
    row.flags = dirty | select<u32>(ROW_SHORT, 0, <u32>popcnt(cache) < SHORT_WINDOW);
    row.tail = tail;
    row.base = span.startAddr + (i << 6) * row.elemsize;
    cutWindow(row, g);
    countLoaded(here(), row);
    checkSpan(span);
    return true;
  }
  return false;
}

/** The row's group has no free slot: load another group of its span. If there is none, the row gives the span up. */
function nextGroup(row: Row, index: u32): bool {
  const span = spanAt(row.span);
  const g = groupAt(row.group);
  const i = groupIndex(span, row.group);
  // The span of a single slot must not be listed while that is live (central/resize.ts).
  const short = (row.flags & ROW_SHORT) != 0 && span.nelems > 1 && !isCollected(index);
  // First remove it from the row: in a shared heap other threads read it, and a group in a row whose words look full is
  // one whose slots are all free.
  if (SHARED) row.group = dummyGroup();
  const others = <u32>span.partialMask;
  if (short) span.partialMask = <u16>(others | (1 << i));
  else g.freed = FULL;
  if (loadGroup(row, span, others, i)) {
    count(STAT_REFILLS);
    count(STAT_SPAN_REFILLS);
    return true;
  }
  clearRow(row);
  if (short) pushPartial(central(index), span);
  else if (isCommon(index)) giveCollected(here(), span);
  else if (hasSweepSets(index)) pushFull(span);
  return false;
}

/**
 * The row at `address` has no free slot, not even in the frees into its group: load another group of its span or, if it
 * is a row of malloc, of a partial span. False: there is none, and the row has no group.
 */
export function loadPartial(address: u32): bool {
  const row = rowAt(address);
  const index = rowIndex(address);
  if (drainForRow(row, index) && reloadRow(row, groupAt(row.group))) return true;
  if (row.span != 0 && nextGroup(row, index)) return true;
  if (isCollected(index)) return false;
  const c = central(index);
  while (c.head != 0) {
    const span = spanAt(c.head);
    unlinkPartial(c, span);
    row.span = addressOf(span);
    if (loadGroup(row, span, span.partialMask, 0)) {
      count(STAT_REFILLS);
      count(STAT_CENTRAL_HITS);
      return true;
    }
    clearRow(row);
  }
  return false;
}

/**
 * loadPartial, or a span that is swept, retained or new. Returns a group with at least one slot in allocCache. 0 if
 * there is no memory: the row then holds the dummy group, and the next call tries again.
 */
export function refill(address: u32): u32 {
  const row = rowAt(address);
  if (loadPartial(address)) return row.group;
  count(STAT_REFILLS);
  while (true) {
    const span = cacheSpan(rowIndex(address));
    // A finalizer may have run and loaded a window of its own.
    if (FINALIZE) uncacheRow(address);
    if (span == null) return 0;
    row.span = addressOf(span);
    if (loadGroup(row, span, span.partialMask, 0)) return row.group;
    // Full: in no list until one of its slots is freed.
    clearRow(row);
  }
}

/** Whether the slots in the row's allocCache may be dirty. */
@inline
export function isDirty(row: Row): bool {
  return (row.flags & ROW_DIRTY) != 0;
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
