/**
 * `npx tsx bench/arena.ts [--c] [--rounds N] [--clock cpu] [--write | --results FOLDER]`: what an object costs from JavaScript
 * that is allocated from an arena of the collector's, and 100,000 of them freed at once, beside the heap's other ways. On
 * both kinds of heap, each way in a heap of its own, in interleaved rounds; medians. A word of each object is written, as
 * a program would: malloc's memory comes into the caches then, an arena's when its chunk is cleared.
 *
 * An arena's memory serves again after a cycle. So each round of an arena ends with one, which is measured, too: the same
 * cycle frees what gc.allocate has made.
 *
 * With --c: the arenas of gomalloc_arena.h beside malloc, both inlined into a C program that `gomalloc link` has made.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createHeap, type GCType, type Heap } from "../src/index.ts";
import { createSharedHeap, type SharedHeap } from "../src/shared/index.ts";
import { link } from "../src/tools/index.ts";
import { now, useClock } from "./lib/clock.ts";
import { CLOCK_FLAG, clockOf, roundsOf } from "./lib/flags.ts";
import { describeMachine } from "./lib/machine.ts";
import { ROOT } from "./lib/paths.ts";
import { publish, RESULT_FLAGS, resultFolder } from "./lib/results.ts";
import { median } from "./lib/statistics.ts";
import { type Table, text } from "./lib/table.ts";

const OBJECTS = 100_000;
const SIZE = 16;
const MEMORY = 64 << 20;
const WARM_ARENAS = 1500;
const MAX_IN_CHUNK = 32_768;

type AnyHeap = Heap | SharedHeap;
/** A way to have objects: allocates OBJECTS and writes a word of each, then frees them. */
type Way = (
  heap: AnyHeap,
  type: GCType<string>,
) => { allocate: (words: Uint32Array) => void; free: () => void; collects: boolean };

/** What was allocated, for those that free one by one. */
const addresses = new Uint32Array(OBJECTS);

/**
 * Each loop is written out: through a common one the calls would share their types' feedback in V8, and none of them would
 * be inlined.
 */
const WAYS: [string, Way][] = [
  [
    "malloc, free",
    (heap) => ({
      allocate: (words) => {
        for (let i = 0; i < OBJECTS; i++) {
          const ptr = heap.malloc(SIZE);
          addresses[i] = ptr;
          words[ptr >>> 2] = i;
        }
      },
      free: () => {
        for (let i = 0; i < OBJECTS; i++) heap.free(addresses[i]!);
      },
      collects: false,
    }),
  ],
  [
    "calloc, free",
    (heap) => ({
      allocate: (words) => {
        for (let i = 0; i < OBJECTS; i++) {
          const ptr = heap.calloc(1, SIZE);
          addresses[i] = ptr;
          words[ptr >>> 2] = i;
        }
      },
      free: () => {
        for (let i = 0; i < OBJECTS; i++) heap.free(addresses[i]!);
      },
      collects: false,
    }),
  ],
  [
    "gc.allocate, gc.free",
    ({ collector }, type) => ({
      allocate: (words) => {
        for (let i = 0; i < OBJECTS; i++) {
          const ptr = collector.allocate(type);
          addresses[i] = ptr;
          words[ptr >>> 2] = i;
        }
      },
      free: () => {
        for (let i = 0; i < OBJECTS; i++) collector.free(addresses[i]!);
      },
      collects: false,
    }),
  ],
  [
    "gc.allocate, a cycle",
    ({ collector }, type) => ({
      allocate: (words) => {
        for (let i = 0; i < OBJECTS; i++) {
          const ptr = collector.allocate(type);
          addresses[i] = ptr;
          words[ptr >>> 2] = i;
        }
      },
      free: () => {},
      collects: true,
    }),
  ],
  [
    "arena.allocate, arena.free, a cycle",
    ({ collector }, type) => {
      let arena = collector.arena();
      return {
        allocate: (words) => {
          const open = collector.arena();
          for (let i = 0; i < OBJECTS; i++) {
            const ptr = open.allocate(type);
            addresses[i] = ptr;
            words[ptr >>> 2] = i;
          }
          arena = open;
        },
        free: () => arena.free(),
        collects: true,
      };
    },
  ],
  [
    "arena.allocateBytes, arena.free, a cycle",
    ({ collector }) => {
      let arena = collector.arena();
      return {
        allocate: (words) => {
          const open = collector.arena();
          for (let i = 0; i < OBJECTS; i++) {
            const ptr = open.allocateBytes(SIZE);
            addresses[i] = ptr;
            words[ptr >>> 2] = i;
          }
          arena = open;
        },
        free: () => arena.free(),
        collects: true,
      };
    },
  ],
];

const COLUMNS: Table["columns"] = [
  { name: "ns to allocate and write", digits: 1 },
  { name: "over malloc", digits: 2, unit: "x" },
  { name: "ns to free", digits: 3 },
  { name: "over free", digits: 4, unit: "x" },
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      ...CLOCK_FLAG,
      c: { type: "boolean", default: false },
      ...RESULT_FLAGS,
    },
  });
  const folder = resultFolder(values, undefined);
  const rounds = roundsOf(values.rounds, 25);
  useClock(clockOf(values.clock));
  const tables = values.c ? [await measureC(rounds)] : measureHeaps(rounds);
  for (const table of tables) console.log(text(table), "\n");
  const conditions = `medians of ${rounds} interleaved rounds, ${values.clock} time`;
  const found = {
    machine: values.c ? describeMachine({ binaryen: "binaryen" }) : describeMachine({}),
    conditions,
    tables,
    notes: [],
  };
  const name = values.c ? "arena-c" : "arena";
  if (folder) await publish(folder, name, `npx tsx bench/arena.ts${values.c ? " --c" : ""}`, found);
}

function measureHeaps(rounds: number): Table[] {
  const heaps: [string, () => AnyHeap][] = [
    ["createHeap", () => createHeap()],
    ["createSharedHeap", () => createSharedHeap({ maximumPages: 4096, shared: true })],
  ];
  return heaps.map(([name, make]) => measure(name, make, rounds));
}

/** The program of bench/native/arena.c, with the allocator merged into it. */
async function program(): Promise<Record<string, (n: number) => void>> {
  const { clang } = await import("../native/examples/clang.mjs");
  const output = "bench-arena.wasm";
  const flags = ["--target=wasm32-wasip1", "-mexec-model=reactor", "-O2", "-Inative"];
  try {
    await clang(["clang", ...flags, "bench/native/arena.c", "native/gomalloc.c", "-o", output], ROOT);
    const { wasm } = await link(await readFile(join(ROOT, output)));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), {});
    return instance.exports as Record<string, (n: number) => void>;
  } finally {
    await rm(join(ROOT, output), { force: true });
  }
}

async function measureC(rounds: number): Promise<Table> {
  const calls = await program();
  calls["_initialize"]?.(0);
  const ways = [
    ["malloc, free", "malloc_blocks", "free_blocks"],
    ["gm_arena_alloc, gm_arena_free", "arena_blocks", "free_arena"],
  ] as const;
  const times = ways.map(() => ({ allocate: [] as number[], free: [] as number[] }));
  for (let round = -20; round < rounds; round++) {
    for (const [i, [, allocate, free]] of ways.entries()) {
      const start = now();
      calls[allocate]!(OBJECTS);
      const middle = now();
      calls[free]!(OBJECTS);
      const end = now();
      if (round < 0) continue;
      times[i]!.allocate.push(((middle - start) * 1e6) / OBJECTS);
      times[i]!.free.push(((end - middle) * 1e6) / OBJECTS);
    }
  }
  const [allocate, free] = [median(times[0]!.allocate), median(times[0]!.free)];
  return {
    columns: [{ name: `${OBJECTS} blocks of 24 bytes, in C` }, ...COLUMNS],
    rows: ways.map(([name], i) => {
      const [a, f] = [median(times[i]!.allocate), median(times[i]!.free)];
      return [name, a, a / allocate, f, f / free];
    }),
  };
}

function measure(name: string, make: () => AnyHeap, rounds: number): Table {
  const forms = WAYS.map(([way, open]) => {
    const heap = make();
    // Grown once: typed arrays over the memory stay good.
    heap.free(heap.malloc(MEMORY));
    const type = heap.collector.defineType<string>({ size: SIZE, pointers: [0, 8] });
    return { way, heap, ...open(heap, type), times: { allocate: [], free: [], cycle: [] } as Record<string, number[]> };
  });
  // V8 compiles what has run often, and a large arena is freed once a round.
  for (const { heap } of forms) {
    for (let i = 0; i < WARM_ARENAS; i++) {
      const arena = heap.collector.arena();
      for (let n = 0; n < 4; n++) arena.allocateBytes(MAX_IN_CHUNK);
      arena.free();
      if (i % 20 === 0) heap.collector.collect();
    }
  }
  const take = (times: number[], fn: () => void, round: number): void => {
    const start = now();
    fn();
    if (round >= 0) times.push(((now() - start) * 1e6) / OBJECTS);
  };
  // The first rounds warm up: V8's first tier is still at work in them.
  for (let round = -5; round < rounds; round++) {
    for (const { heap, allocate, free, collects, times } of forms) {
      const { u32 } = heap;
      take(times["allocate"]!, () => allocate(u32), round);
      take(times["free"]!, free, round);
      if (collects) take(times["cycle"]!, () => heap.collector.collect(), round);
    }
  }
  const [base] = forms;
  const [allocate, free] = [median(base!.times["allocate"]!), median(base!.times["free"]!)];
  const table: Table = {
    columns: [
      { name: `${OBJECTS} objects of ${SIZE} bytes, ${name}` },
      ...COLUMNS,
      { name: "ns of the cycle", digits: 2 },
    ],
    rows: forms.map(({ way, times, collects }) => {
      const [a, f] = [median(times["allocate"]!), median(times["free"]!)];
      const freed = way !== "gc.allocate, a cycle";
      const cycle = collects ? median(times["cycle"]!) : null;
      return [way, a, a / allocate, freed ? f : null, freed ? f / free : null, cycle];
    }),
  };
  for (const { heap } of forms) heap.dispose();
  return table;
}

await main();
