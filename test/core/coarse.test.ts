/** Coarse start: few blocks of many sizes share spans, many blocks of a size get their class, and nobody can tell. */
import { describe, expect, it } from "vitest";
import { SIZE_CLASSES } from "../../src/base/sizeclasses.ts";
import { random } from "../support/random.ts";
import { isShared, open, PAGE, readStats } from "../support/wasm.ts";

const COARSE = Array.from({ length: 12 }, (_, i) => 16 << i);
/** A class opens when the coarse one would have to grow for it so often: the coarse one has as many spans then. */
const ASKED = 2;
/** Slots that the C entry points use. */
const FINE = SIZE_CLASSES.map(({ size }) => size).filter((size) => size === 8 || (size > 0 && size % 16 === 0));

const slotOf = (sizes: readonly number[], n: number) => sizes.find((size) => size >= n)!;

describe("coarse classes", () => {
  it("hold the first block of every size", () => {
    const o = open("host");
    for (let n = 0; n <= 32_768; n += n < 1024 ? 1 : 31) {
      const p = o.e.malloc(n);
      expect(o.e.malloc_usable_size(p), `${n} bytes`).toBe(slotOf(COARSE, n));
      o.e.free(p);
    }
    expect(o.e.validate()).toBe(0);
  });

  it("keep a block of each of 64 sizes in less memory than their classes would take", () => {
    const o = open("malloc");
    for (let n = 16; n <= 1024; n += 16) expect(o.e.malloc(n)).not.toBe(0);
    expect(o.mem.u8.length - o.heapBase).toBeLessThanOrEqual(2 * 65536);
    expect(FINE.filter((size) => size <= 1024).length * 8192).toBeGreaterThan(3 * 65536);
  });
});

describe("a class opens", () => {
  it.each(FINE.filter((size) => !COARSE.includes(size)))(
    "of %i bytes, when the coarse one would grow for it a second time",
    (size) => {
      const o = open("host");
      const coarse = slotOf(COARSE, size);
      const shared = ASKED * Math.max(1, Math.floor(8192 / coarse));
      const usable = Array.from({ length: 2 * shared }, () => o.e.malloc_usable_size(o.e.malloc(size)));
      expect(usable.slice(0, shared)).toEqual(Array(shared).fill(coarse));
      expect(usable.slice(shared)).toEqual(Array(shared).fill(size));
      // Other sizes of the coarse class stay with it until they need room themselves.
      expect(o.e.malloc_usable_size(o.e.malloc(coarse))).toBe(coarse);
      expect(o.e.validate()).toBe(0);
    },
  );

  it("for calloc too, whose blocks are zero wherever they lie", () => {
    const o = open("host");
    const dirty = Array.from({ length: 200 }, () => o.e.malloc(200));
    for (const p of dirty) o.mem.u8.fill(0xff, p, p + o.e.malloc_usable_size(p));
    for (const p of dirty) o.e.free(p);
    for (let i = 0; i < 500; i++) {
      const p = o.e.calloc(1, 193 + (i % 48));
      expect(o.mem.u8.subarray(p, p + 193 + (i % 48)).every((byte) => byte === 0)).toBe(true);
    }
    expect(o.e.validateDeep()).toBe(0);
  });

  it("and not while freed slots of the coarse one will do", () => {
    const o = open("host");
    const first = Array.from({ length: 8192 / 256 }, () => o.e.malloc(250));
    for (const p of first) o.e.free(p);
    for (let i = 0; i < 8192 / 256; i++) expect(o.e.malloc_usable_size(o.e.malloc(200))).toBe(256);
    expect(readStats(o).spansInUse).toBe(1);
    for (let i = 0; i < ((ASKED - 1) * 8192) / 256; i++) expect(o.e.malloc_usable_size(o.e.malloc(200))).toBe(256);
    expect(readStats(o).spansInUse).toBe(ASKED);
    expect(o.e.malloc_usable_size(o.e.malloc(200))).toBe(208);
  });

  it("each for itself: who has few blocks of each class pays for no span of theirs", () => {
    const o = open("host");
    // 32 blocks of the coarse class are a span. Each of the three narrower ones asks for itself.
    const blocks = Array.from({ length: 96 }, (_, i) => o.e.malloc([200, 220, 240][i % 3]!));
    for (const p of blocks) expect(o.e.malloc_usable_size(p)).toBe(256);
    expect(readStats(o).spansInUse).toBe(3);
    for (const p of blocks) o.e.free(p);
    expect(o.e.validate()).toBe(0);
  });
});

describe("alignment", () => {
  it("of aligned_alloc holds beside a fitted class, whose slots are multiples of 16 only", () => {
    const o = open("host");
    const blocks = Array.from({ length: 200 }, () => o.e.malloc(4368));
    expect(o.e.malloc_usable_size(blocks.at(-1)!)).toBe(4368);
    for (const align of [32, 64, 128, 256]) {
      for (let i = 0; i < 20; i++) {
        const p = o.e.aligned_alloc(align, 4200 + i);
        expect(p % align, `${align}`).toBe(0);
        blocks.push(p);
      }
    }
    for (const p of blocks) o.e.free(p);
    expect(o.e.validate()).toBe(0);
  });

  it("of aligned_alloc holds in whatever order the classes opened", () => {
    const next = random(7);
    for (let round = 0; round < 40; round++) {
      const o = open("host");
      const blocks: number[] = [];
      for (let i = 0; i < 300; i++) {
        // Some sizes often, so that their classes open, in a random order.
        const size = 1 + (next() % 1024);
        for (let k = next() % 12; k >= 0; k--) blocks.push(o.e.malloc(size));
        const align = 1 << (next() % 11);
        const p = o.e.aligned_alloc(align, 1 + (next() % 1100));
        if (p % align !== 0) expect.fail(`round ${round}: ${p} is not a multiple of ${align}`);
        blocks.push(p);
      }
      for (const p of blocks) o.e.free(p);
      expect(o.e.validate()).toBe(0);
      expect(readStats(o).heapAlloc).toBe(0);
    }
  });
});

describe.each(["malloc", "host", "shared"] as const)("%s: when the coarse class has no memory", (flavour) => {
  it.each([16_385, 20_000, 3 * PAGE])("%i bytes are given where three pages are free", (size) => {
    for (const call of ["malloc", "calloc", "realloc"] as const) {
      const o = open(flavour, { initial: 4, maximum: 4, heapBase: 1024 });
      // So that a record of a block of pages is there, too.
      o.e.free(o.e.malloc(5 * PAGE));
      const blocks: number[] = [];
      for (let p = o.e.malloc(PAGE); p !== 0; p = o.e.malloc(PAGE)) blocks.push(p);
      // Above all records: none moves there.
      const first = [...blocks].reverse().find((p) => [0, 1, 2].every((i) => blocks.includes(p + i * PAGE)))!;
      for (let i = 0; i < 3; i++) {
        o.mem.u8.fill(0xff, first + i * PAGE, first + (i + 1) * PAGE);
        o.e.free(first + i * PAGE);
      }
      // The spans' records are for the next ones then. Elsewhere a compaction gives their page back when it is wanted.
      if (isShared(flavour)) o.e.malloc_trim(0);
      const p = call === "malloc" ? o.e.malloc(size) : call === "calloc" ? o.e.calloc(1, size) : o.e.realloc(0, size);
      expect(p, call).toBe(first);
      expect(o.e.malloc_usable_size(p)).toBe(3 * PAGE);
      if (call === "calloc") expect(o.mem.u8.subarray(p, p + size).every((byte) => byte === 0)).toBe(true);
      expect(o.e.malloc(PAGE)).toBe(0);
      o.e.free(p);
    }
  });
});
