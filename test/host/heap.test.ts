/** The allocating calls of Heap: addresses, contents, alignment, and the ranges of their arguments. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHeap, type Heap, MAX_SMALL_SIZE, SIZE_CLASSES } from "../../src/index.ts";

/** Sizes around every size class's edge, and beyond the classes. */
const EDGE_SIZES = [
  ...new Set(SIZE_CLASSES.flatMap(({ size }) => [size - 1, size, size + 1])),
  ...[MAX_SMALL_SIZE + 8192, 65536, 65537, 1_000_000],
].filter((size) => size >= 0);

const NOT_U32 = [-1, 0.5, 2 ** 32, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, "8", null, undefined, {}] as number[];

function bytes(heap: Heap, ptr: number, length: number): Uint8Array {
  return heap.u8.subarray(ptr, ptr + length);
}

describe("malloc", () => {
  it("gives disjoint, aligned blocks of at least the size, for every class", () => {
    const heap = createHeap();
    const blocks = EDGE_SIZES.flatMap((size) => [size, size, size]).map((size, index) => {
      const ptr = heap.malloc(size);
      expect(ptr % (size >= 16 ? 16 : 8)).toBe(0);
      expect(heap.usableSize(ptr)).toBeGreaterThanOrEqual(size);
      heap.u8.fill(index & 0xff, ptr, ptr + heap.usableSize(ptr));
      return { ptr, size, index };
    });
    const sorted = blocks.map(({ ptr }) => ({ ptr, end: ptr + heap.usableSize(ptr) })).sort((a, b) => a.ptr - b.ptr);
    for (let i = 1; i < sorted.length; i++) expect(sorted[i]!.ptr).toBeGreaterThanOrEqual(sorted[i - 1]!.end);
    for (const { ptr, index } of blocks) {
      expect(bytes(heap, ptr, heap.usableSize(ptr)).every((byte) => byte === (index & 0xff))).toBe(true);
    }
    heap.validate({ deep: true });
    for (const { ptr } of blocks) heap.free(ptr);
    heap.validate({ deep: true });
    expect(heap.stats().heapObjects).toBe(0);
  });

  it("gives size 0 a block of its own", () => {
    const heap = createHeap();
    const blocks = Array.from({ length: 100 }, () => heap.malloc(0));
    expect(new Set(blocks).size).toBe(100);
    expect(blocks).not.toContain(0);
    for (const ptr of blocks) heap.free(ptr);
    heap.validate();
  });

  it("uses freed memory again", () => {
    const heap = createHeap();
    for (let i = 0; i < 100_000; i++) heap.free(heap.malloc(1000));
    expect(heap.memory.buffer.byteLength).toBeLessThanOrEqual(4 * 65536);
  });
});

describe("calloc", () => {
  it("zeroes memory that was dirty", () => {
    const heap = createHeap();
    for (const size of EDGE_SIZES) {
      const dirty = Array.from({ length: 5 }, () => heap.malloc(size));
      for (const ptr of dirty) heap.u8.fill(0xff, ptr, ptr + size);
      for (const ptr of dirty) heap.free(ptr);
      const clean = Array.from({ length: 5 }, () => heap.calloc(1, size));
      for (const ptr of clean) expect(bytes(heap, ptr, size).every((byte) => byte === 0)).toBe(true);
      for (const ptr of clean) heap.free(ptr);
    }
    heap.validate({ deep: true });
  });

  it("multiplies", () => {
    const heap = createHeap();
    const ptr = heap.calloc(123, 45);
    expect(heap.usableSize(ptr)).toBeGreaterThanOrEqual(123 * 45);
    expect(heap.calloc(0, 99)).not.toBe(0);
    expect(heap.calloc(99, 0)).not.toBe(0);
  });
});

describe("alignedAlloc", () => {
  it.each(Array.from({ length: 21 }, (_, log2) => 2 ** log2))("aligns to %d", (alignment) => {
    const heap = createHeap();
    const blocks: { ptr: number; size: number; index: number }[] = [];
    for (const [index, size] of [0, 1, 24, 100, 1024, 5000, 40_000, 70_000].entries()) {
      const ptr = heap.alignedAlloc(alignment, size);
      expect(ptr % alignment).toBe(0);
      expect(heap.usableSize(ptr)).toBeGreaterThanOrEqual(size);
      heap.u8.fill(index + 1, ptr, ptr + size);
      blocks.push({ ptr, size, index });
    }
    heap.validate({ deep: true });
    for (const { ptr, size, index } of blocks) {
      expect(bytes(heap, ptr, size).every((byte) => byte === index + 1)).toBe(true);
      heap.free(ptr);
    }
    heap.validate({ deep: true });
    expect(heap.stats().heapObjects).toBe(0);
  });

  it("refuses what is no power of two", () => {
    const heap = createHeap();
    for (const alignment of [0, 3, 24, 2 ** 32, ...NOT_U32]) {
      expect(() => heap.alignedAlloc(alignment, 8)).toThrow(RangeError);
      expect(() => heap.tryAlignedAlloc(alignment, 8)).toThrow(RangeError);
    }
  });
});

describe("realloc", () => {
  it("keeps the contents over every pair of sizes", () => {
    const heap = createHeap();
    const sizes = [1, 8, 24, 100, 1000, 1024, 1025, 9000, 32768, 32769, 100_000, 400_000];
    for (const from of sizes) {
      for (const to of sizes) {
        const ptr = heap.malloc(from);
        for (let i = 0; i < from; i++) heap.u8[ptr + i] = (i * 7 + from) & 0xff;
        const moved = heap.realloc(ptr, to);
        expect(heap.usableSize(moved)).toBeGreaterThanOrEqual(to);
        const kept = bytes(heap, moved, Math.min(from, to));
        expect(kept.every((byte, i) => byte === ((i * 7 + from) & 0xff))).toBe(true);
        heap.free(moved);
      }
    }
    heap.validate({ deep: true });
    expect(heap.stats().heapObjects).toBe(0);
  });

  it("of 0 allocates, to 0 leaves a block", () => {
    const heap = createHeap();
    const ptr = heap.realloc(0, 100);
    expect(heap.usableSize(ptr)).toBeGreaterThanOrEqual(100);
    const small = heap.realloc(ptr, 0);
    expect(small).not.toBe(0);
    expect(heap.stats().heapObjects).toBe(1);
    heap.free(small);
    heap.validate();
  });

  it("stays in place within a block's usable size", () => {
    const heap = createHeap();
    const ptr = heap.malloc(100);
    expect(heap.realloc(ptr, heap.usableSize(ptr))).toBe(ptr);
    expect(heap.stats()).toMatchObject({ reallocInPlace: 1, reallocMoves: 0 });
  });

  it("grows the last large block in place", () => {
    const heap = createHeap();
    const ptr = heap.malloc(100_000);
    expect(heap.realloc(ptr, 3_000_000)).toBe(ptr);
    expect(heap.realloc(ptr, 50_000)).toBe(ptr);
    heap.validate({ deep: true });
  });
});

describe("free", () => {
  it("of 0 does nothing", () => {
    const heap = createHeap();
    heap.free(0);
    expect(heap.stats()).toMatchObject({ frees: 0, misuses: 0 });
  });
});

describe("mallocgc", () => {
  const pointers = { size: 16, ptrBytes: 8 };
  const plain = { size: 16, ptrBytes: 0 };

  it("gives size 0 one shared address that free accepts", () => {
    const heap = createHeap();
    const ptr = heap.mallocgc(0, null, true);
    expect(ptr).not.toBe(0);
    expect(heap.mallocgc(0, pointers, false)).toBe(ptr);
    heap.free(ptr);
    heap.free(ptr);
    expect(heap.stats().heapObjects).toBe(0);
  });

  it("combines pointer-free objects below 16 bytes, aligned as Go has it", () => {
    const heap = createHeap();
    const eight = Array.from({ length: 100 }, () => heap.mallocgc(8, null, true));
    for (const ptr of eight) expect(ptr % 8).toBe(0);
    expect(new Set(eight).size).toBe(100);
    const four = Array.from({ length: 100 }, () => heap.mallocgc(4, plain, true));
    for (const ptr of four) expect(ptr % 4).toBe(0);
    const stats = heap.stats();
    expect(stats.tinyAllocs + stats.tinyBlocks).toBe(200);
    expect(stats.tinyBlocks).toBe(50 + 25);
    expect(stats.stages.tiny).toEqual({ hits: 125, misses: 75 });
    expect(stats.mallocs).toBe(200);
    heap.validate({ deep: true });
  });

  it("keeps tiny objects apart", () => {
    const heap = createHeap();
    const objects = Array.from({ length: 3000 }, (_, i) => {
      const size = 1 + (i % 15);
      const ptr = heap.mallocgc(size, null, true);
      expect(bytes(heap, ptr, size).every((byte) => byte === 0)).toBe(true);
      heap.u8.fill(i & 0xff, ptr, ptr + size);
      return { ptr, size, value: i & 0xff };
    });
    for (const { ptr, size, value } of objects) {
      expect(bytes(heap, ptr, size).every((byte) => byte === value)).toBe(true);
    }
    heap.validate({ deep: true });
  });

  it("keeps objects with pointers and without in different spans", () => {
    const heap = createHeap();
    const pages = (type: typeof plain) =>
      new Set(Array.from({ length: 50 }, () => heap.mallocgc(48, { ...type, size: 48 }, false) >>> 13));
    const scan = pages(pointers);
    for (const page of pages(plain)) expect(scan.has(page)).toBe(false);
  });

  it.each([
    ["with pointers, always", pointers, false],
    ["without, when asked", plain, true],
    ["without a type, when asked", null, true],
  ])("zeroes objects %s", (_, type, needzero) => {
    const heap = createHeap();
    for (const size of EDGE_SIZES.filter((n) => n >= 16)) {
      const dirty = Array.from({ length: 5 }, () => heap.mallocgc(size, type, false));
      for (const ptr of dirty) heap.u8.fill(0xff, ptr, ptr + size);
      for (const ptr of dirty) heap.free(ptr);
      for (let i = 0; i < 5; i++) {
        const ptr = heap.mallocgc(size, type, needzero);
        expect(bytes(heap, ptr, size).every((byte) => byte === 0)).toBe(true);
      }
    }
    heap.validate({ deep: true });
  });

  it("refuses a type that contradicts itself", () => {
    const heap = createHeap();
    for (const type of [
      { size: 8, ptrBytes: 12 },
      { size: 8, ptrBytes: 3 },
      { size: -1, ptrBytes: 0 },
      { size: 8, ptrBytes: -4 },
      { size: 8.5, ptrBytes: 4 },
    ]) {
      expect(() => heap.mallocgc(8, type, true)).toThrow(RangeError);
    }
  });
});

describe("usableSize and objectBase", () => {
  it("know live blocks, and nothing else", () => {
    const heap = createHeap();
    expect(heap.usableSize(0)).toBe(0);
    expect(heap.objectBase(0)).toBe(0);
    expect(heap.objectBase(12_345)).toBe(0);
    for (const size of [1, 16, 100, 5000, 32768, 100_000]) {
      const neighbour = heap.malloc(size);
      const ptr = heap.malloc(size);
      const end = ptr + heap.usableSize(ptr);
      for (const inside of [ptr, ptr + 1, ptr + (size >> 1), ptr + size - 1, end - 1]) {
        expect(heap.objectBase(inside)).toBe(ptr);
      }
      expect(heap.usableSize(ptr + 1)).toBe(0);
      heap.free(ptr);
      expect(heap.objectBase(ptr)).toBe(0);
      expect(heap.usableSize(ptr)).toBe(0);
      expect(heap.objectBase(neighbour + size - 1)).toBe(neighbour);
    }
  });
});

describe("arguments out of range", () => {
  const heap = createHeap();
  const calls: [string, (value: number) => unknown][] = [
    ["malloc(size)", (value) => heap.malloc(value)],
    ["tryMalloc(size)", (value) => heap.tryMalloc(value)],
    ["calloc(count)", (value) => heap.calloc(value, 1)],
    ["calloc(size)", (value) => heap.calloc(1, value)],
    ["tryCalloc(count)", (value) => heap.tryCalloc(value, 1)],
    ["alignedAlloc(size)", (value) => heap.alignedAlloc(16, value)],
    ["realloc(ptr)", (value) => heap.realloc(value, 1)],
    ["realloc(size)", (value) => heap.realloc(0, value)],
    ["tryRealloc(size)", (value) => heap.tryRealloc(0, value)],
    ["free(ptr)", (value) => heap.free(value)],
    ["mallocgc(size)", (value) => heap.mallocgc(value, null, true)],
    ["usableSize(ptr)", (value) => heap.usableSize(value)],
    ["objectBase(ptr)", (value) => heap.objectBase(value)],
  ];

  it.each(calls)("%s gives RangeError and changes nothing", (_, call) => {
    const before = heap.stats();
    for (const value of NOT_U32) expect(() => call(value)).toThrow(RangeError);
    expect(heap.stats()).toEqual(before);
  });
});

describe("any sequence of calls", () => {
  it("agrees with a model of the live blocks", () => {
    const size = fc.oneof(fc.nat(40), fc.nat(2000), fc.nat(70_000));
    const operation = fc.oneof(
      fc.record({ op: fc.constant("malloc" as const), size }),
      fc.record({ op: fc.constant("calloc" as const), size }),
      fc.record({ op: fc.constant("aligned" as const), size, log2: fc.nat(14) }),
      fc.record({ op: fc.constant("realloc" as const), size, which: fc.nat() }),
      fc.record({ op: fc.constant("free" as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 300 }), (operations) => {
        const heap = createHeap();
        const live: { ptr: number; size: number; stamp: number }[] = [];
        let stamp = 0;
        const add = (ptr: number, length: number) => {
          stamp = (stamp + 1) & 0xff;
          heap.u8.fill(stamp, ptr, ptr + length);
          live.push({ ptr, size: length, stamp });
        };
        const take = (which: number) => live.splice(which % live.length, 1)[0];
        for (const step of operations) {
          if (step.op === "malloc") add(heap.malloc(step.size), step.size);
          else if (step.op === "aligned") add(heap.alignedAlloc(2 ** step.log2, step.size), step.size);
          else if (step.op === "calloc") {
            const ptr = heap.calloc(1, step.size);
            expect(bytes(heap, ptr, step.size).every((byte) => byte === 0)).toBe(true);
            add(ptr, step.size);
          } else {
            const block = take(step.which);
            if (block === undefined) continue;
            expect(bytes(heap, block.ptr, block.size).every((byte) => byte === block.stamp)).toBe(true);
            if (step.op === "free") heap.free(block.ptr);
            else {
              const ptr = heap.realloc(block.ptr, step.size);
              const kept = bytes(heap, ptr, Math.min(block.size, step.size));
              expect(kept.every((byte) => byte === block.stamp)).toBe(true);
              add(ptr, step.size);
            }
          }
        }
        heap.validate({ deep: true });
        for (const block of live) {
          expect(bytes(heap, block.ptr, block.size).every((byte) => byte === block.stamp)).toBe(true);
          heap.free(block.ptr);
        }
        heap.validate({ deep: true });
        expect(heap.stats().heapObjects).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
