/** The layers are true: imports point down, and no files import each other in a circle. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { circles, type Import, importsBelow, importsOf, upward } from "./imports.ts";

/** From the ground up. */
const LAYERS = [["base"], ["heap"], ["central"], ["alloc"], ["gc"], ["check"], ["abi"], [""]];

describe("assembly/", () => {
  const imports = importsBelow(join(ROOT, "assembly"));

  it("is read", () => {
    expect(imports.length).toBeGreaterThan(400);
    expect(new Set(imports.map(({ from }) => from.split("/")[0])).size).toBeGreaterThan(6);
  });

  it("has no import that points up", () => expect(upward(imports, LAYERS)).toEqual([]));
  it("has no circle", () => expect(circles(imports)).toEqual([]));

  // What pointed up once.
  it.each([
    ["base/gates", "alloc/procs", "P_DEAD, stateOf"],
    ["alloc/init", "gc/cycle", "readyGC"],
    ["alloc/free", "gc/mark", "isCollectedRow"],
    ["gc/cycle", "check/checkmark", "checkMarks"],
    ["gc/sharedcycle", "check/recover", "emptyOrphans"],
    ["heap/mheap", "central/deferred", "freeDeferred"],
  ])("%s may not import %s", (from, to, names) => {
    const wrong: Import = { from, to, line: 7, names: `{ ${names} }` };
    expect(upward([...imports, wrong], LAYERS)).toEqual([`${from}.ts:7 -> ${to}: { ${names} }`]);
  });

  it("two files of a layer may not import each other", () => {
    const wrong: Import = { from: "central/lists", to: "central/mcentral", line: 1, names: "{ cacheSpan }" };
    expect(circles([...imports, wrong]).flat()).toEqual(expect.arrayContaining(["central/lists", "central/mcentral"]));
  });
});

describe("src/", () => {
  const imports = importsBelow(join(ROOT, "src"));

  it("is read", () => expect(imports.length).toBeGreaterThan(200));
  it("has no circle", () => expect(circles(imports)).toEqual([]));
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
