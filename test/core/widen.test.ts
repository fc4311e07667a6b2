/**
 * Buffers that grow: a small span of one slot becomes a large one where it stands. What it keeps, what it counts as, that
 * its record is used again, and what happens when it cannot.
 */
import { describe, expect, it } from "vitest";
import { between, random } from "../support/random.ts";
import {
  DOUBLE_FREE,
  type Flavour,
  INTERIOR,
  indexOfOther,
  M_MAX_BYTES,
  open,
  PAGE,
  readStats,
  WASM_PAGE,
} from "../support/wasm.ts";
import { expectValid } from "./support/valid.ts";

const HOSTS: Flavour[] = ["host", "test"];
const ALL: Flavour[] = ["malloc", ...HOSTS, "shared", "host-shared", "test-shared"];

describe.each<Flavour>(["malloc", ...HOSTS])("%s: a block of a page and more", (flavour) => {
  it("is doubled where it stands while the pages behind it are free", () => {
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const p = o.e.malloc(PAGE);
    o.mem.u8.fill(7, p, p + PAGE);
    for (let size = 2 * PAGE; size <= 64 * PAGE; size *= 2) {
      expect(o.e.realloc(p, size), `${size} bytes`).toBe(p);
      expect(o.e.malloc_usable_size(p)).toBe(size);
      expect(indexOfOther(o.mem.u8.subarray(p, p + size / 2), 7)).toBe(-1);
      o.mem.u8.fill(7, p, p + size);
      expectValid(o, `${size} bytes`);
    }
    o.e.free(p);
    expectValid(o, "freed");
  });

  it("shrinks where it stands down to half, and moves to a slot beyond", () => {
    const o = open(flavour, { initial: 2, heapBase: 1024 });
    const p = o.e.realloc(o.e.malloc(PAGE), 4 * PAGE);
    expect(o.e.realloc(p, 2 * PAGE + 1)).toBe(p);
    expect(o.e.malloc_usable_size(p)).toBe(3 * PAGE);
    expect(o.e.realloc(p, 100)).not.toBe(p);
    expectValid(o, "shrunk");
  });

  it("shrinks further where it stands if it leaves little of its pages unused", () => {
    const o = open(flavour, { initial: 4, heapBase: 1024 });
    const p = o.e.malloc(8 * PAGE);
    o.mem.u8.fill(7, p, p + 8 * PAGE);
    // A fifth of the pages is left: 3 * 8192 = 24,576 = 19,661 + 4915.
    expect(o.e.realloc(p, 19_661)).toBe(p);
    expect(o.e.malloc_usable_size(p)).toBe(3 * PAGE);
    expect(indexOfOther(o.mem.u8.subarray(p, p + 3 * PAGE), 7)).toBe(-1);
    const q = o.e.malloc(8 * PAGE);
    o.mem.u8.fill(9, q, q + 8 * PAGE);
    const moved = o.e.realloc(q, 2 * PAGE + 3000);
    expect(moved).not.toBe(q);
    expect(indexOfOther(o.mem.u8.subarray(moved, moved + 2 * PAGE + 3000), 9)).toBe(-1);
    expectValid(o, "shrunk");
    o.e.free(p);
    o.e.free(moved);
    expectValid(o, "freed");
  });

  it("has empty spans behind it back first", () => {
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const p = o.e.malloc(PAGE);
    const behind = o.e.malloc(2 * PAGE);
    expect(behind).toBe(p + PAGE);
    o.e.free(behind);
    expect(o.e.realloc(p, 3 * PAGE)).toBe(p);
    expectValid(o, "grown over an empty span");
  });

  it("moves when the page behind it is in use", () => {
    const o = open(flavour, { initial: 4, heapBase: 1024 });
    const p = o.e.malloc(PAGE);
    const behind = o.e.malloc(PAGE);
    expect(behind).toBe(p + PAGE);
    expect(o.e.realloc(p, 2 * PAGE)).not.toBe(p);
    expectValid(o, "moved");
  });

  it("at the end of memory moves to a hole, and grows the memory when there is none", () => {
    const o = open(flavour, { initial: 4, heapBase: 1024 });
    const hole = o.e.malloc(10 * PAGE);
    let last = o.e.malloc(PAGE);
    while (o.mem.pages === 4) last = o.e.malloc(PAGE);
    const { pages } = o.mem;
    // The first page of the new wasm page, seven free ones behind it.
    expect(last % WASM_PAGE).toBe(0);
    o.e.free(hole);
    expect(o.e.realloc(last, 9 * PAGE)).toBe(hole);
    expect(o.mem.pages).toBe(pages);
    expectValid(o, "moved");
    // Its own empty span, then the rest of the hole.
    expect(o.e.malloc(PAGE)).toBe(last);
    expect(o.e.malloc(PAGE)).toBe(hole + 9 * PAGE);
    expect(o.e.realloc(last, 9 * PAGE)).toBe(last);
    expect(o.mem.pages).toBe(pages + 1);
    expectValid(o, "grown");
  });
});

describe.each(ALL)("%s: growing buffers", (flavour) => {
  it("keep their contents among others that come and go", () => {
    const seed = 20261129;
    const r = random(seed);
    const o = open(flavour, { initial: 2, heapBase: 1024 });
    const live: { p: number; size: number; mark: number }[] = [];
    for (let i = 0; i < 4000; i++) {
      const note = `seed ${seed}, step ${i}`;
      const k = r() % 24;
      const b = live[k];
      if (b === undefined) {
        const size = between(r, 4000, 20_000);
        const p = o.e.malloc(size);
        o.mem.u8.fill(i & 0xff, p, p + size);
        live.push({ p, size, mark: i & 0xff });
      } else if (r() % 4 === 0) {
        o.e.free(b.p);
        live.splice(k, 1);
      } else {
        const size = Math.max(1, Math.trunc((b.size * between(r, 40, 220)) / 100)) % 400_000;
        b.p = o.e.realloc(b.p, size);
        expect(b.p, note).not.toBe(0);
        const at = indexOfOther(o.mem.u8.subarray(b.p, b.p + Math.min(size, b.size)), b.mark);
        if (at >= 0) expect.fail(`${note}: byte ${at} changed`);
        b.size = size;
        o.mem.u8.fill(b.mark, b.p, b.p + size);
      }
      if (i % 100 === 0) expectValid(o, note);
    }
    for (const { p } of live) o.e.free(p);
    expectValid(o, `seed ${seed}, at the end`);
  });

  it("use their records again", () => {
    const o = open(flavour, { initial: 4, heapBase: 1024 });
    const round = () => {
      let p = o.e.malloc(PAGE);
      for (let size = 2 * PAGE; size <= 16 * PAGE; size *= 2) p = o.e.realloc(p, size);
      o.e.free(p);
    };
    for (let i = 0; i < 100; i++) round();
    const { pages } = o.mem;
    // A record of 48 bytes lost in each would be 14 wasm pages.
    for (let i = 0; i < 20_000; i++) round();
    expect(o.mem.pages).toBe(pages);
    expectValid(o, "at the end");
  });

  it("stay as they were when there is no memory", () => {
    const o = open(flavour, { initial: 8, maximum: 8, heapBase: 1024 });
    const p = o.e.malloc(PAGE);
    o.mem.u8.fill(9, p, p + PAGE);
    for (const size of [9 * WASM_PAGE, 0x7fff_ffff, 0xffff_0000, 0xffff_ffff]) {
      expect(o.e.realloc(p, size), `${size} bytes`).toBe(0);
      expectValid(o, `${size} bytes`);
    }
    expect(indexOfOther(o.mem.u8.subarray(p, p + PAGE), 9)).toBe(-1);
    expect(o.e.realloc(p, 2 * PAGE)).not.toBe(0);
  });
});

describe.each(HOSTS)("%s: a block that was widened", (flavour) => {
  const opened = () => open(flavour as "host", { initial: 2, heapBase: 1024 });

  it("is checked like a large one", () => {
    const o = opened();
    const p = o.e.realloc(o.e.malloc(PAGE), 3 * PAGE);
    for (const inside of [16, PAGE, 2 * PAGE + 8]) {
      expect(o.e.tryFree(p + inside), `${inside} bytes into it`).toBe(INTERIOR);
      expect(o.e.objectBase(p + inside)).toBe(p);
    }
    expect(o.e.tryFree(p)).toBe(0);
    expect(o.e.tryFree(p)).not.toBe(0);
    const q = o.e.realloc(o.e.malloc(PAGE), 3 * PAGE);
    o.e.free(q);
    const slot = o.e.malloc(PAGE);
    expect(slot).toBe(q);
    o.e.free(slot);
    expect(o.e.tryFree(slot)).toBe(DOUBLE_FREE);
  });

  it("counts as one large block, and as no more mallocs", () => {
    const o = opened();
    const before = readStats(o);
    const p = o.e.realloc(o.e.malloc(PAGE), 3 * PAGE);
    const after = readStats(o);
    expect(after.mallocs - before.mallocs).toBe(1);
    expect(after.frees).toBe(before.frees);
    expect(after.largeMallocs - before.largeMallocs).toBe(1);
    expect(after.largeLiveBytes - before.largeLiveBytes).toBe(3 * PAGE);
    expect(after.reallocInPlace - before.reallocInPlace).toBe(1);
    o.e.free(p);
    const freed = readStats(o);
    expect(freed.heapAlloc).toBe(before.heapAlloc);
    expect(freed.largeFrees - before.largeFrees).toBe(1);
    expect(freed.mallocs - before.mallocs).toBe(1);
    expect(freed.frees - before.frees).toBe(1);
  });

  it("leaves zeroed memory zero", () => {
    const o = opened();
    for (let i = 0; i < 20; i++) {
      const p = o.e.realloc(o.e.calloc(1, PAGE), (2 + i) * PAGE);
      o.mem.u8.fill(0xff, p, p + (2 + i) * PAGE);
      o.e.free(p);
      const q = o.e.calloc(2 + i, PAGE);
      expect(indexOfOther(o.mem.u8.subarray(q, q + (2 + i) * PAGE), 0)).toBe(-1);
      o.e.free(q);
    }
    expectValid(o, "at the end");
  });

  it("stays below the limit of mallopt", () => {
    const o = opened();
    const p = o.e.malloc(PAGE);
    expect(o.e.mallopt(M_MAX_BYTES, 4 * WASM_PAGE)).toBe(1);
    expect(o.e.realloc(p, 5 * WASM_PAGE)).toBe(0);
    expect(o.e.realloc(p, WASM_PAGE)).toBe(p);
    expectValid(o, "at the end");
  });
});
