/**
 * What is measured: the recorded traces and the micro workloads of bench/assembly/driver.
 */

import { readTrace, type Survey, survey, TRACE_NAMES, type Trace } from "./trace.ts";

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
  /** Calls before those, if one is not enough to reach the steady state; 0 for what is timed from an empty heap. */
  readonly warm?: number;
}

/** A trace with what is known about it from its requests alone. */
export interface Replay extends Survey {
  readonly kind: "trace";
  readonly name: string;
  readonly about: string;
  readonly trace: Trace;
}

export type Workload = Micro | Replay;

/** The micro workloads in the order of the tables. */
export const MICROS: readonly Micro[] = [
  { name: "pairs 16 B", about: "malloc and free at once", run: "pairs16", slice: 100_000, calls: 10 },
  { name: "pairs 64 B", about: "malloc and free at once", run: "pairs64", slice: 100_000, calls: 10 },
  { name: "pairs 256 B", about: "malloc and free at once", run: "pairs256", slice: 100_000, calls: 10 },
  { name: "pairs mixed", about: "malloc and free at once, 1..512 B", run: "pairsMixed", slice: 50_000, calls: 10 },
  { name: "LIFO", about: "10k blocks of 64 B, last in first out", run: "lifo", slice: 5, calls: 10 },
  { name: "LIFO mixed", about: "10k blocks of 16..143 B, last in first out", run: "lifoMixed", slice: 5, calls: 10 },
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
    name: "random mixed",
    about: "10k blocks of 16..143 B, freed in random order",
    setup: "shuffledSetup",
    run: "shuffledMixed",
    slice: 5,
    calls: 10,
  },
  {
    name: "replacement",
    about: "10k live of 16..143 B, random replacement",
    setup: "mixedSetup",
    run: "mixed",
    slice: 50_000,
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
    name: "medium 256",
    about: "256 live of 1..64 KiB, random replacement",
    setup: "mediumFewSetup",
    run: "mediumFew",
    // A bump allocator uses up 300 MiB in each.
    slice: 20_000,
    calls: 20,
  },
  {
    name: "medium 2000",
    about: "2k live of 1..64 KiB, random replacement",
    setup: "mediumManySetup",
    run: "mediumMany",
    slice: 20_000,
    calls: 20,
  },
  {
    name: "powers and 8 B",
    about: "256 live of 256 B..64 KiB, a power of two and 8 bytes, random replacement",
    setup: "headedSetup",
    run: "headed",
    slice: 20_000,
    calls: 20,
  },
  {
    name: "large blocks",
    about: "32 live of 32 KiB..1 MiB, random replacement",
    setup: "largeSetup",
    run: "large",
    // A bump allocator uses up 250 MiB in each.
    slice: 500,
    calls: 200,
    warm: 10,
  },
  {
    name: "small and large",
    about: "16k small and 24 large blocks live, sizes change",
    setup: "smallAndLargeSetup",
    run: "smallAndLarge",
    // Four of them go through all ranges of sizes.
    slice: 16_384,
    calls: 40,
    warm: 16,
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
    name: "strings",
    about: "4k strings grown by 8..39 B through realloc",
    setup: "stringsSetup",
    run: "strings",
    slice: 50_000,
    calls: 10,
    warm: 4,
  },
  {
    name: "doubling",
    about: "8 vectors doubled to 64 KiB through realloc",
    setup: "doublingSetup",
    run: "doubling",
    slice: 20_000,
    calls: 10,
  },
  {
    name: "trimmed",
    about: "256 live of 1..64 KiB, cut from 64 KiB through realloc",
    setup: "trimmedSetup",
    run: "trimmed",
    slice: 10_000,
    calls: 20,
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
  {
    name: "million",
    about: "2^20 live objects of 16..79 B in chains",
    run: "million",
    finish: "millionFinish",
    slice: 8_192,
    // One course of filling, halving, refilling and emptying each: 3 * 2^20 operations.
    calls: 384,
    warm: 384,
  },
  {
    name: "larson, cold",
    about: "50k live of 1..1024 B, filled and replaced from an empty heap",
    run: "coldLarson",
    slice: 100_000,
    calls: 1,
    warm: 0,
  },
  {
    name: "medium, cold",
    about: "2k live of 1..64 KiB, filled and replaced from an empty heap",
    run: "coldMedium",
    slice: 20_000,
    calls: 1,
    warm: 0,
  },
].map((micro) => ({ kind: "micro" as const, ...micro }));

/** Loads a trace as a workload. */
export async function loadReplay(name: string): Promise<Replay> {
  return replayOf(await readTrace(name));
}

/** Events of a trace, and the part of a micro workload, that an allocator gets for which long runs are too much. */
const REDUCED_EVENTS = 150_000;
const REDUCED_SLICE = 0.1;

/** A workload cut down for an allocator that would take minutes: the beginning of a trace, shorter calls of a micro. */
export function reduced<W extends Workload>(workload: W): W;
export function reduced(workload: Workload): Workload {
  if (workload.kind === "trace") return beginning(workload, REDUCED_EVENTS);
  const slice = Math.max(1, Math.floor(workload.slice * REDUCED_SLICE));
  return { ...workload, slice, warm: Math.min(1, workload.warm ?? 1) };
}

/** The first `events` events of a trace as a workload of its own. */
export function beginning({ trace }: Replay, events: number): Replay {
  const count = Math.min(events, trace.count);
  return replayOf({ ...trace, events: trace.events.subarray(0, count * 2), count });
}

function replayOf(trace: Trace): Replay {
  return { kind: "trace", name: trace.name, about: `recorded trace, ${trace.count} events`, trace, ...survey(trace) };
}

/** Whether an allocator can do what a workload asks for: some refuse alignments beyond 16. */
export function suits({ aligns }: { readonly aligns: boolean }, workload: Workload): boolean {
  return aligns || workload.kind !== "trace" || !workload.aligned;
}

/** All workloads whose name matches, traces first. */
export async function selectWorkloads(matches: (name: string) => boolean): Promise<Workload[]> {
  const traces = TRACE_NAMES.filter((name) => matches(name));
  return [...(await Promise.all(traces.map(loadReplay))), ...MICROS.filter((micro) => matches(micro.name))];
}
