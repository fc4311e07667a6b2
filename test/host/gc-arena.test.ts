/**
 * User arenas, on both kinds of heap: what they keep alive and for how long, what a freed one refuses, memory that runs
 * out, and the ends of threads. The cases are those of Go's arena tests, as far as they make sense outside of Go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import {
  ArenaFreedError,
  type Collector,
  type CollectorOptions,
  createHeap,
  GomallocError,
  type Heap,
  HeapDisposedError,
  MisuseError,
  OutOfMemoryError,
} from "../../src/index.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";

type AnyHeap = Heap | SharedHeap;
type Options = CollectorOptions & { pages?: number };
const KINDS: [string, (options?: Options) => AnyHeap][] = [
  ["createHeap", ({ pages = 400, ...collector } = {}) => createHeap({ maximum: pages, collector })],
  [
    "createSharedHeap",
    ({ pages = 400, ...collector } = {}) => createSharedHeap({ maximumPages: pages, shared: true, collector }),
  ],
];
const NODE = { size: 16, pointers: { next: 0, value: 8 } } as const;

let heap: AnyHeap;
afterEach(() => heap.dispose());

/** Whole cycles until nothing more dies, with the marks checked; the heap is in order. */
function collect(gc: Collector): void {
  gc.collect();
  gc.collect();
  heap.validate({ deep: true });
  expect(gc.stats().unchecked).toBe(0);
}

/** The bytes of live blocks beside what was there before `since`. */
function liveSince(since: number): number {
  return heap.stats().heapAlloc - since;
}

describe.each(KINDS)("an arena of %s", (_, make) => {
  function open(options: Options = {}): Collector {
    heap = make({ checkmark: true, ...options });
    return heap.collector;
  }

  it("gives zeroed objects that do not overlap, aligned to what their size divides by", () => {
    const gc = open();
    using arena = gc.arena();
    const sizes = [4, 8, 12, 16, 20, 24, 48, 128, 1000, 4096, 8192, 8200, 32_768, 40_000, 131_072];
    const types = sizes.map((size) => gc.defineType({ size, pointers: [0] }));
    const given: [number, number][] = [];
    for (let round = 0; round < 40; round++) {
      for (const type of types) {
        if (round > 3 && type.size > 5000) continue;
        const count = (round % 3) + 1;
        const ptr = arena.allocate(type, count);
        const align = [16, 8, 4].find((n) => type.size % n === 0)!;
        expect(ptr % align).toBe(0);
        expect(heap.u8.subarray(ptr, ptr + type.size * count).every((byte) => byte === 0)).toBe(true);
        given.push([ptr, type.size * count]);
        // What is no pointer may be anything.
        if (type.size > 4) heap.u8.fill(0xff, ptr + 4, ptr + type.size);
      }
      for (const size of [0, 1, 7, 8, 15, 16, 17, 100, 5000, 40_000]) {
        if (round > 3 && size > 5000) continue;
        const ptr = arena.allocateBytes(size);
        expect(ptr % (size >= 16 ? 16 : 8)).toBe(0);
        expect(heap.u8.subarray(ptr, ptr + size).every((byte) => byte === 0)).toBe(true);
        heap.u8.fill(0xff, ptr, ptr + size);
        given.push([ptr, Math.max(size, 1)]);
      }
    }
    given.sort(([a], [b]) => a - b);
    for (const [i, [ptr, size]] of given.entries()) {
      expect(ptr + size).toBeLessThanOrEqual(given[i + 1]?.[0] ?? Number.POSITIVE_INFINITY);
    }
    collect(gc);
    expect(arena.byteLength).toBeGreaterThan(given.reduce((sum, [, size]) => sum + size, 0));
  });

  it("keeps its objects, and what they point to, exactly as long as it lives", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    gc.arena().free();
    collect(gc);
    const before = heap.stats().heapAlloc;
    const arena = gc.arena();
    const objects: number[] = [];
    for (let i = 0; i < 3000; i++) {
      const node = arena.allocate(Node);
      gc.writePointer(
        node + Node.offsets.value,
        gc.inside(() => gc.allocateBytes(32)),
      );
      gc.writePointer(node + Node.offsets.next, objects.at(-1) ?? 0);
      objects.push(node);
    }
    collect(gc);
    expect(objects.every((node) => gc.objectOf(node) !== 0)).toBe(true);
    expect(objects.every((node) => gc.isObject(gc.readPointer(node + 8)))).toBe(true);
    const values = objects.map((node) => gc.readPointer(node + 8));
    arena.free();
    expect([arena.freed, gc.objectOf(objects[7]!)]).toEqual([true, 0]);
    collect(gc);
    expect(values.some((value) => gc.isObject(value))).toBe(false);
    expect(liveSince(before)).toBe(0);
  });

  it("freed, is kept by a pointer into it, but not what it pointed to", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    const holder = gc.new(Node);
    const arena = gc.arena();
    const node = arena.allocate(Node);
    const value = gc.newBytes(64);
    const { ptr } = value;
    gc.writePointer(node + 8, value);
    value.dispose();
    gc.copy(Node, holder, node);
    holder.store("value", null);
    holder.store("next", node);
    arena.free();
    collect(gc);
    // Its memory is no other object's while the pointer is there.
    expect(gc.isObject(ptr)).toBe(false);
    const others = Array.from({ length: 2000 }, () => gc.new(Node));
    expect(others.some((other) => heap.objectBase(other.ptr) === heap.objectBase(node))).toBe(false);
    expect(heap.objectBase(node)).not.toBe(0);
    holder.store("next", null);
    collect(gc);
    expect(heap.objectBase(node)).toBe(0);
  });

  it("keeps what is stored while a cycle marks, wherever the marking is", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    const arena = gc.arena();
    const roots: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const node = arena.allocate(Node);
      gc.writePointer(node, roots.at(-1) ?? 0);
      roots.push(node);
    }
    for (let round = 0; round < 4; round++) {
      gc.start();
      const values: number[] = [];
      for (let i = 0; gc.phase === "mark"; i++) {
        gc.step({ bytes: 1 });
        const fresh = arena.allocate(Node);
        values.push(
          gc.inside(() => {
            const value = gc.allocate(Node);
            gc.writePointer((i % 2 ? fresh : roots[(i * 31) % roots.length]!) + 8, value);
            return value;
          }),
        );
        // What this overwrites, another round has put there.
        if (i % 2 === 0) values.length = 0;
        else break;
      }
      collect(gc);
      expect(values.every((value) => gc.isObject(value))).toBe(true);
    }
    gc.start();
    arena.free();
    collect(gc);
  });

  it("shades what it pointed to when it is freed while a cycle marks", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    const stack = gc.shadowStack(4);
    const arena = gc.arena();
    const node = arena.allocate(Node);
    const value = gc.new(Node);
    const { ptr } = value;
    gc.writePointer(node + 8, value);
    value.dispose();
    gc.start();
    arena.free();
    // The law of the collector: what a root reached when the cycle began survives it.
    expect(gc.isObject(ptr)).toBe(true);
    while (gc.step({ bytes: 1 }));
    gc.sweep();
    expect(gc.isObject(ptr)).toBe(true);
    stack.dispose();
    collect(gc);
    expect(gc.isObject(ptr)).toBe(false);
  });

  it("freed, is refused by what is given an address in it", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    const arena = gc.arena();
    const handle = arena.new(Node, 3);
    const bytes = arena.newBytes(20);
    const other = gc.handle(handle.ptr + 16, Node);
    const weak = gc.weak(handle);
    expect([handle.byteLength, bytes.byteLength, weak.ptr]).toEqual([48, 20, handle.ptr]);
    handle.store("next", handle, 2);
    expect(handle.load("next", 2)).toBe(handle.ptr);
    gc.pin(handle);
    arena.free();
    const { ptr } = handle;
    const uses: (() => unknown)[] = [
      () => handle.load("next"),
      () => handle.store("next", null),
      () => other.slot("value"),
      () => gc.handle(ptr),
      () => gc.pin(ptr),
      () => gc.weak(ptr),
      () => gc.onCollect(ptr, () => {}),
      () => gc.setFinalizer(ptr, () => {}),
      () => gc.writePointer(ptr, null),
      () => gc.copy(Node, ptr, ptr + 16),
      () => gc.clear(Node, ptr),
      () => arena.allocate(Node),
      () => arena.allocateBytes(8),
      () => arena.new(Node),
      () => arena.newBytes(8),
      () => arena.free(),
    ];
    for (const use of uses) expect(use).toThrow(ArenaFreedError);
    expect(() => gc.pin(bytes)).toThrow(expect.objectContaining({ code: "ERR_ARENA_FREED", address: bytes.ptr }));
    expect([gc.isObject(ptr), gc.objectOf(ptr), weak.ptr, weak.deref()]).toEqual([false, 0, 0, null]);
    arena.dispose();
    // What is pinned is still there, and can be unpinned.
    collect(gc);
    expect([heap.objectBase(ptr) !== 0, gc.pins(ptr), gc.unpin(ptr)]).toEqual([true, 1, 0]);
    for (const used of [handle, bytes, other]) used.dispose();
    collect(gc);
    expect(heap.objectBase(ptr)).toBe(0);
    expect(gc.objectOf(ptr)).toBe(0);
    expect(() => gc.handle(ptr)).toThrow(GomallocError);
  });

  it("has objects that cannot be freed alone", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    using arena = gc.arena();
    const first = arena.allocate(Node);
    for (const ptr of [first, arena.allocateBytes(16), arena.allocateBytes(3)]) {
      expect(() => gc.free(ptr)).toThrow(expect.objectContaining({ kind: "interior-pointer" }));
      expect(() => heap.free(ptr)).toThrow(MisuseError);
      expect(gc.objectOf(ptr)).not.toBe(0);
    }
  });

  it("leaves alone what has taken the place of a chunk that was freed by hand", () => {
    const gc = open();
    const Node = gc.defineType({ size: 64, pointers: [0] });
    const arena = gc.arena();
    const chunk = heap.objectBase(arena.allocate(Node));
    heap.free(chunk);
    const taken: ReturnType<Collector["new"]>[] = [];
    for (let i = 0; i < 100 && !taken.some(({ ptr }) => ptr === chunk); i++) {
      taken.push(gc.new(Node, heap.usableSize(taken[0]?.ptr ?? 0) / 64 || 64) as unknown as (typeof taken)[number]);
    }
    arena.free();
    for (const object of taken) expect(gc.isObject(object.ptr)).toBe(true);
    collect(gc);
  });

  it("does not take what an earlier arena has left in its memory for pointers", () => {
    const gc = open();
    const Pointers = gc.defineType({ size: 16, pointers: [0, 4, 8, 12] });
    const Numbers = gc.defineType({ size: 16, pointers: [12] });
    const victim = gc.newBytes(64);
    const { ptr } = victim;
    let arena = gc.arena();
    for (let i = 0; i < 1000; i++) {
      const object = arena.allocate(Pointers);
      for (let at = 0; at < 16; at += 4) gc.writePointer(object + at, victim);
    }
    victim.dispose();
    arena.free();
    collect(gc);
    expect(gc.isObject(ptr)).toBe(false);
    const again = gc.newBytes(64);
    arena = gc.arena();
    for (let i = 0; i < 1000; i++) {
      const word = arena.allocate(Numbers) >>> 2;
      heap.u32.fill(again.ptr, word, word + 3);
    }
    const at = again.ptr;
    again.dispose();
    collect(gc);
    expect(gc.isObject(at)).toBe(false);
    arena.free();
  });

  it("runs cycles by itself where allocating does, and loses nothing", () => {
    const gc = open({ auto: true, heapMinimum: 1 << 18 });
    const Node = gc.defineType(NODE);
    const kept = gc.arena();
    const first = kept.allocate(Node);
    let last = first;
    for (let i = 0; i < 200; i++) {
      using arena = gc.arena();
      for (let n = 0; n < 500; n++) arena.allocate(Node);
      arena.allocateBytes(50_000);
      const node = kept.allocate(Node);
      gc.writePointer(last, node);
      last = node;
    }
    expect(gc.stats().numGC).toBeGreaterThan(2);
    let n = 0;
    for (let at = first; at !== 0; at = gc.readPointer(at)) n++;
    expect(n).toBe(201);
    heap.validate({ deep: true });
  });

  it("throws when memory is out, and goes on when there is some", () => {
    const gc = open({ pages: 40 });
    const Node = gc.defineType(NODE);
    const arena = gc.arena();
    expect(() => arena.allocate(Node, 2 ** 30)).toThrow(OutOfMemoryError);
    const hog = heap.malloc(1_000_000);
    let n = 0;
    expect(() => {
      for (; ; n++) gc.writePointer(arena.allocate(Node, 500), arena.allocate(Node));
    }).toThrow(OutOfMemoryError);
    expect(n).toBeGreaterThan(100);
    heap.validate({ deep: true });
    expect(() => {
      for (;;) arena.allocateBytes(30_000);
    }).toThrow(OutOfMemoryError);
    heap.free(hog);
    expect(heap.u8[arena.allocate(Node, 500)]).toBe(0);
    collect(gc);
    arena.free();
    collect(gc);
    expect(heap.stats().heapAlloc).toBeLessThan(10_000);
  });

  it("takes a cycle to the memory of freed ones when memory is out", () => {
    const gc = open({ pages: 60, auto: true, checkmark: false });
    for (let i = 0; i < 60; i++) {
      using arena = gc.arena();
      for (let n = 0; n < 20; n++) arena.allocateBytes(20_000);
    }
    heap.validate({ deep: true });
    expect(gc.stats().numGC).toBeGreaterThan(0);
  });

  it("gives up what it keeps when nobody has it any more", async () => {
    const gc = open();
    const { gc: engine } = globalThis as { gc?: () => void };
    const Node = gc.defineType(NODE);
    const weak = gc.weak(gc.arena().allocate(Node));
    collect(gc);
    expect(weak.ptr).not.toBe(0);
    if (engine === undefined) return;
    for (let i = 0; i < 200 && weak.ptr !== 0; i++) {
      engine();
      await sleep(1);
      gc.arena().free();
      gc.collect();
    }
    expect(weak.ptr).toBe(0);
  });

  it("refuses what is no type, count or size, and changes nothing", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    using other = createHeap();
    const arena = gc.arena();
    arena.allocate(Node);
    for (const count of [0, -1, 0.5, Number.NaN, 2 ** 32, "2", null]) {
      expect(() => arena.allocate(Node, count as number)).toThrow(RangeError);
    }
    for (const size of [-1, 0.5, Number.NaN, 2 ** 32]) expect(() => arena.allocateBytes(size)).toThrow(RangeError);
    expect(() => arena.allocate({} as typeof Node)).toThrow(TypeError);
    expect(() => arena.allocate(other.collector.defineType(NODE))).toThrow(TypeError);
    expect(arena.allocate(Node) - arena.allocate(Node)).toBe(-16);
    heap.dispose();
    expect(() => arena.allocate(Node)).toThrow(HeapDisposedError);
    arena.dispose();
    heap = createHeap();
  });

  it("is read by snapshots as the objects that it consists of", () => {
    const gc = open();
    const Node = gc.defineType(NODE);
    const arena = gc.arena();
    for (let i = 0; i < 5000; i++) arena.allocate(Node);
    const { heapObjects } = heap.stats();
    const { totals } = heap.snapshot() as unknown as { totals?: { objects?: number } };
    if (totals?.objects !== undefined) expect(totals.objects).toBe(heapObjects);
    arena.free();
    heap.validate({ deep: true });
    expect(() => heap.snapshot({ bitmaps: true })).not.toThrow();
  });
});

describe("arenas of several threads", () => {
  it("end with their thread, by detach and by death; pointers into them stay good", () => {
    const shared = createSharedHeap({ maximumPages: 200, shared: true, collector: { checkmark: true } });
    heap = shared;
    const gc = shared.collector;
    for (const end of ["detach", "death"]) {
      const message = shared.share();
      const other = attachHeap(message);
      const Node = other.collector.defineType(NODE);
      const arena = other.collector.arena();
      const [kept, lost] = [arena.allocate(Node), arena.allocateBytes(16)];
      const held = gc.handle(kept, gc.typeFrom(Node.id));
      held.store(8, held);
      if (end === "detach") other.detach();
      else expect(shared.reap(message).ok).toBe(true);
      collect(gc);
      expect([gc.objectOf(kept) !== 0, gc.objectOf(lost)]).toEqual([true, 0]);
      expect(held.load(8)).toBe(kept);
      held.dispose();
      collect(gc);
      expect([gc.objectOf(kept), gc.stats().specials]).toEqual([0, 0]);
    }
  });

  it("are kept by one thread, and used by another", () => {
    const shared = createSharedHeap({ maximumPages: 200, shared: true, collector: { checkmark: true } });
    heap = shared;
    const other = attachHeap(shared.share());
    const gc = shared.collector;
    const Node = gc.defineType(NODE);
    using arena = gc.arena();
    const node = arena.allocate(Node);
    const theirs = other.collector;
    theirs.inside(() => theirs.writePointer(node + 8, theirs.allocateBytes(100)));
    theirs.collect();
    collect(gc);
    expect(gc.isObject(gc.readPointer(node + 8))).toBe(true);
    other.detach();
  });
});
