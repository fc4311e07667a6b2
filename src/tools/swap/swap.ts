/**
 * swap: gomalloc in the place of the allocator inside a compiled program.
 *
 *   find      the family's functions, what only they use, the state they keep (members.ts)
 *   place     where the heap begins, and that nobody else takes memory (growth.ts)
 *   rewrite   the family's bodies become calls of imports (rewrite.ts)
 *   link      the allocator is merged in, initialised, optimised (../link.ts)
 *   check     the result's own malloc, calloc and realloc are tried on their own
 *
 * It is done when it is sure, else refused with the reason; docs/swap.md says how it decides. The program's bytes are
 * never changed. Cost: some seconds for a module of a megabyte, most of them in wasm-opt.
 */

import { ENV } from "../../base/family.js";
import { renameImports } from "../../wasm/edit.js";
import { ToolError, whole } from "../../wasm/errors.js";
import { type ImportInfo, inspect, type MemoryInfo, type ModuleInfo } from "../../wasm/parse.js";
import { acceptProgram } from "../accept.js";
import { GROWTH_IMPORTS } from "../allocator.js";
import { readSwapOptions, type SwapOptions } from "../arguments.js";
import { type LinkResult, linkProgram } from "../link.js";
import type { Built } from "../optimise.js";
import { restoreSources, shiftSourceMap } from "../sourcemap.js";
import { refuseInvalid } from "../validity.js";
import { findHeapBase } from "./growth.js";
import { findAllocator, type OldAllocator } from "./members.js";
import { Probe } from "./probe.js";
import { Program } from "./program.js";
import type { SwapReport } from "./report.js";
import { rewriteMembers } from "./rewrite.js";
import { ROLE_NAMES, type RoleName } from "./rolenames.js";

export type { SwapOptions } from "../arguments.js";
export type { FoundBy } from "./members.js";
export { formatSwapReport, type SwapReport } from "./report.js";
export type { RoleName } from "./rolenames.js";

export interface SwapResult extends Omit<LinkResult, "report"> {
  readonly report: SwapReport;
}

const RESIZE_HEAP = GROWTH_IMPORTS.emscripten;

/** Throws ToolError: those of link, and no-allocator, incomplete-family, inlined-allocator, sbrk, heap-base, unsure. */
export function swap(app: Uint8Array, given: SwapOptions = {}): Promise<SwapResult> {
  return whole("swap", () => swapAllocator(app, given));
}

async function swapAllocator(app: Uint8Array, given: SwapOptions): Promise<SwapResult> {
  const options = readSwapOptions(given);
  const { family = {}, sourceMap, ...linkOptions } = options;
  const info = inspect(app);
  refuseDynamic(info);
  refuseThreads(acceptProgram(info));
  refuseInvalid(app, info);
  refuseLinked(info.imports);
  options.onProgress?.("looking for the allocator");
  const program = new Program(app, info);
  const allocator = findAllocator(program, family);
  const base = findHeapBase(program, allocator, options.heapBase);

  const warnings: string[] = [];
  if (base.from === "none") {
    warnings.push(
      "the heap's base was not found: memory between the old heap's start and the memory's end stays unused",
    );
  }
  const grower = growImport(program, allocator);
  options.onProgress?.("replacing the allocator");
  const rewritten = await rewriteMembers(program, allocator.members.values(), sourceMap);
  const grown = named(rewritten, grower, { module: ENV, name: RESIZE_HEAP });
  const linked = await linkProgram(
    grown.wasm,
    { ...linkOptions, sourceMap: grown.map, ...(base.value === undefined ? {} : { heapBase: base.value }) },
    { swapped: true },
  );
  const { wasm, map } = named(
    { wasm: linked.wasm, ...(linked.sourceMap === undefined ? {} : { map: linked.sourceMap }) },
    grower && { module: ENV, name: RESIZE_HEAP },
    grower,
  );
  const checked = info.start === undefined ? checkResult(wasm, program, allocator) : "not-possible";
  const report = makeReport(program, allocator, { base, linked, checked, warnings, after: wasm.length });
  const whole = map === undefined || sourceMap === undefined ? undefined : restoreSources(map, sourceMap);
  return { wasm: new Uint8Array(wasm), report, ...(whole === undefined ? {} : { sourceMap: whole }) };
}

/**
 * A module of dynamic linking, main or side. Where its data lies may be known at run time only, JavaScript takes memory
 * from __heap_base on for other modules before the program starts, and those may call sbrk.
 */
function refuseDynamic(info: ModuleInfo): void {
  if (!info.dylink) return;
  const moves = info.imports.some(({ name }) => name === "__memory_base");
  throw new ToolError(
    "side-module",
    "the module takes part in dynamic linking (it has a dylink section): " +
      (moves ? "its static data has no fixed addresses" : "the JavaScript beside it loads other modules into its heap"),
    "Build it as one static module: no -sMAIN_MODULE, -sSIDE_MODULE or -fPIC.",
  );
}

/** Which functions are an allocator's is found by trying them, one thread at a time, and their locks stay out of it. */
function refuseThreads({ shared }: MemoryInfo): void {
  if (!shared) return;
  throw new ToolError(
    "shared-memory",
    "the program's memory is shared: swap does not work on programs with threads",
    "Build the program with gomalloc's shim (native/gomalloc.c) and link it: gomalloc link has a flavour for threads.",
  );
}

function refuseLinked(imports: readonly ImportInfo[]): void {
  const sanitizer = imports.find(({ name }) => /^_*(emscripten_sanitizer|asan|lsan|sanitizer)_/.test(name));
  if (sanitizer !== undefined) {
    throw new ToolError(
      "unsure",
      `the program was built with a sanitizer (it imports ${sanitizer.name}), whose allocator and checks are one`,
      "Build it without -fsanitize.",
    );
  }
  const safeHeap = imports.find(({ module, name }) => module === ENV && (name === "segfault" || name === "alignfault"));
  if (safeHeap !== undefined) {
    throw new ToolError(
      "unsure",
      `the program was built with -sSAFE_HEAP (it imports ${safeHeap.name}): every access is checked against sbrk's break`,
      "Build it without -sSAFE_HEAP.",
    );
  }
}

/** The import that grows the memory, when it has another name than link looks for. */
function growImport({ info }: Program, { growImport: index }: OldAllocator): ImportInfo | undefined {
  const entry = info.imports.find((one) => one.kind === "function" && one.index === index);
  return entry && (entry.module !== ENV || entry.name !== RESIZE_HEAP) ? entry : undefined;
}

type Names = { readonly module: string; readonly name: string } | undefined;

/** The module, and its source map, with the function imported as `from` imported as `to`; as it is when there is nothing to rename. */
function named(program: Built, from: Names, to: Names): Built {
  if (from === undefined || to === undefined) return program;
  const { bytes, shift } = renameImports(program.wasm, ({ module, name, kind }) =>
    kind === "function" && module === from.module && name === from.name ? to : undefined,
  );
  return program.map === undefined ? { wasm: bytes } : { wasm: bytes, map: shiftSourceMap(program.map, shift) };
}

/** Tries what the result exports of the family. Throws ToolError "invalid-result". */
function checkResult(
  wasm: Uint8Array,
  before: Program,
  { members, growImport: grow }: OldAllocator,
): SwapReport["checked"] {
  const program = new Program(wasm, inspect(wasm));
  const exported = (role: RoleName) => {
    const names = [...members.values()]
      .filter((one) => one.role === role)
      .flatMap(({ index }) => before.exportsOf(index));
    return program.info.exports.find(({ name, kind }) => kind === "function" && names.includes(name))?.index;
  };
  const [malloc, free] = [exported("malloc"), exported("free")];
  if (malloc === undefined || free === undefined) return "not-possible";
  const growName = before.info.imports.find((one) => one.kind === "function" && one.index === grow);
  const growIndex = program.info.imports.find(
    ({ kind, module, name }) => kind === "function" && module === growName?.module && name === growName.name,
  )?.index;
  const probe = new Probe(program, { start: true });
  if (!probe.works(growIndex)) return "not-possible";
  for (const role of ["malloc", "calloc", "realloc", "memalign", "malloc_usable_size"] as const) {
    const index = exported(role);
    if (index === undefined || probe.is(role, index, { malloc, free, growImport: growIndex })) continue;
    throw new ToolError(
      "invalid-result",
      `the result's ${role} does not work when it is tried on its own`,
      "Try another level of optimisation (-O1), and report the program.",
    );
  }
  return "yes";
}

interface Facts {
  readonly base: { readonly value: number | undefined; readonly from: SwapReport["heapBaseFrom"] };
  readonly linked: LinkResult;
  readonly checked: SwapReport["checked"];
  readonly warnings: readonly string[];
  readonly after: number;
}

function makeReport(
  program: Program,
  allocator: OldAllocator,
  { base, linked, checked, warnings, after }: Facts,
): SwapReport {
  const old = [...allocator.members.keys(), ...allocator.internals];
  const { report } = linked;
  const order = (role: RoleName) => ROLE_NAMES.indexOf(role);
  const sorted = [...allocator.members.values()].sort((a, b) => order(a.role) - order(b.role) || a.index - b.index);
  const members = sorted.map(({ index, role, by }) => {
    return {
      role,
      index,
      name: program.nameOf(index) ?? program.exportsOf(index)[0],
      by,
      exports: program.exportsOf(index),
    };
  });
  return {
    kind: allocator.kind,
    members: members.map(({ name, ...member }) => (name === undefined ? member : { ...member, name })),
    internals: allocator.internals.size,
    oldCode: old.reduce((sum, index) => sum + (program.facts.get(index)?.size ?? 0), 0),
    stateWords: allocator.state.words.size,
    ...(report.heapBase === undefined ? {} : { heapBase: report.heapBase }),
    heapBaseFrom: base.from,
    size: { before: program.bytes.length, after },
    checked,
    link: report,
    warnings: [...warnings, ...report.warnings],
  };
}
