/**
 * What a run leaves: tables on the console, JSON on disk.
 */

import { leave } from "../../lib/leave.ts";
import { describeMachine } from "../../lib/machine.ts";
import { geometricMean } from "../../lib/statistics.ts";
import { cell, type Cell as Shown, type Table } from "../../lib/table.ts";
import { MEAN } from "../../lib/tables.ts";
import { type Allocator, OURS, REFERENCE } from "./allocators.ts";
import type { Program, Scale } from "./catalog.ts";
import type { Cell, Row } from "./measure.ts";
import type { Options } from "./options.ts";

/** Everything a run found. */
export interface Findings {
  readonly scale: Scale;
  readonly allocators: readonly Allocator[];
  readonly programs: readonly Program[];
  readonly rows: readonly Row[];
  /** Bytes of each program's module by allocator, without its function names. */
  readonly sizes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Programs and allocators that are missing, and why. */
  readonly skipped: readonly string[];
}

/** The most that gomalloc may need, over the reference. */
const LIMITS = { heavy: 0.95, light: 1.02, memory: 1.05 } as const;

/** A workload is allocation-heavy when the stock build spends at least this part of its time in malloc. */
const HEAVY = 0.1;

const MIB = 2 ** 20;

/** Prints the tables and writes the figures. */
export async function report(found: Findings, options: Options): Promise<void> {
  const { rows, skipped } = found;
  const tables = [...(rows.length ? [timeTable(found)] : []), ...sizeTables(found)];
  const judged = verdict(found);
  const notes = [...skipped, ...(judged === undefined ? [] : [judged])];
  const machine = describeMachine({ binaryen: "binaryen", clang: "@yowasp/clang" });
  const record = {
    machine,
    scale: found.scale,
    reference: REFERENCE,
    allocators: found.allocators.map(({ name, about }) => ({ name, about })),
    programs: found.programs.map(({ name, about }) => ({ name, about })),
    rows,
    means: means(found),
    sizes: found.sizes,
    skipped,
  };
  const conditions = `medians of ${options.rounds} interleaved rounds, processor time`;
  const published = { machine, conditions, tables, notes };
  await leave({ name: "programs", script: "npm run bench:programs", record, published }, options);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** A ratio of times and its standard error. */
function withError({ time, error }: Cell): string {
  return `${time.toFixed(2)}x ±${error.toFixed(2)}`;
}

/** Times and peaks of what others are measured against, ratios of the others, each time's with its standard error. */
function timeTable({ rows, allocators }: Findings): Table {
  // Inlining changes no peak.
  const kept = allocators.filter(({ reference }) => reference === REFERENCE);
  const isReference = ({ name, reference }: Allocator) => name === reference;
  const body = rows.map(({ program, workload, share, cells }) => [
    program,
    workload,
    share * 100,
    ...allocators.flatMap((allocator): Shown[] => {
      const found = cells[allocator.name];
      if (isReference(allocator)) return [cell(found?.milliseconds)];
      return [cell(found?.time), cell(found?.error)];
    }),
    ...kept.map((allocator) => {
      const found = cells[allocator.name];
      return cell(isReference(allocator) ? found && found.peak / MIB : found?.memory);
    }),
  ]);
  const mean = (allocator: Allocator, of: "time" | "memory"): Shown =>
    isReference(allocator) ? "" : cell(meanOf(rows, allocator.name, of));
  body.push([
    MEAN,
    "",
    "",
    ...allocators.flatMap((one) => (isReference(one) ? [""] : [mean(one, "time"), ""])),
    ...kept.map((one) => mean(one, "memory")),
  ]);
  return {
    columns: [
      { name: "program" },
      { name: "workload" },
      { name: "in malloc", digits: 0, unit: " %" },
      ...allocators.flatMap((one) =>
        isReference(one)
          ? [{ name: `${one.name}, ms`, digits: 0 }]
          : [
              { name: `${one.name}, time`, digits: 2, unit: "x" },
              { name: "±", digits: 2 },
            ],
      ),
      ...kept.map((one) =>
        isReference(one)
          ? { name: `${one.name}, peak MiB`, digits: 1 }
          : { name: `${one.name}, peak`, digits: 2, unit: "x" },
      ),
    ],
    rows: body,
  };
}

function meanOf(rows: readonly Row[], allocator: string, of: "time" | "memory"): number | undefined {
  const values = rows.map(({ cells }) => cells[allocator]?.[of]).filter((value) => value !== undefined);
  return values.length ? geometricMean(values) : undefined;
}

function means({ rows, allocators }: Findings) {
  return Object.fromEntries(
    allocators.map(({ name }) => [name, { time: meanOf(rows, name, "time"), memory: meanOf(rows, name, "memory") }]),
  );
}

function sizeTables({ sizes, allocators, programs }: Findings): Table[] {
  const built = programs.filter(({ name }) => sizes[name]);
  if (!built.length) return [];
  return [
    {
      columns: [{ name: "program, KiB" }, ...allocators.map(({ name }) => ({ name, digits: 0 }))],
      rows: built.map(({ name }) => [
        name,
        ...allocators.map((allocator) => {
          const bytes = sizes[name]![allocator.name];
          return cell(bytes === undefined ? undefined : bytes / 1024);
        }),
      ]),
    },
  ];
}

/** Which rows are above the limits; a smoke test is too short to tell. */
function verdict({ rows, scale }: Findings): string | undefined {
  if (scale === "quick" || !rows.some(({ cells }) => cells[OURS])) return undefined;
  const missed = rows.flatMap(({ program, workload, share, cells }) => {
    const cell = cells[OURS];
    if (!cell) return [];
    const limit = share >= HEAVY ? LIMITS.heavy : LIMITS.light;
    return [
      ...(cell.time > limit
        ? [`${program} ${workload}: time ${withError(cell)}, limit ${limit}x; ${percent(share)} in malloc`]
        : []),
      ...(cell.memory > LIMITS.memory
        ? [`${program} ${workload}: memory ${cell.memory.toFixed(3)}x, limit ${LIMITS.memory}x`]
        : []),
    ];
  });
  return missed.length ? `above the limits:\n${missed.join("\n")}` : "every row is within the limits";
}
