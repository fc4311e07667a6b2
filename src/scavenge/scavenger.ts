/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The scavenger: free pages of a heap go back to the system, as in Go's mgcscavenge.go.
 *
 *   goal      what the heap used most in this generation and the last one, and `retain` of it more; for a collected heap
 *             less, when its goal falls. What is resident beyond that is released from high addresses down.
 *   pace      `share` of the time, in pieces of a millisecond (pacer.ts)
 *   eager     beyond 95 % of `memoryLimit`, without a pace and from dense chunks too
 *
 * A generation ends with a collection, and after `generationMs`. Then the thread's retained spans and cached runs go to
 * the page heap, and the search begins again at the heap's end. A turn is a task of its own; it keeps no process alive.
 *
 * Before a run is given back its first and its last word are set, and they must be zero after it: a back end that leaves
 * the bytes would break the heap's zeroing. In a shared heap one thread has the scavenger; it holds no lock while the
 * system works, and what other Ps retain stays with them until they are flushed.
 *
 * Owner: one thread. Cost: for a generation O(chunks), then what the back end costs.
 */
import { boolean, callable, namesOf, object, readOptions, show, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { HeapDisposedError, hex, ScavengeError } from "../base/errors.js";
import { STAT_COLLECTING, STAT_CYCLES, STAT_GOAL, STAT_LAST_GOAL } from "../base/gcabi.js";
import { cancel, later } from "../base/timer.js";
import { idleBytes, type PageExports, pagesOf } from "../heap/pages.js";
import { Pacer } from "./pacer.js";
import { type Release, releaseOf } from "./release.js";

/** What a paced turn asks for at once, and a turn in a hurry. */
const QUANTUM = 65_536;
const MOST = 524_288;
/** Go's share of one processor, and of the goal. */
const SHARE = 0.01;
const RETAIN = 0.1;
const GENERATION_MS = 1000;
/** Beyond this part of the limit it releases eagerly, and so long at once. */
const LIMIT_PART = 0.95;
const EAGER_MS = 10;
/** No timer is shorter. */
const LEAST_SLEEP_MS = 1;
const MAX_MS = 2 ** 31 - 1;

/** A heap of createHeap or createSharedHeap. */
export interface ScavengedHeap {
  readonly memory: WebAssembly.Memory;
  readonly collector: { collect(): unknown };
  releaseAll(): void;
}

export interface ScavengeOptions {
  /** How memory is given back. Default: the engine's memory.discard; where that is missing it is required. */
  release?: Release | undefined;
  /** Part of the memory in use that stays beyond it, 0 or more. Default 0.1. */
  retain?: number | undefined;
  /** Share of one processor's time, above 0, at most 0.5. Default 0.01. */
  share?: number | undefined;
  /** Milliseconds after which a generation ends at the latest, 10 or more. Default 1000. */
  generationMs?: number | undefined;
  /** Bytes that the heap's memory should hold of the system's at most. Default Infinity. */
  memoryLimit?: number | undefined;
  /** Begin at once. Default true. With false it works only when freeOSMemory or turn is called. */
  auto?: boolean | undefined;
  /** Is told a line like those of Go's GODEBUG=scavtrace=1 after each generation that has released something. */
  trace?: ((line: string) => void) | undefined;
}

const OPTIONS = namesOf<ScavengeOptions>({
  release: 0,
  retain: 0,
  share: 0,
  generationMs: 0,
  memoryLimit: 0,
  auto: 0,
  trace: 0,
});

/** What a scavenger has done so far. Bytes and milliseconds. */
export interface ScavengeStats {
  /** Given back by paced turns, by turns at the limit, and by freeOSMemory. */
  readonly background: number;
  readonly eager: number;
  readonly forced: number;
  /** Time that its turns took. */
  readonly workedMs: number;
  readonly turns: number;
  readonly generations: number;
  /** Bytes of the memory that are the system's now, or never were used, and the rest. */
  readonly released: number;
  readonly resident: number;
}

type Counted = "background" | "eager" | "forced";

/**
 * Gives free memory of a heap back to the system from now on, until it is stopped. Throws ScavengeError where nothing
 * can, RangeError, TypeError, HeapDisposedError.
 */
export function scavenge(heap: ScavengedHeap, options: ScavengeOptions = {}): Scavenger {
  return new Scavenger(heap, options);
}

/** A running scavenger, until it is stopped. Made by scavenge. */
export class Scavenger implements Disposable {
  readonly #heap: ScavengedHeap;
  readonly #exports: () => PageExports;
  readonly #release: Release;
  readonly #retain: number;
  readonly #generationMs: number;
  readonly #memoryLimit: number;
  readonly #trace: ((line: string) => void) | undefined;
  readonly #pacer: Pacer;
  /** Null when no turn is planned. */
  #timer: unknown = null;
  #sleptFrom = performance.now();

  readonly #done: Record<Counted, number> = { background: 0, eager: 0, forced: 0 };
  #workedMs = 0;
  #turns = 0;
  #generations = 0;
  /** What was done before this generation, for the trace. */
  #traced = { background: 0, eager: 0 };

  /** When this generation ends, and the cycles that it began after. */
  #endsAt = Number.NEGATIVE_INFINITY;
  #cycles = -1;
  /** Most bytes in use that were seen in this generation, and in the last one. */
  #used = 0;
  #usedBefore = 0;
  /** The search goes on below this address; 0: from the heap's end. Null: there is nothing more in this generation. */
  #below: number | null = 0;
  /** Of a run that could not be freed because a lock was not available: whether it reads as zero. Null: there is none. */
  #late: boolean | null = null;

  /** For scavenge. */
  constructor(heap: ScavengedHeap, options: ScavengeOptions) {
    const exports = pagesOf(object(heap, "heap"));
    if (exports === undefined) throw new TypeError(`heap must be one of createHeap or createSharedHeap: ${show(heap)}`);
    const given = readOptions(options, OPTIONS, "scavenge");
    const { retain = RETAIN, share = SHARE, generationMs = GENERATION_MS } = given;
    const { memoryLimit = Number.POSITIVE_INFINITY, auto = true, trace } = given;
    this.#heap = heap;
    this.#exports = exports;
    this.#retain = atLeast(retain, 0, "retain");
    if (!(share > 0 && share <= 0.5)) throw new RangeError(`share must be above 0 and at most 0.5: ${show(share)}`);
    this.#pacer = new Pacer(share);
    this.#generationMs = within(generationMs, 10, MAX_MS, "generationMs");
    this.#memoryLimit = atLeast(memoryLimit, 0, "memoryLimit");
    this.#trace = trace === undefined ? undefined : callable(trace, "trace");
    const start = boolean(auto, "auto");
    if (given.release !== undefined) callable(given.release, "release");
    this.#release = releaseOf(given.release);
    // Throws for a heap that was disposed of.
    exports().idlePages(0);
    if (start) this.#plan(0);
  }

  /** Whether a turn is planned. */
  get running(): boolean {
    return this.#timer !== null;
  }

  stats(): ScavengeStats {
    const released = this.#idle(false);
    const { background, eager, forced } = this.#done;
    return {
      background,
      eager,
      forced,
      workedMs: this.#workedMs,
      turns: this.#turns,
      generations: this.#generations,
      released,
      resident: this.#obtained - released,
    };
  }

  /**
   * One turn, at once: releases for some milliseconds at most what lies beyond the goal or the limit. True: there is
   * more. For hosts with a loop of their own; a scavenger that runs does it by itself. Throws what `release` throws, and
   * ScavengeError.
   */
  turn(): boolean {
    const begin = performance.now();
    this.#pacer.slept(begin - this.#sleptFrom);
    this.#turns++;
    try {
      // At the limit no generation is waited for.
      if (this.#isOver(begin) || (this.#below === null && this.#isAboveLimit)) this.#begin(begin);
      return this.#isAboveLimit ? this.#work(begin + EAGER_MS, "eager") : this.#work(begin + this.#pacer.budget);
    } finally {
      this.#sleptFrom = performance.now();
      this.#workedMs += this.#sleptFrom - begin;
      this.#pacer.worked(this.#sleptFrom - begin);
    }
  }

  /**
   * Go's debug.FreeOSMemory: a whole collection if the heap has a collector in use, then everything that is free is given
   * back at once, from the caches of this thread too. Returns the bytes. In a shared heap what other Ps hold stays with
   * them: see ps.flush. Throws what `release` throws, ScavengeError, and what collect throws.
   */
  freeOSMemory(): number {
    if (this.#gcStat(STAT_CYCLES) + this.#gcStat(STAT_COLLECTING) > 0) this.#heap.collector.collect();
    this.#heap.releaseAll();
    this.#begin(performance.now());
    const before = this.#done.forced;
    while (this.#one(MOST, "forced") > 0);
    this.#below = 0;
    return this.#done.forced - before;
  }

  /** No more turns. Twice is fine. */
  stop(): void {
    cancel(this.#timer);
    this.#timer = null;
  }

  [DISPOSE](): void {
    this.stop();
  }

  #plan(ms: number): void {
    this.#timer = later(() => this.#run(), Math.min(Math.max(ms, LEAST_SLEEP_MS), MAX_MS));
  }

  #run(): void {
    this.#timer = null;
    let more = false;
    try {
      more = this.turn();
    } catch (error) {
      // The heap's end is the scavenger's. Anything else goes to the event loop, and the scavenger has stopped.
      if (error instanceof HeapDisposedError) return;
      throw error;
    }
    if (more) this.#plan(this.#isAboveLimit ? 0 : this.#pacer.sleep);
    else this.#plan(Math.max(this.#endsAt - performance.now(), this.#pacer.sleep));
  }

  /** Bytes of the heap's memory, whoever has them. */
  get #obtained(): number {
    return this.#heap.memory.buffer.byteLength;
  }

  #idle(dirty: boolean): number {
    return idleBytes(this.#exports(), dirty);
  }

  get #resident(): number {
    return this.#obtained - this.#idle(false);
  }

  get #isAboveLimit(): boolean {
    const limit = this.#memoryLimit * LIMIT_PART;
    // Most have no limit, or are far below it: no chunk has to be counted.
    return this.#obtained > limit && this.#resident > limit;
  }

  /** A figure of the collector's; 0 where there is none. */
  #gcStat(stat: number): number {
    return this.#exports().collector?.gcStat(stat) ?? 0;
  }

  #isOver(now: number): boolean {
    return now >= this.#endsAt || this.#gcStat(STAT_CYCLES) !== this.#cycles;
  }

  /** A generation begins. */
  #begin(now: number): void {
    this.#tellTrace();
    this.#generations++;
    this.#endsAt = now + this.#generationMs;
    this.#cycles = this.#gcStat(STAT_CYCLES);
    this.#exports().scavengeBegin();
    this.#below = 0;
    this.#usedBefore = this.#used;
    this.#used = 0;
  }

  /** Bytes that may be resident. */
  #goal(): number {
    this.#used = Math.max(this.#used, this.#resident - this.#idle(true));
    const [goal, last] = [this.#gcStat(STAT_GOAL), this.#gcStat(STAT_LAST_GOAL)];
    const trend = this.#cycles > 0 && last > 0 && goal < last ? goal / last : 1;
    return Math.max(this.#used, this.#usedBefore * trend) * (1 + this.#retain);
  }

  /** Releases until `end` or the goal, or with "eager" to 95 % of the limit. True: there is more to do. */
  #work(end: number, counted: "background" | "eager" = "background"): boolean {
    const eager = counted === "eager";
    // Always asked: it notes what is in use.
    const used = this.#goal();
    const goal = eager ? this.#memoryLimit * LIMIT_PART : used;
    for (let excess = this.#resident - goal; excess > 0; ) {
      const bytes = this.#one(eager ? MOST : QUANTUM, counted);
      if (bytes === 0) return false;
      excess -= bytes;
      if (performance.now() >= end) return excess > 0;
    }
    return false;
  }

  /** Gives one run back. Its bytes; 0: there is none. */
  #one(most: number, counted: Counted): number {
    const exports = this.#exports();
    if (this.#late !== null) this.#end(this.#late);
    if (this.#below === null || this.#late !== null) return 0;
    const address = exports.scavengeOne(this.#below, most, counted === "background" ? 0 : 1) >>> 0;
    if (address === 0) {
      this.#below = null;
      return 0;
    }
    this.#below = address;
    const bytes = exports.scavengeBytes() >>> 0;
    let zero = false;
    try {
      zero = this.#give(address, bytes);
    } finally {
      this.#end(zero);
    }
    if (zero) this.#done[counted] += bytes;
    return bytes;
  }

  /** The run that this thread has is free. When a lock is not available, the next turn tries again. */
  #end(zero: boolean): void {
    this.#late = this.#exports().scavengeEnd(zero ? 1 : 0) === 0 ? zero : null;
  }

  /** True when the bytes were given back and read as zero. */
  #give(address: number, bytes: number): boolean {
    const { memory } = this.#heap;
    const words = () => new Int32Array(memory.buffer, address, bytes >>> 2);
    const last = (bytes >>> 2) - 1;
    const before = words();
    before[0] = -1;
    before[last] = -1;
    if (this.#release(memory, address, bytes) !== true) return false;
    const after = words();
    if (after[0] === 0 && after[last] === 0) return true;
    throw new ScavengeError(
      "not-zero",
      `release has left bytes at ${hex(address)} that are not zero`,
      "it must return true only when all bytes read as zero",
    );
  }

  #tellTrace(): void {
    const { background, eager } = this.#done;
    const [bg, hurried] = [background - this.#traced.background, eager - this.#traced.eager];
    if (this.#trace === undefined || bg + hurried === 0) return;
    this.#traced = { background, eager };
    const kib = (n: number) => Math.round(n / 1024);
    const used = Math.max(this.#used, 1);
    const util = Math.round((100 * used) / Math.max(this.#resident, used));
    this.#trace(
      `scav ${kib(bg)} KiB work (bg), ${kib(hurried)} KiB work (eager), ` +
        `${kib(this.#idle(false))} KiB now, ${util}% util`,
    );
  }
}

function atLeast(value: number, low: number, name: string): number {
  if (typeof value !== "number" || !(value >= low))
    throw new RangeError(`${name} must be ${low} or more: ${show(value)}`);
  return value;
}
