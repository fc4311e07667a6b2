/**
 * Calls of the family through pointers: cJSON's hooks, Lua's and QuickJS's allocator functions, `xmlMalloc`. No
 * optimiser sees through a table, so nothing of malloc is inlined there, and every call pays for the engine's checks of
 * it.
 *
 * For a type of function of which the table has few, one of them the family's, every call_indirect becomes a call of a
 * new function `pointer`, to be inlined, that takes the index as its last parameter:
 *
 *     index == slot of malloc ? malloc(...) : call_indirect (...) index
 *
 * That does what the program did as long as no slot that a segment has filled is ever overwritten. Programs whose code
 * could do that, or whose table comes from outside, are left alone; a table that is exported counts as never
 * overwritten, as it does for emscripten. A call takes no more bytes than the call_indirect had, so nothing moves
 * within the code.
 *
 * Gain: without this file Lua (binary trees) takes 1.02x of the processor time and cJSON (small documents) 1.06x; their
 * modules are 0.2 and 6 % smaller. Medians of 9 rounds with this file switched off:
 * npm run bench:programs -- --programs lua,cjson --workloads "binary|small" --rounds 9
 *
 * Cost: one walk over the code.
 */

import { encodeS32, encodeU32, getParams, type NewFunction, OP, valueTypeCode } from "../../wasm/edit.js";
import { IGNORE, type IndirectCall, walkIfKnown } from "../../wasm/instructions.js";
import { type FunctionType, functionName, type ModuleInfo } from "../../wasm/parse.js";
import { growthBudget, INLINED_BYTES } from "./budget.js";
import { hasRoom, type Redirect } from "./redirect.js";

/**
 * Functions of one type in the table. With more a call through a pointer is rarely one of the family, or of its
 * callers.
 */
const MAX_FUNCTIONS = 8;
const MAX_FUNCTIONS_CALLERS = 5;
/** Bytes of a body. Allocator functions that call the family have 10 to 120; what has more does other things beside. */
const MAX_CALLER = 128;
/** Functions that a call's index is compared with. */
const MAX_TARGETS = 3;
/** Bytes that a call grows by, about, where the comparison is inlined and what is behind it is not. */
const CALLED_BYTES = 20;
/** The part of the code that all of them may add to it. More is not inlined. */
const BUDGET_PART = 10;

const NONE: ReadonlySet<number> = new Set();

/** Value types that any function type written here may have. */
const PLAIN = ["i32", "i64", "f32", "f64", "v128"];

interface Target {
  /** In table 0. */
  readonly slot: number;
  readonly index: number;
}

/** The calls of one type through table 0, and what they are likely to call. */
interface Candidate {
  readonly type: FunctionType;
  /** A number of that type. */
  readonly typeIndex: number;
  /** First those of the family, then those that call it; at least one. */
  readonly targets: readonly Target[];
  readonly sites: readonly IndirectCall[];
}

export interface PointerCalls extends Candidate {
  /** The comparison is to be inlined at all of the calls. */
  readonly inline: boolean;
}

export interface Callees {
  /** Functions that are the family's, imported ones and thin wrappers of them. */
  readonly family: ReadonlySet<number>;
  /** Those of them that are inlined wherever they are called. */
  readonly inlined: ReadonlySet<number>;
}

/** What can be redirected in the module, in the order of types. Empty when a slot might change. */
export function findPointerCalls(bytes: Uint8Array, info: ModuleInfo, callees: Callees): PointerCalls[] {
  const slots = readTable(info);
  if (slots === undefined || slots.size === 0) return [];
  const code = readCode(bytes, info, callees.family);
  if (code === undefined) return [];

  const targetsOf = byType(
    [...slots].map(([slot, index]) => ({ slot, index })),
    ({ index }) => info.functions[index],
  );
  const sitesOf = byType(code.sites, ({ type }) => info.types[type]);
  const found: Candidate[] = [];
  for (const [key, typeIndex] of plainTypes(info)) {
    const [ofType, sites] = [targetsOf.get(key) ?? [], sitesOf.get(key) ?? []];
    if (ofType.length > MAX_FUNCTIONS || sites.length === 0) continue;
    // A function in several slots is what an optimiser made of several alike, destructors for instance.
    const once = ofType.filter(({ index }) => ofType.filter((other) => other.index === index).length === 1);
    const family = once.filter(({ index }) => callees.family.has(index));
    const calling = ofType.length > MAX_FUNCTIONS_CALLERS ? NONE : code.callers;
    const callers = once.filter(({ index }) => !callees.family.has(index) && calling.has(index));
    const targets = [...family, ...callers].slice(0, MAX_TARGETS);
    if (targets.length > 0) found.push({ type: info.types[typeIndex]!, typeIndex, targets, sites });
  }
  return withinBudget(found, info, callees.inlined);
}

/** The functions in the slots of table 0 once the module runs; undefined when that is not known. */
function readTable(info: ModuleInfo): Map<number, number> | undefined {
  if (info.imports.some(({ kind, index }) => kind === "table" && index === 0)) return undefined;
  const slots = new Map<number, number>();
  for (const { active, table, offset, functions } of info.elements) {
    if (!active || table !== 0) continue;
    if (offset === undefined) return undefined;
    for (const [i, index] of functions.entries()) {
      if (index === undefined) slots.delete(offset + i);
      else slots.set(offset + i, index);
    }
  }
  return slots;
}

interface Code {
  /** Calls through table 0 that have room for a call of a new function. */
  readonly sites: readonly IndirectCall[];
  /** Short functions that call one of the family. */
  readonly callers: ReadonlySet<number>;
}

/** Undefined when the code changes a table, or may: an instruction is not known. */
function readCode(bytes: Uint8Array, info: ModuleInfo, family: ReadonlySet<number>): Code | undefined {
  const sites: IndirectCall[] = [];
  const callers = new Set<number>();
  let changes = false;
  // Tail calls stay as they are: through another function they would not be such any more.
  const last = info.functions.length + info.types.length;
  const fits = (site: IndirectCall) => site.table === 0 && !site.tail && hasRoom(site, last);
  const known = info.bodies.every(({ start, end }, i) =>
    walkIfKnown(bytes, start, end, info, {
      ...IGNORE,
      call: (callee) => {
        if (family.has(callee) && end - start <= MAX_CALLER) callers.add(info.importedFunctions + i);
      },
      indirectCall: (site) => {
        if (site !== undefined && fits(site)) sites.push(site);
      },
      tableChange: () => {
        changes = true;
      },
    }),
  );
  return known && !changes ? { sites, callers } : undefined;
}

/** For each different type that can be written anew, its key and its first number. */
function plainTypes(info: ModuleInfo): Map<string, number> {
  const types = new Map<string, number>();
  // Types of the GC proposal can differ though they look alike.
  if (info.gc) return types;
  for (const [i, type] of info.types.entries()) {
    if (type === undefined || type.results.length > 1) continue;
    if (![...type.params, ...type.results].every((name) => PLAIN.includes(name))) continue;
    const key = typeKey(type);
    if (!types.has(key)) types.set(key, i);
  }
  return types;
}

function typeKey(type: FunctionType | undefined): string {
  return type === undefined ? "" : `${type.params.join(" ")} -> ${type.results.join(" ")}`;
}

function byType<T>(list: readonly T[], typeOf: (one: T) => FunctionType | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const key = typeKey(typeOf(one));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

/** Which of them are inlined: those that add least first, as long as the code does not grow by too much. */
function withinBudget(found: readonly Candidate[], info: ModuleInfo, inlined: ReadonlySet<number>): PointerCalls[] {
  let left = growthBudget(info, BUDGET_PART);
  const growth = ({ targets, sites }: Candidate) =>
    targets.reduce((sum, { index }) => sum + (inlined.has(index) ? INLINED_BYTES : CALLED_BYTES), 0) * sites.length;
  const chosen = new Set<Candidate>();
  for (const calls of [...found].sort((a, b) => growth(a) - growth(b))) {
    left -= growth(calls);
    if (left >= 0) chosen.add(calls);
  }
  return found.map((calls) => ({ ...calls, inline: chosen.has(calls) }));
}

/** The calls with what takes their place, in order: calls of functions that compare, one for each of `pointers`. */
export function pointerRedirects(pointers: readonly PointerCalls[], info: ModuleInfo): Redirect[] {
  return pointers.map((one) => ({ sites: one.sites, to: newFunction(one, info) }));
}

const NO_RESULT = 0x40;

/** Parameters of the type, then the index; see the file's header. */
function newFunction({ type, typeIndex, targets }: PointerCalls, info: ModuleInfo): NewFunction {
  const { params, results } = type;
  const result = results[0] === undefined ? NO_RESULT : valueTypeCode(results[0]);
  const args = getParams(type);
  const index = [OP.get, ...encodeU32(params.length)];
  const compared = targets.flatMap(({ slot, index: callee }) => [
    ...[...index, OP.const, ...encodeS32(slot), OP.eq],
    ...[OP.if, result, ...args, OP.call, ...encodeU32(callee), OP.else],
  ]);
  const otherwise = [...args, ...index, OP.callIndirect, ...encodeU32(typeIndex), ...encodeU32(0)];
  const ends = targets.map(() => OP.end);
  return {
    name: `gomalloc/pointer:${targets.map(({ index: callee }) => functionName(info, callee)).join("|")}`,
    type: { params: [...params, "i32"], results },
    // no locals, and the end of the function behind those of the comparisons
    body: Uint8Array.of(0, ...compared, ...otherwise, ...ends, OP.end),
  };
}
