/**
 * What the queueing model takes from a run: who is modelled, and where its numbers come from.
 */

import { type ModelInput, type ModelRow, modelRow } from "../model.ts";
import { DRIVER, LOCKED, OURS } from "./contenders.ts";
import { type CountRow, locksPerCall } from "./counts.ts";
import type { Figures } from "./rounds.ts";
import { LARGE, MICROS } from "./workloads.ts";

/** Lines for the workloads whose threads need nothing of each other but the allocator. */
export function model(figures: Figures, counts: readonly CountRow[]): ModelRow[] {
  const names = MICROS.filter(({ scales }) => scales).map(({ name }) => name);
  const inputs = [...names.map((name) => ours(name, figures, counts)), ...names.map((name) => locked(name, figures))];
  return inputs.filter((input) => input !== undefined).map(modelRow);
}

/** gomalloc: visits are counted; a lock is held no longer than the fastest call that takes one needs in all. */
function ours(workload: string, figures: Figures, counts: readonly CountRow[]): ModelInput | undefined {
  const alone = figures.value(workload, OURS, 1);
  const counted = counts.find((row) => row.workload === workload && row.threads === 2);
  const direct = counts.find((row) => row.workload === LARGE.name && row.threads === 1);
  const largeCall = figures.value(LARGE.name, OURS, 1);
  if (!alone || !counted || !direct || !largeCall) return undefined;
  const { heap, central, calls } = counted;
  const acquisitions = heap.acquisitions + central.acquisitions;
  return {
    workload,
    allocator: OURS,
    alone,
    visits: [heap.acquisitions / calls, central.acquisitions / calls],
    service: largeCall / locksPerCall(direct),
    measured: figures.scaling(workload, OURS),
    contended: acquisitions ? (heap.contended + central.contended) / acquisitions : undefined,
  };
}

/** dlmalloc under a lock: every call takes it, and holds it for all that the driver does not need itself. */
function locked(workload: string, figures: Figures): ModelInput | undefined {
  const alone = figures.value(workload, LOCKED, 1);
  const driver = figures.value(workload, DRIVER, 1);
  if (!alone || !driver) return undefined;
  return {
    workload,
    allocator: LOCKED,
    alone,
    visits: [1],
    service: Math.max(0, alone - driver),
    measured: figures.scaling(workload, LOCKED),
    contended: undefined,
  };
}
