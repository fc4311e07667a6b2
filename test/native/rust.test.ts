/** The Rust crate under a program with std (wasm32-wasi) and under a library (wasm32-unknown-unknown). */
import { expect, it } from "vitest";
import { describeWith } from "../support/describewith.ts";
import { RUST } from "../support/needs.ts";
import { expectReplaced, expectSameWords, hasName, importsOf, Project, projectOfWords } from "./support/project.ts";

const CRATE = "node_modules/gomalloc/native/rust/src/lib.rs";
const RUSTC = "rustc --edition 2021 -O -C strip=debuginfo";

describeWith(RUST, "Rust", () => {
  it("the recipe of native/examples/rust prints what the program prints with its own allocator", async () => {
    const { project, source } = await projectOfWords("rust", "rs");
    await project.write(
      "stock.rs",
      source.replace("#[global_allocator]\nstatic ALLOCATOR: gomalloc::Gomalloc = gomalloc::Gomalloc;\n", ""),
    );
    await project.command(`${RUSTC} --target wasm32-wasi stock.rs -o stock.wasm`);
    expectSameWords(project, "words.out.wasm", source.repeat(200));

    // wasi-libc allocates too: without the crate's C names its dlmalloc would have been linked beside gomalloc.
    await expectReplaced(project, "words.out.wasm", ["dlmalloc", "sbrk"]);
  });

  it("keeps alignment and contents through alloc, realloc and dealloc of all layouts", async () => {
    const project = await Project.create();
    const target = `${RUSTC} --target wasm32-unknown-unknown`;
    await project.command(`${target} --crate-type rlib --crate-name gomalloc ${CRATE}`);
    const program = "node_modules/gomalloc/test/native/programs/layouts.rs";
    await project.command(
      `${target} --crate-type cdylib --extern gomalloc=libgomalloc.rlib ${program} -o layouts.wasm`,
    );
    await project.link("layouts.wasm", "layouts.out.wasm");
    const module = await project.module("layouts.out.wasm");
    expect(hasName(module, "dlmalloc")).toBe(false);
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    const { exports } = new WebAssembly.Instance(module);
    const { check, refuses } = exports as { check(seed: number): number; refuses(size: number): number };
    for (const seed of [1, 2, 3]) expect(check(seed), `seed ${seed}`).toBe(0);
    expect(refuses(64 << 20)).toBe(1);
    expect(check(4)).toBe(0);
  });

  it("imports only what a program calls", async () => {
    const project = await Project.create();
    const target = `${RUSTC} --target wasm32-unknown-unknown`;
    await project.command(`${target} --crate-type rlib --crate-name gomalloc ${CRATE}`);
    await project.write(
      "small.rs",
      `#[global_allocator]
       static ALLOCATOR: gomalloc::Gomalloc = gomalloc::Gomalloc;
       #[no_mangle]
       pub extern "C" fn boxed(n: u64) -> *mut u64 { Box::into_raw(Box::new(n)) }`,
    );
    await project.command(`${target} --crate-type cdylib --extern gomalloc=libgomalloc.rlib small.rs -o small.wasm`);
    const names = importsOf(await project.module("small.wasm"), "gomalloc");
    expect(names).toContain("malloc");
    for (const name of ["memstats", "validate", "mallopt", "malloc_trim"]) expect(names).not.toContain(name);
  });
});
