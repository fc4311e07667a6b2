/**
 * The laws that the test flavours check in the heap's own operations (assembly/central/laws.ts): a word is overwritten, the
 * next operation on its span traps, and brokenLaw says which law it was. Each law of those, by each operation that checks.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { hostLayout } from "../../scripts/layout.ts";
import { type Opened, open, PAGE, type TestExports } from "../support/wasm.ts";

/** A class with a span of 170 slots: two whole groups, and 42 slots of a third. */
const SIZE = 48;
const SLOTS = Math.floor(PAGE / SIZE);
const FULL = 2n ** 64n - 1n;
const LISTED = 1;
const EMPTY = 2;

const SPAN = new Map(
  hostLayout(false)
    .records.get("MSpan")
    ?.map(({ name, offset }) => [name, offset]),
);
const field = (span: number, name: string): number => {
  const offset = SPAN.get(name);
  if (offset === undefined) throw new Error(`MSpan has no ${name}`);
  return span + offset;
};

describe.each(["test", "test-shared"] as const)("%s flavour", (flavour) => {
  let heap: Opened<TestExports>;
  let view: DataView;
  let blocks: number[];
  let span: number;

  /** Takes blocks until `more` of the span at hand are in use. */
  function take(more: number): void {
    for (let i = 0; i < more; i++) blocks.push(heap.e.malloc(SIZE));
  }
  const group = (i: number) => span + 32 + 16 * i;
  const cache = (i: number) => view.getBigUint64(group(i), true);
  const freed = (i: number) => view.getBigUint64(group(i) + 8, true);
  const setCache = (i: number, bits: bigint) => view.setBigUint64(group(i), bits, true);
  const setFreed = (i: number, bits: bigint) => view.setBigUint64(group(i) + 8, bits, true);

  function expectBroken(law: number, operation: () => void): void {
    expect(heap.e.brokenLaw()).toBe(0);
    expect(operation).toThrow(WebAssembly.RuntimeError);
    expect(heap.e.brokenLaw()).toBe(law);
  }

  beforeEach(() => {
    heap = open(flavour, { initial: 4, maximum: 40 }) as Opened<TestExports>;
    if (flavour === "test-shared") (heap.e as unknown as { acquireP(token: number): number }).acquireP(1);
    blocks = [];
    // Opens the class: the first blocks of a size come from a coarse one.
    for (let i = 0; i < 4 * SLOTS; i++) blocks.push(heap.e.malloc(SIZE));
    span = heap.e.spanOf(blocks.at(-1) as number);
    while (heap.e.spanOf(blocks.at(-1) as number) === span) take(1);
    // A new span, of which one slot is in use.
    span = heap.e.spanOf(blocks.at(-1) as number);
    view = new DataView(heap.mem.memory.buffer);
    expect(view.getUint16(field(span, "nelems"), true)).toBeGreaterThan(2 * 64);
  });

  const releaseAll = () => heap.e.releaseAll();
  const refill = () => take(64);

  it("does not trap while all is well", () => {
    take(3 * SLOTS);
    for (const p of blocks.filter((_, i) => i % 3 !== 0)) heap.e.free(p);
    releaseAll();
    expect(heap.e.brokenLaw()).toBe(0);
    expect(heap.e.validate()).toBe(0);
  });

  // In a shared heap a P that gives its spans back puts their words in order first.
  if (flavour === "test")
    describe("a row gives its span up (evict)", () => {
      it("a slot is free twice: 31", () => {
        setFreed(0, freed(0) | (cache(0) & -cache(0)));
        expectBroken(31, releaseAll);
      });
      it("a group has bits beyond its slots: 30", () => {
        const last = Math.ceil(view.getUint16(field(span, "nelems"), true) / 64) - 1;
        setCache(last, FULL);
        expectBroken(30, releaseAll);
      });
      it("a group misses a bit of freed beyond its slots: 30", () => {
        const last = Math.ceil(view.getUint16(field(span, "nelems"), true) / 64) - 1;
        setFreed(last, 0n);
        expectBroken(30, releaseAll);
      });
      it("a full group does not look like one: 32", () => {
        view.setUint16(field(span, "partialMask"), view.getUint16(field(span, "partialMask"), true) & ~2, true);
        expectBroken(32, releaseAll);
      });
      it("partialMask names a group of the collector without a free slot: 33", () => {
        span = heap.e.spanOf(heap.e.mallocgc(SIZE, 0, 0));
        setCache(1, 0n);
        expectBroken(33, releaseAll);
      });
      it("it has another number of slots: 22", () => {
        view.setUint16(field(span, "nelems"), view.getUint16(field(span, "nelems"), true) + 64, true);
        expectBroken(22, releaseAll);
      });
      it("it is dead: 22", () => {
        view.setUint8(field(span, "state"), 0);
        expectBroken(22, releaseAll);
      });
      it("it is listed in two places: 41", () => {
        view.setUint8(field(span, "flags"), LISTED | EMPTY);
        expectBroken(41, releaseAll);
      });
      it("it is listed as empty, and a slot is live: 42", () => {
        view.setUint8(field(span, "flags"), EMPTY);
        expectBroken(42, releaseAll);
      });
    });

  describe("a refill loads a group", () => {
    it("a slot of another is free twice: 31", () => {
      setFreed(2, freed(2) | 1n);
      expectBroken(31, refill);
    });
    it("another has bits beyond its slots: 30", () => {
      const last = Math.ceil(view.getUint16(field(span, "nelems"), true) / 64) - 1;
      setCache(last, FULL);
      expectBroken(30, refill);
    });
  });

  // There a group of which all slots are free gets new words.
  if (flavour === "test")
    describe("a free beyond the common case", () => {
      it("leaves a group with a slot that is free twice: 31", () => {
        take(SLOTS);
        const p = blocks.find((q) => heap.e.spanOf(q) === span) as number;
        heap.e.free(p);
        const i = [0, 1].find((i) => freed(i) !== FULL && freed(i) !== 0n) as number;
        const bit = freed(i) & -freed(i);
        setCache(i, cache(i) | bit);
        // The only live slot of its group goes the slow way, and so does one of a full group.
        const rest = blocks.filter((q) => q !== p && heap.e.spanOf(q) === span);
        expectBroken(31, () => {
          for (const q of rest) heap.e.free(q);
        });
      });
    });

  describe("a sweep", () => {
    it("of a span with another number of slots: 22", () => {
      const e = heap.e as unknown as Record<string, (...args: number[]) => number>;
      const object = e.mallocgc?.(1000, 1, 1) as number;
      e.handleNew?.(object);
      const swept = heap.e.spanOf(object);
      releaseAll();
      e.gc?.();
      view = new DataView(heap.mem.memory.buffer);
      view.setUint16(field(swept, "nelems"), view.getUint16(field(swept, "nelems"), true) + 64, true);
      expectBroken(22, () => e.gc?.());
    });
  });

  describe("validate, of what no single word of the records breaks", () => {
    it("an empty span has a live slot: 42", () => {
      take(3 * SLOTS);
      for (const p of blocks) heap.e.free(p);
      const spans = new Set(blocks.map((p) => heap.e.spanOf(p)).filter((at) => at !== 0));
      const empty = [...spans].find((at) => (view.getUint8(field(at, "flags")) & EMPTY) !== 0);
      expect(empty).toBeDefined();
      span = empty as number;
      expect(heap.e.validate()).toBe(0);
      // The first slot is free in one of the two words.
      setCache(0, cache(0) & ~1n);
      setFreed(0, freed(0) & ~1n);
      expect(heap.e.validate()).toBe(42);
    });
    it("a slot that is said to be zero is not: 34", () => {
      // Of pages that were never used: a heap of few pages has some that its first spans have given back.
      const isClean = () => view.getUint16(field(span, "dirtyMask"), true) === 0 && cache(1) === FULL;
      for (let i = 0; i < 100 * SLOTS && !isClean(); i++) {
        take(1);
        span = heap.e.spanOf(blocks.at(-1) as number);
        view = new DataView(heap.mem.memory.buffer);
      }
      expect(isClean()).toBe(true);
      expect(heap.e.validateDeep()).toBe(0);
      view.setUint32(view.getUint32(field(span, "startAddr"), true) + 64 * SIZE, 1, true);
      expect(heap.e.validateDeep()).toBe(34);
    });
  });
});
