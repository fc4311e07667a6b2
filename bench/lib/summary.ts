/**
 * From samples to the figures that are printed and judged: medians, ratios, geometric means.
 */

import { type Allocator, GOMALLOC } from "./catalog.ts";
import { FLOOR } from "./floor.ts";
import type { Outcome } from "./rounds.ts";
import { geometricMean, median, spread } from "./statistics.ts";
import type { Replay, Workload } from "./workloads.ts";

/** One allocator on one workload. */
export interface Cell {
  /** Median nanoseconds per operation; of the part that was done, if not complete. NaN if it failed. */
  readonly nanoseconds: number;
  /** Half the interquartile range over the median. */
  readonly spread: number;
  readonly footprint: number;
  readonly checksum: number;
  readonly rounds: number;
  readonly complete: boolean;
  readonly error?: string;
}

/** One workload, or the first pass of a trace. */
export interface Row {
  readonly workload: string;
  readonly kind: Workload["kind"] | "cold";
  readonly about: string;
  /** Requested bytes live at their peak. */
  readonly peakLive: number | undefined;
  /** By allocator name. */
  readonly cells: Readonly<Record<string, Cell>>;
}

/** Condenses the outcomes of one workload. Throws if two allocators read different contents back. */
export function summarize(workload: Workload, peakLive: number | undefined, outcomes: readonly Outcome[]): Row {
  const cells: Record<string, Cell> = {};
  for (const { allocator, samples, error } of outcomes) {
    const times = samples.map((sample) => sample.nanoseconds);
    cells[allocator] = {
      nanoseconds: samples.length ? median(times) : Number.NaN,
      spread: samples.length ? spread(times) : Number.NaN,
      footprint: samples[0]?.footprint ?? 0,
      checksum: samples[0]?.checksum ?? 0,
      rounds: samples.length,
      complete: samples.length > 0 && samples.every((sample) => sample.complete) && error === undefined,
      ...(error === undefined ? {} : { error }),
    };
  }
  const sums = new Set(Object.values(cells).flatMap((cell) => (cell.complete ? cell.checksum : [])));
  if (sums.size > 1) throw new Error(`${workload.name}: checksums differ: ${JSON.stringify(cells)}`);
  return { workload: workload.name, kind: workload.kind, about: workload.about, peakLive, cells };
}

/** The first pass of a trace, from an empty heap, as a row of its own. */
export function firstPass({ name, ...workload }: Replay, outcomes: readonly Outcome[]): Row {
  const first = outcomes.map((outcome) => ({
    ...outcome,
    samples: outcome.samples.map((sample) => ({ ...sample, nanoseconds: sample.cold ?? Number.NaN })),
  }));
  return { ...summarize({ name: `${name}, cold`, ...workload }, workload.peak, first), kind: "cold" };
}

/** Rows in the order of the tables: traces, their first passes, micro workloads. */
export function inOrder(rows: readonly Row[]): Row[] {
  return (["trace", "cold", "micro"] as const).flatMap((kind) => rows.filter((row) => row.kind === kind));
}

/** Time of `name` on a row, if it ended. */
export function timeOf(row: Row, name: string): number | undefined {
  const cell = row.cells[name];
  return cell?.complete ? cell.nanoseconds : undefined;
}

/** gomalloc's time over that of `peer`; undefined if one of them is missing. */
export function ratio(row: Row, peer: string): number | undefined {
  const ours = timeOf(row, GOMALLOC.name);
  const theirs = timeOf(row, peer);
  return ours !== undefined && theirs !== undefined ? ours / theirs : undefined;
}

/**
 * The same with the driver's own time taken off both: the allocators alone. Undefined if one of them is missing or
 * as fast as the driver within the clock's noise.
 */
export function netRatio(row: Row, peer: string): number | undefined {
  const ours = timeOf(row, GOMALLOC.name);
  const theirs = timeOf(row, peer);
  const floor = timeOf(row, FLOOR);
  if (ours === undefined || theirs === undefined || floor === undefined) return undefined;
  return ours > floor && theirs > floor ? (ours - floor) / (theirs - floor) : undefined;
}

/** The peer (bump allocators and textbook ones apart) that was fastest on a row. */
export function fastestPeer(row: Row, allocators: readonly Allocator[]): string | undefined {
  const peers = allocators.filter(({ kind }) => kind === "peer");
  return fastest(
    row,
    peers.map(({ name }) => name),
  );
}

/** Which of some allocators was fastest on a row; undefined if none of them ended. */
export function fastest(row: Row, names: readonly string[]): string | undefined {
  let best: string | undefined;
  for (const name of names) {
    const time = timeOf(row, name);
    if (time !== undefined && (best === undefined || time < timeOf(row, best)!)) best = name;
  }
  return best;
}

/** The geometric mean of what is defined; undefined if nothing is. */
export function meanOf(values: readonly (number | undefined)[]): number | undefined {
  const defined = values.filter((value) => value !== undefined);
  return defined.length ? geometricMean(defined) : undefined;
}
