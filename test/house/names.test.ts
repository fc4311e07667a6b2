/**
 * Every file that documents and comments name is there, and every count that they give is the true one. A count that nobody
 * can compute does not belong into a text: it is forgotten when it changes.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TRACE_NAMES } from "../../bench/lib/trace.ts";
import { MICROS } from "../../bench/lib/workloads.ts";
import { ROOT } from "../../scripts/build-tools.ts";
import { FLAVOURS } from "../../scripts/build-wasm.ts";
import { SIZE_CLASSES } from "../../src/base/sizeclasses.ts";
import { INVARIANTS } from "../../src/heap/invariants.ts";
import { mentions, resolves, withFolders } from "./support/names.ts";

const FILES = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: ROOT })
  .toString()
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(ROOT, file)));
const PATHS = withFolders(FILES);

/** Documents, and sources whose comments are read. */
const TEXTS = FILES.filter(
  (file) =>
    /^(README|CONTRIBUTING|CHANGELOG)\.md$|^(docs|native|test|bench)\/.*\.md$/.test(file) ||
    /^(assembly|src|bench|scripts|test|rt.*)(\/.*)?\.ts$/.test(file),
).filter((file) => !file.includes("test/house/"));

/** Not of this repository: what programs of a reader and of other projects are called, and what stands for a name. */
const ELSEWHERE = new Set([
  // Programs in examples.
  ...[
    "app.ts",
    "app.js",
    "app.c",
    "tracks.c",
    "people.mjs",
    "main.js",
    "main.mjs",
    "worker.mjs",
    "server.mjs",
    "csp.js",
    "own-worker.js",
  ],
  ...["shared-worker.js", "program.c", "program.js", "program.worker.js", "sort.js", "stock.js", "build.zig"],
  ...[".../emscripten.js", "node_modules/gomalloc/rt-gc.ts", "./node_modules/gomalloc/rt-gc.ts"],
  // Other projects and their files.
  ...["runtime/mksizeclasses.go", "benchmark.js", "sql.js", "libarchive.js", "lvm.c", "lstrlib.c", "safe_u128.spec.ts"],
  ...["figures.json", "NAME.test.ts", "bench/results/NAME.json", "FOLDER/NAME.json"],
  // A function's name in a module.
  "assembly/alloc/malloc/mallocSlow",
]);

/** Folders that the build or a run makes, which git does not know. */
const MADE = /^(src\/generated|bench\/results\/local)(\/|$)|^wasm-host(-shared)?\.ts$|^(lib\/)?fingerprints\.json$/;

describe("names", () => {
  it("are found in prose and comments, not in code", () => {
    const found = (from: string, text: string) => mentions(from, text).map(({ line, name }) => `${line} ${name}`);
    expect(
      found("docs/x.md", "see `link.md`,\n[a](../README.md#b).\n```\nin.ts\n```\nsrc/tools/ and src/a.ts."),
    ).toEqual(["1 link.md", "2 ../README.md", "6 src/tools", "6 src/a.ts"]);
    const source = 'import "./b.ts"; // by heap/c.ts\n/*\n * docs/d.md: all of e.ts\n */\nconst f = "g.ts";';
    expect(found("src/a.ts", source)).toEqual(["1 heap/c.ts", "3 docs/d.md", "3 e.ts"]);
    expect(found("x.md", "https://a.org/b.js, build/x.wasm, p.json.gz, {a,b}.ts, *.ts, Array.js()")).toEqual([
      "1 p.json.gz",
      "1 Array.js",
    ]);
  });

  it("resolve from the top, beside the text, or above it", () => {
    const paths = withFolders(["assembly/heap/pages.ts", "assembly/gc/mark.ts", "docs/a.md"]);
    const to = (from: string, name: string) => resolves({ from, line: 1, name }, paths);
    expect(to("assembly/gc/mark.ts", "heap/pages.ts")).toBe(true);
    expect(to("docs/a.md", "assembly/heap")).toBe(true);
    expect(to("docs/a.md", "pages.ts")).toBe(true);
    expect(to("docs/a.md", "../assembly/gc/mark.ts")).toBe(true);
    expect(to("docs/a.md", "heap/pages.ts")).toBe(true);
    expect(to("docs/a.md", "mark/pages.ts")).toBe(false);
    expect(to("assembly/gc/mark.ts", "gone.ts")).toBe(false);
  });

  it("in documents and comments are those of files that are there", () => {
    expect(TEXTS.length).toBeGreaterThan(300);
    const dead = TEXTS.flatMap((file) => mentions(file, readFileSync(join(ROOT, file), "utf8")))
      .filter(({ name }) => !ELSEWHERE.has(name) && !MADE.test(name))
      .filter((mention) => !resolves(mention, PATHS))
      .map(({ from, line, name }) => `${from}:${line}: ${name}`);
    expect(dead).toEqual([]);
  });
});

/** NUM_ROWS of assembly/base/config.ts: of the flavours with the collector, and of those without. */
const [, HOST_ROWS, MALLOC_ROWS] = /NUM_ROWS: u32 = HOST \? (\d+) : .* : (\d+);/.exec(
  readFileSync(join(ROOT, "assembly/base/config.ts"), "utf8"),
)!;

const WORDS = [
  "zero",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];

/** What texts count, and the true number; every pattern has to be met at least once. */
const COUNTS: [what: string, pattern: RegExp, truth: readonly number[]][] = [
  ["size classes", /\b(\w+) (?:slot sizes|classes: a program)/g, [SIZE_CLASSES.length - 1]],
  ["rows in all flavours", /\b16 for fitted classes: (\d+) in all\b/g, [Number(MALLOC_ROWS)]],
  ["rows of the host flavours", /\bThe host flavours have (\d+): also one per class\b/g, [Number(HOST_ROWS)]],
  ["flavours", /\b(\w+) modules in `build\/`/g, [FLAVOURS.length]],
  ["recorded traces", /\b(?:the )?(\w+) traces\b(?= of|\*\*| and the)/gi, [TRACE_NAMES.length]],
  ["micro workloads", /\ball (\w+) micro workloads\b/g, [MICROS.length]],
];

/** Numbers that nobody keeps: not to be written. */
const UNCOUNTED: [what: string, pattern: RegExp][] = [
  ["tests", /\b\d[\d,]* (?:unit |property )?tests\b/g],
  ["invariants", new RegExp(`\\b(?!${Object.keys(INVARIANTS).length} )\\d+ (?:numbered )?invariants\\b`, "g")],
];

describe("counts", () => {
  const texts = TEXTS.map((file) => ({ file, text: readFileSync(join(ROOT, file), "utf8") }));

  it.each(COUNTS)("of %s are true", (_what, pattern, truth) => {
    const found = texts.flatMap(({ file, text }) =>
      [...text.matchAll(pattern)].map(([phrase, word]) => ({ file, phrase, value: numberOf(word!) })),
    );
    const said = found.filter(({ value }) => value !== undefined);
    expect(said.length).toBeGreaterThan(0);
    expect(said.filter(({ value }) => !truth.includes(value!))).toEqual([]);
  });

  it.each(UNCOUNTED)("of %s stand in no text", (_what, pattern) => {
    const found = texts.flatMap(({ file, text }) =>
      [...text.matchAll(pattern)].map(([phrase]) => `${file}: ${phrase}`),
    );
    expect(found).toEqual([]);
  });
});

/** "five" or "67"; undefined for other words. */
function numberOf(word: string): number | undefined {
  const at = WORDS.indexOf(word.toLowerCase());
  return at >= 0 ? at : /^\d+$/.test(word) ? Number(word) : undefined;
}
