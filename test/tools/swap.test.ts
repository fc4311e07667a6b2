/**
 * gomalloc swap on programs made here: C with wasi-libc's dlmalloc, with names and without, and programs with each of
 * the faults for which it must refuse.
 */
import { describe, expect, it } from "vitest";
import { runBinaryen } from "../../src/tools/binaryen.ts";
import { link } from "../../src/tools/link.ts";
import { formatSwapReport, swap } from "../../src/tools/swap/swap.ts";
import { addCustomSection, removeExports } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { refusal } from "./support/programs.ts";
import {
  compileWork,
  expectSameWork,
  freeList,
  freeListProgram,
  inlineAll,
  startWork,
} from "./support/swap/fixtures.ts";

const EXPORT_PAIR = ["-Wl,--export=malloc", "-Wl,--export=free"];

describe("C with wasi-libc", () => {
  it("finds the family by its names", async () => {
    const program = await compileWork(...EXPORT_PAIR);
    const { wasm, report } = await swap(program);
    const roles = new Set(report.members.map(({ role }) => role));
    const all = ["malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign", "malloc_usable_size"];
    expect([...roles].sort()).toEqual(all.sort());
    expect(report.members.filter(({ by }) => by === "behaviour")).toEqual([]);
    expect(report).toMatchObject({ kind: "dlmalloc", heapBaseFrom: "constant", checked: "yes" });
    expectSameWork(program, wasm);
    expect(inspect(wasm).named).toBe(true);

    const text = formatSwapReport(report);
    expect(text).toContain("allocator   dlmalloc\n");
    expect(text).toMatch(/by name posix_memalign\n/);
    expect(text).toContain("misuse      traps\n");
    expect(text).toContain(`${program.length} bytes -> ${wasm.length}`);

    for (const [tool, code] of [
      [swap, "no-allocator"],
      [link, "no-import"],
    ] as const) {
      const error = await refusal(() => tool(wasm), code);
      expect(error.message).toContain("gomalloc is in the module already");
    }
  });

  it("finds what only malloc and free lead to, and the heap's base, without names", async () => {
    const program = await compileWork(...EXPORT_PAIR, "-Wl,--strip-all");
    const { wasm, report } = await swap(program);
    const found = report.members.filter(({ by }) => by === "behaviour").map(({ role }) => role);
    expect(found).toEqual(expect.arrayContaining(["calloc", "realloc", "memalign", "malloc_usable_size"]));
    expect(report).toMatchObject({ kind: "dlmalloc", heapBaseFrom: "constant", checked: "yes" });
    expectSameWork(program, wasm);

    // its exports are gomalloc's: neighbours without headers, misuse found
    const { malloc, free } = startWork(wasm);
    const blocks = Array.from({ length: 8 }, () => malloc!(48));
    expect(new Set(blocks.slice(1).map((block, i) => block - blocks[i]!))).toEqual(new Set([64]));
    free!(blocks[3]!);
    expect(() => free!(blocks[3]!)).toThrow(WebAssembly.RuntimeError);
  });

  it("finds malloc and free themselves by what they do, without names and exports", async () => {
    const program = await compileWork("-Wl,--strip-all");
    const { wasm, report } = await swap(program);
    expect(new Set(report.members.map(({ by }) => by))).toEqual(new Set(["behaviour"]));
    expectSameWork(program, wasm);
  });

  it("refuses an allocator that is inlined into its callers, named or not", async () => {
    const inlined = await inlineAll(await compileWork(...EXPORT_PAIR));
    const error = await refusal(() => swap(inlined), "inlined-allocator");
    expect(error.message).toMatch(/work \(function \d+\) uses \d+ words of its state/);
    const nameless = await inlineAll(await compileWork("-Wl,--strip-all"));
    const unnamed = await refusal(() => swap(nameless), "no-allocator");
    for (const remedy of ["-C strip=none", "native/rust"]) expect(unnamed.fix).toContain(remedy);
  });

  it("refuses a program that calls sbrk", async () => {
    const error = await refusal(async () => swap(await compileWork("-DWITH_SBRK")), "sbrk");
    expect(error.message).toContain("sbrk");
    expect(error.message).toContain("take");
  });
});

describe("an allocator of another kind", () => {
  it("is replaced when its members are named", async () => {
    const program = freeListProgram();
    const { wasm, report } = await swap(program);
    expect(report).toMatchObject({ kind: "unknown", heapBase: 1088, heapBaseFrom: "break", checked: "yes" });
    expect(report.members.map(({ role, by }) => `${role} by ${by}`)).toEqual(["malloc by export", "free by export"]);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
    const { malloc, fill } = exports as { malloc(size: number): number; fill(size: number): number };
    expect(fill(300_000)).toBe(7);
    expect([malloc(64) % 16, malloc(5000) % 16]).toEqual([0, 0]);
  });

  it("is found under the names that the caller gives", async () => {
    const program = freeListProgram({ malloc: "take", free: "give" });
    await refusal(() => swap(program), "no-allocator");
    const { report } = await swap(program, { family: { malloc: "take", free: "give" } });
    expect(report.members.map(({ role, by }) => `${role} by ${by}`)).toEqual(["malloc by option", "free by option"]);
    await refusal(() => swap(program, { family: { malloc: "fill", free: "take" } }), "option");
    await refusal(() => swap(program, { family: { malloc: "nobody" } }), "option");
    await refusal(() => swap(program, { family: { alloc: "take" } as object }), "option");
  });

  it("is refused when a function that uses its state is not known", async () => {
    const rest = `(func (export "available") (result i32) (local $sum i32) (local $block i32)
      (local.set $block (i32.load (i32.const 1028)))
      (loop $next
        (if (local.get $block) (then
          (local.set $sum (i32.add (local.get $sum) (i32.load (i32.sub (local.get $block) (i32.const 4)))))
          (local.set $block (i32.load (local.get $block)))
          (br $next))))
      (local.get $sum))`;
    const error = await refusal(() => swap(freeListProgram({ rest })), "incomplete-family");
    expect(error.message).toContain("available");
  });

  it("is refused when a function that reads below blocks is not known", async () => {
    const rest = `(func (export "room") (param $block i32) (result i32)
      (i32.mul (i32.load (i32.sub (local.get $block) (i32.const 4))) (i32.const 3)))`;
    const error = await refusal(() => swap(freeListProgram({ rest })), "incomplete-family");
    expect(error.message).toMatch(/room .* reads chunk headers/);
  });

  it("takes the function that gives a block's size for malloc_usable_size", async () => {
    const rest = `(func (export "room") (param $block i32) (result i32)
      (i32.load (i32.sub (local.get $block) (i32.const 4))))`;
    const { wasm, report } = await swap(freeListProgram({ rest }));
    expect(report.members.at(-1)).toMatchObject({ role: "malloc_usable_size", by: "behaviour", exports: ["room"] });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
    const { malloc, room } = exports as { malloc(size: number): number; room(block: number): number };
    expect(room(malloc(100))).toBeGreaterThanOrEqual(100);
    expect(room(malloc(5000))).toBe(8192);
  });

  it("is refused when something else takes memory", async () => {
    const rest = `(func (export "more") (result i32) (memory.grow (i32.const 1)))`;
    const error = await refusal(() => swap(freeListProgram({ rest })), "sbrk");
    expect(error.message).toContain("more");
  });

  it("is refused when it is one of two", async () => {
    const rest = freeList({ malloc: "dlmalloc", free: "dlfree", at: 4096 });
    const error = await refusal(() => swap(freeListProgram({ rest })), "unsure");
    expect(error.message).toMatch(/two allocators: .*malloc/);
  });

  it("is refused when blocks are in use before the program starts", async () => {
    const error = await refusal(() => swap(freeListProgram({ head: 2048 })), "unsure");
    expect(error.message).toContain("not empty when the program starts");
  });

  it("is called emmalloc when its lists stand in static data", async () => {
    const names = { malloc: "emmalloc_malloc", free: "emmalloc_free" };
    const error = await refusal(() => swap(freeListProgram({ ...names, head: 1028 }, true)), "unsure");
    expect(error.message).toContain("the allocator is emmalloc");
    expect(error.fix).toContain("native/zig/gomalloc.zig");
  });

  it("is not touched by dead code", async () => {
    const rest = "(func $dead (result i32) (i32.load (i32.const 1028)))";
    const { report } = await swap(freeListProgram({ rest }));
    expect(report.members).toHaveLength(2);
  });
});

it("writes imports as every engine reads them, though the program's features allow compact ones", async () => {
  const args = ["in.wasm", "-o", "out.wasm", "-g", "--all-features", "--emit-target-features"];
  const files = { "in.wasm": freeListProgram() };
  const program = (await runBinaryen("wasm-opt", args, files, ["out.wasm"]))["out.wasm"];
  expect(inspect(program).targetFeatures).toContain("compact-imports");
  const { wasm, report } = await swap(program);
  expect(report.members).toHaveLength(2);
  expect(inspect(wasm).imports.filter(({ module }) => module === "gomalloc")).toEqual([]);
});

describe("modules without an allocator to swap", () => {
  const text = (fields: string) => freeListProgram({ rest: fields, malloc: "take", free: "give" });

  it("says that an imported malloc is for link", async () => {
    const { assemble } = await import("./support/programs.ts");
    const program = assemble(`(module (import "env" "malloc" (func $malloc (param i32) (result i32)))
      (memory (export "memory") 1) (func (export "run") (result i32) (call $malloc (i32.const 8))))`);
    const error = await refusal(() => swap(program), "no-allocator");
    expect(error.fix).toContain("gomalloc link");
  });

  it("refuses no names and no exports", async () => {
    const program = removeExports(text(""), ({ name }) => name === "take" || name === "give").bytes;
    const error = await refusal(() => swap(program), "no-allocator");
    for (const remedy of ["--profiling-funcs", "-C strip=none"]) expect(error.fix).toContain(remedy);
  });

  it("refuses main modules of dynamic linking, sanitizers and SAFE_HEAP", async () => {
    await refusal(() => swap(addCustomSection(freeListProgram(), "dylink.0", new Uint8Array()).bytes), "side-module");
    const { assemble } = await import("./support/programs.ts");
    for (const name of ["_emscripten_sanitizer_get_option", "segfault"]) {
      const program = assemble(`(module (import "env" "${name}" (func $import)) (memory (export "memory") 2)
        ${freeList()} (func (export "run") (call $import)))`);
      const error = await refusal(() => swap(program), "unsure");
      expect(error.message).toContain(name);
    }
  });

  it("refuses what is no module", async () => {
    await refusal(() => swap(new Uint8Array([1, 2, 3, 4])), "not-wasm");
    await refusal(() => swap(freeListProgram().subarray(0, 60)), "truncated");
  });
});
