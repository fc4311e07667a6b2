/**
 * The runner: who takes part in which round, what a time limit and a trap do; the driver alone; the view from inside.
 * Nothing here depends on how long anything takes.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule, floorModules, GOMALLOC_HOST } from "../../bench/lib/catalog.ts";
import { FLOOR, floor } from "../../bench/lib/floor.ts";
import { inspect, inspectionModules } from "../../bench/lib/inspect.ts";
import { type Contender, contender, LEAST_ROUNDS, runRounds } from "../../bench/lib/rounds.ts";
import { beginning, loadReplay, MICROS, type Micro } from "../../bench/lib/workloads.ts";

const NEVER = Number.POSITIVE_INFINITY;
const UNLIMITED = () => Number.POSITIVE_INFINITY;

function micro(name: string): Micro {
  return { ...MICROS.find((candidate) => candidate.name === name)!, slice: 100, calls: 3 };
}

async function open(name: string): Promise<Contender> {
  const allocator = ALLOCATORS.find((candidate) => candidate.name === name)!;
  return contender(allocator, (await benchModule(allocator, "timed"))!);
}

describe("rounds", () => {
  let dlmalloc: Contender;
  let tlsf: Contender;
  let segregated: Contender;
  beforeAll(async () => {
    [dlmalloc, tlsf, segregated] = [await open("dlmalloc"), await open("tlsf"), await open("segregated")];
  });

  it("interleaves, beginning with another one each time", async () => {
    const order: string[] = [];
    const outcomes = await runRounds(micro("larson"), [dlmalloc, tlsf, segregated], {
      rounds: 3,
      naiveRounds: 2,
      until: NEVER,
      budget: UNLIMITED,
      progress: (allocator, round) => order.push(`${round} ${allocator}`),
    });
    expect(order).toEqual([
      ...["0 dlmalloc", "0 tlsf", "0 segregated"],
      ...["1 tlsf", "1 segregated", "1 dlmalloc"],
      ...["2 dlmalloc", "2 tlsf"],
    ]);
    expect(outcomes.map(({ samples }) => samples.length)).toEqual([3, 3, 2]);
    for (const { samples } of outcomes) {
      expect(new Set(samples.map(({ checksum, operations }) => `${checksum} ${operations}`)).size).toBe(1);
      for (const sample of samples) expect(sample).toMatchObject({ complete: true, operations: 600 });
    }
  });

  it("replays a short trace until a million events are timed", async () => {
    const replay = beginning(await loadReplay("redis-mixed"), 300_000);
    const settings = { rounds: 1, naiveRounds: 1, until: NEVER, budget: UNLIMITED };
    const [outcome] = await runRounds(replay, [dlmalloc], settings);
    expect(outcome!.samples[0]).toMatchObject({ complete: true, operations: 4 * 300_000 });
    const [cut] = await runRounds(replay, [dlmalloc], { ...settings, budget: () => Number.MIN_VALUE });
    expect(cut!.samples[0]).toMatchObject({ complete: false, operations: 8192 });
  });

  it("times a cold workload from an empty heap, once", async () => {
    const cold = MICROS.find(({ name }) => name === "larson, cold")!;
    const settings = { rounds: 2, naiveRounds: 2, until: NEVER, budget: UNLIMITED };
    const [outcome] = await runRounds({ ...cold, slice: 100 }, [dlmalloc], settings);
    for (const sample of outcome!.samples) {
      expect(sample).toMatchObject({ complete: true, operations: 50_200 });
      expect(sample.nanoseconds).toBeGreaterThan(0);
      // 25 MiB are asked for in one call.
      expect(sample.footprint).toBeLessThan(30 << 20);
    }
    expect(outcome!.samples).toHaveLength(2);
  });

  it("does not repeat what the time limit ended", async () => {
    const [outcome] = await runRounds(micro("pairs 64 B"), [dlmalloc], {
      rounds: 3,
      naiveRounds: 3,
      until: NEVER,
      budget: () => -1,
    });
    expect(outcome!.samples).toHaveLength(1);
    expect(outcome!.samples[0]!.complete).toBe(false);
  });

  it("begins no further round when its time is over", async () => {
    const settings = { rounds: 9, naiveRounds: 9, until: Number.NEGATIVE_INFINITY, budget: UNLIMITED };
    const outcomes = await runRounds(micro("pairs 64 B"), [dlmalloc, tlsf], settings);
    expect(outcomes.map(({ samples }) => samples.length)).toEqual([LEAST_ROUNDS, LEAST_ROUNDS]);
  });

  it("keeps the trap of one that runs out of memory, and the others go on", async () => {
    const broke: Contender = {
      allocator: { name: "broke", kind: "naive", aligns: true },
      open: () => {
        throw new WebAssembly.RuntimeError("unreachable");
      },
    };
    const settings = { rounds: 2, naiveRounds: 2, until: NEVER, budget: UNLIMITED };
    const [lost, kept] = await runRounds(micro("pairs 64 B"), [broke, dlmalloc], settings);
    expect(lost).toMatchObject({ samples: [], error: "trap: unreachable" });
    expect(kept!.samples).toHaveLength(2);
  });

  it("gives the driver alone the same contents", async () => {
    const alone = floor(await floorModules());
    for (const workload of [micro("larson"), micro("vectors"), beginning(await loadReplay("redis-mixed"), 50_000)]) {
      const outcomes = await runRounds(workload, [dlmalloc, alone], {
        rounds: 2,
        naiveRounds: 2,
        until: NEVER,
        budget: UNLIMITED,
      });
      expect(outcomes[1]!.allocator).toBe(FLOOR);
      const sums = outcomes.flatMap(({ samples }) => samples.map(({ checksum }) => checksum));
      expect(sums).toHaveLength(4);
      expect(new Set(sums).size, workload.name).toBe(1);
    }
  });
});

describe("gomalloc from inside", () => {
  it("accounts for every byte at the peak of a trace", async () => {
    const modules = await inspectionModules((host) => benchModule(host, "timed"));
    if (!modules) throw new Error(`${GOMALLOC_HOST.about} has not been built (npm run build)`);
    const { module, bare } = modules();
    const replay = await loadReplay("redis-mixed");
    const found = inspect(module, bare, replay);
    expect(found.requested).toBe(replay.peak);
    expect(found.rounded).toBeGreaterThanOrEqual(found.requested);
    expect(found.obtained).toBeGreaterThanOrEqual(found.rounded);
    expect(found.internal).toBeCloseTo(1 - found.requested / found.rounded, 12);
    for (const share of [found.mcacheShare, found.tinyRequests, found.tinySaved, found.classWaste]) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(1);
    }
    expect(found.tinySavedOfAll).toBeCloseTo(found.tinyRequests * found.tinySaved, 12);
    for (const row of found.wasteful) expect(row.waste).toBeGreaterThan(0.125);
  });
});
