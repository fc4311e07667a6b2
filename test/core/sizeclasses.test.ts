/** The size classes: the generated files are what the generator gives, and what they say is true. */
import { describe, expect, it } from "vitest";
import { drift, makeClasses } from "../../scripts/gen-sizeclasses.ts";
import { classOf, MAX_SMALL_SIZE, NUM_SIZE_CLASSES, SIZE_CLASSES } from "../../src/base/sizeclasses.ts";
import { open } from "../support/wasm.ts";

/** The smallest class of at least `size` bytes, by looking at all. */
function smallestClass(size: number): number {
  return SIZE_CLASSES.findIndex((c) => c.class > 0 && c.size >= size);
}

/** Rows that Go's own table prints: class, size, span, objects, tail waste, max waste %, min align, pages, reciprocal. */
const KNOWN: [number, number, number, number, number, string, number, number, number][] = [
  [1, 8, 8192, 1024, 0, "87.50", 8, 1, 0x20000000],
  [2, 16, 8192, 512, 0, "43.75", 16, 1, 0x10000000],
  [3, 24, 8192, 341, 8, "29.24", 8, 1, 0x0aaaaaab],
  [5, 48, 8192, 170, 32, "31.52", 16, 1, 0x05555556],
  [18, 256, 8192, 32, 0, "5.86", 256, 1, 0x01000000],
  [28, 640, 8192, 12, 512, "15.48", 128, 1, 0x00666667],
  [35, 1408, 16384, 11, 896, "14.00", 128, 2, 0x002e8ba3],
  [45, 4864, 24576, 5, 256, "16.65", 256, 3, 0x000d7944],
  [50, 6912, 49152, 7, 768, "3.37", 256, 6, 0x00097b43],
  [52, 9472, 57344, 6, 512, "14.28", 256, 7, 0x0006eb3f],
  [60, 18432, 73728, 4, 0, "11.11", 2048, 9, 0x00038e39],
  [65, 27264, 81920, 3, 128, "10.00", 128, 10, 0x0002675d],
  [67, 32768, 32768, 1, 0, "12.50", 8192, 4, 0x00020000],
];

describe("generator", () => {
  it("gives the files in the tree", () => {
    expect(drift()).toEqual([]);
  });

  it("gives 68 classes, from nothing to 32 KiB", () => {
    const classes = makeClasses();
    expect(classes).toHaveLength(NUM_SIZE_CLASSES);
    expect(classes[0]).toEqual({ size: 0, pages: 0 });
    expect(classes[NUM_SIZE_CLASSES - 1]).toEqual({ size: MAX_SMALL_SIZE, pages: 4 });
  });
});

describe("rows", () => {
  it.each(KNOWN)(
    "class %i is Go's row of %i bytes",
    (c, size, spanBytes, objects, tail, waste, align, pages, magic) => {
      const row = SIZE_CLASSES[c];
      expect(row).toMatchObject({ class: c, size, spanBytes, objects, tailWaste: tail, pages, minAlign: align });
      expect(row?.divMagic).toBe(magic);
      expect(((row?.maxWaste ?? 0) * 100).toFixed(2)).toBe(waste);
    },
  );

  it("waste at most an eighth of a span at its tail, and an eighth of an octave inside", () => {
    for (const { class: c, size, spanBytes, objects, tailWaste } of SIZE_CLASSES.slice(1)) {
      expect(tailWaste, `class ${c}`).toBe(spanBytes - objects * size);
      expect(tailWaste / spanBytes, `class ${c}`).toBeLessThanOrEqual(0.125);
    }
    // From 256 bytes up a step between two classes is at most an eighth of the octave before growing.
    for (let c = 19; c < NUM_SIZE_CLASSES; c++) {
      const size = SIZE_CLASSES[c]?.size ?? 0;
      const before = SIZE_CLASSES[c - 1]?.size ?? 0;
      expect((size - before) / before, `class ${c}`).toBeLessThanOrEqual(0.1875);
    }
  });

  it("align every object as the row says, and no more", () => {
    for (const { class: c, size, minAlign } of SIZE_CLASSES.slice(1)) {
      expect(size % minAlign, `class ${c}`).toBe(0);
      expect(minAlign === 8192 || size % (2 * minAlign) !== 0, `class ${c}`).toBe(true);
    }
  });

  it("have a reciprocal that divides every offset of the span exactly", () => {
    for (const { class: c, size, spanBytes, divMagic } of SIZE_CLASSES.slice(1)) {
      let wrong = 0;
      for (let offset = 0; offset <= spanBytes; offset++) {
        const product = offset * divMagic;
        if (Math.floor(product / 2 ** 32) !== Math.floor(offset / size)) wrong++;
        if (product % 2 ** 32 < divMagic !== (offset % size === 0)) wrong++;
      }
      expect(wrong, `class ${c}`).toBe(0);
    }
  });
});

describe("reciprocals of any other size that spans may be cut into", () => {
  it("are exact too: multiples of 16 up to 32 KiB, in spans of up to 16 pages", () => {
    const span = 16 * 8192;
    let wrong = 0;
    for (let size = 16; size <= MAX_SMALL_SIZE; size += 16) {
      const magic = Math.floor((2 ** 32 - 1) / size) + 1;
      const check = (offset: number, slot: number, start: boolean) => {
        const product = BigInt(offset) * BigInt(magic);
        if (Number(product >> 32n) !== slot || Number(product & 0xffffffffn) < magic !== start) wrong++;
      };
      // Within a slot the product rises steadily: its first, second and last byte stand for all.
      for (let slot = 0; slot < Math.floor(span / size); slot += size < 512 ? 7 : 1) {
        check(slot * size, slot, true);
        check(slot * size + 1, slot, false);
        check(slot * size + size - 1, slot, false);
      }
    }
    expect(wrong).toBe(0);
  });
});

describe("classOf", () => {
  it("is the smallest class that holds the size, for every size", () => {
    for (let n = 1; n <= MAX_SMALL_SIZE; n++) {
      if (classOf(n) !== smallestClass(n)) expect(classOf(n), `${n} bytes`).toBe(smallestClass(n));
    }
  });

  it("finds 1017 to 1024 through the wrap-around of the upper table", () => {
    for (let n = 1017; n <= 1024; n++) expect(classOf(n)).toBe(32);
    expect(classOf(1016)).toBe(32);
    expect(classOf(1025)).toBe(33);
  });

  it("gives 0 where there is no class", () => {
    for (const n of [0, -1, MAX_SMALL_SIZE + 1, 2 ** 32, Number.NaN]) expect(classOf(n)).toBe(0);
  });
});

/** The narrowest of 2^k bytes, from 16 up. */
function coarseClass(n: number): number {
  return SIZE_CLASSES.findIndex(({ size }) => size >= Math.max(n, 16) && (size & (size - 1)) === 0);
}

describe("classes in wasm", () => {
  it("have the sizes, pages and reciprocals of the table", () => {
    const { e } = open("test");
    for (const { class: c, size, pages, divMagic } of SIZE_CLASSES.slice(1)) {
      expect([e.classSize(c), e.classPages(c), e.classMagic(c)], `class ${c}`).toEqual([size, pages, divMagic]);
    }
  });

  it("are looked up as on the host, for every size", () => {
    const { e } = open("test");
    let wrong = 0;
    for (let n = 1; n <= MAX_SMALL_SIZE; n++) if (e.classOfSize(n) !== smallestClass(n)) wrong++;
    expect(wrong).toBe(0);
  });

  it("stay what they are while the heap fits its spans to what is asked for", () => {
    const { e } = open("test");
    const before = Array.from({ length: MAX_SMALL_SIZE + 1 }, (_, n) => (n === 0 ? 0 : e.classOfSize(n)));
    // Many of a few sizes, as buffers and tables come, between a class and the next.
    for (const size of [1100, 1300, 2100, 2500, 4200, 4500, 5000, 8300, 9000, 11_000, 17_000, 21_000, 25_000, 30_000]) {
      for (let i = 0; i < 200; i++) expect(e.malloc(size)).not.toBe(0);
    }
    let wrong = 0;
    for (let n = 1; n <= MAX_SMALL_SIZE; n++) if (e.classOfSize(n) !== before[n]) wrong++;
    expect(wrong).toBe(0);
    const p = e.mallocgc(1300, 0, 0);
    expect(e.malloc_usable_size(p)).toBe(1408);
  });

  it("are coarse for the C entry points at first", () => {
    const { e } = open("test");
    for (let n = 1; n <= MAX_SMALL_SIZE; n++) {
      const c = e.cClassOfSize(n);
      const size = SIZE_CLASSES[c]?.size ?? 0;
      const want = coarseClass(n);
      if (c !== want) expect({ n, c, size }).toEqual({ n, c: want, size });
    }
  });
});

/**
 * free looks a slot's group up before it knows that the slot exists: only the last group of a span may have slots that do
 * not. So no span may have room for the start of a slot behind its last group: whole groups and then a tail.
 */
describe("no span ends in whole groups of 64 slots and a tail", () => {
  const PAGE = 8192;
  const GROUP = 64;

  function check(size: number, pages: number): void {
    const slots = Math.floor((pages * PAGE) / size);
    const tail = pages * PAGE - slots * size;
    if (slots % GROUP === 0 && tail > 0) expect.fail(`${size} bytes, ${pages} pages: ${slots} slots and ${tail} bytes`);
  }

  it("which could be: the check bites", () => {
    expect(() => check(1136, 9)).toThrow("64 slots and 1024 bytes");
  });

  it("of the classes and of fitted sizes, as long as they are meant to be and at their shortest", () => {
    const { e } = open("test");
    for (const { size, pages } of SIZE_CLASSES.slice(1)) {
      check(size, pages);
      check(size, Math.ceil(size / PAGE));
    }
    for (let size = 16; size <= MAX_SMALL_SIZE; size += 16) {
      check(size, e.fittedPages(size));
      check(size, Math.ceil(size / PAGE));
    }
  });

  it("of long spans, of any length up to 64 slots", () => {
    // spanPages: no longer than what 64 slots take, rounded down to pages.
    for (let size = 8; size <= 2048; size += 8) {
      for (let pages = 1; pages <= Math.min(16, Math.floor((size * GROUP) / PAGE)); pages++) check(size, pages);
    }
  });
});
