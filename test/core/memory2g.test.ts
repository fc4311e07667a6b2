/**
 * Heaps beyond 2 GiB and at the end of 4 GiB: addresses are unsigned and never wrap. The memories are as large as they
 * say, but the host only backs what is touched: the heaps begin near the place in question.
 */
import { describe, expect, it } from "vitest";
import {
  type Flavour,
  FOREIGN,
  type HostExports,
  INTERIOR,
  indexOfOther,
  M_MISUSE,
  type MallocExports,
  type Opened,
  openOver,
  readStats,
  WASM_PAGE,
  wasmModule,
} from "../support/wasm.ts";

const GIB2 = 2 ** 31;
const GIB4 = 2 ** 32;
const MAX_PAGES = 65536;

/** Why this host cannot have a memory of 4 GiB, if so. */
const reason = (() => {
  try {
    const memory = new WebAssembly.Memory({ initial: MAX_PAGES - 1, maximum: MAX_PAGES });
    memory.grow(1);
    return new Uint8Array(memory.buffer).length === GIB4
      ? ""
      : "(skipped: typed arrays end below 4 GiB: take a newer Node)";
  } catch (error) {
    return `(skipped: no memory of 4 GiB here: ${error}; run on 64 bits, without a limit by ulimit -v)`;
  }
})();

const FLAVOURS: Flavour[] = ["host", "malloc"];

/** An instance over a memory of so many pages. */
function openHigh<F extends Flavour>(flavour: F, pages: number, heapBase: number) {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES });
  const o = openOver<HostExports>(wasmModule(flavour), memory, heapBase);
  o.e.mallopt(M_MISUSE, 1);
  return o;
}

const validate = (o: Opened<MallocExports>) => ("validate" in o.e ? (o as Opened<HostExports>).e.validate() : 0);

/** Fills, verifies and frees the blocks. */
function exercise(o: Opened<MallocExports>, blocks: readonly { p: number; size: number }[]): void {
  for (const [i, { p, size }] of blocks.entries()) o.mem.u8.fill(i & 0xff, p, p + size);
  for (const [i, { p, size }] of blocks.entries()) {
    expect(indexOfOther(o.mem.u8.subarray(p, p + size), i & 0xff)).toBe(-1);
  }
  expect(validate(o)).toBe(0);
  for (const { p } of blocks) o.e.free(p);
  expect(validate(o)).toBe(0);
}

describe.skipIf(reason !== "").each(FLAVOURS)(`%s: beyond 2 GiB ${reason}`, (flavour) => {
  const pages = GIB2 / WASM_PAGE - 8;

  it("a heap passes the middle of addresses with blocks of every size", () => {
    const o = openHigh(flavour, pages, pages * WASM_PAGE - 1000);
    const blocks: { p: number; size: number }[] = [];
    for (let i = 0; i < 3000; i++) {
      const size = [24, 100, 1000, 5000, 40_000][i % 5] ?? 0;
      blocks.push({ p: o.e.malloc(size), size });
    }
    expect(blocks.every(({ p }) => p >= pages * WASM_PAGE - 1000)).toBe(true);
    expect(blocks.some(({ p }) => p < GIB2)).toBe(true);
    expect(blocks.filter(({ p }) => p >= GIB2).length).toBeGreaterThan(1000);
    exercise(o, blocks);
  });

  it("one block lies over the middle and is resized there", () => {
    const o = openHigh(flavour, pages, pages * WASM_PAGE - 1000);
    const size = 4 << 20;
    const p = o.e.malloc(size);
    expect(p).toBeLessThan(GIB2);
    expect(p + size).toBeGreaterThan(GIB2);
    o.mem.view.setUint32(GIB2, 0xfeedface, true);
    const larger = o.e.realloc(p, size * 2);
    expect(larger).not.toBe(0);
    expect(o.mem.u32(larger + (GIB2 - p))).toBe(0xfeedface);
    const smaller = o.e.realloc(larger, 100);
    expect(smaller).not.toBe(0);
    o.e.free(smaller);
    expect(validate(o)).toBe(0);
  });

  it("calloc, alignment and misuse work there", () => {
    const o = openHigh(flavour, GIB2 / WASM_PAGE + 2, GIB2 + 100);
    const dirty = o.e.malloc(3000);
    o.mem.u8.fill(0xff, dirty, dirty + 3000);
    o.e.free(dirty);
    const p = o.e.calloc(30, 100);
    expect(p).toBeGreaterThan(GIB2);
    expect(indexOfOther(o.mem.u8.subarray(p, p + 3000), 0)).toBe(-1);
    for (const align of [16, 256, 8192, 65536, 2 ** 20]) {
      const q = o.e.aligned_alloc(align, 500);
      expect(q % align).toBe(0);
      expect(q).toBeGreaterThan(GIB2);
      o.e.free(q);
    }
    o.e.free(p + 16);
    o.e.free(GIB2 + 4);
    o.e.free(GIB2 - 16);
    expect(o.e.malloc_usable_size(p)).toBeGreaterThanOrEqual(3000);
    o.e.free(p);
    o.e.free(p);
    expect(o.e.realloc(p, 10)).toBe(0);
    expect(validate(o)).toBe(0);
  });
});

describe.skipIf(reason !== "")(`the host's questions beyond 2 GiB ${reason}`, () => {
  it("are answered with unsigned addresses", () => {
    const o = openHigh("host", GIB2 / WASM_PAGE + 2, GIB2 + 100);
    const { e } = o;
    for (const size of [100, 100_000]) {
      const p = e.malloc(size);
      expect(e.objectBase(p + size - 1)).toBe(p);
      expect(e.spanOf(p)).toBeGreaterThan(GIB2);
      expect(e.tryFree(p + 16)).toBe(INTERIOR);
      expect(e.tryFree(p)).toBe(0);
    }
    const tiny = e.mallocgc(5, 0, 1);
    expect(tiny).toBeGreaterThan(GIB2);
    expect(e.mallocgc(0, 0, 0)).toBeGreaterThan(GIB2);
    expect(e.tryFree(GIB2)).toBe(FOREIGN);
    expect(readStats(o).sys).toBeLessThan(1 << 20);
  });

  it("hold for single blocks of more than 2 GiB", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES });
    const o = openOver<HostExports>(wasmModule("host"), memory, 1024);
    const { e } = o;
    const size = 3 * 2 ** 30;
    const p = e.malloc(size);
    expect(p).not.toBe(0);
    expect(e.malloc_usable_size(p)).toBeGreaterThanOrEqual(size);
    o.mem.u8[p + size - 1] = 77;
    expect(e.objectBase(p + size - 1)).toBe(p);
    expect(e.tryFree(p + GIB2)).toBe(INTERIOR);
    expect(e.validate()).toBe(0);
    expect(e.realloc(p, GIB2 + 1), "shrinks in place").toBe(p);
    expect(e.realloc(p, size), "grows in place").toBe(p);
    expect(o.mem.u8[p + size - 1]).toBe(77);
    expect(e.malloc(size), "a second one has no room").toBe(0);
    const stats = readStats(o);
    expect(stats.largeLiveBytes).toBeGreaterThanOrEqual(size);
    expect(stats.heapInuse + stats.heapIdle).toBe(stats.heapSys);
    expect(e.tryFree(p)).toBe(0);
    expect(e.validate()).toBe(0);
    const q = e.malloc(GIB2);
    expect(q).not.toBe(0);
    expect(e.tryFree(q)).toBe(0);
  });
});

describe.skipIf(reason !== "").each(FLAVOURS)(`%s: at the end of 4 GiB ${reason}`, (flavour) => {
  /** Allocates until nothing is left. */
  function exhaust(o: Opened<MallocExports>, size: number): { p: number; size: number }[] {
    const blocks: { p: number; size: number }[] = [];
    for (let p = o.e.malloc(size); p !== 0; p = o.e.malloc(size)) {
      // The last wasm page is nobody's, so that no sum of address and size wraps.
      if (p + o.e.malloc_usable_size(p) > GIB4 - WASM_PAGE) expect.fail(`${size} bytes at ${p.toString(16)}`);
      blocks.push({ p, size });
      if (blocks.length > 100_000) expect.fail("memory without end");
    }
    return blocks;
  }

  it.each([40, 1000, 9000, 100_000])("blocks of %i bytes fill the rest and wrap nowhere", (size) => {
    const pages = MAX_PAGES - 24;
    const o = openHigh(flavour, pages, pages * WASM_PAGE + 16);
    const blocks = exhaust(o, size);
    expect(blocks.length * size).toBeGreaterThan(20 * WASM_PAGE * 0.8);
    // The last wasm page is never the heap's; before it less than a block is left.
    expect(o.mem.pages).toBeGreaterThanOrEqual(MAX_PAGES - 1 - Math.floor(size / WASM_PAGE));
    exercise(o, blocks);
    // All of it again.
    const again = exhaust(o, size);
    expect(again.length).toBeGreaterThanOrEqual(blocks.length * 0.95);
    exercise(o, again);
  });

  it("a memory of 4 GiB to the byte is managed up to its last page", () => {
    const heapBase = GIB4 - 20 * WASM_PAGE;
    const o = openHigh(flavour, MAX_PAGES, heapBase);
    const blocks = exhaust(o, 1000);
    expect(blocks.length * 1000).toBeGreaterThan(17 * WASM_PAGE);
    expect(blocks.every(({ p }) => p >= heapBase)).toBe(true);
    exercise(o, blocks);
    for (const p of [GIB4 - 1, GIB4 - 16, GIB4 - WASM_PAGE, heapBase - 16]) {
      o.e.free(p);
      expect(o.e.malloc_usable_size(p)).toBe(0);
    }
    expect(validate(o)).toBe(0);
  });

  it("a heap large enough for a growth reserve does not reserve past the end", () => {
    // 8 MiB and some: a 64th of that is two wasm pages more at each growth.
    const pages = MAX_PAGES - 40;
    const o = openHigh(flavour, pages, (pages - 128) * WASM_PAGE);
    const blocks = exhaust(o, 20_000);
    expect(blocks.length * 20_000).toBeGreaterThan(160 * WASM_PAGE * 0.9);
    exercise(o, blocks);
    expect(o.e.malloc(GIB2)).toBe(0);
    expect(validate(o)).toBe(0);
  });

  it.each([GIB4 - 1, GIB4 - 64, GIB4 - WASM_PAGE, GIB4 - WASM_PAGE - 100, GIB4 - 3 * 8192])(
    "a heap base of %i leaves too little: no block, no trap",
    (heapBase) => {
      const o = openHigh(flavour, MAX_PAGES - 1, heapBase);
      for (const size of [0, 16, 8000, 100_000]) {
        const p = o.e.malloc(size);
        // Without room behind the heap base nothing may come, least of all from below it.
        if (p !== 0) expect(p).toBeGreaterThanOrEqual(heapBase);
        o.e.free(p);
      }
      expect(validate(o)).toBe(0);
    },
  );

  it("a request that passes the end in the last free pages gives null", () => {
    const o = openHigh(flavour, MAX_PAGES - 4, GIB4 - 6 * WASM_PAGE);
    for (const size of [GIB2, GIB4 - 1, 8 * WASM_PAGE]) expect(o.e.malloc(size)).toBe(0);
    const p = o.e.malloc(100_000);
    expect(p).not.toBe(0);
    for (const size of [GIB2, GIB4 - 1, 8 * WASM_PAGE]) expect(o.e.realloc(p, size)).toBe(0);
    o.e.free(p);
    expect(validate(o)).toBe(0);
  });
});
