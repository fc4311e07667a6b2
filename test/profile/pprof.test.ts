/** The pprof file, read back by pprof-format and by Go's own pprof. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { Profile as Decoded } from "pprof-format";
import { describe, expect, it, onTestFinished } from "vitest";
import { diffProfiles } from "../../src/profile/diff.ts";
import { encodePprof, pprofFile, SAMPLE_TYPES, type SampleType } from "../../src/profile/pprof.ts";
import { buildProfile } from "../../src/profile/profile.ts";
import { formatRecord } from "../../src/profile/record.ts";
import { topRows } from "../../src/profile/table.ts";
import type { Profile } from "../../src/profile/types.ts";
import { describeWith } from "../support/describewith.ts";
import { GO } from "../support/needs.ts";
import { bucket, JS_MAIN, record, SYMBOLS } from "./support/records.ts";

const BUCKETS = [
  bucket([100, 200, 400, JS_MAIN[0]], 1024, 4, 1),
  bucket([101, 100, 300, 400], 524288, 1),
  bucket([500, 400], 64, 7, 7),
];
const TIMES = { timeNanos: 1_764_532_800_123_456_789n, durationNanos: 2_000_000_000n };
const PROGRAM = { name: "app.wasm", buildId: "ab01ff", size: 4096 };
const PROFILE = buildProfile(record(524288, BUCKETS, TIMES), { symbols: SYMBOLS, program: PROGRAM });

/** What the file says, with texts for their numbers. */
function decoded(bytes: Uint8Array) {
  const file = Decoded.decode(bytes);
  const text = (index: number | bigint) => file.stringTable.strings[Number(index)]!;
  const byId = <T extends { id: number | bigint }>(list: T[], id: number | bigint) =>
    list.find((one) => Number(one.id) === Number(id))!;
  const type = (one: { type: number | bigint; unit: number | bigint }) => `${text(one.type)}/${text(one.unit)}`;
  return {
    file,
    text,
    types: file.sampleType.map(type),
    period: `${type(file.periodType!)} ${file.period}`,
    samples: file.sample.map((sample) => ({
      values: sample.value.map((value) => Number(BigInt.asIntN(64, BigInt(value)))),
      labels: sample.label.map((label) => `${text(label.key)}=${label.num}`),
      stack: sample.locationId.map((id) => {
        const { address, mappingId, line } = byId(file.location, id);
        const lines = line.map((one) => {
          const fn = byId(file.function, one.functionId);
          return `${text(fn.name)} ${text(fn.filename)}:${one.line}`;
        });
        return `${Number(mappingId) === 0 ? "" : `${Number(address)} `}${lines.join(" < ")}`;
      }),
    })),
  };
}

describe("the file", () => {
  it("has Go's sample types, period and labels", () => {
    const { types, period, samples, file, text } = decoded(encodePprof(PROFILE));
    expect(types).toEqual(["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"]);
    expect(period).toBe("space/bytes 524288");
    expect(text(file.defaultSampleType)).toBe("inuse_space");
    expect(samples.map(({ values }) => values)).toEqual([
      [2050, 2099200, 1537, 1574400],
      [1, 829411, 1, 829411],
      [57347, 3670240, 0, 0],
    ]);
    expect(samples.map(({ labels }) => labels)).toEqual([["bytes=1024"], ["bytes=524288"], ["bytes=64"]]);
    expect(file.stringTable.strings[0]).toBe("");
    expect([BigInt(file.timeNanos), BigInt(file.durationNanos)]).toEqual([TIMES.timeNanos, TIMES.durationNanos]);
  });

  it("has stacks leaf first, addresses of the program's frames, and inlined functions in one location", () => {
    const { samples } = decoded(encodePprof(PROFILE));
    expect(samples.map(({ stack }) => stack)).toEqual([
      ["200 parse /src/app.c:20", "400 main /src/app.c:50", "main /app/main.js:7"],
      ["300 node /src/app.c:31 < tree /src/app.c:42", "400 main /src/app.c:50"],
      ["500 list /src/app.c:61", "400 main /src/app.c:50"],
    ]);
  });

  it("has each location, function and text once", () => {
    const { file, text } = decoded(encodePprof(PROFILE));
    expect(file.location).toHaveLength(5);
    expect(file.function.map((fn) => text(fn.name)).sort()).toEqual(["list", "main", "main", "node", "parse", "tree"]);
    expect(new Set(file.stringTable.strings).size).toBe(file.stringTable.strings.length);
    const tree = file.function.find((fn) => text(fn.name) === "tree")!;
    expect([text(tree.systemName), Number(tree.startLine)]).toEqual(["_Z4treev", 40]);
  });

  it("names the program and its build", () => {
    const { file, text } = decoded(encodePprof(PROFILE));
    expect(file.mapping).toHaveLength(1);
    const [mapping] = file.mapping;
    expect([text(mapping!.filename), text(mapping!.buildId), Number(mapping!.memoryLimit)]).toEqual([
      "app.wasm",
      "ab01ff",
      4096,
    ]);
    expect(mapping).toMatchObject({
      hasFunctions: true,
      hasFilenames: true,
      hasLineNumbers: true,
      hasInlineFrames: true,
    });
  });

  it("may show another type first, and have comments", () => {
    const { file, text } = decoded(
      encodePprof(PROFILE, { defaultSampleType: "alloc_space", comments: ["one", "two"] }),
    );
    expect(text(file.defaultSampleType)).toBe("alloc_space");
    expect([file.comment].flat().map((one) => text(one as number))).toEqual(["one", "two"]);
  });

  it("of a difference has negative numbers", () => {
    const later = buildProfile(record(524288, [bucket([200, 400, JS_MAIN[0]], 1024, 4, 4)]), {
      symbols: SYMBOLS,
      program: PROGRAM,
    });
    const { samples } = decoded(encodePprof(diffProfiles(PROFILE, later)));
    expect(samples.map(({ values }) => values)).toEqual([
      [0, 0, -1537, -1574400],
      [-1, -829411, -1, -829411],
      [-57347, -3670240, 0, 0],
    ]);
  });

  it("of no samples is one", () => {
    const { samples, types } = decoded(encodePprof(buildProfile(record(512, []))));
    expect([samples, types.length]).toEqual([[], 4]);
  });

  it("has numbers of more than 32 bits", () => {
    const huge = { ...PROFILE.samples[0]!, allocBytes: 2 ** 52 + 1, inuseBytes: -(2 ** 45) - 3 };
    const { samples } = decoded(encodePprof({ ...PROFILE, samples: [huge] }));
    expect(samples[0]!.values).toEqual([2050, 2 ** 52 + 1, 1537, -(2 ** 45) - 3]);
  });

  it("compressed is the same", async () => {
    const packed = await pprofFile(PROFILE);
    expect([packed[0], packed[1]]).toEqual([0x1f, 0x8b]);
    expect(new Uint8Array(gunzipSync(packed))).toEqual(new Uint8Array(encodePprof(PROFILE)));
  });
});

describeWith(GO, "go tool pprof", () => {
  /** What it prints for files, which it reads in a folder of its own. */
  async function pprof(args: readonly string[], files: Record<string, Uint8Array>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "gomalloc-pprof-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
    const env = { ...process.env, HOME: folder, PPROF_TMPDIR: folder };
    const { stdout, stderr, status } = spawnSync("/usr/bin/go", ["tool", "pprof", ...args, ...Object.keys(files)], {
      cwd: folder,
      env,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`${args.join(" ")} gave ${status}: ${stderr}`);
    return stdout;
  }
  /** Flat, cum and the function with its place, of each row. */
  const ALL = ["-top", "-lines", "-nodefraction=0", "-unit=B"];
  const theirRows = (text: string) => {
    const lines = text.split("\n");
    const found = lines.slice(lines.findIndex((line) => line.includes("flat%")) + 1).filter((line) => line !== "");
    return found.map((line) => {
      const [, flat, cum, name] = /^ *(\S+) +\S+ +\S+ +(\S+) +\S+ +(.*?)(?: \(inline\))?$/.exec(line)!;
      return [Number.parseInt(flat!, 10), Number.parseInt(cum!, 10), name];
    });
  };
  const ourRows = (profile: Profile, sampleType?: SampleType) =>
    topRows(profile, { count: 1000, sampleType }).rows.map(({ flat, cum, function: name, place }) => [
      flat,
      cum,
      `${name} ${place}`,
    ]);
  const sorted = (rows: unknown[][]) => rows.map((row) => row.join(" ")).sort();

  it("reads the file", async () => {
    const text = await pprof(ALL, { "heap.pb.gz": await pprofFile(PROFILE) });
    expect(text).toContain("File: app.wasm");
    expect(text).toContain("Build ID: ab01ff");
    expect(text).toContain("Type: inuse_space");
    expect(text).toContain("Showing nodes accounting for 2403811B, 100% of 2403811B total");
    expect(theirRows(text)[0]).toEqual([1574400, 1574400, "parse /src/app.c:20"]);
  });

  it.each(SAMPLE_TYPES)("has the rows of our table for -sample_index=%s", async (sampleType) => {
    const args = [...ALL, `-sample_index=${sampleType}`];
    const theirs = theirRows(await pprof(args, { "heap.pb": encodePprof(PROFILE) }));
    expect(theirs.length).toBeGreaterThan(3);
    expect(sorted(theirs)).toEqual(sorted(ourRows(PROFILE, sampleType)));
  });

  it("has our rows by function", async () => {
    const args = ["-top", "-functions", "-nodefraction=0", "-unit=B"];
    const theirs = theirRows(await pprof(args, { "heap.pb": encodePprof(PROFILE) }));
    const rows = topRows(PROFILE, { by: "function" }).rows.map(({ flat, cum, function: name }) => [flat, cum, name]);
    const [main, ...others] = [
      rows.filter(([, , name]) => name === "main"),
      ...rows.filter(([, , name]) => name !== "main"),
    ];
    // pprof takes functions of one name for one
    expect(main).toHaveLength(2);
    expect(sorted(theirs.filter(([, , name]) => name !== "main"))).toEqual(sorted(others));
  });

  it("finds the difference that we find", async () => {
    const later: Profile = buildProfile(
      record(524288, [bucket([100, 200, 400, JS_MAIN[0]], 1024, 9, 1), bucket([300, 400], 524288, 1, 1)]),
      { symbols: SYMBOLS, program: PROGRAM },
    );
    const folder = await mkdtemp(join(tmpdir(), "gomalloc-base-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const base = join(folder, "base.pb.gz");
    await writeFile(base, gzipSync(encodePprof(PROFILE)));
    const theirs = theirRows(await pprof([...ALL, `-base=${base}`], { "later.pb": encodePprof(later) }));
    const difference = diffProfiles(PROFILE, later);
    const own = theirRows(await pprof(ALL, { "d.pb": encodePprof(difference) }));
    expect(theirs).toContainEqual([2624001, 2624001, "parse /src/app.c:20"]);
    expect(theirs).toContainEqual([-829411, -829411, "node /src/app.c:31"]);
    expect(sorted(own)).toEqual(sorted(theirs));
    expect(sorted(ourRows(difference))).toEqual(sorted(theirs));
  });

  it("reads Go's text form too, and unsamples it to the same numbers", async () => {
    const text = formatRecord(record(524288, BUCKETS), { symbols: SYMBOLS, memStats: { Alloc: 5 } });
    const args = ["-raw", "-sample_index=inuse_space"];
    const raw = await pprof(args, { "heap.txt": new TextEncoder().encode(text) });
    expect(raw).toContain("inuse_objects/count inuse_space/bytes");
    const rows = raw.split("\n").filter((line) => /^ +\d+ +\d+ +\d+ +\d+:/.test(line));
    const numbers = rows.map((line) => line.split(":")[0]!.trim().split(/ +/).map(Number));
    const ours = PROFILE.samples.map((one) => [one.allocObjects, one.allocBytes, one.inuseObjects, one.inuseBytes]);
    expect(sorted(numbers)).toEqual(sorted(ours));
    for (const address of [200, 300, 400, 500]) expect(raw).toMatch(new RegExp(`\\d: 0x${address.toString(16)} M=1`));
  });

  it("shows the comments", async () => {
    const bytes = encodePprof(PROFILE, { comments: ["gomalloc 0.1.0"] });
    expect(await pprof(["-comments"], { "heap.pb": bytes })).toContain("gomalloc 0.1.0");
  });
});
