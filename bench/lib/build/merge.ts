/**
 * Driver + allocator = one module, in one of two ways, the same for every allocator. No function of any allocator is
 * named or treated specially. The threads benchmark, whose modules may use atomics, says so for all of its own.
 *
 *   inlined   wasm-merge joins them, then binaryen's -O3 runs over the result: calls between the two are ordinary calls
 *             by then and small callees are inlined, as in a program after gomalloc link
 *   called    binaryen's -O3 runs over each by itself, with the same settings, then wasm-merge joins them and nothing
 *             runs afterwards: every call of the malloc family is a call, as between objects that a linker joins
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { binaryenTool, packageVersion } from "../paths.ts";
import { cached } from "./cache.ts";

const run = promisify(execFile);

type Bytes = Uint8Array<ArrayBuffer>;

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
  readonly bytes: Bytes;
}

/** How a driver reaches its allocator. */
export type Calls = "inlined" | "called";

/** What the modules may use. */
export interface Allowed {
  /** Shared memories and atomics too. */
  readonly threads?: boolean;
}

/**
 * Merges a driver with an allocator. The driver, the first part, exports the memory that the allocator imports as
 * env.memory, hence its name, and imports the malloc family from `alloc`. Where calls are inlined, only `keep` stay of the
 * other parts' exports; the rest are dropped so that the optimiser may remove what was inlined everywhere, as in a program
 * that does not export its malloc.
 */
export async function merge(
  label: string,
  parts: readonly [driver: Part, ...others: Part[]],
  keep: readonly string[],
  allowed: Allowed = {},
  calls: Calls = "inlined",
): Promise<Bytes> {
  const flags = [...featuresOf(allowed).map(([flag]) => `--enable-${flag}`), "--rename-export-conflicts"];
  const settings = [
    packageVersion("binaryen"),
    String(FLEXIBLE_INLINE_MAX_SIZE),
    String(ALWAYS_INLINE_MAX_SIZE),
    ...flags,
    ...keep,
  ];
  return cached(`${label}-${calls}`, [...settings, ...parts.flatMap(({ name, bytes }) => [name, bytes])], async () => {
    const features = await featureSet(allowed);
    if (calls === "called") {
      const alone = parts.map(async ({ name, bytes }) => ({ name, bytes: await optimize(bytes, features) }));
      return wasmMerge(await Promise.all(alone), flags);
    }
    return optimize(await wasmMerge(parts, flags), features, new Set([...exportNames(parts[0].bytes), ...keep]));
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

/** Optimises a module; of its exports only `keep` stay, if that is given. */
async function optimize(bytes: Uint8Array, features: number, keep?: ReadonlySet<string>): Promise<Bytes> {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(features);
    const dropped = keep ? exportNames(new Uint8Array(bytes)).filter((name) => !keep.has(name)) : [];
    for (const name of dropped) module.removeExport(name);
    binaryen.setOptimizeLevel(OPTIMIZE_LEVEL);
    binaryen.setShrinkLevel(0);
    binaryen.setFlexibleInlineMaxSize(FLEXIBLE_INLINE_MAX_SIZE);
    binaryen.setAlwaysInlineMaxSize(ALWAYS_INLINE_MAX_SIZE);
    module.optimize();
    if (!module.validate()) throw new Error("binaryen made an invalid module");
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}

function exportNames(bytes: Bytes): string[] {
  return WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map((entry) => entry.name);
}
