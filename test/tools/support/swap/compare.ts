/**
 * Time and memory of the packages' work, module as shipped against module with its allocator swapped.
 *
 *   npx tsx test/tools/support/swap/compare.ts [--write | --results FOLDER] [rounds, default 5] [package ...]
 *
 * Every run is a process of its own; the two modules take turns within a round, so that a busy machine slows both. Time
 * is the processor's, user and system, of the work without loading. Medians; the ratios are swapped to original.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeMachine } from "../../../../bench/lib/machine.ts";
import { publish, RESULT_FLAGS, resultFolder } from "../../../../bench/lib/results.ts";
import { median } from "../../../../bench/lib/statistics.ts";
import { type Cell, type Column, type Table, text } from "../../../../bench/lib/table.ts";
import { formatSwapReport, swap } from "../../../../src/tools/swap/swap.ts";
import { drive, type Outcome, type PackageName, WASM } from "./packages.ts";

const MIB = 2 ** 20;

/** A figure before and after, and its ratio. */
const figure = (name: string, digits: number): Column[] => [
  { name, digits },
  { name: "swapped", digits },
  { name: "ratio", digits: 2, unit: "x" },
];

const { values, positionals } = parseArgs({ options: RESULT_FLAGS, allowPositionals: true });
const [rounds = "5", ...wanted] = positionals;
const published = resultFolder(values, undefined);
const names = (wanted.length > 0 ? wanted : Object.keys(WASM)) as PackageName[];
const folder = await mkdtemp(join(tmpdir(), "gomalloc-compare-"));
try {
  const rows: Cell[][] = [];
  for (const name of names) rows.push(await compare(name, Number(rounds)));
  const table: Table = {
    columns: [
      { name: "package" },
      ...figure("processor time, ms", 0),
      ...figure("linear memory, MiB", 1),
      ...figure("resident, MiB", 0),
      ...figure("wasm, bytes", 0),
    ],
    rows,
  };
  console.log(text(table));
  const conditions = `medians of ${rounds} interleaved rounds, each run a process of its own, processor time`;
  const found = { machine: describeMachine({ binaryen: "binaryen" }), conditions, tables: [table], notes: [] };
  if (published) await publish(published, "swap", "npx tsx test/tools/support/swap/compare.ts", found);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function compare(name: PackageName, count: number): Promise<Cell[]> {
  const original = new Uint8Array(await readFile(WASM[name]));
  const { wasm, report } = await swap(original);
  console.error(`${name}\n${formatSwapReport(report)}\n`);
  const swapped = join(folder, `${name}.wasm`);
  await writeFile(swapped, wasm);
  const runs: Record<"before" | "after", Outcome[]> = { before: [], after: [] };
  for (let round = 0; round < count; round++) {
    const order = [
      ["before", WASM[name]],
      ["after", swapped],
    ] as const;
    for (const [which, file] of round % 2 === 0 ? order : [...order].reverse()) {
      const outcome = await drive(name, file, join(folder, "out"));
      console.error(`${name} ${round} ${which} ${outcome.cpu.toFixed(0)} ms, ${(outcome.memory / MIB).toFixed(1)} MiB`);
      runs[which].push(outcome);
    }
  }
  const digests = new Set([...runs.before, ...runs.after].map(({ digest }) => digest));
  if (digests.size !== 1) throw new Error(`${name}: the results differ`);
  const change = (before: number, after: number) => [before, after, after / before];
  const medians = (of: (outcome: Outcome) => number) => change(median(runs.before.map(of)), median(runs.after.map(of)));
  return [
    name,
    ...medians(({ cpu }) => cpu),
    ...medians(({ memory }) => memory / MIB),
    ...medians(({ resident }) => resident / MIB),
    ...change(original.length, wasm.length),
  ];
}
