/**
 * What a run leaves: text on the console, JSON on disk, and, on request, the same tables in docs/threads-benchmark.md.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { describeMachine } from "../../lib/machine.ts";
import { RESULTS, ROOT } from "../../lib/paths.ts";
import { table } from "../../lib/tables.ts";
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
const DOC = join(ROOT, "docs", "threads-benchmark.md");
const README = join(ROOT, "docs", "results.md");
const MARKS = ["<!-- threads:begin -->", "<!-- threads:end -->"] as const;

/** Prints the tables and writes the files. */
export async function report(found: Findings, options: Options): Promise<void> {
  const machine = describeMachine({ assemblyscript: "assemblyscript", binaryen: "binaryen", clang: "@yowasp/clang" });
  const targets = judge(found.figures, found.flavours, found.counts);
  const origin = `${machine.cpu}, ${machine.cores} cores, node ${machine.node}; medians of ${options.rounds} interleaved rounds, ${options.clock} time`;
  const cpu = "Processor time: threads that did not run at once have not contended. Verdicts are for wall time.";
  const notes = [...found.missing, ...(options.clock === "cpu" ? [cpu] : []), ...busy(found.figures)];
  const text = [origin, ...sections(found), targetTable(targets), ...notes].join("\n\n");
  console.log(`\n${text}\n`);
  const path = options.json ?? join(RESULTS, "threads.json");
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
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(record, undefined, 2)}\n`);
  console.log(`figures: ${relative(ROOT, path)}`);
  if (options.write) {
    await replaceMarked(DOC, `\`\`\`text\n${text}\n\`\`\``);
    await replaceMarked(README, `${readmeTable(targets)}\n\n${[origin, ...notes].join(" ")}`);
  }
}

function sections({ figures, contenders, flavours, counts, model }: Findings): string[] {
  const names = contenders.map(({ name }) => name);
  return [
    ...(figures.series.length ? [timeTable(figures, contenders), ratioTable(figures, names)] : []),
    ...(figures.series.length ? [memoryTable(figures, contenders)] : []),
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

function number(value: number | undefined, digits: number, unit = ""): string {
  return value === undefined || Number.isNaN(value) ? "-" : `${value.toFixed(digits)}${unit}`;
}

/** Each contender with each number of threads that it runs with. */
function columns(contenders: readonly Contender[]): { name: string; threads: Threads }[] {
  return contenders.flatMap(({ name, shared }) =>
    (shared ? ([1, 2] as const) : ([1] as const)).map((threads) => ({ name, threads })),
  );
}

/** One line for each allocator and number of threads, one column for each workload: the other way it is too wide. */
function turned(
  what: string,
  figures: Figures,
  contenders: readonly Contender[],
  cell: (workload: string, name: string, threads: Threads) => string,
  workloads: readonly string[] = figures.workloads,
): string {
  return table(
    [what, "threads", ...workloads],
    columns(contenders).map(({ name, threads }) => [
      name,
      String(threads),
      ...workloads.map((workload) => cell(workload, name, threads)),
    ]),
  );
}

/** Wall time over the operations of all threads; the trace's first pass in a column of its own. */
function timeTable(figures: Figures, contenders: readonly Contender[]): string {
  const cold = `${TRACE_NAME}, first pass`;
  const workloads = figures.workloads.includes(TRACE_NAME) ? [...figures.workloads, cold] : figures.workloads;
  return turned(
    "ns per operation",
    figures,
    contenders,
    (workload, name, threads) =>
      workload === cold
        ? number(figures.value(TRACE_NAME, name, threads, "cold"), 1)
        : number(figures.value(workload, name, threads), 1),
    workloads,
  );
}

/** Two threads over one for each allocator, and the time on two threads over that of the lock. */
function ratioTable(figures: Figures, names: readonly string[]): string {
  const scaling = names.filter((name) => figures.series.some((one) => one.allocator === name && one.threads === 2));
  return table(
    ["", ...scaling.map((name) => `${name} x2`), ...scaling.map((name) => `${name}/lock`)],
    figures.workloads.map((workload) => [
      workload,
      ...scaling.map((name) => number(figures.scaling(workload, name), 2, "x")),
      ...scaling.map((name) => number(figures.ratio(workload, [name, 2], [LOCKED, 2]), 3, "x")),
    ]),
  );
}

function memoryTable(figures: Figures, contenders: readonly Contender[]): string {
  return turned("peak memory, MiB", figures, contenders, (workload, name, threads) => {
    const bytes = figures.value(workload, name, threads, "footprint");
    return number(bytes === undefined ? undefined : bytes / MIB, 2);
  });
}

function flavourTable(rows: readonly FlavourRow[]): string {
  return table(
    ["one thread, ns per operation", "unshared", "shared", "shared/unshared", "spread"],
    rows.map(({ workload, plain, shared, ratio, spread }) => [
      workload,
      number(plain, 1),
      number(shared, 1),
      number(ratio, 3, "x"),
      number(spread * 100, 0, " %"),
    ]),
  );
}

function countTable(rows: readonly CountRow[]): string {
  const thousandth = (value: number, calls: number) => number((value / calls) * 1000, 2);
  return table(
    [
      "per 1000 calls",
      "threads",
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
    ],
    rows.map((row) => [
      row.workload,
      String(row.threads),
      thousandth(row.heap.acquisitions, row.calls),
      thousandth(row.heap.contended, row.calls),
      thousandth(row.heap.waits, row.calls),
      thousandth(row.central.acquisitions, row.calls),
      thousandth(row.central.contended, row.calls),
      thousandth(row.remote, row.calls),
      thousandth(row.pushed, row.calls),
      thousandth(row.taken, row.calls),
      number(locksPerCall(row) * 1000, 2),
      number(atomicsPerCall(row) * 1000, 2),
    ]),
  );
}

function targetTable(targets: readonly Target[]): string {
  return table(
    ["target", "", "limit", "measured", ""],
    targets.map(({ what, side, limit, value, unit, met }) => [
      what,
      side,
      `${limit}${unit}`,
      value === undefined ? "-" : `${value.toFixed(3)}${unit}`,
      met === undefined ? "not measured" : met ? "met" : "missed",
    ]),
  );
}

/** The targets as a table of Markdown. */
export function readmeTable(targets: readonly Target[]): string {
  const rows = targets.map(({ what, side, limit, value, unit }) => [
    what,
    value === undefined ? "-" : `${value.toFixed(2)}${unit}`,
    `${side} ${limit}${unit}`,
  ]);
  const head = [
    ["what", "measured", "to be"],
    ["---", "---:", "---:"],
  ];
  return [...head, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Puts the text between the marks of a document. */
export async function replaceMarked(path: string, text: string): Promise<void> {
  const doc = await readFile(path, "utf8");
  const [from, to] = MARKS.map((mark) => doc.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) throw new Error(`${relative(ROOT, path)} lacks ${MARKS.join(" and ")}`);
  const before = doc.slice(0, from + MARKS[0].length);
  await writeFile(path, `${before}\n\n${text}\n\n${doc.slice(to)}`);
  console.log(`tables: ${relative(ROOT, path)}`);
}
