/**
 * The threads benchmark: everything builds, all allocators read back the same on one and on two threads, instances share
 * an allocator's state, the trace is dealt out so that nobody waits for ever, and the queueing model and the targets say
 * what they must. Nothing is timed.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONTENDERS, COUNTED, LOCKED, OURS, threadsModule } from "../../bench/threads/lib/contenders.ts";
import { type CountRow, countAll } from "../../bench/threads/lib/counts.ts";
import {
  Field,
  HEAP_BASE,
  INITIAL_PAGES,
  MAXIMUM_PAGES,
  RECORD_SIZE,
  RECORDS,
} from "../../bench/threads/lib/layout.ts";
import { fixed, measure } from "../../bench/threads/lib/measure.ts";
import { Pool, type Ready } from "../../bench/threads/lib/pool.ts";
import { Figures, type Series, threadCounts } from "../../bench/threads/lib/rounds.ts";
import { judge } from "../../bench/threads/lib/targets.ts";
import { eventsIn, type Plan, plan, readThreadsTrace } from "../../bench/threads/lib/trace.ts";
import { LARSON, MICROS, PIPE, selectWorkloads, TRACE_NAME, type Workload } from "../../bench/threads/lib/workloads.ts";
import { modelRow, solve } from "../../bench/threads/model.ts";

/** Events of the trace that are played: its threads have begun by then. */
const EVENTS = 200_000;

/** Part of the micro workloads' slices: enough for larson to hand blocks on. */
const PART = 0.25;

describe("workloads", () => {
  const ready: Ready[] = [];
  let pool: Pool;
  let workloads: Workload[];

  beforeAll(async () => {
    for (const contender of [...CONTENDERS, COUNTED]) {
      const bytes = await threadsModule(contender, "checked");
      if (bytes) ready.push({ contender, module: new WebAssembly.Module(bytes) });
    }
    pool = await Pool.start(2);
    workloads = await selectWorkloads(() => true, EVENTS);
  });

  afterAll(async () => {
    await pool.end();
  });

  it("finds every allocator built whose source is here", () => {
    const found = ready.map(({ contender }) => contender.name);
    // Of all of them only mimalloc's comes from elsewhere.
    const wanted = [...CONTENDERS, COUNTED].filter(({ name, remedy }) => remedy === undefined || found.includes(name));
    expect(found).toEqual(wanted.map(({ name }) => name));
    expect(CONTENDERS.filter(({ remedy }) => remedy !== undefined).map(({ name }) => name)).toEqual(["mimalloc"]);
  });

  it.each([...MICROS.map(({ name }) => name), TRACE_NAME])(
    "%s: contents are kept, and all allocators read back the same",
    async (name) => {
      const workload = workloads.find((one) => one.name === name)!;
      const sums = new Map<number, Map<string, number>>();
      for (const one of ready.filter(({ contender }) => contender.keepsContents)) {
        for (const threads of threadCounts(one)) {
          const heap = await pool.open(one, threads);
          const { checksum, failure, operations } = await fixed(heap, workload, PART);
          await heap.close();
          expect(failure, `${one.contender.name}, threads: ${threads}`).toBeUndefined();
          expect(operations).toBeGreaterThan(0);
          sums.set(threads, (sums.get(threads) ?? new Map()).set(one.contender.name, checksum));
        }
      }
      expect([...sums.keys()].sort()).toEqual([1, 2]);
      for (const [threads, found] of sums) {
        expect(new Set(found.values()).size, `threads: ${threads}: ${JSON.stringify([...found])}`).toBe(1);
      }
    },
  );

  it("a driver without an allocator is found out", async () => {
    const alone = ready.find(({ contender }) => !contender.keepsContents)!;
    const heap = await pool.open(alone, 2);
    const { failure } = await fixed(heap, workloads.find(({ name }) => name === LARSON)!, PART);
    await heap.close();
    expect(failure).toContain("contents overwritten");
  });

  it.for([OURS, LOCKED, "dlmalloc-spin", "mimalloc"])(
    "%s: an instance made later goes on with the same heap",
    (name, { skip }) => {
      const found = ready.find(({ contender }) => contender.name === name);
      if (found === undefined) skip("npm run bench:peers has not been run");
      const { module } = found!;
      const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: true });
      const open = (index: number) => {
        const instance = new WebAssembly.Instance(module, { host: { memory, now: () => 0, cpu: () => 0 } });
        const exports = instance.exports as Record<string, (...args: number[]) => number>;
        exports["enter"]!(index, 2);
        exports["init"]!(HEAP_BASE);
        return exports;
      };
      const failures = (index: number) =>
        new DataView(memory.buffer).getUint32(RECORDS + index * RECORD_SIZE + Field.failures, true);
      const first = open(0);
      first["larsonSetup"]!(0);
      const second = open(1);
      second["larsonSetup"]!(1);
      // Each verifies every byte of its blocks: a heap begun anew would have given the same blocks twice.
      first["larsonFinish"]!(0);
      second["larsonFinish"]!(1);
      expect([failures(0), failures(1)]).toEqual([0, 0]);
    },
  );

  it("measures a workload by the clock", async () => {
    const one = ready.find(({ contender }) => contender.name === LOCKED)!;
    const heap = await pool.open(one, 2);
    const sample = await measure(heap, workloads.find(({ name }) => name === PIPE)!, {
      milliseconds: 1,
      clock: "wall",
    });
    await heap.close();
    expect(sample.nanoseconds).toBeGreaterThan(0);
    expect(sample.footprint).toBeGreaterThan(0);
  });

  it("counts locks and remote frees", async () => {
    const counted = ready.find(({ contender }) => contender === COUNTED)!;
    const larson = MICROS.filter(({ name }) => name === LARSON).map((micro) => ({ ...micro, slices: 50 }));
    const rows = await countAll(pool, counted, larson, () => {});
    expect(rows.map(({ threads }) => threads)).toEqual([1, 2]);
    expect(rows.map(({ calls }) => calls)).toEqual([50 * 8000, 2 * 50 * 8000]);
    // Alone nobody frees another's blocks; two have handed blocks on.
    expect(rows[0]!.remote).toBe(0);
    expect(rows[1]!.remote).toBeGreaterThan(0);
  });
});

describe("the trace", () => {
  const AWAIT = 1 << 28;
  const PASS = 1 << 27;

  /** Plays lists as the driver does, the workers in turns of `burst` events. */
  function play({ lists, maxSlots }: Plan, burst: number): { played: number; waits: number } {
    const turn = new Uint32Array(maxSlots);
    const next = lists.map(() => 0);
    let [played, waits] = [0, 0];
    for (let moved = true; moved; ) {
      moved = false;
      for (const [worker, list] of lists.entries()) {
        for (let i = 0; i < burst && next[worker]! < eventsIn(list); i++) {
          const at = next[worker]! * 3;
          const [head, needed] = [list[at]!, list[at + 2]!];
          const slot = head & (PASS - 1);
          if (head & AWAIT && turn[slot] !== needed) {
            waits++;
            break;
          }
          if (head & PASS) turn[slot] = needed + 1;
          next[worker]!++;
          played++;
          moved = true;
        }
      }
    }
    return { played, waits };
  }

  it("is played whole by one, two and eight workers, at any speed", async () => {
    const trace = await readThreadsTrace(TRACE_NAME);
    const short = { ...trace, count: EVENTS };
    for (const workers of [1, 2, 8]) {
      const made = plan(short, workers);
      const events = made.lists.reduce((sum, list) => sum + eventsIn(list), 0);
      expect(events).toBeGreaterThanOrEqual(EVENTS);
      expect(made.checksum).toBe(plan(short, 1).checksum);
      for (const burst of [1, 1000]) expect(play(made, burst).played, `${workers} workers`).toBe(events);
      expect(made.turns > 0).toBe(workers > 1);
    }
  });
});

describe("the queueing model", () => {
  it("is the machine repairman with one server", () => {
    // p0 = 1 / (1 + 2r + 2r^2) for two customers and r = service / think.
    for (const r of [0.1, 1, 3]) {
      const { throughput, busy } = solve({ think: 1, demands: [r] }, 2);
      const idle = 1 / (1 + 2 * r + 2 * r * r);
      expect(busy[0]).toBeCloseTo(1 - idle, 12);
      expect(throughput).toBeCloseTo((1 - idle) / r, 12);
    }
  });

  it("keeps to the asymptotes", () => {
    expect(solve({ think: 10, demands: [0] }, 64).throughput).toBeCloseTo(6.4, 12);
    const many = solve({ think: 10, demands: [1, 0.5] }, 1000);
    expect(many.throughput).toBeLessThanOrEqual(1);
    expect(many.throughput).toBeCloseTo(1, 6);
    expect(many.busy[1]).toBeCloseTo(0.5, 6);
  });

  it("scales without locks, and not beyond one with every call under a lock", () => {
    const input = { workload: "w", allocator: "a", alone: 10, measured: undefined, contended: undefined };
    expect(modelRow({ ...input, visits: [0, 0], service: 100 }).scaling).toEqual([2, 8, 16, 64]);
    const locked = modelRow({ ...input, visits: [1], service: 10 });
    for (const value of locked.scaling) expect(value).toBeCloseTo(1, 9);
    expect(locked.knee).toBeCloseTo(1, 9);
    expect(locked.expected).toBeCloseTo(1, 9);
  });
});

describe("the targets", () => {
  const series = (allocator: string, threads: 1 | 2, nanoseconds: number): Series[] =>
    [...MICROS.map(({ name }) => name), TRACE_NAME].map((workload) => ({
      workload,
      allocator,
      threads,
      samples: [{ nanoseconds, footprint: 0, share: 1 }],
    }));
  const lock = { acquisitions: 0, contended: 0, waits: 0 };
  const counts = (acquisitions: number): CountRow[] => [
    {
      workload: LARSON,
      threads: 2,
      operations: 10_000,
      calls: 10_000,
      heap: { ...lock, acquisitions },
      central: lock,
      remote: 0,
      pushed: 0,
      taken: 0,
    },
  ];
  const flavours = (ratio: number) => [{ workload: "pairs 64 B", plain: 1, shared: ratio, ratio, spread: 0 }];

  it("are met by a heap that meets them", () => {
    const figures = new Figures([...series(OURS, 1, 10), ...series(OURS, 2, 5), ...series(LOCKED, 2, 50)]);
    const verdicts = judge(figures, flavours(1.15), counts(9)).map(({ met }) => met);
    expect(verdicts).toEqual(verdicts.map(() => true));
    expect(verdicts.length).toBe(9);
  });

  it("are missed by one that does not, and unknown without figures", () => {
    const figures = new Figures([...series(OURS, 1, 100), ...series(OURS, 2, 55), ...series(LOCKED, 2, 80)]);
    const verdicts = judge(figures, flavours(1.16), counts(10)).map(({ met }) => met);
    expect(verdicts).toEqual(verdicts.map(() => false));
    const unknown = judge(new Figures([]), [], []).map(({ met }) => met);
    expect(unknown).toEqual(unknown.map(() => undefined));
  });
});
