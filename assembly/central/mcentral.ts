/**
 * mcentral: the spans of one row that have free slots and that no mcache holds.
 *
 * A span in use is in exactly one state: cached (a row has its group), partial (FLAG_LISTED, in the list head..tail),
 * empty (FLAG_EMPTY, retained without a live slot), or full. Full spans are in no list: only a free of one of their
 * slots needs them, and it finds them by address. Collected rows do list their full spans, and their unswept ones
 * (central/lists.ts).
 *
 *   partial: first in, first out. A span that has just regained a slot waits while others are used up, and has more
 *   to give when its turn comes; last in, first out would reload windows of one slot over and over.
 *   empty: last in, first out, and only while little is retained; before memory grows they are all reclaimed.
 *
 * In a shared heap these lists are the P's own, of the spans that it owns, and need no lock. Beside them are the
 * mcentrals of unowned spans, which all Ps share (central/owner.ts). Collected rows use central/collected.ts.
 *
 * Owner: the P. Lock: H for a new span and for one that is freed. Cost: O(1); a new span costs O(its groups + pages).
 */

import {
  GROUP_SLOTS,
  GROUP_SLOTS_SHIFT,
  MAX_SPAN_PAGES,
  PAGE_SHIFT,
  PAGE_SIZE,
  ROW_TINY,
  SHARED,
} from "../base/config";
import { FLAG_EMPTY, FLAG_NEEDZERO, MCentral, MSpan } from "../base/layout";
import { lowBits } from "../base/bits";
import { STAT_CENTRAL_GROWS, STAT_CENTRAL_HITS, count } from "../base/counters";
import { lock, unlock } from "../base/locks";
import { central, centralOf, clearMoving, heap, local, mlocal, rowAt, rowAddress, pAt, here } from "../base/state";
import { isCommon, hasSweepSets, setSwept, clearMark, isCollected } from "../base/gcstate";
import { cacheCollected } from "./collected";
import { maybeFit } from "./fitted";
import { adoptFirst } from "./owner";
import { sweepUntilFree } from "./sweep";
import { unlinkPartial } from "./lists";
import { reclaimUnowned } from "./remote";
import { addSpan } from "./spans";
import { allocSpan } from "./newspan";
import { groupOf, spanAt, validBits, clearRemote } from "./mspan";

/** Spans with slots up to this many bytes grow with their class, up to 1/2^LONG_SHIFT of it. */
@inline const LONG_MAX_SIZE: u32 = 2048;
@inline const LONG_SHIFT: u32 = 4;
/** The tail of a shortest span is at most 1/2^SHORT_WASTE_SHIFT of it; otherwise memory grows for a longer one. */
@inline const SHORT_WASTE_SHIFT: u32 = 2;

/** A span of `row` with free slots for the mcache: partial, empty, or new. Null if there is no memory. */
export function cacheSpan(row: u32): MSpan | null {
  if (isCommon(row)) {
    const span = cacheCollected(row);
    return span ? span : growSpan(row);
  }
  const c = central(row);
  // For malloc's rows the mcache has looked there (loadPartial).
  const head = isCollected(row) ? c.head : 0;
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
    setSwept(span);
    count(STAT_CENTRAL_HITS);
    return span;
  }
  const span = hasSweepSets(row) ? sweepUntilFree(row) : takeShared(row);
  if (span != null) {
    count(STAT_CENTRAL_HITS);
    return span;
  }
  maybeFit(row);
  return growSpan(row);
}

/** Pages of the shortest span, which has one slot. */
@inline
function shortest(elemsize: u32): u32 {
  return (elemsize + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/**
 * Pages of the next span. Go's length, which keeps tail waste low, is where a class starts, with two exceptions. A
 * class that is hardly used would pay for a span of several large slots with one of them live: until it has as many
 * slots as that in spans, it gets the shortest spans. A class with few slots in a span would refill its window all the
 * time: its spans grow with it, up to a whole group of 64 slots, but to no more than 1/16 of the class.
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
 * mcentral.grow: a new span, all of its groups full of free slots. It is a shortest span if only short runs of pages
 * are free and that wastes little, before memory grows; and if there is no memory for a longer one.
 */
function growSpan(row: u32): MSpan | null {
  const c = isCommon(row) ? centralOf(heap, row) : central(row);
  const elemsize = rowAt(rowAddress(row)).elemsize;
  let npages = spanPages(c, elemsize);
  const short = shortest(elemsize);
  const fits = ((short << PAGE_SHIFT) % elemsize) << SHORT_WASTE_SHIFT <= short << PAGE_SHIFT;
  // A tiny block is not freed by hand, so its page records refuse every address.
  const magic = row == ROW_TINY ? 0 : c.divMagic;
  if (!lock(0)) return null;
  let span = allocSpan(row, npages, magic, fits && npages > short ? short : 0);
  if (span == null && npages > short) {
    npages = short;
    span = allocSpan(row, npages, magic, 0);
  }
  if (span == null) {
    unlock(0);
    return null;
  }
  count(STAT_CENTRAL_GROWS);
  addSpan(here(), span);
  const ngroups = <u32>span.ngroups;
  const all = <u16>lowBits(ngroups);
  span.partialMask = all;
  span.dirtyMask = span.flags & FLAG_NEEDZERO ? all : 0;
  for (let i: u32 = 0; i < ngroups; i++) {
    const g = groupOf(span, i);
    const valid = validBits(span, i);
    g.allocCache = valid;
    g.freed = ~valid;
    clearMark(span, i);
    clearRemote(span, i);
  }
  // From here on the P owns it.
  clearMoving();
  unlock(0);
  return span;
}

/** An unowned span of `row` with free slots, which becomes this P's; null if there is none. */
export function takeShared(row: u32): MSpan | null {
  if (!SHARED) return null;
  if (pAt(heap).remote != 0) reclaimUnowned();
  // Read without the lock: a thread that misses a span that is listed at this moment makes a new one.
  if (centralOf(heap, row).head == 0 || !lock(row)) return null;
  const span = adoptFirst(row);
  unlock(row);
  if (span != null) pAt(local).spansTaken += 1;
  return span;
}
