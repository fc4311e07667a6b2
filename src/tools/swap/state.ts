/**
 * The old allocator's state in static memory, and who else touches it.
 *
 * State: words at constant addresses that the family's functions, or functions that only they use, both load and
 * store. (What they only store is errno and its like, what they only load are settings of others.) Words that were
 * seen to change when the allocator ran on its own are added. Any other live function that can touch one of them is a
 * trespasser: an inlined copy of the allocator, a member that was not recognised, or a reader of its statistics.
 */
import type { Program } from "./program.js";

export interface State {
  /** Addresses of 4-byte words. */
  readonly words: ReadonlySet<number>;
  /** Runs of words that lie close together, as [first word, last word]. */
  readonly runs: readonly (readonly [number, number])[];
  /** The first words of runs of several. */
  readonly firsts: ReadonlySet<number>;
  /**
   * Constants by which the allocator's functions may hand its state on, where they reach it through a pointer only:
   * whoever else has one of them calls the allocator's inner functions.
   */
  readonly handles: ReadonlySet<number>;
}

/** Words further apart than this belong to different variables for sure. */
const LONGEST_GAP = 256;
/** A pointer to the state may point so far before the first word that was seen to change. */
const LONGEST_PREFIX = 512;

/** The state of the allocator whose functions are `allocator`; `seen` are words that were seen to change. */
export function findState(program: Program, allocator: ReadonlySet<number>, seen: Iterable<number> = []): State {
  const loaded = new Set<number>();
  const stored = new Set<number>();
  for (const index of allocator) {
    for (const { address, size, store, certain } of program.facts.get(index)?.accesses ?? []) {
      if (!certain) continue;
      for (const word of wordsOf(address, size)) (store ? stored : loaded).add(word);
    }
  }
  const words = new Set(seen);
  let direct = false;
  for (const word of loaded) {
    if (!stored.has(word)) continue;
    words.add(word);
    direct = true;
  }
  const runs = findRuns(words);
  // A run's first address is also the end of the variable before it: as a plain number it says nothing.
  const firsts = new Set(runs.filter(([first, last]) => first !== last).map(([first]) => first));
  return { words, runs, firsts, handles: direct ? new Set() : findHandles(program, allocator, runs) };
}

function findHandles(program: Program, allocator: ReadonlySet<number>, runs: State["runs"]): Set<number> {
  const handles = new Set<number>();
  for (const index of allocator) {
    for (const constant of program.facts.get(index)?.constants ?? []) {
      if (liesIn(runs, constant, LONGEST_PREFIX)) handles.add(constant);
    }
  }
  return handles;
}

/** Whether `address` lies in one of the runs, or up to `before` bytes before one. O(log runs). */
export function liesIn(runs: State["runs"], address: number, before = 0): boolean {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle]![1] + 4 > address) high = middle;
    else low = middle + 1;
  }
  return low < runs.length && address >= runs[low]![0] - before;
}

export function* wordsOf(address: number, size: number): Generator<number> {
  for (let word = address - (address % 4); word < address + size; word += 4) yield word;
}

function findRuns(words: ReadonlySet<number>): [number, number][] {
  const runs: [number, number][] = [];
  for (const word of [...words].sort((a, b) => a - b)) {
    const last = runs[runs.length - 1];
    if (last !== undefined && word - last[1] <= LONGEST_GAP) last[1] = word;
    else runs.push([word, word]);
  }
  return runs;
}

/** How a function touches the state. */
export interface Touch {
  /** Words at addresses that are certain. */
  readonly certain: ReadonlySet<number>;
  /** Those, and words that it may touch: through a local with several values, or as plain numbers. */
  readonly all: ReadonlySet<number>;
}

/** As many words as this that are only possible make a trespasser; a number or two may be a coincidence. */
const MOST_COINCIDENCES = 3;
/** A body of no more bytes than this returns a constant and does nothing else. */
const GETTER_SIZE = 12;

/** Words of the state that function `index` touches. */
export function touchedWords(program: Program, index: number, { words, firsts, handles }: State): Touch {
  const certain = new Set<number>();
  const all = new Set<number>();
  const facts = program.facts.get(index);
  for (const access of facts?.accesses ?? []) {
    for (const word of wordsOf(access.address, access.size)) {
      if (!words.has(word)) continue;
      all.add(word);
      if (access.certain) certain.add(word);
    }
  }
  for (const constant of facts?.constants ?? []) {
    if (handles.has(constant)) {
      all.add(constant);
      certain.add(constant);
    }
    if (!words.has(constant) || firsts.has(constant)) continue;
    all.add(constant);
    if (facts!.size <= GETTER_SIZE) certain.add(constant);
  }
  return { certain, all };
}

/** Live functions outside the allocator that touch its state, with the words that they touch. */
export function findTrespassers(program: Program, allocator: ReadonlySet<number>, state: State): Map<number, Touch> {
  const found = new Map<number, Touch>();
  for (const index of program.live) {
    if (allocator.has(index)) continue;
    const touch = touchedWords(program, index, state);
    if (touch.certain.size > 0 || touch.all.size > MOST_COINCIDENCES) found.set(index, touch);
  }
  return found;
}
