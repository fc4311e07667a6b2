/** stats() and validate(): exact counts for known workloads, and real damage that is found. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bindExports } from "../../src/base/abi.ts";
import { Heap } from "../../src/heap/heap.ts";
import { createHeap, INVARIANTS, InvariantError, SIZE_CLASSES } from "../../src/index.ts";
import { expectLawful } from "../support/memstatslaws.ts";
import { WASM_PAGE, wasmModule } from "../support/wasm.ts";

const PAGE = 8192;

describe("stats", () => {
  it("of a fresh heap count nothing", () => {
    const stats = createHeap({ initial: 3 }).stats();
    expectLawful(stats);
    expect(stats).toMatchObject({ mallocs: 0, frees: 0, heapObjects: 0, heapAlloc: 0, totalAlloc: 0, spansInUse: 0 });
    expect(stats.sys).toBe(3 * WASM_PAGE - 1024);
    expect(stats.bySize.map(({ size }) => size)).toEqual(SIZE_CLASSES.map(({ size }) => size));
  });

  it("count every class's mallocs, frees and bytes", () => {
    const heap = createHeap();
    const live: { ptr: number; sizeClass: number }[] = [];
    let alloc = 0;
    let total = 0;
    // Aligned to more than 16 bytes, a block is always of its own class: malloc begins with the coarse ones, of 16 first.
    const classes = SIZE_CLASSES.filter(({ size }) => size === 16 || (size > 0 && size % 32 === 0));
    expect(classes.length).toBeGreaterThan(45);
    for (const { class: sizeClass, size } of classes) {
      const count = 3 + (sizeClass % 5);
      for (let i = 0; i < count; i++) live.push({ ptr: heap.alignedAlloc(Math.min(32, size), size), sizeClass });
      alloc += count * size;
    }
    total = alloc;
    let stats = heap.stats();
    expectLawful(stats);
    expect(stats).toMatchObject({ heapAlloc: alloc, totalAlloc: total, mallocs: live.length, frees: 0 });
    for (const { class: sizeClass } of classes) {
      expect(stats.bySize[sizeClass]).toMatchObject({ mallocs: 3 + (sizeClass % 5), frees: 0 });
      expect(stats.bySize[sizeClass]!.spans).toBeGreaterThanOrEqual(1);
    }
    // One of each class goes.
    for (const { class: sizeClass, size } of classes) {
      const index = live.findIndex((block) => block.sizeClass === sizeClass);
      heap.free(live.splice(index, 1)[0]!.ptr);
      alloc -= size;
    }
    stats = heap.stats();
    expectLawful(stats);
    expect(stats).toMatchObject({ heapAlloc: alloc, totalAlloc: total, frees: classes.length });
    for (const { class: sizeClass } of classes) expect(stats.bySize[sizeClass]!.frees).toBe(1);
    for (const { ptr } of live) heap.free(ptr);
    expect(heap.stats()).toMatchObject({ heapAlloc: 0, heapObjects: 0, totalAlloc: total });
  });

  it("count large objects by pages", () => {
    const heap = createHeap();
    const blocks = [40_000, 100_000, 1_000_000].map((size) => heap.malloc(size));
    const pages = [40_000, 100_000, 1_000_000].map((size) => Math.ceil(size / PAGE) * PAGE);
    const bytes = pages.reduce((a, b) => a + b);
    let stats = heap.stats();
    expectLawful(stats);
    expect(stats).toMatchObject({ largeMallocs: 3, largeFrees: 0, largeLiveBytes: bytes, heapAlloc: bytes });
    heap.free(blocks[1]!);
    stats = heap.stats();
    expectLawful(stats);
    expect(stats).toMatchObject({ largeFrees: 1, largeLiveBytes: bytes - pages[1]!, totalAlloc: bytes });
  });

  it("tell the share of the mcache", () => {
    const heap = createHeap();
    const blocks = Array.from({ length: 64_000 }, () => heap.malloc(32));
    let { stages, refills, groupRefills } = heap.stats();
    // A refill brings 64 slots.
    expect(stages.mcache).toEqual({ hits: 63_000, misses: 1000 });
    expect(refills).toBe(1000);
    expect(groupRefills).toBe(0);
    // 32-byte spans have 256 slots: three groups from each span, and a new span for the fourth.
    expect(stages.span.hits).toBe(750);
    expect(stages.mcentral).toEqual({ hits: 0, misses: 250 });
    for (const ptr of blocks) heap.free(ptr);
    for (let i = 0; i < 64_000; i++) heap.malloc(32);
    ({ stages, refills, groupRefills } = heap.stats());
    expect(stages.mcentral.hits).toBeGreaterThan(0);
    expectLawful(heap.stats());
  });

  it("tell what zeroing was skipped and done", () => {
    // What the heap grew itself is known to be zero.
    const heap = createHeap({ memory: new WebAssembly.Memory({ initial: 1 }) });
    const block = heap.calloc(1, 1000);
    const fresh = heap.stats();
    expect(fresh.zeroedBytesCleared).toBe(0);
    expect(fresh.zeroedBytesSkipped).toBeGreaterThanOrEqual(1000);
    for (let i = 0; i < 100; i++) heap.malloc(1000);
    heap.free(block);
    for (let i = 0; i < 100; i++) heap.calloc(1, 1000);
    expect(heap.stats().zeroedBytesCleared).toBeGreaterThanOrEqual(1000);
  });

  it("tell reallocs in place and moves, growths and refusals", () => {
    const heap = createHeap({ maximum: 40 });
    let ptr = heap.malloc(100);
    ptr = heap.realloc(ptr, 105);
    ptr = heap.realloc(ptr, 5000);
    expect(heap.stats()).toMatchObject({ reallocInPlace: 1, reallocMoves: 1 });
    expect(heap.tryMalloc(100 * WASM_PAGE)).toBe(0);
    const stats = heap.stats();
    expect(stats.sysGrowFailures).toBeGreaterThanOrEqual(1);
    const grows = stats.sysGrows;
    heap.malloc(10 * WASM_PAGE);
    expect(heap.stats().sysGrows).toBe(grows + 1);
  });

  it("does not disturb the heap", () => {
    const heap = createHeap();
    heap.malloc(100);
    const first = heap.stats();
    for (let i = 0; i < 10; i++) heap.stats();
    expect(heap.stats()).toEqual(first);
    heap.validate({ deep: true });
  });

  it("refuses a record of another version", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const exports = bindExports(new WebAssembly.Instance(wasmModule("host"), { env: { memory } }));
    const heap = new Heap({ ...exports, memstats: () => 1024 }, memory, true);
    heap.dataView.setBigUint64(1024, 2n, true);
    expect(() => heap.stats()).toThrow(/version 2/);
  });
});

describe("reclaim and releaseAll", () => {
  it("give empty spans back to the page heap", () => {
    const heap = createHeap();
    const blocks = SIZE_CLASSES.filter(({ size }) => size >= 16).flatMap(({ size }) => [
      heap.malloc(size),
      heap.malloc(size),
    ]);
    for (const ptr of blocks) heap.free(ptr);
    const pages = heap.reclaim();
    expect(heap.stats().heapRetained).toBe(0);
    expect(heap.reclaim()).toBe(0);
    expect(pages).toBeGreaterThanOrEqual(0);
    heap.releaseAll();
    const stats = heap.stats();
    expectLawful(stats);
    expect(stats).toMatchObject({ heapInuse: 0, spansInUse: 0, heapObjects: 0, heapIdle: stats.heapSys });
    heap.validate({ deep: true });
    for (let i = 0; i < 1000; i++) heap.malloc(i);
    heap.validate({ deep: true });
  });

  it("keep what is live", () => {
    const heap = createHeap();
    const ptr = heap.malloc(64);
    const tiny = heap.mallocgc(3, null, true);
    heap.u8.fill(5, ptr, ptr + 64);
    heap.u8.fill(6, tiny, tiny + 3);
    heap.releaseAll();
    heap.reclaim();
    heap.validate({ deep: true });
    expect(heap.stats().spansInUse).toBe(2);
    heap.mallocgc(3, null, true);
    heap.malloc(64);
    expect(heap.u8.subarray(ptr, ptr + 64).every((byte) => byte === 5)).toBe(true);
    expect(heap.u8.subarray(tiny, tiny + 3).every((byte) => byte === 6)).toBe(true);
    heap.free(ptr);
  });
});

describe("validate", () => {
  it("finds a write into a free slot that is known to be zero", () => {
    const heap = createHeap({ memory: new WebAssembly.Memory({ initial: 1 }) });
    const ptr = heap.malloc(64);
    const next = ptr + 64;
    heap.u8[next + 9] = 1;
    heap.validate();
    let error: unknown;
    try {
      heap.validate({ deep: true });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvariantError);
    expect(error).toMatchObject({
      name: "InvariantError",
      code: "ERR_INVARIANT",
      invariant: 34,
      description: INVARIANTS[34],
      address: next + 8,
    });
    heap.u8[next + 9] = 0;
    heap.validate({ deep: true });
  });

  it("finds damage to the records of spans", () => {
    const memory = new WebAssembly.Memory({ initial: 4 });
    const instance = new WebAssembly.Instance(wasmModule("host"), { env: { memory } });
    const exports = bindExports(instance);
    const spanOf = instance.exports.spanOf as (ptr: number) => number;
    exports.init(1024);
    const heap = new Heap(exports, memory, true);
    const ptr = heap.malloc(64);
    heap.malloc(64);
    const record = spanOf(ptr) >>> 0;
    heap.validate();
    // Any bit of the record's first words (links, start, pages) that is flipped is noticed, and gone when flipped back.
    let found = 0;
    for (let word = 0; word < 4; word++) {
      heap.u32[record / 4 + word]! ^= 0x40;
      try {
        heap.validate();
      } catch (error) {
        expect(error).toBeInstanceOf(InvariantError);
        found++;
      }
      heap.u32[record / 4 + word]! ^= 0x40;
      heap.validate();
    }
    expect(found).toBeGreaterThanOrEqual(2);
  });

  it("has words for every invariant that wasm checks", () => {
    const source = readFileSync(new URL("../../assembly/base/abinumbers.ts", import.meta.url), "utf8");
    const codes = [
      ...source.matchAll(
        /export const (?:(?:BAD|BIT|DIRTY|NOT|STALE)_\w+|SPAN_PAGE_FREE|SPANS_OVERLAP): u32 = (\d+);/g,
      ),
    ].map(([, code]) => Number(code));
    expect(codes.length).toBeGreaterThan(10);
    expect(new Set(codes).size).toBe(codes.length);
    expect(Object.keys(INVARIANTS).map(Number)).toEqual([...codes].sort((a, b) => a - b));
  });

  it("has words for what a newer module may find", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const exports = bindExports(new WebAssembly.Instance(wasmModule("host"), { env: { memory } }));
    const heap = new Heap({ ...exports, validate: () => 999, validateInfo: () => -16 }, memory, true);
    expect(() => heap.validate()).toThrow(/invariant 999 broken at 0xfffffff0: .*no description/);
  });
});
