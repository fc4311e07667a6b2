/**
 * link of programs that were linked with libgomalloc.a: the functions are found by names and without, and inlined; the
 * program does what it did.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FINGERPRINTED } from "../../src/tools/archived.ts";
import { formatReport, link } from "../../src/tools/index.ts";
import { IGNORE, walk } from "../../src/wasm/instructions.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { clang } from "../native/support/clang.ts";
import { Project, ROOT } from "../native/support/project.ts";

const ARCHIVE = "node_modules/gomalloc/lib/wasm32-wasip1/libgomalloc.a";
const PROGRAM = `#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((export_name("fill"))) unsigned fill(unsigned n) {
  unsigned sum = 0;
  for (unsigned i = 1; i < n; i++) {
    unsigned char *p = malloc(i % 900 + 1);
    memset(p, (int)i, i % 900 + 1);
    sum += p[i % 7 % (i % 900 + 1)];
    free(p);
  }
  return sum;
}
static volatile size_t huge = 0xfffff000u;
int main(void) {
  errno = 0;
  void *none = malloc(huge);
  printf("%u %d %d\\n", fill(5000), none == NULL, errno == ENOMEM);
  return 0;
}
`;

/** Compiles the program over the archive, with more flags for the linker. */
async function build(project: Project, ...flags: string[]): Promise<Uint8Array<ArrayBuffer>> {
  await project.write("program.c", PROGRAM);
  const args = ["clang", "--target=wasm32-wasip1", "-O2", "-fno-builtin", ...flags, "program.c", ARCHIVE];
  await clang([...args, "-o", "program.wasm"], project.folder);
  return project.read("program.wasm");
}

/** Calls in the function named fill, by the names of the callees. */
function callsInFill(module: Uint8Array): string[] {
  const info = inspect(module);
  const index = [...info.functionNames].find(([, name]) => name === "fill")![0];
  const { start, end } = info.bodies[index - info.importedFunctions]!;
  const calls: string[] = [];
  const call = (callee: number) => void calls.push(info.functionNames.get(callee) ?? "");
  walk(module, start, end, info, { ...IGNORE, call });
  return calls.filter((name) => name !== "memset");
}

async function runs(project: Project, wasm: Uint8Array): Promise<string> {
  await project.write("out.wasm", Buffer.from(wasm) as never);
  return project.run("out.wasm").stdout;
}

describe("a program over libgomalloc.a", () => {
  it("has malloc and free inlined, and reports what was found", async () => {
    const project = await Project.create();
    const program = await build(project);
    expect(callsInFill(program)).toEqual(["malloc", "free"]);
    const { wasm, report } = await link(program);
    expect(callsInFill(wasm).filter((name) => ["malloc", "free"].includes(name))).toEqual([]);
    expect(callsInFill(wasm)).toContain("gomalloc/alloc/malloc/mallocOrErrno");
    expect(await runs(project, wasm)).toMatch(/^\d+ 1 1\n$/);
    expect(await runs(project, program)).toBe(await runs(project, wasm));
    expect(report.flavour).toBe("archive");
    expect(report.bound.map(({ name }) => name)).toEqual(expect.arrayContaining(["malloc", "free"]));
    expect(new Set(report.bound.map(({ module }) => module))).toEqual(new Set(["libgomalloc.a"]));
    expect(formatReport(report)).toContain("heap base   as the linker said\n");
  });

  it.each([["-Wl,--strip-all"], ["-Wl,--strip-all,--compress-relocations,-O2"]])(
    "is found without names, with %s",
    async (flag) => {
      const project = await Project.create();
      const named = await link(await build(project));
      const { wasm, report } = await link(await build(project, flag));
      expect(report.names).toBe("none");
      const found = report.bound.map(({ name }) => name);
      expect(found.sort()).toEqual(FINGERPRINTED.filter((name) => found.includes(name)).sort());
      expect(found).toEqual(expect.arrayContaining(["malloc", "free"]));
      expect(await runs(project, wasm)).toBe(await runs(project, named.wasm));
      // The same was inlined: the code is as long, but for the order of things.
      const code = (module: Uint8Array) => {
        const { bodies } = inspect(module);
        return bodies.reduce((sum, { start, end }) => sum + end - start, 0);
      };
      expect(Math.abs(code(wasm) - code(named.wasm))).toBeLessThan(200);
    },
  );

  it("-O0 and --no-inline leave the calls", async () => {
    const project = await Project.create();
    const program = await build(project);
    for (const options of [{ optimize: "O0" }, { inline: false, optimize: "O1" }] as const) {
      const { wasm, report } = await link(program, options);
      expect(report.inline).toBe(false);
      expect(callsInFill(wasm)).toEqual(expect.arrayContaining(["malloc", "free"]));
    }
  });

  it("refuses what is about a merge, and a second heap", async () => {
    const project = await Project.create();
    const program = await build(project);
    for (const options of [{ heapBase: 1 << 20 }, { flavour: "host" }, { exportFamily: true }] as const) {
      await expect(link(program, options)).rejects.toMatchObject({
        code: "option",
        message: expect.stringContaining("linked with libgomalloc.a"),
      });
    }
    await project.write(
      "both.c",
      '#include <stdio.h>\n#include <stdlib.h>\n#include "gomalloc.h"\nint main(void) { printf("%p %p", malloc(9), gomalloc_memstats()); return 0; }\n',
    );
    const include = "-Inode_modules/gomalloc/native";
    await clang(
      ["clang", "--target=wasm32-wasip1", "-O2", include, "both.c", ARCHIVE, "-o", "both.wasm"],
      project.folder,
    );
    await expect(link(await project.read("both.wasm"))).rejects.toMatchObject({
      code: "unknown-import",
      message: "the program was linked with libgomalloc.a, and imports gomalloc.memstats besides",
      fix: expect.stringContaining("libgomalloc-debug.a"),
    });
  });

  it("tells a program whose code was optimised since, and one that was linked before", async () => {
    const project = await Project.create();
    const program = await build(project, "-Wl,--strip-debug");
    const options = { names: false } as const;
    const once = await link(program, options);
    await expect(link(once.wasm)).rejects.toMatchObject({
      code: "inlined-allocator",
      message: expect.stringContaining("its code was optimised since"),
      fix: expect.stringContaining("link without -O"),
    });
    const named = await link(await build(project));
    await expect(link(named.wasm)).rejects.toMatchObject({
      code: "no-import",
      message: expect.stringContaining("already"),
    });
  });

  it("reports the program's misuse hook, which the archive's is not", async () => {
    const project = await Project.create();
    expect((await link(await build(project))).report.misuse).toBe("trap");
    const hook = 'void gomalloc_on_misuse(int kind, void *p) { fprintf(stderr, "%d %p", kind, p); }\n';
    await project.write("program.c", PROGRAM + hook);
    const args = ["clang", "--target=wasm32-wasip1", "-O2", "-fno-builtin", "program.c", ARCHIVE, "-o", "program.wasm"];
    await clang(args, project.folder);
    expect((await link(await project.read("program.wasm"))).report.misuse).toBe("hook");
  });

  it("leaves waits alone in a function at -Os too: inlined, Node 20's baseline compiler breaks them", async () => {
    const project = await Project.create();
    await project.write(
      "wait.c",
      `void *malloc(__SIZE_TYPE__);
void free(void *);
int take(int *word, long long ns) {
  int *copy = malloc(64);
  int got = __builtin_wasm_memory_atomic_wait32(word + 4, *copy, ns);
  free(copy);
  return got;
}
`,
    );
    const linker = "-Wl,--no-entry,--export=take,--shared-memory,--import-memory,--max-memory=1048576";
    const args = [
      "clang",
      "--target=wasm32",
      "-O2",
      "-fno-builtin",
      "-matomics",
      "-mbulk-memory",
      "-nostdlib",
      linker,
      "wait.c",
    ];
    const threads = "node_modules/gomalloc/lib/wasm32-unknown-unknown-threads/libgomalloc.a";
    await clang([...args, threads, "-o", "wait.wasm"], project.folder);
    for (const optimize of ["O1", "Os", "O3"] as const) {
      const { wasm, report } = await link(await project.read("wait.wasm"), { optimize });
      expect(report.compares).toBeGreaterThan(0);
      const info = inspect(wasm);
      const { index } = info.exports.find(({ name }) => name === "take")!;
      const { start, end } = info.bodies[index - info.importedFunctions]!;
      const atomics: number[] = [];
      const checkedAccess = ({ op, atomic }: { op: number; atomic: boolean }) => void (atomic && atomics.push(op));
      walk(wasm, start, end, info, { ...IGNORE, checkedAccess });
      const WAIT32 = 1;
      expect(atomics, optimize).not.toContain(WAIT32);
    }
  });

  it("gives an archive or an object to the linker, not to link", async () => {
    for (const [file, code] of [
      ["libgomalloc.a", "not-wasm"],
      ["gomalloc.o", "object-file"],
    ] as const) {
      const bytes = new Uint8Array(await readFile(join(ROOT, "lib", "wasm32-wasip1", file)));
      await expect(link(bytes)).rejects.toMatchObject({
        code,
        fix: expect.stringMatching(/Link the program|Run the linker/),
      });
    }
  });
});
