/**
 * Shadow-model fuzzing. The driver in wasm plays the bulk, with contents and overlaps checked at each call; a run in
 * JavaScript (support/shadow.ts) is smaller and looks at more: exact statistics, every kind of misuse, growth by others.
 *
 * FUZZ_SEED, FUZZ_OPS (operations of the driver, default 30 million) and FUZZ_SHADOW_OPS (of each run in JavaScript)
 * choose another run; a failure prints the seed.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { env } from "../support/random.ts";
import { readStats } from "../support/wasm.ts";
import { buildDriver } from "./support/driver.ts";
import { openDriver, type Player, PROFILES, type Profile } from "./support/play.ts";
import { playShadow } from "./support/shadow.ts";

const SEED = env("FUZZ_SEED", 0x60a110c);
const OPS = env("FUZZ_OPS", 30_000_000);

/** Plays a profile to the end; returns the instance with all blocks freed. */
function play(module: WebAssembly.Module, profile: Profile, ops: number, seed: number): Player {
  const player = openDriver(module, profile, seed, `FUZZ_SEED=${SEED} FUZZ_OPS=${OPS}`);
  const { driver, must } = player;
  must(driver.run(Math.round(ops * profile.share)), profile.name);
  must(driver.drain(), `${profile.name}, freeing everything`);
  // Memory that was freed serves again.
  must(driver.run(2000), `${profile.name}, once more`);
  must(driver.drain(), `${profile.name}, freeing everything again`);
  return player;
}

describe("host flavour", () => {
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = await buildDriver("host");
  });

  it.each(PROFILES.map((p, i) => [p.name, i] as const))("%s", (_, i) => {
    const profile = PROFILES[i] as Profile;
    const { driver, opened } = play(module, profile, OPS * 0.8, SEED + i);
    const stats = readStats(opened);
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
