/** By how much inlining may make a program longer. Estimates in bytes, pure functions. */
import type { ModuleInfo } from "../../wasm/parse.js";

/** Bytes that a call grows by, about, where malloc or free is inlined. */
export const INLINED_BYTES = 170;
/** Bytes that may be added to any program. */
export const MIN_BUDGET = 8192;

/** Bytes that may be added to the code: MIN_BUDGET, or one `part`-th of what it has. */
export function growthBudget(info: ModuleInfo, part: number): number {
  return Math.max(MIN_BUDGET, info.bodies.reduce((sum, { start, end }) => sum + end - start, 0) / part);
}
