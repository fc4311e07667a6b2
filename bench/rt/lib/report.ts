/**
 * What a run leaves: text on the console, JSON on disk, and, on request, the same tables in docs/rt-benchmark.md and a
 * short one in the README.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { describeMachine } from "../../lib/machine.ts";
import { RESULTS, ROOT } from "../../lib/paths.ts";
import { table } from "../../lib/tables.ts";
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
const DOC = join(ROOT, "docs", "rt-benchmark.md");
const README = join(ROOT, "docs", "results.md");
const MARKS = ["<!-- rt-benchmark:begin -->", "<!-- rt-benchmark:end -->"] as const;

/** What ours is held against. */
const OTHERS = [INCREMENTAL, MINIMAL] as const;

/** Prints the tables and writes the files. */
export async function report(found: Findings, options: Options): Promise<void> {
  const machine = describeMachine({ assemblyscript: "assemblyscript" });
  const set = options.constants.map(({ runtime, text }) => `${runtime} with ${text}`);
  const origin = [
    `${machine.cpu}, ${machine.cores} cores, node ${machine.node}, asc ${machine.assemblyscript}`,
    `medians of ${options.rounds} interleaved rounds, ${options.clock} time`,
    ...(options.scale === "full" ? [] : [`${options.scale} size`]),
    ...set,
  ].join("; ");
  const clock = `Reading the clock adds ${found.timer.toFixed(0)} ns to an operation.`;
  const notes = [...found.notes, ...busy(found.figures)];
  const text = [origin, ...sections(found), clock, ...notes].join("\n\n");
  console.log(`\n${text}\n`);
  const path = options.json ?? join(RESULTS, "rt.json");
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
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(record, undefined, 2)}\n`);
  console.log(`figures: ${relative(ROOT, path)}`);
  if (!options.write) return;
  const short = `${readmeTable(found)}\n\n${[`${origin}.`, ...notes].join(" ")}`;
  for (const [document, tables] of [
    [DOC, `\`\`\`text\n${text}\n\`\`\``],
    [README, short],
  ] as const) {
    const done = await replaceMarked(document, tables);
    console.log(`${done ? "tables" : `no ${MARKS.join(" and ")}, left alone`}: ${relative(ROOT, document)}`);
  }
}

/** Says so if runs did not have a processor for themselves. */
function busy({ cells }: Figures): string[] {
  const least = Math.min(...cells.map(({ share }) => share));
  if (!(least < QUIET)) return [];
  return [
    `Others were at work: half of the runs of a program had less than ${(least * 100).toFixed(0)} % of a processor.`,
  ];
}

/** The tables of the console and the document. */
export function sections({ figures, runtimes, objects }: Findings): string[] {
  const names = runtimes.map(({ name }) => name);
  const memory = (bytes: number) => (bytes / MIB).toFixed(1);
  return [
    ...(figures.cells.length
      ? [
          compared("total time, ms", figures, names, "time", (milliseconds) => milliseconds.toFixed(0)),
          compared("memory, MiB", figures, names, "bytes", memory),
          compared("of it written to, MiB", figures, names, "written", memory),
          pauseTable(figures, names),
          compared("99th percentile, us", figures, names, "p99", microseconds),
          compared("longest, us", figures, names, "longest", microseconds),
        ]
      : []),
    ...(Object.keys(objects).length ? [objectTable(objects)] : []),
  ];
}

function microseconds(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

function times(ratio: number | undefined): string {
  return ratio === undefined ? "-" : `${ratio.toFixed(2)}x`;
}

/** The others that took part, if ours did. */
function rivals(names: readonly string[]): string[] {
  return names.includes(OURS) ? OTHERS.filter((name) => names.includes(name)) : [];
}

/** One line for each program: a figure of each runtime, and ours over the others'. */
function compared(
  what: string,
  figures: Figures,
  names: readonly string[],
  measure: Measure,
  show: (value: number) => string,
): string {
  const against = rivals(names);
  const line = (program: string) => [
    program,
    ...names.map((name) => {
      const value = figures.value(program, name, measure);
      return value === undefined ? "-" : show(value);
    }),
    ...against.map((name) => times(figures.ratio(program, OURS, name, measure))),
  ];
  const mean = [
    "geometric mean",
    ...names.map(() => ""),
    ...against.map((name) => times(figures.mean(OURS, name, measure))),
  ];
  return table(
    [what, ...names, ...against.map((name) => `ours/${name}`)],
    [...figures.programs.map(line), ...(against.length ? [mean] : [])],
  );
}

/** Operations by runtime: least of the rounds, and as the rounds met them. */
function pauseTable(figures: Figures, names: readonly string[]): string {
  const body = figures.programs.flatMap((program) =>
    names.flatMap((name) => {
      const cell = figures.find(program, name);
      if (!cell) return [];
      const { pauses, met } = cell;
      return [
        [
          `${program}, ${name}`,
          String(cell.operations),
          ...[pauses.median, pauses.p99, pauses.longest, met.median, met.p99, met.longest].map(microseconds),
        ],
      ];
    }),
  );
  const head = ["us per operation", "operations", "median", "99 %", "longest", "as met: median", "99 %", "longest"];
  return table(head, body);
}

function objectTable(objects: Findings["objects"]): string {
  return table(
    ["objects of two f64", "number", "bytes each", "of the whole memory"],
    Object.entries(objects).map(([name, { count, written, memory }]) => [
      name,
      String(count),
      written.toFixed(2),
      memory.toFixed(1),
    ]),
  );
}

/** Ratios, pauses and the size of an object as tables of Markdown. */
export function readmeTable({ figures, runtimes, objects }: Findings): string {
  const names = runtimes.map(({ name }) => name);
  const against = rivals(names);
  const ratios = (of: (rival: string, measure: Measure) => number | undefined) =>
    (["time", "bytes"] as const).flatMap((measure) => against.map((rival) => times(of(rival, measure))));
  const head = [
    "program",
    ...["time", "memory"].flatMap((what) => against.map((rival) => `${what} over ${rival}`)),
    ...names.map((name) => `longest, ms: ${name}`),
  ];
  const body = figures.programs.map((program) => [
    program,
    ...ratios((rival, measure) => figures.ratio(program, OURS, rival, measure)),
    ...names.map((name) => {
      const value = figures.value(program, name, "longest");
      return value === undefined ? "-" : (value / 1000).toFixed(2);
    }),
  ]);
  const mean = [
    "geometric mean",
    ...ratios((rival, measure) => figures.mean(OURS, rival, measure)),
    ...names.map(() => ""),
  ];
  const sizes = Object.entries(objects).map(([name, { written }]) => `${name} ${written.toFixed(1)}`);
  return [
    ...markdown(head, [...body, ...(against.length ? [mean] : [])]),
    ...(sizes.length ? ["", `Bytes of an object of two f64: ${sizes.join(", ")}.`] : []),
  ].join("\n");
}

/** Lines of a Markdown table with columns aligned: the first to the left, the others to the right. */
function markdown(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const lines = [head, ...body].map((cells) => cells.map((text) => text.replace(/[<>]/g, "\\$&")));
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  const show = (cells: readonly string[]) =>
    `| ${cells.map((text, i) => (i ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))).join(" | ")} |`;
  const rule = widths.map((width, i) => (i ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  const [first, ...rest] = lines.map(show);
  return [first!, show(rule), ...rest];
}

/** Puts the text between the marks of a document; false, and nothing done, if it has none. */
export async function replaceMarked(path: string, text: string): Promise<boolean> {
  const doc = await readFile(path, "utf8");
  const [from, to] = MARKS.map((mark) => doc.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) return false;
  const before = doc.slice(0, from + MARKS[0].length);
  await writeFile(path, `${before}\n\n${text}\n\n${doc.slice(to)}`);
  return true;
}
