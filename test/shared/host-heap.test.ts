/** createSharedHeap and attachHeap: options, messages, the heap's methods over shared memory, its end. */
import { afterEach, describe, expect, it } from "vitest";
import {
  AttachError,
  attachHeap,
  attachHeapAsync,
  createSharedHeap,
  createSharedHeapAsync,
  HeapDisposedError,
  MisuseError,
  ModuleLoadError,
  OutOfMemoryError,
  type SharedHeap,
  type SharedHeapMessage,
  type SharedHeapOptions,
} from "../../src/shared/index.ts";
import { WASM_PAGE, wasmModule } from "../support/wasm.ts";
import { startThread } from "./support/host-workers.ts";

const heaps: SharedHeap[] = [];

function keep(heap: SharedHeap): SharedHeap {
  heaps.push(heap);
  return heap;
}

const create = (options?: SharedHeapOptions): SharedHeap => keep(createSharedHeap(options));
const attach = (message: SharedHeapMessage): SharedHeap => keep(attachHeap(message));

afterEach(() => {
  for (const heap of heaps.splice(0)) heap.dispose();
});

describe.each([
  ["shared", {}],
  ["alone", { shared: false }],
] as const)("a heap that is %s", (kind, options) => {
  it("reports of a thread that it never had that all is in order", () => {
    expect(create(options).reap(0x7fff)).toMatchObject({ token: 0x7fff, p: 0, ok: true, left: null });
  });

  it("has the methods of Heap, and they work", () => {
    const heap = create(options);
    expect(heap.shared).toBe(kind === "shared");
    const ptr = heap.malloc(100);
    expect(heap.usableSize(ptr)).toBe(128);
    heap.u8.set([1, 2, 3], ptr);
    const moved = heap.realloc(ptr, 50_000);
    expect([...heap.view(Uint8Array, moved, 3).get()]).toEqual([1, 2, 3]);
    expect(heap.objectBase(moved + 20_000)).toBe(moved);
    const zeros = heap.calloc(100, 10);
    expect(heap.u8.subarray(zeros, zeros + 1000).every((byte) => byte === 0)).toBe(true);
    const aligned = heap.alignedAlloc(4096, 100);
    expect(aligned % 4096).toBe(0);
    const object = heap.mallocgc(24, { size: 24, ptrBytes: 8 }, true);
    const view = heap.view(Float64Array, heap.malloc(80));
    heap.malloc(5_000_000);
    view.get()[9] = 2.5;
    expect(heap.f64[(view.ptr >>> 3) + 9]).toBe(2.5);
    for (const block of [moved, zeros, aligned, object]) heap.free(block);
    expect(() => heap.free(zeros)).toThrow(MisuseError);
    expect(() => heap.realloc(zeros, 5)).toThrow(MisuseError);
    heap.reclaim();
    heap.releaseAll();
    heap.validate({ deep: true });
  });

  it("tells out of memory from other refusals", () => {
    const heap = create({ ...options, maxBytes: 1 << 20 });
    expect(() => heap.malloc(2 << 20)).toThrow(OutOfMemoryError);
    expect(() => heap.calloc(1 << 20, 1 << 20)).toThrow(OutOfMemoryError);
    expect(() => heap.alignedAlloc(64, 2 << 20)).toThrow(OutOfMemoryError);
    expect(() => heap.mallocgc(2 << 20, null, false)).toThrow(OutOfMemoryError);
    const ptr = heap.malloc(10);
    expect(() => heap.realloc(ptr, 2 << 20)).toThrow(OutOfMemoryError);
    expect([heap.tryMalloc(2 << 20), heap.tryCalloc(1, 2 << 20), heap.tryAlignedAlloc(8, 2 << 20)]).toEqual([0, 0, 0]);
    expect(heap.tryRealloc(ptr, 2 << 20)).toBe(0);
    heap.setLimits({ maxBytes: 0 });
    heap.free(heap.malloc(2 << 20));
    heap.free(ptr);
    expect(() => heap.malloc(-1)).toThrow(RangeError);
  });

  it("ignores misuse when asked to", () => {
    const heap = create({ ...options, onMisuse: "ignore" });
    heap.free(12345);
    expect(heap.realloc(12345, 5)).toBe(0);
    expect(heap.tryRealloc(12345, 5)).toBe(0);
    expect(heap.stats().misuses).toBe(3);
  });

  it("has statistics with Ps and locks", () => {
    const heap = create(options);
    const before = heap.stats().mallocs;
    heap.malloc(100);
    const stats = heap.stats();
    expect(stats.mallocs).toBe(before + 1);
    expect(stats.ps).toEqual([expect.objectContaining({ p: 1, token: 1, state: "running", remoteFrees: 0 })]);
    expect(stats.locks[0]).toEqual({ index: 0, acquisitions: expect.any(Number), contended: 0, waits: 0 });
  });

  it("is over when it is disposed of, and stays so", () => {
    const heap = create(options);
    const { ps } = heap;
    const view = heap.view(Uint8Array, heap.malloc(8), 8);
    heap[Symbol.dispose]();
    heap.dispose();
    for (const call of [
      ...[() => heap.malloc(8), () => heap.tryMalloc(8), () => heap.tryCalloc(8, 8), () => heap.realloc(0, 8)],
      ...[() => heap.tryAlignedAlloc(8, 8), () => heap.tryRealloc(0, 8), () => heap.free(0), () => heap.share()],
      ...[() => heap.mallocgc(8, null, true), () => heap.usableSize(8), () => heap.objectBase(8), () => heap.stats()],
      ...[() => heap.validate(), () => heap.reclaim(), () => heap.releaseAll(), () => heap.setLimits({ reserve: 0 })],
      ...[() => heap.memory, () => heap.u8, () => view.get(), () => heap.lock(), () => heap.reap(5)],
      ...[() => ps.acquire(), () => ps.monitor(), () => ps.flush(1), () => ps.limit, () => ps.turn(() => 0)],
      () => ps.block(() => 0),
    ]) {
      expect(call, String(call)).toThrow(HeapDisposedError);
    }
  });
});

describe("options", () => {
  const shared = () => new WebAssembly.Memory({ initial: 1, maximum: 10, shared: true });
  const bad: [string, SharedHeapOptions, new (...args: never[]) => Error][] = [
    ["procs 0", { procs: 0 }, RangeError],
    ["procs 256", { procs: 256 }, RangeError],
    ["heapBase 0", { heapBase: 0 }, RangeError],
    ["heapBase beyond initialPages", { heapBase: 70_000, initialPages: 1 }, RangeError],
    ["heapBase beyond the memory", { heapBase: 70_000, memory: shared() }, RangeError],
    ["maximumPages below initialPages", { initialPages: 4, maximumPages: 3 }, RangeError],
    ["maximumPages 65537", { maximumPages: 65537 }, RangeError],
    ["initialPages with a memory", { initialPages: 1, memory: shared() }, TypeError],
    ["an unshared memory", { memory: new WebAssembly.Memory({ initial: 1 }) }, TypeError],
    ["a shared memory for one thread", { memory: shared(), shared: false }, TypeError],
    ["no memory", { memory: {} as WebAssembly.Memory }, TypeError],
    ["lockWait -1", { lockWait: -1 }, RangeError],
    ["turnWait above an hour", { turnWait: 3_600_001 }, RangeError],
    ["onMisuse", { onMisuse: "trap" as "throw" }, TypeError],
    ["maxBytes -1", { maxBytes: -1 }, RangeError],
    [
      "no room for the heap",
      { memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) },
      OutOfMemoryError,
    ],
  ];

  it.each(bad)("%s is refused", async (_, options, type) => {
    expect(() => createSharedHeap(options)).toThrow(type);
    await expect(createSharedHeapAsync(options)).rejects.toThrow(type);
  });

  it("an unshared flavour is refused by name", () => {
    expect(() => createSharedHeap({ wasm: wasmModule("host") })).toThrow(ModuleLoadError);
    expect(() => createSharedHeap({ wasm: wasmModule("host") })).toThrow(/gomalloc-host-shared\.wasm/);
  });

  it("a given memory keeps what lies below heapBase", async () => {
    const memory = new WebAssembly.Memory({ initial: 3, maximum: 100, shared: true });
    new Uint8Array(memory.buffer).fill(0xa5, 0, 3 * WASM_PAGE);
    const heap = keep(await createSharedHeapAsync({ memory }));
    expect(heap.malloc(100_000)).toBeGreaterThan(3 * WASM_PAGE);
    expect(heap.u8.subarray(0, 3 * WASM_PAGE).every((byte) => byte === 0xa5)).toBe(true);
    heap.validate({ deep: true });
  });

  it("initialPages, maximumPages and procs are those of the heap", () => {
    const heap = create({ initialPages: 5, maximumPages: 20, procs: 3 });
    expect(heap.memory.buffer.byteLength).toBe(5 * WASM_PAGE);
    expect(heap.tryMalloc(20 * WASM_PAGE)).toBe(0);
    expect(heap.ps.limit).toBe(3);
    heap.ps.limit = 7;
    expect(heap.share().procs).toBe(7);
    expect(() => {
      heap.ps.limit = 256;
    }).toThrow(RangeError);
  });
});

describe("a message", () => {
  it("is plain data, with a token of its own", () => {
    const heap = create({ onMisuse: "ignore" });
    heap.setLimits({ maxBytes: 1 << 24 });
    const [one, two] = [heap.share(), heap.share()];
    expect(one).toMatchObject({ kind: "gomalloc-shared-heap", version: 1, token: 2, memory: heap.memory });
    expect(one.options).toMatchObject({ onMisuse: "ignore", maxBytes: 1 << 24 });
    expect(two.token).toBe(3);
  });

  it("lets one thread in, once", () => {
    const heap = create();
    const message = heap.share();
    const other = attach(message);
    expect(other.token).toBe(message.token);
    expect(() => attachHeap(message)).toThrow(AttachError);
    other.detach();
    expect(() => attachHeap(message)).toThrow(/call share\(\) once for each thread/);
  });

  it("that is none, or from elsewhere, is refused", async () => {
    const heap = create();
    const good = heap.share();
    const unshared = new WebAssembly.Memory({ initial: 1 });
    const empty = new WebAssembly.Memory({ initial: 10, maximum: 10, shared: true });
    const bad: [unknown, RegExp][] = [
      [undefined, /not a message/],
      [{}, /not a message/],
      [{ ...good, version: 2 }, /version 2, this package 1/],
      [{ ...good, memory: unshared }, /lost its memory/],
      [{ ...good, module: {} }, /lost its memory or its module/],
    ];
    for (const [message, text] of bad) {
      expect(() => attachHeap(message as SharedHeapMessage)).toThrow(AttachError);
      expect(() => attachHeap(message as SharedHeapMessage)).toThrow(text);
      await expect(attachHeapAsync(message as SharedHeapMessage)).rejects.toThrow(text);
    }
    expect(() => attachHeap({ ...good, memory: empty })).toThrow(/no control block/);
    expect(() => attachHeap({ ...heap.share(), token: 0 })).toThrow(AttachError);
    expect(() => attachHeap({ ...heap.share(), options: { lockWait: -1 } })).toThrow(AttachError);
  });

  it("of a thread that attached goes on to a third", async () => {
    const heap = create();
    const second = attach(heap.share());
    const third = keep(await attachHeapAsync(second.share()));
    expect(new Set([heap.token, second.token, third.token]).size).toBe(3);
    const ptr = third.malloc(40);
    second.u8.fill(9, ptr, ptr + 40);
    heap.free(ptr);
    expect(() => heap.free(ptr)).toThrow(MisuseError);
    heap.validate({ deep: true });
  });
});

describe("views", () => {
  it("see what another thread has grown", async () => {
    const heap = create();
    const kept = heap.u8;
    const size = 30 * WASM_PAGE;
    const { result } = await startThread({ message: heap.share(), task: "grow", rounds: size });
    const ptr = (await result) as number;
    expect(kept.length).toBeLessThan(ptr + size);
    expect(heap.u8.length).toBeGreaterThanOrEqual(ptr + size);
    const view = heap.view(Uint8Array, ptr);
    expect(
      view
        .get()
        .subarray(0, size)
        .every((byte) => byte === 0x5a),
    ).toBe(true);
    expect(view.get().buffer).toBeInstanceOf(SharedArrayBuffer);
    heap.free(ptr);
    heap.validate({ deep: true });
  });
});
