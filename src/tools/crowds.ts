/**
 * Crowds: functions that call malloc, free or another of the family many times each. Nearly all of these calls are
 * rare in one run: cleaning up after errors, one list of a dozen to be grown, `realloc` behind every instruction that a
 * compiler puts out. Inlining them all makes a function several times as long, which the engine compiles anew as
 * soon as the function is busy. docs/link.md has what that cost one program.
 *
 * So these calls stay calls: of a new function that calls the other and is never inlined, for binaryen's hints are for
 * functions and not for calls. Nothing moves within the code. A call whose callee's number has not the room for that of
 * the new function is left alone, which is so for small numbers only: imports, in a program of more than 128 functions.
 *
 * Cost: one walk over the code.
 */
import { encodeU32, type NewFunction, valueTypeCode } from "./edit.js";
import { functionName, type ModuleInfo } from "./module.js";
import { hasRoom, type Redirect } from "./redirect.js";
import { type CallSite, IGNORE, walkIfKnown } from "./swap/instructions.js";

/** Calls of one function that a function may have and still get each of them inlined. */
const MAX_CALLS = 8;

export interface Crowd {
  readonly callee: number;
  readonly sites: readonly CallSite[];
}

/** The calls of each of `inlined`, functions by number, that are to stay calls. A function not known whole is left alone. */
export function findCrowds(bytes: Uint8Array, info: ModuleInfo, inlined: ReadonlySet<number>): Crowd[] {
  // Those that compare pointers, one for a type at most, come first.
  const last = info.functions.length + info.types.length + inlined.size;
  const crowds = new Map<number, CallSite[]>();
  for (const [i, { start, end }] of info.bodies.entries()) {
    if (inlined.has(info.importedFunctions + i)) continue;
    const calls = new Map<number, CallSite[]>();
    const known = walkIfKnown(bytes, start, end, info, {
      ...IGNORE,
      call: (callee, _, site) => {
        if (!inlined.has(callee) || !hasRoom(site, last)) return;
        calls.set(callee, [...(calls.get(callee) ?? []), site]);
      },
    });
    if (!known) continue;
    for (const [callee, sites] of calls) {
      if (sites.length > MAX_CALLS) crowds.set(callee, [...(crowds.get(callee) ?? []), ...sites]);
    }
  }
  return [...crowds].map(([callee, sites]) => ({ callee, sites }));
}

/** The calls with what takes their place: calls of functions that do nothing but call, one for each of `crowds`. */
export function crowdRedirects(crowds: readonly Crowd[], info: ModuleInfo): Redirect[] {
  return crowds.map(({ callee, sites }) => ({ sites, to: callOf(callee, info) }));
}

const OP = { end: 0x0b, call: 0x10, get: 0x20 };

function callOf(callee: number, info: ModuleInfo): NewFunction {
  const type = info.functions[callee]!;
  const args = type.params.flatMap((_, i) => [OP.get, ...encodeU32(i)]);
  // A local that nothing uses: without it, binaryen would take the function for one with any other that only calls
  // `callee`, and with that one's hint.
  const locals = [1, 1, valueTypeCode("f64")];
  return {
    name: `gomalloc/call:${functionName(info, callee)}`,
    type,
    body: Uint8Array.of(...locals, ...args, OP.call, ...encodeU32(callee), OP.end),
  };
}
