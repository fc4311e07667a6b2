/**
 * Writes measured figures into docs/results.md, between marks, from the JSON that a benchmark left in bench/results/local/.
 * The tables are never edited by hand.
 *
 *   npm start -- --full --allocators gomalloc,dlmalloc,tlsf && npx tsx scripts/readme-figures.ts bench
 *   npm run bench:programs -- --rounds 9 && npx tsx scripts/readme-figures.ts programs
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { geometricMean } from "../bench/lib/statistics.ts";
import { ROOT } from "./build-tools.ts";

interface Machine {
  readonly cpu: string;
  readonly node: string;
}

/** bench.json, as far as it is used. */
interface Bench {
  readonly machine: Machine;
  readonly clock: string;
  readonly rows: readonly {
    readonly workload: string;
    readonly cells: Readonly<Record<string, { readonly nanoseconds?: number; readonly footprint?: number }>>;
  }[];
}

/** programs.json, as far as it is used. */
interface Programs {
  readonly machine: Machine;
  readonly scale: string;
  readonly reference: string;
  readonly rows: readonly {
    readonly program: string;
    readonly workload: string;
    readonly rounds: number;
    /** Of the reference's time, spent in its malloc family. */
    readonly share: number;
    readonly cells: Readonly<Record<string, ProgramCell>>;
  }[];
}

interface ProgramCell {
  /** Milliseconds. */
  readonly milliseconds: number;
  /** Bytes. */
  readonly peak: number;
  readonly time: number;
  /** Standard error of the time. */
  readonly error: number;
  readonly memory: number;
}

const over = (a: number | undefined, b: number | undefined) => (a && b ? a / b : undefined);
const ratio = (value: number | undefined) => (value === undefined ? "-" : `${value.toFixed(2)}x`);
const mean = (values: readonly (number | undefined)[]) => {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : geometricMean(known);
};

async function benchLines({ machine, clock, rows }: Bench): Promise<string[]> {
  const ns = (value: number | undefined) => value?.toFixed(1) ?? "-";
  const byTime = (peer: string) => rows.map(({ cells }) => over(cells.gomalloc?.nanoseconds, cells[peer]?.nanoseconds));
  const memory = rows.map(({ cells }) => over(cells.gomalloc?.footprint, cells.dlmalloc?.footprint));
  const lines = [
    "| workload | gomalloc, ns/op | dlmalloc, ns/op | TLSF, ns/op | time over dlmalloc | peak memory over dlmalloc |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...rows.map(({ workload, cells: { gomalloc, dlmalloc, tlsf } }, i) => {
      const times = [gomalloc, dlmalloc, tlsf].map((cell) => ns(cell?.nanoseconds)).join(" | ");
      return `| ${workload} | ${times} | ${ratio(byTime("dlmalloc")[i])} | ${ratio(memory[i])} |`;
    }),
    `| geometric mean | | | | ${ratio(mean(byTime("dlmalloc")))} (TLSF ${ratio(mean(byTime("tlsf")))}) | ${ratio(mean(memory))} |`,
    "",
    "| module | bytes |",
    "| --- | ---: |",
  ];
  for (const name of ["build/gomalloc.wasm", "build/gomalloc-host.wasm"]) {
    lines.push(`| ${name} | ${(await stat(join(ROOT, name))).size} |`);
  }
  return [...lines, "", `${machine.cpu}, node ${machine.node}, ${clock} time; only the ratios travel.`];
}

async function programsLines({ machine, scale, reference, rows }: Programs): Promise<string[]> {
  if (scale === "quick") throw new Error("the figures are of a smoke test; run the benchmark without --quick");
  const at = (name: string, of: "time" | "memory") => rows.map(({ cells }) => cells[name]?.[of]);
  const columns = (i: number, of: "time" | "memory") =>
    ["gomalloc", "emmalloc"]
      .map((name) => {
        const cell = rows[i]!.cells[name];
        return `${ratio(cell?.[of])}${cell && of === "time" ? ` ±${cell.error.toFixed(2)}` : ""}`;
      })
      .join(" | ");
  const means = (of: "time" | "memory") =>
    ["gomalloc", "emmalloc"].map((name) => ratio(mean(at(name, of)))).join(" | ");
  return [
    `| program | workload | in malloc | ${reference}, ms | gomalloc | emmalloc | ${reference}, peak MiB | gomalloc | emmalloc |`,
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows.map(({ program, workload, share, cells }, i) => {
      const stock = cells[reference]!;
      const peak = (stock.peak / 2 ** 20).toFixed(1);
      const part = `${(share * 100).toFixed(0)} %`;
      return `| ${program} | ${workload} | ${part} | ${stock.milliseconds.toFixed(0)} | ${columns(i, "time")} | ${peak} | ${columns(i, "memory")} |`;
    }),
    `| geometric mean | | | | ${means("time")} | | ${means("memory")} |`,
    "",
    `${machine.cpu}, node ${machine.node}, processor time, medians of ${rows[0]!.rounds} rounds; only the ratios travel.`,
  ];
}

async function main([section, file]: readonly string[]): Promise<void> {
  if (section !== "bench" && section !== "programs") throw new Error("usage: readme-figures.ts bench|programs [file]");
  const figures = JSON.parse(await readFile(file ?? join(ROOT, `bench/results/local/${section}.json`), "utf8"));
  const lines = await (section === "bench" ? benchLines(figures) : programsLines(figures));
  const path = join(ROOT, "docs", "results.md");
  const text = await readFile(path, "utf8");
  const marks = [`<!-- ${section}:begin -->`, `<!-- ${section}:end -->`] as const;
  const begin = text.indexOf(marks[0]);
  const end = text.indexOf(marks[1]);
  if (begin < 0 || end < begin) throw new Error(`docs/results.md has no marks ${marks.join(" and ")}`);
  await writeFile(path, `${text.slice(0, begin + marks[0].length)}\n\n${lines.join("\n")}\n\n${text.slice(end)}`);
}

await main(process.argv.slice(2));
