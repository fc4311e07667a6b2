/**
 * One measurement: one workload through one allocator in a fresh instance.
 *
 * A trace is replayed twice in the same heap. The first pass starts from nothing: it pays for memory.grow and for
 * the kernel's page faults, which cost the same for a page whoever asked for it and more than all allocation
 * calls together on some machines. Then what the program left is freed, and the second pass meets a heap that
 * has its memory: that is the allocator alone. A short trace is replayed more often, with what it left freed before
 * each pass, so that the clock and a moment's disturbance do not matter. Peak memory is that of the first pass. Micro
 * workloads run one untimed call first, for the same reason.
 *
 * Bump allocators have no second pass worth the name: theirs is the first.
 */

import { now } from "./clock.ts";
import type { Heap } from "./instance.ts";
import type { Micro, Replay, Workload } from "./workloads.ts";

/** Events that the passes after the first have together, at least. */
const WARM_EVENTS = 1_000_000;

/** What one round tells. */
export interface Sample {
  /** Nanoseconds per operation, in a heap that has its memory. */
  readonly nanoseconds: number;
  /** The same from an empty heap; traces only. */
  readonly cold?: number;
  /** Bytes obtained from the memory. */
  readonly footprint: number;
  readonly checksum: number;
  /** Calls of the malloc family that were timed. */
  readonly operations: number;
  /** False if the time limit ended it: then `nanoseconds` covers the part that was done. */
  readonly complete: boolean;
}

/**
 * Runs `workload` once in a fresh heap. `budget` is the time limit in milliseconds; it is looked at between pieces.
 * `reuses` is false for a heap whose free does nothing.
 */
export function measure(heap: Heap, reuses: boolean, workload: Workload, budget: number): Sample {
  return workload.kind === "trace"
    ? measureReplay(heap, reuses, workload, budget)
    : measureMicro(heap, workload, budget);
}

function measureReplay(heap: Heap, reuses: boolean, { trace, rest }: Replay, budget: number): Sample {
  const first = heap.replay(trace, 0, trace.count, budget);
  const operations = first.complete ? trace.count : heap.operations;
  const footprint = heap.footprint;
  const checksum = heap.checksum;
  const cold = (first.elapsed * 1e6) / operations;
  const once = { nanoseconds: cold, cold, footprint, checksum, operations, complete: first.complete };
  if (!first.complete || !reuses) return once;
  let elapsed = 0;
  let done = 0;
  let complete = true;
  for (let passes = Math.ceil(WARM_EVENTS / trace.count); complete && passes > 0; passes--) {
    heap.replay(rest);
    const before = heap.operations;
    const pass = heap.replay(trace, 0, trace.count, budget - elapsed);
    done += heap.operations - before;
    elapsed += pass.elapsed;
    complete = pass.complete;
  }
  return { nanoseconds: (elapsed * 1e6) / done, cold, footprint, checksum, operations: done, complete };
}

function measureMicro(heap: Heap, { setup, run, slice, calls, warm = 1 }: Micro, budget: number): Sample {
  if (setup) heap.call(setup);
  const first = timeCalls(heap, run, slice, warm, budget);
  const timed = first.complete ? timeCalls(heap, run, slice, calls, budget) : first;
  return { ...timed, footprint: heap.footprint, checksum: heap.checksum };
}

/** Calls an export `calls` times; stops between two of them when the budget is spent. */
function timeCalls(heap: Heap, run: string, slice: number, calls: number, budget: number) {
  const before = heap.operations;
  let elapsed = 0;
  let done = 0;
  while (done < calls && elapsed <= budget) {
    const start = now();
    heap.call(run, slice);
    elapsed += now() - start;
    done++;
  }
  const operations = heap.operations - before;
  return { nanoseconds: (elapsed * 1e6) / operations, operations, complete: done === calls };
}
