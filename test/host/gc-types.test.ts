/** Types of collected objects: what is refused, and that exactly their pointers are looked at. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHeap, type GCTypeLayout } from "../../src/index.ts";
import { collectChecked, openGC } from "../gc/support/heap.ts";
import { runs } from "../support/random.ts";

describe("defineType", () => {
  it("describes the layout, frozen", () => {
    const gc = createHeap().collector;
    const type = gc.defineType({ size: 24, pointers: { right: 20, left: 4 } });
    expect(type).toMatchObject({ size: 24, ptrBytes: 24, pointers: [4, 20], offsets: { right: 20, left: 4 } });
    expect(type.offsetOf("left")).toBe(4);
    expect(type.offsetOf(20)).toBe(20);
    expect(Object.isFrozen(type) && Object.isFrozen(type.pointers) && Object.isFrozen(type.offsets)).toBe(true);
    expect(() => type.offsetOf("up" as "left")).toThrow(RangeError);
    expect(() => type.offsetOf("toString" as "left")).toThrow(RangeError);
    expect(() => type.offsetOf(8)).toThrow(RangeError);
    expect(gc.defineType({ size: 8, pointers: [] })).toMatchObject({ ptrBytes: 0, pointers: [] });
    expect(gc.defineType({ size: 131072, pointers: [131068, 0] }).pointers).toEqual([0, 131068]);
  });

  it.each<[string, unknown, typeof Error]>([
    ["no size", { pointers: [] }, RangeError],
    ["size 0", { size: 0, pointers: [] }, RangeError],
    ["an odd size", { size: 10, pointers: [] }, RangeError],
    ["a size above 128 KiB", { size: 131076, pointers: [] }, RangeError],
    ["an offset beyond", { size: 8, pointers: [8] }, RangeError],
    ["a negative offset", { size: 8, pointers: [-4] }, RangeError],
    ["an offset between words", { size: 8, pointers: [2] }, RangeError],
    ["an offset that is none", { size: 8, pointers: ["0"] }, RangeError],
    ["an offset twice", { size: 8, pointers: [4, 4] }, RangeError],
    ["an offset by two names", { size: 8, pointers: { a: 4, b: 4 } }, RangeError],
    ["no pointers", { size: 8 }, TypeError],
    ["null", { size: 8, pointers: null }, TypeError],
  ])("refuses %s", (_, layout, error) => {
    const gc = createHeap().collector;
    expect(() => gc.defineType(layout as GCTypeLayout)).toThrow(error);
    expect(gc.stats().types).toBe(0);
  });

  it("makes one record for equal layouts, whatever their names", () => {
    const gc = createHeap().collector;
    for (let i = 0; i < 1000; i++) gc.defineType({ size: 16, pointers: i % 2 === 0 ? [8, 0] : { a: 0, b: 8 } });
    expect(gc.stats().types).toBe(1);
    gc.defineType({ size: 16, pointers: [0, 4] });
    expect(gc.stats().types).toBe(2);
  });

  it("is for the heap that it comes from", () => {
    const gc = createHeap().collector;
    const type = createHeap().collector.defineType({ size: 8, pointers: [0] });
    for (const foreign of [type, { size: 8, ptrBytes: 4 }, null, 8] as (typeof type)[]) {
      expect(() => gc.new(foreign)).toThrow(TypeError);
      expect(() => gc.allocate(foreign)).toThrow(TypeError);
      expect(() => gc.copy(foreign, 4096, 4096)).toThrow(TypeError);
      expect(() => gc.clear(foreign, 4096)).toThrow(TypeError);
      expect(() => gc.handle(4096, foreign)).toThrow(TypeError);
    }
    expect(gc.stats().heapLive).toBe(0);
  });

  it("serves Heap.mallocgc as a HeapType", () => {
    const { heap, gc } = openGC();
    const type = gc.defineType({ size: 8, pointers: [4] });
    const object = heap.mallocgc(8, type, true);
    expect(gc.isObject(object)).toBe(true);
    gc.collect();
    expect(gc.isObject(object)).toBe(false);
  });
});

describe("marking", () => {
  /** A type of `words` words and how many of them an array has. */
  const shapes = fc.record({
    words: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }) },
      fc.integer({ min: 41, max: 600 }),
      fc.integer({ min: 8000, max: 32768 }),
    ),
    pick: fc.array(fc.nat(), { maxLength: 40 }),
    count: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) }, fc.integer({ min: 10, max: 200 })),
  });

  it("follows the pointers of arrays of any type, and no other word", () => {
    fc.assert(
      fc.property(shapes, ({ words, pick, count }) => {
        const o = openGC();
        const { heap, gc } = o;
        const size = words * 4;
        const pointers = [...new Set(pick.map((n) => (n % words) * 4))];
        const type = gc.defineType({ size, pointers });
        const n = words > 8000 ? Math.min(count, 12) : count;
        const array = gc.new(type, n);
        expect(heap.u8.subarray(array.ptr, array.ptr + size * n).every((byte) => byte === 0)).toBe(true);
        // The words of some elements point each to an object of its own: those of pointers, and decoys.
        const kept: number[] = [];
        const lost: number[] = [];
        const elements = [...new Set([0, n >> 1, n - 1])];
        for (const i of elements) {
          for (const at of new Set([
            ...pointers,
            ...[0, 1, words >> 1, words - 1].filter((word) => word < words).map((word) => word * 4),
          ])) {
            const target = gc.allocateBytes(16);
            heap.u32[(array.ptr + i * size + at) >>> 2] = target + (at % 16);
            (pointers.includes(at) ? kept : lost).push(target);
          }
        }
        collectChecked(o);
        expect(kept.filter((ptr) => !gc.isObject(ptr))).toEqual([]);
        expect(lost.filter((ptr) => gc.isObject(ptr))).toEqual([]);
        array.dispose();
        collectChecked(o);
        expect(heap.stats().heapAlloc).toBe(0);
      }),
      { numRuns: runs(60) },
    );
  });

  it.each([4, 8, 60, 128, 132, 1000, 32768, 32772, 300_000])("of %d bytes: every word, or none of newBytes", (size) => {
    const o = openGC();
    const { heap, gc } = o;
    for (const conservative of [true, false]) {
      const object = conservative ? gc.newConservative(size) : gc.newBytes(size);
      // Into the middle: any address in an object counts.
      const targets = [...new Set([0, size - 4])].map((at) => {
        const target = gc.allocateBytes(40);
        heap.u32[(object.ptr + at) >>> 2] = target + 33;
        return target;
      });
      collectChecked(o);
      expect(targets.map((ptr) => gc.isObject(ptr))).toEqual(targets.map(() => conservative));
      object.dispose();
      collectChecked(o);
      expect(targets.some((ptr) => gc.isObject(ptr))).toBe(false);
    }
  });
});
