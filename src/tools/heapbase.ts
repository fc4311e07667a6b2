/**
 * Where a program's heap begins: the first address behind its static data and stack, which linkers call __heap_base.
 *
 * Asked in this order: the option, the exported global, the global of that name in the name section, the export by
 * which the shim of a program with threads tells it; and if none of these is there, what the program's own code calls
 * init with, if that is one constant. O(exports + named globals); a walk over the code for the last.
 */

import { sameType } from "../base/family.js";
import { ToolError } from "../wasm/errors.js";
import { IGNORE, type Operand, walkIfKnown } from "../wasm/instructions.js";
import type { ImportInfo, MemoryInfo, ModuleInfo } from "../wasm/parse.js";
import type { LinkReport } from "./report.js";

/** What gomalloc.c exports where there are threads: a function without parameters that returns &__heap_base. */
export const HEAP_BASE_EXPORT = "gomalloc_heap_base";

const GLOBAL = "__heap_base";
const PAGE = 65536;

interface Found {
  readonly value: number;
  readonly from: "option" | "export" | "name" | "shim";
}

export interface HeapBase {
  /** Undefined: the heap grows memory of its own, or the program calls init. */
  readonly value?: number;
  readonly from: LinkReport["heapBaseFrom"];
}

/** Throws ToolError "heap-base" when the address cannot be one. */
export function findHeapBase(
  program: Uint8Array,
  info: ModuleInfo,
  memory: MemoryInfo,
  option: number | undefined,
  bound: readonly ImportInfo[],
): HeapBase {
  const known = fromGlobal(info) ?? fromShim(program, info);
  const found: Found | undefined = option === undefined ? known : { value: option, from: "option" };
  if (found === undefined) {
    const init = bound.find(({ name }) => name === "init");
    return init === undefined ? { from: "none" } : { ...fromCalls(program, info, memory, init.index), from: "program" };
  }

  const { value } = found;
  const how = `Give the address behind all static data and the stack, which linkers call ${GLOBAL}.`;
  const dataEnd = endOfData(info);
  if (value < dataEnd) {
    throw new ToolError("heap-base", `the heap base ${value} lies in static data, which ends at ${dataEnd}`, how);
  }
  // With threads the start function copies the data, once, to addresses that only its code knows, all below this one.
  if (memory.shared && known !== undefined && value < known.value) {
    throw new ToolError("heap-base", `the heap base ${value} lies below ${GLOBAL}, which is ${known.value}`, how);
  }
  if (value > memory.initial * PAGE) {
    const end = memory.initial * PAGE;
    throw new ToolError(
      "heap-base",
      `the heap base ${value} lies behind the initial memory, which ends at ${end}`,
      how,
    );
  }
  return found;
}

/** Functions of the allocators in the libcs of WebAssembly. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["dlmalloc", "dlmalloc"],
  ["try_init_allocator", "dlmalloc"],
  ["emmalloc_memalign", "emmalloc"],
  ["emmalloc_malloc", "emmalloc"],
]);

const WITHOUT =
  "To have gomalloc alone, build the program without that allocator: in C compile native/gomalloc.c in, in Zig " +
  "leave -lc out";

/**
 * The base beside an allocator that the program has kept and that takes what lies above __heap_base for its own, as the
 * libcs' do. Where that ends is a constant in its code, the end of the initial memory: the heap begins there. Where it
 * asks for the memory's size instead, it would take what the heap has grown: refused. An address that the caller gave
 * is not changed. Throws ToolError "heap-base".
 */
export function besideOther(
  program: Uint8Array,
  info: ModuleInfo,
  memory: MemoryInfo,
  base: HeapBase,
  bound: readonly ImportInfo[],
): { readonly base: HeapBase; readonly warnings: readonly string[] } {
  const start = base.from === "option" ? (fromGlobal(info) ?? fromShim(program, info))?.value : base.value;
  if (base.value === undefined || start === undefined) return { base, warnings: [] };
  const end = memory.initial * PAGE;
  const uses = usesOf(program, info, bound, start, end);
  const name = kept(info);
  if (!uses.start) {
    const beside = `the program has kept an allocator of its own, ${name}, which seems to take only memory that it grows`;
    return { base, warnings: name === undefined ? [] : [`${beside}. ${WITHOUT}`] };
  }
  if (name === undefined && !uses.grows) return { base, warnings: [] };

  const what =
    name === undefined
      ? `code of the program takes memory from ${GLOBAL} (${start}) on, as an allocator of its own does`
      : `the program has kept an allocator of its own, ${name}, which takes memory from ${GLOBAL} (${start}) on`;
  if (base.from === "option") {
    const clash = base.value < end;
    return { base, warnings: clash ? [`${what}: the heap base ${base.value} must lie behind all of it`] : [] };
  }
  if (uses.end)
    return { base: { value: end, from: "end" }, warnings: [`${what}: the heap begins behind it. ${WITHOUT}`] };
  const calls = bound.some((entry) => entry.name === "init");
  if (name === undefined && !calls && !memory.shared) {
    return { base: { from: "none" }, warnings: [`${what}: gomalloc takes only memory that it grows. ${WITHOUT}`] };
  }
  throw new ToolError(
    "heap-base",
    `${what}, up to where the memory happens to end: the two would spoil each other's memory`,
    `${WITHOUT}; or, if you know where its memory ends, give that address as the heap base.`,
  );
}

/** "emmalloc (function emmalloc_memalign)", if names tell. */
function kept(info: ModuleInfo): string | undefined {
  for (const [index, name] of info.functionNames) {
    const other = index < info.importedFunctions ? undefined : OTHERS.get(name);
    if (other !== undefined) return `${other} (function ${name})`;
  }
  return undefined;
}

/**
 * Whether code or data has the addresses, but for calls of init and the shim's function; and whether it grows memory.
 */
function usesOf(
  program: Uint8Array,
  info: ModuleInfo,
  bound: readonly ImportInfo[],
  start: number,
  end: number,
): { readonly start: boolean; readonly end: boolean; readonly grows: boolean } {
  const init = bound.find(({ name }) => name === "init")?.index;
  const shim = shimFunctions(program, info);
  let [starts, ends] = [wordsOf(program, info, start), 0];
  let grows = false;
  for (const [i, body] of info.bodies.entries()) {
    if (shim.includes(info.importedFunctions + i)) continue;
    walkIfKnown(program, body.start, body.end, info, {
      ...IGNORE,
      constant: (value) => {
        if (value >>> 0 === start) starts++;
        if (value >>> 0 === end) ends++;
      },
      call: (callee, last) => {
        if (callee === init && last?.kind === "const" && last.value === start) starts--;
      },
      memoryGrow: () => {
        grows = true;
      },
    });
  }
  return { start: starts > 0, end: ends > 0, grows };
}

/** How many aligned words of the static data are `value`: pointers to there, most likely. */
function wordsOf(program: Uint8Array, info: ModuleInfo, value: number): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let count = 0;
  for (const { offset, start, size } of info.data) {
    if (offset === undefined) continue;
    for (let at = (4 - (offset & 3)) & 3; at + 4 <= size; at += 4) {
      if (view.getUint32(start + at, true) === value) count++;
    }
  }
  return count;
}

function fromGlobal(info: ModuleInfo): Found | undefined {
  const exported = info.exports.find(({ name, kind }) => kind === "global" && name === GLOBAL);
  if (exported !== undefined) {
    const value = info.globals[exported.index]?.value;
    if (value !== undefined) return { value, from: "export" };
  }
  for (const [index, name] of info.globalNames) {
    const value = name === GLOBAL ? info.globals[index]?.value : undefined;
    if (value !== undefined) return { value, from: "name" };
  }
  return undefined;
}

function endOfData(info: ModuleInfo): number {
  return info.data.reduce((end, { offset, size }) => (offset === undefined ? end : Math.max(end, offset + size)), 0);
}

/**
 * The address that the program calls init with, when all its calls have the same constant, which may be a heap's base.
 * What starts a program with threads is not looked at: there every instance has to know.
 */
function fromCalls(program: Uint8Array, info: ModuleInfo, memory: MemoryInfo, init: number): { value?: number } {
  const values = new Set<number | undefined>();
  const look = {
    ...IGNORE,
    call: (callee: number, last: Operand | undefined) => {
      if (callee === init) values.add(last?.kind === "const" ? last.value : undefined);
    },
    functionReference: (callee: number) => {
      if (callee === init) values.add(undefined);
    },
  };
  const known = !memory.shared && info.bodies.every(({ start, end }) => walkIfKnown(program, start, end, info, look));
  const [value, ...more] = values;
  const fits = value !== undefined && value >= endOfData(info) && value <= memory.initial * PAGE;
  return known && fits && more.length === 0 ? { value } : {};
}

/** The shim's function that returns the address, and the one that it calls inside wasm-ld's wrapper (frames.ts). */
function shimFunctions(program: Uint8Array, info: ModuleInfo): readonly number[] {
  const entry = info.exports.find(({ name, kind }) => kind === "function" && name === HEAP_BASE_EXPORT);
  const body = entry && info.bodies[entry.index - info.importedFunctions];
  if (body === undefined || !hasType(info, entry!.index, ["i32"])) return [];
  const functions = [entry!.index];
  const call = (callee: number) => {
    if (hasType(info, callee, ["i32"])) functions.push(callee);
  };
  return walkIfKnown(program, body.start, body.end, info, { ...IGNORE, call }) ? functions : [];
}

function hasType(info: ModuleInfo, index: number, results: readonly string[]): boolean {
  const type = info.functions[index];
  return type !== undefined && sameType(type, { params: [], results });
}

/**
 * The one constant in the shim's function, which does nothing but return it, perhaps between constructors and
 * destructors.
 */
function fromShim(program: Uint8Array, info: ModuleInfo): Found | undefined {
  const constants: number[] = [];
  let others = false;
  const other = () => {
    others = true;
  };
  const functions = shimFunctions(program, info);
  for (const index of functions) {
    const body = info.bodies[index - info.importedFunctions];
    const known =
      body !== undefined &&
      walkIfKnown(program, body.start, body.end, info, {
        ...IGNORE,
        call: (callee) => {
          if (!functions.includes(callee) && !hasType(info, callee, [])) other();
        },
        indirectCall: other,
        access: other,
        mask: other,
        constant: (value) => constants.push(value >>> 0),
        functionReference: other,
        memorySize: other,
        memoryGrow: other,
      });
    if (!known) return undefined;
  }
  const [value, ...more] = new Set(constants);
  return others || value === undefined || more.length > 0 ? undefined : { value, from: "shim" };
}
