/**
 * One collector for both kinds of heap: the same cases against a heap of one thread, a shared heap, and a shared heap
 * where memory cannot be shared. What only one kind can do is in its own tests; what a kind cannot do is told at the end.
 */
import { afterEach, describe, expect, it } from "vitest";
import * as one from "../../src/index.ts";
import {
  type Collector,
  type CollectorOptions,
  CollectorUnavailableError,
  createHeap,
  formatGCTrace,
  type GCCycle,
  HandleDisposedError,
  MisuseError,
  NotAnObjectError,
  OutOfMemoryError,
  PinError,
  ShadowStackError,
  TraceEvents,
} from "../../src/index.ts";
import * as several from "../../src/shared/index.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";

/** What the cases use of either heap. */
interface AnyHeap {
  readonly collector: Collector;
  readonly u32: Uint32Array<ArrayBufferLike>;
  readonly u8: Uint8Array<ArrayBufferLike>;
  readonly memory: WebAssembly.Memory;
  malloc(size: number): number;
  calloc(count: number, size: number): number;
  free(ptr: number): void;
  stats(): ReturnType<SharedHeap["stats"]> | ReturnType<one.Heap["stats"]>;
  validate(options?: { deep?: boolean }): void;
  dispose(): void;
}

const KINDS: [string, (collector?: CollectorOptions) => AnyHeap][] = [
  ["createHeap", (collector) => createHeap({ maximum: 200, collector })],
  ["createSharedHeap", (collector) => createSharedHeap({ maximumPages: 200, shared: true, collector })],
  ["createSharedHeap, shared: false", (collector) => createSharedHeap({ maximumPages: 200, shared: false, collector })],
];
const NODE = { size: 16, pointers: { next: 0, value: 8 } } as const;

let heap: AnyHeap;
afterEach(() => heap.dispose());

/** A collection, after which the heap is in order. */
function collect(gc: Collector): void {
  gc.collect();
  heap.validate({ deep: true });
}

describe.each(KINDS)("the collector of %s", (_, make) => {
  it("is the same class with the same names", () => {
    heap = make();
    using other = createHeap();
    expect(Object.getPrototypeOf(heap.collector)).toBe(Object.getPrototypeOf(other.collector));
    expect(heap.collector).toBe(heap.collector);
  });

  it("keeps typed objects by their fields' names, and frees what no root reaches", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    expect(gc.defineType(NODE).id).toBe(Node.id);
    const first = gc.new(Node);
    first.store("next", gc.new(Node, 3));
    const second = gc.handle(first.load("next"), Node);
    second.store("value", first, 2);
    second.dispose();
    for (let i = 0; i < 100; i++) gc.new(Node).dispose();
    const before = gc.stats().sweptObjects;
    collect(gc);
    // The handle of the array of three was never disposed of, and nobody else has it.
    expect(gc.stats()).toMatchObject({ sweptObjects: before + 100, types: 1, handles: 2 });
    expect(gc.isObject(first.ptr)).toBe(true);
    expect(first.load("next")).not.toBe(0);
    expect([Node.ptrBytes, Node.offsets.value, first.byteLength, first.type]).toEqual([12, 8, 16, Node]);
    expect(() => first.load("nothing" as never)).toThrow(RangeError);
  });

  it("has a type's number serve in its place", () => {
    heap = make();
    const gc = heap.collector;
    const wide = { size: 600, pointers: [0, 128, 252, 256, 596] };
    const type = gc.defineType(wide);
    const same = gc.typeFrom(type.id);
    expect(same).toMatchObject({ id: type.id, size: 600, pointers: wide.pointers, ptrBytes: 600 });
    const object = gc.new(same);
    object.store(596, gc.newBytes(100));
    const bytes = gc.newBytes(0);
    expect(gc.typeFrom(gc.defineType({ size: 4, pointers: [] }).id)).toMatchObject({ size: 4, pointers: [] });
    for (const id of [0, 4, type.id + 16, bytes.ptr, object.ptr, 2 ** 31, 2 ** 32 - 16]) {
      expect(() => gc.typeFrom(id)).toThrow(/no type of this heap.*defineType/);
    }
    expect(() => gc.new(type.id as never)).toThrow(TypeError);
  });

  it("keeps bytes of any size, zeroed, and what conservative ones look like they point to", () => {
    heap = make();
    const gc = heap.collector;
    const sizes = [0, 1, 5, 15, 16, 100, 40_000];
    const kept = sizes.map((size) => gc.newBytes(size));
    for (const [i, handle] of kept.entries()) {
      expect(handle.byteLength).toBe(Math.max(sizes[i]!, 1));
      expect(heap.u8.subarray(handle.ptr, handle.ptr + sizes[i]!).every((byte) => byte === 0)).toBe(true);
      heap.u8.fill(i + 1, handle.ptr, handle.ptr + sizes[i]!);
    }
    const table = gc.newConservative(64);
    const inner = gc.inside(() => {
      const bytes = gc.allocateBytes(200, false);
      gc.writePointer(table.ptr + 8, bytes + 50);
      return bytes;
    });
    collect(gc);
    expect(gc.objectOf(inner + 199)).toBe(inner);
    expect(gc.readPointer(table.ptr + 8)).toBe(inner + 50);
    gc.writePointer(table.ptr + 8, null);
    collect(gc);
    expect([gc.objectOf(inner), gc.isObject(inner)]).toEqual([0, false]);
    for (const [i, handle] of kept.entries()) {
      expect(heap.u8.subarray(handle.ptr, handle.ptr + sizes[i]!).every((byte) => byte === i + 1)).toBe(true);
    }
  });

  it("lets a handle be empty, hold another object, and be named by its id", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const empty = gc.handle(undefined, Node);
    expect([empty.ptr, empty.byteLength, empty.type]).toEqual([0, 0, Node]);
    const a = gc.new(Node);
    empty.set(a);
    const address = a.ptr;
    const twin = gc.handleFrom(empty.id, Node);
    a.dispose();
    collect(gc);
    expect([twin.ptr, empty.ptr, gc.isObject(address)]).toEqual([address, address, true]);
    const b = gc.new(Node);
    twin.set(b.ptr + 4);
    expect([twin.ptr, empty.ptr]).toEqual([b.ptr + 4, b.ptr]);
    collect(gc);
    expect(gc.isObject(address)).toBe(false);
    twin.dispose();
    expect(() => empty.ptr).toThrow(HandleDisposedError);
    expect(() => empty.set(b)).toThrow(HandleDisposedError);
    empty.dispose();
    for (const id of [0, 1_000_000, b.id + 1]) expect(() => gc.handleFrom(id)).toThrow(/no handle's/);
    for (const target of [null, 0, 4, heap.malloc(16)]) expect(() => gc.handle(target)).toThrow(NotAnObjectError);
    expect(gc.stats().handles).toBe(1);
    const wrapped = gc.wrap(b);
    expect([wrapped, wrapped.wrapped]).toEqual([b, true]);
  });

  it("keeps what is pinned", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const p = gc.inside(() => {
      const node = gc.allocate(Node);
      expect([gc.pin(node), gc.pin(node + 4), gc.pins(node)]).toEqual([1, 2, 2]);
      return node;
    });
    collect(gc);
    expect(gc.stats().pins).toBe(1);
    const refused = expect.objectContaining({ code: "ERR_PIN", kind: "pinned", address: p });
    expect(() => gc.free(p)).toThrow(refused);
    expect([gc.unpin(p), gc.unpin(p), gc.pins(p)]).toEqual([1, 0, 0]);
    expect(() => gc.unpin(p)).toThrow(PinError);
    expect(() => gc.pin(4)).toThrow(NotAnObjectError);
    gc.free(p);
    expect(() => gc.free(p)).toThrow(MisuseError);
    expect(() => gc.free(heap.malloc(100))).toThrow(expect.objectContaining({ kind: "foreign-pointer" }));
    gc.free(null);
    const handle = gc.new(Node);
    gc.free(handle);
    expect(handle.disposed).toBe(true);
  });

  it("looks at registered ranges and shadow stacks", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const globals = heap.calloc(8, 4);
    const range = gc.addRoots(globals, 32);
    const stack = gc.shadowStack(8);
    const [a, b] = gc.inside(() => {
      const stored = gc.allocate(Node);
      heap.u32[globals >>> 2] = stored;
      const written = gc.allocate(Node);
      gc.writePointer(globals + 4, written);
      return [stored, written];
    });
    const frame = stack.enter();
    const c = gc.inside(() => stack.get(stack.push(gc.allocate(Node))));
    collect(gc);
    expect([a, b, c].map((p) => gc.isObject(p))).toEqual([true, true, true]);
    expect(gc.stats().roots).toBe(2);
    expect(() => gc.addRoots(globals, 8)).toThrow(/registered already/);
    frame.leave();
    expect(() => stack.pop()).toThrow(ShadowStackError);
    stack.dispose();
    range.dispose();
    collect(gc);
    expect([a, b, c].map((p) => gc.objectOf(p))).toEqual([0, 0, 0]);
    const again = gc.addRoots(globals + 8, 8, { pointer: globals });
    expect([gc.removeRoots(globals + 8), again.disposed, gc.removeRoots(globals + 8)]).toEqual([true, true, false]);
    expect(gc.stats().roots).toBe(0);
  });

  it("copies and clears with the barrier, and refuses what is not its own", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const array = gc.new(Node, 4);
    array.store("next", gc.new(Node));
    gc.copy(Node, array.ptr + 16, array, 2);
    expect(array.load("next", 1)).toBe(array.load("next"));
    gc.clear(Node, array, 2);
    expect([array.load("next"), array.load("next", 1)]).toEqual([0, 0]);
    for (const slot of [0, 1024, 4096, heap.memory.buffer.byteLength]) {
      expect(() => gc.writePointer(slot, 0)).toThrow(RangeError);
      expect(() => gc.copy(Node, slot, array)).toThrow(RangeError);
      expect(() => gc.clear(Node, slot)).toThrow(RangeError);
    }
    expect(() => gc.clear(Node, array, 5)).toThrow(RangeError);
  });

  it("marks in steps and sweeps in pieces", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const root = gc.new(Node);
    for (let i = 0; i < 20_000; i++) {
      const node = gc.new(Node);
      node.store("next", root.load("next"));
      root.store("next", node);
      node.dispose();
    }
    for (let i = 0; i < 20_000; i++) gc.inside(() => gc.allocate(Node));
    expect([gc.phase, gc.step()]).toEqual(["off", false]);
    expect([gc.start(), gc.start(), gc.phase]).toEqual([true, false, "mark"]);
    let steps = 1;
    while (gc.step({ bytes: 32 << 10 })) steps++;
    expect(steps).toBeGreaterThan(5);
    expect(gc.phase).toBe("sweep");
    while (gc.sweep(0.01));
    expect(gc.phase).toBe("off");
    const { numGC, numForcedGC, sweptObjects, scanWork } = gc.stats();
    expect({ numGC, numForcedGC, sweptObjects }).toEqual({ numGC: 1, numForcedGC: 1, sweptObjects: 20_000 });
    expect(scanWork).toBeGreaterThan(20_000 * 16);
    let length = 0;
    for (let p = root.load("next"); p !== 0; p = gc.readPointer(p)) length++;
    expect(length).toBe(20_000);
    expect(() => gc.step({ budgetMs: 0 })).toThrow(RangeError);
  });

  it("begins no cycle inside, though it is due", () => {
    heap = make({ auto: true, heapMinimum: 0, gcPercent: 10 });
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const grow = () => {
      for (let i = 0; i < 300; i++) gc.allocateBytes(1000);
    };
    gc.inside(grow);
    gc.collect();
    /** Cycles begun. */
    const begun = () => gc.stats().numGC + (gc.phase === "mark" ? 1 : 0);
    gc.inside(() => {
      const before = begun();
      const bare = gc.inside(() => gc.allocate(Node));
      grow();
      grow();
      expect(begun()).toBe(before);
      for (const call of [() => gc.collect(), () => gc.start(), () => gc.step()]) {
        expect(call).toThrow(/inside inside\(\)/);
      }
      expect(gc.isObject(bare)).toBe(true);
      gc.pin(bare);
    });
    // What is due comes when the thread goes inside again.
    const before = begun();
    for (let i = 0; i < 10; i++) gc.inside(grow);
    expect(begun()).toBeGreaterThan(before);
    expect(() =>
      gc.inside(() => {
        throw new Error("on purpose");
      }),
    ).toThrow("on purpose");
    collect(gc);
    expect(() => gc.inside(4 as never)).toThrow(TypeError);
  });

  it("collects when memory is out only outside inside", () => {
    heap = make({ auto: true });
    const gc = heap.collector;
    gc.setOptions({ gcPercent: "off" });
    const fill = () => {
      // Four times what the memory may have.
      for (let i = 0; i < 256; i++) gc.allocateBytes(200_000);
    };
    expect(() => gc.inside(fill)).toThrow(OutOfMemoryError);
    expect(gc.stats().numGC).toBe(0);
    collect(gc);
    expect(heap.stats().heapAlloc).toBeLessThan(100_000);
  });

  it("has the settings that it was made with, and others when told", () => {
    heap = make({ gcPercent: 50, memoryLimit: 1 << 20, heapMinimum: 65536 });
    const gc = heap.collector;
    const { limiter, ...settings } = gc.settings;
    const made = { gcPercent: 50, memoryLimit: 1 << 20, heapMinimum: 65536, auto: false };
    expect(settings).toEqual({ ...made, checkmark: false, clobberfree: false });
    expect(typeof limiter).toBe("boolean");
    gc.setOptions({ gcPercent: "off", memoryLimit: Infinity, auto: true, checkmark: true });
    expect(gc.settings).toMatchObject({ gcPercent: -1, memoryLimit: Infinity, heapMinimum: 65536, auto: true });
    expect(() => gc.setOptions({ gcPercent: 7, heapMinimum: -1 })).toThrow(RangeError);
    expect(gc.settings).toMatchObject({ gcPercent: -1, checkmark: true });
  });

  it("tells of its cycles by lines, records and events", () => {
    heap = make();
    const gc = heap.collector;
    const lines: string[] = [];
    const cycles: GCCycle[] = [];
    const events = new TraceEvents();
    gc.setOptions({
      trace: (line) => lines.push(line),
      onCycle: (cycle) => cycles.push(cycle),
      events,
      traceUnit: "KB",
    });
    gc.newBytes(100_000).dispose();
    gc.collect();
    gc.start();
    while (gc.step());
    gc.sweep();
    gc.setOptions({ trace: null, onCycle: null, events: null });
    gc.collect();
    expect(cycles.map(({ number, forced }) => [number, forced])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(lines).toEqual(cycles.map((cycle) => formatGCTrace(cycle, { unit: "KB" })));
    expect(lines[0]).toMatch(/^gc 1 @\d+\.\d{3}s \d+%: .* ms clock, .* ms cpu, \d+->\d+->\d+ KB, .* 1 P \(forced\)$/);
    const names = new Set(events.file().traceEvents.map(({ name }) => name));
    expect([...names]).toEqual(expect.arrayContaining(["mark step"]));
    const stats = gc.stats();
    expect(heap.stats()).toMatchObject({ numGC: 3, numForcedGC: 3, lastGC: stats.lastGC, pauseNs: stats.pauseNs });
    expect(stats.pauseTotalNs).toBeGreaterThan(0);
  });

  it("has figures of one shape", () => {
    heap = make();
    using other = createHeap();
    const stats = heap.collector.stats();
    expect(Object.keys(stats)).toEqual(Object.keys(other.collector.stats()));
    expect(stats).toMatchObject({ phase: "off", numGC: 0, handles: 0, trigger: expect.any(Number), limited: false });
    expect(stats.trigger).toBe(other.collector.stats().trigger);
  });

  it("works in the background, by turns that a schedule calls", () => {
    heap = make({ heapMinimum: 65536, auto: false });
    const gc = heap.collector;
    let turn = (): void => {};
    const background = gc.background({
      schedule: (next) => {
        turn = next;
        return () => {
          turn = () => {};
        };
      },
    });
    const Node = gc.defineType(NODE);
    for (let i = 0; i < 20_000; i++) gc.inside(() => gc.allocate(Node));
    for (let i = 0; i < 1000 && (gc.stats().numGC === 0 || gc.phase !== "off"); i++) turn();
    expect(gc.stats()).toMatchObject({ numGC: 1, numForcedGC: 0, phase: "off" });
    expect(background.turns).toBeGreaterThan(2);
    background.stop();
    expect(background.running).toBe(false);
  });

  it("marks as a marker until it is told to stop", async () => {
    heap = make({ heapMinimum: 65536, auto: true });
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const seen: GCCycle[] = [];
    gc.setOptions({ onCycle: (cycle) => seen.push(cycle) });
    // Due, but nobody has allocated since the trigger was reached.
    const fill = () => {
      gc.setOptions({ auto: false });
      for (let i = 0; i < 20_000; i++) gc.inside(() => gc.allocate(Node));
      gc.setOptions({ auto: true });
    };
    fill();
    const [record] = await gc.runMarker({ cycles: 1 });
    expect(record).toMatchObject({ number: 1, forced: false, heapMarked: 0 });
    expect(seen).toEqual([record]);
    expect(formatGCTrace(record!)).toMatch(/^gc 1 @/);
    expect(gc.stats()).toMatchObject({ phase: "off", sweptObjects: 20_000 });
    const stop = new AbortController();
    const running = gc.runMarker({ signal: stop.signal });
    fill();
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    expect(await running).toHaveLength(1);
    expect(await gc.runMarker({ cycles: 0 })).toEqual([]);
    await expect(gc.runMarker({ signal: 1 as never })).rejects.toThrow(TypeError);
  });

  it("checks the marks where it is told to", () => {
    heap = make({ checkmark: true });
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const [first, last] = [gc.new(Node), gc.new(Node)];
    first.store("next", gc.new(Node));
    collect(gc);
    expect(gc.stats()).toMatchObject({ checked: 1, unchecked: 0 });
    expect(last.load("next")).toBe(0);
  });
});

it("both entries export the same names for the collector", () => {
  const names = /^(TraceEvents|formatGCTrace|(Checkmark|Collector|Handle|NotAnObject|Pin|ShadowStack)\w*Error)$/;
  const ofCollector = (entry: object) => Object.entries(entry).filter(([name]) => names.test(name));
  expect(ofCollector(several)).toHaveLength(8);
  expect(ofCollector(several)).toEqual(ofCollector(one));
});

describe("what only one kind of heap can do", () => {
  it("a shared heap has no limiter: a typed error names what to do instead", () => {
    heap = createSharedHeap({ maximumPages: 64, shared: true });
    const gc = heap.collector;
    expect(gc.settings.limiter).toBe(false);
    gc.setOptions({ limiter: false });
    for (const call of [
      () => gc.setOptions({ limiter: true, gcPercent: 7 }),
      () => createSharedHeap({ maximumPages: 64, shared: true, collector: { limiter: true } }),
    ]) {
      expect(call).toThrow(CollectorUnavailableError);
      expect(call).toThrow(/no limiter.*gcPercent/);
    }
    expect(gc.settings.gcPercent).toBe(100);
  });

  it("threads of a shared heap have one heap's settings, types, handles and cycles, and hooks of their own", () => {
    const made = createSharedHeap({ maximumPages: 64, shared: true });
    heap = made;
    const gc = made.collector;
    using other = attachHeap(made.share());
    const Node = gc.defineType(NODE);
    const root = gc.new(Node);
    const there = other.collector;
    const twin = there.handleFrom(root.id, there.typeFrom(Node.id));
    const next = there.new(there.typeFrom(Node.id));
    twin.store(0, next);
    next.dispose();
    const lines: string[] = [];
    there.setOptions({ gcPercent: 33, auto: true, checkmark: true, trace: (line) => lines.push(line) });
    expect(gc.settings).toMatchObject({ gcPercent: 33, auto: true, checkmark: true });
    gc.collect();
    gc.collect();
    expect(lines).toEqual([]);
    expect([gc.stats().numGC, there.stats().numGC]).toEqual([2, 2]);
    expect(gc.isObject(root.load("next"))).toBe(true);
    there.collect();
    expect(lines).toEqual([expect.stringMatching(/^gc 3 @/)]);
    using late = attachHeap(made.share());
    expect(late.collector.stats().numGC).toBe(3);
    const globals = made.calloc(4, 4);
    gc.addRoots(globals, 16);
    expect([there.removeRoots(globals), gc.removeRoots(globals)]).toEqual([true, true]);
    expect(there.removeRoots(globals)).toBe(false);
    twin.dispose();
    expect(() => root.ptr).toThrow(HandleDisposedError);
    gc.collect();
    expect(gc.stats()).toMatchObject({ handles: 0 });
    made.validate();
  });

  it("a thread that detaches inside is out of it, and a heap of one thread that is disposed of inside, too", () => {
    const made = createSharedHeap({ maximumPages: 64, shared: true });
    heap = made;
    const other = attachHeap(made.share());
    other.collector.inside(() => other.detach());
    made.collector.collect();
    const alone = createHeap({ collector: { auto: true } });
    alone.collector.inside(() => alone.dispose());
    expect(() => alone.collector).toThrow(one.HeapDisposedError);
  });
});
