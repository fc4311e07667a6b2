/**
 * Views of a memory whose buffer is late, as V8's may be when another thread has grown the memory. Here it is late
 * always: it is that of the memory's beginning until somebody calls memory.grow.
 */
import { describe, expect, it } from "vitest";
import { HeapView } from "../../src/base/views.ts";
import { createSharedHeap } from "../../src/shared/index.ts";
import { SharedMemoryViews } from "../../src/shared/views.ts";
import { WASM_PAGE } from "../support/wasm.ts";

class LateMemory extends WebAssembly.Memory {
  #late = super.buffer;
  /** Calls of grow. */
  grown = 0;

  constructor(initial = 2) {
    super({ initial, maximum: 4000, shared: true });
  }

  override get buffer() {
    return this.#late;
  }

  override grow(pages: number): number {
    this.grown++;
    const before = super.grow(pages);
    this.#late = super.buffer;
    return before;
  }

  /** Growth of which the buffer says nothing. */
  growUnseen(pages: number): void {
    super.grow(pages);
  }
}

describe("a heap over a memory that is late", () => {
  it("has views that reach to its end", () => {
    const memory = new LateMemory();
    const heap = createSharedHeap({ memory, heapBase: WASM_PAGE });
    const p = heap.malloc(3_000_000);
    heap.u8[p + 2_999_999] = 7;
    expect(heap.dataView.getUint8(p + 2_999_999)).toBe(7);
    const q = heap.malloc(4_000_000);
    const view = heap.view(Float64Array, q, 500_000);
    view.get()[499_999] = 1.5;
    expect(heap.f64[q / 8 + 499_999]).toBe(1.5);
    heap.free(p);
    heap.free(q);
    heap.validate();
    heap.dispose();
  });

  it("corrects it once, not at each access", () => {
    const memory = new LateMemory();
    const heap = createSharedHeap({ memory, heapBase: WASM_PAGE });
    const p = heap.malloc(3_000_000);
    const before = memory.grown;
    for (let i = 0; i < 100; i++) heap.u8[p + i] = i;
    expect(memory.grown).toBe(before + 1);
    heap.dispose();
  });

  it("collects, with objects beyond the late buffer", () => {
    const heap = createSharedHeap({ memory: new LateMemory(), heapBase: WASM_PAGE });
    heap.malloc(3_000_000);
    const gc = heap.collector;
    const Node = gc.defineType({ size: 8, pointers: { next: 0 } });
    const [first, second] = [gc.new(Node), gc.new(Node)];
    first.store("next", second);
    second.dispose();
    gc.collect();
    expect(first.load("next")).toBeGreaterThan(2 * WASM_PAGE);
    expect(heap.stats().mallocs - heap.stats().frees).toBeGreaterThan(2);
    heap.dispose();
  });

  it("sync lets the whole thread see it", () => {
    const memory = new LateMemory();
    const heap = createSharedHeap({ memory, heapBase: WASM_PAGE });
    const p = heap.malloc(3_000_000);
    expect(memory.buffer.byteLength).toBeLessThan(p + 3_000_000);
    heap.sync();
    expect(memory.buffer.byteLength).toBeGreaterThanOrEqual(p + 3_000_000);
    heap.dispose();
    expect(() => heap.sync()).toThrow(/dispos/);
  });

  it("alone in its thread has nothing to do for sync", () => {
    const heap = createSharedHeap({ shared: false });
    heap.sync();
    heap.dispose();
  });
});

describe("a view of memory that others than the heap have grown", () => {
  it("looks again before it throws", () => {
    const memory = new LateMemory();
    const views = new SharedMemoryViews(memory);
    memory.growUnseen(3);
    expect(() => new HeapView(views, Uint8Array, 5 * WASM_PAGE - 4, 5)).toThrow(RangeError);
    const view = new HeapView(views, Uint8Array, 5 * WASM_PAGE - 4, 4);
    expect(view.get()).toHaveLength(4);
    expect(views.reaches(5 * WASM_PAGE)).toBe(true);
    expect(views.reaches(5 * WASM_PAGE + 1)).toBe(false);
    views.close();
    expect(() => views.reaches(1)).toThrow(/dispos/);
  });
});
