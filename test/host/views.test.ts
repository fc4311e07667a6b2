/** Views over a memory that grows under them. */
import { describe, expect, it } from "vitest";
import { createHeap, type Heap } from "../../src/index.ts";
import { WASM_PAGE } from "../support/wasm.ts";

const WHOLE = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "dataView"] as const;

/** Two ways in which the memory grows. */
const GROWTHS: [string, (heap: Heap) => unknown][] = [
  ["an allocation", (heap) => heap.malloc(10 * WASM_PAGE)],
  ["memory.grow by others", (heap) => heap.memory.grow(1)],
];

describe.each(GROWTHS)("after growth by %s", (_, grow) => {
  it("a range heals, where a plain typed array dies", () => {
    const heap = createHeap();
    const ptr = heap.malloc(4000);
    const view = heap.view(Uint32Array, ptr, 1000);
    const stale = view.get();
    for (let i = 0; i < 1000; i++) stale[i] = i * 0x01010101;
    expect(view.get()).toBe(stale);

    grow(heap);

    expect(stale.length).toBe(0);
    const fresh = view.get();
    expect(fresh === stale).toBe(false);
    expect(fresh.buffer).toBe(heap.memory.buffer);
    expect(fresh.byteOffset).toBe(ptr);
    expect(fresh.length).toBe(1000);
    expect(fresh.every((value, i) => value === (i * 0x01010101) >>> 0)).toBe(true);
    expect(view.get()).toBe(fresh);
  });

  it.each(WHOLE)("%s is over the new buffer, and made once", (name) => {
    const heap = createHeap();
    const before = heap[name];
    expect(heap[name]).toBe(before);
    expect(before.byteLength).toBe(heap.memory.buffer.byteLength);

    grow(heap);

    expect(before.buffer.byteLength).toBe(0);
    const after = heap[name];
    expect(after.buffer).toBe(heap.memory.buffer);
    expect(after.byteLength).toBe(heap.memory.buffer.byteLength);
    expect(heap[name]).toBe(after);
    expect(after.constructor).toBe(before.constructor);
  });
});

describe("a range", () => {
  it("shows the same bytes in every type", () => {
    const heap = createHeap();
    const ptr = heap.calloc(8, 8);
    heap.view(Float64Array, ptr, 8).get().fill(1.5);
    expect(heap.view(Uint8Array, ptr, 64).get()[7]).toBe(0x3f);
    expect(heap.view(BigInt64Array, ptr, 8).get()[7]).toBe(0x3ff8000000000000n);
    expect(heap.view(Uint16Array, ptr + 6, 1).get()[0]).toBe(0x3ff8);
    expect(heap.f64[ptr / 8]).toBe(1.5);
    expect(heap.dataView.getFloat64(ptr, true)).toBe(1.5);
    expect(heap.i32[ptr / 4 + 1]).toBe(0x3ff80000);
  });

  it("has by default the elements that the block has", () => {
    const heap = createHeap();
    const ptr = heap.malloc(100);
    const view = heap.view(Float32Array, ptr);
    expect(view).toMatchObject({ ptr, length: heap.usableSize(ptr) / 4, byteLength: heap.usableSize(ptr) });
    expect(view.get().length).toBe(view.length);
  });

  it("without a length needs a live block", () => {
    const heap = createHeap();
    const ptr = heap.malloc(100);
    const outside = [0, ptr + 16, heap.memory.buffer.byteLength - 16, 2 ** 32 - 16];
    for (const bad of outside) {
      expect(() => heap.view(Uint8Array, bad)).toThrow(RangeError);
      expect(() => heap.view(Uint8Array, bad)).toThrow(/no live block begins at \d+: .* or a length/);
    }
    expect(heap.view(Uint8Array, ptr + 16, 4).length).toBe(4);
    heap.free(ptr);
    expect(() => heap.view(Uint8Array, ptr)).toThrow(/no live block/);
  });

  it("needs a constructor of typed arrays", () => {
    const heap = createHeap();
    const ptr = heap.malloc(64);
    for (const bad of [undefined, null, 1, "Uint8Array", {}, () => 1, Symbol("type"), DataView, Map]) {
      expect(() => heap.view(bad as never, ptr)).toThrow(/must be a constructor of typed arrays/);
      expect(() => heap.view(bad as never, ptr, 1)).toThrow(TypeError);
    }
    const odd = Object.assign(() => 1, { BYTES_PER_ELEMENT: 4 });
    expect(() => heap.view(odd as never, ptr, 1).get()).toThrow(/cannot be read/);
  });

  it("must be aligned and in the memory", () => {
    const heap = createHeap();
    const end = heap.memory.buffer.byteLength;
    expect(() => heap.view(Uint32Array, 2, 1)).toThrow(/multiple of 4/);
    expect(() => heap.view(Float64Array, 4, 1)).toThrow(/multiple of 8/);
    expect(heap.view(Uint8Array, end, 0).get().length).toBe(0);
    expect(heap.view(Uint8Array, end - 1, 1).get().length).toBe(1);
    expect(() => heap.view(Uint8Array, end, 1)).toThrow(/beyond/);
    expect(() => heap.view(Uint32Array, end - 4, 2)).toThrow(/beyond/);
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 32]) {
      expect(() => heap.view(Uint8Array, bad, 1)).toThrow(RangeError);
      expect(() => heap.view(Uint8Array, 8, bad)).toThrow(RangeError);
    }
  });

  it("works in a memory that has no page yet", () => {
    const heap = createHeap({ memory: new WebAssembly.Memory({ initial: 0 }) });
    expect(heap.u8.length).toBe(0);
    expect(heap.u8).toBe(heap.u8);
    const ptr = heap.calloc(1, 16);
    expect(heap.u8.length).toBeGreaterThan(0);
    expect(Array.from(heap.view(Uint32Array, ptr, 4).get())).toEqual([0, 0, 0, 0]);
  });

  it("can reach beyond the old end once the memory has grown", () => {
    const heap = createHeap();
    const end = heap.memory.buffer.byteLength;
    expect(() => heap.view(Uint8Array, end, 10)).toThrow(RangeError);
    heap.memory.grow(1);
    heap.view(Uint8Array, end, 10).get().fill(9);
    expect(heap.u8[end + 9]).toBe(9);
  });
});
