/**
 * Driver + allocator = one module over an imported memory, shared or not: compiled by the clang of @yowasp/clang, joined
 * by wasm-merge, optimised by binaryen with the settings of bench/lib/build/merge.ts and threads allowed. The settings
 * are the same for every allocator and for both kinds of memory.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import type { Command } from "@yowasp/clang";
import { cached } from "../../lib/build/cache.ts";
import type { Part } from "../../lib/build/merge.ts";
import { benchFile, binaryenTool, packageVersion } from "../../lib/paths.ts";
import { HEAP_BASE, INITIAL_PAGES, WASM_PAGE } from "./layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const run = promisify(execFile);

/** Timed, or with the contents of every block stamped and verified. */
export type Mode = "timed" | "checked";

/** Node's V8 runs all of these without flags. The first list is wasm-merge's, the second binaryen's for the same. */
const FEATURE_FLAGS = [
  "--enable-threads",
  "--enable-mutable-globals",
  "--enable-nontrapping-float-to-int",
  "--enable-bulk-memory",
  "--enable-sign-ext",
  "--enable-simd",
  "--enable-multivalue",
];
const FEATURES = [
  "Atomics",
  "MutableGlobals",
  "NontrappingFPToInt",
  "BulkMemory",
  "BulkMemoryOpt",
  "SignExt",
  "SIMD128",
  "Multivalue",
] as const;

/** As in bench/lib/build/merge.ts. */
const OPTIMIZE_LEVEL = 3;
const FLEXIBLE_INLINE_MAX_SIZE = 200;
const ALWAYS_INLINE_MAX_SIZE = 120;

/** The most that a wasm memory can be: the importer's own maximum may be less. */
const MOST_BYTES = 2 ** 32;

/** -fno-builtin: clang would otherwise know what malloc and free mean, and leave pairs of them out. */
const COMPILING = ["-O3", "-matomics", "-mbulk-memory", "-fno-builtin", "-Wall", "-Wextra", "-Werror", "-I."];

const LINKING = [
  "-mexec-model=reactor",
  "-nostartfiles",
  "-Wl,--no-entry",
  "-Wl,--strip-all",
  "-Wl,--stack-first",
  `-Wl,--initial-memory=${INITIAL_PAGES * WASM_PAGE}`,
  // An exported __wasm_call_ctors keeps the linker from wrapping every export into a call of it.
  "-Wl,--export=__wasm_call_ctors",
];

/** A stack of no bytes: driver and lock need none, and instances would share it. No library either. */
const BARE = ["-nostdlib", "-Wl,-z,stack-size=0"];

const SHARED = ["-Wl,--shared-memory", `-Wl,--max-memory=${MOST_BYTES}`];

/** Compiles and links files of bench/ in one call of clang: an object in between would lose the names of imports. */
async function link(label: string, sources: readonly string[], headers: readonly string[], flags: readonly string[]) {
  const paths = [...sources, ...headers];
  const texts = await Promise.all(paths.map((path) => readFile(benchFile(path), "utf8")));
  const files = Object.fromEntries(paths.map((path, i) => [basename(path), texts[i]!]));
  const args = ["clang", ...LINKING, ...flags, ...sources.map((path) => basename(path)), "-o", "out.wasm"];
  return cached(label, [packageVersion("@yowasp/clang"), ...args, ...texts], async () => {
    // Loaded here: it brings 100 MB of compiler with it. runClang is missing from the package's types.
    const { runClang } = (await import("@yowasp/clang")) as unknown as { runClang: Command };
    const messages: Uint8Array[] = [];
    const collect = (bytes: Uint8Array | null) => {
      if (bytes) messages.push(bytes.slice());
    };
    const options = { stdout: collect, stderr: collect, fetchProgress: () => {} };
    try {
      const product = (await runClang(args, files, options))?.["out.wasm"];
      if (!(product instanceof Uint8Array)) throw new Error("no output");
      return product;
    } catch (cause) {
      throw new Error(`clang could not build ${label}: ${Buffer.concat(messages).toString()}`, { cause });
    }
  });
}

const HEADERS = ["threads/native/bench.h"];

/** The driver: imports host.memory (shared or not) and host.now, exports the memory and the workloads. */
export function buildDriver(mode: Mode, shared: boolean): Promise<Bytes> {
  const sources = ["micro.c", "pipe.c", "replay.c"].map((name) => `threads/native/${name}`);
  return link(`threads-driver-${mode}-${shared ? "shared" : "plain"}`, sources, HEADERS, [
    ...COMPILING,
    ...(mode === "checked" ? ["-DCHECKED"] : []),
    ...BARE,
    // Not -Wl: that would take the comma for its own.
    "-Xlinker",
    "--import-memory=host,memory",
    "-Wl,--export-memory=memory",
    ...(shared ? SHARED : []),
  ]);
}

/** The lock around another allocator, which it imports as `inner`. */
export function buildLock(kind: "futex" | "spin"): Promise<Bytes> {
  const policy = kind === "futex" ? ["-DFUTEX"] : [];
  const flags = [...COMPILING, ...policy, ...BARE, "-Wl,--import-memory", ...SHARED];
  return link(`threads-lock-${kind}`, ["threads/native/lock.c"], HEADERS, flags);
}

const FAMILY = ["malloc", "free", "calloc", "realloc", "aligned_alloc"];

/**
 * dlmalloc as bench/lib/build/dlmalloc.ts links it, with its static state at this layout's heap base.
 *
 * Its start function, which only fills that state with zeros, is taken out: a fresh memory is zero, and a second
 * instance would wipe what the first one has done.
 */
export async function buildDlmalloc(): Promise<Bytes> {
  const linked = await link(
    "threads-dlmalloc",
    ["native/dlmalloc.c"],
    [],
    [
      "-O3",
      "-Wl,--import-memory",
      "-Wl,-z,stack-size=8192",
      `-Wl,--global-base=${HEAP_BASE}`,
      ...FAMILY.map((name) => `-Wl,--export=${name}`),
    ],
  );
  return withoutStart(linked);
}

const START_SECTION = 8;
const DATA_SECTION = 11;
const HEADER_BYTES = 8;

/** Where a module's section lies, its header included; undefined if it has none of that number. */
function findSection(bytes: Uint8Array, id: number): { begin: number; end: number } | undefined {
  for (let begin = HEADER_BYTES; begin < bytes.length; ) {
    const [size, body] = leb128(bytes, begin + 1);
    const end = body + size;
    if (bytes[begin] === id) return { begin, end };
    begin = end;
  }
  return undefined;
}

/** A module without its start section. */
function withoutStart(bytes: Bytes): Bytes {
  const found = findSection(bytes, START_SECTION);
  return found ? new Uint8Array([...bytes.subarray(0, found.begin), ...bytes.subarray(found.end)]) : bytes;
}

/** An unsigned number and the place behind it. */
function leb128(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

/** Throws if a second instance would run or write something again, over what the first one has done. */
export function expectNothingAtStart(bytes: Bytes): Bytes {
  if (findSection(bytes, START_SECTION)) throw new Error("the merged module has a start function");
  if (findSection(bytes, DATA_SECTION)) throw new Error("the merged module has data segments");
  return bytes;
}

/** A module made from its text. */
export async function assemble(text: string): Promise<Bytes> {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(await features());
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}

/** Joins modules, the first of them as `env`; only exports named in `keep` and the first one's stay. */
export async function merge(label: string, parts: readonly Part[], keep: readonly string[]): Promise<Bytes> {
  const settings = [packageVersion("binaryen"), String(FLEXIBLE_INLINE_MAX_SIZE), String(ALWAYS_INLINE_MAX_SIZE)];
  const inputs = [...settings, ...FEATURE_FLAGS, ...keep, ...parts.flatMap(({ name, bytes }) => [name, bytes])];
  return cached(label, inputs, async () => {
    const merged = await wasmMerge(parts);
    return optimize(merged, new Set([...exportNames(parts[0]!.bytes), ...keep]));
  });
}

async function wasmMerge(parts: readonly Part[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-threads-"));
  try {
    await Promise.all(parts.map(({ name, bytes }) => writeFile(join(folder, `${name}.wasm`), bytes)));
    const files = parts.flatMap(({ name }) => [`${name}.wasm`, name]);
    const flags = ["-o", "merged.wasm", "--rename-export-conflicts", ...FEATURE_FLAGS];
    await run(process.execPath, [binaryenTool("wasm-merge"), ...files, ...flags], { cwd: folder }).catch(
      (error: { stderr: string }) => {
        // Its standard output, the whole module as text, helps nobody.
        throw new Error(`wasm-merge failed: ${error.stderr}`);
      },
    );
    return await readFile(join(folder, "merged.wasm"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function features(): Promise<number> {
  const { default: binaryen } = await import("binaryen");
  return FEATURES.reduce((all, name) => all | binaryen.Features[name], 0);
}

async function optimize(merged: Uint8Array, keep: ReadonlySet<string>): Promise<Uint8Array> {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.readBinary(merged);
  try {
    module.setFeatures(await features());
    for (const name of exportNames(new Uint8Array(merged))) if (!keep.has(name)) module.removeExport(name);
    binaryen.setOptimizeLevel(OPTIMIZE_LEVEL);
    binaryen.setShrinkLevel(0);
    binaryen.setFlexibleInlineMaxSize(FLEXIBLE_INLINE_MAX_SIZE);
    binaryen.setAlwaysInlineMaxSize(ALWAYS_INLINE_MAX_SIZE);
    module.optimize();
    if (!module.validate()) throw new Error("binaryen made an invalid module");
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

function exportNames(bytes: Bytes): string[] {
  return WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map((entry) => entry.name);
}
