/**
 * Crowds: functions that call malloc, free or another of the family many times each. Nearly all of these calls are
 * rare in one run: cleaning up after errors, destructors, lists that grow, `realloc` behind every instruction that a
 * compiler puts out. Inlining them all makes the program longer by up to a third, which the engine pays for as it
 * compiles what is busy anew. docs/link.md has what that cost some programs.
 *
 * So what is inlined has a budget. It goes to what is called in the fewest places first, which is mostly malloc, and of
 * its callers to those with the fewest calls: wrappers come before destructors. The other calls stay calls: of a new
 * function that calls the family's and is never inlined, for binaryen's hints are for functions and not for calls.
 * Nothing moves within the code. A call whose callee's number has not the room for that of the new function cannot be
 * told from the others: small numbers only, in a program of more than 128 functions. Where such calls are many, their
 * callee is inlined nowhere.
 *
 * Gain: without this file vscode-oniguruma, its allocator swapped, has 540,763 bytes, not 482,681, and takes 1.05x of
 * the processor time (medians of 9 interleaved rounds); docs/results.md, "Inlining by gomalloc link", has seven.
 * Lua and cJSON call from few places: the same bytes.
 *
 * Cost: one walk over the code.
 */

import { encodeU32, getParams, type NewFunction, OP, valueTypeCode } from "../../wasm/edit.js";
import { type CallSite, IGNORE, walkIfKnown } from "../../wasm/instructions.js";
import { functionName, type ModuleInfo } from "../../wasm/parse.js";
import { growthBudget, INLINED_BYTES, MIN_BUDGET } from "./budget.js";
import { hasRoom, type Redirect } from "./redirect.js";

/** Calls of one function that a function may have and still get each of them inlined, if the budget allows it. */
const MAX_CALLS = 8;
/** The part of the code that all of them may add to it. */
const BUDGET_PART = 100;

export interface Crowd {
  readonly callee: number;
  readonly sites: readonly CallSite[];
}

export interface Crowds {
  /** The calls that are to stay calls, by what they call. */
  readonly crowds: readonly Crowd[];
  /** All calls of functions that are better not inlined at all. */
  readonly calledOnly: readonly Crowd[];
}

/**
 * What of the calls of `inlined`, functions by number, stays as it is. Of a body with instructions that are not known,
 * the calls behind the first of them are inlined as ever.
 */
export function findCrowds(bytes: Uint8Array, info: ModuleInfo, inlined: ReadonlySet<number>): Crowds {
  const callers = new Map([...inlined].map((callee) => [callee, [] as CallSite[][]]));
  for (const [i, body] of info.bodies.entries()) {
    if (inlined.has(info.importedFunctions + i)) continue;
    for (const [callee, sites] of callsIn(bytes, body, info, inlined)) callers.get(callee)!.push(sites);
  }
  // New functions that compare pointers, one for a type at most, come first.
  const last = info.functions.length + info.types.length + inlined.size;
  let left = growthBudget(info, BUDGET_PART);
  const crowds: Crowd[] = [];
  const calledOnly: Crowd[] = [];
  for (const [callee, all] of [...callers].sort(([, a], [, b]) => a.flat().length - b.flat().length)) {
    const most = mostCalls(all, left);
    const crowded = all.filter((sites) => sites.length > most).flat();
    const movable = crowded.filter((site) => hasRoom(site, last));
    if ((crowded.length - movable.length) * INLINED_BYTES > MIN_BUDGET) {
      calledOnly.push({ callee, sites: all.flat() });
      continue;
    }
    left -= growth(all, most);
    if (movable.length > 0) crowds.push({ callee, sites: movable });
  }
  return { crowds, calledOnly };
}

/** The calls that one function makes, by what they call. */
function callsIn(
  bytes: Uint8Array,
  { start, end }: ModuleInfo["bodies"][number],
  info: ModuleInfo,
  inlined: ReadonlySet<number>,
): Map<number, CallSite[]> {
  const calls = new Map<number, CallSite[]>();
  walkIfKnown(bytes, start, end, info, {
    ...IGNORE,
    call: (callee, _, site) => {
      if (!inlined.has(callee)) return;
      const sites = calls.get(callee);
      if (sites === undefined) calls.set(callee, [site]);
      else sites.push(site);
    },
  });
  return calls;
}

/**
 * How many calls of a function a caller may have for all such calls to be inlined, if that is to add at most `budget`.
 */
function mostCalls(callers: readonly (readonly CallSite[])[], budget: number): number {
  let most = MAX_CALLS;
  while (growth(callers, most) > budget) most--;
  return most;
}

/** Bytes that are added where a function is inlined into callers with at most `most` calls of it. */
function growth(callers: readonly (readonly CallSite[])[], most: number): number {
  const calls = callers.reduce((sum, { length }) => sum + (length <= most ? length : 0), 0);
  return calls * INLINED_BYTES;
}

/** The calls with what takes their place: calls of functions that do nothing but call, one for each of `crowds`. */
export function crowdRedirects(crowds: readonly Crowd[], info: ModuleInfo): Redirect[] {
  return crowds.map(({ callee, sites }) => ({ sites, to: callOf(callee, info) }));
}

function callOf(callee: number, info: ModuleInfo): NewFunction {
  const type = info.functions[callee]!;
  // A local that nothing uses: without it, binaryen would take the function for one with any other that only calls
  // `callee`, and with that one's hint.
  const locals = [1, 1, valueTypeCode("f64")];
  return {
    name: `gomalloc/call:${functionName(info, callee)}`,
    type,
    body: Uint8Array.of(...locals, ...getParams(type), OP.call, ...encodeU32(callee), OP.end),
  };
}
