/** The commands of native/examples that recipes run: what they say to who misuses them, in one line and without a stack. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assemble } from "../support/assemble.ts";
import { Project, ROOT } from "./support/project.ts";

const NODE = JSON.stringify(process.execPath);
const module = (...imports: string[]) => assemble(`(module ${imports.join(" ")} (func (export "_start")))`);
const FILES = {
  "page.wasm": Buffer.from("<!doctype html>"),
  "unlinked.wasm": module('(import "gomalloc" "malloc" (func (param i32) (result i32)))'),
  "threads.wasm": module('(import "env" "memory" (memory 1))'),
  "other.wasm": module('(import "env" "log" (func))'),
};

type Case = [args: string, status: number, message: RegExp];
const CASES: Case[] = [
  ["", 2, /^run\.mjs: usage: node run\.mjs program\.wasm \[arguments\]$/],
  ["--help", 2, /^run\.mjs: usage: /],
  ["missing.wasm", 1, /^run\.mjs: cannot read missing\.wasm: ENOENT: no such file or directory/],
  [".", 1, /^run\.mjs: cannot read \.: EISDIR/],
  ["page.wasm", 1, /^run\.mjs: cannot read page\.wasm: WebAssembly\.\w+\(\): expected magic word/],
  [
    "unlinked.wasm",
    1,
    /^run\.mjs: unlinked\.wasm is not linked with gomalloc yet: npx gomalloc link unlinked\.wasm -o /,
  ],
];
const SINGLE: Case[] = [
  ["threads.wasm", 1, /^run\.mjs: threads\.wasm imports env\.memory, .*; .* runs by threads\/run\.mjs$/],
  ["other.wasm", 1, /^run\.mjs: other\.wasm imports env\.log, which is not of WASI$/],
];

describe.each([
  ["run.mjs", [...CASES, ...SINGLE]],
  ["threads/run.mjs", CASES],
])("%s", (name, cases) => {
  it.each(cases)("%s", async (args, status, message) => {
    const project = await Project.create();
    for (const [file, contents] of Object.entries(FILES)) await project.write(file, contents);
    const ran = project.spawn(`${NODE} node_modules/gomalloc/native/examples/${name} ${args}`);
    expect(ran).toMatchObject({ status, stdout: "" });
    const lines = ran.stderr.trimEnd().split("\n");
    expect(lines).toEqual([expect.stringMatching(message)]);
  });
});

describe("clang.mjs", () => {
  it("names what is missing", async () => {
    const project = await Project.create();
    await project.write("a.c", "int main(void) { return 0; }\n");
    // A copy, beside which no compiler is installed.
    await copyFile(join(ROOT, "native/examples/clang.mjs"), project.path("clang.mjs"));
    expect(project.spawn(`${NODE} clang.mjs a.c -o a.wasm`)).toEqual({
      status: 1,
      stdout: "",
      stderr:
        "clang.mjs: no @yowasp/clang is installed; npm has the compiler, 100 MB: npm install --save-dev @yowasp/clang\n",
    });
    expect(project.spawn(`${NODE} clang.mjs a.c`).stderr).toBe("clang.mjs: give the output: -o FILE\n");
  });

  it("a source that is missing, or wrong", async () => {
    const project = await Project.create();
    await project.write("wrong.c", "int main(void) { return x; }\n");
    const compile = (file: string) =>
      project.spawn(`${NODE} node_modules/gomalloc/native/examples/clang.mjs ${file} -o a.wasm`);
    expect(compile("missing.c")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no such file or directory: 'missing.c'"),
    });
    expect(compile("wrong.c")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("wrong.c:1:25: error: use of undeclared"),
    });
  });
});
