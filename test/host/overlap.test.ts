/** Two heaps over the same part of one memory: refused when the second is made, for they would give out the same blocks. */
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { createHeap, createHeapAsync, HeapOverlapError } from "../../src/index.ts";
import { attachHeap, createSharedHeap } from "../../src/shared/index.ts";

const PAGE = 65536;

describe("a heap for one thread", () => {
  const memory = () => new WebAssembly.Memory({ initial: 4, maximum: 100 });

  it.each([1024, 4096, 16])("is not made where another has something from heapBase %i on", async (heapBase) => {
    const mem = memory();
    const heap = createHeap({ memory: mem, heapBase: 1024 });
    const block = heap.malloc(100);
    const call = () => createHeap({ memory: mem, heapBase });
    expect(call).toThrow(HeapOverlapError);
    expect(call).toThrow(/dispose\(\)/);
    await expect(createHeapAsync({ memory: mem, heapBase })).rejects.toMatchObject({
      code: "ERR_HEAP_OVERLAP",
      heapBase,
    });
    expect(() => createSharedHeap({ memory: mem, heapBase, shared: false })).toThrow(HeapOverlapError);
    heap.free(block);
    heap.validate({ deep: true });
    heap.dispose();
    const next = createHeap({ memory: mem, heapBase });
    next.free(next.malloc(100));
    next.validate({ deep: true });
    next.dispose();
    createSharedHeap({ memory: mem, heapBase, shared: false }).dispose();
  });

  it("is made beside others: behind what they have, and in memory that it grows itself", () => {
    const mem = memory();
    const first = createHeap({ memory: mem, heapBase: 1024 });
    mem.grow(4);
    const second = createHeap({ memory: mem, heapBase: 4 * PAGE });
    const third = createHeap({ memory: mem });
    const heaps = [first, second, third];
    const blocks = Array.from({ length: 15_000 }, (_, i) => heaps[i % 3]!.malloc(200));
    expect(new Set(blocks).size).toBe(15_000);
    for (const heap of heaps) heap.validate({ deep: true });
    // The first has grown beyond the second's base by now.
    second.dispose();
    expect(() => createHeap({ memory: mem, heapBase: 4 * PAGE })).toThrow(HeapOverlapError);
  });

  it("is another memory's business", () => {
    const heaps = [1, 2].map(() => createHeap({ memory: memory(), heapBase: 1024 }));
    for (const heap of heaps) heap.free(heap.malloc(10));
  });
});

describe("a shared heap", () => {
  const memory = () => new WebAssembly.Memory({ initial: 4, maximum: 100, shared: true });

  it("is not made a second time where one stands, but joined", () => {
    const mem = memory();
    const heap = createSharedHeap({ memory: mem, heapBase: PAGE });
    const call = () => createSharedHeap({ memory: mem, heapBase: PAGE });
    expect(call).toThrow(HeapOverlapError);
    expect(call).toThrow(/attachHeap\(heap\.share\(\)\)/);
    const other = attachHeap(heap.share());
    const block = other.malloc(10);
    heap.free(block);
    // The maker leaves, the other still has it.
    heap.dispose();
    expect(call).toThrow(HeapOverlapError);
    other.dispose();
    const again = call();
    again.free(again.malloc(10));
    again.validate({ deep: true });
    again.dispose();
  });

  it("is joined as often as one likes", () => {
    const heap = createSharedHeap({ memory: memory(), heapBase: PAGE });
    for (let i = 0; i < 5; i++) {
      const other = attachHeap(heap.share());
      heap.free(other.malloc(10));
      other.detach();
    }
    heap.validate({ deep: true });
    heap.dispose();
  });

  it("is not made by another thread either", async () => {
    const mem = memory();
    const heap = createSharedHeap({ memory: mem, heapBase: PAGE });
    const { module } = heap.share();
    const worker = new Worker(
      `const { workerData: { memory, module }, parentPort } = require("node:worker_threads");
       const { exports } = new WebAssembly.Instance(module, { env: { memory } });
       exports.init(${PAGE});
       const words = new Int32Array(memory.buffer);
       parentPort.postMessage(Atomics.compareExchange(words, exports.claimAddress() >>> 2, 0, 1));`,
      { eval: true, workerData: { memory: mem, module } },
    );
    expect(await new Promise((resolve) => worker.once("message", resolve))).toBe(1);
    await worker.terminate();
    heap.dispose();
  });

  it("is not made in memory that does not read as zero: that is no want of memory", () => {
    const mem = memory();
    new Uint8Array(mem.buffer).fill(0x55, PAGE);
    expect(() => createSharedHeap({ memory: mem, heapBase: PAGE })).toThrow(/does not read as zero/);
  });
});
