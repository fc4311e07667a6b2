/**
 * Threads of a linked program that see all of their memory.
 *
 * V8 keeps the size of a shared memory per thread. When another thread has grown the memory, a thread's size is too
 * small for a while, and these instructions trap on the new pages, because V8 checks them against that size:
 * memory.fill, memory.copy and memory.init, memory.atomic.wait and notify, and in code of its baseline compiler every
 * atomic instruction. Loads and stores never do. memory.size gives the size that V8 checks against, and memory.grow(0)
 * corrects it. docs/link.md names the versions.
 *
 * So in a program whose memory is shared, each of these instructions becomes a call of a new function that compares
 * first:
 *
 *     if (end of the range > memory.size) memory.grow(0)
 *     the instruction
 *
 * It means the same: memory.grow(0) changes nothing that a program can tell, and a range that is really out of bounds
 * traps behind it. Operands are evaluated before the call, as they were before the instruction. wasm-opt inlines most of
 * these functions. A range at constant addresses within the memory's initial size needs no compare.
 *
 * A call mostly fits in the instruction's place, with nops behind it. Only memory.fill has three bytes, which are too
 * few in a program of more than 16,383 functions; there the code behind moves, and the source map with it.
 *
 * Cost: one walk over the code. At run time a load, a compare and a branch for each of the instructions, some 0.3 ns: a
 * loop that does nothing else takes 1.05x for memory.fill, 1.1x for memory.copy of 64 bytes, 1.0x for an atomic addition
 * and 1.5x for an atomic load (Node 20, medians of 25 interleaved rounds).
 */

import { many } from "../base/plural.js";
import {
  addFunctions,
  editModule,
  encodeS32,
  encodeU32,
  getParams,
  type Move,
  type NewFunction,
  OP,
  type Patch,
  patchBodies,
  removeCustomSections,
} from "../wasm/edit.js";
import {
  type CheckedAccess,
  IGNORE,
  MEMORY_COPY,
  MEMORY_INIT,
  type Operand,
  walkIfKnown,
} from "../wasm/instructions.js";
import type { FunctionType, MemoryInfo, ModuleInfo } from "../wasm/parse.js";
import { inspect } from "../wasm/parse.js";

const PAGE_SHIFT = 16;

export interface Sighted {
  readonly bytes: Uint8Array;
  readonly info: ModuleInfo;
  /** Where the code went; to be applied to a source map before anything else. */
  readonly moves: readonly Move[];
  /** New functions that are better not inlined. */
  readonly called: readonly number[];
  /** Instructions that compare first. */
  readonly compares: number;
  /** Functions that have instructions which are not known, and may have some that do not compare. */
  readonly unknown: number;
}

/** The program with compares, if its memory is shared; else as it was. */
export function compareSizes(bytes: Uint8Array, info: ModuleInfo, memory: MemoryInfo): Sighted {
  if (!memory.shared) return { bytes, info, moves: [], called: [], compares: 0, unknown: 0 };
  const added = new Map<string, { callee: number; made: NewFunction; waits: boolean }>();
  const patches: Patch[] = [];
  let unknown = 0;
  for (const { start, end } of info.bodies) {
    const known = walkIfKnown(bytes, start, end, info, {
      ...IGNORE,
      checkedAccess: (access) => {
        if (isSeen(access, memory.initial)) return;
        const instruction = bytes.subarray(access.start, access.end);
        const key = instruction.join();
        const function_ = added.get(key) ?? {
          callee: info.functions.length + added.size,
          made: comparing(access, instruction),
          waits: access.atomic && isWait(access.op),
        };
        added.set(key, function_);
        patches.push({ start: access.start, end: access.end, code: callInPlace(function_.callee, instruction.length) });
      },
    });
    if (!known) unknown++;
  }
  if (patches.length === 0) return { bytes, info, moves: [], called: [], compares: 0, unknown };
  const patched = patchBodies(bytes, info, patches);
  const longer = patches.some(({ start, end, code }) => code.length > end - start);
  const edited = editModule(
    patched.bytes,
    (edited) =>
      addFunctions(
        edited,
        [...added.values()].map(({ made }) => made),
      ),
    // They name places within bodies.
    (edited) => removeCustomSections(edited, (name) => longer && name.startsWith("metadata.code.")),
  );
  const moves = [{ at: 0, by: 0 }, ...patched.moves].map(({ at, by }) => ({ at, by: by + edited.shift }));
  return {
    bytes: edited.bytes,
    info: inspect(edited.bytes),
    moves,
    called: [...added.values()].filter(({ waits }) => waits).map(({ callee }) => callee),
    compares: patches.length,
    unknown,
  };
}

export function sizeWarnings({ unknown }: Sighted): string[] {
  if (unknown === 0) return [];
  return [
    `${many(unknown, "function")} ${unknown === 1 ? "has" : "have"} instructions that are not known here: memory.fill, ` +
      "memory.copy and atomics there may trap in Node and Chromium on memory that another thread has grown. Call " +
      "gomalloc_sync() where such a function is handed a block",
  ];
}

/** A call of a function, as long as the instruction in whose place it goes, or longer. */
function callInPlace(callee: number, length: number): Uint8Array {
  const call = [OP.call, ...encodeU32(callee)];
  return Uint8Array.from({ length: Math.max(length, call.length) }, (_, i) => call[i] ?? OP.nop);
}

/** Whether all addresses are known and lie in pages that each thread has from the beginning. */
function isSeen({ op, atomic, offset, operands }: CheckedAccess, pages: number): boolean {
  const value = (operand: Operand | undefined) =>
    operand?.kind === "const" ? operand.value : Number.POSITIVE_INFINITY;
  const [first, second, third] = operands;
  const last = atomic
    ? value(first) + offset
    : Math.max(value(first), op === MEMORY_COPY ? value(second) : 0) + value(third);
  return last < pages * 2 ** PAGE_SHIFT;
}

/**
 * memory.atomic.wait32 and wait64. The baseline compiler of Node 20's V8 loses locals of a function that goes on behind
 * one, and waits at a wrong address where that is a sum: alone in a function they are safe.
 */
function isWait(op: number): boolean {
  return op === 1 || op === 2;
}

/** Types of what the atomics of one kind work on, in the order of their numbers. */
const WORKED_ON = ["i32", "i64", "i32", "i32", "i64", "i64", "i64"];
/** Numbers of atomics: the first load, store, read-modify-write, and compare-exchange. */
const [LOAD, STORE, MODIFY, EXCHANGE] = [0x10, 0x17, 0x1e, 0x48];

function typeOf({ op, atomic }: CheckedAccess): FunctionType {
  if (!atomic) return { params: ["i32", "i32", "i32"], results: [] };
  if (op === 0) return { params: ["i32", "i32"], results: ["i32"] };
  if (op < LOAD) return { params: ["i32", op === 1 ? "i32" : "i64", "i64"], results: ["i32"] };
  const value = WORKED_ON[(op - LOAD) % WORKED_ON.length]!;
  if (op < STORE) return { params: ["i32"], results: [value] };
  if (op < MODIFY) return { params: ["i32", value], results: [] };
  return { params: ["i32", value, ...(op < EXCHANGE ? [] : [value])], results: [value] };
}

const NO_RESULT = 0x40;
const REFRESH = [OP.if, NO_RESULT, OP.const, 0, OP.memoryGrow, 0, OP.drop, OP.end];

/** A function that makes sure that the range is seen, then executes the instruction. */
function comparing(access: CheckedAccess, instruction: Uint8Array): NewFunction {
  const type = typeOf(access);
  const compare = access.atomic ? wordIsBeyond(access.offset) : rangeIsBeyond(access.op);
  const name = access.atomic ? "atomic" : ({ [MEMORY_INIT]: "init", [MEMORY_COPY]: "copy" }[access.op] ?? "fill");
  return {
    name: `gomalloc/see:${name}${access.atomic ? `:${[...instruction].join(".")}` : ""}`,
    type,
    body: Uint8Array.of(0, ...compare, ...REFRESH, ...getParams(type), ...instruction, OP.end),
  };
}

const get = (local: number) => [OP.get, ...encodeU32(local)];

/** Whether the word at parameter 0 lies beyond the memory: it is aligned, or traps, so it lies in one page. */
function wordIsBeyond(offset: number): number[] {
  const address = offset === 0 ? get(0) : [...get(0), OP.const, ...encodeS32(offset), OP.add];
  return [...address, OP.const, ...encodeS32(PAGE_SHIFT), OP.shrU, OP.memorySize, 0, OP.geU];
}

/** Whether the range that begins at parameter 0, for memory.copy also that at 1, ends beyond the memory. 33 bits. */
function rangeIsBeyond(op: number): number[] {
  const higher = [...get(0), ...get(1), ...get(0), ...get(1), OP.gtU, OP.select];
  const end = [...(op === MEMORY_COPY ? higher : get(0)), OP.extendU, ...get(2), OP.extendU, OP.addI64];
  const size = [OP.memorySize, 0, OP.extendU, OP.constI64, ...encodeS32(PAGE_SHIFT), OP.shlI64];
  return [...end, ...size, OP.gtUI64];
}
