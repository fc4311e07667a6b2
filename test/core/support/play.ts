/**
 * Plays the fuzz driver (driver.ts) by profiles: how many blocks of which sizes, by which calls, in how much memory.
 * fuzz.test.ts plays them over each flavour, test/profile/fuzz.test.ts over those that sample.
 */
import {
  Bytes,
  type HostExports,
  M_MAX_BYTES,
  M_MISUSE,
  type Opened,
  unsigned,
  WASM_PAGE,
} from "../../support/wasm.ts";
import type { DriverExports } from "./driver.ts";

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

export interface Profile {
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
export const PROFILES: Profile[] = [
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

/** A driver that is set up. */
export interface Player {
  driver: DriverExports;
  opened: Opened<HostExports>;
  /** Throws what a result of the driver means, unless it is 0. */
  must(code: number, what: string): void;
}

/** A merged instance over a fresh memory, set up for a profile. `again`: how the run can be had again, for errors. */
export function openDriver(
  module: WebAssembly.Module,
  profile: Profile,
  seed: number,
  again: string,
  imports: WebAssembly.Imports = {},
): Player {
  const instance = new WebAssembly.Instance(module, imports);
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
  const must = (code: number, what: string) => {
    if (code === 0) return;
    const [done, live, address, want, got] = [0, 1, 2, 3, 4].map((i) => driver.at(i));
    const details = `address ${address?.toString(16)}, wanted ${want}, got ${got}, live ${live}`;
    throw new Error(`${what}: ${WRONG[code]} after ${done} operations (${details}); ${again}`);
  };
  return { driver, opened: { e, mem: new Bytes(memory), heapBase }, must };
}
