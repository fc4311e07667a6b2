/**
 * The contract with the collector in wasm: what assembly/abi/collector.ts exports, as JavaScript sees it. A shared heap
 * offers the same functions over the exports of its own flavour (src/shared/collector.ts).
 *
 * Addresses and sizes come out of wasm as signed 32-bit numbers, the callers turn them back with `>>> 0`. Figures that
 * may exceed 2^32 are f64.
 */

import {
  COLLECTOR_NAMES as COMMON,
  type CollectorFunctions,
  type FamilyFunctions,
  type HostFunctions,
} from "./abifunctions.js";

export * from "./abinumbers.js";

/** What the host flavour of one thread exports beside the heap's functions. */
export interface CollectorExports extends CollectorFunctions {
  /** 1: begun; 0: a cycle is running; BUSY. In a heap of one thread every cycle begun here counts as forced. */
  gcStart(forced: number): number;
  /** Bytes scanned; BUSY. */
  gcStep(budget: number): number;
}

/** The names of CollectorExports. */
export const COLLECTOR_NAMES: readonly (keyof CollectorExports)[] = [...COMMON, "gcStart", "gcStep"];

/** What a collector calls. */
export interface CoreExports
  extends CollectorExports,
    Pick<HostFunctions, "mallocgc" | "objectBase">,
    Pick<FamilyFunctions, "malloc_usable_size"> {}

/** A figure of gcStat that may be without a bound says so by a number from here on. */
export const UNBOUNDED = 2 ** 63;
