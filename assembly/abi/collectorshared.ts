/**
 * The collector of a shared heap for the TypeScript host: the ABI of collectorcommon.ts, the gate, and the steps of a
 * cycle for the marker (src/shared/collector.ts).
 *
 * Any thread may call. A call waits while the world is stopped. Lock: the gate, and M for steps. Cost: stated at each
 * function, else O(1).
 */

import { BUSY } from "../base/abinumbers";
export * from "./collectorcommon";

import { ensureReady } from "../alloc/procs";
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
 * Stay inside the gate until gcLeave. Until then addresses in variables stay valid, because no cycle begins or ends,
 * not even by this thread; it pays what it owes first. Other calls of the collector are allowed in between, and further
 * pairs of these; waiting for another thread is not. 1: inside; 0: no P, or the world was stopped for longer than the
 * time limit.
 */
export function gcEnter(): i32 {
  if (!ensureReady()) return 0;
  pollOutside();
  return enterGate() ? 1 : 0;
}

/** Undo one gcEnter. */
export function gcLeave(): void {
  if (isInside()) leaveGate();
}

// The steps of a cycle. Any thread with a P may do any of them, one thread at a time. They return with the world
// running.

/**
 * Begin a cycle. Unswept spans are swept first; call gcSweep before to keep this call, the first stop, short. `now`:
 * milliseconds of a clock that all threads share, 0: none. 1: begun; 0: one is running; -1: timed out waiting for
 * another thread.
 */
export function gcBegin(forced: i32, now: f64): i32 {
  if (!ensureReady() || isInside() || !takeMarker()) return BUSY;
  const running = gcState().phase != 0;
  const begun = !running && beginShared(forced != 0, now);
  leaveMarker();
  return begun ? 1 : running ? 0 : BUSY;
}

/**
 * Mark for about `budget` bytes. Returns the bytes scanned; 0: nothing is queued, call gcEnd next; -1: another marks.
 */
export function gcMark(budget: f64): f64 {
  if (!ensureReady() || !takeMarker()) return BUSY;
  const work = <f64>markShared(<u64>budget);
  leaveMarker();
  return work;
}

/** End the marking if nothing is left. 1: no cycle is running; 0: there is more to mark; -1: as gcBegin. */
export function gcEnd(now: f64): i32 {
  if (!ensureReady() || isInside() || !takeMarker()) return BUSY;
  const done = endShared(now);
  leaveMarker();
  return done;
}

/** Sweep up to `pages` pages of 8 KiB. Returns how many were swept; 0: all are swept. */
export function gcSweep(pages: u32): u32 {
  return ensureReady() ? sweepShared(pages) : 0;
}

/** Begin and run a whole cycle, and sweep. 1: done; 0: timed out waiting for another thread. O(heap). */
export function gc(): i32 {
  return ensureReady() && collectShared() ? 1 : 0;
}

/** Mark until the running cycle ends. 1, or 0 as gc. */
export function gcFinish(): i32 {
  return ensureReady() && finishMarkShared() ? 1 : 0;
}

/** Address of the word that changes, and is notified, when there may be work for a marker. */
export function gcWakeAddress(): u32 {
  return heap ? <u32>(changetype<usize>(sharedGc()) + offsetof<SharedGc>("wake")) : 0;
}

/**
 * Report the milliseconds that the two stops of the last cycle took, and the number of processors. Negative: keep the
 * old value.
 */
export function gcTimes(begin: f64, end: f64, procs: u32): void {
  if (heap == 0) return;
  const s = sharedGc();
  if (begin >= 0) s.stopBegin = begin;
  if (end >= 0) s.stopEnd = end;
  s.procs = procs;
}
