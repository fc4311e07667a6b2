/**
 * What a run leaves: tables on the console, JSON on disk.
 */

import { leave } from "../../lib/leave.ts";
import { describeMachine } from "../../lib/machine.ts";
import { geometricMean } from "../../lib/statistics.ts";
import { cell, type Cell as Shown, type Table } from "../../lib/table.ts";
import { MEAN, targetTable } from "../../lib/tables.ts";
import { each, type Target, target } from "../../lib/targets.ts";
import { type Allocator, ARCHIVE, ARCHIVE_OPTIMISED, OURS, PROFILED, REFERENCE } from "./allocators.ts";
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

/** What of a row is held against the limits. */
interface Ratios extends Pick<Row, "program" | "workload"> {
  readonly cells: Readonly<Record<string, Pick<Cell, "time" | "memory">>>;
}

/** The most that gomalloc may need, over the reference. */
const LIMITS = { mean: 0.88, time: 1, memory: 1.05 } as const;
/** The same in the mean, for a program over the archive. */
const ARCHIVE_LIMITS = { [ARCHIVE]: 0.97, [ARCHIVE_OPTIMISED]: 0.93 } as const;

/** The most that sampling at the default rate may cost a program, over the same one linked without. */
const PROFILE_LIMIT = 1.01;

const MIB = 2 ** 20;

/** Prints the tables and writes the figures. */
export async function report(found: Findings, options: Options): Promise<void> {
  const { rows, skipped } = found;
  // A smoke test is too short to tell.
  const judged = found.scale !== "quick" && rows.some(({ cells }) => cells[OURS]);
  const tables = [
    ...(rows.length ? [timeTable(found)] : []),
    ...sizeTables(found),
    ...(judged ? [targetTable(judgeFor(options)(rows))] : []),
  ];
  const notes = [...skipped];
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
  const name = options.archive ? "programs-archive" : options.profile ? "programs-profile" : "programs";
  await leave({ name, script: "npm run bench:programs", record, published }, options);
}

/** Times and peaks of what others are measured against, ratios of the others, each time's with its standard error. */
function timeTable({ rows, allocators }: Findings): Table {
  // Inlining changes no peak.
  const kept = allocators.filter(({ reference, rate }) => reference === REFERENCE || rate !== undefined);
  const sampling = allocators.filter(({ rate }) => rate);
  // What sampling costs is less than a hundredth.
  const digits = sampling.length > 0 ? 3 : 2;
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
    ...sampling.map(({ name }) => cell(cells[name]?.samples)),
  ]);
  const mean = (allocator: Allocator, of: "time" | "memory"): Shown =>
    isReference(allocator) ? "" : cell(meanOf(rows, allocator.name, of));
  body.push([
    MEAN,
    "",
    "",
    ...allocators.flatMap((one) => (isReference(one) ? [""] : [mean(one, "time"), ""])),
    ...kept.map((one) => mean(one, "memory")),
    ...sampling.map(() => ""),
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
              { name: `${one.name}, time`, digits, unit: "x" },
              { name: "±", digits },
            ],
      ),
      ...kept.map((one) =>
        isReference(one)
          ? { name: `${one.name}, peak MiB`, digits: 1 }
          : { name: `${one.name}, peak`, digits, unit: "x" },
      ),
      ...sampling.map(({ name }) => ({ name: `${name}, samples`, digits: 0 })),
    ],
    rows: body,
  };
}

function meanOf(rows: readonly Ratios[], allocator: string, of: "time" | "memory"): number | undefined {
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

function judgeFor({ archive, profile }: Options): (rows: readonly Ratios[]) => Target[] {
  return archive ? judgeArchive : profile ? judgeProfile : judge;
}

function judgeProfile(rows: readonly Ratios[]): Target[] {
  const figures = rows.map(({ program, workload, cells }) => ({
    name: `${program} ${workload}`,
    value: cells[PROFILED]?.time,
  }));
  return [
    target(`${PROFILED}: time, geometric mean over ${OURS}`, PROFILE_LIMIT, meanOf(rows, PROFILED, "time")),
    each(`${PROFILED}: time, each workload over ${OURS}`, PROFILE_LIMIT, figures),
  ];
}

function judgeArchive(rows: readonly Ratios[]): Target[] {
  return Object.entries(ARCHIVE_LIMITS).map(([name, limit]) =>
    target(`${name}: time, geometric mean over dlmalloc`, limit, meanOf(rows, name, "time")),
  );
}

/** gomalloc's time and memory over the reference's, held against the limits. */
export function judge(rows: readonly Ratios[]): Target[] {
  const figures = (of: "time" | "memory") =>
    rows.map(({ program, workload, cells }) => ({ name: `${program} ${workload}`, value: cells[OURS]?.[of] }));
  return [
    target(`time, geometric mean over ${REFERENCE}`, LIMITS.mean, meanOf(rows, OURS, "time")),
    each(`time, each workload over ${REFERENCE}`, LIMITS.time, figures("time")),
    each(`peak memory, each workload over ${REFERENCE}`, LIMITS.memory, figures("memory")),
  ];
}
