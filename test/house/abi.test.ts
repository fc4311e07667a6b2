/** The ABI has one source, scripts/abi.ts: the generated files are what it gives, and the built modules are as it says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FUNCTIONS, type Group, INVARIANTS, NUMBERS, UNTYPED } from "../../scripts/abi.ts";
import { checkNames } from "../../scripts/build-check.ts";
import { ROOT } from "../../scripts/build-tools.ts";
import { FLAVOURS } from "../../scripts/build-wasm.ts";
import { drift, functionsOf, generate, signature, wasmType } from "../../scripts/gen-abi.ts";
import { driftOf } from "../../scripts/gen-files.ts";
import { drift as layoutDrift, generate as layoutFiles } from "../../scripts/gen-layout.ts";
import { EXTRAS, FAMILY } from "../../src/base/family.ts";
import { inspect } from "../../src/wasm/parse.ts";

const functions = new Map(
  (Object.keys(FUNCTIONS) as Group[]).flatMap((group) => functionsOf(group).map((one) => [one.name, signature(one)])),
);

describe("the generator", () => {
  it("gives the files in the tree", () => expect(drift()).toEqual([]));

  it("of the records' layout gives the file in the tree", () => {
    expect(layoutDrift()).toEqual([]);
    expect(layoutFiles()[0]!.text).not.toContain("NaN");
  });

  it("tells of a file that is another, or missing", () => {
    const [first, ...others] = generate();
    const wrong = { path: first!.path, text: first!.text.replace("M_MISUSE: i32 = 1", "M_MISUSE: i32 = 2") };
    expect(driftOf([wrong, ...others, { path: "src/base/none.ts", text: "" }])).toEqual([
      "assembly/base/abinumbers.ts",
      "src/base/none.ts",
    ]);
  });

  it("knows the types of AssemblyScript and no other", () => {
    expect(["u32", "bool", "u64", "f64"].map(wasmType)).toEqual(["i32", "i32", "i64", "f64"]);
    expect(() => wasmType("string")).toThrow("no type string");
  });
});

describe("the tables", () => {
  it("give each function, number and invariant one meaning", () => {
    const names = NUMBERS.flatMap(({ values }) => Object.keys(values)).concat(INVARIANTS.map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(INVARIANTS.map(({ code }) => code)).size).toBe(INVARIANTS.length);
    const all = (Object.keys(FUNCTIONS) as Group[]).flatMap((group) => functionsOf(group).map(({ name }) => name));
    expect(new Set(all).size).toBe(all.length);
  });

  it("have the types by which programs import", () => {
    const importable = { ...FAMILY, ...EXTRAS };
    expect(Object.keys(importable).length).toBeGreaterThan(40);
    for (const [name, type] of Object.entries(importable)) expect([name, type]).toEqual([name, functions.get(name)]);
  });

  // What becomes an object has libc's names, some of them with libc's results: test/native/archive.test.ts calls them.
  it.each(FLAVOURS.filter(({ object }) => !object))(
    "say of the $name flavour's exports what they are",
    ({ file, exports }) => {
      const info = inspect(readFileSync(join(ROOT, file)));
      const types = new Map(info.exports.map(({ name, index }) => [name, info.functions[index]]));
      const known = exports.filter((name) => !["gc", ...UNTYPED.solo].includes(name));
      expect(known.length).toBeGreaterThan(12);
      for (const name of known) expect([name, types.get(name)]).toEqual([name, functions.get(name)]);
    },
  );
});

describe("the names by which link edits the allocator", () => {
  const file = "build/gomalloc.debug.wasm";

  it("are in the module", () => checkNames(readFileSync(join(ROOT, file)), file));

  it("are missed by the build when one is gone", () => {
    const nameless = readFileSync(join(ROOT, "build/gomalloc.wasm"));
    expect(() => checkNames(nameless, file)).toThrow(
      /no function assembly\/alloc\/malloc\/mallocSlow and no global assembly\/base\/state\/heap: .*INTERNAL_NAMES/,
    );
  });
});

/** Numbers that a body in assembly/ or src/ defines for itself again would be a second source. */
it("no number of the tables is defined a second time", () => {
  const names = new Set(NUMBERS.flatMap(({ values }) => Object.keys(values)));
  const sources = ["assembly/base/options.ts", "assembly/alloc/misuse.ts", "assembly/alloc/procs.ts"]
    .concat(["assembly/base/layout.ts", "assembly/base/config.ts", "assembly/check/memstats.ts"])
    .concat(["src/base/abi.ts", "src/base/gcabi.ts", "src/shared/abi.ts", "test/support/wasm.ts"]);
  const again = sources.flatMap((path) =>
    [...readFileSync(join(ROOT, path), "utf8").matchAll(/const (\w+)(?:: \w+)? =/g)]
      .filter(([, name]) => names.has(name!))
      .map(([, name]) => `${path}: ${name}`),
  );
  expect(again).toEqual([]);
});
