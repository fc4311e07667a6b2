/** docs/map.md lists every field of a snapshot with its type and words; parseSnapshot takes those and nothing else. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import {
  compareSnapshots,
  parseSnapshot,
  readSnapshot,
  SnapshotError,
  type SnapshotJSON,
  SPAN_FLAGS,
} from "../../src/snapshot/index.ts";
import { layouts } from "../../src/snapshot/layout.ts";
import { World } from "../shared/support/core-world.ts";
import { wasmModule } from "../support/wasm.ts";

const PAGE = readFileSync(join(ROOT, "docs", "map.md"), "utf8");
const SECTION = PAGE.split("\n## The format\n")[1]!.split("\n## ")[0]!;
const FIELDS = [...SECTION.matchAll(/^\| `([^`]+)` *\| ([^|]+?) *\|/gm)].map(([, path, type]) => ({
  path: path!,
  type: type!,
  words: [...type!.matchAll(/`([^`]+)`/g)].map(([, word]) => word!),
}));
const bare = (path: string) => path.replaceAll("?", "");

/** Every value that is no object or list, with its path. */
function* leavesOf(value: unknown, path = ""): Generator<{ path: string; value: unknown }> {
  if (Array.isArray(value)) for (const one of value) yield* leavesOf(one, `${path}[]`);
  else if (typeof value === "object" && value !== null) {
    for (const [key, one] of Object.entries(value)) yield* leavesOf(one, path === "" ? key : `${path}.${key}`);
  } else yield { path, value };
}

/** A snapshot with every field. */
const whole = (() => {
  const world = new World(wasmModule("host-shared"), 16, 4096);
  const [a, b] = [world.thread(1), world.thread(2)];
  for (const t of [a, b]) t.acquire();
  a.frees(a.mallocs(500, 100).slice(0, 200));
  b.mallocs(3, 50_000);
  a.e.mallocgc(50_000, 1, 1);
  const samples = [{ address: 4096, size: 10, age: 5.5, stack: ["f"] }];
  const json: SnapshotJSON = JSON.parse(JSON.stringify(readSnapshot(world.memory, { label: "x", samples })));
  return { ...json, skipped: { count: 1, first: [{ address: 8, what: "record of a span" }] } };
})();

/** `whole` with the value at a path replaced; undefined removes it. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(whole) as unknown;
  const keys = bare(path).split(/\.|(?=\[\])/);
  const last = keys.pop()!;
  const at = keys.reduce<unknown>((one, key) => inside(one, key), copy) as Record<string, unknown>;
  if (last === "[]") (at as unknown as unknown[])[0] = value;
  else if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

/** The part of a value under a key; of a list the first element that has most fields. */
function inside(value: unknown, key: string): unknown {
  if (key !== "[]") return (value as Record<string, unknown>)[key];
  return (value as object[]).reduce((a, b) => (Object.keys(b).length > Object.keys(a).length ? b : a));
}

describe("docs/map.md", () => {
  it("lists what a snapshot has, with its type", () => {
    expect(FIELDS.length).toBeGreaterThan(60);
    const seen = new Set<string>();
    for (const { path, value } of leavesOf(whole)) {
      seen.add(path);
      const field = FIELDS.find((one) => bare(one.path) === path);
      expect(field, `${path} is there and not listed`).toBeDefined();
      if (field!.words.length > 0) expect(field!.words, path).toContain(value);
      else expect(field!.type, path).toBe(typeof value);
    }
    expect([...seen].sort()).toEqual(FIELDS.map(({ path }) => bare(path)).sort());
  });

  it("has the words that the code has", () => {
    const words = (path: string) => FIELDS.find((one) => one.path === path)!.words;
    expect(words("spans[].flags?[]")).toEqual(SPAN_FLAGS);
    expect(words("flavour")).toEqual([...new Set(layouts().map(({ flavour }) => flavour))]);
  });

  it("lists what a difference has, with its type", () => {
    const { rows } = whole;
    const before = parseSnapshot({ ...whole, rows, spans: whole.spans.slice(2), runs: [] });
    const diff = JSON.parse(JSON.stringify(compareSnapshots(before, parseSnapshot(whole))));
    const section = PAGE.split("\n## Figures and differences\n")[1]!.split("\n## ")[0]!;
    const fields = [...section.matchAll(/^\| `([^`]+)` *\| ([^|]+?) *\|/gm)].map(([, path, type]) => [path!, type!]);
    const types = new Map(fields as [string, string][]);
    diff.rows.push({ row: 1, kind: "malloc", size: 8, live: [1, 2], pages: [1, 1] });
    const seen = new Set<string>();
    for (const { path, value } of leavesOf(diff)) {
      const name = path.replace(/^totals\.\w+\[\]$/, "totals.*[]");
      seen.add(name);
      expect(types.get(name), name).toBeDefined();
      if (types.get(name)!.includes("`")) expect(types.get(name), name).toContain(`\`${value}\``);
      else expect(types.get(name), name).toBe(typeof value);
    }
    expect([...seen].sort()).toEqual([...types.keys()].sort());
  });

  it("lists every kind of SnapshotError", () => {
    const source = readFileSync(join(ROOT, "src/base/errors.ts"), "utf8");
    const type = source.split("export type SnapshotErrorKind =")[1]!.split(";")[0]!;
    const kinds = [...type.matchAll(/\| "([\w-]+)"/g)].map(([, kind]) => kind);
    const [, table] = PAGE.split("| kind ");
    const listed = [...table!.split("\n\n")[0]!.matchAll(/^\| `([\w-]+)` /gm)].map(([, kind]) => kind);
    expect(listed).toEqual(kinds);
  });
});

describe("parseSnapshot", () => {
  const refused = (value: unknown) => {
    try {
      parseSnapshot(value);
    } catch (error) {
      expect(error).toBeInstanceOf(SnapshotError);
      expect(error).toMatchObject({ kind: "format" });
      return (error as Error).message;
    }
    throw new Error("it was taken");
  };

  it("gives the snapshot that was written", () => {
    expect(JSON.parse(JSON.stringify(parseSnapshot(whole)))).toEqual(whole);
  });

  it.each(FIELDS)("refuses a wrong $path", ({ path }) => {
    const name = bare(path).replace(/\[\]$/, "").replaceAll("[]", "[");
    const last = name.split(/[.[]/).at(-1)!;
    const value = FIELDS.find((one) => one.path === path)!.type === "string" ? 5 : "?";
    expect(refused(changed(path, value))).toContain(last);
    expect(refused(changed(path, {}))).toContain(last);
    // What may be missing may be; nothing else.
    const missing = changed(path, undefined);
    if (/\?$/.test(path)) parseSnapshot(missing);
    else if (!path.endsWith("[]")) expect(refused(missing)).toContain(last);
  });

  it.each([
    ["null", null],
    ["a list", []],
    ["another format", { format: "x" }],
    ["a later version", { ...whole, version: 2 }],
    ["spans out of order", { ...whole, spans: [...whole.spans].reverse() }],
    ["runs out of order", { ...whole, runs: [...whole.runs].reverse() }],
    ["a span of a row that is not there", { ...whole, rows: whole.rows.slice(1) }],
    ["bits that are no base64", changed("spans[].bits", "é")],
    ["bits of another length", changed("spans[].bits", "AAAA")],
  ])("refuses %s", (_, value) => {
    expect(refused(value)).toMatch(/^this is no snapshot of a heap: /);
  });

  it("refuses a count that its bitmap contradicts", () => {
    const span = whole.spans.findIndex(({ bits }) => bits !== undefined);
    const spans = whole.spans.map((one, i) => (i === span ? { ...one, live: one.live - 1 } : one));
    expect(refused({ ...whole, spans })).toMatch(/live slots, and spans\[\d+\]\.live is/);
  });
});
