/**
 * link of a program that was linked with libgomalloc.a (archived.ts): the same inlining, with nothing to merge.
 *
 * Cost: as long as wasm-opt takes for the program.
 */
import { editModule } from "../wasm/edit.js";
import { ToolError } from "../wasm/errors.js";
import { functionName, type ModuleInfo } from "../wasm/parse.js";
import { acceptProgram } from "./accept.js";
import type { Archived } from "./archived.js";
import type { LinkOptions } from "./arguments.js";
import { applyInlining, findInlining, NOTHING_INLINED } from "./inline/inlining.js";
import {
  chooseGrowth,
  findMisuseHook,
  inlines,
  keptNames,
  type LinkResult,
  MISUSE_HOOK,
  reportCalls,
  reportMemory,
  resultOf,
} from "./linked.js";
import { compareSizes, sizeWarnings } from "./memorysize.js";
import { checkResult, inNarrowest, optimise, removeStale, withSourceMapUrl } from "./optimise.js";
import type { LinkReport } from "./report.js";
import { moveSourceMap, shiftSourceMap } from "./sourcemap.js";
import { refuseInvalid } from "./validity.js";

/**
 * A program that has gomalloc from libgomalloc.a: nothing is merged, and the functions that are there are inlined as those
 * of a merge are. Throws ToolError "option" for the options that are about a merge.
 */
export async function linkArchived(
  program: Uint8Array,
  info: ModuleInfo,
  archived: Archived,
  options: LinkOptions,
): Promise<LinkResult> {
  const memory = acceptProgram(info);
  refuseInvalid(program, info);
  for (const name of ["heapBase", "flavour", "growth", "profile", "exportFamily"] as const) {
    if (!options[name] || options[name] === "auto") continue;
    throw new ToolError(
      "option",
      `the program was linked with libgomalloc.a: the option ${name} is for programs that import malloc and free`,
      "Leave the option out, or give it to the linker: --export=malloc, another archive of lib/ (libgomalloc-profile.a samples).",
    );
  }
  const optimize = options.optimize ?? "O3";
  const inline = inlines(optimize, options.inline);
  const names = options.names ?? info.named;
  const sighted = compareSizes(program, info, memory);
  const inlining = inline ? findInlining(sighted.bytes, sighted.info, archived.family) : NOTHING_INLINED;
  const { wrappers } = inlining;
  const always = archived.family.filter(({ name }) => inlining.functions.includes(name)).map(({ index }) => index);
  const warnings = [...sizeWarnings(sighted)];
  const edited = editModule(
    sighted.bytes,
    (bytes) => applyInlining(bytes, sighted.info, inlining, [...sighted.called, ...archived.slow], always),
    (bytes) => removeStale(bytes, sighted.info, warnings, options.sourceMap !== undefined),
  );
  const map = options.sourceMap;
  const before = map === undefined ? undefined : shiftSourceMap(moveSourceMap(map, sighted.moves), edited.shift);
  const made = await inNarrowest(info, (features) => {
    options.onProgress?.(`optimising (-${optimize})`);
    const built = before === undefined ? { wasm: edited.bytes } : { wasm: edited.bytes, map: before };
    return optimise(built, features, { optimize, names });
  });
  const wasm = withSourceMapUrl(made, info, options);
  const known = new Map(archived.family.map(({ name, index }) => [index, name]));
  const nameOf = (index: number): string => {
    const callee = wrappers.get(index) ?? index;
    return sighted.info.functionNames.get(index) ?? known.get(callee) ?? functionName(sighted.info, callee);
  };
  const report: LinkReport = {
    bound: archived.family.map(({ name }) => ({ module: ARCHIVE, name })),
    flavour: "archive",
    heapBaseFrom: "archive",
    ...reportMemory(memory, undefined, sighted),
    growth: chooseGrowth(info, "auto"),
    misuse: hasHook(program, info) ? "hook" : "trap",
    wrappers: [...wrappers.keys()].map(nameOf),
    ...reportCalls(inlining, nameOf),
    optimize,
    inline,
    size: { before: program.length, allocator: 0, after: wasm.length },
    names: keptNames(names, info),
    sourceMap: map !== undefined,
    validated: checkResult(program, wasm),
    warnings,
  };
  return resultOf(wasm, made.map, map, report);
}

/** Module of the bound functions in the report of a program that was linked with an archive. */
const ARCHIVE = "libgomalloc.a";

/** Whether the program has a misuse hook of its own; told by its export or its name. The archive's does nothing but trap. */
function hasHook(program: Uint8Array, info: ModuleInfo): boolean {
  if (findMisuseHook(info) !== undefined) return true;
  const [index] = [...info.functionNames].find(([, name]) => name === MISUSE_HOOK) ?? [];
  const body = index === undefined ? undefined : info.bodies[index - info.importedFunctions];
  if (body === undefined) return false;
  const [NO_LOCALS, UNREACHABLE] = [0, 0];
  const code = program.subarray(body.start, body.end);
  return !(code[0] === NO_LOCALS && code[1] === UNREACHABLE);
}
