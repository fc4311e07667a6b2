/**
 * The malloc flavour as an AssemblyScript module among others: @assemblyscript/loader instantiates it with nothing from
 * the host but a memory.
 */
import { readFileSync } from "node:fs";
import { instantiateSync } from "@assemblyscript/loader";
import { describe, expect, it } from "vitest";

interface Malloc extends Record<string, unknown> {
  init(heapBase: number): void;
  malloc(size: number): number;
  realloc(ptr: number, size: number): number;
  free(ptr: number): void;
  malloc_usable_size(ptr: number): number;
}

describe("@assemblyscript/loader", () => {
  const bytes = readFileSync(new URL("../../build/gomalloc.wasm", import.meta.url));

  it("instantiates the malloc flavour over a memory of its user", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { exports } = instantiateSync<Malloc>(bytes, { env: { memory } });
    exports.init(1024);
    const p = exports.malloc(100);
    new Uint8Array(memory.buffer).fill(7, p, p + 100);
    const q = exports.realloc(p, 5000);
    expect(exports.malloc_usable_size(q)).toBeGreaterThanOrEqual(5000);
    expect(new Uint8Array(memory.buffer, q, 100).every((byte) => byte === 7)).toBe(true);
    exports.free(q);
    expect(() => exports.free(q)).toThrow(WebAssembly.RuntimeError);
  });
});
