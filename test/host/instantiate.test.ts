/** instantiateWith: a program beside its allocator, over the program's memory or over one that it is given. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createHeap, type InstantiateWithOptions, instantiateWith, ModuleLoadError } from "../../src/index.ts";
import { assemble } from "../support/assemble.ts";

const OWN = `(memory (export "memory") 2)`;
const IMPORTED = `(import "host" "mem" (memory 2 40))`;

/** A program that fills blocks, keeps them in a list at address 1024 and frees them; its data lie below 4096. */
function program(
  memory: string,
  { from = "gomalloc", start = "", base = 4096, globals = "" } = {},
): Uint8Array<ArrayBuffer> {
  const [own, imported] = memory.startsWith("(import") ? ["", memory] : [memory, ""];
  return assemble(`(module
    ${imported}
    (import "${from}" "malloc" (func $malloc (param i32) (result i32)))
    (import "${from}" "free" (func $free (param i32)))
    (import "${from}" "realloc" (func $realloc (param i32 i32) (result i32)))
    ${own}
    (data (i32.const 512) "untouched")
    ${base ? `(global (export "__heap_base") i32 (i32.const ${base}))` : ""} ${globals}
    (func (export "push") (param $size i32) (result i32) (local $p i32)
      (local.set $p (call $malloc (i32.add (local.get $size) (i32.const 4))))
      (if (i32.eqz (local.get $p)) (then (return (i32.const 0))))
      (memory.fill (local.get $p) (i32.const 0xee) (i32.add (local.get $size) (i32.const 4)))
      (i32.store (local.get $p) (i32.load (i32.const 1024)))
      (i32.store (i32.const 1024) (local.get $p))
      (local.get $p))
    (func (export "pop") (local $p i32)
      (local.set $p (i32.load (i32.const 1024)))
      (i32.store (i32.const 1024) (i32.load (local.get $p)))
      (call $free (local.get $p)))
    (func (export "release") (param i32) (call $free (local.get 0)))
    (func (export "resize") (param i32 i32) (result i32) (call $realloc (local.get 0) (local.get 1)))
    ${start})`);
}

interface Program {
  push(size: number): number;
  pop(): void;
  release(p: number): void;
  resize(p: number, size: number): number;
}

const kinds: [string, string, InstantiateWithOptions][] = [
  ["its own memory", OWN, {}],
  ["an imported memory, made for it", IMPORTED, {}],
];

describe.each(kinds)("a program with %s", (_, memoryText, options) => {
  it.each(["gomalloc", "env"])("allocates, and is seen from outside, with imports from %s", async (from) => {
    const { instance, memory, heap } = await instantiateWith(program(memoryText, { from }), options);
    const app = instance.exports as unknown as Program;
    const blocks = Array.from({ length: 3000 }, (_, i) => app.push(i % 700));
    expect(new Set(blocks).size).toBe(3000);
    expect(Math.min(...blocks)).toBeGreaterThan(4096);
    expect(heap.memory).toBe(memory);
    const { mallocs, heapObjects } = heap.stats();
    expect([mallocs, heapObjects]).toEqual([3000, 3000]);
    heap.validate({ deep: true });
    for (const p of blocks) expect(heap.usableSize(p)).toBeGreaterThan(0);
    // Both sides free what the other allocated.
    heap.free(app.resize(heap.malloc(100), 5000));
    app.release(heap.malloc(100));
    for (let i = 0; i < 3000; i++) app.pop();
    expect(heap.stats().heapObjects).toBe(0);
    heap.validate({ deep: true });
    expect(new TextDecoder().decode(heap.u8.subarray(512, 521))).toBe("untouched");
  });

  it("takes the heap base of the program, or the option's, or none", async () => {
    const at = async (base: number, options: InstantiateWithOptions = {}) => {
      const { instance, memory } = await instantiateWith(program(memoryText, { base }), options);
      const p = (instance.exports as unknown as Program).push(40);
      return { p, pages: memory.buffer.byteLength / 65536 };
    };
    const known = await at(8192);
    expect(known.p).toBeGreaterThan(8192);
    expect(known.pages, "two pages are enough").toBe(2);
    expect((await at(8192, { heapBase: 50_000 })).p).toBeGreaterThan(50_000);
    expect((await at(0)).p, "behind what was there").toBeGreaterThan(2 * 65536);
    await expect(at(0, { heapBase: 2 * 65536 + 1 })).rejects.toThrow(RangeError);
    await expect(at(2 * 65536 + 1)).rejects.toThrow(RangeError);
  });

  it("traps on misuse, or not when told so; the heap's own free throws", async () => {
    const trapping = await instantiateWith(program(memoryText), options);
    const app = trapping.instance.exports as unknown as Program;
    const p = app.push(40);
    expect(() => app.release(p + 8)).toThrow(WebAssembly.RuntimeError);
    expect(() => trapping.heap.free(p + 8)).toThrow("inside a block");
    const silent = await instantiateWith(program(memoryText), { ...options, onMisuse: "ignore" });
    const q = (silent.instance.exports as unknown as Program).push(40);
    (silent.instance.exports as unknown as Program).release(q + 8);
    silent.heap.free(q + 8);
    expect(silent.heap.stats().heapObjects).toBe(1);
    await expect(instantiateWith(program(memoryText), { onMisuse: "maybe" as "trap" })).rejects.toThrow(TypeError);
  });

  it("obeys limits, and gets NULL beyond", async () => {
    const { instance, heap } = await instantiateWith(program(memoryText), { ...options, maxBytes: 500_000 });
    const app = instance.exports as unknown as Program;
    let blocks = 0;
    while (app.push(1000) !== 0) blocks++;
    expect(blocks).toBeGreaterThan(300);
    expect(heap.stats().sys).toBeLessThanOrEqual(500_000);
    heap.validate();
  });

  it("may come compiled, as bytes, as a response or by address", async () => {
    const bytes = program(memoryText);
    const module = new WebAssembly.Module(bytes);
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 40 });
    const place = memoryText === IMPORTED ? { memory } : {};
    const server = createServer((_, response) => response.setHeader("content-type", "application/wasm").end(bytes));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      for (const source of [module, bytes, bytes.buffer, new Response(bytes), fetch(url), url, new URL(url)]) {
        const { instance, heap } = await instantiateWith(source, place);
        expect((instance.exports as unknown as Program).push(8)).toBeGreaterThan(0);
        heap.validate();
        // The next one is to have the same memory.
        heap.dispose();
      }
    } finally {
      server.close();
    }
  });
});

describe("no JavaScript is on the path", () => {
  it("the imports are wasm functions: a trap's stack shows none of our frames between program and allocator", async () => {
    for (const text of [OWN, IMPORTED]) {
      const { instance } = await instantiateWith(program(text));
      const app = instance.exports as unknown as Program;
      const p = app.push(40);
      const trap = (() => {
        try {
          app.release(p + 8);
        } catch (error) {
          return error as Error;
        }
        throw new Error("no trap");
      })();
      const frames = trap.stack!.split("\n").slice(1);
      const ours = frames.findIndex((frame) => frame.includes("instantiate.test"));
      expect(ours).toBeGreaterThan(1);
      expect(frames.slice(0, ours).every((frame) => frame.includes("wasm"))).toBe(true);
    }
  });
});

describe("start functions that allocate", () => {
  const start = `(global $first (mut i32) (i32.const 0)) (export "first" (global $first))
    (func $begin (global.set $first (call $malloc (i32.const 100)))) (start $begin)`;

  it("work over an imported memory, within the heap base of the option", async () => {
    const { instance, heap } = await instantiateWith(program(IMPORTED, { start }), { heapBase: 4096 });
    const p = (instance.exports["first"] as WebAssembly.Global).value as number;
    expect(p).toBeGreaterThan(4096);
    expect(p).toBeLessThan(2 * 65536);
    expect(heap.usableSize(p)).toBe(128);
  });

  it("work over an imported memory without one, on memory of the heap's own", async () => {
    const { instance, heap } = await instantiateWith(program(IMPORTED, { start }));
    expect(heap.usableSize((instance.exports["first"] as WebAssembly.Global).value as number)).toBe(128);
    heap.validate();
  });

  it("are refused with the way out when the memory is the program's", async () => {
    await expect(instantiateWith(program(OWN, { start }))).rejects.toThrow(/--import-memory.*gomalloc link/);
  });
});

describe("refused", () => {
  it("programs without a malloc to import", async () => {
    await expect(instantiateWith(assemble(`(module ${OWN})`))).rejects.toThrow("imports no malloc");
    const wasi = assemble(`(module (import "wasi" "malloc" (func (param i32) (result i32))) ${OWN})`);
    await expect(instantiateWith(wasi)).rejects.toThrow(ModuleLoadError);
  });

  it("names that gomalloc has not", async () => {
    const app = assemble(`(module (import "gomalloc" "mallinfo" (func)) ${OWN})`);
    await expect(instantiateWith(app)).rejects.toThrow("gomalloc has no mallinfo");
  });

  it("imports of another type, by the engine", async () => {
    for (const memory of [OWN, IMPORTED]) {
      const text = `(import "gomalloc" "malloc" (func (param i64) (result i64)))`;
      const app = assemble(memory === OWN ? `(module ${text} ${memory})` : `(module ${memory} ${text})`);
      await expect(instantiateWith(app)).rejects.toThrow(WebAssembly.LinkError);
    }
  });

  it("programs without memory, shared memory, and a memory for a program that has one", async () => {
    const malloc = `(import "gomalloc" "malloc" (func (param i32) (result i32)))`;
    await expect(instantiateWith(assemble(`(module ${malloc})`))).rejects.toThrow(
      "neither imports nor exports a memory",
    );
    const shared = `(module (import "env" "memory" (memory 1 2 shared)) ${malloc})`;
    await expect(instantiateWith(assemble(shared))).rejects.toThrow("shared");
    await expect(instantiateWith(assemble(`(module ${malloc} (memory (export "m") 1 2 shared))`))).rejects.toThrow(
      "shared",
    );
    const memory = new WebAssembly.Memory({ initial: 2 });
    await expect(instantiateWith(program(OWN), { memory })).rejects.toThrow(TypeError);
    await expect(instantiateWith(program(IMPORTED), { memory: {} as WebAssembly.Memory })).rejects.toThrow(TypeError);
  });

  it("a compiled program that imports its memory, when none is given", async () => {
    const module = new WebAssembly.Module(program(IMPORTED));
    await expect(instantiateWith(module)).rejects.toThrow("host.mem, whose size cannot be read");
    const mem = new WebAssembly.Memory({ initial: 2, maximum: 40 });
    expect((await instantiateWith(module, { imports: { host: { mem } } })).memory).toBe(mem);
  });

  it("bytes that are no module, and answers that are no file", async () => {
    await expect(instantiateWith(new Uint8Array([1, 2, 3]))).rejects.toThrow(ModuleLoadError);
    await expect(instantiateWith(new Response("", { status: 404 }))).rejects.toThrow("status 404");
    await expect(instantiateWith(7 as unknown as URL)).rejects.toThrow(TypeError);
  });
});

it("leaves to the caller what the caller gives", async () => {
  const mine = createHeap();
  const asked: number[] = [];
  const malloc = (size: number) => {
    asked.push(size);
    return 0;
  };
  const { instance, heap } = await instantiateWith(program(OWN), { imports: { gomalloc: { malloc } } });
  expect((instance.exports as unknown as Program).push(40)).toBe(0);
  expect(asked).toEqual([44]);
  expect(heap.stats().mallocs).toBe(0);
  mine.dispose();
});
