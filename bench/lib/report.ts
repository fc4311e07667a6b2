/**
 * What a run leaves: text on the console, JSON and an SVG on disk.
 */

import { join } from "node:path";
import type { Calls } from "./build/merge.ts";
import type { Allocator } from "./catalog.ts";
import { chart } from "./chart.ts";
import type { Verdict } from "./checked.ts";
import type { Inspection } from "./inspect.ts";
import type { JsRow } from "./jscalls.ts";
import { leave } from "./leave.ts";
import { describeMachine } from "./machine.ts";
import type { Options } from "./options.ts";
import { RESULTS } from "./paths.ts";
import { inOrder, type Row } from "./summary.ts";
import { type Table, text } from "./table.ts";
import { inspectionTable, jsTable, memoryTable, netTable, ratioTable, targetTable, timeTable } from "./tables.ts";
import { judge } from "./targets.ts";

/** Everything a timed run found. */
export interface Findings {
  readonly allocators: Allocator[];
  /** Why an allocator does not appear. */
  readonly missing: string[];
  readonly rows: Row[];
  readonly inspections: Inspection[];
  readonly js: JsRow[];
  /** Bytes of build/gomalloc.wasm. */
  size: number | undefined;
}

/** The kinds of calls as conditions of a measurement. */
const CALLS: Readonly<Record<Calls, string>> = { inlined: "inlined", called: "not inlined" };

/** Prints the tables and writes the files. */
export async function timedReport(found: Findings, options: Options): Promise<void> {
  const { allocators } = found;
  const rows = inOrder(found.rows);
  const machine = describeMachine({ assemblyscript: "assemblyscript", binaryen: "binaryen", clang: "@yowasp/clang" });
  const [least, most] = roundsOf(found);
  const rounds = least === most ? `${most}` : `${least} to ${most}`;
  const targets = judge(rows, allocators, found.size, options.calls);
  const conditions = `medians of ${rounds} interleaved rounds, ${options.clock} time, calls ${CALLS[options.calls]}`;
  const tables = [
    ...(rows.length ? timeTables(rows, allocators) : []),
    found.inspections.length ? inspectionTable(found.inspections) : undefined,
    found.js.length ? jsTable(found.js) : undefined,
    targetTable(targets),
  ].filter((one) => one !== undefined);
  const notes = [...failures(rows), ...found.missing];
  const origin = `${machine.cpu}, ${machine.cores} cores, node ${machine.node}; ${conditions}`;
  const { clock, calls, name } = options;
  const record = {
    machine,
    rounds: { least, most },
    clock,
    calls,
    allocators: allocators.map(({ name, kind, about }) => ({ name, kind, about })),
    targets,
    rows,
    inspections: found.inspections,
    javascript: found.js,
    bytes: found.size,
  };
  const path = options.svg ?? join(RESULTS, `${name}.svg`);
  const svg = chart(rows, allocators, `${machine.cpu}, node ${machine.node}`);
  const published = { machine, calls, conditions, tables, notes };
  await leave({ name, script: "npm start", origin, record, published }, options, { path, svg });
}

/** The fewest and the most rounds that gomalloc and its peers had. */
function roundsOf({ allocators, rows }: Findings): [number, number] {
  const peers = allocators.filter(({ kind }) => kind === "ours" || kind === "peer");
  const counts = rows.flatMap(({ cells }) => peers.map(({ name }) => cells[name]?.rounds ?? 0)).filter((n) => n > 0);
  return counts.length ? [Math.min(...counts), Math.max(...counts)] : [0, 0];
}

function timeTables(rows: readonly Row[], allocators: readonly Allocator[]): (Table | undefined)[] {
  return [
    timeTable(rows, allocators),
    ratioTable(rows, allocators),
    netTable(rows, allocators),
    memoryTable(rows, allocators),
  ];
}

/** Who failed in which rows, a line for each allocator and reason. */
export function failures(rows: readonly Row[]): string[] {
  const found = new Map<string, string[]>();
  for (const { workload, cells } of rows) {
    for (const [name, { error }] of Object.entries(cells)) {
      if (error === undefined) continue;
      const line = `${name}: ${error}`;
      found.set(line, [...(found.get(line) ?? []), workload]);
    }
  }
  return [...found].map(([line, workloads]) => `${line}: ${workloads.join(", ")}`);
}

/**
 * Prints what the checked replays found; false if anything was wrong. A bump allocator that ran out of memory did
 * what it must.
 */
export function checkedReport(
  verdicts: readonly { workload: string; allocator: Allocator; verdict: Verdict | string }[],
  missing: readonly string[],
): boolean {
  const body = verdicts.map(({ workload, allocator: { name, kind }, verdict }) => {
    if (typeof verdict !== "string") {
      return [workload, name, String(verdict.operations), verdict.failure ?? "contents kept"];
    }
    return [workload, name, "-", kind === "bump" ? "out of memory, which it cannot reuse" : verdict];
  });
  const head = ["workload", "allocator", "operations", "found"].map((name) => ({ name }));
  console.log(`\n${[text({ columns: head, rows: body }), ...missing].join("\n\n")}\n`);
  return verdicts.every(({ allocator, verdict }) =>
    typeof verdict === "string" ? allocator.kind === "bump" : verdict.failure === undefined,
  );
}
