/**
 * Heaps over the test flavour, whose every cycle is checked by a second marking: it traps when an object in use is not
 * marked, so that a lost barrier fails at the end of the cycle, not when somebody misses the object.
 */
import { expect } from "vitest";
import { bindExports, M_MISUSE, MISUSE_RETURN } from "../../../src/base/abi.ts";
import { STAT_BUFFERS, STAT_CHECKED, STAT_OVERFLOWS, STAT_UNCHECKED } from "../../../src/base/abinumbers.ts";
import { Heap } from "../../../src/heap/heap.ts";
import type { Collector, CollectorOptions, GCType } from "../../../src/index.ts";
import { wasmModule } from "../../support/wasm.ts";

export { STAT_BUFFERS, STAT_CHECKED, STAT_OVERFLOWS, STAT_UNCHECKED };

/** Exports that the host API does not use. */
export interface RawExports {
  gcStat(i: number): number;
  marked(ptr: number): number;
  spanOf(ptr: number): number;
  classSize(c: number): number;
  free(ptr: number): void;
  free_sized(ptr: number, size: number): void;
  realloc(ptr: number, size: number): number;
}

export interface GCHeap {
  readonly heap: Heap;
  readonly gc: Collector;
  readonly raw: RawExports;
}

export interface GCHeapOptions extends CollectorOptions {
  /** Most bytes of the heap; default no limit. */
  maxBytes?: number;
  /** Wasm pages at the start; default 2. */
  initial?: number;
  /** Called in each piece of marking that the host asks for. */
  onStep?: () => void;
}

/** A heap of its own, with checked cycles. */
export function openGC(options: GCHeapOptions = {}): GCHeap {
  const { maxBytes, initial = 2, onStep, ...settings } = options;
  const memory = new WebAssembly.Memory({ initial });
  const instance = new WebAssembly.Instance(wasmModule("test"), { env: { memory } });
  const exports = bindExports(instance);
  exports.mallopt(M_MISUSE, MISUSE_RETURN);
  exports.init(1024);
  exports.memstats();
  const collector = { ...exports.collector! };
  if (onStep !== undefined) {
    const { gcStep } = collector;
    collector.gcStep = (budget) => {
      onStep();
      return gcStep(budget);
    };
  }
  const heap = new Heap({ ...exports, collector }, memory, true, undefined, settings);
  (instance.exports["setCheckmark"] as (on: number) => void)(1);
  if (maxBytes !== undefined) heap.setLimits({ maxBytes });
  return { heap, gc: heap.collector, raw: instance.exports as unknown as RawExports };
}

/** The layout of most tests' objects. */
export const NODE = { size: 12, pointers: { next: 4, other: 8 } } as const;

/** A heap with checked cycles, by its parts, and the type of NODE in it. */
export function openNodes(options: GCHeapOptions = {}): GCHeap & { o: GCHeap; Node: GCType<"next" | "other"> } {
  const o = openGC(options);
  return { ...o, o, Node: o.gc.defineType(NODE) };
}

/** Collects, and sees that the heap is whole and the cycle was checked. */
export function collectChecked({ heap, gc, raw }: GCHeap): void {
  const before = raw.gcStat(STAT_CHECKED) + raw.gcStat(STAT_UNCHECKED);
  gc.collect();
  expect(raw.gcStat(STAT_CHECKED) + raw.gcStat(STAT_UNCHECKED)).toBeGreaterThan(before);
  heap.validate({ deep: true });
}

/** Bytes of live objects and blocks, those of shadow stacks included. */
export function liveBytes({ heap }: GCHeap): number {
  const { heapAlloc, stackInuse } = heap.stats();
  return heapAlloc + stackInuse;
}
