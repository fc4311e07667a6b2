/**
 * Driver + allocator = one module. wasm-merge joins them, then binaryen's -O3 runs over the result with the same
 * settings for every allocator: calls between the two are ordinary calls by then and small callees are inlined.
 * No function of any allocator is named or treated specially.
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

const MERGE_FLAGS = [
  "--enable-mutable-globals",
  "--enable-nontrapping-float-to-int",
  "--enable-bulk-memory",
  "--enable-sign-ext",
  "--enable-simd",
  "--enable-multivalue",
  "--rename-export-conflicts",
];

/** A module to be merged, under the name by which others import from it. */
export interface Part {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Merges the driver with an allocator. The driver exports the memory that the allocator imports as env.memory,
 * hence its name, and imports the malloc family from `alloc`. Of the other parts' exports only `keep` stay; the
 * rest are dropped so that the optimiser may remove what was inlined everywhere, as in a program that does not
 * export its malloc.
 */
export async function mergeWithDriver(
  label: string,
  driver: Uint8Array<ArrayBuffer>,
  others: readonly Part[],
  keep: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const settings = [
    packageVersion("binaryen"),
    String(FLEXIBLE_INLINE_MAX_SIZE),
    String(ALWAYS_INLINE_MAX_SIZE),
    ...MERGE_FLAGS,
    ...keep,
  ];
  const parts = [{ name: "env", bytes: driver }, ...others];
  return cached(label, [...settings, ...parts.flatMap(({ name, bytes }) => [name, bytes])], async () => {
    const merged = await wasmMerge(parts);
    return optimize(merged, new Set([...exportNames(driver), ...keep]));
  });
}

async function wasmMerge(parts: readonly Part[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-merge-"));
  try {
    await Promise.all(parts.map(({ name, bytes }) => writeFile(join(folder, `${name}.wasm`), bytes)));
    const files = parts.flatMap(({ name }) => [`${name}.wasm`, name]);
    const tool = [binaryenTool("wasm-merge"), ...files, "-o", "merged.wasm", ...MERGE_FLAGS];
    await run(process.execPath, tool, { cwd: folder }).catch((error: { stderr: string }) => {
      // Its standard output, the whole module as text, helps nobody.
      throw new Error(`wasm-merge failed: ${error.stderr}`);
    });
    return await readFile(join(folder, "merged.wasm"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function optimize(merged: Uint8Array, keep: ReadonlySet<string>): Promise<Uint8Array> {
  const { default: binaryen } = await import("binaryen");
  const { Features } = binaryen;
  const module = binaryen.readBinary(merged);
  try {
    // What V8 of Node 20 runs without flags; the same list as MERGE_FLAGS.
    module.setFeatures(
      Features.MutableGlobals |
        Features.NontrappingFPToInt |
        Features.BulkMemory |
        Features.BulkMemoryOpt |
        Features.SignExt |
        Features.SIMD128 |
        Features.Multivalue,
    );
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
