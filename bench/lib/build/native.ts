/**
 * The allocators in C, each linked alone by the LLVM of @yowasp/clang with the same flags: dlmalloc as wasi-libc ships
 * it, emscripten's emmalloc, and mimalloc. The sources of the last two come from Debian and are never committed:
 * without them there is no module, and `npm run bench:peers` (bench/peers.ts) is how to get them.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tree } from "@yowasp/clang";
import { heapBase, initialPages, type Mode, WASM_PAGE } from "../layout.ts";
import { benchFile, packageVersion } from "../paths.ts";
import { cached } from "./cache.ts";
import { bytesOf, leaves, runTool, sourceTree } from "./clang.ts";
import { fetchedSource, type Source } from "./sources.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a C library exports under these names. */
const FAMILY = ["malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign", "malloc_usable_size"];

/** What is compiled and linked into one module. */
interface NativeJob {
  readonly name: string;
  readonly mode: Mode;
  /** Every file that the compiler may see. */
  readonly files: Tree;
  /** Paths in `files` to compile. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
}

/** Links an allocator with its static state at the heap's base and its heap right behind that. */
async function buildNative({ name, mode, files, sources, flags }: NativeJob): Promise<Bytes> {
  const args = [
    "clang",
    "-O3",
    "-mexec-model=reactor",
    "-nostartfiles",
    ...flags,
    ...sources,
    "-o",
    "module.wasm",
    "-Wl,--no-entry",
    "-Wl,--import-memory",
    "-Wl,--strip-all",
    "-Wl,--stack-first",
    "-Wl,-z,stack-size=8192",
    `-Wl,--global-base=${heapBase(mode)}`,
    `-Wl,--initial-memory=${initialPages(mode) * WASM_PAGE}`,
    // An exported __wasm_call_ctors keeps the linker from wrapping every export into a call of it.
    "-Wl,--export=__wasm_call_ctors",
  ];
  const inputs = [packageVersion("@yowasp/clang"), ...args, ...leaves(files).flat()];
  return cached(`${name}-${mode}`, inputs, async () => bytesOf(await runTool("runClang", args, files), "module.wasm"));
}

const native = (name: string) => readFile(benchFile("native", name), "utf8");

const exported = FAMILY.map((name) => `-Wl,--export=${name}`);

/** dlmalloc, of the C library that the compiler brings. */
export async function buildDlmalloc(mode: Mode): Promise<Bytes> {
  const files = { "init.c": await native("init.c") };
  return buildNative({ name: "dlmalloc", mode, files, sources: ["init.c"], flags: exported });
}

/**
 * Where the others come from. Debian's own package mimalloc is older (2.0.9 in bookworm, without a port to WASI); the
 * sources of emscripten have newer ones, that port among them.
 */
const NEWEST = {
  kind: "debian",
  name: "emscripten",
  suite: "sid",
  members: ["*/system/lib/emmalloc.c", "*/system/lib/mimalloc/*"],
} as const satisfies Source;
const BEFORE = { ...NEWEST, suite: "trixie", members: ["*/system/lib/mimalloc/*"] } as const satisfies Source;

/** The sources of each peer that npm does not bring, by its name in the catalogue. */
export const PEER_SOURCES: Readonly<Record<string, Source>> = {
  mimalloc: NEWEST,
  "mimalloc-2": BEFORE,
  emmalloc: NEWEST,
};

/** The files to compile emmalloc.c from, of an emscripten in `folder`, and the flags to do it with. */
export async function emmallocFiles(folder: string): Promise<{ files: Tree; flags: readonly string[] }> {
  const files = {
    "emmalloc.c": await readFile(join(folder, "system", "lib", "emmalloc.c"), "utf8"),
    "platform.h": await native("emmalloc.h"),
    "emscripten.h": "",
    emscripten: { "heap.h": "", "threading.h": "", "console.h": "" },
  };
  return { files, flags: ["-I.", "-include", "platform.h", "-fno-builtin", "-fno-strict-aliasing", "-DNDEBUG", "-w"] };
}

/** emmalloc; undefined if its source is not there. Blocks are aligned to 16, as the others' are. */
export async function buildEmmalloc(mode: Mode): Promise<Bytes | undefined> {
  const folder = await fetchedSource(NEWEST);
  if (folder === undefined) return undefined;
  const found = await emmallocFiles(folder);
  const own = { "aligned.c": await native("emmalloc.c"), "init.c": await native("init.c") };
  const files = { ...found.files, ...own };
  const flags = [...found.flags, "-DALIGNMENT=16", ...exported];
  return buildNative({ name: "emmalloc", mode, files, sources: ["emmalloc.c", ...Object.keys(own)], flags });
}

/**
 * The files to compile a release build of mimalloc's mimalloc.c from, over its port to WASI, and the flags to do it with;
 * undefined if its sources are not there.
 */
export async function mimallocFiles(
  name: "mimalloc" | "mimalloc-2",
): Promise<{ files: Tree; flags: readonly string[] } | undefined> {
  const folder = await fetchedSource(PEER_SOURCES[name]!);
  if (folder === undefined) return undefined;
  const library = await sourceTree(join(folder, "system", "lib", "mimalloc"));
  const flags = ["-Iinclude", "-Isrc", "-DMI_DEBUG=0", "-DMI_SECURE=0", "-DMI_STAT=0", "-DNDEBUG", "-w"];
  return { files: { ...library, "mimalloc.c": await native("mimalloc.c") }, flags };
}

/** mimalloc for one thread; undefined if its sources are not there. */
export function buildMimalloc(name: "mimalloc" | "mimalloc-2") {
  return async (mode: Mode): Promise<Bytes | undefined> => {
    const found = await mimallocFiles(name);
    if (found === undefined) return undefined;
    const files = { ...found.files, "init.c": await native("init.c") };
    return buildNative({ name, mode, files, sources: ["mimalloc.c", "init.c"], flags: found.flags });
  };
}
