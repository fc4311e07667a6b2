/** The GC CPU limiter: Go's own sequence of checks with 14 processors, then any sequence against the bucket's law. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CAPACITY_PER_PROC_MS, CPULimiter, UPDATE_PERIOD_MS } from "../../src/gc/limiter.ts";
import { env, runs } from "../support/random.ts";

const PROCS = 14;

/** A limiter whose clock stands until it is told. */
function stand(procs = PROCS) {
  let now = 5000;
  const limiter = new CPULimiter({ clock: () => now, procs });
  return {
    limiter,
    pass(ms: number) {
      now += ms;
    },
    /** Lets time pass with the collector having `share` of it by assists alone, and counts it. */
    spend(ms: number, share: number) {
      limiter.addAssistTime(ms * share * procs);
      now += ms;
      limiter.update();
    },
    transition(enable: boolean, ms: number) {
      limiter.startTransition(enable);
      now += ms;
      limiter.finishTransition();
    },
  };
}

describe("CPULimiter", () => {
  it("holds a second per processor, and is empty at first", () => {
    const { limiter } = stand();
    expect(CAPACITY_PER_PROC_MS).toBe(1000);
    expect(limiter.capacity).toBe(PROCS * 1000);
    expect(limiter.fill).toBe(0);
    expect(limiter.limiting).toBe(false);
    expect(new CPULimiter({ clock: () => 0 }).capacity).toBe(1000);
    for (const procs of [0, -1, 1.5, 65537]) {
      expect(() => new CPULimiter({ clock: () => 0, procs })).toThrow(RangeError);
    }
  });

  it("stays empty while only the program runs", () => {
    const { limiter, spend } = stand();
    spend(UPDATE_PERIOD_MS, 0);
    expect(limiter.fill).toBe(0);
    spend(10 * CAPACITY_PER_PROC_MS, 0);
    expect(limiter.fill).toBe(0);
    expect(limiter.overflow).toBe(0);
  });

  it("wants an update only after more than the period", () => {
    const { limiter, pass } = stand();
    expect(limiter.needUpdate()).toBe(false);
    pass(UPDATE_PERIOD_MS);
    expect(limiter.needUpdate()).toBe(false);
    pass(1);
    expect(limiter.needUpdate()).toBe(true);
    limiter.update();
    expect(limiter.needUpdate()).toBe(false);
  });

  it("counts the time of a transition wholly as the collector's", () => {
    const { limiter, transition, pass } = stand();
    transition(true, 100);
    expect(limiter.fill).toBe(100 * PROCS);
    expect(limiter.needUpdate()).toBe(false);
    transition(false, 50);
    expect(limiter.fill).toBe(150 * PROCS);
    // Updates in the middle of one leave it to its end.
    limiter.startTransition(true);
    pass(20);
    limiter.update();
    expect(limiter.fill).toBe(150 * PROCS);
    limiter.finishTransition();
    expect(limiter.fill).toBe(170 * PROCS);
  });

  it("drains by half of the time while a cycle runs in the background, by all of it outside", () => {
    const { limiter, transition, spend } = stand();
    transition(true, 600);
    spend(400, 0);
    expect(limiter.fill).toBe(600 * PROCS - 200 * PROCS);
    transition(false, 0);
    spend(100, 0);
    expect(limiter.fill).toBe(300 * PROCS);
  });

  it("stands still at half and half, in a cycle and outside", () => {
    const { limiter, transition, spend } = stand();
    transition(true, 500);
    spend(300, 0.25);
    expect(limiter.fill).toBe(500 * PROCS);
    transition(false, 0);
    spend(300, 0.5);
    expect(limiter.fill).toBe(500 * PROCS);
  });

  it("is full after one capacity of nothing but collection: limiting from then on, no overflow", () => {
    const { limiter, transition, spend } = stand();
    transition(true, 0);
    spend(CAPACITY_PER_PROC_MS - 1, 0.75);
    expect(limiter.limiting).toBe(false);
    expect(limiter.fill).toBe(limiter.capacity - PROCS);
    spend(1, 0.75);
    expect(limiter.fill).toBe(limiter.capacity);
    expect(limiter.limiting).toBe(true);
    expect(limiter.overflow).toBe(0);
    // Half and half: nothing changes.
    spend(CAPACITY_PER_PROC_MS, 0.25);
    expect(limiter.limiting).toBe(true);
    expect(limiter.fill).toBe(limiter.capacity);
    // Background workers only: half of it drains.
    spend(CAPACITY_PER_PROC_MS, 0);
    expect(limiter.fill).toBe(limiter.capacity / 2);
    expect(limiter.limiting).toBe(false);
    // The other half, and half a capacity more.
    spend(CAPACITY_PER_PROC_MS, 0.75);
    expect(limiter.limiting).toBe(true);
    expect(limiter.overflow).toBe(limiter.capacity / 2);
    spend(10, 0.75);
    expect(limiter.limiting).toBe(true);
    expect(limiter.overflow).toBe(limiter.capacity / 2 + 10 * PROCS);
    // The least of draining ends it.
    transition(false, 0);
    spend(0.001, 0);
    expect(limiter.limiting).toBe(false);
  });

  it("is filled by a long enough stop of the world", () => {
    const { limiter, transition } = stand();
    transition(true, CAPACITY_PER_PROC_MS + 7);
    expect(limiter.limiting).toBe(true);
    expect(limiter.overflow).toBe(7 * PROCS);
  });

  it("counts idle time for nobody", () => {
    const { limiter, transition, spend } = stand();
    transition(true, 500);
    // A quarter for the workers, half idle, a quarter for the program.
    limiter.addIdleTime(200 * PROCS * 0.5);
    spend(200, 0);
    expect(limiter.fill).toBe(500 * PROCS);
  });

  it("follows the number of processors: capacity scales, what is too much is cut off", () => {
    const { limiter, transition } = stand();
    transition(true, CAPACITY_PER_PROC_MS / 2);
    const before = limiter.fill;
    limiter.setProcs(PROCS + 10);
    expect(limiter.capacity).toBe((PROCS + 10) * CAPACITY_PER_PROC_MS);
    expect(limiter.fill).toBe(before);
    limiter.setProcs(PROCS - 10);
    expect(limiter.capacity).toBe((PROCS - 10) * CAPACITY_PER_PROC_MS);
    expect(limiter.fill).toBe(limiter.capacity);
    expect(limiter.limiting).toBe(true);
    limiter.setProcs(PROCS);
    expect(limiter.fill).toBe((PROCS - 10) * CAPACITY_PER_PROC_MS);
    expect(limiter.limiting).toBe(false);
    expect(() => limiter.setProcs(0)).toThrow(RangeError);
    // The time before the change counts with the old number.
    const changed = stand();
    changed.pass(0);
    changed.limiter.addAssistTime(100 * PROCS);
    changed.pass(100);
    changed.limiter.setProcs(1);
    expect(changed.limiter.fill).toBe(CAPACITY_PER_PROC_MS);
  });

  it("refuses transitions that do not fit", () => {
    const { limiter } = stand();
    expect(() => limiter.startTransition(false)).toThrow(/ended already/);
    expect(() => limiter.finishTransition()).toThrow(/outside/);
    limiter.startTransition(true);
    expect(() => limiter.startTransition(false)).toThrow(/within/);
    limiter.finishTransition();
    expect(() => limiter.startTransition(true)).toThrow(/begun already/);
  });

  it("ignores a clock that goes back", () => {
    const { limiter, pass } = stand();
    limiter.addAssistTime(100 * PROCS);
    pass(-50);
    limiter.update();
    expect(limiter.fill).toBe(0);
    pass(150);
    limiter.update();
    expect(limiter.fill).toBe(100 * PROCS);
  });

  it("is the bucket of all steps, whatever they are, and limits only when full", () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 3000 }),
      share: fc.constantFrom(0, 0.25, 0.5, 0.75),
      idle: fc.constantFrom(0, 0, 0.125),
      toggle: fc.boolean(),
    });
    const seed = env("GOMALLOC_SEED", Number.NaN);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 64 }), (steps, procs) => {
        const { limiter, spend, transition } = stand(procs);
        let [fill, overflow, running, full] = [0, 0, false, false];
        const take = (change: number) => {
          if (change === 0) return;
          const next = fill + change;
          full = next >= limiter.capacity;
          overflow += Math.max(next - limiter.capacity, 0);
          fill = Math.min(Math.max(next, 0), limiter.capacity);
        };
        for (const { ms, share, idle, toggle } of steps) {
          const total = ms * procs;
          if (toggle) {
            running = !running;
            transition(running, ms);
            take(total);
          } else {
            limiter.addIdleTime(total * idle);
            spend(ms, share);
            const gc = total * (share + (running ? 0.25 : 0));
            take(gc - (total - total * idle - gc));
          }
          expect(limiter.fill).toBe(fill);
          expect(limiter.overflow).toBe(overflow);
          expect(limiter.limiting).toBe(full);
          if (limiter.limiting) expect(limiter.fill).toBe(limiter.capacity);
        }
      }),
      { numRuns: runs(300), ...(Number.isNaN(seed) ? {} : { seed }) },
    );
  });
});
