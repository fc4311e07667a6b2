/**
 * A fresh instance of driver + allocator, and the one place that calls into it.
 */

import { now } from "./clock.ts";
import { heapBase, type Mode } from "./layout.ts";
import type { Trace } from "./trace.ts";

/** Events per piece: 64 KiB, the size of the driver's window. */
const PIECE = 8192;

interface DriverExports {
  memory: WebAssembly.Memory;
  init(heapBase: number): void;
  seed(value: number): void;
  setHeapBase(base: number): void;
  windowAddress(): number;
  replay(events: number, slots: number): void;
  checksum(): number;
  operationCount(): number;
  failureCount(): number;
  failureKind(): number;
  peakLiveBytes(): number;
  memstats?(): number;
}

/** Kinds of failed checks, as numbered in bench/assembly/driver/blocks.ts. */
const FAILURES = ["none", "misaligned", "out of range", "contents overwritten", "calloc not zero", "lost by realloc"];

/** One heap, from its first call to its last. Throws what the wasm code throws (a trap when memory runs out). */
export class Heap {
  readonly #exports: DriverExports;
  readonly #base: number;

  constructor(module: WebAssembly.Module, mode: Mode) {
    this.#base = heapBase(mode);
    this.#exports = new WebAssembly.Instance(module).exports as unknown as DriverExports;
    this.#exports.init(this.#base);
    this.#exports.setHeapBase(this.#base);
    this.#exports.seed(1);
  }

  /** Calls an export by its name: a workload, mostly. */
  call(name: string, argument = 0): number {
    const entry = (this.#exports as unknown as Record<string, (n: number) => number>)[name];
    if (!entry) throw new Error(`the module exports no ${name}`);
    return entry(argument);
  }

  /**
   * Replays events [from, to) of a trace in pieces; `elapsed` is the time in milliseconds inside wasm only.
   * Stops early, with complete = false, when more than `budget` milliseconds have been spent.
   */
  replay(trace: Trace, from = 0, to = trace.count, budget = Infinity): { elapsed: number; complete: boolean } {
    const { replay, memory, windowAddress } = this.#exports;
    const at = windowAddress();
    let elapsed = 0;
    for (let done = from; done < to; done += PIECE) {
      const events = Math.min(PIECE, to - done);
      // A new view each time: growth detaches the old one.
      new Uint32Array(memory.buffer, at, events * 2).set(trace.events.subarray(done * 2, (done + events) * 2));
      const start = now();
      replay(events, trace.maxSlots);
      elapsed += now() - start;
      if (elapsed > budget) return { elapsed, complete: done + events >= to };
    }
    return { elapsed, complete: true };
  }

  /** Bytes from the heap's base to the end of memory: what the allocator ever obtained. */
  get footprint(): number {
    return this.#exports.memory.buffer.byteLength - this.#base;
  }

  /** The memory that driver and allocator share. */
  get memory(): WebAssembly.Memory {
    return this.#exports.memory;
  }

  get checksum(): number {
    return this.#exports.checksum() >>> 0;
  }

  get operations(): number {
    return this.#exports.operationCount();
  }

  /** Checked mode: peak of requested bytes that were live. */
  get peakLive(): number {
    return this.#exports.peakLiveBytes() >>> 0;
  }

  /** Checked mode: what went wrong, or undefined. */
  get failure(): string | undefined {
    const count = this.#exports.failureCount();
    if (!count) return undefined;
    return `${count} failed checks, the first: ${FAILURES[this.#exports.failureKind()]}`;
  }

  /** Host flavour only: a copy of the MemStats record, `words` u64 fields. */
  memstats(words: number): BigUint64Array {
    const { memstats, memory } = this.#exports;
    if (!memstats) throw new Error("this flavour has no memstats");
    const at = memstats() >>> 0;
    return new BigUint64Array(memory.buffer.slice(at, at + words * 8));
  }
}
