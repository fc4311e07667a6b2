/**
 * What hangs on objects: cleanups, finalizers, weak pointers and pinners, on both kinds of heap. The cases are those of
 * Go's own tests (mcleanup, mfinal, weak, pinner), as far as they make sense outside of Go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Collector,
  createHeap,
  FinalizerError,
  HandleDisposedError,
  type Heap,
  NotAnObjectError,
} from "../../src/index.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";

type AnyHeap = Heap | SharedHeap;
const KINDS: [string, () => AnyHeap][] = [
  ["createHeap", () => createHeap({ maximum: 400 })],
  ["createSharedHeap", () => createSharedHeap({ maximumPages: 400, shared: true })],
];
const NODE = { size: 16, pointers: { next: 0, value: 8 } } as const;
/** Sizes of objects: tiny ones, slots, pages. */
const SIZES = [1, 8, 16, 48, 160, 5000, 32_768, 100_000];

let heap: AnyHeap;
afterEach(() => heap.dispose());

/** A whole cycle, and the heap is in order. */
function collect(gc: Collector): void {
  gc.collect();
  heap.validate({ deep: true });
}

describe.each(KINDS)("cleanups of %s", (_, make) => {
  it("are called with what was held, once, when the object is dead, whatever its size", () => {
    heap = make();
    const gc = heap.collector;
    const called: number[] = [];
    // On a shared heap the next cycle keeps the block that tiny objects are just taken from.
    for (const size of "reap" in heap ? SIZES.filter((size) => size >= 16) : SIZES) {
      const object = gc.newBytes(size);
      gc.onCollect(object, (held: number) => called.push(held), size);
      collect(gc);
      expect([gc.runFinished(), called]).toEqual([0, []]);
      // A tiny object lives as long as its block: nothing else is allocated in it here.
      object.dispose();
      collect(gc);
      expect([gc.runFinished(), called.splice(0)]).toEqual([1, [size]]);
      collect(gc);
      expect(gc.runFinished()).toBe(0);
    }
    expect(gc.stats()).toMatchObject({ specials: 0, callbacks: 0 });
  });

  it("may be several on an object, and on addresses inside it", () => {
    heap = make();
    const gc = heap.collector;
    const called: string[] = [];
    const object = gc.newBytes(64);
    for (const name of ["a", "b", "c"]) gc.onCollect(object, (held: string) => called.push(held), name);
    gc.onCollect(object.ptr + 40, () => called.push("inside"));
    object.dispose();
    collect(gc);
    gc.runFinished();
    expect(called.sort()).toEqual(["a", "b", "c", "inside"]);
  });

  it("run in a task of their own, without being asked for", async () => {
    heap = make();
    const gc = heap.collector;
    let called = 0;
    gc.onCollect(gc.allocateBytes(100), () => called++);
    collect(gc);
    await Promise.resolve();
    expect(called).toBe(0);
    while (called === 0) await sleep(1);
    expect(called).toBe(1);
  });

  it("run, too, when allocations have swept", async () => {
    heap = make();
    const gc = heap.collector;
    let called = 0;
    for (let i = 0; i < 100; i++) gc.onCollect(gc.allocateBytes(48), () => called++);
    gc.start();
    while (gc.step());
    expect(gc.stats().specials).toBe(100);
    for (let i = 0; gc.phase !== "off"; i++) gc.allocateBytes(48 + (i % 8) * 16);
    while (called < 100) await sleep(1);
    expect(called).toBe(100);
    heap.validate({ deep: true });
  });

  it("can be stopped until the object is found dead, each for itself", () => {
    heap = make();
    const gc = heap.collector;
    const called: number[] = [];
    const object = gc.newBytes(32);
    const cleanups = [0, 1, 2, 3, 4, 5].map((n) => gc.onCollect(object, (held: number) => called.push(held), n));
    expect(cleanups.filter((_, i) => i % 2 === 0).map((cleanup) => cleanup.stop())).toEqual([true, true, true]);
    expect(cleanups[0]!.stop()).toBe(false);
    heap.validate({ deep: true });
    object.dispose();
    collect(gc);
    gc.runFinished();
    expect(called).toEqual([1, 3, 5]);
    expect(cleanups[1]!.stop()).toBe(false);
  });

  it("run for an object that is freed by hand", () => {
    heap = make();
    const gc = heap.collector;
    const called: string[] = [];
    const [first, second] = [gc.newBytes(32), gc.newBytes(50_000)];
    gc.onCollect(first, () => called.push("free"));
    gc.onCollect(second, () => called.push("heap.free"));
    gc.free(first);
    heap.free(second.ptr);
    second.dispose();
    heap.validate({ deep: true });
    expect(gc.runFinished()).toBe(2);
    expect(called).toEqual(["free", "heap.free"]);
  });

  it("all run, whatever one throws; what it throws comes out afterwards", () => {
    heap = make();
    const gc = heap.collector;
    let called = 0;
    for (let i = 0; i < 3; i++) {
      gc.onCollect(gc.allocateBytes(32), () => {
        called++;
        if (i !== 1) throw new Error(`number ${i}`);
      });
    }
    collect(gc);
    expect(() => gc.runFinished()).toThrow(AggregateError);
    expect(called).toBe(3);
    expect(gc.runFinished()).toBe(0);
  });

  it("may allocate, collect and register others", () => {
    heap = make();
    const gc = heap.collector;
    const called: number[] = [];
    const again = (n: number): void => {
      called.push(n);
      if (n === 0) return;
      gc.onCollect(gc.allocateBytes(64), again, n - 1);
      gc.collect();
    };
    gc.onCollect(gc.allocateBytes(64), again, 5);
    gc.collect();
    expect(gc.runFinished()).toBe(6);
    expect(called).toEqual([5, 4, 3, 2, 1, 0]);
  });

  it("lose none of 20,000 objects", () => {
    heap = make();
    const gc = heap.collector;
    const called = new Set<number>();
    for (let i = 0; i < 20_000; i++) gc.onCollect(gc.allocateBytes(16 + (i % 9) * 24), (n: number) => called.add(n), i);
    expect(gc.stats()).toMatchObject({ specials: 20_000, callbacks: 20_000 });
    collect(gc);
    gc.runFinished();
    expect(called.size).toBe(20_000);
    collect(gc);
    expect(gc.stats()).toMatchObject({ specials: 0, callbacks: 0 });
  });

  it("refuse what would keep the object alive, what is no object, and what is no function", () => {
    heap = make();
    const gc = heap.collector;
    const object = gc.newBytes(32);
    const block = heap.malloc(32);
    expect(() => gc.onCollect(object, () => {}, object)).toThrow(/held must not be the target/);
    expect(() => gc.onCollect(null, () => {})).toThrow(NotAnObjectError);
    expect(() => gc.onCollect(block, () => {})).toThrow(NotAnObjectError);
    expect(() => gc.onCollect(object, 3 as never)).toThrow(TypeError);
    object.dispose();
    expect(() => gc.onCollect(object, () => {})).toThrow(HandleDisposedError);
  });

  it("are forgotten with the heap", async () => {
    const ended = make();
    let called = 0;
    ended.collector.onCollect(ended.collector.allocateBytes(32), () => called++);
    ended.collector.collect();
    ended.dispose();
    await sleep(10);
    expect(called).toBe(0);
    heap = make();
  });
});

describe.each(KINDS)("finalizers of %s", (_, make) => {
  it("get the object as it was, which dies for good at the next cycle", () => {
    heap = make();
    const gc = heap.collector;
    for (const size of SIZES.filter((size) => size >= 16)) {
      const object = gc.newBytes(size);
      heap.u32[object.ptr >>> 2] = 97_531;
      const { ptr } = object;
      const seen: number[] = [];
      gc.setFinalizer(object, (it) => seen.push(it.ptr, heap.u32[it.ptr >>> 2]!));
      object.dispose();
      collect(gc);
      collect(gc);
      expect(gc.isObject(ptr)).toBe(true);
      expect(gc.runFinished()).toBe(1);
      expect(seen).toEqual([ptr, 97_531]);
      collect(gc);
      expect(gc.isObject(ptr)).toBe(false);
    }
  });

  it("run before those of the objects that theirs point to", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const order: number[] = [];
    const nodes = [0, 1, 2, 3].map(() => gc.new(Node));
    for (const [i, node] of nodes.entries()) {
      if (i > 0) nodes[i - 1]!.store("next", node);
      gc.setFinalizer(node, () => order.push(i));
    }
    for (const node of nodes) node.dispose();
    for (let i = 0; i < 4; i++) {
      collect(gc);
      expect(gc.runFinished()).toBe(1);
      expect(order.at(-1)).toBe(i);
    }
    collect(gc);
    expect(gc.runFinished()).toBe(0);
    expect(gc.stats().specials).toBe(0);
  });

  it("keep all that the object points to until they have run", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const first = gc.new(Node);
    const value = gc.new(Node, 5000);
    first.store("value", value);
    value.store("next", gc.newBytes(777), 4999);
    let bytes = 0;
    gc.setFinalizer(first, (it) => {
      using array = gc.handle(it.load("value"), Node);
      bytes = gc.handle(array.load("next", 4999)).byteLength;
    });
    first.dispose();
    value.dispose();
    collect(gc);
    collect(gc);
    gc.runFinished();
    expect(bytes).toBeGreaterThanOrEqual(777);
  });

  it("never run for a cycle of objects of which one has one", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const [a, b] = [gc.new(Node), gc.new(Node)];
    a.store("next", b);
    b.store("next", a);
    gc.setFinalizer(a, () => {});
    a.dispose();
    b.dispose();
    collect(gc);
    collect(gc);
    expect([gc.runFinished(), gc.stats().specials]).toEqual([0, 1]);
  });

  it("can bring the object back to life, with another finalizer", () => {
    heap = make();
    const gc = heap.collector;
    const root = gc.handle<"next" | "value">();
    let lives = 0;
    const revive = (it: { ptr: number }): void => {
      lives++;
      root.set(it);
      gc.setFinalizer(it, revive);
    };
    const object = gc.newBytes(64);
    gc.setFinalizer(object, revive);
    object.dispose();
    for (let i = 1; i <= 3; i++) {
      collect(gc);
      gc.runFinished();
      expect([lives, gc.isObject(root.ptr)]).toEqual([i, true]);
      root.set(null);
    }
  });

  it("run before cleanups, which wait until the object is dead for good", () => {
    heap = make();
    const gc = heap.collector;
    const order: string[] = [];
    const object = gc.newBytes(64);
    gc.onCollect(object, () => order.push("cleanup"));
    gc.setFinalizer(object, () => order.push("finalizer"));
    const weak = gc.weak(object);
    object.dispose();
    collect(gc);
    expect(weak.ptr).toBe(0);
    gc.runFinished();
    expect(order).toEqual(["finalizer"]);
    collect(gc);
    gc.runFinished();
    expect(order).toEqual(["finalizer", "cleanup"]);
  });

  it("are one for each object, at its start, and are taken off by null", () => {
    heap = make();
    const gc = heap.collector;
    const object = gc.newBytes(64);
    expect(gc.setFinalizer(object, () => {})).toBe(true);
    expect(() => gc.setFinalizer(object, () => {})).toThrow(FinalizerError);
    expect(() => gc.setFinalizer(object.ptr + 8, () => {})).toThrow(/needs the object's start/);
    expect([gc.setFinalizer(object, null), gc.setFinalizer(object, null)]).toEqual([true, false]);
    let called = 0;
    gc.setFinalizer(object, () => called++);
    gc.free(object);
    heap.validate({ deep: true });
    // Freed by hand: it is dropped.
    expect([gc.runFinished(), called]).toEqual([0, 0]);
    expect(gc.stats()).toMatchObject({ specials: 0, callbacks: 0 });
  });
});

describe.each(KINDS)("weak pointers of %s", (_, make) => {
  it("do not keep their object alive, and are null when it is dead", () => {
    heap = make();
    const gc = heap.collector;
    for (const size of SIZES.filter((size) => size >= 16)) {
      const object = gc.newBytes(size);
      const weak = gc.weak(object);
      collect(gc);
      const strong = weak.deref()!;
      expect([weak.ptr, strong.ptr]).toEqual([object.ptr, object.ptr]);
      object.dispose();
      collect(gc);
      expect(weak.ptr).toBe(strong.ptr);
      strong.dispose();
      collect(gc);
      expect([weak.ptr, weak.deref()]).toEqual([0, null]);
    }
    expect(gc.stats().specials).toBe(0);
  });

  it("know the object's type", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const node = gc.new(Node);
    node.store("next", node);
    using strong = gc.weak(node).deref()!;
    expect(strong.load("next")).toBe(node.ptr);
  });

  it("are equal exactly when they were made for one address, also when the object is dead", () => {
    heap = make();
    const gc = heap.collector;
    const [a, b] = [gc.newBytes(64), gc.newBytes(64)];
    const weak = gc.weak(a);
    const others = [gc.weak(a), gc.weak(a.ptr), gc.weakFrom(weak.indirection), gc.weak(a.ptr + 8), gc.weak(b)];
    const expected = [true, true, true, false, false];
    expect(others.map((other) => weak.equals(other))).toEqual(expected);
    collect(gc);
    expect(weak.equals(gc.weak(a))).toBe(true);
    a.dispose();
    collect(gc);
    expect(others.map((other) => weak.equals(other))).toEqual(expected);
    expect(others.map((other) => other.ptr !== 0)).toEqual([false, false, false, false, true]);
  });

  it("can be stored in objects", () => {
    heap = make();
    const gc = heap.collector;
    const Node = gc.defineType(NODE);
    const [parent, child] = [gc.new(Node), gc.new(Node)];
    parent.store("value", child);
    child.store("next", gc.weak(parent).indirection);
    collect(gc);
    expect(gc.weakFrom(child.load("next")).ptr).toBe(parent.ptr);
    parent.dispose();
    collect(gc);
    expect(gc.weakFrom(child.load("next")).ptr).toBe(0);
    expect(() => gc.weakFrom(child)).toThrow(/no weak pointer's indirection/);
    expect(() => gc.weakFrom(12)).toThrow(RangeError);
  });

  it("give strong references in every phase of a cycle", () => {
    heap = make();
    const gc = heap.collector;
    gc.setOptions({ checkmark: true });
    const Node = gc.defineType(NODE);
    const keep = gc.new(Node);
    const objects = Array.from({ length: 300 }, () => gc.allocateBytes(200));
    const weak = objects.map((ptr) => gc.weak(ptr));
    gc.start();
    // While it marks: the object is hidden from the marking behind the weak pointer, and stored where it was already.
    for (let i = 0; i < 100; i++)
      gc.writePointer(
        keep.ptr,
        gc.inside(() => weak[i]!.ptr),
      );
    const strong = weak.slice(100, 200).map((pointer) => pointer.deref());
    while (gc.step());
    // While it sweeps: those that nobody asked for are dead, whether they have been swept or not.
    expect(weak.slice(200).map((pointer) => pointer.ptr)).toEqual(Array(100).fill(0));
    expect(strong.map((handle) => gc.isObject(handle!.ptr))).toEqual(Array(100).fill(true));
    expect(weak.slice(0, 100).map((pointer) => pointer.ptr)).toEqual(objects.slice(0, 100));
    gc.sweep();
    heap.validate({ deep: true });
    expect(weak.slice(100, 200).map((pointer) => pointer.ptr)).toEqual(objects.slice(100, 200));
  });

  it("are not mixed up when an address serves again", () => {
    heap = make();
    const gc = heap.collector;
    const object = gc.newBytes(64);
    const weak = gc.weak(object);
    gc.free(object);
    expect(weak.ptr).toBe(0);
    const again = Array.from({ length: 64 }, () => gc.newBytes(64));
    expect(again.some(({ ptr }) => gc.weak(ptr).equals(weak))).toBe(false);
    heap.validate({ deep: true });
  });

  it("refuse what is no object", () => {
    heap = make();
    const gc = heap.collector;
    expect(() => gc.weak(null)).toThrow(NotAnObjectError);
    expect(() => gc.weak(heap.malloc(10))).toThrow(NotAnObjectError);
    const weak = gc.weak(gc.newBytes(20));
    weak.dispose();
    weak.dispose();
    expect(() => weak.ptr).toThrow(HandleDisposedError);
  });
});

describe.each(KINDS)("pinners of %s", (_, make) => {
  it("keep what they pin, until all of it is unpinned together", () => {
    heap = make();
    const gc = heap.collector;
    const ptr = gc.allocateBytes(32);
    const pinner = gc.pinner();
    for (let i = 0; i < 100; i++) expect(pinner.pin(ptr + (i % 32))).toBe(ptr + (i % 32));
    const other = gc.pinner();
    other.pin(ptr);
    expect([gc.pins(ptr), pinner.size]).toEqual([101, 100]);
    pinner.unpin();
    pinner.unpin();
    collect(gc);
    expect([gc.pins(ptr), gc.isObject(ptr), pinner.size]).toEqual([1, true, 0]);
    other.dispose();
    collect(gc);
    expect(gc.isObject(ptr)).toBe(false);
  });

  it("ignore null and what is not the collector's", () => {
    heap = make();
    const gc = heap.collector;
    using pinner = gc.pinner();
    expect([pinner.pin(null), pinner.pin(heap.malloc(8)) > 0, pinner.size]).toEqual([0, true, 0]);
  });
});

describe("threads of a shared heap", () => {
  it("run their own callbacks, and no other's", () => {
    const shared = createSharedHeap({ maximumPages: 200, shared: true });
    heap = shared;
    const other = attachHeap(shared.share());
    const called: string[] = [];
    const object = shared.collector.newBytes(32);
    shared.collector.onCollect(object, () => called.push("first"));
    other.collector.onCollect(other.collector.handleFrom(object.id), () => called.push("second"));
    object.dispose();
    collect(shared.collector);
    expect([other.collector.runFinished(), called]).toEqual([1, ["second"]]);
    expect([shared.collector.runFinished(), called]).toEqual([1, ["second", "first"]]);
    other.detach();
  });

  it("take their callbacks with them", () => {
    const shared = createSharedHeap({ maximumPages: 200, shared: true });
    heap = shared;
    const other = attachHeap(shared.share());
    const object = shared.collector.newBytes(32);
    other.collector.setFinalizer(object.ptr, () => {});
    const weak = other.collector.weak(object);
    const mine = shared.collector.weakFrom(weak.indirection.ptr);
    other.detach();
    object.dispose();
    collect(shared.collector);
    expect([shared.collector.stats().specials, mine.ptr]).toEqual([0, 0]);
  });
});
