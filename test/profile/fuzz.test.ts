/**
 * Heaps that sample and guard under random traffic: no report without damage, and a table of samples that goes with the
 * blocks. The driver (test/core/support/driver.ts) checks contents, overlaps, usable sizes and misuses at each call; the
 * rate of the samples, guards and quarantine change as it runs.
 *
 * SAMPLING_SEED chooses another run, SAMPLING_OPS the operations of all runs together (default 2 million, 100 million
 * with GOMALLOC_LONG=1). A failure prints the seed.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { readSamples } from "../../src/profile.ts";
import { buildDriver } from "../core/support/driver.ts";
import { openDriver, type Player, PROFILES, type Profile } from "../core/support/play.ts";
import { LONG } from "../support/long.ts";
import { env, random } from "../support/random.ts";
import {
  M_PROFILE_GUARD,
  M_PROFILE_RATE,
  M_QUARANTINE,
  MISUSE_DOUBLE_FREE,
  PROFILE_SEED,
  readStats,
} from "../support/wasm.ts";

const SEED = env("SAMPLING_SEED", 0x5a3b1e);
const OPS = env("SAMPLING_OPS", LONG ? 100_000_000 : 2_000_000);
/** Times that the options change in a run. */
const CHANGES = 40;

const RATES = [1, 1, 16, 500, 8192, 65_536, 524_288, 0];
/** Without a limit only where the memory has one. */
const QUARANTINES = [0, 1, 4096, 1 << 16, 1 << 20, 8 << 20];
const NO_LIMIT = 0xffffffff;

interface Sampling extends Player {
  /** Reports of damage, which is none. */
  damage: string[];
  /** Stacks that were taken. */
  taken: () => number;
  change(): string;
}

/** A driver whose heap samples from some hundred stacks. */
function openSampling(module: WebAssembly.Module, profile: Profile, seed: number): Sampling {
  const r = random(seed);
  const pick = <T>(from: readonly T[]) => from[r() % from.length]!;
  const damage: string[] = [];
  let taken = 0;
  let player: Player | undefined;
  let view = new DataView(new ArrayBuffer(0));
  const imports = {
    option: (param: number) => (param === PROFILE_SEED ? seed : 0),
    stack: (buffer: number) => {
      const { buffer: bytes } = player!.opened.mem.memory;
      if (view.buffer !== bytes) view = new DataView(bytes);
      const kind = taken++ % 211;
      view.setFloat64(buffer, taken, true);
      for (let i = 0; i <= kind % 7; i++) view.setUint32(buffer + 16 + i * 4, kind * 16 + i, true);
      return (kind % 7) + 1;
    },
    report: (kind: number, sample: number) => {
      const words = player!.opened.mem;
      // The driver frees blocks twice, and expects that it is refused.
      if (kind !== MISUSE_DOUBLE_FREE) damage.push(`kind ${kind}, block ${words.u32(sample + 4).toString(16)}`);
    },
  };
  player = openDriver(module, profile, seed, `SAMPLING_SEED=${SEED} SAMPLING_OPS=${OPS}`, { gomalloc: imports });
  const { e } = player.opened;
  const change = () => {
    const rate = pick(RATES);
    const guard = r() % 4 === 0 ? 0 : 1;
    const quarantine = pick(LIMITED(profile) ? [...QUARANTINES, NO_LIMIT] : QUARANTINES);
    expect(e.mallopt(M_PROFILE_GUARD, guard)).toBe(1);
    expect(e.mallopt(M_QUARANTINE, quarantine)).toBe(1);
    expect(e.mallopt(M_PROFILE_RATE, rate)).toBe(1);
    return `rate ${rate}, guard ${guard}, quarantine ${quarantine}`;
  };
  return { ...player, damage, taken: () => taken, change };
}

/** Plays a profile; the options change as it goes on. */
function play(module: WebAssembly.Module, profile: Profile, ops: number, seed: number): Sampling {
  const sampling = openSampling(module, profile, seed);
  const { driver, must, damage, change } = sampling;
  const fine = (what: string) => expect(damage, `${what}, SAMPLING_SEED=${SEED}`).toEqual([]);
  for (let i = 0; i < CHANGES; i++) {
    const options = `${profile.name}, ${change()}`;
    must(driver.run(Math.ceil((ops * profile.share) / CHANGES)), options);
    fine(options);
  }
  must(driver.drain(), `${profile.name}, freeing everything`);
  fine("freeing everything");
  return sampling;
}

const LIMITED = (profile: Profile) => profile.limitKiB !== undefined;

describe.each(["host-profile", "malloc-profile"] as const)(`%s, seed ${SEED}`, (flavour) => {
  const share = flavour === "host-profile" ? 0.8 : 0.2;
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = await buildDriver(flavour);
  });

  it.each(PROFILES.map((p, i) => [p.name, i] as const))("%s", (_, i) => {
    const profile = PROFILES[i]!;
    const { opened, driver, taken } = play(module, profile, OPS * share, SEED + i + (share < 0.5 ? 100 : 0));
    expect(taken(), "stacks taken").toBeGreaterThan((OPS * share * profile.share) / 50);
    expect(opened.e.mallopt(M_QUARANTINE, 0)).toBe(1);
    const samples = readSamples(opened.mem.memory, { fresh: true });
    expect(samples.quarantined).toBe(0);
    expect(samples.live.filter(({ collected }) => !collected)).toEqual([]);
    const inUse = samples.buckets.reduce((n, { allocs, frees }) => n + allocs - frees, 0);
    expect(inUse, "samples in use by the buckets").toBe(samples.live.length);
    if (!LIMITED(profile)) expect(samples.lost).toBe(0);
    if (flavour !== "host-profile") return;
    const stats = readStats(opened);
    expect(stats.largeLiveBytes).toBe(0);
    expect(stats.mallocs - stats.frees, "live objects: blocks of the tiny allocator").toBe(
      driver.at(8) - stats.tinyAllocs,
    );
  });
});
