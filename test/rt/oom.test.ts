/**
 * Memory that ends (--maximumMemory): what does not fit is an abort that the host may catch, and all that was there
 * before it is intact and goes on being usable. gomalloc says "out of memory"; built-in runtimes say that the
 * allocation is too large, or trap.
 */
import { beforeAll, describe, expect, it } from "vitest";
import {
  Abort,
  type Build,
  build,
  COLLECTING,
  type Configuration,
  type Instance,
  instantiate,
  oursOr,
} from "./support/compile.ts";

const ENTRY = "test/rt/programs/oom.ts";
/** Wasm pages: the shadow stack takes 16 of them. */
const PAGES = 96;
const FLAGS = ["-O1", "--maximumMemory", String(PAGES)];
const BYTES = PAGES * 65536;

interface OomExports {
  prepare(): void;
  intact(): number;
  prepareWide(): void;
  wideIntact(): number;
  raw(bytes: number): number;
  alloc(bytes: number): number;
  realloc(ptr: number, bytes: number): number;
  free(ptr: number): void;
  buffer(bytes: number): number;
  staticArray(length: number): number;
  text(times: number): number;
  doubling(): number;
  pushing(): number;
  hoarding(bytes: number): void;
  hoardSize(): number;
  release(): void;
  overflows(): number;
  unwind(): void;
  garbage(bytes: number): void;
  smallGarbage(bytes: number, n: number): void;
}

/** Sizes beyond any memory here, around every power of two where arithmetic of 32 bits may go wrong. */
const HUGE = [
  BYTES,
  2 ** 29,
  2 ** 30 - 16,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 65536,
  2 ** 32 - 16,
  2 ** 32 - 1,
].flatMap((n) => [n - 9, n]);

const CONFIGURATIONS: Configuration[] = COLLECTING.map((runtime) => ({ name: runtime, runtime, flags: FLAGS }));

/** How a call ended that may end for want of memory: "came back", "trap" or the message of the abort. */
function attempt(call: () => unknown): string {
  try {
    call();
    return "came back";
  } catch (error) {
    if (error instanceof Abort) return error.message;
    if (error instanceof WebAssembly.RuntimeError) return "trap";
    throw error;
  }
}

describe.each(CONFIGURATIONS)("$name", (configuration) => {
  let built: Build;
  let instance: Instance<OomExports>;
  beforeAll(async () => {
    built = await build(ENTRY, configuration);
  });

  /** An instance with data, in what is left of its memory. */
  function open(): OomExports & { __collect(): void } {
    instance = instantiate<OomExports>(built);
    instance.exports.prepare();
    expect(instance.exports.intact()).toBe(500);
    return instance.exports;
  }

  /** The call must end for want of memory; `says` is what a built-in runtime or std may say of it instead. */
  function fails(call: () => unknown, says = /^allocation too large/i): void {
    const allowed = configuration.runtime === "gomalloc" ? /^out of memory/i : new RegExp(`^trap$|${says.source}`, "i");
    expect(attempt(call)).toMatch(allowed);
    instance.exports.unwind();
  }

  it("refuses what no memory can hold", () => {
    const exports = open();
    for (const bytes of HUGE) {
      fails(() => exports.raw(bytes));
      fails(() => exports.alloc(bytes));
    }
    const block = exports.alloc(100);
    for (const bytes of HUGE) fails(() => exports.realloc(block, bytes));
    exports.free(block);
    for (const bytes of [BYTES, 2 ** 29, 2 ** 30 - 64]) fails(() => exports.buffer(bytes));
    for (const length of [BYTES / 8, 2 ** 26]) fails(() => exports.staticArray(length));
    fails(() => exports.text(2 ** 20));
    expect(exports.intact()).toBe(500);
    exports.__collect();
    expect(exports.intact()).toBe(500);
    exports.garbage(100_000);
    expect(instance.memorySize()).toBeLessThanOrEqual(BYTES);
  });

  it.each(["doubling", "pushing"] as const)("goes on after %s came to the end", (way) => {
    const exports = open();
    for (let i = 0; i < 3; i++) {
      fails(() => exports[way]());
      expect(exports.intact()).toBe(500);
      exports.__collect();
      expect(exports.intact()).toBe(500);
    }
    exports.garbage(200_000);
    expect(exports.intact()).toBe(500);
  });

  it.each([0, 8, 300, 9000, 70_000])("keeps a hoard of %i bytes each, and can be emptied and filled again", (bytes) => {
    const exports = open();
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) {
      fails(() => exports.hoarding(bytes));
      sizes.push(exports.hoardSize());
      expect(exports.intact()).toBe(500);
      exports.release();
      exports.__collect();
      expect(exports.intact()).toBe(500);
    }
    // Much of the memory was theirs, each time.
    for (const n of sizes) expect(n * (bytes + 100)).toBeGreaterThan(BYTES / 4);
    expect(sizes[2]).toBeGreaterThan(sizes[0]! * 0.8);
  });

  it("marks a wide graph and static objects behind it when there is no memory to mark with", () => {
    const exports = open();
    exports.prepareWide();
    expect(exports.wideIntact()).toBe(8);
    fails(() => exports.hoarding(300));
    exports.__collect();
    if (configuration.runtime === "gomalloc") expect(exports.overflows()).toBeGreaterThan(0);
    // The texts are of 12 bytes: these take their places if the collection has lost them.
    attempt(() => exports.smallGarbage(12, 100));
    expect(exports.wideIntact()).toBe(8);
    expect(exports.intact()).toBe(500);
    expect(exports.hoardSize()).toBeGreaterThan(0);
    exports.release();
    exports.__collect();
    for (let i = 0; i < 20; i++) exports.garbage(100_000);
    expect(exports.wideIntact()).toBe(8);
  });
});

describe.each(
  oursOr<Configuration>(
    { name: "gomalloc", runtime: "gomalloc", flags: FLAGS },
    { name: "gomalloc, no cycles of its own", runtime: "gomalloc", flags: [...FLAGS, "--use", "GOMALLOC_GC_OFF=1"] },
  ),
)("$name", (configuration) => {
  it("collects before it gives up", async () => {
    const { exports, memorySize } = instantiate<OomExports>(await build(ENTRY, configuration));
    exports.prepare();
    exports.garbage(20 * BYTES);
    expect(exports.intact()).toBe(500);
    expect(memorySize()).toBeLessThanOrEqual(BYTES);
  });
});
