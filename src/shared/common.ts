/** What the entries gomalloc/shared and gomalloc/shared/slim have in common: all but the functions that need wasm. */
export {
  AttachError,
  HeapLockError,
  type Holder,
  ProcsBusyError,
  type PState,
  SharedMemoryUnavailableError,
  UnrepairedHeapError,
} from "../base/errors.js";
export * from "../base/index.js";
export * from "../gc/index.js";
export type { Heap, HeapSnapshotOptions } from "../heap/heap.js";
export type { AsyncWasmSource, WasmSource } from "../heap/module.js";
export type { HeapLimits } from "../heap/options.js";
export type { SnapshotJSON } from "../snapshot/format.js";
export type { HeapSnapshot } from "../snapshot/snapshot.js";
export { type AttachOptions, attachHeap, attachHeapAsync, type SharedHeapOptions } from "./create.js";
export type { SharedHeap } from "./heap.js";
export type { HeapLock, LockCounters } from "./lock.js";
export type { Settings, SharedHeapMessage } from "./message.js";
export type { Monitor, MonitorOptions } from "./monitor.js";
export type { Ps } from "./procs.js";
export type { DeathReport, Repairs } from "./recover.js";
export type { LockStats, PStats, SharedMemStats } from "./stats.js";
export type { WorkerLike } from "./watch.js";
