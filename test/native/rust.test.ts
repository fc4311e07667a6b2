/**
 * The Rust crate under a program with std (wasm32-wasi) and under a library (wasm32-unknown-unknown): with libgomalloc.a
 * inside, by cargo and by rustc alone, and with imports for gomalloc link.
 */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { runLLVM } from "@yowasp/clang";
import { expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { CLANG, RUST } from "../support/needs.ts";
import {
  expectReplaced,
  expectSameWords,
  hasName,
  importsOf,
  Project,
  projectOfWords,
  ROOT,
  recipeOf,
} from "./support/project.ts";

const CRATE = "node_modules/gomalloc/native/rust/src/lib.rs";
const PROGRAMS = "node_modules/gomalloc/test/native/programs";
const RUSTC = "rustc --edition 2021 -O -C strip=debuginfo";
const LIBRARY = `${RUSTC} --target wasm32-unknown-unknown`;
const CARGO = "cargo build --release --target wasm32-wasi";
const BUILT = "target/wasm32-wasi/release/words.wasm";

/** Flags that put an archive into the crate, as build.rs has them. */
const archive = (target: string, name = "gomalloc") =>
  `-L native=node_modules/gomalloc/lib/${target} -l static=${name}`;
const feature = (name: string) => `--cfg 'feature="${name}"'`;
const crate = (project: Project, target: string, flags: string) =>
  project.command(`${RUSTC} --target ${target} --crate-type rlib --crate-name gomalloc ${flags} ${CRATE}`);

/** Rust source of a program over the crate. */
const overCrate = (program: string) =>
  `#[global_allocator]\nstatic A: gomalloc::Gomalloc = gomalloc::Gomalloc;\n${program}`;

/** A project as the recipe with cargo has it, but with these features of the crate. */
async function cargoProject(...features: string[]): Promise<Project> {
  const project = await Project.create();
  await project.command((await recipeOf("rust"))[0]!);
  const manifest = Buffer.from(await project.read("Cargo.toml")).toString();
  await project.write("Cargo.toml", manifest.replace(" }", `, features = ${JSON.stringify(features)} }`));
  return project;
}

describeWith(RUST, "Rust", () => {
  it.each([
    ["by cargo", 0, BUILT],
    ["by rustc", 1, "words.wasm"],
    ["with gomalloc link", 2, "words.out.wasm"],
  ])("the recipe %s prints what the program prints with its own allocator", async (_, index, program) => {
    const { project, source } = await projectOfWords("rust", "rs", index);
    await project.write(
      "stock.rs",
      source.replace("#[global_allocator]\nstatic ALLOCATOR: gomalloc::Gomalloc = gomalloc::Gomalloc;\n", ""),
    );
    await project.command(`${RUSTC} --target wasm32-wasi stock.rs -o stock.wasm`);
    expectSameWords(project, program, source.repeat(200));

    // wasi-libc allocates too: without C's names its dlmalloc would have been linked beside gomalloc.
    await expectReplaced(project, program, ["dlmalloc", "sbrk"]);
    // gomalloc link takes a program with the archive inside, too.
    if (program.endsWith(".out.wasm")) return;
    await project.link(program, "inlined.wasm");
    expectSameWords(project, "inlined.wasm", source);
  });

  it("the link map has the archive's functions and no other allocator", async () => {
    const [copy, rlib, compile] = await recipeOf("rust", 1);
    const project = await Project.create();
    await project.recipe([copy!, rlib!, compile!.replace(" -o ", " -C link-arg=-Map=map.txt -o ")]);
    const map = Buffer.from(await project.read("map.txt")).toString();
    expect(map.match(/dlmalloc|sbrk/)).toBeNull();
    for (const name of ["malloc", "calloc", "realloc", "free", "free_sized"]) {
      expect(map.includes(`libgomalloc.rlib(gomalloc.o):(${name})`), name).toBe(true);
    }

    // A program that names the archive besides, for C code in it, has it once.
    const again = " -C link-arg=node_modules/gomalloc/lib/wasm32-wasip1/libgomalloc.a -o ";
    await project.command(compile!.replace(" -o ", ` -C link-arg=-Map=map.txt${again}`));
    const both = Buffer.from(await project.read("map.txt")).toString();
    expect(both.match(/\(gomalloc\.o\):\(malloc\)/g)).toHaveLength(1);
    expect(project.run("words.wasm", "", "one two one\n").stdout).toMatch(/^3 words, 2 different\n/);
  });

  it("is one allocator too where the whole program is optimised at link time", async () => {
    const project = await Project.create();
    const [copy, build, run] = await recipeOf("rust");
    const flags = "CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_PANIC=abort";
    expect(await project.recipe([copy!, `${flags} ${build}`, run!])).toMatch(/^\d+ words, \d+ different\n/);
    const module = await project.module(BUILT);
    expect(hasName(module, "gomalloc/alloc/malloc/mallocSlow")).toBe(true);
    expect(hasName(module, "dlmalloc")).toBe(false);
  });

  const LAYOUTS: [way: string, flags: string, linked: boolean][] = [
    ["over the archive", archive("wasm32-unknown-unknown"), false],
    ["over the debug archive", `${feature("debug")} ${archive("wasm32-unknown-unknown", "gomalloc-debug")}`, false],
    ["with gomalloc link", feature("link"), true],
  ];
  it.each(LAYOUTS)("keeps alignment and contents through all calls of all layouts, %s", async (_, flags, linked) => {
    const project = await Project.create();
    await crate(project, "wasm32-unknown-unknown", flags);
    const unchecked = flags.includes("feature") ? "" : "--cfg unchecked";
    await project.command(
      `${LIBRARY} --crate-type cdylib ${unchecked} --extern gomalloc=libgomalloc.rlib ${PROGRAMS}/layouts.rs -o a.wasm`,
    );
    if (linked) await project.link("a.wasm", "a.out.wasm");
    const module = await project.module(linked ? "a.out.wasm" : "a.wasm");
    expect(hasName(module, "dlmalloc")).toBe(false);
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    const { exports } = new WebAssembly.Instance(module);
    const { check, refuses } = exports as { check(seed: number): number; refuses(size: number): number };
    for (const seed of [1, 2, 3]) expect(check(seed), `seed ${seed}`).toBe(0);
    expect(refuses(64 << 20)).toBe(1);
    expect(check(4)).toBe(0);
  });

  it("a library's exports are called as they are: the archive brings no constructor", async () => {
    const project = await Project.create();
    await crate(project, "wasm32-unknown-unknown", archive("wasm32-unknown-unknown"));
    await project.write(
      "small.rs",
      overCrate(`#[no_mangle]
       pub extern "C" fn boxed(n: u64) -> *mut u64 { Box::into_raw(Box::new(n)) }
       #[no_mangle]
       pub extern "C" fn unboxed(p: *mut u64) -> u64 { *unsafe { Box::from_raw(p) } }`),
    );
    await project.command(
      `${LIBRARY} --crate-type cdylib --extern gomalloc=libgomalloc.rlib -C link-arg=--no-export-dynamic small.rs -o small.wasm`,
    );
    const module = await project.module("small.wasm");
    expect(hasName(module, "boxed")).toBe(true);
    for (const name of ["command_export", "__wasm_call_ctors", "make_heap"]) expect(hasName(module, name)).toBe(false);
    const names = WebAssembly.Module.exports(module).map(({ name }) => name);
    expect(names.sort()).toEqual(["__data_end", "__heap_base", "boxed", "memory", "unboxed"]);
    const { boxed, unboxed } = new WebAssembly.Instance(module).exports as {
      boxed(n: bigint): number;
      unboxed(p: number): bigint;
    };
    const blocks = Array.from({ length: 10_000 }, (_, i) => boxed(BigInt(i)));
    expect(new Set(blocks).size).toBe(10_000);
    blocks.forEach((p, i) => void expect(unboxed(p)).toBe(BigInt(i)));
  });

  const MISUSES = {
    "double free: the block is free already": [1, "dealloc(p, layout(100)); dealloc(p, layout(100));"],
    "sized free: the size given is more than the block has": [5, "dealloc(p, layout(5000));"],
    "interior pointer: the address is inside": [3, "dealloc(p.add(16), layout(16));"],
  } as const;
  /** A program whose calls on its block `p` of 100 bytes are as they stand: the compiler knows nothing of `p`. */
  const misuse = (calls: string) =>
    overCrate(`use std::alloc::{alloc, dealloc, Layout};
      fn layout(size: usize) -> Layout { Layout::from_size_align(size, 8).unwrap() }
      fn main() { unsafe { let p = alloc(layout(100)); let p = std::ptr::read_volatile(&p); ${calls} } println!("end"); }
    `);

  it("with the feature debug a misuse is told before the trap, and there are statistics and checks", async () => {
    const project = await cargoProject("debug");
    for (const [told, [, calls]] of Object.entries(MISUSES)) {
      await project.write("words.rs", misuse(calls));
      await project.command(CARGO);
      const ran = project.run(BUILT);
      expect(ran.stderr, told).toContain(`gomalloc: ${told}`);
      expect(ran.stderr, told).toContain("RuntimeError: unreachable");
      expect(ran.stdout, told).toBe("");
    }
    await project.write(
      "words.rs",
      overCrate(`fn main() {
        let before = gomalloc::stats().unwrap();
        let mut kept: Vec<Box<u64>> = Vec::with_capacity(1000);
        for i in 0..1000 { kept.push(Box::new(i)); }
        let after = gomalloc::stats().unwrap();
        println!("{} {} {}", after.mallocs - before.mallocs, kept.len(), gomalloc::validate());
      }`),
    );
    await project.command(CARGO);
    expect(project.run(BUILT).stdout).toBe("1001 1000 0\n");
  });

  it("without it a misuse traps, or calls the program's hook", async () => {
    const project = await cargoProject();
    for (const [told, [kind, calls]] of Object.entries(MISUSES)) {
      await project.write("words.rs", misuse(calls));
      await project.command(CARGO);
      const ran = project.run(BUILT);
      expect(ran.stderr, told).toMatch(/RuntimeError: unreachable[\s\S]*gomalloc_on_misuse/);
      expect(ran.stdout, told).toBe("");

      await project.write(
        "words.rs",
        `${misuse(calls)}
        #[no_mangle]
        pub extern "C" fn gomalloc_on_misuse(kind: i32, ptr: *mut u8) { println!("kind {kind}, null {}", ptr.is_null()); }`,
      );
      await project.command(CARGO);
      expect(project.run(BUILT), told).toMatchObject({ status: 0, stdout: `kind ${kind}, null false\nend\n` });
    }
  });

  it("names what to do on a target without an archive, and where the archives are missing", async () => {
    const project = await cargoProject();
    const host = project.spawn("cargo build");
    expect(host.status).not.toBe(0);
    expect(host.stderr).toMatch(
      /gomalloc has no archive for \S+: make it a dependency for wasm32 only \(\[target\.'cfg/,
    );

    await cp(join(ROOT, "native", "rust"), project.path("native/rust"), { recursive: true });
    await project.command("sed -i s,node_modules/gomalloc/,, Cargo.toml");
    const apart = project.spawn(CARGO);
    expect(apart.status).not.toBe(0);
    expect(apart.stderr).toMatch(/lib\/wasm32-wasip1\/libgomalloc\.a is missing: take the crate from the npm package/);
  });

  it("with the feature link it imports only what a program calls", async () => {
    const project = await Project.create();
    await crate(project, "wasm32-unknown-unknown", feature("link"));
    await project.write(
      "small.rs",
      overCrate('#[no_mangle]\npub extern "C" fn boxed(n: u64) -> *mut u64 { Box::into_raw(Box::new(n)) }'),
    );
    await project.command(`${LIBRARY} --crate-type cdylib --extern gomalloc=libgomalloc.rlib small.rs -o small.wasm`);
    const names = importsOf(await project.module("small.wasm"), "gomalloc");
    expect(names).toContain("malloc");
    for (const name of ["memstats", "validate", "mallopt", "malloc_trim"]) expect(names).not.toContain(name);
  });

  describeWith(CLANG, "with C in the program, by Debian's clang", () => {
    it("with link and shim the C family is gomalloc.c's, as native/README.md has it", async () => {
      const project = await Project.create();
      const text = await readFile(join(ROOT, "native", "README.md"), "utf8");
      const [compile, pack, ...rust] = /```sh\n(.*\n[^`]*libshim\.a[^`]*)```/.exec(text)![1]!.trimEnd().split("\n");
      await project.command((await recipeOf("rust", 1))[0]!);
      await project.recipe(["mv words.rs app.rs", compile!]);
      // Debian has this command in a package of its own; npm's clang brings it.
      expect(pack).toBe("llvm-ar rcs libshim.a gomalloc.o");
      const made = await runLLVM(
        pack!.split(" "),
        { "gomalloc.o": await project.read("gomalloc.o") },
        { fetchProgress: () => {} },
      );
      await project.write("libshim.a", made!["libshim.a"] as Uint8Array);
      await project.recipe(rust);
      expect(importsOf(await project.module("app.wasm"), "gomalloc")).toEqual(
        expect.arrayContaining(["init", "free", "free_sized"]),
      );
      await project.link("app.wasm", "app.out.wasm");
      expect(hasName(await project.module("app.out.wasm"), "dlmalloc")).toBe(false);
      expect(project.run("app.out.wasm", "", "one two one\n").stdout).toMatch(/^3 words, 2 different\n/);
    });
  });
});
