/**
 * gomalloc/tools: putting gomalloc into compiled programs. Node only; needs the npm package binaryen, which is not
 * installed with gomalloc.
 *
 *   link(program)     merges the allocator into a module that imports the malloc family
 *   swap(program)     replaces the allocator that a module has in it
 *   inspect(program)  what a module imports, exports and has for a memory
 *
 * All of them throw ToolError, whose `code` programs may switch on and whose `fix` says what to do.
 */

export { ToolError, type ToolErrorCode } from "../wasm/errors.js";
export {
  type Body,
  type DataSegment,
  type ExportInfo,
  type ExternKind,
  type FunctionType,
  type GlobalInfo,
  type ImportInfo,
  inspect,
  type MemoryInfo,
  type ModuleInfo,
  type Section,
} from "../wasm/parse.js";
export type { FlavourName, Growth } from "./allocator.js";
export { type LinkOptions, type LinkResult, link, type OptimizeLevel } from "./link.js";
export { formatReport, type LinkReport } from "./report.js";
export {
  type FoundBy,
  formatSwapReport,
  type RoleName,
  type SwapOptions,
  type SwapReport,
  type SwapResult,
  swap,
} from "./swap/swap.js";
