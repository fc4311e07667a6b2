/**
 * The metrics of a heap: their names, kinds and help, and how each is read from the statistics. Names that begin with
 * go_ are those of Go's Prometheus client, with its meaning, so that dashboards for Go programs show a heap; what Go
 * has not begins with gomalloc_. Tables only.
 */
import type { HeapFigures } from "./source.js";

/** One value of a family: labels of its own, and a suffix of the name where the kind has such. */
export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly suffix?: "_sum" | "_count";
}

type NumberField = { [K in keyof HeapFigures]-?: HeapFigures[K] extends number ? K : never }[keyof HeapFigures];

/** Metrics of one name. */
export interface Family {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "summary";
  readonly help: string;
  /** The one field of the statistics that it is. */
  readonly field?: NumberField;
  /** The samples of a heap; none when the heap has no such figure. */
  readonly read: (stats: HeapFigures) => readonly Sample[];
}

/** Bytes of a page of the heap's. */
const PAGE_SIZE = 8192;

function one(name: string, kind: "counter" | "gauge", field: NumberField, help: string): Family {
  return { name, kind, help, field, read: (stats) => [{ value: stats[field] }] };
}

const gauge = (name: string, field: NumberField, help: string): Family => one(name, "gauge", field, help);
const counter = (name: string, field: NumberField, help: string): Family => one(name, "counter", field, help);

const GO: readonly Family[] = [
  gauge("go_memstats_alloc_bytes", "alloc", "Bytes of live blocks, each as large as its slot."),
  counter("go_memstats_alloc_bytes_total", "totalAlloc", "Bytes of all blocks ever allocated."),
  gauge("go_memstats_sys_bytes", "sys", "Bytes that the heap has obtained, metadata included."),
  counter("go_memstats_mallocs_total", "mallocs", "Blocks ever allocated."),
  counter("go_memstats_frees_total", "frees", "Blocks ever freed."),
  gauge("go_memstats_heap_alloc_bytes", "heapAlloc", "Bytes of live blocks, as go_memstats_alloc_bytes."),
  gauge("go_memstats_heap_sys_bytes", "heapSys", "Bytes obtained for blocks: in use and idle."),
  gauge("go_memstats_heap_idle_bytes", "heapIdle", "Bytes of pages in no span."),
  gauge("go_memstats_heap_inuse_bytes", "heapInuse", "Bytes of pages in spans."),
  gauge("go_memstats_heap_released_bytes", "heapReleased", "Bytes in free pages that hold no memory of the system's."),
  gauge("go_memstats_heap_objects", "heapObjects", "Live blocks."),
  gauge("go_memstats_stack_inuse_bytes", "stackInuse", "Bytes of registered stacks in live blocks."),
  gauge("go_memstats_stack_sys_bytes", "stackSys", "Bytes obtained for registered stacks."),
  gauge("go_memstats_mspan_inuse_bytes", "mspanInuse", "Bytes of the records of spans in use."),
  gauge("go_memstats_mspan_sys_bytes", "mspanSys", "Bytes of all records of spans."),
  gauge("go_memstats_mcache_inuse_bytes", "mcacheInuse", "Bytes of the mcaches."),
  gauge("go_memstats_mcache_sys_bytes", "mcacheSys", "Bytes obtained for mcaches."),
  gauge("go_memstats_buck_hash_sys_bytes", "buckHashSys", "Bytes of the profile's table of stacks."),
  gauge("go_memstats_gc_sys_bytes", "gcSys", "Bytes of the collector's marks and tables."),
  gauge("go_memstats_other_sys_bytes", "otherSys", "Bytes obtained for all else."),
  gauge("go_memstats_next_gc_bytes", "nextGC", "Bytes live that the next collection is to end with."),
  {
    name: "go_memstats_last_gc_time_seconds",
    kind: "gauge",
    help: "When the last collection ended, seconds of Unix time; 0 if there was none.",
    read: ({ lastGC }) => [{ value: lastGC / 1000 }],
  },
  gauge("go_gc_gogc_percent", "gcPercent", "The setting gcPercent; -1 is off."),
  gauge("go_gc_gomemlimit_bytes", "memoryLimit", "The setting memoryLimit."),
  gauge("go_memstats_gc_cpu_fraction", "gcCPUFraction", "Share of the time that went into collections, 0 to 1."),
  {
    name: "go_gc_duration_seconds",
    kind: "summary",
    help: "Pauses of the last 256 collections by quantile; sum and count of all.",
    read: readPauses,
  },
];

const OWN: readonly Family[] = [
  counter("gomalloc_gc_forced_total", "numForcedGC", "Collections that the program asked for."),
  counter("gomalloc_misuses_total", "misuses", "Calls of free and realloc with a pointer that they cannot take."),
  gauge("gomalloc_spans_in_use", "spansInUse", "Spans in use or retained."),
  gauge("gomalloc_heap_retained_bytes", "heapRetained", "Bytes in spans without a live block, kept for their class."),
  gauge("gomalloc_large_live_bytes", "largeLiveBytes", "Bytes of live blocks of more than 32768 bytes."),
  counter("gomalloc_large_mallocs_total", "largeMallocs", "Blocks of more than 32768 bytes ever allocated."),
  counter("gomalloc_large_frees_total", "largeFrees", "Blocks of more than 32768 bytes ever freed."),
  counter("gomalloc_memory_grows_total", "sysGrows", "Growths of the memory by the heap."),
  counter("gomalloc_memory_grow_failures_total", "sysGrowFailures", "Growths of the memory that were refused."),
  counter("gomalloc_reclaims_total", "reclaims", "Times that retained spans were given back to make room."),
  counter("gomalloc_realloc_in_place_total", "reallocInPlace", "Reallocs that kept the address."),
  counter("gomalloc_realloc_moves_total", "reallocMoves", "Reallocs that copied."),
  {
    name: "gomalloc_stage_hits_total",
    kind: "counter",
    help: "Requests that a stage of allocation could serve.",
    read: ({ stages }) => Object.entries(stages).map(([stage, { hits }]) => ({ value: hits, labels: { stage } })),
  },
  {
    name: "gomalloc_stage_misses_total",
    kind: "counter",
    help: "Requests that a stage of allocation passed on to the next one.",
    read: ({ stages }) => Object.entries(stages).map(([stage, { misses }]) => ({ value: misses, labels: { stage } })),
  },
];

/** Only shared heaps have these. */
const SHARED: readonly Family[] = [
  {
    name: "gomalloc_lock_acquisitions_total",
    kind: "counter",
    help: "Times that a lock was taken: 0 is the heap lock, others are of mcentrals.",
    read: ({ locks = [] }) =>
      locks.map(({ index, acquisitions }) => ({ value: acquisitions, labels: { lock: String(index) } })),
  },
  {
    name: "gomalloc_lock_contended_total",
    kind: "counter",
    help: "Times that a lock was another thread's at first.",
    read: ({ locks = [] }) =>
      locks.map(({ index, contended }) => ({ value: contended, labels: { lock: String(index) } })),
  },
  {
    name: "gomalloc_remote_frees_total",
    kind: "counter",
    help: "Blocks of other Ps that a P has freed.",
    read: ({ ps = [] }) => ps.map(({ p, remoteFrees }) => ({ value: remoteFrees, labels: { p: String(p) } })),
  },
  {
    name: "gomalloc_late_double_frees_total",
    kind: "counter",
    help: "Blocks of a P freed twice by different threads, found later.",
    read: ({ ps = [] }) => ps.map(({ p, lateDoubleFrees }) => ({ value: lateDoubleFrees, labels: { p: String(p) } })),
  },
  {
    name: "gomalloc_p_owned_bytes",
    kind: "gauge",
    help: "Bytes of the small spans that a P owns.",
    read: ({ ps = [] }) => ps.map(({ p, pagesOwned }) => ({ value: pagesOwned * PAGE_SIZE, labels: { p: String(p) } })),
  },
];

/** By size class, when asked for. */
const BY_SIZE: readonly Family[] = [
  byClass("gomalloc_class_mallocs_total", "counter", "Blocks of a size class ever allocated.", (row) => row.mallocs),
  byClass("gomalloc_class_frees_total", "counter", "Blocks of a size class ever freed.", (row) => row.frees),
  byClass("gomalloc_class_spans", "gauge", "Spans of a size class in use.", (row) => row.spans),
];

/** Labels that the families have of their own. */
export const OWN_LABELS: readonly string[] = ["quantile", "stage", "lock", "p", "size"];

/** All families in the order in which they are printed. */
export function families(bySize: boolean): readonly Family[] {
  return bySize ? [...GO, ...OWN, ...SHARED, ...BY_SIZE] : [...GO, ...OWN, ...SHARED];
}

function byClass(
  name: string,
  kind: "counter" | "gauge",
  help: string,
  value: (row: HeapFigures["bySize"][number]) => number,
): Family {
  return {
    name,
    kind,
    help,
    read: ({ bySize }) => bySize.slice(1).map((row) => ({ value: value(row), labels: { size: String(row.size) } })),
  };
}

/** Quantiles as Go's client has them: the least, the quarters, the largest of the pauses that are kept. */
function readPauses({ numGC, pauseNs, pauseTotalNs }: HeapFigures): Sample[] {
  const kept = pauseNs.slice(0, Math.min(numGC, pauseNs.length)).sort((a, b) => a - b);
  const quantile = (q: number) => (kept.length === 0 ? 0 : kept[Math.round((kept.length - 1) * q)]! / 1e9);
  return [
    ...[0, 0.25, 0.5, 0.75, 1].map((q) => ({ value: quantile(q), labels: { quantile: String(q) } })),
    { value: pauseTotalNs / 1e9, suffix: "_sum" },
    { value: numGC, suffix: "_count" },
  ];
}
