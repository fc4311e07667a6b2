/** What link and inspect refuse, each with its code and a fix, and what they accept though it is unusual. */
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { link } from "../../src/tools/link.ts";
import { swap } from "../../src/tools/swap/swap.ts";
import { addCustomSection, concat, encodeName, encodeU32, vector } from "../../src/wasm/edit.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { assemble, COMMON, HEAP_BASE, programText, refusal } from "./support/programs.ts";

const PLAIN = assemble(programText());
const text = (s: string) => new TextEncoder().encode(s);

describe("files that are no module", () => {
  it("empty", () => refusal(() => link(new Uint8Array()), "empty"));

  it.each([
    ["ELF", text("\x7fELF\x02\x01\x01"), /ELF/, /wasm32/],
    ["text format", text("(module (memory 1))"), /text/, /wasm-as/],
    ["text format behind a comment", text("  ;; hello\n(module)"), /text/, /wasm-as/],
    ["HTML", text("<!DOCTYPE html><html>"), /HTML/, /address/],
    ["archive", text("!<arch>\n"), /library/, /Link the program/],
    ["LLVM bitcode", Uint8Array.of(0x42, 0x43, 0xc0, 0xde), /bitcode/, /Link the program/],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0), /gzip/, /gunzip/],
    ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), /zstd/, /zstd -d/],
    ["a zip archive", text("PK\x03\x04..."), /zip archive/, /Unpack/],
    ["a Windows program", text("MZ\x90\0"), /Windows/, /wasm32/],
    ["Mach-O", Uint8Array.of(0xcf, 0xfa, 0xed, 0xfe, 7, 0), /macOS/, /wasm32/],
    ["LLVM assembly", text('; ModuleID = "a.c"\n'), /LLVM assembly/, /Link the program/],
    ["C", text("/* a */\n#include <stdio.h>\nint main(void) {}\n"), /C or C\+\+ source/, /Compile/],
    ["C without an include", text("int main(void) { return 0; }\n"), /C or C\+\+ source/, /Compile/],
    ["JavaScript", text('import { a } from "./a.js";\n'), /JavaScript/, /SINGLE_FILE/],
    ["CommonJS", text('"use strict";\nvar Module = {};\n'), /JavaScript/, /SINGLE_FILE/],
    ["Rust", text("use std::fmt;\npub fn main() {}\n"), /Rust/, /Compile/],
    ["Go", text("// a\npackage main\n\nfunc main() {}\n"), /Go source/, /Compile/],
    ["JSON", text('{ "a": 1 }'), /JSON/, /\.wasm/],
    ["a script", text("#!/bin/sh\nexit 0\n"), /script/, /\.wasm/],
    ["a data URL", text("data:application/wasm;base64,AGFzbQ=="), /data URL/, /Decode/],
    ["base64", text("AGFzbQEAAAA="), /base64/, /base64 -d/],
    ["Git LFS", text("version https://git-lfs.github.com/spec/v1\n"), /Git LFS/, /git lfs pull/],
    ["text with a byte order mark", text("\ufeff(module)"), /WebAssembly text/, /wasm-as/],
    ["a module that went through a text tool", text("\ufffdasm"), /text tool/, /again/],
    ["plain text", text("hello"), /but text/, /\.wasm/],
    ["binary data", Uint8Array.of(1, 2, 3, 4, 5), /binary data/, /\.wasm/],
  ])("%s", async (_, bytes, message, fix) => {
    const error = await refusal(() => link(bytes), "not-wasm");
    expect(error.message).toMatch(message);
    expect(error.fix).toMatch(fix);
  });

  it("a component", () => refusal(() => link(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)), "component"));
  it("another version", () => refusal(() => link(Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0)), "malformed"));

  it("cut off anywhere: truncated, or malformed where a section is missing, never an exception of another kind", async () => {
    const codes = new Set<string>();
    for (let length = 4; length < PLAIN.length; length++) {
      try {
        inspect(PLAIN.subarray(0, length));
      } catch (error) {
        codes.add((error as { code: string }).code);
      }
    }
    expect([...codes].sort()).toEqual(["malformed", "truncated"]);
    await refusal(() => link(PLAIN.subarray(0, PLAIN.length - 1)), "truncated");
  });

  it("damaged anywhere: read or refused, never an exception of another kind", () => {
    for (let at = 8; at < PLAIN.length; at++) {
      for (const value of [0, 0x7f, 0x80, 0xff]) {
        const bytes = PLAIN.slice();
        bytes[at] = value;
        try {
          inspect(bytes);
        } catch (error) {
          expect((error as Error).name, `byte ${at} = ${value}`).toBe("ToolError");
        }
      }
    }
  });
});

describe("modules that the allocator cannot go into", () => {
  const section = (name: string) => addCustomSection(PLAIN, name, Uint8Array.of(2)).bytes;
  const withMemory = (memory: string, features = binaryen.Features.All) =>
    assemble(`(module (import "gomalloc" "malloc" (func (param i32) (result i32))) ${memory})`, false, features);
  /** Binaries that binaryen's JavaScript API does not write: one memory of these limits, and the import. */
  const withLimits = (...limits: number[]) =>
    concat(
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
      Uint8Array.of(1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f),
      sectionOf(2, vector([concat(encodeName("gomalloc"), encodeName("malloc"), Uint8Array.of(0, 0))])),
      sectionOf(5, concat(Uint8Array.of(1), Uint8Array.from(limits))),
    );
  const sectionOf = (id: number, contents: Uint8Array) =>
    concat(Uint8Array.of(id), encodeU32(contents.length), contents);

  it("object file", () => refusal(() => link(section("linking")), "object-file"));
  it("PIC side module", () => refusal(() => link(section("dylink.0")), "side-module"));
  it("no memory", () => refusal(() => link(withMemory("")), "no-memory"));
  it("several memories", () => refusal(() => link(withMemory("(memory 1) (memory 1)")), "several-memories"));
  it("memory64", () => refusal(() => link(withMemory("(memory i64 1)")), "memory64"));
  it("shared memory", () => refusal(() => link(withMemory("(memory 1 2 shared)")), "shared-memory"));
  it("custom page size", async () => {
    const error = await refusal(() => link(withLimits(8, 16, 0)), "page-size");
    expect(error.message).toContain("pages of 1 bytes");
  });
});

describe("imports", () => {
  const importing = (entry: string) => assemble(`(module ${entry} (memory 1))`);

  it("none of the family", async () => {
    const error = await refusal(() => link(importing('(import "env" "puts" (func (param i32)))')), "no-import");
    expect(error.fix).toMatch(/shim/);
  });

  it("none, but an allocator of its own: swap is named", async () => {
    const own = assemble('(module (memory 1) (func (export "malloc") (param i32) (result i32) (i32.const 8)))');
    expect((await refusal(() => link(own), "no-import")).fix).toMatch(/gomalloc swap/);
  });

  it("none, and it is Rust's: the crate and swap are named", async () => {
    const rust = Uint8Array.of(1, 8, ...Buffer.from("language"), 1, 4, ...Buffer.from("Rust"), 0);
    const { bytes } = addCustomSection(importing('(import "env" "puts" (func (param i32)))'), "producers", rust);
    const { fix } = await refusal(() => link(bytes), "no-import");
    expect(fix).toMatch(/global_allocator.*gomalloc swap/);
  });

  it("none, for emcc renamed them", async () => {
    const error = await refusal(() => link(importing('(import "a" "b" (func (param i32)))')), "no-import");
    expect(error.fix).toMatch(/emcc -O2/);
  });

  it("unknown to gomalloc", async () => {
    const error = await refusal(
      () => link(importing('(import "gomalloc" "strdup" (func (param i32)))')),
      "unknown-import",
    );
    expect(error.message).toContain("gomalloc.strdup");
  });

  it("names of Object.prototype are no functions of the family", () =>
    refusal(() => link(importing('(import "gomalloc" "toString" (func))')), "unknown-import"));

  it("of a wrong type", async () => {
    const wide = importing('(import "env" "malloc" (func (param i64) (result i32)))');
    const error = await refusal(() => link(wide), "signature");
    expect(error.message).toContain("env.malloc is imported as (i64) -> i32, but is (i32) -> i32");
  });

  it("a misuse hook of a wrong type", () => {
    const rest = '(func (export "gomalloc_on_misuse") (param i32))';
    return refusal(() => link(assemble(programText({ rest }))), "signature");
  });

  it("a flavour that lacks an import", async () => {
    const program = importing('(import "gomalloc" "memstats" (func (result i32)))');
    await refusal(() => link(program, { flavour: "malloc" }), "flavour");
  });
});

describe("heap base and memory", () => {
  const END = 1024 + "static data of the program".length;

  it("in static data", async () => {
    const error = await refusal(() => link(PLAIN, { heapBase: END - 1 }), "heap-base");
    expect(error.message).toContain(`ends at ${END}`);
  });

  it("behind the memory", () => refusal(() => link(PLAIN, { heapBase: 2 * 65536 + 1 }), "heap-base"));

  it.each([-1, 1.5, Number.NaN, 2 ** 32])("no address: %d", async (heapBase) => {
    await refusal(() => link(PLAIN, { heapBase }), "option");
  });

  it("an imported memory whose maximum is too small", async () => {
    const memory = '(import "host" "memory" (memory 1 1))';
    const program = assemble(programText({ imports: memory, memory: "", heapBase: 65536 }));
    expect((await refusal(() => link(program), "memory-maximum")).fix).toMatch(/maximum of 2 pages/);
  });

  it("growth through an import that is not there", () =>
    refusal(() => link(PLAIN, { growth: "emscripten" }), "option"));

  it("a level of optimisation that there is not", () =>
    refusal(() => link(PLAIN, { optimize: "O9" as "O3" }), "option"));

  it("a source map that is none", () => refusal(() => link(PLAIN, { sourceMap: "{}" }), "source-map"));

  it("code that the engine does not take: in its words", async () => {
    const broken = PLAIN.slice();
    const DROP = 0x1a;
    broken[inspect(PLAIN).bodies[0]!.start + 1] = DROP;
    const error = await refusal(() => link(broken), "malformed");
    expect(error.message).toMatch(/not valid: Compiling function #8/);
    await refusal(() => swap(broken), "malformed");
  });

  it("an instruction that nobody knows may be newer than the engine: binaryen says that it is none", async () => {
    const broken = PLAIN.slice();
    broken[inspect(PLAIN).bodies[0]!.start + 1] = 0xff;
    const error = await refusal(() => link(broken), "binaryen");
    expect(error.message).toMatch(/wasm-merge failed/);
  });
});

describe("inspect", () => {
  it("reads what a module has", () => {
    const program = assemble(programText({ rest: "(func $begin) (start $begin)" }), true);
    const info = inspect(program);
    expect(info.imports[0]).toMatchObject({
      module: "gomalloc",
      name: "malloc",
      kind: "function",
      index: 0,
      type: { params: ["i32"], results: ["i32"] },
    });
    expect(info.memories).toMatchObject([{ initial: 2, shared: false, is64: false, pageSize: 65536 }]);
    expect(info.globals).toMatchObject([{ type: "i32", mutable: false, value: HEAP_BASE }]);
    expect(info.data).toMatchObject([{ active: true, offset: 1024, size: 26 }]);
    const { start, size } = info.data[0]!;
    expect(new TextDecoder().decode(program.subarray(start, start + size))).toBe("static data of the program");
    expect(info.start).toBe(16);
    expect(info.functionNames.get(16)).toBe("begin");
    expect(info.exports.map(({ name }) => name)).toContain("do_malloc");
    expect(info.bodies).toHaveLength(9);
  });

  it("reads all that binaryen's features write", () => {
    const module = `(module
      (rec (type $s (sub (struct (field i8) (field (mut i32))))) (type $a (array (mut f64))))
      (type $f (func (param (ref null $s)) (result funcref externref)))
      (import "m" "t" (table 1 2 funcref)) (import "m" "g" (global (mut i64))) (import "m" "tag" (tag (param i32)))
      (table 3 externref) (memory 1 5)
      (global f32 (f32.const 1.5)) (global f64 (f64.const 2.5)) (global v128 (v128.const i64x2 1 2))
      (global i32 (i32.const -1)) (global funcref (ref.func $x)) (global (ref null $s) (ref.null $s))
      (global (ref $a) (array.new_fixed $a 2 (f64.const 1) (f64.const 2)))
      (global i32 (i32.add (i32.const 1) (i32.const 2)))
      (data "passive") (data (i32.const 100) "active")
      (elem funcref (ref.func $x))
      (func $x (param i64) (result i64 v128) (local.get 0) (v128.const i32x4 1 2 3 4)))`;
    const info = inspect(assemble(module, true, COMMON | binaryen.Features.GC | binaryen.Features.ExtendedConst));
    expect(info.gc).toBe(true);
    expect(info.globals.map(({ type, value }) => value ?? type)).toEqual([
      ...["i64", "f32", "f64", "v128", 4294967295, "funcref", "ref", "ref", "i32"],
    ]);
    expect(info.memories).toMatchObject([{ initial: 1, maximum: 5 }]);
    expect(info.data).toMatchObject([
      { active: false, size: 7 },
      { active: true, offset: 100, size: 6 },
    ]);
    expect(info.data[0]!.offset).toBeUndefined();
    expect(info.elements).toEqual([{ table: 0, active: false, functions: [0] }]);
    expect(info.globals.map(({ functions }) => functions.length)).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0]);
    expect(info.imports.map(({ kind }) => kind).sort()).toEqual(["global", "table", "tag"]);
    expect(info.functions).toEqual([{ params: ["i64"], results: ["i64", "v128"] }]);
  });

  it("reads element segments of every form", () => {
    // By hand, for binaryen chooses the form itself: a module of two functions, two tables and one segment.
    const module = (segment: readonly number[]) =>
      Uint8Array.of(
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...[1, 4, 1, 0x60, 0, 0, 3, 3, 2, 0, 0],
        ...[4, 7, 2, 0x70, 0, 4, 0x70, 0, 4],
        ...[9, segment.length + 1, 1, ...segment],
        ...[10, 7, 2, 2, 0, 0x0b, 2, 0, 0x0b],
      );
    const [at2, ref1, none] = [
      [0x41, 2, 0x0b],
      [0xd2, 1, 0x0b],
      [0xd0, 0x70, 0x0b],
    ] as const;
    const forms: [number[], object][] = [
      [[0, ...at2, 2, 0, 1], { table: 0, active: true, offset: 2, functions: [0, 1] }],
      [[1, 0, 1, 1], { table: 0, active: false, functions: [1] }],
      [[2, 1, ...at2, 0, 1, 0], { table: 1, active: true, offset: 2, functions: [0] }],
      [[3, 0, 1, 1], { table: 0, active: false, functions: [1] }],
      [[4, ...at2, 2, ...ref1, ...none], { table: 0, active: true, offset: 2, functions: [1, undefined] }],
      [[5, 0x70, 1, ...ref1], { table: 0, active: false, functions: [1] }],
      [[6, 1, ...at2, 0x70, 1, ...ref1], { table: 1, active: true, offset: 2, functions: [1] }],
      [[7, 0x70, 1, ...none], { table: 0, active: false, functions: [undefined] }],
    ];
    for (const [segment, expected] of forms) {
      const bytes = module(segment);
      expect(WebAssembly.validate(bytes), `form ${segment[0]}`).toBe(true);
      expect(inspect(bytes).elements).toEqual([expected]);
    }
    expect(() => inspect(module([8, 0]))).toThrow(/element segment/);
  });
});
