/**
 * Functions that read what lies below a block: the old allocator's chunk header, which gomalloc's blocks do not have.
 *
 * Below what malloc returned there is nothing but the header, so reading it with the header's masks (dlmalloc keeps two
 * flags and the size in one word) makes a function one of calloc's kind. Below an address that was passed in there may
 * be the program's own header (a string's length, an array's count): only both of dlmalloc's masks, or the shape of
 * malloc_usable_size, count.
 */
import type { FunctionFacts } from "./facts.js";
import type { Program } from "./program.js";

/** Flags of a dlmalloc chunk, and the mask that leaves its size. */
const FLAGS = 3;
const SIZE = 0xfffffff8;

/** Whether function `index` frees as dlmalloc does: it masks the word below its parameter in several ways. */
export function freesLikeDlmalloc(facts: FunctionFacts | undefined): boolean {
  const masks = masksOf(facts, (read) => read.origin === "param" && read.of === 0);
  return masks.has(SIZE) && (masks.has(1) || masks.has(FLAGS)) && masks.has(2);
}

/**
 * Live functions outside the allocator that read a header. `members`: functions that return blocks, or pass them on.
 */
export function findHeaderReaders(
  program: Program,
  allocator: ReadonlySet<number>,
  members: ReadonlySet<number>,
): Set<number> {
  const found = new Set<number>();
  for (const index of program.live) {
    if (!allocator.has(index) && readsHeader(program, index, members)) found.add(index);
  }
  return found;
}

function readsHeader(program: Program, index: number, members: ReadonlySet<number>): boolean {
  const facts = program.facts.get(index);
  if (facts === undefined || facts.headerReads.length === 0) return false;
  const ofResult = masksOf(facts, (read) => read.origin === "result" && members.has(read.of));
  if (ofResult.has(FLAGS) || ofResult.has(SIZE)) return true;
  for (let param = 0; param < (program.type(index)?.params.length ?? 0); param++) {
    const masks = masksOf(facts, (read) => read.origin === "param" && read.of === param);
    if (masks.has(FLAGS) && masks.has(SIZE)) return true;
  }
  return isUsableSizeShaped(program, index, facts);
}

/** (i32) -> i32, no calls, no stores, reads the word below its parameter and little else. */
function isUsableSizeShaped(program: Program, index: number, facts: FunctionFacts): boolean {
  const type = program.type(index);
  return (
    type?.params.join() === "i32" &&
    type.results.join() === "i32" &&
    facts.calls.size === 0 &&
    !facts.callsIndirectly &&
    !facts.stores &&
    facts.size < 80 &&
    facts.headerReads.some((read) => read.origin === "param" && read.offset === -4 && read.size === 4)
  );
}

function masksOf(
  facts: FunctionFacts | undefined,
  select: (read: FunctionFacts["headerReads"][number]) => boolean,
): Set<number> {
  const masks = new Set<number>();
  for (const read of facts?.headerReads ?? []) {
    if (read.mask !== undefined && select(read)) masks.add(read.mask >>> 0);
  }
  return masks;
}
