/**
 * A heap's statistics over time, as counter tracks of a trace: Chrome's trace-event format, which chrome://tracing,
 * Perfetto and the performance panels open.
 *
 *   memory      bytes obtained, stacked by what they are for: live, slack, idle, stacks, collector, records
 *   blocks      live blocks
 *   calls       blocks allocated and freed since the last sample
 *   cycles      collections since the last sample
 *   contention  of a shared heap: times since the last sample that a lock was another thread's at first
 *
 * One owner, on one thread. Cost: stats() for a sample, which walks the heap's spans, and some five small objects.
 */
import { callable, namesOf, readOptions, show } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { type EventOptions, TraceEvents, type TraceFile } from "../gc/events.js";
import { checkSource, type HeapFigures, type HeapSource, partsOf } from "./source.js";

export interface CounterOptions {
  /**
   * The recorder to write to, for one file with the collector's phases: give the collector the same as `events`, and
   * the clock `() => heap.collector.now` here. Default one of its own.
   */
  readonly events?: TraceEvents | undefined;
  /** Milliseconds from any origin, never going back. Default: milliseconds since the recorder was made. */
  readonly clock?: (() => number) | undefined;
}

const OPTIONS = namesOf<CounterOptions>({ events: 0, clock: 0 });
/** Longest interval that timers have. */
const MAX_INTERVAL = 2 ** 31 - 1;

/** Differences of counts that only grow. */
interface Seen {
  readonly mallocs: number;
  readonly frees: number;
  readonly cycles: number;
  readonly contended: number | undefined;
}

export class CounterRecorder implements Disposable {
  readonly #heap: HeapSource;
  readonly #events: TraceEvents;
  readonly #clock: () => number;
  #seen: Seen | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Throws TypeError. */
  constructor(heap: HeapSource, options: CounterOptions = {}) {
    const { events = new TraceEvents(COUNTER_TRACE), clock = stopwatch() } = readOptions(
      options,
      OPTIONS,
      "CounterRecorder",
    );
    if (!TraceEvents.is(events)) throw new TypeError(`events must be a TraceEvents: ${show(events)}`);
    this.#heap = checkSource(heap);
    this.#events = events;
    this.#clock = callable(clock, "clock");
  }

  /** Records the figures now. They are what is returned. Throws what stats() throws; then nothing is recorded. */
  sample(): HeapFigures {
    const stats = this.#heap.stats();
    const at = this.#clock();
    const events = this.#events;
    const now: Seen = {
      mallocs: stats.mallocs,
      frees: stats.frees,
      cycles: stats.numGC,
      contended: stats.locks?.reduce((sum, { contended }) => sum + contended, 0),
    };
    const before = this.#seen ?? now;
    events.counter("memory", at, { ...partsOf(stats) });
    events.counter("blocks", at, { live: stats.heapObjects });
    events.counter("calls", at, { mallocs: now.mallocs - before.mallocs, frees: now.frees - before.frees });
    events.counter("cycles", at, { cycles: now.cycles - before.cycles });
    if (now.contended !== undefined) {
      events.counter("contention", at, { contended: now.contended - (before.contended ?? 0) });
    }
    this.#seen = now;
    return stats;
  }

  /**
   * Samples now and every `intervalMs` milliseconds, 1 to 2^31-1, until stop or until a sample fails, as it does when
   * the heap is disposed of. The timer keeps no Node process alive. Begins anew when it runs already. Throws
   * RangeError, and what the first sample throws.
   */
  start(intervalMs = 1000): void {
    if (typeof intervalMs !== "number" || !(intervalMs >= 1 && intervalMs <= MAX_INTERVAL)) {
      throw new RangeError(`intervalMs must be milliseconds in 1..${MAX_INTERVAL}: ${show(intervalMs)}`);
    }
    this.stop();
    this.sample();
    const timer = setInterval(() => {
      try {
        this.sample();
      } catch {
        this.stop();
      }
    }, intervalMs);
    (timer as { unref?: () => void }).unref?.();
    this.#timer = timer;
  }

  /** Whether it samples by itself. */
  get running(): boolean {
    return this.#timer !== undefined;
  }

  /** No more samples by themselves. What is recorded stays. Twice is fine. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The events so far. */
  get events(): TraceEvents {
    return this.#events;
  }

  /** The trace: the format's object form. */
  file(): TraceFile {
    return this.#events.file();
  }

  /** The trace as JSON, to be saved under any name that ends in .json. */
  json(): string {
    return this.#events.json();
  }

  [DISPOSE](): void {
    this.stop();
  }
}

const COUNTER_TRACE: EventOptions = { processName: "gomalloc" };

/** Milliseconds from now on. */
function stopwatch(): () => number {
  const clock = typeof performance === "object" ? () => performance.now() : Date.now;
  const origin = clock();
  return () => clock() - origin;
}
