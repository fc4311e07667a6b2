/**
 * Threads at once on one heap: wasi-threads with a bare clang (the README's recipe), and emscripten's pthreads. What the
 * programs print does not depend on the order in which threads run, and is the same over another malloc.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { CLANG, EMCC } from "../support/needs.ts";
import { clang } from "./support/clang.ts";
import {
  expectReplaced,
  hasName,
  importsOf,
  linkRecipeOf,
  npmRecipeOf,
  Project,
  type Ran,
  ROOT,
  recipeOf,
} from "./support/project.ts";

const NATIVE = "node_modules/gomalloc/native";
const EXAMPLE = `${NATIVE}/examples/threads`;
const PROGRAMS = "node_modules/gomalloc/test/native/programs";
const OUTPUT = [
  "blocks made: 80000",
  "kilobytes: 45331",
  "blocks freed: 80000",
  "and after short threads: 80040",
  "found wrong: 0",
];

/** Standard output of a wasi-threads program, in lines. */
async function runThreads(project: Project, program: string): Promise<string[]> {
  return (await project.command(`node ${EXAMPLE}/run.mjs ${program}`)).trimEnd().split("\n");
}

describe("wasi-threads", () => {
  const LINKER = "-Wl,--import-memory,--export-memory,--max-memory=268435456";
  const TARGET = ["clang", "--target=wasm32-wasip1-threads", "-pthread", "-nostdlib", "-Wall", "-Wextra", "-Werror"];
  const build = (project: Project, output: string, ...args: string[]) =>
    clang([...TARGET, LINKER, `-I${NATIVE}`, `${EXAMPLE}/threads.c`, ...args, "-o", output], project.folder);

  it("the recipe of native/examples/threads prints what the program prints over another malloc, each time", async () => {
    const project = await Project.create();
    const commands = await npmRecipeOf("threads");
    expect((await project.recipe(commands)).trimEnd().split("\n")).toEqual(OUTPUT);
    for (let i = 0; i < 3; i++) expect(await runThreads(project, "threads.wasm")).toEqual(OUTPUT);
    const module = await project.module("threads.wasm");
    expect(hasName(module, "gomalloc/alloc/malloc/mallocSlow")).toBe(true);
    const outside = WebAssembly.Module.imports(module).map((entry) => `${entry.module}.${entry.name}`);
    expect(outside.sort()).toEqual(["env.memory", "wasi.thread-spawn", "wasi_snapshot_preview1.fd_write"]);
  });

  it("so does the recipe with gomalloc link", async () => {
    const project = await Project.create();
    const commands = await linkRecipeOf("threads", "npm's clang");
    expect((await project.recipe(commands)).trimEnd().split("\n")).toEqual(OUTPUT);
    for (let i = 0; i < 3; i++) expect(await runThreads(project, "threads.out.wasm")).toEqual(OUTPUT);

    await build(project, "stock.wasm", "-O2", `${PROGRAMS}/threads-stock.c`);
    expect(await runThreads(project, "stock.wasm")).toEqual(OUTPUT);

    const [unlinked, out] = await Promise.all(["threads.wasm", "threads.out.wasm"].map((name) => project.module(name)));
    expect(importsOf(unlinked!, "gomalloc")).toEqual(["calloc", "free", "init", "malloc", "realloc"]);
    expect(importsOf(out!, "gomalloc")).toEqual([]);
    const exportsOf = (module: WebAssembly.Module) => WebAssembly.Module.exports(module).map(({ name }) => name);
    expect(exportsOf(unlinked!)).toContain("gomalloc_heap_base");
    expect(exportsOf(out!).sort()).toEqual(["_start", "memory", "wasi_thread_start"]);
  });

  /** Main, four in the ring; and one when a thread was joined before it had given its P up. */
  function expectFewPs(lines: readonly string[]): void {
    expect(lines.slice(0, -1)).toEqual(OUTPUT);
    const ps = Number(/^Ps: (\d+)$/.exec(lines.at(-1)!)![1]);
    expect(ps).toBeGreaterThanOrEqual(2);
    expect(ps).toBeLessThanOrEqual(6);
  }

  it("a thread that ends leaves its P to the next: forty of them make no new one", async () => {
    const project = await Project.create();
    await build(project, "count.wasm", "-O2", "-DCOUNT_PS", `${NATIVE}/gomalloc.c`);
    await project.link("count.wasm", "count.out.wasm");
    expectFewPs(await runThreads(project, "count.out.wasm"));
  });

  it.each([
    ["that calls gomalloc_thread_exit", "wasm32-unknown-unknown-threads", []],
    [
      "whose keys have destructors, as with pthreads",
      "wasm32-wasip1-threads",
      ["-Dgomalloc_thread_exit=thread_end", `${PROGRAMS}/keys.c`],
    ],
  ])("over the archive too, for a program %s", async (_, target, more) => {
    const project = await Project.create();
    const archive = `node_modules/gomalloc/lib/${target}/libgomalloc-debug.a`;
    await build(project, "count.wasm", "-O2", "-DCOUNT_PS", ...more, archive);
    const module = await project.module("count.wasm");
    expect(hasName(module, "pthread_key_create")).toBe(more.length > 0);
    expectFewPs(await runThreads(project, "count.wasm"));
  });

  // Not with -O1 or more for the link: Node 20's baseline compiler waits at a wrong address where memory.atomic.wait32 is
  // given a sum as it stands, which wasm-opt makes of such code, with or without gomalloc in it.
  it("works without any optimisation too", async () => {
    const project = await Project.create();
    await build(project, "debug.wasm", "-O0", "-g0", `${NATIVE}/gomalloc.c`);
    await project.command("npx gomalloc link -O0 debug.wasm -o debug.out.wasm");
    expect(await runThreads(project, "debug.out.wasm")).toEqual(OUTPUT);
  });

  it("a trap in a thread ends the program, and is told", async () => {
    const project = await Project.create();
    await project.write(
      "trap.c",
      `#include "thread.h"
      static char *block;
      static void twice(void *arg) { (void)arg; free(block); free(block); }
      int main(void) { block = malloc(64); thread_join(thread_start(twice, NULL)); return 0; }\n`,
    );
    const sources = ["trap.c", `${NATIVE}/gomalloc.c`];
    await project.command(`cp ${EXAMPLE}/thread.h .`);
    await clang(
      [...TARGET.filter((arg) => !arg.startsWith("-W")), LINKER, "-O2", ...sources, "-o", "trap.wasm"],
      project.folder,
    );
    await project.link("trap.wasm", "trap.out.wasm");
    const ran = project.spawn(`node ${EXAMPLE}/run.mjs trap.out.wasm`);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/thread 1: RuntimeError: unreachable[\s\S]*gomalloc_misuse/);
  });
});

describeWith(CLANG, "wasi-threads with Debian's clang", () => {
  it.each([
    ["over the archive", 0],
    ["with gomalloc link", 2],
  ])("the recipe of native/examples/threads %s runs as printed", async (_, index) => {
    const project = await Project.create();
    expect((await project.recipe(await recipeOf("threads", index))).trimEnd().split("\n")).toEqual(OUTPUT);
  });
});

it("gomalloc.h's functions for threads are those of the shared flavours", async () => {
  const exported = async (flavour: string) => {
    const module = new WebAssembly.Module(new Uint8Array(await readFile(join(ROOT, "build", flavour))));
    return WebAssembly.Module.exports(module).map(({ name }) => name);
  };
  const header = await readFile(join(ROOT, "native", "gomalloc.h"), "utf8");
  const threads = /#ifdef __wasm_atomics__([\s\S]*?)#else/.exec(header)![1]!;
  const names = [...threads.matchAll(/import_name\("(\w+)"\)/g)].map(([, name]) => name);
  expect(names).toEqual(["gomalloc_thread_exit", "gomalloc_sync", "numPs"]);
  expect(await exported("gomalloc-shared.wasm")).toEqual(expect.arrayContaining(names.slice(0, 2)));
  expect(await exported("gomalloc-host-shared.wasm")).toEqual(expect.arrayContaining(names));
  // Emscripten's glue needs a name for each.
  const glue = await readFile(join(ROOT, "native", "emscripten.js"), "utf8");
  for (const name of names) expect(glue).toContain(`  "${name}",`);
});

describeWith(EMCC, "emscripten's pthreads", () => {
  const SHIM = `-sMALLOC=none --js-library ${NATIVE}/emscripten.js`;
  const THREADS = `-O2 --profiling-funcs -pthread -sPROXY_TO_PTHREAD -sEXIT_RUNTIME -Wno-pthreads-mem-growth -I${NATIVE}`;
  const GROWTH = "-sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=256MB";

  /** The program linked, as program.js, and over emscripten's own malloc, as stock.js. */
  async function build(project: Project, source: string, flags: string, ours = ""): Promise<void> {
    await project.command("mkdir -p unlinked");
    const shim = `${SHIM} ${ours} ${source} ${NATIVE}/gomalloc.c`;
    await project.command(`emcc ${THREADS} ${flags} ${shim} -o unlinked/program.js`);
    await project.link("unlinked/program.wasm", "program.wasm");
    await project.command("cp unlinked/program.js unlinked/program.worker.js .");
    await project.command(`emcc ${THREADS} ${flags} ${source} -o stock.js`);
  }

  /** Runs the glue. emcc 3.1 takes a Node that has fetch for a browser. */
  async function run(project: Project, glue: string): Promise<Ran> {
    await project.write("run.cjs", `delete globalThis.fetch; require(require("node:path").resolve("${glue}"));\n`);
    return project.spawn("node run.cjs");
  }

  it("runs the example, with its own malloc and with ours", async () => {
    const project = await Project.create();
    await build(project, `${EXAMPLE}/threads.c`, GROWTH);
    expect((await run(project, "stock.js")).stdout.trimEnd().split("\n")).toEqual(OUTPUT);
    for (let i = 0; i < 3; i++) {
      const ran = await run(project, "program.js");
      expect(ran.stdout.trimEnd().split("\n"), ran.stderr).toEqual(OUTPUT);
      expect(ran.status).toBe(0);
    }
    await expectReplaced(project, "program.wasm", ["dlmalloc", "sbrk"]);
  });

  it("threads end by return, by pthread_exit, detached, with destructors: few Ps are made", async () => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/pthreads.c`, GROWTH);
    const stock = await run(project, "stock.js");
    expect(stock.stdout).toBe("48 threads, destroyed, wrong: 0\n");
    expect(await run(project, "program.js")).toEqual(stock);

    const counting = `emcc ${THREADS} ${GROWTH} ${SHIM} -DCOUNT_PS ${PROGRAMS}/pthreads.c ${NATIVE}/gomalloc.c`;
    await project.command(`${counting} -o unlinked/program.js`);
    await project.link("unlinked/program.wasm", "program.wasm");
    await project.command("cp unlinked/program.js unlinked/program.worker.js .");
    expect((await run(project, "program.js")).stdout).toBe(`${stock.stdout}Ps few\n`);
  });

  it.each([
    ["grows as far as it may", GROWTH, /^16 MiB\n32 MiB\n48 MiB\n64 MiB\nenough after 64, intact\n$/, 0],
    ["without growth NULL comes with errno", "-sABORTING_MALLOC=0", /^ENOMEM after \d+, intact\n$/, 0],
  ])("%s, at the same place as with its own malloc", async (_, flags, output) => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/grow.c`, flags);
    const stock = await run(project, "stock.js");
    expect(stock.stdout).toMatch(output);
    expect((await run(project, "program.js")).stdout).toBe(stock.stdout);
  });

  it("without growth it aborts by default, as emscripten's malloc does", async () => {
    const project = await Project.create();
    await build(project, `${PROGRAMS}/grow.c`, "");
    for (const glue of ["stock.js", "program.js"]) {
      const ran = await run(project, glue);
      expect(ran.status, glue).not.toBe(0);
      expect(ran.stderr, glue).toContain("Aborted(OOM)");
    }
  });
});
