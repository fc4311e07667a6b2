/**
 * The collector of a one-thread heap for the TypeScript host: the ABI of collectorcommon.ts, and the steps of a cycle.
 *
 * An object lives while it is reachable from a root: a handle, a pin or a registered range. An address in a variable of
 * the host is not a root: do not allocate again before the new object is reachable from one.
 *
 * Owner: the one thread. Cost: stated at each function, else O(1).
 */

export * from "./collectorcommon";

import { ensureReady } from "../alloc/procs";
import { gcState } from "../base/gcstate";
import { heap } from "../base/state";
import { collect, finishMark, startGC, stepGC, sweepPages } from "../gc/cycle";

/** Begin a cycle; unswept spans are swept first. 1: begun; 0: one is running, or there is no heap. */
export function gcStart(): i32 {
  if (!ensureReady() || gcState().phase != 0) return 0;
  startGC(true);
  return 1;
}

/** Mark for about `budget` bytes; end the marking when nothing is left. Returns the bytes scanned. */
export function gcStep(budget: f64): f64 {
  return heap ? <f64>stepGC(<u64>budget) : 0;
}

/** Sweep up to `pages` pages of 8 KiB. Returns how many were swept; 0: all are swept. */
export function gcSweep(pages: u32): u32 {
  return heap ? sweepPages(pages) : 0;
}

/** Begin and run a whole cycle, and sweep. O(heap). */
export function gc(): void {
  if (ensureReady()) collect();
}

/** Mark until the running cycle ends. O(heap). */
export function gcFinish(): void {
  if (heap) finishMark();
}
