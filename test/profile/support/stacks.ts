/** Runs a program that calls the import env.sample, and gives the stacks of its calls with names. */
import { Capturer } from "../../../src/profile/capture.ts";
import { isText } from "../../../src/profile/text.ts";
import type { SourceFrame, SymbolSource } from "../../../src/profile/types.ts";

/** Frames of the program's module at each call of sample in `run(3)`, leaf first. */
export function sampledStacks(wasm: Uint8Array<ArrayBuffer>): number[][] {
  const capturer = new Capturer();
  const out = new Uint32Array(64);
  const stacks: number[][] = [];
  const sample = () => {
    stacks.push([...out.subarray(0, capturer.capture(out, 64))].filter((frame) => !isText(frame)));
  };
  // Whatever else a compiler's library imports does nothing
  const rest = new Proxy({}, { get: (_, name) => (name === "sample" ? sample : () => 0) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), new Proxy({}, { get: () => rest }));
  (exports["run"] as (n: number) => number)(3);
  return stacks;
}

/** "function:line", inlined ones too, for every frame of a stack. */
export function named(stack: readonly number[], symbols: SymbolSource): string[] {
  return stack.flatMap((offset) => symbols.frames(offset)).map(shown);
}

export function shown(frame: SourceFrame): string {
  return `${frame.function}:${frame.line ?? "?"}${frame.inlined === true ? " inlined" : ""}`;
}

/** The number, from 1, of the only line of a text that has `part`. */
export function lineOf(text: string, part: string): number {
  const lines = text.split("\n");
  const found = lines.flatMap((line, i) => (line.includes(part) ? [i + 1] : []));
  if (found.length !== 1) throw new Error(`${found.length} lines have ${part}`);
  return found[0]!;
}
