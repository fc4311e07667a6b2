/**
 * Results: what a benchmark publishes with --write, as bench/results/NAME.json. It has the tables of the report and where
 * they come from, and no date. scripts/results.ts makes docs/results.md and the table of README.md from these files, the
 * only place in which figures of benchmarks are kept.
 */

import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { benchFile, ROOT } from "./paths.ts";
import { rounded, type Table } from "./table.ts";

/** The results that the documents are made from. */
export const PUBLISHED = benchFile("results");

/** As describeMachine tells it: processor, Node, and the tools by name. */
export interface Machine {
  readonly cpu: string;
  readonly cores?: number;
  readonly node?: string;
  readonly [tool: string]: string | number | undefined;
}

export interface Result {
  /** The version that was measured, with its commit. */
  readonly measured: string;
  /** Gives such figures again; missing where a series was made by hand. */
  readonly command?: string;
  readonly machine: Machine;
  /** Whether calls of the allocator were inlined, where a benchmark has both. */
  readonly calls?: string;
  /** Rounds, clock and what else was special: "medians of 7 interleaved rounds, wall time". */
  readonly conditions: string;
  readonly tables: readonly Table[];
  /** What is missing, and what was wrong with the machine. */
  readonly notes: readonly string[];
}

/** The options of every benchmark that can publish. */
export const RESULT_FLAGS = {
  write: { type: "boolean", default: false },
  results: { type: "string" },
} as const;

export const RESULT_HELP = `\
  --write               publish the figures: bench/results/, from which npm run results makes the documents
  --results <folder>    the same into another folder`;

/**
 * The folder that a result goes to; undefined if none is asked for. Throws an Error when a run that is too short to be
 * published (`short` says how to get the full one) is to go to bench/results/.
 */
export function resultFolder(
  { write, results }: { write: boolean; results?: string | undefined },
  short: string | undefined,
): string | undefined {
  if (results !== undefined) return results;
  if (write && short !== undefined) {
    throw new Error(`--write publishes full runs only: ${short}, or name another folder with --results`);
  }
  return write ? PUBLISHED : undefined;
}

/** The version of this package and the commit of its files; "+" behind it when they were changed. */
function measuredVersion(version: string): string {
  const commit = execFileSync("git", ["describe", "--always", "--abbrev=9", "--dirty=+", "--exclude=*"], { cwd: ROOT });
  return `${version} (${commit.toString().trim()})`;
}

/** Options that say where files go: no part of a command that is to be repeated elsewhere. */
const PLACES = ["--write", "--results", "--json", "--svg"];

/** A command line as a reader types it: `script` is what runs, `words` are the options that this run was given. */
export function commandLine(script: string, words: readonly string[]): string {
  const kept = words.filter((word, i) => {
    const option = word.startsWith("--") ? word : words[i - 1];
    return option === undefined || !PLACES.includes(option.split("=")[0]!);
  });
  const quoted = kept.map((word) => (/^[\w,./=:-]+$/.test(word) ? word : JSON.stringify(word)));
  return [script, ...(quoted.length > 0 && script.startsWith("npm ") ? ["--"] : []), ...quoted].join(" ");
}

/** Publishes a result as FOLDER/NAME.json; `script` is the command without its options: "npm start". */
export async function publish(
  folder: string,
  name: string,
  script: string,
  found: Omit<Result, "measured" | "command">,
): Promise<void> {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  const result: Result = {
    measured: measuredVersion(version),
    command: commandLine(script, process.argv.slice(2)),
    ...found,
    tables: found.tables.map(rounded),
  };
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.json`);
  await writeFile(path, formatResult(result));
  console.log(`published: ${relative(ROOT, path)}; npm run results makes docs/results.md and README.md of it`);
}

/** As JSON, a column or a row of a table on a line each: what a new measurement changes is then seen by rows. */
export function formatResult({ tables, ...origin }: Result): string {
  const list = (name: string, items: readonly unknown[]) =>
    `      "${name}": [\n${items.map((item) => `        ${JSON.stringify(item)}`).join(",\n")}\n      ]`;
  const body = tables.map(({ columns, rows, note }) => {
    const fields = [list("columns", columns), list("rows", rows)];
    if (note !== undefined) fields.push(`      "note": ${JSON.stringify(note)}`);
    return `    {\n${fields.join(",\n")}\n    }`;
  });
  const head = JSON.stringify(origin, undefined, 2).replace(/\n\}$/, "");
  return `${head},\n  "tables": [\n${body.join(",\n")}\n  ]\n}\n`;
}

/** Reads FOLDER/NAME.json. */
export async function readResult(folder: string, name: string): Promise<Result> {
  return JSON.parse(await readFile(join(folder, `${name}.json`), "utf8")) as Result;
}
