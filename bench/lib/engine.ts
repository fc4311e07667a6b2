/**
 * What this process asks of V8.
 */

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

/** Collects garbage now, so that the memories of past rounds (10 GiB of address space each) are gone. */
export function collectGarbage(): void {
  if (!collect) {
    v8.setFlagsFromString("--expose-gc");
    collect = vm.runInNewContext("gc") as () => void;
  }
  collect();
}
