/** The setting clobberfree: what a cycle has found dead is a pattern, and nothing else is touched. */
import { afterEach, describe, expect, it } from "vitest";
import { createHeap, type Heap } from "../../src/index.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";

const PATTERN = [0xef, 0xbe, 0xad, 0xde];

const KINDS: [string, () => Heap | SharedHeap][] = [
  ["createHeap", () => createHeap({ collector: { clobberfree: true } })],
  ["createSharedHeap", () => createSharedHeap({ collector: { clobberfree: true } })],
  ["createSharedHeap, shared: false", () => createSharedHeap({ shared: false, collector: { clobberfree: true } })],
];

let heap: Heap | SharedHeap;
afterEach(() => heap.dispose());

/** Whether the bytes are the pattern, from its first byte on. */
function isPattern(ptr: number, bytes: number): boolean {
  return heap.u8.subarray(ptr, ptr + bytes).every((byte, i) => byte === PATTERN[i % 4]);
}

describe.each(KINDS)("clobberfree of %s", (_, make) => {
  it("fills dead objects of every size, and only these", () => {
    heap = make();
    const gc = heap.collector;
    const sizes = [16, 24, 48, 100, 128, 1000, 4096, 20_000, 32_768, 50_000, 300_000];
    const live = sizes.map((size) => gc.newBytes(size));
    const dead = sizes.map((size) => gc.allocateBytes(size));
    const blocks = sizes.map((size) => heap.malloc(size));
    const typed = gc.allocate(gc.defineType({ size: 40, pointers: [0, 16] }), 3);
    for (const [i, size] of sizes.entries()) {
      for (const ptr of [live[i]!.ptr, dead[i]!, blocks[i]!]) heap.u8.fill(7, ptr, ptr + size);
    }
    const sizesOf = dead.map((ptr) => heap.usableSize(ptr));
    gc.collect();
    gc.sweep();
    for (const [i, size] of sizes.entries()) {
      expect(isPattern(dead[i]!, sizesOf[i]!), `a dead object of ${size} bytes`).toBe(true);
      for (const ptr of [live[i]!.ptr, blocks[i]!]) {
        expect(
          heap.u8.subarray(ptr, ptr + size).every((byte) => byte === 7),
          `a live one of ${size}`,
        ).toBe(true);
      }
    }
    expect(isPattern(typed, 120)).toBe(true);
    heap.validate({ deep: true });
  });

  it("leaves what is allocated next as it is to be: zero where that is promised", () => {
    heap = make();
    const gc = heap.collector;
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 2000; i++) gc.allocateBytes(16 + 8 * (i % 40));
      gc.allocateBytes(100_000);
      gc.collect();
      for (let i = 0; i < 2000; i++) {
        const size = 16 + 8 * (i % 40);
        const ptr = gc.allocateBytes(size);
        expect(heap.u8.subarray(ptr, ptr + size).every((byte) => byte === 0)).toBe(true);
      }
      const large = gc.allocateBytes(100_000);
      expect(heap.u8.subarray(large, large + 100_000).every((byte) => byte === 0)).toBe(true);
      heap.validate({ deep: true });
    }
  });

  it("is a setting that can be changed and read", () => {
    heap = make();
    const gc = heap.collector;
    expect(gc.settings.clobberfree).toBe(true);
    gc.setOptions({ clobberfree: false });
    expect(gc.settings.clobberfree).toBe(false);
    const ptr = gc.allocateBytes(256);
    heap.u8.fill(7, ptr, ptr + 256);
    gc.collect();
    expect(heap.u8.subarray(ptr, ptr + 256).every((byte) => byte === 7)).toBe(true);
    expect(() => gc.setOptions({ clobberfree: 1 as unknown as boolean })).toThrow(TypeError);
  });
});

it("clobberfree is the heap's: another thread's end of it sees and changes it", () => {
  const shared = createSharedHeap({ collector: { clobberfree: true } });
  heap = shared;
  const other = attachHeap(shared.share());
  expect(other.collector.settings.clobberfree).toBe(true);
  other.collector.setOptions({ clobberfree: false });
  expect(heap.collector.settings.clobberfree).toBe(false);
  other.dispose();
});
