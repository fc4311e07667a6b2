/**
 * The recorder of trace events: what it writes is checked against the trace-event format, field by field, and by what a
 * viewer does with it: slices of a track must nest.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GC_TRACK, TraceEvents } from "../../src/gc/events.ts";
import type { GCCycle } from "../../src/gc/gctrace.ts";
import { env, runs } from "../support/random.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonEvent = { [key: string]: Json };

/** Keys that an event of each kind must have, and may have, by the format. */
const KINDS: Record<string, { must: string[]; may: string[] }> = {
  X: { must: ["name", "cat", "ph", "ts", "dur", "pid", "tid"], may: ["args"] },
  C: { must: ["name", "cat", "ph", "ts", "pid", "tid", "args"], may: [] },
  i: { must: ["name", "cat", "ph", "ts", "pid", "tid", "s"], may: ["args"] },
  M: { must: ["name", "ph", "ts", "pid", "tid", "args"], may: [] },
};
const METADATA: Record<string, string> = { process_name: "name", thread_name: "name", thread_sort_index: "sort_index" };

/** Parses a file and checks it against the format. */
function read(json: string): { events: JsonEvent[]; dropped: number } {
  const file = JSON.parse(json);
  expect(Object.keys(file).sort()).toEqual(["displayTimeUnit", "otherData", "traceEvents"]);
  expect(["ms", "ns"]).toContain(file.displayTimeUnit);
  expect(Array.isArray(file.traceEvents)).toBe(true);
  for (const event of file.traceEvents as JsonEvent[]) {
    const kind = KINDS[event["ph"] as string];
    const told = JSON.stringify(event);
    expect(kind, told).toBeDefined();
    const keys = Object.keys(event);
    expect(keys, told).toEqual(expect.arrayContaining(kind!.must));
    for (const key of keys) expect([...kind!.must, ...kind!.may], told).toContain(key);
    expect(typeof event["name"], told).toBe("string");
    for (const key of ["pid", "tid"]) expect(Number.isInteger(event[key]), told).toBe(true);
    for (const key of ["ts", "dur"]) {
      if (key in event) expect(Number.isFinite(event[key]) && (event[key] as number) >= 0, told).toBe(true);
    }
    if ("cat" in event) expect(event["cat"], told).toMatch(/^[a-z]+(,[a-z]+)*$/);
    if (event["ph"] === "i") expect(["t", "p", "g"], told).toContain(event["s"]);
    const args = event["args"] as { [key: string]: Json } | undefined;
    if (event["ph"] === "C") {
      // Each number of a counter is a series.
      for (const value of Object.values(args!)) expect(Number.isFinite(value), told).toBe(true);
      expect(Object.keys(args!).length).toBeGreaterThan(0);
    }
    if (event["ph"] === "M") expect(Object.keys(args!), told).toEqual([METADATA[event["name"] as string]]);
  }
  return { events: file.traceEvents, dropped: file.otherData.dropped };
}

const withoutNames = (events: JsonEvent[]) => events.filter((event) => event["ph"] !== "M");

/** Checks that the slices of each track are nested or apart. */
function expectNesting(events: JsonEvent[]): void {
  const open = new Map<string, number[]>();
  for (const event of events) {
    if (event["ph"] !== "X") continue;
    const track = `${event["pid"]}/${event["tid"]}`;
    const ends = open.get(track) ?? [];
    open.set(track, ends);
    const start = event["ts"] as number;
    const end = start + (event["dur"] as number);
    // Sums of floats: a nanosecond's thousandth is nothing.
    while (ends.length > 0 && ends.at(-1)! <= start + 1e-6) ends.pop();
    if (ends.length > 0) expect(end, JSON.stringify(event)).toBeLessThanOrEqual(ends.at(-1)! + 1e-6);
    ends.push(end);
  }
}

const cycle: GCCycle = {
  number: 3,
  startedAt: 100,
  utilization: 0.1,
  clock: { sweepTermination: 0.25, mark: 4, markTermination: 0.125 },
  cpu: { sweepTermination: 0.25, assist: 1, background: 3, idle: 0, markTermination: 0.125 },
  heapStart: 1000,
  heapEnd: 1500,
  heapMarked: 800,
  goal: 1600,
  stacks: 0,
  globals: 0,
  procs: 2,
  forced: true,
};

describe("TraceEvents", () => {
  it("writes slices, counters, instants and names as the format wants them", () => {
    const trace = new TraceEvents({ pid: 42, processName: "program" });
    trace.nameThread(1, "main");
    trace.mark(10.5, 0.25, 65536, 1, "assist");
    trace.sweep(11, 0.0005, 12, 1);
    trace.phase("concurrent mark", 10, 2, { cycle: 1 });
    trace.instant("memory grown", 10.75, { pages: 16 });
    trace.instant("trigger", 9);
    trace.heap(10, 4096, 8192);
    const { events, dropped } = read(trace.json());
    expect(dropped).toBe(0);
    expect(trace.length).toBe(6);
    const at = { pid: 42, tid: GC_TRACK };
    expect(events).toEqual([
      { name: "process_name", ph: "M", ts: 0, ...at, args: { name: "program" } },
      { name: "thread_name", ph: "M", ts: 0, ...at, args: { name: "collector" } },
      { name: "thread_sort_index", ph: "M", ts: 0, ...at, args: { sort_index: 0 } },
      { name: "thread_name", ph: "M", ts: 0, pid: 42, tid: 1, args: { name: "main" } },
      { name: "thread_sort_index", ph: "M", ts: 0, pid: 42, tid: 1, args: { sort_index: 1 } },
      { name: "trigger", ph: "i", ts: 9000, ...at, cat: "gc", s: "p" },
      { name: "concurrent mark", ph: "X", ts: 10000, dur: 2000, ...at, cat: "gc", args: { cycle: 1 } },
      { name: "heap", ph: "C", ts: 10000, ...at, cat: "gc", args: { live: 4096, goal: 8192 } },
      { name: "assist", ph: "X", ts: 10500, dur: 250, pid: 42, tid: 1, cat: "gc,mark", args: { bytes: 65536 } },
      { name: "memory grown", ph: "i", ts: 10750, ...at, cat: "gc", s: "p", args: { pages: 16 } },
      { name: "sweep", ph: "X", ts: 11000, dur: 0.5, pid: 42, tid: 1, cat: "gc,sweep", args: { pages: 12 } },
    ]);
    expect(JSON.parse(JSON.stringify(trace))).toEqual(JSON.parse(trace.json()));
  });

  it("shows a cycle as nested phases, one after the other, and three points of the heap", () => {
    const trace = new TraceEvents();
    trace.cycle(cycle);
    const { events } = read(trace.json());
    expectNesting(events);
    const slices = events.filter((event) => event["ph"] === "X");
    expect(slices.map(({ name, ts, dur }) => [name, ts, dur])).toEqual([
      ["GC", 100_000, 4375],
      ["sweep termination", 100_000, 250],
      ["concurrent mark", 100_250, 4000],
      ["mark termination", 104_250, 125],
    ]);
    expect(slices[0]!["args"]).toEqual({ number: 3, forced: true, procs: 2 });
    const points = events.filter((event) => event["ph"] === "C");
    expect(points.map(({ ts, args }) => [ts, args])).toEqual([
      [100_000, { live: 1000, goal: 1600 }],
      [104_250, { live: 1500, goal: 1600 }],
      [104_375, { live: 800, goal: 1600 }],
    ]);
  });

  it("draws no line for a goal that there is not", () => {
    const trace = new TraceEvents();
    trace.heap(1, 10);
    trace.heap(2, 10, Number.POSITIVE_INFINITY);
    const { events } = read(trace.json());
    expect(withoutNames(events).map((event) => event["args"])).toEqual([{ live: 10 }, { live: 10 }]);
  });

  it("keeps the newest events, however many come, and counts the others", () => {
    const size = fc.integer({ min: 16, max: 40 });
    const seed = env("GOMALLOC_SEED", Number.NaN);
    fc.assert(
      fc.property(size, fc.integer({ min: 0, max: 200 }), (limit, count) => {
        const trace = new TraceEvents({ limit });
        for (let i = 0; i < count; i++) trace.instant(`event ${i}`, i / 7);
        const { events, dropped } = read(trace.json());
        const kept = withoutNames(events).map((event) => event["name"]);
        const first = Math.max(count - limit, 0);
        expect(kept).toEqual(Array.from({ length: count - first }, (_, i) => `event ${first + i}`));
        expect(dropped).toBe(first);
        expect(trace.dropped).toBe(first);
        expect(trace.length).toBe(kept.length);
      }),
      { numRuns: runs(100), ...(Number.isNaN(seed) ? {} : { seed }) },
    );
  });

  it("nests slices that were recorded inner first", () => {
    const trace = new TraceEvents();
    for (let i = 0; i < 50; i++) {
      trace.mark(i * 3, 1 / 3, 1, 1);
      trace.mark(i * 3 + 1 / 3, 1 / 3, 1, 1);
      trace.mark(i * 3, 1, 2, 1, "assist");
      trace.phase("mark", i * 3, 2);
    }
    const { events } = read(trace.json());
    expectNesting(events);
    const mine = events.filter((event) => event["tid"] === 1 && event["ts"] === 3000);
    expect(mine.map((event) => event["name"])).toEqual(["assist", "mark"]);
  });

  it("forgets events but not names, and can go on", () => {
    const trace = new TraceEvents({ limit: 16 });
    trace.nameThread(2, "worker");
    for (let i = 0; i < 20; i++) trace.heap(i, i);
    trace.clear();
    expect([trace.length, trace.dropped]).toEqual([0, 0]);
    trace.heap(1, 5);
    const { events, dropped } = read(trace.json());
    expect(dropped).toBe(0);
    expect(withoutNames(events).length).toBe(1);
    expect(events.some((event) => event["tid"] === 2)).toBe(true);
  });

  it("refuses what would make the file unreadable", () => {
    for (const options of [{ limit: 15 }, { limit: 2 ** 25 }, { pid: -1 }, { pid: 0.5 }]) {
      expect(() => new TraceEvents(options), JSON.stringify(options)).toThrow(RangeError);
    }
    const trace = new TraceEvents();
    expect(() => trace.nameThread(-1, "x")).toThrow(RangeError);
    expect(() => trace.heap(Number.NaN, 1)).toThrow(RangeError);
    expect(() => trace.mark(0, Number.POSITIVE_INFINITY, 1, 1)).toThrow(RangeError);
    expect(trace.length).toBe(0);
    trace.sweep(1, -5, 1, 1);
    expect(withoutNames(read(trace.json()).events)[0]!["dur"]).toBe(0);
  });
});
