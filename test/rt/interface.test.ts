/**
 * The interface that AssemblyScript's own runtimes offer, row by row of the table in docs/assemblyscript.md: what a program
 * sees under gomalloc is what it sees under the compiler's incremental runtime, or what the table says instead.
 */
import { describe, expect, it } from "vitest";
import {
  Abort,
  AUTOMATIC,
  build,
  type Configuration,
  type Instance,
  instantiate,
  MiB,
  type Runtime,
  text,
} from "./support.ts";

const configuration = (runtime: Runtime, ...flags: string[]): Configuration => ({
  name: runtime,
  runtime,
  flags: flags.length > 0 ? flags : ["-O1"],
});

/** The message of an abort, "trap" for what wasm says, or what came back. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof Abort) return `abort: ${error.message.replace(/ at .*/, "")}`;
    if (error instanceof WebAssembly.RuntimeError) return "trap";
    throw error;
  }
}

interface BlocksExports {
  alignment(): number;
  pairs(n: number, bytes: number): void;
  many(n: number, bytes: number): number;
  resized(bytes: number): number;
  alloc(bytes: number): number;
  realloc(p: number, bytes: number): number;
  free(p: number): void;
  copiedStatic(): number;
  object(): number;
  reset(): void;
  cycles(): number;
  collect(): void;
}

describe.each(AUTOMATIC)("heap.* of %s", (runtime) => {
  const open = async (...flags: string[]) =>
    instantiate<BlocksExports>(await build("test/rt/programs/blocks.ts", configuration(runtime, ...flags)));

  it("gives blocks at multiples of 16 that keep what is in them", async () => {
    const { exports } = await open();
    expect(exports.alignment()).toBeGreaterThanOrEqual(16);
    for (const bytes of [1, 24, 200, 5000, 40_000]) expect(exports.many(1000, bytes)).toBe(0);
    expect(exports.resized(3_000_000)).toBe(0);
    exports.collect();
    expect(exports.resized(3_000_000)).toBe(0);
  });

  it("leaves the collector alone, and the memory as large as it is", async () => {
    const { exports, memorySize } = await open();
    exports.pairs(1, 4_000_000);
    exports.many(2000, 1000);
    const [cycles, before] = [exports.cycles(), memorySize()];
    for (const bytes of [8, 1000, 70_000, 400_000, 4_000_000]) exports.pairs(1000, bytes);
    for (let i = 0; i < 20; i++) exports.many(2000, 1000);
    expect(exports.cycles()).toBe(cycles);
    expect(memorySize()).toBe(before);
  });

  it("leaves null and static blocks alone, and moves the latter by a copy", async () => {
    const { exports } = await open();
    expect(outcome(() => exports.free(0))).toBeUndefined();
    expect(exports.copiedStatic()).toBe(1);
    expect(outcome(() => exports.reset())).toBe("abort: Not implemented");
  });

  it("refuses a block that is free, and none at all to realloc", async () => {
    const { exports } = await open("--debug");
    const [p, large] = [exports.alloc(100), exports.alloc(100_000)];
    for (const block of [p, large]) {
      exports.free(block);
      expect(outcome(() => exports.free(block))).toMatch(/^abort/);
    }
    expect(outcome(() => exports.realloc(exports.alloc(10) + 8, 100))).toMatch(/^abort/);
  });
});

describe("heap.free of gomalloc", () => {
  it("refuses an object, which stays", async () => {
    const built = await build("test/rt/programs/blocks.ts", configuration("gomalloc"));
    const { exports } = instantiate<BlocksExports>(built);
    const object = exports.__pin(exports.object());
    expect(outcome(() => exports.free(object))).toMatch(/^abort: heap.free or heap.realloc of what is no block/);
    expect(outcome(() => exports.realloc(object, 9))).toMatch(/^abort: heap.free or heap.realloc of what is no block/);
    exports.collect();
    expect(outcome(() => exports.__unpin(object))).toBeUndefined();
  });

  it("gives back what the collector's objects then take", async () => {
    const built = await build("test/rt/programs/blocks.ts", configuration("gomalloc"));
    const { exports, memorySize } = instantiate<BlocksExports>(built);
    const p = exports.alloc(16 * MiB);
    exports.free(p);
    const before = memorySize();
    for (let i = 0; i < 100_000; i++) exports.object();
    expect(memorySize()).toBe(before);
  });
});

interface FinalizeExports {
  begin(n: number, how: number): void;
  make(from: number, to: number): void;
  drop(): void;
  finalized(): number;
  wrong(): number;
  ALLOCATES: WebAssembly.Global;
  COLLECTS: WebAssembly.Global;
  ABORTS: WebAssembly.Global;
}

describe.each(AUTOMATIC)("__finalize under %s", (runtime) => {
  const N = 100_000;
  const open = async () => {
    const flags = runtime === "gomalloc" ? ["-O1", "--use", "GOMALLOC_HEAP_MINIMUM=65536"] : ["-O1"];
    const built = await build("test/rt/programs/finalize.ts", configuration(runtime, ...flags));
    return instantiate<FinalizeExports>(built).exports;
  };
  const everything = (exports: Instance<FinalizeExports>["exports"], how: number) => {
    exports.begin(N, how);
    for (let i = 0; i < N; i += 1000) outcome(() => exports.make(i, i + 1000));
    const early = exports.finalized();
    for (let i = 0; i < 200; i++) outcome(() => exports.__collect());
    expect(exports.wrong()).toBe(0);
    return early;
  };

  it.each(["nothing", "ALLOCATES", "COLLECTS"] as const)("is called once for each of the dead: %s", async (how) => {
    const exports = await open();
    const early = everything(exports, how === "nothing" ? 0 : exports[how].value);
    expect(early).toBeGreaterThan(N / 2);
    expect(exports.finalized()).toBe(N * 0.8);
    exports.drop();
    exports.__collect();
    expect(exports.finalized()).toBe(N);
    expect(exports.wrong()).toBe(0);
  });
});

describe("__finalize under gomalloc", () => {
  it("may abort, and is not called again for the same object", async () => {
    const flags = ["-O1", "--use", "GOMALLOC_HEAP_MINIMUM=65536"];
    const built = await build("test/rt/programs/finalize.ts", configuration("gomalloc", ...flags));
    const { exports, memorySize } = instantiate<FinalizeExports>(built);
    exports.begin(100_000, exports.ABORTS.value);
    for (let i = 0; i < 100_000; i += 100) outcome(() => exports.make(i, i + 100));
    const before = memorySize();
    for (let i = 0; i < 400; i++) outcome(() => exports.__collect());
    exports.drop();
    for (let i = 0; i < 400; i++) outcome(() => exports.__collect());
    expect(exports.wrong()).toBe(0);
    expect(exports.finalized()).toBeGreaterThan(90_000);
    // It goes on, in the same memory.
    exports.begin(50_000, 0);
    exports.make(0, 50_000);
    exports.__collect();
    expect(exports.finalized()).toBe(40_000);
    expect(memorySize()).toBeLessThanOrEqual(before + MiB);
  });
});

describe.each(AUTOMATIC)("--noUnsafe with %s", (runtime) => {
  it("compiles what is safe", async () => {
    const entries = ["test/rt/programs/safe.ts"];
    if (runtime === "gomalloc") entries.push("./node_modules/gomalloc/rt-gc.ts");
    const built = await build(entries, configuration(runtime, "-O1", "--noUnsafe", "--pedantic"));
    const { exports } = instantiate<{ shout(n: number): number }>(built);
    expect(text(exports.memory, exports.shout(3))).toBe("0! 1! 2!");
  });
});
