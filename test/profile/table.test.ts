/** Profiles as text: the table of pprof -top, stacks, and Go's text form. */
import { describe, expect, it } from "vitest";
import { diffProfiles } from "../../src/profile/diff.ts";
import { buildProfile } from "../../src/profile/profile.ts";
import { formatRecord } from "../../src/profile/record.ts";
import { formatBytes, formatStacks, formatTop, topRows, topStacks } from "../../src/profile/table.ts";
import { bucket, JS_MAIN, record, SYMBOLS } from "./support/records.ts";

const BUCKETS = [
  bucket([100, 200, 400, JS_MAIN[0]], 1024, 48, 16),
  bucket([100, 200, 400, JS_MAIN[0]], 512, 2),
  bucket([100, 300, 200, 400], 2 ** 20, 3),
  bucket([100, 200, 300, 200, 400], 100, 5, 5),
];
const PROFILE = buildProfile(record(1, BUCKETS), { symbols: SYMBOLS, program: { name: "app.wasm" } });

describe("the table", () => {
  it("has the form of go tool pprof -top", () => {
    expect(formatTop(PROFILE)).toBe(`File: app.wasm
Type: inuse_space
Showing nodes accounting for 3.03MB, 100% of 3.03MB total
      flat  flat%   sum%        cum   cum%
       3MB 98.94% 98.94%        3MB 98.94%  node /src/app.c:31
      33kB  1.06%   100%     3.03MB   100%  parse /src/app.c:20
         0     0%   100%     3.03MB   100%  main /src/app.c:50
         0     0%   100%        3MB 98.94%  tree /src/app.c:42
         0     0%   100%       33kB  1.06%  main /app/main.js:7
`);
  });

  it("counts a function once for a stack that it is in twice", () => {
    const { rows, total } = topRows(PROFILE, { sampleType: "alloc_objects" });
    expect(total).toBe(58);
    expect(rows.map(({ function: name, flat, cum }) => [name, flat, cum])).toEqual([
      ["parse", 55, 58],
      ["node", 3, 8],
      ["main", 0, 58],
      ["main", 0, 50],
      ["tree", 0, 8],
    ]);
  });

  it("has as many rows as asked for, and says how many are left", () => {
    const text = formatTop(PROFILE, { count: 1 });
    expect(text).toContain("Showing nodes accounting for 3MB, 98.94% of 3.03MB total\nShowing top 1 nodes out of 5\n");
    expect(text.trimEnd().split("\n")).toHaveLength(6);
  });

  it("by function has files without lines", () => {
    const lines = formatTop(PROFILE, { by: "function", count: 2 }).trimEnd().split("\n").slice(-2);
    expect(lines.map((line) => line.trim().split("  ").at(-1))).toEqual(["node /src/app.c", "parse /src/app.c"]);
  });

  it("of a difference has negative numbers; most change comes first", () => {
    const later = buildProfile(record(1, [bucket([200, 400, JS_MAIN[0]], 1024, 96, 4)]), { symbols: SYMBOLS });
    const { rows, total } = topRows(diffProfiles(PROFILE, later));
    expect(rows.slice(0, 2).map(({ function: name, flat }) => [name, flat])).toEqual([
      ["node", -3 * 2 ** 20],
      ["parse", 60 * 1024 - 1024],
    ]);
    expect(total).toBe(3 * 2 ** 20 + 60 * 1024 + 1024);
    expect(formatTop(diffProfiles(PROFILE, later))).toContain("      -3MB -98.05% -98.05%");
  });

  it("of nothing is empty", () => {
    expect(formatTop(buildProfile(record(512, [])))).toBe(
      "Type: inuse_space\nShowing nodes accounting for 0, 0% of 0 total\n      flat  flat%   sum%        cum   cum%\n",
    );
  });
});

it.each([
  [0, "0"],
  [1023, "1023B"],
  [1024, "1kB"],
  [1536, "1.50kB"],
  [-3 * 2 ** 20, "-3MB"],
  [5 * 2 ** 30 + 2 ** 28, "5.25GB"],
  [2 ** 41, "2TB"],
])("%i bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

describe("stacks", () => {
  it("those with most bytes first, blocks of all sizes together", () => {
    const names = topStacks(PROFILE).map(({ stack, objects, bytes }) => [stack.length, objects, bytes]);
    expect(names).toEqual([
      [3, 3, 3 * 2 ** 20],
      [3, 34, 33 * 1024],
    ]);
    expect(topStacks(PROFILE, { sampleType: "alloc_space" })).toHaveLength(3);
  });

  it("as text, a frame a line", () => {
    expect(formatStacks(PROFILE)).toBe(`3MB in 3 objects
    node /src/app.c:31
    tree /src/app.c:42
    parse /src/app.c:20
    main /src/app.c:50

33kB in 34 objects
    parse /src/app.c:20
    main /src/app.c:50
    main /app/main.js:7
`);
  });
});

describe("Go's text form", () => {
  it("has the sampled numbers, twice the rate, stacks with names, and the statistics", () => {
    const text = formatRecord(record(524288, [bucket([100, 300, 400], 64, 1, 1), bucket([100, 200], 1024, 32, 2)]), {
      symbols: SYMBOLS,
      memStats: { Alloc: 30720, Sys: 1048576n },
    });
    expect(text).toBe(`heap profile: 30: 30720 [33: 32832] @ heap/1048576
30: 30720 [32: 32768] @ 0xc9
#\t0xc8\tparse\t/src/app.c:20

0: 0 [1: 64] @ 0x12d 0x191
#\t0x12c\tnode\t/src/app.c:31
#\t0x12c\ttree\t/src/app.c:42
#\t0x190\tmain\t/src/app.c:50


# runtime.MemStats
# Alloc = 30720
# Sys = 1048576
`);
  });

  it("at rate 1 has exact tuples, as Go's tests want them", () => {
    const rows = [bucket([200], 1024, 32), bucket([300], 1024, 1024, 1024), bucket([400], 2 ** 21, 1, 1)];
    const text = formatRecord(record(1, rows));
    expect(text.split("\n").filter((line) => line.includes("@"))).toEqual([
      "heap profile: 32: 32768 [1057: 3178496] @ heap/2",
      "32: 32768 [32: 32768] @ 0xc9",
      "0: 0 [1024: 1048576] @ 0x12d",
      "0: 0 [1: 2097152] @ 0x191",
    ]);
    expect(text).not.toContain("MemStats");
  });
});
