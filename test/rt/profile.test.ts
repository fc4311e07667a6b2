/**
 * AssemblyScript programs whose runtime samples: `--use GOMALLOC_PROFILE=1`. Sites by the source map that asc writes, exact
 * numbers at a rate of 1, objects that leave when they are collected, blocks of heap.alloc when they are freed.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { buildProfile, profileImports, readSamples, type SamplingOptions, Symbols } from "../../src/profile.ts";
import { type Build, build, configuration, type Instance, instantiate } from "./support/compile.ts";

const PROGRAM = "test/rt/programs/sampled.ts";

interface Exports extends WebAssembly.Exports {
  keep(n: number): void;
  drop(n: number): void;
  dropOne(): number;
  forget(n: number): void;
  large(): void;
  take(n: number, size: number): void;
  give(n: number): void;
  grow(i: number, size: number): void;
}

let lines: ReadonlyMap<string, number>;
beforeAll(async () => {
  const source = (await readFile(join(ROOT, PROGRAM), "utf8")).split("\n");
  const sites = source.map((line, i) => [/\/\/ site: (\w+)/.exec(line)?.[1], i + 1] as const);
  lines = new Map(sites.filter((site): site is [string, number] => site[0] !== undefined));
});

/** An instance that samples, and by site what was allocated and is in use: objects, bytes, objects, bytes. */
function start(built: Build, options: SamplingOptions) {
  let instance: Instance<Exports> | undefined;
  const gomalloc = profileImports(() => instance?.exports.memory, options);
  instance = instantiate<Exports>(built, () => ({}), { gomalloc });
  const { exports } = instance;
  const symbols = new Symbols(built.bytes, { sourceMap: built.map });
  const figures = (site: string, fresh = true): number[] => {
    const { samples } = buildProfile(readSamples(exports.memory, { fresh }), { symbols });
    const own = samples.filter(({ stack }) => {
      // Behind those of the standard library and of constructors that the compiler has made.
      const frame = stack
        .flatMap(({ frames }) => frames)
        .find(({ file }) => file?.endsWith("programs/sampled.ts") === true);
      return frame?.line === lines.get(site);
    });
    const values = ["allocObjects", "allocBytes", "inuseObjects", "inuseBytes"] as const;
    return values.map((value) => own.reduce((n, sample) => n + sample[value], 0));
  };
  return { exports, symbols, figures };
}

const compiled = (level: string) =>
  build(PROGRAM, configuration("gomalloc", level, "--use", "GOMALLOC_PROFILE=1", "--sourceMap", "--exportRuntime"));

it("GOMALLOC_CLOBBERFREE fills what a sweep frees", async () => {
  const use = ["--use", "GOMALLOC_CLOBBERFREE=1", "--exportRuntime"];
  const { exports } = instantiate<Exports>(await build(PROGRAM, configuration("gomalloc", "-O1", ...use)));
  exports.keep(10);
  const p = exports.dropOne() >>> 0;
  const words = () => [...new Uint32Array(exports.memory.buffer, p, 8)];
  expect(words()).toEqual(Array.from({ length: 8 }, () => 0));
  exports.__collect();
  expect(words()).toEqual(Array.from({ length: 8 }, () => 0xdeadbeef));
  // What comes next is zero all the same.
  for (let i = 0; i < 200; i++) {
    const q = exports.dropOne() >>> 0;
    expect(new Uint32Array(exports.memory.buffer, q, 8).every((word) => word === 0)).toBe(true);
  }
});

describe("a program that samples", () => {
  let built: Build;
  beforeAll(async () => {
    built = await compiled("-O0");
  });

  it("has the lines of its sites, exact at a rate of 1", () => {
    const { exports, symbols, figures } = start(built, { rate: 1 });
    exports.keep(300);
    exports.drop(200);
    exports.large();
    exports.take(50, 100);
    expect(symbols.kind).toBe("source-map");
    // The header's 8 bytes and 16 of fields: a slot of 24. A pushed element may make the array longer.
    const [objects, bytes] = figures("dropped");
    expect([objects, bytes]).toEqual([200, 200 * 24]);
    expect(figures("kept")[0]).toBeGreaterThanOrEqual(300);
    expect(figures("large")).toEqual([1, 106_496, 1, 106_496]);
    expect(figures("raw")[0]).toBeGreaterThanOrEqual(50);
  });

  it("shows what has been collected as freed, and the rest as in use", () => {
    const { exports, figures } = start(built, { rate: 1 });
    exports.keep(300);
    exports.drop(200);
    exports.__collect();
    exports.__collect();
    expect(figures("dropped", false)).toEqual([200, 200 * 24, 0, 0]);
    const inUse = () => figures("kept", false)[2]!;
    const before = inUse();
    exports.forget(100);
    exports.__collect();
    expect(before - inUse()).toBe(100);
  });

  it("shows blocks of heap.alloc until they are freed, and where they have moved to", () => {
    const { exports, figures } = start(built, { rate: 1 });
    exports.take(50, 2000);
    const raw = () => figures("raw");
    const [objects] = raw();
    expect(raw()[2]! * 2048).toBeGreaterThanOrEqual(50 * 2048);
    const others = raw()[2]! - 50;
    exports.give(20);
    expect(raw()[2]! - others).toBe(30);
    exports.grow(0, 5000);
    expect(raw()[2]! - others).toBe(29);
    expect(figures("grown")).toEqual([1, 5120, 1, 5120]);
    // A large block grows in place or moves, and is one block either way.
    exports.grow(0, 50_000);
    exports.grow(0, 90_000);
    expect(figures("grown")[2]).toBe(1);
    exports.give(30);
    expect([raw()[0], raw()[2]! - others, figures("grown")[2]]).toEqual([objects, 0, 0]);
  });

  it("has the lines of functions that an optimiser has left", async () => {
    const { exports, figures } = start(await compiled("-O2"), { rate: 1 });
    exports.drop(200);
    expect(figures("dropped").slice(0, 2)).toEqual([200, 200 * 24]);
  });

  it("estimates at other rates", () => {
    const { exports, figures } = start(built, { rate: 4096, seed: 7 });
    exports.take(20_000, 100);
    exports.drop(20_000);
    const [raw] = figures("raw");
    expect(Math.abs(raw! / 20_000 - 1)).toBeLessThan(0.25);
    expect(Math.abs(figures("dropped")[0]! / 20_000 - 1)).toBeLessThan(0.4);
    exports.give(20_000);
    expect(figures("raw")[2]!).toBeLessThan(2000);
  });
});
