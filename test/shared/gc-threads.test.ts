/**
 * Workers change a graph on a collected heap, each with a shadow of its part, while another worker marks it: cycle after
 * cycle, or as the pacer wants them. Every cycle is checked by a second marking; objects are freed by hand in between, by
 * those who have made them and by others.
 *
 * GC_STEPS says how many steps a worker does (default 25,000; 600,000 with GOMALLOC_LONG=1), GC_SEED chooses another run.
 */
import { afterEach, describe, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { env } from "../support/random.ts";
import { GcFleet, type Role } from "./support/gc-fleet.ts";

const STEPS = env("GC_STEPS", LONG ? 600_000 : 25_000);
const SEED = env("GC_SEED", 0x6c);

let fleet: GcFleet | undefined;
afterEach(() => fleet?.dispose());

describe(`workers that change a graph, seed ${SEED}`, () => {
  it.each<[string, Role[]]>([
    ["2 of them, and one that marks without end", ["mutator", "mutator", "marker"]],
    ["4 of them, and one that marks when it is time", ["mutator", "mutator", "mutator", "mutator", "due"]],
    ["3 of them, which do their own marking", ["mutator", "mutator", "mutator"]],
    ["3 of them, and two that want to mark", ["mutator", "mutator", "mutator", "marker", "marker"]],
  ])("%s", async (_, roles) => {
    fleet = new GcFleet("test-shared", SEED, roles, { steps: STEPS, most: 400 });
    const { main, world } = fleet;
    main.e.setCollecting(roles.includes("marker") ? 0 : 1);
    for (let slot = 0; slot < roles.length; slot++) fleet.start(slot);
    for (let i = 1; i <= 3; i++) {
      const steps = (STEPS * i) / 4;
      await fleet.until(() => fleet!.operationsOf(0) >= steps || fleet!.gone(0));
      await fleet.pause();
      main.e.gcFinish();
      main.valid(`in pause ${i}`);
      fleet.resume();
    }
    await fleet.join();
    // A marker that gets no processor holds a cycle up.
    const least = roles.every((role) => role === "mutator") ? 5 : 0;
    expect(main.e.gcStat(0), "cycles").toBeGreaterThan(least);
    expect(main.e.gcStat(25), "cycles that were checked").toBeGreaterThan(least);
    expect(fleet.told.taken).toBeGreaterThan(0);
    expect(fleet.told.freed).toBeGreaterThan(0);
    main.e.setCollecting(0);
    for (let i = 0; i < 2; i++) {
      expect(main.e.gc()).toBe(1);
      world.flush(main);
    }
    main.valid("when nothing is left");
    expect([main.stats().heapAlloc, main.stats().heapInuse, main.e.gcStat(10)]).toEqual([0, 0, 0]);
    console.log(`${roles.join(" ")}: ${JSON.stringify({ ...fleet.told, cycles: main.e.gcStat(0) })}`);
  });
});
