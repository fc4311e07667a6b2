/** gomalloc map: what it reads, draws and writes, and what it says to wrong files and command lines. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HeapSnapshot } from "../../src/snapshot/index.ts";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";
import { ROOT } from "../support/installed.ts";
import { coredump, series } from "./support/heaps.ts";

const { memory, snapshots } = series();
const texts = snapshots.map((one) => JSON.stringify(one));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-map-"));
  const files: Record<string, string | Uint8Array> = {
    "first.json": texts[0]!,
    "last.json": texts.at(-1)!,
    "series.json": `[${texts.join(",")}]`,
    "lines.ndjson": `${texts.join("\n")}\n`,
    "large.json": JSON.stringify(longer(snapshots[0]!, 2000)),
    "pretty.json": JSON.stringify(snapshots[0], null, 2),
    "heap.bin": memory,
    "heap.bin.gz": gzipSync(memory),
    "core.wasm": coredump(memory),
    "app.wasm": assemble(COUNTING_PROGRAM),
    "none.bin": new Uint8Array(65536),
    "empty.json": "",
    "bad.json": '{"format": "x"}',
    "cut.ndjson": `${texts[0]}\n{"format":`,
    "bad.gz": Uint8Array.from([0x1f, 0x8b, 8, 0]),
  };
  for (const [name, contents] of Object.entries(files)) await writeFile(join(folder, name), contents);
});
afterAll(() => rm(folder, { recursive: true }));

/** The snapshot with free pages behind the heap. */
function longer(snapshot: HeapSnapshot, pages: number): object {
  const json = snapshot.toJSON();
  return { ...json, end: json.end + pages, runs: [...json.runs, { page: json.end, pages, kind: "free" }] };
}

function map(args: string[], options: { input?: string | Uint8Array; env?: Record<string, string> } = {}) {
  const cli = join(ROOT, "dist", "cli", "main.js");
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, "map", ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    input: options.input ?? "",
    env: { ...process.env, NO_COLOR: "", ...options.env },
  });
  return { stdout, stderr, status };
}

/** Standard output of a run that has to succeed. */
function printed(...args: string[]): string {
  const { stdout, stderr, status } = map(args);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout;
}

describe("it reads", () => {
  it.each(["last.json", "heap.bin", "heap.bin.gz", "core.wasm"])("%s", (file) => {
    const json = JSON.parse(printed(file, "--json"));
    expect({ ...json, samples: 0, label: 0, time: 0 }).toEqual({
      ...JSON.parse(texts.at(-1)!),
      ...{ samples: 0, label: 0, time: 0 },
    });
  });

  it.each(["series.json", "lines.ndjson"])("%s, a series", (file) => {
    expect(JSON.parse(printed(file, "--json"))).toEqual(texts.map((text) => JSON.parse(text)));
  });

  it("several files, indented JSON, and standard input", () => {
    expect(JSON.parse(printed("first.json", "last.json", "--json"))).toHaveLength(2);
    expect(JSON.parse(printed("pretty.json", "--json"))).toEqual(JSON.parse(texts[0]!));
    const { stdout, status } = map(["-", "--json"], { input: memory });
    expect(status).toBe(0);
    expect(JSON.parse(stdout).totals).toEqual(snapshots.at(-1)!.totals);
  });

  it("the heap that --heap names", () => {
    const { address } = snapshots[0]!;
    const json = JSON.parse(printed("heap.bin", "--heap", `0x${address.toString(16)}`, "--json"));
    expect(json.address).toBe(address);
  });
});

describe("it draws", () => {
  const last = snapshots.at(-1)!;
  const kinds = last.pageMap().kinds;

  it("a character for each page, without colour", () => {
    const lines = printed("last.json", "--width", "75").split("\n");
    expect(lines[0]).toBe(
      `host heap at 0x${last.address.toString(16)} in ${(last.memoryBytes / 2 ** 20).toFixed(1)} MiB of memory, ` +
        `${new Date(last.time).toISOString().slice(0, 19).replace("T", " ")}, round 3`,
    );
    const rows = lines.filter((line) => /^0x[0-9a-f]+ /.test(line));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(75);
    const cells = rows.map((line) => line.slice(11).padEnd(64)).join("");
    const count = (pattern: RegExp) => cells.match(pattern)?.length ?? 0;
    expect(count(/[A-Za-z]/g)).toBe(kinds.filter((kind) => kind === 6).length);
    expect(count(/#/g)).toBe(kinds.filter((kind) => kind === 4).length);
    expect(rows[1]!.split(" ")[0]).toBe(`0x${((last.start + 64) * 8192).toString(16)}`);
    expect(lines).toContain("each cell: a page of 8 KiB; capital letters: more than half full");
    expect(printed("last.json", "--width", "75")).not.toContain("\u001b");
  });

  it("two rows of pages in a line, in colour, when asked", () => {
    const lines = printed("last.json", "--width", "75", "--color", "always").split("\n");
    const rows = lines.filter((line) => line.includes("▀"));
    expect(rows).toHaveLength(Math.ceil(Math.ceil(kinds.length / 64) / 2));
    expect(rows.join("").match(/▀/g)).toHaveLength(
      rows.length * 2 > Math.ceil(kinds.length / 64)
        ? rows.length * 64 - (64 - (kinds.length % 64 || 64))
        : rows.length * 64,
    );
    for (const row of rows) expect(row.endsWith("\u001b[0m")).toBe(true);
  });

  it("several pages in a cell of a large heap", () => {
    const text = printed("large.json", "--width", "20");
    expect(text).toContain("each cell: 4 pages, 32 KiB; ");
    expect(text.split("\n").filter((line) => line.startsWith("0x")).length).toBeLessThanOrEqual(96);
  });

  it("totals, classes and the series", () => {
    const text = printed("series.json");
    const { heapObjects, spansInUse } = last.totals;
    expect(text).toContain(` in ${heapObjects} blocks, `);
    expect(text).toContain(` in ${spansInUse} spans, `);
    const table = text.split("\nkind ")[1]!.split("\n\n")[0]!.split("\n").slice(1);
    expect(table.length).toBeGreaterThan(10);
    expect(
      text
        .split("\nsnapshot ")[1]!
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split("  ")[0]),
    ).toEqual([...["round 0", "round 1", "round 2", "round 3"]]);
  });

  it("the difference of two", () => {
    const text = printed("--diff", "first.json", "last.json");
    const [a, b] = [snapshots[0]!.totals, last.totals];
    expect(text).toContain(`blocks         ${a.heapObjects} -> ${b.heapObjects}: `);
    expect(text).toMatch(/more live/);
    const json = JSON.parse(printed("--diff", "first.json", "last.json", "--json"));
    expect(json.totals.heapAlloc).toEqual([a.heapAlloc, b.heapAlloc]);
    expect(Object.keys(json)).toEqual(["totals", "rows", "spans"]);
  });

  it("nothing with -q", () => expect(printed("last.json", "-q")).toBe(""));
});

describe("--html", () => {
  it("writes one page with the snapshots inside, which loads nothing", async () => {
    expect(printed("series.json", "--html", "out.html")).toBe("");
    const page = await readFile(join(folder, "out.html"), "utf8");
    const [, data] = /<script id="data" type="text\/plain">([^<]*)</.exec(page)!;
    const { snapshots: inside, diff } = JSON.parse(gunzipSync(Buffer.from(data!, "base64")).toString());
    expect(inside).toEqual(texts.map((text) => JSON.parse(text)));
    expect(diff).toBe(false);
    expect(page).not.toMatch(/\b(src|href)=|@import|url\(|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    expect(page).toContain("default-src 'none'");
  });

  it("to standard output", () => expect(printed("last.json", "--html", "-")).toMatch(/^<!doctype html>/));
});

describe("--svg", () => {
  it("draws all pages and the classes, as a picture alone", async () => {
    expect(printed("series.json", "--svg", "out.svg")).toBe("");
    const svg = await readFile(join(folder, "out.svg"), "utf8");
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="960"/);
    expect(svg).not.toMatch(/<script|href|url\(|<style/);
    const last = snapshots.at(-1)!;
    expect(svg).toContain(`live in ${last.totals.heapObjects} blocks`);
    // Runs of cells of 12 pixels with a gap of one: together they are the pages.
    const widths = [...svg.matchAll(/M\d+ \d+h(\d+)v11/g)].map(([, width]) => (Number(width) + 1) / 12);
    expect(widths.reduce((sum, width) => sum + width, 0)).toBe(last.end - last.start);
    for (const { row, size, live } of last.rows.filter((one) => one.pages > 0).slice(0, 1)) {
      expect(svg).toContain(row === 0 ? ">large<" : `${size} B<`);
      expect(svg).toContain(`>${live} block`);
    }
  });

  it("has several pages in a cell of a large heap", () => {
    const huge = JSON.stringify(longer(snapshots[0]!, 20_000));
    const svg = map(["-", "--svg", "-"], { input: huge }).stdout;
    expect(svg).toContain("a cell is 4 pages, 32 KiB;");
    expect(svg.length).toBeLessThan(150_000);
  });
});

describe("it refuses", () => {
  it.each([
    [[], 2, "no file is given\n  Name a snapshot, a core dump or a memory"],
    [["last.json", "--width", "5"], 2, "--width 5 is no width\n  Give a number of columns, 20 to 1000."],
    [["last.json", "--color", "red"], 2, "--color red is unknown\n  Give one of auto, always, never."],
    [["last.json", "--heap", "here"], 2, "--heap here is no address\n"],
    [["last.json", "--diff"], 2, "--diff needs two snapshots, and one is given\n  Name a second file."],
    [["last.json", "--json", "--html", "-"], 2, "--html - and --json exclude each other\n"],
    [["last.json", "--svg", "-", "--html", "-"], 2, "--html - and --svg - exclude each other\n  Write to a file"],
    [["first.json", "last.json", "--svg", "a.svg", "--diff"], 2, "--svg and --diff exclude each other\n  A page"],
    [["missing.json"], 1, "cannot read missing.json: there is no such file\n"],
    [["none.bin"], 1, "none.bin: no heap is in the memory\n  A heap is made by its first malloc"],
    [["heap.bin", "--heap", "64"], 1, "heap.bin: no heap can be read at 0x40: there is no magic word\n"],
    [["app.wasm"], 1, "app.wasm: the file is a WebAssembly module and no core dump: it has no section `core`\n"],
    [["empty.json"], 1, "empty.json: the file is empty\n  Give a snapshot or the dump of a memory."],
    [["bad.json"], 1, 'bad.json: this is no snapshot of a heap: format is "x", not "gomalloc-heap"\n  Give what JSON.'],
    [["cut.ndjson"], 1, "cut.ndjson: line 2 is no JSON: "],
    [["bad.gz"], 1, "bad.gz: its gzip data is damaged\n"],
    [["last.json", "--html", "no/folder.html"], 1, "cannot write no/folder.html: there is no such folder\n"],
  ])("%j", (args, code, said) => {
    const { stdout, stderr, status } = map(args);
    if (!args.includes("--json")) expect(stdout).toBe("");
    expect(stderr).toContain(`gomalloc: ${said}`);
    expect(status).toBe(code);
    const json = map([...args.filter((word) => word !== "--json"), "--json", "-q"]);
    if (!args.includes("-")) expect(JSON.parse(json.stdout).error.message).toContain(said.split("\n")[0]!);
  });
});
