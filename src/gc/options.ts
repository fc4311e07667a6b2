/**
 * Options of a collector: checked here, all before any of them is in force.
 */
import { within } from "../check.js";
import type { CollectorExports } from "./abi.js";
import type { TraceEvents } from "./events.js";
import type { GCCycle, TraceFormat } from "./gctrace.js";

/** Largest GOGC, and largest heapMinimum: 2^37. */
const MAX_PERCENT = 2 ** 31 - 1;
const MAX_HEAP_MINIMUM = 2 ** 37;

/** What can be changed at any time, by Collector.setOptions. */
export interface CollectorSettings {
  /**
   * GOGC: how much may be allocated after a cycle until the next one, in percent of what that one found alive; 0 to
   * 2^31-1, -1 or "off" for no cycles but those of the memory limit and those that are asked for. Default 100.
   */
  gcPercent?: number | "off" | undefined;
  /**
   * Bytes of pages in use, of this heap and of its records, that cycles try to keep to; 0 or Infinity: none. A soft
   * limit: see maxBytes for a hard one. Default none.
   */
  memoryLimit?: number | undefined;
  /** The least goal at GOGC 100, bytes, 0 to 2^37: below it no cycle begins for GOGC's sake. Default 4 MiB. */
  heapMinimum?: number | undefined;
  /**
   * True: allocating begins a cycle when the trigger is reached or memory is out, so that any allocation may free what
   * no root reaches. False: cycles begin only where the program says so. Default false.
   */
  auto?: boolean | undefined;
  /**
   * True: no cycle begins by itself, and the background rests, while the collector has had more than half of the time
   * over the last second. Default true.
   */
  limiter?: boolean | undefined;
  /** Called after each cycle's marking. null: not any more. */
  onCycle?: ((cycle: GCCycle) => void) | null | undefined;
  /** Called with a line per cycle, as GODEBUG=gctrace=1 of Go prints it. null: not any more. */
  trace?: ((line: string) => void) | null | undefined;
  /** Unit of the sizes in these lines. Default "MB". */
  traceUnit?: TraceFormat["unit"];
  /** Where phases and pieces of work are recorded for a trace viewer. null: not any more. */
  events?: TraceEvents | null | undefined;
}

/** How a collector is made: createHeap({ collector }). */
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
}

/** What a fresh heap has. */
export const DEFAULT_SETTINGS: Readonly<Settings> = {
  gcPercent: 100,
  memoryLimit: Number.POSITIVE_INFINITY,
  heapMinimum: 4 << 20,
  auto: false,
  limiter: true,
};

/** `given` in the form of Settings, without what is not given. Throws RangeError, TypeError. */
export function checkSettings(given: CollectorSettings): Partial<Settings> {
  const { gcPercent, memoryLimit, heapMinimum, auto, limiter } = given;
  const settings: Partial<Settings> = {};
  if (gcPercent !== undefined) {
    settings.gcPercent = gcPercent === "off" ? -1 : within(gcPercent, -1, MAX_PERCENT, "gcPercent");
  }
  if (memoryLimit !== undefined) {
    const none = memoryLimit === 0 || memoryLimit === Number.POSITIVE_INFINITY;
    settings.memoryLimit = none
      ? Number.POSITIVE_INFINITY
      : within(memoryLimit, 1, Number.MAX_SAFE_INTEGER, "memoryLimit");
  }
  if (heapMinimum !== undefined) settings.heapMinimum = within(heapMinimum, 0, MAX_HEAP_MINIMUM, "heapMinimum");
  if (auto !== undefined) settings.auto = boolean(auto, "auto");
  if (limiter !== undefined) settings.limiter = boolean(limiter, "limiter");
  const { onCycle, trace, traceUnit, events } = given;
  if (onCycle != null && typeof onCycle !== "function") throw new TypeError("onCycle must be a function or null");
  if (trace != null && typeof trace !== "function") throw new TypeError("trace must be a function or null");
  if (traceUnit !== undefined && traceUnit !== "MB" && traceUnit !== "KB") {
    throw new TypeError(`traceUnit must be "MB" or "KB"`);
  }
  if (events != null && typeof events.cycle !== "function") throw new TypeError("events must be a TraceEvents or null");
  return settings;
}

/** Brings the wasm side in line with what `changed` has. `auto` is the collector's own to apply. */
export function applySettings(exports: CollectorExports, changed: Partial<Settings>): void {
  if (changed.gcPercent !== undefined) exports.setGCPercent(changed.gcPercent);
  if (changed.memoryLimit !== undefined) exports.setMemoryLimit(changed.memoryLimit);
  if (changed.heapMinimum !== undefined) exports.setHeapMinimum(changed.heapMinimum);
}

/** The clock of `options`, or the engine's. Throws TypeError. */
export function clockOf({ clock }: CollectorOptions): () => number {
  if (clock !== undefined) {
    if (typeof clock !== "function") throw new TypeError("clock must be a function");
    return clock;
  }
  return typeof performance === "object" ? () => performance.now() : Date.now;
}

function boolean(value: boolean, name: string): boolean {
  if (typeof value !== "boolean") throw new TypeError(`${name} must be true or false`);
  return value;
}
