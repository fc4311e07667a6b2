/**
 * A recorder of what the collector does, and its output in Chrome's trace-event format: for chrome://tracing, Perfetto
 * and the performance panels that read such files.
 *
 * Slices (ph "X") for phases and for pieces of marking and sweeping, a counter track (ph "C") for the heap, instants
 * (ph "i"), names of threads (ph "M"). Times go in as milliseconds from one origin, and come out as microseconds; one
 * that is not finite is a RangeError, a duration below 0 (a clock that was set) is 0.
 *
 * The buffer is bounded: a ring of the newest events. Recording is O(1) and one small object; writing is a sort. One
 * owner. Nothing here needs Node: the caller saves the text.
 */
import { namesOf, object, reading, readOptions, show, text, within } from "../base/check.js";
import { checkCycle, type GCCycle } from "./gctrace.js";

/** An event as the format has it. Times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  /** Complete slice, counter, instant, metadata. */
  readonly ph: "X" | "C" | "i" | "M";
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  /** Categories, for filters. All but metadata have one. */
  readonly cat?: string;
  /** Of slices. */
  readonly dur?: number;
  /** Of instants: drawn over the thread, the process or all. */
  readonly s?: "t" | "p" | "g";
  readonly args?: Readonly<Record<string, number | string | boolean>>;
}

/** The file: the format's object form. */
export interface TraceFile {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: "ms";
  readonly otherData: {
    readonly producer: "gomalloc";
    /** Events that the bounded buffer has lost, the oldest ones. */
    readonly dropped: number;
  };
}

export interface EventOptions {
  /** Events kept, 16 to 2^24. Default 65536, about 10 MB of JSON. */
  readonly limit?: number | undefined;
  /** Number and name of the process in the trace. Default 1, "gomalloc". */
  readonly pid?: number | undefined;
  readonly processName?: string | undefined;
}

/** Track of the collector itself: its phases. Threads that mark and sweep have numbers of their own, from 1 on. */
export const GC_TRACK = 0;

const DEFAULT_LIMIT = 65536;
const OPTIONS = namesOf<EventOptions>({ limit: 0, pid: 0, processName: 0 });
const MAX_ID = 2 ** 31 - 1;

export class TraceEvents {
  readonly #limit: number;
  readonly #pid: number;
  readonly #processName: string;
  /** A ring once it is full; the oldest event is at #next then. */
  readonly #ring: TraceEvent[] = [];
  #next = 0;
  #dropped = 0;
  readonly #threads = new Map<number, string>([[GC_TRACK, "collector"]]);

  /** Throws RangeError, TypeError. */
  constructor(options: EventOptions = {}) {
    const { limit = DEFAULT_LIMIT, pid = 1, processName = "gomalloc" } = readOptions(options, OPTIONS, "TraceEvents");
    this.#limit = within(limit, 16, 2 ** 24, "limit");
    this.#pid = within(pid, 0, MAX_ID, "pid");
    this.#processName = text(processName, "processName");
  }

  /** Whether a value is a TraceEvents. */
  static is(value: unknown): value is TraceEvents {
    return typeof value === "object" && value !== null && #ring in value;
  }

  /** Events in the buffer. */
  get length(): number {
    return this.#ring.length;
  }

  /** Events lost since the last clear. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Name of a thread's track, `tid` as with the slices. Kept apart from the buffer, for good. Throws RangeError. */
  nameThread(tid: number, name: string): void {
    this.#threads.set(within(tid, 0, MAX_ID, "tid"), text(name, "name"));
  }

  /** A phase of the collector: `name` from `start` on for `duration`. */
  phase(name: string, start: number, duration: number, args?: TraceEvent["args"]): void {
    this.#slice(name, "gc", start, duration, GC_TRACK, args);
  }

  /** A piece of marking on thread `tid`: bytes scanned. `name` tells assists from workers. */
  mark(start: number, duration: number, bytes: number, tid: number, name = "mark"): void {
    this.#slice(name, "gc,mark", start, duration, within(tid, 0, MAX_ID, "tid"), { bytes: finite(bytes, "bytes") });
  }

  /** A piece of sweeping on thread `tid`: pages swept. */
  sweep(start: number, duration: number, pages: number, tid: number): void {
    this.#slice("sweep", "gc,sweep", start, duration, within(tid, 0, MAX_ID, "tid"), { pages: finite(pages, "pages") });
  }

  /** Something that takes no time: a trigger reached, memory grown. On all of the process's tracks. */
  instant(name: string, at: number, args?: TraceEvent["args"]): void {
    text(name, "name");
    const event: TraceEvent = { name, ph: "i", ts: micros(at), pid: this.#pid, tid: GC_TRACK, cat: "gc", s: "p" };
    this.#add(args === undefined ? event : { ...event, args });
  }

  /**
   * The heap's size and the goal at a time, bytes: a point of the counter track. Without a goal there is no line for
   * it.
   */
  heap(at: number, live: number, goal?: number): void {
    finite(live, "live");
    const args = goal !== undefined && Number.isFinite(goal) ? { live, goal } : { live };
    this.#add({ name: "heap", ph: "C", ts: micros(at), pid: this.#pid, tid: GC_TRACK, cat: "gc", args });
  }

  /**
   * Values of a counter track of the caller's at a time; several values of one track are drawn stacked. Throws
   * RangeError for a value that is not finite.
   */
  counter(name: string, at: number, values: Readonly<Record<string, number>>): void {
    object(values, "values");
    const args = reading("values", () => ({ ...values }));
    for (const [key, value] of Object.entries(args)) finite(value, `values.${key}`);
    this.#add({ name: text(name, "name"), ph: "C", ts: micros(at), pid: this.#pid, tid: GC_TRACK, cat: "heap", args });
  }

  /**
   * A whole cycle at its end: its three phases one after the other, and the heap before, at the mark's end and after.
   */
  cycle(cycle: GCCycle): void {
    const { clock, number, forced, startedAt, goal } = checkCycle(cycle);
    const marking = startedAt + clock.sweepTermination;
    const terminating = marking + clock.mark;
    const end = terminating + clock.markTermination;
    this.heap(startedAt, cycle.heapStart, goal);
    this.phase("GC", startedAt, end - startedAt, { number, forced, procs: cycle.procs });
    this.phase("sweep termination", startedAt, clock.sweepTermination);
    this.phase("concurrent mark", marking, clock.mark);
    this.phase("mark termination", terminating, clock.markTermination);
    this.heap(terminating, cycle.heapEnd, goal);
    this.heap(end, cycle.heapMarked, goal);
  }

  /** Forgets the events; names stay. */
  clear(): void {
    this.#ring.length = 0;
    this.#next = 0;
    this.#dropped = 0;
  }

  /**
   * All that is kept, by time, after the names. Slices that begin together: the longer one first, as nesting wants it.
   */
  file(): TraceFile {
    const events = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    events.sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
    return {
      traceEvents: [...this.#names(), ...events],
      displayTimeUnit: "ms",
      otherData: { producer: "gomalloc", dropped: this.#dropped },
    };
  }

  /** The file as JSON. */
  json(): string {
    return JSON.stringify(this.file());
  }

  /** For JSON.stringify. */
  toJSON(): TraceFile {
    return this.file();
  }

  *#names(): Iterable<TraceEvent> {
    const pid = this.#pid;
    yield { name: "process_name", ph: "M", ts: 0, pid, tid: GC_TRACK, args: { name: this.#processName } };
    for (const [tid, name] of this.#threads) {
      yield { name: "thread_name", ph: "M", ts: 0, pid, tid, args: { name } };
      yield { name: "thread_sort_index", ph: "M", ts: 0, pid, tid, args: { sort_index: tid } };
    }
  }

  #slice(name: string, cat: string, start: number, ms: number, tid: number, args?: TraceEvent["args"]): void {
    const event: TraceEvent = {
      name: text(name, "name"),
      ph: "X",
      ts: micros(start),
      dur: Math.max(micros(ms), 0),
      pid: this.#pid,
      tid,
      cat,
    };
    this.#add(args === undefined ? event : { ...event, args });
  }

  #add(event: TraceEvent): void {
    if (this.#ring.length < this.#limit) {
      this.#ring.push(event);
      return;
    }
    this.#ring[this.#next] = event;
    this.#next = (this.#next + 1) % this.#limit;
    this.#dropped++;
  }
}

/** Microseconds to the nanosecond: the format's numbers are floats, and JSON is short so. Throws RangeError. */
function micros(ms: number): number {
  return Math.round(finite(ms, "a time") * 1e6) / 1e3;
}

function finite(value: number, name: string): number {
  if (!Number.isFinite(value)) throw new RangeError(`${name} must be finite: ${show(value)}`);
  return value;
}
