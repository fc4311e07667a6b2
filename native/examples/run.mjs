/**
 * Runs a WASI command: node run.mjs program.wasm [arguments]. Any other WASI runtime does as well.
 *
 * The imports are wrapped, and V8's fast API calls are off: Node 20 may crash when wasm calls node:wasi directly while the
 * memory is large, because that allocates inside a call which must not.
 */
import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { WASI } from "node:wasi";

setFlagsFromString("--no-turbo-fast-api-calls");
process.removeAllListeners("warning"); // node:wasi says at every start that it is experimental

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) throw new Error("usage: node run.mjs program.wasm [arguments]");

const wasi = new WASI({ version: "preview1", args: [program, ...rest], env: process.env, returnOnExit: true });
const { wasi_snapshot_preview1: direct } = wasi.getImportObject();
const wrapped = Object.entries(direct).map(([name, call]) => [name, (...values) => call(...values)]);
const module = await WebAssembly.compile(await readFile(program));
if (WebAssembly.Module.imports(module).some((entry) => entry.module === "gomalloc")) {
  throw new Error(`${program} is not linked with gomalloc yet: npx gomalloc link ${program} -o linked.wasm`);
}
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: Object.fromEntries(wrapped) });
process.exitCode = wasi.start(instance);
