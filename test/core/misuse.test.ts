/**
 * Misuse: found at once, reported as what it is, and without effect on the heap. And metadata is out of band: a program
 * that writes past its blocks hurts other blocks of its own, never the allocator.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SIZE_CLASSES } from "../../src/base/sizeclasses.ts";
import { random } from "../support/random.ts";
import {
  DOUBLE_FREE,
  FOREIGN,
  type HostExports,
  INTERIOR,
  indexOfOther,
  M_MISUSE,
  type MallocExports,
  type Opened,
  open,
  openOver,
  readStats,
  TINY_BLOCK,
  wasmModule,
  wasmPath,
} from "../support/wasm.ts";

/** A block of each kind: of one word, of a class, of several pages, large. */
const SIZES = [8, 16, 24, 48, 100, 1024, 1400, 5000, 32_768, 32_769, 100_000, 1_000_000];

/** The trap of a call, which must trap. */
function trapOf(call: () => void): WebAssembly.RuntimeError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    return error as WebAssembly.RuntimeError;
  }
  throw new Error("no trap");
}

describe("malloc flavour: misuse traps", () => {
  const cases: [string, (e: MallocExports) => void][] = [
    ["a double free", (e) => twice(e, 40)],
    ["a double free of a large block", (e) => twice(e, 100_000)],
    ["an interior pointer", (e) => e.free(e.malloc(40) + 8)],
    ["a pointer into a large block", (e) => e.free(e.malloc(100_000) + 8192)],
    ["an unaligned pointer", (e) => e.free(e.malloc(40) + 1)],
    ["a pointer below the heap", (e) => e.free(64)],
    ["a pointer past the memory", (e) => e.free(0xfffffff0)],
    ["a slot never given out", (e) => e.free(e.malloc(64) + 64)],
    ["realloc of a freed block", (e) => e.realloc(freed(e, 40), 100)],
    ["realloc of an interior pointer", (e) => e.realloc(e.malloc(40) + 16, 100)],
    ["realloc of a foreign pointer", (e) => e.realloc(64, 100)],
  ];

  function twice(e: MallocExports, size: number): void {
    const p = freed(e, size);
    e.free(p);
  }

  function freed(e: MallocExports, size: number): number {
    const p = e.malloc(size);
    e.malloc(size);
    e.free(p);
    return p;
  }

  it.each(cases)("%s", (_, call) => {
    const { e } = open("malloc");
    expect(trapOf(() => call(e)).message).toContain("unreachable");
    // The trap came before anything was written: the heap goes on.
    const blocks = Array.from({ length: 500 }, () => e.malloc(40));
    expect(new Set(blocks).size).toBe(500);
    expect(blocks).not.toContain(0);
    for (const p of blocks) e.free(p);
  });

  it("in the hook gomalloc_misuse, whose frame is on the stack", () => {
    const module = wasmModule("malloc");
    const memory = new WebAssembly.Memory({ initial: 2 });
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const e = exports as unknown as MallocExports;
    e.init(1024);
    const p = e.malloc(40);
    // The name of an exported wasm function is its index.
    expect(trapOf(() => e.free(p + 8)).stack).toContain(`wasm-function[${e.gomalloc_misuse.name}]`);
    expect(trapOf(() => e.realloc(p + 8, 9)).stack).toContain(`wasm-function[${e.gomalloc_misuse.name}]`);
  });

  it("in the debug build, by its name", () => {
    const bytes = readFileSync(wasmPath("malloc").replace(/\.wasm$/, ".debug.wasm"));
    const memory = new WebAssembly.Memory({ initial: 2 });
    const { e } = openOver<MallocExports>(new WebAssembly.Module(bytes), memory, 1024);
    const p = e.malloc(40);
    expect(trapOf(() => e.free(p + 8)).stack).toContain("gomalloc_misuse");
  });

  it("and the hook itself traps when called", () => {
    const { e } = open("malloc");
    expect(trapOf(() => e.gomalloc_misuse(1, 4)).message).toContain("unreachable");
  });

  it("and no more once it is told to return, and again when told to trap", () => {
    const { e } = open("malloc");
    const p = e.malloc(40);
    expect(e.mallopt(M_MISUSE, 1)).toBe(1);
    e.free(p + 8);
    expect(e.mallopt(M_MISUSE, 0)).toBe(1);
    trapOf(() => e.free(p + 8));
    e.free(p);
  });
});

describe("free_sized", () => {
  it.each(SIZES)("takes every size up to what the block of %i bytes has, and no more", (size) => {
    const o = open("host");
    o.e.mallopt(M_MISUSE, 0);
    const keep = o.e.malloc(size);
    const usable = o.e.malloc_usable_size(keep);
    for (const n of [0, 1, size, usable]) {
      const p = o.e.malloc(size);
      o.e.free_sized(p, n);
      expect(o.e.malloc_usable_size(p), `${n} bytes`).toBe(0);
    }
    for (const n of [usable + 1, 0x7fffffff, 0xffffffff]) {
      const before = readStats(o);
      expect(trapOf(() => o.e.free_sized(keep, n)).message).toContain("unreachable");
      expect(o.e.malloc_usable_size(keep), "still live").toBe(usable);
      expect(readStats(o)).toEqual({ ...before, misuses: before.misuses + 1 });
    }
    o.e.free_sized(keep, size);
    expect(o.e.validate()).toBe(0);
    expect(readStats(o).heapAlloc).toBe(0);
  });

  it("takes NULL, and traps on what free traps on", () => {
    const { e } = open("malloc");
    e.free_sized(0, 0);
    e.free_sized(0, 40);
    const p = e.malloc(40);
    e.malloc(40);
    trapOf(() => e.free_sized(p + 8, 8));
    trapOf(() => e.free_sized(64, 8));
    e.free_sized(p, 40);
    trapOf(() => e.free_sized(p, 40));
  });
});

describe("host flavour: misuse is told", () => {
  /** tryFree and tryRealloc refuse p as `kind`; nothing changes but the count of misuses. */
  function refused(o: Opened<HostExports>, p: number, kind: number, what: string): void {
    const before = readStats(o);
    expect(o.e.tryFree(p), what).toBe(kind);
    expect(o.e.tryRealloc(p, 24), what).toBe(0);
    expect(o.e.lastMisuse(), what).toBe(kind);
    expect(o.e.lastMisuse(), "reset by asking").toBe(0);
    expect(o.e.malloc_usable_size(p), what).toBe(0);
    expect(o.e.validate(), what).toBe(0);
    expect(readStats(o), what).toEqual({ ...before, misuses: before.misuses + 2 });
  }

  it.each(SIZES)("of blocks of %i bytes", (size) => {
    const o = open("host");
    const keep = o.e.malloc(size);
    const p = o.e.malloc(size);
    const usable = o.e.malloc_usable_size(p);
    for (const offset of [1, 2, 4, 7, 8, 16, 64, size >> 1, size - 1, usable - 1]) {
      if (offset > 0 && offset < usable) refused(o, p + offset, INTERIOR, `${size} bytes at + ${offset}`);
    }
    expect(o.e.tryFree(p)).toBe(0);
    // A large block's pages went back: nothing is there any more.
    refused(o, p, size > 32_768 ? FOREIGN : DOUBLE_FREE, `${size} bytes, freed`);
    expect(o.e.tryFree(keep)).toBe(0);
    o.e.releaseAll();
    refused(o, keep, FOREIGN, `${size} bytes, its span given back`);
  });

  it("of every slot of a span that was never given out", () => {
    for (const { size, objects } of SIZE_CLASSES.slice(1)) {
      if (size % 16 !== 0 || objects < 2) continue;
      const o = open("host");
      const p = o.e.malloc(size);
      const slot = o.e.malloc_usable_size(p);
      const kind = o.e.tryFree(p + slot);
      // Two of up to 4096 bytes fit a page; a span of larger ones may be cut for one, and then nothing is there.
      if (size <= 4096) expect(kind, `the next slot of ${size} bytes`).toBe(DOUBLE_FREE);
      else expect([DOUBLE_FREE, FOREIGN], `behind a slot of ${size} bytes`).toContain(kind);
      expect(o.e.objectBase(p + slot)).toBe(0);
      expect(o.e.validate()).toBe(0);
    }
  });

  it("of every byte in a span with one live block: one address is right", () => {
    for (const size of [8, 48, 1000, 1408]) {
      const o = open("host");
      const p = o.e.malloc(size);
      const usable = o.e.malloc_usable_size(p);
      const kinds = new Map<number, number>();
      const page = p - (p % 8192);
      for (let q = page; q < page + 8192; q++) {
        if (q === p) continue;
        const kind = o.e.tryFree(q);
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
      expect(kinds.get(0), `frees that were taken, ${size} bytes`).toBeUndefined();
      expect(kinds.get(INTERIOR), `${size} bytes`).toBe(usable - 1);
      expect(o.e.tryFree(p)).toBe(0);
      expect(o.e.validate()).toBe(0);
    }
  });

  it("of foreign addresses all over", () => {
    const o = open("host", { initial: 40, heapBase: 20 * 65536 });
    o.e.malloc(100);
    const r = random(11);
    for (let i = 0; i < 2000; i++) {
      expect(o.e.tryFree(1 + (r() % (o.heapBase - 1)))).toBe(FOREIGN);
      const above = 40 * 65536 + (r() % (2 ** 32 - 40 * 65536));
      expect(o.e.tryFree(above), `free of ${above.toString(16)}`).toBe(FOREIGN);
    }
    expect(o.e.validate()).toBe(0);
  });

  it("of the allocator's own records", () => {
    const o = open("host");
    const p = o.e.malloc(100);
    for (const q of [o.e.spanOf(p), o.e.spanOf(p) + 32, o.e.memstats(), o.heapBase, o.heapBase + 4096]) {
      refused(o, q, FOREIGN, `the record at ${q.toString(16)}`);
    }
  });

  it("of blocks of the tiny allocator, each piece and each byte", () => {
    const o = open("host");
    const pieces = [1, 2, 3, 5, 8, 12, 15].map((size) => o.e.mallocgc(size, 0, 0));
    for (const p of pieces) refused(o, p, TINY_BLOCK, "a piece");
    const block = (pieces[0] ?? 0) - ((pieces[0] ?? 0) % 16);
    for (let q = block; q < block + 16; q++) expect(o.e.tryFree(q)).toBe(TINY_BLOCK);
  });

  it("not of null, nor of the address of all objects of no size", () => {
    const o = open("host");
    expect(o.e.tryFree(0)).toBe(0);
    const zero = o.e.mallocgc(0, 0, 0);
    expect(o.e.mallocgc(0, 1, 1)).toBe(zero);
    expect(o.e.tryFree(zero)).toBe(0);
    expect(o.e.tryFree(zero)).toBe(0);
    expect(readStats(o).misuses).toBe(0);
  });

  it("before there is a heap", () => {
    const o = open("host", { heapBase: null });
    for (const p of [1, 1024, 65536, 0xffffffff]) expect(o.e.tryFree(p)).toBe(FOREIGN);
    expect(o.e.tryFree(0)).toBe(0);
    expect(o.e.spanOf(1024)).toBe(0);
    expect(o.e.objectBase(1024)).toBe(0);
    expect(o.e.validate()).toBe(0);
  });
});

describe("what lies in a span", () => {
  it("is found from every byte of every block", () => {
    const o = open("host");
    for (const size of SIZES) {
      const blocks = Array.from({ length: 3 }, () => o.e.malloc(size));
      for (const p of blocks) {
        const usable = o.e.malloc_usable_size(p);
        const step = Math.max(1, Math.floor(usable / 500));
        for (let q = p; q < p + usable; q += step) {
          if (o.e.objectBase(q) !== p) expect(o.e.objectBase(q), `${size} bytes at + ${q - p}`).toBe(p);
          if (o.e.spanOf(q) !== o.e.spanOf(p)) expect.fail(`${size} bytes at + ${q - p}: another span`);
        }
        expect(o.e.objectBase(p + usable - 1)).toBe(p);
      }
    }
  });
});

describe("writes past the end of a block", () => {
  /** Pages that no block of the program holds: the heap's records. A program that stays in its spans never writes there. */
  it.each(SIZES)("of %i bytes, to the end of its span, break nothing of the heap's", (size) => {
    const o = open("host");
    const blocks = Array.from({ length: 8 }, () => o.e.malloc(size));
    const p = blocks[0] ?? 0;
    // To the end of the span: as far as the heap says that its records are about this one.
    const span = o.e.spanOf(p);
    let end = p + 1;
    while (o.e.spanOf(end) === span) end += 8 - (end % 8);
    o.mem.u8.fill(0xff, p, end);
    expect(o.e.validate()).toBe(0);
    for (const b of blocks) expect(o.e.tryFree(b), `block at ${b.toString(16)}`).toBe(0);
    expect(o.e.validate()).toBe(0);
    const again = Array.from({ length: 200 }, () => o.e.malloc(size));
    expect(new Set(again).size).toBe(200);
    expect(o.e.validate()).toBe(0);
  });

  it("to the end of any block's usable bytes are the program's own", () => {
    const o = open("host");
    const r = random(5);
    const blocks = Array.from({ length: 2000 }, () => o.e.malloc(r() % 3000));
    for (const p of blocks) o.mem.u8.fill(0xee, p, p + o.e.malloc_usable_size(p));
    expect(o.e.validate()).toBe(0);
    for (const p of blocks) {
      expect(indexOfOther(o.mem.u8.subarray(p, p + o.e.malloc_usable_size(p)), 0xee)).toBe(-1);
      o.mem.u8.fill(0xdd, p, p + o.e.malloc_usable_size(p));
      o.e.free(p);
      // A freed block is not read by the allocator either: no list runs through it.
    }
    expect(o.e.validate()).toBe(0);
    for (const p of blocks) o.mem.u8[p] = 0xcc;
    expect(new Set(Array.from({ length: 2000 }, () => o.e.malloc(100))).size).toBe(2000);
    expect(o.e.validate()).toBe(0);
  });
});
