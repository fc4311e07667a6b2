/**
 * The two ways to a heap: makeHeap compiles in place, makeHeapAsync on the engine's threads and from the network. The
 * entries (full.ts, slim.ts) make createHeap and createHeapAsync of them, each with its default module.
 */
import { bindExports, type HostExports, instantiate, M_MISUSE, MISUSE_RETURN } from "./abi.js";
import { Heap } from "./heap.js";
import { type AsyncWasmSource, type DefaultModule, loadModule, loadModuleAsync, type WasmSource } from "./module.js";
import { applyLimits, type HeapOptions, type Place, placeHeap, setOption } from "./options.js";

export interface CreateHeapOptions extends HeapOptions {
  /** The host flavour, compiled or as bytes. Default: the module inlined in this package. */
  wasm?: WasmSource | undefined;
}

export interface CreateHeapAsyncOptions extends HeapOptions {
  /** The host flavour: compiled, bytes, a URL, or a Response. Default: the module inlined in this package. */
  wasm?: AsyncWasmSource | undefined;
}

/** A heap, at once. Throws RangeError or TypeError for bad options, ModuleLoadError for bad wasm. */
export function makeHeap(options: CreateHeapOptions, otherwise: DefaultModule): Heap {
  const throwOnMisuse = throwsOnMisuse(options);
  const module = loadModule(options.wasm, otherwise);
  const place = placeHeap(options);
  return start(instantiate(module, place.memory), place, options, throwOnMisuse);
}

/** The same without blocking. Rejects with what makeHeap throws. */
export async function makeHeapAsync(options: CreateHeapAsyncOptions, otherwise: DefaultModule): Promise<Heap> {
  const throwOnMisuse = throwsOnMisuse(options);
  const module = await loadModuleAsync(options.wasm, otherwise);
  const place = placeHeap(options);
  const instance = await WebAssembly.instantiate(module, { env: { memory: place.memory } });
  return start(bindExports(instance), place, options, throwOnMisuse);
}

function start(exports: HostExports, place: Place, options: HeapOptions, throwOnMisuse: boolean): Heap {
  setOption(exports, M_MISUSE, MISUSE_RETURN);
  applyLimits(exports, options);
  if (place.heapBase !== null) {
    exports.init(place.heapBase);
    // Its record is had now, so that stats() works when memory is out.
    exports.memstats();
  }
  return new Heap(exports, place.memory, throwOnMisuse, undefined, options.collector);
}

function throwsOnMisuse({ onMisuse = "throw" }: HeapOptions): boolean {
  if (onMisuse !== "throw" && onMisuse !== "ignore") throw new TypeError(`onMisuse must be "throw" or "ignore"`);
  return onMisuse === "throw";
}
