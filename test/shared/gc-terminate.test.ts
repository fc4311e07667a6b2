/**
 * Workers are terminated at any moment while a graph is changed and collected: mutators, and the one that marks. After each
 * death the main thread recovers the P, a new worker takes the dead one's place, and every few deaths the heap is looked at
 * with all others quiet. gc-crash.test.ts chooses the step; here the machine does.
 *
 * GC_TERMINATIONS says how many (default 30; 1,000 with GOMALLOC_LONG=1), GC_SEED chooses another run.
 */
import { afterEach, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { between, env, random } from "../support/random.ts";
import { GcFleet, type Role } from "./support/gc-fleet.ts";

const DEATHS = env("GC_TERMINATIONS", LONG ? 1000 : 30);
const SEED = env("GC_SEED", 0xd1e);
const ROLES: readonly Role[] = ["mutator", "marker", "mutator"];
/** What a dead mutator's handles keep, bytes: its graph, and what hangs on it of others' */
const KEPT = 4 << 20;

let fleet: GcFleet | undefined;
afterEach(() => fleet?.dispose());

it.each([
  { name: "recovered with a P", bare: false },
  { name: "recovered without a P", bare: true },
])(`${DEATHS} random terminations, $name, seed ${SEED}`, async (run) => {
  const { name, bare } = run;
  const r = random(SEED);
  fleet = new GcFleet("test-shared", SEED, ROLES, { steps: -1, most: 80 });
  const { main, world } = fleet;
  // The workers have all Ps.
  if (bare) main.e.setProcs(ROLES.length);
  if (bare) main.e.releaseP();
  const ready = () => expect(main.e.acquireBeyond(main.token), "a P beyond the limit").not.toBe(0);
  for (let slot = 0; slot < ROLES.length; slot++) fleet.start(slot);
  const seen = { outside: 0, inside: 0, abandoned: 0, carried: 0 };
  for (let n = 0; n < DEATHS; n++) {
    // The marker as often as all others.
    const slot = r() % 2 === 0 ? 1 : (r() % 2) * 2;
    const steps = fleet.operationsOf(slot) + (slot === 1 ? between(r, 1, 3) : between(r, 1, 300));
    await fleet.until(() => fleet!.operationsOf(slot) >= steps);
    const bits = await fleet.kill(slot);
    if (bits & ~1) seen.inside++;
    else seen.outside++;
    if (bare) expect(main.e.currentP(), "the P of who recovers").toBe(0);
    if (n % 5 === 4) {
      await fleet.pause();
      ready();
      main.valid(`after death ${n}`);
      expect(main.e.gcFinish()).toBe(1);
      expect(main.e.gc()).toBe(1);
      main.valid(`after death ${n} and a cycle`);
      if (bare) main.e.releaseP();
      fleet.resume();
    }
    fleet.start(slot);
  }
  ready();
  await fleet.join();
  for (let i = 0; i < 2; i++) {
    expect(main.e.gc()).toBe(1);
    world.flush(main);
  }
  main.valid("at the end");
  seen.abandoned = main.e.gcStat(35);
  seen.carried = main.e.gcStat(36);
  console.log(`${DEATHS} terminations, ${name}: ${JSON.stringify({ ...seen, cycles: main.e.gcStat(0) })}`);
  expect(main.e.gcStat(25)).toBeGreaterThan(DEATHS / 5);
  expect(main.stats().heapAlloc).toBeLessThan(DEATHS * KEPT);
  for (let i = 0; i < main.e.lockCount(); i++) expect(world.lockWord(main, i), `lock ${i}`).toBe(0);
  expect(main.e.numPs()).toBeLessThanOrEqual(ROLES.length + 2);
});
