/**
 * The targets of the shared heap, judged on the figures of one run.
 */

import { LOCKED, OURS } from "./contenders.ts";
import { type CountRow, locksPerCall } from "./counts.ts";
import type { FlavourRow } from "./flavours.ts";
import type { Figures } from "./rounds.ts";
import { LARSON, MICROS, PIPE, TRACE_NAME } from "./workloads.ts";

/** One target. */
export interface Target {
  readonly what: string;
  readonly limit: number;
  /** Whether the limit is the least or the most that is allowed. */
  readonly side: "at least" | "at most" | "below";
  /** What was measured; undefined if this run did not. */
  readonly value: number | undefined;
  readonly unit: "x" | " ns" | "";
  readonly met: boolean | undefined;
}

const ALONE = 1.15;
const SCALING = 1.9;
const REMOTE = 0.3;
/** A block allocated by one thread and freed by the other, in nanoseconds: the other's cache has to give it up. */
const BLOCK = 40;
const TRACE = 0.6;
const LOCKS = 2;

/** Judges every target. */
export function judge(figures: Figures, flavours: readonly FlavourRow[], counts: readonly CountRow[]): Target[] {
  const larson = counts.find(({ workload, threads }) => workload === LARSON && threads === 2);
  return [
    ...flavours.map(({ workload, ratio }) =>
      target(`${workload}: one thread, shared over unshared flavour`, "at most", ALONE, ratio),
    ),
    ...MICROS.filter(({ scales }) => scales).map(({ name }) =>
      target(`${name}: throughput of two threads over one`, "at least", SCALING, figures.scaling(name, OURS)),
    ),
    target(`${PIPE}: time a block over ${LOCKED}`, "at most", REMOTE, figures.ratio(PIPE, [OURS, 2], [LOCKED, 2])),
    { ...target(`${PIPE}: time a block on two threads`, "at most", BLOCK, figures.value(PIPE, OURS, 2)), unit: " ns" },
    target(
      `${TRACE_NAME}: time on two threads over ${LOCKED}`,
      "below",
      TRACE,
      figures.ratio(TRACE_NAME, [OURS, 2], [LOCKED, 2]),
    ),
    {
      // Two calls, a free and a malloc, for each allocation.
      ...target(
        `${LARSON}: lock acquisitions per 1000 allocations`,
        "below",
        LOCKS,
        larson && locksPerCall(larson) * 2000,
      ),
      unit: "",
    },
  ];
}

function target(what: string, side: Target["side"], limit: number, value: number | undefined): Target {
  const met =
    value === undefined
      ? undefined
      : side === "at least"
        ? value >= limit
        : side === "at most"
          ? value <= limit
          : value < limit;
  return { what, side, limit, value, unit: "x", met };
}
