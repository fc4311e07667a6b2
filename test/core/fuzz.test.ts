/**
 * Shadow-model fuzzing. The driver in wasm plays the bulk, with contents and overlaps checked at each call; a run in
 * JavaScript (support/shadow.ts) is smaller and looks at more: exact statistics, every kind of misuse, growth by others.
 *
 * FUZZ_SEED, FUZZ_OPS (operations of the driver, default 30 million) and FUZZ_SHADOW_OPS (of each run in JavaScript)
 * choose another run; a failure prints the seed.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { env } from "../support/random.ts";
import {
  Bytes,
  type HostExports,
  M_MAX_BYTES,
  M_MISUSE,
  type Opened,
  readStats,
  unsigned,
  WASM_PAGE,
} from "../support/wasm.ts";
import { buildDriver, type DriverExports } from "./support/driver.ts";
import { playShadow } from "./support/shadow.ts";

const SEED = env("FUZZ_SEED", 0x60a110c);
const OPS = env("FUZZ_OPS", 30_000_000);

/** Codes of the driver, in words. */
const WRONG = [
  ...["nothing", "out of memory without need", "outside the memory of the heap", "misaligned", "overlaps a live block"],
  ...["usable size below the request", "contents lost", "realloc lost contents", "calloc not zero"],
  ...["free of a live block refused", "double free not reported", "interior pointer not reported"],
  ...["foreign pointer not reported", "free of a tiny block not reported", "validate", "posix_memalign"],
  ...["mallocgc not zeroed", "usable size changed", "objectBase", "blocks left over"],
];

/** Addresses that the driver's use map covers: no profile holds more than this. */
const ADDRESSES = 256 * 2 ** 20;
const DRIVER_BASE = WASM_PAGE;

interface Profile {
  name: string;
  /** Share of all operations. */
  share: number;
  maxLive: number;
  maxMiB: number;
  /** malloc calloc realloc aligned_alloc memalign posix_memalign noscan scan misuse */
  ops: number[];
  /** 1..16, ..1024, ..32768, ..256 KiB, ..4 MiB */
  sizes: number[];
  validateEvery: number;
  releaseEvery?: number;
  /** Sizes that most requests have, for a while. */
  favourites?: number;
  /** Limit on the heap's memory, in KiB: requests may fail. */
  limitKiB?: number;
}

const MIXED = [40, 10, 12, 4, 2, 2, 12, 12, 4];
const PROFILES: Profile[] = [
  {
    name: "small blocks, many live",
    share: 0.3,
    maxLive: 60_000,
    maxMiB: 64,
    ops: MIXED,
    sizes: [30, 70, 0, 0, 0],
    validateEvery: 200_000,
  },
  {
    name: "few blocks, turning over",
    share: 0.2,
    maxLive: 300,
    maxMiB: 8,
    ops: MIXED,
    sizes: [30, 55, 15, 0, 0],
    validateEvery: 20_000,
  },
  {
    name: "all sizes",
    share: 0.2,
    maxLive: 20_000,
    maxMiB: 100,
    ops: MIXED,
    sizes: [300, 450, 190, 55, 5],
    validateEvery: 50_000,
  },
  {
    name: "large blocks, resized",
    share: 0.02,
    maxLive: 400,
    maxMiB: 100,
    ops: [20, 8, 40, 6, 3, 3, 6, 6, 4],
    sizes: [1, 4, 20, 60, 15],
    validateEvery: 5_000,
  },
  {
    name: "realloc",
    share: 0.08,
    maxLive: 4_000,
    maxMiB: 48,
    ops: [15, 3, 70, 2, 1, 1, 2, 2, 2],
    sizes: [20, 60, 19, 1, 0],
    validateEvery: 20_000,
  },
  {
    name: "favourite sizes",
    share: 0.1,
    maxLive: 8_000,
    maxMiB: 100,
    ops: MIXED,
    sizes: [30, 50, 20, 0, 0],
    validateEvery: 20_000,
    favourites: 6,
  },
  {
    name: "memory running out",
    share: 0.06,
    maxLive: 30_000,
    maxMiB: 64,
    ops: MIXED,
    sizes: [30, 50, 17, 3, 0],
    validateEvery: 10_000,
    limitKiB: 6 * 1024,
  },
  {
    name: "empty spans released often",
    share: 0.04,
    maxLive: 2_000,
    maxMiB: 32,
    ops: MIXED,
    sizes: [20, 50, 26, 4, 0],
    validateEvery: 5_000,
    releaseEvery: 1_000,
  },
];

const MAX_TINY = 20_000;

/** A merged instance over a fresh memory, set up for a profile. */
function openDriver(module: WebAssembly.Module, profile: Profile, seed: number) {
  const instance = new WebAssembly.Instance(module);
  const driver = instance.exports as unknown as DriverExports;
  const { memory } = driver;
  const e = unsigned<HostExports>(instance.exports);
  const below = DRIVER_BASE + driver.footprint(profile.maxLive + 1, MAX_TINY, ADDRESSES);
  memory.grow(Math.ceil(below / WASM_PAGE) + 4 - memory.buffer.byteLength / WASM_PAGE);
  // Neither aligned to a wasm page nor to a page.
  const heapBase = below + 24;
  driver.setup(DRIVER_BASE, profile.maxLive + 1, MAX_TINY, ADDRESSES, heapBase, BigInt(seed));
  const values = [profile.maxLive, profile.maxMiB * 2 ** 20, ...profile.ops, ...profile.sizes];
  values.push(profile.validateEvery, profile.limitKiB === undefined ? 0 : 1, MAX_TINY);
  values.push(profile.releaseEvery ?? 0, profile.favourites ?? 0);
  values.forEach((value, i) => {
    driver.setParam(i, value);
  });
  e.mallopt(M_MISUSE, 1);
  if (profile.limitKiB !== undefined) e.mallopt(M_MAX_BYTES, profile.limitKiB * 1024);
  e.init(heapBase);
  return { driver, opened: { e, mem: new Bytes(memory), heapBase } };
}

/** Plays a profile to the end; returns the instance with all blocks freed. */
function play(module: WebAssembly.Module, profile: Profile, ops: number, seed: number) {
  const opened = openDriver(module, profile, seed);
  const { driver } = opened;
  const must = (code: number, what: string) => {
    if (code === 0) return;
    const [done, live, address, want, got] = [0, 1, 2, 3, 4].map((i) => driver.at(i));
    const details = `address ${address?.toString(16)}, wanted ${want}, got ${got}, live ${live}`;
    throw new Error(`${what}: ${WRONG[code]} after ${done} operations (${details}); FUZZ_SEED=${SEED} FUZZ_OPS=${OPS}`);
  };
  must(driver.run(Math.round(ops * profile.share)), profile.name);
  must(driver.drain(), `${profile.name}, freeing everything`);
  // Memory that was freed serves again.
  must(driver.run(2000), `${profile.name}, once more`);
  must(driver.drain(), `${profile.name}, freeing everything again`);
  return opened;
}

describe("host flavour", () => {
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = await buildDriver("host");
  });

  it.each(PROFILES.map((p, i) => [p.name, i] as const))("%s", (_, i) => {
    const profile = PROFILES[i] as Profile;
    const { driver, opened } = play(module, profile, OPS * 0.8, SEED + i);
    const stats = readStats(opened as Opened<HostExports>);
    expect(stats.largeLiveBytes).toBe(0);
    expect(stats.mallocs - stats.frees, "live objects: blocks of the tiny allocator").toBe(
      driver.at(8) - stats.tinyAllocs,
    );
    expect(stats.heapAlloc, "blocks of the tiny allocator").toBe((driver.at(8) - stats.tinyAllocs) * 16);
    if (profile.favourites !== undefined) expect(driver.at(9), "blocks of fitted classes").toBeGreaterThan(0);
    expect(driver.at(6), "misuse probes").toBeGreaterThan(0);
    expect(stats.misuses).toBeGreaterThanOrEqual(driver.at(6));
    if (profile.limitKiB === undefined) {
      expect(driver.at(5), "refused requests").toBe(0);
    } else {
      expect(driver.at(5), "refused requests").toBeGreaterThan(0);
      expect(stats.sys).toBeLessThanOrEqual(profile.limitKiB * 1024);
    }
  });
});

describe("malloc flavour", () => {
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = await buildDriver("malloc");
  });

  it.each(PROFILES.map((p, i) => [p.name, i] as const))("%s", (_, i) => {
    const profile = PROFILES[i] as Profile;
    const { driver } = play(module, profile, OPS * 0.2, SEED + 100 + i);
    expect(driver.at(6), "misuse probes").toBeGreaterThan(0);
  });
});

describe("from JavaScript", () => {
  it.each([0, 1, 2])("seed + %i", (i) => {
    playShadow(SEED + 1000 + i, env("FUZZ_SHADOW_OPS", 150_000));
  });
});
