/**
 * What a link of a program that imports the family and one of a program with libgomalloc.a in it have in common.
 */
import { ENV, sameType, typeText } from "../base/family.js";
import { ToolError } from "../wasm/errors.js";
import type { MemoryInfo, ModuleInfo } from "../wasm/parse.js";
import { GROWTH_IMPORTS, type Growth } from "./allocator.js";
import type { LinkOptions, OptimizeLevel } from "./arguments.js";
import type { Inlining } from "./inline/inlining.js";
import type { Sighted } from "./memorysize.js";
import type { LinkReport } from "./report.js";
import { restoreSources } from "./sourcemap.js";

/** The program's export that gomalloc_misuse calls, and its type. */
export const MISUSE_HOOK = "gomalloc_on_misuse";
const MISUSE_HOOK_TYPE = { params: ["i32", "i32"], results: [] };

export interface LinkResult {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** When a source map was given. */
  readonly sourceMap?: string;
  readonly report: LinkReport;
}

export function inlines(level: OptimizeLevel, wanted: boolean | undefined): boolean {
  if (level === "O0" || level === "O1") return false;
  return wanted ?? !(level === "Os" || level === "Oz");
}

export function chooseGrowth(info: ModuleInfo, wanted: "auto" | Growth): Growth {
  const imported = (growth: "emscripten" | "notify") => {
    const results = growth === "emscripten" ? ["i32"] : [];
    return info.imports.some(
      ({ module, name, type }) =>
        module === ENV &&
        name === GROWTH_IMPORTS[growth] &&
        type !== undefined &&
        sameType(type, { params: ["i32"], results }),
    );
  };
  if (wanted === "auto") return imported("emscripten") ? "emscripten" : imported("notify") ? "notify" : "memory.grow";
  if (wanted !== "memory.grow" && !imported(wanted)) {
    const name = GROWTH_IMPORTS[wanted];
    throw new ToolError(
      "option",
      `growth ${wanted} needs the import ${ENV}.${name}, which the module does not have`,
      `Make the program import it (with emscripten: refer to ${name} in C), or leave the option out.`,
    );
  }
  return wanted;
}

/** The index of the program's hook. Throws ToolError "signature". */
export function findMisuseHook(info: ModuleInfo): number | undefined {
  const entry = info.exports.find(({ name, kind }) => kind === "function" && name === MISUSE_HOOK);
  if (entry === undefined) return undefined;
  const type = info.functions[entry.index];
  if (type === undefined || !sameType(type, MISUSE_HOOK_TYPE)) {
    throw new ToolError(
      "signature",
      `the export ${MISUSE_HOOK} is ${type ? typeText(type) : "of another type"}, not ${typeText(MISUSE_HOOK_TYPE)}`,
      `Declare it as void ${MISUSE_HOOK}(int kind, void *ptr).`,
    );
  }
  return entry.index;
}

export interface Limits {
  readonly initial: number;
  readonly maximum?: number;
}

/** The report's lines about the memory. */
export function reportMemory(
  memory: MemoryInfo,
  limits: Limits | undefined,
  { compares }: Sighted,
): Pick<LinkReport, "memory" | "compares"> {
  return {
    memory: {
      imported: memory.imported !== undefined,
      ...(memory.shared ? { shared: true } : {}),
      ...reportLimits(memory, limits),
    },
    ...(memory.shared ? { compares } : {}),
  };
}

function reportLimits(memory: MemoryInfo, limits: Limits | undefined): Limits & { before?: Limits } {
  const before = { initial: memory.initial, ...(memory.maximum === undefined ? {} : { maximum: memory.maximum }) };
  if (limits === undefined) return before;
  const after = { initial: limits.initial, ...(memory.maximum === undefined ? {} : { maximum: limits.maximum! }) };
  return { ...after, before };
}

/** Lines about calls through pointers and crowds. */
export function reportCalls(
  { pointers, crowds, calledOnly }: Inlining,
  nameOf: (index: number) => string,
): Pick<LinkReport, "pointers" | "crowds"> {
  return {
    pointers: pointers.map(({ targets, sites }) => ({
      functions: targets.map((one) => nameOf(one.index)),
      calls: sites.length,
    })),
    crowds: [...crowds, ...calledOnly].map(({ callee, sites }) => ({ function: nameOf(callee), calls: sites.length })),
  };
}

export function keptNames(kept: boolean, info: ModuleInfo): LinkReport["names"] {
  return kept ? "kept" : info.named ? "removed" : "none";
}

/** `made`: the source map of the result; `given`: the program's. */
export function resultOf(
  wasm: Uint8Array,
  made: string | undefined,
  given: LinkOptions["sourceMap"],
  report: LinkReport,
): LinkResult {
  const result = { wasm: new Uint8Array(wasm), report };
  return made === undefined ? result : { ...result, sourceMap: restoreSources(made, given ?? made) };
}
