/** CounterRecorder: what a sample has, times, the file's shape by its published format, timers, the collector's events. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createHeap, type TraceEvent, TraceEvents } from "../../src/index.ts";
import { CounterRecorder } from "../../src/metrics/index.ts";
import { attachHeap, createSharedHeap } from "../../src/shared/index.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** The events of a counter track. */
function track(recorder: CounterRecorder, name: string): TraceEvent[] {
  return recorder.file().traceEvents.filter((event) => event.ph === "C" && event.name === name);
}

const valuesOf = (events: readonly TraceEvent[]) => events.map(({ args }) => args);

describe("CounterRecorder", () => {
  it("records the heap's memory by what it is for, which is all of it", () => {
    using heap = createHeap();
    const recorder = new CounterRecorder(heap);
    recorder.sample();
    heap.collector.shadowStack(1000);
    heap.malloc(100_000);
    const stats = recorder.sample();
    expect(stats).toEqual(heap.stats());
    const [first, second] = track(recorder, "memory");
    expect(first!.args).toMatchObject({ live: 0, stacks: 0 });
    expect(second!.args).toEqual({
      live: stats.heapAlloc,
      slack: stats.heapInuse - stats.heapAlloc,
      idle: stats.heapIdle,
      stacks: 4000,
      collector: stats.gcSys,
      records: stats.mspanSys + stats.mcacheSys + stats.otherSys,
    });
    const sum = Object.values(second!.args!).reduce((a: number, b) => a + Number(b), 0);
    expect(sum).toBe(stats.sys);
  });

  it("counts since the last sample", () => {
    using heap = createHeap();
    const recorder = new CounterRecorder(heap);
    heap.malloc(10);
    recorder.sample();
    const blocks = [1, 2, 3].map((size) => heap.malloc(size));
    heap.free(blocks[0]!);
    heap.collector.collect();
    recorder.sample();
    recorder.sample();
    expect(valuesOf(track(recorder, "calls"))).toEqual([
      { mallocs: 0, frees: 0 },
      { mallocs: 3, frees: 1 },
      { mallocs: 0, frees: 0 },
    ]);
    expect(valuesOf(track(recorder, "blocks"))).toEqual([{ live: 1 }, { live: 3 }, { live: 3 }]);
    expect(valuesOf(track(recorder, "cycles"))).toEqual([{ cycles: 0 }, { cycles: 1 }, { cycles: 0 }]);
    expect(track(recorder, "contention")).toEqual([]);
  });

  it("records contention of a shared heap", () => {
    const heap = createSharedHeap();
    const other = attachHeap(heap.share());
    const recorder = new CounterRecorder(other);
    recorder.sample();
    heap.malloc(100);
    recorder.sample();
    expect(valuesOf(track(recorder, "contention"))).toEqual([{ contended: 0 }, { contended: 0 }]);
    const sum = Object.values(track(recorder, "memory").at(-1)!.args!).reduce((a: number, b) => a + Number(b), 0);
    expect(sum).toBe(heap.stats().sys);
    other.dispose();
    heap.dispose();
  });

  it("makes a file of the trace-event format", () => {
    using heap = createHeap();
    let now = 5;
    const recorder = new CounterRecorder(heap, { clock: () => now });
    recorder.sample();
    now = 7.25;
    recorder.sample();
    const file = JSON.parse(recorder.json());
    // The object form: an array of events, and any other keys.
    expect(Object.keys(file)).toEqual(["traceEvents", "displayTimeUnit", "otherData"]);
    expect(["ms", "ns"]).toContain(file.displayTimeUnit);
    for (const event of file.traceEvents) {
      expect(event).toMatchObject({
        name: expect.any(String),
        ts: expect.any(Number),
        pid: 1,
        tid: expect.any(Number),
      });
      expect(["C", "M"]).toContain(event.ph);
      if (event.ph !== "C") continue;
      // Each value of args is a series: a number.
      expect(Object.keys(event.args).length).toBeGreaterThan(0);
      for (const series of Object.values(event.args)) expect(series).toEqual(expect.any(Number));
    }
    expect(file.traceEvents.find((event: TraceEvent) => event.ph === "M")).toMatchObject({
      name: "process_name",
      args: { name: "gomalloc" },
    });
    // Microseconds.
    expect(track(recorder, "memory").map(({ ts }) => ts)).toEqual([5000, 7250]);
  });

  it("writes into the collector's events, on one time line", () => {
    const events = new TraceEvents();
    using heap = createHeap({ collector: { events } });
    const gc = heap.collector;
    const recorder = new CounterRecorder(heap, { events, clock: () => gc.now });
    recorder.sample();
    gc.collect();
    recorder.sample();
    expect(recorder.events).toBe(events);
    const times = recorder.file().traceEvents.filter((event) => event.ph !== "M");
    const [before, after] = track(recorder, "memory");
    const cycle = times.find((event) => event.ph === "X" && event.name === "GC")!;
    expect(cycle.ts).toBeGreaterThanOrEqual(before!.ts);
    expect(cycle.ts + cycle.dur!).toBeLessThanOrEqual(after!.ts);
  });

  it("samples by itself, until it is stopped or the heap has ended", () => {
    vi.useFakeTimers();
    const heap = createHeap();
    const recorder = new CounterRecorder(heap);
    const samples = () => track(recorder, "blocks").length;
    recorder.start(100);
    expect([samples(), recorder.running]).toEqual([1, true]);
    vi.advanceTimersByTime(350);
    expect(samples()).toBe(4);
    recorder.start(10);
    vi.advanceTimersByTime(100);
    expect(samples()).toBe(15);
    recorder.stop();
    recorder.stop();
    vi.advanceTimersByTime(1000);
    expect([samples(), recorder.running]).toEqual([15, false]);
    recorder.start(10);
    heap.dispose();
    vi.advanceTimersByTime(100);
    expect([samples(), recorder.running]).toEqual([16, false]);
    expect(() => recorder.start(10)).toThrow(/disposed/);
    expect(recorder.running).toBe(false);
    {
      using other = createHeap();
      using scoped = new CounterRecorder(other);
      scoped.start();
      expect(vi.getTimerCount()).toBe(1);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  it("checks what it is given", () => {
    using heap = createHeap();
    expect(() => new CounterRecorder({} as never)).toThrow(TypeError);
    expect(() => new CounterRecorder(heap, { events: {} as never })).toThrow("events must be a TraceEvents: an object");
    expect(() => new CounterRecorder(heap, { clock: 5 as never })).toThrow(TypeError);
    expect(() => new CounterRecorder(heap, { interval: 5 } as never)).toThrow(/has no option "interval"/);
    const recorder = new CounterRecorder(heap);
    for (const ms of [0, -1, Number.NaN, Infinity, 2 ** 31, "5"]) {
      expect(() => recorder.start(ms as number)).toThrow(/^intervalMs must be milliseconds in 1\.\./);
    }
    expect(recorder.file().traceEvents.filter((event) => event.ph === "C")).toEqual([]);
    // A clock that gives no number: nothing is recorded.
    const broken = new CounterRecorder(heap, { clock: () => Number.NaN });
    expect(() => broken.sample()).toThrow(RangeError);
    expect(broken.events.length).toBe(0);
  });
});
