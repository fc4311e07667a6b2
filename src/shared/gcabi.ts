/**
 * What the shared host flavour exports for the collector (assembly/abi/collectorshared.ts), and the same over the flavour of
 * one thread, whose cycle has other steps: for a heap whose memory cannot be shared.
 *
 * Numbers come signed out of wasm. For the instance's own thread.
 */
import { HeapDisposedError } from "../errors.js";

/** Results of gcBegin and gcEnd, and of gcMark for the last. */
export const MORE = 0;
export const DONE = 1;
export const BUSY = -1;

/** Numbers of gcStat. */
export const STATS = {
  cycles: 0,
  forced: 1,
  phase: 2,
  heapLive: 3,
  heapMarked: 4,
  goal: 5,
  trigger: 6,
  sweeping: 7,
  steps: 8,
  pins: 9,
  handles: 10,
  freedObjects: 11,
  freedBytes: 12,
  overflows: 13,
  scanned: 14,
  markTime: 32,
  stopBegin: 33,
  stopEnd: 34,
  abandoned: 35,
  carriedOn: 36,
} as const;

export interface CollectorExports {
  newType(size: number, ptrBytes: number): number;
  newObject(type: number, n: number): number;
  isObject(p: number): number;
  objectOf(p: number): number;
  freeObject(p: number): number;
  handleNew(p: number): number;
  handleGet(i: number): number;
  handleSet(i: number, p: number): number;
  handleFree(i: number): number;
  pin(p: number): number;
  unpin(p: number): number;
  addRoots(start: number, bytes: number, pointer: number): number;
  removeRoots(start: number): number;
  writePointer(slot: number, value: number): void;
  typedMove(type: number, to: number, from: number, n: number): void;
  typedClear(type: number, to: number, n: number): void;
  setCollecting(on: number): void;
  setGCPercent(percent: number): number;
  setMemoryLimit(bytes: number): number;
  setHeapMinimum(bytes: number): number;
  gcEnter(): number;
  gcLeave(): void;
  gcBegin(forced: number, now: number): number;
  gcMark(budget: number): number;
  gcEnd(now: number): number;
  gcSweep(pages: number): number;
  gc(): number;
  gcDue(): number;
  gcWakeAddress(): number;
  gcWake(): void;
  gcTimes(begin: number, end: number, procs: number): void;
  gcStat(i: number): number;
}

const NAMES = Object.keys({
  newType: 0,
  newObject: 0,
  isObject: 0,
  objectOf: 0,
  freeObject: 0,
  handleNew: 0,
  handleGet: 0,
  handleSet: 0,
  handleFree: 0,
  pin: 0,
  unpin: 0,
  addRoots: 0,
  removeRoots: 0,
  writePointer: 0,
  typedMove: 0,
  typedClear: 0,
  setCollecting: 0,
  setGCPercent: 0,
  setMemoryLimit: 0,
  setHeapMinimum: 0,
  gcEnter: 0,
  gcLeave: 0,
  gcBegin: 0,
  gcMark: 0,
  gcEnd: 0,
  gcSweep: 0,
  gc: 0,
  gcDue: 0,
  gcWakeAddress: 0,
  gcWake: 0,
  gcTimes: 0,
  gcStat: 0,
} satisfies Record<keyof CollectorExports, 0>) as (keyof CollectorExports)[];

/** The names that a shared host flavour must export. */
export const COLLECTOR_NAMES: readonly string[] = NAMES;

/** The exports of an instance of a checked module as one plain object. */
export function bindCollector({ exports }: Pick<WebAssembly.Instance, "exports">): CollectorExports {
  return Object.fromEntries(NAMES.map((name) => [name, exports[name]])) as unknown as CollectorExports;
}

/** In a disposed heap: every function throws. */
export function disposedCollector(): CollectorExports {
  const refuse = (): never => {
    throw new HeapDisposedError();
  };
  return Object.fromEntries(NAMES.map((name) => [name, refuse])) as unknown as CollectorExports;
}

/** What the flavour of one thread has for the steps of a cycle. */
interface SoloSteps {
  gcStart(): number;
  gcStep(budget: number): number;
  gcPhase(): number;
  gcDue(): number;
  gc(): void;
}

/** CollectorExports over the flavour of one thread, which has no gate and nobody to wake. */
export function soloCollector(instance: Pick<WebAssembly.Instance, "exports">): CollectorExports {
  const steps = instance.exports as unknown as SoloSteps;
  return {
    ...bindCollector(instance),
    gcEnter: () => 1,
    gcLeave() {},
    gcBegin: () => steps.gcStart(),
    gcMark: (budget) => steps.gcStep(budget),
    gcEnd: () => (steps.gcPhase() === 0 ? DONE : MORE),
    gc() {
      steps.gc();
      return 1;
    },
    gcDue: () => (steps.gcDue() >> 1) & 1,
    gcWakeAddress: () => 0,
    gcWake() {},
    gcTimes() {},
  };
}
