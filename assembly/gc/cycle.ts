/**
 * The collector's cycle on one thread: it begins, is paid for by allocation or stepped by the host, ends, and is swept.
 *
 *   off   heapLive reaches the trigger (base/pacer.ts), or somebody asks: what is unswept is swept, what the mcache holds
 *         will be born black (but see isBornBlack), the roots are shaded                                  -> mark
 *   mark  assists at refills and steps of the host drain the queue. When it is empty the roots are looked at again; what
 *         that brings is drained on the spot while it is little, else left to further steps, a few times
 *         at most. Then the mcache gives its spans back, the swept sets become the unswept one            -> off
 *   and sweeping goes on behind it: by refills for themselves, by allocation in proportion, by the host.
 *
 * The thread that steps is the one that runs the program, so that a step is a stopped world; there is nobody to wait for.
 *
 * Lock: none with one thread. Cost: a step costs its budget and at most one object more; begin and end cost the roots and
 * the rows of the mcache.
 */

import { ASC, CHECKMARK, FIRST_GC_ROW, NUM_ROWS, PAGE_SHIFT, SHARED } from "../base/config";
import { PHASE_MARK, PHASE_OFF, PHASE_TERMINATION, blacken, gcState, pacer } from "../base/gcstate";
import { HEAP_ROWS, ROW_SHIFT } from "../base/layout";
import { heap, mheap, rowAt, rowAddress, dropTiny } from "../base/state";
import { isBornBlack } from "../base/gcrows";
import { uncacheRow } from "../alloc/mcache";
import { finishSweep, isFinalizing, leaveFinalizer, startSweep, sweepOne } from "../central/sweep";
import { switchSets } from "../central/lists";
import { groupAt, groupIndex, spanAt } from "../central/mspan";
import { checkMarks } from "./checkmark";
import { TRANSPARENT, unmarkRoots } from "./ascroots";
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
import { shadeRoots } from "./roots";
import { traceInterrupt, traceYield } from "./rtrace";
import { freeBuffers, isWorkEmpty, reserveBuffer } from "./work";
import { drain, rescanMarked } from "./drain";

@inline export const ALL: u64 = ~(<u64>0);
/** Looks at the roots after which the rest is drained whatever it is. */
@inline export const MAX_LOOKS: u32 = 8;
/** Bytes that one look may drain on the spot. */
@inline const LOOK_BUDGET: u64 = 128 << 10;
/** An assist is at most this long, bytes scanned, or a quarter of the debt: a large allocation pays in instalments. */
@inline const ASSIST_MAX: u64 = 256 << 10;
/**
 * Thrashing: per byte allocated since the last cycle the next one may scan 16 bytes, and 4 where it is the memory limit that
 * asks for it. So a program that does not fit into its limit goes beyond it by a quarter of what it has to scan, rather
 * than spend all its time here: Go's limiter by the clock, for a program without one.
 */
@inline const THRASH_SHIFT: u64 = 4;
@inline const LIMIT_THRASH_SHIFT: u64 = 2;

/** Bytes of pages in spans and records: what a memory that never shrinks cannot count by its size. */
function memoryInUse(): u64 {
  return (<u64>(mheap().inUsePages + mheap().metaPages)) << PAGE_SHIFT;
}

/** Goal and trigger anew, after a change of what they hang on. */
export function repace(): void {
  const p = pacer();
  const g = gcState();
  const used = memoryInUse();
  commit(p, g.sweeping == 0, used, 0, min(p.heapLive, used), mheap().inUsePages, g.pagesSwept);
}

/** Fill the pacer's record, once a heap. A cycle begins by itself in the runtime of AssemblyScript, elsewhere when told. */
export function readyGC(): void {
  const g = gcState();
  if (g.ready) return;
  g.ready = 1;
  g.enabled = ASC ? 1 : 0;
  if (ASC) g.passes = TRANSPARENT;
  initPacer(pacer());
  if (!SHARED) reserveBuffer();
}

/** The fields of a new cycle. */
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

/** What the mcache at `record` hands out from now on is born black, as a rule. */
export function blackenRows(record: u32): void {
  for (let row: u32 = FIRST_GC_ROW; row < NUM_ROWS; row++) {
    const address = record + HEAP_ROWS + (row << ROW_SHIFT);
    const r = rowAt(address);
    if (r.span == 0 || !isBornBlack(address)) continue;
    const span = spanAt(r.span);
    const unborn = groupAt(r.group).allocCache;
    blacken(span, groupIndex(span, r.group), unborn);
    gcState().bytesMarked += popcnt(unborn) * <u64>r.elemsize;
  }
}

/** The cycle ends: what the windows of the mcache at `record` have left was marked in advance. */
export function forgetUnborn(record: u32): void {
  for (let row: u32 = FIRST_GC_ROW; row < NUM_ROWS; row++) {
    const address = record + HEAP_ROWS + (row << ROW_SHIFT);
    const r = rowAt(address);
    if (r.span != 0 && isBornBlack(address))
      gcState().bytesMarked -= popcnt(groupAt(r.group).allocCache) * <u64>r.elemsize;
  }
}

/** Begin a cycle. What is unswept is swept first. */
export function startGC(forced: bool): void {
  const g = gcState();
  readyGC();
  if (g.phase != PHASE_OFF) return;
  finishSweep();
  countCycle(forced);
  g.phase = PHASE_MARK;
  // A tiny block is held by whoever holds a piece of it, and filled up no more.
  dropTiny();
  blackenRows(heap);
  pacer().globalsScanWork += shadeRoots();
}

/** Mark for about `budget` bytes; ends the cycle when there is nothing left. Bytes scanned. No cycle: 0. */
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

/** The queue is empty: look at the roots again, and end the cycle if nothing new is behind them. Bytes scanned. */
function terminate(): u64 {
  const g = gcState();
  const p = pacer();
  let work: u64 = 0;
  // What is only scanned again does not count for the budget.
  const budget: u64 = LOOK_BUDGET + (ASC ? unmarkRoots() : 0);
  shadeRoots();
  g.looks += 1;
  while (!isWorkEmpty() || g.overflow != 0) {
    if (g.overflow) {
      // Static objects that were not queued are reached again, too, from the roots or by way of others.
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
  for (let row: u32 = FIRST_GC_ROW; row < NUM_ROWS; row++) uncacheRow(rowAddress(row));
  if (CHECKMARK && g.checkmark != 0) checkMarks();
  freeBuffers();
  endCycleUntimed(p);
  resetLive(p, g.bytesMarked);
  switchSets();
  startSweep();
  g.phase = PHASE_OFF;
  repace();
}

/** Mark to the end of the running cycle. */
export function finishMark(): void {
  while (gcState().phase == PHASE_MARK) stepGC(ALL);
}

/** A whole cycle: what nothing points to now is free when it returns. */
export function collect(): void {
  leaveFinalizer();
  finishMark();
  startGC(true);
  finishMark();
  finishSweep();
  sweepDone();
}

function sweepDone(): void {
  sweepFinished(pacer());
  repace();
}

/** Sweep up to `pages` pages; how many. 0: there was nothing left. */
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

/** Before an allocation of `bytes` bytes that the mcache cannot serve: pay for the last ones, and see whether it is time. */
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

/** Whether the trigger is reached, by a program that does not thrash. */
export function isDue(p: Pacer): bool {
  if (gcState().enabled == 0 || !shouldStart(p)) return false;
  return p.heapLive - p.heapMarked >= p.lastHeapScan >> (p.goal < p.percentGoal ? LIMIT_THRASH_SHIFT : THRASH_SHIFT);
}

/** Bytes that an assist is to scan for what is owed; 0: nothing is. */
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
  // What it is worth is said by what is left now.
  revise(p);
  p.assistBytes += assistCredit(p, done);
}
