/** What is told of cycles: figures, records, gctrace lines, events, pauses; the background and the limiter. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { type GCCycle, TraceEvents } from "../../src/index.ts";
import { openGC } from "../gc/support/heap.ts";

const NODE = { size: 12, pointers: { next: 4 } } as const;
const NS = 1e6;

/** A clock that moves by `tick` at each look, and when it is told to. */
function clock(tick = 1) {
  const state = { now: 1000, tick };
  const read = () => {
    state.now += state.tick;
    return state.now;
  };
  return { state, read };
}

/** A heap with 1 MB of live nodes and a record of its cycles. */
function recorded(options: Parameters<typeof openGC>[0] = {}) {
  const { state, read } = clock();
  const cycles: GCCycle[] = [];
  const lines: string[] = [];
  const o = openGC({
    clock: read,
    limiter: false,
    onCycle: (cycle) => cycles.push(cycle),
    trace: (line) => lines.push(line),
    traceUnit: "KB",
    ...options,
  });
  const Node = o.gc.defineType(NODE);
  const head = o.gc.new(Node, 60_000);
  for (let i = 0; i < 60_000; i++) head.store("next", head, i);
  return { ...o, Node, head, state, cycles, lines };
}

describe("stats", () => {
  it("count cycles, and keep the pauses of the last 256", () => {
    const { gc, heap, state } = recorded();
    expect(gc.stats()).toMatchObject({ numGC: 0, numForcedGC: 0, lastGC: 0, pauseTotalNs: 0, maxPauseNs: 0 });
    const before = Date.now();
    for (let i = 0; i < 300; i++) {
      gc.collect();
      state.now += 5;
    }
    const stats = gc.stats();
    expect(stats).toMatchObject({ numGC: 300, numForcedGC: 300, phase: "off", handles: 1, types: 1 });
    expect(stats.lastGC).toBeGreaterThanOrEqual(before);
    expect(stats.pauseNs).toHaveLength(256);
    expect(stats.pauseEnd).toHaveLength(256);
    expect(stats.pauseEnd[(300 + 255) % 256]).toBe(stats.lastGC);
    // The clock moves by 1 ms at each look: none of these calls took less.
    expect(stats.pauseNs.every((ns) => ns >= 2 * NS)).toBe(true);
    expect(stats.pauseTotalNs).toBeGreaterThan(300 * stats.maxPauseNs * 0.5);
    expect(stats.pauseTotalNs).toBeGreaterThan(stats.pauseNs.reduce((sum, ns) => sum + ns, 0));
    expect(stats.maxPauseNs).toBeLessThanOrEqual(Math.max(...stats.pauseNs));
    expect(stats.gcCPUFraction).toBeGreaterThan(0);
    expect(stats.gcCPUFraction).toBeLessThan(1);
    const { numGC, numForcedGC, nextGC, lastGC, pauseNs, pauseEnd, pauseTotalNs } = stats;
    const inMemStats = { numGC, numForcedGC, nextGC, lastGC, pauseNs, pauseEnd, pauseTotalNs };
    expect(heap.stats()).toMatchObject(inMemStats);
  });

  it("are zero in MemStats as long as nobody uses the collector", () => {
    const { heap } = openGC();
    const fresh = { numGC: 0, numForcedGC: 0, lastGC: 0, pauseTotalNs: 0, gcCPUFraction: 0 };
    expect(heap.stats()).toMatchObject({ ...fresh, nextGC: 4 << 20 });
  });

  it("tell what is live, marked, scanned and swept", () => {
    const { gc, heap, head } = recorded();
    for (let i = 0; i < 1000; i++) gc.allocateBytes(100);
    gc.collect();
    const stats = gc.stats();
    expect(stats).toMatchObject({ sweptObjects: 1000, sweptBytes: 1000 * 112, overflows: 0, pins: 0, roots: 0 });
    expect(stats.heapMarked).toBe(heap.usableSize(head.ptr));
    expect(stats.heapLive).toBe(stats.heapMarked);
    expect(stats.heapLive).toBe(heap.stats().heapAlloc);
    expect(stats.scanWork).toBeGreaterThanOrEqual(720_000);
    expect(stats.heapInuse).toBe(heap.stats().heapInuse);
  });

  it("count cycles that nobody saw: those of allocations by Heap.mallocgc", () => {
    const { gc, heap, cycles } = recorded({ auto: true, heapMinimum: 65536 });
    gc.collect();
    for (let i = 0; i < 100_000; i++) heap.mallocgc(64, null, false);
    const { numGC, numForcedGC } = gc.stats();
    expect(numGC).toBeGreaterThan(3);
    expect(numForcedGC).toBe(1);
    // At most the one that was marking when somebody looked is told of.
    expect(cycles.length).toBeLessThanOrEqual(2);
    expect(cycles.at(-1)!.number).toBeLessThanOrEqual(numGC);
  });
});

describe("a cycle's record", () => {
  it("has the times of its phases, and the heap's sizes", () => {
    const { gc, cycles, lines, state, head, heap } = recorded();
    state.tick = 0;
    const began = state.now;
    const garbage = 50_000;
    for (let i = 0; i < 500; i++) gc.allocateBytes(100);
    state.tick = 1;
    gc.start();
    state.now += 100;
    gc.step({ budgetMs: 3 });
    state.now += 100;
    while (gc.step({ bytes: 100_000 }));
    expect(cycles).toHaveLength(1);
    const [cycle] = cycles;
    expect(cycle).toMatchObject({ number: 1, procs: 1, forced: true, stacks: 0 });
    expect(cycle!.startedAt).toBeGreaterThanOrEqual(began - 1000);
    expect(cycle!.clock.sweepTermination).toBe(1);
    expect(cycle!.clock.mark).toBeGreaterThan(200);
    expect(cycle!.clock.markTermination).toBeGreaterThan(0);
    expect(cycle!.cpu.background).toBeGreaterThan(3);
    expect(cycle!.cpu.background).toBeLessThan(100);
    expect(cycle!.cpu).toMatchObject({ assist: 0, idle: 0, sweepTermination: 1 });
    expect(cycle!.heapStart).toBeGreaterThan(heap.usableSize(head.ptr) + garbage);
    expect(cycle!.heapEnd).toBe(cycle!.heapStart);
    expect(cycle!.heapMarked).toBe(heap.usableSize(head.ptr));
    expect(cycle!.utilization).toBeGreaterThan(0);
    expect(lines).toEqual([
      expect.stringMatching(/^gc 1 @\d+\.\d{3}s \d+%: 1\.0\+[\d.]+\+[\d.]+ ms clock, .* \(forced\)$/),
    ]);
    expect(lines[0]).toContain(" KB goal, ");
  });

  it("tells assists from steps, and comes when no object is in flight", async () => {
    const { gc, cycles, Node } = recorded({ auto: true, heapMinimum: 65536 });
    gc.collect();
    const before = cycles.length;
    const seen: number[] = [];
    // A hook that allocates and collects: it must not come between an object's birth and its root.
    gc.setOptions({
      onCycle: (cycle) => {
        seen.push(cycle.number);
        if (seen.length > 20) return;
        for (let i = 0; i < 10; i++) gc.allocate(Node);
      },
    });
    const kept = Array.from({ length: 150_000 }, () => gc.new(Node));
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen.length).toBeGreaterThan(0);
    expect(cycles.length).toBe(before);
    expect(kept.every(({ ptr }) => gc.isObject(ptr))).toBe(true);
    gc.setOptions({ onCycle: (cycle) => cycles.push(cycle) });
    for (let i = 0; i < 200_000; i++) gc.allocateBytes(64);
    await Promise.resolve();
    expect(cycles.length).toBeGreaterThan(before);
    const last = cycles.at(-1)!;
    expect(last.forced).toBe(false);
    expect(last.cpu.assist).toBeGreaterThan(0);
    expect(last.cpu.background).toBe(0);
    expect(last.heapStart).toBeGreaterThan(0);
    expect(last.heapEnd).toBeGreaterThanOrEqual(last.heapStart);
    gc.setOptions({ onCycle: null, trace: null });
    const { length } = cycles;
    gc.collect();
    expect(cycles).toHaveLength(length);
  });

  it("is handed on when a hook before it has thrown", () => {
    const { gc } = recorded();
    const lines: string[] = [];
    gc.setOptions({
      trace: (line) => lines.push(line),
      onCycle: () => {
        throw new Error("from the hook");
      },
    });
    expect(() => gc.collect()).toThrow("from the hook");
    expect(() => gc.collect()).toThrow("from the hook");
    gc.setOptions({ onCycle: null });
    gc.collect();
    expect(lines).toHaveLength(3);
    expect(gc.stats().numGC).toBe(3);
  });

  it("is drawn by TraceEvents", () => {
    const events = new TraceEvents();
    const { gc } = recorded({ events });
    gc.allocateBytes(100_000);
    gc.start();
    gc.step({ bytes: 1000 });
    while (gc.step({ bytes: 1 << 20 }));
    gc.sweep();
    const names = (ph: string) =>
      events
        .file()
        .traceEvents.filter((event) => event.ph === ph)
        .map(({ name }) => name);
    expect(names("X").sort()).toEqual(
      ["GC", "concurrent mark", "mark step", "mark step", "mark termination", "sweep", "sweep termination"].sort(),
    );
    expect(names("C").length).toBeGreaterThan(0);
    const swept = events.file().traceEvents.find(({ name }) => name === "sweep")!;
    expect(swept.args!["pages"]).toBeGreaterThan(0);
    gc.setOptions({ events: null });
    gc.collect();
    expect(names("X")).toHaveLength(7);
  });
});

describe("background", () => {
  /** Turns that are taken by hand. */
  function byHand() {
    const waiting: { turn: (mostMs: number) => void; ms: number }[] = [];
    return {
      waiting,
      schedule: (turn: (mostMs: number) => void, ms: number) => {
        const entry = { turn, ms };
        waiting.push(entry);
        return () => {
          const at = waiting.indexOf(entry);
          if (at >= 0) waiting.splice(at, 1);
        };
      },
      next(mostMs = Number.POSITIVE_INFINITY) {
        const entry = waiting.shift()!;
        entry.turn(mostMs);
        return entry.ms;
      },
    };
  }

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("begins the cycle that is due, marks and sweeps it in turns, and rests", () => {
    const { gc, cycles, heap } = recorded({ heapMinimum: 1 << 20 });
    const hand = byHand();
    const run = gc.background({ schedule: hand.schedule, budgetMs: 2, intervalMs: 5, idleMs: 50 });
    hand.next();
    expect(gc.phase).toBe("off");
    expect(hand.waiting[0]!.ms).toBe(50);
    for (let i = 0; i < 5000; i++) gc.allocateBytes(200);
    expect(gc.phase).toBe("off");
    hand.next();
    expect(gc.phase).toBe("mark");
    let turns = 0;
    while (hand.waiting[0]!.ms !== 50) {
      expect(hand.next()).toBe(5);
      turns++;
    }
    expect(turns).toBeGreaterThan(3);
    expect(gc.phase).toBe("off");
    expect(run.turns).toBe(turns + 2);
    expect(cycles).toHaveLength(1);
    expect(cycles[0]).toMatchObject({ forced: false, cpu: { background: 0, assist: 0 } });
    expect(cycles[0]!.cpu.idle).toBeGreaterThan(0);
    expect(gc.stats()).toMatchObject({ numGC: 1, numForcedGC: 0, sweptObjects: 5000 });
    heap.validate({ deep: true });
    run.stop();
    run.stop();
    expect([run.running, hand.waiting.length]).toEqual([false, 0]);
  });

  it("takes no longer than it is told to, and stays out of the way of a cycle by hand", () => {
    const { gc, state } = recorded();
    const hand = byHand();
    gc.background({ schedule: hand.schedule, budgetMs: 50 });
    gc.start();
    const before = gc.stats().scanWork;
    hand.next(0.5);
    // The clock's next look ends the turn: one slice.
    expect(gc.stats().scanWork - before).toBeLessThan(150_000);
    const { now } = state;
    gc.collect();
    hand.next();
    expect(state.now).toBeGreaterThan(now);
    expect(gc.phase).toBe("off");
  });

  it("collects at the latest after two minutes, unless GOGC is off or there was no cycle yet", () => {
    const { gc, state } = recorded();
    const hand = byHand();
    gc.background({ schedule: hand.schedule });
    const settle = () => {
      do hand.next();
      while (hand.waiting[0]!.ms !== 100);
    };
    state.now += 1_000_000;
    settle();
    expect(gc.stats().numGC).toBe(0);
    gc.collect();
    state.now += 119_000;
    settle();
    expect(gc.stats().numGC).toBe(1);
    state.now += 2000;
    settle();
    expect(gc.stats()).toMatchObject({ numGC: 2, numForcedGC: 1 });
    gc.setOptions({ gcPercent: "off" });
    state.now += 1_000_000;
    settle();
    expect(gc.stats().numGC).toBe(2);
    gc.setOptions({ gcPercent: 100 });
    gc.background({ schedule: hand.schedule, forcePeriodMs: Number.POSITIVE_INFINITY });
    expect(hand.waiting).toHaveLength(1);
    settle();
    expect(gc.stats().numGC).toBe(2);
  });

  it("goes on after a hook has thrown, and ends when a hook says so", () => {
    const { gc } = recorded();
    const hand = byHand();
    const run = gc.background({ schedule: hand.schedule, budgetMs: 1000 });
    gc.start();
    gc.setOptions({
      onCycle: () => {
        throw new Error("from the hook");
      },
    });
    expect(() => hand.next()).toThrow("from the hook");
    expect([run.running, hand.waiting.length]).toEqual([true, 1]);
    gc.setOptions({ onCycle: () => run.stop() });
    gc.start();
    hand.next();
    expect([run.running, hand.waiting.length]).toEqual([false, 0]);
  });

  it("uses timers, and a page's idle time where there is some", () => {
    vi.useFakeTimers();
    const { gc } = recorded();
    const run = gc.background({ intervalMs: 10, idleMs: 30 });
    gc.start();
    vi.advanceTimersByTime(9);
    expect(run.turns).toBe(0);
    vi.advanceTimersByTime(2000);
    expect(gc.phase).toBe("off");
    expect(run.turns).toBeGreaterThan(30);
    run.stop();
    const { turns } = run;
    vi.advanceTimersByTime(1000);
    expect(run.turns).toBe(turns);

    const idle: ((deadline: { didTimeout: boolean; timeRemaining: () => number }) => void)[] = [];
    const cancelled: number[] = [];
    vi.stubGlobal("requestIdleCallback", (callback: (typeof idle)[0]) => idle.push(callback));
    vi.stubGlobal("cancelIdleCallback", (id: number) => cancelled.push(id));
    const page = gc.background({ intervalMs: 10 });
    vi.advanceTimersByTime(10);
    expect([page.turns, idle.length]).toEqual([0, 1]);
    idle[0]!({ didTimeout: false, timeRemaining: () => 3 });
    expect(page.turns).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(idle).toHaveLength(2);
    page.stop();
    expect(cancelled).toEqual([2]);
    idle[1]!({ didTimeout: true, timeRemaining: () => 0 });
    expect(page.turns).toBe(1);
  });

  it("refuses times that are none", () => {
    const { gc } = openGC();
    const bad = [
      ...[{ budgetMs: 0 }, { budgetMs: Number.NaN }, { budgetMs: -1 }, { forcePeriodMs: 0 }],
      ...[{ intervalMs: -1 }, { intervalMs: 0.5 }, { idleMs: 2 ** 31 }],
    ];
    for (const options of bad) expect(() => gc.background(options)).toThrow(RangeError);
  });
});

describe("the limiter", () => {
  /** A heap whose steps take 600 ms each; nothing else takes time. */
  function slow(options: Parameters<typeof openGC>[0] = {}) {
    const state = { now: 0 };
    const onStep = () => {
      state.now += 600;
    };
    const o = openGC({ clock: () => state.now, onStep, auto: true, heapMinimum: 65536, ...options });
    return { ...o, state };
  }

  it("holds cycles and the background back while the collector has more than half of the time", () => {
    const { gc, state, heap } = slow();
    gc.collect();
    expect(gc.stats().limited).toBe(false);
    gc.collect();
    expect(gc.stats()).toMatchObject({ limited: true, gcCPUFraction: 1 });
    const { numGC } = gc.stats();
    for (let i = 0; i < 20_000; i++) gc.allocateBytes(64);
    expect(gc.stats()).toMatchObject({ numGC, phase: "off", limited: true });
    expect(heap.stats().heapAlloc).toBe(20_000 * 64);
    let turn: (mostMs: number) => void = () => expect.fail("nothing was scheduled");
    gc.background({
      schedule: (task) => {
        turn = task;
        return () => {};
      },
    });
    turn(10);
    expect(gc.phase).toBe("off");
    // The program gets its share again.
    state.now += 500;
    for (let i = 0; i < 20_000; i++) gc.allocateBytes(64);
    expect(gc.stats().limited).toBe(false);
    expect(gc.stats().numGC).toBeGreaterThan(numGC);
    expect(heap.stats().heapAlloc).toBeLessThan(20_000 * 64);
  });

  it("does what it is told to, and can be switched off", () => {
    const { gc } = slow({ limiter: false });
    for (let i = 0; i < 3; i++) gc.collect();
    expect(gc.stats()).toMatchObject({ limited: false, numGC: 3 });
    for (let i = 0; i < 20_000; i++) gc.allocateBytes(64);
    expect(gc.stats().numGC).toBeGreaterThan(3);
    gc.setOptions({ limiter: true });
    const { limited, numGC } = gc.stats();
    expect(limited).toBe(true);
    gc.collect();
    expect(gc.stats().numGC).toBeGreaterThan(numGC);
  });

  it("does not keep an allocation from the memory that a cycle would free", () => {
    const { gc, heap } = slow({ maxBytes: 2 << 20 });
    for (let i = 0; i < 3; i++) gc.collect();
    const { numGC } = gc.stats();
    for (let i = 0; i < 40_000; i++) gc.allocateBytes(100);
    for (let i = 0; i < 30; i++) gc.allocateBytes(300_000);
    expect(gc.stats().limited).toBe(true);
    expect(gc.stats().numGC).toBeGreaterThan(numGC);
    expect(gc.stats().numForcedGC).toBe(3);
    expect(() => gc.allocateBytes(4 << 20)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_MEMORY" }));
    heap.validate({ deep: true });
  });
});
