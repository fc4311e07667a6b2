/**
 * clang without a compiler on the machine: LLVM compiled to WebAssembly, with wasi-libc and libc++ inside, as the npm
 * package @yowasp/clang has it. The command line is clang's, and clang++'s when a source ends in .cpp:
 *
 *   npm install --save-dev @yowasp/clang
 *   node clang.mjs --target=wasm32-wasip1 -O2 program.c -o program.wasm
 *
 * It sees the files that the command line names, the headers beside them and in folders given by -I, and the libraries
 * that -l names in folders given by -L; all of them lie below the current folder. Cost: one or two seconds a program.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

/**
 * Runs `clang` or `clang++` with `args` in `folder`. Returns the compiler's warnings; throws an Error with its messages
 * when it fails.
 */
export async function clang(args, folder) {
  const output = args[args.indexOf("-o") + 1];
  if (output === undefined || !args.includes("-o")) throw new Error("give the output: -o FILE");
  const { runClang } = await import("@yowasp/clang").catch((error) => {
    const fix = "npm has the compiler, 100 MB: npm install --save-dev @yowasp/clang";
    throw error.code === "ERR_MODULE_NOT_FOUND" ? new Error(`no @yowasp/clang is installed; ${fix}`) : error;
  });
  const messages = [];
  const collect = (bytes) => bytes && messages.push(bytes.slice());
  const options = { stdout: collect, stderr: collect, fetchProgress: () => {} };
  await runClang(null, {}, options); // loads the compiler without printing its progress
  try {
    const made = (await runClang([...args], filesOf(args, folder), options))?.[output];
    if (made === undefined) throw new Error("no output");
    await writeFile(join(folder, output), made);
  } catch (error) {
    // Not as the cause: it carries all the files.
    throw new Error(`${args.join(" ")} failed: ${error.message}\n${Buffer.concat(messages)}`);
  }
  return Buffer.concat(messages).toString();
}

/**
 * The files that the arguments name, every header beside one of them or in a folder given by -I, and the libraries of -l in
 * folders given by -L, as a tree.
 */
function filesOf(args, folder) {
  const tree = {};
  const add = (file) => {
    const path = file.split("/").filter((part) => part !== ".");
    const name = path.pop();
    let node = tree;
    for (const part of path) node = node[part] ??= {};
    node[name] = new Uint8Array(readFileSync(join(folder, file)));
  };
  const addHeaders = (directory) => {
    for (const name of readdirSync(join(folder, directory))) if (/\.(h|hpp)$/.test(name)) add(join(directory, name));
  };
  const libraries = args.filter((arg) => arg.startsWith("-l")).map((arg) => `lib${arg.slice(2)}.a`);
  for (const arg of args) {
    if (arg.startsWith("-I")) addHeaders(arg.slice(2));
    if (arg.startsWith("-L")) {
      const files = libraries.map((name) => join(arg.slice(2), name));
      for (const file of files.filter((path) => existsSync(join(folder, path)))) add(file);
    }
    if (arg.startsWith("-") || !existsSync(join(folder, arg)) || !statSync(join(folder, arg)).isFile()) continue;
    add(arg);
    addHeaders(dirname(arg));
  }
  return tree;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  // V8's baseline compiler alone: to optimise LLVM takes longer than LLVM takes for a small program, 5.5 s to 1.7 s.
  setFlagsFromString("--liftoff-only");
  const args = process.argv.slice(2);
  const cpp = args.some((arg) => /\.(cpp|cc|cxx)$/.test(arg));
  try {
    process.stderr.write(await clang([cpp ? "clang++" : "clang", ...args], process.cwd()));
  } catch (error) {
    console.error(`clang.mjs: ${error.message}`);
    process.exitCode = 1;
  }
}
