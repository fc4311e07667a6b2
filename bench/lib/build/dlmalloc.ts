/**
 * dlmalloc as wasi-libc ships it, linked alone by the LLVM of @yowasp/clang.
 */

import { readFile } from "node:fs/promises";
import { heapBase, initialPages, type Mode, WASM_PAGE } from "../layout.ts";
import { benchFile, packageVersion } from "../paths.ts";
import { cached } from "./cache.ts";
import { bytesOf, runTool } from "./clang.ts";

const FAMILY = ["malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign", "malloc_usable_size"];

/** Links dlmalloc with its static state at the heap's base and its heap right behind that. */
export async function buildDlmalloc(mode: Mode): Promise<Uint8Array<ArrayBuffer>> {
  const source = await readFile(benchFile("native", "dlmalloc.c"), "utf8");
  const args = [
    "clang",
    "-O3",
    "-mexec-model=reactor",
    "-nostartfiles",
    "dlmalloc.c",
    "-o",
    "dlmalloc.wasm",
    "-Wl,--no-entry",
    "-Wl,--import-memory",
    "-Wl,--strip-all",
    "-Wl,--stack-first",
    "-Wl,-z,stack-size=8192",
    `-Wl,--global-base=${heapBase(mode)}`,
    `-Wl,--initial-memory=${initialPages(mode) * WASM_PAGE}`,
    // An exported __wasm_call_ctors keeps the linker from wrapping every export into a call of it.
    "-Wl,--export=__wasm_call_ctors",
    ...FAMILY.map((name) => `-Wl,--export=${name}`),
  ];
  return cached(`dlmalloc-${mode}`, [packageVersion("@yowasp/clang"), ...args, source], async () =>
    bytesOf(await runTool("runClang", args, { "dlmalloc.c": source }), "dlmalloc.wasm"),
  );
}
