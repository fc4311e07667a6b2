/** gomalloc's host API: everything that users import. */
export { type CreateHeapAsyncOptions, type CreateHeapOptions, createHeap, createHeapAsync } from "./create.js";
export {
  GomallocError,
  HeapDisposedError,
  InvariantError,
  MisuseError,
  type MisuseKind,
  ModuleLoadError,
  OutOfMemoryError,
} from "./errors.js";
export type { Heap } from "./heap.js";
export { type InstantiatedWith, type InstantiateWithOptions, instantiateWith } from "./instantiate.js";
export { INVARIANTS } from "./invariants.js";
export { MEMSTATS_VERSION, type MemStats, type SizeClassStats, type StageStats, type Stages } from "./memstats.js";
export type { AsyncWasmSource, WasmSource } from "./module.js";
export type { HeapLimits, HeapOptions } from "./options.js";
export { MAX_SMALL_SIZE, SIZE_CLASSES, type SizeClass } from "./sizeclasses.js";
export { type HeapType, POINTER_SIZE } from "./types.js";
export type { HeapView, ViewConstructor } from "./views.js";
