/**
 * instantiateWith: a program and its allocator as two instances over one memory, with nothing merged.
 *
 * The program's imports of the malloc family are the allocator's exported functions themselves, so a call goes from
 * wasm to wasm without JavaScript between. A program that imports its memory gets the allocator's instance first. A
 * program that brings its own memory must be instantiated first, when the allocator cannot exist yet: its imports are
 * then jumps through a table (scripts/build-trampoline.ts), which is filled once the memory is there.
 *
 * Cost: a call between instances is several times a call within one; merging (`gomalloc link`) is faster. One thread.
 */
import { bindExports, instantiateAsync, M_MISUSE, MISUSE_RETURN } from "../base/abi.js";
import { decodeBase64 } from "../base/base64.js";
import {
  aMemory,
  isBytes,
  isMemory,
  isModule,
  namesOf,
  object,
  oneOf,
  reading,
  readOptions,
  within,
} from "../base/check.js";
import { ModuleLoadError } from "../base/errors.js";
import { ENV, FAMILY, GOMALLOC } from "../base/family.js";
import { TRAMPOLINE_NAMES, TRAMPOLINE_WASM_BASE64 } from "../generated/wasm-trampoline.js";
import { inspect } from "../wasm/parse.js";
import { initHeap } from "./claim.js";
import { Heap } from "./heap.js";
import {
  type AsyncWasmSource,
  arrived,
  compileSource,
  type DefaultModule,
  fetchBytes,
  loadModuleAsync,
} from "./module.js";
import { applyLimits, checkLimits, type HeapLimits, newMemory, refuseShared, setOption } from "./options.js";

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

const OPTIONS = namesOf<InstantiateWithOptions>({
  imports: 0,
  memory: 0,
  heapBase: 0,
  onMisuse: 0,
  maxBytes: 0,
  softLimit: 0,
  reserve: 0,
  wasm: 0,
});
const MISUSE_CHOICES = ["trap", "ignore"] as const;

/** The highest address that a heap can begin at. */
const MAX_HEAP_BASE = 0xffffffff;

type Name = WebAssembly.ModuleImportDescriptor;

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
  wishes: InstantiateWithOptions,
  otherwise: DefaultModule,
): Promise<InstantiatedWith> {
  const options = checkOptions(wishes);
  const { onMisuse = "trap" } = options;
  const { module, bytes } = await compiled(app);
  const host = await loadModuleAsync(options.wasm, otherwise);
  const imports = options.imports ?? {};
  const wanted = familyImports(module, imports, host);
  const imported = WebAssembly.Module.imports(module).find(({ kind }) => kind === "memory");
  const { instance, memory, exports } = imported
    ? await overGivenMemory(module, host, wanted, imported, givenMemory(imported, bytes, options), options)
    : await overOwnMemory(module, host, wanted, options);
  const functions = bindExports({ exports });
  const heapBase = options.heapBase ?? exportedHeapBase(instance);
  if (heapBase !== null) {
    const end = memory.buffer.byteLength;
    initHeap(functions, memory, within(heapBase, 1, Math.min(end, MAX_HEAP_BASE), "heapBase"));
    functions.memstats();
  }
  return { module, instance, memory, heap: new Heap(functions, memory, onMisuse === "trap") };
}

/** The options, read once; all that can be checked without the program is. */
function checkOptions(wishes: InstantiateWithOptions): InstantiateWithOptions {
  const options = readOptions(wishes, OPTIONS, "instantiateWith");
  const { onMisuse, heapBase, imports, memory } = options;
  if (onMisuse !== undefined) oneOf(onMisuse, MISUSE_CHOICES, "onMisuse");
  if (heapBase !== undefined) within(heapBase, 1, MAX_HEAP_BASE, "heapBase");
  if (imports !== undefined) object(imports, "imports");
  if (memory !== undefined) refuseShared(aMemory(memory));
  return checkLimits(options);
}

/** What `imports` has for an import, undefined for nothing. It may be a proxy, or inherited. */
function given(imports: WebAssembly.Imports, { module, name }: Name): WebAssembly.ImportValue | undefined {
  return reading(`imports.${module}.${name}`, () => imports[module]?.[name]);
}

/** Throws TypeError when the program imports something that neither `imports` nor gomalloc has. */
function requireImports(module: WebAssembly.Module, imports: WebAssembly.Imports): void {
  // A global may hold undefined.
  const missing = WebAssembly.Module.imports(module).filter(
    (wanted) => wanted.kind !== "global" && given(imports, wanted) === undefined,
  );
  if (missing.length === 0) return;
  const names = missing.map(({ module: from, name, kind }) => `${from}.${name} (${kind})`);
  throw new TypeError(`the program imports ${names.join(", ")}: pass what is missing in the option imports`);
}

/** The compiled program, and its bytes if they are available. */
async function compiled(app: AsyncWasmSource): Promise<{ module: WebAssembly.Module; bytes: Uint8Array | null }> {
  const source = await arrived(app);
  if (isBytes(source)) {
    const bytes = reading("the program", () =>
      ArrayBuffer.isView(source)
        ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
        : new Uint8Array(source),
    );
    return { module: await compileSource(source), bytes };
  }
  if (isModule(source)) return { module: source, bytes: null };
  const bytes = new Uint8Array(await fetchBytes(source));
  return { module: await compileSource(bytes), bytes };
}

/** The program's imports that gomalloc serves. */
function familyImports(module: WebAssembly.Module, imports: WebAssembly.Imports, host: WebAssembly.Module): Name[] {
  const served = new Set(WebAssembly.Module.exports(host).map(({ name }) => name));
  const wanted = WebAssembly.Module.imports(module).filter(
    (wanted) =>
      wanted.kind === "function" &&
      (wanted.module === GOMALLOC || (wanted.module === ENV && Object.hasOwn(FAMILY, wanted.name))) &&
      given(imports, wanted) === undefined,
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

/** `imports` and, for the wanted names, functions of `exports`. */
function importObject(imports: WebAssembly.Imports, wanted: Name[], exports: WebAssembly.Exports): WebAssembly.Imports {
  const values = wanted.map((name): [Name, WebAssembly.ImportValue] => [name, exports[name.name]!]);
  return withImports(imports, values);
}

/** `imports` with other values for some names. What is there stays, inherited or not. */
function withImports(imports: WebAssembly.Imports, values: [Name, WebAssembly.ImportValue][]): WebAssembly.Imports {
  const all: WebAssembly.Imports = Object.create(imports);
  for (const [{ module, name }, value] of values) {
    if (!Object.hasOwn(all, module)) {
      const before: unknown = reading(`imports.${module}`, () => imports[module]);
      const names = typeof before === "object" || typeof before === "function" ? before : null;
      define(all, module, Object.create(names));
    }
    define(all[module]!, name, value);
  }
  return all;
}

/** Sets an own property, whatever is inherited under the name. */
function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
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
  const { exports } = await instantiateAsync(host, memory);
  configure(exports, options);
  if (options.heapBase !== undefined) {
    const heapBase = within(options.heapBase, 1, Math.min(memory.buffer.byteLength, MAX_HEAP_BASE), "heapBase");
    initHeap(bindExports({ exports }), memory, heapBase);
  }
  const imports = withImports(importObject(options.imports ?? {}, wanted, exports), [[imported, memory]]);
  return { instance: await instantiateProgram(module, imports, ""), memory, exports };
}

async function overOwnMemory(
  module: WebAssembly.Module,
  host: WebAssembly.Module,
  wanted: Name[],
  options: InstantiateWithOptions,
): Promise<Pair> {
  if (options.memory !== undefined) throw new TypeError("memory is for programs that import one; this one has its own");
  const { instance: trampoline } = await WebAssembly.instantiate(decodeBase64(TRAMPOLINE_WASM_BASE64));
  // Its malloc is not there yet: its start function must not call it.
  const instance = await instantiateProgram(
    module,
    importObject(options.imports ?? {}, wanted, trampoline.exports),
    ". If it allocates: that works only when the program imports its memory (wasm-ld --import-memory), or merged, " +
      "with `npx gomalloc link`",
  );
  const memory = exportedMemory(instance);
  refuseShared(memory);
  const { exports } = await instantiateAsync(host, memory);
  configure(exports, options);
  const table = trampoline.exports["table"] as WebAssembly.Table;
  TRAMPOLINE_NAMES.forEach((name, index) => {
    table.set(index, exports[name]);
  });
  return { instance, memory, exports };
}

/** The program's instance. Throws ModuleLoadError when its start function traps; `hint` says what may be why. */
async function instantiateProgram(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
  hint: string,
): Promise<WebAssembly.Instance> {
  requireImports(module, imports);
  try {
    return await WebAssembly.instantiate(module, imports);
  } catch (cause) {
    if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
    throw new ModuleLoadError(`the program's start function failed (${cause.message})${hint}`, { cause });
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
  const found = memory ?? given(imports, imported) ?? memoryAsImported(imported, bytes);
  const checked = aMemory(found as WebAssembly.Memory);
  refuseShared(checked);
  return checked;
}

/** A memory as the program asks for in its import. */
function memoryAsImported(imported: Name, bytes: Uint8Array | null): WebAssembly.Memory {
  const limits = bytes === null ? undefined : inspect(bytes).memories[0];
  if (limits === undefined) {
    throw new ModuleLoadError(
      `the program imports its memory as ${imported.module}.${imported.name}, whose size cannot be read from a ` +
        "compiled module: pass the option memory, or the program's bytes",
    );
  }
  const { initial, maximum, shared } = limits;
  return newMemory({ initial, ...(maximum === undefined ? {} : { maximum }), shared });
}

function exportedMemory(instance: WebAssembly.Instance): WebAssembly.Memory {
  const { memory } = instance.exports;
  if (isMemory(memory)) return memory;
  const memories = Object.values(instance.exports).filter(isMemory);
  if (memories.length === 1) return memories[0]!;
  throw new ModuleLoadError(
    "the program neither imports nor exports a memory, or exports several and none as `memory`",
  );
}

/** The program's own word for where its heap begins. */
function exportedHeapBase(instance: WebAssembly.Instance): number | null {
  const base = instance.exports["__heap_base"];
  const value: unknown = base instanceof WebAssembly.Global ? reading("__heap_base", () => base.value) : null;
  return typeof value === "number" ? value >>> 0 : null;
}
