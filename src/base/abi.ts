/**
 * The contract with build/gomalloc-host.wasm: its exports, its numbers, and how an instance is made. What can be
 * counted or listed is generated (abifunctions.ts, abinumbers.ts).
 *
 * wasm hands every u32 to JavaScript as a signed number; the callers of these functions turn addresses and sizes back
 * with `>>> 0`, so that addresses above 2 GiB come out right too.
 */
import type { ControlFunctions, FamilyFunctions, HostFunctions, HostOnlyFunctions } from "./abifunctions.js";
import { show } from "./check.js";
import { HeapDisposedError, ModuleLoadError } from "./errors.js";
import { COLLECTOR_NAMES, type CoreExports } from "./gcabi.js";
import type { Threads } from "./threads.js";

export * from "./abinumbers.js";

/** Bytes in the unit of WebAssembly.Memory.grow. */
export const WASM_PAGE_SIZE = 65536;
/** The most pages that a 32-bit memory can have. */
export const MAX_WASM_PAGES = 65536;

/** What the host API calls of it. */
const NAMES = [
  ...(["init", "mallopt", "malloc", "calloc", "memalign", "malloc_usable_size", "mallocgc", "tryFree"] as const),
  ...(["tryRealloc", "lastMisuse", "objectBase", "memstats", "validate", "validateDeep", "validateInfo"] as const),
  ...(["releaseAll", "reclaim", "heapLast", "scavengeBegin", "scavengeOne", "scavengeBytes"] as const),
  ...(["scavengeEnd", "idlePages"] as const),
] as const satisfies readonly (keyof Exported)[];

type Exported = FamilyFunctions & ControlFunctions & HostFunctions & HostOnlyFunctions;

/**
 * What the host flavour exports, as far as the host API calls it. Addresses and sizes are signed 32-bit numbers here.
 */
export interface HostExports extends Pick<Exported, (typeof NAMES)[number]> {
  /** What the collector calls; null in a module without one. */
  readonly collector: CoreExports | null;
  /** What the collector of a shared heap needs of the other threads; null in a heap of one thread. */
  readonly threads: Threads | null;
}

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

/** The imports of module "gomalloc" that a flavour with samples has, for an instance over `memory`. */
export type HooksOver = (memory: WebAssembly.Memory) => WebAssembly.ModuleImports;

const noHooks: HooksOver = () => ({});

/** An instance of a checked module over `memory`. Nothing runs in it yet. Throws ModuleLoadError. */
export function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  hooks: HooksOver = noHooks,
): WebAssembly.Instance {
  try {
    return new WebAssembly.Instance(module, { env: { memory }, gomalloc: hooks(memory) });
  } catch (cause) {
    throw cannotInstantiate(cause);
  }
}

/** instantiate without blocking. Rejects with ModuleLoadError. */
export async function instantiateAsync(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  hooks: HooksOver = noHooks,
): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, { env: { memory }, gomalloc: hooks(memory) });
  } catch (cause) {
    throw cannotInstantiate(cause);
  }
}

function cannotInstantiate(cause: unknown): ModuleLoadError {
  const why = cause instanceof Error ? cause.message : show(cause);
  return new ModuleLoadError(
    `the module cannot be instantiated over the heap's memory: ${why}. Pass the flavour that belongs to this ` +
      "function: gomalloc-host.wasm for createHeap, gomalloc-host-shared.wasm for createSharedHeap. A module that samples " +
      "is for the functions of gomalloc/profile, a heap of gomalloc/profile/shared is joined by attachHeap of that entry",
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
