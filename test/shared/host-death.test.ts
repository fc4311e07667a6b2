/** Threads that die: heard of, recovered and reported, wherever they were; and ends that are none. */
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { DeathReport } from "../../src/shared/index.ts";
import { env, random } from "../support/random.ts";
import { create, expectWorking } from "./support/heaps.ts";
import {
  deathOf,
  letGo,
  reached,
  signals,
  startAtWork,
  startThread,
  startWatched,
  type Thread,
} from "./support/host-workers.ts";

const SEED = env("SEED", 20_262);
/** Random terminations; more of them in the long suite. */
const DEATHS = env("DEATHS", 30);
const NOTHING = { heapLock: false, mcentralLock: false, pages: false, remoteFree: false, hostLock: false };

describe("a worker that is terminated", () => {
  it("while it has nothing to do gives its P back", async () => {
    const heap = create();
    const { worker, message, signal, death } = await startWatched(heap, "idle");
    const p = Atomics.load(signal, 0);
    await worker.terminate();
    expect(await death).toEqual({ token: message.token, p, ok: true, repaired: NOTHING, left: null });
    expect(heap.ps.list().find((holder) => holder.p === p)).toEqual({ p, token: 0, state: "idle" });
    expectWorking(heap);
  });

  it("with the heap lock in its hands does not keep it", async () => {
    const heap = create();
    const { worker, message, death } = await startWatched(heap, "holdLock");
    expect(heap.lock().owner()).toMatchObject({ token: message.token });
    await worker.terminate();
    expect(await death).toMatchObject({ ok: true, repaired: { ...NOTHING, heapLock: true }, left: null });
    expect(heap.lock().owner()).toBeNull();
    expectWorking(heap);
  });

  it("with the only P is recovered all the same", async () => {
    const heap = create({ procs: 1 });
    heap.release();
    const { worker, death } = await startWatched(heap, "stubborn");
    await worker.terminate();
    expect(await death).toMatchObject({ p: 1, ok: true, left: null });
    expect(heap.ps.limit).toBe(1);
    expectWorking(heap);
  });

  it("while it waits for a P is not waited for", async () => {
    const heap = create({ procs: 1 });
    heap.release();
    const holder = await startAtWork({ message: heap.share(), task: "stubborn" });
    const waiter = await startWatched(heap, "wait");
    // Once it waits, the holder is asked.
    while (heap.ps.list()[0]!.state !== "stopping") await new Promise((resolve) => setTimeout(resolve, 1));
    await waiter.worker.terminate();
    // On a busy machine it may have made one beyond the limit by then.
    expect(await waiter.death).toMatchObject({ p: expect.toBeOneOf([0, 2]), ok: true });
    letGo(holder.signal);
    // With nobody waiting, it keeps what it was asked for.
    expect(await holder.result).toBe(1);
    expectWorking(heap);
  });

  it("while another is dead with the heap lock is recovered after it", async () => {
    const heap = create();
    const [first, second] = [heap.share(), heap.share()];
    const idle = await startAtWork({ message: first, task: "idle" });
    const holder = await startAtWork({ message: second, task: "holdLock" });
    await Promise.all([idle.worker.terminate(), holder.worker.terminate()]);
    expect(heap.reap(first)).toMatchObject({ ok: false, p: Atomics.load(idle.signal, 0), left: { state: "dead" } });
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
      const { worker, death } = await startWatched(heap, "churnForever", { seed: next() });
      const until = performance.now() + (next() % 5000) / 1000;
      while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
      await worker.terminate();
      const report = await death;
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
      const { death, watch } = deathOf(heap, message);
      const { worker } = await startThread({ message, task: "freeGiven", signal }, watch);
      await reached(signal, 0, next() % blocks.length);
      await worker.terminate();
      expect(await death, `death ${i} of seed ${SEED}`).toMatchObject({ p: 0, ok: true, left: null });
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
    const { death, watch } = deathOf(heap, message);
    const { result } = await startThread({ message, task: "leave" }, watch);
    await result;
    expect(await death).toEqual({ token: message.token, p: 0, ok: true, repaired: NOTHING, left: null });
    expectWorking(heap);
  });

  it("by an exception is heard of", async () => {
    const heap = create();
    const message = heap.share();
    const { death, watch } = deathOf(heap, message);
    const { result } = await startThread({ message, task: "throws" }, watch);
    await expect(result).rejects.toThrow("thrown on purpose");
    expect(await death).toMatchObject({ ok: true, p: 2 });
    expectWorking(heap);
  });

  it("before it attached makes its message void", async () => {
    const heap = create();
    const message = heap.share();
    const { death, watch } = deathOf(heap, message);
    watch(new Worker("", { eval: true }));
    expect(await death).toMatchObject({ p: 0, ok: true });
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

  it("is death by hand where nothing tells of it", () => {
    const heap = create();
    expect(() => heap.reap(heap.token)).toThrow(RangeError);
    expect(() => heap.reap(0)).toThrow(RangeError);
    expect(() => heap.watch({}, heap.share())).toThrow(TypeError);
    expect(heap.reap(77)).toEqual({ token: 77, p: 0, ok: true, repaired: NOTHING, left: null });
  });
});
