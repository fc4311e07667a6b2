/**
 * Profiles of heaps that sample: exact at a rate of 1, unbiased at others, true about what is in use. Go's own tests of
 * heap profiles are the model.
 */
import { describe, expect, it } from "vitest";
import { createHeap as createPlain } from "../../src/index.ts";
import { createHeap, type Profile, type ProfiledHeap, readSamples, type Sample } from "../../src/profile.ts";
import { random } from "../support/random.ts";
import { samplingAll, wasmModule } from "../support/wasm.ts";

const VALUES = ["allocObjects", "allocBytes", "inuseObjects", "inuseBytes"] as const;

/** The samples whose stack has the function. */
function of(profile: Profile, name: string): Sample[] {
  const has = ({ stack }: Sample) => stack.some(({ frames }) => frames.some((frame) => frame.function.endsWith(name)));
  return profile.samples.filter(has);
}

/** allocObjects, allocBytes, inuseObjects, inuseBytes of the samples with the function. */
function figures(profile: Profile, name: string): number[] {
  const samples = of(profile, name);
  return VALUES.map((value) => samples.reduce((total, sample) => total + sample[value], 0));
}

const SCAN = { size: 64, ptrBytes: 64 };

describe("a rate of 1", () => {
  // Each in a function of its own, so that each has its own stack.
  function persistentBlocks(heap: ProfiledHeap): number[] {
    return Array.from({ length: 32 }, () => heap.malloc(1024));
  }
  function transientBlocks(heap: ProfiledHeap): void {
    for (let i = 0; i < 1024; i++) heap.free(heap.malloc(1024));
  }
  function largeBlock(heap: ProfiledHeap): number {
    return heap.malloc(2 << 20);
  }
  function garbage(heap: ProfiledHeap): void {
    for (let i = 0; i < 500; i++) heap.mallocgc(64, i % 2 ? SCAN : null, true);
  }
  function kept(heap: ProfiledHeap): void {
    for (let i = 0; i < 20; i++) heap.collector.handle(heap.mallocgc(64, SCAN, true));
  }

  it("counts every block: kept, freed and large ones", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    persistentBlocks(heap);
    transientBlocks(heap);
    const large = largeBlock(heap);
    const before = heap.profile();
    expect(figures(before, "persistentBlocks")).toEqual([32, 32 * 1024, 32, 32 * 1024]);
    expect(figures(before, "transientBlocks")).toEqual([1024, 1 << 20, 0, 0]);
    expect(figures(before, "largeBlock")).toEqual([1, 2 << 20, 1, 2 << 20]);
    heap.free(large);
    expect(figures(heap.profile(), "largeBlock")).toEqual([1, 2 << 20, 0, 0]);
    heap.validate({ deep: true });
  });

  it("shows stacks from the caller of the heap on", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    persistentBlocks(heap);
    const [sample] = of(heap.profile(), "persistentBlocks");
    expect(sample!.stack[0]!.frames[0]!.file).toMatch(/heap\.test\.ts$/);
    expect(sample!.stack.filter(({ address }) => address !== undefined)).toEqual([]);
  });

  it("shows the collector's objects when a cycle has ended", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    garbage(heap);
    kept(heap);
    const profile = heap.profile({ gc: true });
    expect(figures(profile, "garbage")).toEqual([500, 500 * 64, 0, 0]);
    expect(figures(profile, "kept")).toEqual([20, 20 * 64, 20, 20 * 64]);
    // What was allocated since is not published before the next cycle could have freed it.
    garbage(heap);
    expect(figures(heap.profile(), "garbage")).toEqual([500, 500 * 64, 0, 0]);
    expect(figures(heap.profile({ gc: true }), "garbage")).toEqual([1000, 1000 * 64, 0, 0]);
    heap.validate({ deep: true });
  });

  it("before the first cycle shows all objects", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    garbage(heap);
    expect(figures(heap.profile(), "garbage")).toEqual([500, 500 * 64, 500, 500 * 64]);
  });

  it("follows blocks through realloc, moved and in place", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    function grows(): number {
      let p = heap.malloc(100_000);
      for (let size = 150_000; size <= 600_000; size += 50_000) p = heap.realloc(p, size);
      return p;
    }
    function movesUp(): number {
      return heap.realloc(heap.malloc(50), 700);
    }
    const large = grows();
    const small = movesUp();
    const inuse = (name: string) => figures(heap.profile(), name).slice(2);
    expect(inuse("grows")).toEqual([1, Math.ceil(600_000 / 8192) * 8192]);
    expect(inuse("movesUp")).toEqual([1, 1024]);
    expect(heap.realloc(large, 90_000)).toBe(large);
    expect(inuse("grows")).toEqual([1, Math.ceil(90_000 / 8192) * 8192]);
    heap.free(large);
    heap.free(small);
    expect(inuse("grows")).toEqual([0, 0]);
    expect(inuse("movesUp")).toEqual([0, 0]);
    heap.validate({ deep: true });
  });
});

/** Estimates of objects by kind and what they are of, over some seeds: sums of deviations in units of sigma. */
describe.each([
  { rate: 300, blocks: 20_000 },
  { rate: 4096, blocks: 40_000 },
  { rate: 512 * 1024, blocks: 100_000 },
])("a rate of $rate", ({ rate, blocks }) => {
  const SIZES = [16, 112, 704, 3072, 40_960];

  it("estimates within 5 sigma over 20 seeds, in total and in use", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const heap = createHeap({ profile: { rate, seed } });
      const r = random(seed);
      const next = (below: number) => r() % below;
      const all = SIZES.map(() => 0);
      const live: [p: number, kind: number][] = [];
      const used = SIZES.map(() => 0);
      const allocate = (kind: number) => heap.malloc(SIZES[kind]!);
      for (let i = 0; i < blocks; i++) {
        const kind = next(1000) < 5 ? 4 : next(4);
        all[kind]!++;
        const p = allocate(kind);
        if (next(2) === 0) heap.free(p);
        else {
          live.push([p, kind]);
          used[kind]!++;
          if (live.length > 400) {
            const [[q, of] = [0, 0]] = live.splice(next(live.length), 1);
            heap.free(q);
            used[of]!--;
          }
        }
      }
      const { buckets } = heap.samples();
      for (const [kind, size] of SIZES.entries()) {
        // Coarse classes and fitted ones make a bucket of each size of slot.
        const least = SIZES[kind - 1] ?? 0;
        const own = buckets.filter((bucket) => bucket.size >= size && bucket.size < 2 * size && bucket.size > least);
        const chance = (bytes: number) => 1 - Math.exp(-bytes / rate);
        const estimate = (count: "allocs" | "live") =>
          own.reduce((n, b) => n + (count === "allocs" ? b.allocs : b.allocs - b.frees) / chance(b.size), 0);
        const q = chance(size);
        const within = (what: string, found: number, exact: number) => {
          // Where less than some samples are expected the distribution is no normal one.
          if (exact * q < 30 || exact * (1 - q) < 1) return;
          const sigma = Math.sqrt((exact * (1 - q)) / q);
          expect(Math.abs(found - exact) / sigma, `seed ${seed}: ${what} of ${size} bytes`).toBeLessThan(5);
        };
        within("allocations", estimate("allocs"), all[kind]!);
        within("blocks in use", estimate("live"), used[kind]!);
      }
      expect(heap.samples().lost).toBe(0);
      heap.validate();
      heap.dispose();
    }
  });
});

describe("sampling", () => {
  it("is off at a rate of 0, and can be turned on and off", () => {
    const heap = createHeap({ profile: { rate: 0 } });
    for (let i = 0; i < 1000; i++) heap.malloc(100);
    expect(heap.samples()).toMatchObject({ rate: 0, buckets: [], live: [] });
    heap.setSampling({ rate: 1 });
    for (let i = 0; i < 1000; i++) heap.malloc(100);
    expect(heap.samples().live).toHaveLength(1000);
    heap.setSampling({ rate: 0 });
    for (let i = 0; i < 1000; i++) heap.malloc(100);
    expect(heap.samples().live).toHaveLength(1000);
  });

  it("tells the usable size that was asked for, and the base of a pointer inside", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    for (const size of [1, 8, 16, 100, 5000, 40_000]) {
      const p = heap.malloc(size);
      expect(heap.usableSize(p)).toBeGreaterThanOrEqual(size);
      expect(heap.objectBase(p + size - 1)).toBe(p);
      expect(p % 16).toBe(0);
    }
    for (const alignment of [32, 64, 4096, 65536]) expect(heap.alignedAlloc(alignment, 100) % alignment).toBe(0);
  });

  it("ages blocks: leaks of a time", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    function old(): void {
      heap.malloc(100);
    }
    old();
    const [leak] = heap.leaks({ olderThan: 0 });
    expect(leak).toMatchObject({ objects: 1, bytes: 128 });
    expect(leak!.stack.some(({ frames }) => frames.some(({ function: name }) => name.endsWith("old")))).toBe(true);
    expect(heap.leaks({ olderThan: 1e9 })).toEqual([]);
  });

  it("puts its blocks into snapshots, with their stacks", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    function mapped(): number {
      return heap.malloc(100);
    }
    const p = mapped();
    const { samples } = heap.snapshot();
    expect(samples).toMatchObject([{ address: p, size: 100, age: expect.any(Number) }]);
    expect(samples![0]!.stack![0]).toMatch(/^mapped .*heap\.test\.ts:\d+$/);
    expect(heap.snapshot({ samples: [] }).samples).toEqual([]);
  });

  it("refuses options out of range, and heaps that do not sample", () => {
    expect(() => createHeap({ profile: { rate: -1 } })).toThrow(RangeError);
    expect(() => createHeap({ profile: { guard: "all", rate: 2 } })).toThrow(TypeError);
    expect(() => createHeap({ profile: { guard: "some" as never } })).toThrow(TypeError);
    expect(() => createHeap({ profile: { rates: 1 } as never })).toThrow(TypeError);
    expect(() => readSamples(createPlain().memory)).toThrow(/does not sample.*gomalloc\/profile/);
    const heap = createHeap();
    heap.dispose();
    expect(() => heap.profile()).toThrow(/disposed/);
  });
});

it("a C program's free of an object ends its sample", () => {
  const memory = new WebAssembly.Memory({ initial: 2 });
  const gomalloc = samplingAll(memory);
  const { exports } = new WebAssembly.Instance(wasmModule("host-profile"), { env: { memory }, gomalloc });
  const e = exports as { init(base: number): number; mallocgc(...args: number[]): number; free(p: number): void };
  e.init(2 << 16);
  const [p, q] = [e.mallocgc(64, 1, 1), e.mallocgc(64, 1, 1)];
  const live = () => readSamples(memory).live.map(({ ptr }) => ptr);
  expect(live().sort()).toEqual([p, q].sort());
  e.free(p!);
  expect(live()).toEqual([q]);
  const r = e.mallocgc(64, 1, 1);
  expect(live().sort()).toEqual([q, r].sort());
});
