/** Workers that are not Node's: event targets, Web Locks, what a browser tells of and what it does not. */
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  attachHeap,
  createSharedHeap,
  type DeathReport,
  type SharedHeap,
  UnrepairedHeapError,
} from "../../src/shared/index.ts";

/** As much of navigator.locks as is used: exclusive locks, in order, with an abort signal. */
class FakeLocks {
  readonly #queues = new Map<string, (() => Promise<void>)[]>();

  request(name: string, { signal }: { signal: AbortSignal }, hold: () => PromiseLike<void> | void): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      const turn = async (): Promise<void> => {
        if (!signal.aborted) await hold();
        resolve();
        queue.shift();
        void queue[0]?.();
      };
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      queue.push(turn);
      if (queue.length === 1) queueMicrotask(() => void turn());
    });
  }
}

const heaps: SharedHeap[] = [];

afterEach(() => {
  vi.unstubAllGlobals();
  for (const heap of heaps.splice(0).reverse()) heap.dispose();
});

function setup() {
  const heap = createSharedHeap();
  heaps.push(heap);
  const message = heap.share();
  const worker = new EventTarget();
  const reports: DeathReport[] = [];
  const watch = () => heap.watch(worker, message, (report) => reports.push(report));
  const attach = (): SharedHeap => {
    const other = attachHeap(message);
    heaps.push(other);
    return other;
  };
  return { heap, message, worker, reports, watch, attach };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("an event target", () => {
  it("tells of its end by close or exit, once", () => {
    const { heap, message, worker, reports, watch, attach } = setup();
    watch();
    attach().malloc(10);
    worker.dispatchEvent(new Event("close"));
    worker.dispatchEvent(new Event("exit"));
    expect(reports).toEqual([expect.objectContaining({ token: message.token, p: 2, ok: true })]);
    expect(heap.ps.list()[1]).toMatchObject({ state: "idle" });
  });

  it("that reports an error lives on", () => {
    const { heap, worker, reports, watch, attach } = setup();
    watch();
    const other = attach();
    const ptr = other.malloc(10);
    worker.dispatchEvent(new Event("error"));
    expect(reports).toEqual([]);
    other.free(ptr);
    heap.validate({ deep: true });
  });

  it("is not listened to after the watch", () => {
    const { worker, reports, watch } = setup();
    watch()();
    worker.dispatchEvent(new Event("close"));
    expect(reports).toEqual([]);
  });
});

describe("a Web Lock", () => {
  it("tells of the end of a worker that tells nothing", async () => {
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    const { message, reports, watch, attach } = setup();
    watch();
    await settled();
    expect(reports).toEqual([]);
    const other = attach();
    other.malloc(10);
    await settled();
    expect(reports).toEqual([]);
    // What the end of the thread does: the lock is free. Leaving the heap frees it, too.
    other.detach();
    await settled();
    expect(reports).toEqual([expect.objectContaining({ token: message.token, p: 0, ok: true })]);
  });

  it("is not waited for after the watch", async () => {
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    const { reports, watch, attach } = setup();
    const stop = watch();
    const other = attach();
    await settled();
    stop();
    other.detach();
    await settled();
    expect(reports).toEqual([]);
  });
});

describe("what cannot be repaired", () => {
  it("is told when all tries are over, or thrown where nobody listens", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const { heap, message, worker, reports, watch, attach } = setup();
      attach().malloc(10);
      const holder = attachHeap(heap.share());
      heaps.push(holder);
      watch();
      const thrown: unknown[] = [];
      const silent = new EventTarget();
      heap.watch(silent, message);
      // A lock that is never given back, by a thread that nobody knows to be dead. Its word alone: a recovery waits for it.
      holder.malloc(10);
      holder.lock().lock();
      worker.dispatchEvent(new Event("close"));
      expect(reports).toEqual([]);
      for (let i = 0; i < 100 && reports.length === 0; i++) await vi.advanceTimersToNextTimerAsync();
      expect(reports).toEqual([expect.objectContaining({ p: 2, ok: false, left: { p: 2, token: 2, state: "dead" } })]);

      silent.dispatchEvent(new Event("close"));
      try {
        for (let i = 0; i < 100; i++) vi.advanceTimersToNextTimer();
      } catch (error) {
        thrown.push(error);
      }
      expect(thrown).toEqual([expect.any(UnrepairedHeapError)]);
      expect(thrown[0]).toMatchObject({ left: { p: 2, state: "dead" }, message: /P 2 \(token 2, dead\)/ });
      holder.lock().unlock();
      expect(heap.reap(message)).toMatchObject({ ok: true, left: null });
      heap.validate({ deep: true });
    } finally {
      vi.useRealTimers();
    }
  });
});
