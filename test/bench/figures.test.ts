/**
 * The benchmark's own arithmetic: options, traces, medians, ratios, targets, tables. No clock in here.
 */
import { describe, expect, it } from "vitest";
import { ALLOCATORS } from "../../bench/lib/catalog.ts";
import { chart } from "../../bench/lib/chart.ts";
import { FLOOR } from "../../bench/lib/floor.ts";
import { readOptions } from "../../bench/lib/options.ts";
import { failures } from "../../bench/lib/report.ts";
import type { Outcome } from "../../bench/lib/rounds.ts";
import { geometricMean, median, medianError, spread } from "../../bench/lib/statistics.ts";
import { fastestPeer, firstPass, inOrder, netRatio, type Row, ratio, summarize } from "../../bench/lib/summary.ts";
import { markdown, rounded, text } from "../../bench/lib/table.ts";
import { memoryTable, ratioTable, targetTable, timeTable } from "../../bench/lib/tables.ts";
import { judge, SIZE_LIMIT, type Target } from "../../bench/lib/targets.ts";
import { Op, readTrace, survey, TRACE_NAMES, type Trace } from "../../bench/lib/trace.ts";
import { beginning, loadReplay, MICROS, type Micro, suits } from "../../bench/lib/workloads.ts";
import { judge as judgePrograms } from "../../bench/programs/lib/report.ts";

describe("options", () => {
  it("defaults to the quick mode over everything", () => {
    const options = readOptions([])!;
    expect(options).toMatchObject({ rounds: 5, checked: false, clock: "wall" });
    expect(options.wantsWorkload("larson")).toBe(true);
    expect(options.wantsAllocator("tlsf")).toBe(true);
  });

  it("selects workloads and allocators", () => {
    const options = readOptions(["--only", "^lar/tls", "--rounds", "2"])!;
    expect(options.rounds).toBe(2);
    expect(options.wantsWorkload("larson")).toBe(true);
    expect(options.wantsWorkload("large blocks")).toBe(true);
    expect(options.wantsWorkload("calloc")).toBe(false);
    expect(options.wantsAllocator("tlsf")).toBe(true);
    expect(options.wantsAllocator("dlmalloc")).toBe(false);
    expect(readOptions(["--allocators", "bump,stub"])!.wantsAllocator("tlsf")).toBe(false);
    expect(readOptions([])!.wantsAllocator("host-pages", true)).toBe(false);
    expect(readOptions(["--only", "larson"])!.wantsAllocator("host-pages", true)).toBe(false);
    expect(readOptions(["--only", "larson/host"])!.wantsAllocator("host-pages", true)).toBe(true);
    expect(readOptions(["--allocators", "host-pages"])!.wantsAllocator("host-pages", true)).toBe(true);
  });

  it("has a result for each kind of calls and engine", () => {
    expect(readOptions([])).toMatchObject({ calls: "inlined", newest: false, name: "bench" });
    expect(readOptions(["--calls", "called"])).toMatchObject({ calls: "called", name: "bench-called" });
    expect(readOptions(["--engine", "newest"])).toMatchObject({ newest: true, name: "bench-newest" });
    expect(readOptions(["--engine", "newest", "--calls", "called"])!.name).toBe("bench-called-newest");
  });

  it("refuses nonsense", () => {
    expect(() => readOptions(["--calls", "sometimes"])).toThrow("inlined or called");
    expect(() => readOptions(["--engine", "steam"])).toThrow("this or newest");
    expect(() => readOptions(["--rounds", "0"])).toThrow("whole number");
    expect(() => readOptions(["--clock", "sun"])).toThrow("wall or cpu");
    expect(() => readOptions(["--full", "--quick"])).toThrow("exclude");
    expect(() => readOptions(["--what"])).toThrow();
  });
});

function traceOf(events: readonly [op: number, slot: number, size: number][], maxSlots: number): Trace {
  const words = new Uint32Array(events.flatMap(([op, slot, size]) => [(op << 29) | slot, size]));
  return { name: "made up", events: words, count: events.length, maxSlots };
}

describe("traces", () => {
  it("reads a recorded one", async () => {
    const trace = await readTrace("lua-script");
    expect(trace).toMatchObject({ count: 1_349_297, maxSlots: 174_576 });
    expect(trace.events.length).toBe(trace.count * 2);
    expect(survey(trace)).toMatchObject({ peak: 13_985_109, rest: { count: 1, maxSlots: 174_576 } });
  });

  it("finds the peak and what is left", () => {
    const trace = traceOf(
      [
        [Op.malloc, 0, 100],
        [Op.calloc, 1, 50],
        [Op.realloc, 0, 300],
        [Op.free, 1, 0],
        [Op.aligned, 1, (4 << 27) | 20],
      ],
      2,
    );
    const { rest, ...found } = survey(trace);
    // Tags of what went: 100 by realloc, 50 by free, 300 and 20 in the end.
    const checksum = 101 + 51 + (301 & 0xff) + 21;
    expect(found).toEqual({ peak: 350, peakEvent: 2, peakObjects: 2, aligned: false, checksum });
    expect([...rest.events]).toEqual([(Op.free << 29) | 0, 0, (Op.free << 29) | 1, 0]);
    expect(rest.count).toBe(2);
  });

  it("with alignments beyond 16 suit only allocators that have them", async () => {
    const aligned = traceOf([[Op.aligned, 0, (5 << 27) | 20]], 1);
    expect(survey(aligned).aligned).toBe(true);
    const replay = { kind: "trace" as const, name: "made up", about: "", trace: aligned, ...survey(aligned) };
    expect(suits({ aligns: true }, replay)).toBe(true);
    expect(suits({ aligns: false }, replay)).toBe(false);
    expect(suits({ aligns: false }, { ...replay, aligned: false })).toBe(true);
    expect(suits({ aligns: false }, MICROS[0]!)).toBe(true);
  });
});

describe("statistics", () => {
  it("medians", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("geometric means", () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    expect(geometricMean([0.5, 2])).toBeCloseTo(1, 12);
  });

  it("spread of quartiles", () => {
    expect(spread([10, 10, 10, 10, 10])).toBe(0);
    expect(spread([8, 9, 10, 11, 12])).toBeCloseTo(0.1, 12);
  });

  it("errors of medians, smaller with more values and unmoved by one that is far off", () => {
    expect(medianError([3])).toBe(0);
    const error = medianError([8, 9, 10, 11, 12]);
    expect(error).toBeCloseTo(((0.2 / 1.349) * 1.2533) / Math.sqrt(5), 12);
    expect(medianError([8, 9, 10, 11, 1200])).toBe(error);
    expect(medianError(Array.from({ length: 20 }, (_, i) => 8 + (i % 5)))).toBeLessThan(error * 0.6);
  });
});

const MICRO = MICROS.find(({ name }) => name === "larson")!;

function outcome(allocator: string, times: number[], extra: Partial<Outcome> & { complete?: boolean } = {}): Outcome {
  const { complete = true, ...rest } = extra;
  const samples = times.map((nanoseconds) => ({
    nanoseconds,
    footprint: 1 << 20,
    checksum: 7,
    operations: 1000,
    complete,
  }));
  return { allocator, workload: MICRO.name, samples, ...rest };
}

function rowOf(workload: Micro, ...outcomes: Outcome[]): Row {
  return summarize(workload, 1000, outcomes);
}

describe("summary", () => {
  const row = rowOf(
    MICRO,
    outcome("gomalloc", [5, 4, 6]),
    outcome("dlmalloc", [20, 22, 18]),
    outcome("tlsf", [10, 11, 12]),
    outcome("stub", [1]),
    outcome("best-fit", [500], { complete: false }),
    outcome("bump", [], { error: "trap: unreachable" }),
    outcome(FLOOR, [2, 2, 2]),
  );

  it("takes medians and their ratios", () => {
    expect(ratio(row, "dlmalloc")).toBe(0.25);
    expect(ratio(row, "tlsf")).toBeCloseTo(5 / 11, 12);
  });

  it("takes the driver off both for the net ratio", () => {
    expect(netRatio(row, "dlmalloc")).toBeCloseTo(3 / 18, 12);
  });

  it("makes the first pass of a trace a row of its own, behind the traces", async () => {
    const replay = beginning(await loadReplay("jq-query"), 100);
    const passes = (allocator: string, cold: number, warm: number): Outcome => {
      const [sample] = outcome(allocator, [warm]).samples;
      return { allocator, workload: replay.name, samples: [{ ...sample!, cold }] };
    };
    const outcomes = [passes("gomalloc", 30, 6), passes("dlmalloc", 40, 10)];
    const [trace, cold] = [summarize(replay, 1000, outcomes), firstPass(replay, outcomes)];
    expect(ratio(trace, "dlmalloc")).toBeCloseTo(0.6, 12);
    expect(cold).toMatchObject({ workload: "jq-query, cold", kind: "cold" });
    expect(ratio(cold, "dlmalloc")).toBeCloseTo(0.75, 12);
    expect(inOrder([row, cold, trace])).toEqual([trace, cold, row]);
    const [head, ...names] = ratioTable([trace, cold, row], ALLOCATORS)!.rows.map(([name]) => name);
    expect([head, ...names.slice(3)]).toEqual([
      "jq-query",
      "  of the traces",
      "  of the traces, cold",
      "  of the others",
    ]);
    expect(memoryTable([trace, cold, row], ALLOCATORS).rows.map(([name]) => name)).not.toContain("jq-query, cold");
  });

  it("judges nothing that did not end", () => {
    expect(ratio(row, "best-fit")).toBeUndefined();
    expect(ratio(row, "bump")).toBeUndefined();
    expect(ratio(row, "unheard-of")).toBeUndefined();
  });

  it("counts neither bump allocators nor textbook ones among the peers", () => {
    expect(fastestPeer(row, ALLOCATORS)).toBe("tlsf");
  });

  it("tells who failed, where and why", () => {
    const lost = { ...row, workload: "another" };
    expect(failures([row, lost])).toEqual(["bump: trap: unreachable: larson, another"]);
  });

  it("stops when two allocators read different contents back", () => {
    const wrong = outcome("tlsf", [1]);
    const samples = wrong.samples.map((sample) => ({ ...sample, checksum: 8 }));
    expect(() => rowOf(MICRO, outcome("dlmalloc", [1]), { ...wrong, samples })).toThrow("checksums differ");
  });

  it("shows a time that was cut off and one that failed", () => {
    const shown = text(timeTable([row], ALLOCATORS)).split("\n");
    expect(shown[2]).toContain(">500.0");
    expect(shown[2]).toMatch(/ - /);
  });
});

describe("targets", () => {
  const named = (name: string) => MICROS.find((micro) => micro.name === name)!;
  const rows = [
    rowOf(named("pairs 64 B"), outcome("gomalloc", [1]), outcome("dlmalloc", [4]), outcome("tlsf", [8])),
    rowOf(
      named("larson"),
      outcome("gomalloc", [16]),
      outcome("dlmalloc", [16]),
      outcome("tlsf", [8]),
      outcome("mimalloc", [32]),
      outcome("mimalloc-2", [20]),
      outcome("segregated", [10]),
    ),
  ];
  const among = (targets: readonly Target[]) => (part: string) => targets.find(({ what }) => what.includes(part))!;

  it("can be met and missed", () => {
    const find = among(judge(rows, ALLOCATORS, SIZE_LIMIT + 1, "inlined"));
    expect(find("each row over its fastest peer, inlined")).toMatchObject({
      value: 2,
      met: false,
      above: [{ name: "larson", value: 2 }],
    });
    expect(find("mean of each row over its fastest peer, inlined")).toMatchObject({
      value: expect.closeTo(Math.sqrt(0.5), 12),
      met: false,
    });
    // The faster of the two counts.
    expect(find("larson over mimalloc")).toMatchObject({ value: 0.8, met: true });
    expect(find("larson over the segregated list")).toMatchObject({ value: 1.6, met: false });
    expect(find("each micro workload over dlmalloc")).toMatchObject({ value: 1, met: true, above: [] });
    expect(find("gomalloc.wasm")).toMatchObject({ value: SIZE_LIMIT + 1, met: false });
  });

  it("hold the rows of a called run against dlmalloc", () => {
    const find = among(judge(rows, ALLOCATORS, SIZE_LIMIT + 1, "called"));
    expect(find("each row over dlmalloc, called")).toMatchObject({ value: 1, met: true, above: [] });
    expect(find("mean of each row over dlmalloc, called")).toMatchObject({
      value: expect.closeTo(0.5, 12),
      met: true,
    });
    expect(find("fastest peer")).toBeUndefined();
  });

  it("say so when something was not measured", () => {
    const find = among(judge(rows, ALLOCATORS, undefined, "inlined"));
    for (const part of ["each trace over dlmalloc", "traces, cold, over mimalloc", "doubling", "gomalloc.wasm"]) {
      expect(find(part), part).toMatchObject({ value: undefined, met: undefined });
    }
  });

  it("name rows of the benchmark", () => {
    const names = [...TRACE_NAMES, ...MICROS.map(({ name }) => name)];
    const named = judge([], ALLOCATORS, undefined, "inlined").flatMap(
      ({ what }) => /^time, (?!each|geometric)(.+) over /.exec(what)?.[1] ?? [],
    );
    expect(named).toHaveLength(13);
    for (const name of named) expect(names).toContain(name);
  });

  it("tell by how much they were missed, and where", () => {
    const shown = text(targetTable(judge(rows, ALLOCATORS, SIZE_LIMIT + 1, "inlined")));
    expect(shown).toMatch(/each row over its fastest peer, inlined +1\.000x +2\.000x +missed by 100\.0 %/);
    expect(shown).toMatch(/doubling over dlmalloc +1\.000x +- +not measured/);
    expect(shown).toContain("Above 1.000x, time, each row over its fastest peer, inlined: larson 2.00x.");
  });

  it("of real programs are a mean and each of the workloads", () => {
    const program = (name: string, time: number, memory: number) => ({
      program: name,
      workload: "run",
      cells: { gomalloc: { time, memory } },
    });
    const find = among(judgePrograms([program("a", 0.5, 1), program("b", 1.25, 1.25)]));
    expect(find("geometric mean")).toMatchObject({ value: expect.closeTo(Math.sqrt(0.625), 12), met: true });
    expect(find("time, each workload")).toMatchObject({ value: 1.25, above: [{ name: "b run", value: 1.25 }] });
    expect(find("peak memory, each workload")).toMatchObject({ value: 1.25, met: false });
  });
});

describe("output", () => {
  it("keeps no digits that are not shown", () => {
    const columns = [{ name: "a" }, { name: "ns", digits: 1 }, { name: "over", digits: 2, unit: "x" }];
    const table = {
      columns,
      rows: [
        ["p", 9.0421, 0.4999],
        ["q", 1234.56, null],
        ["r", ">12.5", ""],
      ],
    };
    expect(rounded(table).rows).toEqual([
      ["p", 9, 0.5],
      ["q", 1235, null],
      ["r", ">12.5", ""],
    ]);
    expect(text(rounded(table))).toBe(text(table));
    expect(text(table).split("\n").slice(2)).toEqual(["p    9.0  0.50x", "q   1235      -", "r  >12.5       "]);
  });

  it("aligns columns", () => {
    const table = { columns: [{ name: "a" }, { name: "bb" }], rows: [["long", 1]] };
    expect(text(table)).toBe("a     bb\n----  --\nlong   1");
    expect(markdown(table)).toBe("| a    | bb |\n| ---- | -: |\n| long |  1 |");
  });

  it("draws one group of bars per workload", () => {
    const rows = [rowOf(MICRO, outcome("gomalloc", [5]), outcome("dlmalloc", [10]), outcome("tlsf", [20]))];
    const svg = chart(rows, ALLOCATORS, "a <machine>");
    expect(svg).toContain("larson, gomalloc: 5.0 ns, 0.50x");
    expect(svg).toContain("larson, tlsf: 20.0 ns, 2.00x");
    expect(svg).not.toContain("<machine>");
  });
});
