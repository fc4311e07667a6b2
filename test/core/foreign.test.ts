/** Others grow the same memory: the heap goes round their pages, never writes there and knows them for foreign. */
import { describe, expect, it } from "vitest";
import { between, random } from "../support/random.ts";
import {
  type Flavour,
  FOREIGN,
  type HostExports,
  indexOfOther,
  M_MISUSE,
  type MallocExports,
  type Opened,
  open,
  readStats,
  WASM_PAGE,
} from "../support/wasm.ts";

const FILL = 0xc3;

interface Region {
  base: number;
  bytes: number;
}

/** Grows the memory as someone else would, and writes all over the pages. */
function growForeign({ mem }: Opened<MallocExports>, pages: number): Region {
  const base = mem.memory.grow(pages) * WASM_PAGE;
  mem.u8.fill(FILL, base, base + pages * WASM_PAGE);
  return { base, bytes: pages * WASM_PAGE };
}

function expectUntouched({ mem }: Opened<MallocExports>, regions: readonly Region[]): void {
  for (const { base, bytes } of regions) {
    const at = indexOfOther(mem.u8.subarray(base, base + bytes), FILL);
    if (at >= 0) expect.fail(`byte ${at} of the foreign pages at ${base.toString(16)} was written`);
  }
}

const outside = (p: number, usable: number, regions: readonly Region[]) =>
  regions.every(({ base, bytes }) => p + usable <= base || p >= base + bytes);

const FLAVOURS: Flavour[] = ["host", "malloc"];

describe.each(FLAVOURS)("%s: foreign growth", (flavour) => {
  it("between any two growths of the heap", () => {
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const regions: Region[] = [];
    const blocks: { p: number; size: number }[] = [];
    const r = random(3);
    let pages = o.mem.pages;
    for (let i = 0; i < 4000; i++) {
      const size = r() % 30 === 0 ? between(r, 30_000, 400_000) : between(r, 1, 5000);
      const p = o.e.malloc(size);
      expect(p).not.toBe(0);
      const usable = o.e.malloc_usable_size(p);
      expect(outside(p, usable, regions), `${size} bytes at ${p}`).toBe(true);
      o.mem.u8.fill(i & 0xff, p, p + usable);
      blocks.push({ p, size });
      if (blocks.length > 900) o.e.free(blocks.splice(r() % blocks.length, 1)[0]?.p ?? 0);
      // As soon as the heap has grown, someone else does.
      if (o.mem.pages !== pages) {
        regions.push(growForeign(o, between(r, 1, 2)));
        pages = o.mem.pages;
      }
    }
    expect(regions.length).toBeGreaterThan(10);
    expectUntouched(o, regions);
    for (const { p } of blocks) o.e.free(p);
    expectUntouched(o, regions);
    expect(o.e.malloc(100)).not.toBe(0);
  });

  it("over whole arenas leaves a sparse heap that works", () => {
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const first = o.e.malloc(50_000);
    // 40 MiB: more than one 32 MiB entry of the summary tree.
    const region = growForeign(o, 640);
    const second = o.e.malloc(200_000);
    expect(second).toBeGreaterThanOrEqual(region.base + region.bytes);
    const blocks = Array.from({ length: 3000 }, (_, i) => o.e.malloc(i));
    for (const [i, p] of blocks.entries()) o.mem.u8.fill(i & 0xff, p, p + i);
    expectUntouched(o, [region]);
    for (const p of [first, second, ...blocks]) o.e.free(p);
    // What lies before and behind the gap does not join: no run of pages goes over it.
    const large = o.e.malloc(300_000);
    expect(outside(large, 300_000, [region])).toBe(true);
    expectUntouched(o, [region]);
  });

  it("keeps a block from growing in place into pages of others", () => {
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const p = o.e.malloc(100_000);
    o.mem.u8.fill(9, p, p + 100_000);
    const region = growForeign(o, 1);
    const q = o.e.realloc(p, 1_000_000);
    expect(q).not.toBe(0);
    expect(outside(q, 1_000_000, [region])).toBe(true);
    expect(indexOfOther(o.mem.u8.subarray(q, q + 100_000), 9)).toBe(-1);
    o.mem.u8.fill(9, q, q + 1_000_000);
    expectUntouched(o, [region]);
  });

  it("before the first malloc of a heap without init", () => {
    const o = open(flavour, { initial: 1, heapBase: null });
    const region = growForeign(o, 2);
    const p = o.e.malloc(5000);
    expect(p).toBeGreaterThanOrEqual(region.base + region.bytes);
    const later = growForeign(o, 3);
    const q = o.e.malloc(500_000);
    expect(q).toBeGreaterThanOrEqual(later.base + later.bytes);
    o.mem.u8.fill(1, q, q + 500_000);
    expectUntouched(o, [region, later]);
  });
});

describe("pointers into pages of others", () => {
  it("are foreign to every call and change nothing", () => {
    const o = open("host", { initial: 1, heapBase: 1024 });
    const { e } = o;
    const regions: Region[] = [];
    const blocks: number[] = [];
    for (let i = 0; i < 12; i++) {
      blocks.push(e.malloc(150_000));
      regions.push(growForeign(o, 1 + (i % 3)));
    }
    let probes = 0;
    for (const { base, bytes } of regions) {
      for (const p of [base, base + 8, base + 16, base + 8192, base + bytes - 16, base + bytes - 1]) {
        expect(e.tryFree(p), `free of ${p.toString(16)}`).toBe(FOREIGN);
        expect(e.tryRealloc(p, 100)).toBe(0);
        expect(e.lastMisuse()).toBe(FOREIGN);
        expect(e.spanOf(p)).toBe(0);
        expect(e.objectBase(p)).toBe(0);
        expect(e.malloc_usable_size(p)).toBe(0);
        probes += 2;
      }
    }
    expect(readStats(o).misuses).toBe(probes);
    expect(e.validate()).toBe(0);
    expectUntouched(o, regions);
    for (const p of blocks) expect(e.tryFree(p)).toBe(0);
    e.releaseAll();
    expect(e.validate()).toBe(0);
    expect(readStats(o).heapInuse).toBe(0);
  });

  it("are not the heap's in its accounts", () => {
    const o = open("host", { initial: 1, heapBase: 1024 });
    o.e.mallopt(M_MISUSE, 1);
    o.e.malloc(200_000);
    const before = readStats(o).sys;
    growForeign(o, 100);
    o.e.malloc(300_000);
    const grown = readStats(o).sys - before;
    expect(grown).toBeLessThan(20 * WASM_PAGE);
    expect(o.mem.pages * WASM_PAGE - readStats(o as Opened<HostExports>).sys).toBe(100 * WASM_PAGE + 1024);
  });
});
