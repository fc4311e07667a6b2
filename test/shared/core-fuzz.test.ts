/**
 * Workers pound one heap: random calls with contents checked, blocks freed by other threads, growth, Ps given up and taken
 * anew, more workers than Ps, workers that come and go. All quiet now and then: every invariant, exact accounts.
 *
 * SHARED_FUZZ_SEED chooses another run, SHARED_FUZZ_OPS the operations of a worker (default 15,000, 400,000 with
 * GOMALLOC_LONG=1); a failure prints the seed. The schedule is the machine's, so a seed need not fail again.
 */
import { afterEach, describe, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { env } from "../support/random.ts";
import { Fleet, type FleetOptions } from "./support/core-fleet.ts";

const SEED = env("SHARED_FUZZ_SEED", 0x5eed);
const OPS = env("SHARED_FUZZ_OPS", LONG ? 400_000 : 15_000);
/** Times that all are quiet in a run. */
const ROUNDS = LONG ? 20 : 4;

const RUNS: (Omit<FleetOptions, "seed" | "ops"> & { name: string })[] = [
  { name: "two workers", flavour: "host-shared", slots: 2 },
  { name: "four workers that come and go", flavour: "test-shared", slots: 4, stay: 1 },
  { name: "eight workers over three Ps, by turns", flavour: "host-shared", slots: 8, procs: 3, turn: 300, stay: 1 },
  { name: "three workers beside somebody who grows the memory", flavour: "test-shared", slots: 3, foreign: true },
  { name: "three workers at the end of the memory", flavour: "host-shared", slots: 3, maximum: 160 },
  { name: "two workers that sample", flavour: "test-shared-profile", slots: 2, sampled: true },
  {
    name: "four that sample, over two Ps",
    flavour: "host-shared-profile",
    slots: 4,
    sampled: true,
    procs: 2,
    turn: 300,
  },
  {
    name: "three that sample, at the end of the memory",
    flavour: "test-shared-profile",
    slots: 3,
    sampled: true,
    maximum: 200,
  },
];

describe(`random schedules, seed ${SEED}`, () => {
  let fleet: Fleet | undefined;
  afterEach(() => fleet?.dispose());

  it.each(RUNS)("$name", async ({ name, ...run }) => {
    const seed = SEED + RUNS.findIndex((r) => r.name === name);
    fleet = new Fleet({ ...run, seed, ops: OPS });
    const { main } = fleet;
    for (let slot = 0; slot < run.slots; slot++) fleet.start(slot);
    for (let round = 1; round <= ROUNDS; round++) {
      await fleet.untilOperations((OPS * run.slots * round) / (ROUNDS + 1));
      await fleet.pause();
      fleet.check(true);
      expect(fleet.known().size).toBeGreaterThan(0);
      // What lies idle can be flushed under everybody's eyes.
      if (round % 2 === 0) for (let id = 2; id <= main.e.numPs(); id++) main.e.flushP(id);
      fleet.check(true);
      fleet.resume();
    }
    await fleet.until(() => fleet!.members.every((_, slot) => fleet!.gone(slot)));
    await fleet.stop();
    fleet.check(true);
    if (run.procs) expect(main.e.numPs()).toBeLessThanOrEqual(run.procs + 1);
    const frees = Array.from({ length: main.e.numPs() }, (_, i) => main.stat(i + 1, 0)).reduce((x, y) => x + y);
    expect(frees, "blocks freed by another P").toBeGreaterThan(OPS / 50);
    const s = fleet.freeAll();
    expect([s.heapAlloc, s.spansInUse, s.heapInuse]).toEqual([0, 0, 0]);
    expect(s.mallocs - s.frees - s.tinyAllocs).toBe(0);
  });
});
