/**
 * The recipes of native/examples, which the other tests here run line by line: short, ready to be copied, and reached from
 * README.md, which prints the one of C itself.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ROOT } from "../support/installed.ts";

const read = (file: string) => readFileSync(`${ROOT}/${file}`, "utf8");
const blocks = (text: string) =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!.replace(/ \\\n\s*/g, " ").trim());

describe("the recipe", () => {
  it.each(["c", "cpp", "rust", "emscripten", "zig", "threads"])("of %s is short, and README.md leads to it", (name) => {
    const [recipe] = blocks(read(`native/examples/${name}/README.md`));
    expect(recipe!.split("\n").length).toBeLessThanOrEqual(10);
    expect(recipe).toMatch(/^npx gomalloc link .*\n[\s\S]*^node node_modules\/gomalloc\/native\/examples\//m);
    expect(read("README.md")).toContain(`](native/examples/${name}/README.md)`);
  });

  it("of C is printed in README.md as it is in its example", () => {
    const [recipe] = blocks(read("native/examples/c/README.md"));
    expect(blocks(read("README.md"))).toContain(recipe!.replaceAll("node_modules/gomalloc/native", "$G"));
  });
});
