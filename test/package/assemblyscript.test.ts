/** The packed package as the runtime of an AssemblyScript program: the README's recipe in an empty folder, as printed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Installed, ROOT } from "../support/installed.ts";

let installed: Installed;
let recipe: string;
const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));

beforeAll(async () => {
  installed = await Installed.create();
  const compiler = ["assemblyscript", "@assemblyscript/loader"].map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  );
  await installed.npm("install", "--prefer-offline", "--no-audit", "--no-fund", ...compiler);
  const page = await readFile(join(ROOT, "README.md"), "utf8");
  recipe = page.slice(page.indexOf("## Start: AssemblyScript"), page.indexOf("## Start: C, C++, Rust"));
});
afterAll(() => installed.dispose());

/** asc by the words of a command line of the README or the docs. */
function asc(line: string) {
  const [npx, name, ...words] = line.trim().split(/\s+/);
  expect([npx, name]).toEqual(["npx", "asc"]);
  return installed.node("node_modules/assemblyscript/bin/asc.js", ...words);
}

describe("the README's recipe", () => {
  it("compiles, and prints what it says", async () => {
    const files = [...recipe.matchAll(/^`(\w+\.\w+)`:\n\n```\w+\n(.*?)^```$/gms)];
    expect(files.map(([, name]) => name)).toEqual(["app.ts", "main.js"]);
    for (const [, name, text] of files) await installed.write(name!, text!);
    const compiled = await asc(/^npx asc .*$/m.exec(recipe)![0]);
    expect(compiled).toEqual({ stdout: "", stderr: "", code: 0 });
    const { stdout, stderr } = await installed.node("main.js");
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe(/console\.log\(.*?; \/\/ (.*)$/m.exec(files[1]![2]!)![1]);
  });

  it("with the controls as exports, through the loader", async () => {
    const page = await readFile(join(ROOT, "docs/assemblyscript.md"), "utf8");
    const line = /^npx asc app\.ts \.\/node_modules\/gomalloc\/rt-gc\.ts .*$/m.exec(page)![0];
    const compiled = await asc(`${line.replace(/ --bindings esm/, "")} --exportRuntime`);
    expect(compiled).toEqual({ stdout: "", stderr: "", code: 0 });
    await installed.write(
      "loaded.js",
      `import { readFile } from "node:fs/promises";
       import loader from "@assemblyscript/loader";
       const { exports } = await loader.instantiate(await readFile("app.wasm"));
       const kept = exports.__pin(exports.__pin(exports.__newString("kept")));
       const old = exports.setGCPercent(50);
       for (let i = 0; i < 50; i++) exports.centre(20_000);
       exports.__unpin(kept);
       exports.__collect();
       const string = exports.__getString(kept);
       exports.__unpin(kept);
       let refused = "";
       try { exports.__unpin(kept); } catch (error) { refused = error.message; }
       let left = 1, steps = 0;
       for (; left !== 0; steps++) left = exports.gcStep(1024);
       console.log(JSON.stringify({ string, old, refused, cycles: exports.gcStat(0) > 3, forced: exports.gcStat(1), pins: exports.gcStat(9) }));`,
    );
    const { stdout, stderr } = await installed.node("loaded.js");
    expect(stderr).toBe("");
    const { refused, ...figures } = JSON.parse(stdout);
    expect(refused).toContain("Object is not pinned");
    expect(figures).toEqual({ string: "kept", old: 100, cycles: true, forced: 2, pins: 0 });
  });

  it("a program without memory left says so", async () => {
    await installed.write(
      "full.ts",
      `const all: StaticArray<u8>[] = [];
       export function fill(): void {
         while (true) {
           const block = new StaticArray<u8>(100_000);
           block[99_999] = <u8>all.length;
           all.push(block);
         }
       }
       export function count(): i32 { return all.length; }
       export function sum(): i32 {
         let n = 0;
         for (let i = 0; i < all.length; i++) n += all[i][99_999];
         return n;
       }`,
    );
    const flags = "--runtime ./node_modules/gomalloc/rt --bindings esm --maximumMemory 64 --outFile full.wasm";
    expect((await asc(`npx asc full.ts ${flags}`)).code).toBe(0);
    await installed.write(
      "main-full.js",
      `import { fill, count, sum } from "./full.js";
       const said = [];
       for (const ask of [count, sum]) {
         try { fill(); } catch (error) { said.push(error.message); }
         said.push(ask());
       }
       console.log(JSON.stringify(said));`,
    );
    const { stdout, stderr } = await installed.node("main-full.js");
    expect(stderr).toBe("");
    const [first, kept, second, sum] = JSON.parse(stdout);
    expect(first).toContain("out of memory");
    // All but a few of the 41 that 4 MiB could hold were had, are as they were written, and the heap still answers.
    expect(kept).toBeGreaterThan(35);
    expect(second).toContain("out of memory");
    expect(sum).toBe((kept * (kept - 1)) / 2);
  });
});
