/**
 * The two ways to a heap: makeHeap compiles in place, makeHeapAsync on the engine's threads and from the network. The
 * entries (full.ts, slim.ts) make createHeap and createHeapAsync of them, each with its default module.
 */
import { bindExports, type HooksOver, instantiate, instantiateAsync, M_MISUSE, MISUSE_RETURN } from "../base/abi.js";
import { namesOf, readOptions } from "../base/check.js";
import { checkCollectorOptions } from "../gc/options.js";
import { initHeap } from "./claim.js";
import type { Heap } from "./heap.js";
import { type AsyncWasmSource, type DefaultModule, loadModule, loadModuleAsync, type WasmSource } from "./module.js";
import {
  applyLimits,
  checkLimits,
  HEAP_OPTIONS,
  type HeapOptions,
  type Place,
  placeHeap,
  setOption,
  throwsOnMisuse,
} from "./options.js";

export interface CreateHeapOptions extends HeapOptions {
  /** The host flavour, compiled or as bytes. Default: the module inlined in this package. */
  wasm?: WasmSource | undefined;
}

export interface CreateHeapAsyncOptions extends HeapOptions {
  /** The host flavour: compiled, bytes, a URL, or a Response. Default: the module inlined in this package. */
  wasm?: AsyncWasmSource | undefined;
}

const OPTIONS = [...HEAP_OPTIONS, ...namesOf<Pick<CreateHeapOptions, "wasm">>({ wasm: 0 })] as const;

/** What a heap is constructed of. */
export type HeapParts = ConstructorParameters<typeof Heap<ArrayBuffer>>;

/** What an entry makes a heap of: its default module, what that imports besides memory, and its class. */
export interface HeapKind<H extends Heap> {
  readonly module: DefaultModule;
  readonly hooks?: HooksOver;
  readonly Class: new (...args: HeapParts) => H;
}

/** A heap, at once. Throws RangeError or TypeError for bad options, ModuleLoadError for bad wasm, OutOfMemoryError. */
export function makeHeap<H extends Heap>(options: CreateHeapOptions, kind: HeapKind<H>): H {
  const checked = checkOptions(options, "createHeap");
  const module = loadModule(checked.wasm, kind.module);
  const place = placeHeap(checked);
  return start(instantiate(module, place.memory, kind.hooks), place, checked, kind);
}

/** The same without blocking. Rejects with what makeHeap throws. */
export async function makeHeapAsync<H extends Heap>(options: CreateHeapAsyncOptions, kind: HeapKind<H>): Promise<H> {
  const checked = checkOptions(options, "createHeapAsync");
  const module = await loadModuleAsync(checked.wasm, kind.module);
  const place = placeHeap(checked);
  return start(await instantiateAsync(module, place.memory, kind.hooks), place, checked, kind);
}

/** The options, read once; all that can be checked without a memory is. */
function checkOptions<T extends HeapOptions>(given: T, call: string): T {
  const options = readOptions(given, OPTIONS as readonly (keyof T & string)[], call);
  throwsOnMisuse(options);
  checkLimits(options);
  if (options.collector !== undefined) options.collector = checkCollectorOptions(options.collector);
  return options;
}

function start<H extends Heap>(
  instance: WebAssembly.Instance,
  place: Place,
  options: HeapOptions,
  { Class }: HeapKind<H>,
): H {
  const exports = bindExports(instance);
  setOption(exports, M_MISUSE, MISUSE_RETURN);
  applyLimits(exports, options);
  if (place.heapBase !== null) {
    initHeap(exports, place.memory, place.heapBase);
    // Its record is had now, so that stats() works when memory is out.
    if (exports.memstats() === 0) {
      throw new RangeError("no room for the heap's records: raise maxBytes or the memory's maximum, or lower heapBase");
    }
  }
  const heap = new Class(exports, place.memory, throwsOnMisuse(options), undefined, options.collector);
  // Its settings are in force from now on.
  if (options.collector !== undefined) void heap.collector;
  return heap;
}
