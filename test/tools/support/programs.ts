/**
 * Programs for the tests of the tools: WebAssembly text assembled by binaryen, C compiled by @yowasp/clang, and the work
 * that shows that a linked program's heap is one.
 */
import binaryen from "binaryen";
import { expect } from "vitest";
import { bytesOf, runTool } from "../../../bench/lib/build/clang.ts";
import { ToolError, type ToolErrorCode } from "../../../src/wasm/errors.ts";
import { between, random } from "../../support/random.ts";
import type { MallocExports } from "../../support/wasm.ts";

const { Features } = binaryen;
/** What Node 20 runs. */
export const COMMON =
  Features.MutableGlobals |
  Features.NontrappingFPToInt |
  Features.SIMD128 |
  Features.BulkMemory |
  Features.BulkMemoryOpt |
  Features.SignExt |
  Features.ExceptionHandling |
  Features.TailCall |
  Features.ReferenceTypes |
  Features.Multivalue;

/** The binary of a text, with function names if asked for. */
export function assemble(text: string, names = false, features: number = COMMON): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  const debugInfo = binaryen.getDebugInfo();
  try {
    module.setFeatures(features);
    binaryen.setDebugInfo(names);
    return new Uint8Array(module.emitBinary());
  } finally {
    binaryen.setDebugInfo(debugInfo);
    module.dispose();
  }
}

/** The text of the function that is exported as `name`. */
export function bodyOf(wasm: Uint8Array, name: string): string {
  const module = binaryen.readBinary(wasm);
  try {
    const inner = binaryen.getExportInfo(module.getExport(name)).value;
    const text = module.emitText();
    const from = text.search(new RegExp(`\\(func \\$${inner.replaceAll(/[$.]/g, "\\$&")}[ \\n]`));
    return text.slice(from, text.indexOf("\n (func ", from));
  } finally {
    module.dispose();
  }
}

export type Family = Pick<
  MallocExports,
  "malloc" | "free" | "calloc" | "realloc" | "aligned_alloc" | "memalign" | "posix_memalign" | "malloc_usable_size"
>;

const TYPES: Record<keyof Family, string> = {
  malloc: "(param i32) (result i32)",
  free: "(param i32)",
  calloc: "(param i32 i32) (result i32)",
  realloc: "(param i32 i32) (result i32)",
  aligned_alloc: "(param i32 i32) (result i32)",
  memalign: "(param i32 i32) (result i32)",
  posix_memalign: "(param i32 i32 i32) (result i32)",
  malloc_usable_size: "(param i32) (result i32)",
};

export interface ProgramOptions {
  /** Where the family is imported from. */
  from?: string;
  /** Which of it. */
  family?: readonly (keyof Family)[];
  /** The memory's field. */
  memory?: string;
  /** The value of the exported global __heap_base. */
  heapBase?: number;
  /** More imports, and more of everything else. */
  imports?: string;
  rest?: string;
}

/** First address of the heap in the programs below, behind a little static data. */
export const HEAP_BASE = 1072;

/** The text of a program that imports the family and exports each function of it again, as do_malloc and so on. */
export function programText(options: ProgramOptions = {}): string {
  const { from = "gomalloc", family = Object.keys(TYPES) as (keyof Family)[], memory, heapBase = HEAP_BASE } = options;
  const lines = family.map((name) => `(import "${from}" "${name}" (func $${name} ${TYPES[name]}))`);
  const doers = family.map((name) => {
    const params = [...TYPES[name].matchAll(/i32/g)].length - (TYPES[name].includes("result") ? 1 : 0);
    const gets = Array.from({ length: params }, (_, i) => `(local.get ${i})`).join(" ");
    return `(func $do_${name} (export "do_${name}") ${TYPES[name]} (call $${name} ${gets}))`;
  });
  return `(module
    ${lines.join("\n")}
    ${options.imports ?? ""}
    ${memory ?? '(memory $memory (export "memory") 2)'}
    (data (i32.const 1024) "static data of the program")
    (global (export "__heap_base") i32 (i32.const ${heapBase}))
    ${doers.join("\n")}
    ${options.rest ?? ""})`;
}

/** The instance's family, by the names that programText exports, or by its own. */
export function familyOf(exports: WebAssembly.Exports, prefix = "do_"): Family {
  const find = (name: string) => exports[`${prefix}${name}`] as (...args: number[]) => number;
  const names = Object.keys(TYPES) as (keyof Family)[];
  const entries = names.map((name) => [name, (...args: number[]) => find(name)(...args) >>> 0]);
  return Object.fromEntries(entries) as Family;
}

export function instantiate(wasm: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports = {}): WebAssembly.Instance {
  return new WebAssembly.Instance(new WebAssembly.Module(wasm), imports);
}

/**
 * Random work on a heap, checked: every block is aligned, lies at or above `base`, shares no byte with another, has its
 * usable size, keeps its contents over realloc, and is zero from calloc.
 */
export function exercise(family: Family, memory: WebAssembly.Memory, base: number, steps = 4000, seed = 1): void {
  const r = random(seed);
  const live: { p: number; size: number; fill: number }[] = [];
  const bytes = () => new Uint8Array(memory.buffer);
  const take = () => live.splice(between(r, 0, live.length - 1), 1)[0]!;
  const keep = (p: number, size: number, align: number) => {
    expect(p, "out of memory").not.toBe(0);
    expect(p % align, `alignment of ${p}`).toBe(0);
    expect(p, "below the heap").toBeGreaterThanOrEqual(base);
    const usable = family.malloc_usable_size(p);
    expect(usable).toBeGreaterThanOrEqual(size);
    const fill = between(r, 1, 255);
    bytes().fill(fill, p, p + usable);
    live.push({ p, size: usable, fill });
  };
  const intact = ({ p, size, fill }: { p: number; size: number; fill: number }) => {
    const same = bytes()
      .subarray(p, p + size)
      .every((byte) => byte === fill);
    if (!same) expect.fail(`block ${p} of ${size} bytes was overwritten (seed ${seed})`);
  };
  for (let step = 0; step < steps; step++) {
    const size = r() % 50 === 0 ? between(r, 5000, 300_000) : between(r, 0, 700);
    const kind = live.length < 10 ? r() % 4 : r() % 9;
    if (kind <= 1) keep(family.malloc(size), size, size >= 16 ? 16 : 8);
    else if (kind === 2) {
      const p = family.calloc(1, size);
      expect(
        bytes()
          .subarray(p, p + size)
          .every((byte) => byte === 0),
      ).toBe(true);
      keep(p, size, 8);
    } else if (kind === 3) {
      const align = 2 ** between(r, 3, 12);
      const aligned = r() % 2 === 0 ? family.aligned_alloc(align, size) : family.memalign(align, size);
      keep(aligned, size, align);
    } else if (kind === 4) {
      const old = take();
      intact(old);
      const p = family.realloc(old.p, size);
      const kept = Math.min(old.size, size);
      expect(
        bytes()
          .subarray(p, p + kept)
          .every((byte) => byte === old.fill),
      ).toBe(true);
      keep(p, size, 8);
    } else {
      const old = take();
      intact(old);
      family.free(old.p);
    }
  }
  for (const block of live) {
    intact(block);
    family.free(block.p);
  }
}

/** What `run` refuses with: a ToolError of this code whose fix is a sentence. */
export async function refusal(run: () => unknown, code: ToolErrorCode): Promise<ToolError> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof ToolError)) throw error ?? new Error(`nothing was refused; ${code} was expected`);
  expect(error.code, error.message).toBe(code);
  expect(error.fix).toMatch(/^[A-Z].{15,}\.$/s);
  return error;
}

/** Compiles and links C to wasm32-wasip1; the first output, app.wasm. */
export async function clang(files: Record<string, string>, args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const sources = Object.keys(files).filter((name) => name.endsWith(".c"));
  const all = ["clang", "--target=wasm32-wasip1", ...args, ...sources, "-o", "app.wasm"];
  return new Uint8Array(bytesOf(await runTool("runClang", all, { ...files }), "app.wasm"));
}
