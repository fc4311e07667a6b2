/**
 * Runs a WASI command with threads: node run.mjs program.wasm [arguments].
 *
 * The program imports its memory as env.memory and wasi.thread-spawn, and exports wasi_thread_start: what clang makes
 * for wasm32-wasip1-threads with -Wl,--import-memory,--export-memory. Each thread is a worker with an instance of its own
 * over that memory; the process ends when main does, or with the first thread that traps.
 */
import { readFileSync, writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { WASI } from "node:wasi";
import { isMainThread, Worker, workerData } from "node:worker_threads";

// As in ../run.mjs: Node 20 may crash when wasm calls node:wasi directly while the memory is large.
setFlagsFromString("--no-turbo-fast-api-calls");
process.removeAllListeners("warning"); // node:wasi says at every start that it is experimental

/** Pages of 64 KiB. The first must be what the program has at least; the second its --max-memory, or less. */
const PAGES = { initial: 64, maximum: 4096 };

function instantiate({ module, memory, tids, args }) {
  const spawn = (startArg) => {
    const tid = Atomics.add(tids, 0, 1);
    new Worker(new URL(import.meta.url), { workerData: { module, memory, tids, args, tid, startArg } });
    return tid;
  };
  const wasi = new WASI({ version: "preview1", args, env: process.env, returnOnExit: true });
  const { wasi_snapshot_preview1: direct } = wasi.getImportObject();
  const wrapped = Object.entries(direct).map(([name, call]) => [name, (...values) => call(...values)]);
  const instance = new WebAssembly.Instance(module, {
    env: { memory },
    wasi: { "thread-spawn": spawn },
    wasi_snapshot_preview1: Object.fromEntries(wrapped),
  });
  return { wasi, instance };
}

/** Prints one line and ends; what the program itself does wrong is told by its trap. */
function fail(message, code = 1) {
  console.error(`run.mjs: ${message}`);
  process.exit(code);
}

function moduleOf(program) {
  try {
    const module = new WebAssembly.Module(readFileSync(program));
    if (WebAssembly.Module.imports(module).some((entry) => entry.module === "gomalloc")) {
      fail(`${program} is not linked with gomalloc yet: npx gomalloc link ${program} -o linked.wasm`);
    }
    return module;
  } catch (error) {
    return fail(`cannot read ${program}: ${error.message}`);
  }
}

if (isMainThread) {
  const args = process.argv.slice(2);
  if (args[0] === undefined || args[0] === "--help") fail("usage: node run.mjs program.wasm [arguments]", 2);
  const module = moduleOf(args[0]);
  const memory = new WebAssembly.Memory({ ...PAGES, shared: true });
  const tids = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const { wasi, instance } = instantiate({ module, memory, tids, args });
  process.exit(wasi.start(instance));
} else {
  const { tid, startArg, memory } = workerData;
  try {
    const { wasi, instance } = instantiate(workerData);
    // node:wasi must know the memory; the thread begins elsewhere than _start.
    wasi.initialize({ exports: { memory } });
    instance.exports.wasi_thread_start(tid, startArg);
  } catch (error) {
    // Nobody may be listening: the thread that started this one waits for it, in wasm.
    writeSync(2, `thread ${tid}: ${error.stack}\n`);
    process.kill(process.pid, "SIGKILL");
  }
}
