/**
 * A program and its collector as two rates, for tests of the pacer: no heap, no clock, closed formulas.
 *
 * Per cycle: what will be found alive is given; the mark goes on in periods of 500 us, during which the processors are
 * shared as the assist ratio r demands. With u their share of marking, a the bytes allocated and s the bytes scanned per
 * unit of time, r = s*u / (a*(1 - u)), so u = r*a / (r*a + s); background workers make it a quarter at least.
 */
import type { Random } from "../../support/random.ts";
import { MIB, type Pacing } from "./pacer.ts";

/** A value per cycle, counted from 0. */
export type Stream = (cycle: number) => number;

export const constant =
  (c: number): Stream =>
  () =>
    c;
/** 0 at first, `height` from cycle `length` on, a line between. */
export const ramp =
  (height: number, length: number): Stream =>
  (i) =>
    (height * Math.min(i, length)) / length;
export const oscillate =
  (amplitude: number, phase: number, period: number): Stream =>
  (i) =>
    amplitude * Math.sin(((i % period) / period) * 2 * Math.PI + phase);
/** `height` in the first cycle, then 0. */
export const unit =
  (height: number): Stream =>
  (i) =>
    i === 0 ? height : 0;
/** 0 for `n` cycles, then `s` from its beginning. */
export const delay =
  (n: number, s: Stream): Stream =>
  (i) =>
    i < n ? 0 : s(i - n);
export const sum =
  (...streams: Stream[]): Stream =>
  (i) =>
    streams.reduce((total, s) => total + s(i), 0);
/** Uniform in -amplitude..amplitude; to be asked once per cycle. */
export const jitter =
  (amplitude: number, random: Random): Stream =>
  () =>
    amplitude * ((random() / 2 ** 32) * 2 - 1);

export interface Scenario {
  gcPercent?: number;
  /** Bytes. */
  memoryLimit?: number;
  globals?: number;
  cores?: number;
  length?: number;
  /** KiB per millisecond of one processor. */
  allocRate: Stream;
  scanRate?: Stream;
  /** What is alive at the end of a cycle, over what was alive at its begin. */
  growthRate?: Stream;
  scannable?: Stream;
  /** Bytes, rounded down to 2048. */
  stack?: Stream;
}

/** What one cycle did. Bytes. */
export interface Cycle {
  live: number;
  trigger: number;
  peak: number;
  goal: number;
  utilization: number;
}

export const goalRatio = (c: Cycle) => c.peak / c.goal;
export const runway = (c: Cycle) => c.goal - c.trigger;
export const triggerRatio = (c: Cycle) => (c.trigger - c.live) / (c.goal - c.live);

const BACKGROUND = 0.25;
const INITIAL_HEAP = 256 << 10;
/** Nanoseconds of a period, and KiB per millisecond in bytes per period. */
const PERIOD = 500_000;
const RATE = 512;

const DEFAULTS = {
  gcPercent: 100,
  globals: 32 << 10,
  cores: 8,
  length: 50,
  scanRate: constant(1024),
  growthRate: sum(constant(2), ramp(-1, 12)),
  scannable: constant(1),
  stack: constant(8192),
};

/** Runs a scenario; `check` sees each cycle before it is ended, with those before it. */
export function simulate(p: Pacing, scenario: Scenario, check: (cycles: readonly Cycle[]) => void): void {
  const { globals, cores, length, gcPercent, ...streams } = { ...DEFAULTS, ...scenario };
  p.e.setGCPercent(p.at, gcPercent);
  if (scenario.memoryLimit !== undefined) p.e.setMemoryLimit(p.at, BigInt(scenario.memoryLimit));
  p.commit();

  const cycles: Cycle[] = [];
  let blackBefore = 0;
  for (let i = 0; i < length; i++) {
    const allocRate = streams.allocRate(i);
    const scanRate = streams.scanRate(i);
    const growth = streams.growthRate(i);
    const scannable = streams.scannable(i);
    const stack = Math.floor(streams.stack(i) / 2048) * 2048;

    p.set("maxStackScan", stack);
    p.set("globalsScan", globals);
    p.startAtTrigger(scannable);

    const marked = p.get("heapMarked");
    const alive = i === 0 ? INITIAL_HEAP : Math.trunc((marked - blackBefore) * growth);
    const left = { globalsScanWork: globals, stackScanWork: stack, heapScanWork: Math.trunc(alive * scannable) };
    const names = ["globalsScanWork", "stackScanWork", "heapScanWork"] as const;
    let assistTime = 0;
    let duration = 0;
    let black = 0;
    while (names.some((name) => left[name] > 0)) {
      const ratio = p.get("assistWorkPerByte");
      const u = Math.max((ratio * allocRate) / (ratio * allocRate + scanRate), BACKGROUND);
      const scan = Math.trunc(scanRate * RATE * cores * u);
      let allocated = Math.trunc(allocRate * RATE * cores * (1 - u));
      let elapsed = PERIOD;
      let scanned = 0;
      for (const name of names) {
        const part = Math.min(left[name], scan - scanned);
        left[name] -= part;
        scanned += part;
        p.add(name, part);
      }
      if (scanned < scan) {
        // The mark ended within this period.
        elapsed = Math.trunc((scanned * PERIOD) / (scanRate * RATE * cores * u));
        allocated = Math.trunc(((allocRate * RATE * elapsed) / PERIOD) * cores * (1 - u));
      }
      p.add("heapLive", allocated);
      p.add("heapScan", Math.trunc(allocated * scannable));
      p.e.revise(p.at);
      assistTime += Math.trunc(elapsed * cores * (u - BACKGROUND));
      duration += elapsed;
      black += allocated;
    }

    cycles.push({
      live: marked,
      trigger: p.get("triggered"),
      peak: p.get("heapLive"),
      goal: p.get("goal"),
      utilization: assistTime / (duration * cores) + BACKGROUND,
    });
    check(cycles);
    p.e.endCycle(p.at, assistTime, 0, duration, cores);
    p.e.resetLive(p.at, BigInt(alive + black));
    p.commit(false);
    blackBefore = black;
  }
}

/** The heap goal that a limit of 512 MiB leaves when there is nothing but the heap: 3 % of headroom. */
export const LIMIT = 512 * MIB;
export const LIMIT_GOAL = LIMIT - 3 * Math.floor(LIMIT / 100);
