/**
 * Every public function of gomalloc/shared is called with hostile values (test/support/hostile.ts): it returns, or throws a
 * documented error; the heap is in order, and another end of it allocates, collects and locks.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Heap } from "../../src/heap/heap.ts";
import * as api from "../../src/shared/index.ts";
import {
  attachHeap,
  attachHeapAsync,
  createSharedHeap,
  createSharedHeapAsync,
  formatGCTrace,
  optionsFromEnv,
  parseByteCount,
  parseGODEBUG,
  TraceEvents,
} from "../../src/shared/index.ts";
import { collectorRows, handleRows } from "../support/collectorrows.ts";
import { CYCLE } from "../support/cycle.ts";
import {
  type Arguments,
  callHostile,
  expectDocumented,
  expectFunctions,
  hostileCalls,
  membersOf,
  type Rows,
} from "../support/hostile.ts";
import { thrown } from "../support/thrown.ts";
import { type HostSharedExports, M_LOCK_WAIT, openOver, wasmBytes, wasmModule } from "../support/wasm.ts";

/** A heap with one of everything, and a second end of it in the same thread, which has patience but not for ever. */
function scene(shared: boolean) {
  const heap = createSharedHeap({ procs: 8, maximumPages: 64, shared });
  // So that the other end's token is none of the hostile numbers: reap would have it for dead.
  for (let i = 0; i < 5; i++) if (shared) heap.share();
  const other = shared ? attachHeap(heap.share(), { lockWait: 2000, turnWait: 2000 }) : heap;
  const { collector: gc, ps } = heap;
  const block = heap.calloc(1000, 1);
  const freed = heap.malloc(1000);
  heap.free(freed);
  const type = gc.defineType({ size: 16, pointers: [0, 8] });
  const handle = gc.new(type, 4);
  const object = handle.ptr;
  gc.addRoots(block, 64);
  const lock = heap.lock(0);
  const monitor = ps.monitor({ intervalMs: 60_000 });
  const size = heap.memory.buffer.byteLength;
  const addresses = [1, 2, 4, 8, 1024, 2048, 4096, block, block + 4, block + 2, freed, freed + 4, object, object + 4];
  addresses.push(type.id, type.id + 4, handle.id, size - 8, size - 4, size, size + 65536, 2 ** 31 + 4, 2 ** 32 - 4);
  return { heap, other, gc, ps, block, type, handle, object, lock, monitor, addresses };
}
type Scene = ReturnType<typeof scene>;

/** In a scene of their own: they would end, hold or wait for something. Each has a test elsewhere. */
const ENDINGS = new Set(["dispose", "detach", "close", "abandon", "leave", "forget"]);

const CLASSES: Record<string, { subject: (s: Scene) => object; rows: (s: Scene) => Rows; internal: string[] }> = {
  SharedHeap: {
    subject: ({ heap }) => heap,
    internal: membersOf(Heap.prototype).filter((name) => typeof name === "string") as string[],
    rows: ({ block }) => ({
      malloc: [8],
      tryMalloc: [8],
      tryCalloc: [2, 8],
      tryAlignedAlloc: [64, 8],
      realloc: [0, 8],
      tryRealloc: [0, 8],
      mallocgc: [16, { size: 16, ptrBytes: 8 }, true],
      free: [0],
      usableSize: [block],
      objectBase: [block],
      stats: [],
      validate: [{ deep: true }],
      view: [Uint8Array, block, 4],
      setLimits: [{ maxBytes: 0, softLimit: 0, reserve: 0 }],
      collector: [],
      reclaim: [],
      releaseAll: [],
      shared: [],
      share: [],
      release: [],
      sync: [],
      lock: [0],
      watch: [{ on: () => undefined, off: () => undefined }, null, () => undefined],
      reap: [0x7fffff],
      workerDied: [0x7fffff],
    }),
  },
  Collector: {
    subject: ({ gc }) => gc,
    internal: [],
    rows: ({ gc, type, handle, block, object }) =>
      collectorRows({ gc, type, block, object: handle, inner: object + 32 }),
  },
  Handle: {
    subject: ({ handle }) => handle,
    internal: [],
    rows: ({ handle }) => handleRows(handle),
  },
  Ps: {
    subject: ({ ps }) => ps,
    internal: ["check", "look", "pinned", "holder", "pin", "unpin", "hold", "letGo", "tryAcquire"],
    rows: () => ({
      list: [],
      current: [],
      limit: [8],
      acquire: [],
      acquireAsync: [],
      release: [],
      block: [() => 1],
      blockAsync: [() => 1],
      turn: [() => 1],
      turnAsync: [() => 1],
      flush: [2],
      monitor: [{ intervalMs: 60_000, idleMs: 1000 }],
      requestStop: [],
    }),
  },
  HeapLock: {
    subject: ({ lock }) => lock,
    internal: ["tryLock", "lock", "lockAsync", "free"],
    rows: () => ({ unlock: [], with: [() => 1], owner: [], counters: [] }),
  },
  Monitor: {
    subject: ({ monitor }) => monitor,
    internal: [],
    rows: () => ({ running: [], stop: [], tick: [], [Symbol.dispose ?? Symbol.for("Symbol.dispose")]: [] }),
  },
};

/** Whether what the calls are about is still there: a call may have freed it, as it was told to. */
function isWhole({ heap, gc, block, object, handle, monitor }: Scene): boolean {
  try {
    return heap.usableSize(block) > 0 && gc.isObject(object) && handle.ptr === object && monitor.running;
  } catch {
    return false;
  }
}

/** Both ends collect, and the heap is in order. */
function expectCollects({ heap, other }: Scene): void {
  heap.collector.collect();
  other.collector.collect();
  heap.validate({ deep: true });
}

/** The heap is in order, and its other end works. */
function expectWorks({ heap, other }: Scene): void {
  heap.setLimits({ maxBytes: 0, softLimit: 0 });
  heap.collector.setOptions({ memoryLimit: 0 });
  other.free(other.malloc(64));
  other.lock(0).with(() => undefined);
  other.collector.inside(() => other.collector.objectOf(4096));
  heap.validate({ deep: true });
}

/** Resolves when the event loop has come round. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function close({ heap, other }: Scene): void {
  other.dispose();
  heap.dispose();
}

let ends: { dispose(): void }[] = [];
afterEach(() => {
  for (const end of ends) end.dispose();
  ends = [];
});
function opened(shared: boolean): Scene {
  const s = scene(shared);
  ends.push(s.heap, s.other);
  return s;
}

describe.each([true, false])("shared: %s", (shared) => {
  describe.each(Object.entries(CLASSES))("%s", (_, { subject, rows, internal }) => {
    it("has a row for each member", () => {
      const s = opened(shared);
      const members = membersOf(Object.getPrototypeOf(subject(s)) as object).map(String);
      const listed = new Set([...Reflect.ownKeys(rows(s)).map(String), ...internal, ...ENDINGS]);
      expect(members.filter((name) => !listed.has(name) && !name.includes("Symbol"))).toEqual([]);
    });

    const first = scene(shared);
    const names = Reflect.ownKeys(rows(first));
    close(first);
    it.each(names.map((name) => [name.toString(), name]))("%s", async (name, member) => {
      let s = opened(shared);
      const { addresses } = s;
      let n = 0;
      for (const [wrong, args] of [...hostileCalls(rows(s)[member]!, addresses), ["nothing is wrong", []] as const]) {
        const what = `${name}, ${wrong}`;
        const result = callHostile(subject(s), member, [...args], what);
        if (result instanceof Promise) {
          const settled = result.catch((error: unknown) => expectDocumented(error, what));
          // A marker without a signal goes on until its heap is disposed of.
          await (member === "runMarker" ? Promise.race([settled, nextTurn()]) : settled);
        }
        try {
          expectWorks(s);
          if (++n % 64 === 0) expectCollects(s);
        } catch (error) {
          throw new Error(`after ${what}: ${String(error)}`, { cause: error });
        }
        if (isWhole(s)) continue;
        close(s);
        s = opened(shared);
        // The calls to come were made for these.
        expect(s.addresses).toEqual(addresses);
      }
      expectCollects(s);
      const gone = subject(s);
      const good = rows(s)[member]!;
      close(s);
      for (const args of [good, []]) {
        const result = callHostile(gone, member, [...args], `${name} of a disposed heap`);
        if (result instanceof Promise) {
          await result.catch((error: unknown) => expectDocumented(error, `${name} of a disposed heap`));
        }
      }
    });
  });
});

describe("functions of the module", () => {
  const heapOptions = {
    ...{ procs: 2, initialPages: 1, maximumPages: 64, heapBase: 1024, lockWait: 100, turnWait: 100, shared: true },
    ...{ onMisuse: "throw", maxBytes: 0, softLimit: 0, reserve: 0 },
    ...{ wasm: new WebAssembly.Module(wasmBytes("host-shared")), soloWasm: new WebAssembly.Module(wasmBytes("host")) },
  };
  const settings = { onMisuse: "throw", lockWait: 100, turnWait: 100, maxBytes: 0, softLimit: 0, reserve: 0 };
  const message = (): Arguments => [{ ...createSharedHeap({ procs: 2, maximumPages: 16 }).share() }, settings];
  const FUNCTIONS: Record<string, { call: (...args: never[]) => unknown; good: () => Arguments }> = {
    createSharedHeap: { call: createSharedHeap, good: () => [heapOptions] },
    createSharedHeapAsync: { call: createSharedHeapAsync, good: () => [heapOptions] },
    attachHeap: { call: attachHeap, good: message },
    attachHeapAsync: { call: attachHeapAsync, good: message },
    formatGCTrace: { call: formatGCTrace, good: () => [CYCLE, { unit: "MB" }] },
    optionsFromEnv: { call: optionsFromEnv, good: () => [{ GOGC: "50", GODEBUG: "gctrace=1" }, () => {}] },
    parseByteCount: { call: parseByteCount, good: () => ["64MiB"] },
    parseGODEBUG: { call: parseGODEBUG, good: () => ["gctrace=1", () => {}] },
    TraceEvents: {
      call: (options: never) => new TraceEvents(options),
      good: () => [{ limit: 100, pid: 1, processName: "one" }],
    },
  };

  it("have a row each", () => expectFunctions(api, FUNCTIONS));

  it.each(Object.keys(FUNCTIONS))("%s", async (name) => {
    const { call, good } = FUNCTIONS[name]!;
    for (const [wrong, args] of hostileCalls(good(), [])) {
      try {
        const result = await call(...(args as never[]));
        if (result instanceof Object && "dispose" in result) (result as { dispose(): void }).dispose();
      } catch (error) {
        expectDocumented(error, `${name}, ${wrong}`);
      }
    }
  });

  it("take no message with another module, or a claim of no bytes", () => {
    const heap = createSharedHeap({ procs: 2, maximumPages: 16 });
    ends.push(heap);
    const wrong = {
      module: new WebAssembly.Module(wasmBytes("host")),
      claim: new SharedArrayBuffer(0),
      memory: new WebAssembly.Memory({ initial: 1 }),
      options: { maxbytes: 1 },
      token: 0,
    };
    for (const [part, value] of Object.entries(wrong)) {
      expect(() => attachHeap({ ...heap.share(), [part]: value } as never)).toThrow(api.AttachError);
    }
  });
});

/** Where createSharedHeap has put a heap in a memory of its own. */
function heapBaseOf(heap: api.SharedHeap): number {
  return heap.share().heapBase;
}

describe("a bad address", () => {
  it("is refused before anything is locked: others collect and allocate", () => {
    const { heap, other, gc, type, object } = opened(true);
    const size = heap.memory.buffer.byteLength;
    for (const [start, bytes, pointer] of [
      [0xfff00000, 4096, undefined],
      [size - 64, 128, undefined],
      [4097, 64, undefined],
      [4096, 63, undefined],
      [4096, 0, undefined],
      [4096, -64, undefined],
      [4096, 64, size],
      [4096, 64, 2],
    ] as const) {
      expect(() => gc.addRoots(start, bytes, { pointer })).toThrow(RangeError);
    }
    for (const slot of [0, 2, 1024, 4096, size, 0xfffffffc, -4, 2 ** 32]) {
      expect(() => gc.writePointer(slot, 1)).toThrow(RangeError);
      expect(() => gc.clear(type, slot)).toThrow(RangeError);
      expect(() => gc.copy(type, slot, object)).toThrow(RangeError);
      expect(() => gc.copy(type, object, slot, slot === 1024 || slot === 4096 ? 2 ** 28 : 1)).toThrow(RangeError);
      expect(() => gc.typeFrom(slot)).toThrow(RangeError);
      expect(() => gc.allocate(slot as never)).toThrow(TypeError);
    }
    heap.collector.collect();
    other.collector.collect();
    expect(() => other.collector.new(type)).toThrow(/another collector.*typeFrom/);
    expect(other.collector.new(other.collector.typeFrom(type.id)).ptr).toBeGreaterThan(0);
    heap.validate({ deep: true });
  });

  it("is no object for a handle: in no span, freed, a block of malloc's, found dead; inside an object it is one", () => {
    const { heap, other, gc, type, object, handle, block } = opened(true);
    const freed = gc.inside(() => gc.allocate(type));
    gc.free(freed);
    expect(gc.isObject(freed)).toBe(false);
    const size = heap.memory.buffer.byteLength;
    const bad = [1, 8, 2048, freed, block, block + 8, size - 8, size, 2 ** 32 - 8];
    const before = heap.stats();
    const handles = gc.stats().handles;
    for (const ptr of bad) {
      for (const call of [() => gc.handle(ptr), () => handle.set(ptr)]) {
        // Before any lock, and whoever has one: it waits for nobody.
        const error = other.lock(221).with(() => other.lock(0).with(() => thrown(call)));
        expect(error, String(ptr)).toBeInstanceOf(api.NotAnObjectError);
        expect(error).toMatchObject({ code: "ERR_NOT_AN_OBJECT", address: ptr });
        expect(String(error)).toMatch(/pass the address/);
      }
    }
    expect(gc.stats().handles).toBe(handles);
    expect(heap.stats().mallocs).toBe(before.mallocs);
    expect(handle.ptr).toBe(object);
    for (const inner of [1, 2, 4, 16]) {
      const inside = gc.handle(object + inner);
      expect([inside.ptr, gc.objectOf(inside.ptr)]).toEqual([object + inner, object]);
      expect(other.collector.handleFrom(inside.id).ptr).toBe(object);
      inside.dispose();
    }
    for (const ptr of [1, 2048, size]) {
      expect(() => other.lock(221).with(() => gc.pin(ptr))).toThrow(api.NotAnObjectError);
      expect(() => other.lock(221).with(() => gc.unpin(ptr))).toThrow(/not pinned/);
    }
    heap.validate({ deep: true });
  });

  it("but a tiny object at any address is one", () => {
    const { heap, gc } = opened(true);
    const pieces = Array.from({ length: 20 }, () => heap.mallocgc(3, null, true));
    expect(pieces.some((p) => p % 2 === 1)).toBe(true);
    const handles = pieces.map((p) => gc.handle(p));
    gc.collect();
    for (const [i, handle] of handles.entries()) {
      expect(handle.ptr).toBe(pieces[i]);
      expect(gc.objectOf(handle.ptr)).toBe(pieces[i]! & ~15);
    }
  });

  it("is no place for a store, whoever has the lock of the tables; and a registered range is one", () => {
    const { heap, other, gc, type, object } = opened(true);
    const outside = heap.memory.buffer.byteLength;
    heap.memory.grow(1);
    gc.addRoots(outside, 64);
    other.lock(221).with(() => {
      for (const slot of [1024, 4096, outside + 64]) {
        expect(() => gc.writePointer(slot, object)).toThrow(/in no live object, and in no range of addRoots/);
        expect(() => gc.clear(type, slot)).toThrow(RangeError);
        expect(() => gc.copy(type, slot, object)).toThrow(RangeError);
      }
      gc.writePointer(outside + 60, object);
      gc.clear(type, outside, 4);
      gc.copy(type, outside + 48, object);
      expect(gc.objectOf(outside)).toBe(0);
    });
    expect(gc.removeRoots(outside)).toBe(true);
    expect(() => gc.writePointer(outside, 0)).toThrow(RangeError);
    heap.validate({ deep: true });
  });

  it("of an object that a cycle has found dead is refused before the sweep has come to it", () => {
    const { heap, gc, type } = opened(true);
    const dead = gc.inside(() => gc.allocate(type));
    const { e } = openOver<HostSharedExports>(wasmModule("host-shared"), heap.memory, heapBaseOf(heap));
    e.mallopt(M_LOCK_WAIT, 2000);
    expect(e.gcBegin(1, 0)).toBe(1);
    expect(e.gcFinish()).toBe(1);
    expect([gc.isObject(dead), gc.objectOf(dead)]).toEqual([true, 0]);
    expect(() => gc.handle(dead)).toThrow(api.NotAnObjectError);
    e.releaseP();
    gc.collect();
    heap.validate({ deep: true });
  });

  it("of settings, too", () => {
    const { gc } = opened(true);
    for (const bad of [Number.NaN, -1, 1.5, "1.5", 1n, null]) {
      expect(() => gc.setOptions({ memoryLimit: bad as never })).toThrow(RangeError);
      expect(() => gc.setOptions({ heapMinimum: bad as never })).toThrow(RangeError);
      expect(() => gc.setOptions({ gcPercent: bad === -1 ? -2 : (bad as never) })).toThrow(RangeError);
    }
    const limits = [0, 1 << 20, Number.POSITIVE_INFINITY].map((memoryLimit) => {
      gc.setOptions({ memoryLimit });
      return gc.settings.memoryLimit;
    });
    expect(limits).toEqual([Number.POSITIVE_INFINITY, 1 << 20, Number.POSITIVE_INFINITY]);
  });
});
