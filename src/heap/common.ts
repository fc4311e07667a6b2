/** What the entries gomalloc and gomalloc/slim have in common: all but the functions that need wasm. */
export * from "../base/index.js";
export {
  type GCMemStats,
  MEMSTATS_VERSION,
  type MemStats,
  type SizeClassStats,
  type StageStats,
  type Stages,
} from "../base/memstats.js";
export { MAX_SMALL_SIZE, SIZE_CLASSES, type SizeClass } from "../base/sizeclasses.js";
export { POINTER_SIZE } from "../base/types.js";
export * from "../gc/index.js";
export type { SnapshotJSON } from "../snapshot/format.js";
export type { HeapSnapshot } from "../snapshot/snapshot.js";
export type { Heap, HeapSnapshotOptions } from "./heap.js";
export type { InstantiatedWith } from "./instantiate.js";
export { INVARIANTS } from "./invariants.js";
export type { AsyncWasmSource, WasmSource } from "./module.js";
export type { HeapLimits, HeapOptions } from "./options.js";
