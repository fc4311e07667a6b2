/**
 * The JSON of the command line is as docs/cli.md lists it: all that is printed is there with its type, and what is listed
 * is printed, but for what the page says may be missing. The words of a choice are those that the tools know.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatReport, formatSwapReport, type LinkReport, type SwapReport } from "../../src/tools/index.ts";
import { addCustomSection, editModule, encodeName } from "../../src/wasm/edit.ts";
import { ROOT } from "../support/installed.ts";
import { assemble, programText } from "./support/programs.ts";
import { LINK, SWAP } from "./support/reports.ts";
import { compileWork } from "./support/swap/fixtures.ts";

interface Field {
  /** As the page has it: `memory.before?.initial`, `bound[].name`, `functionNames{}`. */
  readonly path: string;
  readonly type: string;
  /** The words of a choice. */
  readonly words: readonly string[];
}

const PAGE = await readFile(join(ROOT, "docs", "cli.md"), "utf8");

/** The fields that stand under this heading. */
function fieldsOf(heading: string): Field[] {
  const [, section] = PAGE.split(`\n### ${heading}\n`);
  if (section === undefined) throw new Error(`docs/cli.md has no ${heading}`);
  const rows = section.split(/\n#/)[0]!.matchAll(/^\| `([^`]+)` *\| ([^|]+?) *\|/gm);
  const fields = [...rows].map(([, path, type]) => {
    return { path: path!, type: type!, words: [...type!.matchAll(/`([^`]+)`/g)].map(([, word]) => word!) };
  });
  const within = fields.find(({ type }) => type === "as `link --json`");
  if (within === undefined) return fields;
  const inner = fieldsOf("`link --json`").map((field) => ({ ...field, path: `${within.path}.${field.path}` }));
  return [...fields.filter((field) => field !== within), ...inner];
}

const bare = (path: string) => path.replaceAll("?", "");

/** The objects of the reports whose keys are not fixed. */
const MAPS = ["functionNames", "globalNames"];

/** Every value that is no object or list, with its path. */
function* leavesOf(value: unknown, path = ""): Generator<{ path: string; value: unknown }> {
  if (Array.isArray(value)) for (const one of value) yield* leavesOf(one, `${path}[]`);
  else if (typeof value === "object" && value !== null) {
    for (const [key, one] of Object.entries(value)) {
      const inner = MAPS.includes(path) ? `${path}{}` : path === "" ? key : `${path}.${key}`;
      yield* leavesOf(one, inner);
    }
  } else yield { path, value };
}

/** All that is printed is listed, with this type; what is listed and not marked is printed. */
function expectListed(printed: unknown, fields: readonly Field[]): void {
  const leaves = [...leavesOf(printed)];
  for (const { path, value } of leaves) {
    const field = fields.find((one) => bare(one.path) === path);
    expect(field, `${path} is printed and not listed`).toBeDefined();
    if (field!.words.length > 0) expect(field!.words, path).toContain(value);
    else expect(field!.type.split(" or "), path).toContain(value === null ? "null" : typeof value);
  }
  const missing = fields.filter(({ path }) => !/[?[{]/.test(path) && !leaves.some((leaf) => leaf.path === path));
  expect(missing).toEqual([]);
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-json-"));
  await writeFile(join(folder, "link.wasm"), assemble(programText(), true));
  await writeFile(join(folder, "swap.wasm"), await compileWork("-Wl,--export=malloc", "-Wl,--export=free"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What inspect lists and the other programs have not. */
const MORE = editModule(
  assemble(`(module
    (import "env" "memory" (memory 1 2))
    (import "env" "global" (global i32))
    (global funcref (ref.func $begin))
    (table 4 funcref)
    (elem (i32.const 1) funcref (ref.func $begin) (ref.null func))
    (func $begin)
    (start $begin))`),
  (bytes) => addCustomSection(bytes, "sourceMappingURL", encodeName("more.wasm.map")),
  (bytes) => addCustomSection(bytes, "producers", Uint8Array.of(9)),
).bytes;

/** What the command prints on standard output. */
function printed(...args: string[]): unknown {
  const cli = join(ROOT, "dist", "cli", "main.js");
  const { stdout } = spawnSync(process.execPath, [cli, ...args], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}

describe("docs/cli.md lists what is printed by", () => {
  it.each([
    ["link", LINK],
    ["swap", SWAP],
  ])("%s --json", (name, whole) => {
    const fields = fieldsOf(`\`${name} --json\``);
    expect(fields.length).toBeGreaterThan(15);
    expectListed(printed(name, `${name}.wasm`, "-o", "out.wasm", "-O0", "--json"), fields);
    // What may be missing, and elements of what may be empty, are in the report that has everything.
    expectListed(whole, fields);
    expect([...new Set([...leavesOf(whole)].map(({ path }) => path))].sort()).toEqual(
      fields.map(({ path }) => bare(path)).sort(),
    );
  });

  it.each([
    ["link", LINK, (report: object) => formatReport(report as LinkReport)],
    ["swap", SWAP, (report: object) => formatSwapReport(report as SwapReport)],
  ] as const)("%s --json, with all the words of each choice", (name, whole, format) => {
    const choices = fieldsOf(`\`${name} --json\``).filter(({ words }) => words.length > 0);
    expect(choices.length).toBeGreaterThan(3);
    for (const { path, words } of choices) {
      const wrong = JSON.parse(JSON.stringify(whole));
      const keys = bare(path).replaceAll("[]", ".0").split(".");
      const last = keys.pop()!;
      keys.reduce((at, key) => at[key], wrong)[last] = "?";
      expect(() => format(wrong), path).toThrow(
        `must be ${words
          .map((word) => `"${word}"`)
          .join(", ")
          .replace(/, (?="[^"]+"$)/, " or ")}: `,
      );
    }
  });

  it("inspect --json", async () => {
    const fields = fieldsOf("`inspect --json`");
    const seen = new Set<string>();
    await writeFile(join(folder, "more.wasm"), MORE);
    for (const name of ["link.wasm", "swap.wasm", "more.wasm"]) {
      const info = printed("inspect", name, "--json");
      expectListed(info, fields);
      for (const { path } of leavesOf(info)) seen.add(path);
    }
    expect([...seen].sort()).toEqual(fields.map(({ path }) => bare(path)).sort());
  });

  it("errors", () => {
    expectListed(printed("link", "--json"), fieldsOf("Errors"));
    expectListed(printed("link", "missing.wasm", "-o", "out.wasm", "--json"), fieldsOf("Errors"));
  });

  it("--version --json", () => expectListed(printed("--version", "--json"), fieldsOf("`--version --json`")));
});

it("docs/link.md, swap.md, map.md, profile.md and live.md list every code of an error", async () => {
  const [source, link, swap, map, profile, live] = await Promise.all(
    ["src/wasm/errors.ts", "docs/link.md", "docs/swap.md", "docs/map.md", "docs/profile.md", "docs/live.md"].map(
      (file) => readFile(join(ROOT, file), "utf8"),
    ),
  );
  const codes = [...source!.matchAll(/^ {2}\| "([\w-]+)"/gm)].map(([, code]) => code!);
  expect(codes.length).toBeGreaterThan(25);
  const tables = [
    link!.split("\n## Errors\n")[1]!.split("\n## ")[0]!,
    swap!.split("\n### Refusals\n")[1]!.split("\n## ")[0]!,
    map!.split("\n## Errors of the command\n")[1]!.split("\n## ")[0]!,
    profile!.split("\n### Errors of the command\n")[1]!.split("\n## ")[0]!,
    live!.split("\n## Errors of the command\n")[1]!.split("\n## ")[0]!,
  ];
  const listed = tables.flatMap((table) => [...table.matchAll(/^\| `([\w-]+)` /gm)].map(([, code]) => code!));
  expect([...new Set(listed)].sort()).toEqual(codes.sort());
});
