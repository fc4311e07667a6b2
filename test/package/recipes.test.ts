/**
 * The recipes of native/examples in empty folders, over the packed package as npm installs it: all that they name is in
 * the package. test/native looks at what they make.
 */
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { npmRecipeOf, Project, ROOT, recipeOf } from "../native/support/project.ts";
import { describeWith } from "../support/describewith.ts";
import { Installed } from "../support/installed.ts";
import { CLANG, EMCC, JCO, JCO_FOLDER, RUST, ZIG } from "../support/needs.ts";

const WORDS = /^\d+ words, \d+ different\n/;
/** What the last line of each recipe prints, and what the recipe needs beside npm's clang. */
const RECIPES = [
  { language: "c", needs: [CLANG], recipe: recipeOf, prints: WORDS },
  { language: "c", needs: [], recipe: npmRecipeOf, prints: WORDS },
  { language: "cpp", needs: [CLANG], recipe: recipeOf, prints: /\npage aligned: yes\nno memory: null\n$/ },
  { language: "cpp", needs: [], recipe: npmRecipeOf, prints: /\npage aligned: yes\nno memory: null\n$/ },
  { language: "rust", needs: [RUST], recipe: recipeOf, prints: WORDS },
  { language: "zig", needs: [ZIG], recipe: recipeOf, prints: WORDS },
  {
    language: "emscripten",
    needs: [EMCC],
    recipe: recipeOf,
    prints: /^1000000 lines, sorted, .*\nmemory grew: yes\n$/,
  },
  { language: "threads", needs: [CLANG], recipe: recipeOf, prints: /\nfound wrong: 0\n$/ },
  { language: "threads", needs: [], recipe: npmRecipeOf, prints: /\nfound wrong: 0\n$/ },
  {
    language: "component",
    needs: [CLANG, JCO],
    recipe: recipeOf,
    prints: /^8 words, 5 different\nand bird cat dog the\n$/,
  },
  {
    language: "component",
    needs: [JCO],
    recipe: npmRecipeOf,
    prints: /^8 words, 5 different\nand bird cat dog the\n$/,
  },
  { language: "addon", needs: [CLANG], recipe: recipeOf, prints: /\nworkers: 4\n$/ },
  { language: "addon", needs: [], recipe: npmRecipeOf, prints: /\nworkers: 4\n$/ },
];

let installed: Installed;
beforeAll(async () => {
  installed = await Installed.create();
  await installed.addPeers("binaryen");
  // npm's clang, as if it were installed there: clang.mjs looks for it from its own place on.
  await symlink(join(ROOT, "node_modules", "@yowasp"), join(installed.app, "node_modules", "@yowasp"), "dir");
});
afterAll(() => installed.dispose());

for (const { language, needs, recipe, prints } of RECIPES) {
  const compiler = recipe === npmRecipeOf ? ", by npm's clang" : "";
  describeWith(
    needs.find(({ missing }) => missing !== null) ?? { missing: null },
    `the recipe of native/examples/${language}${compiler}, over the packed package`,
    () => {
      it("runs as it stands", async () => {
        const project = await Project.create(join(installed.app, "node_modules", "gomalloc"));
        if (language === "component") await project.add(JCO_FOLDER, "@bytecodealliance");
        if (language === "addon") await project.add(join(ROOT, "node_modules"), "emnapi", "@emnapi");
        expect(await project.recipe(await recipe(language))).toMatch(prints);
      });
    },
  );
}
