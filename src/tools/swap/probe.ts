/**
 * The program's functions called on their own, to see what they do: every import is a stub, nothing of the program
 * runs but the allocator's functions, and each question gets a fresh instance.
 *
 * A call that traps, runs longer than TIME_LIMIT or throws answers "no". The tests tell the members of the family from
 * each other and from their helpers: they compare contents, addresses and sizes, not mere survival.
 * Cost: some milliseconds a question, with the engine's compilation of the module once. All questions about a module
 * have BUDGET together; a module that needs more is refused.
 */
import { createContext, Script } from "node:vm";
import { addExports, editModule, setStart } from "../../wasm/edit.js";
import { ToolError } from "../../wasm/errors.js";
import type { MemoryInfo } from "../../wasm/parse.js";
import type { Program } from "./program.js";
import { ROLE_NAMES, type RoleName } from "./rolenames.js";

/** Milliseconds that one question may take. */
const TIME_LIMIT = 2000;
/** Milliseconds that all questions about one module may take. Real modules take some tenths of a second. */
const BUDGET = 30_000;
const PAGE = 65536;
const PREFIX = "gomalloc:probe:";
/** A stack pointer leaves at most this behind in static memory when the allocator runs. */
const STACK_USED = 16384;

type Call = (...args: number[]) => number;

/** The two without which nothing can be asked. */
export interface Pair {
  readonly malloc: number;
  readonly free: number;
  /** They are Rust's, which take size and alignment as well. */
  readonly rust?: boolean;
  /** Import that grows the memory, if it is known. */
  readonly growImport: number | undefined;
}

interface Bench {
  readonly malloc: Call;
  readonly free: Call;
  readonly candidate: Call;
  readonly memory: WebAssembly.Memory;
}

export class Probe {
  readonly #module: WebAssembly.Module | undefined;
  readonly #script = new Script("question()");
  /** Milliseconds left of the budget. */
  #left = BUDGET;

  constructor(
    readonly program: Program,
    /** Run the start function of every instance; by default there is none. */
    { start = false }: { readonly start?: boolean } = {},
  ) {
    const { info, bytes } = program;
    // Engines allow a module only so many exports: those that no role has the type of are never called.
    const functions = Array.from(
      { length: program.size - info.importedFunctions },
      (_, i) => i + info.importedFunctions,
    ).filter((index) => ROLE_NAMES.some((role) => program.fits(index, role)));
    const edited = editModule(
      bytes,
      (from) => (start ? { bytes: from, shift: 0 } : setStart(from, undefined)),
      (from) =>
        addExports(from, [
          ...functions.map((index) => ({ name: PREFIX + index, kind: "function" as const, index })),
          ...(info.memories.length > 0 ? [{ name: `${PREFIX}memory`, kind: "memory" as const, index: 0 }] : []),
        ]),
    );
    try {
      this.#module = new WebAssembly.Module(new Uint8Array(edited.bytes));
    } catch {
      this.#module = undefined;
    }
  }

  /** Whether instances can be made here at all. */
  works(growImport: number | undefined): boolean {
    return this.#instantiate(growImport) !== undefined;
  }

  /** Whether `index` behaves as `role`, called beside `pair`. False too when it cannot be told. */
  is(role: RoleName, index: number, pair: Pair): boolean {
    const test = TESTS[role];
    if (test === undefined || !this.program.fits(index, role)) return false;
    return this.#ask(pair, index, test) ?? false;
  }

  /**
   * Whether `index` is `role` and gives blocks of the size asked, beside a malloc that is known: each block lies where
   * malloc's would in the same history. A function that multiplies the size, adds to it, aligns more or clears is not.
   */
  isExactly(role: RoleName, index: number, pair: Pair): boolean {
    if (!this.is(role, index, pair)) return false;
    const [exact, aligned] = [EXACT[role], ALIGNED[role]];
    if (exact !== undefined) return this.#sameHistory(pair, index, exact);
    return aligned === undefined || this.#sameSlack(pair, index, aligned);
  }

  /** Whether the pair's malloc takes what dlmalloc takes for a block and not more, and leaves the block as it was. */
  isDlmalloc(pair: Pair): boolean {
    return this.is("malloc", pair.malloc, pair) && (this.#ask(pair, pair.malloc, takesAsDlmalloc) ?? false);
  }

  /** Whether aligned blocks take no more of the memory than malloc's do, but for the ends that are left over. */
  #sameSlack(pair: Pair, index: number, ask: (bench: Bench, size: number) => number): boolean {
    const expected = this.#ask(pair, pair.malloc, (bench) => leastSlack(bench, ({ malloc }, size) => malloc(size)));
    const found = this.#ask(pair, index, (bench) => leastSlack(bench, ask));
    return expected !== undefined && expected === found;
  }

  #sameHistory(pair: Pair, index: number, { ask, contents }: Exact): boolean {
    const of = (candidate: number, alloc: Allocate) => {
      return this.#ask(pair, candidate, (bench) => history(bench, alloc, contents ?? false));
    };
    const [expected, found] = [of(pair.malloc, (call, size) => call(size)), of(index, ask)];
    return expected !== undefined && found !== undefined && expected.join() === found.join();
  }

  /**
   * The first block that malloc returns in a fresh instance, and the words below it that change while the allocator
   * works; the stack's are left out. Undefined: the pair does not run on its own.
   */
  observe(pair: Pair): { readonly firstBlock: number; readonly changed: ReadonlySet<number> } | undefined {
    // Another instance, in which nothing runs, has what was there before: a copy of the memory might be 4 GiB.
    const untouched = this.#instantiate(pair.growImport);
    if (untouched === undefined) return undefined;
    const before = new Uint32Array((untouched.exports[`${PREFIX}memory`] as WebAssembly.Memory).buffer);
    return this.#ask(pair, pair.malloc, ({ malloc, free, memory }) => {
      const firstBlock = malloc(24) >>> 0;
      if (firstBlock === 0) return undefined;
      const blocks: number[] = [];
      for (const size of [1, 24, 100, 500, 3000, 20_000, 100_000, 300_000, 5_000_000]) {
        for (let i = 0; i < 4; i++) blocks.push(malloc(size));
      }
      if (blocks.some((block) => block === 0)) return undefined;
      for (const block of blocks.filter((_, i) => i % 2 === 0)) free(block);
      for (const size of [8, 200, 2000, 70_000]) blocks.push(malloc(size));
      const after = new Uint32Array(memory.buffer);
      const changed = new Set<number>();
      const top = this.program.stackTop;
      const end = Math.min(firstBlock - 16, before.byteLength) >>> 2;
      for (let word = 0; word < end; word++) {
        const address = word * 4;
        const onStack = top !== undefined && address < top && address >= top - STACK_USED;
        if (!onStack && before[word] !== after[word]) changed.add(address);
      }
      return { firstBlock, changed };
    });
  }

  /** Asks in a fresh instance, within the time limit. */
  #ask<T>(pair: Pair, candidate: number, test: (bench: Bench) => T): T | undefined {
    if (this.#left <= 0) throw tooLong();
    const instance = this.#instantiate(pair.growImport);
    if (instance === undefined) return undefined;
    const call = (index: number): Call => {
      const target = instance.exports[PREFIX + index] as Call;
      return (...args) => target(...args) >>> 0;
    };
    const [malloc, free] = [call(pair.malloc), call(pair.free)];
    const bench: Bench = {
      malloc: pair.rust ? (size) => malloc(size!, 8) : malloc,
      free: pair.rust ? (block) => free(block!, 0, 8) : free,
      candidate: call(candidate),
      memory: instance.exports[`${PREFIX}memory`] as WebAssembly.Memory,
    };
    const from = performance.now();
    try {
      return this.#script.runInContext(createContext({ question: () => test(bench) }), { timeout: TIME_LIMIT }) as T;
    } catch {
      return undefined;
    } finally {
      this.#left -= performance.now() - from;
    }
  }

  #instantiate(growImport: number | undefined): WebAssembly.Instance | undefined {
    if (this.#module === undefined) return undefined;
    const { info } = this.program;
    let memory: WebAssembly.Memory | undefined;
    // Without prototypes: a module may import what it likes, "__proto__" and "toString" too.
    const imports = Object.create(null) as Record<string, Record<string, WebAssembly.ImportValue>>;
    const grow = (bytes: number) => this.#grow(memory, bytes >>> 0);
    for (const entry of info.imports) {
      imports[entry.module] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>;
      const into = imports[entry.module]!;
      if (entry.kind === "function") {
        const wide = entry.type?.results[0] === "i64";
        into[entry.name] = entry.index === growImport ? grow : wide ? () => 0n : () => 0;
      } else if (entry.kind === "memory") {
        memory = newMemory(info.memories[entry.index]!);
        if (memory === undefined) return undefined;
        into[entry.name] = memory;
      } else return undefined;
    }
    try {
      const instance = new WebAssembly.Instance(this.#module, imports);
      memory ??= instance.exports[`${PREFIX}memory`] as WebAssembly.Memory;
      return instance;
    } catch {
      return undefined;
    }
  }

  /** What emscripten_resize_heap does: 1 when the memory has `bytes` now. */
  #grow(memory: WebAssembly.Memory | undefined, bytes: number): number {
    if (memory === undefined) return 0;
    const pages = Math.ceil(bytes / PAGE) - memory.buffer.byteLength / PAGE;
    try {
      if (pages > 0) memory.grow(pages);
      return 1;
    } catch {
      return 0;
    }
  }
}

function newMemory({ initial, maximum, shared }: MemoryInfo): WebAssembly.Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial, ...(maximum === undefined ? {} : { maximum }), shared });
  } catch {
    return undefined;
  }
}

function tooLong(): ToolError {
  return new ToolError(
    "unsure",
    `it was not found out in ${BUDGET / 1000} seconds of trying which functions are the allocator's`,
    "Tell which functions malloc, free and the others are, with the option family.",
  );
}

const TESTS: Partial<Record<RoleName, (bench: Bench) => boolean>> = {
  malloc({ malloc, free, candidate, memory }) {
    const blocks = [40, 41, 200, 3000, 100_000].flatMap((size) => [
      { at: candidate(size), size },
      { at: malloc(size), size },
    ]);
    if (!separate(blocks, memory)) return false;
    for (const { at } of blocks) free(at);
    return candidate(40) !== 0;
  },

  free({ malloc, candidate, memory }) {
    // with a neighbour on either side the hole is the best place for the same size again
    return [40, 200, 3000].every((size) => {
      const [pointedTo, , middle] = [malloc(size), malloc(24), malloc(size), malloc(24)] as [
        number,
        number,
        number,
        number,
      ];
      // a function that frees what the block points to as well is no plain free
      new Uint32Array(memory.buffer, middle, size / 4).fill(pointedTo);
      candidate(middle);
      const [again, fresh] = [malloc(size), malloc(size)];
      return middle !== 0 && again === middle && fresh !== pointedTo && candidate(0) === 0;
    });
  },

  calloc({ malloc, free, candidate, memory }) {
    const dirty = [malloc(600), malloc(5000), malloc(40_000)] as const;
    for (const [i, size] of [600, 5000, 40_000].entries()) fill(memory, dirty[i]!, size, 0xaa);
    for (const block of dirty) free(block);
    const blocks = [
      { at: candidate(20, 30), size: 600 },
      { at: candidate(5000, 1), size: 5000 },
      { at: candidate(1, 40_000), size: 40_000 },
    ];
    const zero = blocks.every(({ at, size }) => at !== 0 && holds(memory, at, size, 0));
    return zero && separate(blocks, memory) && candidate(65536, 65537) === 0;
  },

  realloc({ malloc, free, candidate, memory }) {
    const first = malloc(40);
    malloc(24);
    fill(memory, first, 40, 0x5a);
    const larger = candidate(first, 4000);
    if (larger === 0 || larger === first || !holds(memory, larger, 40, 0x5a)) return false;
    fill(memory, larger, 4000, 0x33);
    const other = malloc(4000);
    fill(memory, other, 4000, 0x44);
    const smaller = candidate(larger, 64);
    const fresh = candidate(0, 100);
    if (smaller === 0 || fresh === 0 || !holds(memory, smaller, 64, 0x33)) return false;
    fill(memory, fresh, 100, 0x55);
    free(fresh);
    free(smaller);
    return holds(memory, other, 4000, 0x44);
  },

  memalign({ malloc, free, candidate, memory }) {
    malloc(24);
    const blocks: Block[] = [];
    for (const align of [32, 64, 4096, 128]) {
      for (const size of [16, 100, 1000]) blocks.push({ at: candidate(align, size), size });
      if (blocks.slice(-3).some(({ at }) => at === 0 || at % align !== 0)) return false;
      blocks.push({ at: malloc(40), size: 40 });
    }
    if (!separate(blocks, memory)) return false;
    for (const { at } of blocks) free(at);
    return true;
  },

  posix_memalign({ malloc, candidate, memory }) {
    const out = malloc(16);
    fill(memory, out, 16, 0);
    const block = () => new DataView(memory.buffer).getUint32(out, true);
    return candidate(out, 256, 100) === 0 && block() !== 0 && block() % 256 === 0 && candidate(out, 3, 100) !== 0;
  },

  malloc_usable_size({ malloc, candidate, memory }) {
    return [1, 40, 100, 3000, 70_000].every((size) => {
      const [block, next] = [malloc(size), malloc(size)];
      const [usable, ofNext] = [candidate(block), candidate(next)];
      // Some round to powers of two.
      if (usable < size || usable > size * 2 + 64) return false;
      // the size of a whole chunk reaches into the next one's header
      fill(memory, block, usable, 0xff);
      return candidate(next) === ofNext;
    });
  },
};

/** How a function of a role is asked for a block of `size` bytes. */
type Allocate = (call: Call, size: number) => number;

interface Exact {
  readonly ask: Allocate;
  /** The blocks' contents must be malloc's too. */
  readonly contents?: boolean;
}

/** How each role gives the block that malloc gives. */
const EXACT: Partial<Record<RoleName, Exact>> = {
  malloc: { ask: (call, size) => call(size), contents: true },
  calloc: { ask: (call, size) => (size % 2 === 0 ? call(size, 1) : call(1, size)) },
  realloc: { ask: (call, size) => call(0, size), contents: true },
};

/** All sizes up to some granules, then some that are far apart; the last ones are refused. */
const SIZES = [
  ...Array.from({ length: 80 }, (_, size) => size),
  ...[200, 511, 1000, 3001, 20_000, 70_001, 300_000, 0xffff_ffc0, 0xffff_ffff],
];

/** Where blocks lie, and what is in them, when half of those that were written and freed are taken again. */
function history({ free, candidate, memory }: Bench, alloc: Allocate, contents: boolean): number[] {
  const found: number[] = [];
  const take = (size: number) => {
    const block = alloc(candidate, size) >>> 0;
    found.push(block);
    if (contents && block !== 0) found.push(sum(memory, block, size));
    return { block, size };
  };
  const blocks = SIZES.map(take);
  for (const { block, size } of blocks) if (block !== 0) fill(memory, block, size, 0xaa);
  for (const [i, { block }] of blocks.entries()) if (i % 2 === 0 && block !== 0) free(block);
  for (const size of SIZES) take(size);
  return found;
}

function sum(memory: WebAssembly.Memory, at: number, size: number): number {
  return new Uint8Array(memory.buffer, at, size).reduce((total, byte) => total + byte, 0);
}

/** How each role gives a block that is aligned to 64. The history differs: the ends are left over for other blocks. */
const ALIGNED: Partial<Record<RoleName, (bench: Bench, size: number) => number>> = {
  memalign: ({ candidate }, size) => candidate(64, size),
  posix_memalign: ({ candidate, malloc, memory }, size) => {
    const out = malloc(16);
    return candidate(out, 64, size) === 0 ? new DataView(memory.buffer).getUint32(out, true) : 0;
  },
};

/**
 * The fewest bytes between a block's end, as asked for, and the next block, which is too large to lie anywhere else.
 */
function leastSlack(bench: Bench, alloc: (bench: Bench, size: number) => number): number | undefined {
  let least = Infinity;
  for (let size = 100; size < 100 + 2 * GRANULE; size++) {
    const block = alloc(bench, size);
    const next = bench.malloc(100_000 + size);
    if (block === 0 || next === 0) return undefined;
    least = Math.min(least, next - block - size);
  }
  return least;
}

/** dlmalloc's word above every chunk, and the largest granule to which it rounds. */
const OVERHEAD = 4;
const GRANULE = 16;

/**
 * Whether each block ends where dlmalloc's does: a granule takes as many bytes as are asked for and a word, and some
 * size fills it to the last byte. Blocks are aligned to a granule, and keep what the one before had in them.
 */
function takesAsDlmalloc({ malloc, free, candidate, memory }: Bench): boolean {
  const blocks: Block[] = Array.from({ length: 2 * GRANULE }, (_, i) => ({ at: candidate(24 + i), size: 24 + i }));
  const slacks = blocks.slice(1).map(({ at }, i) => at - blocks[i]!.at - blocks[i]!.size);
  if (Math.min(...slacks) !== OVERHEAD || Math.max(...slacks) >= OVERHEAD + GRANULE) return false;
  if (blocks.every(({ at }) => at % (2 * GRANULE) === 0)) return false;
  return [600, 5000, 40_000].every((size) => {
    const block = candidate(size);
    malloc(24);
    fill(memory, block, size, 0xaa);
    free(block);
    // links of free chunks lie in the first words and the last
    return candidate(size) === block && holds(memory, block + 64, size - 128, 0xaa);
  });
}

interface Block {
  readonly at: number;
  readonly size: number;
}

/** Whether every block is there and each keeps its own contents when all are written. */
function separate(blocks: readonly Block[], memory: WebAssembly.Memory): boolean {
  if (blocks.some(({ at, size }) => at === 0 || at % 8 !== 0 || at + size > memory.buffer.byteLength)) return false;
  for (const [i, { at, size }] of blocks.entries()) fill(memory, at, size, i + 1);
  return blocks.every(({ at, size }, i) => holds(memory, at, size, i + 1));
}

function fill(memory: WebAssembly.Memory, at: number, size: number, value: number): void {
  new Uint8Array(memory.buffer, at, size).fill(value);
}

function holds(memory: WebAssembly.Memory, at: number, size: number, value: number): boolean {
  return new Uint8Array(memory.buffer, at, size).every((byte) => byte === value);
}
