/**
 * The recipes of native/examples, which the other tests here run line by line: short, ready to be copied, and reached from
 * README.md, which prints the one of C itself. docs/recipes.md has lines of all of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../support/installed.ts";

const read = (file: string) => readFileSync(`${ROOT}/${file}`, "utf8");
const blocks = (text: string) =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!.replace(/ \\\n\s*/g, " ").trim());

describe("the recipe", () => {
  it.each(["c", "cpp", "rust", "emscripten", "zig", "threads", "component", "addon"])(
    "of %s is short, and README.md leads to it",
    (name) => {
      const [recipe] = blocks(read(`native/examples/${name}/README.md`));
      expect(recipe!.split("\n").length).toBeLessThanOrEqual(10);
      expect(recipe).toMatch(/^npx gomalloc link |\/libgomalloc\.a | -lgomalloc |^cargo build /m);
      expect(recipe).toMatch(/\nnode node_modules\/gomalloc\/native\/examples\/.*$/);
      expect(read("README.md")).toContain(`](native/examples/${name}/README.md)`);
    },
  );

  it("of C is printed in README.md as it is in its example", () => {
    const [recipe] = blocks(read("native/examples/c/README.md"));
    expect(blocks(read("README.md"))).toContain(recipe!.replaceAll("node_modules/gomalloc", "$G"));
  });
});

describe("docs/recipes.md", () => {
  const sections = read("docs/recipes.md")
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const [, link] = /Whole\srecipe:\s+\[[^\]]+\]\(([^)#]+)/.exec(text) ?? [];
      return { title: text.split("\n")[0]!, text, page: posix.join("docs", link ?? "") };
    });

  it.each(sections)("$title has lines of a recipe that is run", ({ text, page }) => {
    const lines = blocks(text).flatMap((block) => block.split("\n"));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(3);
    const whole = blocks(read(page)).map((block) => block.split("\n"));
    expect(whole.some((recipe) => lines.every((line) => recipe.includes(line)))).toBe(true);
  });

  it("has a section for each example", () => {
    const examples = readdirSync(`${ROOT}/native/examples`, { withFileTypes: true }).filter((one) => one.isDirectory());
    const pages = examples.map(({ name }) => `native/examples/${name}/README.md`);
    expect(sections.map(({ page }) => page)).toEqual(expect.arrayContaining(pages));
  });
});
