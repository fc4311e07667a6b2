/**
 * Time and memory of the packages' work, module as shipped against module with its allocator swapped.
 *
 *   npx tsx test/tools/swap/compare.ts [rounds, default 5] [package ...]
 *
 * Every run is a process of its own; the two modules take turns within a round, so that a busy machine slows both. Time
 * is the processor's, user and system, of the work without loading. Medians; the ratios are swapped to original.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatSwapReport, swap } from "../../../src/tools/swap/swap.ts";
import { drive, type Outcome, type PackageName, WASM } from "./packages.ts";

const MIB = 2 ** 20;

const [rounds = "5", ...wanted] = process.argv.slice(2);
const names = (wanted.length > 0 ? wanted : Object.keys(WASM)) as PackageName[];
const folder = await mkdtemp(join(tmpdir(), "gomalloc-compare-"));
try {
  const rows: string[][] = [];
  for (const name of names) rows.push(await compare(name, Number(rounds)));
  const header = [
    "package",
    "processor time, ms",
    "",
    "linear memory, MiB",
    "",
    "resident, MiB",
    "",
    "wasm, bytes",
    "",
  ];
  for (const row of [header, header.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function compare(name: PackageName, count: number): Promise<string[]> {
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
  const cell = (of: (outcome: Outcome) => number, digits: number) => {
    const [before, after] = [median(runs.before.map(of)), median(runs.after.map(of))];
    return [`${before.toFixed(digits)} -> ${after.toFixed(digits)}`, `${(after / before).toFixed(2)}x`];
  };
  return [
    name,
    ...cell(({ cpu }) => cpu, 0),
    ...cell(({ memory }) => memory / MIB, 1),
    ...cell(({ resident }) => resident / MIB, 0),
    `${original.length} -> ${wasm.length}`,
    `${(wasm.length / original.length).toFixed(2)}x`,
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
