/**
 * Pools, on both kinds of heap: the order of what they give, what they keep over cycles and for how long, how things are
 * dropped. The cases are those of Go's tests of sync.Pool, as far as they make sense in one thread.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type Collector, createHeap, type Heap, HeapDisposedError } from "../../src/index.ts";
import { attachHeap, createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";
import { random } from "../support/random.ts";

type AnyHeap = Heap | SharedHeap;
const KINDS: [string, () => AnyHeap][] = [
  ["createHeap", () => createHeap({ maximum: 400 })],
  ["createSharedHeap", () => createSharedHeap({ maximumPages: 400, shared: true })],
];

let heap: AnyHeap;
afterEach(() => heap.dispose());

describe.each(KINDS)("a pool of %s", (_, make) => {
  function open(): Collector {
    heap = make();
    return heap.collector;
  }

  it("gives what was put: first the first, then the last", () => {
    const pool = open().pool<string>();
    expect([pool.get(), pool.size]).toEqual([undefined, 0]);
    for (const thing of ["a", "b", "c", "d"]) pool.put(thing);
    expect([pool.size, pool.get(), pool.get(), pool.get(), pool.get(), pool.get()]).toEqual([
      4,
      "a",
      "d",
      "c",
      "b",
      undefined,
    ]);
  });

  it("makes a new one when it is empty, and only then", () => {
    let made = 0;
    const pool = open().pool({ new: () => ++made });
    expect([pool.get(), pool.get()]).toEqual([1, 2]);
    pool.put(42);
    expect([pool.get(), pool.get(), made]).toEqual([42, 3, 3]);
    const failing = heap.collector.pool({
      new: () => {
        throw new Error("no more");
      },
    });
    expect(() => failing.get()).toThrow("no more");
  });

  it("ignores null and undefined, and keeps 0 and what else is false", () => {
    const pool = open().pool<unknown>();
    for (const thing of [null, undefined, 0, "", false]) pool.put(thing);
    expect([pool.size, pool.get(), pool.get(), pool.get()]).toEqual([3, 0, false, ""]);
  });

  it("keeps things over one cycle, and drops them when the second begins", () => {
    const gc = open();
    const dropped: number[] = [];
    const pool = gc.pool<number>({ drop: (thing) => dropped.push(thing) });
    for (let i = 0; i < 100; i++) pool.put(i);
    gc.collect();
    expect([pool.size, dropped]).toEqual([100, []]);
    // What is taken and put again is young again.
    const again = pool.get()!;
    pool.put(again);
    gc.collect();
    expect([pool.size, dropped.length, dropped.includes(again)]).toEqual([1, 99, false]);
    expect(pool.get()).toBe(again);
    pool.put(again);
    gc.collect();
    expect(pool.size).toBe(1);
    gc.collect();
    expect([pool.size, dropped.length]).toEqual([0, 100]);
  });

  it("takes from what is young before it takes what has survived a cycle", () => {
    const gc = open();
    const pool = gc.pool<string>();
    pool.put("old");
    pool.put("older");
    gc.collect();
    pool.put("new");
    pool.put("newer");
    expect([pool.get(), pool.get()]).toEqual(["new", "newer"]);
    expect([pool.get(), pool.get(), pool.get()]).toEqual(["old", "older", undefined]);
  });

  it("keeps the objects of its handles for two cycles at most, in which they die", () => {
    const gc = open();
    const pool = gc.pool({ new: () => gc.newBytes(64) });
    const ptrs = Array.from({ length: 50 }, () => gc.newBytes(64)).map((handle) => {
      pool.put(handle);
      return handle.ptr;
    });
    const alive = (): number => ptrs.filter((ptr) => gc.isObject(ptr)).length;
    gc.collect();
    expect(alive()).toBe(50);
    using taken = pool.get();
    gc.collect();
    expect([alive(), gc.isObject(taken.ptr), gc.stats().handles]).toEqual([1, true, 1]);
    heap.validate({ deep: true });
  });

  it("does so with start and steps, too", () => {
    const gc = open();
    const pool = gc.pool<ReturnType<Collector["newBytes"]>>();
    const handle = gc.newBytes(40);
    const { ptr } = handle;
    pool.put(handle);
    for (let cycle = 0; cycle < 2; cycle++) {
      expect([gc.start(), gc.start(), gc.isObject(ptr)]).toEqual([true, false, true]);
      // A cycle that is marking ages nothing a second time.
      expect(handle.disposed).toBe(cycle === 1);
      while (gc.step({ bytes: 10 }));
      gc.sweep();
    }
    expect(gc.isObject(ptr)).toBe(false);
  });

  it("gives blocks of malloc's back by what `drop` does", () => {
    const gc = open();
    const before = heap.stats().heapAlloc;
    const pool = gc.pool({ new: () => heap.malloc(1000), drop: (block) => heap.free(block) });
    const blocks = Array.from({ length: 30 }, () => pool.get());
    expect(new Set(blocks).size).toBe(30);
    for (const block of blocks) pool.put(block);
    gc.collect();
    expect(heap.usableSize(blocks[3]!)).toBeGreaterThanOrEqual(1000);
    gc.collect();
    expect([pool.size, heap.stats().heapAlloc - before]).toEqual([0, 0]);
    pool.put(heap.malloc(10));
    pool.put(heap.malloc(10));
    pool.clear();
    expect([pool.size, heap.stats().heapAlloc - before]).toEqual([0, 0]);
  });

  it("notices cycles that allocations have begun, at the next get or put", () => {
    const gc = open();
    gc.setOptions({ auto: true, heapMinimum: 1 << 16 });
    const dropped: string[] = [];
    const pool = gc.pool<string>({ drop: (thing) => dropped.push(thing) });
    const other = gc.pool<string>();
    pool.put("x");
    const cycles = gc.stats().numGC;
    while (gc.stats().numGC < cycles + 3) gc.allocateBytes(1000);
    expect(other.get()).toBeUndefined();
    expect([dropped, pool.get()]).toEqual([["x"], undefined]);
  });

  it("notices them by itself after a while", async () => {
    const gc = open();
    gc.setOptions({ auto: true, heapMinimum: 1 << 16 });
    const dropped: string[] = [];
    gc.pool<string>({ drop: (thing) => dropped.push(thing) }).put("x");
    const cycles = gc.stats().numGC;
    while (gc.stats().numGC < cycles + 3) gc.allocateBytes(1000);
    while (dropped.length === 0) await sleep(10);
    expect(dropped).toEqual(["x"]);
  });

  it("drops all, whatever one of them throws, and lets drop use the pool", async () => {
    const gc = open();
    const errors: unknown[] = [];
    const listener = (error: unknown): void => void errors.push(error);
    const before = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", listener);
    try {
      const dropped: number[] = [];
      const pool = gc.pool<number>({
        drop: (thing) => {
          dropped.push(thing);
          if (thing === 2) throw new Error("two");
          if (thing === 3) pool.put(30);
          if (thing === 4) gc.collect();
        },
      });
      for (const thing of [1, 2, 3, 4]) pool.put(thing);
      gc.collect();
      gc.collect();
      expect(dropped.sort()).toEqual([1, 2, 3, 4]);
      expect(pool.get()).toBe(30);
      await sleep(1);
      expect(errors).toEqual([new Error("two")]);
    } finally {
      process.off("unhandledRejection", listener);
      for (const one of before) process.on("unhandledRejection", one);
    }
    heap.validate({ deep: true });
  });

  it("loses nothing and gives nothing twice, in a random play with cycles", () => {
    const gc = open();
    const r = random(0x6c);
    const out = new Set<number>();
    const inside = new Map<number, number>();
    let next = 0;
    const pool = gc.pool<number>({
      new: () => next++,
      drop: (thing) => {
        if (!inside.delete(thing)) throw new Error(`${thing} was dropped and not in the pool`);
      },
    });
    for (let step = 0; step < 20_000; step++) {
      const kind = r() % 100;
      if (kind < 45) {
        const thing = pool.get();
        expect(out.has(thing)).toBe(false);
        inside.delete(thing);
        out.add(thing);
      } else if (kind < 98) {
        const [thing] = out;
        if (thing === undefined) continue;
        out.delete(thing);
        inside.set(thing, gc.stats().numGC);
        pool.put(thing);
      } else if (kind === 98) {
        gc.collect();
        for (const since of inside.values()) expect(gc.stats().numGC - since).toBeLessThan(2);
      }
      if (step % 100 === 0) expect(pool.size).toBe(inside.size);
    }
    expect(next).toBeGreaterThan(100);
  });

  it("refuses what is no option, and everything after the heap's end", () => {
    const gc = open();
    for (const options of [{ make: () => 1 }, { new: 1 }, { drop: "free" }, null, 7]) {
      expect(() => gc.pool(options as object)).toThrow(TypeError);
    }
    const pool = gc.pool({ new: () => 1 });
    pool.put(2);
    heap.dispose();
    expect(() => pool.get()).toThrow(HeapDisposedError);
    expect(() => pool.put(1)).toThrow(HeapDisposedError);
    expect(() => pool.clear()).toThrow(HeapDisposedError);
    expect(() => pool.size).toThrow(HeapDisposedError);
    heap = createHeap();
  });
});

describe("pools of several threads", () => {
  it("are each thread's own, and see the cycles of others", () => {
    const shared = createSharedHeap({ maximumPages: 200, shared: true });
    heap = shared;
    const other = attachHeap(shared.share());
    const dropped: string[] = [];
    const mine = shared.collector.pool<string>({ drop: (thing) => dropped.push(thing) });
    const theirs = other.collector.pool<string>();
    mine.put("mine");
    expect(theirs.get()).toBeUndefined();
    other.collector.collect();
    expect([mine.size, dropped]).toEqual([1, []]);
    other.collector.collect();
    expect([mine.size, dropped]).toEqual([0, ["mine"]]);
    other.detach();
  });
});
