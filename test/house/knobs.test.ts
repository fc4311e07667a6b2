/** The list of environment variables in CONTRIBUTING.md is complete, and has none that nothing reads. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";

/** Read here, but not ours. */
const FOREIGN = ["PATH", "TMPDIR"];

const sources = ["test", "bench", "scripts"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.m?ts$/.test(name))
    .map((name) => join(folder, name)),
);

/** The variables that a text of TypeScript reads, by env("NAME", or from process.env. */
function variablesOf(text: string): string[] {
  const pattern = /\benv\("(\w+)"|\bprocess\.env\.(\w+)|\bprocess\.env\["(\w+)"\]/g;
  return [...text.matchAll(pattern)].map(([, ...names]) => names.find((name) => name !== undefined)!);
}

it("variables are found however they are read", () => {
  const text = ['env("A_B", 1)', "process.env.C ?? 2", 'process.env["D"]', 'envelope("E")'].join("; ");
  expect(variablesOf(text)).toEqual(["A_B", "C", "D"]);
});

it("CONTRIBUTING.md names the environment variables that tests, benchmarks and scripts read", () => {
  const read = new Set<string>();
  for (const file of [...sources, "vitest.config.ts"]) {
    if (file === join("test", "house", "knobs.test.ts")) continue;
    for (const name of variablesOf(readFileSync(join(ROOT, file), "utf8"))) read.add(name);
  }
  for (const name of FOREIGN) read.delete(name);
  expect(read.size).toBeGreaterThan(20);
  const section = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8").split("\n## Knobs\n")[1]!.split("\n## ")[0]!;
  const listed = [...section.matchAll(/^\| `([A-Z_]+)(?:=1)?` /gm)].map(([, name]) => name!);
  expect(listed.sort()).toEqual([...read].sort());
});
