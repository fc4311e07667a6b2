/**
 * The LLVM of @yowasp/clang, run inside this process over trees of files held in memory.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command, Tree } from "@yowasp/clang";

/** Bytes of a tool's messages that an error repeats. */
const MESSAGES = 4000;

/** Runs one tool over files; gives them and what it wrote. */
export async function runTool(tool: "runClang" | "runLLVM", args: readonly string[], files: Tree): Promise<Tree> {
  // Loaded here: it brings 100 MB of compiler with it. runClang is missing from the package's types.
  const llvm = (await import("@yowasp/clang")) as unknown as Record<"runClang" | "runLLVM", Command>;
  const messages: Uint8Array[] = [];
  const collect = (bytes: Uint8Array | null) => {
    if (bytes) messages.push(bytes.slice());
  };
  const options = { stdout: collect, stderr: collect, fetchProgress: () => {} };
  // The compiler is loaded apart: runClang would print the progress of that, whatever its options say.
  await llvm.runLLVM(null as never, {}, options);
  try {
    return (await llvm[tool]([...args], files, options)) ?? {};
  } catch (error) {
    // Not as the cause: what was caught carries every source file along, which must not reach a console.
    const text = Buffer.concat(messages).toString().slice(0, MESSAGES) || String(error);
    throw new Error(`${args.join(" ")}: ${text}`);
  }
}

/** A file at the top of a tree, which a tool should have written. */
export function bytesOf(tree: Tree, name: string): Uint8Array {
  const bytes = tree[name];
  if (!(bytes instanceof Uint8Array)) throw new Error(`${name} was not written`);
  return bytes;
}

/** A tree's files by path. */
export function leaves(tree: Tree, folder = ""): [string, string | Uint8Array][] {
  return Object.entries(tree).flatMap(([name, entry]) => {
    const path = folder + name;
    return typeof entry === "string" || entry instanceof Uint8Array ? [[path, entry]] : leaves(entry, `${path}/`);
  });
}

/** The C and C++ files of a folder and what they include, folders below it too, as a tree. */
export async function sourceTree(folder: string, wants: (path: string) => boolean = isSource): Promise<Tree> {
  const tree: Tree = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const below = await sourceTree(path, wants);
      if (Object.keys(below).length) tree[entry.name] = below;
    } else if (wants(path)) {
      tree[entry.name] = await readFile(path, "utf8");
    }
  }
  return tree;
}

function isSource(path: string): boolean {
  return /\.(c|cc|cpp|h|hpp|inc)$/.test(path);
}
