/**
 * Limits at the start of a heap: it owns no more than maxBytes from the first moment on, and where init was told to put it
 * is not forgotten when init was refused.
 */
import { describe, expect, it } from "vitest";
import { type Flavour, M_MAX_BYTES, type MallocExports, open, PAGE, WASM_PAGE } from "../support/wasm.ts";
import { expectValid, isHost } from "./support/valid.ts";

const FLAVOURS: Flavour[] = ["malloc", "host", "test", "shared", "host-shared"];

/** Blocks of `size` bytes until memory is out. */
function fill(e: Pick<MallocExports, "malloc">, size: number): number[] {
  const blocks: number[] = [];
  for (let p = e.malloc(size) >>> 0; p !== 0; p = e.malloc(size) >>> 0) blocks.push(p);
  return blocks;
}

describe.each(FLAVOURS)("%s: limits at the start", (flavour) => {
  it.each([
    [2, 2 * WASM_PAGE - 16],
    [1, 60_000],
    [1, 1024],
    [1, 16_129],
    [64, 1024],
    [64, 70_001],
  ] as const)("a heap in %i pages from %i owns no more than maxBytes", (initial, base) => {
    for (const most of [1, 8192, 40_000, 65_536, 100_000, 1_000_000]) {
      const o = open(flavour, { initial, maximum: 200, heapBase: null });
      o.e.mallopt(M_MAX_BYTES, most);
      o.e.init(base);
      const blocks = fill(o.e, 1000);
      const note = `${most} bytes`;
      for (const p of blocks) expect(p, note).toBeGreaterThanOrEqual(base);
      // Aligned, the heap begins a little later than it was told; a shared one never in the first pages.
      const start = flavour.includes("shared") ? Math.max(base + 64, 2 * PAGE) : base + 64;
      expect(Math.max(0, ...blocks) + 1000, note).toBeLessThanOrEqual(start + most);
      if (isHost(o) && blocks.length > 0) {
        const sys = Number(new DataView(o.mem.memory.buffer).getBigUint64(o.e.memstats() + 8, true));
        expect(sys, note).toBeLessThanOrEqual(most);
      }
      expectValid(o, note);
    }
  });

  it("a limit in the memory's first page beyond an arena leaves the heap whole", () => {
    // The first arena ends at 4 MiB, and the heap's records take less than three wasm pages.
    const arena = 64 * WASM_PAGE;
    for (let base = arena - 3 * WASM_PAGE; base < arena; base += PAGE) {
      for (let end = arena - PAGE; end < arena + 2 * WASM_PAGE; end += 5000) {
        if (end <= base) continue;
        const o = open(flavour, { initial: 70, maximum: 70, heapBase: null });
        o.e.mallopt(M_MAX_BYTES, end - base);
        o.e.init(base);
        const blocks = fill(o.e, 1000);
        if (blocks.length === 0) continue;
        expectValid(o, `from ${base} to ${end}`);
        expect(Math.max(...blocks) + 1000).toBeLessThanOrEqual(end + 64);
      }
    }
  });

  it("an init that maxBytes refused is not forgotten: there is no heap, or it is where it was to be", () => {
    const base = 157_491;
    // Neither is enough with the memory below the heap; the larger is without, where a shared heap has grown that itself.
    for (const most of [8192, 65_536]) {
      const o = open(flavour, { initial: 1, maximum: 100, heapBase: null });
      o.e.mallopt(M_MAX_BYTES, most);
      o.e.init(base);
      const p = o.e.malloc(16);
      expect(p === 0 || (p >= base && flavour.includes("shared")), `${most} bytes`).toBe(true);
      if (most === 8192) expect(p, "8192 bytes").toBe(0);
      expect(o.e.calloc(1, 100_000), `${most} bytes`).toBe(0);
      expect(o.e.mallopt(M_MAX_BYTES, 0)).toBe(1);
      o.e.init(base);
      expect(o.e.malloc(16), `${most} bytes`).toBeGreaterThanOrEqual(base);
      expectValid(o, "made in the end");
    }
  });

  it("nor is one that the memory had no room for, or the addresses", () => {
    for (const base of [157_491, 2 ** 31, 0xfffe_0000, 0xffff_ffff]) {
      const o = open(flavour, { initial: 1, maximum: 2, heapBase: null });
      o.e.init(base);
      expect(o.e.malloc(16), `${base}`).toBe(0);
      expect(o.e.memalign(64, 100_000), `${base}`).toBe(0);
      expect(o.mem.pages).toBeLessThanOrEqual(2);
    }
  });
});
