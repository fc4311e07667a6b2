/**
 * Figures of a collector. Counts are exact at the time of the call; heapLive counts whole windows of slots as they are
 * handed to the cache, so that it is never less than what is really allocated. Cost: some twenty wasm calls.
 */

import {
  type CollectorExports,
  STAT_CHECKED,
  STAT_FREED_BYTES,
  STAT_FREED_OBJECTS,
  STAT_GOAL,
  STAT_HANDLES,
  STAT_HEAP_LIVE,
  STAT_HEAP_MARKED,
  STAT_OVERFLOWS,
  STAT_PAGES,
  STAT_PINS,
  STAT_SCAN_WORK,
  STAT_STEPS,
  STAT_TRIGGER,
  STAT_TYPES,
  STAT_UNCHECKED,
} from "../base/gcabi.js";
import type { GCMemStats } from "../base/memstats.js";
import type { Recorder } from "./recorder.js";

/** Bytes of a page of the heap's. */
const PAGE_SIZE = 8192;
/** Above this a figure of gcStat says "none". */
const UNBOUNDED = 2 ** 63;
const NS_PER_MS = 1e6;

/** Where a collector is: marking; between two cycles with spans left to sweep; or at rest. */
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
  /** The longest single such call. */
  readonly maxPauseNs: number;
  /** True while the limiter holds cycles back. */
  readonly limited: boolean;
  /** Objects and bytes that the sweep behind the last cycle has found dead so far. A tiny block is one. */
  readonly sweptObjects: number;
  readonly sweptBytes: number;
  /** Bytes scanned, and pieces that it was done in, by the running or last cycle. */
  readonly scanWork: number;
  readonly steps: number;
  /** Times that marking had no memory for its queue, and looked through all marked objects instead. */
  readonly overflows: number;
  /** Cycles that `checkmark` has checked, and cycles that found no memory for it. */
  readonly checked: number;
  readonly unchecked: number;
  readonly handles: number;
  /** Pinned objects. */
  readonly pins: number;
  /** Registered ranges, shadow stacks included. */
  readonly roots: number;
  readonly types: number;
  /** Bytes of pages in spans, of malloc's blocks too. */
  readonly heapInuse: number;
}

/** What GCStats needs beside the recorder. */
export interface StatsSource {
  readonly exports: CollectorExports;
  readonly recorder: Recorder;
  readonly phase: GCPhase;
  readonly limited: boolean;
  readonly roots: number;
}

/** The figures of a collector now. */
export function readGCStats({ exports, recorder, phase, limited, roots }: StatsSource): GCStats {
  const stat = (i: number): number => exports.gcStat(i);
  return {
    phase,
    ...readGCMemStats(exports, recorder),
    heapLive: stat(STAT_HEAP_LIVE),
    heapMarked: stat(STAT_HEAP_MARKED),
    trigger: bounded(stat(STAT_TRIGGER)),
    maxPauseNs: recorder.longestPause * NS_PER_MS,
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
    heapInuse: stat(STAT_PAGES) * PAGE_SIZE,
  };
}

/** The part that Go's MemStats has. */
export function readGCMemStats(exports: CollectorExports, recorder: Recorder): GCMemStats {
  const ns = (ms: number): number => Math.round(ms * NS_PER_MS);
  return {
    numGC: recorder.numGC,
    numForcedGC: recorder.numForcedGC,
    nextGC: bounded(exports.gcStat(STAT_GOAL)),
    lastGC: recorder.lastGC,
    pauseTotalNs: ns(recorder.pauseTotal),
    pauseNs: recorder.pauses().map(ns),
    pauseEnd: recorder.pauseEnds(),
    gcCPUFraction: recorder.utilization,
  };
}

function bounded(bytes: number): number {
  return bytes >= UNBOUNDED ? Number.POSITIVE_INFINITY : bytes;
}
