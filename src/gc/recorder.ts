/**
 * Recorder: what the collector's cycles were and what they cost, seen from the host.
 *
 * wasm has no clock. So the calls that may begin, mark, end or sweep go through `run`, which reads the clock and the
 * state of the cycles before and after; the difference gives the cycle's record, its pauses and the processor time.
 * What happens between two such calls (in an allocation by Heap.mallocgc, by a program in wasm, or in another thread of
 * a shared heap) is noticed at the next one: a cycle that has begun and ended there is counted with no pause, and
 * nothing else is known of it.
 *
 * There is one recorder per thread. Its pauses are the time that this thread spends in such calls. Records wait in a
 * queue until `flush` hands them to the hooks, which happens when no address is in flight that a hook's own allocations
 * could lose.
 *
 * Law: #seen is gcDue without its two lowest bits as of the last look; #open is null unless a cycle is marking.
 * Cost of run: two looks at the clock, some five wasm calls.
 */
import {
  DUE_CYCLES_SHIFT,
  DUE_MARKING,
  STAT_HEAP_LIVE,
  STAT_HEAP_MARKED,
  STAT_LAST_GOAL,
  STAT_ROOT_BYTES,
  STAT_SCAN_WORK,
  STAT_STACK_BYTES,
  UNBOUNDED,
} from "../base/gcabi.js";
import type { Core } from "./core.js";
import type { TraceEvents } from "./events.js";
import { formatGCTrace, type GCCycle, type TraceFormat } from "./gctrace.js";
import { CPULimiter } from "./limiter.js";

/** Cycles whose pauses are kept. */
const PAUSES = 256;
/** Bits of the number of cycles that gcDue has. */
const CYCLES_MASK = 2 ** (32 - DUE_CYCLES_SHIFT) - 1;
/** Thread of the events: this one. */
const THREAD = 1;

/**
 * What a call is for: to begin a cycle, because of the trigger ("begin") or because somebody asked ("force"); to mark,
 * in a step ("mark") or in idle time ("idle"); an allocation that may pay ("assist"); to sweep.
 */
export type Work = "begin" | "force" | "mark" | "idle" | "assist" | "sweep";

export interface RecorderOptions {
  onCycle: ((cycle: GCCycle) => void) | null;
  trace: ((line: string) => void) | null;
  traceUnit: TraceFormat["unit"];
  events: TraceEvents | null;
}

/** What a recorder has counted so far. Times are milliseconds. */
export interface CycleFigures {
  numGC: number;
  numForced: number;
  /** End of the last cycle, Unix time; 0: none. */
  lastGC: number;
  /** The same by the clock, from the collector's creation. */
  lastEnd: number;
  pauseTotal: number;
  /** The longest single pause. */
  longestPause: number;
}

/** The cycle that is marking. Milliseconds; bytes. */
interface OpenCycle {
  startedAt: number;
  /** When it had begun: the mark's start. */
  markAt: number;
  forced: boolean;
  heapStart: number;
  mark: number;
  assist: number;
  idle: number;
  pause: number;
}

export class Recorder {
  readonly #core: Core;
  readonly #clock: () => number;
  readonly #origin: number;
  readonly limiter: CPULimiter;
  readonly options: RecorderOptions = { onCycle: null, trace: null, traceUnit: undefined, events: null };
  #seen = 0;
  #open: OpenCycle | null = null;
  /** heapLive at the last look. */
  #live = 0;
  /** When the last slice of the running call began. */
  #slice = 0;
  #busy = 0;
  readonly #figures: CycleFigures = {
    numGC: 0,
    numForced: 0,
    lastGC: 0,
    lastEnd: 0,
    pauseTotal: 0,
    longestPause: 0,
  };
  readonly #pauses = new Float64Array(PAUSES);
  readonly #pauseEnds = new Float64Array(PAUSES);
  readonly #queue: GCCycle[] = [];
  /** Hooks are running. */
  #flushing = false;
  /** An event is being recorded. */
  #recording = false;
  /** What recording an event has thrown, until flush. */
  #failure: { readonly error: unknown } | null = null;
  #last: GCCycle | null = null;

  /** `clock`: milliseconds from any origin, never going back. */
  constructor(core: Core, clock: () => number) {
    this.#core = core;
    this.#clock = clock;
    this.#origin = clock();
    this.limiter = new CPULimiter({ clock });
    this.#seen = core.exports.gcDue() & ~(DUE_MARKING - 1);
    // On a shared heap cycles may have ended before this thread came.
    this.#figures.numGC = (this.#seen >>> DUE_CYCLES_SHIFT) - ((this.#seen & DUE_MARKING) === 0 ? 0 : 1);
  }

  /** The record of the last cycle of which more than its number is known; null: none yet. */
  get last(): GCCycle | null {
    return this.#last;
  }

  /** gcDue as it was at the last look, without what an allocation would owe. */
  get seen(): number {
    return this.#seen;
  }

  /** The figures now: the object changes with each cycle. */
  get figures(): Readonly<CycleFigures> {
    return this.#figures;
  }

  /** The clock now, milliseconds from the collector's creation. */
  get now(): number {
    return this.#clock() - this.#origin;
  }

  /** Share of all time since the collector's creation that went into it, 0 to 1. */
  get utilization(): number {
    const elapsed = this.now;
    return elapsed > 0 ? Math.min(this.#busy / elapsed, 1) : 0;
  }

  /** Milliseconds of pause in the last 256 cycles; the one of cycle n, from 1 on, at (n + 255) % 256. A copy. */
  pauses(): number[] {
    return [...this.#pauses];
  }

  /** When these ended, milliseconds of Unix time. A copy. */
  pauseEnds(): number[] {
    return [...this.#pauseEnds];
  }

  /** In a call that works in slices: the next slice begins. The time now. */
  slice(): number {
    this.#slice = this.now;
    return this.#slice;
  }

  /**
   * Does `work`, and records its time and what became of the cycles. `work` returns its bytes or pages, for the events.
   */
  run(kind: Work, work: () => number): number {
    this.look();
    const { exports } = this.#core;
    const { events } = this.options;
    const scanned = kind === "assist" && events !== null ? exports.gcStat(STAT_SCAN_WORK) : 0;
    const start = this.slice();
    let amount = 0;
    try {
      amount = work();
      return amount;
    } finally {
      // An allocation pays in one piece, and so does a call that begins a cycle.
      const end = this.now;
      const last = kind === "mark" || kind === "idle" ? this.#slice : end;
      const marking = this.#open !== null;
      this.#book(kind, start, last, end);
      if (events !== null) {
        this.#record(() => {
          if (kind === "sweep") events.sweep(start, end - start, amount, THREAD);
          else if (kind === "mark" || kind === "idle") events.mark(start, end - start, amount, THREAD, `${kind} step`);
          else if (kind === "assist" && marking) {
            events.mark(start, end - start, Math.max(exports.gcStat(STAT_SCAN_WORK) - scanned, 0), THREAD, "assist");
          }
        });
      }
    }
  }

  /** Notices what has happened outside run. */
  look(): void {
    const { exports } = this.#core;
    const due = exports.gcDue() & ~(DUE_MARKING - 1);
    if (due !== this.#seen) {
      const now = this.now;
      this.#advance(due, null, now, now, now);
    }
    this.#live = exports.gcStat(STAT_HEAP_LIVE);
  }

  /**
   * Hands the records of ended cycles to the hooks. What a hook throws comes out of here; the rest waits for the next
   * call, and so do cycles that a hook itself runs: a hook that collects is not called by its own collection.
   */
  flush(): void {
    if (this.#flushing) return;
    const { onCycle, trace, traceUnit } = this.options;
    this.#flushing = true;
    try {
      for (let n = this.#queue.length; n > 0; n--) {
        const cycle = this.#queue.shift()!;
        try {
          trace?.(formatGCTrace(cycle, { unit: traceUnit }));
        } finally {
          onCycle?.(cycle);
        }
      }
    } finally {
      this.#flushing = false;
    }
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }

  /**
   * Records events. They may be the user's own subclass: what it throws waits for flush, when the figures are
   * consistent. What the collector does in calls that the subclass makes is not recorded.
   */
  #record(record: () => void): void {
    if (this.#recording) return;
    this.#recording = true;
    try {
      record();
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#recording = false;
    }
  }

  /** Whether records wait for flush. */
  get waiting(): boolean {
    return this.#queue.length > 0;
  }

  #book(kind: Work, start: number, last: number, end: number): void {
    const spent = end - start;
    this.#busy += spent;
    this.limiter.addAssistTime(spent);
    this.limiter.update();
    const due = this.#core.exports.gcDue() & ~(DUE_MARKING - 1);
    const open = this.#open;
    if (due === this.#seen) {
      if (open === null || kind === "sweep") return;
      this.#spend(open, kind, spent);
      this.#pause(open, spent);
    } else {
      this.#advance(due, kind, start, last, end);
    }
  }

  #spend(open: OpenCycle, kind: Work, ms: number): void {
    if (kind === "assist") open.assist += ms;
    else if (kind === "idle") open.idle += ms;
    else open.mark += ms;
  }

  #pause(open: OpenCycle, ms: number): void {
    open.pause += ms;
    this.#figures.pauseTotal += ms;
    this.#figures.longestPause = Math.max(this.#figures.longestPause, ms);
  }

  /**
   * The cycles have moved on since the last look, in a call from `start` to `end` whose last slice began at `last`;
   * `kind` null: in something that was not seen.
   */
  #advance(due: number, kind: Work | null, start: number, last: number, end: number): void {
    const marking = (due & DUE_MARKING) !== 0;
    const begun = ((due >>> DUE_CYCLES_SHIFT) - (this.#seen >>> DUE_CYCLES_SHIFT)) & CYCLES_MASK;
    this.#seen = due;
    const whole = begun - (marking ? 1 : 0);
    const before = this.#open;
    this.#open = null;
    let rest = end - start;
    if (before !== null) {
      this.#spend(before, kind ?? "assist", last - start);
      if (begun === 0) rest = 0;
      this.#pause(before, begun === 0 ? end - start : 0);
      this.#close(before, begun === 0 ? end - last : 0, end);
    }
    for (let i = 0; i < whole; i++) {
      // Begun and ended in this call. The times of several cannot be told apart: the last one gets them.
      if (kind === null) {
        this.#count(0, false, end);
        continue;
      }
      const cycle = this.#cycle(start, kind);
      const ms = i === whole - 1 && !marking ? rest : 0;
      this.#spend(cycle, kind, ms);
      this.#pause(cycle, ms);
      this.#close(cycle, 0, end);
    }
    if (marking && begun > 0) {
      const cycle = this.#cycle(start, kind);
      cycle.markAt = end;
      this.#pause(cycle, rest);
      this.#open = cycle;
    }
  }

  #cycle(startedAt: number, kind: Work | null): OpenCycle {
    const forced = kind === "force";
    return {
      startedAt,
      markAt: startedAt,
      forced,
      heapStart: this.#live,
      mark: 0,
      assist: 0,
      idle: 0,
      pause: 0,
    };
  }

  /** Counts a cycle. */
  #count(pause: number, forced: boolean, end: number): void {
    const figures = this.#figures;
    const slot = figures.numGC % PAUSES;
    figures.numGC++;
    if (forced) figures.numForced++;
    figures.lastGC = Date.now();
    figures.lastEnd = end;
    this.#pauses[slot] = pause;
    this.#pauseEnds[slot] = figures.lastGC;
  }

  /** The cycle has ended at `end`, after a last slice of `termination` milliseconds. */
  #close(cycle: OpenCycle, termination: number, end: number): void {
    const { exports } = this.#core;
    const { startedAt, markAt, forced, heapStart } = cycle;
    const begin = markAt - startedAt;
    this.#count(cycle.pause, forced, end);
    const heapMarked = exports.gcStat(STAT_HEAP_MARKED);
    this.#last = {
      number: this.#figures.numGC,
      startedAt,
      utilization: this.utilization,
      clock: {
        sweepTermination: begin,
        mark: Math.max(end - termination - markAt, 0),
        markTermination: termination,
      },
      cpu: {
        sweepTermination: begin,
        assist: cycle.assist,
        background: cycle.mark,
        idle: cycle.idle,
        markTermination: termination,
      },
      heapStart,
      heapEnd: Math.max(this.#live, heapStart),
      heapMarked,
      goal: finite(exports.gcStat(STAT_LAST_GOAL)),
      stacks: exports.gcStat(STAT_STACK_BYTES),
      globals: exports.gcStat(STAT_ROOT_BYTES),
      procs: 1,
      forced,
    };
    const record = this.#last;
    this.#record(() => this.options.events?.cycle(record));
    if (this.options.onCycle !== null || this.options.trace !== null) this.#queue.push(record);
  }
}

/** A figure in bytes for a record: 0 instead of one without a bound. */
function finite(bytes: number): number {
  return bytes >= UNBOUNDED ? 0 : bytes;
}
