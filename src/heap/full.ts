/** The ways to a heap of the entry gomalloc: without the option `wasm` they take the module inlined in the package. */
import { type CreateHeapAsyncOptions, type CreateHeapOptions, makeHeap, makeHeapAsync } from "./create.js";
import { Heap } from "./heap.js";
import { INLINED_HOST } from "./inlined.js";
import { type InstantiatedWith, type InstantiateWithOptions, runWith } from "./instantiate.js";
import type { AsyncWasmSource } from "./module.js";

const KIND = { module: INLINED_HOST, Class: Heap<ArrayBuffer> };

/**
 * A heap, at once. Some browsers refuse to compile so much on the main thread without waiting: use createHeapAsync
 * there. Throws RangeError or TypeError for bad options, ModuleLoadError for bad wasm or where a page's
 * Content-Security-Policy forbids to compile.
 */
export function createHeap(options: CreateHeapOptions = {}): Heap {
  return makeHeap(options, KIND);
}

/** A heap, without blocking. Rejects with what createHeap throws. */
export async function createHeapAsync(options: CreateHeapAsyncOptions = {}): Promise<Heap> {
  return makeHeapAsync(options, KIND);
}

/**
 * Instantiates a program that imports the malloc family from "gomalloc" or "env", with gomalloc as its allocator.
 * Nothing of the program is called but its start function: call _initialize or _start as usual.
 *
 * Rejects with ModuleLoadError when the program imports none of the family, a name that gomalloc does not have, no
 * memory can be found for it, or its start function traps; with WebAssembly.LinkError when an import is of another
 * type; with RangeError or TypeError for bad options and for imports that are missing; with what an imported function
 * throws that the start function calls.
 */
export async function instantiateWith(
  app: AsyncWasmSource,
  options: InstantiateWithOptions = {},
): Promise<InstantiatedWith> {
  return runWith(app, options, INLINED_HOST);
}
