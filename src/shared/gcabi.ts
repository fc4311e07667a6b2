/**
 * The contract with the collector of the shared host flavour: what assembly/abi/collectorshared.ts exports, as
 * JavaScript sees it. Numbers come signed out of wasm. For the instance's own thread.
 */
import { COLLECTOR_NAMES as COMMON, SHARED_CYCLE_NAMES, type SharedCycleFunctions } from "../base/abifunctions.js";
import type { CoreExports } from "../base/gcabi.js";

/** What the shared host flavour exports for the collector. */
export interface SharedCollectorExports extends Omit<CoreExports, "gcStart" | "gcStep">, SharedCycleFunctions {}

/** The names that a shared host flavour must export for its collector. */
export const COLLECTOR_NAMES: readonly string[] = [
  ...COMMON,
  ...["mallocgc", "malloc_usable_size", "objectBase"],
  ...SHARED_CYCLE_NAMES,
];

/** The exports of an instance of a checked module as one plain object. */
export function bindCollector({ exports }: Pick<WebAssembly.Instance, "exports">): SharedCollectorExports {
  return Object.fromEntries(COLLECTOR_NAMES.map((name) => [name, exports[name]])) as unknown as SharedCollectorExports;
}
