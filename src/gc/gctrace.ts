/**
 * Traces of collections: a record of one cycle, and Go's GODEBUG=gctrace=1 line for it.
 *
 *   gc 7 @1.204s 3%: 0.019+1.4+0.004 ms clock, 0.15+0.23/0.41/0.10+0.033 ms cpu, 4->5->2 MB, 4 MB goal,
 *   0 MB stacks, 0 MB globals, 8 P (forced)                                             (one line)
 *
 * Clock times are of sweep termination, concurrent mark and mark termination; processor times the same, the mark's as
 * assists/background workers/idle workers; heap sizes when the cycle began, when the mark ended, and what was marked.
 * Pure functions. Tools that read Go's lines read these.
 */
import { boolean, namesOf, object, oneOf, reading, readOptions, show } from "../base/check.js";

/** What one cycle was. Times are milliseconds, sizes bytes; all finite and not negative. */
export interface GCCycle {
  /** Counts from 1. */
  readonly number: number;
  /** When it began, from the heap's creation. */
  readonly startedAt: number;
  /** Share of all processor time that went into collections since the heap's creation, 0 to 1. */
  readonly utilization: number;
  /** Wall time of each phase. */
  readonly clock: {
    /** The world is stopped: the last cycle's sweep is completed, roots and barrier are prepared. */
    readonly sweepTermination: number;
    readonly mark: number;
    /** The world is stopped: marking is completed. */
    readonly markTermination: number;
  };
  /** Processor time. */
  readonly cpu: {
    readonly sweepTermination: number;
    /** Of the mark: by allocations, by workers, and in idle time. */
    readonly assist: number;
    readonly background: number;
    readonly idle: number;
    readonly markTermination: number;
  };
  /** heapLive when it began and when its mark ended; the bytes marked. */
  readonly heapStart: number;
  readonly heapEnd: number;
  readonly heapMarked: number;
  /** The heapLive that the cycle was to end with. */
  readonly goal: number;
  /** Bytes of stacks and of globals that were scanned or would have been. */
  readonly stacks: number;
  readonly globals: number;
  /** Processors that took part, at least 1. */
  readonly procs: number;
  /** The program asked for it. */
  readonly forced: boolean;
}

/** Units of the sizes in a line. */
export const TRACE_UNITS = ["MB", "KB"] as const;

export interface TraceFormat {
  /** Unit of sizes: Go's MB of 2^20 bytes, or KB of 2^10 for small heaps. Default "MB". */
  readonly unit?: "MB" | "KB" | undefined;
}

const FORMAT = namesOf<TraceFormat>({ unit: 0 });

/** The figures of a cycle: a record of this shape has finite numbers, not negative, in its places. */
const FIGURES: readonly (readonly string[])[] = [
  ...[
    "number",
    "startedAt",
    "utilization",
    "heapStart",
    "heapEnd",
    "heapMarked",
    "goal",
    "stacks",
    "globals",
    "procs",
  ].map((name) => [name]),
  ...["sweepTermination", "mark", "markTermination"].map((name) => ["clock", name]),
  ...["sweepTermination", "assist", "background", "idle", "markTermination"].map((name) => ["cpu", name]),
];

/** `cycle` when it is a cycle's record. Throws TypeError. */
export function checkCycle(cycle: GCCycle): GCCycle {
  object(cycle, "cycle");
  for (const path of FIGURES) {
    const name = ["cycle", ...path].join(".");
    let value: unknown = cycle;
    for (const step of path) {
      const record = object(value as Record<string, unknown>, name);
      value = reading(name, () => record[step]);
    }
    if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY) {
      throw new TypeError(`${name} must be a finite number from 0 on: ${show(value)}`);
    }
  }
  boolean(
    reading("cycle.forced", () => cycle.forced),
    "cycle.forced",
  );
  return cycle;
}

/**
 * Milliseconds as Go has them: two significant digits, three decimals at most, whole milliseconds from 10 on; what is
 * cut off is not rounded. Less than a microsecond is 0.
 */
export function formatMs(ms: number): string {
  if (ms >= 10) return String(Math.floor(ms));
  // A clock's 1.001 ms may be a float just below it.
  let digits = Math.floor(ms * 1000 + 1e-6);
  if (digits <= 0) return "0";
  let decimals = 3;
  while (digits >= 100) {
    digits = Math.floor(digits / 10);
    decimals--;
  }
  return (digits / 10 ** decimals).toFixed(decimals);
}

/** The line of a cycle, without a line feed. Throws TypeError for what is no record of a cycle. */
export function formatGCTrace(cycle: GCCycle, format: TraceFormat = {}): string {
  const { clock, cpu } = checkCycle(cycle);
  const { unit = "MB" } = readOptions(format, FORMAT, "formatGCTrace");
  oneOf(unit, TRACE_UNITS, "unit");
  const size = (bytes: number) => Math.floor(bytes / (unit === "MB" ? 2 ** 20 : 2 ** 10));
  const sized = (bytes: number, of: string) => `${size(bytes)} ${unit} ${of}`;
  const wall = [clock.sweepTermination, clock.mark, clock.markTermination].map(formatMs);
  const marking = [cpu.assist, cpu.background, cpu.idle].map(formatMs);
  const used = [formatMs(cpu.sweepTermination), marking.join("/"), formatMs(cpu.markTermination)];
  const parts = [
    `gc ${cycle.number} @${seconds(cycle.startedAt)}s ${Math.floor(cycle.utilization * 100)}%: ${wall.join("+")} ms clock`,
    `${used.join("+")} ms cpu`,
    `${[cycle.heapStart, cycle.heapEnd, cycle.heapMarked].map(size).join("->")} ${unit}`,
    sized(cycle.goal, "goal"),
    sized(cycle.stacks, "stacks"),
    sized(cycle.globals, "globals"),
    `${cycle.procs} P`,
  ];
  return parts.join(", ") + (cycle.forced ? " (forced)" : "");
}

/** Seconds with three decimals, cut off. */
function seconds(ms: number): string {
  return (Math.floor(ms) / 1000).toFixed(3);
}
