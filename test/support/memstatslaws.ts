/** What holds between the figures of a heap's statistics, whichever kind of heap it is. */
import { expect } from "vitest";
import { MEMSTATS_VERSION, type MemStats, SIZE_CLASSES } from "../../src/index.ts";

/** Every law of MemStats, Go's among them. */
export function expectLawful(stats: MemStats): void {
  expect(stats.version).toBe(MEMSTATS_VERSION);
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value === "number" && name !== "gcPercent") expect(value, name).toBeGreaterThanOrEqual(0);
  }
  const { heapSys, stackSys, mspanSys, mcacheSys, buckHashSys, gcSys, otherSys } = stats;
  expect(stats.sys).toBe(heapSys + stackSys + mspanSys + mcacheSys + buckHashSys + gcSys + otherSys);
  expect(heapSys).toBe(stats.heapInuse + stats.heapIdle);
  expect(stackSys).toBe(stats.stackInuse);
  expect(stats.mspanInuse).toBeLessThanOrEqual(mspanSys);
  expect(stats.mcacheInuse).toBeLessThanOrEqual(mcacheSys);
  expect(stats.heapReleased).toBeLessThanOrEqual(stats.heapIdle);
  expect(stats.heapAlloc).toBeLessThanOrEqual(stats.heapInuse);
  expect(stats.heapRetained).toBeLessThanOrEqual(stats.heapInuse);
  expect(stats.alloc).toBe(stats.heapAlloc);
  expect([stats.lookups, stats.debugGC]).toEqual([0, false]);
  expect(stats.heapObjects).toBe(stats.mallocs - stats.frees);
  // By class
  expect(stats.bySize.map(({ size }) => size)).toEqual(SIZE_CLASSES.map(({ size }) => size));
  const sum = (of: (row: MemStats["bySize"][number]) => number) => stats.bySize.reduce((n, row) => n + of(row), 0);
  const slots = sum((row) => row.mallocs);
  expect(slots + stats.largeMallocs + stats.tinyAllocs).toBe(stats.mallocs);
  expect(sum((row) => row.frees) + stats.largeFrees + stats.tinyAllocs).toBe(stats.frees);
  // A fitted class has smaller slots than the class that counts them.
  const atMost = sum((row) => row.size * (row.mallocs - row.frees)) + stats.largeLiveBytes;
  expect(stats.heapAlloc + stats.stackInuse).toBeLessThanOrEqual(atMost);
  // By stage
  const { stages } = stats;
  expect(stages.mcache.hits + stages.mcache.misses).toBe(slots);
  expect(stages.span.hits + stages.span.misses).toBe(stages.mcache.misses);
  expect(stages.mcentral.hits + stages.mcentral.misses).toBe(stages.span.misses);
  for (const [name, stage] of Object.entries(stages)) {
    expect(Math.min(stage.hits, stage.misses), name).toBeGreaterThanOrEqual(0);
  }
}
