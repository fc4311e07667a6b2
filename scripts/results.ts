/**
 * Makes docs/results.md, and the figures of README.md between their marks, from bench/results/*.json, which the benchmarks
 * leave with --write. The only source of these figures: test/bench/results.test.ts fails when a page differs.
 *
 *   npm run results                            both pages
 *   npx tsx scripts/results.ts --from FOLDER   prints docs/results.md of the results in another folder
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PUBLISHED, type Result, readResult } from "../bench/lib/results.ts";
import { type Cell, markdown, type Table } from "../bench/lib/table.ts";
import { BEST_PEER, MEAN, MEMORY, MEMORY_RATIO, RATIO, SOME, TIME } from "../bench/lib/tables.ts";
import { TRACE_NAMES } from "../bench/lib/trace.ts";
import * as rt from "../bench/rt/lib/report.ts";
import { SCALING } from "../bench/threads/lib/report.ts";
import { ROOT, replaceFile } from "./build-tools.ts";

const README = join(ROOT, "README.md");
const PAGE = join(ROOT, "docs", "results.md");
const MARKS = ["<!-- results:begin -->", "<!-- results:end -->"] as const;

/** The results in the page's order: file, title, what it is, the page that says how it is measured. */
const SECTIONS = [
  {
    name: "bench",
    title: "Allocators, one thread",
    about:
      "Traces of real programs and micro workloads, nanoseconds per call of the malloc family, with each allocator merged " +
      "into the same driver by the same tools.",
    page: "benchmark.md",
  },
  {
    name: "bench-called",
    title: "Allocators, one thread, called",
    about:
      "The same where driver and allocator are optimised each by itself: every call of the malloc family is a call, as " +
      "between objects that a linker joins.",
    page: "benchmark.md#calls",
  },
  {
    name: "bench-newest",
    title: "Allocators, one thread, newest Node",
    about: "The first of these under the newest Node that npm had.",
    page: "benchmark.md#engines",
  },
  {
    name: "bench-called-newest",
    title: "Allocators, one thread, called, newest Node",
    about: "The second of these under the newest Node that npm had.",
    page: "benchmark.md#engines",
  },
  {
    name: "programs",
    title: "Real programs",
    about:
      "The same programs with wasi-libc's dlmalloc, with gomalloc by `gomalloc link`, and with emscripten's emmalloc, all " +
      "through `wasm-opt -O3`: total time of the program, and its peak memory, ratios over dlmalloc. Behind ± is the " +
      'standard error of the median. "In malloc" is the share of dlmalloc\'s run that lies in its malloc family.',
    page: "programs-benchmark.md",
  },
  {
    name: "programs-archive",
    title: "Real programs, by the way that gomalloc was put under them",
    about:
      "Programs with much malloc in them: through `gomalloc link`, with libgomalloc.a as the linker leaves it, and the " +
      "same through `wasm-opt -O3`. The second is measured against dlmalloc as the linker leaves it, the others against " +
      "dlmalloc through `wasm-opt -O3`.",
    page: "archive.md#what-it-costs",
  },
  {
    name: "programs-profile",
    title: "Real programs, what heap profiles cost",
    about:
      "The same programs through `gomalloc link`, plain and with `--profile`: without a sample (profile-off), and at the " +
      "default rate with the stacks of `profileImports` (profile), both over the plain one.",
    page: "programs-benchmark.md#what-heap-profiles-cost",
  },
  {
    name: "threads",
    title: "Two threads",
    about: "One heap in a shared memory, on one and on two threads, against dlmalloc under one lock.",
    page: "threads-benchmark.md",
  },
  {
    name: "rt",
    title: "AssemblyScript runtimes",
    about:
      "AssemblyScript programs with gomalloc as their runtime and with the compiler's own incremental and minimal ones.",
    page: "rt-benchmark.md",
  },
  {
    name: "swap",
    title: "Swapped packages",
    about: "Modules of npm packages as they are, and with their allocator replaced by `gomalloc swap`.",
    page: "swap.md#packages-tried",
  },
  {
    name: "inlining",
    title: "Inlining by gomalloc link",
    about: "What it gains and costs to inline malloc and free into a program.",
    page: "link.md#inlining",
  },
  {
    name: "instances",
    title: "Merged with a program, or beside it",
    about: "A pair of malloc and free from a program that is merged with gomalloc, and from one beside it.",
    page: "host-api.md#programs-beside-the-heap",
  },
  {
    name: "arena",
    title: "Arenas of the collector",
    about:
      "Objects from an arena, freed at once, beside the heap's other ways, as JavaScript calls them; nanoseconds an object. " +
      "What an arena gives is zero, and so is what `calloc` and `gc.allocate` give.",
    page: "collector.md#arenas",
  },
  {
    name: "arena-c",
    title: "Arenas of C programs",
    about:
      "Blocks from `gm_arena_alloc`, freed by one `gm_arena_free`, beside `malloc` and `free`; nanoseconds a block.",
    page: "c-api.md#arenas",
  },
] as const;

/** Where figures come from, as a sentence. */
function origin({ measured, machine: { cpu, cores, node }, conditions }: Result): string {
  const on = [cpu, cores === undefined ? "" : `${cores} cores`, node === undefined ? "" : `node ${node}`];
  return `gomalloc ${measured}; ${on.filter((part) => part !== "").join(", ")}; ${conditions}.`;
}

/** docs/results.md of the results in a folder. Those that are missing are left out. */
export async function resultsPage(folder: string): Promise<string> {
  const parts = [
    "# Results",
    "For everybody who wants figures: all of them, each with the command that gives it again. Only the ratios travel from " +
      "one machine to another.",
    "This page is made by `npm run results` from `bench/results/` of the repository. Do not edit it: measure again with the " +
      "option `--write`.",
  ];
  for (const { name, title, about, page } of SECTIONS) {
    if (!existsSync(join(folder, `${name}.json`))) continue;
    const result = await readResult(folder, name);
    const command = result.command === undefined ? [] : [`\`\`\`sh\n${result.command}\n\`\`\``];
    parts.push(
      `## ${title}`,
      `${about} How it is measured: [${page.replace(/#.*/, "")}](${page}).`,
      ...command,
      origin(result),
      ...result.tables.map(markdown),
      ...result.notes,
    );
  }
  return `${parts.join("\n\n")}\n`;
}

/** The table whose first column has this name. Throws an Error when there is none. */
function tableOf({ tables }: Result, name: string): Table {
  const found = tables.find(({ columns: [first] }) => first?.name === name);
  if (found === undefined) throw new Error(`the result has no table "${name}": measure again with --write`);
  return found;
}

/** One figure of a table, by the names of its row and column. Throws an Error when there is none. */
function figure(table: Table, row: string, column: string): Cell {
  const at = table.columns.findIndex(({ name }) => name === column);
  const found = table.rows.find(([name]) => name === row)?.[at];
  if (found === undefined) throw new Error(`the table "${table.columns[0]!.name}" has no ${row}, ${column}`);
  return found;
}

function ratio(value: Cell): string {
  return typeof value === "number" ? `${value.toFixed(2)}x` : "-";
}

/** README.md's table, a row for each trace and for each mean, and a sentence on the other benchmarks. */
export async function readmeFigures(folder: string): Promise<string> {
  const bench = await readResult(folder, "bench");
  const [time, over, memory] = [tableOf(bench, TIME), tableOf(bench, RATIO), tableOf(bench, MEMORY)];
  const traces = TRACE_NAMES.filter((trace) => time.rows.some(([name]) => name === trace));
  const means = over.rows.map(([name]) => String(name)).filter((name) => name.startsWith(SOME));
  const names = ["gomalloc", "dlmalloc", "mimalloc"];
  const row = (title: string, times: Cell[], name: string, peak: Cell) => [
    title,
    ...times,
    ...["dlmalloc", BEST_PEER].map((other) => figure(over, name, other)),
    peak,
  ];
  const none = names.map(() => "");
  const table: Table = {
    columns: [
      { name: "trace" },
      ...names.map((name) => ({ name: `${name}, ns`, digits: 1 })),
      { name: "time over dlmalloc", digits: 2, unit: "x" },
      { name: "time over the fastest peer", digits: 2, unit: "x" },
      { name: "peak memory over dlmalloc", digits: 2, unit: "x" },
    ],
    rows: [
      ...traces.map((trace) => {
        const times = names.map((name) => figure(time, trace, name));
        return row(trace, times, trace, figure(memory, trace, MEMORY_RATIO));
      }),
      ...means.map((mean) => row(`${MEAN} ${mean.trim()}`, none, mean, "")),
      row(`${MEAN} of all ${time.rows.length} rows`, none, MEAN, figure(memory, MEAN, MEMORY_RATIO)),
    ],
  };
  return [`\`\`\`sh\n${bench.command}\n\`\`\``, markdown(table), await others(folder)].join("\n\n");
}

/** The mean over dlmalloc in a run of the main benchmark with other calls or another engine; undefined if there is none. */
async function otherMean(folder: string, name: string, how: (node: string) => string): Promise<string | undefined> {
  if (!existsSync(join(folder, `${name}.json`))) return undefined;
  const result = await readResult(folder, name);
  return `${ratio(figure(tableOf(result, RATIO), MEAN, "dlmalloc"))} ${how(`node ${result.machine.node}`)}`;
}

async function others(folder: string): Promise<string> {
  const means = [
    await otherMean(folder, "bench-called", () => "where nothing of an allocator is inlined"),
    await otherMean(folder, "bench-newest", (node) => `under ${node}`),
    await otherMean(folder, "bench-called-newest", (node) => `under ${node} with nothing inlined`),
  ].filter((mean) => mean !== undefined);
  const [programs, runtimes, threads] = await Promise.all(
    ["programs", "rt", "threads"].map((name) => readResult(folder, name)),
  );
  const scaling = tableOf(threads!, SCALING)
    .rows.map((row) => row[1])
    .filter((value) => typeof value === "number");
  const of = (result: Result, table: string, column: string) => ratio(figure(tableOf(result, table), MEAN, column));
  const { cpu, node } = programs!.machine;
  return wrapped(
    (means.length > 0 ? `The geometric mean of all rows over dlmalloc is ${means.join(", ")}. ` : "") +
      `Whole programs, Lua to zlib, take ${of(programs!, "program", "gomalloc, time")} of the time and ` +
      `${of(programs!, "program", "gomalloc, peak")} of the peak memory that they take with dlmalloc. AssemblyScript ` +
      `programs take ${of(runtimes!, rt.TIME, rt.over("incremental"))} of the time and ` +
      `${of(runtimes!, rt.MEMORY, rt.over("incremental"))} of the memory that they take with the compiler's incremental ` +
      `runtime. Two threads do up to ${ratio(Math.max(...scaling))} the work of one. (${cpu}, node ${node}; only ratios ` +
      "travel from one machine to another.)",
  );
}

/** Text in lines of up to 120 columns. */
function wrapped(text: string): string {
  return text.replaceAll(/(.{1,119}\S)(?: |$)/g, "$1\n").trimEnd();
}

/** README.md with its figures in place of those it has. Throws an Error when it has no marks. */
export function withFigures(readme: string, figures: string): string {
  const [from, to] = MARKS.map((mark) => readme.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) throw new Error(`README.md has no ${MARKS.join(" and ")}`);
  return `${readme.slice(0, from + MARKS[0].length)}\n\n${figures}\n\n${readme.slice(to)}`;
}

/** The pages as they should be, by path. */
export async function pages(folder = PUBLISHED): Promise<ReadonlyMap<string, string>> {
  const readme = withFigures(await readFile(README, "utf8"), await readmeFigures(folder));
  return new Map([
    [PAGE, await resultsPage(folder)],
    [README, readme],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { from: { type: "string" } } });
  if (values.from !== undefined) console.log(await resultsPage(values.from));
  else for (const [path, text] of await pages()) await replaceFile(path, text);
}
