/** The modules that are damaged: of npm packages, made by compilers, written by hand, and gomalloc's own. */
import { readFile } from "node:fs/promises";
import asc from "assemblyscript/asc";
import { assemble, clang, programText } from "../programs.ts";
import { compileWork, freeListProgram } from "../swap/fixtures.ts";
import { WASM } from "../swap/packages.ts";

const OBJECTS = `class Node { constructor(public next: Node | null, public value: i32) {} }
  export function sum(n: i32): i32 {
    let list: Node | null = null;
    for (let i = 0; i < n; i++) list = new Node(list, i);
    let total = 0;
    for (let node = list; node; node = node!.next) total += node!.value;
    return total;
  }
  export function text(n: i32): string { return "number " + n.toString(); }`;
const IMPORTS = `
  @external("gomalloc", "malloc") declare function malloc(size: usize): usize;
  @external("env", "free") declare function free(p: usize): void;
  let hook: (size: usize) => usize = (size: usize): usize => malloc(size);
  export function scaled(n: i32): i32 { const p = hook(64); store<i32>(p, n); const m = load<i32>(p) * 7919; free(p); return m; }`;

/** Text that uses tables, pointers to functions, bulk memory, SIMD, exceptions and threads' names. */
const VARIED = `
  (table 4 funcref) (elem (i32.const 1) $do_malloc $do_free)
  (tag $e (param i32)) (type $fn (func (param i32) (result i32)))
  (func (export "indirect") (param i32) (result i32) (call_indirect (type $fn) (local.get 0) (i32.const 1)))
  (func (export "wide") (param i32) (result v128) (i8x16.splat (local.get 0)))
  (func (export "throwing") (param i32) (throw $e (local.get 0)))
  (func (export "choose") (param i32) (result i32)
    (block $a (block $b (block $c (br_table $a $b $c (local.get 0))) (return (i32.const 1))) (return (i32.const 2)))
    (i32.const 3))`;

/** AssemblyScript with a runtime of its own, or with imports of malloc. */
async function assemblyScript(source: string, runtime: string): Promise<Uint8Array<ArrayBuffer>> {
  let wasm: Uint8Array | undefined;
  const args = ["app.ts", "-o", "app.wasm", "--runtime", runtime, "--debug", "--optimizeLevel", "1"];
  const { error, stderr } = await asc.main(args, {
    readFile: (name) => (name === "app.ts" ? source : null),
    writeFile: (_, contents) => {
      if (typeof contents !== "string") wasm = contents.slice();
    },
    listFiles: () => [],
  });
  if (error || wasm === undefined) throw new Error(stderr.toString());
  return new Uint8Array(wasm);
}

export interface Source {
  readonly name: string;
  /** Of a hundred mutants, so many are of this module. Large ones take long. */
  readonly share: number;
  readonly bytes: Uint8Array;
}

export async function readSubjects(): Promise<Source[]> {
  const built = (name: string) => readFile(new URL(`../../../../build/${name}`, import.meta.url));
  const native = (name: string) => readFile(new URL(`../../../../native/${name}`, import.meta.url), "utf8");
  const shim = { "gomalloc.c": await native("gomalloc.c"), "gomalloc.h": await native("gomalloc.h") };
  const app = `#include <stdlib.h>
    #include <string.h>
    char *keep; int main(void) { keep = strdup("kept"); free(realloc(malloc(40), 80)); return keep[0]; }`;
  return [
    { name: "oniguruma", share: 1, bytes: await readFile(WASM.oniguruma) },
    { name: "sqlite", share: 1, bytes: await readFile(WASM.sqlite) },
    { name: "quickjs", share: 1, bytes: await readFile(WASM.quickjs) },
    { name: "text that imports malloc", share: 23, bytes: assemble(programText({ rest: VARIED }), true) },
    { name: "text with a free list", share: 22, bytes: freeListProgram({}, true) },
    { name: "AssemblyScript", share: 12, bytes: await assemblyScript(OBJECTS, "incremental") },
    { name: "AssemblyScript that imports malloc", share: 12, bytes: await assemblyScript(IMPORTS, "stub") },
    { name: "C with wasi-libc", share: 6, bytes: await compileWork("-Wl,--export=malloc", "-Wl,--export=free") },
    {
      name: "C with the shim",
      share: 8,
      bytes: await clang({ "app.c": app, ...shim }, ["-O2", "-I.", "-Wl,--export=__heap_base"]),
    },
    { name: "gomalloc", share: 8, bytes: await built("gomalloc.wasm") },
    { name: "gomalloc, with names", share: 6, bytes: await built("gomalloc-host-shared.debug.wasm") },
  ];
}
