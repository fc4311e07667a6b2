/** What the metrics are read from: any object with the stats() of a Heap or a SharedHeap. */
import { callable, object, reading } from "../base/check.js";
import type { MemStats } from "../base/memstats.js";
import type { LockStats, PStats } from "../shared/stats.js";

/** The statistics of a heap; those of a shared heap have its locks and Ps besides. */
export interface HeapFigures extends MemStats {
  readonly locks?: readonly LockStats[];
  readonly ps?: readonly PStats[];
}

/** A Heap, a SharedHeap, or a stand-in for one. */
export interface HeapSource {
  stats(): HeapFigures;
}

/** `heap` when it has statistics. Throws TypeError. */
export function checkSource(heap: HeapSource): HeapSource {
  object(heap, "heap");
  callable(
    reading("heap.stats", () => heap.stats),
    "heap.stats",
  );
  return heap;
}

/** Bytes obtained, by what they are for: nothing is counted twice, and the sum is `sys`. */
export interface MemoryParts {
  /** Live blocks, as large as their slots. */
  readonly live: number;
  /** Free slots in spans in use. */
  readonly slack: number;
  /** Pages in no span. */
  readonly idle: number;
  /** Registered stacks. */
  readonly stacks: number;
  /** The collector's marks and tables. */
  readonly collector: number;
  /** All other records. */
  readonly records: number;
}

export function partsOf(stats: HeapFigures): MemoryParts {
  return {
    live: stats.heapAlloc,
    slack: stats.heapInuse - stats.heapAlloc,
    idle: stats.heapIdle,
    stacks: stats.stackSys,
    collector: stats.gcSys,
    records: stats.mspanSys + stats.mcacheSys + stats.buckHashSys + stats.otherSys,
  };
}
