/** The record of a cycle, with figures of their own in every field. */
import type { GCCycle } from "../../src/gc/gctrace.ts";

const MIB = 2 ** 20;

export const CYCLE: GCCycle = {
  number: 7,
  startedAt: 1204.9,
  utilization: 0.0391,
  clock: { sweepTermination: 0.0194, mark: 1.4999, markTermination: 0.004 },
  cpu: { sweepTermination: 0.1552, assist: 0.23, background: 0.418, idle: 0.1, markTermination: 0.0331 },
  heapStart: 4.2 * MIB,
  heapEnd: 5.99 * MIB,
  heapMarked: 2 * MIB,
  goal: 4 * MIB,
  stacks: 65536,
  globals: 3 * MIB,
  procs: 8,
  forced: false,
};
