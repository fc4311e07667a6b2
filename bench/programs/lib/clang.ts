/**
 * Programs compiled and linked by the LLVM of @yowasp/clang.
 *
 * A program's sources become one relocatable object, cached by everything that went into it; the object is linked
 * once for each allocator. Compiling SQLite takes a minute or so, linking it a second.
 */

import { basename } from "node:path";
import type { Tree } from "@yowasp/clang";
import { cached } from "../../lib/build/cache.ts";
import { bytesOf, leaves, runTool } from "../../lib/build/clang.ts";
import { packageVersion } from "../../lib/paths.ts";

/** For every program and every C allocator. */
const TARGET = "--target=wasm32-wasip1";
const LEVEL = "-O2";

/** One set of sources compiled with the same flags. */
export interface Unit {
  /** Compiler: its choice of language decides which libraries are linked. */
  readonly compiler: "clang" | "clang++";
  /** Every file that the compiler may see, headers included. */
  readonly files: Tree;
  /** Paths in `files` to compile. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
}

/** Compiles all units into one relocatable object. */
export function compile(label: string, units: readonly Unit[]): Promise<Uint8Array<ArrayBuffer>> {
  const inputs = units.flatMap((unit) => [unit.compiler, ...unit.sources, ...unit.flags, ...leaves(unit.files).flat()]);
  return cached(`${label}-object`, [packageVersion("@yowasp/clang"), TARGET, LEVEL, ...inputs], async () => {
    const objects: Tree = {};
    for (const [i, { compiler, files, sources, flags }] of units.entries()) {
      // One call for all of them: each is a run of the driver besides one of the compiler for each file.
      const tree = await runTool("runClang", [compiler, TARGET, LEVEL, ...flags, "-c", ...sources], files);
      for (const source of sources) {
        const object = `${basename(source).replace(/\.\w+$/, "")}.o`;
        objects[`${i}-${object}`] = bytesOf(tree, object);
      }
    }
    const args = ["wasm-ld", "-r", ...Object.keys(objects), "-o", "all.o"];
    return bytesOf(await runTool("runLLVM", args, objects), "all.o");
  });
}

/** Links objects into a command with wasi-libc. Function names stay in the module. */
export function linkObjects(
  label: string,
  compiler: Unit["compiler"],
  objects: readonly Uint8Array<ArrayBuffer>[],
  flags: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const files: Tree = Object.fromEntries(objects.map((object, i) => [`${i}.o`, object]));
  const args = [compiler, TARGET, LEVEL, ...Object.keys(files), ...flags, "-o", "app.wasm"];
  return cached(label, [packageVersion("@yowasp/clang"), ...args, ...objects], async () =>
    bytesOf(await runTool("runClang", args, files), "app.wasm"),
  );
}
