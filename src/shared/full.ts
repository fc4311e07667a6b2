/** The ways to a shared heap of the entry gomalloc/shared: without `wasm` they take modules inlined in the package. */
import { HOST_SHARED_WASM_BASE64 } from "../generated/wasm-host-shared.js";
import { INLINED_HOST } from "../heap/inlined.js";
import { inlinedModule } from "../heap/module.js";
import {
  type CreateSharedHeapAsyncOptions,
  type CreateSharedHeapOptions,
  makeSharedHeap,
  makeSharedHeapAsync,
} from "./create.js";
import type { SharedHeap } from "./heap.js";
import type { DefaultModules } from "./module.js";

const INLINED: DefaultModules = {
  shared: /* @__PURE__ */ inlinedModule(HOST_SHARED_WASM_BASE64),
  solo: INLINED_HOST,
};

/**
 * A heap that other threads can join. Where memory cannot be shared: one for this thread alone (`heap.shared` is
 * false), made from the option `soloWasm` instead of `wasm`. Throws RangeError or TypeError for bad options,
 * ModuleLoadError for bad wasm, OutOfMemoryError, and SharedMemoryUnavailableError with the option `shared: true`.
 */
export function createSharedHeap(options: CreateSharedHeapOptions = {}): SharedHeap {
  return makeSharedHeap(options, INLINED);
}

/** createSharedHeap without blocking. Rejects with what that throws. */
export async function createSharedHeapAsync(options: CreateSharedHeapAsyncOptions = {}): Promise<SharedHeap> {
  return makeSharedHeapAsync(options, INLINED);
}
