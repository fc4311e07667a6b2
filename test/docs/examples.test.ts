/**
 * The JavaScript of README.md and docs/*.md runs on this Node as it is printed, in a folder with the packed package, and
 * prints what its comments say; the page's TypeScript passes the compiler. Nothing is transpiled. Recipes of the shell are
 * run by test/native, test/package/assemblyscript.test.ts and browser.test.ts; here it is only seen that they do not lie:
 * scripts of npm exist, and so does each file of the package that a command names.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";
import { Installed } from "../support/installed.ts";
import { blocksOf, differences, promised, scriptsOf } from "./support/pages.ts";

const PAGES = ["README.md", "native/README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith(".md"))
  .sort();
const JS = PAGES.map((page) => ({
  page,
  blocks: blocksOf(page).filter(({ language, info }) => language === "js" && info === ""),
}));

let installed: Installed;
beforeAll(async () => {
  installed = await Installed.create();
  await installed.addPeers("binaryen", "koffi");
  await installed.write("app.wasm", assemble(COUNTING_PROGRAM));
  const swappable = join(ROOT, "node_modules/vscode-oniguruma/release/onig.wasm");
  await installed.write("node_modules/vscode-oniguruma/release/onig.wasm", readFileSync(swappable));
});
afterAll(() => installed.dispose());

const lines = (text: string) => text.split("\n").filter((line) => line !== "");

describe("scripts", () => {
  // The pages of browser.md are run in one, and of the AssemblyScript program by its own test.
  const scripts = JS.filter(({ page }) => page !== "docs/browser.md").flatMap(({ page, blocks }) =>
    scriptsOf(blocks.filter(({ file }) => file === undefined)).map((script) => ({ page, ...script })),
  );

  it.each(scripts)("$page, line $line", async ({ page, line, code }) => {
    const name = `${page.replaceAll(/\W/g, "-")}-${line}.mjs`;
    await installed.write(name, code);
    const { stdout, stderr, code: status } = await installed.node(name);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(promised(code).length, "nothing is promised").toBeGreaterThan(0);
    expect(differences(lines(stdout), promised(code))).toEqual([]);
  });
});

describe("programs of several files", () => {
  it.each(["README.md", "docs/shared-api.md"])("%s: main.mjs and worker.mjs", async (page) => {
    const all = blocksOf(page);
    for (const name of ["main.mjs", "worker.mjs"]) await installed.write(name, all.find((b) => b.file === name)!.code);
    const at = all.findIndex(({ file }) => file === "worker.mjs");
    const output = all.slice(at).find(({ language }) => language === "text")!.code;
    expect(await installed.node("main.mjs")).toEqual({ stdout: output, stderr: "", code: 0 });
  });
});

it("README.md: the command for a compiled module", async () => {
  const [, line] = /^npx gomalloc (swap .*)$/m.exec(readFileSync(join(ROOT, "README.md"), "utf8"))!;
  expect(await installed.command(...line!.split(" "))).toMatchObject({ stderr: "", code: 0 });
  expect(WebAssembly.validate(readFileSync(join(installed.app, "onig.wasm")))).toBe(true);
});

describe("commands of the shell", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const BUILT_IN = ["start", "test"];
  const pages = [
    ...PAGES,
    ...["c", "cpp", "rust", "emscripten", "zig", "threads", "component", "addon"].map(
      (n) => `native/examples/${n}/README.md`,
    ),
  ];

  it.each([...pages, "native/emscripten.md", "CONTRIBUTING.md"])("%s", (page) => {
    for (const { code, language } of blocksOf(page)) {
      if (language !== "sh") continue;
      for (const [, name] of code.matchAll(/\bnpm run (?:-s )?([\w:]+)/g))
        expect(scripts, page).toHaveProperty([name!]);
      for (const [, name] of code.matchAll(/\bnpm (start|test)\b/g))
        expect(BUILT_IN.includes(name!) && scripts[name!]).toBeTruthy();
      for (const [, file] of code.matchAll(/(?:\$G|node_modules\/gomalloc)\/((?:native|lib)\/[\w./-]+)/g)) {
        expect(existsSync(join(ROOT, file!)), `${page}: ${file}`).toBe(true);
      }
      // What the messages and the pages say of binaryen's version is what package.json asks for.
      const { peerDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
      for (const [, major] of code.matchAll(/binaryen@(\d+)/g)) expect(peerDependencies.binaryen).toBe(`^${major}.0.0`);
    }
  });
});
