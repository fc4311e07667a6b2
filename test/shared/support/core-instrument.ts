/**
 * A flavour's module that can be killed at any chosen step: every write of the allocator counts a global down and
 * executes `unreachable` when that reaches zero.
 *
 * A step is a store, an atomic operation that writes, memory.fill, memory.copy or memory.grow; between two of them a
 * thread that dies leaves the same memory. The check stands on the last operand, so it comes right before the write,
 * whatever the other operands do. The module is rewritten as text: binaryen prints it in folded form, and takes it back.
 * The debug twins go in, so that a trap's stack names the function. Cost: a second a flavour.
 */

import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { type SharedFlavour, wasmPath } from "../../support/wasm.ts";

/** Exported global of an instrumented module: the step that kills, counted from 1; 0 or less: none. */
export const COUNTDOWN = "countdown";

/** What the modules use. With all features binaryen writes imported functions in a form that engines do not read yet. */
const F = binaryen.Features;
const FEATURES = F.Atomics | F.BulkMemory | F.BulkMemoryOpt | F.MutableGlobals | F.NontrappingFPToInt | F.SignExt;

/** A function that writes byte by byte what no death in between makes different: no steps. */
const BULK = " $assembly/alloc/sampled/fill ";

const WRITES = /^\((?:(i32|i64|f32|f64)\.(?:store|atomic\.store|atomic\.rmw)[\w.]*|memory\.(?:fill|copy|grow))$/;

const tick = (type: string): string => `
 (func $tick.${type} (param ${type}) (result ${type})
  (global.set $countdown (i32.sub (global.get $countdown) (i32.const 1)))
  (if (i32.eqz (global.get $countdown)) (then (unreachable)))
  (local.get 0))`;

/** Index after the expression or atom that begins at `at`. */
function skip(text: string, at: number): number {
  if (text[at] !== "(") {
    while (!/[\s()]/.test(text[at] as string)) at++;
    return at;
  }
  let depth = 0;
  do {
    if (text[at] === "(") depth++;
    else if (text[at] === ")") depth--;
    at++;
  } while (depth > 0);
  return at;
}

/** Module text without strings beyond its names: a check before each write. Returns the text and the number of writes. */
function instrument(text: string): { text: string; writes: number } {
  /** Places where a call of tick begins and where it ends. */
  const inserts: { at: number; what: string }[] = [];
  let writes = 0;
  let bulk = false;
  for (const match of text.matchAll(/\([a-z0-9_.]+/g)) {
    if (match[0] === "(func") bulk = text.startsWith(BULK, match.index + match[0].length);
    const write = WRITES.exec(match[0]);
    if (write === null || bulk) continue;
    writes++;
    let at = match.index + match[0].length;
    let last = at;
    for (;;) {
      while (/\s/.test(text[at] as string)) at++;
      if (text[at] === ")") break;
      last = at;
      at = skip(text, at);
    }
    inserts.push({ at: last, what: `(call $tick.${write[1] ?? "i32"} ` }, { at: skip(text, last), what: ")" });
  }
  // Ends of inner calls come before those of outer ones at the same place; any order of equal ones is right.
  inserts.sort((a, b) => a.at - b.at);
  const parts: string[] = [];
  let from = 0;
  for (const { at, what } of inserts) {
    parts.push(text.slice(from, at), what);
    from = at;
  }
  parts.push(text.slice(from));
  return { text: parts.join(""), writes };
}

/** The instrumented module of a flavour, and the number of places where it can be killed. */
export function instrumented(flavour: SharedFlavour): { module: WebAssembly.Module; writes: number } {
  binaryen.setDebugInfo(true);
  const source = binaryen.readBinary(readFileSync(wasmPath(flavour).replace(/\.wasm$/, ".debug.wasm")));
  source.setFeatures(FEATURES);
  const { text, writes } = instrument(source.emitText());
  source.dispose();
  const end = text.lastIndexOf(")");
  const added = [
    " (global $countdown (mut i32) (i32.const 0))",
    ` (export "${COUNTDOWN}" (global $countdown))`,
    ...["i32", "i64", "f32", "f64"].map(tick),
  ].join("\n");
  const module = binaryen.parseText(`${text.slice(0, end)}${added}\n)`);
  module.setFeatures(FEATURES);
  if (!module.validate()) throw new Error("the instrumented module is not valid");
  const bytes = module.emitBinary();
  module.dispose();
  return { module: new WebAssembly.Module(new Uint8Array(bytes)), writes };
}
