/**
 * What a run leaves: tables on the console, JSON on disk.
 */

import { leave } from "../../lib/leave.ts";
import { describeMachine } from "../../lib/machine.ts";
import { type Cell, cell, columns, type Table } from "../../lib/table.ts";
import { type ModelRow, modelTable } from "../model.ts";
import type { Contender } from "./contenders.ts";
import { DRIVER, LOCKED, OURS } from "./contenders.ts";
import { atomicsPerCall, type CountRow, locksPerCall } from "./counts.ts";
import type { FlavourRow } from "./flavours.ts";
import type { Options } from "./options.ts";
import type { Figures } from "./rounds.ts";
import { judge, type Target } from "./targets.ts";
import { MICROS, type Threads, TRACE_NAME } from "./workloads.ts";

/** Two threads that never wait had less than this of two processors: others were at work on the machine. */
const QUIET = 0.95;

/** Everything a run found. */
export interface Findings {
  readonly contenders: readonly Contender[];
  /** Why something does not appear. */
  readonly missing: readonly string[];
  readonly figures: Figures;
  readonly flavours: readonly FlavourRow[];
  readonly counts: readonly CountRow[];
  readonly model: readonly ModelRow[];
}

const MIB = 2 ** 20;

/** Head of the table of throughputs of two threads over one, in which others look rows up. */
export const SCALING = "throughput of two threads over one, and their time over dlmalloc-lock's";

/** Prints the tables and writes the files. */
export async function report(found: Findings, options: Options): Promise<void> {
  const machine = describeMachine({ assemblyscript: "assemblyscript", binaryen: "binaryen", clang: "@yowasp/clang" });
  const targets = judge(found.figures, found.flavours, found.counts);
  const conditions = `medians of ${options.rounds} interleaved rounds, ${options.clock} time`;
  const origin = `${machine.cpu}, ${machine.cores} cores, node ${machine.node}; ${conditions}`;
  const cpu = "Processor time: threads that did not run at once have not contended. Verdicts are for wall time.";
  const notes = [...found.missing, ...(options.clock === "cpu" ? [cpu] : []), ...busy(found.figures)];
  const tables = [...tablesOf(found), targetTable(targets)];
  const record = {
    machine,
    rounds: options.rounds,
    clock: options.clock,
    allocators: found.contenders.map(({ name, about }) => ({ name, about })),
    targets,
    series: found.figures.series,
    flavours: found.flavours,
    counts: found.counts,
    model: found.model,
    missing: found.missing,
  };
  const published = { machine, conditions, tables, notes };
  await leave({ name: "threads", script: "npm run bench:threads", origin, record, published }, options);
}

function tablesOf({ figures, contenders, flavours, counts, model }: Findings): Table[] {
  const names = contenders.map(({ name }) => name);
  return [
    ...(figures.series.length
      ? [timeTable(figures, contenders), ratioTable(figures, names), memoryTable(figures, contenders)]
      : []),
    ...(flavours.length ? [flavourTable(flavours)] : []),
    ...(counts.length ? [countTable(counts)] : []),
    ...(model.length ? [modelTable(model)] : []),
  ];
}

/** Says so if the threads did not have the machine for themselves. The trace's workers wait; one ends before the other. */
function busy(figures: Figures): string[] {
  const names = MICROS.filter(({ scales }) => scales).map(({ name }) => name);
  const shares = [DRIVER, OURS]
    .flatMap((allocator) => names.map((name) => figures.value(name, allocator, 2, "share")))
    .filter((share) => share !== undefined);
  const least = Math.min(...shares);
  if (!(least < QUIET)) return [];
  return [
    `Others were at work: two threads that never wait had ${(least * 100).toFixed(0)} % of two processors at worst. ` +
      "What is said of two threads means little.",
  ];
}

/** Each contender with each number of threads that it runs with. */
function lines(contenders: readonly Contender[]): { name: string; threads: Threads }[] {
  return contenders.flatMap(({ name, shared }) =>
    (shared ? ([1, 2] as const) : ([1] as const)).map((threads) => ({ name, threads })),
  );
}

/** One line for each allocator and number of threads, one column for each workload: the other way it is too wide. */
function turned(
  what: string,
  digits: number,
  contenders: readonly Contender[],
  workloads: readonly string[],
  figure: (workload: string, name: string, threads: Threads) => number | undefined,
): Table {
  return {
    columns: [{ name: what }, { name: "threads" }, ...columns(workloads, digits)],
    rows: lines(contenders).map(({ name, threads }): Cell[] => [
      name,
      threads,
      ...workloads.map((workload) => cell(figure(workload, name, threads))),
    ]),
  };
}

/** Wall time over the operations of all threads; the trace's first pass in a column of its own. */
function timeTable(figures: Figures, contenders: readonly Contender[]): Table {
  const cold = `${TRACE_NAME}, first pass`;
  const workloads = figures.workloads.includes(TRACE_NAME) ? [...figures.workloads, cold] : figures.workloads;
  return turned("ns per operation", 1, contenders, workloads, (workload, name, threads) =>
    workload === cold ? figures.value(TRACE_NAME, name, threads, "cold") : figures.value(workload, name, threads),
  );
}

/** Two threads over one for each allocator, and the time on two threads over that of the lock. */
function ratioTable(figures: Figures, names: readonly string[]): Table {
  const scaling = names.filter((name) => figures.series.some((one) => one.allocator === name && one.threads === 2));
  return {
    columns: [
      { name: SCALING },
      ...columns(
        scaling.map((name) => `${name} x2`),
        2,
        "x",
      ),
      ...columns(
        scaling.map((name) => `${name}/lock`),
        3,
        "x",
      ),
    ],
    rows: figures.workloads.map((workload) => [
      workload,
      ...scaling.map((name) => cell(figures.scaling(workload, name))),
      ...scaling.map((name) => cell(figures.ratio(workload, [name, 2], [LOCKED, 2]))),
    ]),
  };
}

function memoryTable(figures: Figures, contenders: readonly Contender[]): Table {
  return turned("peak memory, MiB", 2, contenders, figures.workloads, (workload, name, threads) => {
    const bytes = figures.value(workload, name, threads, "footprint");
    return bytes === undefined ? undefined : bytes / MIB;
  });
}

function flavourTable(rows: readonly FlavourRow[]): Table {
  return {
    columns: [
      { name: "one thread, ns per operation" },
      ...columns(["unshared", "shared"], 1),
      { name: "shared/unshared", digits: 3, unit: "x" },
      { name: "spread", digits: 0, unit: " %" },
    ],
    rows: rows.map(({ workload, plain, shared, ratio, spread }) => [
      workload,
      ...[plain, shared, ratio, spread * 100].map(cell),
    ]),
  };
}

function countTable(rows: readonly CountRow[]): Table {
  const counted = [
    "heap lock",
    "contended",
    "waits",
    "mcentral locks",
    "contended",
    "remote frees",
    "groups pushed",
    "taken over",
    "locks",
    "atomics",
  ];
  return {
    columns: [{ name: "per 1000 calls" }, { name: "threads" }, ...columns(counted, 2)],
    rows: rows.map((row) => [
      row.workload,
      row.threads,
      ...[
        row.heap.acquisitions / row.calls,
        row.heap.contended / row.calls,
        row.heap.waits / row.calls,
        row.central.acquisitions / row.calls,
        row.central.contended / row.calls,
        row.remote / row.calls,
        row.pushed / row.calls,
        row.taken / row.calls,
        locksPerCall(row),
        atomicsPerCall(row),
      ].map((value) => cell(value * 1000)),
    ]),
  };
}

function targetTable(targets: readonly Target[]): Table {
  return {
    columns: [{ name: "target" }, { name: "" }, { name: "limit" }, { name: "measured" }, { name: "" }],
    rows: targets.map(({ what, side, limit, value, unit, met }) => [
      what,
      side,
      `${limit}${unit}`,
      value === undefined ? null : `${value.toFixed(3)}${unit}`,
      met === undefined ? "not measured" : met ? "met" : "missed",
    ]),
  };
}
