/**
 * How the old allocator gets memory, which decides where the new heap begins and whether it may have all of it.
 *
 * Nobody but the allocator may grow the memory or move the break: both are gomalloc's afterwards. emscripten's sbrk
 * keeps the break in a static word whose first value is the heap's base; wasi-libc's dlmalloc has the base as a
 * constant. Either must agree with the first block that the allocator returned when it ran on its own.
 */
import { many } from "../../base/plural.js";
import { ToolError } from "../../wasm/errors.js";
import type { FunctionFacts } from "./facts.js";
import type { OldAllocator } from "./members.js";
import type { Program } from "./program.js";

export interface HeapBase {
  /** First address of the heap; undefined: not known, the heap then grows memory of its own. */
  readonly value: number | undefined;
  readonly from: "option" | "global" | "break" | "constant" | "none";
}

const PAGE = 65536;
/** The first block lies at most so far behind the base: a page for alignment, a chunk header, the first segment's. */
const FIRST_BLOCK_WITHIN = 65536 + 64;
const FIRST_BLOCK_BEHIND_CONSTANT = 256;

/** Throws ToolError "sbrk" when anything else in the program takes memory, "unsure" when the heap is in use already. */
export function findHeapBase(program: Program, allocator: OldAllocator, option: number | undefined): HeapBase {
  const inside = new Set([...allocator.members.keys(), ...allocator.internals]);
  refuseOtherGrowers(program, allocator, inside);
  const breaks = findBreaks(program, allocator, inside);
  refuseSnapshot(program, allocator, new Set(breaks));

  if (option !== undefined) return { value: option, from: "option" };
  const values = new Set(breaks.map((word) => program.data.word(word)));
  if (values.size === 1) {
    const [value] = values as Set<number>;
    if (plausible(program, value!, allocator, FIRST_BLOCK_WITHIN)) return { value: align16(value!), from: "break" };
  }
  if (hasHeapBaseGlobal(program)) return { value: undefined, from: "global" };
  const constant = findBaseConstant(program, allocator, inside);
  return constant === undefined ? { value: undefined, from: "none" } : { value: align16(constant), from: "constant" };
}

function refuseOtherGrowers(program: Program, { growImport }: OldAllocator, inside: ReadonlySet<number>): void {
  const others = [...program.live].filter((index) => {
    const facts = program.facts.get(index);
    return !inside.has(index) && facts !== undefined && grows(facts, growImport);
  });
  const imported = growImport !== undefined && program.roots.has(growImport);
  if (others.length === 0 && !imported) return;
  const who = imported
    ? "the import that grows the memory is exported or in a table"
    : others.map((i) => program.label(i)).join(", ");
  const used = others.flatMap((index) => {
    const callers = [...(program.callers.get(index) ?? [])].filter((caller) => !inside.has(caller));
    return [...callers.map((i) => program.label(i)), ...program.exportsOf(index).map((name) => `the export ${name}`)];
  });
  throw new ToolError(
    "sbrk",
    `memory is also taken by ${who}${used.length > 0 ? `, which is used by ${used.slice(0, 6).join(", ")}` : ""}`,
    "Build the program so that only malloc calls sbrk or memory.grow: no second allocator, no export of sbrk.",
  );
}

function grows(facts: FunctionFacts, growImport: number | undefined): boolean {
  return facts.memoryGrow || (growImport !== undefined && facts.calls.has(growImport));
}

/**
 * The word that holds the break, if there is one: state of the functions that grow the memory, with a first value.
 * Several such words are more than a break.
 */
function findBreaks(program: Program, { state, growImport }: OldAllocator, inside: ReadonlySet<number>): number[] {
  const found = new Set<number>();
  for (const index of inside) {
    const facts = program.facts.get(index);
    if (facts === undefined || !grows(facts, growImport)) continue;
    for (const { address, size, certain } of facts.accesses) {
      if (certain && size === 4 && state.words.has(address) && program.data.word(address) !== 0) found.add(address);
    }
  }
  return found.size === 1 ? [...found] : [];
}

/** The state of an allocator that has not run yet is zero but for the break. */
function refuseSnapshot(program: Program, { state }: OldAllocator, breaks: ReadonlySet<number>): void {
  const set = [...state.words].filter((word) => !breaks.has(word) && program.data.word(word) !== 0);
  if (set.length === 0) return;
  if (isEmmalloc(program, set)) {
    throw new ToolError(
      "unsure",
      "the allocator is emmalloc, whose lists of free blocks are in static data: swap cannot replace it",
      "Build the program against gomalloc's shim (native/gomalloc.c; Zig: native/zig/gomalloc.zig) and use gomalloc link, " +
        "or build it with dlmalloc (emscripten: no -sMALLOC=emmalloc).",
    );
  }
  throw new ToolError(
    "unsure",
    `the allocator's state is not empty when the program starts (${many(set.length, "word")}, the first at ${set[0]}): ` +
      "blocks may be in use already, as in a snapshot of a program that ran",
    "Swap the allocator before the snapshot is taken (wizer, wasm-ctor-eval), then take it.",
  );
}

/** How far from the head of one of its lists emmalloc's links to that head are. */
const HEAD_SIZE = 16;

/** By its names, or by its state: heads of lists that are empty and point to themselves. */
function isEmmalloc({ data, info }: Program, set: readonly number[]): boolean {
  const named = [...info.functionNames.values()].some((name) => /^_*emmalloc_/.test(name));
  return named || (set.length > 1 && set.every((word) => Math.abs(data.word(word) - word) <= HEAD_SIZE));
}

function plausible(program: Program, value: number, { state, firstBlock }: OldAllocator, within: number): boolean {
  const lastWord = state.runs.at(-1)?.[1] ?? 0;
  const limit = (program.info.memories[0]?.initial ?? 0) * PAGE;
  const fits = value >= program.data.end && value > lastWord && value >= (program.stackTop ?? 0) && value <= limit;
  return fits && (firstBlock === undefined || (firstBlock >= value && firstBlock < value + within));
}

function hasHeapBaseGlobal({ info }: Program): boolean {
  const exported = info.exports.some(({ name, kind }) => kind === "global" && name === "__heap_base");
  return exported || [...info.globalNames.values()].includes("__heap_base");
}

/** The highest constant of the allocator's code that the first block lies right behind. */
function findBaseConstant(program: Program, allocator: OldAllocator, inside: ReadonlySet<number>): number | undefined {
  if (allocator.firstBlock === undefined) return undefined;
  let best: number | undefined;
  for (const index of inside) {
    for (const value of program.facts.get(index)?.constants ?? []) {
      if (plausible(program, value, allocator, FIRST_BLOCK_BEHIND_CONSTANT) && value > (best ?? 0)) best = value;
    }
  }
  return best;
}

function align16(address: number): number {
  return Math.ceil(address / 16) * 16;
}
