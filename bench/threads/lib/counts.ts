/**
 * The counting run: the same workloads through the shared host flavour, which keeps counters; not timed.
 */

import { type Count, count } from "./measure.ts";
import type { Pool, Ready } from "./pool.ts";
import type { Threads, Workload } from "./workloads.ts";

/** Counters of one workload in a warm heap. */
export interface CountRow extends Count {
  readonly workload: string;
  readonly threads: Threads;
  /** Calls of the malloc family. */
  readonly calls: number;
}

/** Counts each workload on one and on two threads. */
export async function countAll(
  pool: Pool,
  counted: Ready,
  workloads: readonly Workload[],
  progress: (text: string) => void,
): Promise<CountRow[]> {
  const rows: CountRow[] = [];
  for (const workload of workloads) {
    for (const threads of [1, 2] as const) {
      progress(`counting ${workload.name}, threads: ${threads}`);
      const heap = await pool.open(counted, threads);
      const found = await count(heap, workload);
      await heap.close();
      // A block that was passed on is a malloc and a free.
      const calls = workload.unit === "block" ? found.operations * 2 : found.operations;
      rows.push({ ...found, workload: workload.name, threads, calls });
    }
  }
  return rows;
}

/** Acquisitions of the heap lock and of all mcentral locks per call. */
export function locksPerCall({ heap, central, calls }: CountRow): number {
  return (heap.acquisitions + central.acquisitions) / calls;
}

/**
 * Atomic instructions per call: two for a lock (compare-and-swap, exchange), one for a block freed by another P, one
 * more if its owner is told of its group, one for each group that an owner takes over.
 */
export function atomicsPerCall(row: CountRow): number {
  return 2 * locksPerCall(row) + (row.remote + row.pushed + row.taken) / row.calls;
}
