/**
 * MemStats: the heap's statistics, in the spirit and with the names of Go's runtime.MemStats.
 *
 * wasm fills a record of little-endian u64 words (scripts/abi.ts has the layout); this file reads it.
 * Counts are exact at the time of the call. Cost: wasm walks all spans; reading is O(classes).
 */

import { MEMSTATS_CLASS_WORDS, MEMSTATS_CLASSES, MEMSTATS_FIELDS, MEMSTATS_VERSION } from "./abinumbers.js";

export { MEMSTATS_VERSION };

const NUM_SIZE_CLASSES = 68;

/** Size of the record. */
export const MEMSTATS_BYTES = (MEMSTATS_CLASSES + NUM_SIZE_CLASSES * MEMSTATS_CLASS_WORDS) * 8;

/** Statistics of one size class. Class 0 stands for large objects. */
export interface SizeClassStats {
  /** Bytes per object of the class; 0 for class 0. */
  readonly size: number;
  /** Objects ever allocated. */
  readonly mallocs: number;
  /** Objects ever freed. */
  readonly frees: number;
  /** Spans in use. */
  readonly spans: number;
}

/** How often a stage could serve what it was asked for, and how often it had to ask the next one. */
export interface StageStats {
  readonly hits: number;
  readonly misses: number;
}

/** The stages of allocation, from the cache to the host's memory. */
export interface Stages {
  /** A tiny object found room in the current 16-byte block; a miss opens a new block. */
  readonly tiny: StageStats;
  /** A slot was in the mcache's group; a miss is a refill. */
  readonly mcache: StageStats;
  /** A refill found slots in the span at hand, in another of its groups. */
  readonly span: StageStats;
  /** The mcentral had a span with free slots; a miss takes a new span from the page heap. */
  readonly mcentral: StageStats;
  /** The page cache had the run of pages; a miss refills it from the page allocator. */
  readonly pageCache: StageStats;
  /** Runs that the page allocator gave out; a miss is a growth of the memory, refused ones included. */
  readonly pageHeap: StageStats;
}

/**
 * The part of a heap's statistics that its collector has: all 0, and no pauses, in a heap whose `collector` nobody has
 * used; the settings are the defaults there.
 */
export interface GCMemStats {
  /** Cycles whose marking has ended, since the collector was made; those that collect() and start() asked for. */
  readonly numGC: number;
  readonly numForcedGC: number;
  /** The goal: bytes live that the running or next cycle is meant to end with. Infinity: none. */
  readonly nextGC: number;
  /** End of the last cycle, milliseconds of Unix time; 0: none. */
  readonly lastGC: number;
  /** Time in calls that began cycles, marked, or paid for marking as they allocated. */
  readonly pauseTotalNs: number;
  /** The same of the last 256 cycles, one figure a cycle: the one of the last cycle is at (numGC + 255) % 256. */
  readonly pauseNs: readonly number[];
  /** Ends of these cycles, milliseconds of Unix time. */
  readonly pauseEnd: readonly number[];
  /** Share of the time since the collector was made that went into it, sweeping included: 0 to 1. */
  readonly gcCPUFraction: number;
  /** Whether cycles begin by themselves: the collector's setting `auto`. */
  readonly enableGC: boolean;
  /** The collector's settings in force: -1 is "off", Infinity no limit. */
  readonly gcPercent: number;
  readonly memoryLimit: number;
}

/** A heap whose collector nobody has used. */
const NO_GC: GCMemStats = {
  numGC: 0,
  numForcedGC: 0,
  nextGC: 0,
  lastGC: 0,
  pauseTotalNs: 0,
  pauseNs: [],
  pauseEnd: [],
  gcCPUFraction: 0,
  enableGC: false,
  gcPercent: 100,
  memoryLimit: Number.POSITIVE_INFINITY,
};

/**
 * Statistics of a heap: every field of Go's runtime.MemStats, and what this heap has besides. Sizes are bytes.
 *
 * Always, exactly: sys = heapSys + stackSys + mspanSys + mcacheSys + buckHashSys + gcSys + otherSys; heapSys =
 * heapInuse + heapIdle; heapObjects = mallocs - frees.
 */
export interface MemStats extends GCMemStats {
  /** Layout of the record: 1. */
  readonly version: number;
  /** All memory that the heap obtained, metadata included. */
  readonly sys: number;
  /** Memory obtained for spans: in use, idle, or not yet given out. */
  readonly heapSys: number;
  /** Bytes in spans that are in use or retained, without stackInuse. */
  readonly heapInuse: number;
  /** Bytes in pages that belong to no span. */
  readonly heapIdle: number;
  /**
   * Of heapIdle, bytes in pages that hold no memory of the system's: nobody has used them since the memory grew, or a
   * scavenger (gomalloc/scavenge) has given them back.
   */
  readonly heapReleased: number;
  /** Bytes of live objects, each rounded up to its class or its pages, without stackInuse. */
  readonly heapAlloc: number;
  /** heapAlloc, by its other name in Go. */
  readonly alloc: number;
  /** Bytes of all objects ever allocated. */
  readonly totalAlloc: number;
  /** Objects ever allocated. */
  readonly mallocs: number;
  /** Objects ever freed. */
  readonly frees: number;
  /** Live objects: mallocs - frees. Every tiny object counts, because it cannot be freed by hand. */
  readonly heapObjects: number;
  /** Objects that the tiny allocator put into a 16-byte block with others: objects saved. */
  readonly tinyAllocs: number;
  /** Blocks that the tiny allocator opened. */
  readonly tinyBlocks: number;
  /** Large objects (more than 32768 bytes) ever allocated. */
  readonly largeMallocs: number;
  /** Large objects ever freed. */
  readonly largeFrees: number;
  /** Bytes of live large objects. */
  readonly largeLiveBytes: number;
  /**
   * Bytes of the collector's stacks of roots: shadow stacks, and other ranges that were registered with a stack
   * pointer and lie in live blocks. They were allocated like any block, so mallocs and bySize count those blocks.
   */
  readonly stackInuse: number;
  /** stackInuse: the stacks of the program itself are not the heap's. */
  readonly stackSys: number;
  /** Bytes of the records of spans in use. */
  readonly mspanInuse: number;
  /** The same, and the records of dead spans, which the next spans take. */
  readonly mspanSys: number;
  /** Bytes of the mcaches, one for each P; a heap of one thread has one P. */
  readonly mcacheInuse: number;
  /** Bytes of the pages that they lie in. */
  readonly mcacheSys: number;
  /** Bytes of the profile's tables: samples, stacks, names; 0 without a profile. */
  readonly buckHashSys: number;
  /** Bytes of what the collector has: marks, pointer maps, work buffers, handles, pins, types, root ranges. */
  readonly gcSys: number;
  /** Bytes of the rest: the heap's own record, tables of pages, and what is spare between records. */
  readonly otherSys: number;
  /** 0, as in Go: pointer lookups are not counted. */
  readonly lookups: number;
  /** False, as in Go, where nothing uses it. */
  readonly debugGC: boolean;
  /** Mallocs for which the mcache's group had no slot. */
  readonly refills: number;
  /** Windows that the mcache made of frees into its own group, without a refill. */
  readonly groupRefills: number;
  /** Refills from another group of the same span. */
  readonly spanRefills: number;
  /** Refills for which the mcentral had a span. */
  readonly centralHits: number;
  /** Refills that took a new span. */
  readonly centralGrows: number;
  /** Runs of pages that the page cache served. */
  readonly pageCacheHits: number;
  /** Times that the page cache had to take another chunk's free pages. */
  readonly pageCacheRefills: number;
  /** Runs of pages that the page allocator's tree served. */
  readonly pageAllocs: number;
  /** Growths of the memory by the heap. */
  readonly sysGrows: number;
  /** Growths that were refused. */
  readonly sysGrowFailures: number;
  /** Times that retained empty spans were given back to make room. */
  readonly reclaims: number;
  /** Reallocs that kept the address. */
  readonly reallocInPlace: number;
  /** Reallocs that copied. */
  readonly reallocMoves: number;
  /** Bytes that were asked for as zero and known to be zero. */
  readonly zeroedBytesSkipped: number;
  /** Bytes that were asked for as zero and had to be cleared. */
  readonly zeroedBytesCleared: number;
  /** Misused calls of free and realloc. */
  readonly misuses: number;
  /** Spans in use or retained. */
  readonly spansInUse: number;
  /** Bytes in spans without a live object that are kept for their class; part of heapInuse. */
  readonly heapRetained: number;
  /** By size class, 0 to 67. */
  readonly bySize: readonly SizeClassStats[];
  /** Hits and misses of each stage, derived from the counts above. */
  readonly stages: Stages;
}

/** The record at `address`, where `view` shows the whole memory. The record does not have `heapReleased`, bytes. Throws RangeError when its version is another. */
export function readMemStats(view: DataView, address: number, heapReleased: number, gc: GCMemStats = NO_GC): MemStats {
  const word = (index: number): number => Number(view.getBigUint64(address + index * 8, true));
  const version = word(0);
  if (version !== MEMSTATS_VERSION) throw new RangeError(`MemStats has version ${version}, not ${MEMSTATS_VERSION}`);

  const counts = Object.fromEntries(MEMSTATS_FIELDS.map((name, index) => [name, word(1 + index)])) as Record<
    (typeof MEMSTATS_FIELDS)[number],
    number
  >;
  const bySize = Array.from({ length: NUM_SIZE_CLASSES }, (_, sizeClass) => {
    const at = MEMSTATS_CLASSES + sizeClass * MEMSTATS_CLASS_WORDS;
    return { size: word(at), mallocs: word(at + 1), frees: word(at + 2), spans: word(at + 3) };
  });
  return {
    version,
    ...counts,
    alloc: counts.heapAlloc,
    heapReleased,
    heapObjects: counts.mallocs - counts.frees,
    stackSys: counts.stackInuse,
    lookups: 0,
    debugGC: false,
    bySize,
    stages: stagesOf(counts),
    ...gc,
  };
}

function stagesOf(counts: Record<(typeof MEMSTATS_FIELDS)[number], number>): Stages {
  const refilled = counts.spanRefills + counts.centralHits + counts.centralGrows;
  // Mallocs that took a slot; those of a refill that found no memory are not among them.
  const slots = counts.mallocs - counts.tinyAllocs - counts.largeMallocs;
  return {
    tiny: { hits: counts.tinyAllocs, misses: counts.tinyBlocks },
    mcache: { hits: slots - refilled, misses: counts.refills },
    span: { hits: counts.spanRefills, misses: counts.refills - counts.spanRefills },
    mcentral: { hits: counts.centralHits, misses: counts.centralGrows },
    pageCache: { hits: counts.pageCacheHits, misses: counts.pageCacheRefills },
    pageHeap: { hits: counts.pageAllocs, misses: counts.sysGrows + counts.sysGrowFailures },
  };
}
