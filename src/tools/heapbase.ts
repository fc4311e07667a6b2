/**
 * Where a program's heap begins: the first address behind its static data and stack, which linkers call __heap_base.
 *
 * Asked in this order: the option, the exported global, the global of that name in the name section, the export by
 * which the shim of a program with threads tells it; and if none of these is there, what the program's own code calls
 * init with, if that is one constant. O(exports + named globals); a walk over the code for the last.
 */
import { ToolError } from "./errors.js";
import { sameType } from "./family.js";
import type { ImportInfo, MemoryInfo, ModuleInfo } from "./module.js";
import type { LinkReport } from "./report.js";
import { IGNORE, type Operand, walkIfKnown } from "./swap/instructions.js";

/** What gomalloc.c exports where there are threads: a function without parameters that returns &__heap_base. */
export const HEAP_BASE_EXPORT = "gomalloc_heap_base";

const GLOBAL = "__heap_base";
const PAGE = 65536;

interface Found {
  readonly value: number;
  readonly from: "option" | "export" | "name" | "shim";
}

/** Throws ToolError "heap-base" when the address cannot be one. */
export function findHeapBase(
  program: Uint8Array,
  info: ModuleInfo,
  memory: MemoryInfo,
  option: number | undefined,
  bound: readonly ImportInfo[],
): { value?: number; from: LinkReport["heapBaseFrom"] } {
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

/** Functions of the allocators in the libcs of WebAssembly: these begin at __heap_base too, or at the memory's end. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["dlmalloc", "dlmalloc"],
  ["try_init_allocator", "dlmalloc"],
  ["emmalloc_memalign", "emmalloc"],
  ["emmalloc_malloc", "emmalloc"],
]);

/** What may be amiss when the heap takes all from `base` on: an allocator that the program has kept. By names only. */
export function heapBaseWarnings(info: ModuleInfo, base: number | undefined): string[] {
  if (base === undefined) return [];
  for (const [index, name] of info.functionNames) {
    const other = index < info.importedFunctions ? undefined : OTHERS.get(name);
    if (other === undefined) continue;
    return [
      `the program has kept an allocator of its own, ${other} (function ${name}): should that begin at ${GLOBAL} too, ` +
        "the two spoil each other's memory. Compile native/gomalloc.c in, in the place of libc's malloc, or do not " +
        `export ${GLOBAL}: gomalloc then takes only memory that it grows`,
    ];
  }
  return [];
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

/** The one constant in the body of the shim's function, which does nothing but return it. */
function fromShim(program: Uint8Array, info: ModuleInfo): Found | undefined {
  const entry = info.exports.find(({ name, kind }) => kind === "function" && name === HEAP_BASE_EXPORT);
  const type = entry && info.functions[entry.index];
  const body = entry && info.bodies[entry.index - info.importedFunctions];
  if (body === undefined || type === undefined || !sameType(type, { params: [], results: ["i32"] })) return undefined;
  const constants: number[] = [];
  let others = false;
  const other = () => {
    others = true;
  };
  const known = walkIfKnown(program, body.start, body.end, info, {
    ...IGNORE,
    call: other,
    indirectCall: other,
    access: other,
    mask: other,
    constant: (value) => constants.push(value >>> 0),
    functionReference: other,
    memorySize: other,
    memoryGrow: other,
  });
  const [value, ...more] = new Set(constants);
  return !known || others || value === undefined || more.length > 0 ? undefined : { value, from: "shim" };
}
