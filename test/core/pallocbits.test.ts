/** Bits and summaries of one chunk: finding runs, counting runs, merging. Compared with naive loops over the bits. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../support/random.ts";
import { CHUNK_PAGES as N, open, PAGE } from "../support/wasm.ts";
import { ALL_BITS, bits, countSum, hex, PagePlayground, packSum, unpackSum } from "./support/pagemodel.ts";

const BASE = 16;
const { e } = open("test", { heapBase: null });

/** Index of the first run of n ones, 64 if there is none. */
function naiveFind(word: bigint, n: number): number {
  let run = 0;
  for (let i = 0; i < 64; i++) {
    run = (word >> BigInt(i)) & 1n ? run + 1 : 0;
    if (run === n) return i - n + 1;
  }
  return 64;
}

/** 1 where a bit of the allocation word is clear. */
const freeFlags = (alloc: bigint) => Array.from({ length: 64 }, (_, i) => Number(~(alloc >> BigInt(i)) & 1n));

/** Words with runs, not only noise. */
const wordWithRuns = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 1, max: 64 })), { maxLength: 8 })
  .map((runs) => runs.reduce((w, [from, n]) => w | bits(from, Math.min(n, 64 - from)), 0n));
const anyWord = fc.oneof(
  fc.bigInt({ min: 0n, max: ALL_BITS }),
  wordWithRuns,
  wordWithRuns.map((w) => w ^ ALL_BITS),
);

describe("findBitRange64", () => {
  it.each(Array.from({ length: 64 }, (_, i) => i + 1))("finds %i ones in all ones at 0, and none in zero", (n) => {
    expect(e.findBitRange64(ALL_BITS, n)).toBe(0);
    expect(e.findBitRange64(0n, n)).toBeGreaterThanOrEqual(64);
  });

  const CASES: [bigint, number, number][] = [
    [0x8000000000000000n, 1, 63],
    [0xc000010001010000n, 2, 62],
    [0xc000010001030000n, 2, 16],
    [0xe000030001030000n, 3, 61],
    [0xe000030001070000n, 3, 16],
    [0xffff03ff01070000n, 16, 48],
    [0xffff03ff0107ffffn, 16, 0],
  ];
  it.each(CASES)("of %d, %i ones: at %i", (word, n, at) => {
    expect(e.findBitRange64(word, n)).toBe(at);
  });

  it("gives 64 or more where no run is long enough", () => {
    expect(e.findBitRange64(0x0fff03ff01079fffn, 16)).toBeGreaterThanOrEqual(64);
  });

  it("equals a loop over the bits", () => {
    fc.assert(
      fc.property(anyWord, fc.integer({ min: 1, max: 64 }), (word, n) => {
        expect(Math.min(64, e.findBitRange64(word, n))).toBe(naiveFind(word, n));
      }),
      { numRuns: runs(5000) },
    );
  });
});

describe("summary of a chunk", () => {
  const CASES: [string, bigint, [number, number, number]][] = [
    ["nothing", 0n, [0, 0, 0]],
    ["the first 10", bits(0, 10), [10, 10, 0]],
    ["the last 40", bits(N - 40, 40), [0, 40, 40]],
    ["11 at the start, 23 at the end", bits(0, 11) | bits(N - 23, 23), [11, 23, 23]],
    ["one page inside", bits(2, 1), [0, 1, 0]],
    ["2 and 5 inside", bits(35, 2) | bits(40, 5), [0, 5, 0]],
    ["62 inside", bits(1, 62), [0, 62, 0]],
    ["all but the first", bits(1, 63), [0, 63, 63]],
    ["all but the last", bits(0, 63), [63, 63, 0]],
    ["all", ALL_BITS, [N, N, N]],
  ];
  it.each(CASES)("with %s free", (_, free, [start, max, end]) => {
    expect(unpackSum(e.pallocSumOf(free ^ ALL_BITS))).toEqual({ start, max, end });
  });

  it("of an all-free chunk is 64 in each field", () => {
    expect(e.pallocSumOf(0n)).toBe(0x1000200040n);
  });

  it("equals counting page by page", () => {
    fc.assert(
      fc.property(anyWord, (alloc) => {
        expect(hex(e.pallocSumOf(alloc))).toBe(hex(countSum(freeFlags(alloc), 0, N)));
      }),
      { numRuns: runs(5000) },
    );
  });
});

describe("merge of summaries", () => {
  it("equals counting over all the pages", () => {
    const memory = open("test");
    const at = memory.e.scratch();
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyWord, fc.constantFrom(0n, ALL_BITS)), { minLength: 1, maxLength: 16 }),
        (words) => {
          words.forEach((w, i) => {
            memory.mem.view.setBigUint64(at + i * 8, memory.e.pallocSumOf(w), true);
          });
          const flags = words.flatMap(freeFlags);
          expect(hex(memory.e.mergeSums(at, words.length, 6))).toBe(hex(countSum(flags, 0, flags.length)));
        },
      ),
      { numRuns: runs(2000) },
    );
  });

  it("of eight all-free entries of 2^9 pages is 2^12 in each field", () => {
    const { e, mem } = open("test");
    const at = e.scratch();
    for (let i = 0; i < 8; i++) mem.view.setBigUint64(at + i * 8, packSum(512, 512, 512), true);
    expect(unpackSum(e.mergeSums(at, 8, 9))).toEqual({ start: 4096, max: 4096, end: 4096 });
    mem.view.setBigUint64(at + 7 * 8, packSum(511, 511, 0), true);
    expect(unpackSum(e.mergeSums(at, 8, 9))).toEqual({ start: 4095, max: 4095, end: 0 });
  });
});

describe("bits of a chunk", () => {
  /** A playground whose chunk BASE has these bits allocated. */
  const withChunk = (alloc: bigint) => {
    const p = new PagePlayground();
    p.chunk(BASE, alloc, 0n);
    p.rebuild();
    return p;
  };
  const base = BASE * N;

  it.each([
    [1, [0, 1, 2, 3, 4, 5]],
    [2, [0, 2, 4, 6, 8, 10]],
    [5, [0, 5, 10, 15, 20]],
  ])("all free, runs of %i", (n, pages) => {
    const p = withChunk(0n);
    for (const page of pages) expect(p.alloc(n) - base).toBe(page);
    p.check();
  });

  it("all allocated: every request fails, again and again", () => {
    const p = withChunk(ALL_BITS);
    for (const n of [1, 2, 5, 65, 1, 2, 5, 65]) expect(p.alloc(n)).toBe(0);
    p.check();
  });

  it.each([1, 2, 5])("one hole of %i: exactly it, then nothing", (n) => {
    const p = withChunk(ALL_BITS ^ bits(N / 2 - 3, n));
    expect(p.alloc(n) - base).toBe(N / 2 - 3);
    expect(p.alloc(n)).toBe(0);
    p.check();
  });

  it.each([1, 2, 5])("all allocated, runs of %i freed one after another", (n) => {
    const p = withChunk(ALL_BITS);
    for (let i = 0; i + n <= 30; i += n) {
      p.release(base + i, n);
      p.check(`after the free of ${n} at ${i}`);
    }
    expect(hex(p.e.pagesBits(BASE))).toBe(hex(ALL_BITS ^ bits(0, Math.floor(30 / n) * n)));
  });

  it.each([
    [0, 1],
    [N - 1, 1],
    [33, 5],
    [0, N],
  ])("marks the range from %i of %i", (from, n) => {
    const p = withChunk(ALL_BITS ^ bits(from, n));
    expect(p.e.pagesAlloc(n) / PAGE - base).toBe(from);
    expect(hex(p.e.pagesBits(BASE))).toBe(hex(ALL_BITS));
  });
});
