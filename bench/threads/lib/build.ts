/**
 * What the threads benchmark merges: a driver over an imported memory, shared or not, dlmalloc and the lock around it,
 * and mimalloc, compiled by the clang of @yowasp/clang. And what must hold of the merged modules.
 */

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Tree } from "@yowasp/clang";
import { sectionIds } from "../../../scripts/build-check.ts";
import { setStart } from "../../../src/wasm/edit.ts";
import { SECTION } from "../../../src/wasm/parse.ts";
import { cached } from "../../lib/build/cache.ts";
import { bytesOf, leaves, runTool } from "../../lib/build/clang.ts";
import { type Allowed, featureSet } from "../../lib/build/merge.ts";
import { mimallocFiles } from "../../lib/build/native.ts";
import { benchFile, packageVersion } from "../../lib/paths.ts";
import { HEAP_BASE, INITIAL_PAGES, WASM_PAGE } from "./layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Timed, or with the contents of every block stamped and verified. */
export type Mode = "timed" | "checked";

/** For every allocator and for both kinds of memory. */
export const ALLOWED: Allowed = { threads: true };

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

/** Files of bench/ by their names. */
async function filesOf(paths: readonly string[]): Promise<Tree> {
  const texts = await Promise.all(paths.map((path) => readFile(benchFile(path), "utf8")));
  return Object.fromEntries(paths.map((path, i) => [basename(path), texts[i]!]));
}

/** Compiles and links files of a tree in one call of clang: an object in between would lose the names of imports. */
async function linkTree(label: string, files: Tree, sources: readonly string[], flags: readonly string[]) {
  const args = ["clang", ...LINKING, ...flags, ...sources, "-o", "out.wasm"];
  return cached(label, [packageVersion("@yowasp/clang"), ...args, ...leaves(files).flat()], async () =>
    bytesOf(await runTool("runClang", args, files), "out.wasm"),
  );
}

/** The same for files of bench/. */
async function link(label: string, sources: readonly string[], headers: readonly string[], flags: readonly string[]) {
  const files = await filesOf([...sources, ...headers]);
  return linkTree(
    label,
    files,
    sources.map((path) => basename(path)),
    flags,
  );
}

const HEADERS = ["threads/native/bench.h"];

/** The driver: imports host.memory (shared or not) and host.now, exports the memory and the workloads. */
export function buildDriver(mode: Mode, shared: boolean, smallAlignment = 8): Promise<Bytes> {
  const sources = ["micro.c", "pipe.c", "replay.c"].map((name) => `threads/native/${name}`);
  return link(`threads-driver-${mode}-${shared ? "shared" : "plain"}-${smallAlignment}`, sources, HEADERS, [
    ...[...COMPILING, `-DSMALL_ALIGNMENT=${smallAlignment}`],
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
 * dlmalloc as bench/lib/build/native.ts links it, with its static state at this layout's heap base.
 *
 * Its start function, which only fills that state with zeros, is taken out: a fresh memory is zero, and a second
 * instance would wipe what the first one has done.
 */
export async function buildDlmalloc(): Promise<Bytes> {
  const linked = await link(
    "threads-dlmalloc",
    ["native/init.c"],
    [],
    [
      "-O3",
      "-Wl,--import-memory",
      "-Wl,-z,stack-size=8192",
      `-Wl,--global-base=${HEAP_BASE}`,
      ...FAMILY.map((name) => `-Wl,--export=${name}`),
    ],
  );
  return new Uint8Array(setStart(linked, undefined).bytes);
}

/**
 * mimalloc for several threads, its static state at this layout's heap base; undefined if its sources are not there. The
 * C library is the one for a single thread (--no-check-features): what mimalloc takes of it has no state but errno.
 */
export async function buildMimalloc(): Promise<Bytes | undefined> {
  const found = await mimallocFiles("mimalloc");
  if (found === undefined) return undefined;
  const own = await filesOf(["threads/native/pthreads.h", "threads/native/instance.c"]);
  return linkTree(
    "threads-mimalloc",
    { ...found.files, ...own },
    ["mimalloc.c", "instance.c"],
    [
      ...["-O3", "-matomics", "-mbulk-memory", ...found.flags, "-include", "pthreads.h"],
      ...["-Wl,--import-memory", ...SHARED, "-Wl,--no-check-features"],
      ...["-Wl,-z,stack-size=8192", `-Wl,--global-base=${HEAP_BASE}`],
    ],
  );
}

/** Throws if a second instance would run or write something again, over what the first one has done. */
export function expectNothingAtStart(bytes: Bytes): Bytes {
  const sections = sectionIds(bytes);
  if (sections.includes(SECTION.start)) throw new Error("the merged module has a start function");
  if (sections.includes(SECTION.data)) throw new Error("the merged module has data segments");
  return bytes;
}

/** A module made from its text. */
export async function assemble(text: string): Promise<Bytes> {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(await featureSet(ALLOWED));
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}
