/** The small end: what the malloc module is made of, and how little memory a small heap takes. */
import { describe, expect, it } from "vitest";
import { SIZE_LIMIT } from "../../bench/lib/targets.ts";
import {
  type Flavour,
  type HostExports,
  type Opened,
  open,
  readStats,
  sumOfSys,
  WASM_PAGE,
  wasmBytes,
  wasmModule,
} from "../support/wasm.ts";

const MALLOC = [
  ...[
    "aligned_alloc",
    "calloc",
    "free",
    "free_sized",
    "gomalloc_misuse",
    "init",
    "malloc",
    "malloc_trim",
    "malloc_usable_size",
    "mallopt",
  ],
  ...["memalign", "posix_memalign", "realloc"],
];
const HOST = [
  ...["lastMisuse", "mallocgc", "memstats", "objectBase", "reclaim", "releaseAll", "spanOf", "tryFree", "tryRealloc"],
  ...["validate", "validateDeep", "validateInfo"],
];
const FLAVOURS: Flavour[] = ["malloc", "host", "test"];

/** Ids of a module's sections; custom sections have id 0. */
function sections(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  let at = 8;
  while (at < bytes.length) {
    ids.push(bytes[at++] ?? 0);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  expect(at).toBe(bytes.length);
  return ids;
}

describe("build/gomalloc.wasm", () => {
  it("is within its budget of 16 KiB", () => {
    expect(SIZE_LIMIT).toBe(16 * 1024);
    expect(wasmBytes("malloc").length).toBeLessThanOrEqual(SIZE_LIMIT);
  });

  it("exports the malloc family, init, mallopt and the hook, nothing else", () => {
    const exports = WebAssembly.Module.exports(wasmModule("malloc"));
    expect(exports.map((x) => x.name).sort()).toEqual(MALLOC);
    expect(exports.every((x) => x.kind === "function")).toBe(true);
  });
});

describe("build/gomalloc-host.wasm", () => {
  it("exports that and the host ABI", () => {
    const names = WebAssembly.Module.exports(wasmModule("host")).map((x) => x.name);
    for (const name of [...MALLOC, ...HOST]) expect(names).toContain(name);
  });
});

describe.each(FLAVOURS)("the %s flavour", (flavour) => {
  it("imports env.memory alone", () => {
    expect(WebAssembly.Module.imports(wasmModule(flavour))).toEqual([
      { module: "env", name: "memory", kind: "memory" },
    ]);
  });

  it("has no data, no start function, no table, no elements and no memory of its own", () => {
    const ids = sections(wasmBytes(flavour));
    const names = { table: 4, memory: 5, start: 8, element: 9, data: 11, dataCount: 12 };
    for (const [name, id] of Object.entries(names)) expect(ids, `${name} section`).not.toContain(id);
  });

  it("does nothing when instantiated: no memory grown, no byte written", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    new WebAssembly.Instance(wasmModule(flavour), { env: { memory } });
    expect(memory.buffer.byteLength).toBe(WASM_PAGE);
    expect(new Uint8Array(memory.buffer).every((b) => b === 0)).toBe(true);
  });
});

describe.each(FLAVOURS)("%s: a heap with one live object of 16 bytes", (flavour) => {
  it.each([
    ["at the start of a wasm page", 0],
    ["in the middle of one", 30_000],
    ["at the end of one", WASM_PAGE - 16],
    ["one byte before the end", WASM_PAGE - 1],
  ])("takes at most 4 wasm pages above its base %s", (_, offset) => {
    const o = open(flavour, { initial: 2, heapBase: WASM_PAGE + offset });
    const p = o.e.malloc(16);
    expect(p).toBeGreaterThanOrEqual(o.heapBase);
    expect(o.mem.pages * WASM_PAGE - o.heapBase).toBeLessThanOrEqual(4 * WASM_PAGE);
  });

  it("without init takes at most 4 wasm pages", () => {
    const o = open(flavour, { initial: 3, heapBase: null });
    expect(o.e.malloc(16)).toBeGreaterThanOrEqual(3 * WASM_PAGE);
    expect(o.mem.pages).toBeLessThanOrEqual(3 + 4);
  });

  it("fits into a memory that cannot grow beyond that", () => {
    const o = open(flavour, { initial: 1, maximum: 5, heapBase: WASM_PAGE });
    expect(o.e.malloc(16)).not.toBe(0);
  });
});

/** Laws of the accounts of pages and bytes. */
function expectBalanced(o: Opened<HostExports>): void {
  const s = readStats(o);
  expect(s.heapSys).toBe(s.heapInuse + s.heapIdle);
  expect(s.sys).toBe(sumOfSys(s));
  expect(s.heapAlloc).toBeLessThanOrEqual(s.heapInuse);
  expect(s.heapAlloc).toBeLessThanOrEqual(s.totalAlloc);
  expect(s.heapInuse % 8192).toBe(0);
  expect(s.heapIdle % 8192).toBe(0);
  for (const c of s.bySize) expect(c.mallocs, `class of ${c.size} bytes`).toBeGreaterThanOrEqual(c.frees);
  const spans = s.bySize.reduce((n, c) => n + c.spans, 0);
  expect(s.spansInUse).toBe(spans + s.largeMallocs - s.largeFrees);
  expect(o.e.validate()).toBe(0);
}

describe("the accounts", () => {
  it("of a fresh heap are balanced, with nothing in use", () => {
    const o = open("host", { initial: 3, heapBase: WASM_PAGE });
    expectBalanced(o);
    const s = readStats(o);
    expect(s.sys).toBe(2 * WASM_PAGE);
    expect([s.mallocs, s.frees, s.heapAlloc, s.heapInuse, s.spansInUse]).toEqual([0, 0, 0, 0, 0]);
  });

  it("name what the heap obtained, to the byte", () => {
    const o = open("host", { initial: 3, heapBase: WASM_PAGE + 160 });
    for (let i = 0; i < 300; i++) {
      o.e.malloc(i * 50);
      if (i % 50 === 0) {
        expectBalanced(o);
        expect(readStats(o).sys).toBe(o.mem.pages * WASM_PAGE - o.heapBase);
      }
    }
  });

  it("count each call exactly, small and large, in place and moved", () => {
    const o = open("host");
    const { e } = o;
    const blocks = Array.from({ length: 1000 }, (_, i) => e.malloc(i));
    expect(readStats(o)).toMatchObject({ mallocs: 1000, frees: 0, largeMallocs: 0 });
    for (const p of blocks.slice(0, 400)) e.free(p);
    expect(readStats(o)).toMatchObject({ mallocs: 1000, frees: 400 });
    const large = e.malloc(100_000);
    expect(readStats(o)).toMatchObject({ mallocs: 1001, largeMallocs: 1, largeLiveBytes: 13 * 8192 });
    expect(e.realloc(large, 90_000)).toBe(large);
    expect(readStats(o)).toMatchObject({ mallocs: 1001, reallocInPlace: 1, largeLiveBytes: 11 * 8192 });
    const p = e.malloc(100);
    expect(e.realloc(p, 5000)).not.toBe(p);
    expect(readStats(o)).toMatchObject({ mallocs: 1003, frees: 401, reallocMoves: 1 });
    e.free(large);
    expect(readStats(o)).toMatchObject({ mallocs: 1003, frees: 402, largeFrees: 1, largeLiveBytes: 0 });
    expectBalanced(o);
  });

  it("show the stages: refills are few, calloc of fresh memory clears nothing", () => {
    const o = open("host");
    for (let i = 0; i < 10_000; i++) o.e.malloc(64);
    const s = readStats(o);
    expect(s.refills).toBeGreaterThanOrEqual(10_000 / 64);
    expect(s.refills).toBeLessThan(10_000 / 32);
    expect(s.centralGrows).toBe(s.spansInUse);
    expect(s.sysGrows).toBeGreaterThan(0);
    const before = readStats(o);
    for (let i = 0; i < 100; i++) o.e.calloc(1, 20_000);
    const after = readStats(o);
    expect(after.zeroedBytesSkipped - before.zeroedBytesSkipped).toBeGreaterThan(90 * 20_000);
    expect(after.zeroedBytesCleared - before.zeroedBytesCleared).toBeLessThan(10 * 20_000);
  });

  it("of the tiny allocator: fewer blocks than objects", () => {
    const o = open("host");
    const objects = Array.from({ length: 1600 }, () => o.e.mallocgc(1, 0, 0));
    expect(new Set(objects).size).toBe(1600);
    const s = readStats(o);
    expect(s.tinyAllocs).toBe(1500);
    expect(s.mallocs).toBe(1600);
    expect(s.heapAlloc).toBe(100 * 16);
    // A 12-byte object may begin with an 8-byte field.
    o.e.releaseAll();
    o.e.mallocgc(4, 0, 0);
    expect(o.e.mallocgc(12, 0, 0) % 8).toBe(0);
  });

  it("let go of everything: after freeing, no span is left", () => {
    const o = open("host");
    const blocks = Array.from({ length: 5000 }, (_, i) => o.e.malloc((i * 37) % 40_000));
    const { heapSys, sys } = readStats(o);
    for (const p of blocks) o.e.free(p);
    expectBalanced(o);
    o.e.releaseAll();
    const after = readStats(o);
    expect(after).toMatchObject({ spansInUse: 0, heapInuse: 0, heapAlloc: 0, heapIdle: after.heapSys, sys });
    // Pages of records have gone back too.
    expect(after.heapSys).toBeGreaterThanOrEqual(heapSys);
    expectBalanced(o);
  });

  it("malloc_trim: all that holds no block goes back to the page heap, and it says whether that was any", () => {
    const o = open("host");
    expect(o.e.malloc_trim(0), "before the first block").toBe(0);
    const keep = o.e.malloc(40);
    const blocks = Array.from({ length: 5000 }, (_, i) => o.e.malloc((i * 37) % 40_000));
    for (const p of blocks) o.e.free(p);
    const before = readStats(o);
    expect(o.e.malloc_trim(0)).toBe(1);
    const after = readStats(o);
    expect(after).toMatchObject({ spansInUse: 1, heapAlloc: before.heapAlloc, sys: before.sys });
    expect(after.heapInuse).toBeLessThan(before.heapInuse);
    expect(o.e.malloc_trim(0)).toBe(0);
    o.e.free(keep);
    expectBalanced(o);
  });

  it("of retained empty spans: few, and given back on demand", () => {
    const o = open("host");
    const blocks = Array.from({ length: 20_000 }, (_, i) => o.e.malloc(16 + (i % 1000)));
    const peak = readStats(o).heapInuse;
    for (const p of blocks) o.e.free(p);
    const kept = readStats(o).heapInuse;
    // A quarter of the heap, 16 pages, and the spans of the mcache: one of a page or two for each row.
    expect(kept).toBeLessThan(peak / 4 + (16 + 2 * 33) * 8192);
    const pages = o.e.reclaim();
    expect(readStats(o).heapInuse).toBe(kept - pages * 8192);
    expect(o.e.reclaim()).toBe(0);
    expectBalanced(o);
  });
});
