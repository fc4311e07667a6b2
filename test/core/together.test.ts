/**
 * A heap comes together again: when all blocks are freed the memory can be had as one block, whatever was in it, and when
 * a few are left nothing of the allocator's own parts what lies between them.
 */
import { describe, expect, it } from "vitest";
import { buildDlmalloc } from "../../bench/lib/build/native.ts";
import { heapBase as benchBase, initialPages } from "../../bench/lib/layout.ts";
import { between, type Random, random } from "../support/random.ts";
import {
  type Flavour,
  type HostExports,
  type MallocExports,
  type Opened,
  open,
  openOver,
  PAGE,
  WASM_PAGE,
  wasmModule,
} from "../support/wasm.ts";
import { expectValid } from "./support/valid.ts";

/** Where records move. */
const ONE_THREAD: Flavour[] = ["malloc", "host", "test"];

/** Sizes of blocks, by what a program asks for. */
const MIXES: Record<string, (r: Random) => number> = {
  "8 B": () => 8,
  "64 B": () => 64,
  "1 KiB": () => 1024,
  "1..1024 B": (r) => between(r, 1, 1024),
  "1..32768 B": (r) => between(r, 1, 32768),
  "1 B to 300 KB": (r) => between(r, 1, 300_000),
};

type Malloc = Pick<MallocExports, "malloc" | "free">;

/** Allocate until memory is out. */
function fill(e: Malloc, size: () => number, blocks: number[] = []): number[] {
  for (let p = e.malloc(size()); p !== 0; p = e.malloc(size())) blocks.push(p);
  return blocks;
}

/** The longest block that can be had, to the page. It is given back. */
function longest(e: Malloc, most: number): number {
  let lo = 0;
  let hi = Math.ceil(most / PAGE);
  while (lo + 1 < hi) {
    const mid = (lo + hi) >>> 1;
    const p = e.malloc(mid * PAGE) >>> 0;
    if (p === 0) hi = mid;
    else {
      e.free(p);
      lo = mid;
    }
  }
  return lo * PAGE;
}

/** Nine tenths of a memory of `pages` wasm pages from `base` on. */
function expectTogether(o: Opened<MallocExports>, pages: number, base: number, note: string): void {
  const bytes = pages * WASM_PAGE - base;
  expect(longest(o.e, bytes) / bytes, `longest block, ${note}`).toBeGreaterThanOrEqual(0.9);
  expectValid(o, note);
}

function freeAll(e: Malloc, blocks: number[]): void {
  for (const p of blocks) e.free(p);
  blocks.length = 0;
}

describe.each(ONE_THREAD)("%s: when all blocks are freed", (flavour) => {
  it.each(Object.entries(MIXES))("the memory is one block again: %s", (name, size) => {
    const base = name.length % 2 === 0 ? 1024 : 70_001;
    const o = open(flavour, { initial: 2, maximum: 140, heapBase: base });
    const r = random(5);
    const blocks = fill(o.e, () => size(r));
    expectValid(o, `${name}, full`);
    freeAll(o.e, blocks);
    expectTogether(o, 140, base, name);
  });

  it("the memory is one block again after it was freed in part and refilled, with buffers that grew", () => {
    const o = open(flavour, { initial: 2, maximum: 140, heapBase: 1024 });
    const r = random(11);
    const blocks: number[] = [];
    for (const size of Object.values(MIXES)) {
      fill(o.e, () => size(r), blocks);
      for (let i = blocks.length >> 1; i > 0; i--) {
        const j = r() % blocks.length;
        const p = blocks[j] ?? 0;
        const q = i % 5 === 0 ? o.e.realloc(p, between(r, 1, 60_000)) : 0;
        if (q !== 0) blocks[j] = q;
        else {
          o.e.free(p);
          blocks[j] = blocks.at(-1) ?? 0;
          blocks.pop();
        }
      }
      expectValid(o, "half free");
    }
    for (let p = o.e.memalign(1 << between(r, 4, 16), 3000); p !== 0; p = o.e.memalign(1 << between(r, 4, 16), 3000)) {
      blocks.push(p);
    }
    freeAll(o.e, blocks);
    expectTogether(o, 140, 1024, "all");
  });

  it("the longest block needs no memory that grows for it", () => {
    const o = open(flavour, { initial: 2, maximum: 4096, heapBase: 1024 });
    const blocks = Array.from({ length: 50_000 }, () => o.e.malloc(100));
    const pages = o.mem.pages;
    freeAll(o.e, blocks);
    expect(o.e.malloc(pages * WASM_PAGE * 0.9)).not.toBe(0);
    expect(o.mem.pages).toBe(pages);
  });

  it("what lies between memory of others is whole again", () => {
    const memory = open(flavour, { initial: 1, maximum: 200, heapBase: null }).mem.memory;
    const o = openOver<MallocExports>(wasmModule(flavour), memory, 4096);
    const r = random(3);
    const blocks: number[] = [];
    // A hundred pages and more of the heap's, then one of somebody else's, then the rest.
    while (o.mem.pages < 130) blocks.push(o.e.malloc(between(r, 1, 1024)));
    memory.grow(1);
    fill(o.e, () => between(r, 1, 1024), blocks);
    freeAll(o.e, blocks);
    expect(longest(o.e, 200 * WASM_PAGE)).toBeGreaterThanOrEqual(125 * WASM_PAGE);
    expectValid(o, "freed");
  });

  it("a small memory gives what a fresh one gives, but for a page or two of records", () => {
    for (const pages of [2, 3, 5, 8]) {
      for (const base of [1024, 30_001]) {
        const most = pages * WASM_PAGE;
        const fresh = longest(open(flavour, { initial: 1, maximum: pages, heapBase: base }).e, most);
        for (const [name, size] of Object.entries(MIXES)) {
          const o = open(flavour, { initial: 1, maximum: pages, heapBase: base });
          const r = random(pages);
          freeAll(
            o.e,
            fill(o.e, () => size(r)),
          );
          const note = `${name}, ${pages} pages from ${base}`;
          expect(longest(o.e, most), note).toBeGreaterThanOrEqual(fresh - 2 * PAGE);
          expectValid(o, note);
        }
      }
    }
  });
});

describe.each<Flavour>(["host", "test"])("%s: when all objects are collected", (flavour) => {
  it("the memory is one block again", () => {
    const o = open(flavour, { initial: 2, maximum: 140, heapBase: 1024 }) as Opened<HostExports & Collector>;
    const r = random(8);
    const type = o.e.newType(8, 8);
    expect(type).not.toBe(0);
    const handles: number[] = [];
    // Handles keep the objects, so their table grows with them; pins have one too.
    for (let p = o.e.newObject(type, 8); p !== 0; p = o.e.newObject(type, between(r, 1, 40) * 16)) {
      const handle = o.e.handleNew(p);
      if (handle === 0) break;
      handles.push(handle);
      if (handles.length % 3 === 0) o.e.pin(p);
    }
    expectValid(o, "full");
    for (const handle of handles) {
      const p = o.e.objectOf(o.e.handleGet(handle));
      while (o.e.pins(p) > 0) o.e.unpin(p);
      o.e.handleFree(handle);
    }
    o.e.gc();
    o.e.gc();
    o.e.releaseAll();
    const bytes = 140 * WASM_PAGE - 1024;
    // The tables of handles and pins are as long as they were.
    const tables = Math.ceil((handles.length * 4 * 2 + handles.length * 8) / WASM_PAGE) * WASM_PAGE;
    expect(longest(o.e, bytes)).toBeGreaterThanOrEqual(0.9 * (bytes - tables));
    expectValid(o, "collected");
  });
});

describe.each(ONE_THREAD)("%s: pages that were taken for records and are not used", (flavour) => {
  it.each([PAGE, 32_768, 70_000])("are given before memory is refused: blocks of %i bytes", (size) => {
    for (const pages of [100, 200, 400]) {
      const o = open(flavour, { initial: 1, maximum: pages, heapBase: 1024 });
      const blocks = fill(o.e, () => size);
      fill(o.e, () => PAGE, blocks);
      // A page is freed and may be taken again: nothing more is there.
      o.e.free(blocks.pop()!);
      o.e.malloc_trim(0);
      expect(fill(o.e, () => PAGE).length, `${pages} pages`).toBeLessThanOrEqual(1);
      expectValid(o, `${pages} pages`);
    }
  });
});

/** What this needs of the collector's exports. */
interface Collector {
  newType(size: number, ptrBytes: number): number;
  newObject(type: number, size: number): number;
  objectOf(p: number): number;
  handleNew(p: number): number;
  handleGet(handle: number): number;
  handleFree(handle: number): number;
  pin(p: number): number;
  unpin(p: number): number;
  pins(p: number): number;
  gc(): void;
}

describe("with one block of a hundred left", () => {
  const PAGES = 256;
  const SEEDS = [1, 2, 3];

  /** The longest run of free memory in the same case, as the geometric mean over some seeds. */
  function survivors(start: () => Malloc, size: (r: Random) => number): number {
    let sum = 0;
    for (const seed of SEEDS) {
      const e = start();
      const sizes = random(seed);
      const blocks = fill(e, () => size(sizes));
      const chance = random(seed + 100);
      for (const p of blocks) if (chance() % 100 !== 0) e.free(p);
      sum += Math.log(longest(e, PAGES * WASM_PAGE));
    }
    return Math.exp(sum / SEEDS.length);
  }

  // Blocks of one small size are another matter: a page is free when all of its slots are (docs/allocator.md).
  it.each(["1..1024 B", "1..32768 B", "1 B to 300 KB"])("the longest run is dlmalloc's: %s", async (name) => {
    const size = MIXES[name];
    if (size === undefined) throw new Error(name);
    const dlmalloc = new WebAssembly.Module(await buildDlmalloc("timed"));
    const memory = () => new WebAssembly.Memory({ initial: initialPages("timed"), maximum: PAGES });
    const peer = survivors(() => {
      const instance = new WebAssembly.Instance(dlmalloc, { env: { memory: memory() } });
      return instance.exports as unknown as Malloc;
    }, size);
    for (const flavour of ["malloc", "host"] as const) {
      const ours = survivors(() => openOver<MallocExports>(wasmModule(flavour), memory(), benchBase("timed")).e, size);
      expect(peer / ours, flavour).toBeLessThanOrEqual(1.1);
    }
  });
});
