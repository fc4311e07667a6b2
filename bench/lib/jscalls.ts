/**
 * What a call from JavaScript costs: gomalloc's host API beside the bare exports of the same heap, of the peers,
 * and beside @thi.ng/malloc, which is JavaScript altogether.
 */

import { MemPool } from "@thi.ng/malloc";
import { type Case, timeCase } from "./benchmarkjs.ts";
import { ALLOCATORS, GOMALLOC } from "./catalog.ts";
import { heapBase, initialPages } from "./layout.ts";

/** Nanoseconds per call of one way to allocate. */
export interface JsRow {
  readonly name: string;
  /** malloc(64) and free, one after the other. */
  readonly pair: number;
  /** Random replacement among LIVE blocks. */
  readonly replacement: number;
}

interface Heap {
  malloc(size: number): number;
  free(ptr: number): unknown;
}

const PAIRS = 1000;
const LIVE = 256;
/** Slots to replace and sizes to ask for, drawn once; the same for every heap. */
const PLAN = Array.from({ length: PAIRS }, (_, i) => {
  const r = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  return { slot: (r >>> 8) % LIVE, size: 16 + ((r >>> 16) % 241) };
});

/**
 * Each heap gets functions of its own, compiled from text: one function for all heaps would see many kinds of
 * `heap`, and V8 would make its calls slower the later a heap's turn comes.
 */
function caseOf(name: string, heap: Heap, live: number[], body: string): Case {
  const make = new Function("heap", "live", "PLAN", `return () => { ${body} };`);
  return { name, operations: PAIRS * 2, run: make(heap, live, PLAN) as () => void };
}

function pairCase(name: string, heap: Heap): Case {
  return caseOf(name, heap, [], `for (let i = 0; i < ${PAIRS}; i++) heap.free(heap.malloc(64));`);
}

function replacementCase(name: string, heap: Heap): Case {
  const live = Array.from({ length: LIVE }, () => heap.malloc(64));
  const body = "for (const { slot, size } of PLAN) { heap.free(live[slot]); live[slot] = heap.malloc(size); }";
  return caseOf(name, heap, live, body);
}

/** Every way to allocate from JavaScript that can be had; names those that cannot. */
async function heaps(wants: (name: string) => boolean): Promise<{ name: string; heap: Heap }[]> {
  const rows: { name: string; heap: Heap }[] = [];
  if (wants(GOMALLOC.name) && (await GOMALLOC.module("timed"))) {
    const { createHeap } = await import("../../src/index.js");
    rows.push({ name: "gomalloc, host API", heap: createHeap() });
  }
  for (const allocator of ALLOCATORS) {
    if (allocator.kind === "naive" || allocator.kind === "bump" || !wants(allocator.name)) continue;
    const bytes = await allocator.module("timed");
    if (!bytes) continue;
    const memory = new WebAssembly.Memory({ initial: initialPages("timed") });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    const heap = instance.exports as unknown as Heap & { init(base: number): void };
    heap.init(heapBase("timed"));
    rows.push({ name: `${allocator.name}, bare exports`, heap });
  }
  rows.push({ name: "@thi.ng/malloc", heap: new MemPool({ size: 1 << 20 }) });
  return rows;
}

/** Times all of them. `seconds` is what benchmark.js may spend on one case. */
export async function measureJsCalls(wants: (name: string) => boolean, seconds: number): Promise<JsRow[]> {
  const rows: JsRow[] = [];
  for (const { name, heap } of await heaps(wants)) {
    const pair = await timeCase(pairCase(name, heap), seconds);
    const replacement = await timeCase(replacementCase(name, heap), seconds);
    rows.push({ name, pair, replacement });
  }
  return rows;
}
