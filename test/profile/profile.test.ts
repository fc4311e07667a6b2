/** From sampled counts to a profile: unsampling, names, which frames are left out, differences, old blocks. */
import { describe, expect, it } from "vitest";
import { isAllocator } from "../../src/profile/allocators.ts";
import { diffProfiles } from "../../src/profile/diff.ts";
import { findLeaks, type LiveBlock } from "../../src/profile/leaks.ts";
import { buildProfile } from "../../src/profile/profile.ts";
import { scaleFactor, unsample } from "../../src/profile/scale.ts";
import { frameText, textNumber } from "../../src/profile/text.ts";
import type { Sample } from "../../src/profile/types.ts";
import { bucket, JS_MAIN, JS_MAP, record, SYMBOLS, symbolsOf } from "./support/records.ts";

const values = ({ allocObjects, allocBytes, inuseObjects, inuseBytes }: Sample) => [
  allocObjects,
  allocBytes,
  inuseObjects,
  inuseBytes,
];
const functions = ({ stack }: Sample) => stack.flatMap(({ frames }) => frames.map((frame) => frame.function));

describe("unsampling", () => {
  // Go's own numbers, of runtime/pprof
  it.each([
    [1024, 4, 1, [2050, 2099200, 1537, 1574400]],
    [524288, 1, 0, [1, 829411, 1, 829411]],
    [524288, 1, 1, [1, 829411, 0, 0]],
  ])("at Go's rate, %i bytes: %i allocated and %i freed", (size, allocs, frees, expected) => {
    const { samples } = buildProfile(record(524288, [bucket([400], size, allocs, frees)]));
    expect(values(samples[0]!)).toEqual(expected);
  });

  it("rates up to 1 change nothing", () => {
    for (const rate of [0, 1]) {
      const { samples } = buildProfile(record(rate, [bucket([400], 1024, 32, 0), bucket([200], 2 ** 21, 3, 2)]));
      expect(samples.map(values)).toEqual([
        [32, 32768, 32, 32768],
        [3, 3 * 2 ** 21, 1, 2 ** 21],
      ]);
    }
    expect(unsample(0, 64, 512)).toEqual({ objects: 0, bytes: 0 });
    expect(unsample(3, 0, 512)).toEqual({ objects: 0, bytes: 0 });
  });

  it("is exact for small blocks at large rates, where 1 - e^-x would lose its digits", () => {
    // 1 / (1 - e^-x) is 1/x + 1/2 + x/12 for small x
    const [size, rate] = [16, 2 ** 40];
    expect(scaleFactor(size, rate)).toBeCloseTo(rate / size + 0.5, 4);
    expect(scaleFactor(2 ** 30, 512)).toBe(1);
  });

  it("of many allocations, sampled as the heap does it, gives their number within 5 sigma", () => {
    const [size, rate, count] = [256, 8192, 200_000];
    let seed = 12345;
    const next = () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return -Math.log((seed + 1) / 2 ** 32) * rate;
    };
    let [sampled, left] = [0, next()];
    for (let i = 0; i < count; i++) {
      left -= size;
      if (left >= 0) continue;
      sampled++;
      left = next();
    }
    const { objects } = unsample(sampled, size, rate);
    const sigma = count / Math.sqrt(sampled);
    expect(Math.abs(objects - count)).toBeLessThan(5 * sigma);
  });
});

describe("names", () => {
  it("the allocator's functions at the leaf are left out, and stacks that differ in them alone are one", () => {
    const buckets = [bucket([101, 100, 200, 400], 64, 2), bucket([100, 200, 400], 64, 3, 1)];
    const { samples } = buildProfile(record(1, buckets), { symbols: SYMBOLS });
    expect(samples.map(functions)).toEqual([["parse", "main"]]);
    expect(values(samples[0]!)).toEqual([5, 320, 4, 256]);
  });

  it("a stack of nothing else is kept whole", () => {
    const { samples } = buildProfile(record(1, [bucket([101, 100], 64, 1)]), { symbols: SYMBOLS });
    expect(samples.map(functions)).toEqual([["assembly/alloc/malloc/mallocSlow", "malloc"]]);
  });

  it("in the middle they stay, and the same stack in other sizes is another sample", () => {
    const buckets = [bucket([100, 200, 100, 400], 64, 1), bucket([100, 200, 100, 400], 128, 1)];
    const { samples } = buildProfile(record(1, buckets), { symbols: SYMBOLS });
    expect(samples.map(functions)).toEqual([
      ["parse", "malloc", "main"],
      ["parse", "malloc", "main"],
    ]);
    expect(samples.map(({ size }) => size)).toEqual([64, 128]);
  });

  it("inlined functions are frames of one location; an allocator that is inlined goes, its caller stays", () => {
    const { samples } = buildProfile(record(1, [bucket([500, 300, 400], 64, 1)]), { symbols: SYMBOLS });
    expect(samples.map(functions)).toEqual([["list", "node", "tree", "main"]]);
    expect(samples[0]!.stack.map(({ address }) => address)).toEqual([500, 300, 400]);
  });

  it("the caller says what is left out", () => {
    const isRuntime = ({ function: name }: { function: string }) => name === "parse";
    const { samples } = buildProfile(record(1, [bucket([200, 400], 64, 1)]), { symbols: SYMBOLS, isRuntime });
    expect(samples.map(functions)).toEqual([["main"]]);
  });

  it("frames of JavaScript have no address", () => {
    const { samples } = buildProfile(record(1, [bucket([200, JS_MAP[0], JS_MAIN[0]], 64, 1)]), { symbols: SYMBOLS });
    expect(functions(samples[0]!)).toEqual(["parse", "Array.map", "main"]);
    expect(samples[0]!.stack[2]).toEqual({
      number: JS_MAIN[0],
      frames: [{ function: "main", file: "/app/main.js", line: 7, column: 3 }],
    });
  });

  it("functions that an engine gave by index are looked up", () => {
    const [known, unknown] = ["12", "13"].map((index) => frameText("_Zr", "", "", `#${index}`));
    const texts = new Map([known!, unknown!].map((one) => [textNumber(one), one]));
    const stack = [...texts.keys()];
    const { samples } = buildProfile(record(1, [bucket(stack, 64, 1)], { texts }), { symbols: SYMBOLS });
    expect(functions(samples[0]!)).toEqual(["render", "_Zr"]);
  });

  it("what nobody knows has its number", () => {
    const { samples } = buildProfile(record(1, [bucket([0x1f2c, 0x80000001], 64, 1)], { texts: new Map() }));
    expect(functions(samples[0]!)).toEqual(["wasm+0x1f2c", "(frame 0x80000001)"]);
  });
});

describe("allocators", () => {
  it.each([
    "malloc",
    "operator new(unsigned long)",
    "operator new[]",
    "_Znwm",
    "__rust_alloc",
    "__rg_alloc",
    "__rdl_realloc",
    "alloc::alloc::exchange_malloc",
    "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
    "assembly/alloc/malloc/mallocSlow",
    "node_modules/gomalloc/assembly/gc/alloc/mallocgc",
    "~lib/rt/__newArray",
    "gomalloc_malloc",
    "__new",
  ])("%s", (name) => expect(isAllocator({ function: name })).toBe(true));

  it.each([
    "strdup",
    "main",
    "assembly/index/run",
    "my_malloc",
    "mallocator",
    "operator newton",
    "alloc::vec::Vec::push",
  ])("not %s", (name) => expect(isAllocator({ function: name })).toBe(false));

  it("by the name of the linker too", () => {
    expect(isAllocator({ function: "new", systemName: "_Znam" })).toBe(true);
  });
});

describe("differences", () => {
  const profile = (buckets: Parameters<typeof record>[1], options: object = {}) =>
    buildProfile(record(1, buckets), { symbols: SYMBOLS, ...options });

  it("are later less base, sample by sample; what is the same is left out", () => {
    const base = profile([bucket([200, 400], 64, 10, 2), bucket([300, 400], 32, 4), bucket([400], 16, 1)]);
    const later = profile([bucket([200, 400], 64, 13, 11), bucket([300, 400], 32, 4), bucket([500], 8, 2)]);
    const { samples } = diffProfiles(base, later);
    expect(samples.map((sample) => [functions(sample)[0], ...values(sample)])).toEqual([
      ["parse", 3, 192, -6, -384],
      ["list", 2, 16, 2, 16],
      ["main", -1, -16, -1, -16],
    ]);
  });

  it("of two builds compare functions and lines, not addresses", () => {
    const moved = symbolsOf({ 201: SYMBOLS.frames(200), 401: SYMBOLS.frames(400) });
    const base = profile([bucket([200, 400], 64, 1)], { program: { buildId: "01" } });
    const later = profile([bucket([201, 401], 64, 3)], { program: { buildId: "02" }, symbols: moved });
    expect(diffProfiles(base, later).samples.map(values)).toEqual([[2, 128, 2, 128]]);
    const same = { ...later, program: { buildId: "01" } };
    expect(diffProfiles(base, same).samples).toHaveLength(2);
  });

  it("have the time between them", () => {
    const at = (timeNanos: bigint) => ({ ...profile([]), timeNanos });
    expect(diffProfiles(at(5n), at(12n))).toMatchObject({ timeNanos: 12n, durationNanos: 7n, samples: [] });
  });
});

describe("old blocks", () => {
  const buckets = [
    bucket([100, 200, 400], 1024, 3),
    bucket([100, 300, 400], 64, 1),
    bucket([101, 100, 200, 400], 64, 1),
  ];
  const block = (ptr: number, index: number, time: number, cycle: number): LiveBlock => {
    return { ptr, size: buckets[index]!.size, bucket: index, time, cycle };
  };
  const blocks = [block(1, 0, 100, 1), block(2, 1, 150, 1), block(3, 0, 900, 5), block(4, 2, 50, 0)];
  const leaks = (options: object) =>
    findLeaks(record(1, buckets), blocks, { symbols: SYMBOLS, time: 1000, ...options }).map((leak) => [
      leak.stack[0]!.frames[0]!.function,
      leak.objects,
      leak.bytes,
      leak.blocks.map(({ ptr }) => ptr),
      leak.oldest,
      leak.youngest,
    ]);

  it("by stack, most bytes first, oldest block first", () => {
    expect(leaks({})).toEqual([
      ["parse", 3, 2112, [4, 1, 3], 950, 100],
      ["node", 1, 64, [2], 850, 850],
    ]);
  });

  it("that are older than a time, or than a number of cycles, or both", () => {
    expect(leaks({ olderThan: 850 })).toEqual([
      ["parse", 2, 1088, [4, 1], 950, 900],
      ["node", 1, 64, [2], 850, 850],
    ]);
    expect(leaks({ cycle: 6, cycles: 6 })).toEqual([["parse", 1, 64, [4], 950, 950]]);
    expect(leaks({ cycle: 6, cycles: 5, olderThan: 900 })).toEqual([["parse", 2, 1088, [4, 1], 950, 900]]);
    expect(leaks({ olderThan: 1001 })).toEqual([]);
  });

  it("stand for all blocks of their size", () => {
    const [leak] = findLeaks(record(524288, buckets), [block(1, 0, 0, 0)], { time: 1 });
    expect([leak!.objects, leak!.bytes]).toEqual([513, 524800]);
  });

  it("cycles without the number of the present one are refused", () => {
    expect(() => leaks({ cycles: 2 })).toThrow(/pass cycle/);
  });
});
