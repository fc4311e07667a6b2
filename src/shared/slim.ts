/**
 * gomalloc/shared/slim: the shared heap without wasm inside. The thread that makes the heap gives the option `wasm`, a
 * URL, bytes or a compiled module of gomalloc-host-shared.wasm; threads that attach get the module with their message.
 * Everything else is as in the entry gomalloc/shared, and the classes are the same ones.
 */
import { type AsyncWasmSource, noModule, type WasmSource } from "../heap/module.js";
import {
  type CreateSharedHeapAsyncOptions as AnyAsyncOptions,
  type CreateSharedHeapOptions as AnyOptions,
  makeSharedHeap,
  makeSharedHeapAsync,
} from "./create.js";
import type { SharedHeap } from "./heap.js";
import type { DefaultModules } from "./module.js";

export * from "./common.js";

export interface CreateSharedHeapOptions extends AnyOptions {
  /** gomalloc-host-shared.wasm, compiled or as bytes. */
  wasm: WasmSource;
  /** gomalloc-host.wasm, for a heap of one thread where memory cannot be shared. Without it that is a TypeError. */
  soloWasm?: WasmSource | undefined;
}

export interface CreateSharedHeapAsyncOptions extends AnyAsyncOptions {
  /** gomalloc-host-shared.wasm: compiled, bytes, a URL, or a Response. */
  wasm: AsyncWasmSource;
  /** gomalloc-host.wasm, for a heap of one thread where memory cannot be shared. Without it that is a TypeError. */
  soloWasm?: AsyncWasmSource | undefined;
}

const NONE: DefaultModules = {
  shared: /* @__PURE__ */ noModule("gomalloc/shared/slim", "wasm", "gomalloc-host-shared.wasm"),
  solo: /* @__PURE__ */ noModule("gomalloc/shared/slim", "soloWasm", "gomalloc-host.wasm"),
};

/** A heap that other threads can join. Throws TypeError without `wasm`, and what that of gomalloc/shared throws. */
export function createSharedHeap(options: CreateSharedHeapOptions): SharedHeap {
  return makeSharedHeap(options ?? {}, NONE);
}

/** createSharedHeap without blocking. Rejects with what that throws. */
export async function createSharedHeapAsync(options: CreateSharedHeapAsyncOptions): Promise<SharedHeap> {
  return makeSharedHeapAsync(options ?? {}, NONE);
}
