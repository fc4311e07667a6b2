/**
 * The options of the tools: checked before anything is read. Every fault is a ToolError that names the remedy, and
 * the checks run no code of the caller's but getters of options, which are read once.
 */
import { boolean, namesOf, object, oneOf, reading, readOptions, show, text, within } from "../base/check.js";
import { orToolError } from "../wasm/errors.js";
import type { FlavourName, Growth } from "./allocator.js";
import type { RoleName } from "./swap/rolenames.js";

/** Levels of wasm-opt. */
const LEVELS = ["O0", "O1", "O2", "O3", "O4", "Os", "Oz"] as const;
export type OptimizeLevel = (typeof LEVELS)[number];

export interface LinkOptions {
  /**
   * First address of the heap, in bytes: all from there to the memory's end is the heap's. Default: the program's
   * global __heap_base, exported or named, or what the shim of a program with threads says. Below the end of a data
   * segment or above the end of memory: refused; with threads, also below the program's __heap_base.
   */
  readonly heapBase?: number | undefined;
  /** Default: the smallest that has what the program imports. */
  readonly flavour?: FlavourName | undefined;
  /** Level of wasm-opt for the whole program. O0: not optimised at all. Default: O3. */
  readonly optimize?: OptimizeLevel | undefined;
  /**
   * Inline malloc, free, free_sized, realloc and malloc_usable_size into their callers, calls through pointers
   * included, as far as the program does not grow by much. Default: true, but false for Os and Oz. At O0 and O1 nothing
   * is inlined.
   */
  readonly inline?: boolean | undefined;
  /** Keep function names. Default: when the program has them. */
  readonly names?: boolean | undefined;
  /** The source map of the program's module: its text, to be carried over. */
  readonly sourceMap?: string | Uint8Array | undefined;
  /** What the result's section sourceMappingURL says. Default: what the program's says. */
  readonly sourceMapUrl?: string | undefined;
  /**
   * Sample allocations, for heap profiles and guarded blocks: the result imports option, stack and report from module
   * gomalloc, which profileImports of gomalloc/profile gives. Default: false. With it `names` is true by default.
   */
  readonly profile?: boolean | undefined;
  /** Export the whole malloc family, for JavaScript to call. Default: false. */
  readonly exportFamily?: boolean | undefined;
  /**
   * How the heap gets more memory. Default "auto": by the import that emscripten made for it, if the program has it.
   */
  readonly growth?: "auto" | Growth | undefined;
  /** Called with half a line when a step that may take long begins. */
  readonly onProgress?: ((step: string) => void) | undefined;
}

export interface SwapOptions extends LinkOptions {
  /**
   * Which functions the members are, where names do not tell: for each role the name of an export or function, or a
   * function's index. Default: what is exported or named as C libraries do, and what behaves so.
   */
  readonly family?: Readonly<Partial<Record<RoleName, string | number>>> | undefined;
}

const MAX_ADDRESS = 0xffffffff;
const FLAVOURS = ["malloc", "host"] as const;
const GROWTHS = ["auto", "memory.grow", "emscripten", "notify"] as const;

const LINK_OPTIONS = namesOf<LinkOptions>({
  heapBase: 0,
  flavour: 0,
  optimize: 0,
  inline: 0,
  names: 0,
  sourceMap: 0,
  sourceMapUrl: 0,
  profile: 0,
  exportFamily: 0,
  growth: 0,
  onProgress: 0,
});
const SWAP_OPTIONS = [...LINK_OPTIONS, ...namesOf<Omit<SwapOptions, keyof LinkOptions>>({ family: 0 })];

/** The options of link, each read once and checked. Throws ToolError "option". */
export function readLinkOptions(given: LinkOptions): LinkOptions {
  return checked(() => checkLink(readOptions(given, LINK_OPTIONS, "link")));
}

/** The options of swap. `family` is looked at by who finds the members. Throws ToolError "option". */
export function readSwapOptions(given: SwapOptions): SwapOptions {
  return checked(() => {
    const { family, ...options } = checkLink(readOptions(given, SWAP_OPTIONS, "swap"));
    if (family === undefined) return options;
    const roles = reading("family", () => ({ ...object(family, "family") }));
    for (const [role, told] of Object.entries<unknown>(roles)) {
      if (typeof told === "string" || told === undefined || (Number.isInteger(told) && Number(told) >= 0)) continue;
      throw new TypeError(`family.${role} must be a name or a function's index: ${show(told)}`);
    }
    return { ...options, family: roles };
  });
}

function checkLink<T extends LinkOptions>(options: T): T {
  const {
    heapBase,
    flavour,
    optimize,
    inline,
    names,
    sourceMap,
    sourceMapUrl,
    profile,
    exportFamily,
    growth,
    onProgress,
  } = options;
  if (heapBase !== undefined) within(heapBase, 0, MAX_ADDRESS, "heapBase");
  if (flavour !== undefined) oneOf(flavour, FLAVOURS, "flavour");
  if (optimize !== undefined) oneOf(optimize, LEVELS, "optimize");
  if (inline !== undefined) boolean(inline, "inline");
  if (names !== undefined) boolean(names, "names");
  if (sourceMap !== undefined && !ArrayBuffer.isView(sourceMap)) text(sourceMap, "sourceMap, or its bytes,");
  if (sourceMapUrl !== undefined) text(sourceMapUrl, "sourceMapUrl");
  if (profile !== undefined) boolean(profile, "profile");
  if (exportFamily !== undefined) boolean(exportFamily, "exportFamily");
  if (growth !== undefined) oneOf(growth, GROWTHS, "growth");
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`onProgress must be a function: ${show(onProgress)}`);
  }
  return options;
}

function checked<T>(check: () => T): T {
  return orToolError(check, "Correct the option, or leave it out.");
}
