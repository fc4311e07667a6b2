/**
 * The thread of one run: a fresh instance in a fresh JavaScript heap, on a module that arrives compiled.
 *
 * Processor time is the process's: nothing else must be going on in it meanwhile.
 */

import { closeSync, openSync } from "node:fs";
import { WASI } from "node:wasi";
import { parentPort, workerData } from "node:worker_threads";
import type { Job, Outcome } from "./run.ts";
import { sampled } from "./share.ts";

/**
 * The imports, each behind a function of JavaScript. When wasm calls Node's WASI directly it may come in by V8's fast
 * way for C++ functions, in which no garbage may be collected; but WASI allocates, and when much memory is in use that
 * starts a collection, which then finds pointers that it knows nothing of (seen with Node 20: aborts in fd_write).
 */
function indirect(wasi: WASI): WebAssembly.Imports {
  const { wasi_snapshot_preview1: direct } = wasi.getImportObject() as WebAssembly.Imports;
  const functions = Object.entries(direct as Record<string, (...values: unknown[]) => number>);
  const wrapped = functions.map(([name, call]) => [name, (...values: unknown[]) => call(...values)]);
  return { wasi_snapshot_preview1: Object.fromEntries(wrapped) };
}

/** The program's status when it trapped or threw. */
const CRASHED = -1;

function execute({ module, name, args, folder, stdin, stdout, sample }: Job): Outcome {
  const input = openSync(stdin ?? "/dev/null", "r");
  const output = openSync(stdout, "w");
  try {
    const wasi = new WASI({
      version: "preview1",
      args: [name, ...args],
      preopens: { "/": folder },
      stdin: input,
      stdout: output,
      stderr: output,
      returnOnExit: true,
    });
    const instance = new WebAssembly.Instance(module, indirect(wasi));
    const memory = instance.exports["memory"] as WebAssembly.Memory;
    const start = (): Pick<Outcome, "status" | "error"> => {
      try {
        // WASI's start gives the exit status where the types say nothing.
        return { status: wasi.start(instance) as unknown as number, error: undefined };
      } catch (cause) {
        return { status: CRASHED, error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) };
      }
    };
    const wall = performance.now();
    const cpu = process.cpuUsage();
    const { result, share } = sample ? sampled(start) : { result: start(), share: undefined };
    const { user, system } = process.cpuUsage(cpu);
    return {
      ...result,
      cpu: (user + system) / 1000,
      wall: performance.now() - wall,
      peak: memory.buffer.byteLength,
      share,
    };
  } finally {
    closeSync(input);
    closeSync(output);
  }
}

parentPort!.postMessage(execute(workerData as Job));
