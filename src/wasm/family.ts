/**
 * The functions that a program may take from gomalloc: their types, and under which module names they are found.
 */
import type { FunctionType } from "./parse.js";

/** The module from which programs import the allocator. */
export const GOMALLOC = "gomalloc";
/** Where compilers put what C code declares and nobody defines: the malloc family is found there too. */
export const ENV = "env";

function type(params: number, result: boolean): FunctionType {
  return { params: Array<string>(params).fill("i32"), results: result ? ["i32"] : [] };
}

/** The malloc family: bound from both modules. */
export const FAMILY: Readonly<Record<string, FunctionType>> = {
  malloc: type(1, true),
  free: type(1, false),
  calloc: type(2, true),
  realloc: type(2, true),
  aligned_alloc: type(2, true),
  memalign: type(2, true),
  posix_memalign: type(3, true),
  malloc_usable_size: type(1, true),
  free_sized: type(2, false),
  malloc_trim: type(1, true),
};

/** Bound from "gomalloc" only, in programs whose memory is shared. All but the first are of the host flavour. */
export const SHARED: Readonly<Record<string, FunctionType>> = {
  gomalloc_thread_exit: type(0, false),

  setToken: type(1, false),
  acquireP: type(1, true),
  acquireBeyond: type(1, true),
  releaseP: type(0, false),
  abandonP: type(0, false),
  currentP: type(0, true),
  blockP: type(0, true),
  unblockP: type(0, true),
  setProcs: type(1, true),
  procs: type(0, true),
  numPs: type(0, true),
  flushP: type(1, true),
  recoverP: type(1, true),
  stateAddress: type(1, true),
  lockAddress: type(1, true),
  lockCount: type(0, true),
  lastStuck: type(0, true),
  pStat: { params: ["i32", "i32"], results: ["i64"] },
};

/** Bound from "gomalloc" only. The second group is of the host flavour. */
export const EXTRAS: Readonly<Record<string, FunctionType>> = {
  init: type(1, false),
  mallopt: type(2, true),
  gomalloc_misuse: type(2, false),

  mallocgc: type(3, true),
  tryFree: type(1, true),
  tryRealloc: type(2, true),
  lastMisuse: type(0, true),
  memstats: type(0, true),
  validate: type(0, true),
  validateDeep: type(0, true),
  validateInfo: type(0, true),
  reclaim: type(0, true),
  releaseAll: type(0, false),
  objectBase: type(1, true),
  spanOf: type(1, true),

  ...SHARED,
};

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
