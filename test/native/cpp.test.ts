/** C++: libc++'s containers and all forms of new and delete over gomalloc. */
import { expect, it } from "vitest";
import { clang } from "./support/clang.ts";
import { describeRecipe, expectArchived, hasName, importsOf, linkRecipeOf, Project } from "./support/project.ts";

const ARCHIVE = "-Lnode_modules/gomalloc/lib/wasm32-wasip1 -lgomalloc";
const PRINTED = "blocks of 256 aligned: yes\npage aligned: yes\nno memory: null\n";

describeRecipe("cpp", (read, compiler) => {
  it("prints what the program prints with libc's malloc", async () => {
    const project = await Project.create();
    const commands = await read();
    const output = await project.recipe(commands);
    expect(output).toContain(PRINTED);
    await expectArchived(project, commands[1]!, ARCHIVE, ["malloc", "aligned_alloc", "free_sized"]);
    expect(project.run("stock.wasm")).toMatchObject({ status: 0, stdout: output });
    const [program, stock] = await Promise.all(["containers.wasm", "stock.wasm"].map((name) => project.module(name)));
    expect(importsOf(stock!)).toEqual(expect.arrayContaining(importsOf(program!)));
  });

  it("so does the recipe with gomalloc link", async () => {
    const project = await Project.create();
    const commands = await linkRecipeOf("cpp", compiler);
    const output = await project.recipe(commands);
    expect(output).toContain(PRINTED);

    const compile = commands.find((line) => line.includes("gomalloc_new.cpp"))!;
    const stock = compile.replace(/ \S+gomalloc_new\.cpp gomalloc\.o/, "").replace("containers.wasm", "stock.wasm");
    await project.command(stock);
    const ran = project.run("stock.wasm");
    expect(ran.status).toBe(0);
    expect(output).toBe(ran.stdout);

    const [linked, dlmalloc] = await Promise.all(
      ["containers.out.wasm", "stock.wasm"].map((name) => project.module(name)),
    );
    expect(importsOf(dlmalloc!)).toEqual(expect.arrayContaining(importsOf(linked!)));
    // Where clang finds a wasm-opt in PATH, it has that take the names away.
    const named = WebAssembly.Module.customSections(dlmalloc!, "name").length > 0 || compiler === "npm's clang";
    for (const symbol of named ? ["dlmalloc", "sbrk"] : []) {
      expect(hasName(dlmalloc!, symbol), symbol).toBe(true);
      expect(hasName(linked!, symbol), symbol).toBe(false);
    }
  });
});

it("new aligns, delete hands its size on, and a wrong size is found", async () => {
  const project = await Project.create();
  const native = "node_modules/gomalloc/native";
  const shared = ["--target=wasm32-wasip1", "-O2", "-Wall", "-Wextra", "-Werror", `-I${native}`];
  await clang(["clang", ...shared, "-c", `${native}/gomalloc.c`, "-o", "gomalloc.o"], project.folder);
  const sources = [
    "node_modules/gomalloc/test/native/programs/newdelete.cpp",
    `${native}/gomalloc_new.cpp`,
    "gomalloc.o",
  ];
  // Deleting through the wrong type is what the program is about.
  const flags = ["-std=c++20", "-fno-exceptions", "-Wno-delete-non-abstract-non-virtual-dtor"];
  await clang(["clang++", ...shared, ...flags, ...sources, "-o", "a.wasm"], project.folder);
  await project.link("a.wasm", "a.out.wasm");
  const ran = project.run("a.out.wasm");
  expect(ran.stdout).toMatch(/^ok \d{3,}\n$/);
  expect(ran.status).toBe(0);
});
