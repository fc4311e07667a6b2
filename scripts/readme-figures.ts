/**
 * Writes the measured figures into README.md, between its bench:begin and bench:end marks, from the JSON that the
 * benchmark left (bench/results/local/bench.json, or the file given). The table is never edited by hand.
 *
 *   npm start -- --full --allocators gomalloc,dlmalloc,tlsf && npx tsx scripts/readme-figures.ts
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./build-tools.ts";

interface Cell {
  readonly nanoseconds?: number;
  readonly footprint?: number;
}

interface Figures {
  readonly machine: { readonly cpu: string; readonly node: string };
  readonly rounds: number | readonly number[];
  readonly clock: string;
  readonly rows: readonly { readonly workload: string; readonly cells: Readonly<Record<string, Cell>> }[];
}

const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";
const file = process.argv[2] ?? join(ROOT, "bench/results/local/bench.json");
const figures = JSON.parse(await readFile(file, "utf8")) as Figures;

const ns = (cell: Cell | undefined) => cell?.nanoseconds?.toFixed(1) ?? "-";
const over = (a: number | undefined, b: number | undefined) => (a && b ? a / b : undefined);
const ratio = (value: number | undefined) => (value === undefined ? "-" : `${value.toFixed(2)}x`);

function geometricMean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return undefined;
  return Math.exp(known.reduce((sum, value) => sum + Math.log(value), 0) / known.length);
}

const byTime = (peer: string) =>
  figures.rows.map(({ cells }) => over(cells.gomalloc?.nanoseconds, cells[peer]?.nanoseconds));
const memory = figures.rows.map(({ cells }) => over(cells.gomalloc?.footprint, cells.dlmalloc?.footprint));

const lines = [
  "| workload | gomalloc, ns/op | dlmalloc, ns/op | TLSF, ns/op | time over dlmalloc | peak memory over dlmalloc |",
  "| --- | ---: | ---: | ---: | ---: | ---: |",
  ...figures.rows.map(({ workload, cells }, i) => {
    const { gomalloc, dlmalloc, tlsf } = cells;
    return `| ${workload} | ${ns(gomalloc)} | ${ns(dlmalloc)} | ${ns(tlsf)} | ${ratio(byTime("dlmalloc")[i])} | ${ratio(memory[i])} |`;
  }),
  `| geometric mean | | | | ${ratio(geometricMean(byTime("dlmalloc")))} (TLSF ${ratio(geometricMean(byTime("tlsf")))}) | ${ratio(geometricMean(memory))} |`,
  "",
  "| module | bytes |",
  "| --- | ---: |",
];
for (const name of ["build/gomalloc.wasm", "build/gomalloc-host.wasm"]) {
  lines.push(`| ${name} | ${(await stat(join(ROOT, name))).size} |`);
}
lines.push("", `${figures.machine.cpu}, node ${figures.machine.node}, ${figures.clock} time; only the ratios travel.`);

const path = join(ROOT, "README.md");
const text = await readFile(path, "utf8");
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (begin < 0 || end < begin) throw new Error("README.md has no bench:begin and bench:end marks");
await writeFile(path, `${text.slice(0, begin + BEGIN.length)}\n\n${lines.join("\n")}\n\n${text.slice(end)}`);
