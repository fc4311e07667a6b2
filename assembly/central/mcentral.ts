/**
 * mcentral: the spans of one row that have free slots and that no mcache holds.
 *
 * A span in use is in exactly one place: cached (its group stands in the row), partial (FLAG_LISTED, in the list
 * head..tail), empty (FLAG_EMPTY, retained without a live slot), or full, which is no list: nothing looks for a full
 * span but a free of one of its slots, and that finds it by its address. The collector's rows do list them, and those
 * that are unswept (central/sweepsets.ts).
 *
 *   partial: first in, first out. A span that has just regained a slot waits while others are used up, and has more
 *   to give when its turn comes; last in, first out would reload windows of one slot over and over.
 *   empty: last in, first out, and only while little is retained; mheap.reclaim takes them all before memory grows.
 *
 * In a shared heap these lists are the P's own, of the spans that it owns, and no lock is needed; beside them stand the
 * mcentrals of nobody's spans, which all Ps share (central/shared.ts). The collector's rows go by central/collected.ts.
 *
 * Lock: P; H for a new span and for one that goes back. Cost: O(1); a new span costs O(its groups + pages).
 */

import {
  ASC,
  GC,
  GROUP_SLOTS,
  GROUP_SLOTS_SHIFT,
  MAX_SPAN_PAGES,
  PAGE_SHIFT,
  PAGE_SIZE,
  ROW_TINY,
  SHARED,
  SHARED_GC,
} from "../base/config";
import { FLAG_EMPTY, FLAG_FULL, FLAG_LISTED, FLAG_NEEDZERO, MCentral, MSpan } from "../base/layout";
import { lowBits } from "../base/bits";
import { STAT_CENTRAL_GROWS, STAT_CENTRAL_HITS, count } from "../base/counters";
import { lock, lockSoon, unlock } from "../base/locks";
import { central, centralOf, clearMoving, heap, local, mheap, mlocal, pAt, rowAt, rowAddress } from "../base/state";
import { clearMarks, isCollected, markWord } from "../base/gcstate";
import { addSpan, allocSpan, freeSpan } from "../heap/mheap";
import { cacheCollected } from "./collected";
import { maybeFit } from "./fitted";
import { takeShared } from "./shared";
import { takeUnswept } from "./sweep";
import { pushFull, unlinkFull } from "./sweepsets";
import { addressOf, groupOf, isEmptyUncached, remoteOf, spanAt, validBits } from "../heap/mspan";

/** Spans of slots up to this many bytes grow with their class, up to 1/2^LONG_SHIFT of it. */
@inline const LONG_MAX_SIZE: u32 = 2048;
@inline const LONG_SHIFT: u32 = 4;
/** The shortest span's tail is at most 1/2^SHORT_WASTE_SHIFT of it, or memory grows rather for a longer one. */
@inline const SHORT_WASTE_SHIFT: u32 = 2;
/** Pages of empty spans that are retained whatever the heap's size; in a shared heap by each P, for the way costs H. */
@inline const RETAIN_MIN_PAGES: u32 = SHARED ? 64 : 16;
/**
 * And beyond: with one thread a quarter of the heap, for who frees all and begins again; they are had back before memory
 * grows. In a shared heap an eighth of the P's own pages, for no other P can have them back.
 */
@inline const RETAIN_SHIFT: u32 = SHARED ? 3 : 2;

/** Append to the partial list. */
export function pushPartial(c: MCentral, span: MSpan): void {
  const at = addressOf(span);
  const tail = c.tail;
  span.prev = tail;
  span.next = 0;
  if (tail) spanAt(tail).next = at;
  else c.head = at;
  c.tail = at;
  span.flags |= FLAG_LISTED;
}

/** Take out of the partial list. */
export function unlinkPartial(c: MCentral, span: MSpan): void {
  const next = span.next;
  const prev = span.prev;
  if (prev) spanAt(prev).next = next;
  else c.head = next;
  if (next) spanAt(next).prev = prev;
  else c.tail = prev;
  span.flags &= ~FLAG_LISTED;
}

/** A span of `row` with free slots for the mcache: partial, empty, or new. Null when there is no memory. */
export function cacheSpan(row: u32): MSpan | null {
  if (SHARED_GC && isCollected(row)) {
    const span = cacheCollected(row);
    return span ? span : growSpan(row);
  }
  const c = central(row);
  const head = c.head;
  if (head) {
    const span = spanAt(head);
    unlinkPartial(c, span);
    count(STAT_CENTRAL_HITS);
    return span;
  }
  const empty = c.empty;
  if (empty) {
    const span = spanAt(empty);
    c.empty = span.next;
    span.flags &= ~FLAG_EMPTY;
    mlocal().retainedPages -= span.npages;
    if (GC) span.sweepgen = mheap().sweepgen;
    count(STAT_CENTRAL_HITS);
    return span;
  }
  if (GC && !SHARED && isCollected(row)) {
    const span = takeUnswept(row);
    if (span != null) {
      count(STAT_CENTRAL_HITS);
      return span;
    }
  }
  if (SHARED) {
    const span = takeShared(row);
    if (span != null) return span;
  } else if (!ASC) {
    maybeFit(row);
  }
  return growSpan(row);
}

/** Pages of the shortest span: of one slot. */
// @ts-ignore: decorator
@inline
function shortest(elemsize: u32): u32 {
  return (elemsize + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/**
 * Pages of the next span. Go's length holds its tail waste down, and is where a class starts from, with two exceptions.
 * A class that is hardly used would pay for a span of several large slots with one live: until it has as many slots as
 * that in spans, it gets the shortest ones. A class with few slots in a span would refill its window all the time: as it
 * grows its spans do, up to a whole group of 64 slots, but to no more than 1/16 of the class.
 */
function spanPages(c: MCentral, elemsize: u32): u32 {
  const full = <u32>c.npages;
  const slots = (full << PAGE_SHIFT) / elemsize;
  if (slots < GROUP_SLOTS && elemsize <= LONG_MAX_SIZE) {
    const long = min(min((elemsize << GROUP_SLOTS_SHIFT) >> PAGE_SHIFT, MAX_SPAN_PAGES), c.npagesInUse >> LONG_SHIFT);
    if (long > full) return long;
  }
  const short = shortest(elemsize);
  if (short == full) return full;
  return c.nspans * ((short << PAGE_SHIFT) / elemsize) < slots ? short : full;
}

/**
 * mcentral.grow: a new span, all of its groups full of free slots. Where free pages lie apart it is a shortest one before
 * memory grows, if that wastes little; and when there is no memory for more.
 */
function growSpan(row: u32): MSpan | null {
  const c = SHARED_GC && isCollected(row) ? centralOf(heap, row) : central(row);
  const elemsize = rowAt(rowAddress(row)).elemsize;
  let npages = spanPages(c, elemsize);
  const short = shortest(elemsize);
  const fits = ((short << PAGE_SHIFT) % elemsize) << SHORT_WASTE_SHIFT <= short << PAGE_SHIFT;
  // A tiny block is not freed by hand: its page records refuse every address.
  const magic = row == ROW_TINY ? 0 : c.divMagic;
  if (SHARED) {
    if (!lock(0)) return null;
  }
  let span = allocSpan(row, npages, magic, fits && npages > short ? short : 0);
  if (span == null && npages > short) {
    npages = short;
    span = allocSpan(row, npages, magic, 0);
  }
  if (span == null) {
    if (SHARED) unlock(0);
    return null;
  }
  count(STAT_CENTRAL_GROWS);
  if (SHARED) {
    addSpan(local, span);
  } else {
    c.nspans += 1;
    c.npagesInUse += npages;
  }
  if (GC) span.spanclass = c.spanclass;
  const ngroups = <u32>span.ngroups;
  const all = <u16>lowBits(ngroups);
  span.partialMask = all;
  span.dirtyMask = span.flags & FLAG_NEEDZERO ? all : 0;
  for (let i: u32 = 0; i < ngroups; i++) {
    const g = groupOf(span, i);
    const valid = validBits(span, i);
    g.allocCache = valid;
    g.freed = ~valid;
    if (GC) store<u64>(markWord(span, i), 0);
    if (SHARED) store<u64>(remoteOf(span, i), 0);
  }
  if (SHARED) {
    // From here on it is the P's.
    clearMoving();
    unlock(0);
  }
  return span;
}

/** uncacheSpan: a span that leaves the mcache, its group's bit in partialMask set if it has free slots. */
export function uncacheSpan(span: MSpan): void {
  if (span.partialMask == 0) {
    if (GC && isCollected(span.row)) pushFull(span);
    return;
  }
  const c = central(span.row);
  if (isEmptyUncached(span)) retainOrFree(c, span);
  else pushPartial(c, span);
}

/** A span without a live slot, in no list: kept for its row while little is kept, else back to the heap. */
export function retainOrFree(c: MCentral, span: MSpan): void {
  if (GC && isCollected(span.row)) clearMarks(span);
  const h = mlocal();
  const retained = h.retainedPages + span.npages;
  const pages = SHARED ? pAt(local).ownedPages : h.grownPages;
  // Who cannot have the lock keeps the span.
  if (retained <= RETAIN_MIN_PAGES + (pages >> RETAIN_SHIFT) || (SHARED && !lockSoon(0))) {
    h.retainedPages = retained;
    span.next = c.empty;
    c.empty = addressOf(span);
    span.flags |= FLAG_EMPTY;
  } else {
    freeSpan(span);
    if (SHARED) unlock(0);
  }
}

/** A span outside of the mcache has regained a slot; `maybeEmpty` when a group of it has no live slot any more. */
export function release(span: MSpan, maybeEmpty: bool): void {
  const c = central(span.row);
  if (GC && span.flags & FLAG_FULL) unlinkFull(span);
  const listed = (span.flags & FLAG_LISTED) != 0;
  if (maybeEmpty && isEmptyUncached(span)) {
    if (listed) unlinkPartial(c, span);
    retainOrFree(c, span);
  } else if (!listed) {
    pushPartial(c, span);
  }
}
