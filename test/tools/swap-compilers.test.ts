/**
 * gomalloc swap on what Debian's compilers make: Rust with an allocator of its own, C by emscripten.
 */
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { swap } from "../../src/tools/swap/swap.ts";
import { Project } from "../native/support/project.ts";
import { describeWith } from "../support/describewith.ts";
import { EMCC, RUST } from "../support/needs.ts";
import { refusal } from "./support/programs.ts";
import { expectSameWork } from "./support/swap/fixtures.ts";

async function projectWith(name: "work.rs" | "work.c"): Promise<Project> {
  const project = await Project.create();
  await project.write(name, await readFile(new URL(`programs/${name}`, import.meta.url), "utf8"));
  return project;
}

interface RustWork {
  work(seed: number, steps: number): number;
  misaligned(count: number): number;
  _initialize?(): void;
}

function startRust(wasm: Uint8Array<ArrayBuffer>): RustWork {
  const system = new Proxy({}, { get: () => () => 0 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { wasi_snapshot_preview1: system });
  const program = exports as unknown as RustWork;
  program._initialize?.();
  return program;
}

/** A local of main holds a constant address beside other values, and 64 bytes are stored through it. */
const MAYBE = `
use std::collections::HashMap;
#[repr(align(64))]
struct Aligned([u8; 64]);
fn main() {
    let mut map: HashMap<String, Vec<u64>> = HashMap::new();
    for i in 0..200_000u64 { map.entry(format!("key-{}", i % 5000)).or_default().push(i); }
    let mut all: Vec<Aligned> = Vec::new();
    for i in 0..1000 { all.push(Aligned([i as u8; 64])); assert_eq!(all.as_ptr() as usize % 64, 0); }
    println!("{} {}", all.len(), map.values().map(|v| v.len()).sum::<usize>());
}`;

describeWith(RUST, "Rust", () => {
  // The first keeps its state behind a pointer; the second is wasi-libc's malloc under Rust's names.
  it.each([
    ["wasm32-unknown-unknown", "rust"],
    ["wasm32-wasi", "dlmalloc"],
  ])("%s: replaces __rust_alloc and the rest", async (target, kind) => {
    const project = await projectWith("work.rs");
    const flags = "-O -C strip=debuginfo --crate-type cdylib";
    await project.command(`rustc --edition 2021 ${flags} --target ${target} work.rs -o work.wasm`);
    const program = await project.read("work.wasm");
    const { wasm, report } = await swap(program);
    expect(report.kind).toBe(kind);
    const roles = report.members.map(({ role }) => role);
    expect(roles).toEqual(expect.arrayContaining(["rust_alloc", "rust_dealloc", "rust_realloc", "rust_alloc_zeroed"]));
    const [before, after] = [startRust(program), startRust(wasm)];
    for (const seed of [1, 2, 3]) expect(after.work(seed, 30_000) >>> 0).toBe(before.work(seed, 30_000) >>> 0);
    expect(after.misaligned(300)).toBe(0);
  });

  it("calls it a guess when a function only may touch the state", async () => {
    const project = await Project.create();
    await project.write("maybe.rs", MAYBE);
    await project.command("rustc --edition 2021 -O --target wasm32-wasi maybe.rs -o maybe.wasm");
    const error = await refusal(async () => swap(await project.read("maybe.wasm")), "inlined-allocator");
    expect(error.message).toMatch(/main\w* \(function \d+\) may use \d+ words of its state \(a guess:/);
  });
});

describeWith(EMCC, "emscripten", () => {
  it.each([
    ["with names", "-O2 --profiling-funcs"],
    ["without names", "-O3 -sEXPORTED_FUNCTIONS=_malloc,_free"],
  ])("%s: replaces dlmalloc and takes the heap from sbrk's break", async (_, flags) => {
    const project = await projectWith("work.c");
    await project.command(`emcc ${flags} -sALLOW_MEMORY_GROWTH --no-entry work.c -o work.wasm`);
    const program = await project.read("work.wasm");
    const { wasm, report } = await swap(program);
    expect(report).toMatchObject({ kind: "dlmalloc", heapBaseFrom: "break" });
    expect(report.link.growth).toBe("notify");
    expectSameWork(program, wasm);
  });
});
