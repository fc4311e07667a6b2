/** What the shared flavours are made of, and that the others have nothing of it: not an atomic instruction, not a byte. */
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { type Flavour, open, sharedMemory, WASM_PAGE, wasmModule, wasmPath } from "../support/wasm.ts";

/** Beyond the exports of the flavour without threads. */
const MALLOC_ADDED = ["gomalloc_thread_exit", "gomalloc_sync"];
const HOST_ADDED = [
  ...[
    "acquireP",
    "acquireBeyond",
    "abandonP",
    "setToken",
    "claimAddress",
    "blockP",
    "currentP",
    "endAddress",
    "flushP",
    "gomalloc_sync",
    "gomalloc_thread_exit",
    "lastStuck",
    "lockAddress",
    "lockCount",
  ],
  ...["numPs", "pStat", "procs", "recoverP", "releaseP", "setProcs", "stateAddress", "unblockP"],
  ...["gcBegin", "gcMark", "gcEnd", "gcWakeAddress", "gcTimes", "gcEnter", "gcLeave"],
];
/** Steps of a cycle that is one thread's: the shared flavour has others. */
const HOST_ALONE = ["gcStart", "gcStep"];

const exportsOf = (flavour: Flavour) =>
  WebAssembly.Module.exports(wasmModule(flavour))
    .map((x) => x.name)
    .sort();

/** The atomic instructions of a module, by name. */
function atomics(path: string): string[] {
  const module = binaryen.readBinary(readFileSync(path));
  const text = module.emitText();
  module.dispose();
  return [...text.matchAll(/\((\w+\.atomic\.[\w.]+|atomic\.fence)/g)].map((m) => m[1]!);
}

describe.each<Flavour>(["malloc", "host", "test"])("the %s flavour", (flavour) => {
  it("has no atomic instruction", () => {
    expect(atomics(wasmPath(flavour))).toEqual([]);
    expect(atomics(wasmPath(flavour).replace(/\.wasm$/, ".debug.wasm"))).toEqual([]);
  });

  it("takes no shared memory, and has no export for threads", () => {
    const env = { memory: sharedMemory() };
    expect(() => new WebAssembly.Instance(wasmModule(flavour), { env })).toThrow(WebAssembly.LinkError);
    for (const name of HOST_ADDED) expect(exportsOf(flavour)).not.toContain(name);
  });
});

describe.each<[Flavour, Flavour, string[]]>([
  ["shared", "malloc", MALLOC_ADDED],
  ["host-shared", "host", HOST_ADDED],
])("the %s flavour", (flavour, single, added) => {
  it(`exports what the ${single} flavour does, and what threads need`, () => {
    const without = exportsOf(single).filter((name) => !HOST_ALONE.includes(name));
    expect(exportsOf(flavour)).toEqual([...without, ...added].sort());
  });

  it("imports a shared memory alone, of any maximum", () => {
    const module = wasmModule(flavour);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const unshared = { env: { memory: new WebAssembly.Memory({ initial: 1, maximum: 65536 }) } };
    expect(() => new WebAssembly.Instance(module, unshared)).toThrow(WebAssembly.LinkError);
    for (const maximum of [1, 100, 65536]) {
      const memory = sharedMemory(1, maximum);
      new WebAssembly.Instance(module, { env: { memory } });
      expect(memory.buffer.byteLength).toBe(WASM_PAGE);
      expect(new Uint8Array(memory.buffer).every((b) => b === 0)).toBe(true);
    }
  });

  it("has atomic instructions, few of them", () => {
    const names = atomics(wasmPath(flavour));
    expect(names).toContain("i64.atomic.rmw.or");
    expect(names).toContain("memory.atomic.wait32");
    // The collector has marks, gates and sums besides.
    expect(names.length).toBeLessThan(flavour === "shared" ? 120 : 160);
  });

  it("makes a heap within 6 wasm pages above its base", () => {
    const o = open(flavour, { initial: 1, heapBase: WASM_PAGE });
    expect(o.e.malloc(16)).toBeGreaterThan(WASM_PAGE);
    expect(o.mem.pages).toBeLessThanOrEqual(1 + 6);
  });
});
