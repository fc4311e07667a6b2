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
if (program === undefined || program === "--help") fail("usage: node run.mjs program.wasm [arguments]", 2);

/** Prints one line and ends; what the program itself does wrong is told by its trap. */
function fail(message, code = 1) {
  console.error(`run.mjs: ${message}`);
  process.exit(code);
}

const wasi = new WASI({ version: "preview1", args: [program, ...rest], env: process.env, returnOnExit: true });
const { wasi_snapshot_preview1: direct } = wasi.getImportObject();
const wrapped = Object.entries(direct).map(([name, call]) => [name, (...values) => call(...values)]);
const module = await readFile(program)
  .then((bytes) => WebAssembly.compile(bytes))
  .catch((error) => fail(`cannot read ${program}: ${error.message}`));
const other = WebAssembly.Module.imports(module).find((entry) => entry.module !== "wasi_snapshot_preview1");
if (other?.module === "gomalloc") {
  fail(`${program} is not linked with gomalloc yet: npx gomalloc link ${program} -o linked.wasm`);
} else if (other !== undefined) {
  const threads = other.kind === "memory" ? "; a program with threads runs by threads/run.mjs" : "";
  fail(`${program} imports ${other.module}.${other.name}, which is not of WASI${threads}`);
}
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: Object.fromEntries(wrapped) });
process.exitCode = wasi.start(instance);
