/**
 * The functions that a program may take from gomalloc: their types, and under which module names they are found.
 */
import type { FunctionType } from "../wasm/parse.js";
import {
  CONTROL_TYPES,
  FAMILY_TYPES,
  HOST_TYPES,
  PROCS_TYPES,
  THREAD_EXIT_TYPES,
  type WasmTypes,
} from "./abifunctions.js";

/** The module from which programs import the allocator. */
export const GOMALLOC = "gomalloc";
/** Where compilers put what C code declares and nobody defines: the malloc family is found there too. */
export const ENV = "env";

/** The malloc family: bound from both modules. */
export const FAMILY = FAMILY_TYPES;

/** Bound from "gomalloc" only, in programs whose memory is shared. All but the first are of the host flavour. */
export const SHARED: WasmTypes = { ...THREAD_EXIT_TYPES, ...PROCS_TYPES };

/** Bound from "gomalloc" only. Those of HOST_TYPES are of the host flavour. */
export const EXTRAS: WasmTypes = { ...CONTROL_TYPES, ...HOST_TYPES, ...SHARED };

/** "(i32, i32) -> i32" */
export function typeText({ params, results }: FunctionType): string {
  return `(${params.join(", ")}) -> ${results.length === 1 ? results[0] : `(${results.join(", ")})`}`;
}

export function sameType(a: FunctionType, b: FunctionType): boolean {
  return sameList(a.params, b.params) && sameList(a.results, b.results);
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
