/** README.md's recipes are those of native/examples, which the other tests here run line by line. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ROOT } from "../package/installed.ts";

const read = (file: string) => readFileSync(`${ROOT}/${file}`, "utf8");
const blocks = (text: string) =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!.replace(/ \\\n\s*/g, " ").trim());

describe("README.md's recipe", () => {
  it.each(["c", "cpp", "rust", "emscripten", "zig"])("of %s is the one of its example", (name) => {
    const [recipe] = blocks(read(`native/examples/${name}/README.md`));
    expect(recipe!.split("\n").length).toBeLessThanOrEqual(10);
    expect(blocks(read("README.md"))).toContain(recipe!.replaceAll("node_modules/gomalloc/native", "$G"));
  });
});
