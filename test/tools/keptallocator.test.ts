/** Programs that have kept an allocator of their own beside gomalloc, which takes the memory from __heap_base on. */
import { expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { assemble, familyOf, HEAP_BASE, instantiate, programText, refusal } from "./support/programs.ts";

const END = 2 * 65536;
const FAMILY = ["malloc", "free"] as const;

/** Gives blocks from `next` on up to `end`, then from pages that it grows. */
const own = (name: string, next: string, end: string) => `
  (global $next (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  (func $${name} (export "own") (param $size i32) (result i32) (local $p i32)
    (if (i32.eqz (global.get $end)) (then (global.set $next ${next}) (global.set $end ${end})))
    (if (i32.gt_u (i32.add (global.get $next) (local.get $size)) (global.get $end)) (then
      (global.set $next (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
      (global.set $end (i32.add (global.get $next) (i32.const 65536)))))
    (local.set $p (global.get $next))
    (global.set $next (i32.add (local.get $p) (local.get $size)))
    (local.get $p))`;
const BASE = `(i32.const ${HEAP_BASE})`;

function program(rest: string, names: boolean, imports = ""): Uint8Array<ArrayBuffer> {
  return assemble(programText({ family: [...FAMILY], rest, imports }), names);
}

/** Blocks of both, by turns, each filled; all must keep what is theirs. */
function shareMemory(wasm: Uint8Array<ArrayBuffer>): void {
  const { exports } = instantiate(wasm);
  const { malloc } = familyOf(exports);
  const own = exports["own"] as (size: number) => number;
  const memory = exports["memory"] as WebAssembly.Memory;
  const blocks: number[] = [];
  for (let i = 0; i < 400; i++) {
    const p = i % 2 === 0 ? malloc(2000) : own(2000);
    blocks.push(p);
    new Uint8Array(memory.buffer, p, 2000).fill(i);
  }
  for (const [i, p] of blocks.entries()) {
    expect(
      new Uint8Array(memory.buffer, p, 2000).every((byte) => byte === (i & 255)),
      `block ${i} at ${p}`,
    ).toBe(true);
  }
}

const INIT = '(import "gomalloc" "init" (func $init (param i32)))';
const STARTS = `(func (export "begin") (call $init ${BASE}))`;

for (const [what, names, imports, rest] of [
  ["emmalloc_memalign", true, "", ""],
  ["unnamed", false, "", ""],
  ["unnamed, in a program that calls init", false, INIT, STARTS],
] as const) {
  it(`the heap begins behind its memory: ${what}`, async () => {
    const kept = own("emmalloc_memalign", BASE, `(i32.const ${END})`);
    const { wasm, report } = await link(program(kept + rest, names, imports), { optimize: "O1" });
    expect([report.heapBase, report.heapBaseFrom]).toEqual([END, "end"]);
    expect(report.warnings.join()).toMatch(/takes memory from __heap_base \(1072\) on.*native\/gomalloc\.c.*Zig/);
    (instantiate(wasm).exports["begin"] as (() => void) | undefined)?.();
    shareMemory(wasm);
  });
}

it("the heap grows memory of its own when the end is not known: a pointer in the data, no names", async () => {
  const pointer = `${own("bump", "(i32.load (i32.const 1056))", "(i32.const 9000)")}
    (data (i32.const 1056) "\\30\\04\\00\\00")`;
  const { wasm, report } = await link(program(pointer, false), { optimize: "O1" });
  expect(report.heapBaseFrom).toBe("none");
  expect(report.warnings.join()).toContain("gomalloc takes only memory that it grows");
  shareMemory(wasm);
});

it("refuses an allocator that would take up to the memory's end, whatever is there", async () => {
  const kept = own("try_init_allocator", BASE, "(i32.shl (memory.size) (i32.const 16))");
  const error = await refusal(() => link(program(kept, true)), "heap-base");
  expect(error.message).toContain("dlmalloc (function try_init_allocator)");
  expect(error.fix).toMatch(/native\/gomalloc\.c.*Zig/);
  await refusal(() => link(program(kept + STARTS, false, INIT)), "heap-base");
});

it("says so when the address that was given lies in its memory, and does as it was told", async () => {
  const bytes = program(own("dlmalloc", BASE, `(i32.const ${END})`), true);
  const inside = await link(bytes, { heapBase: 8192, optimize: "O1" });
  expect(inside.report.heapBase).toBe(8192);
  expect(inside.report.warnings.join()).toContain("the heap base 8192 must lie behind all of it");
  const behind = await link(bytes, { heapBase: END, optimize: "O1" });
  expect(behind.report.warnings).toEqual([]);
  shareMemory(behind.wasm);
});

it("gives the heap all when the allocator kept never looks at __heap_base", async () => {
  const grows = own("dlmalloc", "(i32.const 0)", "(i32.const 1)");
  const { wasm, report } = await link(program(grows, true), { optimize: "O1" });
  expect([report.heapBase, report.heapBaseFrom]).toEqual([HEAP_BASE, "export"]);
  expect(report.warnings).toEqual([expect.stringContaining("seems to take only memory that it grows")]);
  shareMemory(wasm);
});
