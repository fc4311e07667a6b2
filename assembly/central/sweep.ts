/**
 * Sweeping: the mark bits of a span determine what is live in it.
 *
 *   live' = live & marked        in one pass over its groups, and the mark words are zero again
 *
 * A span is swept before anything else is done to it: by the refill that wants its slots, by a free into it, by the
 * allocation that pays for pages to come, by the host in its spare time. Full spans go to the full spans of their row,
 * spans with free slots to the partial ones, and spans without a live slot are retained or freed as in mcentral. A slot
 * that was free before stays free even if it is marked: windows that are loaded during the marking are marked as a
 * whole.
 *
 * What hangs on the dead objects is ended before (central/specials.ts), and may keep some of them.
 *
 * If the program asks for it, dead objects are filled with 0xdeadbeef, as by Go's GODEBUG=clobberfree=1.
 *
 * Owner: the P. Cost: O(groups) a span, and with clobberfree O(dead bytes).
 */

import { checkSpan } from "./laws";
import { addWord } from "../base/words";
import { CLOBBERFREE, FINALIZE, FIRST_GC_ROW, NUM_ROWS, PAGE_SHIFT, SHARED } from "../base/config";
import { MSpan, SPAN_IN_USE, OBJECT_AT } from "../base/layout";
import { clearMarks, gcState, markWord, GcState, setSwept } from "../base/gcstate";
import { STAT_LARGE_FREES, count } from "../base/counters";
import { central, mheap, rowAt, rowAddress, slotSize } from "../base/state";
import { groupOf, liveBits, spanAt, validBits, freeSlots } from "./mspan";
import { isUnswept, pushFull, pushLarge, sweepSets, unlinkLarge, unlinkUnswept, pushPartial } from "./lists";
import { retainOrFree } from "./release";
import { sweepSamples } from "./samples";
import { sweepSpecials } from "./specials";
import { freeSpan } from "./spans";

/** What a swept span contains. */
@inline export const SWEPT_EMPTY: u32 = 0;
@inline export const SWEPT_PARTIAL: u32 = 1;
@inline export const SWEPT_FULL: u32 = 2;
/** A finalizer has collected: the span is already swept and listed, or freed. */
@inline const SWEPT_ELSEWHERE: u32 = 3;

/** Most unswept spans that one refill tries before it makes a new one: Go's bound on its cost. */
@inline const SPAN_BUDGET: u32 = 100;

/**
 * AssemblyScript: the shadow stack pointer at which the program's __finalize was called, plus 1; 0: it is not running.
 * If it aborts, nothing resets this: it no longer counts when the stack is shorter, after PATIENCE refills, and for
 * __collect.
 */
let finalizing: u32 = 0;
let patience: u32 = 0;
@inline const PATIENCE: u32 = 100;

/**
 * Whether a refill comes from a finalizer: then it takes a new span and does not sweep, so that finalizers do not nest
 * without end.
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

/** The program asks for a whole cycle: it is done, even if a finalizer asks. */
@inline
export function leaveFinalizer(): void {
  finalizing = 0;
}

/** Tell the program that the object in the slot at `slot` is dead. Its bytes are unchanged. */
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
 * Finalize the dead objects of a small span that is unswept and in its list. Each is freed before its finalizer runs,
 * so that this is called once even if it aborts. A finalizer that collects may have swept the span itself, or freed it,
 * so that is checked each time. False: the span is not unswept any more, or was freed.
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
    freeSlots(span, i, dead & -dead, false);
    account(0, 1, size);
    finalize(span.startAddr + ((i << 6) + <u32>ctz(dead)) * size);
  }
  return span.state == SPAN_IN_USE && isUnswept(span);
}

/** Unlink a small unswept span and sweep it: it is in no list then. */
function sweepUnlisted(span: MSpan): u32 {
  if (!finalizeDead(span)) return SWEPT_ELSEWHERE;
  unlinkUnswept(span);
  return sweepSlots(span);
}

/**
 * Sweep an unswept small span that this thread holds. Returns what it contains. If a thread of a shared heap dies in
 * between, the work can be repeated: marks are cleared only after sweepgen says that they are not needed, and a group's
 * words never say that a live slot is free. A group of which all slots are kept has the words of a full one.
 */
export function sweepSlots(span: MSpan): u32 {
  if (!sweepSpecials(span)) return SWEPT_FULL;
  sweepSamples(span);
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
    // Before anybody can take the slots.
    if (CLOBBERFREE && gcState().clobberfree) clobberSlots(span, i, live ^ keep);
    span.dirtyMask = <u16>dirty;
    g.freed = ~valid;
    g.allocCache = valid & ~keep;
    partial |= bit;
  }
  span.partialMask = <u16>partial;
  setSwept(span);
  clearMarks(span);
  account(span.npages, dead, <u64>dead * <u64>slotSize(span.row));
  checkSpan(span);
  if (left == 0) return SWEPT_EMPTY;
  return partial ? SWEPT_PARTIAL : SWEPT_FULL;
}

/** Fill [from, to), multiples of 8, with Go's pattern. By stores: they reach memory that another thread has grown. */
function clobber(from: u32, to: u32): void {
  for (; from < to; from += 8) store<u64>(from, 0xdeadbeefdeadbeef);
}

/** Fill the slots `bits` of group `i`. */
function clobberSlots(span: MSpan, i: u32, bits: u64): void {
  const size = slotSize(span.row);
  for (; bits != 0; bits &= bits - 1) {
    const at = span.startAddr + ((i << 6) + <u32>ctz(bits)) * size;
    clobber(at, at + size);
  }
}

/** Fill a dead large span, if the program asks for it. */
export function clobberLarge(span: MSpan): void {
  if (CLOBBERFREE && gcState().clobberfree) clobber(span.startAddr, span.startAddr + (span.npages << PAGE_SHIFT));
}

/** Count `pages` swept pages, and `dead` objects of `bytes` bytes that were found there. */
export function account(pages: u32, dead: u32, bytes: u64): void {
  const g = changetype<usize>(gcState());
  addWord<u32>(g, pages, offsetof<GcState>("pagesSwept"));
  addWord<u64>(g, dead, offsetof<GcState>("freedSlots"));
  addWord<u64>(g, bytes, offsetof<GcState>("freedBytes"));
}

/**
 * A slot of a span is about to be freed by hand: sweep the span first if due. False: the span is empty, or was freed.
 */
export function sweepBefore(span: MSpan): bool {
  return SHARED || !isUnswept(span) || sweepSpan(span) != SWEPT_EMPTY;
}

/** Sweep an unswept span and list it, retain it or free it. Returns what it contains; SWEPT_EMPTY: it may be freed. */
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
  sweepSpecials(span);
  setSwept(span);
  if (load<u64>(markWord(span, 0))) {
    clearMarks(span);
    account(span.npages, 0, 0);
    pushLarge(span);
    return SWEPT_FULL;
  }
  account(span.npages, 1, (<u64>span.npages) << PAGE_SHIFT);
  count(STAT_LARGE_FREES);
  // It is in no list any more: nothing finds it while its finalizer runs. If that aborts, its pages are lost.
  finalize(span.startAddr);
  clobberLarge(span);
  freeSpan(span);
  return SWEPT_EMPTY;
}

/** For a refill: an unswept span of `row`, swept, with free slots and in no list. Null: none was found. */
export function sweepUntilFree(row: u32): MSpan | null {
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

/** Sweep some span. Returns its pages; 0: all spans are swept. */
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

/** Start a sweep: the sets have been switched. */
export function startSweep(): void {
  const g = gcState();
  g.sweeping = 1;
  g.sweepRow = FIRST_GC_ROW;
  g.pagesSwept = 0;
  g.freedSlots = 0;
  g.freedBytes = 0;
}

/**
 * Page reclaimer, as in Go: sweep until `npages` pages have become free, or all spans are swept. For a request that
 * long.
 */
export function reclaimPages(npages: u32): void {
  if (npages == 0 || !gcState().sweeping || isFinalizing()) return;
  const h = mheap();
  const before = h.inUsePages;
  while (before - min(h.inUsePages, before) < npages && sweepOne() != 0) {}
}

/** Sweep everything that is left. */
export function finishSweep(): void {
  while (sweepOne()) {}
}
