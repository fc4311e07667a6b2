/**
 * The thread of one run: a fresh instance in a fresh JavaScript heap, on a module that arrives compiled.
 *
 * Processor time is the process's: nothing else must be going on in it meanwhile.
 */

import { closeSync, openSync } from "node:fs";
import { WASI } from "node:wasi";
import { parentPort, workerData } from "node:worker_threads";
import { profileImports } from "../../../src/sampling/hooks.ts";
import { readSamples } from "../../../src/sampling/read.ts";
import type { Job, Outcome } from "./run.ts";
import { sampled } from "./share.ts";
import { indirectImports } from "./wasi.ts";

/** The program's status when it trapped or threw. */
const CRASHED = -1;

function execute({ module, name, args, folder, stdin, stdout, sample, rate }: Job): Outcome {
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
    const instance: WebAssembly.Instance = new WebAssembly.Instance(module, {
      ...indirectImports(wasi),
      // The default rate is left to the hooks: it has a budget.
      ...(rate === undefined ? {} : { gomalloc: profileImports(() => memory, rate === 0 ? { rate } : {}) }),
    });
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
      samples: rate === undefined ? undefined : samplesIn(memory),
    };
  } finally {
    closeSync(input);
    closeSync(output);
  }
}

function samplesIn(memory: WebAssembly.Memory): number {
  return readSamples(memory).buckets.reduce((sum, { allocs }) => sum + allocs, 0);
}

parentPort!.postMessage(execute(workerData as Job));
