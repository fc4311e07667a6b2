/**
 * What a run leaves: tables on the console, JSON on disk.
 */

import { leave } from "../../lib/leave.ts";
import { describeMachine } from "../../lib/machine.ts";
import { cell, columns, type Table } from "../../lib/table.ts";
import { MEAN } from "../../lib/tables.ts";
import type { Figures, Measure } from "./figures.ts";
import type { ObjectSize } from "./measure.ts";
import type { Options } from "./options.ts";
import { INCREMENTAL, MINIMAL, OURS, type Runtime } from "./runtimes.ts";

/** Everything a run found. */
export interface Findings {
  readonly runtimes: readonly Runtime[];
  readonly figures: Figures;
  /** What objects of two f64 take, by runtime. */
  readonly objects: Readonly<Record<string, ObjectSize>>;
  /** Nanoseconds that the clock adds to an operation. */
  readonly timer: number;
  /** Runtimes that are missing and programs that failed. */
  readonly notes: readonly string[];
}

/** Runs that had less than this of a processor, in the median of the rounds: others were at work on the machine. */
const QUIET = 0.95;

const MIB = 2 ** 20;

/** Heads of tables that others look rows up in. */
export const TIME = "total time, ms";
export const MEMORY = "memory, MiB";
export const over = (runtime: string) => `${OURS}/${runtime}`;

/** What ours is held against. */
const OTHERS = [INCREMENTAL, MINIMAL] as const;

/** Prints the tables and writes the files. */
export async function report(found: Findings, options: Options): Promise<void> {
  const machine = describeMachine({ assemblyscript: "assemblyscript" });
  const set = options.constants.map(({ runtime, text }) => `${runtime} with ${text}`);
  const conditions = [
    `medians of ${options.rounds} interleaved rounds, ${options.clock} time`,
    ...(options.scale === "full" ? [] : [`${options.scale} size`]),
    ...set,
  ].join("; ");
  const origin = `${machine.cpu}, ${machine.cores} cores, node ${machine.node}, asc ${machine.assemblyscript}; ${conditions}`;
  const clock = `Reading the clock adds ${found.timer.toFixed(0)} ns to an operation.`;
  const notes = [clock, ...found.notes, ...busy(found.figures)];
  const tables = tablesOf(found);
  const record = {
    machine,
    scale: options.scale,
    rounds: options.rounds,
    clock: options.clock,
    constants: options.constants,
    timer: found.timer,
    runtimes: found.runtimes.map(({ name, about }) => ({ name, about })),
    cells: found.figures.cells,
    objects: found.objects,
    notes,
  };
  const published = { machine, conditions, tables, notes };
  await leave({ name: "rt", script: "npm run bench:rt", origin, record, published }, options);
}

/** Says so if runs did not have a processor for themselves. */
function busy({ cells }: Figures): string[] {
  const least = Math.min(...cells.map(({ share }) => share));
  if (!(least < QUIET)) return [];
  return [
    `Others were at work: half of the runs of a program had less than ${(least * 100).toFixed(0)} % of a processor.`,
  ];
}

/** The tables of the report. */
export function tablesOf({ figures, runtimes, objects }: Findings): Table[] {
  const names = runtimes.map(({ name }) => name);
  return [
    ...(figures.cells.length
      ? [
          compared(TIME, figures, names, "time", 0, 1),
          compared(MEMORY, figures, names, "bytes", 1, MIB),
          compared("of it written to, MiB", figures, names, "written", 1, MIB),
          pauseTable(figures, names),
          compared("99th percentile, us", figures, names, "p99", 1, 1),
          compared("longest, us", figures, names, "longest", 1, 1),
        ]
      : []),
    ...(Object.keys(objects).length ? [objectTable(objects)] : []),
  ];
}

/** The others that took part, if ours did. */
function rivals(names: readonly string[]): string[] {
  return names.includes(OURS) ? OTHERS.filter((name) => names.includes(name)) : [];
}

/** One line for each program: a figure of each runtime in units of `unit`, and ours over the others'. */
function compared(
  what: string,
  figures: Figures,
  names: readonly string[],
  measure: Measure,
  digits: number,
  unit: number,
): Table {
  const against = rivals(names);
  const line = (program: string) => [
    program,
    ...names.map((name) => {
      const value = figures.value(program, name, measure);
      return cell(value === undefined ? undefined : value / unit);
    }),
    ...against.map((name) => cell(figures.ratio(program, OURS, name, measure))),
  ];
  const mean = [MEAN, ...names.map(() => ""), ...against.map((name) => cell(figures.mean(OURS, name, measure)))];
  return {
    columns: [{ name: what }, ...columns(names, digits), ...columns(against.map(over), 2, "x")],
    rows: [...figures.programs.map(line), ...(against.length ? [mean] : [])],
  };
}

/** Operations by runtime: least of the rounds, and as the rounds met them. */
function pauseTable(figures: Figures, names: readonly string[]): Table {
  const rows = figures.programs.flatMap((program) =>
    names.flatMap((name) => {
      const found = figures.find(program, name);
      if (!found) return [];
      const { pauses, met } = found;
      const times = [pauses.median, pauses.p99, pauses.longest, met.median, met.p99, met.longest];
      return [[`${program}, ${name}`, found.operations, ...times.map(cell)]];
    }),
  );
  const times = ["median", "99 %", "longest", "as met: median", "99 %", "longest"];
  return { columns: [{ name: "us per operation" }, { name: "operations" }, ...columns(times, 1)], rows };
}

function objectTable(objects: Findings["objects"]): Table {
  return {
    columns: [
      { name: "objects of two f64" },
      { name: "number" },
      ...columns(["bytes each"], 2),
      ...columns(["of the whole memory"], 1),
    ],
    rows: Object.entries(objects).map(([name, { count, written, memory }]) => [name, count, written, memory]),
  };
}
