/**
 * Driver + allocator = one module. wasm-merge joins them, then binaryen's -O3 runs over the result with the same
 * settings for every allocator: calls between the two are ordinary calls by then and small callees are inlined.
 * No function of any allocator is named or treated specially. The threads benchmark, whose modules may use atomics,
 * says so for all of its own.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { binaryenTool, packageVersion } from "../paths.ts";
import { cached } from "./cache.ts";

const run = promisify(execFile);

/** As wasm-opt -O3 --flexible-inline-max-function-size=200. */
const OPTIMIZE_LEVEL = 3;
const FLEXIBLE_INLINE_MAX_SIZE = 200;
const ALWAYS_INLINE_MAX_SIZE = 120;

/** What V8 of Node 20 runs without flags: wasm-merge's name for it, then what binaryen calls the same. */
const FEATURES = [
  ["mutable-globals", "MutableGlobals"],
  ["nontrapping-float-to-int", "NontrappingFPToInt"],
  ["bulk-memory", "BulkMemory", "BulkMemoryOpt"],
  ["sign-ext", "SignExt"],
  ["simd", "SIMD128"],
  ["multivalue", "Multivalue"],
] as const;
const THREADS = ["threads", "Atomics"] as const;

/** A module to be merged, under the name by which others import from it. */
export interface Part {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What the modules may use. */
export interface Allowed {
  /** Shared memories and atomics too. */
  readonly threads?: boolean;
}

/**
 * Merges a driver with an allocator. The driver, the first part, exports the memory that the allocator imports as
 * env.memory, hence its name, and imports the malloc family from `alloc`. Of the other parts' exports only `keep` stay;
 * the rest are dropped so that the optimiser may remove what was inlined everywhere, as in a program that does not
 * export its malloc.
 */
export async function merge(
  label: string,
  parts: readonly [driver: Part, ...others: Part[]],
  keep: readonly string[],
  allowed: Allowed = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const flags = [...featuresOf(allowed).map(([flag]) => `--enable-${flag}`), "--rename-export-conflicts"];
  const settings = [
    packageVersion("binaryen"),
    String(FLEXIBLE_INLINE_MAX_SIZE),
    String(ALWAYS_INLINE_MAX_SIZE),
    ...flags,
    ...keep,
  ];
  return cached(label, [...settings, ...parts.flatMap(({ name, bytes }) => [name, bytes])], async () => {
    const merged = await wasmMerge(parts, flags);
    return optimize(merged, new Set([...exportNames(parts[0].bytes), ...keep]), await featureSet(allowed));
  });
}

function featuresOf({ threads = false }: Allowed) {
  return threads ? [THREADS, ...FEATURES] : FEATURES;
}

/** What the modules may use, as binaryen's setFeatures takes it. */
export async function featureSet(allowed: Allowed): Promise<number> {
  const { default: binaryen } = await import("binaryen");
  const names = featuresOf(allowed).flatMap(([, ...own]) => own);
  return names.reduce((all, name) => all | binaryen.Features[name], 0);
}

async function wasmMerge(parts: readonly Part[], flags: readonly string[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-merge-"));
  try {
    await Promise.all(parts.map(({ name, bytes }) => writeFile(join(folder, `${name}.wasm`), bytes)));
    const files = parts.flatMap(({ name }) => [`${name}.wasm`, name]);
    const tool = [binaryenTool("wasm-merge"), ...files, "-o", "merged.wasm", ...flags];
    await run(process.execPath, tool, { cwd: folder }).catch((error: { stderr: string }) => {
      // Its standard output, the whole module as text, helps nobody.
      throw new Error(`wasm-merge failed: ${error.stderr}`);
    });
    return await readFile(join(folder, "merged.wasm"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function optimize(merged: Uint8Array, keep: ReadonlySet<string>, features: number): Promise<Uint8Array> {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.readBinary(merged);
  try {
    module.setFeatures(features);
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

function exportNames(bytes: Uint8Array<ArrayBuffer>): string[] {
  return WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map((entry) => entry.name);
}
