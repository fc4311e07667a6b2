/**
 * The pacer's laws over random states: goal and trigger against Go's formulas in unbounded integers, the order of
 * trigger and goal for every setting, the assist ratio, the sweep, and what the rule without a clock promises.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { env, random, runs } from "../support/random.ts";
import { buildPacer, FIELDS, MIB, NONE, Pacing, pacerSource } from "./support/pacer.ts";
import { runProgram } from "./support/pacerprogram.ts";

const seed = env("GOMALLOC_SEED", Number.NaN);
const options = (n: number) => ({ numRuns: runs(n), ...(Number.isNaN(seed) ? {} : { seed }) });

let module: WebAssembly.Module;
beforeAll(async () => {
  module = await buildPacer();
});

/** Bytes of all magnitudes up to 2^bits. */
const bytes = (bits: number) =>
  fc
    .tuple(fc.integer({ min: 0, max: bits }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([bit, x]) => Math.floor(2 ** bit * x));
const bytesTo4G = bytes(32);
const gogc = fc.oneof(fc.constantFrom(-1, 0, 1, 100, 2147483647), fc.integer({ min: 1, max: 1000 }));

interface State {
  percent: number;
  base: number;
  limit: number | undefined;
  marked: number;
  /** Allocated since. */
  fresh: number;
  heapScan: number;
  stack: number;
  globals: number;
  consMark: number;
  sweepDone: boolean;
  ready: number;
  free: number;
}
const state = fc.record<State>({
  percent: gogc,
  base: fc.oneof(fc.constant(4 * MIB), bytes(37)),
  limit: fc.option(bytes(33), { nil: undefined }),
  marked: bytesTo4G,
  fresh: bytesTo4G,
  heapScan: fc.double({ min: 0, max: 1, noNaN: true }),
  stack: bytes(30),
  globals: bytes(30),
  consMark: fc.oneof(fc.constantFrom(0, 1 / 12, 1e300), fc.double({ min: 0, max: 100, noNaN: true })),
  sweepDone: fc.boolean(),
  ready: bytes(33),
  free: bytesTo4G,
});

/** A pacer in a cycle that began half of the way from 8 MiB to the goal: two bytes of work for each one allocated. */
function halfWay(): Pacing {
  const p = new Pacing(module);
  for (const name of ["heapScan", "lastHeapScan", "heapMarked"]) p.set(name, 8 * MIB);
  p.set("heapLive", 12 * MIB);
  p.commit();
  p.e.startCycle(p.at);
  expect(p.get("assistWorkPerByte")).toBe(2);
  return p;
}

/** A pacer right after the commit of such a state. */
function stand(s: State): Pacing {
  const p = new Pacing(module);
  p.e.setGCPercent(p.at, s.percent);
  p.e.setHeapMinimum(p.at, BigInt(s.base));
  if (s.limit !== undefined) p.e.setMemoryLimit(p.at, BigInt(s.limit));
  for (const name of ["lastStackScan", "maxStackScan"]) p.set(name, s.stack);
  p.set("globalsScan", s.globals);
  p.set("heapMarked", s.marked);
  p.set("heapLive", s.marked + s.fresh);
  p.set("lastHeapScan", Math.floor(s.marked * s.heapScan));
  p.set("heapScan", Math.floor(s.marked * s.heapScan) + s.fresh);
  p.set("consMark", s.consMark);
  const [ready, free, live] = [s.ready, s.free, s.marked + s.fresh].map(BigInt) as [bigint, bigint, bigint];
  p.e.commit(p.at, Number(s.sweepDone), ready, free, live, 0n, 0n);
  return p;
}

const most = (...values: bigint[]) => values.reduce((a, b) => (a > b ? a : b));

/** goal, minTrigger, maxTrigger, trigger by Go's rules, in integers of any size. */
function goTargets(s: State, runway: bigint): [bigint, bigint, bigint, bigint] {
  const mib = BigInt(MIB);
  const [marked, stack, globals] = [s.marked, s.stack, s.globals].map(BigInt) as [bigint, bigint, bigint];
  const live = BigInt(s.marked + s.fresh);
  const percent = BigInt(s.percent);
  let goal =
    s.percent < 0 ? NONE : most(marked + ((marked + stack + globals) * percent) / 100n, (4n * mib * percent) / 100n);
  let least = 0n;
  let byLimit = NONE;
  if (s.limit !== undefined) {
    const [limit, ready] = [BigInt(s.limit), BigInt(s.ready)];
    const heap = BigInt(s.free) + live;
    const nonHeap = ready > heap ? ready - heap : 0n;
    const over = ready > limit ? ready - limit : 0n;
    if (nonHeap + over >= limit) byLimit = marked;
    else {
      byLimit = limit - nonHeap - over;
      const headroom = most((byLimit / 100n) * 3n, mib);
      byLimit = byLimit < headroom || byLimit - headroom < headroom ? headroom : byLimit - headroom;
      byLimit = most(byLimit, marked);
    }
  }
  if (byLimit < goal) goal = byLimit;
  else {
    least = s.sweepDone ? 0n : live + mib;
    goal = most(goal, least);
  }
  if (marked >= goal) return [goal, goal, goal, goal];
  const step = (goal - marked) / 64n;
  least = most(least, marked, marked + step * 45n);
  let last = marked + step * 61n;
  if (goal > 4n * mib) last = most(last, goal - 4n * mib);
  last = most(last, least);
  let trigger = runway > goal ? least : goal - runway;
  if (trigger < least) trigger = least;
  if (trigger > last) trigger = last;
  return [goal, least, last, trigger];
}

describe("the record", () => {
  it("has the size and the offsets that its comment says", () => {
    const p = new Pacing(module);
    const { offset, type } = [...FIELDS.values()].at(-1)!;
    expect(type).toBe("u32");
    expect(p.e.recordSize()).toBe(offset + 4);
    expect(p.e.declaredSize()).toBe(p.e.recordSize());
    expect(p.e.recordSize()).toBeLessThanOrEqual(384);
    const comment = /\* (\d+) bytes, 8-aligned\.([^/]*)\*\//.exec(pacerSource)!;
    expect(Number(comment[1])).toBe(p.e.recordSize());
    const told = [...comment[2]!.matchAll(/(\d+) ([a-z]\w+)(?:\[4\])?(?: [iu]32)?(?= \||\n)/g)];
    expect(told.length).toBe(FIELDS.size - 3);
    for (const [, at, name] of told) {
      const field = FIELDS.get(name!) ?? FIELDS.get(`${name}0`);
      expect(field?.offset, name).toBe(Number(at));
    }
  });

  it("begins as Go's: GOGC 100, no limit, a goal of 4 MiB, no cycle", () => {
    const p = new Pacing(module);
    expect(p.get("gcPercent")).toBe(100);
    expect(p.word("memoryLimit")).toBe(NONE);
    expect(p.word("triggered")).toBe(NONE);
    expect(p.get("goal")).toBe(4 * MIB);
    expect(p.get("trigger")).toBe((4 * MIB * 61) / 64);
    expect(p.e.shouldStart(p.at)).toBe(0);
    for (const name of ["heapLive", "heapScan", "assistBytes", "sweepPagesPerByte", "consMark"]) {
      expect(p.get(name), name).toBe(0);
    }
  });

  it("gives the old value of every setting back", () => {
    const p = new Pacing(module);
    expect(p.e.setGCPercent(p.at, -7)).toBe(100);
    expect(p.e.setGCPercent(p.at, 50)).toBe(-1);
    expect(BigInt.asUintN(64, p.e.setMemoryLimit(p.at, 5n))).toBe(NONE);
    expect(p.e.setMemoryLimit(p.at, NONE)).toBe(5n);
    expect(p.e.setHeapMinimum(p.at, 65536n)).toBe(BigInt(4 * MIB));
    expect(p.get("heapMinimum")).toBe(32768);
    expect(p.e.setWorkRatio(p.at, 2)).toBe(4);
    for (const bad of [0, -1, Number.NaN]) expect(p.e.setWorkRatio(p.at, bad)).toBe(2);
    expect(p.get("workRatio")).toBe(2);
  });
});

describe("goal and trigger", () => {
  it("are Go's with Go's minimum, GOGC of 100 or more or off, a limit of 8 MiB or more", () => {
    const like = state
      .filter((s) => s.percent < 0 || s.percent >= 100)
      .map((s) => ({ ...s, base: 4 * MIB, limit: s.limit === undefined ? undefined : s.limit + 8 * MIB }));
    fc.assert(
      fc.property(like, (s) => {
        const p = stand(s);
        const found = ["goal", "minTrigger", "maxTrigger", "trigger"].map((name) => p.word(name));
        expect(found).toEqual(goTargets(s, p.word("runway")));
      }),
      options(1500),
    );
  });

  it("stand in order: heapMarked <= minTrigger <= trigger <= maxTrigger <= goal", () => {
    fc.assert(
      fc.property(state, bytes(33), bytes(33), (s, ready, free) => {
        const p = stand(s);
        const check = () => {
          const order = ["heapMarked", "minTrigger", "trigger", "maxTrigger", "goal"].map((name) => p.word(name));
          for (let i = 1; i < order.length; i++) expect(order[i]! >= order[i - 1]!, `${order}`).toBe(true);
        };
        check();
        p.e.noteMemory(p.at, BigInt(ready), BigInt(free), BigInt(s.marked));
        check();
      }),
      options(1500),
    );
  });

  it("are never above a memory limit that leaves room, however small, but for the slack of an unfinished sweep", () => {
    fc.assert(
      fc.property(state, fc.integer({ min: 0, max: 33 }), (s, bit) => {
        const limit = 2 ** bit;
        const marked = Math.min(s.marked, Math.floor(limit / 2));
        // All that the program has is its heap.
        const p = stand({ ...s, limit, marked, fresh: 0, ready: marked, free: 0 });
        expect(p.get("goal")).toBeLessThanOrEqual(Math.max(limit, p.get("sweepTrigger")));
      }),
      options(1000),
    );
  });

  it("follow the memory: more of it beside the heap lowers the goal, without a limit nothing moves", () => {
    const p = new Pacing(module);
    p.e.noteMemory(p.at, BigInt(900 * MIB), 0n, 0n);
    expect(p.get("goal")).toBe(4 * MIB);
    p.e.setGCPercent(p.at, -1);
    p.e.setMemoryLimit(p.at, BigInt(100 * MIB));
    p.commit();
    const withHeadroom = (room: number) => room - 3 * Math.floor(room / 100);
    expect(p.get("goal")).toBe(withHeadroom(100 * MIB));
    p.e.noteMemory(p.at, BigInt(50 * MIB), BigInt(10 * MIB), BigInt(20 * MIB));
    expect(p.get("goal")).toBe(withHeadroom(80 * MIB));
    // Beyond the limit the excess counts twice: it has to go, too.
    p.e.noteMemory(p.at, BigInt(110 * MIB), BigInt(70 * MIB), BigInt(20 * MIB));
    expect(p.get("goal")).toBe(withHeadroom(70 * MIB));
  });

  it("an unfinished sweep holds the next cycle off until its slack is over", () => {
    const p = new Pacing(module);
    p.e.resetLive(p.at, BigInt(100 * MIB));
    p.e.setGCPercent(p.at, 0);
    p.commit(false);
    const slack = p.get("sweepSlack");
    expect(slack).toBe(65536);
    expect(p.get("trigger")).toBe(100 * MIB + slack);
    p.commit(true);
    expect(p.get("trigger")).toBe(100 * MIB);
  });

  it("that slack is a quarter of the minimum's base, 1 MiB at most, and much less below GOGC 100", () => {
    const p = new Pacing(module);
    const slack = (base: number, percent: number) => {
      p.e.setHeapMinimum(p.at, BigInt(base));
      p.e.setGCPercent(p.at, percent);
      return p.get("sweepSlack");
    };
    expect(slack(4 * MIB, 100)).toBe(MIB);
    expect(slack(4 * MIB, 400)).toBe(MIB);
    expect(slack(4 * MIB, -1)).toBe(MIB);
    expect(slack(64 * MIB, 100)).toBe(MIB);
    expect(slack(65536, 100)).toBe(16384);
    expect(slack(4 * MIB, 50)).toBe(MIB / 4);
    expect(slack(65536, 1)).toBe(1024);
  });

  it("scale down to a heap of one wasm page", () => {
    const p = new Pacing(module);
    p.e.setHeapMinimum(p.at, 16384n);
    p.e.resetLive(p.at, 3000n);
    p.commit(false);
    expect(p.get("goal")).toBe(16384);
    expect(p.get("minTrigger")).toBeLessThan(14000);
    p.set("heapLive", 15000);
    p.e.startCycle(p.at);
    expect(p.get("goal")).toBe(16384);
    expect(p.e.assistWork(p.at, 8n)).toBe(1024n);
  });
});

describe("the assist ratio", () => {
  const work = fc.tuple(bytesTo4G, bytes(30), bytes(30), bytesTo4G);

  it("is positive and finite in every state of a cycle, and credit is never a debt", () => {
    fc.assert(
      fc.property(state, work, bytesTo4G, (s, [heap, stack, globals, allocated], debt) => {
        const p = stand(s);
        p.e.startCycle(p.at);
        expect(p.word("triggered")).toBe(p.word("heapLive"));
        p.set("heapScanWork", heap);
        p.set("stackScanWork", stack);
        p.set("globalsScanWork", globals);
        p.add("heapLive", allocated);
        p.e.revise(p.at);
        const [perByte, perWork] = [p.get("assistWorkPerByte"), p.get("assistBytesPerWork")];
        for (const ratio of [perByte, perWork]) {
          expect(Number.isFinite(ratio) && ratio > 0, `${ratio}`).toBe(true);
        }
        expect(Math.abs(perByte * perWork - 1)).toBeLessThan(1e-9);
        const wanted = Number(p.e.assistWork(p.at, BigInt(debt)));
        expect(wanted).toBeGreaterThanOrEqual(1024);
        expect(wanted).toBeLessThanOrEqual(Math.max(65536, p.get("remainingWork")));
        const credit = Number(p.e.assistCredit(p.at, BigInt(wanted)));
        expect(credit).toBeGreaterThanOrEqual(1);
        expect(credit).toBeLessThanOrEqual(p.get("remainingHeap") + 1);
      }),
      options(1500),
    );
  });

  it("spreads the expected work over the way to the goal", () => {
    const p = halfWay();
    expect(p.e.assistWork(p.at, BigInt(100_000))).toBe(200_000n);
    expect(p.e.assistWork(p.at, 10n)).toBe(65536n);
    expect(p.e.assistCredit(p.at, 65536n)).toBe(32769n);
    // Half of the way, all of the work: what follows is the least that is ever asked.
    p.add("heapLive", 2 * MIB);
    p.set("heapScanWork", 8 * MIB);
    p.e.revise(p.at);
    expect(p.get("assistWorkPerByte")).toBe(1000 / (2 * MIB));
  });

  it("keeps its pace when more is alive than last time, and has a hard goal", () => {
    const p = new Pacing(module);
    p.set("lastHeapScan", 4 * MIB);
    p.set("heapMarked", 8 * MIB);
    p.set("heapLive", 14 * MIB);
    p.set("heapScan", 10 * MIB);
    p.commit();
    p.e.startCycle(p.at);
    expect(p.get("assistWorkPerByte")).toBe(2);
    p.set("heapLive", 16 * MIB);
    p.set("heapScanWork", 4 * MIB + 1);
    p.e.revise(p.at);
    expect(p.get("assistWorkPerByte")).toBeCloseTo(2, 5);
    expect(p.get("remainingHeap")).toBe(3 * MIB);
    // 4 MiB were expected and 400 may come: not beyond twice the goal.
    p.set("heapScan", 400 * MIB);
    p.e.revise(p.at);
    expect(p.get("remainingHeap")).toBe(16 * MIB);
    // Beyond the goal with the work undone: a tenth of the goal is all there is.
    p.set("heapScan", 10 * MIB);
    p.set("heapScanWork", 3 * MIB);
    p.set("heapLive", 17 * MIB);
    p.e.revise(p.at);
    expect(p.get("remainingHeap")).toBeCloseTo(0.6 * MIB, 0);
    expect(p.get("remainingWork")).toBe(7 * MIB);
  });

  it("is made anew by a commit in the middle of a cycle", () => {
    const p = halfWay();
    p.e.setGCPercent(p.at, 150);
    p.commit();
    expect(p.get("goal")).toBe(20 * MIB);
    expect(p.get("assistWorkPerByte")).toBe(1);
    p.e.setMemoryLimit(p.at, BigInt(200 * MIB));
    p.e.noteMemory(p.at, BigInt(186 * MIB), 0n, 0n);
    expect(p.get("goal")).toBeLessThan(14 * MIB);
    expect(p.get("assistWorkPerByte")).toBeGreaterThan(4);
  });

  it("begins a cycle with no work, no credit, no debt, and ends it with what was found", () => {
    const p = new Pacing(module);
    for (const name of ["heapScanWork", "stackScanWork", "globalsScanWork"]) p.set(name, 77);
    p.set("assistBytes", -99);
    p.e.startCycle(p.at);
    expect(p.e.workDone(p.at)).toBe(0n);
    expect(p.get("assistBytes")).toBe(0);
    p.set("heapScanWork", 500);
    p.set("stackScanWork", 30);
    p.set("heapScan", 9000);
    p.e.endCycleUntimed(p.at);
    p.e.resetLive(p.at, 800n);
    const after = ["heapMarked", "heapLive", "heapScan", "lastHeapScan", "lastStackScan"].map((name) => p.get(name));
    expect(after).toEqual([800, 800, 500, 500, 30]);
    expect(p.word("triggered")).toBe(NONE);
  });

  it("changes nothing outside of cycles; credit is taken once", () => {
    const p = new Pacing(module);
    p.e.revise(p.at);
    expect(p.get("assistWorkPerByte")).toBe(0);
    p.set("bgScanCredit", 1000);
    expect(p.e.takeCredit(p.at, 300n)).toBe(300n);
    expect(p.e.takeCredit(p.at, 900n)).toBe(700n);
    p.set("bgScanCredit", -5);
    expect(p.e.takeCredit(p.at, 1n)).toBe(0n);
    p.e.startCycle(p.at);
    expect(p.get("bgScanCredit")).toBe(0);
  });
});

describe("consMark", () => {
  /** Ends a cycle that allocated `allocated` and scanned `scanned` bytes. */
  function cycle(p: Pacing, allocated: number, scanned: number, assist: number, idle = 0): void {
    p.e.startCycle(p.at);
    p.set("heapScanWork", scanned);
    p.add("heapLive", allocated);
    p.e.endCycle(p.at, assist, idle, 100, 4);
    p.e.resetLive(p.at, BigInt(scanned));
    p.commit();
  }

  it("is bytes allocated per byte scanned with the same time, the highest of five cycles", () => {
    const p = new Pacing(module);
    cycle(p, MIB, 4 * MIB, 0);
    // A quarter of the time marks: 1/4 * 1/3.
    expect(p.get("consMark")).toBeCloseTo(1 / 12, 10);
    expect(p.get("runway")).toBe(MIB);
    cycle(p, MIB, 4 * MIB, 100);
    expect(p.get("consMark")).toBeCloseTo(1 / 4, 10);
    cycle(p, MIB, 4 * MIB, 0, 100);
    for (let i = 0; i < 3; i++) cycle(p, MIB, 4 * MIB, 0);
    expect(p.get("consMark")).toBeCloseTo(1 / 4, 10);
    cycle(p, MIB, 4 * MIB, 0);
    expect(p.get("consMark")).toBeCloseTo(1 / 6, 10);
    cycle(p, MIB, 4 * MIB, 0);
    expect(p.get("consMark")).toBeCloseTo(1 / 12, 10);
  });

  it("stays as it was without allocation or work, and finite when the program did not run at all", () => {
    const p = new Pacing(module);
    cycle(p, MIB, 4 * MIB, 0);
    cycle(p, 0, 4 * MIB, 0);
    cycle(p, MIB, 0, 0);
    expect(p.get("consMark")).toBeCloseTo(1 / 12, 10);
    cycle(p, MIB, 4 * MIB, 300);
    expect(p.get("consMark")).toBe(256);
  });
});

describe("the sweep", () => {
  it("is done when allocation reaches the trigger, by pages in proportion to bytes", () => {
    const arbitrary = fc.record({
      marked: bytesTo4G,
      pages: fc.integer({ min: 1, max: 1 << 19 }),
      swept: fc.integer({ min: 0, max: 1000 }),
      span: fc.integer({ min: 8192, max: 4 * MIB }),
    });
    fc.assert(
      fc.property(arbitrary, ({ marked, pages, swept, span }) => {
        const p = new Pacing(module);
        p.e.resetLive(p.at, BigInt(marked));
        const inUse = BigInt(pages + swept);
        p.e.commit(p.at, 0, 0n, 0n, 0n, inUse, BigInt(swept));
        const debt = (at: bigint, bytes: number, done: bigint) => {
          p.set("heapLive", at);
          return p.e.sweepDebt(p.at, BigInt(bytes), 0n, done);
        };
        const basis = BigInt(swept);
        expect(debt(BigInt(marked), 0, basis)).toBe(0n);
        const half = debt(BigInt(marked), span, basis);
        expect(p.e.sweepDebt(p.at, BigInt(span), half, basis)).toBe(0n);
        expect(debt(BigInt(marked), span, basis + half)).toBe(0n);
        // Rounding of the ratio may leave one page.
        expect(debt(p.word("trigger"), 0, basis)).toBeGreaterThanOrEqual(BigInt(pages) - 1n);
        // A heap that shrinks owes nothing.
        expect(debt(BigInt(marked >> 1), 0, basis)).toBe(0n);
        p.e.sweepFinished(p.at);
        expect(debt(p.word("trigger"), span, basis)).toBe(0n);
      }),
      options(500),
    );
  });

  it("has Go's ratio: 1 MiB before the trigger, 8192 bytes at least", () => {
    const p = new Pacing(module);
    p.e.resetLive(p.at, BigInt(64 * MIB));
    p.e.commit(p.at, 0, 0n, 0n, 0n, 10_000n, 100n);
    expect(p.get("sweepPagesPerByte")).toBeCloseTo(9900 / (p.get("trigger") - 65 * MIB), 12);
    p.set("heapLive", p.get("trigger"));
    p.e.setMemoryLimit(p.at, BigInt(MIB));
    p.e.commit(p.at, 0, 0n, 0n, 0n, 10_000n, 100n);
    expect(p.get("sweepPagesPerByte")).toBe(9900 / 8192);
    p.e.commit(p.at, 0, 0n, 0n, 0n, 100n, 100n);
    expect(p.get("sweepPagesPerByte")).toBe(0);
    p.e.commit(p.at, 1, 0n, 0n, 0n, 10_000n, 100n);
    expect(p.get("sweepPagesPerByte")).toBe(0);
  });
});

describe("without a clock", () => {
  /** An untimed pacer whose last cycle marked `marked` bytes. */
  function untimed(s: State, k: number): Pacing {
    const p = new Pacing(module);
    p.e.setGCPercent(p.at, s.percent);
    p.e.setHeapMinimum(p.at, BigInt(s.base));
    p.e.setWorkRatio(p.at, k);
    p.set("globalsScan", s.globals);
    p.set("maxStackScan", s.stack);
    p.e.startCycle(p.at);
    p.set("heapScanWork", Math.floor(s.marked * s.heapScan));
    p.set("stackScanWork", s.stack);
    p.e.endCycleUntimed(p.at);
    p.e.resetLive(p.at, BigInt(s.marked));
    p.commit(s.sweepDone);
    return p;
  }
  const programs = state.filter((s) => s.percent > 0).map((s) => ({ ...s, base: Math.max(s.base, 4096) }));
  const ratios = fc.double({ min: 0.25, max: 64, noNaN: true });

  it("the runway is the expected work over k", () => {
    fc.assert(
      fc.property(programs, ratios, (s, k) => {
        const p = untimed(s, k);
        const expected = Number(p.e.expectedWork(p.at)) / k;
        expect(Math.abs(p.get("runway") - expected)).toBeLessThanOrEqual(1 + expected * 1e-9);
      }),
      options(500),
    );
  });

  it("a cycle begun at its trigger asks at most max(k, 337/GOGC) bytes of work per byte", () => {
    fc.assert(
      fc.property(programs, ratios, (s, k) => {
        const p = untimed(s, k);
        p.set("heapLive", p.word("trigger"));
        p.e.startCycle(p.at);
        // 1: the least work that a ratio is made of, 1000 bytes, over the least distance.
        expect(p.get("assistWorkPerByte")).toBeLessThanOrEqual(Math.max(k, 337 / s.percent, 1) * 1.001);
      }),
      options(1500),
    );
  });

  it("one begun late asks at most max(4k, 400/GOGC)", () => {
    fc.assert(
      fc.property(programs, ratios, bytesTo4G, (s, k, late) => {
        const p = untimed(s, k);
        p.set("heapLive", p.word("trigger") + BigInt(late));
        p.e.startCycle(p.at);
        expect(p.get("assistWorkPerByte")).toBeLessThanOrEqual(Math.max(4 * k, 400 / s.percent) * 1.001);
      }),
      options(1500),
    );
  });

  it("a measured cycle makes it timed again, one without a duration does not", () => {
    const p = new Pacing(module);
    p.e.endCycle(p.at, 0, 0, 0, 1);
    expect(p.get("untimed")).toBe(1);
    expect(p.get("consMark")).toBeCloseTo(1 / 12, 12);
    p.e.endCycle(p.at, 0, 0, 5, 0);
    expect(p.get("untimed")).toBe(1);
    p.e.endCycle(p.at, 0, 0, 5, 1);
    expect(p.get("untimed")).toBe(0);
  });

  it("programs end their cycles before the hard goal, and no allocation waits for long", () => {
    const program = fc.record({
      percent: fc.integer({ min: 20, max: 200 }),
      base: fc.integer({ min: 15, max: 20 }).map((bit) => 2 ** bit),
      k: fc.double({ min: 1, max: 8, noNaN: true }),
      /** Largest allocation, of the base: cycles of some hundred to some ten thousand allocations. */
      share: fc.double({ min: 1 / 256, max: 1 / 16, noNaN: true }),
      alive: fc.tuple(fc.double({ min: 0.05, max: 0.6, noNaN: true }), fc.double({ min: 0, max: 0.2, noNaN: true })),
      scannable: fc.double({ min: 0.05, max: 1, noNaN: true }),
      stack: fc.integer({ min: 0, max: 4096 }),
      globals: fc.integer({ min: 0, max: 8192 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(program, ({ percent, base, k, share, alive, scannable, stack, globals, seed }) => {
        const p = new Pacing(module);
        p.e.setGCPercent(p.at, percent);
        p.e.setHeapMinimum(p.at, BigInt(base));
        p.e.setWorkRatio(p.at, k);
        const [least, spread] = alive;
        const to = Math.floor(base * share);
        const behaviour = { from: 16, to, least, most: least + spread, scannable, stack, globals };
        const chunk = Math.max(1024, base / 64);
        const bound = Math.max(4 * k, 400 / percent);
        for (const run of runProgram(p, behaviour, random(seed), 6)) {
          const told = JSON.stringify(run);
          const hard = run.goal * (1 + percent / 100) * 1.1;
          expect(run.peak, told).toBeLessThanOrEqual(hard + to + chunk);
          expect(run.longestAssist, told).toBeLessThanOrEqual(4 * (bound * to + chunk));
        }
      }),
      options(60),
    );
  });
});
