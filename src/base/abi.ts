/**
 * The contract with build/gomalloc-host.wasm: its exports, the numbers of its options, and how an instance is made.
 *
 * wasm hands every u32 to JavaScript as a signed number; the callers of these functions turn addresses and sizes back
 * with `>>> 0`, so that addresses above 2 GiB come out right too.
 */
import { show } from "./check.js";
import { HeapDisposedError, ModuleLoadError } from "./errors.js";
import { COLLECTOR_NAMES, type CoreExports } from "./gcabi.js";
import type { Threads } from "./threads.js";

/** Bytes in the unit of WebAssembly.Memory.grow. */
export const WASM_PAGE_SIZE = 65536;
/** The most pages that a 32-bit memory can have. */
export const MAX_WASM_PAGES = 65536;

/** Parameters of mallopt, as assembly/base/options.ts numbers them. */
export const M_MISUSE = 1;
export const M_MAX_BYTES = 2;
export const M_SOFT_LIMIT = 3;
export const M_RESERVE = 4;

/** Value of M_MISUSE with which a misused C call returns instead of trapping. */
export const MISUSE_RETURN = 1;

/**
 * What the host flavour exports, as far as the host API calls it. Addresses and sizes are signed 32-bit numbers here.
 */
export interface HostExports {
  init(heapBase: number): void;
  mallopt(param: number, value: number): number;
  malloc(size: number): number;
  calloc(count: number, size: number): number;
  memalign(alignment: number, size: number): number;
  malloc_usable_size(ptr: number): number;
  mallocgc(size: number, scan: number, needzero: number): number;
  tryFree(ptr: number): number;
  tryRealloc(ptr: number, size: number): number;
  lastMisuse(): number;
  objectBase(ptr: number): number;
  memstats(): number;
  validate(): number;
  validateDeep(): number;
  validateInfo(): number;
  releaseAll(): void;
  reclaim(): number;
  heapLast(): number;
  /** What the collector calls; null in a module without one. */
  readonly collector: CoreExports | null;
  /** What the collector of a shared heap needs of the other threads; null in a heap of one thread. */
  readonly threads: Threads | null;
}

type HostFunction = Exclude<keyof HostExports, "collector" | "threads">;

/** The names of HostExports' functions; the compiler keeps the two in step. */
const NAMES: readonly HostFunction[] = Object.keys({
  init: 0,
  mallopt: 0,
  malloc: 0,
  calloc: 0,
  memalign: 0,
  malloc_usable_size: 0,
  mallocgc: 0,
  tryFree: 0,
  tryRealloc: 0,
  lastMisuse: 0,
  objectBase: 0,
  memstats: 0,
  validate: 0,
  validateDeep: 0,
  validateInfo: 0,
  releaseAll: 0,
  reclaim: 0,
  heapLast: 0,
} satisfies Record<HostFunction, 0>) as HostFunction[];

/** The names of a module's exported functions. */
export function functionsOf(module: WebAssembly.Module): Set<string> {
  const functions = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
  return new Set(functions.map(({ name }) => name));
}

/** Throws ModuleLoadError unless the module is a host flavour: better now than at the first call. */
export function checkHostModule(module: WebAssembly.Module): void {
  const present = functionsOf(module);
  const missing = NAMES.filter((name) => !present.has(name));
  if (missing.length > 0) {
    const hint = present.has("malloc") ? "; gomalloc.wasm has only the C functions, pass gomalloc-host.wasm" : "";
    throw new ModuleLoadError(`the module does not export ${missing.join(", ")}${hint}`);
  }
}

/** An instance of a checked module over `memory`. Nothing runs in it yet. Throws ModuleLoadError. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): WebAssembly.Instance {
  try {
    return new WebAssembly.Instance(module, { env: { memory } });
  } catch (cause) {
    throw cannotInstantiate(cause);
  }
}

/** instantiate without blocking. Rejects with ModuleLoadError. */
export async function instantiateAsync(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, { env: { memory } });
  } catch (cause) {
    throw cannotInstantiate(cause);
  }
}

function cannotInstantiate(cause: unknown): ModuleLoadError {
  const why = cause instanceof Error ? cause.message : show(cause);
  return new ModuleLoadError(
    `the module cannot be instantiated over the heap's memory: ${why}. Pass the flavour that belongs to this ` +
      "function: gomalloc-host.wasm for createHeap, gomalloc-host-shared.wasm for createSharedHeap",
    { cause },
  );
}

/** The exports of an instance of a checked module as one plain object, the same shape for every heap. */
export function bindExports(instance: Pick<WebAssembly.Instance, "exports">): HostExports {
  const { exports } = instance;
  const pick = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, exports[name]]));
  const collector = COLLECTOR_NAMES.every((name) => name in exports) ? pick(CORE_NAMES) : null;
  return { ...pick(NAMES), collector, threads: null } as unknown as HostExports;
}

/** The names of CoreExports. */
const CORE_NAMES = [...COLLECTOR_NAMES, "mallocgc", "malloc_usable_size", "objectBase"];

/**
 * Replaces the exports of a disposed heap: every function throws. So no call of a living heap has to check whether the
 * heap was disposed of.
 */
export function disposedExports(): HostExports & { readonly collector: CoreExports } {
  const refuse = (): never => {
    throw new HeapDisposedError();
  };
  const pick = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, refuse]));
  return { ...pick(NAMES), collector: pick(CORE_NAMES), threads: null } as unknown as ReturnType<
    typeof disposedExports
  >;
}
