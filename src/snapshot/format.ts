/**
 * A snapshot as JSON: the words and fields that docs/map.md lists. Types and names alone; nothing here reads a heap.
 *
 * Version 1. Within it fields and words may be added; none is removed, and none changes its type or meaning.
 */
import type { Flavour } from "./layout.js";

/** The field `format` of every snapshot. */
export const SNAPSHOT_FORMAT = "gomalloc-heap";
export const SNAPSHOT_VERSION = 1;
/** Bytes of a page. */
export const PAGE_BYTES = 8192;

/**
 * What a span is for: blocks of malloc by size class, or of a class that was fitted to the program; objects of the
 * collector with pointers (scan) and without (noscan); blocks of the tiny allocator; heap.alloc of AssemblyScript
 * programs (raw); or one large block.
 */
export const SPAN_KINDS = ["malloc", "fitted", "scan", "noscan", "tiny", "raw", "large"] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/**
 * The state of a span, by bit. cached: a P allocates from it. listed: it waits in a list of spans with free slots.
 * retained: it has no live slot and is kept for its class. full: no slot is free. unswept: it may hold objects that the
 * last cycle found dead. deferred: it is freed, and waits for the heap lock. collected: a large object of the
 * collector's. scan: a large object that may hold pointers.
 */
export const SPAN_FLAGS = ["cached", "listed", "retained", "full", "unswept", "deferred", "collected", "scan"] as const;
export type SpanFlag = (typeof SPAN_FLAGS)[number];
/** The bit of a flag in a mask of them. */
export const flagBit = (flag: SpanFlag): number => 1 << SPAN_FLAGS.indexOf(flag);

/**
 * What pages without a span are. free: the page allocator has them. scavenged: free, and known to read as zero.
 * page-cache, run-cache: free, in one of the caches in front of it. metadata: the heap's own records. foreign: memory
 * between the heap's pages that is not the heap's.
 */
export const RUN_KINDS = ["free", "scavenged", "page-cache", "run-cache", "metadata", "foreign"] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/** A span: pages in use. */
export interface SpanJSON {
  /** Its first page: its address divided by pageSize. */
  readonly page: number;
  readonly pages: number;
  readonly kind: SpanKind;
  /** Line of `rows`; 0: a large block, which has none. */
  readonly row: number;
  /** Go's size class; 0: large, or one of heap.alloc. */
  readonly class: number;
  /** Bytes of a slot; of a large block, all of its pages. */
  readonly size: number;
  readonly slots: number;
  /** Slots in use. */
  readonly live: number;
  /** Base64: bit i % 8 of byte i / 8 says that slot i is live. Missing when all or none are, or it was not asked for. */
  readonly bits?: string;
  readonly flags?: readonly SpanFlag[];
  /** Shared heaps: number of the P that owns it; missing: nobody does. */
  readonly owner?: number;
}

/** Pages without a span. */
export interface RunJSON {
  readonly page: number;
  readonly pages: number;
  readonly kind: RunKind;
  /** Shared heaps: number of the P whose page cache has them. */
  readonly owner?: number;
}

/** A line of the mcache and the mcentral behind it, summed up over all Ps. Rows without a span are left out. */
export interface RowJSON {
  /** Its number in the flavour; 0: the large blocks, which have no row. */
  readonly row: number;
  readonly kind: SpanKind;
  readonly class: number;
  /** Bytes of a slot; 0 for large blocks. */
  readonly size: number;
  readonly spans: number;
  readonly pages: number;
  readonly slots: number;
  readonly live: number;
  /** Slots handed out since the heap was made; host flavours. */
  readonly mallocs?: number;
}

/**
 * Bytes and counts; those that MemStats has too have its names and its values. The blocks in which the collector's stacks
 * lie, MemStats' stackInuse, count here like all others.
 */
export interface TotalsJSON {
  /** Bytes that the heap obtained, metadata included. */
  readonly sys: number;
  /** Bytes of pages for spans: in spans, or free. */
  readonly heapSys: number;
  /** Bytes of spans. */
  readonly heapInuse: number;
  /** Bytes of free pages, cached ones included. */
  readonly heapIdle: number;
  /** Bytes of the free pages that are known to read as zero. */
  readonly scavenged: number;
  /** Bytes of live blocks, each with its whole slot or pages. */
  readonly heapAlloc: number;
  /** Live blocks. A block of the tiny allocator counts once, whatever is in it. */
  readonly heapObjects: number;
  /** Bytes of spans without a live slot that are kept for their class; part of heapInuse. */
  readonly heapRetained: number;
  readonly spansInUse: number;
  readonly largeLiveBytes: number;
  /** Bytes of span records, without the collector's marks. */
  readonly mspanInuse: number;
  /** Bytes obtained for anything but spans and free pages: sys - heapSys. */
  readonly overhead: number;
  /** Bytes of pages of records. */
  readonly metadata: number;
  /** Bytes of pages between the heap's that are not the heap's. */
  readonly foreign: number;
}

/** A P of a shared heap. */
export interface PJSON {
  readonly id: number;
  readonly state: "unused" | "idle" | "running" | "blocked" | "stopping" | "dead" | "starting";
  /** The thread that has it; 0: none. */
  readonly token: number;
  /** Pages of the small spans that it owns. */
  readonly ownedPages: number;
  readonly remoteFrees: number;
  readonly groupsPushed: number;
  readonly groupsTaken: number;
  readonly lateDoubleFrees: number;
  readonly spansTaken: number;
  readonly spansGiven: number;
}

/** A block that a profiler has sampled. The reader knows none: whoever calls it may add them. */
export interface SampledBlock {
  readonly address: number;
  /** Bytes asked for. */
  readonly size: number;
  /** Milliseconds since its allocation. */
  readonly age?: number;
  /** Frames of its allocation, the innermost first. */
  readonly stack?: readonly string[];
}

/** What could not be read, because another thread was changing it or it is damaged. */
export interface SkippedJSON {
  readonly count: number;
  /** The first of them. */
  readonly first: readonly { readonly address: number; readonly what: string }[];
}

export interface SnapshotJSON {
  readonly format: typeof SNAPSHOT_FORMAT;
  readonly version: typeof SNAPSHOT_VERSION;
  /** Milliseconds of Unix time. */
  readonly time: number;
  /** What somebody wrote on it. */
  readonly label?: string;
  readonly flavour: Flavour;
  /** Address of the heap's record. */
  readonly address: number;
  readonly memoryBytes: number;
  readonly pageSize: number;
  /** The pages that are described: from `start` up to `end`, which is not one of them. */
  readonly start: number;
  readonly end: number;
  readonly totals: TotalsJSON;
  readonly rows: readonly RowJSON[];
  /** In address order, as `runs`; together they are all pages from `start` to `end`. */
  readonly spans: readonly SpanJSON[];
  readonly runs: readonly RunJSON[];
  readonly ps?: readonly PJSON[];
  readonly skipped: SkippedJSON;
  readonly samples?: readonly SampledBlock[];
}
