/**
 * `npx tsx bench/arena.ts [--rounds N] [--clock cpu] [--write | --results FOLDER]`: what an object costs from JavaScript
 * that is allocated from an arena of the collector's, and 100,000 of them freed at once, beside the heap's other ways. On
 * both kinds of heap, each way in a heap of its own, in interleaved rounds; medians.
 *
 * An arena's memory serves again after a cycle. So each round of an arena ends with one, which is measured, too: the same
 * cycle frees what gc.allocate has made.
 */
import { parseArgs } from "node:util";
import { createHeap, type GCType, type Heap } from "../src/index.ts";
import { createSharedHeap, type SharedHeap } from "../src/shared/index.ts";
import { now, useClock } from "./lib/clock.ts";
import { describeMachine } from "./lib/machine.ts";
import { publish, RESULT_FLAGS, resultFolder } from "./lib/results.ts";
import { median } from "./lib/statistics.ts";
import { type Table, text } from "./lib/table.ts";

const OBJECTS = 100_000;
const SIZE = 16;

type AnyHeap = Heap | SharedHeap;
/** A way to have objects: allocates OBJECTS, then frees them; milliseconds of both, and of a cycle that follows. */
type Way = (heap: AnyHeap, type: GCType<string>) => { allocate: () => void; free: () => void; collects: boolean };

/** What was allocated, for those that free one by one. */
const addresses = new Uint32Array(OBJECTS);

const WAYS: [string, Way][] = [
  [
    "malloc, free",
    (heap) => ({
      allocate: () => {
        for (let i = 0; i < OBJECTS; i++) addresses[i] = heap.malloc(SIZE);
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
      allocate: () => {
        for (let i = 0; i < OBJECTS; i++) addresses[i] = collector.allocate(type);
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
      allocate: () => {
        for (let i = 0; i < OBJECTS; i++) addresses[i] = collector.allocate(type);
      },
      free: () => {},
      collects: true,
    }),
  ],
  ["arena.allocate, arena.free, a cycle", arenaWay((arena, type) => arena.allocate(type))],
  ["arena.allocateBytes, arena.free, a cycle", arenaWay((arena) => arena.allocateBytes(SIZE))],
];

function arenaWay(one: (arena: ReturnType<AnyHeap["collector"]["arena"]>, type: GCType<string>) => number): Way {
  return ({ collector }, type) => {
    let arena = collector.arena();
    return {
      allocate: () => {
        arena = collector.arena();
        for (let i = 0; i < OBJECTS; i++) addresses[i] = one(arena, type);
      },
      free: () => arena.free(),
      collects: true,
    };
  };
}

function main(): { tables: Table[]; rounds: number; clock: string; folder: string | undefined } {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "25" },
      clock: { type: "string", default: "wall" },
      ...RESULT_FLAGS,
    },
  });
  const folder = resultFolder(values, undefined);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: a number from 1 on`);
  if (values.clock !== "wall" && values.clock !== "cpu") throw new Error(`--clock ${values.clock}: wall or cpu`);
  useClock(values.clock);
  const heaps: [string, () => AnyHeap][] = [
    ["createHeap", () => createHeap()],
    ["createSharedHeap", () => createSharedHeap({ maximumPages: 4096, shared: true })],
  ];
  const tables = heaps.map(([name, make]) => measure(name, make, rounds));
  return { tables, rounds, clock: values.clock, folder };
}

function measure(name: string, make: () => AnyHeap, rounds: number): Table {
  const forms = WAYS.map(([way, open]) => {
    const heap = make();
    const type = heap.collector.defineType<string>({ size: SIZE, pointers: [0, 8] });
    return { way, heap, ...open(heap, type), times: { allocate: [], free: [], cycle: [] } as Record<string, number[]> };
  });
  const take = (times: number[], fn: () => void, round: number): void => {
    const start = now();
    fn();
    if (round >= 0) times.push(((now() - start) * 1e6) / OBJECTS);
  };
  // The first rounds warm up: V8's first tier is still at work in them.
  for (let round = -5; round < rounds; round++) {
    for (const { heap, allocate, free, collects, times } of forms) {
      take(times["allocate"]!, allocate, round);
      take(times["free"]!, free, round);
      if (collects) take(times["cycle"]!, () => heap.collector.collect(), round);
    }
  }
  const [base] = forms;
  const [allocate, free] = [median(base!.times["allocate"]!), median(base!.times["free"]!)];
  const table: Table = {
    columns: [
      { name: `${OBJECTS} objects of ${SIZE} bytes, ${name}` },
      { name: "ns to allocate", digits: 1 },
      { name: "over malloc", digits: 2, unit: "x" },
      { name: "ns to free", digits: 3 },
      { name: "over free", digits: 4, unit: "x" },
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

const { tables, rounds, clock, folder } = main();
for (const table of tables) console.log(text(table), "\n");
const conditions = `medians of ${rounds} interleaved rounds, ${clock} time`;
const found = { machine: describeMachine({}), conditions, tables, notes: [] };
if (folder) await publish(folder, "arena", "npx tsx bench/arena.ts", found);
