/** Runs a WASI command: node run.mjs program.wasm [arguments]. Any other WASI runtime does as well. */
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) throw new Error("usage: node run.mjs program.wasm [arguments]");

const wasi = new WASI({ version: "preview1", args: [program, ...rest], env: process.env, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
