/**
 * The driver's own time, as one more contender: it gets from a list the addresses that dlmalloc gave for the same
 * calls (bench/assembly/floor). What is left is the replay itself and the cache misses of touching the blocks.
 */

import { Heap } from "./instance.ts";
import { WASM_PAGE } from "./layout.ts";
import { measure } from "./measure.ts";
import type { Contender } from "./rounds.ts";
import type { Workload } from "./workloads.ts";

/** The contender's name in tables. */
export const FLOOR = "driver";

/** Pages for the list: 4 bytes for each allocation of a measurement. */
const LOG_PAGES = 256;

interface Recording {
  readonly workload: string;
  readonly at: number;
  readonly addresses: Uint32Array;
  /** Pages that the memory had in the end. */
  readonly pages: number;
}

/** Runs the whole measurement once over dlmalloc and keeps every address it gave. */
function record(recorder: WebAssembly.Module, workload: Workload): Recording {
  const heap = new Heap(recorder, "timed");
  const at = heap.memory.grow(LOG_PAGES) * WASM_PAGE;
  heap.call("setLog", at);
  measure(heap, true, workload, Infinity);
  const end = heap.call("logEnd") >>> 0;
  if (end > at + LOG_PAGES * WASM_PAGE) throw new Error(`${workload.name}: more allocations than the list holds`);
  const addresses = new Uint32Array(heap.memory.buffer.slice(at, end));
  return { workload: workload.name, at, addresses, pages: heap.memory.buffer.byteLength / WASM_PAGE };
}

/** The contender. Records a workload when it meets it first; keeps one recording at a time. */
export function floor(modules: Record<"recorder" | "oracle", Uint8Array<ArrayBuffer>>): Contender {
  const recorder = new WebAssembly.Module(modules.recorder);
  const oracle = new WebAssembly.Module(modules.oracle);
  let last: Recording | undefined;
  return {
    allocator: { name: FLOOR, kind: "floor", aligns: true },
    open(workload) {
      if (last?.workload !== workload.name) last = record(recorder, workload);
      const heap = new Heap(oracle, "timed");
      heap.memory.grow(last.pages - heap.memory.buffer.byteLength / WASM_PAGE);
      new Uint32Array(heap.memory.buffer, last.at, last.addresses.length).set(last.addresses);
      heap.call("setLog", last.at);
      return heap;
    },
  };
}
