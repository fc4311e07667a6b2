/**
 * The interface that AssemblyScript's own runtimes offer, row by row of the table in docs/assemblyscript.md: what a program
 * sees under gomalloc is what it sees under the compiler's incremental runtime, or what the table says instead.
 */
import { describe, expect, it } from "vitest";
import {
  Abort,
  AUTOMATIC,
  build,
  configuration,
  type Instance,
  instantiate,
  MiB,
  type Runtime,
  text,
} from "./support/compile.ts";

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

interface SmallExports {
  run(n: number): number;
  longest(): number;
  mixture(): number;
  statics(): number;
  drop(): void;
}

const SMALL = "test/rt/programs/small.ts";

/** The compiler's default; the programs here have more. */
const STACK = ["--stackSize", "32768"];

describe.each([
  ["one page", ["--initialMemory", "1", "--maximumMemory", "1"], 1],
  ["one page, for speed", ["--initialMemory", "1", "--maximumMemory", "1", "-O3"], 1],
  ["one page that is imported", ["--initialMemory", "1", "--maximumMemory", "1", "--importMemory"], 1],
  ["40,000 bytes", ["--lowMemoryLimit", "40000", "--stackSize", "4096"], 1],
  ["four pages", ["--initialMemory", "4", "--maximumMemory", "4"], 4],
  ["no limit", ["--exportRuntime"], 65536],
] as [string, string[], number][])("a memory of %s", (_, flags, pages) => {
  it.each(AUTOMATIC)("is enough for a small program under %s", async (runtime) => {
    const built = await build(SMALL, configuration(runtime, "-O1", ...STACK, ...flags));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: pages });
    const { exports, memorySize } = instantiate<SmallExports>(built, () => ({ memory }));
    // Collecting runtimes agree with one that frees nothing, in a memory without a limit.
    const stub = instantiate<SmallExports>(await build(SMALL, configuration("stub"))).exports;
    expect(exports.statics()).toBe(1);
    for (const n of [10, 400, 20_000]) expect(exports.run(n)).toBe(stub.run(n));
    exports.drop();
    expect(exports.mixture()).toBe(stub.mixture());
    expect(exports.longest()).toBe(6 * 1024);
    expect(memorySize()).toBeLessThanOrEqual(pages * 65536);
  });
});

describe("a memory of one page under gomalloc", () => {
  it("is full at some time, which the program survives", async () => {
    const flags = ["-O1", ...STACK, "--initialMemory", "1", "--maximumMemory", "1", "--exportRuntime"];
    const built = await build(SMALL, configuration("gomalloc", ...flags));
    const { exports } = instantiate<SmallExports>(built);
    const pinned: number[] = [];
    const fill = () => {
      for (;;) pinned.push(exports.__pin(exports.__new(100, 1)));
    };
    expect(outcome(fill)).toBe("abort: out of memory");
    // 128 bytes each, header included, in what the data and the stack leave.
    expect(pinned.length).toBeGreaterThan(200);
    expect(new Set(pinned.map((p) => p % 16))).toEqual(new Set([0]));
    for (const p of pinned) exports.__unpin(p);
    expect(outcome(() => exports.__unpin(pinned[0]!))).toBe("abort: Object is not pinned");
    exports.__collect();
    expect(exports.run(1000)).toBe(instantiate<SmallExports>(built).exports.run(1000));
  });
});

/** What @assemblyscript/rtrace does with the hooks: blocks by address, and every store into one of them. */
class Trace {
  readonly blocks = new Map<number, number>();
  readonly counts = { onalloc: 0, onfree: 0, onresize: 0, onmove: 0, onvisit: 0, oncollect: 0 };
  readonly errors: string[] = [];
  heapBase = 0;
  private lowest = 2 ** 32;
  private owners = new Uint32Array(0);
  memory!: WebAssembly.Memory;

  /** Bytes of the block, its first word included, as its first word says. */
  private size(block: number): number {
    return 4 + (new Uint32Array(this.memory.buffer, block, 1)[0]! & ~3);
  }
  private own(block: number, size: number, owner: number): void {
    if (this.owners.length < this.memory.buffer.byteLength >>> 2) {
      const longer = new Uint32Array(this.memory.buffer.byteLength >>> 2);
      longer.set(this.owners);
      this.owners = longer;
    }
    const part = this.owners.subarray(block >>> 2, (block + size) >>> 2);
    if (part.some((before) => before !== (owner ? 0 : block))) this.errors.push(`${block} overlaps another`);
    part.fill(owner);
  }
  readonly imports = {
    oninit: (base: number) => {
      this.heapBase = base;
    },
    onalloc: (block: number) => {
      this.counts.onalloc++;
      if ((block + 4) % 16 || this.blocks.has(block)) this.errors.push(`alloc of ${block}`);
      this.lowest = Math.min(this.lowest, block);
      this.blocks.set(block, this.size(block));
      this.own(block, this.size(block), block);
    },
    onresize: (block: number, old: number) => {
      this.counts.onresize++;
      if (this.blocks.get(block) !== old) this.errors.push(`resize of ${block}`);
      this.own(block, old, 0);
      this.blocks.set(block, this.size(block));
      this.own(block, this.size(block), block);
    },
    onmove: (from: number, to: number) => {
      this.counts.onmove++;
      if (!this.blocks.has(from) || !this.blocks.has(to)) this.errors.push(`move of ${from} to ${to}`);
    },
    onfree: (block: number) => {
      this.counts.onfree++;
      if (this.blocks.get(block) !== this.size(block)) this.errors.push(`free of ${block}`);
      this.own(block, this.size(block), 0);
      this.blocks.delete(block);
    },
    onvisit: (block: number) => {
      this.counts.onvisit++;
      const known = block <= this.heapBase || this.blocks.has(block);
      if (!known) this.errors.push(`visit of ${block}`);
      return known ? 1 : 0;
    },
    oncollect: () => {
      this.counts.oncollect++;
    },
    oninterrupt: () => {},
    onyield: () => {},
    onstore: (ptr: number, offset: number, bytes: number, isRuntime: number) => {
      const at = ptr + offset;
      if (!isRuntime && at >= this.lowest && !this.owners[at >>> 2]) this.errors.push(`store of ${bytes} at ${at}`);
      return ptr;
    },
  };
}

describe("ASC_RTRACE", () => {
  const open = async (entry: string, runtime: Runtime, ...flags: string[]) => {
    const use = ["--use", "ASC_RTRACE=1", "--exportRuntime", "--exportStart", "_initialize"];
    const built = await build(entry, configuration(runtime, ...flags), { flags: use, selfStarting: true });
    const trace = new Trace();
    const abort = () => {
      throw new Error("abort");
    };
    const { exports } = new WebAssembly.Instance(built.module, { env: { abort }, rtrace: trace.imports });
    const program = exports as unknown as SmallExports &
      BlocksExports & { memory: WebAssembly.Memory; __collect(): void; _initialize(): void };
    trace.memory = program.memory;
    program._initialize();
    return { program, trace };
  };

  it.each(["--debug", "-O3"])("a leak test sees what it sees under incremental: %s", async (level) => {
    const seen: unknown[] = [];
    for (const runtime of AUTOMATIC) {
      const { program, trace } = await open(SMALL, runtime, level);
      program.statics();
      const hash = program.run(3000);
      program.__collect();
      const kept = trace.blocks.size;
      program.drop();
      program.__collect();
      const { onalloc, onfree, onvisit, oncollect } = trace.counts;
      expect(trace.errors, runtime).toEqual([]);
      expect(onvisit).toBeGreaterThan(1000);
      seen.push({ hash, kept, left: trace.blocks.size, onalloc, onfree, collected: oncollect > 1 });
    }
    expect(seen[1]).toEqual(seen[0]);
  });

  it("tells of blocks of heap.alloc that move", async () => {
    const { program, trace } = await open("test/rt/programs/blocks.ts", "gomalloc", "-O1");
    expect(program.resized(100_000)).toBe(0);
    expect(program.many(500, 100)).toBe(0);
    expect(trace.counts.onmove).toBeGreaterThan(5);
    // The program's own table is left, and what is leaked here.
    expect(trace.blocks.size).toBe(1);
    const leaked = program.alloc(100);
    expect([...trace.blocks.keys()].slice(1)).toEqual([leaked - 4]);
    expect(trace.errors).toEqual([]);
  });
});

describe("flags of the compiler, with gomalloc", () => {
  it.each(
    [
      ["--memoryBase", "5000", "--tableBase", "3"],
      ["--enable", "threads", "--sharedMemory", "--maximumMemory", "100"],
      ["--importMemory", "--zeroFilledMemory"],
      ["--disable", "bulk-memory,sign-extension,nontrapping-f2i,mutable-globals"],
      ["--noAssert", "-Oz"],
      ["--stackSize", "100000", "--debug", "--pedantic"],
      ["--uncheckedBehavior", "always", "--trapMode", "clamp", "--exportTable"],
      ["--use", "ASC_GC_GRANULARITY=512", "--use", "ASC_GC_IDLEFACTOR=300"],
    ].map((flags) => ({ flags, name: flags.join(" ") })),
  )("$name", async ({ flags: given }) => {
    const built = await build(SMALL, configuration("gomalloc", "-O1", ...given));
    const shared = given.includes("--sharedMemory");
    const memory = new WebAssembly.Memory(shared ? { initial: 17, maximum: 100, shared } : { initial: 17 });
    // What was in an imported memory before is nothing that the program may see.
    if (given.includes("--importMemory")) new Uint8Array(memory.buffer, 1 << 20).fill(0);
    const { exports } = instantiate<SmallExports>(built, () => ({ memory }));
    const stub = instantiate<SmallExports>(await build(SMALL, configuration("stub"))).exports;
    expect(exports.run(3000)).toBe(stub.run(3000));
    exports.__collect();
    expect(exports.mixture()).toBe(stub.mixture());
  });

  it("ASC_GC_IDLEFACTOR is GOGC by another name", async () => {
    const entries = [SMALL, "./node_modules/gomalloc/rt-gc.ts"];
    for (const [use, percent] of Object.entries({ "ASC_GC_IDLEFACTOR=300": 200, "ASC_GC_SWEEPFACTOR=500": 100 })) {
      const built = await build(entries, configuration("gomalloc", "-O1", "--use", use));
      const { exports } = instantiate<{ setGCPercent(percent: number): number }>(built);
      expect(exports.setGCPercent(50)).toBe(percent);
    }
  });

  it("ASC_PROFILE tells of collections", async () => {
    const told = { oncollect: 0, oninterrupt: 0, onyield: 0 };
    const hook = (name: keyof typeof told) => (total: number) => {
      expect(total).toBeGreaterThan(0);
      told[name]++;
    };
    const rtrace = {
      oncollect: hook("oncollect"),
      oninterrupt: hook("oninterrupt"),
      onyield: hook("onyield"),
    };
    const use = ["--use", "ASC_PROFILE=1", "--use", "GOMALLOC_HEAP_MINIMUM=65536"];
    const built = await build(SMALL, configuration("gomalloc", "-O1", ...use));
    const { exports } = instantiate<SmallExports>(built, undefined, { rtrace });
    exports.run(20_000);
    exports.__collect();
    expect(told.oncollect).toBe(1);
    expect(told.oninterrupt).toBeGreaterThan(1);
    expect(told.onyield).toBe(told.oninterrupt);
  });
});

interface RenewExports {
  renewed(from: number, to: number): number;
  grownIntoDead(more: number, size: number): number;
  pushed(n: number): number;
}

describe.each(AUTOMATIC)("__renew under %s", (runtime) => {
  it("keeps what there was, and what is new reads as zero", async () => {
    const { exports } = instantiate<RenewExports>(
      await build("test/rt/programs/renew.ts", configuration(runtime, "-O1")),
    );
    const sizes = [0, 1, 8, 15, 24, 100, 255, 500, 1000, 5000, 30_000, 32_760, 32_761, 50_000, 300_000, 2_000_000];
    for (let round = 0; round < 3; round++)
      for (const from of sizes) for (const to of sizes) expect(exports.renewed(from, to), `${from} ${to}`).toBe(0);
    expect(exports.pushed(400_000)).toBe(0);
  });
});

it("__renew clears the pages of a dead object that a large one grows into, whatever was fresh before", async () => {
  const built = await build("test/rt/programs/renew.ts", configuration("gomalloc", "-O1"));
  for (const more of [1, 2, 3, 4, 5, 6]) {
    for (const size of [27_000, 32_000, 40_000]) {
      const { exports } = instantiate<RenewExports>(built);
      expect(exports.grownIntoDead(more, size), `${more} pages after ${size} bytes`).toBe(0);
    }
  }
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
