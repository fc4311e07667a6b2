/**
 * The collector of a heap of one thread, as the TypeScript host sees it: the ABI of collectorcommon.ts, and the steps of a
 * cycle. One thread at a time.
 *
 * An object lives while a root reaches it: a handle, a pin, a registered range, an object that lives. An address in a
 * variable of the host's is no root: between the allocation and the first root no other allocation may come.
 */

export * from "./collectorcommon";

import { isReady } from "../alloc/procs";
import { gcState } from "../base/gcstate";
import { heap } from "../base/state";
import { collect, finishMark, startGC, stepGC, sweepPages } from "../gc/cycle";

/** Begin a cycle, sweeping what is unswept first. 1; 0: one is running, or there is no heap. */
export function gcStart(): i32 {
  if (!isReady() || gcState().phase != 0) return 0;
  startGC(true);
  return 1;
}

/** Mark for about `budget` bytes; ends the cycle's marking when there is nothing left. Bytes scanned. */
export function gcStep(budget: f64): f64 {
  return heap ? <f64>stepGC(<u64>budget) : 0;
}

/** Sweep up to `pages` pages of 8 KiB. How many; 0: all is swept. */
export function gcSweep(pages: u32): u32 {
  return heap ? sweepPages(pages) : 0;
}

/** A whole cycle, begun now and swept. O(heap). */
export function gc(): void {
  if (isReady()) collect();
}

/** Mark the running cycle to its end. O(heap). */
export function gcFinish(): void {
  if (heap) finishMark();
}
