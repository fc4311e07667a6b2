/**
 * C programs: the README's recipe over the archive, and gomalloc.c with gomalloc link: the README's recipe, the whole family, misuse,
 * statistics, and what is left of dlmalloc. archive.test.ts has the archive's family, misuse and statistics.
 */
import { describe, expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { CLANG } from "../support/needs.ts";
import { clang } from "./support/clang.ts";
import {
  describeRecipe,
  expectArchived,
  expectSameWords,
  hasName,
  importsOf,
  linkRecipeOf,
  Project,
} from "./support/project.ts";

const TARGET = ["--target=wasm32-wasip1", "-O2"];
const ARCHIVE = "-Lnode_modules/gomalloc/lib/wasm32-wasip1 -lgomalloc";
const SHIM = "node_modules/gomalloc/native/gomalloc.c";
const INCLUDE = "-Inode_modules/gomalloc/native";
const PROGRAMS = "node_modules/gomalloc/test/native/programs";

/** Compiles one of the test's programs with the shim; `name`.wasm is unlinked, `name`.out.wasm linked. */
async function build(project: Project, name: string, ...flags: string[]): Promise<string> {
  const sources = [`${PROGRAMS}/${name}.c`, SHIM];
  const warnings = await clang(
    ["clang", ...TARGET, "-Wall", "-Wextra", "-Werror", "-fno-builtin", ...flags, INCLUDE, ...sources, "-o", "a.wasm"],
    project.folder,
  );
  expect(warnings).toBe("");
  await project.link("a.wasm", "a.out.wasm");
  return "a.out.wasm";
}

/** What words.c prints of its own source. */
function expectTable(output: string): void {
  expect(output).toMatch(/^\d{3} words, \d+ different\n/);
  expect(output.split("\n")).toHaveLength(12);
}

const textOf = async (project: Project) =>
  Buffer.from(await project.read("words.c"))
    .toString()
    .repeat(50);

describeRecipe("c", (read, compiler) => {
  it("runs as it stands and prints what the program prints with libc's malloc", async () => {
    const [copy, compile, run, ...more] = await read();
    expect(more).toEqual([]);
    const project = await Project.create();
    expectTable(await project.recipe([copy!, compile!, run!]));
    await expectArchived(project, compile!, ARCHIVE, ["malloc", "calloc", "realloc", "free"]);
    expectSameWords(project, "words.wasm", await textOf(project));
    // gomalloc link takes a program with the archive inside, too; but not what clang's wasm-opt, if one is in PATH, left of it.
    if (compiler === "npm's clang") {
      await project.link("words.wasm", "inlined.wasm");
      expectSameWords(project, "inlined.wasm", await textOf(project));
    }

    const [program, stock] = await Promise.all(["words.wasm", "stock.wasm"].map((name) => project.module(name)));
    expect(importsOf(stock!)).toEqual(expect.arrayContaining(importsOf(program!)));
    expect(WebAssembly.Module.exports(program!).filter(({ name }) => name !== "gomalloc_on_misuse")).toEqual(
      WebAssembly.Module.exports(stock!),
    );
  });

  it("so does the recipe with gomalloc link", async () => {
    const commands = await linkRecipeOf("c", compiler);
    const project = await Project.create();
    expectTable(await project.recipe(commands));

    const compile = commands.find((line) => line.includes("clang"))!;
    await project.command(compile.replace(` ${SHIM}`, "").replace("words.wasm", "stock.wasm"));
    expectSameWords(project, "words.out.wasm", await textOf(project));

    const [unlinked, linked, dlmalloc] = await Promise.all(
      ["words.wasm", "words.out.wasm", "stock.wasm"].map((name) => project.module(name)),
    );
    // Only what the program calls is imported, and after the link nothing is.
    expect(importsOf(unlinked!, "gomalloc")).toEqual(["calloc", "free", "init", "malloc", "realloc"]);
    expect(importsOf(linked!, "gomalloc")).toEqual([]);
    // The optimiser may find that some of the others are not needed either.
    expect(importsOf(dlmalloc!)).toEqual(expect.arrayContaining(importsOf(linked!)));
    expect(WebAssembly.Module.exports(linked!)).toEqual(WebAssembly.Module.exports(dlmalloc!));
    // The names show that the stock program has dlmalloc, so that their absence says something.
    // Where clang finds a wasm-opt in PATH, it has that take the names away.
    const named = WebAssembly.Module.customSections(dlmalloc!, "name").length > 0 || compiler === "npm's clang";
    for (const symbol of named ? ["dlmalloc", "sbrk"] : []) {
      expect(hasName(dlmalloc!, symbol), symbol).toBe(true);
      expect(hasName(unlinked!, symbol), symbol).toBe(false);
      expect(hasName(linked!, symbol), symbol).toBe(false);
    }
  });
});

it("defines every name of the family; NULL comes with errno", async () => {
  const project = await Project.create();
  const ran = project.run(await build(project, "family"));
  expect(ran.stdout).toMatch(/^ok 1\d\d\n$/);
  expect(ran.status).toBe(0);
});

it("leaves errno alone with -DGOMALLOC_NO_ERRNO", async () => {
  const project = await Project.create();
  const ran = project.run(await build(project, "family", "-DGOMALLOC_NO_ERRNO"));
  const lines = ran.stdout.trimEnd().split("\n");
  expect(lines.pop()).toMatch(/^failed 1\d\d$/);
  // One for each call that should fail: the result is still NULL, errno is what it was set to.
  expect(lines).toHaveLength(10);
  for (const line of lines) expect(line).toMatch(/errno == \(.*\(errno 0\)$/);
  expect(ran.status).toBe(1);
});

describe("misuse", () => {
  const KINDS = { double: 1, foreign: 2, interior: 3, realloc: 1, size: 5 };

  it("calls the program's hook, and the heap is whole", async () => {
    const project = await Project.create();
    const program = await build(project, "misuse", "-DHOOK");
    for (const [what, kind] of Object.entries(KINDS)) {
      const ran = project.run(program, what);
      expect(ran.stdout, what).toBe(`kind ${kind}\nthe heap is whole\n`);
      expect(ran.status, what).toBe(0);
    }
    expect(project.run(program).stdout).toBe("the heap is whole\n");
  });

  it("traps without one", async () => {
    const project = await Project.create();
    const program = await build(project, "misuse");
    for (const what of Object.keys(KINDS)) {
      const ran = project.run(program, what);
      expect(ran.stdout, what).toBe("");
      expect(ran.stderr, what).toContain("RuntimeError: unreachable");
      expect(ran.stderr, what).toContain("gomalloc_misuse");
      expect(ran.status, what).not.toBe(0);
    }
    expect(project.run(program).stdout).toBe("the heap is whole\n");
  });
});

describeWith(CLANG, "a command whose exports wasm-ld has wrapped, by Debian's clang", () => {
  const FILES = {
    "hook.c": `#include <stdio.h>
#include <stdlib.h>
#include "gomalloc.h"
static int runs;
__attribute__((constructor)) static void first(void) { runs++; }
__attribute__((constructor)) static void second(void) { fprintf(stderr, "constructor %d\\n", runs); }
static void bye(void) { fprintf(stderr, "bye\\n"); }
void gomalloc_on_misuse(int kind, void *p) { fprintf(stderr, "misuse %d\\n", p ? kind : 0); }
int main(void) {
  atexit(bye);
  void *volatile p = malloc(100);
  free(p);
  free(p);
  free(p);
  fprintf(stderr, "end\\n");
  return 0;
}
`,
    "registry.cpp": `#include <cstdlib>
struct Registry {
  void *p;
  Registry() { p = malloc(10); free(p); void *volatile q = p; free(q); }
};
static Registry registry;
int main() { return registry.p == nullptr; }
`,
  };
  const WASI = "--target=wasm32-wasi -O2";
  // Where a wasm-opt is in PATH, clang has it inline the hook into its wrapper; then there are no names either.
  const ways = {
    "in one step": (sources: string) => [`clang++-19 ${WASI} -fno-exceptions ${INCLUDE} ${sources} o.o -o a.wasm`],
    "in two, with names": (sources: string) => [
      `clang++-19 ${WASI} -fno-exceptions -c ${INCLUDE} ${sources} -o p.o`,
      "clang++-19 --target=wasm32-wasi p.o o.o -o a.wasm",
    ],
    "in two, stripped": (sources: string) => [
      `clang++-19 ${WASI} -fno-exceptions -c ${INCLUDE} ${sources} -o p.o`,
      "clang++-19 --target=wasm32-wasi -Wl,-s p.o o.o -o a.wasm",
    ],
  };

  for (const [way, commands] of Object.entries(ways)) {
    it(`calls the hook alone, built ${way}`, async () => {
      const project = await Project.create();
      for (const [name, text] of Object.entries(FILES)) await project.write(name, text);
      await project.recipe([`clang-19 ${WASI} -c ${SHIM} -o o.o`, ...commands("-x c hook.c -x none")]);
      await project.command("npx gomalloc link a.wasm -o a.out.wasm -O1");
      const ran = project.run("a.out.wasm");
      expect(ran.stderr).toBe("constructor 1\nmisuse 1\nmisuse 1\nend\nbye\n");
      expect(ran.status).toBe(0);
    });
  }

  it("prints once what gomalloc_debug.c says of a misuse in a constructor, and traps", async () => {
    const project = await Project.create();
    for (const [name, text] of Object.entries(FILES)) await project.write(name, text);
    await project.recipe([
      `clang-19 ${WASI} -c ${SHIM} -o o.o`,
      `clang-19 ${WASI} -c node_modules/gomalloc/native/gomalloc_debug.c -o debug.o`,
      ...ways["in one step"]("registry.cpp debug.o"),
    ]);
    await project.command("npx gomalloc link a.wasm -o a.out.wasm -O1");
    const ran = project.run("a.out.wasm");
    expect(ran.stderr.match(/gomalloc: double free/g)).toHaveLength(1);
    expect(ran.stderr).toContain("RuntimeError: unreachable");
  });
});

describe("gomalloc_debug.c", () => {
  const DEBUG = "node_modules/gomalloc/native/gomalloc_debug.c";

  it("prints kind and address of a misuse before it traps, and the stack has the program's own frames", async () => {
    const project = await Project.create();
    const program = await build(project, "misuse", "-g", DEBUG);
    const kinds = {
      double: "double free: .* \\(kind 1",
      foreign: "foreign pointer: .* \\(kind 2",
      interior: "interior pointer: .* \\(kind 3",
      size: "sized free: .* \\(kind 5",
    };
    for (const [what, text] of Object.entries(kinds)) {
      const ran = project.run(program, what);
      expect(ran.stderr, what).toMatch(new RegExp(`^gomalloc: ${text}, address 0x[0-9a-f]+\\)$`, "m"));
      expect(ran.stderr, what).toContain("RuntimeError: unreachable");
      expect(ran.stderr, what).toMatch(/at .*(main|_start)/);
      expect(ran.status, what).not.toBe(0);
    }
    expect(project.run(program).stdout).toBe("the heap is whole\n");
  });

  it("prints the heap's figures in one line", async () => {
    const project = await Project.create();
    await project.write(
      "figures.c",
      `#include <stdlib.h>
#include "gomalloc.h"
int main(void) {
  void *volatile keep = malloc(100);
  free(malloc(50));
  malloc_stats();
  return keep == NULL;
}
`,
    );
    const sources = ["figures.c", SHIM, DEBUG];
    await clang(
      ["clang", ...TARGET, "-Wall", "-Wextra", "-Werror", "-fno-builtin", INCLUDE, ...sources, "-o", "f.wasm"],
      project.folder,
    );
    await project.link("f.wasm", "f.out.wasm");
    const ran = project.run("f.out.wasm");
    expect(ran.stderr).toMatch(
      /^gomalloc: \d+ bytes live in 1 blocks, \d+ bytes obtained \(\d+ free\), 2 mallocs, 1 frees, 0 misuses\n$/,
    );
    expect(ran.status).toBe(0);
  });
});

it("has statistics that are true", async () => {
  const project = await Project.create();
  const ran = project.run(await build(project, "stats"));
  expect(ran.stdout.trimEnd().split("\n")).toEqual([
    "version 1",
    "mallocs 1001 frees 500",
    "large 1 of 106496 bytes",
    "class of 128: mallocs 1000 frees 500",
    "small live bytes as computed",
    "sys adds up",
    "validate 0",
  ]);
  expect(ran.status).toBe(0);
});

it("compiles as C99 and without libc's headers", async () => {
  const project = await Project.create();
  const flags = ["-std=c99", "-c", "-ffreestanding", "-nostdinc", "-Ifree", "-Wall", "-Wextra", "-Werror"];
  await project.spawn("mkdir free");
  await project.write(
    "free/stddef.h",
    "#pragma once\ntypedef __SIZE_TYPE__ size_t;\n#define NULL ((void *)0)\n#define offsetof __builtin_offsetof\n",
  );
  await project.write(
    "free/stdint.h",
    "#pragma once\ntypedef __UINT64_TYPE__ uint64_t;\ntypedef __UINT32_TYPE__ uint32_t;\ntypedef __UINTPTR_TYPE__ uintptr_t;\n",
  );
  await clang(["clang", "--target=wasm32", "-O2", ...flags, SHIM, "-o", "shim.o"], project.folder);
  expect((await project.read("shim.o")).length).toBeGreaterThan(500);
});
