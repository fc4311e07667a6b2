/** gomalloc_arena.h: arenas of C and C++ programs, over gomalloc by both ways and over libc's malloc. */
import { describe, expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { CLANG } from "../support/needs.ts";
import { clang } from "./support/clang.ts";
import { importsOf, Project } from "./support/project.ts";

const SHIM = "node_modules/gomalloc/native/gomalloc.c";
const PROGRAMS = "node_modules/gomalloc/test/native/programs";
const ARCHIVE = ["-Lnode_modules/gomalloc/lib/wasm32-wasip1", "-lgomalloc"];
const STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fno-builtin", "-Inode_modules/gomalloc/native"];
const TARGET = ["--target=wasm32-wasip1", "-O2", ...STRICT];
/** The program may ask for limits, which libc's malloc has not. */
const LIMITED = "-DGOMALLOC";
const SUM = "24997500.0 aligned page\n";

describe("gm_arena", () => {
  it.each(["-std=c99", "-std=c17", "-std=c23"])("linked with gomalloc, compiled with %s", async (standard) => {
    const project = await Project.create();
    const sources = [`${PROGRAMS}/arena.c`, SHIM];
    const std = standard === "-std=c99" ? ["-std=c99", "-Wno-c11-extensions"] : [standard];
    expect(await clang(["clang", ...TARGET, ...std, LIMITED, ...sources, "-o", "a.wasm"], project.folder)).toBe("");
    await project.link("a.wasm", "a.out.wasm");
    const ran = project.run("a.out.wasm");
    expect(ran.stdout).toMatch(/^ok \d{4,}\n$/);
    expect([ran.status, importsOf(await project.module("a.out.wasm"), "gomalloc")]).toEqual([0, []]);
  });

  it("over the archive, and over libc's malloc", async () => {
    const project = await Project.create();
    const program = `${PROGRAMS}/arena.c`;
    await clang(["clang", ...TARGET, program, ...ARCHIVE, "-o", "a.wasm"], project.folder);
    await clang(["clang", ...TARGET, program, "-o", "stock.wasm"], project.folder);
    for (const name of ["a.wasm", "stock.wasm"]) {
      const ran = project.run(name);
      expect(ran.stdout, name).toMatch(/^ok \d{4,}\n$/);
      expect(ran.status, name).toBe(0);
    }
  });

  it("in C++, beside libc's declarations", async () => {
    const project = await Project.create();
    await clang(["clang", ...TARGET, "-c", SHIM, "-o", "gomalloc.o"], project.folder);
    for (const standard of ["-std=c++17", "-std=c++20"]) {
      const sources = [`${PROGRAMS}/arena.cpp`, "gomalloc.o"];
      const flags = [...TARGET, standard, "-fno-exceptions"];
      await clang(["clang++", ...flags, ...sources, "-o", "a.wasm"], project.folder);
      await project.link("a.wasm", "a.out.wasm");
      expect(project.run("a.out.wasm")).toMatchObject({ status: 0, stdout: SUM });
    }
  });

  it("without any headers of libc", async () => {
    const project = await Project.create();
    await project.write(
      "bare.c",
      '#include "gomalloc_arena.h"\nvoid *both(gm_arena *a) { return gm_arena_calloc(a, 3, gm_arena_bytes(a)); }\n',
    );
    const flags = ["--target=wasm32-unknown-unknown", "-O2", "-ffreestanding", ...STRICT];
    expect(await clang(["clang", ...flags, "-c", "bare.c", "-o", "bare.o"], project.folder)).toBe("");
    expect((await project.read("bare.o")).length).toBeGreaterThan(0);
  });
});

describeWith(CLANG, "clang of the system", () => {
  it("compiles and runs both programs", async () => {
    const project = await Project.create();
    // Debian's wasi-libc has the older name of the target.
    const flags = TARGET.join(" ").replace("wasip1", "wasi");
    const include = "-Wno-c11-extensions";
    await project.command(`clang-19 ${flags} ${include} ${LIMITED} ${PROGRAMS}/arena.c ${SHIM} -o a.wasm`);
    await project.command(`clang-19 ${flags} -c ${SHIM} -o gomalloc.o`);
    await project.command(`clang++-19 ${flags} -std=c++20 -fno-exceptions ${PROGRAMS}/arena.cpp gomalloc.o -o b.wasm`);
    for (const name of ["a", "b"]) await project.link(`${name}.wasm`, `${name}.out.wasm`);
    expect(project.run("a.out.wasm").stdout).toMatch(/^ok \d{4,}\n$/);
    expect(project.run("b.out.wasm")).toMatchObject({ status: 0, stdout: SUM });
  });
});
