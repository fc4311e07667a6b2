/** What goes wrong is typed, tells what it was, and leaves the heap intact: out of memory, limits, misuse. */
import { describe, expect, it } from "vitest";
import {
  createHeap,
  GomallocError,
  type Heap,
  type HeapOptions,
  MisuseError,
  type MisuseKind,
  OutOfMemoryError,
} from "../../src/index.ts";
import { thrown } from "../support/thrown.ts";
import { WASM_PAGE } from "../support/wasm.ts";

/** Allocates blocks of `size` until memory is out; each is stamped with its index. */
function fill(heap: Heap, size: number): number[] {
  const blocks: number[] = [];
  for (let ptr = heap.tryMalloc(size); ptr !== 0; ptr = heap.tryMalloc(size)) {
    heap.u8.fill(blocks.length & 0xff, ptr, ptr + size);
    blocks.push(ptr);
  }
  return blocks;
}

function expectStamps(heap: Heap, blocks: readonly number[], size: number): void {
  for (const [index, ptr] of blocks.entries()) {
    const intact = heap.u8.subarray(ptr, ptr + size).every((byte) => byte === (index & 0xff));
    if (!intact) expect.fail(`block ${index} at ${ptr} lost its contents`);
  }
}

describe("out of memory", () => {
  it("is an OutOfMemoryError with the size, from every call", () => {
    const heap = createHeap({ maximum: 4 });
    const size = 10 * WASM_PAGE;
    const block = heap.malloc(100);
    heap.u8.fill(0x77, block, block + 100);
    const calls: [() => unknown, number][] = [
      [() => heap.malloc(size), size],
      [() => heap.calloc(10, WASM_PAGE), size],
      [() => heap.alignedAlloc(64, size), size],
      [() => heap.realloc(block, size), size],
      [() => heap.realloc(0, size), size],
      [() => heap.mallocgc(size, null, true), size],
      [() => heap.mallocgc(size, { size, ptrBytes: 4 }, false), size],
      [() => heap.calloc(2 ** 31, 2), 2 ** 32],
      [() => heap.calloc(2 ** 32 - 1, 2 ** 32 - 1), (2 ** 32 - 1) ** 2],
    ];
    for (const [call, bytes] of calls) {
      const error = thrown(call);
      expect(error).toBeInstanceOf(OutOfMemoryError);
      expect(error).toBeInstanceOf(GomallocError);
      expect(error).toMatchObject({ name: "OutOfMemoryError", code: "ERR_OUT_OF_MEMORY", size: bytes });
      heap.validate({ deep: true });
    }
    expect(heap.u8.subarray(block, block + 100).every((byte) => byte === 0x77)).toBe(true);
    expect(heap.stats()).toMatchObject({ heapObjects: 1, misuses: 0 });
    heap.free(block);
  });

  it("is 0 from the try-calls", () => {
    const heap = createHeap({ maximum: 4 });
    const block = heap.malloc(100);
    expect(heap.tryMalloc(10 * WASM_PAGE)).toBe(0);
    expect(heap.tryCalloc(10, WASM_PAGE)).toBe(0);
    expect(heap.tryCalloc(2 ** 31, 2)).toBe(0);
    expect(heap.tryAlignedAlloc(2 ** 31, 1)).toBe(0);
    expect(heap.tryRealloc(block, 10 * WASM_PAGE)).toBe(0);
    expect(heap.usableSize(block)).toBeGreaterThanOrEqual(100);
    heap.validate({ deep: true });
  });

  it.each([8, 48, 1000, 5000, 30_000, 50_000])("passes: what is freed can be had again, %d bytes", (size) => {
    const heap = createHeap({ maximum: 30 });
    const first = fill(heap, size);
    expect(heap.memory.buffer.byteLength).toBe(30 * WASM_PAGE);
    expect(thrown(() => heap.malloc(size))).toBeInstanceOf(OutOfMemoryError);
    heap.validate({ deep: true });
    expectStamps(heap, first, size);
    // At least three quarters of the memory holds blocks.
    expect(first.length * size).toBeGreaterThan(0.75 * 30 * WASM_PAGE);
    for (const ptr of first) heap.free(ptr);
    heap.validate({ deep: true });
    const second = fill(heap, size);
    expect(second.length).toBeGreaterThanOrEqual(0.95 * first.length);
    expectStamps(heap, second, size);
    for (const ptr of second) heap.free(ptr);
    // It is not bound to the size: large blocks take most of it, too. Records of the heap's own stand in between.
    expect(fill(heap, 40_000).length * 40_000).toBeGreaterThan(0.7 * 30 * WASM_PAGE);
    heap.validate({ deep: true });
  });

  it("from the very first call on", () => {
    const heap = createHeap({ memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }) });
    expect(thrown(() => heap.malloc(1))).toBeInstanceOf(OutOfMemoryError);
    expect(thrown(() => heap.stats())).toBeInstanceOf(OutOfMemoryError);
    expect(heap.usableSize(8)).toBe(0);
    expect(heap.objectBase(8)).toBe(0);
    expect(heap.reclaim()).toBe(0);
    heap.releaseAll();
    heap.validate({ deep: true });
  });

  it.each([
    ["2^31", 2 ** 31],
    ["2^32 - 65536", 2 ** 32 - 65536],
    ["2^32 - 65535", 2 ** 32 - 65535],
    ["2^32 - 8191", 2 ** 32 - 8191],
    ["2^32 - 1", 2 ** 32 - 1],
  ])("for %s bytes where there is no such room", (_, size) => {
    const heap = createHeap({ maximum: 100 });
    const block = heap.malloc(64);
    for (const call of [
      () => heap.malloc(size),
      () => heap.calloc(1, size),
      () => heap.calloc(size, 1),
      () => heap.alignedAlloc(4096, size),
      () => heap.alignedAlloc(2 ** 31, size),
      () => heap.realloc(block, size),
      () => heap.mallocgc(size, null, true),
    ]) {
      expect(thrown(call)).toBeInstanceOf(OutOfMemoryError);
    }
    expect(heap.memory.buffer.byteLength).toBeLessThanOrEqual(2 * WASM_PAGE);
    heap.free(block);
    heap.validate({ deep: true });
  });
});

describe("limits", () => {
  it("maxBytes bounds what the heap obtains", () => {
    const maxBytes = 1_000_000;
    for (const size of [100, 3000, 100_000]) {
      const heap = createHeap({ maxBytes });
      const blocks = fill(heap, size);
      const stats = heap.stats();
      expect(stats.sys).toBeLessThanOrEqual(maxBytes);
      expect(stats.sys).toBeGreaterThan(maxBytes - 3 * WASM_PAGE);
      expect(blocks.length * size).toBeGreaterThan(0.7 * maxBytes);
      heap.validate({ deep: true });
    }
  });

  it("can be raised and lowered later", () => {
    const heap = createHeap({ maxBytes: 500_000 });
    const blocks = fill(heap, 1000);
    heap.setLimits({ maxBytes: 1_000_000 });
    const more = fill(heap, 1000);
    expect(more.length).toBeGreaterThan(400);
    expect(heap.stats().sys).toBeLessThanOrEqual(1_000_000);
    heap.setLimits({ maxBytes: 1 });
    expect(heap.tryMalloc(1000)).toBe(0);
    for (const ptr of blocks) heap.free(ptr);
    expect(heap.tryMalloc(1000)).not.toBe(0);
    heap.setLimits({ maxBytes: 0 });
    expect(heap.tryMalloc(10_000_000)).not.toBe(0);
    heap.validate({ deep: true });
  });

  it("refuses bad limits and then changes none", () => {
    const heap = createHeap();
    expect(() => heap.setLimits({ maxBytes: 1, reserve: -1 })).toThrow(RangeError);
    expect(() => heap.setLimits({ maxBytes: 1, softLimit: 0.5 })).toThrow(RangeError);
    expect(heap.tryMalloc(1_000_000)).not.toBe(0);
  });

  /** Grows to 64 MiB by blocks of 10,000 bytes. */
  const growths = (options: HeapOptions) => {
    const heap = createHeap(options);
    for (let i = 0; i < 6700; i++) heap.malloc(10_000);
    heap.validate();
    return { grows: heap.stats().sysGrows, pages: heap.memory.buffer.byteLength / WASM_PAGE };
  };

  it("reserve makes growths fewer; the soft limit ends the reserve", () => {
    const exact = growths({ reserve: 0 });
    const reserved = growths({ reserve: 16 << 20 });
    const soft = growths({ reserve: 16 << 20, softLimit: 1 });
    expect(reserved.grows).toBeLessThan(0.7 * exact.grows);
    expect(reserved.pages).toBeGreaterThanOrEqual(exact.pages);
    expect(reserved.pages - exact.pages).toBeLessThanOrEqual((16 << 20) / WASM_PAGE);
    // No reserve, and retained spans are had back before each growth, so it may need a page less.
    expect(soft.pages).toBeLessThanOrEqual(exact.pages);
    expect(soft.grows).toBeGreaterThan(0.95 * exact.grows);
  });
});

describe("misuse", () => {
  const SIZES = [1, 16, 100, 1000, 20_000];

  function expectMisuse(call: () => unknown, kind: MisuseKind, address: number, operation: "free" | "realloc"): void {
    const error = thrown(call);
    expect(error).toBeInstanceOf(MisuseError);
    expect(error).toBeInstanceOf(GomallocError);
    expect(error).toMatchObject({ name: "MisuseError", code: "ERR_MISUSE", kind, address, operation });
    expect((error as Error).message).toContain(`${operation}(0x${address.toString(16)})`);
  }

  it.each(SIZES)("double free of a block of %d bytes", (size) => {
    const heap = createHeap();
    const keeper = heap.malloc(size);
    const ptr = heap.malloc(size);
    heap.free(ptr);
    expectMisuse(() => heap.free(ptr), "double-free", ptr, "free");
    expectMisuse(() => heap.realloc(ptr, 5), "double-free", ptr, "realloc");
    expectMisuse(() => heap.tryRealloc(ptr, 5), "double-free", ptr, "realloc");
    heap.validate({ deep: true });
    expect(heap.stats()).toMatchObject({ heapObjects: 1, frees: 1, misuses: 3 });
    heap.free(keeper);
  });

  it("a slot that was never given out", () => {
    const heap = createHeap();
    const ptr = heap.malloc(64) + 64;
    expectMisuse(() => heap.free(ptr), "double-free", ptr, "free");
    heap.validate({ deep: true });
  });

  it.each([...SIZES.filter((size) => size >= 16), 100_000])("interior pointers into %d bytes", (size) => {
    const heap = createHeap();
    const ptr = heap.malloc(size);
    heap.u8.fill(0x11, ptr, ptr + size);
    for (const address of [ptr + 1, ptr + 8, ptr + (size >> 1), ptr + size - 1]) {
      expectMisuse(() => heap.free(address), "interior-pointer", address, "free");
      expectMisuse(() => heap.realloc(address, 1), "interior-pointer", address, "realloc");
    }
    heap.validate({ deep: true });
    expect(heap.u8.subarray(ptr, ptr + size).every((byte) => byte === 0x11)).toBe(true);
    heap.free(ptr);
  });

  it("foreign pointers: before the first block, outside of the heap, in its records, freed large blocks", () => {
    const heap = createHeap({ heapBase: 100_000 });
    expectMisuse(() => heap.free(200_000), "foreign-pointer", 200_000, "free");
    heap.malloc(10);
    const large = heap.malloc(100_000);
    heap.free(large);
    for (const address of [1, 8, 99_992, 100_000, 100_016, large, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 1]) {
      expectMisuse(() => heap.free(address), "foreign-pointer", address, "free");
      expectMisuse(() => heap.realloc(address, 8), "foreign-pointer", address, "realloc");
    }
    heap.validate({ deep: true });
    expect(heap.stats().heapObjects).toBe(1);
  });

  it("tiny blocks, at their start and inside", () => {
    const heap = createHeap();
    const ptr = heap.mallocgc(4, null, true);
    for (const address of [ptr, ptr + 4, heap.mallocgc(2, null, true)]) {
      expectMisuse(() => heap.free(address), "tiny-block", address, "free");
      expectMisuse(() => heap.realloc(address, 8), "tiny-block", address, "realloc");
    }
    heap.validate({ deep: true });
  });

  it("is ignored when the heap was told so: free does nothing, realloc gives 0", () => {
    const heap = createHeap({ onMisuse: "ignore" });
    const keeper = heap.malloc(64);
    const ptr = heap.malloc(64);
    heap.free(ptr);
    for (const address of [ptr, keeper + 8, 12, 2 ** 32 - 1]) {
      heap.free(address);
      expect(heap.realloc(address, 10)).toBe(0);
      expect(heap.tryRealloc(address, 10)).toBe(0);
    }
    heap.validate({ deep: true });
    expect(heap.stats()).toMatchObject({ heapObjects: 1, misuses: 12 });
    // Out of memory still throws, also right after misuse.
    expect(thrown(() => heap.realloc(keeper, 2 ** 32 - 1))).toBeInstanceOf(OutOfMemoryError);
  });

  it("does not make a later out of memory look like misuse", () => {
    const heap = createHeap({ maximum: 2 });
    const ptr = heap.malloc(64);
    expect(thrown(() => heap.realloc(ptr + 8, 10))).toBeInstanceOf(MisuseError);
    expect(thrown(() => heap.realloc(ptr, 1_000_000))).toBeInstanceOf(OutOfMemoryError);
    expect(heap.tryRealloc(ptr, 1_000_000)).toBe(0);
  });
});
