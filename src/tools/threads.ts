/**
 * Threads of a program: what a link must know of them, and what it refuses.
 *
 * A program with threads has one memory, imported and shared, and an instance of its module for every thread. A thread
 * takes a P of the heap at its first malloc and has to give it up when it ends, else the P and what it caches
 * is unowned. Where threads end is known of two runtimes, and there the link puts a call of gomalloc_thread_exit:
 *
 *   behind an export    that the host calls and in which the thread lives or ends
 *   before an import    by which a thread leaves its stack, for good or until an event: then it takes a P again
 *
 * Both cost nothing while the thread runs. Other programs call gomalloc_thread_exit themselves.
 */

import { ENV, GOMALLOC, SHARED, sameType } from "../base/family.js";
import { ToolError } from "../wasm/errors.js";
import type { ExportInfo, FunctionType, ImportInfo, MemoryInfo, ModuleInfo } from "../wasm/parse.js";

/** wasi-threads runs a thread within the one; emscripten calls the other when a thread's function has returned. */
const END_EXPORTS: Readonly<Record<string, FunctionType>> = {
  wasi_thread_start: { params: ["i32", "i32"], results: [] },
  _emscripten_thread_exit: { params: ["i32"], results: [] },
};

/** Of module env: the end of emscripten's pthread_exit. */
const END_IMPORTS: Readonly<Record<string, FunctionType>> = {
  emscripten_unwind_to_js_event_loop: { params: [], results: [] },
};

export interface ThreadEnds {
  readonly exports: readonly ExportInfo[];
  readonly imports: readonly ImportInfo[];
}

/** The program's functions at which a thread ends; none for a program of one thread. */
export function findThreadEnds(info: ModuleInfo, memory: MemoryInfo): ThreadEnds {
  if (!memory.shared) return { exports: [], imports: [] };
  const fits = (known: Readonly<Record<string, FunctionType>>, name: string, type: FunctionType | undefined) =>
    type !== undefined && Object.hasOwn(known, name) && sameType(type, known[name]!);
  return {
    exports: info.exports.filter(
      ({ name, kind, index }) => kind === "function" && fits(END_EXPORTS, name, info.functions[index]),
    ),
    imports: info.imports.filter(({ module, name, type }) => module === ENV && fits(END_IMPORTS, name, type)),
  };
}

/**
 * Threads over a memory that is not shared, or a shared memory in which no thread but the first would find the heap.
 * Throws ToolError "shared-memory".
 */
export function refuseMixedSharing(info: ModuleInfo, memory: MemoryInfo, heapBase: number | undefined): void {
  if (memory.shared && heapBase === undefined) {
    throw new ToolError(
      "shared-memory",
      "the program's memory is shared, and it is not known where the heap begins, which every instance must be told",
      "Compile gomalloc's shim (native/gomalloc.c) with the program, export __heap_base (-Wl,--export=__heap_base), or " +
        "give the heap base as an option.",
    );
  }
  if (memory.shared) return;
  const sign = info.imports.find(
    ({ module, name, kind }) =>
      kind === "function" &&
      ((module === "wasi" && name === "thread-spawn") || (module === GOMALLOC && Object.hasOwn(SHARED, name))),
  );
  if (sign === undefined) return;
  throw new ToolError(
    "shared-memory",
    `the program has threads (it imports ${sign.module}.${sign.name}), but its memory is not shared`,
    "Link it with -pthread -Wl,--import-memory,--max-memory=BYTES, and every object for a target with threads.",
  );
}

/** What may be amiss in a program with threads that can be linked all the same. */
export function threadWarnings(info: ModuleInfo, memory: MemoryInfo, ends: ThreadEnds): string[] {
  if (!memory.shared) return [];
  const warnings: string[] = [];
  if (memory.imported === undefined) {
    warnings.push(
      "the memory is shared, but the module defines it: each instance has one of its own, and threads none in common",
    );
  }
  const told = info.imports.some(({ module, name }) => module === GOMALLOC && name === "gomalloc_thread_exit");
  if (!told && ends.exports.length === 0) {
    warnings.push("no known end of a thread was found: threads should call gomalloc_thread_exit() as their last act");
  }
  return warnings;
}
