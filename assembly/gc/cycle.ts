/**
 * The collector's cycle on one thread. Allocation pays for it, or the host steps it. Go's cycle is the model.
 *
 *   off    A cycle begins when heapLive reaches the trigger (base/pacer.ts) or on request. Unswept spans are swept, the
 *          slots in the mcache's windows become black (see isBornBlackAt for exceptions), and the roots are shaded.
 *   mark   Assists at refills and steps of the host drain the queue. When it is empty the roots are scanned again. What
 *          this finds is drained at once if it is little, else left to further steps; after MAX_LOOKS such looks all of
 *          it is drained at once. Then the mcache returns its spans, and the swept sets become the unswept ones.
 *   off    Sweeping continues in the background: refills sweep for themselves, allocation sweeps in proportion, and the
 *          host may step it.
 *
 * The thread that steps also runs the program. Each step therefore stops the world, and there is nobody to wait for.
 *
 * Lock: none, one thread. Cost: a step costs its budget plus at most one object; begin and end cost the roots and the
 * mcache's rows.
 */

import { ASC, FIRST_GC_ROW, MARKED_HOOK, NUM_ROWS, PAGE_SHIFT, SHARED } from "../base/config";
import { PHASE_MARK, PHASE_OFF, PHASE_TERMINATION, blacken, gcState, pacer } from "../base/gcstate";
import { heap, mheap, rowAt, rowAddress, dropTiny, rowAddressIn } from "../base/state";
import { isBornBlackAt } from "../base/gcrows";
import { uncacheRow } from "../alloc/mcache";
import { nextProfileCycle, publishSwept } from "../central/samples";
import { finishSweep, isFinalizing, leaveFinalizer, startSweep, sweepOne } from "../central/sweep";
import { switchSets } from "../central/lists";
import { groupAt, groupIndex, spanAt } from "../central/mspan";
import { checkMarks } from "./checkmark";
import { unmarkRoots } from "./ascroots";
import {
  Pacer,
  assistCredit,
  assistWork,
  commit,
  endCycleUntimed,
  initPacer,
  noteMemory,
  resetLive,
  revise,
  shouldStart,
  startCycle,
  sweepDebt,
  sweepFinished,
} from "../base/pacer";
import { shadeRoots, stackWork } from "./roots";
import { shadeSpecials } from "./specials";
import { traceInterrupt, traceYield } from "./rtrace";
import { freeBuffers, isWorkEmpty, reserveBuffer } from "./work";
import { drain, rescanMarked } from "./drain";

@inline export const ALL: u64 = ~(<u64>0);
/** Number of looks at the roots after which the rest is drained at once, however much it is. */
@inline export const MAX_LOOKS: u32 = 8;
/** Bytes that one look may drain at once. */
@inline const LOOK_BUDGET: u64 = 128 << 10;
/**
 * Upper bound of an assist in bytes scanned, or a quarter of the debt if that is more: a large allocation pays in
 * parts.
 */
@inline const ASSIST_MAX: u64 = 256 << 10;
/**
 * Limits thrashing. For each byte allocated since the last cycle the next cycle may scan 16 bytes, or 4 if the memory
 * limit triggers it. A program that does not fit its limit then exceeds it by a quarter of its scannable bytes instead
 * of spending all its time here. Go limits this by the clock; this works without a clock.
 */
@inline const THRASH_SHIFT: u64 = 4;
@inline const LIMIT_THRASH_SHIFT: u64 = 2;

/** Bytes of the pages in spans and records: wasm memory never shrinks, so its size does not tell this. */
function memoryInUse(): u64 {
  return (<u64>(mheap().inUsePages + mheap().metaPages)) << PAGE_SHIFT;
}

/** Recompute goal and trigger after a change of their inputs. */
export function repace(): void {
  const p = pacer();
  const g = gcState();
  const used = memoryInUse();
  commit(p, g.sweeping == 0, used, 0, min(p.heapLive, used), mheap().inUsePages, g.pagesSwept);
}

/** Fill the pacer's record, once per heap. In a shared heap bootstrap does it, before any thread can start a cycle. */
export function readyGC(): void {
  if (SHARED) return;
  const g = gcState();
  if (g.ready) return;
  g.ready = 1;
  initPacer(pacer());
  reserveBuffer();
}

/** Reset the fields for a new cycle. */
export function countCycle(forced: bool): void {
  const g = gcState();
  g.cycles += 1;
  if (forced) g.forced += 1;
  g.looks = 0;
  g.steps = 0;
  g.passes += 1;
  g.bytesMarked = 0;
  g.overflow = 0;
  startCycle(pacer());
}

/** Mark the slots that the windows of the mcache at `record` still have, in rows that are born black. */
export function blackenRows(record: u32): void {
  for (let rowIndex: u32 = FIRST_GC_ROW; rowIndex < NUM_ROWS; rowIndex++) {
    const address = rowAddressIn(record, rowIndex);
    const r = rowAt(address);
    if (r.span == 0 || !isBornBlackAt(address)) continue;
    const span = spanAt(r.span);
    const unborn = groupAt(r.group).allocCache;
    blacken(span, groupIndex(span, r.group), unborn);
    gcState().bytesMarked += popcnt(unborn) * <u64>r.elemsize;
  }
}

/** At the end of a cycle: uncount the slots that the mcache at `record` marked in advance and did not hand out. */
export function forgetUnborn(record: u32): void {
  for (let rowIndex: u32 = FIRST_GC_ROW; rowIndex < NUM_ROWS; rowIndex++) {
    const address = rowAddressIn(record, rowIndex);
    const r = rowAt(address);
    if (r.span != 0 && isBornBlackAt(address))
      gcState().bytesMarked -= popcnt(groupAt(r.group).allocCache) * <u64>r.elemsize;
  }
}

/** Begin a cycle. Unswept spans are swept first. */
export function startGC(forced: bool): void {
  const g = gcState();
  readyGC();
  if (g.phase != PHASE_OFF) return;
  finishSweep();
  countCycle(forced);
  g.phase = PHASE_MARK;
  // A tiny block lives as long as somebody holds a piece of it. No more pieces are taken from this one.
  dropTiny();
  blackenRows(heap);
  pacer().globalsScanWork += shadeRoots();
  pacer().stackScanWork += stackWork;
  shadeSpecials();
}

/** Mark for about `budget` bytes; end the cycle when nothing is left. Returns the bytes scanned, 0 without a cycle. */
export function stepGC(budget: u64): u64 {
  const g = gcState();
  if (g.phase != PHASE_MARK) return 0;
  const p = pacer();
  g.steps += 1;
  let work = drain(budget);
  p.heapScanWork += work;
  if (isWorkEmpty()) work += terminate();
  return work;
}

/**
 * The queue is empty: scan the roots again, and end the cycle if they lead to nothing new. Returns the bytes scanned.
 */
function terminate(): u64 {
  const g = gcState();
  const p = pacer();
  let work: u64 = 0;
  // Objects that are only scanned again do not count against the budget.
  const budget: u64 = LOOK_BUDGET + (ASC ? unmarkRoots() : 0);
  shadeRoots();
  g.looks += 1;
  while (!isWorkEmpty() || g.overflow != 0) {
    if (g.overflow) {
      // Static objects that were not queued are reached again too, from the roots or through other objects.
      g.passes += 1;
      work += rescanMarked();
      shadeRoots();
    } else if (g.looks < MAX_LOOKS && work >= budget) {
      break;
    } else {
      work += drain(g.looks < MAX_LOOKS ? budget - work : ALL);
    }
  }
  p.heapScanWork += work;
  if (isWorkEmpty() && g.overflow == 0) endMark();
  return work;
}

function endMark(): void {
  const g = gcState();
  const p = pacer();
  g.phase = PHASE_TERMINATION;
  forgetUnborn(heap);
  for (let rowIndex: u32 = FIRST_GC_ROW; rowIndex < NUM_ROWS; rowIndex++) uncacheRow(rowAddress(rowIndex));
  checkMarks();
  if (MARKED_HOOK) __gcMarked();
  freeBuffers();
  endCycleUntimed(p);
  resetLive(p, g.bytesMarked);
  switchSets();
  startSweep();
  g.phase = PHASE_OFF;
  nextProfileCycle();
  repace();
}

/** Mark until the running cycle ends. */
export function finishMark(): void {
  while (gcState().phase == PHASE_MARK) stepGC(ALL);
}

/** Run a whole cycle: everything unreachable now is free when it returns. */
export function collect(): void {
  leaveFinalizer();
  finishMark();
  startGC(true);
  finishMark();
  finishSweep();
  sweepDone();
}

function sweepDone(): void {
  publishSwept();
  sweepFinished(pacer());
  repace();
}

/** Sweep up to `pages` pages. Returns how many were swept; 0: nothing was left. */
export function sweepPages(pages: u32): u32 {
  let n: u32 = 0;
  while (n < pages) {
    const swept = sweepOne();
    if (swept == 0) {
      if (pacer().sweepPagesPerByte != 0) sweepDone();
      break;
    }
    n += swept;
  }
  return n;
}

/**
 * Called before an allocation of `bytes` bytes that the mcache cannot serve: pay for earlier allocations, and begin a
 * cycle if one is due.
 */
export function gcPoll(bytes: u32): void {
  const g = gcState();
  const p = pacer();
  if (isFinalizing()) return;
  if (g.phase == PHASE_MARK) {
    if (p.assistBytes >= 0) return;
    traceInterrupt(<usize>p.heapLive);
    assist(p);
    traceYield(<usize>p.heapLive);
    return;
  }
  if (p.sweepPagesPerByte != 0) {
    const due = sweepDebt(p, bytes, 0, g.pagesSwept);
    if (due) sweepPages(<u32>due);
  }
  if (!isDue(p)) return;
  traceInterrupt(<usize>p.heapLive);
  startGC(false);
  traceYield(<usize>p.heapLive);
}

/** Whether the trigger is reached and the program does not thrash. */
export function isDue(p: Pacer): bool {
  if (gcState().enabled == 0 || !shouldStart(p)) return false;
  return p.heapLive - p.heapMarked >= p.lastHeapScan >> (p.goal < p.percentGoal ? LIMIT_THRASH_SHIFT : THRASH_SHIFT);
}

/** Bytes that an assist must scan to pay the debt; 0: there is no debt. */
export function assistBudget(p: Pacer): u64 {
  const used = memoryInUse();
  noteMemory(p, used, 0, min(p.heapLive, used));
  revise(p);
  const credit = p.assistBytes;
  if (credit >= 0) return 0;
  const work = assistWork(p, <u64>-credit);
  return min(work, max(ASSIST_MAX, work >> 2));
}

function assist(p: Pacer): void {
  const done = stepGC(assistBudget(p));
  // The exchange rate follows from the work that is left now.
  revise(p);
  p.assistBytes += assistCredit(p, done);
}
