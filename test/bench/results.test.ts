/**
 * From a benchmark's run to the documents: what is published, who may publish, and that docs/results.md and README.md are
 * what bench/results/ says. Nothing is timed.
 */
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readOptions } from "../../bench/lib/options.ts";
import { commandLine, formatResult, PUBLISHED, publish, readResult, resultFolder } from "../../bench/lib/results.ts";
import { MEAN, RATIO } from "../../bench/lib/tables.ts";
import { TRACE_NAMES } from "../../bench/lib/trace.ts";
import { ROOT } from "../../scripts/build-tools.ts";
import { pages, readmeFigures, resultsPage, withFigures } from "../../scripts/results.ts";

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gomalloc-results-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

describe("the documents", () => {
  it("say what bench/results/ says: else npm run results", async () => {
    for (const [path, text] of await pages()) {
      expect(text === (await readFile(path, "utf8")), `${relative(ROOT, path)} differs: npm run results`).toBe(true);
    }
  });

  it("are not the same for other figures", async () => {
    const folder = await temporary();
    const files = (await readdir(PUBLISHED)).filter((file) => file.endsWith(".json"));
    for (const file of files) {
      const text = await readFile(join(PUBLISHED, file), "utf8");
      await writeFile(join(folder, file), text.replace('["cc1-c",', '["cc1-c",7'));
    }
    const other = await pages(folder);
    for (const [path, text] of await pages()) expect(other.get(path)).not.toBe(text);
    expect(await resultsPage(folder)).toContain("## Swapped packages");
    await rm(join(folder, "swap.json"));
    expect(await resultsPage(folder)).not.toContain("## Swapped packages");
    await rm(join(folder, "rt.json"));
    await expect(readmeFigures(folder)).rejects.toThrow("rt.json");
  });

  it("name commands whose files are there", async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    for (const file of (await readdir(PUBLISHED)).filter((name) => name.endsWith(".json"))) {
      const { command } = await readResult(PUBLISHED, file.replace(".json", ""));
      const script = /^npm (?:run )?([\w:]+)/.exec(command ?? "")?.[1];
      if (script !== undefined) expect(scripts, file).toHaveProperty([script]);
      for (const [path] of command?.matchAll(/\S+\.ts\b/g) ?? []) expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
  });

  it("have a row for each trace and each mean in README.md, between its marks", async () => {
    const figures = await readmeFigures(PUBLISHED);
    const rows = figures.split("\n").filter((line) => line.startsWith("| "));
    const { tables } = await readResult(PUBLISHED, "bench");
    const measured = tables[0]!.rows.map(([name]) => name);
    const traces = TRACE_NAMES.filter((name) => measured.includes(name));
    expect(traces.length).toBeGreaterThan(4);
    for (const name of traces) expect(rows.filter((row) => row.startsWith(`| ${name} `))).toHaveLength(1);
    const means = rows.filter((row) => row.startsWith("| geometric mean of "));
    expect(means.length).toBeGreaterThan(2);
    expect(rows).toHaveLength(2 + traces.length + means.length);
    expect(means.at(-1)).toContain(`all ${measured.length} rows`);
    // With other calls and under another engine, where that was measured.
    const folder = await temporary();
    await cp(PUBLISHED, folder, { recursive: true });
    const { machine, conditions, notes } = await readResult(PUBLISHED, "bench");
    const called = { columns: [{ name: RATIO }, { name: "dlmalloc", digits: 2 }], rows: [[MEAN, 0.5] as const] };
    const published = { machine: { ...machine, node: "99.0.0" }, conditions, tables: [called], notes };
    for (const name of ["bench-called", "bench-newest"]) await publish(folder, name, "npm start", published);
    const told = (await readmeFigures(folder)).replaceAll("\n", " ");
    expect(told).toContain("0.50x where nothing of an allocator is inlined, 0.50x under node 99.0.0");
    expect(await resultsPage(folder)).toContain("## Allocators, one thread, newest Node");
    const readme = "above\n<!-- results:begin -->\nold\n<!-- results:end -->\nbelow\n";
    expect(withFigures(readme, "new")).toBe("above\n<!-- results:begin -->\n\nnew\n\n<!-- results:end -->\nbelow\n");
    expect(() => withFigures("nothing here\n", "new")).toThrow("README.md has no");
  });
});

describe("a result", () => {
  const columns = [{ name: "p" }, { name: "ns", digits: 1 }];
  const machine = { cpu: "a cpu", cores: 2, node: "20.0.0" };

  it("has its origin and rounded figures, and no date", async () => {
    const folder = await temporary();
    const tables = [{ columns, rows: [["a", 1.23456] as const, ["b", null] as const], note: 'a "note"' }];
    await publish(folder, "made", "npm start", { machine, conditions: "one round", tables, notes: ["n"] });
    const result = await readResult(folder, "made");
    expect(result).toMatchObject({ machine, conditions: "one round", notes: ["n"] });
    expect(result.measured).toMatch(/^\d+\.\d+\.\d+ \([0-9a-f]{9,}\+?\)$/);
    expect(result.tables).toEqual([
      {
        columns,
        rows: [
          ["a", 1.2],
          ["b", null],
        ],
        note: 'a "note"',
      },
    ]);
    const text = await readFile(join(folder, "made.json"), "utf8");
    expect(formatResult(result)).toBe(text);
    expect(text.split("\n")).toContain('        ["a",1.2],');
    expect(text).not.toMatch(/\b20[2-9]\d-\d\d|T\d\d:\d\d/);
  });

  it("names the command without the places of its files", () => {
    expect(commandLine("npm start", ["--full", "--write", "--json", "/somewhere/x.json"])).toBe("npm start -- --full");
    expect(commandLine("npm start", ["--results", "/x", "--only", "^(a|b)"])).toBe('npm start -- --only "^(a|b)"');
    expect(commandLine("npm start", ["--results=/x"])).toBe("npm start");
    expect(commandLine("npx tsx x.ts", ["7"])).toBe("npx tsx x.ts 7");
  });

  it("of a short run goes nowhere but into a folder of one's own", () => {
    expect(resultFolder({ write: true }, undefined)).toBe(PUBLISHED);
    expect(resultFolder({ write: false }, undefined)).toBeUndefined();
    expect(resultFolder({ write: true, results: "here" }, "add --full")).toBe("here");
    expect(() => resultFolder({ write: true }, "add --full")).toThrow("add --full");
    expect(() => readOptions(["--write"])).toThrow("--write publishes full runs only: add --full");
    expect(readOptions(["--write", "--full"])!.results).toBe(PUBLISHED);
  });
});
