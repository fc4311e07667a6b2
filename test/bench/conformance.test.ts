/**
 * Every allocator of the benchmark, ours, the peers and the textbook ones, keeps the promises of the malloc family
 * on its own, before it is merged with anything. What an allocator does not claim (see the catalogue) is not asked.
 */
import { describe, expect, it } from "vitest";
import { ALLOCATORS, type Allocator } from "../../bench/lib/catalog.ts";
import { heapBase, initialPages, WASM_PAGE } from "../../bench/lib/layout.ts";
import { between, random } from "../support/random.ts";

interface MallocFamily {
  init(heapBase: number): void;
  malloc(size: number): number;
  free(ptr: number): void;
  calloc(count: number, size: number): number;
  realloc(ptr: number, size: number): number;
  aligned_alloc(align: number, size: number): number;
}

/** An allocator's module and what it promises. */
interface Candidate extends Pick<Allocator, "smallAlignment"> {
  readonly module: WebAssembly.Module;
}

interface Opened extends Pick<Allocator, "smallAlignment"> {
  readonly heap: MallocFamily;
  readonly memory: WebAssembly.Memory;
  /** A view of [at, at + length), fresh: growth detaches the old ones. */
  bytes(at: number, length: number): Uint8Array;
  readonly pages: number;
}

const BASE = heapBase("timed");
const FAMILY = ["malloc", "free", "calloc", "realloc", "aligned_alloc"] as const;

function open({ module, smallAlignment }: Candidate, maximum = 16384, init = true): Opened {
  const memory = new WebAssembly.Memory({ initial: initialPages("timed"), maximum });
  const raw = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as MallocFamily;
  const heap = { init: raw.init, free: raw.free } as MallocFamily;
  // Addresses come out of wasm signed.
  heap.malloc = (size) => raw.malloc(size) >>> 0;
  heap.calloc = (count, size) => raw.calloc(count, size) >>> 0;
  heap.realloc = (ptr, size) => raw.realloc(ptr, size) >>> 0;
  heap.aligned_alloc = (align, size) => raw.aligned_alloc(align, size) >>> 0;
  if (init) heap.init(BASE);
  return {
    heap,
    memory,
    smallAlignment,
    bytes: (at, length) => new Uint8Array(memory.buffer, at, length),
    get pages() {
      return memory.buffer.byteLength / WASM_PAGE;
    },
  };
}

/** Fails unless every byte is `value`. */
function expectAll(bytes: Uint8Array, value: number, what: string): void {
  const at = bytes.findIndex((byte) => byte !== value);
  if (at >= 0) expect.fail(`${what}: byte ${at} of ${bytes.length} is ${bytes[at]}, not ${value}`);
}

const contents = (ptr: number) => (ptr >>> 4) & 0xff;

interface Block {
  ptr: number;
  size: number;
}

function fill({ bytes }: Opened, { ptr, size }: Block): void {
  bytes(ptr, size).fill(contents(ptr));
}

function verify({ bytes }: Opened, { ptr, size }: Block): void {
  expectAll(bytes(ptr, size), contents(ptr), `${size} bytes at ${ptr}`);
}

function expectPlace({ memory, smallAlignment }: Opened, { ptr, size }: Block): void {
  expect(ptr, `malloc(${size})`).not.toBe(0);
  expect(ptr % (size >= 16 ? 16 : size >= 8 ? 8 : smallAlignment), `alignment of ${size} bytes`).toBe(0);
  expect(ptr).toBeGreaterThanOrEqual(BASE);
  expect(ptr + size).toBeLessThanOrEqual(memory.buffer.byteLength);
}

function expectApart(blocks: readonly Block[]): void {
  const sorted = [...blocks].sort((a, b) => a.ptr - b.ptr);
  sorted.forEach((block, i) => {
    const after = sorted[i + 1];
    if (after) expect(block.ptr + block.size, `blocks at ${block.ptr} and ${after.ptr}`).toBeLessThanOrEqual(after.ptr);
  });
}

const SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 64, 100, 255, 256, 257, 1000, 1024, 4095, 4096, 4097];
const LARGE_SIZES = [8192, 30_000, 32_768, 32_769, 65_536, 100_000, 1 << 20];

for (const allocator of ALLOCATORS) {
  const bytes = await allocator.module("timed");
  describe.skipIf(!bytes)(
    `${allocator.name} (${bytes ? allocator.about : `skipped: not built: ${allocator.remedy}`})`,
    () => {
      if (bytes) suite(allocator, new WebAssembly.Module(bytes));
    },
  );
}

/** A test only for allocators that claim what it asks. */
const given = (claimed: boolean) => (name: string, run: () => void) => {
  if (claimed) it(name, run);
};

function suite(allocator: Allocator, module: WebAssembly.Module): void {
  const candidate = { module, smallAlignment: allocator.smallAlignment };

  it("imports a memory and exports the malloc family", () => {
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const names = WebAssembly.Module.exports(module).map(({ name }) => name);
    for (const name of [...FAMILY, "init"]) expect(names).toContain(name);
  });

  it("gives aligned blocks that do not overlap and keep their contents", () => {
    const opened = open(candidate);
    const blocks: Block[] = [];
    for (let round = 0; round < 8; round++) {
      for (const size of [...SIZES, ...LARGE_SIZES]) {
        const block = { ptr: opened.heap.malloc(size), size };
        expectPlace(opened, block);
        fill(opened, block);
        blocks.push(block);
      }
    }
    expectApart(blocks);
    for (const block of blocks) verify(opened, block);
    for (const { ptr } of blocks) opened.heap.free(ptr);
  });

  it("keeps contents through random malloc, free and realloc", () => {
    const opened = open(candidate);
    const { heap } = opened;
    const r = random(11);
    const blocks: Block[] = [];
    for (let i = 0; i < 6000; i++) {
      const at = blocks.length ? r() % blocks.length : 0;
      const size = between(r, 1, r() % 40 === 0 ? 60_000 : 600);
      const choice = r() % 5;
      if (choice < 2 || blocks.length < 20) {
        const block = { ptr: choice === 0 ? heap.calloc(1, size) : heap.malloc(size), size };
        expectPlace(opened, block);
        if (choice === 0) expectAll(opened.bytes(block.ptr, size), 0, `calloc(1, ${size})`);
        fill(opened, block);
        blocks.push(block);
      } else if (choice === 2) {
        const old = blocks[at]!;
        verify(opened, old);
        const block = { ptr: heap.realloc(old.ptr, size), size };
        expectPlace(opened, block);
        expectAll(opened.bytes(block.ptr, Math.min(old.size, size)), contents(old.ptr), "realloc");
        fill(opened, block);
        blocks[at] = block;
      } else {
        const [gone] = blocks.splice(at, 1);
        verify(opened, gone!);
        heap.free(gone!.ptr);
      }
    }
    expectApart(blocks);
    for (const block of blocks) verify(opened, block);
  });

  it("takes null: free does nothing, realloc allocates", () => {
    const opened = open(candidate);
    opened.heap.free(0);
    const block = { ptr: opened.heap.realloc(0, 100), size: 100 };
    expectPlace(opened, block);
  });

  it("zeroes what calloc gives, also where something was freed", () => {
    const { heap, bytes } = open(candidate);
    for (const size of [1, 16, 100, 1000, 5000, 40_000, 200_000]) {
      const dirty = Array.from({ length: 4 }, () => heap.malloc(size));
      for (const ptr of dirty) bytes(ptr, size).fill(0xff);
      for (const ptr of dirty) heap.free(ptr);
      for (let i = 0; i < 4; i++) expectAll(bytes(heap.calloc(size, 1), size), 0, `calloc(${size}, 1)`);
    }
  });

  given(allocator.checksProduct)("refuses a calloc whose product overflows", () => {
    const { heap } = open(candidate);
    expect(heap.calloc(0x10000, 0x10001)).toBe(0);
    expect(heap.calloc(0xffffffff, 0xffffffff)).toBe(0);
  });

  it("grows a block step by step and shrinks it again", () => {
    const { heap, bytes } = open(candidate);
    let ptr = heap.malloc(1);
    bytes(ptr, 1)[0] = 1;
    for (let size = 2; size <= 3000; size += 7) {
      ptr = heap.realloc(ptr, size);
      bytes(ptr, size)[size - 1] = size & 0xff;
    }
    for (let size = 2; size <= 3000; size += 7) expect(bytes(ptr, size)[size - 1]).toBe(size & 0xff);
    ptr = heap.realloc(ptr, 9);
    expect([...bytes(ptr, 2)]).toEqual([1, 2]);
    heap.free(ptr);
  });

  given(allocator.aligns)("aligns to any power of two up to 64 KiB", () => {
    const opened = open(candidate);
    const blocks: Block[] = [];
    for (let align = 16; align <= 65_536; align *= 2) {
      for (const size of [16, 100, 1000, 20_000]) {
        opened.heap.malloc(between(random(align + size), 1, 400));
        const ptr = opened.heap.aligned_alloc(align, size);
        expect(ptr % align, `aligned_alloc(${align}, ${size})`).toBe(0);
        expectPlace(opened, { ptr, size });
        fill(opened, { ptr, size });
        blocks.push({ ptr, size });
      }
    }
    expectApart(blocks);
    for (const block of blocks) {
      verify(opened, block);
      opened.heap.free(block.ptr);
    }
    expectPlace(opened, { ptr: opened.heap.malloc(50_000), size: 50_000 });
  });

  given(allocator.kind !== "bump")("uses freed blocks again", () => {
    const opened = open(candidate);
    let pages = 0;
    for (let round = 0; round < 20; round++) {
      const blocks = Array.from({ length: 500 }, () => opened.heap.malloc(96));
      for (const ptr of blocks) opened.heap.free(ptr);
      if (round === 1) pages = opened.pages;
    }
    expect(opened.pages).toBe(pages);
  });

  given(allocator.coalesces)("makes one large block of many small ones that were freed", () => {
    const opened = open(candidate);
    const { heap } = opened;
    const count = 4000;
    const blocks = Array.from({ length: count }, () => heap.malloc(120));
    const pages = opened.pages;
    // Every third, then the rest: neighbours are freed at different times.
    for (let k = 0; k < 3; k++) for (let i = k; i < count; i += 3) heap.free(blocks[i]!);
    // Half of what there was: a heap may keep a little of it back, and not at its ends.
    const large = { ptr: heap.malloc(count * 60), size: count * 60 };
    expectPlace(opened, large);
    expect(opened.pages).toBe(pages);
  });

  given(allocator.sharesMemory)("leaves alone what others grew", () => {
    const opened = open(candidate);
    const { heap, memory, bytes } = opened;
    // Some take all the memory there is at their first call: that must not be somebody else's.
    heap.free(heap.malloc(1));
    const foreign: Block[] = [];
    const blocks: Block[] = [];
    for (let i = 0; i < 40; i++) {
      const ptr = memory.grow(1) * WASM_PAGE;
      foreign.push({ ptr, size: WASM_PAGE });
      bytes(ptr, WASM_PAGE).fill(contents(ptr));
      for (const size of [40_000, 3000, 64, 64]) {
        const block = { ptr: heap.malloc(size), size };
        expectPlace(opened, block);
        fill(opened, block);
        blocks.push(block);
      }
    }
    expectApart([...foreign, ...blocks]);
    for (const block of [...foreign, ...blocks]) verify(opened, block);
    for (const { ptr } of blocks) heap.free(ptr);
    for (const block of foreign) verify(opened, block);
  });

  given(allocator.survivesExhaustion)("gives null when the memory cannot grow, and goes on", () => {
    // 40 MiB: mimalloc takes 32 at once.
    const opened = open(candidate, initialPages("timed") + 640);
    const { heap } = opened;
    const blocks: Block[] = [];
    for (;;) {
      const block = { ptr: heap.malloc(10_000), size: 10_000 };
      if (!block.ptr) break;
      expectPlace(opened, block);
      fill(opened, block);
      blocks.push(block);
    }
    expect(blocks.length).toBeGreaterThan(100);
    expect(heap.malloc(0xfffff000)).toBe(0);
    expect(heap.realloc(blocks[0]!.ptr, 1 << 25)).toBe(0);
    for (const block of blocks) verify(opened, block);
    if (allocator.kind === "bump") return;
    for (const { ptr } of blocks.splice(0, 50)) heap.free(ptr);
    for (let i = 0; i < 40; i++) expectPlace(opened, { ptr: heap.malloc(10_000), size: 10_000 });
    for (const block of blocks) verify(opened, block);
  });

  given(allocator.kind === "naive" || allocator.kind === "ours")("works without init, on memory it grows", () => {
    const opened = open(candidate, 16384, false);
    const before = opened.memory.buffer.byteLength;
    const ptr = opened.heap.malloc(1000);
    expect(ptr).toBeGreaterThanOrEqual(before);
    fill(opened, { ptr, size: 1000 });
    opened.heap.free(ptr);
  });
}
