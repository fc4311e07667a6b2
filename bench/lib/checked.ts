/**
 * The checked mode: every block stamped when it is made and verified before it goes, nothing timed.
 */

import { Heap } from "./instance.ts";
import type { Workload } from "./workloads.ts";

/** What a checked run found. */
export interface Verdict {
  /** Undefined if all contents were as they must be. */
  readonly failure: string | undefined;
  readonly checksum: number;
  readonly operations: number;
  /** Requested bytes live at their peak. */
  readonly peakLive: number;
  /** Bytes obtained from the memory. */
  readonly footprint: number;
}

/** Runs a workload once in the checked driver; traces to their end, with what they leave behind freed. */
export function check(module: WebAssembly.Module, workload: Workload): Verdict {
  const heap = new Heap(module, "checked");
  if (workload.kind === "trace") {
    heap.replay(workload.trace);
    heap.replay(workload.rest);
  } else {
    if (workload.setup) heap.call(workload.setup);
    // What would be the untimed calls, and one more.
    for (let i = 0; i <= (workload.warm ?? 1); i++) heap.call(workload.run, workload.slice);
    if (workload.finish) heap.call(workload.finish);
  }
  const { failure, checksum, operations, peakLive, footprint } = heap;
  return { failure, checksum, operations, peakLive, footprint };
}
