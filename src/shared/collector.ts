/**
 * The collector of a shared heap for the one Collector of src/gc: the functions that it calls, over what
 * assembly/abi/collectorshared.ts exports, and the threads around it.
 *
 * Every function takes a P first, or gives one up that others wait for, as the heap's other operations do (procs.ts).
 * There are three kinds:
 *
 *   asking   questions that need no P and wait for nobody
 *   ready    calls that need a P; wasm takes the gate
 *   gated    calls inside the gate, so that a world that stays stopped is an error before anything has changed
 *
 * A call that gave up waiting for another thread throws HeapLockError, which names that thread. One object per thread,
 * for that thread alone. Cost: a gate is two atomic operations; inside `inside` the calls take none.
 */
import { HeapLockError } from "../base/errors.js";
import { BUSY, type CoreExports } from "../base/gcabi.js";
import type { Threads } from "../base/threads.js";
import type { SharedCollectorExports } from "./gcabi.js";
import type { Ps } from "./procs.js";
import { hardwareThreads, type Words, waitForAsync } from "./support.js";

/** What gc and gcEnter return when they have done it, else 0. */
const SUCCEEDED = 1;
/** Longest sleep of a marker, milliseconds: then it looks whether its signal was aborted. */
const WAIT_MS = 200;

/** What the collector needs of its heap. */
export interface CollectorHost {
  readonly ps: Ps;
  readonly words: () => Words;
  /** The P that this thread last gave up waiting for, 0: none. Asking forgets it. */
  readonly lastStuck: () => number;
  /** The error for having waited for P `p`. */
  readonly blame: (p: number, why: string) => HeapLockError;
}

/** A function of wasm's: numbers to a number. */
type Call = (...args: number[]) => number;

export class SharedCollector implements Threads {
  /** What a Collector calls. */
  readonly exports: CoreExports;
  readonly #raw: SharedCollectorExports;
  readonly #host: () => CollectorHost;
  #inside = 0;

  /** `host` is not called before the first use: the heap is being made. */
  constructor(raw: SharedCollectorExports, host: () => CollectorHost) {
    this.#raw = raw;
    this.#host = host;
    const asking = (call: Call) => this.#asking(call);
    const ready = (call: Call, failed?: number) => this.#ready(call, failed);
    const gated = (call: Call, failed?: number) => this.#gated(call, failed);
    this.exports = {
      ...raw,
      isObject: asking(raw.isObject),
      objectBase: asking(raw.objectBase),
      isFaulted: asking(raw.isFaulted),
      malloc_usable_size: asking(raw.malloc_usable_size),
      newType: ready(raw.newType, 0),
      newObject: ready(raw.newObject, 0),
      mallocgc: ready(raw.mallocgc, 0),
      freeObject: ready(raw.freeObject),
      setCollecting: ready(raw.setCollecting as Call),
      setCheckmark: ready(raw.setCheckmark as Call),
      setClobberfree: ready(raw.setClobberfree as Call),
      gcSweep: ready(raw.gcSweep),
      objectOf: gated(raw.objectOf),
      faultObject: gated(raw.faultObject),
      handleNew: gated(raw.handleNew, 0),
      handleGet: gated(raw.handleGet, 0),
      handleSet: gated(raw.handleSet, 0),
      handleFree: gated(raw.handleFree, 0),
      pin: gated(raw.pin, 0),
      unpin: gated(raw.unpin, -1),
      pins: gated(raw.pins, 0),
      addRoots: gated(raw.addRoots, 0),
      removeRoots: gated(raw.removeRoots, 0),
      specialNew: gated(raw.specialNew, 0),
      specialFree: gated(raw.specialFree, 0),
      weakNew: gated(raw.weakNew, 0),
      weakGet: gated(raw.weakGet),
      isIndirection: gated(raw.isIndirection),
      finishedId: gated(raw.finishedId),
      finishedDone: gated(raw.finishedDone as Call),
      dropFinished: gated(raw.dropFinished as Call),
      writePointer: gated(raw.writePointer as Call),
      typedMove: gated(raw.typedMove as Call),
      typedClear: gated(raw.typedClear as Call),
      setGCPercent: gated(raw.setGCPercent, 100),
      setMemoryLimit: gated(raw.setMemoryLimit, Number.POSITIVE_INFINITY),
      setHeapMinimum: gated(raw.setHeapMinimum, 0),
      gcStart: ready((forced) => raw.gcBegin(forced!, clock())),
      gcStep: ready((budget) => this.#step(budget!)),
    };
  }

  get inside(): boolean {
    return this.#inside > 0;
  }

  enter(): void {
    if (this.#inside === 0) this.#host().ps.check();
    if (this.#raw.gcEnter() !== SUCCEEDED) throw this.#stuck();
    this.#inside++;
  }

  leave(): void {
    if (this.#inside === 0) return;
    this.#inside--;
    this.#raw.gcLeave();
  }

  /** Leaves, however deep inside, because the thread detaches. */
  leaveAll(): void {
    while (this.#inside > 0) this.leave();
  }

  /** The P was abandoned after a trap, and the gate with it. */
  forget(): void {
    this.#inside = 0;
  }

  collect(): void {
    if (this.#ready(this.#raw.gc)() !== SUCCEEDED) throw this.#stuck();
  }

  check(): void {
    const p = this.#host().lastStuck();
    if (p !== 0) throw this.#host().blame(p, "keeps the collector from going on");
  }

  async rest(): Promise<void> {
    const { ps, words } = this.#host();
    const wake = this.#raw.gcWakeAddress() >>> 2;
    const seen = Atomics.load(words(), wake);
    if (!ps.pinned) ps.release();
    await waitForAsync(words(), wake, seen, WAIT_MS);
  }

  async resume(): Promise<void> {
    await this.#host().ps.acquireAsync();
  }

  stopped(begin: number, end: number): void {
    this.#raw.gcTimes(begin, end, hardwareThreads());
  }

  /** Marks, and ends the marking when nothing is queued: as gcStep of one thread. */
  #step(budget: number): number {
    const scanned = this.#raw.gcMark(budget);
    if (scanned !== 0) return scanned;
    return this.#raw.gcEnd(clock()) === BUSY ? BUSY : 0;
  }

  #asking(call: Call): Call {
    return (...args) => {
      if (this.#inside === 0) this.#host().ps.look();
      return call(...args);
    };
  }

  /** `failed`: the result that may mean that a lock could not be had. */
  #ready(call: Call, failed?: number): Call {
    return (...args) => {
      // Inside, this thread has a P and keeps it.
      if (this.#inside === 0) this.#host().ps.check();
      const result = call(...args);
      if (result === failed) this.check();
      return result;
    };
  }

  #gated(call: Call, failed?: number): Call {
    return (...args) => {
      if (this.#inside > 0) return this.#checked(call, args, failed);
      this.enter();
      try {
        return this.#checked(call, args, failed);
      } finally {
        this.leave();
      }
    };
  }

  #checked(call: Call, args: number[], failed: number | undefined): number {
    if (failed !== undefined) this.#host().lastStuck();
    const result = call(...args);
    if (result === failed) this.check();
    return result;
  }

  #stuck(): HeapLockError {
    this.check();
    return new HeapLockError(-1, null, "kept the collector from going on, and was given back");
  }
}

/** A clock that all threads share, milliseconds. */
function clock(): number {
  return typeof performance === "object" ? performance.timeOrigin + performance.now() : Date.now();
}
