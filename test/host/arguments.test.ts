/**
 * Every public function of gomalloc is called with hostile values (test/support/hostile.ts): it returns, or throws a
 * documented error, and the heap is in order and works.
 */
import { describe, expect, it } from "vitest";
import { INSPECT } from "../../src/heap/inspect.ts";
import * as api from "../../src/index.ts";
import {
  createHeap,
  createHeapAsync,
  formatGCTrace,
  instantiateWith,
  optionsFromEnv,
  parseByteCount,
  parseGODEBUG,
  TraceEvents,
} from "../../src/index.ts";
import { collectorRows, DISPOSE, handleRows, SETTINGS } from "../support/collectorrows.ts";
import { CYCLE } from "../support/cycle.ts";
import {
  type Arguments,
  callHostile,
  expectDocumented,
  expectFunctions,
  expectRows,
  hostileCalls,
  hostileValues,
  type Rows,
} from "../support/hostile.ts";
import { WASM_PAGE, wasmBytes } from "../support/wasm.ts";

/** A heap in which there is one of everything. */
function scene() {
  const heap = createHeap({ maximum: 64 });
  const gc = heap.collector;
  const block = heap.malloc(1000);
  const freed = heap.malloc(1000);
  heap.free(freed);
  const type = gc.defineType({ size: 16, pointers: { next: 0, other: 8 } });
  const object = gc.new(type, 4);
  const bytes = gc.newBytes(100);
  gc.pin(object);
  const range = gc.addRoots(block, 64);
  const stack = gc.shadowStack(16);
  const frame = stack.enter();
  const slot = stack.push(object);
  const view = heap.view(Uint32Array, block, 10);
  const background = gc.background({ schedule: () => () => {} });
  const size = heap.memory.buffer.byteLength;
  // Of the heap's own records, free memory, inside of blocks, at odd places, behind the memory.
  const addresses = [
    1,
    2,
    4,
    8,
    1024,
    2048,
    4096,
    block,
    block + 4,
    block + 2,
    freed,
    freed + 4,
    object.ptr,
    bytes.ptr + 1,
  ];
  addresses.push(object.ptr + 4, stack.pointer, size - 8, size - 4, size, size + 65536, 2 ** 31 + 4, 2 ** 32 - 4);
  return { heap, gc, block, type, object, bytes, range, stack, frame, slot, view, background, addresses };
}
type Scene = ReturnType<typeof scene>;

const CLASSES: Record<string, { subject: (s: Scene) => object; rows: (s: Scene) => Rows }> = {
  Heap: {
    subject: ({ heap }) => heap,
    rows: ({ block }) => ({
      malloc: [8],
      tryMalloc: [8],
      calloc: [2, 8],
      tryCalloc: [2, 8],
      alignedAlloc: [64, 8],
      tryAlignedAlloc: [64, 8],
      realloc: [0, 8],
      tryRealloc: [0, 8],
      free: [0],
      mallocgc: [16, { size: 16, ptrBytes: 8 }, true],
      usableSize: [block],
      objectBase: [block],
      stats: [],
      validate: [{ deep: true }],
      toString: [],
      [INSPECT]: [],
      memory: [],
      view: [Uint8Array, block, 4],
      ...Object.fromEntries(["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"].map((k) => [k, []])),
      dataView: [],
      collector: [],
      snapshot: [{ bitmaps: false, label: "x", time: 0, samples: [] }],
      setLimits: [{ maxBytes: 0, softLimit: 0, reserve: 0 }],
      reclaim: [],
      releaseAll: [],
      dispose: [],
      [DISPOSE]: [],
    }),
  },
  Collector: {
    subject: ({ gc }) => gc,
    rows: (s) => collectorRows({ ...s, inner: s.addresses[12]! }),
  },
  Handle: {
    subject: ({ object }) => object,
    rows: ({ object }) => handleRows(object),
  },
  GCType: { subject: ({ type }) => type, rows: () => ({ offsetOf: ["next"] }) },
  RootRange: { subject: ({ range }) => range, rows: () => ({ disposed: [], dispose: [], [DISPOSE]: [] }) },
  ShadowStack: {
    subject: ({ stack }) => stack,
    rows: ({ object, slot }) => ({
      depth: [],
      push: [object],
      pop: [],
      get: [slot],
      set: [slot, object],
      enter: [],
      dispose: [],
      [DISPOSE]: [],
    }),
  },
  Frame: { subject: ({ frame }) => frame, rows: () => ({ leave: [], [DISPOSE]: [] }) },
  Background: {
    subject: ({ background }) => background,
    rows: () => ({ running: [], turns: [], stop: [], [DISPOSE]: [] }),
  },
  HeapView: { subject: ({ view }) => view, rows: () => ({ byteLength: [], get: [] }) },
  TraceEvents: {
    subject: () => new TraceEvents(),
    rows: () => ({
      length: [],
      dropped: [],
      nameThread: [1, "one"],
      phase: ["GC", 0, 1, {}],
      mark: [0, 1, 100, 1, "mark"],
      sweep: [0, 1, 100, 1],
      instant: ["grown", 0, {}],
      heap: [0, 100, 200],
      counter: ["memory", 0, { live: 1 }],
      cycle: [CYCLE],
      clear: [],
      file: [],
      json: [],
      toJSON: [],
    }),
  },
};

/** The heap is in order, and allocates and collects. */
function expectWorks({ heap, gc }: Scene): void {
  heap.validate({ deep: true });
  heap.setLimits({ maxBytes: 0 });
  const block = heap.tryMalloc(64);
  const handle = gc.newBytes(32);
  handle.dispose();
  heap.free(block);
}

/** A promise may be rejected with what is documented, and be so when its heap is disposed of. */
function settled(result: unknown, name: string): void {
  if (result instanceof Promise) result.catch((error: unknown) => expectDocumented(error, name));
}

function isDisposed({ heap }: Scene): boolean {
  try {
    return heap.memory === null;
  } catch {
    return true;
  }
}

describe.each(Object.entries(CLASSES))("%s", (_, { subject, rows }) => {
  const first = scene();
  const members = rows(first);

  it("has a row for each member", () => expectRows(Object.getPrototypeOf(subject(first)) as object, members));

  it.each(Reflect.ownKeys(members).map((member) => [member.toString(), member]))("%s", (name, member) => {
    let s = scene();
    const n = [...hostileCalls(rows(s)[member]!, s.addresses)].length;
    for (let i = 0; i < Math.max(n, 1); i++) {
      // The good arguments belong to the scene, and what is wrong with them is the same in each.
      const [wrong, args] = [...hostileCalls(rows(s)[member]!, s.addresses)][i] ?? ["nothing is wrong", []];
      settled(callHostile(subject(s), member, args, `${name}, ${wrong}`), name);
      if (isDisposed(s)) s = scene();
      else {
        try {
          expectWorks(s);
        } catch (error) {
          throw new Error(`after ${name}, ${wrong}: ${String(error)}`, { cause: error });
        }
        // Full, or with a hook of the call's: another.
        if (i % 16 === 15) {
          s.gc.collect();
          s.heap.validate({ deep: true });
          s = scene();
        }
      }
    }
    s.heap.dispose();
    s.heap.dispose();
    for (const [wrong, args] of hostileCalls(rows(first)[member]!, first.addresses)) {
      settled(callHostile(subject(s), member, args, `${name} of a disposed heap, ${wrong}`), name);
    }
  });
});

describe("functions of the module", () => {
  const bytes = wasmBytes("host");
  const options = { initial: 1, maximum: 64, heapBase: 1024, maxBytes: 0, softLimit: 0, reserve: 0 };
  const heapOptions = { ...options, onMisuse: "throw", collector: { ...SETTINGS, clock: () => 0 }, wasm: bytes };
  const FUNCTIONS: Record<string, { call: (...args: never[]) => unknown; good: Arguments }> = {
    createHeap: { call: createHeap, good: [heapOptions] },
    createHeapAsync: { call: createHeapAsync, good: [heapOptions] },
    instantiateWith: {
      call: instantiateWith,
      good: [
        wasmBytes("malloc"),
        { imports: {}, heapBase: 1024, onMisuse: "trap", maxBytes: 0, softLimit: 0, reserve: 0, wasm: bytes },
      ],
    },
    formatGCTrace: { call: formatGCTrace, good: [CYCLE, { unit: "MB" }] },
    optionsFromEnv: {
      call: optionsFromEnv,
      good: [{ GOGC: "50", GOMEMLIMIT: "1GiB", GODEBUG: "gctrace=1" }, () => {}],
    },
    parseByteCount: { call: parseByteCount, good: ["64MiB"] },
    parseGODEBUG: { call: parseGODEBUG, good: ["gctrace=1", () => {}] },
    TraceEvents: {
      call: (options: never) => new TraceEvents(options),
      good: [{ limit: 100, pid: 1, processName: "one" }],
    },
  };

  it("have a row each", () => expectFunctions(api, FUNCTIONS));

  it.each(Object.keys(FUNCTIONS))("%s", async (name) => {
    const { call, good } = FUNCTIONS[name]!;
    for (const [wrong, args] of hostileCalls(good, [])) {
      try {
        const result = await call(...(args as never[]));
        if (result instanceof Object && "validate" in result) {
          (result as ReturnType<typeof createHeap>).validate({ deep: true });
          (result as ReturnType<typeof createHeap>).tryMalloc(8);
        }
      } catch (error) {
        expectDocumented(error, `${name}, ${wrong}`);
      }
    }
  });
});

describe("a size that is no number", () => {
  const heap = createHeap();
  const gc = heap.collector;
  const words = hostileValues([]).filter(([, value]) => typeof value !== "number");

  it.each(words)("%s is a RangeError", (_, value) => {
    const size = value as number;
    const calls = [
      () => heap.malloc(size),
      () => heap.tryMalloc(size),
      () => heap.calloc(1, size),
      () => heap.calloc(size, 1),
      () => heap.alignedAlloc(16, size),
      () => heap.alignedAlloc(size, 16),
      () => heap.realloc(0, size),
      () => heap.mallocgc(size, null, true),
      () => gc.allocateBytes(size),
      () => gc.newConservative(size),
      () => heap.free(size),
      () => heap.usableSize(size),
      () => heap.objectBase(size),
      () => gc.isObject(size),
    ];
    for (const call of calls) expect(call).toThrow(RangeError);
  });
});

describe("an option that does not exist", () => {
  it("is named, with those that do", () => {
    const heap = createHeap();
    const gc = heap.collector;
    const odd = { maxbytes: 1 } as never;
    const calls: [string, () => unknown, string][] = [
      ["createHeap", () => createHeap(odd), "maxBytes"],
      ["the collector", () => createHeap({ collector: odd }), "gcPercent"],
      ["setLimits", () => heap.setLimits(odd), "maxBytes"],
      ["validate", () => heap.validate(odd), "deep"],
      ["setOptions", () => gc.setOptions(odd), "gcPercent"],
      ["step", () => gc.step(odd), "budgetMs"],
      ["background", () => gc.background(odd), "schedule"],
      ["addRoots", () => gc.addRoots(heap.malloc(8), 8, odd), "pointer"],
      ["TraceEvents", () => new TraceEvents(odd), "processName"],
      ["formatGCTrace", () => formatGCTrace(CYCLE, odd), "unit"],
    ];
    for (const [name, call, known] of calls) {
      expect(call).toThrow(TypeError);
      expect(call).toThrow(new RegExp(`${name} has no option "maxbytes": its options are .*${known}`));
    }
  });
});

describe("stores of pointers", () => {
  it("go to live objects, blocks and registered ranges alone", () => {
    const { heap, gc, type, object, block } = scene();
    const outside = heap.memory.buffer.byteLength;
    heap.memory.grow(1);
    for (const slot of [1024, 4096, outside + 8, heap.memory.buffer.byteLength]) {
      expect(() => gc.writePointer(slot, object)).toThrow(RangeError);
      expect(() => gc.clear(type, slot)).toThrow(RangeError);
      expect(() => gc.copy(type, slot, object)).toThrow(RangeError);
    }
    gc.writePointer(block, object);
    gc.copy(type, object.ptr + 32, object, 2);
    expect(() => gc.copy(type, object.ptr + 32, object, 3)).toThrow(/in no live object, and in no range of addRoots/);
    const range = gc.addRoots(outside, WASM_PAGE);
    gc.writePointer(outside + WASM_PAGE - 4, object);
    gc.clear(type, outside, WASM_PAGE / 16);
    range.dispose();
    expect(() => gc.writePointer(outside, null)).toThrow(RangeError);
    heap.validate({ deep: true });
  });
});
