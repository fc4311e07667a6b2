/**
 * What is measured: the five traces and the micro workloads of bench/assembly/driver.
 */

import { leftovers, peakLive, readTrace, TRACE_NAMES, type Trace, tagSum } from "./trace.ts";

/** A micro workload: an export of the driver that is called `calls` times with `slice`. */
export interface Micro {
  readonly kind: "micro";
  readonly name: string;
  readonly about: string;
  /** Export that fills tables and live sets; not timed. */
  readonly setup?: string;
  readonly run: string;
  /** Export called after the checked run: last checks. */
  readonly finish?: string;
  /** Argument of one call: large enough that the clock does not matter, small enough to stop in between. */
  readonly slice: number;
  /** Calls that are timed in a round. */
  readonly calls: number;
}

/** A trace with what is known about it from its requests alone. */
export interface Replay {
  readonly kind: "trace";
  readonly name: string;
  readonly about: string;
  readonly trace: Trace;
  /** Frees what the program left behind. */
  readonly rest: Trace;
  /** Requested bytes live at their peak. */
  readonly peak: number;
  /** The event at which that peak is reached. */
  readonly peakEvent: number;
  /** What a checked replay of trace and rest must read back. */
  readonly checksum: number;
}

export type Workload = Micro | Replay;

/** The micro workloads in the order of the tables. */
export const MICROS: readonly Micro[] = [
  { name: "pairs 16 B", about: "malloc and free at once", run: "pairs16", slice: 100_000, calls: 10 },
  { name: "pairs 64 B", about: "malloc and free at once", run: "pairs64", slice: 100_000, calls: 10 },
  { name: "pairs 256 B", about: "malloc and free at once", run: "pairs256", slice: 100_000, calls: 10 },
  { name: "pairs mixed", about: "malloc and free at once, 1..512 B", run: "pairsMixed", slice: 50_000, calls: 10 },
  { name: "LIFO", about: "10k blocks of 64 B, last in first out", run: "lifo", slice: 5, calls: 10 },
  { name: "FIFO", about: "10k blocks of 64 B, first in first out", run: "fifo", slice: 5, calls: 10 },
  {
    name: "random order",
    about: "10k blocks of 64 B, freed in random order",
    setup: "shuffledSetup",
    run: "shuffled",
    slice: 5,
    calls: 10,
  },
  {
    name: "larson",
    about: "10k live of 1..1024 B, random replacement",
    setup: "larsonSetup",
    run: "larson",
    slice: 50_000,
    calls: 10,
  },
  {
    name: "alloc-test",
    about: "16k live, skewed sizes and lifetimes",
    setup: "allocTestSetup",
    run: "allocTest",
    slice: 50_000,
    calls: 10,
  },
  {
    name: "binary trees",
    about: "16-byte nodes, one tree stays",
    setup: "treesSetup",
    run: "trees",
    finish: "treesFinish",
    slice: 1,
    calls: 10,
  },
  {
    name: "large blocks",
    about: "32 live of 32 KiB..1 MiB, random replacement",
    setup: "largeSetup",
    run: "large",
    slice: 5_000,
    calls: 20,
  },
  {
    name: "vectors",
    about: "64 vectors grown by half through realloc",
    setup: "vectorsSetup",
    run: "vectors",
    slice: 20_000,
    calls: 10,
  },
  {
    name: "calloc",
    about: "1k live, 16 B..4 KiB, random replacement",
    setup: "zeroedSetup",
    run: "zeroed",
    slice: 50_000,
    calls: 10,
  },
  {
    name: "fragmentation",
    about: "every other small block freed, larger ones follow",
    run: "fragmentation",
    slice: 1,
    calls: 10,
  },
  { name: "million", about: "2^20 live objects of 16..79 B in chains", run: "million", slice: 1, calls: 1 },
].map((micro) => ({ kind: "micro" as const, ...micro }));

/** Loads a trace as a workload. */
export async function loadReplay(name: string): Promise<Replay> {
  return replayOf(await readTrace(name));
}

/** The first `events` events of a trace as a workload of its own. */
export function beginning({ trace }: Replay, events: number): Replay {
  const count = Math.min(events, trace.count);
  return replayOf({ ...trace, events: trace.events.subarray(0, count * 2), count });
}

function replayOf(trace: Trace): Replay {
  const peak = peakLive(trace);
  const rest = leftovers(trace);
  return {
    kind: "trace",
    name: trace.name,
    about: `recorded trace, ${trace.count} events`,
    trace,
    rest,
    peak: peak.bytes,
    peakEvent: peak.event,
    checksum: tagSum(trace),
  };
}

/** All workloads whose name matches, traces first. */
export async function selectWorkloads(matches: (name: string) => boolean): Promise<Workload[]> {
  const traces = TRACE_NAMES.filter((name) => matches(name));
  return [...(await Promise.all(traces.map(loadReplay))), ...MICROS.filter((micro) => matches(micro.name))];
}
