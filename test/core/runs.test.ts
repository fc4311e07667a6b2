/**
 * The run cache: long runs of pages that come and go without the page allocator's tree. What is reused, joined and
 * zeroed, what a wrong pointer into a cached run gets, an overflow, memory that runs out, and random traffic against a
 * model.
 *
 * RUNS_SEED chooses other traffic; a failure prints the seed.
 */
import { describe, expect, it } from "vitest";
import { between, env, random } from "../support/random.ts";
import { type Flavour, FOREIGN, indexOfOther, open, PAGE } from "../support/wasm.ts";
import { expectValid } from "./support/valid.ts";

const SEED = env("RUNS_SEED", 0x5a6e);
/** MAX_RUNS and PAUSE of heap/runs.ts. */
const MAX_RUNS = 32;
const PAUSE = 2048;

const FLAVOURS = ["test", "test-shared"] as const;

function opened(flavour: Flavour) {
  // Fresh pages are not cached: the memory that init gets is dirty, so there is little of it.
  const o = open(flavour as "test", { initial: 1, heapBase: 1024 });
  // The room for records that a heap begins with is used up: the next ones take a page now, and none later.
  for (let i = 0; i < 4; i++) o.e.malloc(5 * PAGE);
  return o;
}

describe.each(FLAVOURS)("%s: a large block that is freed", (flavour) => {
  it("is cached, and the next request of its length has it", () => {
    const o = opened(flavour);
    const p = o.e.malloc(20 * PAGE);
    const behind = o.e.malloc(PAGE);
    o.e.free(p);
    expect(o.e.runCount()).toBe(1);
    expectValid(o, "cached");
    expect(o.e.malloc(20 * PAGE)).toBe(p);
    expect(o.e.runCount()).toBe(0);
    expect(o.e.runHits()).toBe(1);
    for (const block of [p, behind]) o.e.free(block);
    expectValid(o, "at the end");
  });

  it("is cut from its start, and joined again", () => {
    const o = opened(flavour);
    const p = o.e.malloc(30 * PAGE);
    const behind = o.e.malloc(40 * PAGE);
    o.e.free(p);
    const parts = [10, 8, 12].map((n) => o.e.malloc(n * PAGE));
    expect(parts).toEqual([p, p + 10 * PAGE, p + 18 * PAGE]);
    expect(o.e.runCount()).toBe(0);
    // The middle one last: it joins both.
    for (const i of [0, 2, 1]) o.e.free(parts[i] as number);
    expect(o.e.runCount()).toBe(1);
    expectValid(o, "joined");
    expect(o.e.malloc(30 * PAGE)).toBe(p);
    o.e.free(behind);
    expectValid(o, "at the end");
  });

  it("goes to the shortest of the runs that are long enough", () => {
    const o = opened(flavour);
    const blocks = [40, 25, 30].map((n) => {
      const p = o.e.malloc(n * PAGE);
      o.e.malloc(10 * PAGE);
      return p;
    });
    for (const p of blocks) o.e.free(p);
    expect(o.e.malloc(26 * PAGE)).toBe(blocks[2]);
    expect(o.e.malloc(25 * PAGE)).toBe(blocks[1]);
    expectValid(o, "at the end");
  });

  it("lends its pages to the block before it, which grows in place", () => {
    const o = opened(flavour);
    const run = o.e.malloc(40 * PAGE);
    o.e.malloc(10 * PAGE);
    o.e.free(run);
    const [p, behind] = [10, 20, 10].map((n) => o.e.malloc(n * PAGE)) as [number, number];
    expect(behind).toBe(p + 10 * PAGE);
    o.e.free(behind);
    expect(o.e.realloc(p, 25 * PAGE)).toBe(p);
    expect(o.e.runCount()).toBe(1);
    expectValid(o, "grown");
    expect(o.e.realloc(p, 12 * PAGE)).toBe(p);
    // What it gave up has joined the rest.
    expect(o.e.malloc(18 * PAGE)).toBe(p + 12 * PAGE);
    expectValid(o, "shrunk");
  });

  it("lends only its first chunk to short spans if it is very long", () => {
    const o = opened(flavour);
    const p = o.e.malloc(2000 * PAGE);
    const behind = o.e.malloc(40 * PAGE);
    o.e.free(p);
    // More spans of a page than there are free pages below.
    const short = Array.from({ length: 400 }, () => o.e.malloc(PAGE));
    expect(Math.max(...short)).toBeGreaterThan(p);
    expect(Math.max(...short)).toBeLessThan(p + 420 * PAGE);
    expect(o.e.runCount()).toBe(1);
    expectValid(o, "lent");
    const q = o.e.malloc(1500 * PAGE);
    expect(q).toBeGreaterThan(p);
    expect(q % (64 * PAGE), "the next chunk").toBe(0);
    for (const block of [q, behind, ...short]) o.e.free(block);
    o.e.releaseAll();
    expectValid(o, "at the end");
  });

  it("reads as zero when calloc has it again", () => {
    const o = opened(flavour);
    const p = o.e.malloc(20 * PAGE);
    o.e.malloc(10 * PAGE);
    o.mem.u8.fill(7, p, p + 20 * PAGE);
    o.e.free(p);
    expect(o.e.calloc(18 * PAGE, 1)).toBe(p);
    expect(indexOfOther(o.mem.u8.subarray(p, p + 18 * PAGE), 0)).toBe(-1);
    expectValid(o, "at the end");
  });

  it("cannot be freed, resized or measured again, nor can an address in it", () => {
    const o = opened(flavour);
    const p = o.e.malloc(20 * PAGE);
    o.e.malloc(10 * PAGE);
    o.e.free(p);
    expect(o.e.runCount()).toBe(1);
    for (const inside of [0, 8, PAGE, 19 * PAGE, 20 * PAGE - 8]) {
      expect(o.e.tryFree(p + inside), `${inside} bytes into it`).toBe(FOREIGN);
      expect(o.e.malloc_usable_size(p + inside)).toBe(0);
      expect(o.e.objectBase(p + inside)).toBe(0);
    }
    expectValid(o, "refused");
    expect(o.e.malloc(20 * PAGE)).toBe(p);
  });

  it("is no obstacle when memory is short: a longer run is made of the cached ones and the free pages beside them", () => {
    const o = open(flavour as "test", { initial: 16, maximum: 16, heapBase: 1024 });
    const fill = () => {
      const all: number[] = [];
      for (let p = o.e.malloc(8 * PAGE); p !== 0; p = o.e.malloc(8 * PAGE)) all.push(p);
      return all;
    };
    const blocks = fill();
    expect(blocks.length).toBeGreaterThan(10);
    expectValid(o, "full");
    for (const p of blocks) o.e.free(p);
    const long = o.e.malloc(blocks.length * 6 * PAGE);
    expect(long).not.toBe(0);
    expectValid(o, "one long block");
    o.e.free(long);
    // A page of records more may part them now.
    expect(fill().length).toBeGreaterThanOrEqual(blocks.length - 1);
    expectValid(o, "full again");
  });
});

describe.each(FLAVOURS)("%s: more freed runs than the cache has room for", (flavour) => {
  it("go to the tree, and so do the next ones", () => {
    const o = opened(flavour);
    const blocks = Array.from({ length: 2 * (MAX_RUNS + 1) }, () => o.e.malloc(8 * PAGE));
    expect(blocks).not.toContain(0);
    for (let i = 0; i < MAX_RUNS; i++) o.e.free(blocks[2 * i] as number);
    expect(o.e.runCount()).toBe(MAX_RUNS);
    expectValid(o, "full");
    o.e.free(blocks[2 * MAX_RUNS] as number);
    expect(o.e.runCount()).toBe(0);
    expectValid(o, "flushed");
    const p = o.e.malloc(8 * PAGE);
    for (let i = 0; i < PAUSE; i++) {
      o.e.free(p);
      expect(o.e.runCount()).toBe(0);
      expect(o.e.malloc(8 * PAGE)).toBe(p);
    }
    o.e.free(p);
    expect(o.e.runCount()).toBe(1);
    expectValid(o, "caching again");
  });
});

describe.each(FLAVOURS)("%s: random traffic", (flavour) => {
  it.each([
    // Few blocks, which the cache serves alone; many, which overflow it; short of memory; with small ones in between.
    { name: "few", most: 12, longest: 60, small: 0, maximum: 1024 },
    { name: "many", most: 150, longest: 30, small: 0, maximum: 1024 },
    { name: "scarce", most: 40, longest: 60, small: 1, maximum: 128 },
    { name: "mixed", most: 60, longest: 130, small: 3, maximum: 2048 },
  ])("of $name blocks keeps contents and laws, and loses nothing", ({ most, longest, small, maximum }) => {
    const seed = SEED + most;
    const r = random(seed);
    const o = open(flavour as "test", { initial: 4, maximum, heapBase: 1024 });
    const live: { p: number; size: number; mark: number }[] = [];
    const check = (b: { p: number; mark: number }, size: number, note: string) => {
      const at = indexOfOther(o.mem.u8.subarray(b.p, b.p + size), b.mark);
      if (at >= 0) expect.fail(`${note}: byte ${at} changed`);
    };
    const sizeOf = () => (r() % 4 < small ? between(r, 1, 3 * PAGE) : between(r, 4 * PAGE, longest * PAGE));
    for (let i = 0; i < 6000; i++) {
      const note = `seed ${seed}, step ${i}`;
      const k = r() % Math.max(live.length, 1);
      const b = live[k];
      const mark = (i % 255) + 1;
      if (b === undefined || (live.length < most && r() % 3 === 0)) {
        const size = sizeOf();
        const zeroed = r() % 4 === 0;
        const p = zeroed ? o.e.calloc(size, 1) : o.e.malloc(size);
        if (p === 0) continue;
        if (zeroed) check({ p, mark: 0 }, size, note);
        o.mem.u8.fill(mark, p, p + size);
        live.push({ p, size, mark });
      } else if (r() % 4 !== 0) {
        check(b, b.size, note);
        o.e.free(b.p);
        if (r() % 8 === 0) expect(o.e.tryFree(b.p), note).not.toBe(0);
        live.splice(k, 1);
      } else {
        const size = sizeOf();
        const p = o.e.realloc(b.p, size);
        if (p !== 0) {
          b.p = p;
          check(b, Math.min(size, b.size), note);
          b.size = size;
          o.mem.u8.fill(b.mark, p, p + size);
        }
      }
      if (i % 50 === 0) expectValid(o, note);
    }
    expect(o.e.runHits(), `seed ${seed}`).toBeGreaterThan(50);
    for (const { p } of live) o.e.free(p);
    expectValid(o, `seed ${seed}, at the end`);
    o.e.releaseAll();
    if (flavour === "test") expect(o.e.runCount()).toBe(0);
    expectValid(o, `seed ${seed}, released`);
  });
});
