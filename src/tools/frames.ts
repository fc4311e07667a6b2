/**
 * What wasm-ld puts around the exports of a command. A program that does not call its constructors itself gets a
 * wrapper for each exported function: `call __wasm_call_ctors; call the function; call __wasm_call_dtors`. Whoever
 * calls such an export from inside the program, as gomalloc calls the misuse hook, must not go through the wrapper: it
 * would run all constructors again, and atexit handlers and destructors in the middle of the program.
 *
 * Names tell the two calls where there are any. Without names the wrapper's form tells them, or that all exports begin
 * or end with the same call: an optimiser may have inlined the function into its wrapper.
 * Cost: a walk over the bodies of exported functions.
 */

import { sameType } from "../base/family.js";
import { addExports, addFunctions, type Edited, editModule, getParams, OP } from "../wasm/edit.js";
import { type CallSite, IGNORE, walkIfKnown } from "../wasm/instructions.js";
import { inspect, type ModuleInfo } from "../wasm/parse.js";
import { Reader } from "../wasm/reader.js";

const CONSTRUCTORS = "__wasm_call_ctors";
const DESTRUCTORS = "__wasm_call_dtors";

interface Call extends CallSite {
  readonly callee: number;
}

/** A body's first and last instruction, where these are calls of functions without parameters and results. */
interface Ends {
  /** Offset of the first instruction. */
  readonly code: number;
  readonly first: Call | undefined;
  readonly last: Call | undefined;
}

export interface CommandFrame {
  /** The calls of constructors and destructors in the exported function, in order: one or two. */
  readonly calls: readonly CallSite[];
  /** The function inside, when the wrapper has nothing else; undefined when it was inlined. */
  readonly inner?: number;
}

/** The frame that wasm-ld has put around the exported function `index`; undefined when there is none. */
export function commandFrame(bytes: Uint8Array, info: ModuleInfo, index: number): CommandFrame | undefined {
  const own = endsOf(bytes, info, index);
  if (own === undefined) return undefined;
  const { first, last } = own;
  const inner = innerOf(bytes, info, index, own);
  const [constructs, destructs] = [isNamed(info, first, CONSTRUCTORS), isNamed(info, last, DESTRUCTORS)];
  const others = otherExports(info, [index, first?.callee, last?.callee])
    .map((other) => endsOf(bytes, info, other))
    .filter((ends) => ends !== undefined);
  const like = (side: "first" | "last") => (other: Ends) => other[side]?.callee === own[side]!.callee;
  const shared = (side: "first" | "last") => own[side] !== undefined && others.length > 0 && others.every(like(side));

  const form = inner !== undefined && constructs === undefined && destructs === undefined;
  const begins = constructs ?? ((form && first !== undefined && last !== undefined) || shared("first"));
  // A function that does not return has lost the call at its end.
  const ends =
    destructs ??
    ((form && first !== undefined && last !== undefined) ||
      (last !== undefined && begins && others.some(like("last"))) ||
      shared("last"));
  const calls = [...(begins && first ? [first] : []), ...(ends && last ? [last] : [])];
  if (calls.length === 0) return undefined;
  const whole = inner !== undefined && calls.length === Number(first !== undefined) + Number(last !== undefined);
  return whole ? { calls, inner } : { calls };
}

/** Exports the function `index` as `name`, without the frame that wasm-ld has put around it. */
export function exportUnframed(bytes: Uint8Array, index: number, name: string): Edited {
  const info = inspect(bytes);
  const frame = commandFrame(bytes, info, index);
  const add = (to: number) => (edited: Uint8Array) => addExports(edited, [{ name, kind: "function", index: to }]);
  if (frame === undefined || frame.inner !== undefined) return add(frame?.inner ?? index)(bytes);
  const { start, end } = info.bodies[index - info.importedFunctions]!;
  const body = bytes.slice(start, end);
  for (const call of frame.calls) body.fill(OP.nop, call.start - start, call.end - start);
  const copy = { name: info.functionNames.get(index) ?? name, type: info.functions[index]!, body };
  return editModule(bytes, (before) => addFunctions(before, [copy]), add(info.functions.length));
}

/** Whether the name says that it is the function called `name`; undefined when it has none. */
function isNamed(info: ModuleInfo, call: Call | undefined, name: string): boolean | undefined {
  const known = call && info.functionNames.get(call.callee);
  return known === undefined ? undefined : known === name;
}

/** The program's other exported functions, each once. */
function otherExports(info: ModuleInfo, but: readonly (number | undefined)[]): number[] {
  const functions = info.exports.filter(({ kind, index }) => kind === "function" && !but.includes(index));
  return [...new Set(functions.map(({ index }) => index))].filter((index) => index >= info.importedFunctions);
}

/** Undefined for imported functions and for bodies with instructions that are not known. */
function endsOf(bytes: Uint8Array, info: ModuleInfo, index: number): Ends | undefined {
  const body = info.bodies[index - info.importedFunctions];
  if (body === undefined) return undefined;
  const code = startOfCode(bytes, body.start, body.end);
  const nothing = { params: [], results: [] };
  let [first, last]: (Call | undefined)[] = [];
  const known = walkIfKnown(bytes, body.start, body.end, info, {
    ...IGNORE,
    call: (callee, _, site) => {
      const type = info.functions[callee];
      if (type === undefined || !sameType(type, nothing) || bytes[site.start] !== OP.call) return;
      if (site.start === code) first = { ...site, callee };
      else if (site.end === body.end - 1) last = { ...site, callee };
    },
  });
  return known ? { code, first, last } : undefined;
}

/** Offset behind the declarations of locals. */
function startOfCode(bytes: Uint8Array, start: number, end: number): number {
  const REFERENCES = [0x63, 0x64];
  const r = new Reader(bytes, start, end);
  for (let groups = r.u32(); groups > 0; groups--) {
    r.u32();
    if (REFERENCES.includes(r.byte())) r.skipNumber();
  }
  return r.at;
}

/** The function of the same type that gets all parameters between the two calls, when there is nothing else. */
function innerOf(bytes: Uint8Array, info: ModuleInfo, index: number, { code, first, last }: Ends): number | undefined {
  const type = info.functions[index];
  const body = info.bodies[index - info.importedFunctions]!;
  const r = new Reader(bytes, first?.end ?? code, last?.start ?? body.end - 1);
  const gets = type === undefined ? [] : getParams(type);
  for (const byte of [...gets, OP.call]) if (r.done || r.byte() !== byte) return undefined;
  const callee = r.u32();
  const inner = info.functions[callee];
  return r.done && type && inner && sameType(type, inner) ? callee : undefined;
}
