/**
 * link: the allocator merged into a program that imports the malloc family.
 *
 *   inspect   read the program, refuse what cannot work (accept.ts) or is damaged (validity.ts)
 *   bind      which imports are the allocator's, which flavour has them, where the heap begins
 *   compare   with threads: what an engine checks against a size that may be old looks first (memorysize.ts)
 *   edit      the program's sections: imports renamed, memory exported, start function exported instead of started
 *   fit       the allocator (allocator.ts)
 *   merge     wasm-merge, the two as one module
 *   trim      exports that the program did not have go
 *   optimise  wasm-opt over the whole, calls of malloc and free inlined
 *   check     the engine that runs this finds the result valid if it found the program so
 *
 * The program's bytes are never changed. A source map follows every step. Cost: a second for a small program, about as
 * long as wasm-opt takes for a large one.
 */

import { ENV, EXTRAS, FAMILY, GOMALLOC, sameType, typeText } from "../base/family.js";
import {
  addExports,
  type Edited,
  editModule,
  raiseMemory,
  removeExports,
  renameExports,
  renameImports,
  setStart,
} from "../wasm/edit.js";
import { ToolError, whole } from "../wasm/errors.js";
import { functionName, type ImportInfo, inspect, type MemoryInfo, type ModuleInfo } from "../wasm/parse.js";
import { acceptProgram } from "./accept.js";
import {
  type Allocator,
  chooseFlavour,
  type Fitting,
  fitAllocator,
  GROWTH_IMPORTS,
  type Growth,
  PREFIX,
  PROGRAM,
  pagesAfterInit,
  THREAD_END,
} from "./allocator.js";
import { findArchived } from "./archived.js";
import { type LinkOptions, type OptimizeLevel, readLinkOptions } from "./arguments.js";
import { featureFlags, runBinaryen } from "./binaryen.js";
import { exportUnframed } from "./frames.js";
import { besideOther, findHeapBase, HEAP_BASE_EXPORT } from "./heapbase.js";
import { applyInlining, findInlining, type Inlining, NOTHING_INLINED } from "./inline/inlining.js";
import { linkArchived } from "./linkarchived.js";
import {
  chooseGrowth,
  findMisuseHook,
  inlines,
  keptNames,
  type Limits,
  type LinkResult,
  reportCalls,
  reportMemory,
  resultOf,
} from "./linked.js";
import { compareSizes, type Sighted, sizeWarnings } from "./memorysize.js";
import { type Built, checkResult, inNarrowest, optimise, removeStale, withSourceMapUrl } from "./optimise.js";
import { alreadyLinked, originOf, originText } from "./origin.js";
import type { LinkReport } from "./report.js";
import { moveSourceMap, shiftSourceMap } from "./sourcemap.js";
import { findThreadEnds, refuseMixedSharing, type ThreadEnds, threadWarnings } from "./threads.js";
import { refuseInvalid } from "./validity.js";

export type { LinkOptions, OptimizeLevel } from "./arguments.js";
export type { LinkResult } from "./linked.js";

/** The export under which the allocator finds the program's hook. */
const HOOK = `${PREFIX}hook`;

const MAX_PAGES = 65536;

/**
 * Merges the allocator into `program`, which imports at least one function of the family from module "gomalloc" or
 * "env", and returns the new module. Throws ToolError; docs/link.md has the codes.
 */
export function link(program: Uint8Array, given: LinkOptions = {}): Promise<LinkResult> {
  return whole("link", () => linkProgram(program, given));
}

/** `swapped`: what had names of another allocator in the program has been replaced. */
export async function linkProgram(
  program: Uint8Array,
  given: LinkOptions,
  { swapped = false }: { readonly swapped?: boolean } = {},
): Promise<LinkResult> {
  const options = readLinkOptions(given);
  const info = inspect(program);
  const archived = swapped ? undefined : await findArchived(program, info);
  if (archived !== undefined) return linkArchived(program, info, archived, options);
  const plan = await makePlan(program, info, options, swapped);
  const { optimize, names } = plan;
  const edited = editProgram(plan, options.sourceMap !== undefined);
  const fitted = await fitAllocator(plan.allocator, fittingOf(plan));
  const map = options.sourceMap;
  const made = await build(edited.bytes, fitted, {
    info,
    map: map === undefined ? undefined : shiftSourceMap(moveSourceMap(map, plan.sighted.moves), edited.shift),
    keep: new Set(info.exports.map((entry) => entry.name).filter((name) => name !== HEAP_BASE_EXPORT)),
    ends: plan.ends.exports.map(({ name }) => name),
    family: options.exportFamily ? Object.keys(FAMILY) : [],
    optimize,
    names,
    onProgress: options.onProgress,
  });
  const wasm = withSourceMapUrl(made, info, options);
  const validated = checkResult(program, wasm);
  const report = reportOf(plan, {
    size: { before: program.length, allocator: plan.allocator.bytes.length, after: wasm.length },
    sourceMap: map !== undefined,
    validated,
  });
  return resultOf(wasm, made.map, map, report);
}

/** All that is decided before anything is written. */
interface Plan {
  /** The program, and what it is after `sighted`. */
  readonly info: ModuleInfo;
  readonly sighted: Sighted;
  readonly memory: MemoryInfo;
  /** The imports that are the allocator's. */
  readonly bound: readonly ImportInfo[];
  readonly growth: Growth;
  /** Where the heap begins, and what says so; no value when the program calls init itself. */
  readonly base: ReturnType<typeof findHeapBase>;
  readonly ends: ThreadEnds;
  /** The function that gomalloc_misuse calls. */
  readonly hook: number | undefined;
  /** Functions of the allocator that stay exported for the merge. */
  readonly needed: readonly string[];
  readonly allocator: Allocator;
  /** Pages that the memory must have for init, when the base is known. */
  readonly pages: number | undefined;
  /** The memory's new limits, when it needs some. */
  readonly limits: Limits | undefined;
  readonly optimize: OptimizeLevel;
  readonly inline: boolean;
  readonly inlining: Inlining;
  /** Names of functions are kept. */
  readonly names: boolean;
  /** Later steps add to it. */
  readonly warnings: string[];
}

/** Inspects and binds. Refuses what cannot work, with the ToolErrors of docs/link.md. */
async function makePlan(program: Uint8Array, info: ModuleInfo, options: LinkOptions, swapped: boolean): Promise<Plan> {
  const memory = acceptProgram(info);
  refuseInvalid(program, info);
  const warnings: string[] = [];

  const bound = bindImports(info);
  const growth = chooseGrowth(info, options.growth ?? "auto");
  const found = findHeapBase(program, info, memory, options.heapBase, bound);
  const beside = swapped ? { base: found, warnings: [] } : besideOther(program, info, memory, found, bound);
  const { base } = beside;
  refuseMixedSharing(info, memory, base.value);
  const ends = findThreadEnds(info, memory);
  warnings.push(...beside.warnings);
  warnings.push(...threadWarnings(info, memory, ends));
  const hook = findMisuseHook(info);
  const needed = [...new Set([...bound.map(({ name }) => name), ...(options.exportFamily ? Object.keys(FAMILY) : [])])];
  const allocator = await chooseFlavour(needed, options.flavour, memory.shared, options.profile === true);
  options.onProgress?.("preparing");
  if (growth === "emscripten" && base.value !== undefined) await refuseSbrk(program, info);

  const pages = base.value === undefined ? undefined : pagesAfterInit(allocator, memory.initial, base.value);
  const limits = pages === undefined ? undefined : memoryLimits(info, memory, pages, warnings);
  const optimize = options.optimize ?? "O3";
  const inline = inlines(optimize, options.inline);
  const sighted = compareSizes(program, info, memory);
  warnings.push(...sizeWarnings(sighted));
  const inlining = inline ? findInlining(sighted.bytes, sighted.info, bound) : NOTHING_INLINED;
  const names = options.names ?? (info.named || options.profile === true);
  return {
    info: sighted.info,
    sighted,
    memory,
    bound,
    growth,
    base,
    ends,
    hook,
    needed,
    allocator,
    pages,
    limits,
    optimize,
    inline,
    inlining,
    names,
    warnings,
  };
}

/** What the plan asks of the allocator's module. */
function fittingOf({ info, memory, growth, base, ends, hook, needed, pages, limits, inlining }: Plan): Fitting {
  return {
    exports: needed,
    growth,
    memory: `${PREFIX}memory`,
    inline: inlining.functions,
    certain: !memory.shared && pages !== undefined && (limits?.initial ?? memory.initial) >= pages,
    ends: {
      exports: ends.exports.map(({ name, index }) => ({ name, type: info.functions[index]! })),
      imports: ends.imports.map(({ name, type }) => ({ name, type: type! })),
    },
    ...(hook === undefined ? {} : { misuseHook: HOOK }),
    ...(base.value === undefined ? {} : { heapBase: base.value }),
    ...(base.value === undefined || info.start === undefined ? {} : { start: `${PREFIX}start` }),
  };
}

function reportOf(plan: Plan, result: Pick<LinkReport, "size" | "sourceMap" | "validated">): LinkReport {
  const { info, memory, base, ends, optimize, inline } = plan;
  const { wrappers } = plan.inlining;
  // A nameless wrapper goes by the name of what it wraps.
  const nameOf = (index: number) => info.functionNames.get(index) ?? functionName(info, wrappers.get(index) ?? index);
  return {
    bound: plan.bound.map(({ module, name }) => ({ module, name })),
    flavour: plan.allocator.flavour,
    ...(base.value === undefined ? {} : { heapBase: base.value }),
    heapBaseFrom: base.from,
    ...reportMemory(memory, plan.limits, plan.sighted),
    ...(memory.shared ? { threadEnds: [...ends.exports, ...ends.imports].map(({ name }) => name) } : {}),
    growth: plan.growth,
    misuse: plan.hook === undefined ? "trap" : "hook",
    wrappers: [...wrappers.keys()].map(nameOf),
    ...reportCalls(plan.inlining, nameOf),
    optimize,
    inline,
    size: result.size,
    names: keptNames(plan.names, info),
    sourceMap: result.sourceMap,
    validated: result.validated,
    warnings: plan.warnings,
  };
}

/** The imports that are the allocator's. Throws ToolError: no-import, unknown-import, signature. */
function bindImports(info: ModuleInfo): ImportInfo[] {
  const bound: ImportInfo[] = [];
  for (const entry of info.imports) {
    if (entry.kind !== "function") continue;
    const ours = entry.module === GOMALLOC;
    if (!ours && entry.module !== ENV) continue;
    const type = Object.hasOwn(FAMILY, entry.name)
      ? FAMILY[entry.name]
      : ours && Object.hasOwn(EXTRAS, entry.name)
        ? EXTRAS[entry.name]
        : undefined;
    if (type === undefined) {
      if (!ours) continue;
      throw new ToolError(
        "unknown-import",
        `the module imports gomalloc.${entry.name}, which gomalloc does not have`,
        `Import one of ${[...Object.keys(FAMILY), ...Object.keys(EXTRAS)].join(", ")}.`,
      );
    }
    if (entry.type === undefined || !sameType(entry.type, type)) {
      throw new ToolError(
        "signature",
        `${entry.module}.${entry.name} is imported as ${entry.type ? typeText(entry.type) : "another type"}, ` +
          `but is ${typeText(type)}`,
        "Declare it in the source as the C standard does, for a 32-bit target (size_t and pointers are i32).",
      );
    }
    bound.push(entry);
  }
  if (bound.length === 0) {
    const none = "the module imports no function of the malloc family from gomalloc or env";
    const already = alreadyLinked(info);
    if (already !== undefined) throw new ToolError("no-import", already.message, already.fix);
    const origin = hasMalloc(info) ? undefined : originOf(info);
    throw origin === undefined || origin.handWritten
      ? new ToolError("no-import", none, adviceFor(info))
      : new ToolError("no-import", `${none}: ${originText(origin)}`, origin.fix);
  }
  return bound;
}

function hasMalloc(info: ModuleInfo): boolean {
  return [...info.exports.map(({ name }) => name), ...info.functionNames.values()].includes("malloc");
}

/** What to do about a module that imports nothing of ours. */
function adviceFor(info: ModuleInfo): string {
  const imports = info.imports.filter(({ kind }) => kind === "function");
  if (imports.length > 0 && imports.every(({ module, name }) => module.length === 1 && name.length <= 2)) {
    return "Its imports were renamed to single letters, as emcc does from -O3 on and for -Os: link with emcc -O2, or -O3 -g.";
  }
  if (info.producers.some((producer) => /^(Rust|rustc)\b/.test(producer))) {
    return "It has Rust's own allocator: make gomalloc's crate (native/rust) its #[global_allocator], or use gomalloc swap.";
  }
  return hasMalloc(info)
    ? "It has an allocator of its own: replace that with gomalloc swap, or link the program against gomalloc's shim."
    : "Link the program against gomalloc's shim, or import malloc and free from module gomalloc.";
}

/**
 * emscripten's sbrk takes [__heap_base, end of memory) for its own. A program that still calls it would share that with
 * the heap. Known only when the module has names or exports it.
 */
async function refuseSbrk(program: Uint8Array, info: ModuleInfo): Promise<void> {
  const exported = info.exports.some(({ name, kind }) => kind === "function" && name === "sbrk");
  if (!exported && ![...info.functionNames.values()].includes("sbrk")) return;
  const flags = featureFlags(info).at(-1)!;
  const args = ["program.wasm", "-o", "live.wasm", "-g", ...flags, "--remove-unused-module-elements"];
  const { "live.wasm": live } = await runBinaryen("wasm-opt", args, { "program.wasm": program }, ["live.wasm"]);
  if (![...inspect(live).functionNames.values()].includes("sbrk") && !exported) return;
  throw new ToolError(
    "sbrk",
    "the program calls or exports emscripten's sbrk, which takes the memory that the heap is to have",
    "Build it without: -sMALLOC=none, no export of sbrk or _sbrk, no other allocator in the program.",
  );
}

/** The limits that the memory needs for init, which is to have `need` pages, not to fail; undefined: those it has. */
function memoryLimits(info: ModuleInfo, memory: MemoryInfo, need: number, warnings: string[]): Limits | undefined {
  const maximum = memory.maximum ?? MAX_PAGES;
  if (memory.imported === undefined) {
    return need > memory.initial ? { initial: need, maximum: Math.max(need, maximum) } : undefined;
  }
  const { module, name } = memory.imported;
  if (need > maximum) {
    throw new ToolError(
      "memory-maximum",
      `the imported memory ${module}.${name} has at most ${maximum} pages, and the heap needs ${need} to begin with`,
      `Import it with a maximum of ${need} pages or more, and create it so.`,
    );
  }
  if (need > memory.initial) {
    const grower = info.imports.some((entry) => entry.name === GROWTH_IMPORTS.emscripten) ? " through JavaScript" : "";
    warnings.push(
      `the imported memory ${module}.${name} has ${memory.initial} pages and the heap needs ${need}: it grows the ` +
        `memory${grower} when the module starts`,
    );
  }
  return undefined;
}

/** The program as the merge wants it: all that the two sides take from each other goes under names of the link. */
function editProgram(plan: Plan, mapped: boolean): Edited {
  const { info, hook, limits, warnings } = plan;
  const bound = new Set([...plan.bound, ...plan.ends.imports].map(({ index }) => index));
  const ends = new Set(plan.ends.exports.map(({ name }) => name));
  const start = plan.base.value === undefined ? undefined : info.start;
  return editModule(
    plan.sighted.bytes,
    (bytes) => applyInlining(bytes, info, plan.inlining, plan.sighted.called),
    (bytes) => removeStale(bytes, info, warnings, mapped),
    (bytes) => (hook === undefined ? { bytes, shift: 0 } : exportUnframed(bytes, hook, HOOK)),
    (bytes) =>
      renameImports(bytes, (entry) => {
        if (entry.kind !== "function" || !bound.has(entry.index)) return undefined;
        return { module: GOMALLOC, name: `${PREFIX}${entry.name}` };
      }),
    (bytes) => renameExports(bytes, ({ name }) => (ends.has(name) ? `${THREAD_END}${name}` : undefined)),
    (bytes) =>
      addExports(bytes, [
        { name: `${PREFIX}memory`, kind: "memory", index: 0 },
        ...(start === undefined ? [] : [{ name: `${PREFIX}start`, kind: "function" as const, index: start }]),
      ]),
    (bytes) => (start === undefined ? { bytes, shift: 0 } : setStart(bytes, undefined)),
    (bytes) =>
      limits === undefined
        ? { bytes, shift: 0 }
        : raiseMemory(bytes, 0, { initial: limits.initial, maximum: limits.maximum ?? 0 }),
  );
}

interface BuildOptions {
  readonly info: ModuleInfo;
  readonly map: string | undefined;
  /** Names of the program's own exports. */
  readonly keep: ReadonlySet<string>;
  /** Exports of the program that the allocator has wrapped. */
  readonly ends: readonly string[];
  /** Exports to be made of the allocator, unless the program has one of that name. */
  readonly family: readonly string[];
  readonly optimize: OptimizeLevel;
  readonly names: boolean;
  readonly onProgress: LinkOptions["onProgress"];
}

/** Merges and optimises. */
function build(program: Uint8Array, allocator: string, options: BuildOptions): Promise<Built> {
  return inNarrowest(options.info, async (features) => {
    options.onProgress?.("merging");
    const merged = await merge(program, allocator, features, options.map);
    options.onProgress?.(`optimising (-${options.optimize})`);
    return optimise(trimExports(merged, options), features, options);
  });
}

async function merge(
  program: Uint8Array,
  allocator: string,
  features: readonly string[],
  map: string | undefined,
): Promise<Built> {
  const parts = ["program.wasm", PROGRAM, ...(map === undefined ? [] : ["-ism", "program.map"])];
  const args = [...parts, "allocator.wat", GOMALLOC, "-o", "merged.wasm", "-g", ...features];
  const files = { "program.wasm": program, "allocator.wat": allocator };
  if (map === undefined) {
    const { "merged.wasm": wasm } = await runBinaryen("wasm-merge", args, files, ["merged.wasm"]);
    return { wasm };
  }
  const made = await runBinaryen("wasm-merge", [...args, "-osm", "merged.map"], { ...files, "program.map": map }, [
    "merged.wasm",
    "merged.map",
  ]);
  return { wasm: made["merged.wasm"], map: new TextDecoder().decode(made["merged.map"]) };
}

/** Removes the exports that only the merge needed; those of the family stay under their own names when asked for. */
function trimExports({ wasm, map }: Built, { keep, ends, family }: BuildOptions): Built {
  const named = [...family.filter((name) => !keep.has(name)), ...ends];
  const stays = new Map(named.map((name) => [`${PREFIX}${name}`, name]));
  const trimmed = editModule(
    wasm,
    (bytes) => removeExports(bytes, ({ name }) => !keep.has(name) && !stays.has(name)),
    (bytes) => renameExports(bytes, ({ name }) => stays.get(name)),
  );
  return map === undefined ? { wasm: trimmed.bytes } : { wasm: trimmed.bytes, map: shiftSourceMap(map, trimmed.shift) };
}
