/**
 * What the shared host flavour exports for the collector (assembly/abi/collectorshared.ts), and the same over the flavour of
 * one thread, whose cycle has other steps: for a heap whose memory cannot be shared.
 *
 * Numbers come signed out of wasm. For the instance's own thread.
 */
import { CheckmarkError, HeapDisposedError } from "../base/errors.js";
import {
  COLLECTOR_NAMES as SOLO_NAMES,
  type CollectorExports as SoloExports,
  STAT_CHECK_FAILED_AT,
  STAT_CHECKED,
  STAT_CYCLES,
  STAT_FREED_BYTES,
  STAT_FREED_OBJECTS,
  STAT_GOAL,
  STAT_HANDLES,
  STAT_HEAP_LIVE,
  STAT_HEAP_MARKED,
  STAT_OVERFLOWS,
  STAT_PINS,
  STAT_SCAN_WORK,
  STAT_STEPS,
  STAT_SWEEPING,
  STAT_TRIGGER,
  STAT_UNCHECKED,
} from "../base/gcabi.js";

/** What handleGet says of what is no handle. */
export const NO_HANDLE = 0xffffffff;

/** Results of gcBegin and gcEnd, and of gcMark for the last. */
export const MORE = 0;
export const DONE = 1;
export const BUSY = -1;

/** Numbers of gcStat: those of gc/abi.ts, and from 32 on those of a shared heap. */
export const STATS = {
  cycles: STAT_CYCLES,
  forced: 1,
  phase: 2,
  heapLive: STAT_HEAP_LIVE,
  heapMarked: STAT_HEAP_MARKED,
  goal: STAT_GOAL,
  trigger: STAT_TRIGGER,
  sweeping: STAT_SWEEPING,
  steps: STAT_STEPS,
  pins: STAT_PINS,
  handles: STAT_HANDLES,
  freedObjects: STAT_FREED_OBJECTS,
  freedBytes: STAT_FREED_BYTES,
  overflows: STAT_OVERFLOWS,
  scanned: STAT_SCAN_WORK,
  markTime: 32,
  stopBegin: 33,
  stopEnd: 34,
  abandoned: 35,
  carriedOn: 36,
  checked: STAT_CHECKED,
  unchecked: STAT_UNCHECKED,
} as const;

/** The functions of the flavour of one thread that this one does not have: its cycle has other steps. */
type SoloStep = "pins" | "gcStart" | "gcStep" | "gcPhase";

/** Questions about blocks, which need no P and no gate. */
interface BlockQuestions {
  objectBase(ptr: number): number;
  malloc_usable_size(ptr: number): number;
}

interface SharedSteps extends BlockQuestions {
  handleGet(i: number): number;
  gcEnter(): number;
  gcLeave(): void;
  gcBegin(forced: number, now: number): number;
  gcMark(budget: number): number;
  gcEnd(now: number): number;
  gc(): number;
  gcWakeAddress(): number;
  gcTimes(begin: number, end: number, procs: number): void;
}

export interface CollectorExports extends Omit<SoloExports, SoloStep>, SharedSteps {}

/** The names of two types; the compiler keeps them in step. */
const SOLO_STEPS = Object.keys({ pins: 0, gcStart: 0, gcStep: 0, gcPhase: 0 } satisfies Record<SoloStep, 0>);
const SHARED_STEPS = Object.keys({
  handleGet: 0,
  gcEnter: 0,
  gcLeave: 0,
  gcBegin: 0,
  gcMark: 0,
  gcEnd: 0,
  gc: 0,
  gcWakeAddress: 0,
  gcTimes: 0,
  objectBase: 0,
  malloc_usable_size: 0,
} satisfies Record<keyof SharedSteps, 0>);

/** The names that a shared host flavour must export. */
export const COLLECTOR_NAMES: readonly string[] = [
  ...SOLO_NAMES.filter((name) => !SOLO_STEPS.includes(name)),
  ...SHARED_STEPS,
];

/** The exports of an instance of a checked module as one plain object. */
export function bindCollector({ exports }: Pick<WebAssembly.Instance, "exports">): CollectorExports {
  return Object.fromEntries(COLLECTOR_NAMES.map((name) => [name, exports[name]])) as unknown as CollectorExports;
}

/** Throws CheckmarkError for what a check of the marks has noted, once. */
export function reportCheckmark(exports: CollectorExports): void {
  const address = exports.gcStat(STAT_CHECK_FAILED_AT);
  if (address === 0) return;
  exports.setCheckmark(1);
  throw new CheckmarkError(address);
}

/** In a disposed heap: every function throws. */
export function disposedCollector(): CollectorExports {
  const refuse = (): never => {
    throw new HeapDisposedError();
  };
  return Object.fromEntries(COLLECTOR_NAMES.map((name) => [name, refuse])) as unknown as CollectorExports;
}

/** What the flavour of one thread has for the steps of a cycle. */
interface SoloSteps extends Pick<SoloExports, SoloStep | "gcDue"> {
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
    gcDue: () => steps.gcDue(),
    gcWakeAddress: () => 0,
    gcTimes() {},
  };
}
