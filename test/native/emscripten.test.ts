/**
 * Emscripten as Debian packages it: the README's recipe, growth through JavaScript's views, without growth, standalone,
 * and the C and C++ programs of this folder once more over emscripten's libc.
 */
import { expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { EMCC } from "../support/needs.ts";
import { expectReplaced, Project, type Ran, recipeOf } from "./support/project.ts";

const NATIVE = "node_modules/gomalloc/native";
const PROGRAMS = "node_modules/gomalloc/test/native/programs";
const SHIM = `-sMALLOC=none --js-library ${NATIVE}/emscripten.js -I${NATIVE}`;
const GROWTH = "-sALLOW_MEMORY_GROWTH";

/** emcc, link, and the glue beside the linked module: program.js. The flags choose what. */
async function build(project: Project, source: string, flags: string): Promise<void> {
  await project.command("mkdir -p unlinked");
  await project.command(`emcc ${flags} -fno-builtin ${SHIM} ${source} ${NATIVE}/gomalloc.c -o unlinked/program.js`);
  await project.link("unlinked/program.wasm", "program.wasm");
  await project.command("cp unlinked/program.js .");
}

/** The same program over emscripten's own malloc: stock.js. */
async function buildStock(project: Project, source: string, flags: string): Promise<void> {
  await project.command(`emcc ${flags} -fno-builtin -I${NATIVE} ${source} -o stock.js`);
}

/** Runs the glue. emcc 3.1 takes a Node that has fetch for a browser. */
async function run(project: Project, glue: string, args = ""): Promise<Ran> {
  await project.write("run.cjs", `delete globalThis.fetch; require(require("node:path").resolve("${glue}"));\n`);
  return project.spawn(`node run.cjs ${args}`);
}

describeWith(EMCC, "emscripten", () => {
  it("the recipe of native/examples/emscripten prints what its second, through link, prints", async () => {
    const [project, linked] = [await Project.create(), await Project.create()];
    const output = await project.recipe(await recipeOf("emscripten"));
    expect(output).toMatch(/^1000000 lines, sorted, [0-9a-f]{16}\nmemory grew: yes\n$/);
    expect(await linked.recipe(await recipeOf("emscripten", 1))).toBe(output);
  });

  it("the recipe of native/examples/emscripten through link prints what the program prints with dlmalloc", async () => {
    const project = await Project.create();
    const commands = await recipeOf("emscripten", 1);
    const output = await project.recipe(commands);
    expect(output).toMatch(/^1000000 lines, sorted, [0-9a-f]{16}\nmemory grew: yes\n$/);

    const compile = commands.find((line) => line.startsWith("emcc -O2"))!;
    await project.command(
      compile
        .replace(/-sMALLOC=none --js-library \S+ /, "")
        .replace(" unlinked/gomalloc.o", "")
        .replace(/\S+\.js$/, "sort.js"),
    );
    expect(await project.command(commands.at(-1)!)).toBe(output);
  });

  it.each([
    ["with assertions", `-O2 --profiling-funcs -sASSERTIONS=1 ${GROWTH}`],
    ["standalone", `-O2 --profiling-funcs -sSTANDALONE_WASM ${GROWTH}`],
  ])("grows behind JavaScript's views, %s", async (_, flags) => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/grow.c`, flags);
    await buildStock(project, `${PROGRAMS}/grow.c`, flags);
    const stock = await run(project, "stock.js");
    expect(stock.stdout).toBe("16 MiB\n32 MiB\n48 MiB\n64 MiB\nenough after 64, intact\n");
    expect(await run(project, "program.js")).toEqual(stock);
    await expectReplaced(project, "program.wasm", ["dlmalloc", "sbrk"]);
  });

  it("without growth NULL comes with errno, at the same place", async () => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/grow.c`, "-O2 -sABORTING_MALLOC=0");
    await buildStock(project, `${PROGRAMS}/grow.c`, "-O2 -sABORTING_MALLOC=0");
    const stock = await run(project, "stock.js");
    expect(stock.stdout).toMatch(/^ENOMEM after \d+, intact\n$/);
    expect(await run(project, "program.js")).toEqual(stock);
  });

  it("without growth it aborts by default, as emscripten's malloc does", async () => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/grow.c`, "-O2");
    const ran = await run(project, "program.js");
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain("Aborted(OOM)");
  });

  it("a standalone module runs in a WASI runtime", async () => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/grow.c`, "-O2 -sSTANDALONE_WASM");
    const ran = project.run("program.wasm");
    expect(ran.stdout).toMatch(/^ENOMEM after \d+, intact\n$/);
    expect(ran.status).toBe(0);
  });

  it("has the family, its errno and the misuse hook", async () => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/family.c`, `-O2 ${GROWTH}`);
    expect((await run(project, "program.js")).stdout).toMatch(/^ok 1\d\d\n$/);

    await build(project, `${PROGRAMS}/misuse.c`, `-O2 -DHOOK ${GROWTH}`);
    expect((await run(project, "program.js", "double")).stdout).toBe("kind 1\nthe heap is whole\n");
    expect((await run(project, "program.js", "size")).stdout).toBe("kind 5\nthe heap is whole\n");
  });

  it("runs the C++ example", async () => {
    const project = await Project.create();
    const source = `${NATIVE}/examples/cpp/containers.cpp`;
    const flags = `-O2 -std=c++20 -fno-exceptions ${GROWTH}`;
    await project.command(`emcc -O2 -c ${NATIVE}/gomalloc.c -o gomalloc.o`);
    await project.command("mkdir unlinked");
    await project.command(
      `em++ ${flags} ${SHIM} ${source} ${NATIVE}/gomalloc_new.cpp gomalloc.o -o unlinked/program.js`,
    );
    await project.link("unlinked/program.wasm", "program.wasm");
    await project.command("cp unlinked/program.js .");
    await project.command(`em++ ${flags} ${source} -o stock.js`);
    const stock = await run(project, "stock.js");
    expect(stock.stdout).toContain("blocks of 256 aligned: yes\n");
    expect(await run(project, "program.js")).toEqual(stock);
  });

  it("refuses what emcc -O3 linked: it has renamed all imports", async () => {
    const project = await Project.create();
    await expect(build(project, `${PROGRAMS}/grow.c`, `-O3 ${GROWTH}`)).rejects.toThrow(
      /npx gomalloc link .* gave [1-9]/,
    );
  });
});
