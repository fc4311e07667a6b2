/** C++: libc++'s containers and all forms of new and delete over gomalloc. */
import { expect, it, vi } from "vitest";
import { clang } from "./support/clang.ts";
import { hasName, importsOf, Project, recipeOf } from "./support/project.ts";

// Loading LLVM, a compilation and a link take some seconds, each; a busy machine takes three times that.
vi.setConfig({ testTimeout: 300_000 });

it("the recipe of native/examples/cpp prints what the program prints with libc's malloc", async () => {
  const project = await Project.create();
  const commands = await recipeOf("cpp");
  const output = await project.recipe(commands);
  expect(output).toContain("blocks of 256 aligned: yes\npage aligned: yes\nno memory: null\n");

  const compile = commands.find((line) => line.startsWith("clang++ "))!;
  const stock = compile.replace(/ \S+gomalloc_new\.cpp gomalloc\.o/, "").replace("containers.wasm", "stock.wasm");
  await project.command(stock);
  const ran = project.run("stock.wasm");
  expect(ran.status).toBe(0);
  expect(output).toBe(ran.stdout);

  const [linked, dlmalloc] = await Promise.all(
    ["containers.out.wasm", "stock.wasm"].map((name) => project.module(name)),
  );
  expect(importsOf(dlmalloc!)).toEqual(expect.arrayContaining(importsOf(linked!)));
  for (const name of ["dlmalloc", "sbrk"]) {
    expect(hasName(dlmalloc!, name), name).toBe(true);
    expect(hasName(linked!, name), name).toBe(false);
  }
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
