/**
 * Options of a collector: checked here, all of them before any is in force.
 */
import { boolean, callable, namesOf, oneOf, readOptions, show, within } from "../base/check.js";
import { CollectorUnavailableError } from "../base/errors.js";
import {
  type CollectorExports,
  STAT_CHECKMARK,
  STAT_CLOBBERFREE,
  STAT_COLLECTING,
  STAT_GC_PERCENT,
  STAT_HEAP_MINIMUM,
  STAT_MEMORY_LIMIT,
  UNBOUNDED,
} from "../base/gcabi.js";
import { TraceEvents } from "./events.js";
import { type GCCycle, TRACE_UNITS, type TraceFormat } from "./gctrace.js";
import { parseLimit, parsePercent } from "./quantity.js";

/** Largest GOGC, and largest heapMinimum: 2^37. */
const MAX_PERCENT = 2 ** 31 - 1;
const MAX_HEAP_MINIMUM = 2 ** 37;

/**
 * What can be changed at any time, by Collector.setOptions. On a shared heap gcPercent, memoryLimit, heapMinimum, auto,
 * checkmark and clobberfree are the heap's: one thread sets them for all. The hooks belong to the thread that sets them.
 */
export interface CollectorSettings {
  /**
   * GOGC: how much may be allocated after a cycle until the next one, in percent of what that one found alive; 0 to
   * 2^31-1, -1 or "off" for no cycles but those of the memory limit and those that are asked for. A string is read as
   * Go reads GOGC: "50". Default 100.
   */
  gcPercent?: number | string | undefined;
  /**
   * Bytes of pages in use, records included, that cycles try to stay below; 0 or Infinity: none. This limit is soft;
   * the hard one is the heap's maxBytes. A string is read as Go reads GOMEMLIMIT: "64MiB", "off". Default none.
   */
  memoryLimit?: number | string | undefined;
  /** The least goal at GOGC 100, bytes, 0 to 2^37: below it GOGC begins no cycle. Default 4 MiB. */
  heapMinimum?: number | undefined;
  /**
   * True: allocating begins a cycle when the trigger is reached or memory is out, so any allocation may free what no
   * root reaches. False: cycles begin only where the program says so. Default false.
   */
  auto?: boolean | undefined;
  /**
   * True: no cycle begins by itself, and the background rests, while the collector has had more than half of the time
   * over the last second. Default true. A shared heap has no limiter, because no thread knows what the others spend:
   * there the default is false, and true is a CollectorUnavailableError.
   */
  limiter?: boolean | undefined;
  /**
   * True: each cycle marks a second time at its end, and throws CheckmarkError when that finds an object which the
   * first marking has missed: a pointer was stored without the write barrier. For tests: it takes the time of the
   * marking again, in one piece, and 1/64 of the heap. Default false.
   */
  checkmark?: boolean | undefined;
  /**
   * True: what a cycle has found dead is filled with the bytes of 0xdeadbeef as it is swept, so that a pointer which
   * kept no object alive reads a pattern and not what was there. For tests: sweeping writes to all dead memory. Default
   * false.
   */
  clobberfree?: boolean | undefined;
  /** Called after each cycle that this thread marks or notices. null: no longer. */
  onCycle?: ((cycle: GCCycle) => void) | null | undefined;
  /** Called with a line per cycle, in the format of Go's GODEBUG=gctrace=1. null: no longer. */
  trace?: ((line: string) => void) | null | undefined;
  /** Unit of the sizes in these lines. Default "MB". */
  traceUnit?: TraceFormat["unit"];
  /** Where phases and pieces of work are recorded for a trace viewer. null: no longer. */
  events?: TraceEvents | null | undefined;
}

/** How a collector is made: createHeap({ collector }), createSharedHeap({ collector }). */
export interface CollectorOptions extends CollectorSettings {
  /** Milliseconds from any origin, never going back. Default performance.now, or Date.now without it. */
  clock?: (() => number) | undefined;
}

/** The settings that are in force. */
export interface Settings {
  gcPercent: number;
  memoryLimit: number;
  heapMinimum: number;
  auto: boolean;
  limiter: boolean;
  checkmark: boolean;
  clobberfree: boolean;
}

/** The settings that the heap keeps. */
export function heapSettings(exports: CollectorExports): Omit<Settings, "limiter"> {
  const limit = exports.gcStat(STAT_MEMORY_LIMIT);
  return {
    gcPercent: exports.gcStat(STAT_GC_PERCENT),
    memoryLimit: limit >= UNBOUNDED ? Number.POSITIVE_INFINITY : limit,
    heapMinimum: exports.gcStat(STAT_HEAP_MINIMUM),
    auto: exports.gcStat(STAT_COLLECTING) !== 0,
    checkmark: exports.gcStat(STAT_CHECKMARK) !== 0,
    clobberfree: exports.gcStat(STAT_CLOBBERFREE) !== 0,
  };
}

const SETTINGS = namesOf<CollectorSettings>({
  gcPercent: 0,
  memoryLimit: 0,
  heapMinimum: 0,
  auto: 0,
  limiter: 0,
  checkmark: 0,
  clobberfree: 0,
  onCycle: 0,
  trace: 0,
  traceUnit: 0,
  events: 0,
});
const OPTIONS = [...SETTINGS, ...namesOf<Omit<CollectorOptions, keyof CollectorSettings>>({ clock: 0 })];

/** The settings given to setOptions, each read once. Throws TypeError for what is no setting. */
export function readSettings(given: CollectorSettings): CollectorSettings {
  return readOptions(given, SETTINGS, "setOptions");
}

/** The options of a collector, each read once and checked. Throws RangeError, TypeError. */
export function checkCollectorOptions(given: CollectorOptions): CollectorOptions {
  const options: CollectorOptions = readOptions(given, OPTIONS, "the collector");
  checkSettings(options);
  if (options.clock !== undefined) callable(options.clock, "clock");
  return options;
}

/** GOGC as a number, -1 for off. Throws RangeError. */
function checkPercent(given: number | string): number {
  const percent = typeof given === "string" ? parsePercent(given) : given;
  if (percent === null) {
    throw new RangeError(
      `gcPercent must be an integer in -1..${MAX_PERCENT}, one as a string, or "off": ${show(given)}`,
    );
  }
  return within(percent, -1, MAX_PERCENT, "gcPercent");
}

/** A memory limit in bytes, Infinity for none. Throws RangeError. */
function checkMemoryLimit(given: number | string): number {
  const bytes = typeof given === "string" ? parseLimit(given) : given;
  if (bytes === null) {
    throw new RangeError(
      `memoryLimit must be bytes: a number, or a string as in "64MiB" (B, KiB, MiB, GiB, TiB) or "off": ${show(given)}`,
    );
  }
  if (bytes === 0 || bytes === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  return within(bytes, 1, Number.MAX_SAFE_INTEGER, "memoryLimit");
}

/** `given` in the form of Settings, without what is not given. Throws RangeError, TypeError. */
export function checkSettings(given: CollectorSettings): Partial<Settings> {
  const { gcPercent, memoryLimit, heapMinimum, auto, limiter, checkmark, clobberfree } = given;
  const settings: Partial<Settings> = {};
  if (gcPercent !== undefined) settings.gcPercent = checkPercent(gcPercent);
  if (memoryLimit !== undefined) settings.memoryLimit = checkMemoryLimit(memoryLimit);
  if (heapMinimum !== undefined) settings.heapMinimum = within(heapMinimum, 0, MAX_HEAP_MINIMUM, "heapMinimum");
  if (auto !== undefined) settings.auto = boolean(auto, "auto");
  if (limiter !== undefined) settings.limiter = boolean(limiter, "limiter");
  if (checkmark !== undefined) settings.checkmark = boolean(checkmark, "checkmark");
  if (clobberfree !== undefined) settings.clobberfree = boolean(clobberfree, "clobberfree");
  const { onCycle, trace, traceUnit, events } = given;
  if (onCycle != null) callable(onCycle, "onCycle");
  if (trace != null) callable(trace, "trace");
  if (traceUnit !== undefined) oneOf(traceUnit, TRACE_UNITS, "traceUnit");
  if (events != null && !TraceEvents.is(events)) throw new TypeError("events must be a TraceEvents or null");
  return settings;
}

/** Throws CollectorUnavailableError for a setting that the collector of a shared heap does not have. */
export function refuseLimiter({ limiter }: CollectorSettings): void {
  if (limiter === true) {
    throw new CollectorUnavailableError(
      "a shared heap has no limiter: leave the option out, and bound the collector's share by gcPercent",
    );
  }
}

/** Tells wasm what `changed` has. `auto` is applied by the collector itself. */
export function applySettings(exports: CollectorExports, changed: Partial<Settings>): void {
  if (changed.gcPercent !== undefined) exports.setGCPercent(changed.gcPercent);
  if (changed.memoryLimit !== undefined) exports.setMemoryLimit(changed.memoryLimit);
  if (changed.heapMinimum !== undefined) exports.setHeapMinimum(changed.heapMinimum);
  if (changed.checkmark !== undefined) exports.setCheckmark(changed.checkmark ? 1 : 0);
  if (changed.clobberfree !== undefined) exports.setClobberfree(changed.clobberfree ? 1 : 0);
}

/** The clock of `options`, or the engine's. */
export function clockOf({ clock }: CollectorOptions): () => number {
  if (clock !== undefined) return checkedClock(clock);
  return typeof performance === "object" ? () => performance.now() : Date.now;
}

/**
 * A clock of the user's. Throws what that throws, and TypeError when it returns no number. A clock that uses the
 * collector is not asked again from there: it gets the last time.
 */
function checkedClock(clock: () => number): () => number {
  let last = 0;
  let asking = false;
  return () => {
    if (asking) return last;
    asking = true;
    try {
      const time = clock();
      if (!Number.isFinite(time)) throw new TypeError(`clock must return milliseconds: ${show(time)}`);
      last = time;
    } finally {
      asking = false;
    }
    return last;
  };
}
