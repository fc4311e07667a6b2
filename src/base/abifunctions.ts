/**
 * The functions of the ABI. wasm hands every u32 to JavaScript as a signed number. Generated from scripts/abi.ts by
 * scripts/gen-abi.ts: do not edit.
 */

/** The malloc family: programs may import it from gomalloc or env. */
export interface FamilyFunctions {
  malloc(size: number): number;
  free(ptr: number): void;
  calloc(count: number, size: number): number;
  realloc(ptr: number, size: number): number;
  aligned_alloc(alignment: number, size: number): number;
  memalign(alignment: number, size: number): number;
  posix_memalign(out: number, alignment: number, size: number): number;
  malloc_usable_size(ptr: number): number;
  free_sized(ptr: number, size: number): void;
  malloc_trim(pad: number): number;
}

/** Their names. */
// biome-ignore format: filled lines
export const FAMILY_NAMES = [
  "malloc", "free", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign", "malloc_usable_size",
  "free_sized", "malloc_trim",
] as const satisfies readonly (keyof FamilyFunctions)[];

/** What every flavour has besides. */
export interface ControlFunctions {
  init(heapBase: number): void;
  mallopt(param: number, value: number): number;
  gomalloc_misuse(kind: number, ptr: number): void;
}

/** Their names. */
// biome-ignore format: filled lines
export const CONTROL_NAMES = [
  "init", "mallopt", "gomalloc_misuse",
] as const satisfies readonly (keyof ControlFunctions)[];

/** What the host flavours have for programs and hosts. */
export interface HostFunctions {
  mallocgc(size: number, scan: number, needzero: number): number;
  tryFree(ptr: number): number;
  tryRealloc(ptr: number, size: number): number;
  lastMisuse(): number;
  memstats(): number;
  validate(): number;
  validateDeep(): number;
  validateInfo(): number;
  reclaim(): number;
  releaseAll(): void;
  objectBase(ptr: number): number;
  spanOf(ptr: number): number;
  scavengeBegin(): number;
  scavengeOne(end: number, bytes: number, force: number): number;
  scavengeBytes(): number;
  scavengeEnd(zero: number): number;
  idlePages(dirty: number): number;
}

/** Their names. */
// biome-ignore format: filled lines
export const HOST_NAMES = [
  "mallocgc", "tryFree", "tryRealloc", "lastMisuse", "memstats", "validate", "validateDeep", "validateInfo", "reclaim",
  "releaseAll", "objectBase", "spanOf", "scavengeBegin", "scavengeOne", "scavengeBytes", "scavengeEnd", "idlePages",
] as const satisfies readonly (keyof HostFunctions)[];

/** What the host flavours have for the JavaScript API alone. */
export interface HostOnlyFunctions {
  heapLast(): number;
}

/** Their names. */
// biome-ignore format: filled lines
export const HOST_ONLY_NAMES = [
  "heapLast",
] as const satisfies readonly (keyof HostOnlyFunctions)[];

/** The collector, in both host flavours. */
export interface CollectorFunctions {
  newType(size: number, ptrBytes: number): number;
  newObject(type: number, n: number): number;
  isObject(ptr: number): number;
  objectOf(ptr: number): number;
  faultObject(ptr: number, type: number): number;
  isFaulted(ptr: number): number;
  freeObject(ptr: number): number;
  handleNew(ptr: number): number;
  handleGet(handle: number): number;
  handleSet(handle: number, ptr: number): number;
  handleFree(handle: number): number;
  pin(ptr: number): number;
  unpin(ptr: number): number;
  pins(ptr: number): number;
  addRoots(start: number, bytes: number, pointer: number): number;
  removeRoots(start: number): number;
  isRegistered(start: number, bytes: number): number;
  specialNew(kind: number, ptr: number): number;
  specialFree(kind: number, ptr: number, id: number): number;
  weakNew(ptr: number): number;
  weakGet(weak: number): number;
  isIndirection(ptr: number): number;
  finishedId(): number;
  finishedObject(): number;
  finishedDone(): void;
  dropFinished(token: number): void;
  writePointer(slot: number, value: number): void;
  typedMove(type: number, to: number, from: number, n: number): void;
  typedClear(type: number, to: number, n: number): void;
  setCollecting(on: number): void;
  setGCPercent(percent: number): number;
  setMemoryLimit(bytes: number): number;
  setHeapMinimum(bytes: number): number;
  setCheckmark(on: number): void;
  setClobberfree(on: number): void;
  gcSweep(pages: number): number;
  gcPhase(): number;
  gcDue(): number;
  gcStat(i: number): number;
}

/** Their names. */
// biome-ignore format: filled lines
export const COLLECTOR_NAMES = [
  "newType", "newObject", "isObject", "objectOf", "faultObject", "isFaulted", "freeObject", "handleNew", "handleGet",
  "handleSet", "handleFree", "pin", "unpin", "pins", "addRoots", "removeRoots", "isRegistered", "specialNew",
  "specialFree", "weakNew", "weakGet", "isIndirection", "finishedId", "finishedObject", "finishedDone", "dropFinished",
  "writePointer", "typedMove", "typedClear", "setCollecting", "setGCPercent", "setMemoryLimit", "setHeapMinimum",
  "setCheckmark", "setClobberfree", "gcSweep", "gcPhase", "gcDue", "gcStat",
] as const satisfies readonly (keyof CollectorFunctions)[];

/** The steps of a cycle in a heap of one thread. */
export interface SoloCycleFunctions {
  gcStart(): number;
  gcStep(budget: number): number;
}

/** Their names. */
// biome-ignore format: filled lines
export const SOLO_CYCLE_NAMES = [
  "gcStart", "gcStep",
] as const satisfies readonly (keyof SoloCycleFunctions)[];

/** The steps of a cycle in a shared heap, and the gate. */
export interface SharedCycleFunctions {
  gcEnter(): number;
  gcLeave(): void;
  gcBegin(forced: number, now: number): number;
  gcMark(budget: number): number;
  gcEnd(now: number): number;
  gc(): number;
  gcWakeAddress(): number;
  gcTimes(begin: number, end: number, procs: number): void;
}

/** Their names. */
// biome-ignore format: filled lines
export const SHARED_CYCLE_NAMES = [
  "gcEnter", "gcLeave", "gcBegin", "gcMark", "gcEnd", "gc", "gcWakeAddress", "gcTimes",
] as const satisfies readonly (keyof SharedCycleFunctions)[];

/** What every shared flavour has besides. */
export interface ThreadExitFunctions {
  gomalloc_thread_exit(): void;
  gomalloc_sync(): void;
}

/** Their names. */
// biome-ignore format: filled lines
export const THREAD_EXIT_NAMES = [
  "gomalloc_thread_exit", "gomalloc_sync",
] as const satisfies readonly (keyof ThreadExitFunctions)[];

/** Ps and locks, in the shared host flavour. Ps are numbered from 1; a result of 0 is none. */
export interface ProcsFunctions {
  setToken(token: number): void;
  acquireP(token: number): number;
  acquireBeyond(token: number): number;
  releaseP(): void;
  abandonP(): void;
  currentP(): number;
  blockP(): number;
  unblockP(): number;
  setProcs(n: number): void;
  procs(): number;
  numPs(): number;
  flushP(id: number): number;
  recoverP(id: number): number;
  stateAddress(id: number): number;
  lockAddress(i: number): number;
  lockCount(): number;
  lastStuck(): number;
  pStat(id: number, i: number): bigint;
}

/** Their names. */
// biome-ignore format: filled lines
export const PROCS_NAMES = [
  "setToken", "acquireP", "acquireBeyond", "releaseP", "abandonP", "currentP", "blockP", "unblockP", "setProcs",
  "procs", "numPs", "flushP", "recoverP", "stateAddress", "lockAddress", "lockCount", "lastStuck", "pStat",
] as const satisfies readonly (keyof ProcsFunctions)[];

/** What the shared host flavour has for the JavaScript API alone. */
export interface ProcsOnlyFunctions {
  claimAddress(): number;
  endAddress(): number;
}

/** Their names. */
// biome-ignore format: filled lines
export const PROCS_ONLY_NAMES = [
  "claimAddress", "endAddress",
] as const satisfies readonly (keyof ProcsOnlyFunctions)[];

/** Types in wasm, by name. */
export type WasmTypes = Readonly<
  Record<string, { readonly params: readonly string[]; readonly results: readonly string[] }>
>;

// What programs may import.

export const FAMILY_TYPES: WasmTypes = {
  malloc: { params: ["i32"], results: ["i32"] },
  free: { params: ["i32"], results: [] },
  calloc: { params: ["i32", "i32"], results: ["i32"] },
  realloc: { params: ["i32", "i32"], results: ["i32"] },
  aligned_alloc: { params: ["i32", "i32"], results: ["i32"] },
  memalign: { params: ["i32", "i32"], results: ["i32"] },
  posix_memalign: { params: ["i32", "i32", "i32"], results: ["i32"] },
  malloc_usable_size: { params: ["i32"], results: ["i32"] },
  free_sized: { params: ["i32", "i32"], results: [] },
  malloc_trim: { params: ["i32"], results: ["i32"] },
};

export const CONTROL_TYPES: WasmTypes = {
  init: { params: ["i32"], results: [] },
  mallopt: { params: ["i32", "i32"], results: ["i32"] },
  gomalloc_misuse: { params: ["i32", "i32"], results: [] },
};

export const HOST_TYPES: WasmTypes = {
  mallocgc: { params: ["i32", "i32", "i32"], results: ["i32"] },
  tryFree: { params: ["i32"], results: ["i32"] },
  tryRealloc: { params: ["i32", "i32"], results: ["i32"] },
  lastMisuse: { params: [], results: ["i32"] },
  memstats: { params: [], results: ["i32"] },
  validate: { params: [], results: ["i32"] },
  validateDeep: { params: [], results: ["i32"] },
  validateInfo: { params: [], results: ["i32"] },
  reclaim: { params: [], results: ["i32"] },
  releaseAll: { params: [], results: [] },
  objectBase: { params: ["i32"], results: ["i32"] },
  spanOf: { params: ["i32"], results: ["i32"] },
  scavengeBegin: { params: [], results: ["i32"] },
  scavengeOne: { params: ["i32", "i32", "i32"], results: ["i32"] },
  scavengeBytes: { params: [], results: ["i32"] },
  scavengeEnd: { params: ["i32"], results: ["i32"] },
  idlePages: { params: ["i32"], results: ["i32"] },
};

export const THREAD_EXIT_TYPES: WasmTypes = {
  gomalloc_thread_exit: { params: [], results: [] },
  gomalloc_sync: { params: [], results: [] },
};

export const PROCS_TYPES: WasmTypes = {
  setToken: { params: ["i32"], results: [] },
  acquireP: { params: ["i32"], results: ["i32"] },
  acquireBeyond: { params: ["i32"], results: ["i32"] },
  releaseP: { params: [], results: [] },
  abandonP: { params: [], results: [] },
  currentP: { params: [], results: ["i32"] },
  blockP: { params: [], results: ["i32"] },
  unblockP: { params: [], results: ["i32"] },
  setProcs: { params: ["i32"], results: [] },
  procs: { params: [], results: ["i32"] },
  numPs: { params: [], results: ["i32"] },
  flushP: { params: ["i32"], results: ["i32"] },
  recoverP: { params: ["i32"], results: ["i32"] },
  stateAddress: { params: ["i32"], results: ["i32"] },
  lockAddress: { params: ["i32"], results: ["i32"] },
  lockCount: { params: [], results: ["i32"] },
  lastStuck: { params: [], results: ["i32"] },
  pStat: { params: ["i32", "i32"], results: ["i64"] },
};
