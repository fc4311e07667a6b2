/**
 * The targets for speed and size, judged on the figures of one run.
 */

import { type Allocator, GOMALLOC } from "./catalog.ts";
import { fastestPeer, meanOf, type Row, ratio } from "./summary.ts";

/** One target. */
export interface Target {
  readonly what: string;
  /** The greatest value allowed. */
  readonly limit: number;
  /** What was measured; undefined if this run did not. */
  readonly value: number | undefined;
  readonly unit: "x" | "bytes";
  readonly met: boolean | undefined;
}

/** mimalloc 2 took 11.0 ns on larson where dlmalloc took 34.8, both as wasm, merged, in one run on one machine. */
const MIMALLOC_LARSON = 11.0 / 34.8;

/** Bytes that build/gomalloc.wasm may have, 13.5 KiB: a budget, so that a change of some bytes changes no document. */
export const SIZE_LIMIT = 13_824;

/** Judges every target. `size` is the length of build/gomalloc.wasm. */
export function judge(rows: readonly Row[], allocators: readonly Allocator[], size: number | undefined): Target[] {
  const traces = rows.filter((row) => row.kind === "trace");
  const row = (name: string) => rows.find((candidate) => candidate.workload === name);
  const against = (name: string, peer: string) => {
    const found = row(name);
    return found && ratio(found, peer);
  };
  const best = rows.map((candidate) => {
    const peer = fastestPeer(candidate, allocators);
    return peer === undefined ? undefined : ratio(candidate, peer);
  });
  const worst = largest(best);
  const worstRow = worst === undefined ? "" : ` (${rows[best.indexOf(worst)]!.workload})`;
  const memory = traces.map((trace) => {
    const ours = trace.cells[GOMALLOC.name];
    const theirs = trace.cells["dlmalloc"];
    return ours?.complete && theirs?.complete ? ours.footprint / theirs.footprint : undefined;
  });
  const heaviest = largest(memory);
  const heaviestTrace = heaviest === undefined ? "" : ` (${traces[memory.indexOf(heaviest)]!.workload})`;
  return [
    target(
      `time, geometric mean of ${rows.length} rows over dlmalloc`,
      0.45,
      meanOf(rows.map((r) => ratio(r, "dlmalloc"))),
    ),
    target(`time, geometric mean of ${rows.length} rows over TLSF`, 0.25, meanOf(rows.map((r) => ratio(r, "tlsf")))),
    target("time, geometric mean over each row's fastest peer", 0.7, meanOf(best)),
    target(`time, worst row over its fastest peer${worstRow}`, 1, worst),
    target("time, pairs of 64 B over dlmalloc", 0.5, against("pairs 64 B", "dlmalloc")),
    target(`peak memory, worst trace over dlmalloc${heaviestTrace}`, 1.05, heaviest),
    target("larson over dlmalloc, to be below mimalloc's", MIMALLOC_LARSON, against("larson", "dlmalloc")),
    target("large blocks over dlmalloc, the best there", 1, against("large blocks", "dlmalloc")),
    { ...target("build/gomalloc.wasm", SIZE_LIMIT, size), unit: "bytes" },
  ];
}

function target(what: string, limit: number, value: number | undefined): Target {
  return { what, limit, value, unit: "x", met: value === undefined ? undefined : value <= limit };
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const defined = values.filter((value) => value !== undefined);
  return defined.length ? Math.max(...defined) : undefined;
}
