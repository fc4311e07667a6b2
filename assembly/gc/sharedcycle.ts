/**
 * The collector's cycle on a shared heap: one thread at a time marks, the others keep running.
 *
 *   begin   All unswept spans are swept. The world stops: the slots in the mcaches' windows become black, and the roots
 *           are shaded.
 *   mark    The thread that has M takes the queue and the inbox, step by step: a dedicated worker, or an allocating
 *           thread that owes marking. The others keep running. Slots that they load from an mcentral are black; what
 *           their barriers shade arrives through gc/inbox.ts.
 *   end     Queue and inbox are empty: the ragged barrier collects what the Ps have shaded. If that is nothing, the
 *           world stops and the roots are scanned once more (ranges have no barrier). What this finds is drained at
 *           once if it is little. Then the mcaches return their spans and sweepgen goes up: all spans are unswept.
 *   sweep   Refills sweep for themselves, allocation sweeps in proportion, and the marker sweeps when it is done.
 *
 * No call returns with the world stopped. A thread may die anywhere:
 *
 *   while it begins     `starting` is set and the phase is off: the marks are cleared, as if nothing had happened
 *   while it marks      what it took from the queue is unknown: `overflow` is set, and all marked objects are walked
 *   while it ends       if sweepgen has moved on from markGen the end is repeated, else marking continues
 *   inside a gate       as while it marks, because an object may be marked and not queued
 *   while it sweeps     its spans become unowned again (check/recover.ts), and the sweep starts anew
 *
 * Pacing: heapLive, heapScan and the debt are sums over all threads, changed by atomic additions. A marker's work is
 * credit for all. A thread that owes marking while another marks keeps running: it cannot help.
 *
 * Lock: M; its holder stops the world. Cost: begin and end stop the world for the roots and the mcaches.
 */

import { BUSY, DONE, MAX_PS, MORE } from "../base/abinumbers";
import { FIRST_GC_ROW } from "../base/config";
import {
  clearMarked,
  enterGate,
  enterSure,
  haltWorld,
  isInside,
  isNested,
  leaveGate,
  markedBytes,
  openGatesOf,
  returnGate,
  returnStop,
  startWorld,
  stopWorld,
  stopper,
  takeOverGate,
  takeOverStop,
  setMarker,
} from "../base/gates";
import {
  GcState,
  PHASE_MARK,
  PHASE_OFF,
  PHASE_TERMINATION,
  SharedGc,
  clearMarks,
  gcState,
  isCollectedSpan,
  sharedGc,
  pacer,
} from "../base/gcstate";
import { LOCK_GC, LOCK_MARK, MHeap, MSPAN_SIZE, MSpan } from "../base/layout";
import { handOver, lock, self, takeOver, tryLock, unlock } from "../base/locks";
import { mheap, recordOf } from "../base/state";
import { nextProfileCycle, publishSwept } from "../central/samples";
import { relink } from "../central/specials";
import { sweepAgain, startSharedSweep, sweepSome, uncacheAll } from "../central/collected";
import { isUnswept } from "../central/lists";
import { emptyOrphans } from "../central/tidy";
import { checkMarks } from "./checkmark";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { spanAt } from "../central/mspan";
import { ALL, MAX_LOOKS, assistBudget, blackenRows, countCycle, forgetUnborn, isDue, repace } from "./cycle";
import { dropQueues, forget, takeAllShaded, takeShadedRagged } from "./inbox";
import { shade } from "./mark";
import {
  Pacer,
  assistCredit,
  endCycle,
  endCycleUntimed,
  resetLive,
  revise,
  shouldStart,
  sweepDebt,
  sweepFinished,
} from "../base/pacer";
import { recountPins } from "../alloc/pins";
import { recountHandles, shadeRoots, stackWork } from "./roots";
import { shadeSpecials } from "./specials";
import { recountTypes } from "./typebits";
import { freeBuffers, isWorkEmpty } from "./work";
import { drain, rescanMarked } from "./drain";

/** Bytes that may be drained at once while the world is stopped. */
@inline const LOOK_BUDGET: u64 = 64 << 10;
/** Spans swept per entry into the gate. */
@inline const SWEEP_BATCH: u32 = 16;

// M

/**
 * Take M and wait for the thread that marks; inside a gate only try. False: timed out, or, inside a gate, another
 * marks.
 */
export function takeMarker(): bool {
  if (!(isInside() ? tryLock(LOCK_MARK) : lock(LOCK_MARK))) return false;
  setMarker(true);
  return true;
}

export function leaveMarker(): void {
  tellMarked();
  setMarker(false);
  unlock(LOCK_MARK);
}

/** Add what this thread has marked since the last call to bytesMarked. */
export function tellMarked(): void {
  if (markedBytes == 0) return;
  atomic.add<u64>(changetype<usize>(gcState()), markedBytes, offsetof<GcState>("bytesMarked"));
  clearMarked();
}

/** Wake the markers, because there may be work. */
export function wakeMarkers(): void {
  const at = changetype<usize>(sharedGc()) + offsetof<SharedGc>("wake");
  atomic.add<u32>(at, 1);
  atomic.notify(at, -1);
}

// Begin

/**
 * Begin a cycle. Under M. `now`: milliseconds of a clock, 0: none. False: one runs, or the world could not be stopped.
 */
export function beginShared(forced: bool, now: f64): bool {
  const g = gcState();
  if (g.phase != PHASE_OFF) return false;
  finishSharedSweep();
  if (!stopWorld()) return false;
  // All spans that others were sweeping are swept by now, except those that a dead thread left.
  while (sweepSome()) {}
  const s = sharedGc();
  s.starting = 1;
  countCycle(forced);
  s.began = now;
  s.markGen = mheap().sweepgen;
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    blackenRows(record);
    const tiny = changetype<MHeap>(<usize>record).tiny;
    if (tiny) shade(tiny);
  }
  pacer().globalsScanWork += shadeRoots();
  pacer().stackScanWork += stackWork;
  shadeSpecials();
  tellMarked();
  g.phase = PHASE_MARK;
  s.starting = 0;
  startWorld();
  return true;
}

// Mark

/** Mark for about `budget` bytes. Returns the bytes scanned. Under M. */
export function markShared(budget: u64): u64 {
  const g = gcState();
  if (g.phase != PHASE_MARK) return 0;
  g.steps += 1;
  const work = drain(budget);
  tellMarked();
  const p = pacer();
  p.heapScanWork += work;
  revise(p);
  atomic.add<i64>(changetype<usize>(p), assistCredit(p, work), offsetof<Pacer>("assistBytes"));
  return work;
}

function nothingQueued(): bool {
  return isWorkEmpty() && sharedGc().inbox == 0 && gcState().overflow == 0;
}

/**
 * End the cycle if nothing is left to mark. Under M. DONE: the cycle has ended; MORE: there is work; BUSY: the world
 * could not be stopped.
 */
export function endShared(now: f64): i32 {
  const g = gcState();
  if (g.phase != PHASE_MARK) return DONE;
  const p = pacer();
  if (g.overflow) {
    p.heapScanWork += rescanMarked();
    return MORE;
  }
  if (!nothingQueued()) return MORE;
  takeShadedRagged(isInside());
  if (!nothingQueued()) return MORE;
  if (!stopWorld()) return BUSY;
  takeAllShaded();
  shadeRoots();
  g.looks += 1;
  let work: u64 = 0;
  while (!nothingQueued()) {
    if (g.looks < MAX_LOOKS && (work >= LOOK_BUDGET || g.overflow != 0)) break;
    work += g.overflow ? rescanMarked() : drain(g.looks < MAX_LOOKS ? LOOK_BUDGET : ALL);
  }
  p.heapScanWork += work;
  tellMarked();
  const done = nothingQueued();
  if (done) endMark(now);
  startWorld();
  return done ? DONE : MORE;
}

function endMark(now: f64): void {
  const g = gcState();
  const s = sharedGc();
  g.phase = PHASE_TERMINATION;
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    forgetUnborn(record);
    uncacheAll(record, FIRST_GC_ROW);
  }
  checkMarks();
  freeBuffers();
  s.markTime = s.began > 0 && now > s.began ? now - s.began : 0;
  const p = pacer();
  if (s.markTime > 0) endCycle(p, 0, 0, s.markTime, max(s.procs, 1));
  else endCycleUntimed(p);
  // From this store on marking is over, whichever thread dies.
  mheap().sweepgen += 2;
  finishSwitch();
}

function finishSwitch(): void {
  const bytes = gcState().bytesMarked;
  // It is negative if a thread died after marking and before it added what it had marked.
  resetLive(pacer(), <i64>bytes < 0 ? 0 : bytes);
  startSharedSweep();
  gcState().phase = PHASE_OFF;
  nextProfileCycle();
  repace();
}

/**
 * Begin a whole cycle, run it, and sweep. Called outside the gate. False: a lock could not be taken, or the world not
 * stopped.
 */
export function collectShared(): bool {
  if (isInside() || !takeMarker()) return false;
  const done = runCycle() && beginShared(true, 0) && runCycle();
  leaveMarker();
  if (!done) return false;
  finishSharedSweep();
  return true;
}

/** Mark the running cycle, if any, to its end. Under M. False: the world could not be stopped. */
function runCycle(): bool {
  while (gcState().phase == PHASE_MARK) {
    markShared(ALL);
    if (endShared(0) == BUSY) return false;
  }
  return true;
}

/**
 * Mark the running cycle to its end. False: called inside a gate, a lock could not be taken, or the world not stopped.
 */
export function finishMarkShared(): bool {
  if (isInside() || !takeMarker()) return false;
  const done = runCycle();
  leaveMarker();
  return done;
}

// Sweep

/** Sweep up to `pages` pages. Returns how many were swept. Enters the gate for a few spans at a time. */
export function sweepShared(pages: u32): u32 {
  let n: u32 = 0;
  let last: u32 = 1;
  while (n < pages && last != 0) {
    enterSure();
    for (let i: u32 = 0; i < SWEEP_BATCH && n < pages && last != 0; i++) {
      last = sweepSome();
      n += last;
    }
    if (last == 0) sweepDone();
    leaveGate();
  }
  return n;
}

export function finishSharedSweep(): void {
  while (sweepShared(~0)) {}
}

/** Tell the pacer, once, that all is swept; the first thread to see it does this. Inside the gate. */
function sweepDone(): void {
  publishSwept();
  const p = pacer();
  if (p.sweepPagesPerByte == 0 || gcState().sweeping != 0 || !lock(LOCK_GC)) return;
  sweepFinished(p);
  repace();
  unlock(LOCK_GC);
}

/** Sweep until `npages` pages are free, or all spans are swept: for a request of that length. Inside the gate. */
export function reclaimShared(npages: u32): void {
  if (gcState().sweeping == 0) return;
  const h = mheap();
  const before = h.inUsePages;
  while (before - min(h.inUsePages, before) < npages && sweepSome() != 0) {}
}

// Allocation

/**
 * Called inside the gate before an allocation of `bytes` bytes that the mcache cannot serve: pay for earlier
 * allocations, and see whether a cycle is due. Markers are woken at the trigger. If none begins the cycle, this thread
 * does so half-way to the goal. A caller nested in an outer gate holds addresses that stay valid only while it is
 * inside: it neither begins nor ends a cycle.
 */
export function pollShared(bytes: u32): void {
  tellMarked();
  const g = gcState();
  const p = pacer();
  if (g.phase == PHASE_MARK) {
    if (p.assistBytes < 0 && takeMarker()) {
      assist(p);
      leaveMarker();
    }
    return;
  }
  if (p.sweepPagesPerByte != 0) {
    const due = sweepDebt(p, bytes, 0, g.pagesSwept);
    for (let n: u64 = 0; n < due;) {
      const swept = sweepSome();
      if (swept == 0) {
        sweepDone();
        break;
      }
      n += swept;
    }
  }
  if (isNested() || !isDue(p)) return;
  wakeMarkers();
  if (p.heapLive < p.trigger + ((p.goal - p.trigger) >> 1) || !takeMarker()) return;
  beginShared(false, 0);
  leaveMarker();
}

/** Called before a thread stays inside the gate, where it can neither begin nor end a cycle: does now what is due. */
export function pollOutside(): void {
  const g = gcState();
  const p = pacer();
  const due = g.phase == PHASE_MARK ? p.assistBytes < 0 : g.enabled != 0 && shouldStart(p);
  if (!due || isInside() || !enterGate()) return;
  pollShared(0);
  leaveGate();
}

function assist(p: Pacer): void {
  const budget = assistBudget(p);
  if (budget == 0) return;
  markShared(budget);
  if (!isNested() && (nothingQueued() || gcState().overflow != 0)) endShared(0);
}

// Death

/** Whether the P being recovered died inside its gate. */
let diedInside: bool = false;

/**
 * Must precede any change to P `dead`, whose thread is gone. Enters the gate in its place or this thread's own gate, or
 * takes over the stopped world from it. False: another thread has stopped the world and lets nobody in.
 */
export function enterRecovery(dead: u32): bool {
  takeOverStop(dead);
  diedInside = takeOverGate(dead);
  return diedInside || enterGate();
}

/** Undo enterRecovery. `done` false: leave everything for another try. */
export function leaveRecovery(dead: u32, done: bool): void {
  if (!done && stopper() == self) returnStop(dead);
  if (diedInside && !done) returnGate(dead);
  else leaveGate();
}

/**
 * Recover the collector after the death of the thread of P `dead`. Called after enterRecovery. The P's locks except M
 * and G are free again, and its spans are unowned. True: the collector is in order. False: the world could not be
 * stopped; another thread is inside its gate and may be dead too.
 */
export function recoverGC(dead: u32): bool {
  if (takeOver(LOCK_GC, dead)) {
    recountPins();
    recountHandles();
    recountTypes();
    relink();
    unlock(LOCK_GC);
  }
  const g = gcState();
  const gates = openGatesOf(dead) + <u32>diedInside;
  if (takeOver(LOCK_MARK, dead)) {
    const had = stopper() == self;
    if (!haltWorld()) {
      if (had) returnStop(dead);
      else startWorld();
      handOver(LOCK_MARK, dead);
      return false;
    }
    setMarker(true);
    if (g.phase == PHASE_OFF && sharedGc().starting != 0) abandon();
    else if (g.phase != PHASE_OFF) carryOn();
    setMarker(false);
    unlock(LOCK_MARK);
  }
  if (g.phase == PHASE_MARK && gates != 0) forget();
  else if (g.phase == PHASE_OFF) resweep();
  if (stopper() == self) startWorld();
  wakeMarkers();
  return true;
}

/**
 * With no cycle running: clear the marks of swept spans, and find the spans again that the dead thread was to sweep.
 */
function resweep(): void {
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const span = collectedAt(page);
    if (span != null && !isUnswept(span)) clearMarks(span);
  }
  sweepAgain();
}

/** The collected span that begins on a page in use. Null: it is no collected span, or was freed in the meantime. */
function collectedAt(page: u32): MSpan | null {
  const groups = pageRecord(page).groups;
  if (groups == 0) return null;
  const span = spanAt(groups - MSPAN_SIZE);
  return isCollectedSpan(span) ? span : null;
}

/** Undo a cycle whose begin was interrupted by a death. */
function abandon(): void {
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const span = collectedAt(page);
    if (span != null) clearMarks(span);
  }
  dropQueues();
  sharedGc().abandoned += 1;
  sharedGc().starting = 0;
  pacer().triggered = ALL;
  repace();
}

/** Continue a cycle whose marking or end was interrupted by a death. */
function carryOn(): void {
  sharedGc().carried += 1;
  sharedGc().starting = 0;
  if (mheap().sweepgen != sharedGc().markGen) {
    finishSwitch();
    return;
  }
  if (gcState().phase == PHASE_TERMINATION) emptyOrphans();
  gcState().phase = PHASE_MARK;
  forget();
}
