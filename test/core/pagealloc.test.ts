/**
 * The page allocator: bitmaps, the tree of summaries, address-ordered first fit. The scenarios of Go's own tests with
 * 64 pages a chunk, then random sequences; everything compared with a model that scans page by page.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../support/random.ts";
import { CHUNK, CHUNK_PAGES as N, PAGE } from "../support/wasm.ts";
import { ALL_BITS, bits, PagePlayground, requests, unpackSum } from "./support/pagemodel.ts";

/** Chunk 0 of every scenario. */
const BASE = 16;
const NONE = 0n;

interface Chunk {
  chunk: number;
  alloc: bigint;
  scav: bigint;
}

interface Scenario {
  name: string;
  chunks: Chunk[];
  /** In the notation of requests(), pages relative to chunk BASE; a chunk has 64. */
  text: string;
}

const chunk = (index: number, alloc = NONE, scav = NONE): Chunk => ({ chunk: BASE + index, alloc, scav });
const some = (...ranges: [number, number][]) => ranges.reduce((w, [from, n]) => w | bits(from, n), 0n);

const SCENARIOS: Scenario[] = [
  {
    name: "single pages from an empty chunk",
    chunks: [chunk(0, NONE, some([0, 1], [2, 2]))],
    text: "1@0/1 1@1/0 1@2/1 1@3/1 1@4/0",
  },
  {
    name: "the last page of the third chunk",
    chunks: [chunk(0, ALL_BITS), chunk(1, ALL_BITS), chunk(2, bits(0, 63), ALL_BITS)],
    text: "1@191/1 1!",
  },
  {
    name: "the next chunk far away",
    chunks: [chunk(0, ALL_BITS), chunk(0xff, NONE, ALL_BITS)],
    text: "1@16320/1",
  },
  {
    name: "pairs",
    chunks: [chunk(0, NONE, some([0, 3], [7, 1]))],
    text: "2@0/2 2@2/1 2@4/0 2@6/1 2@8/0",
  },
  {
    name: "a pair over a chunk boundary",
    chunks: [chunk(0, bits(0, 63), bits(63, 1)), chunk(1, bits(1, 63))],
    text: "2@63/1 1!",
  },
  {
    name: "fives",
    chunks: [chunk(0, NONE, some([0, 8], [9, 1], [17, 5]))],
    text: "5@0/5 5@5/4 5@10/0 5@15/3 5@20/2",
  },
  {
    name: "all but three pages, then the rest",
    chunks: [chunk(0, NONE, bits(10, 1))],
    text: "61@0/1 61! 1@61/0 2@62/0 1! 61!",
  },
  {
    name: "a whole chunk",
    chunks: [chunk(0, NONE, some([0, 1], [63, 1]))],
    text: "64@0/2 64! 1!",
  },
  {
    name: "more than a chunk, over a boundary",
    chunks: [chunk(0, bits(0, 32), ALL_BITS), chunk(1, NONE, ALL_BITS)],
    text: "65@32/65 64! 1@97/1",
  },
  {
    name: "two chunks",
    chunks: [chunk(0), chunk(1)],
    text: "128@0/0 128! 1!",
  },
  {
    name: "two chunks behind a hole of addresses",
    chunks: [chunk(0, NONE, ALL_BITS), chunk(0x40), chunk(0x41)],
    text: "128@4096/0 21@0/21 1@21/1",
  },
  {
    name: "five quarters of a chunk",
    chunks: [
      chunk(0, ALL_BITS, ALL_BITS),
      chunk(1, bits(0, 48), bits(32, 17)),
      chunk(2, bits(0, 48), bits(21, 1)),
      chunk(3, NONE, bits(42, 1)),
    ],
    text: "80@176/1 80! 1@112/1",
  },
  {
    name: "a chunk over the halves of two",
    chunks: [chunk(0, bits(0, 32)), chunk(1, bits(32, 32), bits(3, 20))],
    text: "64@32/20 64! 1!",
  },
  {
    name: "seven chunks and five pages of eight",
    chunks: Array.from({ length: 8 }, (_, i) => chunk(i, NONE, bits(i < 7 ? i * 8 : 0, 1))),
    text: "453@0/8 453! 1@453/0",
  },
  {
    name: "two chunks' worth over half, whole and half",
    chunks: [
      chunk(0, bits(0, 32), bits(32, 7)),
      chunk(1, NONE, some([3, 5], [21, 10])),
      chunk(2, bits(32, 32), bits(12, 2)),
    ],
    text: "128@32/24 128! 1!",
  },
  {
    name: "three chunks far apart: the search address must stay in memory that is known",
    chunks: [chunk(0, bits(1, 63)), chunk(0x200, ALL_BITS ^ bits(32, 9)), chunk(0x1000)],
    text: "1@0/0 50@262144/0 9@32800/0 1@262194/0",
  },
];

describe("allocation", () => {
  it.each(SCENARIOS)("$name", ({ chunks, text }) => {
    const p = new PagePlayground();
    for (const c of chunks) p.chunk(c.chunk, c.alloc, c.scav);
    p.rebuild();
    for (const { npages, page, scav } of requests(text)) {
      const at = p.alloc(npages);
      expect(at === 0 ? null : at - BASE * N, `${npages} pages`).toBe(page);
      if (page !== null) expect(p.e.pagesAllocScav(), `scavenged pages of ${npages}`).toBe(scav);
      p.check(`after ${npages} pages`);
    }
  });

  it.each([1, 2, 3, 4, 5, 8, 16, 64, 65, 128, 129, 256, 257])("exhausts four chunks in runs of %i", (n) => {
    const p = new PagePlayground();
    for (let c = 0; c < 4; c++) p.chunk(BASE + c, NONE, NONE);
    p.rebuild();
    for (let i = 0; i < Math.floor((4 * N) / n); i++) expect(p.alloc(n) - BASE * N).toBe(i * n);
    expect(p.alloc(n)).toBe(0);
    expect(p.alloc(n)).toBe(0);
    p.check();
  });

  it("of more pages than there are addresses fails", () => {
    const p = new PagePlayground();
    p.grow(BASE * N, 8 * N);
    for (const n of [8 * N + 1, 2 ** 15, 2 ** 19 - 1, 2 ** 19]) expect(p.e.pagesAlloc(n)).toBe(0);
    p.check();
  });
});

describe("free", () => {
  it.each([
    ["2 over a boundary", N - 1, 2],
    ["a chunk", 0, N],
    ["a chunk and a page", N / 2, N + 1],
    ["two chunks", 0, 2 * N],
    ["two chunks over three", N / 2, 2 * N],
    ["seven chunks and five pages", 0, 7 * N + 5],
  ])("%s", (_, from, n) => {
    const p = new PagePlayground();
    for (let c = 0; c < 8; c++) p.chunk(BASE + c, ALL_BITS, NONE);
    p.rebuild();
    p.release(BASE * N + from, n);
    p.check();
    expect(p.alloc(n) - BASE * N).toBe(from);
    expect(p.e.pagesAllocScav(), "what was in use reads dirty").toBe(0);
    expect(p.alloc(1)).toBe(0);
    p.check();
  });

  it("single pages from the top down keep the search address at the lowest", () => {
    const p = new PagePlayground();
    for (let c = 0; c < 2; c++) p.chunk(BASE + c, ALL_BITS, NONE);
    p.rebuild();
    for (let i = 2 * N - 1; i >= 0; i -= 3) {
      p.release(BASE * N + i, 1);
      p.check(`after the free of page ${i}`);
      expect(p.e.pagesSearchAddr()).toBeLessThanOrEqual((BASE * N + i) * PAGE);
    }
  });

  it("and allocation of eight chunks, three times over", () => {
    const p = new PagePlayground();
    for (let c = 0; c < 8; c++) p.chunk(BASE + c, NONE, NONE);
    p.rebuild();
    for (let i = 0; i < 3; i++) {
      expect(p.alloc(8 * N) - BASE * N).toBe(0);
      p.check();
      p.release(BASE * N, 8 * N);
      p.check();
    }
    expect(p.alloc(1) - BASE * N).toBe(0);
    expect(p.alloc(8 * N)).toBe(0);
    p.release(BASE * N, 1);
    expect(p.alloc(8 * N) - BASE * N).toBe(0);
    p.check();
  });
});

describe("growth", () => {
  it.each([
    [[0]],
    [[0, 1]],
    [[0, 1, 2, 3, 4]],
    [[0, 2, 4]],
    [[0, 1, 2, 4]],
    [[0, 1, 0x10, 0x21]],
    [[0x21, 0x10, 1, 0]],
    [Array.from({ length: 33 }, (_, i) => i * 2)],
    [[0, 0x1000, 0x800, 0x1eff]],
  ])("by the chunks %j gives those pages and no others", (chunks) => {
    const p = new PagePlayground();
    for (const c of chunks) {
      p.grow((BASE + c) * N, N);
      p.check(`after chunk ${c}`);
    }
    p.model.checkElsewhere(p.o);
    // Each maximal range of neighbours serves a request of its length.
    const sorted = [...chunks].sort((a, b) => a - b);
    for (const c of sorted) if (!chunks.includes(c - 1)) expect(p.e.pagesScav(BASE + c)).toBe(ALL_BITS);
    for (const _ of sorted) expect(p.alloc(N)).not.toBe(0);
    expect(p.alloc(1)).toBe(0);
    p.check();
  });

  it("by single pages joins neighbours", () => {
    const p = new PagePlayground();
    for (let i = 0; i < 2 * N; i += 2) p.grow(BASE * N + i, 1);
    p.check();
    expect(p.alloc(2)).toBe(0);
    for (let i = 1; i < 2 * N; i += 2) p.grow(BASE * N + i, 1);
    p.check();
    expect(p.alloc(2 * N) - BASE * N).toBe(0);
    expect(p.e.pagesAllocScav()).toBe(2 * N);
  });

  it("raises the root of the tree with the range of addresses", () => {
    const p = new PagePlayground();
    // Up to 16 arenas, beyond.
    const reach: [number, number][] = [
      [16, 2],
      [16 + 15 * 8, 2],
      [16 + 16 * 8, 0],
      [16 + 4096, 0],
    ];
    for (const [c, root] of reach) {
      p.grow(c * N, N);
      expect(p.e.pagesRootLevel(), `chunk ${c}`).toBe(root);
      p.check(`after chunk ${c}`);
    }
    expect(p.alloc(N)).toBe(16 * N);
    expect(p.alloc(N + 1)).toBe(0);
  });

  it("up to the last chunk below the end of addresses", () => {
    const p = new PagePlayground();
    const last = 2 ** 32 / CHUNK - 1;
    // The last wasm page of addresses is never given to a heap.
    p.grow((last - 1) * N, 2 * N - 8);
    p.check();
    expect(p.alloc(2 * N - 8)).toBe((last - 1) * N);
    expect(p.alloc(1)).toBe(0);
    p.release((last + 1) * N - 9, 1);
    expect(p.alloc(1)).toBe((last + 1) * N - 9);
    p.check();
  });

  it("over entries of the root that are free as a whole", () => {
    const p = new PagePlayground();
    p.grow(2 ** 15, 2 ** 15);
    p.grow(2 ** 18 + 8, 8);
    p.check();
    expect(p.e.pagesRootLevel()).toBe(0);
    expect(unpackSum(p.e.pagesSum(0, 8))).toEqual({ start: 2 ** 12, max: 2 ** 12, end: 2 ** 12 });
    expect(p.alloc(2 ** 15)).toBe(2 ** 15);
    p.check();
    p.release(2 ** 15, 2 ** 15);
    expect(p.alloc(2 ** 15 - 1)).toBe(2 ** 15);
    expect(p.alloc(2)).toBe(2 ** 18 + 8);
    p.check();
  });
});

/** Where a sequence's growths lie: all in an arena, in 32 MiB, in 256 MiB, anywhere. In pages. */
const REGIONS: [from: number, to: number][] = [
  [1024, 1536],
  [8192, 8192 + 4096],
  [32768, 2 * 32768],
  [1, 2 ** 19 - 8],
];

type Step =
  | { op: "grow"; at: number; n: number }
  | { op: "alloc"; n: number }
  | { op: "free"; which: number; from: number; n: number };

const runLength = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 15 }) },
  { weight: 3, arbitrary: fc.integer({ min: 16, max: 130 }) },
  { weight: 1, arbitrary: fc.integer({ min: 131, max: 2100 }) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 65, 511, 512, 513) },
);
const unit = fc.integer({ min: 0, max: 0xffff }).map((i) => i / 0x10000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant("grow" as const), at: unit, n: runLength }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("alloc" as const), n: runLength }) },
  // A free gives back a part of a run, from a share of it on, as realloc in place does; n over its length: all.
  { weight: 5, arbitrary: fc.record({ op: fc.constant("free" as const), which: unit, from: unit, n: runLength }) },
);

/** Plays a sequence in wasm and in the model. */
function play(region: [number, number], steps: readonly Step[]): void {
  const p = new PagePlayground();
  const [lo, hi] = region;
  const runs: { page: number; n: number }[] = [];
  for (const [i, s] of steps.entries()) {
    const note = `step ${i}`;
    if (s.op === "grow") {
      const page = lo + Math.floor(s.at * (hi - lo));
      p.grow(page, Math.min(s.n, hi - page));
    } else if (s.op === "alloc") {
      const page = p.alloc(s.n, note);
      if (page !== 0) runs.push({ page, n: s.n });
    } else if (runs.length > 0) {
      const [run] = runs.splice(Math.floor(s.which * runs.length), 1);
      if (run === undefined) continue;
      const from = s.n >= run.n ? 0 : Math.floor(s.from * (run.n - s.n + 1));
      const n = Math.min(s.n, run.n);
      p.release(run.page + from, n);
      if (from > 0) runs.push({ page: run.page, n: from });
      if (from + n < run.n) runs.push({ page: run.page + from + n, n: run.n - from - n });
    }
    if (i % 16 === 15) p.check(note);
  }
  p.check("at the end");
  p.model.checkElsewhere(p.o);
}

describe("random sequences equal the model", () => {
  it.each([
    ["one arena", 0, 150],
    ["32 MiB", 1, 100],
    ["256 MiB", 2, 60],
    ["all addresses", 3, 60],
  ])("within %s", (_, region, numRuns) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120, size: "max" }), (steps) => {
        play(REGIONS[region] ?? [1, 2], steps);
      }),
      { numRuns: runs(numRuns) },
    );
  });

  it("in chunks of arbitrary bits", () => {
    const word = fc.bigInt({ min: 0n, max: ALL_BITS });
    const state = fc.tuple(fc.integer({ min: BASE, max: BASE + 40 }), word, word, word);
    fc.assert(
      fc.property(
        fc.uniqueArray(state, { minLength: 1, maxLength: 10, selector: ([c]) => c }),
        fc.array(runLength, { maxLength: 40 }),
        (chunks, requests) => {
          const p = new PagePlayground();
          // AND of two random words: runs of free pages of some length.
          for (const [c, a, b, scav] of chunks) p.chunk(c, a & b, scav);
          p.rebuild();
          for (const n of requests) p.alloc(n);
          p.check();
        },
      ),
      { numRuns: runs(100) },
    );
  });
});
