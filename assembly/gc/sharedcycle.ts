/**
 * The collector's cycle on a shared heap: marking by one thread at a time, beside the others.
 *
 *   begin   all that is unswept is swept; the world stops: what the mcaches hold becomes black, the roots are shaded   -> mark
 *   mark    whoever has M takes the queue and the inbox, step by step: a worker that does nothing else, or a thread that
 *           allocates and owes marking. The others go on; what they load from an mcentral is black, what their barriers shade
 *           comes by gc/inbox.ts
 *   end     queue and inbox are empty: the ragged barrier brings what the Ps have shaded. Nothing: the world stops, the roots
 *           are looked at once more (ranges have no barrier), and if little comes of it, it is drained on the spot. Then the
 *           mcaches give up what they have, and sweepgen goes up: all spans are unswept                             -> off
 *   sweep   by refills for themselves, by allocation in proportion, by the marker when it is done
 *
 * The world is never stopped when a call returns. A thread may die anywhere:
 *
 *   while it begins     `starting` says so, and the phase is off: the marks are cleared, nothing has happened
 *   while it marks      what it had taken out of the queue is unknown: `overflow`, and the marked objects are looked through
 *   while it ends       sweepgen has gone up since markGen, and the end is done again; or it has not, and marking goes on
 *   inside of a gate    as while it marks, for an object may be marked and not queued
 *   while it sweeps     its spans are nobody's again (check/recover.ts), and the sweep starts anew
 *
 * Pacing: heapLive, heapScan and the debt are sums over all threads, changed by atomic additions. A marker's work is credit
 * for all. Who owes while another marks goes on: it cannot help.
 *
 * Lock: M; the world is stopped by who has it. Cost: begin and end stop the world for the roots and the mcaches.
 */

import { BUSY, DONE, MAX_PS, MORE } from "../base/abinumbers";
import { CHECKMARK, FIRST_GC_ROW } from "../base/config";
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
  takeGate,
  takeStop,
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
import { sweepAgain, startSharedSweep, sweepSome, uncacheAll } from "../central/collected";
import { isUnswept } from "../central/lists";
import { emptyOrphans } from "../central/tidy";
import { checkMarks } from "./checkmark";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { spanAt } from "../central/mspan";
import { ALL, MAX_LOOKS, assistBudget, blackenRows, countCycle, forgetUnborn, isDue, readyGC, repace } from "./cycle";
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
import { recountHandles, shadeRoots } from "./roots";
import { recountTypes } from "./typebits";
import { freeBuffers, isWorkEmpty } from "./work";
import { drain, rescanMarked } from "./drain";

/** Bytes that are drained on the spot while the world is stopped. */
@inline const LOOK_BUDGET: u64 = 64 << 10;
/** Spans swept with the gate taken once. */
@inline const SWEEP_BATCH: u32 = 16;

// M

/** Take M, waiting for whoever marks; inside of a gate it is only tried. False: patience ran out, or another marks. */
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

/** What this thread has marked since it last told. */
export function tellMarked(): void {
  if (markedBytes == 0) return;
  atomic.add<u64>(changetype<usize>(gcState()), markedBytes, offsetof<GcState>("bytesMarked"));
  clearMarked();
}

/** Somebody may have something to do: wake the markers. */
export function wakeMarkers(): void {
  const at = changetype<usize>(sharedGc()) + offsetof<SharedGc>("wake");
  atomic.add<u32>(at, 1);
  atomic.notify(at, -1);
}

// Begin

/** Begin a cycle. Under M. `now`: milliseconds of a clock, 0 without. False: one runs, or the world could not be stopped. */
export function beginShared(forced: bool, now: f64): bool {
  const g = gcState();
  readyGC();
  if (g.phase != PHASE_OFF) return false;
  finishSharedSweep();
  if (!stopWorld()) return false;
  // What others were about to sweep is swept by now, but for what a dead thread has left.
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
  tellMarked();
  g.phase = PHASE_MARK;
  s.starting = 0;
  startWorld();
  return true;
}

// Mark

/** Mark for about `budget` bytes; bytes scanned. Under M. */
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
 * End the cycle if nothing is left to be marked. Under M. DONE; MORE: there is work; BUSY: the world could not be stopped.
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
  if (CHECKMARK && g.checkmark != 0) checkMarks();
  freeBuffers();
  s.markTime = s.began > 0 && now > s.began ? now - s.began : 0;
  const p = pacer();
  if (s.markTime > 0) endCycle(p, 0, 0, s.markTime, max(s.procs, 1));
  else endCycleUntimed(p);
  // From this store on the marking is over, whoever dies.
  mheap().sweepgen += 2;
  finishSwitch();
}

function finishSwitch(): void {
  const bytes = gcState().bytesMarked;
  // It may be less than nothing when a thread that had marked something has died.
  resetLive(pacer(), <i64>bytes < 0 ? 0 : bytes);
  startSharedSweep();
  gcState().phase = PHASE_OFF;
  repace();
}

/** A whole cycle, begun now, and swept. Outside of the gate. False: a lock was not to be had, or the world not to be stopped. */
export function collectShared(): bool {
  if (isInside() || !takeMarker()) return false;
  const done = runCycle() && beginShared(true, 0) && runCycle();
  leaveMarker();
  if (!done) return false;
  finishSharedSweep();
  return true;
}

/** Mark the running cycle to its end, if there is one. Under M. */
function runCycle(): bool {
  while (gcState().phase == PHASE_MARK) {
    markShared(ALL);
    if (endShared(0) == BUSY) return false;
  }
  return true;
}

/** Mark the running cycle to its end. */
export function finishMarkShared(): bool {
  if (isInside() || !takeMarker()) return false;
  const done = runCycle();
  leaveMarker();
  return done;
}

// Sweep

/** Sweep up to `pages` pages; how many. Takes the gate for some spans at a time. */
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

/** The pacer is told, once, by the first to see it. Inside of the gate. */
function sweepDone(): void {
  const p = pacer();
  if (p.sweepPagesPerByte == 0 || gcState().sweeping != 0 || !lock(LOCK_GC)) return;
  sweepFinished(p);
  repace();
  unlock(LOCK_GC);
}

/** Sweep until `npages` pages have come free, or all spans are swept: for a request that long. Inside of the gate. */
export function reclaimShared(npages: u32): void {
  if (gcState().sweeping == 0) return;
  const h = mheap();
  const before = h.inUsePages;
  while (before - min(h.inUsePages, before) < npages && sweepSome() != 0) {}
}

// Allocation

/** `bytes` more are live. */
export function sharedGrows(bytes: u64, scan: bool): void {
  const p = changetype<usize>(pacer());
  atomic.add<u64>(p, bytes, offsetof<Pacer>("heapLive"));
  if (scan) atomic.add<u64>(p, bytes, offsetof<Pacer>("heapScan"));
  if (gcState().phase == PHASE_MARK) atomic.sub<i64>(p, bytes, offsetof<Pacer>("assistBytes"));
}

/**
 * Before an allocation of `bytes` bytes that the mcache cannot serve, inside of the gate: pay for the last ones, and see
 * whether it is time for a cycle. Markers are woken at the trigger; if none comes the thread begins one itself half-way to
 * the goal. A caller that stays inside of the gate holds addresses which only its being inside keeps good: it begins no cycle,
 * and ends none.
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

/** For who is about to stay inside of the gate, where it begins and ends nothing: what is due is done before. */
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

/** The P that is recovered has died inside of its gate. */
let diedInside: bool = false;

/**
 * Before anything of P `dead`, whose thread is gone, is touched: be inside of its gate in its place, or of one's own, or have
 * the world stopped in its place. False: the one who has stopped the world does not let anybody in.
 */
export function enterRecovery(dead: u32): bool {
  takeStop(dead);
  diedInside = takeGate(dead);
  return diedInside || enterGate();
}

/** The other end. Not `done`: all is left to another try. */
export function leaveRecovery(dead: u32, done: bool): void {
  if (!done && stopper() == self) returnStop(dead);
  if (diedInside && !done) returnGate(dead);
  else leaveGate();
}

/**
 * The thread of P `dead` is gone; its locks but M and G are free again, its spans nobody's. True: the collector is in order.
 * False: the world could not be stopped, so another is inside of its gate who may be dead too. After enterRecovery.
 */
export function recoverGC(dead: u32): bool {
  if (takeOver(LOCK_GC, dead)) {
    recountPins();
    recountHandles();
    recountTypes();
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

/** No cycle runs: what is swept has no marks, and what the dead thread was about to sweep is found again. */
function resweep(): void {
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const span = collectedAt(page);
    if (span != null && !isUnswept(span)) clearMarks(span);
  }
  sweepAgain();
}

/** The collected span that begins on a page in use. Null: another's, or it has gone this moment. */
function collectedAt(page: u32): MSpan | null {
  const groups = pageRecord(page).groups;
  if (groups == 0) return null;
  const span = spanAt(groups - MSPAN_SIZE);
  return isCollectedSpan(span) ? span : null;
}

/** A cycle had begun by half. */
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

/** A cycle was being marked or ended. */
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
