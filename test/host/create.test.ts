/** createHeap and createHeapAsync: where the wasm and the memory come from, and what bad options give. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHeap, createHeapAsync, type Heap, type HeapOptions, ModuleLoadError } from "../../src/index.ts";
import { WASM_PAGE, wasmBytes, wasmModule } from "../support/wasm.ts";

/** Allocates, writes, frees and validates: the heap is a working one. */
function expectWorking(heap: Heap): void {
  const blocks = [1, 16, 100, 5000, 100_000].map((size, index) => {
    const ptr = heap.malloc(size);
    heap
      .view(Uint8Array, ptr, size)
      .get()
      .fill(index + 1);
    return { ptr, size, index };
  });
  for (const { ptr, size, index } of blocks) {
    expect(
      heap
        .view(Uint8Array, ptr, size)
        .get()
        .every((byte) => byte === index + 1),
    ).toBe(true);
    heap.free(ptr);
  }
  heap.validate({ deep: true });
  expect(heap.stats().heapObjects).toBe(0);
}

describe("wasm", () => {
  it("is inlined by default, sync and async", async () => {
    expectWorking(createHeap());
    expectWorking(await createHeapAsync());
  });

  it("can be a compiled module", async () => {
    expectWorking(createHeap({ wasm: wasmModule("host") }));
    expectWorking(await createHeapAsync({ wasm: wasmModule("host") }));
  });

  it("can be bytes: a view with an offset, or a buffer", async () => {
    const bytes = wasmBytes("host");
    const shifted = new Uint8Array(bytes.length + 7);
    shifted.set(bytes, 7);
    expectWorking(createHeap({ wasm: shifted.subarray(7) }));
    expectWorking(createHeap({ wasm: bytes.slice().buffer }));
    expectWorking(await createHeapAsync({ wasm: shifted.subarray(7) }));
    expectWorking(await createHeapAsync({ wasm: bytes.slice().buffer }));
  });

  it("can be a Response or a promise of one, whatever its content type", async () => {
    const response = (type: string) => new Response(wasmBytes("host"), { headers: { "content-type": type } });
    expectWorking(await createHeapAsync({ wasm: response("application/wasm") }));
    expectWorking(await createHeapAsync({ wasm: response("Application/WASM; charset=x") }));
    expectWorking(await createHeapAsync({ wasm: response("application/octet-stream") }));
    expectWorking(await createHeapAsync({ wasm: Promise.resolve(response("application/wasm")) }));
    expectWorking(await createHeapAsync({ wasm: Promise.resolve(wasmBytes("host")) }));
  });

  it("must be the host flavour", async () => {
    const wasm = wasmModule("malloc");
    expect(() => createHeap({ wasm })).toThrow(ModuleLoadError);
    expect(() => createHeap({ wasm })).toThrow(/does not export mallocgc.*gomalloc-host\.wasm/);
    await expect(createHeapAsync({ wasm })).rejects.toThrow(ModuleLoadError);
    await expect(createHeapAsync({ wasm: wasmBytes("malloc") })).rejects.toThrow(/gomalloc-host\.wasm/);
    const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(() => createHeap({ wasm: empty })).toThrow(/does not export init/);
  });

  it("must be wasm", async () => {
    const wasm = Uint8Array.of(1, 2, 3, 4);
    expect(() => createHeap({ wasm })).toThrow(ModuleLoadError);
    await expect(createHeapAsync({ wasm })).rejects.toThrow(ModuleLoadError);
    const streamed = new Response(wasm, { headers: { "content-type": "application/wasm" } });
    const error = await createHeapAsync({ wasm: streamed }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ModuleLoadError);
    expect((error as ModuleLoadError).cause).toBeInstanceOf(WebAssembly.CompileError);
    expect(() => createHeap({ wasm: 5 as never })).toThrow(TypeError);
    expect(() => createHeap({ wasm: "gomalloc-host.wasm" as never })).toThrow(/the async functions also take a URL/);
    await expect(createHeapAsync({ wasm: 5 as never })).rejects.toThrow(TypeError);
  });

  describe("from a server", () => {
    let server: Server;
    let base: string;

    beforeAll(async () => {
      server = createServer((request, response) => {
        const type = request.url === "/streamed.wasm" ? "application/wasm" : "text/plain";
        const found = request.url !== "/missing.wasm";
        response.writeHead(found ? 200 : 404, { "content-type": type });
        response.end(found ? wasmBytes("host") : "not here");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    afterAll(() => new Promise((resolve) => server.close(resolve)));

    it("comes by URL and by string, streamed or not", async () => {
      expectWorking(await createHeapAsync({ wasm: new URL("/streamed.wasm", base) }));
      expectWorking(await createHeapAsync({ wasm: `${base}/plain.wasm` }));
    });

    it("gives ModuleLoadError with the status when it is not there", async () => {
      await expect(createHeapAsync({ wasm: `${base}/missing.wasm` })).rejects.toThrow(/missing\.wasm has status 404/);
    });

    it("gives ModuleLoadError with the fix when the URL cannot be fetched", async () => {
      const error = await createHeapAsync({ wasm: new URL("file:///nowhere.wasm") }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ModuleLoadError);
      expect((error as Error).message).toMatch(/pass the file's bytes/);
      expect((error as Error).cause).toBeInstanceOf(Error);
    });
  });
});

describe("memory of the heap's own", () => {
  it("starts with one page and grows by need", () => {
    const heap = createHeap();
    expect(heap.memory.buffer.byteLength).toBe(WASM_PAGE);
    heap.malloc(16);
    expect(heap.memory.buffer.byteLength).toBe(WASM_PAGE);
    heap.malloc(10 * WASM_PAGE);
    expect(heap.memory.buffer.byteLength / WASM_PAGE).toBeLessThanOrEqual(13);
    heap.validate();
  });

  it("has the pages that were asked for, and serves from them before it grows", () => {
    const heap = createHeap({ initial: 40 });
    expect(heap.memory.buffer.byteLength).toBe(40 * WASM_PAGE);
    heap.malloc(30 * WASM_PAGE);
    expect(heap.memory.buffer.byteLength).toBe(40 * WASM_PAGE);
    expect(heap.stats().sysGrows).toBe(0);
  });

  it("never gives out or touches anything below heapBase", () => {
    const heapBase = 3 * WASM_PAGE + 12_345;
    const heap = createHeap({ heapBase });
    expect(heap.memory.buffer.byteLength).toBe(5 * WASM_PAGE);
    heap.u8.fill(0xa5, 0, heapBase);
    const blocks = Array.from({ length: 2000 }, (_, i) => heap.calloc(1, i * 7));
    for (const ptr of blocks) expect(ptr).toBeGreaterThanOrEqual(heapBase);
    for (const ptr of blocks) heap.free(ptr);
    heap.validate({ deep: true });
    expect(heap.u8.subarray(0, heapBase).every((byte) => byte === 0xa5)).toBe(true);
  });

  it("spares the first KiB by default", () => {
    const heap = createHeap();
    expect(heap.malloc(8)).toBeGreaterThanOrEqual(1024);
    expect(heap.u8.subarray(0, 1024).every((byte) => byte === 0)).toBe(true);
    expect(heap.stats().sys).toBe(WASM_PAGE - 1024);
  });
});

describe("a given memory", () => {
  it("is the heap's from heapBase on", () => {
    const memory = new WebAssembly.Memory({ initial: 8 });
    const heap = createHeap({ memory, heapBase: 2 * WASM_PAGE });
    expect(heap.memory).toBe(memory);
    const ptr = heap.malloc(3 * WASM_PAGE);
    expect(ptr).toBeGreaterThanOrEqual(2 * WASM_PAGE);
    expect(memory.buffer.byteLength).toBe(8 * WASM_PAGE);
    heap.free(ptr);
    expectWorking(heap);
  });

  it("without heapBase stays as it is: the heap lives in what it grows", () => {
    const memory = new WebAssembly.Memory({ initial: 5 });
    new Uint8Array(memory.buffer).fill(0x5a);
    const heap = createHeap({ memory });
    expect(memory.buffer.byteLength).toBe(5 * WASM_PAGE);
    const blocks = Array.from({ length: 500 }, (_, i) => heap.calloc(i, 13));
    for (const ptr of blocks) expect(ptr).toBeGreaterThanOrEqual(5 * WASM_PAGE);
    for (const ptr of blocks) heap.free(ptr);
    heap.validate({ deep: true });
    expect(heap.u8.subarray(0, 5 * WASM_PAGE).every((byte) => byte === 0x5a)).toBe(true);
  });

  it("may be grown by others between the heap's own growths", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const heap = createHeap({ memory });
    const foreign: { from: number; to: number }[] = [];
    const blocks: { ptr: number; size: number }[] = [];
    for (let i = 0; i < 20; i++) {
      const from = memory.grow(3) * WASM_PAGE;
      foreign.push({ from, to: from + 3 * WASM_PAGE });
      new Uint8Array(memory.buffer, from, 3 * WASM_PAGE).fill(0xee);
      for (let j = 0; j < 40; j++) {
        const size = 1000 + 97 * j;
        const ptr = heap.calloc(1, size);
        expect(
          heap
            .view(Uint8Array, ptr, size)
            .get()
            .every((byte) => byte === 0),
        ).toBe(true);
        heap
          .view(Uint8Array, ptr, size)
          .get()
          .fill(i + 1);
        blocks.push({ ptr, size });
      }
    }
    heap.validate({ deep: true });
    for (const { ptr, size } of blocks) {
      expect(foreign.some(({ from, to }) => ptr < to && ptr + size > from)).toBe(false);
      heap.free(ptr);
    }
    heap.validate({ deep: true });
    for (const { from, to } of foreign) {
      expect(new Uint8Array(memory.buffer).subarray(from, to).every((byte) => byte === 0xee)).toBe(true);
    }
  });

  it("can hold two heaps", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const heaps = [createHeap({ memory }), createHeap({ memory })];
    const blocks = heaps.map((heap, owner) =>
      Array.from({ length: 300 }, (_, i) => {
        const ptr = heap.malloc(500 + i);
        heap.u8.fill(owner + 1, ptr, ptr + 500 + i);
        return ptr;
      }),
    );
    blocks.forEach((ptrs, owner) => {
      for (const [i, ptr] of ptrs.entries()) {
        expect(heaps[owner]!.u8.subarray(ptr, ptr + 500 + i).every((byte) => byte === owner + 1)).toBe(true);
      }
    });
    for (const ptr of blocks[1]!) expect(() => heaps[0]!.free(ptr)).toThrow(/foreign|no block/);
    for (const heap of heaps) heap.validate({ deep: true });
  });
});

describe("options are checked", () => {
  const bad: [string, HeapOptions, new (...args: never[]) => Error][] = [
    ["heapBase 0", { heapBase: 0 }, RangeError],
    ["heapBase -1", { heapBase: -1 }, RangeError],
    ["heapBase 1.5", { heapBase: 1.5 }, RangeError],
    ["heapBase NaN", { heapBase: Number.NaN }, RangeError],
    ["heapBase 2^32", { heapBase: 2 ** 32 }, RangeError],
    ["heapBase beyond initial", { heapBase: 2 * WASM_PAGE + 1, initial: 2 }, RangeError],
    ["heapBase beyond the memory", { heapBase: 70_000, memory: new WebAssembly.Memory({ initial: 1 }) }, RangeError],
    ["heapBase 0 in a memory", { heapBase: 0, memory: new WebAssembly.Memory({ initial: 1 }) }, RangeError],
    ["initial 0", { initial: 0 }, RangeError],
    ["initial 65537", { initial: 65537 }, RangeError],
    ["maximum below initial", { initial: 4, maximum: 3 }, RangeError],
    ["maximum 65537", { maximum: 65537 }, RangeError],
    ["initial with a memory", { initial: 1, memory: new WebAssembly.Memory({ initial: 1 }) }, TypeError],
    ["maximum with a memory", { maximum: 9, memory: new WebAssembly.Memory({ initial: 1 }) }, TypeError],
    ["no memory", { memory: {} as WebAssembly.Memory }, TypeError],
    ["shared memory", { memory: new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }) }, TypeError],
    ["maxBytes -1", { maxBytes: -1 }, RangeError],
    ["maxBytes below the heap's records", { maxBytes: 8192 }, RangeError],
    ["maxBytes of less than what is left to the heap", { maxBytes: 40_000, heapBase: 70_001, initial: 64 }, RangeError],
    ["maximum without room for the heap's records", { heapBase: WASM_PAGE - 16, initial: 1, maximum: 1 }, RangeError],
    ["softLimit 2^32", { softLimit: 2 ** 32 }, RangeError],
    ["reserve above 16 MiB", { reserve: (16 << 20) + 1 }, RangeError],
    ["onMisuse", { onMisuse: "trap" as "throw" }, TypeError],
  ];

  it.each(bad)("%s", async (_, options, type) => {
    expect(() => createHeap(options)).toThrow(type);
    await expect(createHeapAsync(options)).rejects.toThrow(type);
  });

  it("says what is wrong with a shared memory", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    expect(() => createHeap({ memory })).toThrow(/unshared/);
  });
});
