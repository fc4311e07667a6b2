/** The gctrace line: compared with whole lines, and read with a reader that takes no other line than Go's. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatGCTrace, formatMs, type GCCycle } from "../../src/gc/gctrace.ts";
import { type CreateHeapOptions, createHeap } from "../../src/index.ts";
import { createSharedHeap, type SharedHeapOptions } from "../../src/shared/index.ts";
import { CYCLE } from "../support/cycle.ts";
import { runs } from "../support/random.ts";
import { NOT_GO, PUBLISHED, readGoTrace } from "./support/gotrace.ts";

describe("formatGCTrace", () => {
  it("is Go's line", () => {
    expect(formatGCTrace(CYCLE)).toBe(
      "gc 7 @1.204s 3%: 0.019+1.4+0.004 ms clock, 0.15+0.23/0.41/0.10+0.033 ms cpu, 4->5->2 MB, 4 MB goal, " +
        "0 MB stacks, 3 MB globals, 8 P",
    );
  });

  it("tells a forced cycle, and sizes of small heaps in KB", () => {
    const small = { ...CYCLE, forced: true, heapStart: 70_000, heapEnd: 70_000, heapMarked: 1023, goal: 131_072 };
    expect(formatGCTrace(small, { unit: "KB" })).toBe(
      "gc 7 @1.204s 3%: 0.019+1.4+0.004 ms clock, 0.15+0.23/0.41/0.10+0.033 ms cpu, 68->68->0 KB, 128 KB goal, " +
        "64 KB stacks, 3072 KB globals, 8 P (forced)",
    );
  });

  it("has a place for times that nobody measured, and for heaps of 4 GiB", () => {
    const none = { sweepTermination: 0, mark: 0, markTermination: 0 };
    const big = 2 ** 32 - 1;
    const line = formatGCTrace({
      ...CYCLE,
      ...{ number: 1, startedAt: 0, utilization: 0, clock: none, procs: 1 },
      ...{ cpu: { ...none, assist: 0, background: 0, idle: 0 } },
      ...{ heapStart: big, heapEnd: big, heapMarked: big, goal: big, stacks: 0, globals: 0 },
    });
    expect(line).toBe(
      "gc 1 @0.000s 0%: 0+0+0 ms clock, 0+0/0/0+0 ms cpu, 4095->4095->4095 MB, 4095 MB goal, " +
        "0 MB stacks, 0 MB globals, 1 P",
    );
  });

  it.each(PUBLISHED)("prints what Go has printed: %s", (line) => {
    const cycle = readGoTrace(line);
    expect(cycle).not.toBeNull();
    expect(formatGCTrace(cycle!)).toBe(line);
  });

  it("of any cycle is a line that Go could have printed, and means the cycle", () => {
    const ms = fc.oneof(
      fc.double({ min: 0, max: 20, noNaN: true }),
      fc.nat(200_000).map((us) => us / 1000),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
    );
    const bytes = fc.double({ min: 0, max: 2 ** 40, noNaN: true });
    const cycle = fc.record<GCCycle>({
      number: fc.nat(),
      startedAt: ms,
      utilization: fc.double({ min: 0, max: 1, noNaN: true }),
      clock: fc.record({ sweepTermination: ms, mark: ms, markTermination: ms }),
      cpu: fc.record({ sweepTermination: ms, assist: ms, background: ms, idle: ms, markTermination: ms }),
      heapStart: bytes,
      heapEnd: bytes,
      heapMarked: bytes,
      goal: bytes,
      stacks: bytes,
      globals: bytes,
      procs: fc.integer({ min: 1, max: 256 }),
      forced: fc.boolean(),
    });
    fc.assert(
      fc.property(cycle, (c) => {
        const line = formatGCTrace(c);
        const read = readGoTrace(line);
        expect(read, line).not.toBeNull();
        expect(formatGCTrace(read!)).toBe(line);
        expect(read).toMatchObject({ number: c.number, procs: c.procs, forced: c.forced });
        expect(read!.heapEnd).toBe(Math.floor(c.heapEnd / 2 ** 20) * 2 ** 20);
        expect(read!.clock.mark).toBeLessThanOrEqual(c.clock.mark + 1e-6);
      }),
      { numRuns: runs(500) },
    );
  });

  it.each(NOT_GO)("would not pass for Go's with another detail: %s", (line) => {
    expect(readGoTrace(line)).toBeNull();
  });

  it("of a real collection is such a line", () => {
    const lines: string[] = [];
    using heap = createHeap({ collector: { trace: (line) => lines.push(line), heapMinimum: 1 << 20, auto: true } });
    const gc = heap.collector;
    const Node = gc.defineType({ size: 64, pointers: [0] });
    for (let i = 0; i < 50_000; i++) gc.allocate(Node);
    gc.collect();
    expect(lines.length).toBeGreaterThan(2);
    const read = lines.map(readGoTrace);
    expect(read.indexOf(null), lines.join("\n")).toBe(-1);
    expect(read.map((cycle) => cycle!.number)).toEqual(read.map((_, i) => i + 1));
    expect(read.map((cycle) => cycle!.forced)).toEqual(read.map((_, i) => i === read.length - 1));
  });
});

it.each([
  ["a heap of one thread", (options: CreateHeapOptions) => createHeap(options)],
  ["a shared heap", (options: SharedHeapOptions) => createSharedHeap(options)],
])("the record of a cycle tells stacks from globals: %s", (_, make) => {
  const cycles: GCCycle[] = [];
  const heap = make({ collector: { onCycle: (cycle: GCCycle) => cycles.push(cycle) } });
  const gc = heap.collector;
  gc.addRoots(heap.calloc(1, 3 << 20), 3 << 20);
  const stack = gc.shadowStack(2 << 18);
  gc.collect();
  gc.inside(() => {
    for (let i = 0; i < 1 << 18; i++) stack.push(0);
  });
  gc.collect();
  expect(cycles.map((cycle) => cycle.stacks)).toEqual([0, 1 << 20]);
  for (const cycle of cycles) expect(cycle.globals).toBe(3 << 20);
  expect(formatGCTrace(cycles[1]!)).toContain(" MB goal, 1 MB stacks, 3 MB globals, 1 P (forced)");
  heap.dispose();
});

/** fmtNSAsMS and itoaDiv of Go's runtime, from their rules, over nanoseconds. */
function goMs(ns: bigint): string {
  if (ns >= 10_000_000n) return String(ns / 1_000_000n);
  let digits = ns / 1000n;
  if (digits === 0n) return "0";
  let decimals = 3;
  for (; digits >= 100n; digits /= 10n) decimals--;
  const text = String(digits).padStart(decimals + 1, "0");
  return `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

describe("formatMs", () => {
  it.each([
    [0, "0"],
    [0.0009, "0"],
    [0.001, "0.001"],
    [0.0119, "0.011"],
    [0.099, "0.099"],
    [0.1, "0.10"],
    [0.12999, "0.12"],
    [0.999, "0.99"],
    [1, "1.0"],
    [1.001, "1.0"],
    [9.9999, "9.9"],
    [10, "10"],
    [10.99, "10"],
    [12345.6, "12345"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });

  it("is Go's fmtNSAsMS for every number of microseconds and of nanoseconds", () => {
    for (let us = 0; us < 20_000; us++) expect(formatMs(us / 1000)).toBe(goMs(BigInt(us) * 1000n));
    fc.assert(
      fc.property(fc.nat(20_000), fc.integer({ min: 1, max: 998 }), (us, ns) => {
        expect(formatMs((us * 1000 + ns) / 1e6)).toBe(goMs(BigInt(us * 1000 + ns)));
      }),
      { numRuns: runs(1000) },
    );
  });

  it("takes every whole number of microseconds for what it is, in spite of floats", () => {
    for (let us = 1; us < 100; us++) expect(formatMs(us / 1000)).toBe((us / 1000).toFixed(3));
  });
});
