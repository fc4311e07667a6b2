/**
 * The collector of a shared heap, as the TypeScript host sees it: the ABI of collectorcommon.ts, the gate, and the steps of
 * a cycle for whoever marks (src/shared/collector.ts). Any thread may call; a call that finds the world stopped waits until
 * it runs again.
 */

import { BUSY } from "../base/abinumbers";
export * from "./collectorcommon";

import { isReady } from "../alloc/procs";
import { enterGate, isInside, leaveGate } from "../base/gates";
import { SharedGc, gcState, sharedGc } from "../base/gcstate";
import { heap } from "../base/state";
import {
  beginShared,
  collectShared,
  endShared,
  finishMarkShared,
  leaveMarker,
  markShared,
  pollOutside,
  sweepShared,
  takeMarker,
} from "../gc/sharedcycle";

/**
 * Stay inside the gate until gcLeave: from here to there addresses in variables are good, because no cycle begins or ends
 * meanwhile, not by this thread either; what it owes is paid before. Other calls of the collector may come between, and
 * further pairs of these; waiting for another thread may not. 1; 0: no P, or the world is stopped for longer than patience
 * lasts.
 */
export function gcEnter(): i32 {
  if (!isReady()) return 0;
  pollOutside();
  return enterGate() ? 1 : 0;
}

/** Undo one gcEnter. */
export function gcLeave(): void {
  if (isInside()) leaveGate();
}

// The steps of a cycle. Any thread that has a P may do any of them; one at a time does. The world runs when they return.

/**
 * Begin a cycle. What is unswept is swept first, so gcSweep before makes the call short, which is then the first stop.
 * `now`: milliseconds of a clock that all threads share, 0: none. 1; 0: one is running; -1: another thread cannot be
 * waited for.
 */
export function gcBegin(forced: i32, now: f64): i32 {
  if (!isReady() || isInside() || !takeMarker()) return BUSY;
  const running = gcState().phase != 0;
  const begun = !running && beginShared(forced != 0, now);
  leaveMarker();
  return begun ? 1 : running ? 0 : BUSY;
}

/** Mark for about `budget` bytes. Bytes scanned; 0: nothing is queued, gcEnd is next; -1: another marks. */
export function gcMark(budget: f64): f64 {
  if (!isReady() || !takeMarker()) return BUSY;
  const work = <f64>markShared(<u64>budget);
  leaveMarker();
  return work;
}

/** End the marking if nothing is left: 1, and no cycle is running; 0: there is more; -1: as gcBegin. */
export function gcEnd(now: f64): i32 {
  if (!isReady() || isInside() || !takeMarker()) return BUSY;
  const done = endShared(now);
  leaveMarker();
  return done;
}

/** Sweep up to `pages` pages of 8 KiB. How many; 0: all is swept. */
export function gcSweep(pages: u32): u32 {
  return isReady() ? sweepShared(pages) : 0;
}

/** A whole cycle, begun now and swept. 1; 0: another thread cannot be waited for. O(heap). */
export function gc(): i32 {
  return isReady() && collectShared() ? 1 : 0;
}

/** Mark the running cycle to its end. 1; 0 as gc. */
export function gcFinish(): i32 {
  return isReady() && finishMarkShared() ? 1 : 0;
}

/** Address of the word that changes when there may be work for a marker, and at which it is notified. */
export function gcWakeAddress(): u32 {
  return heap ? <u32>(changetype<usize>(sharedGc()) + offsetof<SharedGc>("wake")) : 0;
}

/** Tell what the two stops of the last cycle took, milliseconds, and the processors that there are. Negative: as it was. */
export function gcTimes(begin: f64, end: f64, procs: u32): void {
  if (heap == 0) return;
  const s = sharedGc();
  if (begin >= 0) s.stopBegin = begin;
  if (end >= 0) s.stopEnd = end;
  s.procs = procs;
}
