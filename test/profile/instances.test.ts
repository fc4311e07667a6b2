/** Hooks for programs that other code instantiates, and what a hook tells when the memory grows. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ProfiledInstances, profileImports, profileInstances, readSamples } from "../../src/profile.ts";
import { readSnapshot } from "../../src/snapshot/index.ts";
import { link } from "../../src/tools/link.ts";
import { assemble, COUNTING_PROGRAM } from "../support/assemble.ts";

let wasm: Uint8Array<ArrayBuffer>;
let profiled: ProfiledInstances | undefined;

beforeAll(async () => {
  // A link of the other flavour before: each has its own text.
  const plain = await link(assemble(COUNTING_PROGRAM));
  expect(WebAssembly.Module.imports(new WebAssembly.Module(plain.wasm))).toEqual([]);
  wasm = (await link(assemble(COUNTING_PROGRAM), { profile: true })).wasm;
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm)).map(({ name }) => name);
  expect(imports.sort()).toEqual(["option", "report", "stack"]);
});
afterEach(() => profiled?.stop());

const count = ({ exports }: WebAssembly.Instance, n: number) => (exports["count"] as (n: number) => number)(n);

/** How code that knows nothing of profiles instantiates a module. */
const WAYS: Record<string, () => Promise<WebAssembly.Instance>> = {
  "instantiate of bytes": async () => (await WebAssembly.instantiate(wasm, {})).instance,
  "instantiate of a module": async () => WebAssembly.instantiate(await WebAssembly.compile(wasm)),
  "new Instance": async () => new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: {} }),
  instantiateStreaming: async () => {
    const response = new Response(wasm, { headers: { "content-type": "application/wasm" } });
    return (await WebAssembly.instantiateStreaming(response, {})).instance;
  },
};

describe("profileInstances", () => {
  it.each(Object.keys(WAYS))("gives hooks to what is made by %s", async (way) => {
    profiled = profileInstances({ rate: 1 });
    const instance = await WAYS[way]!();
    expect(instance).toBeInstanceOf(WebAssembly.Instance);
    expect(count(instance, 1000)).toBe(499500);
    expect(profiled.instances).toHaveLength(1);
    const [{ instance: noted, memory, module }] = profiled.instances as [(typeof profiled.instances)[0]];
    expect([noted, memory]).toEqual([instance, instance.exports["memory"]]);
    expect(WebAssembly.Module.exports(module).map(({ name }) => name)).toContain("count");
    const { buckets } = readSamples(memory);
    expect(buckets.reduce((sum, { allocs }) => sum + allocs, 0)).toBe(1000);
    expect(buckets.every(({ stack }) => stack.length > 1)).toBe(true);
  });

  it("leaves others alone, and what has hooks already", async () => {
    profiled = profileInstances();
    const plain = assemble('(module (import "env" "x" (func)) (func (export "y")))');
    await WebAssembly.instantiate(plain, { env: { x() {} } });
    await expect(WebAssembly.instantiate(plain, { env: {} })).rejects.toThrow(WebAssembly.LinkError);
    let memory: WebAssembly.Memory | undefined;
    const gomalloc = profileImports(() => memory, { rate: 1 });
    const { instance } = await WebAssembly.instantiate(wasm, { gomalloc });
    memory = instance.exports["memory"] as WebAssembly.Memory;
    count(instance, 10);
    expect(profiled.instances).toEqual([]);
    expect(readSamples(memory).buckets.length).toBeGreaterThan(0);
  });

  it("stops, and refuses bad options at once", async () => {
    const before = { ...WebAssembly };
    const { instantiate, Instance } = WebAssembly;
    profileInstances().stop();
    expect([WebAssembly.instantiate, WebAssembly.Instance]).toEqual([instantiate, Instance]);
    expect({ ...WebAssembly }).toEqual(before);
    expect(() => profileInstances({ rate: -1 })).toThrow(RangeError);
    expect(WebAssembly.instantiate).toBe(instantiate);
    await expect(WebAssembly.instantiate(wasm, {})).rejects.toThrow(TypeError);
  });
});

describe("onGrowth", () => {
  it("is told of the memory when it has grown, and may read the heap", async () => {
    const seen: { bytes: number; live: number; blocks: number }[] = [];
    let memory: WebAssembly.Memory | undefined;
    const onGrowth = (grown: WebAssembly.Memory) => {
      const { live } = readSamples(grown);
      seen.push({ bytes: grown.buffer.byteLength, live: live.length, blocks: readSnapshot(grown).totals.heapObjects });
    };
    const gomalloc = profileImports(() => memory, { rate: 1, onGrowth });
    const { instance } = await WebAssembly.instantiate(wasm, { gomalloc });
    memory = instance.exports["memory"] as WebAssembly.Memory;
    expect(count(instance, 20_000)).toBe(199_990_000);
    expect(seen.length).toBeGreaterThan(2);
    const sizes = seen.map(({ bytes }) => bytes);
    expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => a - b));
    expect(sizes.at(-1)).toBeLessThanOrEqual(memory.buffer.byteLength);
    // Near the peak, though the program has freed all of it since.
    expect(seen.at(-1)!.live).toBeGreaterThan(10_000);
    expect(seen.at(-1)!.blocks).toBeGreaterThan(10_000);
    expect(readSamples(memory).live).toEqual([]);
  });

  it("must be a function", () => {
    expect(() => profileImports(() => undefined, { onGrowth: 1 as never })).toThrow("onGrowth must be a function");
  });
});
