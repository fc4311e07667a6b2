/**
 * Profiles as text: the table of `go tool pprof -top`, and the stacks that hold most. Flat is what a function has
 * allocated itself, cum what it and all that it called have; a function that is in a stack twice counts once.
 */
import type { SampleType } from "./pprof.js";
import type { Location, Profile, Sample, SourceFrame } from "./types.js";

export interface TableOptions {
  /** Default: "inuse_space". */
  readonly sampleType?: SampleType | undefined;
  /** Rows. Default: 10. */
  readonly count?: number | undefined;
  /** Rows are functions, or places in them. Default: "line". */
  readonly by?: "function" | "line" | undefined;
}

export interface TopRow {
  readonly function: string;
  /** Path, with its line when rows are lines; "" when unknown. */
  readonly place: string;
  readonly flat: number;
  readonly cum: number;
}

export interface Top {
  /** Most flat first; of equal ones most cum. */
  readonly rows: readonly TopRow[];
  /** Of all samples: what percentages are of. In a difference the sum of what has grown and of what has shrunk. */
  readonly total: number;
  /** Rows beyond those. */
  readonly left: number;
}

const VALUES: Record<SampleType, (sample: Sample) => number> = {
  alloc_objects: ({ allocObjects }) => allocObjects,
  alloc_space: ({ allocBytes }) => allocBytes,
  inuse_objects: ({ inuseObjects }) => inuseObjects,
  inuse_space: ({ inuseBytes }) => inuseBytes,
};

/** What a sample counts in a table of that type. */
export function valueIn(sampleType: SampleType): (sample: Sample) => number {
  return VALUES[sampleType];
}

/** The rows of the table, as numbers. */
export function topRows(profile: Profile, options: TableOptions = {}): Top {
  const { sampleType = "inuse_space", count = 10, by = "line" } = options;
  const rows = new Map<string, { function: string; place: string; flat: number; cum: number }>();
  let total = 0;
  for (const sample of profile.samples) {
    const value = valueIn(sampleType)(sample);
    if (value === 0) continue;
    total += Math.abs(value);
    const seen = new Set<string>();
    for (const [i, frame] of sample.stack.flatMap(({ frames }) => frames).entries()) {
      const place = by === "line" ? placeOf(frame) : (frame.file ?? "");
      const key = `${frame.function}\n${place}`;
      let row = rows.get(key);
      if (row === undefined) {
        row = { function: frame.function, place, flat: 0, cum: 0 };
        rows.set(key, row);
      }
      if (i === 0) row.flat += value;
      if (!seen.has(key)) row.cum += value;
      seen.add(key);
    }
  }
  const sorted = [...rows.values()].sort((a, b) => weight(b.flat, a.flat) || weight(b.cum, a.cum));
  return { rows: sorted.slice(0, count), total, left: Math.max(0, sorted.length - count) };
}

const weight = (a: number, b: number): number => Math.abs(a) - Math.abs(b);

/** The table as text, in the form of `go tool pprof -top`. */
export function formatTop(profile: Profile, options: TableOptions = {}): string {
  const { sampleType = "inuse_space" } = options;
  const { rows, total, left } = topRows(profile, options);
  const unit = formatOf(sampleType);
  const shown = rows.reduce((sum, { flat }) => sum + flat, 0);
  const of = (value: number) => percent(value, total);
  const lines = [
    ...(profile.program.name === undefined ? [] : [`File: ${profile.program.name}`]),
    `Type: ${sampleType}`,
    `Showing nodes accounting for ${unit(shown)}, ${of(shown).trim()} of ${unit(total)} total`,
    ...(left > 0 ? [`Showing top ${rows.length} nodes out of ${rows.length + left}`] : []),
    "      flat  flat%   sum%        cum   cum%",
  ];
  let sum = 0;
  for (const { function: name, place, flat, cum } of rows) {
    sum += flat;
    const cells = [unit(flat).padStart(10), of(flat), of(sum), unit(cum).padStart(10), of(cum)];
    lines.push(`${cells.join(" ")}  ${name}${place === "" ? "" : ` ${place}`}`);
  }
  return `${lines.join("\n")}\n`;
}

/** A stack and what was allocated from it, in blocks of all sizes. */
export interface StackTotal {
  readonly stack: readonly Location[];
  readonly objects: number;
  readonly bytes: number;
}

/** The stacks that hold most bytes: in use, or with a sample type "alloc_..." all that were allocated. */
export function topStacks(profile: Profile, options: TableOptions = {}): StackTotal[] {
  const { sampleType = "inuse_space", count = 10 } = options;
  const all = sampleType.startsWith("alloc_");
  const stacks = new Map<string, { stack: readonly Location[]; objects: number; bytes: number }>();
  for (const sample of profile.samples) {
    const key = sample.stack.map(({ number }) => number).join(" ");
    let total = stacks.get(key);
    if (total === undefined) {
      total = { stack: sample.stack, objects: 0, bytes: 0 };
      stacks.set(key, total);
    }
    total.objects += all ? sample.allocObjects : sample.inuseObjects;
    total.bytes += all ? sample.allocBytes : sample.inuseBytes;
  }
  return [...stacks.values()]
    .filter(({ objects, bytes }) => objects !== 0 || bytes !== 0)
    .sort((a, b) => weight(b.bytes, a.bytes))
    .slice(0, count);
}

/** The stacks as text: a line with the numbers, then a line for each frame, leaf first. */
export function formatStacks(profile: Profile, options: TableOptions = {}): string {
  return topStacks(profile, options)
    .map(
      ({ stack, objects, bytes }) =>
        `${formatBytes(bytes)} in ${objects} ${Math.abs(objects) === 1 ? "object" : "objects"}\n${formatStack(stack)}`,
    )
    .join("\n");
}

/** One line for each frame, leaf first, with its place. */
export function formatStack(stack: readonly Location[], indent = "    "): string {
  return stack
    .flatMap(({ frames }) => frames)
    .map((frame) => `${indent}${lineOf(frame)}\n`)
    .join("");
}

/** The function and its place, as far as they are known. */
export function lineOf(frame: SourceFrame): string {
  return `${frame.function} ${placeOf(frame)}`.trimEnd();
}

/** "FILE:LINE", as far as it is known. */
export function placeOf({ file, line }: SourceFrame): string {
  if (file === undefined) return "";
  return line === undefined ? file : `${file}:${line}`;
}

/** How numbers of that type are written. */
export function formatOf(sampleType: SampleType): (value: number) => string {
  return sampleType.endsWith("_space") ? formatBytes : String;
}

const UNITS: readonly [name: string, bytes: number][] = [
  ["TB", 2 ** 40],
  ["GB", 2 ** 30],
  ["MB", 2 ** 20],
  ["kB", 2 ** 10],
];

/** As pprof has it: units of 1024, two digits behind the point unless they are 0. */
export function formatBytes(bytes: number): string {
  const unit = UNITS.find(([, size]) => Math.abs(bytes) >= size);
  if (unit === undefined) return bytes === 0 ? "0" : `${bytes}B`;
  return `${(bytes / unit[1]).toFixed(2).replace(/\.00$/, "")}${unit[0]}`;
}

/** Of six characters, as pprof has it. */
function percent(value: number, total: number): string {
  const share = total === 0 ? 0 : (100 * value) / total;
  const size = Math.abs(share);
  if (size >= 99.95 && size <= 100.05) return `${share < 0 ? "-" : ""}100%`.padStart(6);
  if (size >= 1) return `${share.toFixed(2)}%`.padStart(6);
  return `${Number(share.toPrecision(2))}%`.padStart(6);
}
