/**
 * What of a program is inlined beside the allocator itself: its thin wrappers of the family (wrappers.ts) and its calls
 * through pointers (pointers.ts); and which calls stay calls (crowds.ts). binaryen does it, told by a section of hints.
 *
 * Gain of all of it: without, Lua (binary trees) takes 1.06x of the processor time and cJSON (small documents) 1.09x
 * (measured as in pointers.ts). The headers of the files have the gain of each; redirect.ts and budget.ts serve both
 * crowds.ts and pointers.ts.
 */

import { FAMILY } from "../../base/family.js";
import { addCustomSection, concat, type Edited, editModule, encodeU32, vector } from "../../wasm/edit.js";
import type { ImportInfo, ModuleInfo } from "../../wasm/parse.js";
import { INLINED } from "../allocator.js";
import { type Crowd, crowdRedirects, findCrowds } from "./crowds.js";
import { findPointerCalls, type PointerCalls, pointerRedirects } from "./pointers.js";
import { redirectCalls } from "./redirect.js";
import { thinWrappers } from "./wrappers.js";

export interface Inlining {
  /** The allocator's functions that are inlined wherever they are called. */
  readonly functions: readonly string[];
  /** The program's thin functions over imported ones, each with that one. Inlined too. */
  readonly wrappers: ReadonlyMap<number, number>;
  readonly pointers: readonly PointerCalls[];
  /** Calls that are redirected to stay calls. */
  readonly crowds: readonly Crowd[];
  /** Functions that are inlined nowhere, with all of their calls. */
  readonly calledOnly: readonly Crowd[];
}

export const NOTHING_INLINED: Inlining = {
  functions: [],
  wrappers: new Map(),
  pointers: [],
  crowds: [],
  calledOnly: [],
};

/** `bound`: the allocator's functions, imported or the program's own. */
export function findInlining(
  program: Uint8Array,
  info: ModuleInfo,
  bound: readonly Pick<ImportInfo, "name" | "index">[],
): Inlining {
  const family = bound.filter(({ name }) => Object.hasOwn(FAMILY, name));
  const thin = thinWrappers(program, info, new Set(family.map(({ index }) => index)));
  const hot = new Map(family.filter(({ name }) => INLINED.includes(name)).map(({ index, name }) => [index, name]));
  const wrappers = new Map([...thin].filter(([, callee]) => hot.has(callee)));
  const { crowds, calledOnly } = findCrowds(program, info, new Set([...hot.keys(), ...wrappers.keys()]));
  const called = new Set(calledOnly.map(({ callee }) => callee));
  for (const index of called) wrappers.delete(index);
  const pointers = findPointerCalls(program, info, {
    family: new Set([...family.map(({ index }) => index), ...thin.keys()]),
    inlined: new Set([...hot.keys(), ...wrappers.keys()].filter((index) => !called.has(index))),
  });
  const names = new Set([...called].map((index) => hot.get(index)));
  return { functions: INLINED.filter((name) => !names.has(name)), wrappers, pointers, crowds, calledOnly };
}

/**
 * The program with calls redirected and the hints added. `info` is that of `bytes`; `called` are functions of it that
 * are never inlined, `always` some that always are.
 */
export function applyInlining(
  bytes: Uint8Array,
  info: ModuleInfo,
  inlining: Inlining,
  called: readonly number[],
  always: readonly number[] = [],
): Edited {
  const redirects = [...pointerRedirects(inlining.pointers, info), ...crowdRedirects(inlining.crowds, info)];
  return editModule(
    bytes,
    () => redirectCalls(bytes, info, redirects),
    (redirected) => addHints(redirected, info, inlining, called, always),
  );
}

const [ALWAYS, NEVER] = [127, 0];

/** binaryen's section of hints, for functions that are to be inlined wherever they are called, or never. */
function addHints(
  bytes: Uint8Array,
  info: ModuleInfo,
  { wrappers, pointers, crowds, calledOnly }: Inlining,
  called: readonly number[],
  always: readonly number[],
): Edited {
  const added = [...pointers.map(({ inline }) => (inline ? ALWAYS : NEVER)), ...crowds.map(() => NEVER)];
  const never = calledOnly.map(({ callee }) => callee).filter((index) => index >= info.importedFunctions);
  const hints = [
    ...[...wrappers.keys(), ...always].map((index) => [index, ALWAYS] as const),
    ...[...never, ...called].map((index) => [index, NEVER] as const),
    ...added.map((hint, i) => [info.functions.length + i, hint] as const),
  ];
  if (hints.length === 0) return { bytes, shift: 0 };
  // index, number of hints, offset 0: the whole function, size of the hint, the hint
  const entries = hints
    .sort(([a], [b]) => a - b)
    .map(([index, hint]) => concat(encodeU32(index), Uint8Array.of(1, 0, 1, hint)));
  return addCustomSection(bytes, "binaryen.inline", vector(entries));
}
