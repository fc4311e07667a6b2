/** Addresses above 2 GiB, and heaps that get there. Nothing here touches more than a few pages of the memory. */
import { describe, expect, it } from "vitest";
import { createHeap, type Heap, MisuseError, OutOfMemoryError } from "../../src/index.ts";
import { WASM_PAGE } from "../support/wasm.ts";

const GIB = 2 ** 30;

/** Why a memory of so many pages cannot be had here, or null. */
function refusal(pages: number): string | null {
  try {
    new WebAssembly.Memory({ initial: pages });
    return null;
  } catch (error) {
    if (error instanceof RangeError) return `${error.message}; run on 64 bits, without a limit by ulimit -v`;
    throw error;
  }
}

const noMemory = refusal(65536);

describe.skipIf(noMemory !== null)(`above 2 GiB${noMemory === null ? "" : ` (skipped: ${noMemory})`}`, () => {
  /** A heap whose first block is above 2 GiB. */
  const high = (): Heap => createHeap({ initial: 32768 + 32, heapBase: 2 ** 31 + 16 });

  it("all calls give and take unsigned addresses", () => {
    const heap = high();
    const blocks = [
      heap.malloc(1),
      heap.malloc(100),
      heap.calloc(10, 100),
      heap.alignedAlloc(4096, 100),
      heap.mallocgc(3, null, true),
      heap.mallocgc(0, null, true),
      heap.mallocgc(500, { size: 500, ptrBytes: 4 }, false),
      heap.malloc(100_000),
      heap.realloc(heap.malloc(10), 10_000),
    ];
    for (const [i, ptr] of blocks.entries()) {
      expect(ptr).toBeGreaterThan(2 ** 31);
      if (i === 5) continue;
      expect(heap.objectBase(ptr)).toBe(i === 4 ? ptr - (ptr % 16) : ptr);
      heap
        .view(Uint8Array, ptr, 1)
        .get()
        .fill(i + 1);
    }
    for (const [i, ptr] of blocks.entries()) if (i !== 5) expect(heap.u8[ptr]).toBe(i + 1);
    expect(heap.usableSize(blocks[1]!)).toBe(128);
    heap.validate({ deep: true });
    for (const [i, ptr] of blocks.entries()) if (i !== 4) heap.free(ptr);
    heap.validate({ deep: true });
    expect(heap.stats().sys).toBe(32 * WASM_PAGE - 16);
  });

  it("errors name unsigned addresses", () => {
    const heap = high();
    const ptr = heap.malloc(100);
    heap.malloc(100);
    heap.free(ptr);
    expect(() => heap.free(ptr)).toThrow(expect.objectContaining({ kind: "double-free", address: ptr }));
    expect(() => heap.free(ptr)).toThrow(MisuseError);
    expect(() => heap.free(ptr)).toThrow(`0x${ptr.toString(16)}`);
  });

  it("views heal there, too", () => {
    const heap = high();
    const ptr = heap.calloc(1000, 8);
    const view = heap.view(Float64Array, ptr, 1000);
    const stale = view.get();
    stale.fill(2.5);
    heap.malloc(100 * WASM_PAGE);
    expect(stale.length).toBe(0);
    expect(view.get().every((value) => value === 2.5)).toBe(true);
    expect(view.get().byteOffset).toBe(ptr);
  });

  it("a heap that starts low passes 2 GiB and comes back", () => {
    const heap = createHeap();
    const blocks: number[] = [];
    for (let ptr = heap.tryMalloc(GIB / 4); ptr !== 0; ptr = heap.tryMalloc(GIB / 4)) {
      heap.u8[ptr] = blocks.length + 1;
      heap.u8[ptr + GIB / 4 - 1] = blocks.length + 1;
      blocks.push(ptr);
    }
    expect(blocks.length).toBeGreaterThanOrEqual(14);
    expect(blocks.some((ptr) => ptr >= 2 ** 31)).toBe(true);
    const small = Array.from({ length: 1000 }, (_, i) => heap.calloc(1, i));
    heap.validate();
    for (const [i, ptr] of blocks.entries()) {
      expect(heap.u8[ptr]).toBe(i + 1);
      expect(heap.u8[ptr + GIB / 4 - 1]).toBe(i + 1);
    }
    for (const ptr of [...blocks, ...small]) heap.free(ptr);
    heap.validate();
    expect(heap.stats()).toMatchObject({ heapObjects: 0, largeLiveBytes: 0 });
    const again = blocks.map(() => heap.malloc(GIB / 4));
    expect(Math.max(...again)).toBeGreaterThan(2 ** 31);
    heap.validate();
  });

  it("has room for one block of 2^31 bytes and for none of 2^32 - 1", () => {
    const heap = createHeap();
    const ptr = heap.malloc(2 ** 31);
    heap.u8[ptr + 2 ** 31 - 1] = 42;
    expect(heap.usableSize(ptr)).toBe(2 ** 31);
    expect(heap.objectBase(ptr + 2 ** 31 - 1)).toBe(ptr);
    expect(() => heap.malloc(2 ** 31)).toThrow(OutOfMemoryError);
    expect(() => heap.malloc(2 ** 32 - 1)).toThrow(OutOfMemoryError);
    expect(() => heap.realloc(ptr, 2 ** 32 - 1)).toThrow(OutOfMemoryError);
    expect(heap.u8[ptr + 2 ** 31 - 1]).toBe(42);
    heap.free(ptr);
    expect(heap.malloc(2 ** 31)).not.toBe(0);
    heap.validate();
  });

  it("a given memory of 4 GiB is full", () => {
    const heap = createHeap({ memory: new WebAssembly.Memory({ initial: 65536 }) });
    expect(() => heap.malloc(8)).toThrow(OutOfMemoryError);
  });

  it("the end of a memory of 4 GiB can be the heap's", () => {
    const memory = new WebAssembly.Memory({ initial: 65536 });
    const heap = createHeap({ memory, heapBase: 2 ** 32 - 40 * WASM_PAGE });
    const blocks: number[] = [];
    for (let ptr = heap.tryMalloc(5000); ptr !== 0; ptr = heap.tryMalloc(5000)) {
      heap.u8.fill(blocks.length & 0xff, ptr, ptr + 5000);
      blocks.push(ptr);
    }
    expect(blocks.length).toBeGreaterThan(400);
    for (const [i, ptr] of blocks.entries()) {
      expect(ptr + 5000).toBeLessThanOrEqual(2 ** 32);
      expect(heap.u8[ptr]).toBe(i & 0xff);
      expect(heap.u8[ptr + 4999]).toBe(i & 0xff);
      heap.free(ptr);
    }
    heap.validate({ deep: true });
  });
});
