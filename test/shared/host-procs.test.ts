/** Ps: taking, giving up, lending, asking for one, turns of more threads than Ps, the monitor. */
import { describe, expect, it } from "vitest";
import { AttachError, HeapLockError, ProcsBusyError, type SharedHeap } from "../../src/shared/index.ts";
import { env } from "../support/random.ts";
import { create, join } from "./support/heaps.ts";
import { letGo, reached, signals, startAtWork, startThread } from "./support/host-workers.ts";

const SEED = env("SEED", 20_261);
const states = (heap: SharedHeap): string[] => heap.ps.list().map(({ state, token }) => `${state} ${token}`);

describe("a P", () => {
  it("is taken by the first operation and given up by release", () => {
    const heap = create();
    expect(states(heap)).toEqual(["running 1"]);
    const other = join(heap);
    expect(other.ps.current).toBe(0);
    other.malloc(10);
    expect(other.ps.current).toBe(2);
    expect(states(heap)).toEqual(["running 1", "running 2"]);
    other.release();
    other.release();
    expect(other.ps.current).toBe(0);
    expect(states(other)).toEqual(["running 1", "idle 0"]);
    expect(other.ps.acquire()).toBe(2);
    heap.release();
    other.release();
    other.malloc(10);
    expect(states(heap)).toEqual(["running 2", "idle 0"]);
  });

  it("keeps its caches for the next thread, until it is flushed", () => {
    const heap = create();
    const other = join(heap);
    for (let i = 0; i < 100; i++) other.malloc(64);
    const id = other.ps.current;
    expect(heap.ps.flush(id)).toBe(false);
    other.release();
    const owned = () => heap.stats().ps.find(({ p }) => p === id)!.pagesOwned;
    expect(owned()).toBeGreaterThan(0);
    expect(heap.ps.flush(id)).toBe(true);
    expect(owned()).toBe(0);
    heap.validate({ deep: true });
    expect(() => heap.ps.flush(0)).toThrow(RangeError);
  });

  it("that is lent comes back, or is another's", () => {
    const heap = create({ procs: 1 });
    expect(heap.ps.block(() => states(heap))).toEqual(["blocked 1"]);
    expect(states(heap)).toEqual(["running 1"]);

    const other = join(heap, { turnWait: 20 });
    heap.ps.block(() => {
      other.malloc(10);
      expect(states(heap)).toEqual(["running 2"]);
    });
    expect(heap.ps.current).toBe(0);
    other.release();
    heap.free(heap.malloc(10));
    expect(states(heap)).toEqual(["running 1"]);
    // An operation inside takes it back at once.
    heap.ps.block(() => heap.free(heap.malloc(10)));
    expect(states(heap)).toEqual(["running 1"]);
    heap.ps.block(() => heap.ps.block(() => expect(states(heap)).toEqual(["blocked 1"])));
    expect(states(heap)).toEqual(["running 1"]);
  });

  it("is lent for the time of a promise", async () => {
    const heap = create({ procs: 1 });
    const other = join(heap);
    const value = await heap.ps.blockAsync(async () => {
      await null;
      expect(states(heap)).toEqual(["blocked 1"]);
      other.malloc(8);
      other.release();
      return 5;
    });
    expect(value).toBe(5);
    await expect(heap.ps.blockAsync(() => Promise.reject(new Error("inside")))).rejects.toThrow("inside");
    heap.malloc(8);
    expect(states(heap)).toEqual(["running 1"]);
  });

  it("is given back after a turn, the outermost of several", async () => {
    const heap = create();
    const value = heap.ps.turn(() => {
      heap.ps.turn(() => heap.malloc(8));
      return states(heap);
    });
    expect(value).toEqual(["running 1"]);
    expect(states(heap)).toEqual(["idle 0"]);
    expect(() =>
      heap.ps.turn(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(states(heap)).toEqual(["idle 0"]);
    expect(await heap.ps.turnAsync(async () => states(heap))).toEqual(["running 1"]);
    expect(states(heap)).toEqual(["idle 0"]);
  });

  it("that others want is given up at the next operation; one that nobody wants any more is kept", async () => {
    const heap = create({ procs: 1 });
    const other = join(heap);
    expect(other.ps.requestStop()).toBe(true);
    expect(other.ps.requestStop()).toBe(false);
    expect(states(heap)).toEqual(["stopping 1"]);
    heap.free(heap.malloc(10));
    expect(states(heap)).toEqual(["running 1"]);

    const waiting = other.ps.acquireAsync();
    expect(other.ps.requestStop()).toBe(true);
    await waiting;
    expect(states(heap)).toEqual(["running 2"]);
    const again = heap.ps.acquireAsync();
    expect(await again).toBe(1);
    expect(states(heap)).toEqual(["running 1"]);
  });

  it("that is not to be had is an error that names the holders", () => {
    const heap = create({ procs: 1 });
    const other = join(heap, { turnWait: 30 });
    let error: unknown;
    try {
      other.malloc(10);
    } catch (reason) {
      error = reason;
    }
    expect(error).toBeInstanceOf(ProcsBusyError);
    const state = expect.stringMatching(/running|stopping/);
    expect(error).toMatchObject({ code: "ERR_PROCS_BUSY", holders: [{ p: 1, token: 1, state }] });
    expect((error as ProcsBusyError).waited).toBeGreaterThanOrEqual(30);
    expect((error as Error).message).toMatch(/P 1 \(token 1, (running|stopping)\)/);
    heap.ps.limit = 2;
    other.malloc(10);
    expect(states(heap)[1]).toBe("running 2");
  });

  it("of a thread reported dead by mistake is not used any more", () => {
    const heap = create();
    const other = join(heap);
    other.malloc(10);
    expect(heap.reap(other.token)).toMatchObject({ p: 2, ok: true });
    expect(() => other.malloc(10)).toThrow(AttachError);
    expect(() => other.free(8)).toThrow(AttachError);
    heap.validate({ deep: true });
  });

  it("stays where it is while a lock is held", () => {
    const heap = create();
    heap.lock().lock();
    expect(() => heap.release()).toThrow(HeapLockError);
    expect(() => heap.ps.block(() => 0)).toThrow(HeapLockError);
    expect(heap.ps.current).toBe(1);
    heap.lock().unlock();
    heap.release();
  });
});

describe("more threads than Ps", () => {
  it("an idle holder gives way when it is back in its event loop", async () => {
    const heap = create({ procs: 1 });
    const ptr = heap.malloc(10);
    const { result } = await startThread({ message: heap.share(), task: "churn", seed: SEED, rounds: 1000 });
    expect(await result).toBe(1000);
    heap.free(ptr);
    heap.validate({ deep: true });
  });

  it("one that computes gives way at its next operation", async () => {
    const heap = create({ procs: 1 });
    heap.release();
    const stubborn = await startAtWork({ message: heap.share(), task: "stubborn" });
    const waiting = heap.ps.acquireAsync();
    for (;;) {
      if (states(heap)[0] === "stopping 2") break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    letGo(stubborn.signal);
    expect(await waiting).toBe(1);
    heap.release();
    expect(await stubborn.result).toBe(1);
  });

  it("one that waits for something else has lent its P", async () => {
    const heap = create({ procs: 1 });
    heap.release();
    const lender = await startAtWork({ message: heap.share(), task: "lend" });
    // Had at once, without the other's help.
    expect(heap.ps.tryAcquire()).toBe(true);
    expect(states(heap)).toEqual(["running 1"]);
    letGo(lender.signal);
    expect(await lender.result).toEqual([1, 1]);
  });

  it.each([1, 2])("%i for six workers and this thread: all get their turns", async (procs) => {
    console.info(`seed ${SEED}`);
    const heap = create({ procs });
    const threads = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        startThread({ message: heap.share(), task: "churn", seed: SEED + i, rounds: 20_000 }),
      ),
    );
    const results = Promise.all(threads.map(({ result }) => result));
    let own = 0;
    let over = false;
    void results.finally(() => {
      over = true;
    });
    while (!over) {
      const ptr = await heap.ps.turnAsync(() => heap.malloc(own % 500));
      await heap.ps.turnAsync(() => heap.free(ptr));
      own++;
      // To where the workers' messages come in.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await results).toEqual(Array.from({ length: 6 }, () => 20_000));
    expect(own).toBeGreaterThan(0);
    // More only where on a busy machine nobody moved for a while.
    expect(heap.ps.list().length).toBeLessThanOrEqual(7);
    heap.validate({ deep: true });
    const { mallocs, frees } = heap.stats();
    expect(mallocs - frees).toBe(1);
  });
});

describe("the monitor", () => {
  it("flushes Ps that stay idle, once", () => {
    const heap = create();
    const other = join(heap);
    for (let i = 0; i < 100; i++) other.malloc(64);
    other.release();
    const monitor = heap.ps.monitor({ intervalMs: 60_000, idleMs: 0 });
    expect(monitor.tick()).toEqual([2]);
    expect(monitor.tick()).toEqual([]);
    expect(heap.stats().ps[1]).toMatchObject({ p: 2, state: "idle", pagesOwned: 0 });
    other.malloc(64);
    expect(monitor.tick()).toEqual([]);
    other.release();
    expect(monitor.tick()).toEqual([2]);
    monitor.stop();
    monitor.stop();
    expect(monitor.running).toBe(false);
    heap.validate({ deep: true });
  });

  it("does so by its timer, and ends with the heap", async () => {
    const heap = create();
    const other = join(heap);
    other.malloc(64);
    other.release();
    const monitor = heap.ps.monitor({ intervalMs: 1, idleMs: 1 });
    while (heap.stats().ps[1]!.pagesOwned > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    heap.dispose();
    expect(monitor.running).toBe(false);
    expect(monitor.tick()).toEqual([]);
  });

  it("leaves asking for a P to the thread that waits for one", async () => {
    const heap = create({ procs: 2 });
    const other = join(heap);
    other.malloc(8);
    const monitor = heap.ps.monitor({ intervalMs: 60_000 });
    const signal = signals();
    const waiter = await startThread({ message: heap.share(), task: "wait", signal });
    await reached(signal, 0, 1);
    while (heap.ps.current !== 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(await waiter.result).toBeGreaterThan(0);
    expect(monitor.tick()).toEqual([]);
    expect(() => heap.ps.monitor({ intervalMs: 0 })).toThrow(RangeError);
    expect(() => heap.ps.monitor({ idleMs: -1 })).toThrow(RangeError);
  });
});
