/** The end of a heap: dispose, Symbol.dispose, and every call after it. */
import { describe, expect, it } from "vitest";
import { createHeap, GomallocError, type Heap, HeapDisposedError } from "../../src/index.ts";
import { WASM_PAGE } from "../support/wasm.ts";

type Call = [name: string, call: (heap: Heap) => unknown];
const VIEWS = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "dataView"] as const;
const CALLS: Call[] = [
  ["malloc", (heap) => heap.malloc(8)],
  ["tryMalloc", (heap) => heap.tryMalloc(8)],
  ["calloc", (heap) => heap.calloc(1, 8)],
  ["tryCalloc", (heap) => heap.tryCalloc(1, 8)],
  ["alignedAlloc", (heap) => heap.alignedAlloc(16, 8)],
  ["tryAlignedAlloc", (heap) => heap.tryAlignedAlloc(16, 8)],
  ["realloc", (heap) => heap.realloc(0, 8)],
  ["tryRealloc", (heap) => heap.tryRealloc(0, 8)],
  ["free", (heap) => heap.free(0)],
  ["mallocgc", (heap) => heap.mallocgc(8, null, true)],
  ["usableSize", (heap) => heap.usableSize(8)],
  ["objectBase", (heap) => heap.objectBase(8)],
  ["stats", (heap) => heap.stats()],
  ["snapshot", (heap) => heap.snapshot()],
  ["validate", (heap) => heap.validate()],
  ["validate deep", (heap) => heap.validate({ deep: true })],
  ["reclaim", (heap) => heap.reclaim()],
  ["releaseAll", (heap) => heap.releaseAll()],
  ["setLimits", (heap) => heap.setLimits({ maxBytes: 5 })],
  ["view", (heap) => heap.view(Uint8Array, 8, 8)],
  ["memory", (heap) => heap.memory],
  ["collector", (heap) => heap.collector],
  ...VIEWS.map((name): Call => [name, (heap) => heap[name]]),
];

describe("a disposed heap", () => {
  it.each(CALLS)("%s throws HeapDisposedError", (_, call) => {
    const heap = createHeap();
    call(heap);
    heap.dispose();
    expect(() => call(heap)).toThrow(HeapDisposedError);
    expect(() => call(heap)).toThrow(GomallocError);
  });

  it("is covered by the calls above, member by member", () => {
    const members = Object.getOwnPropertyNames(Object.getPrototypeOf(createHeap()));
    // toString says that the heap was disposed of: summary.test.ts.
    const covered = new Set([...CALLS.map(([name]) => name), "constructor", "dispose", "toString"]);
    expect(members.filter((name) => !covered.has(name))).toEqual([]);
  });

  it("takes its views with it", () => {
    const heap = createHeap();
    const view = heap.view(Uint8Array, heap.malloc(8), 8);
    view.get().fill(1);
    heap.dispose();
    expect(() => view.get()).toThrow(HeapDisposedError);
  });

  it("can be disposed of again", () => {
    const heap = createHeap();
    heap.dispose();
    heap.dispose();
    expect(() => heap.malloc(1)).toThrow(expect.objectContaining({ code: "ERR_HEAP_DISPOSED" }));
  });

  it("leaves a given memory to its owner, and other heaps alone", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const first = createHeap({ memory });
    const second = createHeap({ memory });
    first.u8.fill(3, 0, WASM_PAGE);
    const ptr = second.malloc(100);
    first.malloc(100);
    first.dispose();
    expect(new Uint8Array(memory.buffer, 0, WASM_PAGE).every((byte) => byte === 3)).toBe(true);
    second.free(ptr);
    second.validate({ deep: true });
  });
});

describe("Symbol.dispose", () => {
  it("ends the heap at the end of its block", () => {
    let escaped: Heap;
    {
      using heap = createHeap();
      heap.free(heap.malloc(8));
      escaped = heap;
    }
    expect(() => escaped.malloc(8)).toThrow(HeapDisposedError);
  });
});
