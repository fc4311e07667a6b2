/**
 * Sampling under hostile input: wrong options, heaps that are gone, memory that was damaged on purpose, hooks that throw or
 * call the heap, stacks without end, addresses above 2 GiB, and requests that no client would make.
 */
import { describe, expect, it } from "vitest";
import { GomallocError, InvariantError } from "../../src/index.ts";
import {
  createHeap,
  type DamageReport,
  encodePprof,
  findLeaks,
  formatRecord,
  formatTop,
  leaksOf,
  type ProfiledHeap,
  pprofHandler,
  profileImports,
  profileOf,
  readSamples,
  samplingFromEnv,
} from "../../src/profile.ts";
import { createSharedHeap } from "../../src/profile-shared.ts";
import { HEAP_ZEROBASE, PROFILE_AT } from "../../src/snapshot/layout.ts";
import { callHostile, hostileCalls } from "../support/hostile.ts";
import { env, random } from "../support/random.ts";
import {
  type HostExports,
  M_PROFILE_GUARD,
  M_PROFILE_RATE,
  M_QUARANTINE,
  PROFILE_SEED,
  unsigned,
  WASM_PAGE,
  wasmModule,
} from "../support/wasm.ts";

const SEED = env("SAMPLING_SEED", 0x5a3b1e);
/** The number of the law about samples. */
const BAD_SAMPLE = 54;

describe("options", () => {
  const GOOD = { rate: 1, guard: true, quarantine: 4096, seed: 5, onReport: () => undefined };

  it("of a heap's creation are checked, each", () => {
    const api = {
      create: (profile: never) => createHeap({ profile }).dispose(),
      imports: (options: never) => void profileImports(() => undefined, options),
    };
    for (const call of ["create", "imports"] as const) {
      for (const [what, args] of hostileCalls([GOOD], [])) callHostile(api, call, args, `${call}: ${what}`);
    }
    for (const [what, args] of hostileCalls([{ profile: GOOD }], [])) {
      callHostile({ createHeap }, "createHeap", args, `createHeap: ${what}`);
    }
    for (const rate of [-1, 0x70000001, Number.NaN, Infinity, 1.5, 1e300, "8", null, 2n]) {
      expect(() => createHeap({ profile: { rate: rate as never } }), String(rate)).toThrow(/rate must be an integer/);
    }
    for (const rate of [0, 1, 0x70000000]) expect(createHeap({ profile: { rate } }).samples().rate).toBe(rate);
  });

  it("of its methods and of the functions are checked, each", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    heap.malloc(100);
    const api = {
      profile: (options: never) => heap.profile(options),
      samples: (options: never) => heap.samples(options),
      snapshot: (options: never) => heap.snapshot(options),
      leaks: (options: never) => heap.leaks(options),
      setSampling: (options: never) => heap.setSampling(options),
      profileOf,
      leaksOf,
      readSamples,
    };
    const rows: [keyof typeof api, unknown[]][] = [
      ["profile", [{ gc: true }]],
      ["samples", [{ gc: true }]],
      ["snapshot", [{ label: "x" }]],
      ["leaks", [{ olderThan: 1 }]],
      ["setSampling", [{ rate: 1, guard: false, quarantine: 0 }]],
      ["profileOf", [heap]],
      ["leaksOf", [heap, { olderThan: 1 }]],
      ["readSamples", [heap.memory, { fresh: true }]],
    ];
    for (const [call, good] of rows) {
      for (const [what, args] of hostileCalls(good, [])) callHostile(api, call, args, `${call}: ${what}`);
    }
    heap.validate({ deep: true });
  });

  it("of a shared heap's snapshot are checked", () => {
    const heap = createSharedHeap({ profile: { rate: 1 } });
    expect(() => heap.snapshot({ strange: 1 } as never)).toThrow(/snapshot has no option "strange"/);
    expect(() => heap.snapshot(null as never)).toThrow(TypeError);
    heap.dispose();
  });

  it("from the environment", () => {
    expect(samplingFromEnv({})).toEqual({});
    expect(samplingFromEnv({ GODEBUG: "gctrace=1" })).toEqual({});
    expect(samplingFromEnv({ GODEBUG: "memprofilerate=1,gctrace=1,memprofilerate=0" })).toEqual({ rate: 0 });
    for (const value of ["", "x", "1.5", "1e3", "99999999999"]) {
      expect(() => samplingFromEnv({ GODEBUG: `memprofilerate=${value}` })).toThrow(/memprofilerate must be a whole/);
    }
    for (const value of ["-1", "2147483647"]) {
      expect(() => samplingFromEnv({ GODEBUG: `memprofilerate=${value}` })).toThrow(RangeError);
    }
  });
});

describe("a disposed heap", () => {
  it("has no profile, and the handler says so", async () => {
    for (const heap of [createHeap({ profile: { rate: 1 } }), createSharedHeap({ profile: { rate: 1 } })]) {
      heap.malloc(10);
      heap.dispose();
      expect(() => profileOf(heap)).toThrow(/disposed/);
      expect(() => leaksOf(heap)).toThrow(/disposed/);
      const answer = await ask(heap, "/?gc=0");
      expect(answer.status).toBe(500);
      expect(answer.body).toMatch(/disposed/);
    }
  });
});

/** What the handler answers. */
async function ask(heap: Parameters<typeof pprofHandler>[0], url: string, method = "GET") {
  const answer = { status: 0, body: "" };
  await pprofHandler(heap)(
    { url, method },
    {
      writeHead: (status) => {
        answer.status = status;
      },
      end: (body = "") => {
        answer.body = String(body);
      },
    },
  );
  return answer;
}

describe("the pprof handler", () => {
  const heap = createHeap({ profile: { rate: 1 } });

  it.each([
    ...["?seconds=1e9", "?seconds=0x1", "?seconds=%00", "?seconds=1.5", "?seconds=", "?seconds=+1", "?gc=true"],
    ...["?debug=3", "?debug=-0", "?seconds=99999999999999999999", "?gc=1%26", "?gc=NaN", "?debug=1&seconds=1"],
  ])("refuses %s", async (query) => {
    const { status, body } = await ask(heap, `/debug/pprof/heap${query}`);
    expect(status).toBe(400);
    expect(body).toMatch(/seconds|gc|debug/);
  });

  it.each(["", "?", "???", "?gc", "?x=1&&&=", "#?gc=9", "?%E0%A4%A", "?debug=2#x"])("answers %s", async (query) => {
    // Without a value a parameter is no number.
    expect((await ask(heap, query)).status).toBe(query === "?gc" ? 400 : 200);
  });

  it.each(["POST", "HEAD", "get", "", "\r\nX: y"])("refuses the method %j", async (method) => {
    expect((await ask(heap, "/", method)).status).toBe(405);
  });

  it("never rejects: not for a request or a response that throws", async () => {
    const throws = () => {
      throw new Error("the connection is gone");
    };
    const response = { writeHead: throws, end: throws };
    const handler = pprofHandler(heap);
    await handler({ url: "/" }, response);
    await handler({ url: "/?gc=x" }, response);
    await handler({ url: "/", method: "PUT" }, response);
    await handler({ url: 5 as never }, { writeHead: () => undefined, end: () => undefined });
    await handler(null as never, response);
    for (const wrong of [null, undefined, {}, 5, { memory: null }]) {
      expect((await ask(wrong as never, "/")).status).toBe(500);
    }
  });
});

describe("damaged records", () => {
  /** All that can be made of a heap's samples. */
  function readAll(heap: ProfiledHeap, at: number): void {
    const samples = readSamples(heap.memory, { heap: at, fresh: true });
    const profile = profileOf(heap);
    encodePprof(profile);
    formatTop(profile);
    formatRecord(samples);
    findLeaks(samples, samples.live, { time: 0, cycle: samples.cycle });
  }

  it("end every reader, and with no other error than the documented ones", () => {
    const r = random(SEED);
    const heap = createHeap({ profile: { guard: "all", seed: 1 } });
    const blocks = Array.from({ length: 300 }, (_, i) => heap.malloc(1 + i * 7));
    for (const p of blocks.slice(100)) heap.free(p);
    for (let i = 0; i < 50; i++) heap.mallocgc(64, null, true);
    const address = heap.mallocgc(0, null, false) - HEAP_ZEROBASE;
    const at = [...Array.from({ length: 32 }, (_, i) => profileAt(heap) + i * 4)];
    const words = new DataView(heap.memory.buffer);
    const word = (offset: keyof typeof PROFILE_AT) => words.getUint32(profileAt(heap) + PROFILE_AT[offset], true);
    const [table, heads, names] = [word("table"), word("heads"), word("names")];
    for (let i = 0; i < 100; i++) at.push(table + 4 * (r() % 8192), heads + 4 * (r() % 4096), names + 4 * (r() % 2048));
    // The chains' records: what the heads lead to.
    for (let i = 0; i < 4096; i++) {
      const bucket = words.getUint32(heads + i * 4, true);
      if (bucket !== 0 && at.length < 1000) for (let k = 0; k < 14; k++) at.push(bucket + 4 * k);
    }
    let refused = 0;
    let broken = 0;
    for (const place of at) {
      if (r() % 4 !== 0) continue;
      const old = words.getUint32(place, true);
      const values = [0, 1, 0xffffffff, r(), old ^ (1 << (r() % 32)), place, heads, table];
      words.setUint32(place, values[r() % values.length]!, true);
      try {
        readAll(heap, address);
      } catch (error) {
        if (!(error instanceof GomallocError)) throw new Error(`seed ${SEED}, word ${place}`, { cause: error });
        refused++;
      }
      // validate finds it, or it does not matter; it ends either way.
      try {
        heap.validate();
      } catch (error) {
        expect(error).toBeInstanceOf(InvariantError);
        if ((error as InvariantError).invariant === BAD_SAMPLE) broken++;
      }
      words.setUint32(place, old, true);
    }
    expect(refused).toBeLessThan(at.length / 4);
    expect(broken, "damages that validate has named as such").toBeGreaterThan(20);
    heap.validate({ deep: true });
  });
});

/** Address of the heap's Profile: its rate, 1, and its seed's words follow from the heap's own samples. */
function profileAt(heap: ProfiledHeap): number {
  const address = heap.mallocgc(0, null, false) - HEAP_ZEROBASE;
  const words = new DataView(heap.memory.buffer);
  // The first place behind the record's mark that reads as this profile does.
  const { rate, quarantined } = heap.samples();
  for (let at = address; at < address + 65536; at += 4) {
    if (words.getUint32(at + PROFILE_AT.rate, true) !== rate || words.getUint32(at + PROFILE_AT.guard, true) !== 1)
      continue;
    if (words.getUint32(at + PROFILE_AT.quarantined, true) === quarantined && quarantined !== 0) return at;
  }
  throw new Error("no profile");
}

/** A raw instance of the host flavour that samples each block, with these hooks in place of the package's. */
function raw(hooks: (e: () => HostExports) => Partial<Record<"stack" | "report", (...args: number[]) => number>>) {
  const memory = new WebAssembly.Memory({ initial: 16 });
  let e: HostExports | undefined;
  const gomalloc = {
    option: (param: number) =>
      ({ [M_PROFILE_RATE]: 1, [M_PROFILE_GUARD]: 1, [M_QUARANTINE]: 4096, [PROFILE_SEED]: 7 })[param] ?? 0,
    stack: () => 0,
    report: () => 0,
    ...hooks(() => e!),
  };
  const instance = new WebAssembly.Instance(wasmModule("host-profile"), { env: { memory }, gomalloc });
  e = unsigned<HostExports>(instance.exports);
  e.init(WASM_PAGE);
  return { e, memory };
}

describe("hooks", () => {
  it("that throw out of a stack leave the heap whole, and the next sample is taken", () => {
    let throws = false;
    let taken = 0;
    const { e } = raw(() => ({
      stack: () => {
        if (throws) throw new Error("no stack");
        taken++;
        return 0;
      },
    }));
    const p = e.malloc(100);
    throws = true;
    for (let i = 0; i < 10; i++) {
      expect(() => e.malloc(100)).toThrow("no stack");
      expect(() => e.malloc(300_000)).toThrow("no stack");
      expect(() => e.calloc(1, 5000)).toThrow("no stack");
      expect(() => e.free(p)).toThrow("no stack");
    }
    expect(e.validateDeep()).toBe(0);
    throws = false;
    const before = taken;
    const q = e.malloc(100);
    expect(taken).toBe(before + 1);
    expect([e.tryFree(p), e.tryFree(q), e.tryFree(q)]).toEqual([0, 0, 1]);
    expect(e.validateDeep()).toBe(0);
  });

  it("of the package give no stack to what they allocate themselves", () => {
    const memory = new WebAssembly.Memory({ initial: 16 });
    let e: HostExports | undefined;
    let depth = 0;
    let deepest = 0;
    const gomalloc = profileImports(
      () => {
        if (e === undefined) return memory;
        depth++;
        deepest = Math.max(deepest, depth);
        if (depth < 5) e.free(e.malloc(64));
        depth--;
        return memory;
      },
      { rate: 1, guard: true },
    );
    const instance = new WebAssembly.Instance(wasmModule("host-profile"), {
      env: { memory },
      gomalloc: gomalloc as unknown as WebAssembly.ModuleImports,
    });
    e = unsigned<HostExports>(instance.exports);
    e.init(WASM_PAGE);
    for (let i = 0; i < 100; i++) e.free(e.malloc(100));
    expect(deepest).toBe(1);
    expect(e.validateDeep()).toBe(0);
  });

  it("that throw out of a report while a block is allocated lose no block", () => {
    let reports = 0;
    const heap = createHeap({
      profile: {
        guard: "all",
        onReport: () => {
          reports++;
          throw new Error("damaged");
        },
      },
    });
    const blocks = Array.from({ length: 20 }, () => heap.malloc(100));
    for (const p of blocks) heap.u8[p + 100] = heap.u8[p + 100]! ^ 1;
    let allocated = 0;
    for (let i = 0; i < 200; i++) {
      try {
        heap.malloc(50);
        allocated++;
      } catch (error) {
        expect(String(error)).toMatch(/damaged/);
      }
    }
    expect(reports).toBe(20);
    expect(allocated).toBe(180);
    expect(heap.samples().live).toHaveLength(20 + allocated);
    heap.validate({ deep: true });
  });

  it("that use the heap in a report", () => {
    const kinds: string[] = [];
    const heap: ProfiledHeap = createHeap({
      profile: {
        guard: "all",
        quarantine: 8192,
        onReport: ({ kind }: DamageReport) => {
          kinds.push(kind);
          if (kinds.length < 100) for (let i = 0; i < 3; i++) heap.free(heap.malloc(40));
          heap.profile();
        },
      },
    });
    const blocks = Array.from({ length: 20 }, () => heap.malloc(100));
    for (const p of blocks) heap.u8[p - 1] = heap.u8[p - 1]! ^ 1;
    for (const p of blocks) heap.free(p);
    for (let i = 0; i < 300; i++) heap.free(heap.malloc(60));
    expect(kinds).toEqual(Array.from({ length: 20 }, () => "underflow"));
    heap.validate({ deep: true });
  });
});

describe("stacks", () => {
  it("of thousands of frames keep the leaf's side", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    function leaf(): number {
      return heap.malloc(100);
    }
    function deep(n: number): number {
      return n === 0 ? leaf() : deep(n - 1);
    }
    deep(4000);
    const [{ stack } = { stack: [] }] = heap.samples().buckets;
    expect(stack.length).toBeLessThanOrEqual(64);
    const [sample] = heap.profile().samples;
    expect(sample!.stack.slice(0, 2).map(({ frames }) => frames[0]!.function)).toEqual(["leaf", "deep"]);
  });

  it("that run over leave a heap that goes on, and samples", () => {
    const heap = createHeap({ profile: { guard: "all" } });
    let depth = 0;
    function endless(): void {
      depth++;
      heap.malloc(24);
      endless();
    }
    expect(endless).toThrow(RangeError);
    expect(depth).toBeGreaterThan(100);
    heap.validate({ deep: true });
    const before = heap.samples().live.length;
    function again(): void {
      for (let i = 0; i < 10; i++) heap.malloc(24);
    }
    again();
    expect(heap.samples().live.length - before).toBe(10);
    const names = heap.profile().samples.flatMap(({ stack }) => stack.map(({ frames }) => frames[0]!.function));
    expect(names).toContain("again");
  });

  it("behind an await are those of the function that goes on", async () => {
    const heap = createHeap({ profile: { rate: 1 } });
    async function later(): Promise<void> {
      await Promise.resolve();
      heap.malloc(10);
    }
    async function caller(): Promise<void> {
      await later();
    }
    await caller();
    const [sample] = heap.profile().samples;
    expect(sample!.stack[0]!.frames[0]!.function).toMatch(/later$/);
  });

  it("are taken with a page's own Error.prepareStackTrace, and that is put back", () => {
    const heap = createHeap({ profile: { rate: 1 } });
    const error = Error as { prepareStackTrace?: unknown; stackTraceLimit?: unknown };
    const { prepareStackTrace, stackTraceLimit } = error;
    const own = () => {
      throw new Error("the page's");
    };
    try {
      error.prepareStackTrace = own;
      error.stackTraceLimit = 0;
      heap.malloc(10);
      expect(error.prepareStackTrace).toBe(own);
      expect(error.stackTraceLimit).toBe(0);
    } finally {
      error.prepareStackTrace = prepareStackTrace;
      error.stackTraceLimit = stackTraceLimit;
    }
    expect(heap.samples().buckets[0]!.stack.length).toBeGreaterThan(0);
  });
});

describe("above 2 GiB", () => {
  it("addresses are read as they are", () => {
    const memory = new WebAssembly.Memory({ initial: 32768 + 64 });
    const reports: DamageReport[] = [];
    const heap = createHeap({
      memory,
      heapBase: 2 ** 31 + 4096,
      profile: { guard: "all", quarantine: 0, onReport: (report) => void reports.push(report) },
    });
    const p = heap.malloc(100);
    expect(p).toBeGreaterThan(2 ** 31);
    const [sample] = heap.samples().live;
    expect(sample).toMatchObject({ ptr: p, asked: 100, guarded: true });
    expect(profileOf(heap).samples[0]!.inuseObjects).toBe(1);
    heap.u8[p + 100] = heap.u8[p + 100]! ^ 1;
    heap.free(p);
    expect(reports).toMatchObject([{ kind: "overflow", address: p }]);
    expect(reports[0]!.allocated.length).toBeGreaterThan(0);
    heap.validate({ deep: true });
  });
});
