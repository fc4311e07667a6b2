/**
 * What stacks may cost: the rate goes up while they cost more than their share of the time, and what is estimated from
 * samples of many rates is right.
 */
import { describe, expect, it } from "vitest";
import { createHeap, profileOf } from "../../src/profile.ts";
import { Budget } from "../../src/sampling/budget.ts";
import { random } from "../support/random.ts";

describe("a budget", () => {
  /** A clock that goes on by what each look is told. */
  function scene(share: number, base: number) {
    let time = 0;
    const budget = new Budget(share, base, () => time);
    let rate = base;
    return {
      /** A sample `after` milliseconds that costs `cost`. The rate from then on. */
      sample(after: number, cost: number, asked = base): number {
        time += after;
        const before = budget.before();
        time += cost;
        rate = budget.after(before, asked, rate);
        return rate;
      },
      set(to: number): void {
        rate = to;
      },
    };
  }

  it("doubles the rate while samples cost more than their share, up to a bound", () => {
    const { sample } = scene(0.01, 1000);
    const rates = Array.from({ length: 14 }, () => sample(1, 1));
    expect(rates).toEqual([
      1000,
      ...Array.from({ length: 10 }, (_, i) => 2000 * 2 ** i),
      1_024_000,
      1_024_000,
      1_024_000,
    ]);
  });

  it("halves it when there is room again, down to what was asked for", () => {
    const { sample } = scene(0.01, 1000);
    for (let i = 0; i < 5; i++) sample(1, 1);
    const rates = Array.from({ length: 6 }, () => sample(100_000, 0.01));
    expect(rates).toEqual([8000, 4000, 2000, 1000, 1000, 1000]);
  });

  it("keeps it where it is while the share is used", () => {
    const { sample } = scene(0.01, 1000);
    for (let i = 0; i < 3; i++) sample(1, 2);
    expect(sample(1000, 2)).toBe(8000);
    for (let i = 0; i < 50; i++) expect(sample(198, 2)).toBe(8000);
  });

  it("leaves the rate alone that the program asks for", () => {
    const { sample, set } = scene(0.01, 1000);
    set(17);
    for (let i = 0; i < 5; i++) expect(sample(1, 5, 17)).toBe(17);
  });
});

describe("a heap whose rate changes while it samples", () => {
  const SIZES = [16, 112, 704, 3072, 40_960];
  const BLOCKS = 30_000;

  it("estimates within 5 sigma over 20 seeds, in total and in use", () => {
    const sums = { allocs: SIZES.map(() => [0, 0]), live: SIZES.map(() => [0, 0]) };
    let changes = 0;
    for (let seed = 1; seed <= 20; seed++) {
      // No share at all: the rate goes up with nearly every sample, as far as it may.
      const heap = createHeap({ profile: { rate: 300, budget: 0, seed } });
      const r = random(seed);
      const all = SIZES.map(() => 0);
      const used = SIZES.map(() => 0);
      for (let i = 0; i < BLOCKS; i++) {
        const kind = r() % 1000 < 5 ? 4 : r() % 4;
        all[kind]!++;
        const p = heap.malloc(SIZES[kind]!);
        // At times all are asked for again.
        if (i % 3000 === 0) heap.setSampling({ rate: 300 });
        if (r() % 4 > 0) heap.free(p);
        else used[kind]!++;
      }
      const { buckets, rate } = heap.samples();
      expect(rate).toBe(300);
      changes += new Set(buckets.map((bucket) => bucket.rate)).size;
      for (const [kind, size] of SIZES.entries()) {
        const least = SIZES[kind - 1] ?? 0;
        const own = buckets.filter((bucket) => bucket.size >= size && bucket.size < 2 * size && bucket.size > least);
        for (const what of ["allocs", "live"] as const) {
          const sum = sums[what][kind]!;
          for (const bucket of own) {
            const q = 1 - Math.exp(-bucket.size / bucket.rate!);
            const n = what === "allocs" ? bucket.allocs : bucket.allocs - bucket.frees;
            sum[0]! += n / q;
            sum[1]! += (n * (1 - q)) / (q * q);
          }
          sum[0]! -= what === "allocs" ? all[kind]! : used[kind]!;
        }
      }
      expect(heap.samples().lost).toBe(0);
      heap.validate({ deep: true });
      heap.dispose();
    }
    expect(changes).toBeGreaterThan(100);
    for (const what of ["allocs", "live"] as const) {
      for (const [kind, [deviation, variance]] of sums[what].entries()) {
        expect(Math.abs(deviation!) / Math.sqrt(variance! + 1), `${what} of ${SIZES[kind]} bytes`).toBeLessThan(5);
      }
    }
  });

  it("says so in its profile: the stacks together are what was allocated", () => {
    const heap = createHeap({ profile: { rate: 1000, budget: 0, seed: 7 } });
    for (let i = 0; i < 200_000; i++) heap.malloc(112);
    const samples = profileOf(heap).samples;
    const bytes = samples.reduce((sum, sample) => sum + sample.allocBytes, 0);
    expect(new Set(heap.samples().buckets.map((bucket) => bucket.rate)).size).toBeGreaterThan(3);
    expect(heap.samples().buckets.reduce((sum, bucket) => sum + bucket.allocs, 0)).toBeLessThan(2000);
    expect(bytes).toBeGreaterThan(0.7 * 200_000 * 112);
    expect(bytes).toBeLessThan(1.3 * 200_000 * 112);
    heap.dispose();
  });

  it("has no budget where a rate is given, and refuses what is none", () => {
    const heap = createHeap({ profile: { rate: 100 } });
    for (let i = 0; i < 20_000; i++) heap.free(heap.malloc(100));
    expect(new Set(heap.samples().buckets.map((bucket) => bucket.rate))).toEqual(new Set([100]));
    heap.dispose();
    for (const budget of [-1, 1.5, Number.NaN, "0.1"]) {
      expect(() => createHeap({ profile: { budget: budget as number } })).toThrow(RangeError);
    }
  });
});
