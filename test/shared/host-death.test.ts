/** Threads that die: heard of, recovered and reported, wherever they were; and ends that are none. */
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import {
  createSharedHeap,
  type DeathReport,
  type SharedHeap,
  type SharedHeapMessage,
  type SharedHeapOptions,
  type WorkerLike,
} from "../../src/shared/index.ts";
import { env, random } from "../support/random.ts";
import { reached, signals, startThread, type Thread } from "./support/host-workers.ts";

const SEED = env("SEED", 20_262);
/** Random terminations; more of them in the long suite. */
const DEATHS = env("DEATHS", 30);
const NOTHING = { heapLock: false, mcentralLock: false, pages: false, remoteFree: false, hostLock: false };

const heaps: SharedHeap[] = [];
const create = (options?: SharedHeapOptions): SharedHeap => {
  const heap = createSharedHeap(options);
  heaps.push(heap);
  return heap;
};

afterEach(() => {
  for (const heap of heaps.splice(0).reverse()) heap.dispose();
});

/** Watches a worker, and gives what the watch reports. */
function deathOf(heap: SharedHeap, message: SharedHeapMessage) {
  let report: (report: DeathReport) => void = () => {};
  const told = new Promise<DeathReport>((resolve) => {
    report = resolve;
  });
  return { told, watch: (worker: WorkerLike) => void heap.watch(worker, message, report) };
}

/** The heap is in order and does its work. */
function expectWorking(heap: SharedHeap): void {
  heap.validate({ deep: true });
  const blocks = Array.from({ length: 500 }, (_, i) => heap.malloc(i * 9));
  heap.free(heap.malloc(200_000));
  for (const ptr of blocks) heap.free(ptr);
  heap.validate({ deep: true });
}

describe("a worker that is terminated", () => {
  it("while it has nothing to do gives its P back", async () => {
    const heap = create();
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    const signal = signals();
    const { worker } = await startThread({ message, task: "idle", signal }, watch);
    await reached(signal, 0, 1);
    const p = Atomics.load(signal, 0);
    await worker.terminate();
    expect(await told).toEqual({ token: message.token, p, ok: true, repaired: NOTHING, left: null });
    expect(heap.ps.list().find((holder) => holder.p === p)).toEqual({ p, token: 0, state: "idle" });
    expectWorking(heap);
  });

  it("with the heap lock in its hands does not keep it", async () => {
    const heap = create();
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    const signal = signals();
    const { worker } = await startThread({ message, task: "holdLock", signal }, watch);
    await reached(signal, 0, 1);
    expect(heap.lock().owner()).toMatchObject({ token: message.token });
    await worker.terminate();
    expect(await told).toMatchObject({ ok: true, repaired: { ...NOTHING, heapLock: true }, left: null });
    expect(heap.lock().owner()).toBeNull();
    expectWorking(heap);
  });

  it("with the only P is recovered all the same", async () => {
    const heap = create({ procs: 1 });
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    const signal = signals();
    heap.release();
    const { worker } = await startThread({ message, task: "stubborn", signal }, watch);
    await reached(signal, 0, 1);
    await worker.terminate();
    expect(await told).toMatchObject({ p: 1, ok: true, left: null });
    expect(heap.ps.limit).toBe(1);
    expectWorking(heap);
  });

  it("while it waits for a P is not waited for", async () => {
    const heap = create({ procs: 1 });
    const signal = signals();
    const holder = await startThread({ message: heap.share(), task: "stubborn", signal });
    heap.release();
    await reached(signal, 0, 1);
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    const second = signals();
    const waiter = await startThread({ message, task: "wait", signal: second }, watch);
    await reached(second, 0, 1);
    // Once it waits, the holder is asked.
    while (heap.ps.list()[0]!.state !== "stopping") await new Promise((resolve) => setTimeout(resolve, 1));
    await waiter.worker.terminate();
    // On a busy machine it may have made one beyond the limit by then.
    expect(await told).toMatchObject({ p: expect.toBeOneOf([0, 2]), ok: true });
    Atomics.store(signal, 1, 1);
    Atomics.notify(signal, 1);
    // With nobody waiting, it keeps what it was asked for.
    expect(await holder.result).toBe(1);
    expectWorking(heap);
  });

  it("while another is dead with the heap lock is recovered after it", async () => {
    const heap = create();
    const [first, second] = [heap.share(), heap.share()];
    const [one, two] = [signals(), signals()];
    const idle = await startThread({ message: first, task: "idle", signal: one });
    await reached(one, 0, 1);
    const holder = await startThread({ message: second, task: "holdLock", signal: two });
    await reached(two, 0, 1);
    await Promise.all([idle.worker.terminate(), holder.worker.terminate()]);
    expect(heap.reap(first)).toMatchObject({ ok: false, p: Atomics.load(one, 0), left: { state: "dead" } });
    expect(heap.reap(second)).toMatchObject({ ok: true, repaired: { heapLock: true } });
    expect(heap.ps.list().map(({ state }) => state)).toEqual(["running", "idle", "idle"]);
    expect(heap.reap(first.token)).toEqual({ token: first.token, p: 0, ok: true, repaired: NOTHING, left: null });
    expectWorking(heap);
  });

  it(`at any moment leaves a heap that goes on, ${DEATHS} times`, async () => {
    console.info(`seed ${SEED}`);
    const next = random(SEED);
    const heap = create();
    const found = { ...NOTHING };
    for (let i = 0; i < DEATHS; i++) {
      const signal = signals();
      const message = heap.share();
      const { told, watch } = deathOf(heap, message);
      const { worker } = await startThread({ message, task: "churnForever", seed: next(), signal }, watch);
      await reached(signal, 0, 1);
      const until = performance.now() + (next() % 5000) / 1000;
      while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
      await worker.terminate();
      const report = await told;
      expect(report, `death ${i} of seed ${SEED}`).toMatchObject({ ok: true, left: null });
      for (const key of Object.keys(found) as (keyof typeof found)[]) found[key] ||= report.repaired[key];
      expectWorking(heap);
    }
    expect(heap.ps.list().length).toBeLessThanOrEqual(3);
  });
});

describe("a worker that is terminated, one without a P, while it frees", () => {
  it(`leaves no block behind, ${DEATHS} times`, async () => {
    console.info(`seed ${SEED}`);
    const next = random(SEED);
    const heap = create();
    const sizes = [24, 64, 300, 3000, 9000, 50_000];
    const inUse = (): number[] => {
      heap.releaseAll();
      // How often something was freed is counted, and a thread may die before it does so.
      const { heapAlloc, heapInuse } = heap.stats();
      return [heapAlloc, heapInuse];
    };
    const before = inUse();
    for (let i = 0; i < DEATHS; i++) {
      const blocks = Array.from({ length: 600 }, () => heap.malloc(sizes[next() % sizes.length]!));
      const signal = signals(4 + blocks.length);
      signal.set(blocks, 4);
      const message = heap.share();
      const { told, watch } = deathOf(heap, message);
      const { worker } = await startThread({ message, task: "freeGiven", signal }, watch);
      await reached(signal, 0, next() % blocks.length);
      await worker.terminate();
      expect(await told, `death ${i} of seed ${SEED}`).toMatchObject({ p: 0, ok: true, left: null });
      heap.validate({ deep: true });
      for (const ptr of signal.subarray(4)) if (ptr !== 0) heap.free(ptr >>> 0);
      // The free of this one was under way.
      const last = signal[2]! >>> 0;
      if (last !== 0 && heap.usableSize(last) !== 0) heap.free(last);
      heap.validate({ deep: true });
      expect(inUse(), `bytes of blocks and spans after death ${i} of seed ${SEED}`).toEqual(before);
    }
  });
});

describe("the end of a worker", () => {
  it("that has left the heap leaves nothing", async () => {
    const heap = create();
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    const { result } = await startThread({ message, task: "leave" }, watch);
    await result;
    expect(await told).toEqual({ token: message.token, p: 0, ok: true, repaired: NOTHING, left: null });
    expectWorking(heap);
  });

  it("by an exception is heard of", async () => {
    const heap = create();
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    const { result } = await startThread({ message, task: "throws" }, watch);
    await expect(result).rejects.toThrow("thrown on purpose");
    expect(await told).toMatchObject({ ok: true, p: 2 });
    expectWorking(heap);
  });

  it("before it attached makes its message void", async () => {
    const heap = create();
    const message = heap.share();
    const { told, watch } = deathOf(heap, message);
    watch(new Worker("", { eval: true }));
    expect(await told).toMatchObject({ p: 0, ok: true });
    const late = await startThread({ message, task: "churn" });
    await expect(late.result).rejects.toThrow("call share() once for each thread");
  });

  it("is not watched after the watch or the heap has ended", async () => {
    const heap = create();
    const message = heap.share();
    const heard: DeathReport[] = [];
    const signal = signals();
    const threads: Thread[] = [];
    threads.push(
      await startThread({ message, task: "idle", signal }, (worker) => {
        const stop = heap.watch(worker, message, (report) => heard.push(report));
        stop();
      }),
    );
    const other = create();
    const second = other.share();
    threads.push(
      await startThread({ message: second, task: "idle" }, (worker) => {
        other.watch(worker, second, (report) => heard.push(report));
        other.dispose();
      }),
    );
    await reached(signal, 0, 1);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(heard).toEqual([]);
    expect(heap.workerDied(message)).toMatchObject({ ok: true, p: 2 });
  });

  it("is told by hand where nothing tells of it", () => {
    const heap = create();
    expect(() => heap.reap(heap.token)).toThrow(RangeError);
    expect(() => heap.reap(0)).toThrow(RangeError);
    expect(() => heap.watch({}, heap.share())).toThrow(TypeError);
    expect(heap.reap(77)).toEqual({ token: 77, p: 0, ok: true, repaired: NOTHING, left: null });
  });
});
