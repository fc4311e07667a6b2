/**
 * The packed package's types, in a program that checks libraries too: with the least TypeScript that README.md names, and
 * with this package's own.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Installed, ROOT } from "../support/installed.ts";

let installed: Installed;
beforeAll(async () => {
  installed = await Installed.create();
});
afterAll(() => installed.dispose());

const LEAST = "typescript-5.7";
const CURRENT = "typescript";
const OPTIONS = {
  target: "ES2022",
  lib: ["ES2022", "DOM"],
  types: [],
  noEmit: true,
  skipLibCheck: false,
  strict: true,
};

const PROGRAM = `
  import { createHeap, createHeapAsync, type Heap, type HeapView, instantiateWith } from "gomalloc";
  import { attachHeap, createSharedHeap, type SharedHeap } from "gomalloc/shared";
  import * as sharedSlim from "gomalloc/shared/slim";
  import * as slim from "gomalloc/slim";
  import { CounterRecorder, measureHeapMemory, type MemoryMeasurement, prometheusText } from "gomalloc/metrics";
  import { buildProfile, type HeapRecord, type Profile } from "gomalloc/profile";
  import { inspect, link, swap } from "gomalloc/tools";

  const heap: Heap = createHeap({ maxBytes: 1 << 20, collector: { onCycle: ({ number }) => number } });
  export const own: HeapView<Uint8Array<ArrayBuffer>> = heap.view(Uint8Array, heap.malloc(8));
  export const floats: Float64Array<ArrayBuffer> = heap.view(Float64Array, heap.malloc(8)).get();
  const shared: SharedHeap = createSharedHeap({ procs: 2 });
  export const bytes: HeapView<Uint8Array<SharedArrayBuffer>> = shared.view(Uint8Array, shared.malloc(8));
  export const longs: BigInt64Array<SharedArrayBuffer> = shared.view(BigInt64Array, shared.malloc(8)).get();
  export const buffer: SharedArrayBuffer = shared.view(Uint8ClampedArray, shared.malloc(8)).get().buffer;
  export const whole: Uint32Array<SharedArrayBuffer> = shared.u32;
  const size = { size: 8, pointers: { next: 0 } } as const;
  export const slot: number = heap.collector.new(heap.collector.defineType(size)).slot("next");
  // @ts-expect-error: the type has no such pointer
  heap.collector.new(heap.collector.defineType(size)).slot("last");
  // @ts-expect-error: there is no such option
  createHeap({ maxbytes: 1 });
  // @ts-expect-error: nor here
  createSharedHeap({ initial: 1 });
  // @ts-expect-error: a size is a number
  heap.malloc(8n);
  const record: HeapRecord = { rate: 1, buckets: [], texts: new Map() };
  export const profile: Profile = buildProfile(record, { symbols: undefined });
  export const measured: MemoryMeasurement = measureHeapMemory(shared);
  export const page: string = prometheusText([{ heap }, { heap: shared, labels: { heap: "two" } }]);
  export const live: number = new CounterRecorder(heap).sample().heapAlloc;
  // @ts-expect-error: a memory has no statistics
  prometheusText(heap.memory);
  export const functions = [createHeapAsync, instantiateWith, attachHeap, slim, sharedSlim, inspect, link, swap];
`;

/** TypeScript before 5.9 lets an array over either kind of buffer pass for one over the other. */
const APART = `
  import { createSharedHeap } from "gomalloc/shared";
  const shared = createSharedHeap();
  // @ts-expect-error: it lies on a SharedArrayBuffer
  export const wrong: Uint8Array<ArrayBuffer> = shared.view(Uint8Array, shared.malloc(8)).get();
`;

async function compile(typescript: string, program: string, options: object): Promise<string> {
  await installed.write("main.ts", program);
  const compilerOptions = { ...OPTIONS, ...options };
  await installed.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  return (await installed.node(join(ROOT, "node_modules", typescript, "bin/tsc"), "-p", ".")).stdout;
}

describe.each([LEAST, CURRENT])("%s", (typescript) => {
  it.each([
    ["NodeNext", "NodeNext"],
    ["ESNext", "Bundler"],
  ])("compiles a program, module %s, resolution %s, libraries checked", async (module, moduleResolution) => {
    expect(await compile(typescript, PROGRAM, { module, moduleResolution })).toBe("");
    const strictest = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, isolatedModules: true };
    expect(await compile(typescript, PROGRAM, { module, moduleResolution, ...strictest })).toBe("");
  });
});

it("keeps arrays over the two kinds of buffer apart", async () => {
  expect(await compile(CURRENT, APART, { module: "NodeNext", moduleResolution: "NodeNext" })).toBe("");
});

it("the least TypeScript is the one that README.md names", () => {
  const version = (name: string): string =>
    JSON.parse(readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8")).version;
  expect(version(LEAST)).toMatch(/^5\.7\./);
  expect(readFileSync(join(ROOT, "README.md"), "utf8")).toContain("TypeScript 5.7");
});
