/** The entries without wasm inside: every way to give it, none at all, and what a realm that may not compile says. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";
import * as full from "../../src/index.ts";
import * as fullShared from "../../src/shared/index.ts";
import * as slimShared from "../../src/shared/slim.ts";
import * as slim from "../../src/slim.ts";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";

const wasmFile = (name: string) => new Uint8Array(readFileSync(join(ROOT, "build", name)));
const HOST = wasmFile("gomalloc-host.wasm");
const SHARED = wasmFile("gomalloc-host-shared.wasm");

/** A heap or a shared heap that works. */
function expectWorking(heap: full.Heap | fullShared.SharedHeap): void {
  const ptr = heap.malloc(100);
  expect(heap.usableSize(ptr)).toBe(128);
  heap.free(ptr);
  heap.dispose();
}

it("has the same exports as the full entry, and the same classes", () => {
  expect(Object.keys(slim).sort()).toEqual(Object.keys(full).sort());
  expect(Object.keys(slimShared).sort()).toEqual(Object.keys(fullShared).sort());
  expect(slim.MisuseError).toBe(full.MisuseError);
});

describe("gomalloc/slim", () => {
  it("takes bytes and a module at once", () => {
    for (const wasm of [HOST, HOST.buffer, new WebAssembly.Module(HOST)]) expectWorking(slim.createHeap({ wasm }));
  });

  it("takes a URL, a response, bytes and a module without blocking, and runs a program", async () => {
    const server = createServer((_, response) =>
      response.writeHead(200, { "content-type": "application/wasm" }).end(HOST),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      for (const wasm of [url, new URL(url), fetch(url), await fetch(url), HOST, new WebAssembly.Module(HOST)]) {
        expectWorking(await slim.createHeapAsync({ wasm }));
      }
      const { instance, heap } = await slim.instantiateWith(assemble(COUNTING_PROGRAM), { wasm: url });
      expect((instance.exports["count"] as (n: number) => number)(10)).toBe(45);
      expect(heap.stats().mallocs).toBe(10);
    } finally {
      server.close();
    }
  });

  it("without wasm says which option is missing", async () => {
    const words =
      /^gomalloc\/slim has no wasm inside: pass the option wasm .*gomalloc\/gomalloc-host\.wasm.* "gomalloc"$/;
    for (const options of [{}, undefined] as never[]) {
      expect(() => slim.createHeap(options)).toThrow(words);
      await expect(slim.createHeapAsync(options)).rejects.toThrow(words);
      await expect(slim.instantiateWith(assemble(COUNTING_PROGRAM), options)).rejects.toThrow(words);
    }
  });
});

describe("gomalloc/shared/slim", () => {
  it("takes bytes and a module, and attaches without any", async () => {
    const heap = slimShared.createSharedHeap({ wasm: SHARED });
    expect(heap.shared).toBe(true);
    const other = slimShared.attachHeap(heap.share());
    const ptr = other.malloc(100);
    other.detach();
    heap.free(ptr);
    expectWorking(heap);
    expectWorking(await slimShared.createSharedHeapAsync({ wasm: new WebAssembly.Module(SHARED) }));
  });

  it("without sharing takes soloWasm, and says so when it is missing", async () => {
    expectWorking(slimShared.createSharedHeap({ wasm: SHARED, soloWasm: HOST, shared: false }));
    const words = /pass the option soloWasm .*gomalloc\/gomalloc-host\.wasm/;
    expect(() => slimShared.createSharedHeap({ wasm: SHARED, shared: false })).toThrow(words);
    await expect(slimShared.createSharedHeapAsync({ wasm: SHARED, shared: false })).rejects.toThrow(words);
  });

  it("without wasm says which option is missing", async () => {
    const options = {} as slimShared.CreateSharedHeapOptions;
    const words =
      /^gomalloc\/shared\/slim has no wasm inside: pass the option wasm .*host-shared\.wasm.*"gomalloc\/shared"$/;
    expect(() => slimShared.createSharedHeap(options)).toThrow(words);
    await expect(slimShared.createSharedHeapAsync(options)).rejects.toThrow(words);
  });
});

it("a realm that may not compile WebAssembly names what a page has to allow", async () => {
  const entryPoints = [join(ROOT, "src/index.ts")];
  const iife = { bundle: true, format: "iife", globalName: "gomalloc", target: "es2022", write: false } as const;
  const { outputFiles } = await build({ entryPoints, ...iife });
  const context = createContext({ atob }, { codeGeneration: { wasm: false } });
  runInContext(outputFiles[0]!.text, context);
  for (const call of ["gomalloc.createHeap()", "gomalloc.createHeapAsync()"]) {
    const said = runInContext(`(async () => ${call})().catch((e) => e.code + " " + e.message)`, context);
    expect(await said).toMatch(/^ERR_MODULE_LOAD WebAssembly may not be compiled here: .*'wasm-unsafe-eval'/);
  }
  // Bytes that are no module are told apart.
  expect(() => full.createHeap({ wasm: new Uint8Array(8) })).toThrow(/^not a WebAssembly module/);
});
