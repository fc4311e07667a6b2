/**
 * instantiateWith: a program and its allocator as two instances over one memory, with nothing merged.
 *
 * The program's imports of the malloc family are the allocator's exported functions themselves, so a call goes from wasm
 * to wasm without JavaScript between. A program that imports its memory gets the allocator's instance first. A program
 * that brings its own memory must be instantiated first, when the allocator cannot exist yet: its imports are then jumps
 * through a table (scripts/build-trampoline.ts), which is filled once the memory is there.
 *
 * Cost: a call between instances is several times a call within one; merging (`gomalloc link`) is faster. One thread.
 */
import { bindExports, M_MISUSE, MISUSE_RETURN } from "./abi.js";
import { decodeBase64 } from "./base64.js";
import { within } from "./check.js";
import { ModuleLoadError } from "./errors.js";
import { TRAMPOLINE_NAMES, TRAMPOLINE_WASM_BASE64 } from "./generated/wasm-trampoline.js";
import { Heap } from "./heap.js";
import {
  type AsyncWasmSource,
  compileSource,
  type DefaultModule,
  fetchBytes,
  isBytes,
  loadModuleAsync,
} from "./module.js";
import { applyLimits, type HeapLimits, refuseShared, setOption } from "./options.js";
import { ENV, FAMILY, GOMALLOC } from "./tools/family.js";
import { inspect } from "./tools/module.js";

export interface InstantiateWithOptions extends HeapLimits {
  /** What else the program imports. Names of the malloc family that stand in here are left to it. */
  imports?: WebAssembly.Imports | undefined;
  /**
   * The memory of a program that imports one. Default: what `imports` has, else a new one after the program's limits,
   * which can be read from bytes and responses but not from a compiled module.
   */
  memory?: WebAssembly.Memory | undefined;
  /**
   * Address from which on the program's memory is the heap's. Default: the program's exported global __heap_base;
   * without it the heap takes only what it grows itself.
   */
  heapBase?: number | undefined;
  /** What the program's free and realloc do with a pointer that they cannot take: trap, or nothing. Default "trap". */
  onMisuse?: "trap" | "ignore" | undefined;
  /** The host flavour: compiled, bytes, a URL, or a Response. Default: the module inlined in this package. */
  wasm?: AsyncWasmSource | undefined;
}

/** A program that runs on gomalloc. */
export interface InstantiatedWith {
  readonly module: WebAssembly.Module;
  readonly instance: WebAssembly.Instance;
  /** The memory of both. */
  readonly memory: WebAssembly.Memory;
  /** The program's heap: its statistics, checks and limits, and blocks to hand to the program. */
  readonly heap: Heap;
}

/** instantiateWith of the entries, each with its default module: see full.ts. */
export async function runWith(
  app: AsyncWasmSource,
  options: InstantiateWithOptions,
  otherwise: DefaultModule,
): Promise<InstantiatedWith> {
  const { onMisuse = "trap" } = options;
  if (onMisuse !== "trap" && onMisuse !== "ignore") throw new TypeError(`onMisuse must be "trap" or "ignore"`);
  const { module, bytes } = await compiled(app);
  const host = await loadModuleAsync(options.wasm, otherwise);
  const wanted = familyImports(module, options.imports ?? {}, host);
  const imported = WebAssembly.Module.imports(module).find(({ kind }) => kind === "memory");
  const { instance, memory, exports } = imported
    ? await overGivenMemory(module, host, wanted, imported, givenMemory(imported, bytes, options), options)
    : await overOwnMemory(module, host, wanted, options);
  const functions = bindExports({ exports });
  const heapBase = options.heapBase ?? exportedHeapBase(instance);
  if (heapBase !== null) {
    const end = memory.buffer.byteLength;
    functions.init(within(heapBase, 1, Math.min(end, 0xffffffff), "heapBase"));
    functions.memstats();
  }
  return { module, instance, memory, heap: new Heap(functions, memory, onMisuse === "trap") };
}

/** The program compiled, and its bytes where they could be had. */
async function compiled(app: AsyncWasmSource): Promise<{ module: WebAssembly.Module; bytes: Uint8Array | null }> {
  const source = await app;
  if (source instanceof WebAssembly.Module) return { module: source, bytes: null };
  if (isBytes(source)) {
    const bytes = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    return { module: await compileSource(source), bytes };
  }
  const bytes = new Uint8Array(await fetchBytes(source));
  return { module: await compileSource(bytes), bytes };
}

type Name = WebAssembly.ModuleImportDescriptor;

/** The program's imports that gomalloc serves. */
function familyImports(module: WebAssembly.Module, given: WebAssembly.Imports, host: WebAssembly.Module): Name[] {
  const served = new Set(WebAssembly.Module.exports(host).map(({ name }) => name));
  const wanted = WebAssembly.Module.imports(module).filter(
    ({ module: from, name, kind }) =>
      kind === "function" &&
      (from === GOMALLOC || (from === ENV && Object.hasOwn(FAMILY, name))) &&
      given[from]?.[name] === undefined,
  );
  const unknown = wanted.filter(({ name }) => !served.has(name));
  if (unknown.length > 0) {
    throw new ModuleLoadError(
      `gomalloc has no ${unknown.map(({ name }) => name).join(", ")}, which the program imports`,
    );
  }
  if (wanted.length === 0) {
    throw new ModuleLoadError(
      `the program imports no malloc from "${GOMALLOC}" or "${ENV}": compile it with native/gomalloc.c, ` +
        "or replace the allocator inside it with `npx gomalloc swap`",
    );
  }
  return wanted;
}

/** `given` and, for the wanted names, functions of `exports`. */
function importObject(given: WebAssembly.Imports, wanted: Name[], exports: WebAssembly.Exports): WebAssembly.Imports {
  const imports: Record<string, WebAssembly.ModuleImports> = { ...given };
  for (const from of new Set(wanted.map(({ module }) => module))) imports[from] = { ...given[from] };
  for (const { module, name } of wanted) imports[module]![name] = exports[name]!;
  return imports;
}

interface Pair {
  readonly instance: WebAssembly.Instance;
  readonly memory: WebAssembly.Memory;
  /** Of the allocator. */
  readonly exports: WebAssembly.Exports;
}

async function overGivenMemory(
  module: WebAssembly.Module,
  host: WebAssembly.Module,
  wanted: Name[],
  imported: Name,
  memory: WebAssembly.Memory,
  options: InstantiateWithOptions,
): Promise<Pair> {
  const { exports } = await WebAssembly.instantiate(host, { env: { memory } });
  configure(exports, options);
  if (options.heapBase !== undefined) {
    bindExports({ exports }).init(
      within(options.heapBase, 1, Math.min(memory.buffer.byteLength, 0xffffffff), "heapBase"),
    );
  }
  const imports = importObject(options.imports ?? {}, wanted, exports);
  imports[imported.module] = { ...imports[imported.module], [imported.name]: memory };
  return { instance: await WebAssembly.instantiate(module, imports), memory, exports };
}

async function overOwnMemory(
  module: WebAssembly.Module,
  host: WebAssembly.Module,
  wanted: Name[],
  options: InstantiateWithOptions,
): Promise<Pair> {
  if (options.memory !== undefined) throw new TypeError("memory is for programs that import one; this one has its own");
  const { instance: trampoline } = await WebAssembly.instantiate(decodeBase64(TRAMPOLINE_WASM_BASE64));
  const instance = await instantiateEarly(module, importObject(options.imports ?? {}, wanted, trampoline.exports));
  const memory = exportedMemory(instance);
  refuseShared(memory);
  const { exports } = await WebAssembly.instantiate(host, { env: { memory } });
  configure(exports, options);
  const table = trampoline.exports["table"] as WebAssembly.Table;
  TRAMPOLINE_NAMES.forEach((name, index) => {
    table.set(index, exports[name]);
  });
  return { instance, memory, exports };
}

/** Instantiates a program whose malloc is not there yet: its start function must not call it. */
async function instantiateEarly(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, imports);
  } catch (cause) {
    if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
    throw new ModuleLoadError(
      `the program's start function failed (${cause.message}). If it allocates: that works only when the program ` +
        "imports its memory (wasm-ld --import-memory), or merged, with `npx gomalloc link`",
      { cause },
    );
  }
}

function configure(exports: WebAssembly.Exports, options: InstantiateWithOptions): void {
  const functions = bindExports({ exports });
  if (options.onMisuse === "ignore") setOption(functions, M_MISUSE, MISUSE_RETURN);
  applyLimits(functions, options);
}

function givenMemory(
  imported: Name,
  bytes: Uint8Array | null,
  { memory, imports = {} }: InstantiateWithOptions,
): WebAssembly.Memory {
  const given = memory ?? imports[imported.module]?.[imported.name] ?? newMemory(imported, bytes);
  if (!(given instanceof WebAssembly.Memory)) throw new TypeError("memory must be a WebAssembly.Memory");
  refuseShared(given);
  return given;
}

/** A memory as the program asks for in its import. */
function newMemory(imported: Name, bytes: Uint8Array | null): WebAssembly.Memory {
  const limits = bytes === null ? undefined : inspect(bytes).memories[0];
  if (limits === undefined) {
    throw new ModuleLoadError(
      `the program imports its memory as ${imported.module}.${imported.name}, whose size cannot be read from a ` +
        "compiled module: pass the option memory, or the program's bytes",
    );
  }
  const { initial, maximum, shared } = limits;
  return new WebAssembly.Memory({ initial, ...(maximum === undefined ? {} : { maximum }), shared });
}

function exportedMemory(instance: WebAssembly.Instance): WebAssembly.Memory {
  const { memory } = instance.exports;
  if (memory instanceof WebAssembly.Memory) return memory;
  const memories = Object.values(instance.exports).filter((value) => value instanceof WebAssembly.Memory);
  if (memories.length === 1) return memories[0]!;
  throw new ModuleLoadError(
    "the program neither imports nor exports a memory, or exports several and none as `memory`",
  );
}

/** The program's own word for where its heap begins. */
function exportedHeapBase(instance: WebAssembly.Instance): number | null {
  const base = instance.exports["__heap_base"];
  return base instanceof WebAssembly.Global ? (base.value as number) >>> 0 : null;
}
