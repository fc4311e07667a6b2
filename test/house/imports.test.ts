/** The layers are true: imports point down, and no files import each other in a circle. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { circles, type Import, importsBelow, importsOf, upward } from "./support/imports.ts";

type Layers = readonly (readonly string[])[];

/** The import is told to point up, with file, line and names, and no other. */
function expectRefused(wrong: Import, imports: readonly Import[], layers: Layers): void {
  const { from, to, line, names } = wrong;
  expect(upward([...imports, wrong], layers)).toEqual([`${from}.ts:${line} -> ${to}: ${names}`]);
}

/** The imports point down and go in no circle; each of `refused` would be told. */
function itIsLayered(imports: readonly Import[], layers: Layers, refused: [from: string, to: string, names: string][]) {
  it("has no import that points up", () => expect(upward(imports, layers)).toEqual([]));
  it("has no circle", () => expect(circles(imports)).toEqual([]));
  it.each(refused)("%s may not import %s", (from, to, names) => {
    expectRefused({ from, to, line: 7, names: `{ ${names} }` }, imports, layers);
  });
}

describe("assembly/", () => {
  /** From the ground up. */
  const layers = [["base"], ["heap"], ["central"], ["alloc"], ["gc"], ["check"], ["abi"], [""]];
  const imports = importsBelow(join(ROOT, "assembly"));

  it("is read", () => {
    expect(imports.length).toBeGreaterThan(400);
    expect(new Set(imports.map(({ from }) => from.split("/")[0])).size).toBeGreaterThan(6);
  });

  // What pointed up once.
  itIsLayered(imports, layers, [
    ["base/gates", "alloc/procs", "P_DEAD, stateOf"],
    ["alloc/init", "gc/cycle", "readyGC"],
    ["alloc/free", "gc/mark", "isCollectedRow"],
    ["gc/cycle", "check/checkmark", "checkMarks"],
    ["gc/sharedcycle", "check/checkmark", "checkMarks"],
    ["gc/mark", "check/checkmark", "checkShade, checking"],
    ["gc/figures", "check/checkmark", "checked"],
    ["gc/sharedcycle", "check/recover", "emptyOrphans"],
    ["heap/mheap", "central/deferred", "freeDeferred"],
  ]);

  it("two files of a layer may not import each other", () => {
    const wrong: Import = { from: "central/lists", to: "central/mcentral", line: 1, names: "{ cacheSpan }" };
    expect(circles([...imports, wrong]).flat()).toEqual(expect.arrayContaining(["central/lists", "central/mcentral"]));
  });
});

describe("src/", () => {
  /** From the ground up. The entry points are what lies in src/ itself. */
  const layers = [
    ["generated"],
    ["wasm"],
    ["base"],
    ["profile"],
    ["snapshot"],
    ["sampling"],
    ["map"],
    ["gc"],
    ["heap"],
    ["shared"],
    ["scavenge"],
    ["metrics"],
    ["live"],
    ["tools"],
    ["cli"],
    [""],
  ];
  const imports = importsBelow(join(ROOT, "src"));

  it("is read", () => {
    expect(imports.length).toBeGreaterThan(300);
    expect(new Set(imports.map(({ from }) => from.split("/")[0]))).toEqual(
      new Set([
        ...[
          "base",
          "wasm",
          "profile",
          "snapshot",
          "sampling",
          "map",
          "gc",
          "heap",
          "shared",
          "scavenge",
          "metrics",
          "live",
          "tools",
          "cli",
        ],
        ...["index", "slim", "profile-shared"],
      ]),
    );
  });

  it("has tools that know nothing of heaps", () => {
    const heaps = imports.filter(({ from, to }) => /^(tools|cli)\//.test(from) && /^(gc|heap|shared)\//.test(to));
    expect(heaps).toEqual([]);
  });

  // What pointed up once, under the present paths, or would have if only one of the two files had moved.
  itIsLayered(imports, layers, [
    ["heap/instantiate", "tools/module", "inspect"],
    ["heap/instantiate", "tools/family", "FAMILY"],
    ["base/abi", "gc/abi", "CollectorExports"],
    ["wasm/parse", "tools/errors", "ToolError"],
    ["shared/full", "inlined", "INLINED_HOST"],
  ]);

  it("wasm may not import base", () => {
    expectRefused({ from: "wasm/parse", to: "base/check", line: 1, names: "{ show }" }, imports, layers);
  });
});

it("imports are found with their lines", () => {
  const text =
    'import { a } from "./b";\n/** x */\nimport type {\n  C,\n  D,\n} from "../e/f.js";\nexport * from "./b";\nimport x from "y";\n';
  expect(importsOf("g/h", text)).toEqual([
    { from: "g/h", to: "g/b", line: 1, names: "{ a }" },
    { from: "g/h", to: "e/f", line: 6, names: "{ C, D, }" },
    { from: "g/h", to: "g/b", line: 7, names: "*" },
  ]);
});
