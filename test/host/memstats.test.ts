/**
 * The fields of Go's MemStats in heaps of one thread and in shared ones: the laws between them after random work, and
 * what each figure of the metadata counts.
 */
import { afterEach, describe, expect, it } from "vitest";
import {
  type Collector,
  type CollectorOptions,
  createHeap,
  type Handle,
  type Heap,
  type ShadowStack,
} from "../../src/index.ts";
import { createHeap as createProfiledHeap } from "../../src/profile.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";
import { expectLawful } from "../support/memstatslaws.ts";
import { between, random } from "../support/random.ts";

const PAGE = 8192;

type AnyHeap = Heap | SharedHeap;

const KINDS: [string, (collector?: CollectorOptions) => AnyHeap][] = [
  ["createHeap", (collector) => createHeap({ collector })],
  ["createSharedHeap", (collector) => createSharedHeap({ maximumPages: 4096, collector })],
  [
    "createSharedHeap, shared: false",
    (collector) => createSharedHeap({ maximumPages: 4096, shared: false, collector }),
  ],
];

let heap: AnyHeap;
afterEach(() => heap.dispose());

/** Blocks, objects, handles, pins, types, stacks and cycles, in random order, as much made as ended. */
function* work(heap: AnyHeap, seed: number, steps: number): Generator<void> {
  const r = random(seed);
  const gc: Collector = heap.collector;
  const blocks: number[] = [];
  const handles: Handle<string>[] = [];
  const stacks: ShadowStack[] = [];
  const some = <T>(list: T[]): T[] => (list.length === 0 ? [] : list.splice(r() % list.length, 1));
  const types = [8, 24, 200, 4096].map((size) => gc.defineType({ size, pointers: [0, size - 4] }));
  const moves: (() => void)[] = [
    () => blocks.push(heap.malloc(between(r, 0, 3000))),
    () => blocks.push(heap.malloc(2 ** between(r, 3, 18))),
    () =>
      some(blocks).forEach((ptr) => {
        heap.free(ptr);
      }),
    () =>
      blocks.splice(0, blocks.length >> 1).forEach((ptr) => {
        heap.free(ptr);
      }),
    () =>
      some(blocks).forEach((ptr) => {
        blocks.push(heap.realloc(ptr, between(r, 1, 100_000)));
      }),
    () => void heap.mallocgc(between(r, 0, 40), null, true),
    () => void handles.push(gc.new(types[r() % types.length]!, between(r, 1, 9))),
    () => void handles.push(gc.newBytes(between(r, 0, 70_000))),
    () =>
      some(handles).forEach((handle) => {
        handle.dispose();
      }),
    () =>
      handles.slice(-1).forEach((handle) => {
        gc.pin(handle);
      }),
    () => void stacks.push(gc.shadowStack(between(r, 1, 20_000))),
    () =>
      some(stacks).forEach((stack) => {
        stack.dispose();
      }),
    () => void gc.defineType({ size: 4 * between(r, 1, 3000), pointers: [0] }),
    () => void gc.start(),
    () => void gc.step({ bytes: between(r, 1, 200_000) }),
    () => gc.collect(),
    () => void heap.reclaim(),
    () => heap.releaseAll(),
  ];
  for (let i = 0; i < steps; i++) {
    moves[r() % (r() % 3 === 0 ? moves.length : 7)]!();
    yield;
  }
}

describe.each(KINDS)("the statistics of %s", (name, make) => {
  it.each([1, 2, 3])("keep their laws after random work, seed %d", (seed) => {
    heap = make();
    expectLawful(heap.stats());
    let step = 0;
    for (const _ of work(heap, seed, 1500)) if (++step % 10 === 0) expectLawful(heap.stats());
    expectLawful(heap.stats());
    heap.validate({ deep: true });
    expect(heap.stats().gcSys).toBeGreaterThan(0);
  });

  it("count a shadow stack as a stack, not as heap", () => {
    heap = make();
    heap.collector.shadowStack(10).dispose();
    const before = heap.stats();
    const stack = heap.collector.shadowStack(10_000);
    const during = heap.stats();
    expect(during).toMatchObject({ stackInuse: 40_000, stackSys: 40_000 });
    // A block of 40004 bytes takes five pages.
    expect(during.heapAlloc - before.heapAlloc).toBe(5 * PAGE - 40_000);
    expect(during.heapInuse - before.heapInuse).toBe(5 * PAGE - 40_000);
    expect(during.mallocs - before.mallocs).toBe(1);
    expectLawful(during);
    stack.dispose();
    expect(heap.stats()).toMatchObject({ stackInuse: 0, heapAlloc: before.heapAlloc });
  });

  it("count as stacks what was registered with a stack pointer and lies in one live block", () => {
    heap = make();
    const gc = heap.collector;
    const pointer = heap.malloc(4);
    const small = heap.malloc(512);
    const other = heap.malloc(512);
    const large = heap.malloc(100_000);
    heap.u32[pointer >>> 2] = large + 50_000;
    gc.addRoots(small + 16, 64, { pointer });
    expect(heap.stats().stackInuse).toBe(64);
    gc.addRoots(large + 70_000, 30_000, { pointer });
    expect(heap.stats().stackInuse).toBe(30_064);
    // A range without a pointer is a global; one that leaves its block, or lies below the heap, is none of these.
    gc.addRoots(other, 128);
    gc.addRoots(other + 256, 512, { pointer });
    gc.addRoots(8, 64, { pointer });
    expect(heap.stats().stackInuse).toBe(30_064);
    gc.removeRoots(large + 70_000);
    heap.free(small);
    expect(heap.stats().stackInuse).toBe(0);
    expectLawful(heap.stats());
  });

  it("count ranges that overlap no further than there are live bytes", () => {
    heap = make();
    const block = heap.malloc(60_000);
    for (let i = 0; i < 5; i++) heap.collector.addRoots(block + 16 * i, 50_000, { pointer: block });
    const stats = heap.stats();
    expect(stats.stackInuse).toBeGreaterThanOrEqual(Math.ceil(60_000 / PAGE) * PAGE);
    expect(stats.heapAlloc).toBe(0);
    expectLawful(stats);
  });

  it("count the collector's tables", () => {
    heap = make();
    const gc = heap.collector;
    gc.newBytes(16).dispose();
    const block = heap.malloc(64);
    const before = heap.stats().gcSys;
    // A table of handles has 2048 words, then twice as many.
    const handles = Array.from({ length: 3000 }, () => gc.newBytes(16));
    const handled = heap.stats().gcSys;
    expect(handled - before).toBeGreaterThanOrEqual(PAGE);
    for (const handle of handles) gc.pin(handle);
    // 3000 pins are in a table of 8192 entries of 8 bytes.
    const pinned = heap.stats().gcSys;
    expect(pinned - handled).toBeGreaterThanOrEqual(8192 * 8 - 64 * 8);
    // A type of 400 pointers: 16 bytes and a mask of 13 words, to a multiple of 16.
    gc.defineType({ size: 1600, pointers: Array.from({ length: 400 }, (_, i) => 4 * i) });
    expect(heap.stats().gcSys - pinned).toBe(80);
    gc.addRoots(block, 64);
    expect(heap.stats().gcSys - pinned).toBe(96);
  });

  it("count the records of spans, and keep those of dead ones", () => {
    heap = make();
    const before = heap.stats();
    const blocks = Array.from({ length: 400 }, () => heap.malloc(40_000));
    const full = heap.stats();
    // A span's record has 32 bytes; its mark word and meta word are the collector's.
    expect(full.mspanInuse - before.mspanInuse).toBe(400 * 32);
    expect(full.gcSys - before.gcSys).toBe(400 * 16);
    for (const ptr of blocks) heap.free(ptr);
    const empty = heap.stats();
    expect(empty.mspanInuse).toBe(before.mspanInuse);
    expect(empty.mspanSys).toBe(full.mspanSys);
    expect(empty.gcSys).toBe(full.gcSys);
    expectLawful(empty);
  });

  it("count the mcaches of the Ps", () => {
    heap = make();
    heap.free(heap.malloc(10));
    const one = heap.stats();
    if (name !== "createSharedHeap") {
      expect([one.mcacheInuse, one.mcacheSys]).toEqual([221 * 32, 221 * 32]);
      return;
    }
    expect(one.mcacheInuse).toBeGreaterThan(221 * 32);
    expect(one.mcacheSys % PAGE).toBe(0);
    const other = attachHeap((heap as SharedHeap).share());
    other.malloc(10);
    const two = heap.stats();
    expect(two).toMatchObject({ mcacheInuse: 2 * one.mcacheInuse, mcacheSys: 2 * one.mcacheSys });
    expectLawful(two);
    other.dispose();
  });

  it("tell what the collector is set to", () => {
    heap = make();
    expect(heap.stats()).toMatchObject({
      enableGC: false,
      debugGC: false,
      lookups: 0,
      buckHashSys: 0,
    });
    expect(heap.stats()).toMatchObject({ gcPercent: 100, memoryLimit: Number.POSITIVE_INFINITY });
    heap.collector.setOptions({ auto: true, gcPercent: "off", memoryLimit: "64MiB" });
    expect(heap.stats()).toMatchObject({ enableGC: true, gcPercent: -1, memoryLimit: 64 << 20 });
  });
});

describe("the statistics of a heap that samples", () => {
  it.each([
    ["every block", { rate: 1 }],
    ["some blocks", { rate: 4096, seed: 1 }],
    ["and guards every block", { guard: "all" as const }],
  ])("%s keep their laws after random work", (_, profile) => {
    heap = createProfiledHeap({ profile });
    let step = 0;
    for (const _ of work(heap, 4, 1000)) if (++step % 10 === 0) expectLawful(heap.stats());
    heap.validate({ deep: true });
    expectLawful(heap.stats());
    // The table of samples, the heads of its chains and the page for stacks.
    expect(heap.stats().buckHashSys).toBeGreaterThanOrEqual(256 * 64 + 6144 * 4 + PAGE);
  });

  it("have no profile's tables before the first sample", () => {
    heap = createProfiledHeap({ profile: { rate: 0 } });
    heap.malloc(100);
    expect(heap.stats().buckHashSys).toBe(0);
    expectLawful(heap.stats());
  });
});
