/**
 * link and programs with threads: one heap in a shared memory, an instance of the linked module for each thread. Here all
 * instances are of one JavaScript thread, which runs them in turns; test/native/threads.test.ts runs them at once.
 */
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { type LinkOptions, link } from "../../src/tools/link.ts";
import { formatReport } from "../../src/tools/report.ts";
import { swap } from "../../src/tools/swap/swap.ts";
import { inspect } from "../../src/wasm/parse.ts";
import { assemble, COMMON, exercise, familyOf, HEAP_BASE, programText, refusal } from "./support/programs.ts";

const FEATURES = COMMON | binaryen.Features.Atomics;
const MEMORY = '(import "env" "memory" (memory $memory 2 400 shared))';
const PAGES = { initial: 2, maximum: 400, shared: true };
/** What a thread of the programs below does: it allocates, and forgets. */
const WORK = "(drop (call $malloc (i32.const 40)))";

/** A program whose memory is imported and shared. */
function threaded(options: { imports?: string; rest?: string; heapBase?: number } = {}): string {
  const { imports = "", rest = "", heapBase } = options;
  // No active data: each instance would write it again.
  const text = programText({ memory: "", imports: `${imports} ${MEMORY}`, rest, ...(heapBase ? { heapBase } : {}) });
  return text.replace(/\(data .*/, "");
}

/** Links, by default without wasm-opt's seconds. */
async function linked(text: string, options: LinkOptions = {}, names = false) {
  const result = await link(assemble(text, names, FEATURES), { optimize: "O0", ...options });
  const module = new WebAssembly.Module(result.wasm);
  const instance = (memory: WebAssembly.Memory, imports: WebAssembly.Imports = {}) => {
    const env = { memory, ...imports["env"] };
    return new WebAssembly.Instance(module, { ...imports, env }).exports as Record<
      string,
      (...args: number[]) => number
    >;
  };
  return { ...result, instance, info: inspect(result.wasm) };
}

describe("a program whose memory is shared", () => {
  it.each(["O0", "O3", "Os"] as const)(
    "gets the flavour for threads at -%s, and keeps its outside",
    async (optimize) => {
      const program = threaded();
      const { report, info, wasm } = await linked(program, { optimize });
      expect(WebAssembly.validate(wasm)).toBe(true);
      expect(info.memories).toMatchObject([{ initial: 2, maximum: 400, shared: true, imported: { module: "env" } }]);
      expect(info.imports.map(({ name }) => name)).toEqual(["memory"]);
      const before = inspect(assemble(program, false, FEATURES)).exports;
      expect(info.exports.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
      expect(report).toMatchObject({
        flavour: "malloc",
        heapBase: HEAP_BASE,
        heapBaseFrom: "export",
        memory: { imported: true, shared: true, initial: 2, maximum: 400 },
        growth: "memory.grow",
        threadEnds: [],
        validated: "yes",
      });
      expect(report.warnings).toEqual([expect.stringContaining("gomalloc_thread_exit")]);
      const text = formatReport(report);
      expect(text).toContain("flavour     malloc, for threads");
      expect(text).toContain("memory      imported, 2 to 400 pages, shared");
      expect(text).toContain("threads     call gomalloc_thread_exit themselves");
    },
  );

  it("has one heap in all its instances", async () => {
    const { instance } = await linked(threaded(), { optimize: "O3" });
    const memory = new WebAssembly.Memory(PAGES);
    const [a, b] = [familyOf(instance(memory)), familyOf(instance(memory))];
    // Blocks of one, freed by the other: its own and the other's never overlap.
    const pairs = Array.from({ length: 500 }, (_, i) => [a.malloc(i), b.malloc(i)] as const);
    for (const [i, [p, q]] of pairs.entries()) {
      for (const block of [p, q]) new Uint8Array(memory.buffer, block, i).fill(block % 251);
    }
    for (const [i, [p, q]] of pairs.entries()) {
      for (const block of [p, q]) {
        expect(new Uint8Array(memory.buffer, block, i).every((byte) => byte === block % 251)).toBe(true);
      }
      a.free(q);
      b.free(p);
    }
    for (const family of [a, b]) exercise(family, memory, HEAP_BASE, 1500);
    // A family that takes turns: what one allocates, another resizes and a third frees.
    const third = familyOf(instance(memory));
    exercise(
      { ...a, realloc: b.realloc, free: third.free, malloc_usable_size: b.malloc_usable_size },
      memory,
      HEAP_BASE,
    );
  });

  it("finds a double free by the other instance", async () => {
    const { instance } = await linked(threaded());
    const memory = new WebAssembly.Memory(PAGES);
    const [a, b] = [familyOf(instance(memory)), familyOf(instance(memory))];
    const p = a.malloc(64);
    b.free(p);
    expect(() => b.free(p)).toThrow(WebAssembly.RuntimeError);
  });

  it("the host flavour, when it imports what only that has", async () => {
    const imports = '(import "gomalloc" "numPs" (func $numPs (result i32)))';
    const { report, instance } = await linked(threaded({ imports, rest: '(export "numPs" (func $numPs))' }));
    expect(report.flavour).toBe("host");
    const memory = new WebAssembly.Memory(PAGES);
    const [a, b] = [instance(memory), instance(memory)];
    expect(a["numPs"]!()).toBe(0);
    familyOf(a).malloc(8);
    expect(b["numPs"]!()).toBe(1);
    familyOf(b).malloc(8);
    expect(a["numPs"]!()).toBe(2);
  });

  it("a memory that is defined is raised where it is too small, with a warning that threads cannot share it", async () => {
    const text = programText({ memory: '(memory (export "memory") 1 1 shared)', heapBase: 65_500 });
    const { wasm, report } = await link(assemble(text, false, FEATURES), { optimize: "O0" });
    expect(report.memory).toMatchObject({ imported: false, shared: true, before: { initial: 1, maximum: 1 } });
    expect(report.warnings.join()).toContain("each instance has one of its own");
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
    expect(familyOf(exports).malloc(100)).toBeGreaterThan(65_500);
  });

  it("an imported memory that may not grow to what the heap needs is refused", async () => {
    const text = threaded({ heapBase: 65_500 }).replace("2 400 shared", "1 1 shared");
    const error = await refusal(() => link(assemble(text, false, FEATURES)), "memory-maximum");
    expect(error.message).toContain("env.memory has at most 1 pages");
  });

  it("swap refuses it and names link", async () => {
    const error = await refusal(() => swap(assemble(threaded(), false, FEATURES)), "shared-memory");
    expect(error.fix).toContain("gomalloc link");
  });
});

describe("where the heap begins", () => {
  const withoutBase = (rest = "") => threaded({ rest }).replace(/\(global .*/, "");
  const shim = (body: string) => `(func (export "gomalloc_heap_base") (result i32) ${body})`;

  it.each([
    ["as optimised", "(i32.const 4096)"],
    ["as -O0 leaves it", "(local i32) (local.set 0 (i32.const 4096)) (return (local.get 0))"],
  ])("the shim says it, %s, and its export goes", async (_, body) => {
    const { report, info, instance } = await linked(withoutBase(shim(body)));
    expect(report).toMatchObject({ heapBase: 4096, heapBaseFrom: "shim" });
    expect(formatReport(report)).toContain("4096, as the shim says");
    expect(info.exports.map(({ name }) => name)).not.toContain("gomalloc_heap_base");
    const memory = new WebAssembly.Memory(PAGES);
    for (const family of [familyOf(instance(memory)), familyOf(instance(memory))]) exercise(family, memory, 4096, 300);
  });

  it("unknown: refused, for the instances of later threads would have no heap", async () => {
    for (const body of [
      undefined,
      "(i32.load (i32.const 16))",
      "(i32.add (memory.size) (i32.const 4096))",
      "(call $malloc (i32.const 4096))",
    ]) {
      const text = withoutBase(body && shim(body));
      const error = await refusal(() => link(assemble(text, false, FEATURES)), "shared-memory");
      expect(error.fix).toContain("--export=__heap_base");
    }
  });

  it("below the program's own __heap_base: refused, data that the start function copies lies there", async () => {
    const program = assemble(threaded(), false, FEATURES);
    const error = await refusal(() => link(program, { heapBase: HEAP_BASE - 1 }), "heap-base");
    expect(error.message).toContain(`below __heap_base, which is ${HEAP_BASE}`);
    expect((await link(program, { heapBase: 2048, optimize: "O0" })).report.heapBase).toBe(2048);
  });
});

describe("a start function that copies the data once, as wasm-ld makes it", () => {
  // The flag lies behind the data, all below the heap: 0 nobody has, 2 it is done.
  const DATA = `
    (data $data "static data of the program")
    (func $init_memory
      (if (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 1056) (i32.const 0) (i32.const 1)))
        (then
          (memory.init $data (i32.const 1024) (i32.const 0) (i32.const 26))
          (i32.atomic.store (i32.const 1056) (i32.const 2)))))
    (start $init_memory)`;

  it.each(["O0", "O3"] as const)(
    "leaves the heap alone in every instance, and the heap the data, at -%s",
    async (optimize) => {
      const { instance } = await linked(threaded({ rest: DATA }), { optimize });
      const memory = new WebAssembly.Memory(PAGES);
      const data = () => new TextDecoder().decode(new Uint8Array(memory.buffer).slice(1024, 1050));
      const a = familyOf(instance(memory));
      expect(data()).toBe("static data of the program");
      new Uint8Array(memory.buffer)[1024] = "S".charCodeAt(0);
      const blocks = Array.from({ length: 300 }, (_, i) => a.malloc(i));
      for (const [i, block] of blocks.entries()) new Uint8Array(memory.buffer, block, i).fill(i);
      const b = familyOf(instance(memory));
      exercise(b, memory, HEAP_BASE, 1000);
      for (const [i, block] of blocks.entries()) {
        expect(new Uint8Array(memory.buffer, block, i).every((byte) => byte === i % 256)).toBe(true);
        b.free(block);
      }
      expect(data()).toBe("Static data of the program");
    },
  );

  it("may allocate, for init has run", async () => {
    const rest = `(global $first (mut i32) (i32.const 0)) (export "first" (global $first))
      (func $begin (global.set $first (call $malloc (i32.const 40)))) (start $begin)`;
    const { instance } = await linked(threaded({ rest }));
    const memory = new WebAssembly.Memory(PAGES);
    const firsts = [instance(memory), instance(memory)].map((exports) => {
      return (exports as unknown as { first: WebAssembly.Global }).first.value as number;
    });
    expect(firsts[0]).toBeGreaterThan(HEAP_BASE);
    expect(firsts[1]).toBeGreaterThan(HEAP_BASE);
    expect(firsts[0]).not.toBe(firsts[1]);
  });
});

describe("the end of a thread", () => {
  const numPs = '(import "gomalloc" "numPs" (func $numPs (result i32)))';
  const count = '(export "numPs" (func $numPs))';

  it.each([
    ["wasi_thread_start", "(param i32 i32)", [1, 2], true],
    ["_emscripten_thread_exit", "(param i32)", [1], true],
    ["another_thread_start", "(param i32 i32)", [1, 2], false],
    // Not of the type that the runtime calls: another function of that name.
    ["wasi_thread_start", "(param i32)", [1], false],
  ])("%s %s: its P serves the next thread", async (name, params, args, known) => {
    const rest = `(func (export "${name}") ${params} ${WORK}) ${count}`;
    const { instance, report, info } = await linked(threaded({ imports: numPs, rest }), { optimize: "O3" });
    expect(report.threadEnds).toEqual(known ? [name] : []);
    expect(info.exports.map((entry) => entry.name)).toContain(name);
    const memory = new WebAssembly.Memory(PAGES);
    const main = instance(memory);
    familyOf(main).malloc(1);
    for (let i = 0; i < 20; i++) instance(memory)[name]!(...args);
    expect(main["numPs"]!()).toBe(known ? 2 : 21);
  });

  it("its result and the blocks stay what they are", async () => {
    const rest = `(func (export "wasi_thread_start") (param i32 i32)
      (i32.store (i32.const 1040) (call $malloc (local.get 1)))
      (i32.store (i32.load (i32.const 1040)) (local.get 0)))`;
    const { instance } = await linked(threaded({ rest }));
    const memory = new WebAssembly.Memory(PAGES);
    const main = familyOf(instance(memory));
    const words = () => new Uint32Array(memory.buffer);
    for (let tid = 1; tid <= 20; tid++) {
      instance(memory)["wasi_thread_start"]!(tid, 1000);
      const block = words()[260]!;
      expect(words()[block / 4]).toBe(tid);
      expect(main.malloc_usable_size(block)).toBe(1024);
      main.free(block);
    }
    exercise(main, memory, HEAP_BASE, 500);
  });

  it("emscripten's unwinding import is called behind gomalloc_thread_exit", async () => {
    const imports = `${numPs} (import "env" "emscripten_unwind_to_js_event_loop" (func $unwind))`;
    const rest = `(func (export "pthread_exit") ${WORK} (call $unwind) (unreachable)) ${count}`;
    const { instance, report, info } = await linked(threaded({ imports, rest }), { optimize: "O3" });
    expect(report.threadEnds).toEqual(["emscripten_unwind_to_js_event_loop"]);
    expect(info.imports.map(({ module, name }) => `${module}.${name}`).sort()).toEqual([
      "env.emscripten_unwind_to_js_event_loop",
      "env.memory",
    ]);
    const memory = new WebAssembly.Memory(PAGES);
    let calls = 0;
    const emscripten_unwind_to_js_event_loop = () => {
      calls++;
      throw "unwind";
    };
    const thread = () => instance(memory, { env: { emscripten_unwind_to_js_event_loop } });
    for (let i = 0; i < 20; i++) expect(thread()["pthread_exit"]!).toThrow("unwind");
    expect(calls).toBe(20);
    expect(thread()["numPs"]!()).toBe(1);
  });

  it("other programs call gomalloc_thread_exit, and are not warned", async () => {
    const imports = `${numPs} (import "gomalloc" "gomalloc_thread_exit" (func $exit))`;
    const rest = `(func (export "run") ${WORK} (call $exit)) ${count}`;
    const { instance, report } = await linked(threaded({ imports, rest }));
    expect(report.warnings).toEqual([]);
    const memory = new WebAssembly.Memory(PAGES);
    for (let i = 0; i < 20; i++) instance(memory)["run"]!();
    expect(instance(memory)["numPs"]!()).toBe(1);
  });
});

describe("threads over a memory that is not shared are refused", () => {
  it.each([
    ["wasi", "thread-spawn", "(param i32) (result i32)"],
    ["gomalloc", "gomalloc_thread_exit", ""],
    ["gomalloc", "numPs", "(result i32)"],
  ])("%s.%s", async (module, name, type) => {
    const text = programText({ imports: `(import "${module}" "${name}" (func ${type}))` });
    const error = await refusal(() => link(assemble(text)), "shared-memory");
    expect(error.message).toContain(`imports ${module}.${name}`);
    expect(error.fix).toContain("-pthread");
  });
});

describe("growth through emscripten's import", () => {
  const text = threaded({ imports: '(import "env" "emscripten_resize_heap" (func $resize (param i32) (result i32)))' });

  it("the memory grows without it; it hears of what cannot be had, and may end the program", async () => {
    const { instance, report } = await linked(text.replace("2 400 shared", "2 40 shared"));
    expect(report.growth).toBe("emscripten");
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 40, shared: true });
    const sizes: number[] = [];
    let abort = false;
    const emscripten_resize_heap = (size: number) => {
      sizes.push(size >>> 0);
      if (abort) throw new Error("Aborted(OOM)");
      return 0;
    };
    const [a, b] = [1, 2].map(() => familyOf(instance(memory, { env: { emscripten_resize_heap } })));
    const blocks: number[] = [];
    for (let p = a!.malloc(8192); p !== 0; p = (blocks.length % 2 === 0 ? a! : b!).malloc(8192)) blocks.push(p);
    expect(memory.buffer.byteLength).toBe(40 * 65536);
    expect(new Set(blocks).size).toBe(blocks.length);
    expect(blocks.length).toBeGreaterThan((38 * 65536) / 8192 - 10);
    expect(sizes.length).toBeGreaterThan(0);
    for (const size of sizes) expect(size).toBeGreaterThan(40 * 65536);
    abort = true;
    expect(() => a!.malloc(8192)).toThrow("Aborted(OOM)");
  });
});
