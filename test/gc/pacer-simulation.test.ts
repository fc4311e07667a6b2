/**
 * The pacer in Go's closed-form simulations: each scenario of its pacer test, with the same inputs and the same bounds.
 * Scenarios with noise run for a number of seeds, which a failure names; GOMALLOC_SEED adds one.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { env, random } from "../support/random.ts";
import { buildPacer, MIB, Pacing } from "./support/pacer.ts";
import {
  type Cycle,
  constant,
  delay,
  goalRatio,
  jitter,
  LIMIT,
  LIMIT_GOAL,
  oscillate,
  ramp,
  runway,
  type Scenario,
  simulate,
  sum,
  triggerRatio,
  unit,
} from "./support/pacersim.ts";

const GOAL_UTILIZATION = 0.25;
const SETTLED = 0.005;
const GOGC_OFF = -1;

let module: WebAssembly.Module;
beforeAll(async () => {
  module = await buildPacer();
});

type Check = (n: number, last: Cycle, before: Cycle, cycles: readonly Cycle[]) => void;

/** Simulates, calling `check` after each cycle with its number from 1 on. */
function run(scenario: Scenario, check: Check): void {
  let seen = 0;
  simulate(new Pacing(module), scenario, (cycles) => {
    const n = cycles.length;
    const last = cycles[n - 1]!;
    inRange(last.utilization, 0, 1, "utilization", n);
    check(n, last, cycles[n - 2] ?? last, cycles);
    seen = n;
  });
  expect(seen).toBe(scenario.length ?? 50);
}

function inRange(value: number, low: number, high: number, what: string, n: number): void {
  expect(value, `${what} of cycle ${n}`).toBeGreaterThanOrEqual(low);
  expect(value, `${what} of cycle ${n}`).toBeLessThanOrEqual(high);
}
function near(value: number, wanted: number, epsilon: number, what: string, n: number): void {
  inRange(value, wanted - epsilon, wanted + epsilon, what, n);
}

const atGoalUtilization = (n: number, c: Cycle) => near(c.utilization, GOAL_UTILIZATION, 0.005, "utilization", n);
const settled = (n: number, c: Cycle, before: Cycle) =>
  near(c.utilization, before.utilization, SETTLED, "utilization", n);
const goalBetween = (n: number, c: Cycle, low: number, high: number) =>
  inRange(goalRatio(c), low, high, "peak/goal", n);

const steady: Check = (n, last, before) => {
  if (n < 25) return;
  atGoalUtilization(n, last);
  settled(n, last, before);
  goalBetween(n, last, 0.95, 1.05);
};
const settledTwice: Check = (n, last, before) => {
  if (n < 25 || (n >= 50 && n < 75)) return;
  settled(n, last, before);
  goalBetween(n, last, 0.95, 1.05);
};

/** 1 to 1 after a growth from `from` that falls over the first `over` cycles. */
const growth = (from: number, over = 12) => sum(constant(from), ramp(1 - from, over));
const a33 = constant(33);

describe("without a memory limit", () => {
  it("Steady", () => run({ allocRate: a33 }, steady));

  it("SteadyBigStacks", () =>
    run({ allocRate: constant(132), stack: sum(constant(2048), ramp(128 * MIB, 8)) }, steady));

  it("SteadyBigGlobals", () => run({ allocRate: constant(132), globals: 128 * MIB }, steady));

  it("StepAlloc", () => run({ length: 100, allocRate: sum(a33, delay(50, ramp(66, 1))) }, settledTwice));

  it("HeavyStepAlloc", () => run({ length: 100, allocRate: sum(a33, delay(50, ramp(330, 1))) }, settledTwice));

  it("StepScannableFrac", () =>
    run({ length: 100, allocRate: constant(128), scannable: sum(constant(0.2), delay(50, unit(0.5))) }, settledTwice));

  it("OscAlloc", () =>
    run({ allocRate: sum(oscillate(13, 0, 8), constant(67)) }, (n, last) => {
      if (n <= 12) return;
      goalBetween(n, last, 0.95, 1.05);
      inRange(last.utilization, 0.25, 0.3, "utilization", n);
    }));

  const slow: Scenario = { allocRate: constant(1), scanRate: constant(2048), scannable: constant(0.01) };
  const slowAfter =
    (first: number): Check =>
    (n, last) => {
      if (n > first) {
        goalBetween(n, last, 0.925, 1.025);
        inRange(triggerRatio(last), 0.925, 0.975, "trigger ratio", n);
      }
      if (n > 25) atGoalUtilization(n, last);
    };

  it("SmallHeapSlowAlloc", () => run({ ...slow, growthRate: growth(2, 3) }, slowAfter(4)));

  it("MediumHeapSlowAlloc", () => run({ ...slow, growthRate: growth(2, 8) }, slowAfter(9)));

  it("LargeHeapSlowAlloc", () =>
    run({ ...slow, growthRate: growth(4) }, (n, last) => {
      if (n <= 13) return;
      goalBetween(n, last, 0.95, 1.05);
      near(runway(last), 4 * MIB, 64 << 10, "runway", n);
    }));
});

describe.each([1, 2, 3, 0x53, 0x152, 20260101, env("GOMALLOC_SEED", 4)])("with noise, seed %i", (seed) => {
  it("HighGOGC", () => {
    const r = random(seed);
    const spiked = sum(growth(2), jitter(0.01, r), delay(25, unit(14)));
    run({ gcPercent: 1500, allocRate: sum(jitter(7, r), constant(165)), growthRate: spiked }, (n, last, before) => {
      if (n <= 12) return;
      goalBetween(n, last, 0.9, n === 26 ? 15 : 1.05);
      near(last.utilization, GOAL_UTILIZATION, GOAL_UTILIZATION + 0.03, "utilization", n);
      near(last.utilization, before.utilization, 0.03, "utilization", n);
    });
  });

  it("JitterAlloc", () => {
    const r = random(seed);
    const noisy = { allocRate: sum(jitter(13, r), constant(132)), growthRate: sum(growth(2), jitter(0.01, r)) };
    run(noisy, (n, last) => {
      if (n <= 12) return;
      goalBetween(n, last, 0.95, 1.025);
      inRange(last.utilization, 0.25, 0.275, "utilization", n);
    });
  });

  it("HeavyJitterAlloc", () => {
    const r = random(seed);
    const noisy = { allocRate: sum(jitter(33, r), constant(330)), growthRate: sum(growth(2), jitter(0.01, r)) };
    run(noisy, (n, last, before, cycles) => {
      if (n <= 13) return;
      goalBetween(n, last, 0.95, 1.05);
      near(last.utilization, before.utilization, 0.05, "utilization", n);
      near(last.utilization, cycles[11]!.utilization, 0.05, "utilization against cycle 12", n);
    });
  });
});

describe("under a memory limit of 512 MiB", () => {
  const limited = { memoryLimit: LIMIT, allocRate: a33 };
  const off = { ...limited, gcPercent: GOGC_OFF };
  const goalIsLimit = (n: number, c: Cycle) => expect(c.goal, `goal of cycle ${n}`).toBe(LIMIT_GOAL);
  const goalIsMarked = (n: number, c: Cycle) => expect(c.goal, `goal of cycle ${n}`).toBe(c.live);

  it("leaves 520,764,785 bytes", () => {
    expect(LIMIT_GOAL).toBe(520_764_785);
  });

  it("SteadyMemoryLimit", () =>
    run(limited, (n, last, before, cycles) => {
      expect(last.peak, `peak of cycle ${n}`).toBeLessThan(LIMIT_GOAL);
      steady(n, last, before, cycles);
    }));

  it("SteadyMemoryLimitNoGCPercent", () =>
    run(off, (n, last, before, cycles) => {
      goalIsLimit(n, last);
      steady(n, last, before, cycles);
    }));

  /** More is alive than fits: collects all the time, to no avail. */
  const exceeding: Check = (n, last, before) => {
    if (n > 12) goalIsMarked(n, last);
    if (n < 25) return;
    near(last.utilization, 1, 0.005, "utilization", n);
    settled(n, last, before);
  };

  it("ExceedMemoryLimit", () => run({ ...limited, growthRate: growth(3.5) }, exceeding));

  it("ExceedMemoryLimitNoGCPercent", () =>
    run({ ...off, growthRate: growth(3.5) }, (n, last, before, cycles) => {
      if (n < 10) goalIsLimit(n, last);
      exceeding(n, last, before, cycles);
    }));

  it("MaintainMemoryLimit", () =>
    run({ ...limited, growthRate: growth(3) }, (n, last, before, cycles) => {
      if (n > 12) goalIsLimit(n, last);
      steady(n, last, before, cycles);
    }));

  it("MaintainMemoryLimitNoGCPercent", () =>
    run({ ...off, growthRate: growth(3) }, (n, last, before, cycles) => {
      goalIsLimit(n, last);
      steady(n, last, before, cycles);
    }));
});
