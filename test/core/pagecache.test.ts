/** The page cache: allocation out of one word, refill from the page allocator, flush. Go's scenarios and a model. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random, runs, word64 } from "../support/random.ts";
import { CHUNK, CHUNK_PAGES as N, PAGE } from "../support/wasm.ts";
import { ALL_BITS, bits, hex, PagePlayground, requests } from "./support/pagemodel.ts";

const BASE = 16;

/** Requests relative to the cached block, in the notation of requests(). */
const CASES: [name: string, cache: bigint, scav: bigint, text: string][] = [
  ["empty", 0n, 0n, "1! 2! 3! 4! 5! 11! 12! 16! 27! 32! 43! 57! 64!"],
  ["the first page", 1n, 1n, "1@0/1 1! 10!"],
  ["the last page", 1n << 63n, 1n, "1@63/0 1!"],
  ["scattered pages", 0x20005555n, 0x5505n, "2! 1@0/1 1@2/1 1@4/0 1@6/0 1@8/1 1@10/1 1@12/1 1@14/1 1@29/0 1!"],
  ["a pair at the start", 3n, 2n << 62n, "2@0/0 2!"],
  ["a pair at the end", 3n << 62n, 3n << 62n, "2@62/2 2!"],
  ["four pairs", 0x3333n << 31n, 0x3030n << 31n, "2@31/0 2@35/2 2@39/0 2@43/2 2!"],
  ["53 pages inside", bits(10, 53), bits(10, 16), "53@10/16 53!"],
  ["all, 16 scavenged", ALL_BITS, bits(10, 16), "53@0/16 53! 1@53/0"],
  ["all, all scavenged", ALL_BITS, ALL_BITS, "64@0/64 64! 1!"],
  [
    "mixed sizes",
    ALL_BITS,
    ALL_BITS,
    "5@0/5 7@5/7 1@12/1 23@13/23 63! 3@36/3 3@39/3 3@42/3 12@45/12 11! 4@57/4 4! 6! 36! 2@61/2 3! 1@63/1 4! 2! 62! 1!",
  ],
];

describe("allocation", () => {
  it.each(CASES)("%s", (_, cache, scav, text) => {
    const p = new PagePlayground();
    p.e.pcSet(BASE * CHUNK, cache, scav & cache);
    for (const { npages, page, scav } of requests(text)) {
      const at = p.e.pcAlloc(npages);
      expect(at === 0 ? null : at / PAGE - BASE * N, `${npages} pages`).toBe(page);
      if (page !== null) expect(p.e.pcScav(), `scavenged of ${npages} pages`).toBe(scav);
    }
  });

  it("of random words takes the lowest run that fits", () => {
    const word = fc.bigInt({ min: 0n, max: ALL_BITS });
    fc.assert(
      fc.property(word, word, word, fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 12 }), (a, b, s, ns) => {
        const p = new PagePlayground();
        let cache = a | b;
        let scav = s & cache;
        p.e.pcSet(BASE * CHUNK, cache, scav);
        for (const n of ns) {
          let at = 0;
          while (at + n <= 64 && (cache & bits(at, n)) !== bits(at, n)) at++;
          const got = p.e.pcAlloc(n);
          if (at + n > 64) {
            expect(got).toBe(0);
            continue;
          }
          expect(got / PAGE - BASE * N).toBe(at);
          expect(p.e.pcScav()).toBe([...(scav & bits(at, n)).toString(2)].filter((c) => c === "1").length);
          cache &= ~bits(at, n);
          scav &= ~bits(at, n);
          expect([hex(p.e.pcCache()), hex(p.e.pcScavBits())]).toEqual([hex(cache), hex(scav)]);
        }
      }),
      { numRuns: runs(60) },
    );
  });
});

describe("flush", () => {
  /** Flushes a cache over a fully allocated chunk and compares both. */
  function flush(cache: bigint, scav: bigint): void {
    const p = new PagePlayground();
    p.chunk(BASE, ALL_BITS, 0n);
    p.chunk(BASE + 1, ALL_BITS, 0n);
    p.rebuild();
    p.e.pcSet(BASE * CHUNK, cache, scav);
    p.e.pcFlush();
    p.model.setChunk(BASE, ALL_BITS ^ cache, scav);
    p.check(`after the flush of ${hex(cache)}`);
    expect([p.e.pcCache(), p.e.pcScavBits()], "an empty record").toEqual([0n, 0n]);
    expect(p.e.pcAlloc(1)).toBe(0);
  }

  it("of an empty cache changes nothing", () => flush(0n, 0n));
  it("of a full cache frees the block", () => flush(ALL_BITS, ALL_BITS));
  it("of the first and the last page", () => flush(1n | (1n << 63n), 1n << 63n));

  it("of 100 random caches frees what was cached and restores what was scavenged", () => {
    const seed = 0x5eed;
    const r = random(seed);
    for (let i = 0; i < 100; i++) {
      const cache = word64(r);
      flush(cache, cache & word64(r));
    }
  });

  it("lowers the search address", () => {
    const p = new PagePlayground();
    p.grow(BASE * N, 2 * N);
    p.e.pcRefill();
    expect(p.e.pcAlloc(3)).toBe(BASE * CHUNK);
    expect(p.e.pagesAlloc(1)).toBe((BASE + 1) * CHUNK);
    p.e.pcFlush();
    expect(p.e.pagesAlloc(1)).toBe(BASE * CHUNK + 3 * PAGE);
  });
});

describe("refill", () => {
  /** Refills an empty cache in wasm and in the model and compares all. */
  function refill(p: PagePlayground, note = ""): bigint {
    const want = p.model.refill();
    const worked = p.e.pcRefill();
    expect(worked !== 0, `refill ${note}`).toBe(want.cache !== 0n);
    if (want.cache !== 0n) expect(p.e.pcBase(), note).toBe(want.base);
    expect([hex(p.e.pcCache()), hex(p.e.pcScavBits())], note).toEqual([hex(want.cache), hex(want.scav)]);
    p.check(note);
    return want.cache;
  }

  it("takes the one free block behind full chunks", () => {
    const p = new PagePlayground();
    p.chunk(BASE, ALL_BITS, 0n);
    p.chunk(BASE + 1, ALL_BITS, 0n);
    p.chunk(BASE + 2, 0n, bits(0, 64));
    p.rebuild();
    expect(refill(p)).toBe(ALL_BITS);
  });

  it("of an exhausted heap gives an empty cache, again and again", () => {
    const p = new PagePlayground();
    p.chunk(BASE, ALL_BITS, 0n);
    p.rebuild();
    for (let i = 0; i < 3; i++) expect(refill(p)).toBe(0n);
  });

  it("takes no scavenged bit of an allocated page", () => {
    const p = new PagePlayground();
    p.chunk(BASE, bits(0, 1) | bits(10, 2), bits(0, 4) | bits(11, 1));
    p.rebuild();
    expect(hex(refill(p))).toBe(hex(ALL_BITS ^ (1n | (3n << 10n))));
    expect(hex(p.e.pcScavBits())).toBe(hex(0xen));
    expect(p.e.pagesBits(BASE)).toBe(ALL_BITS);
  });

  it("takes block after block", () => {
    const p = new PagePlayground();
    [2n, ALL_BITS, 0n, bits(31, 33)].forEach((scav, i) => {
      p.chunk(BASE + i, 0n, scav);
    });
    p.chunk(BASE + 0x100, bits(0, 32), bits(31, 33));
    p.rebuild();
    for (let i = 0; i < 6; i++) {
      refill(p, `block ${i}`);
      for (let n = 0; n < 64; n++) p.e.pcAlloc(1);
    }
  });

  it("mixed with the page allocator and flushes equals the model", () => {
    const op = fc.oneof(
      { weight: 5, arbitrary: fc.record({ op: fc.constant("cache"), n: fc.integer({ min: 1, max: 15 }) }) },
      { weight: 3, arbitrary: fc.record({ op: fc.constant("alloc"), n: fc.integer({ min: 1, max: 200 }) }) },
      { weight: 4, arbitrary: fc.record({ op: fc.constant("free"), n: fc.nat(0xffff) }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant("flush"), n: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant("grow"), n: fc.nat(60) }) },
    );
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 100, size: "max" }), (ops) => {
        const p = new PagePlayground();
        p.grow(BASE * N, 2 * N);
        const runs: { page: number; n: number }[] = [];
        for (const [i, { op, n }] of ops.entries()) {
          const note = `step ${i}: ${op} ${n}`;
          if (op === "cache") {
            let page = p.e.pcAlloc(n) / PAGE;
            // What does not fit the cached block is flushed and looked for in the next: as mheap does, only plainer.
            if (page === 0 && p.e.pcCache() === 0n && refill(p, note) !== 0n) page = p.e.pcAlloc(n) / PAGE;
            if (page !== 0) runs.push({ page, n });
          } else if (op === "alloc") {
            const page = p.alloc(n, note);
            if (page !== 0) runs.push({ page, n });
          } else if (op === "free" && runs.length > 0) {
            const [run] = runs.splice(n % runs.length, 1);
            if (run !== undefined) p.release(run.page, run.n);
          } else if (op === "grow") {
            p.grow((BASE + 2 + n) * N, N);
          } else if (op === "flush" && p.e.pcCache() !== 0n) {
            const [base, cache, scav] = [p.e.pcBase() / PAGE, p.e.pcCache(), p.e.pcScavBits()];
            for (let b = 0; b < 64; b++) {
              if ((cache >> BigInt(b)) & 1n) p.model.free[base + b] = 1;
              if ((scav >> BigInt(b)) & 1n) p.model.scav[base + b] = 1;
            }
            p.e.pcFlush();
          }
        }
        p.check("at the end");
      }),
      { numRuns: runs(80) },
    );
  });
});
