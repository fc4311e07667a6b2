/**
 * What a run leaves: a Markdown table on the console, JSON on disk.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { describeMachine } from "../../lib/machine.ts";
import { RESULTS, ROOT } from "../../lib/paths.ts";
import { geometricMean } from "../../lib/statistics.ts";
import { type Allocator, OURS, REFERENCE } from "./allocators.ts";
import type { Program, Scale } from "./catalog.ts";
import type { Cell, Row } from "./measure.ts";

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

/** Prints the tables and writes the figures; `file` overrides their place. */
export async function report(found: Findings, file: string | undefined): Promise<void> {
  const { rows, skipped } = found;
  const sections = [rows.length ? timeTable(found) : undefined, sizeTable(found), ...skipped, verdict(found)];
  console.log(`\n${sections.filter((section) => section !== undefined).join("\n\n")}\n`);
  const path = file ?? join(RESULTS, "programs.json");
  const record = {
    machine: describeMachine({ binaryen: "binaryen", clang: "@yowasp/clang" }),
    scale: found.scale,
    reference: REFERENCE,
    allocators: found.allocators.map(({ name, about }) => ({ name, about })),
    programs: found.programs.map(({ name, about }) => ({ name, about })),
    rows,
    means: means(found),
    sizes: found.sizes,
    skipped,
  };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(record, undefined, 2)}\n`);
  console.log(`figures: ${relative(ROOT, path)}`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function markdown(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column]!.length)));
  const show = (line: readonly string[]) =>
    `| ${line.map((text, i) => (i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [show(head), rule, ...body.map(show)].join("\n");
}

/** A ratio of times and its standard error. */
function withError(cell: Cell | undefined): string {
  return cell === undefined ? "-" : `${cell.time.toFixed(2)}x ±${cell.error.toFixed(2)}`;
}

/** Times and peaks of what others are measured against, ratios of the others. */
function timeTable({ rows, allocators }: Findings): string {
  const ratio = (value: number | undefined) => (value === undefined ? "-" : `${value.toFixed(2)}x`);
  // Inlining changes no peak.
  const kept = allocators.filter(({ reference }) => reference === REFERENCE);
  const body = rows.map(({ program, workload, share, cells }) => [
    program,
    workload,
    percent(share),
    ...allocators.map(({ name, reference }) =>
      name === reference ? (cells[name]?.milliseconds.toFixed(0) ?? "-") : withError(cells[name]),
    ),
    ...kept.map(({ name }) => (name === REFERENCE ? (cells[name]!.peak / MIB).toFixed(1) : ratio(cells[name]?.memory))),
  ]);
  const mean = ({ name, reference }: Allocator, of: "time" | "memory") =>
    name === reference ? "" : ratio(meanOf(rows, name, of));
  body.push([
    "geometric mean",
    "",
    "",
    ...allocators.map((allocator) => mean(allocator, "time")),
    ...kept.map((allocator) => mean(allocator, "memory")),
  ]);
  const head = [
    "program",
    "workload",
    "in malloc",
    ...allocators.map(({ name, reference }) => (name === reference ? `${name}, ms` : name)),
    ...kept.map(({ name }) => (name === REFERENCE ? "peak, MiB" : name)),
  ];
  return markdown(head, body);
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

function sizeTable({ sizes, allocators, programs }: Findings): string | undefined {
  const built = programs.filter(({ name }) => sizes[name]);
  if (!built.length) return undefined;
  return markdown(
    ["program, KiB", "", ...allocators.map(({ name }) => name)],
    built.map(({ name }) => [
      name,
      "",
      ...allocators.map((allocator) => {
        const bytes = sizes[name]![allocator.name];
        return bytes === undefined ? "-" : (bytes / 1024).toFixed(0);
      }),
    ]),
  );
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
