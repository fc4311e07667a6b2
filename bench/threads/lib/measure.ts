/**
 * One measurement: a workload through one allocator on one or two threads, in a fresh heap.
 *
 * The micro workloads run for a fixed time, once untimed and then REPEATS times; all threads end within one slice of
 * each other, so no thread ever has the machine for itself. Throughput is all operations over the time from the first
 * start to the last end. The trace has a fixed length and is played through: once from an empty heap, then REPEATS times
 * in the heap that has its memory. The figure is the median of the repeats.
 *
 * A run of fixed length (`fixed`) gives checksums that two allocators must agree on.
 */

import type { Clock } from "../../lib/clock.ts";
import { median } from "../../lib/statistics.ts";
import { FAILURES, HEAP_BASE, WASM_PAGE } from "./layout.ts";
import type { Heap } from "./pool.ts";
import { eventsIn } from "./trace.ts";
import type { Counters, WorkerRecord } from "./worker.ts";
import type { Micro, Trace, Workload } from "./workloads.ts";

const REPEATS = 3;

/** No limit on slices: the clock ends the run. */
const UNLIMITED = 0xffffffff;

/** What one measurement tells. */
export interface Sample {
  /** Nanoseconds that pass per operation, whichever thread does it. */
  readonly nanoseconds: number;
  /** The trace from an empty heap. */
  readonly cold?: number;
  /** Bytes obtained from the memory. */
  readonly footprint: number;
  /** Processor time that the threads got over the wall time they ran: 1 if each had a processor all the time. */
  readonly share: number;
  /** The trace: part of the events that had to wait. */
  readonly stalls?: number;
}

/**
 * Time per operation over all threads, in nanoseconds: from the first start to the last end. Processor time is that of
 * the process, so with two threads at work twice as much passes.
 */
function perOperation(records: readonly WorkerRecord[], clock: Clock): number {
  const [began, ended] = clock === "wall" ? (["began", "ended"] as const) : (["cpuBegan", "cpuEnded"] as const);
  const start = Math.min(...records.map((record) => record[began]));
  const end = Math.max(...records.map((record) => record[ended]));
  const passed = (end - start) / (clock === "wall" ? 1 : records.length);
  return (passed * 1e6) / sum(records, "operations");
}

/** The middle of several runs. */
function middle(runs: readonly (readonly WorkerRecord[])[], clock: Clock): Pick<Sample, "nanoseconds" | "share"> {
  const shares = runs.map((records) => perOperation(records, "cpu") / perOperation(records, "wall"));
  return { nanoseconds: median(runs.map((records) => perOperation(records, clock))), share: median(shares) };
}

/** How a measurement is taken. */
export interface Way {
  /** Milliseconds that a micro workload runs each time. */
  readonly milliseconds: number;
  readonly clock: Clock;
}

/** Measures a workload in a fresh heap. */
export async function measure(heap: Heap, workload: Workload, way: Way): Promise<Sample> {
  return workload.kind === "trace" ? measureTrace(heap, workload, way) : measureMicro(heap, workload, way);
}

async function measureMicro(heap: Heap, workload: Micro, { milliseconds, clock }: Way): Promise<Sample> {
  await each(heap, workload.setup);
  const runs: WorkerRecord[][] = [];
  for (let i = -1; i < REPEATS; i++) {
    const records = await heap.run(workload.run, (index) => [index, UNLIMITED, milliseconds]);
    if (i >= 0) runs.push(records);
  }
  const footprint = await footprintOf(heap);
  await each(heap, workload.finish);
  return { ...middle(runs, clock), footprint };
}

async function measureTrace(heap: Heap, workload: Trace, { clock }: Way): Promise<Sample> {
  const pass = await loadTrace(heap, workload);
  const cold = perOperation(await pass(), clock);
  const footprint = await footprintOf(heap);
  const runs: WorkerRecord[][] = [];
  for (let i = 0; i < REPEATS; i++) runs.push(await pass());
  const stalls = median(runs.map((records) => sum(records, "stalls") / sum(records, "operations")));
  return { ...middle(runs, clock), cold, footprint, stalls };
}

/** Puts the trace into the memory and gives a function that plays it through once. */
async function loadTrace(heap: Heap, workload: Trace): Promise<() => Promise<WorkerRecord[]>> {
  const { lists, listsAt, slotsAt, sizesAt, maxSlots } = workload.plan(heap.threads);
  for (const [i, words] of lists.entries()) await heap.tell(0, "write", { at: listsAt[i]!, words });
  return async () => {
    await heap.call(0, "rewind", slotsAt, maxSlots);
    return heap.run("replay", (index) => [index, listsAt[index]!, eventsIn(lists[index]!), slotsAt, sizesAt]);
  };
}

/** Calls an export once in each thread, one after the other. */
async function each(heap: Heap, name: string | undefined): Promise<void> {
  if (name === undefined) return;
  for (let i = 0; i < heap.threads; i++) await heap.call(i, name, i);
}

async function footprintOf(heap: Heap): Promise<number> {
  return (await heap.pages()) * WASM_PAGE - HEAP_BASE;
}

function sum(records: readonly WorkerRecord[], field: keyof WorkerRecord): number {
  return records.reduce((total, record) => total + record[field], 0);
}

/** What a run of fixed length read back. */
export interface Verdict {
  /** Over all threads; the same for every allocator that keeps contents. */
  readonly checksum: number;
  /** What went wrong (checked driver); undefined if nothing did. */
  readonly failure: string | undefined;
  /** Calls of the malloc family that were made in the run itself, or blocks passed on. */
  readonly operations: number;
}

/**
 * A run of fixed length from a fresh heap to an empty one; `part` of the slices that the workload names. The trace must
 * also read back what its requests say; a fault is in `failure`.
 */
export async function fixed(heap: Heap, workload: Workload, part = 1): Promise<Verdict> {
  let records: WorkerRecord[];
  if (workload.kind === "trace") {
    records = await (await loadTrace(heap, workload))();
  } else {
    await each(heap, workload.setup);
    await heap.run(workload.run, (index) => [index, slicesOf(workload, part), 0]);
    await each(heap, workload.finish);
    records = await Promise.all(
      Array.from({ length: heap.threads }, (_, index) => heap.tell(index, "record", { index })),
    );
  }
  const checksum = sum(records, "checksum") >>> 0;
  return { checksum, failure: failureOf(heap, workload, records, checksum), operations: sum(records, "operations") };
}

function failureOf(heap: Heap, workload: Workload, records: readonly WorkerRecord[], checksum: number) {
  const faulty = records.find(({ failures }) => failures > 0);
  if (faulty) return `${sum(records, "failures")} failed checks, the first: ${FAILURES[faulty.failure]}`;
  if (workload.kind !== "trace" || checksum === workload.plan(heap.threads).checksum) return undefined;
  return "not what the trace's requests say was read back";
}

function slicesOf({ slices }: Micro, part: number): number {
  return Math.max(1, Math.round(slices * part));
}

/** Counters of one run in a warm heap. */
export interface Count extends Counters {
  readonly operations: number;
}

/** Runs twice at fixed length and gives what the second run added; the heap must have counters. */
export async function count(heap: Heap, workload: Workload): Promise<Count> {
  const once =
    workload.kind === "trace"
      ? await loadTrace(heap, workload)
      : () => heap.run(workload.run, (index) => [index, workload.slices, 0]);
  if (workload.kind === "micro") await each(heap, workload.setup);
  await once();
  const before = await heap.tell(0, "counters", null);
  const records = await once();
  const after = await heap.tell(0, "counters", null);
  return { ...difference(after, before), operations: sum(records, "operations") };
}

function difference(after: Counters, before: Counters): Counters {
  const lock = (of: "heap" | "central") => ({
    acquisitions: after[of].acquisitions - before[of].acquisitions,
    contended: after[of].contended - before[of].contended,
    waits: after[of].waits - before[of].waits,
  });
  return {
    heap: lock("heap"),
    central: lock("central"),
    remote: after.remote - before.remote,
    pushed: after.pushed - before.pushed,
    taken: after.taken - before.taken,
  };
}
