/**
 * Small programs with allocators of their own: C with wasi-libc's dlmalloc, and a free list in WebAssembly text that can
 * be given the faults that swap must see.
 */
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { runBinaryen } from "../../../../src/tools/binaryen.ts";
import { assemble, clang } from "../programs.ts";

const FLAGS = ["-O2", "-mexec-model=reactor"];

/** work.c, compiled and linked with the flags. */
export async function compileWork(...flags: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const source = await readFile(new URL("../../programs/work.c", import.meta.url), "utf8");
  return clang({ "work.c": source }, [...FLAGS, ...flags]);
}

/** The module with every function inlined into its callers that can be, names kept. */
export async function inlineAll(program: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const sizes = ["--always-inline", "--flexible-inline", "--one-caller-inline"].map(
    (one) => `${one}-max-function-size=99999`,
  );
  const args = ["in.wasm", "-o", "out.wasm", "-g", "-O3", "--all-features", ...sizes];
  return (await runBinaryen("wasm-opt", args, { "in.wasm": program }, ["out.wasm"]))["out.wasm"];
}

interface WorkExports {
  work(seed: number, steps: number): number;
  stride(): number;
  misaligned(align: number, size: number): number;
  bad_alignment(): number;
  too_much(): number;
  _initialize?(): void;
  memory: WebAssembly.Memory;
  malloc?(size: number): number;
  free?(block: number): void;
}

/** An instance of work.c whose system calls all say that they did it. */
export function startWork(wasm: Uint8Array<ArrayBuffer>): WorkExports {
  const imports: WebAssembly.Imports = {};
  for (const { module, name } of WebAssembly.Module.imports(new WebAssembly.Module(wasm))) {
    imports[module] ??= {};
    imports[module]![name] = () => 0;
  }
  const exports = new WebAssembly.Instance(new WebAssembly.Module(wasm), imports).exports as unknown as WorkExports;
  exports._initialize?.();
  return exports;
}

/** Checks that the swapped work.c does all that the original does, on gomalloc's blocks. */
export function expectSameWork(original: Uint8Array<ArrayBuffer>, swapped: Uint8Array<ArrayBuffer>): void {
  const [before, after] = [startWork(original), startWork(swapped)];
  // dlmalloc keeps a header between blocks, gomalloc nothing
  expect(before.stride()).toBeGreaterThan(64);
  expect(after.stride()).toBe(64);
  for (const [seed, steps] of [
    [1, 500],
    [2, 20_000],
    [3, 60_000],
  ] as const) {
    const sum = before.work(seed, steps) >>> 0;
    expect(sum).not.toBe(0);
    expect(after.work(seed, steps) >>> 0).toBe(sum);
  }
  for (const align of [16, 64, 1024]) expect(after.misaligned(align, 1024)).toBe(0);
  expect(after.bad_alignment()).toBe(before.bad_alignment());
  expect(after.too_much()).toBe(0);
}

export interface FreeListOptions {
  /** Exported names of the two. */
  readonly malloc?: string;
  readonly free?: string;
  /** Address of the state: the break, then the list's head. */
  readonly at?: number;
  /** First value of the head. */
  readonly head?: number;
  readonly rest?: string;
}

/**
 * The fields of an allocator that hands out blocks behind a break and reuses freed ones of enough room, first the one
 * freed last. The word below a block is its size.
 */
export function freeList({ malloc = "malloc", free = "free", at = 1024, head = 0 }: FreeListOptions = {}): string {
  const [$malloc, $free] = [`$${malloc}`, `$${free}`];
  return `
    (data (i32.const ${at}) "${word(at + 64)}${word(head)}")
    (func ${$malloc} (export "${malloc}") (param $size i32) (result i32) (local $block i32) (local $end i32)
      (local.set $size (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8)))
      (local.set $block (i32.load (i32.const ${at + 4})))
      (if (local.get $block) (then
        (if (i32.ge_u (i32.load (i32.sub (local.get $block) (i32.const 4))) (local.get $size)) (then
          (i32.store (i32.const ${at + 4}) (i32.load (local.get $block)))
          (return (local.get $block))))))
      (local.set $block (i32.add (i32.load (i32.const ${at})) (i32.const 8)))
      (local.set $end (i32.add (local.get $block) (local.get $size)))
      (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16))) (then
        (if (i32.eq (i32.const -1) (memory.grow
            (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))
          (then (return (i32.const 0))))))
      (i32.store (i32.const ${at}) (local.get $end))
      (i32.store (i32.sub (local.get $block) (i32.const 4)) (local.get $size))
      (local.get $block))
    (func ${$free} (export "${free}") (param $block i32)
      (if (local.get $block) (then
        (i32.store (local.get $block) (i32.load (i32.const ${at + 4})))
        (i32.store (i32.const ${at + 4}) (local.get $block)))))`;
}

/** A program with that allocator and `rest`. Its function "fill" has a block and gives it back. */
export function freeListProgram(
  { rest = "", ...options }: FreeListOptions = {},
  names = false,
): Uint8Array<ArrayBuffer> {
  const { malloc = "malloc", free = "free" } = options;
  return assemble(
    `(module
      (memory (export "memory") 2)
      ${freeList(options)}
      (func (export "fill") (param $size i32) (result i32) (local $block i32)
        (local.set $block (call $${malloc} (local.get $size)))
        (memory.fill (local.get $block) (i32.const 7) (local.get $size))
        (i32.load8_u (i32.add (local.get $block) (i32.sub (local.get $size) (i32.const 1))))
        (call $${free} (local.get $block)))
      ${rest})`,
    names,
  );
}

function word(value: number): string {
  return [0, 8, 16, 24].map((shift) => `\\${((value >>> shift) & 255).toString(16).padStart(2, "0")}`).join("");
}
