/**
 * libgomalloc.a and gomalloc.o: what a linker makes of them. The link map says from which object each function came; a
 * program over an archive of ours has no other allocator in it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Command, commands, runLLVM, type Tree } from "@yowasp/clang";
import { describe, expect, it } from "vitest";
import { DEBUG_SYMBOLS, DEBUG_THREAD_SYMBOLS, OBJECT_SYMBOLS, THREAD_SYMBOLS } from "../../scripts/build-symbols.ts";
import { describeWith } from "../support/describewith.ts";
import { CLANG, EMCC } from "../support/needs.ts";
import { clang } from "./support/clang.ts";
import { hasName, Project, ROOT } from "./support/project.ts";

const LIB = "node_modules/gomalloc/lib";
const NATIVE = "node_modules/gomalloc/native";
const PROGRAMS = "node_modules/gomalloc/test/native/programs";
const TARGETS = ["wasm32-wasip1", "wasm32-unknown-unknown", "wasm32-emscripten"];
/** What the allocators of the libcs have in their maps and name sections. */
const OTHERS = /dlmalloc|emmalloc|try_init_allocator|sbrk/;

const allNames = (table: typeof OBJECT_SYMBOLS) => Object.entries(table).flatMap(([name, more]) => [name, ...more]);

/** Runs a tool of npm's LLVM; its standard output and the files that it wrote. */
async function llvm(tool: Command, args: string[], files: Tree): Promise<{ text: string; made: Tree }> {
  const out: Uint8Array[] = [];
  const collect = (bytes: Uint8Array | null) => void (bytes && out.push(bytes.slice()));
  const made = await tool(args, files, { stdout: collect, stderr: collect, fetchProgress: () => {} });
  return { text: Buffer.concat(out).toString(), made: made ?? {} };
}

const lib = async (path: string) => new Uint8Array(await readFile(join(ROOT, "lib", path)));

/** Symbols by their letter, as nm has them, of an object or all members of an archive. */
async function symbolsOf(path: string): Promise<Map<string, string>> {
  const { text } = await llvm(runLLVM, ["llvm-nm", "x"], { x: await lib(path) });
  const lines = [...text.matchAll(/^(?:[0-9a-f]{8}| {8}) (\w) (\S+)$/gm)].map(
    ([, letter, name]) => [name!, letter!] as const,
  );
  // A symbol that one member defines is missing in others.
  return new Map(lines.sort(([, a], [, b]) => Number(b === "U") - Number(a === "U")));
}

const ours = (symbols: Map<string, string>, letters: string) =>
  [...symbols].flatMap(([name, letter]) => (letters.includes(letter) ? [name] : [])).sort();

describe("the objects", () => {
  it.each(TARGETS.flatMap((name) => [name, `${name}-threads`]).filter((name) => name !== "wasm32-wasip1-threads"))(
    "lib/%s/gomalloc.o defines the family, and misses only what the target has",
    async (target) => {
      const symbols = await symbolsOf(`${target}/gomalloc.o`);
      const threads = target.endsWith("-threads");
      const family = [...allNames(OBJECT_SYMBOLS), ...(threads ? allNames(THREAD_SYMBOLS) : [])];
      const hooks = ["gomalloc_grow", "gomalloc_set_errno", ...(threads ? ["gomalloc_thread_start"] : [])];
      const sbrk = target.includes("emscripten") ? ["sbrk", "brk"] : [];
      expect(ours(symbols, "T")).toEqual([...family, ...hooks, ...sbrk].sort());
      const aligned = "St11align_val_t";
      const deletes = ["Pv", "Pvm", `Pv${aligned}`, `Pvm${aligned}`].flatMap((form) => [`_Zdl${form}`, `_Zda${form}`]);
      expect(ours(symbols, "W")).toEqual([...deletes, "gomalloc_on_misuse"].sort());
      const emscripten = ["__errno_location", "emscripten_resize_heap"];
      const keys = ["pthread_key_create", "pthread_once", "pthread_self", "pthread_setspecific"];
      const main = ["_emscripten_thread_supports_atomics_wait", "emscripten_is_main_runtime_thread"];
      expect(ours(symbols, "U")).toEqual(
        [
          "__heap_base",
          "__indirect_function_table",
          ...(target === "wasm32-wasip1" ? ["errno"] : []),
          ...(sbrk.length > 0 ? emscripten : []),
          ...(sbrk.length > 0 && threads ? [...keys, ...main] : []),
        ].sort(),
      );
    },
  );

  it("the debug archives have statistics and checks besides", async () => {
    const single = await symbolsOf("wasm32-wasip1/libgomalloc-debug.a");
    for (const name of allNames(DEBUG_SYMBOLS)) expect(single.get(name), name).toBe("T");
    const threads = await symbolsOf("wasm32-wasip1-threads/libgomalloc-debug.a");
    for (const name of allNames(DEBUG_THREAD_SYMBOLS)) expect(threads.get(name), name).toBe("T");
    expect(threads.get("malloc_stats")).toBe("T");
  });

  it("can be merged again with -r, and read by objdump", async () => {
    const object = await lib("wasm32-wasip1/gomalloc.o");
    const again = await llvm(commands["wasm-ld"], ["-r", "a.o", "-o", "b.o"], { "a.o": object });
    const merged = again.made["b.o"] as Uint8Array;
    const headers = async (bytes: Uint8Array) => {
      const { text } = await llvm(commands["objdump"], ["-h", "x.o"], { "x.o": bytes });
      return [...text.matchAll(/^ *\d+ (\S+) /gm)].map(([, name]) => name);
    };
    expect(await headers(object)).toEqual(await headers(merged));
    expect(await headers(object)).toEqual(expect.arrayContaining(["CODE", "linking", "reloc.CODE"]));
  });
});

const NPM = ["--target=wasm32-wasip1", "-O2", "-fno-builtin", "-Wall", "-Wextra", "-Werror", `-I${NATIVE}`];

/** A program of test/native/programs by npm's clang, over an archive or an object of ours. */
async function build(project: Project, name: string, ...more: string[]): Promise<string> {
  const command = name.endsWith(".cpp") ? "clang++" : "clang";
  // npm's clang sees the files that the command line names.
  const files = more.some((arg) => arg.includes(LIB)) ? more : [...more, `${LIB}/wasm32-wasip1/libgomalloc.a`];
  expect(await clang([command, ...NPM, `${PROGRAMS}/${name}`, ...files, "-o", "a.wasm"], project.folder)).toBe("");
  return "a.wasm";
}

describe("programs over the archive, by npm's clang", () => {
  const WAYS = ["libgomalloc.a", "gomalloc.o", "libgomalloc-debug.a"].map((file) => `${LIB}/wasm32-wasip1/${file}`);

  it.each(WAYS)("%s has all of the family, and errno as libc sets it", async (file) => {
    const project = await Project.create();
    for (const name of ["family.c", "archive.c"]) {
      const ran = project.run(await build(project, name, file));
      expect(ran.stdout).toMatch(/^ok \d{3,}\n$/);
      expect(ran.status).toBe(0);
      const exported = WebAssembly.Module.exports(await project.module("a.wasm")).map(({ name }) => name);
      expect(exported.filter((name) => name !== "gomalloc_on_misuse")).toEqual(["memory", "_start"]);
    }
  });

  it("misuse calls the program's hook, or traps; the debug archive says what it was", async () => {
    const project = await Project.create();
    const hooked = await build(project, "misuse.c", "-DHOOK");
    for (const [what, kind] of Object.entries({ double: 1, foreign: 2, interior: 3, realloc: 1, size: 5 })) {
      expect(project.run(hooked, what).stdout, what).toBe(`kind ${kind}\nthe heap is whole\n`);
    }
    const bare = project.run(await build(project, "misuse.c"), "double");
    expect(bare.stderr).toMatch(/RuntimeError: unreachable[\s\S]*gomalloc_on_misuse/);
    const told = project.run(await build(project, "misuse.c", `${LIB}/wasm32-wasip1/libgomalloc-debug.a`), "double");
    expect(told.stderr).toContain("gomalloc: double free: the block is free already");
    expect(told.status).not.toBe(0);
  });

  it("the debug archive has statistics and checks", async () => {
    const project = await Project.create();
    const ran = project.run(await build(project, "stats.c", `${LIB}/wasm32-wasip1/libgomalloc-debug.a`));
    expect(ran.stdout).toContain("mallocs 1001 frees 500\n");
    expect(ran.stdout).toContain("validate 0\n");
  });

  it("a wrong size in C++ is found, and a program may replace the operators", async () => {
    const project = await Project.create();
    const flags = ["-std=c++20", "-fno-exceptions", "-Wno-delete-non-abstract-non-virtual-dtor"];
    const checked = `${LIB}/wasm32-wasip1/libgomalloc-debug.a`;
    expect(project.run(await build(project, "newdelete.cpp", ...flags, checked)).stdout).toMatch(/^ok \d{3,}\n$/);
    // What a program replaces is called by the forms that it leaves: delete[] by delete, those with a size by those without.
    await project.write(
      "own.cpp",
      `#include <cstdio>
#include <cstdlib>
#include <new>
static int deleted;
void *operator new(std::size_t n) { return static_cast<char *>(std::malloc(n + 16)) + 16; }
void operator delete(void *p) noexcept { deleted++; if (p) std::free(static_cast<char *>(p) - 16); }
struct S { int a[4]; ~S() {} };
int main() {
  S *volatile one = new S;
  delete one;
  S *volatile many = new S[3];
  delete[] many;
  std::printf("%d\\n", deleted);
}
`,
    );
    for (const archive of ["libgomalloc.a", "libgomalloc-debug.a"]) {
      const sources = ["own.cpp", `${LIB}/wasm32-wasip1/${archive}`, "-o", "own.wasm"];
      await clang(["clang++", "--target=wasm32-wasip1", "-O2", "-fno-exceptions", ...sources], project.folder);
      expect(project.run("own.wasm").stdout).toBe("2\n");
    }
  });
});

describeWith(CLANG, "what a linker makes of the archive, by Debian's clang", () => {
  const COMPILE = `clang-19 --target=wasm32-wasi -fno-builtin -I${NATIVE} ${PROGRAMS}`;
  const SEARCH = `-L${LIB}/wasm32-wasip1 -lgomalloc`;

  /** What the link map says came from which object. */
  async function objectsIn(project: Project): Promise<string[]> {
    const map = Buffer.from(await project.read("map.txt")).toString();
    return [...new Set([...map.matchAll(/(\S+\.o\)?):\(/g)].map(([, object]) => object!))];
  }

  it.each([
    ["-O2"],
    ["-O0"],
    ["-O2 -flto"],
    ["-Os -Wl,--no-gc-sections"],
    ["-O2 -Wl,--stack-first"],
    ["-O2 -Wl,--strip-all"],
    ["-O2 -Wl,--lto-O3 -flto -Wl,--stack-first -Wl,-z,stack-size=1048576"],
  ])("with %s no other allocator is in the program", async (flags) => {
    const project = await Project.create();
    for (const name of ["family", "archive"]) {
      await project.command(`${COMPILE}/${name}.c ${flags} ${SEARCH} -Wl,-Map=map.txt -o a.wasm`);
      const ran = project.run("a.wasm");
      expect(ran.stdout).toMatch(/^ok \d{3,}\n$/);
      const objects = await objectsIn(project);
      expect(objects.filter((object) => object.includes("gomalloc.o"))).toHaveLength(1);
      expect(objects.filter((object) => OTHERS.test(object))).toEqual([]);
      expect(hasName(await project.module("a.wasm"), "dlmalloc")).toBe(false);
    }
  });

  it("behind libc it comes too late; the object is then the linker's error, which names both", async () => {
    const project = await Project.create();
    const program = "node_modules/gomalloc/native/examples/c/words.c";
    const link = (how: string) =>
      project.spawn(`clang-19 --target=wasm32-wasi -O1 -g ${program} ${how} -Wl,-Map=map.txt -o a.wasm`);
    expect(link(`-lc ${SEARCH}`).status).toBe(0);
    expect((await objectsIn(project)).filter((object) => object.includes("dlmalloc"))).toHaveLength(1);
    const twice = link(`-lc ${LIB}/wasm32-wasip1/gomalloc.o`);
    expect(twice.status).not.toBe(0);
    expect(twice.stderr).toMatch(/duplicate symbol: malloc[\s\S]*libc\.a\(dlmalloc\.o\)[\s\S]*gomalloc\.o/);
    expect(link(`${LIB}/wasm32-wasip1/gomalloc.o -lc`).status).toBe(0);
    expect((await objectsIn(project)).filter((object) => object.includes("malloc"))).toEqual([
      `${LIB}/wasm32-wasip1/gomalloc.o`,
    ]);
  });

  it("two allocators are the linker's error, which names both", async () => {
    const project = await Project.create();
    await project.write("other.c", "#include <stdlib.h>\nvoid *malloc(size_t n) { (void)n; return 0; }\n");
    const line = `clang-19 --target=wasm32-wasi other.c ${NATIVE}/examples/c/words.c`;
    const ran = project.spawn(`${line} ${LIB}/wasm32-wasip1/gomalloc.o -o a.wasm`);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/duplicate symbol: malloc[\s\S]*other[\s\S]*gomalloc\.o/);
  });

  it("what a program without a libc lacks is the linker's error", async () => {
    const project = await Project.create();
    await project.write(
      "bare.c",
      "void *malloc(__SIZE_TYPE__);\nvoid free(void *);\nvoid run(void) { free(malloc(8)); }\n",
    );
    const line = "clang-19 --target=wasm32 -nostdlib -Wl,--no-entry,--export=run bare.c";
    expect(project.spawn(`${line} ${LIB}/wasm32-wasip1/libgomalloc.a -o a.wasm`).stderr).toContain(
      "undefined symbol: errno",
    );
    const shared = "-matomics -mbulk-memory -Wl,--shared-memory,--import-memory,--max-memory=1048576";
    const ran = project.spawn(`${line} ${shared} ${LIB}/wasm32-wasip1-threads/libgomalloc.a -o a.wasm`);
    expect(ran.stderr).toContain("undefined symbol: pthread_key_create");

    await project.command(`${line} ${LIB}/wasm32-unknown-unknown/libgomalloc.a -o a.wasm`);
    const { exports } = new WebAssembly.Instance(await project.module("a.wasm"));
    expect(Object.keys(exports).sort()).toEqual(["memory", "run"]);
    for (let i = 0; i < 1000; i++) (exports["run"] as () => void)();
  });

  it("an object for threads is the linker's error in a program without", async () => {
    const project = await Project.create();
    const threads = `${LIB}/wasm32-wasip1-threads`;
    const line = `clang-19 --target=wasm32-wasi ${NATIVE}/examples/c/words.c -Wl,--shared-memory,--max-memory=1048576`;
    const ran = project.spawn(`${line} ${LIB}/wasm32-wasip1/gomalloc.o -o a.wasm`);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/--shared-memory is disallowed by \S+ because it was not compiled with 'atomics'/);
    const other = project.spawn(
      `clang-19 --target=wasm64-wasi -nostdlib -Wl,--no-entry ${threads}/gomalloc.o ${threads}/errno.o -o b.wasm`,
    );
    expect(other.status).not.toBe(0);
    expect(other.stderr).toMatch(/wasm32 object file can't be linked in wasm64 mode/);
  });
});

describeWith(EMCC, "emscripten", () => {
  const run = async (project: Project, glue: string) => {
    // emcc 3.1 takes a Node that has fetch for a browser.
    await project.write("run.cjs", `delete globalThis.fetch; require(require("node:path").resolve("${glue}"));\n`);
    return project.spawn("timeout 120 node run.cjs");
  };

  it("-sMALLOC=none and the archive, at -O3: grows through its JavaScript, and sbrk works beside", async () => {
    const project = await Project.create();
    await project.write(
      "grow.c",
      `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <emscripten.h>
int main(void) {
  size_t before = (size_t)sbrk(0);
  for (int i = 0; i < 10; i++) sbrk(0);
  printf("grown by asking: %d\\n", (size_t)sbrk(0) != before);
  char *own = sbrk(100000);
  memset(own, 7, 100000);
  char *p = malloc(40 << 20);
  memset(p, 5, 40 << 20);
  /* The glue's views are renewed: JavaScript reads what C wrote behind the first 16 MiB. */
  int seen = EM_ASM_INT({ return HEAPU8[$0 + (39 << 20)]; }, p);
  char *more = sbrk(1);
  *more = 9;
  int whole = 1;
  for (int i = 0; i < 100000; i++) whole &= own[i] == 7;
  for (int i = 0; i < 40 << 20; i++) whole &= p[i] == 5;
  free(p);
  printf("seen %d whole %d\\n", seen, whole);
  return 0;
}
`,
    );
    const archive = `${LIB}/wasm32-emscripten/libgomalloc.a`;
    await project.write(
      "still.c",
      `#include <stdio.h>
#include <unistd.h>
int main(void) { for (int i = 0; i < 10; i++) sbrk(0); printf("%d\\n", sbrk(65536) != (void *)-1); return 0; }\n`,
    );
    await project.command(`emcc -O2 still.c ${archive} -sMALLOC=none -o still.js`);
    expect((await run(project, "still.js")).stdout).toBe("1\n");
    await project.command(`emcc -O3 grow.c ${archive} -sMALLOC=none -sALLOW_MEMORY_GROWTH -o grow.js`);
    expect((await run(project, "grow.js")).stdout).toBe("grown by asking: 0\nseen 5 whole 1\n");

    await project.command(
      `emcc -O2 --profiling-funcs -I${NATIVE} ${PROGRAMS}/family.c -fno-builtin ${archive} -sMALLOC=none ` +
        "-sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=256MB -sABORTING_MALLOC=0 -o family.js",
    );
    expect((await run(project, "family.js")).stdout).toMatch(/^ok \d{3}\n$/);
    const module = await project.module("family.wasm");
    expect(hasName(module, "gomalloc/alloc/malloc/mallocSlow")).toBe(true);
    for (const name of ["dlmalloc", "emmalloc", "try_realloc_chunk"]) expect(hasName(module, name), name).toBe(false);
  });

  it("pthreads: a thread that ends leaves its P to the next, without a link", async () => {
    const project = await Project.create();
    await project.write(
      "threads.c",
      `#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gomalloc.h"
/* Before emscripten knows of threads. */
static char *early;
__attribute__((constructor(0))) static void first(void) { early = malloc(10); }
static void *work(void *arg) {
  gomalloc_sync();
  for (int i = 0; i < 1000; i++) { char *p = malloc(i * 7 + 1); memset(p, 1, i * 7 + 1); free(p); }
  return strdup(arg);
}
int main(void) {
  free(early);
  for (int round = 0; round < 20; round++) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, "made by a thread");
    for (int i = 0; i < 4; i++) { void *p; pthread_join(threads[i], &p); free(p); }
  }
  /* Emscripten's thread that is joined may still be at work. */
  unsigned broken = 0;
  for (int i = 0; i < 10000 && (broken = gomalloc_validate()) != 0; i++) usleep(1000);
  printf("Ps %u, validate %u\\n", (unsigned)gomalloc_num_ps(), broken);
  return 0;
}
`,
    );
    const archive = `${LIB}/wasm32-emscripten-threads/libgomalloc-debug.a`;
    await project.command(
      `emcc -O2 -pthread -sPROXY_TO_PTHREAD -sEXIT_RUNTIME -sINITIAL_MEMORY=64MB -I${NATIVE} threads.c ${archive} ` +
        "-sMALLOC=none -o threads.js",
    );
    const ran = await run(project, "threads.js");
    const [, ps, broken] = /^Ps (\d+), validate (\d+)\n$/.exec(ran.stdout)!;
    // Main and four; and one for each of these that ends while the next begins.
    expect(Number(ps)).toBeLessThanOrEqual(10);
    expect(broken).toBe("0");
  });
});
