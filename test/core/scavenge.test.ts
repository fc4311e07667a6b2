/**
 * The scavenger's part in wasm, after Go's mgcscavenge_test.go: aligned groups, the candidate of a chunk, the order of a
 * search, density, and what becomes of a run.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK_PAGES as N, open, PAGE } from "../support/wasm.ts";
import { ALL_BITS, bits, hex } from "./support/pagemodel.ts";

const { e } = open("test", { heapBase: null });

const SIZES = [1, 2, 4, 8, 16, 32, 64];

function filled(word: bigint, m: number): bigint {
  let out = 0n;
  for (let i = 0; i < N; i += m) if (word & bits(i, m)) out |= bits(i, m);
  return out;
}

describe("fillAligned", () => {
  it.each(SIZES)("sets whole groups of %i", (m) => {
    for (const word of [0n, ALL_BITS, 1n, 1n << 63n, 0xf0n, 0x8000_0001_0000_0100n]) {
      expect(hex(e.fillAligned(word, m))).toBe(hex(filled(word, m)));
    }
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: ALL_BITS }), (word) => {
        const sparse = word & (word >> 7n) & (word << 11n) & ALL_BITS;
        expect(e.fillAligned(word, m)).toBe(filled(word, m));
        expect(e.fillAligned(sparse, m)).toBe(filled(sparse, m));
      }),
    );
  });
});

/** First page and length of the candidate where the pages of `free` are free and not scavenged; null: none. */
function candidate(free: bigint, m: number, most: number): [number, number] | null {
  const found = e.candidateOf(free ^ ALL_BITS, m, most);
  return found === 0 ? null : [found & 0xff, found >> 8];
}

describe("the candidate of a chunk", () => {
  it("is the highest run", () => {
    expect(candidate(bits(41, 1), 1, N)).toEqual([41, 1]);
    expect(candidate(bits(13, 2) | bits(63, 1), 1, N)).toEqual([63, 1]);
    expect(candidate(ALL_BITS, 1, N)).toEqual([0, N]);
    expect(candidate(0n, 1, N)).toBeNull();
  });

  it.each(SIZES)("of groups of %i", (m) => {
    expect(candidate(bits(0, m), m, N)).toEqual([0, m]);
    expect(candidate(bits(N - m, m), m, N)).toEqual([N - m, m]);
    for (const most of [0, 1, m - 1, m]) expect(candidate(ALL_BITS, m, most)).toEqual([N - m, m]);
    if (m < N) expect(candidate(bits(N - 2 * m + 1, 2 * m - 1), m, m - 2)).toEqual([N - m, m]);
    if (m > 1) expect(candidate(bits(N - m, m - 1), m, N)).toBeNull();
    if (m <= 8) {
      expect(candidate(bits(40, m), m, N)).toEqual([40, m]);
      if (m > 1) expect(candidate(bits(40, m) & ~bits(40, 1), m, N)).toBeNull();
      // A run that is long enough, but has no whole group.
      if (m > 2) expect(candidate(bits(16, m) | bits(49, m), m, N)).toEqual([16, m]);
    }
  });

  it("is what a loop over the groups finds", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: ALL_BITS }),
        fc.bigInt({ min: 0n, max: ALL_BITS }),
        fc.constantFrom(...SIZES),
        fc.integer({ min: 0, max: N }),
        (a, b, m, most) => {
          const used = filled(a & b & (a >> 5n), m);
          let end = N;
          while (end > 0 && used & bits(end - m, m)) end -= m;
          let from = end;
          while (from > 0 && end - from < most && !(used & bits(from - m, m))) from -= m;
          if (end > 0 && from === end) from -= m;
          expect(candidate(used ^ ALL_BITS, m, most)).toEqual(end === 0 ? null : [from, end - from]);
        },
      ),
    );
  });
});

/** An instance whose only free pages are those of `chunks` chunks from chunk `first` on, dirty. */
function pages(first: number, chunks: number) {
  const { e } = open("test", { heapBase: null });
  e.pagesInit();
  e.pagesGrow(first * N * PAGE, chunks * N * PAGE);
  const set = (chunk: number, free: bigint, scav = 0n) => {
    e.pagesSetState(chunk, free ^ ALL_BITS, scav);
    e.pagesRebuild();
  };
  for (let c = first; c < first + chunks; c++) set(c, ALL_BITS);
  /** Takes and gives back until nothing is found: page and length of each run. */
  const all = (bytes: number, force = 1): [number, number][] => {
    const runs: [number, number][] = [];
    let below = 0;
    for (;;) {
      below = e.scavengeOne(below, bytes, force);
      if (below === 0) return runs;
      runs.push([below / PAGE, e.scavengeBytes() / PAGE]);
      expect(e.scavengeEnd(1)).toBe(1);
    }
  };
  return { e, set, all };
}

describe("a search", () => {
  it("goes from high addresses down, chunk by chunk, and finds each page once", () => {
    const { e, all } = pages(64, 3);
    expect(e.idlePages(1)).toBe(3 * N);
    expect(all(N * PAGE)).toEqual([66, 65, 64].map((c) => [c * N, N]));
    expect([e.idlePages(0), e.idlePages(1)]).toEqual([3 * N, 0]);
    expect(all(N * PAGE)).toEqual([]);
  });

  it("takes as much as it is asked for, in groups of 64 KiB", () => {
    const { e, all } = pages(64, 2);
    expect(e.scavengeOne(0, 1, 1)).toBe((66 * N - 8) * PAGE);
    expect(e.scavengeBytes()).toBe(65_536);
    // One run at a time.
    expect(e.scavengeOne(0, 1, 1)).toBe(0);
    e.scavengeEnd(1);
    expect(e.scavengeOne(0, 65_537, 1)).toBe((66 * N - 24) * PAGE);
    e.scavengeEnd(0);
    expect(e.idlePages(0)).toBe(8);
    expect(all(65_536).length).toBe(15);
  });

  it("finds chunks that lie far apart", () => {
    const { e, all } = pages(64, 1);
    e.pagesGrow(4000 * N * PAGE, N * PAGE);
    e.pagesSetState(4000, 0n, 0n);
    e.pagesRebuild();
    expect(all(N * PAGE)).toEqual([
      [4000 * N, N],
      [64 * N, N],
    ]);
  });

  it("leaves dense chunks alone for two generations, unless it is forced", () => {
    const { e, set, all } = pages(64, 3);
    // 60 pages are in use, then fewer: the chunk was dense when the generation began.
    set(65, bits(0, 2));
    e.scavengeBegin();
    set(65, ALL_BITS);
    expect(all(N * PAGE, 0)).toEqual([
      [66 * N, N],
      [64 * N, N],
    ]);
    e.scavengeBegin();
    expect(all(N * PAGE, 0)).toEqual([[65 * N, N]]);
    // Nor what has become dense since.
    set(65, ALL_BITS);
    e.scavengeBegin();
    set(65, bits(8, 2));
    expect(all(N * PAGE, 0)).toEqual([]);
    set(65, bits(8, 8));
    expect(all(N * PAGE, 0)).toEqual([[65 * N + 8, 8]]);
  });

  it("without a heap finds nothing", () => {
    const { e } = open("test", { heapBase: null });
    expect([e.scavengeBegin(), e.scavengeOne(0, 65_536, 1), e.scavengeBytes(), e.idlePages(1)]).toEqual([0, 0, 0, 0]);
    expect(e.scavengeEnd(1)).toBe(1);
  });
});
