/**
 * Calls given another callee, a function that is added behind all others. The new instruction goes where the old one
 * was, with nops behind it where it is shorter, so nothing moves within the code. Cost: one copy of the file.
 */
import { addFunctions, type Edited, encodeU32, type NewFunction, OP } from "../../wasm/edit.js";
import type { CallSite } from "../../wasm/instructions.js";
import type { ModuleInfo } from "../../wasm/parse.js";

export interface Redirect {
  readonly sites: readonly CallSite[];
  readonly to: NewFunction;
}

/** Whether a call of a function of number `callee` or less fits into the instruction's place. */
export function hasRoom({ start, end }: CallSite, callee: number): boolean {
  return encodeU32(callee).length < end - start;
}

/** The functions are added in order, the first as number info.functions.length. `info` is that of `bytes`. */
export function redirectCalls(bytes: Uint8Array, info: ModuleInfo, redirects: readonly Redirect[]): Edited {
  const patched = new Uint8Array(bytes);
  for (const [i, { sites }] of redirects.entries()) {
    const callee = encodeU32(info.functions.length + i);
    for (const { start, end } of sites) {
      const op = patched[start] === OP.returnCall ? OP.returnCall : OP.call;
      patched.fill(OP.nop, start, end);
      patched.set([op, ...callee], start);
    }
  }
  return addFunctions(
    patched,
    redirects.map(({ to }) => to),
  );
}
