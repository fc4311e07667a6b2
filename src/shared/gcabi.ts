/**
 * The contract with the collector of the shared host flavour: what assembly/abi/collectorshared.ts exports, as
 * JavaScript sees it. Numbers come signed out of wasm. For the instance's own thread.
 */
import { type CoreExports, COLLECTOR_NAMES as SOLO_NAMES } from "../base/gcabi.js";

/** The steps of a cycle and the gate, as the shared host flavour has them. */
interface SharedSteps {
  gcEnter(): number;
  gcLeave(): void;
  gcBegin(forced: number, now: number): number;
  gcMark(budget: number): number;
  gcEnd(now: number): number;
  gc(): number;
  gcWakeAddress(): number;
  gcTimes(begin: number, end: number, procs: number): void;
}

/** What the shared host flavour exports for the collector. */
export interface SharedCollectorExports extends Omit<CoreExports, "gcStart" | "gcStep">, SharedSteps {}

/** The names of SharedSteps; the compiler keeps the two in step. */
const STEPS = Object.keys({
  gcEnter: 0,
  gcLeave: 0,
  gcBegin: 0,
  gcMark: 0,
  gcEnd: 0,
  gc: 0,
  gcWakeAddress: 0,
  gcTimes: 0,
} satisfies Record<keyof SharedSteps, 0>);

/** The names that a shared host flavour must export for its collector. */
export const COLLECTOR_NAMES: readonly string[] = [
  ...SOLO_NAMES.filter((name) => name !== "gcStart" && name !== "gcStep"),
  ...["mallocgc", "malloc_usable_size", "objectBase"],
  ...STEPS,
];

/** The exports of an instance of a checked module as one plain object. */
export function bindCollector({ exports }: Pick<WebAssembly.Instance, "exports">): SharedCollectorExports {
  return Object.fromEntries(COLLECTOR_NAMES.map((name) => [name, exports[name]])) as unknown as SharedCollectorExports;
}
