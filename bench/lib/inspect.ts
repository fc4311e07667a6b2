/**
 * What gomalloc's heap looks like from inside while a trace is replayed. Asks the host flavour, which is the same
 * heap with statistics; nothing here is timed.
 */

import { GOMALLOC_HOST } from "./catalog.ts";
import { Heap } from "./instance.ts";
import { heapBase, initialPages } from "./layout.ts";
import { Op, walk } from "./trace.ts";
import type { Replay } from "./workloads.ts";

/** Words of the MemStats record, version 1, by index. */
const Word = {
  version: 0,
  sys: 1,
  heapAlloc: 5,
  mallocs: 7,
  tinyAllocs: 9,
  largeMallocs: 10,
  refills: 15,
  tinyBlocks: 32,
} as const;
const WORDS = 312;
const VERSION = 1n;

/** Requests from this size on have no class. */
const LARGE = 32760;
/** Requests below this size may be combined by the tiny allocator if they hold no pointers. */
const TINY = 16;

/** Findings for one trace. All shares are 0 to 1. */
export interface Inspection {
  readonly trace: string;
  /** At the peak of requested bytes: what was asked for, what the slots and pages given for it take, what was obtained. */
  readonly requested: number;
  readonly rounded: number;
  readonly obtained: number;
  /** 1 - requested / rounded. */
  readonly internal: number;
  /** 1 - rounded / obtained: free slots and pages, reserves, metadata. */
  readonly external: number;
  /** Allocations that found a slot in the mcache, over the whole trace. */
  readonly mcacheShare: number;
  /** Requests below 16 bytes, among all. */
  readonly tinyRequests: number;
  /** Objects saved by combining them: among themselves, and among all objects of the trace. */
  readonly tinySaved: number;
  readonly tinySavedOfAll: number;
  /** Waste by rounding to classes over all small requests of the trace, in bytes: 1 - requested / rounded. */
  readonly classWaste: number;
  /** The classes with more than 12.5 % mean waste, as size, share of the small requests, mean waste. */
  readonly wasteful: readonly { readonly size: number; readonly share: number; readonly waste: number }[];
}

/** Replays one trace through the host flavour and looks. */
export function inspect(module: WebAssembly.Module, bare: WebAssembly.Module, workload: Replay): Inspection {
  const { trace, peak, peakEvent, name } = workload;
  const heap = new Heap(module, "timed");
  heap.replay(trace, 0, peakEvent + 1);
  const atPeak = readStats(heap.memstats(WORDS));
  heap.replay(trace, peakEvent + 1);
  const atEnd = readStats(heap.memstats(WORDS));
  return {
    trace: name,
    requested: peak,
    rounded: atPeak.heapAlloc,
    obtained: atPeak.sys,
    internal: 1 - peak / atPeak.heapAlloc,
    external: 1 - atPeak.heapAlloc / atPeak.sys,
    mcacheShare: 1 - (atEnd.refills + atEnd.largeMallocs) / atEnd.mallocs,
    ...tiny(bare, workload),
    ...classWaste(bare, workload),
  };
}

type Stats = Record<keyof typeof Word, number>;

function readStats(words: BigUint64Array): Stats {
  if (words[Word.version] !== VERSION) throw new Error(`MemStats version ${words[Word.version]}, expected ${VERSION}`);
  return Object.fromEntries(Object.entries(Word).map(([key, index]) => [key, Number(words[index])])) as Stats;
}

interface HostExports {
  init(heapBase: number): void;
  malloc(size: number): number;
  free(ptr: number): void;
  malloc_usable_size(ptr: number): number;
  mallocgc(size: number, scan: number, needzero: number): number;
  memstats(): number;
}

function bareHeap(module: WebAssembly.Module): { heap: HostExports; memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial: initialPages("timed") });
  const heap = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as HostExports;
  heap.init(heapBase("timed"));
  return { heap, memory };
}

/**
 * The trace's requests below 16 bytes through mallocgc as pointer-free objects, in their order. A trace does not say
 * which objects hold pointers, so this is the most that combining can save.
 */
function tiny(
  module: WebAssembly.Module,
  { trace }: Replay,
): Pick<Inspection, "tinyRequests" | "tinySaved" | "tinySavedOfAll"> {
  const { heap, memory } = bareHeap(module);
  let all = 0;
  let small = 0;
  walk(trace, (_event, op, _before, after) => {
    if (op === Op.free || op === Op.realloc) return;
    all++;
    if (after >= TINY) return;
    small++;
    heap.mallocgc(after, 0, 1);
  });
  const at = heap.memstats() >>> 0;
  const { tinyBlocks } = readStats(new BigUint64Array(memory.buffer.slice(at, at + WORDS * 8)));
  return {
    tinyRequests: small / all,
    tinySaved: small ? 1 - tinyBlocks / small : 0,
    tinySavedOfAll: (small - tinyBlocks) / all,
  };
}

/** Rounding of every small request, by what malloc really gives for its size. */
function classWaste(module: WebAssembly.Module, { trace }: Replay): Pick<Inspection, "classWaste" | "wasteful"> {
  const { heap } = bareHeap(module);
  const rounded = new Uint32Array(LARGE + 1);
  const classes = new Map<number, { requests: number; bytes: number }>();
  let requests = 0;
  walk(trace, (_event, op, _before, after) => {
    if (op === Op.free || after > LARGE) return;
    let size = rounded[after]!;
    if (!size) {
      const ptr = heap.malloc(after) >>> 0;
      size = heap.malloc_usable_size(ptr) >>> 0;
      heap.free(ptr);
      rounded[after] = size;
    }
    const entry = classes.get(size) ?? { requests: 0, bytes: 0 };
    classes.set(size, { requests: entry.requests + 1, bytes: entry.bytes + after });
    requests++;
  });
  let asked = 0;
  let given = 0;
  for (const [size, entry] of classes) {
    asked += entry.bytes;
    given += size * entry.requests;
  }
  const rows = [...classes].map(([size, entry]) => ({
    size,
    share: entry.requests / requests,
    waste: 1 - entry.bytes / (size * entry.requests),
  }));
  const wasteful = rows.filter((row) => row.waste > 0.125).sort((a, b) => b.share - a.share);
  return { classWaste: 1 - asked / given, wasteful };
}

/**
 * The two modules that inspect() needs: the host flavour merged with the driver, and alone. Undefined if it has
 * not been built. What is returned compiles them, when the caller is ready for that.
 */
export async function inspectionModules(
  merge: (allocator: typeof GOMALLOC_HOST) => Promise<Uint8Array<ArrayBuffer> | undefined>,
): Promise<(() => { module: WebAssembly.Module; bare: WebAssembly.Module }) | undefined> {
  const driver = await merge(GOMALLOC_HOST);
  const alone = await GOMALLOC_HOST.module("timed");
  if (!driver || !alone) return undefined;
  return () => ({ module: new WebAssembly.Module(driver), bare: new WebAssembly.Module(alone) });
}
