/**
 * gomalloc/slim: the host API without wasm inside. The option `wasm` is required: a URL, bytes or a compiled module of
 * gomalloc-host.wasm, which the package has as gomalloc/gomalloc-host.wasm. Everything else is as in the entry
 * gomalloc, and the classes are the same ones. Only instantiateWith has some wasm left: the 2 kB of its jump table.
 */
import type {
  CreateHeapAsyncOptions as AnyHeapAsyncOptions,
  CreateHeapOptions as AnyHeapOptions,
} from "./heap/create.js";
import { makeHeap, makeHeapAsync } from "./heap/create.js";
import { Heap } from "./heap/heap.js";
import {
  type InstantiateWithOptions as AnyInstantiateOptions,
  type InstantiatedWith,
  runWith,
} from "./heap/instantiate.js";
import { type AsyncWasmSource, noModule, type WasmSource } from "./heap/module.js";

export * from "./heap/common.js";

export interface CreateHeapOptions extends AnyHeapOptions {
  /** gomalloc-host.wasm, compiled or as bytes. */
  wasm: WasmSource;
}

export interface CreateHeapAsyncOptions extends AnyHeapAsyncOptions {
  /** gomalloc-host.wasm: compiled, bytes, a URL, or a Response. */
  wasm: AsyncWasmSource;
}

export interface InstantiateWithOptions extends AnyInstantiateOptions {
  /** gomalloc-host.wasm: compiled, bytes, a URL, or a Response. */
  wasm: AsyncWasmSource;
}

const NONE = /* @__PURE__ */ noModule("gomalloc/slim", "wasm", "gomalloc-host.wasm");
const KIND = /* @__PURE__ */ (() => ({ module: NONE, Class: Heap<ArrayBuffer> }))();

/** A heap, at once. Throws TypeError without `wasm`, and what createHeap of the entry gomalloc throws. */
export function createHeap(options: CreateHeapOptions): Heap {
  return makeHeap(options ?? {}, KIND);
}

/** A heap, without blocking; compiles while the bytes arrive. Rejects with what createHeap throws. */
export async function createHeapAsync(options: CreateHeapAsyncOptions): Promise<Heap> {
  return makeHeapAsync(options ?? {}, KIND);
}

/** Instantiates a program with gomalloc as its allocator. Rejects as instantiateWith of the entry gomalloc does. */
export async function instantiateWith(
  app: AsyncWasmSource,
  options: InstantiateWithOptions,
): Promise<InstantiatedWith> {
  return runWith(app, options ?? {}, NONE);
}
