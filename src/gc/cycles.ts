/**
 * Cycles: when one collector's cycles begin, and their work. Marking and sweeping go in slices, each in a call of wasm
 * that the recorder times.
 *
 * An allocation asks `isDue` first. It is true when a cycle is due, when the thread owes the running one some work, and
 * when cycles have come and gone since the last look; then the allocation goes through `pay`.
 *
 * Law, in a heap of one thread: wasm begins cycles by itself exactly while `auto` is on, no `inside` runs and the
 * limiter does not hold them back, as of the last call of `hold`. On a shared heap wasm has the setting itself.
 *
 * Hooks of the user's run in `settle` and `rest`, when no address is in flight that a hook's own allocations could
 * lose. Owner: one thread. Cost of isDue: one call of wasm.
 */
import { CheckmarkError, OutOfMemoryError } from "../base/errors.js";
import {
  BUSY,
  DUE_START,
  STAT_CHECK_FAILED_AT,
  STAT_COLLECTING,
  STAT_HEAP_LIVE,
  STAT_SWEEPING,
  STAT_TRIGGER,
} from "../base/gcabi.js";
import type { Core } from "./core.js";
import type { Finished } from "./finished.js";
import { heapSettings, type Settings } from "./options.js";
import type { Pools } from "./pool.js";
import type { Recorder } from "./recorder.js";

/** Bytes and pages between two looks at the clock: some 0.1 to 0.3 ms of work. */
const SLICE_BYTES = 64 << 10;
const SLICE_PAGES = 64;
/** Slices of a whole collection, which need not be short. */
const LONG_SLICE_BYTES = 1 << 20;
const LONG_SLICE_PAGES = 4096;

/** Why a cycle begins: because of the trigger, or because somebody asked. */
export type Reason = "begin" | "force";

export class Cycles {
  readonly #core: Core;
  readonly #recorder: Recorder;
  readonly #finished: Pick<Finished, "soon">;
  readonly #pools: Pick<Pools, "beforeCycle">;
  #auto = false;
  #limiter: boolean;
  /** Bits of gcDue that send an allocation to `pay` when they differ from the last look. */
  #interest = ~DUE_START;
  /** Of one thread: whether wasm begins cycles by itself now. */
  #collecting = false;
  #flushing = false;

  constructor(core: Core, recorder: Recorder, finished: Pick<Finished, "soon">, pools: Pick<Pools, "beforeCycle">) {
    this.#core = core;
    this.#recorder = recorder;
    this.#finished = finished;
    this.#pools = pools;
    this.#limiter = core.threads === null;
    if (core.threads === null) core.onInside = () => this.hold();
    else if (core.exports.gcStat(STAT_COLLECTING) !== 0) this.#interest = ~0;
  }

  // Settings

  /** Changes what is given of the settings `auto` and `limiter`. */
  set({ auto, limiter }: Partial<Settings>): void {
    if (limiter !== undefined) this.#limiter = limiter;
    if (auto !== undefined) {
      this.#auto = auto;
      this.#interest = auto ? ~0 : ~DUE_START;
      if (this.#core.threads !== null) this.#core.exports.setCollecting(auto ? 1 : 0);
    }
    this.hold();
  }

  /** The settings in force. */
  get settings(): Settings {
    const settings = { ...heapSettings(this.#core.exports), limiter: this.#limiter };
    return this.#core.threads === null ? { ...settings, auto: this.#auto } : settings;
  }

  /** Whether the limiter holds the collector back. */
  limited(): boolean {
    if (!this.#limiter) return false;
    this.#recorder.limiter.update();
    return this.#recorder.limiter.limiting;
  }

  /** Of one thread: lets wasm begin cycles by itself, or not. */
  hold(): void {
    if (this.#core.threads !== null) return;
    const collecting = this.#auto && !this.#core.isInside && !this.limited();
    if (collecting === this.#collecting) return;
    this.#core.exports.setCollecting(collecting ? 1 : 0);
    this.#collecting = collecting;
  }

  // Allocation

  /** Whether the next allocation may have to do the collector's work, or cycles have come and gone unseen. */
  isDue(): boolean {
    return (this.#core.exports.gcDue() & this.#interest) !== this.#recorder.seen;
  }

  /** An allocation at which the collector may work, with the clock running. Throws OutOfMemoryError. */
  pay(bytes: number, allocate: () => number): number {
    let ptr = 0;
    if (this.#auto) this.hold();
    this.#recorder.run("assist", () => {
      ptr = allocate() >>> 0;
      return 0;
    });
    if (this.#auto) this.hold();
    this.#flushLater();
    this.#report();
    return ptr || this.#again(bytes, allocate);
  }

  /** Memory is out: if the limiter held cycles back, once more after one. Throws OutOfMemoryError. */
  #again(bytes: number, allocate: () => number): number {
    const { threads, isInside } = this.#core;
    if (!this.#auto || this.#collecting || threads !== null || isInside) throw new OutOfMemoryError(bytes);
    this.collect("begin");
    this.#flushLater();
    const ptr = allocate() >>> 0;
    if (ptr === 0) throw new OutOfMemoryError(bytes);
    return ptr;
  }

  /** The object just made has no root yet, so hooks, which may allocate, have to wait. */
  #flushLater(): void {
    this.#finished.soon();
    if (!this.#recorder.waiting || this.#flushing) return;
    this.#flushing = true;
    void Promise.resolve().then(() => {
      this.#flushing = false;
      this.#recorder.flush();
    });
  }

  // Work

  /** Of one thread, before `inside`: begins a cycle that is due, because allocations inside will not. */
  beforeInside(): void {
    if (!this.#collecting || this.#core.isInside) return;
    this.hold();
    if (!this.#collecting || (this.#core.exports.gcDue() & DUE_START) === 0) return;
    this.begin("begin");
    this.#flushLater();
  }

  /** A whole cycle: marked and swept when it returns. One that is marking is ended first. */
  collect(kind: Reason): void {
    const { threads } = this.#core;
    if (threads !== null) {
      this.#pools.beforeCycle();
      this.#recorder.run(kind, () => {
        threads.collect();
        return 0;
      });
      return;
    }
    if (this.#core.exports.gcPhase() !== 0) this.#mark("mark", LONG_SLICE_BYTES, Infinity, Infinity);
    this.begin(kind);
    this.#mark("mark", LONG_SLICE_BYTES, Infinity, Infinity);
    this.sweep();
  }

  /** What gcStart returns. */
  begin(kind: Reason): number {
    if (this.#core.exports.gcPhase() === 0) this.#pools.beforeCycle();
    return this.#recorder.run(kind, () => this.#core.exports.gcStart(kind === "force" ? 1 : 0));
  }

  /** Marks until `budgetMs` milliseconds or `bytes` bytes are used up. True: there is something left. */
  step(budgetMs: number, bytes: number): boolean {
    return this.#mark("mark", SLICE_BYTES, budgetMs, bytes);
  }

  /** Marks in slices until one of the budgets is used up. True: there is something left. */
  #mark(kind: "mark" | "idle", slice: number, budgetMs: number, bytes: number): boolean {
    const { exports } = this.#core;
    const recorder = this.#recorder;
    recorder.run(kind, () => {
      let done = 0;
      const end = recorder.slice() + budgetMs;
      do {
        const scanned = exports.gcStep(Math.min(slice, bytes - done));
        if (scanned === BUSY) break;
        done += scanned;
      } while (exports.gcPhase() !== 0 && done < bytes && recorder.slice() < end);
      return done;
    });
    return exports.gcPhase() !== 0;
  }

  /** One slice of marking. What gcStep returns. */
  markOnce(bytes: number): number {
    let scanned = 0;
    this.#recorder.run("mark", () => {
      scanned = this.#core.exports.gcStep(bytes);
      return Math.max(scanned, 0);
    });
    return scanned;
  }

  /** Sweeps for `budgetMs` milliseconds, by default all. True: there is more. */
  sweep(budgetMs = Infinity): boolean {
    const slice = budgetMs === Infinity ? LONG_SLICE_PAGES : SLICE_PAGES;
    const { exports } = this.#core;
    const recorder = this.#recorder;
    recorder.run("sweep", () => {
      const end = recorder.slice() + budgetMs;
      let done = 0;
      let pages = 0;
      do {
        pages = exports.gcSweep(slice) >>> 0;
        done += pages;
      } while (pages >= slice && recorder.slice() < end);
      return done;
    });
    return exports.gcStat(STAT_SWEEPING) !== 0;
  }

  /** One slice of sweeping. How many pages. */
  sweepOnce(pages: number): number {
    return this.#recorder.run("sweep", () => this.#core.exports.gcSweep(pages) >>> 0);
  }

  /** A turn of the background, with a cycle at least every `periodMs`. True: there was work. */
  turn(budgetMs: number, periodMs: number): boolean {
    const { exports } = this.#core;
    const recorder = this.#recorder;
    recorder.look();
    if (this.limited()) return false;
    let busy = true;
    if (exports.gcPhase() !== 0) this.#mark("idle", SLICE_BYTES, budgetMs, Infinity);
    else if (exports.gcStat(STAT_SWEEPING) !== 0) this.sweep(budgetMs);
    else if (exports.gcStat(STAT_HEAP_LIVE) >= exports.gcStat(STAT_TRIGGER) || this.#isLate(periodMs)) {
      this.begin("begin");
    } else busy = false;
    this.settle();
    return busy;
  }

  /** Whether the last cycle is longer ago than `periodMs`. */
  #isLate(periodMs: number): boolean {
    const { now, figures } = this.#recorder;
    return figures.numGC > 0 && heapSettings(this.#core.exports).gcPercent >= 0 && now - figures.lastEnd >= periodMs;
  }

  /** The end of a call that worked: no address is in flight, the hooks may run. */
  settle(): void {
    this.rest();
    this.#report();
  }

  /** The same, without looking at what a check of the marks has noted. */
  rest(): void {
    if (this.#auto) this.hold();
    this.#finished.soon();
    this.#recorder.flush();
  }

  /** Throws CheckmarkError for what a check of the marks has noted, once. */
  #report(): void {
    const { exports } = this.#core;
    const address = exports.gcStat(STAT_CHECK_FAILED_AT);
    if (address === 0) return;
    exports.setCheckmark(1);
    throw new CheckmarkError(address);
  }
}
