/** gomalloc profile: the table, the picture, the snapshot, the peak, and lines through a swap. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSnapshot } from "../../src/snapshot/index.ts";
import { ROOT } from "../support/installed.ts";
import { clang } from "../tools/support/programs.ts";

const LINES = [
  "#include <stdlib.h>",
  "static void **list;",
  "__attribute__((noinline)) void *my_alloc(size_t n) { return malloc(n); }",
  "__attribute__((noinline)) void *make(int i) {",
  "  return my_alloc(100 + i % 3);",
  "}",
  "int main(int argc, char **argv) {",
  "  list = malloc(10000 * sizeof *list);",
  "  for (int i = 0; i < 10000; i++) list[i] = make(i);",
  "  if (argc > 1) for (int i = 0; i < 10000; i++) free(list[i]);",
  "  return 0;",
  "}",
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gomalloc-profile-"));
  await writeFile(join(folder, "a.wasm"), await clang({ "a.c": LINES.join("\n") }, ["-O1", "-g"]));
});
afterAll(() => rm(folder, { recursive: true }));

function gomalloc(...args: string[]) {
  const cli = join(ROOT, "dist", "cli", "main.js");
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, ...args], { cwd: folder, encoding: "utf8" });
  return { stdout, stderr, status };
}

/** The first function of the table, with its place. */
const first = (text: string) => /cum%\n +\S+ +\S+ +\S+ +\S+ +\S+ {2}(.*)/.exec(text)![1];

describe("a program with its own malloc", () => {
  it("has names and lines: swap carries a map of its DWARF", async () => {
    const { stdout, stderr, status } = gomalloc("profile", "--rate", "1", "a.wasm");
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(first(stdout)).toMatch(/^my_alloc .*a\.c:3$/);
    expect(stdout).toMatch(/\n.* make .*a\.c:5\n/);
    expect(stdout).toMatch(/\n.* main .*a\.c:9\n|\n.* __original_main .*a\.c:9\n|\n.* __main_argc_argv .*a\.c:9\n/);
  });

  it("--allocator has stacks begin further out, --svg and --snapshot write files", async () => {
    const files = ["--svg", "a.svg", "--snapshot", "a.json"];
    const { stdout, status } = gomalloc("profile", "--rate", "1", "--allocator", "my_.*", ...files, "a.wasm");
    expect(status).toBe(0);
    expect(first(stdout)).toMatch(/^make .*a\.c:5$/);
    const svg = await readFile(join(folder, "a.svg"), "utf8");
    expect(svg).toMatch(/<title>make: [\d.]+MB, \d/);
    expect(svg).not.toContain("my_alloc");
    const snapshot = parseSnapshot(JSON.parse(await readFile(join(folder, "a.json"), "utf8")));
    expect(snapshot.label).toBe("a.wasm");
    expect(snapshot.samples!.filter(({ stack }) => stack?.[0]?.startsWith("make ")).length).toBe(10_000);
    const drawn = gomalloc("map", "a.json", "--svg", "map.svg");
    expect(drawn).toEqual({ stdout: "", stderr: "", status: 0 });
    expect(await readFile(join(folder, "map.svg"), "utf8")).toMatch(/a\.wasm<\/text>/);
  });

  it("--peak shows what was freed later", () => {
    const inUse = (...options: string[]) => {
      const { stdout } = gomalloc("profile", "--rate", "1", "--json", ...options, "a.wasm", "--", "free");
      return (JSON.parse(stdout) as { inuseObjects: number }).inuseObjects;
    };
    expect(inUse()).toBeLessThan(10);
    expect(inUse("--peak")).toBeGreaterThan(5000);
  });

  it("once swapped, is named by the map beside it", () => {
    expect(gomalloc("swap", "--profile", "-O0", "-q", "a.wasm", "-o", "b.wasm").status).toBe(0);
    const { stdout, stderr } = gomalloc("profile", "--rate", "1", "b.wasm");
    expect(stderr).toBe("");
    expect(first(stdout)).toMatch(/^my_alloc .*a\.c:3$/);
  });
});

describe("damage that no call finds", () => {
  const program = (body: string) =>
    "#include <stdlib.h>\nstatic volatile char *p;\nint main(int argc, char **argv) {\n  p = malloc(100);\n" +
    `  ${body}\n  if (argc > 9) free((void *)p);\n  return 0;\n}`;

  it.each([
    ["overflow", "p[100] = 1;"],
    ["underflow", "p[-1] = 1;"],
    ["write-after-free", "free((void *)p); p[5] = 1;"],
  ])("%s is told at the program's end, and fails the run", async (kind, body) => {
    await writeFile(join(folder, "d.wasm"), await clang({ "d.c": program(body) }, ["-O1", "-g"]));
    const { stderr, status, stdout } = gomalloc("profile", "--guard-all", "--json", "d.wasm");
    expect(stderr).toMatch(new RegExp(`^gomalloc: ${kind} of 0x[0-9a-f]+, 100 bytes: `));
    expect(stderr).toMatch(/\n {2}allocated \d+ ms ago by\n {4}\S+ .*d\.c:4\n/);
    expect(JSON.parse(stdout)).toMatchObject({ exitCode: 0, reports: [{ kind, size: 100 }] });
    expect(status).toBe(1);
  });

  it("is none in a program that writes where it may", async () => {
    await writeFile(join(folder, "d.wasm"), await clang({ "d.c": program("p[99] = 1; free((void *)p);") }, ["-O1"]));
    const { stderr, status } = gomalloc("profile", "--guard-all", "-q", "d.wasm");
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });
});

describe("a program that allocates little", () => {
  it("is told of a smaller rate when nothing was sampled, and one stack is a stack", async () => {
    const source =
      "#include <stdlib.h>\nvoid *volatile p, *volatile q;\nint main(void) {\n  p = malloc(8);\n" +
      "  if (q) free(q);\n  return 0;\n}";
    await writeFile(join(folder, "l.wasm"), await clang({ "l.c": source }, ["-O1", "-g"]));
    const none = gomalloc("profile", "--rate", "1879048192", "l.wasm").stdout;
    expect(none).toMatch(/\nnothing was sampled: .*--rate 1 is every block\nheap\.pb\.gz: 0 stacks; /);
    const one = gomalloc("profile", "--rate", "1", "l.wasm").stdout;
    expect(one).toMatch(/\nheap\.pb\.gz: 1 stack; /);
    expect(one).not.toContain("nothing was sampled");
  });
});

describe("it refuses", () => {
  it("a program without names by advice that it can follow: it has no --family", async () => {
    await writeFile(join(folder, "n.wasm"), await clang({ "a.c": LINES.join("\n") }, ["-O1", "-s"]));
    const swapped = gomalloc("swap", "n.wasm", "-o", "m.wasm");
    if (swapped.status === 0) return; // found by what the code does
    const { stderr, status } = gomalloc("profile", "n.wasm");
    expect(status).toBe(1);
    expect(stderr).toContain("compile with -O2 -c and link without -O");
    expect(stderr).not.toContain("option family");
  });

  it.each([
    [["--allocator", "("], "--allocator ( is no regular expression\n"],
    [["--svg", "-"], "--svg - would go where the program writes\n"],
    [["--snapshot", "-"], "--snapshot - would go where the program writes\n"],
    [["--rate", "0"], "--rate 0 is no number from 1 to 1879048192\n  Give a whole number, decimal."],
    [["--top", "many"], "--top many is no number from 1 to 1000000\n"],
  ])("%j", (args, said) => {
    const { stderr, status } = gomalloc("profile", ...args, "a.wasm");
    expect(stderr).toContain(`gomalloc: ${said}`);
    expect(status).toBe(2);
  });
});
