/** What every benchmark leaves: text on the console, figures as JSON, and a published result where one is asked for. */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { RESULTS, ROOT } from "./paths.ts";
import { publish, type Result } from "./results.ts";
import { text } from "./table.ts";

/** A finished run. */
export interface Run {
  /** The benchmark: its file of figures has this name where no other is asked for. */
  readonly name: string;
  /** The command without its options. */
  readonly script: string;
  /** A line above the tables. */
  readonly origin?: string;
  /** Everything that was found: what the file of figures has. */
  readonly record: object;
  readonly published: Omit<Result, "measured" | "command">;
}

/** Prints the tables and writes the files; `chart` is an SVG's. */
export async function leave(
  { name, script, origin, record, published }: Run,
  options: { readonly json: string | undefined; readonly results: string | undefined },
  chart?: { readonly path: string; readonly svg: string },
): Promise<void> {
  const { tables, notes } = published;
  const parts = [...(origin === undefined ? [] : [origin]), ...tables.map(text), ...notes];
  console.log(`\n${parts.join("\n\n")}\n`);
  const path = options.json ?? join(RESULTS, `${name}.json`);
  await save(path, `${JSON.stringify(record, undefined, 2)}\n`);
  if (chart !== undefined) await save(chart.path, chart.svg);
  const drawn = chart === undefined ? "" : `   chart: ${relative(ROOT, chart.path)}`;
  console.log(`figures: ${relative(ROOT, path)}${drawn}`);
  if (options.results) await publish(options.results, name, script, published);
}

async function save(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
