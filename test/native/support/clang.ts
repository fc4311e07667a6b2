/**
 * clang as the npm package @yowasp/clang has it: LLVM compiled to WebAssembly, with wasi-libc and libc++ inside. It works
 * on a tree of files in memory; this file makes the tree out of the arguments and writes what comes out.
 *
 * Cost: some seconds to load it, once a process, and two to five a program.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Command, Tree } from "@yowasp/clang";

/** Endings of the files that an #include may name. */
const HEADER = /\.(h|hpp)$/;

/**
 * Runs `clang` or `clang++` with `args` in `folder`; file names are relative to it and stay below it. Throws an Error
 * with the compiler's messages when it fails. Returns its warnings.
 */
export async function clang(args: readonly string[], folder: string): Promise<string> {
  // Loaded here: it brings 100 MB of compiler with it. runClang is missing from the package's types.
  const { runClang } = (await import("@yowasp/clang")) as unknown as { runClang: Command };
  const messages: Uint8Array[] = [];
  const collect = (bytes: Uint8Array | null) => {
    if (bytes) messages.push(bytes.slice());
  };
  const text = () => Buffer.concat(messages).toString();
  const output = args[args.indexOf("-o") + 1];
  if (output === undefined || !args.includes("-o")) throw new Error("clang needs -o");
  try {
    const made = await runClang([...args], filesOf(args, folder), {
      stdout: collect,
      stderr: collect,
      fetchProgress: () => {},
    });
    const product = made?.[output];
    if (!(product instanceof Uint8Array)) throw new Error("no output");
    await writeFile(join(folder, output), product);
  } catch (error) {
    // Not as the cause: it carries the whole tree of files.
    throw new Error(`${args.join(" ")} failed: ${(error as Error).message}\n${text()}`);
  }
  return text();
}

/** The files that the arguments name, and every header beside one of them or in a folder given by -I. */
function filesOf(args: readonly string[], folder: string): Tree {
  const tree: Tree = {};
  const add = (file: string) => {
    const parts = file.split("/").filter((part) => part !== ".");
    let node = tree;
    for (const part of parts.slice(0, -1)) {
      node[part] ??= {};
      node = node[part] as Tree;
    }
    node[basename(file)] = new Uint8Array(readFileSync(join(folder, file)));
  };
  const addHeaders = (directory: string) => {
    for (const name of readdirSync(join(folder, directory))) if (HEADER.test(name)) add(join(directory, name));
  };
  for (const arg of args) {
    if (arg.startsWith("-I")) addHeaders(arg.slice(2));
    if (arg.startsWith("-") || !existsSync(join(folder, arg)) || !statSync(join(folder, arg)).isFile()) continue;
    add(arg);
    addHeaders(dirname(arg));
  }
  return tree;
}
