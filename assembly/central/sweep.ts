/**
 * Sweeping: the mark bits of a span become what is live of it.
 *
 *   live' = live & marked        in one pass over its groups, and the mark words are zero again
 *
 * A span is swept before anything else is done to it: by the refill that wants its slots, by a free into it, by the
 * allocation that pays for pages to come, by the host in its spare time. What is full goes to the full spans of its row,
 * what has free slots to the partial ones, and a span without a live slot goes mcentral's way for these. A slot that was
 * free before stays free though it is marked: windows that are loaded during the marking are marked whole.
 *
 * Owner: the P. Cost: O(groups) a span.
 */

import { checkSpan } from "./laws";
import { addWord } from "../base/words";
import { FINALIZE, FIRST_GC_ROW, NUM_ROWS, PAGE_SHIFT, SHARED } from "../base/config";
import { MSpan, SPAN_IN_USE, OBJECT_AT } from "../base/layout";
import { clearMarks, gcState, markWord, GcState } from "../base/gcstate";
import { STAT_LARGE_FREES, count } from "../base/counters";
import { central, mheap, rowAt, rowAddress, slotSize } from "../base/state";
import { groupOf, liveBits, spanAt, validBits, giveSlots } from "./mspan";
import { isUnswept, pushFull, pushLarge, sweepSets, unlinkLarge, unlinkUnswept, pushPartial } from "./lists";
import { retainOrFree } from "./release";
import { freeSpan } from "./spans";

/** What a swept span has. */
@inline export const SWEPT_EMPTY: u32 = 0;
@inline export const SWEPT_PARTIAL: u32 = 1;
@inline export const SWEPT_FULL: u32 = 2;
/** A finalizer has collected, and the span is swept, or gone: it is where it belongs. */
@inline const SWEPT_ELSEWHERE: u32 = 3;

/** Unswept spans that one refill goes through before it takes a new one: Go's bound of what it may cost. */
@inline const SPAN_BUDGET: u32 = 100;

/**
 * AssemblyScript: the shadow stack pointer at which the program's __finalize was called, plus 1; 0: it does not run. If it
 * aborts nobody resets this: it counts no more when the stack is shorter, after so many refills, and for __collect.
 */
let finalizing: u32 = 0;
let patience: u32 = 0;
@inline const PATIENCE: u32 = 100;

/**
 * Whether a refill comes out of a finalizer: it takes a new span then and leaves the sweep alone, so that finalizers do not
 * nest without end.
 */
export function isFinalizing(): bool {
  if (!FINALIZE || finalizing == 0) return false;
  if (<u32>__stack_pointer >= finalizing || patience == 0) {
    finalizing = 0;
    return false;
  }
  patience--;
  return true;
}

/** Somebody asks for a whole cycle: it is done, out of a finalizer too. */
@inline
export function leaveFinalizer(): void {
  finalizing = 0;
}

/** Tell the program that the object in the slot at `slot` is gone. Its bytes are as they were. */
export function finalize(slot: u32): void {
  if (FINALIZE) {
    const outer = finalizing;
    finalizing = <u32>__stack_pointer + 1;
    patience = PATIENCE;
    __finalize(slot + OBJECT_AT);
    finalizing = outer;
  }
}

/**
 * Finalize the dead of a small span that is unswept and in its list. Each is free before its finalizer runs, which is called
 * once even if it aborts. A finalizer that collects may have swept the span itself, and worse: so that is looked at each time.
 * False: the span is not unswept any more, or gone.
 */
function finalizeDead(span: MSpan): bool {
  if (!FINALIZE) return true;
  const size = rowAt(rowAddress(span.row)).elemsize;
  const ngroups = <u32>span.ngroups;
  for (let i: u32 = 0; i < ngroups;) {
    if (span.state != SPAN_IN_USE || !isUnswept(span)) return false;
    const dead = liveBits(span, i) & ~load<u64>(markWord(span, i));
    if (dead == 0) {
      i++;
      continue;
    }
    giveSlots(span, i, dead & -dead, false);
    account(0, 1, size);
    finalize(span.startAddr + ((i << 6) + <u32>ctz(dead)) * size);
  }
  return span.state == SPAN_IN_USE && isUnswept(span);
}

/** Sweep a small span that is unswept, and take it out of that list: it is in none then. */
function sweepUnlisted(span: MSpan): u32 {
  if (!finalizeDead(span)) return SWEPT_ELSEWHERE;
  unlinkUnswept(span);
  return sweepSlots(span);
}

/**
 * Sweep an unswept small span in this thread's hands: what is left of it. If a thread of a shared heap dies in between, what
 * was done can be done again: marks are cleared when sweepgen says that they are not needed, and a group's words never say
 * less than is live. A group of which all slots are kept has the words of a full one.
 */
export function sweepSlots(span: MSpan): u32 {
  const was = <u32>span.partialMask;
  let partial: u32 = 0;
  let dirty = <u32>span.dirtyMask;
  let dead: u32 = 0;
  let left: u64 = 0;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    const g = groupOf(span, i);
    const valid = validBits(span, i);
    const live = liveBits(span, i);
    const keep = live & load<u64>(markWord(span, i));
    left |= keep;
    if (keep == valid) continue;
    const bit: u32 = 1 << i;
    if (keep != live || ((was & bit) != 0 && (g.freed & valid) != 0)) dirty |= bit;
    dead += <u32>popcnt(live ^ keep);
    span.dirtyMask = <u16>dirty;
    g.freed = ~valid;
    g.allocCache = valid & ~keep;
    partial |= bit;
  }
  span.partialMask = <u16>partial;
  span.sweepgen = mheap().sweepgen;
  clearMarks(span);
  account(span.npages, dead, <u64>dead * <u64>slotSize(span.row));
  checkSpan(span);
  if (left == 0) return SWEPT_EMPTY;
  return partial ? SWEPT_PARTIAL : SWEPT_FULL;
}

/** `pages` pages have been swept, and `dead` objects of `bytes` bytes were found there. */
export function account(pages: u32, dead: u32, bytes: u64): void {
  const g = changetype<usize>(gcState());
  addWord<u32>(g, pages, offsetof<GcState>("pagesSwept"));
  addWord<u64>(g, dead, offsetof<GcState>("freedSlots"));
  addWord<u64>(g, bytes, offsetof<GcState>("freedBytes"));
}

/** A slot of a span is about to be freed by hand: sweep it first if that is due. False: the span is empty, or gone. */
export function sweepBefore(span: MSpan): bool {
  return SHARED || !isUnswept(span) || sweepSpan(span) != SWEPT_EMPTY;
}

/** Sweep an unswept span and put it where it belongs. What is left of it; SWEPT_EMPTY: it may be gone. */
export function sweepSpan(span: MSpan): u32 {
  if (span.ngroups == 0) return sweepLarge(span);
  const state = sweepUnlisted(span);
  if (state == SWEPT_FULL) pushFull(span);
  else if (state == SWEPT_PARTIAL) pushPartial(central(span.row), span);
  else if (state == SWEPT_EMPTY) retainOrFree(central(span.row), span);
  return state;
}

function sweepLarge(span: MSpan): u32 {
  unlinkLarge(span);
  span.sweepgen = mheap().sweepgen;
  if (load<u64>(markWord(span, 0))) {
    clearMarks(span);
    account(span.npages, 0, 0);
    pushLarge(span);
    return SWEPT_FULL;
  }
  account(span.npages, 1, (<u64>span.npages) << PAGE_SHIFT);
  count(STAT_LARGE_FREES);
  // In no list any more: nobody finds it while its finalizer runs. If that aborts, its pages are lost.
  finalize(span.startAddr);
  freeSpan(span);
  return SWEPT_EMPTY;
}

/** For a refill: an unswept span of `row`, swept, with free slots and in no list. Null: none was found. */
export function takeUnswept(row: u32): MSpan | null {
  const c = sweepSets(row);
  for (let n: u32 = 0; n < SPAN_BUDGET && c.unswept != 0; n++) {
    if (isFinalizing()) return null;
    const span = spanAt(c.unswept);
    const state = sweepUnlisted(span);
    if (state == SWEPT_ELSEWHERE) continue;
    if (state != SWEPT_FULL) return span;
    pushFull(span);
  }
  return null;
}

/** Sweep some span. Its pages; 0: all spans are swept. */
export function sweepOne(): u32 {
  const g = gcState();
  if (!g.sweeping) return 0;
  let at = g.largeUnswept;
  for (; at == 0; g.sweepRow++) {
    if (g.sweepRow == NUM_ROWS) {
      g.sweeping = 0;
      return 0;
    }
    at = sweepSets(g.sweepRow).unswept;
    if (at) break;
  }
  const npages = spanAt(at).npages;
  sweepSpan(spanAt(at));
  return npages;
}

/** Begin to sweep: the sets have been switched. */
export function startSweep(): void {
  const g = gcState();
  g.sweeping = 1;
  g.sweepRow = FIRST_GC_ROW;
  g.pagesSwept = 0;
  g.freedSlots = 0;
  g.freedBytes = 0;
}

/** Page reclaimer: sweep until `npages` pages have come free, or all spans are swept. For a request that long. */
export function reclaimPages(npages: u32): void {
  const h = mheap();
  const before = h.inUsePages;
  if (isFinalizing()) return;
  while (before - min(h.inUsePages, before) < npages && sweepOne() != 0) {}
}

/** Sweep all that is left. */
export function finishSweep(): void {
  while (sweepOne()) {}
}
