/**
 * What this process asks of V8, and which Node it runs in.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import v8 from "node:v8";
import vm from "node:vm";

let collect: (() => void) | undefined;

/**
 * From now on V8 compiles wasm with its optimising compiler at once, whole modules at a time.
 *
 * By default a function starts in the baseline tier and moves up after enough calls; a loop that is running stays
 * in the tier it began in. A benchmark would then measure which tier its rounds happened to meet. With one
 * compile in the tier that long-running programs end up in, no warm-up is needed for that. To be called when
 * every tool that is itself a large wasm program (compiler, optimiser) has done its work: they would compile for
 * minutes.
 */
export function optimizeAtOnce(): void {
  v8.setFlagsFromString("--no-liftoff");
  v8.setFlagsFromString("--no-wasm-lazy-compilation");
}

/**
 * V8's own inlining of wasm into wasm is off, in all versions alike. Newer ones inline where the baseline tier has counted
 * calls. With optimizeAtOnce it has counted none, and V8 14 ends the process when it looks for the counts of a module
 * that it compiled before. A flag of the process: it cannot change later.
 */
const FLAG = "--no-wasm-inlining";

/**
 * Runs this program again, with the same command line, in the Node `program` (this one unless given) without V8's
 * inlining of wasm. False if that is what runs here; else true when the other one has ended, its exit code taken over.
 */
export async function ranElsewhere(program = process.execPath): Promise<boolean> {
  if (program === process.execPath && process.execArgv.includes(FLAG)) return false;
  const words = [...process.execArgv.filter((word) => word !== FLAG), FLAG, ...process.argv.slice(1)];
  const [code] = (await once(spawn(program, words, { stdio: "inherit" }), "close")) as [number | null];
  process.exitCode = code ?? 1;
  return true;
}

/** Collects garbage now, so that the memories of past rounds (10 GiB of address space each) are gone. */
export function collectGarbage(): void {
  if (!collect) {
    v8.setFlagsFromString("--expose-gc");
    collect = vm.runInNewContext("gc") as () => void;
  }
  collect();
}
