/**
 * The targets for speed, memory and size, judged on the figures of one run.
 */

import type { Calls } from "./build/merge.ts";
import { type Allocator, GOMALLOC } from "./catalog.ts";
import { fastest, fastestPeer, meanOf, type Row, ratio } from "./summary.ts";

/** One target. */
export interface Target {
  readonly what: string;
  /** The greatest value allowed. */
  readonly limit: number;
  /** What was measured; undefined if this run did not. */
  readonly value: number | undefined;
  readonly unit: "x" | "bytes";
  readonly met: boolean | undefined;
  /** Where each of several values is held against the limit: those above it, by name, the greatest first. */
  readonly above?: readonly { readonly name: string; readonly value: number }[];
}

/** Bytes that build/gomalloc.wasm may have, 16 KiB: a budget, so that a change of some bytes changes no document. */
export const SIZE_LIMIT = 16_384;

/** Of these the faster one counts, for each row. */
const MIMALLOC = ["mimalloc", "mimalloc-2"];

/** Rows in which what was freed last is the best to give out: held against the list that does just that. */
const HOT = ["redis-mixed", "larson", "alloc-test", "calloc"];
const MEDIUM = ["medium 256", "medium 2000", "medium, cold"];
const REALLOC = ["vectors", "strings", "doubling", "trimmed"];

/** Judges every target of a run with such calls. `size` is the length of build/gomalloc.wasm. */
export function judge(
  rows: readonly Row[],
  allocators: readonly Allocator[],
  size: number | undefined,
  calls: Calls,
): Target[] {
  const over = (names: readonly string[]) => (row: Row) => {
    const best = fastest(row, names);
    return best === undefined ? undefined : ratio(row, best);
  };
  const overDlmalloc = over(["dlmalloc"]);
  const overMimalloc = over(MIMALLOC);
  const overPeer = (row: Row) => {
    const peer = fastestPeer(row, allocators);
    return peer === undefined ? undefined : ratio(row, peer);
  };
  const overall =
    calls === "inlined" ? ([overPeer, "its fastest peer", 0.7] as const) : ([overDlmalloc, "dlmalloc", 0.75] as const);
  const of = (kind: Row["kind"]) => rows.filter((row) => row.kind === kind);
  const mean = (which: readonly Row[], value: Value) => meanOf(which.map(value));
  const row = (value: Value, name: string, others: string, limit: number) => {
    const found = rows.find(({ workload }) => workload === name);
    return target(`time, ${name} over ${others}`, limit, found && value(found));
  };
  return [
    ...(["trace", "cold"] as const).flatMap((kind) => {
      const what = `time, geometric mean of the traces${kind === "cold" ? ", cold," : ""}`;
      return [
        target(`${what} over dlmalloc`, 0.5, mean(of(kind), overDlmalloc)),
        target(`${what} over mimalloc`, 0.7, mean(of(kind), overMimalloc)),
      ];
    }),
    each(`time, each row over ${overall[1]}, ${calls}`, 1, named(rows, overall[0])),
    target(`time, geometric mean of each row over ${overall[1]}, ${calls}`, overall[2], mean(rows, overall[0])),
    ...HOT.map((name) => row(over(["segregated"]), name, "the segregated list", 1.1)),
    row(overMimalloc, "larson", "mimalloc", 1),
    ...MEDIUM.map((name) => row(overMimalloc, name, "mimalloc", 1)),
    row(overDlmalloc, "large blocks", "dlmalloc", 1),
    ...REALLOC.map((name) => row(overDlmalloc, name, "dlmalloc", 1)),
    each("peak memory, each trace over dlmalloc", 1.05, named(of("trace"), memoryOver)),
    each("peak memory, each micro workload over dlmalloc", 1.1, named(of("micro"), memoryOver)),
    { ...target("build/gomalloc.wasm", SIZE_LIMIT, size), unit: "bytes" },
  ];
}

type Value = (row: Row) => number | undefined;

/** gomalloc's peak memory over dlmalloc's; undefined if one of them did not end. */
export function memoryOver({ cells: { [GOMALLOC.name]: ours, dlmalloc: theirs } }: Row): number | undefined {
  return ours?.complete && theirs?.complete ? ours.footprint / theirs.footprint : undefined;
}

function named(rows: readonly Row[], value: Value) {
  return rows.map((row) => ({ name: row.workload, value: value(row) }));
}

/** One figure held against a limit. */
export function target(what: string, limit: number, value: number | undefined): Target {
  return { what, limit, value, unit: "x", met: value === undefined ? undefined : value <= limit };
}

/** Several figures held against one limit: the greatest is what was measured. */
export function each(
  what: string,
  limit: number,
  figures: readonly { readonly name: string; readonly value: number | undefined }[],
): Target {
  const known = figures.flatMap(({ name, value }) => (value === undefined ? [] : [{ name, value }]));
  const sorted = known.sort((a, b) => b.value - a.value);
  return { ...target(what, limit, sorted[0]?.value), above: sorted.filter(({ value }) => value > limit) };
}
