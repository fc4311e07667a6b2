/**
 * The options of the tools: checked before anything is read. Every fault is a ToolError that names the remedy, and
 * the checks run no code of the caller's but getters of options, which are read once.
 */
import { boolean, namesOf, object, oneOf, reading, readOptions, show, text, within } from "../check.js";
import { orToolError } from "./errors.js";
import type { LinkOptions } from "./link.js";
import type { SwapOptions } from "./swap/swap.js";

/** Levels of wasm-opt. */
const LEVELS = ["O0", "O1", "O2", "O3", "O4", "Os", "Oz"] as const;
export type OptimizeLevel = (typeof LEVELS)[number];

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
  const { heapBase, flavour, optimize, inline, names, sourceMap, sourceMapUrl, exportFamily, growth, onProgress } =
    options;
  if (heapBase !== undefined) within(heapBase, 0, MAX_ADDRESS, "heapBase");
  if (flavour !== undefined) oneOf(flavour, FLAVOURS, "flavour");
  if (optimize !== undefined) oneOf(optimize, LEVELS, "optimize");
  if (inline !== undefined) boolean(inline, "inline");
  if (names !== undefined) boolean(names, "names");
  if (sourceMap !== undefined && !ArrayBuffer.isView(sourceMap)) text(sourceMap, "sourceMap, or its bytes,");
  if (sourceMapUrl !== undefined) text(sourceMapUrl, "sourceMapUrl");
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
