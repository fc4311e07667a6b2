/**
 * Figures of a collector. Counts are exact at the time of the call; heapLive counts whole windows of slots when the
 * cache takes them, so it is never less than what is really allocated. On a shared heap figures of the heap are over
 * all threads, and times are those of the thread that asks. Cost: some twenty wasm calls.
 */
import {
  type CollectorExports,
  STAT_ABANDONED,
  STAT_CARRIED_ON,
  STAT_CHECKED,
  STAT_COLLECTING,
  STAT_FREED_BYTES,
  STAT_FREED_OBJECTS,
  STAT_GC_PERCENT,
  STAT_GOAL,
  STAT_HANDLES,
  STAT_HEAP_LIVE,
  STAT_HEAP_MARKED,
  STAT_MEMORY_LIMIT,
  STAT_OVERFLOWS,
  STAT_PAGES,
  STAT_PINS,
  STAT_SCAN_WORK,
  STAT_SPECIALS,
  STAT_STEPS,
  STAT_STOP_BEGIN,
  STAT_STOP_END,
  STAT_TRIGGER,
  STAT_TYPES,
  STAT_UNCHECKED,
  UNBOUNDED,
} from "../base/gcabi.js";
import type { GCMemStats } from "../base/memstats.js";
import type { Recorder } from "./recorder.js";

/** Bytes of a page of the heap's. */
const PAGE_SIZE = 8192;
const NS_PER_MS = 1e6;

/** What a collector is doing: marking; sweeping, because spans of the last cycle are left; or nothing. */
export type GCPhase = "off" | "mark" | "sweep";

/** Statistics of a collector. Sizes are bytes, times as their names say. */
export interface GCStats extends GCMemStats {
  readonly phase: GCPhase;
  /** Bytes marked by the last cycle and allocated since, in slots and pages. */
  readonly heapLive: number;
  /** Bytes marked by the last cycle. */
  readonly heapMarked: number;
  /** heapLive at which the next cycle is due. Infinity: none. */
  readonly trigger: number;
  /** The longest single pause of this thread. */
  readonly maxPauseNs: number;
  /** True while the limiter holds cycles back. Always false on a shared heap. */
  readonly limited: boolean;
  /** Objects and bytes that the sweep after the last cycle has found dead so far. A tiny block is one. */
  readonly sweptObjects: number;
  readonly sweptBytes: number;
  /** Bytes scanned by the running or last cycle, and the number of pieces in which that was done. */
  readonly scanWork: number;
  readonly steps: number;
  /** Times that marking had no memory for its queue, and looked through all marked objects instead. */
  readonly overflows: number;
  /** Cycles that `checkmark` has checked, and cycles for which it had no memory. */
  readonly checked: number;
  readonly unchecked: number;
  readonly handles: number;
  /** Pinned objects. */
  readonly pins: number;
  /** Ranges that this collector has registered, shadow stacks included. */
  readonly roots: number;
  readonly types: number;
  /** What hangs on objects in the heap: cleanups, finalizers, weak pointers by address. */
  readonly specials: number;
  /** Callbacks of onCollect and setFinalizer of this thread that have not run. */
  readonly callbacks: number;
  /** Bytes of pages in spans, those of malloc's blocks included. */
  readonly heapInuse: number;
  /** How long the last cycle stopped the world at its begin and at its end. 0 in a heap of one thread. */
  readonly stopBeginNs: number;
  readonly stopEndNs: number;
  /**
   * Cycles that a thread's death has ended, and those that another thread has carried on. 0 in a heap of one thread.
   */
  readonly abandoned: number;
  readonly carriedOn: number;
}

/** What GCStats needs beside the recorder. */
export interface StatsSource {
  readonly exports: CollectorExports;
  readonly recorder: Recorder;
  readonly phase: GCPhase;
  readonly limited: boolean;
  readonly roots: number;
  readonly callbacks: number;
}

/** The figures of a collector now. */
export function readGCStats({ exports, recorder, phase, limited, roots, callbacks }: StatsSource): GCStats {
  const stat = (i: number): number => exports.gcStat(i);
  return {
    phase,
    ...readGCMemStats(exports, recorder),
    heapLive: stat(STAT_HEAP_LIVE),
    heapMarked: stat(STAT_HEAP_MARKED),
    trigger: bounded(stat(STAT_TRIGGER)),
    maxPauseNs: recorder.figures.longestPause * NS_PER_MS,
    limited,
    sweptObjects: stat(STAT_FREED_OBJECTS),
    sweptBytes: stat(STAT_FREED_BYTES),
    scanWork: stat(STAT_SCAN_WORK),
    steps: stat(STAT_STEPS),
    overflows: stat(STAT_OVERFLOWS),
    checked: stat(STAT_CHECKED),
    unchecked: stat(STAT_UNCHECKED),
    handles: stat(STAT_HANDLES),
    pins: stat(STAT_PINS),
    roots,
    types: stat(STAT_TYPES),
    specials: stat(STAT_SPECIALS),
    callbacks,
    heapInuse: stat(STAT_PAGES) * PAGE_SIZE,
    stopBeginNs: ns(stat(STAT_STOP_BEGIN)),
    stopEndNs: ns(stat(STAT_STOP_END)),
    abandoned: stat(STAT_ABANDONED),
    carriedOn: stat(STAT_CARRIED_ON),
  };
}

/** The part that Go's MemStats has. */
export function readGCMemStats(exports: CollectorExports, recorder: Recorder): GCMemStats {
  const { numGC, numForced, lastGC, pauseTotal } = recorder.figures;
  return {
    numGC,
    numForcedGC: numForced,
    nextGC: bounded(exports.gcStat(STAT_GOAL)),
    lastGC,
    pauseTotalNs: ns(pauseTotal),
    pauseNs: recorder.pauses().map(ns),
    pauseEnd: recorder.pauseEnds(),
    gcCPUFraction: recorder.utilization,
    enableGC: exports.gcStat(STAT_COLLECTING) !== 0,
    gcPercent: exports.gcStat(STAT_GC_PERCENT),
    memoryLimit: bounded(exports.gcStat(STAT_MEMORY_LIMIT)),
  };
}

function ns(ms: number): number {
  return Math.round(ms * NS_PER_MS);
}

function bounded(bytes: number): number {
  return bytes >= UNBOUNDED ? Number.POSITIVE_INFINITY : bytes;
}
