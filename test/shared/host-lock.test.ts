/** HeapLock: the words that wasm locks, from JavaScript; and a lock that is not given back. */
import { describe, expect, it } from "vitest";
import { HeapLockError, OutOfMemoryError } from "../../src/shared/index.ts";
import { thrown } from "../support/thrown.ts";
import { create, join } from "./support/heaps.ts";
import { reached, signals, startThread } from "./support/host-workers.ts";

describe("a lock", () => {
  it("is one thread's at a time", () => {
    const heap = create();
    const other = join(heap);
    const [mine, theirs] = [heap.lock(), other.lock(0)];
    // Making a P takes the heap lock.
    other.ps.acquire();
    expect(mine.owner()).toBeNull();
    expect(mine.tryLock()).toBe(true);
    expect(theirs.owner()).toEqual({ p: 1, token: 1, state: "running" });
    expect(theirs.tryLock()).toBe(false);
    expect(thrown(() => theirs.unlock())).toBeInstanceOf(HeapLockError);
    mine.unlock();
    expect(theirs.with(() => mine.owner())).toEqual({ p: 2, token: 2, state: "running" });
    expect(mine.owner()).toBeNull();
    expect(thrown(() => mine.unlock())).toMatchObject({ lock: 0, owner: null });
  });

  it("cannot be taken twice, and the heap cannot be used with it", () => {
    const heap = create();
    const lock = heap.lock();
    lock.lock();
    expect(lock.tryLock()).toBe(false);
    expect(thrown(() => lock.lock())).toMatchObject({ code: "ERR_HEAP_LOCK", owner: { p: 1, token: 1 } });
    expect(thrown(() => heap.malloc(8))).toBeInstanceOf(HeapLockError);
    expect(thrown(() => heap.stats())).toBeInstanceOf(HeapLockError);
    // The order is: the heap lock, then another.
    heap.lock(5).with(() => expect(heap.lock(5).owner()?.p).toBe(1));
    lock.unlock();
    heap.free(heap.malloc(8));
  });

  it("is one of lockCount", () => {
    const heap = create();
    expect(() => heap.lock(-1)).toThrow(RangeError);
    expect(() => heap.lock(100_000)).toThrow(RangeError);
    expect(heap.lock(1).index).toBe(1);
  });

  it("counts how often it was taken", () => {
    const heap = create();
    const lock = heap.lock(3);
    const before = lock.counters();
    for (let i = 0; i < 10; i++) lock.with(() => {});
    expect(lock.counters()).toEqual({ ...before, acquisitions: before.acquisitions + 10 });
    expect(heap.stats().locks.find(({ index }) => index === 3)!.acquisitions).toBe(before.acquisitions + 10);
  });

  it("keeps others out: counting by plain loads and stores comes out right", async () => {
    const heap = create();
    const word = heap.calloc(1, 8);
    const before = heap.lock().counters();
    const threads = await Promise.all(
      Array.from({ length: 3 }, () => startThread({ message: heap.share(), task: "count", rounds: word })),
    );
    let own = 0;
    for (; own < 100; own++) {
      await heap.lock().lockAsync();
      heap.u32[word >>> 2] = heap.u32[word >>> 2]! + 1;
      heap.lock().unlock();
    }
    await Promise.all(threads.map(({ result }) => result));
    expect(heap.u32[word >>> 2]).toBe(3 * 2000 + own);
    const after = heap.lock().counters();
    expect(after.acquisitions - before.acquisitions).toBeGreaterThanOrEqual(3 * 2000 + own);
    heap.validate({ deep: true });
  });
});

describe("a lock that is not given back", () => {
  it("is an error with its owner, not out of memory", () => {
    const heap = create({ lockWait: 40 });
    const other = join(heap);
    other.lock().lock();
    const owner = { p: 2, token: 2, state: "running" };
    const calls = [
      ...[() => heap.malloc(1 << 20), () => heap.tryMalloc(1 << 20), () => heap.calloc(1 << 10, 1 << 10)],
      ...[() => heap.alignedAlloc(1 << 16, 5), () => heap.realloc(0, 1 << 20), () => heap.tryRealloc(0, 1 << 20)],
      ...[() => heap.mallocgc(1 << 20, null, false), () => heap.lock().lock()],
    ];
    for (const call of calls) {
      const error = thrown(call);
      expect(error, String(call)).toBeInstanceOf(HeapLockError);
      expect(error).toMatchObject({ lock: 0, owner });
      const said = /^the heap lock was not available for (\d+) ms: held by P 2 \(token 2, running\)/;
      const [, ms] = said.exec((error as Error).message) ?? expect.fail((error as Error).message);
      expect(Number(ms)).toBeGreaterThanOrEqual(40);
    }
    other.lock().unlock();
    heap.free(heap.malloc(1 << 20));
    heap.validate({ deep: true });
  });

  it("does not make a later shortage of memory look like one", () => {
    const heap = create({ lockWait: 20 });
    const other = join(heap);
    const large = heap.malloc(1 << 20);
    other.lock().lock();
    heap.free(large);
    other.lock().unlock();
    heap.setLimits({ maxBytes: 1 });
    expect(thrown(() => heap.malloc(1 << 24))).toBeInstanceOf(OutOfMemoryError);
  });

  it("is waited for asynchronously as long as patience lasts", async () => {
    const heap = create({ lockWait: 40 });
    const other = join(heap, { lockWait: 0 });
    other.ps.acquire();
    heap.lock().lock();
    const waiting = other.lock().lockAsync();
    await new Promise((resolve) => setTimeout(resolve, 10));
    heap.lock().unlock();
    await waiting;
    expect(heap.lock().owner()?.p).toBe(2);
    expect(heap.lock().counters().waits).toBeGreaterThan(0);
    await expect(heap.lock().lockAsync()).rejects.toMatchObject({ code: "ERR_HEAP_LOCK", owner: { p: 2 } });
    other.lock().unlock();
  });

  it("of a worker is told with the worker's token, and is had when the worker goes on", async () => {
    const heap = create({ lockWait: 30 });
    const signal = signals();
    const message = heap.share();
    const { result } = await startThread({ message, task: "holdLock", signal });
    await reached(signal, 0, 1);
    const p = Atomics.load(signal, 0);
    expect(thrown(() => heap.malloc(1 << 20))).toMatchObject({ owner: { p, token: message.token, state: "running" } });
    Atomics.store(signal, 1, 1);
    Atomics.notify(signal, 1);
    await result;
    heap.free(heap.malloc(1 << 20));
    heap.validate({ deep: true });
  });
});
