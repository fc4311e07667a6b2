/** The gctrace line, compared with whole lines; and read back with the pattern that tools for Go's lines use. */
import { describe, expect, it } from "vitest";
import { formatGCTrace, formatMs } from "../../src/gc/gctrace.ts";
import { CYCLE } from "../support/cycle.ts";

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

  it("is read by a pattern for Go's lines", () => {
    const pattern =
      /^gc (\d+) @([\d.]+)s (\d+)%: ([\d.]+)\+([\d.]+)\+([\d.]+) ms clock, ([\d.]+)\+([\d.]+)\/([\d.]+)\/([\d.]+)\+([\d.]+) ms cpu, (\d+)->(\d+)->(\d+) MB, (\d+) MB goal, (\d+) MB stacks, (\d+) MB globals, (\d+) P( \(forced\))?$/;
    const fields = pattern.exec(formatGCTrace(CYCLE))!;
    expect(fields.slice(1, -1).map(Number)).toEqual([
      ...[7, 1.204, 3, 0.019, 1.4, 0.004, 0.15, 0.23, 0.41, 0.1, 0.033],
      ...[4, 5, 2, 4, 0, 3, 8],
    ]);
  });
});

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

  it("takes every whole number of microseconds for what it is, in spite of floats", () => {
    for (let us = 1; us < 100; us++) expect(formatMs(us / 1000)).toBe((us / 1000).toFixed(3));
  });
});
