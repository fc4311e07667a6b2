/** What the workers of the tests do; see host-workers.ts. Bundled, so it imports the sources. */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { attachHeap, type Handle, type SharedHeap } from "../../../src/shared/index.ts";
import { random } from "../../support/random.ts";
import { list } from "./host-list.ts";
import type { Job } from "./host-workers.ts";

const { message, task, seed, rounds, signal, source } = workerData as Job;

/** Allocates, writes, checks and frees blocks, one operation a round; every block holds its own mark all over. */
function churn(heap: SharedHeap, count: number, alive: () => boolean = () => true): number {
  const next = random(seed);
  const blocks: { ptr: number; size: number; mark: number }[] = [];
  const check = ({ ptr, size, mark }: (typeof blocks)[number]): void => {
    const bytes = heap.u8.subarray(ptr, ptr + size);
    const wrong = bytes.findIndex((byte) => byte !== mark);
    if (wrong >= 0) throw new Error(`block ${ptr} of ${size}: byte ${wrong} is ${bytes[wrong]}, not ${mark}`);
  };
  let done = 0;
  for (; done < count && alive(); done++) {
    if (blocks.length > 0 && next() % 100 < 48) {
      const [block] = blocks.splice(next() % blocks.length, 1);
      check(block!);
      heap.free(block!.ptr);
    } else {
      const size = next() % 200 === 0 ? next() % 100_000 : next() % 700;
      const ptr = heap.malloc(size);
      const mark = next() & 0xff;
      heap.u8.fill(mark, ptr, ptr + size);
      blocks.push({ ptr, size, mark });
    }
  }
  for (const block of blocks) {
    check(block);
    heap.free(block.ptr);
  }
  return done;
}

/** Sets a signal and wakes who waits for it. */
function tell(index: number, value: number): void {
  Atomics.store(signal, index, value);
  Atomics.notify(signal, index);
}

const TASKS = {
  /** Marks until signal 1 is set, and counts its cycles in signal 0. Their records. */
  mark(heap: SharedHeap) {
    const stop = new AbortController();
    const timer = setInterval(() => Atomics.load(signal, 1) !== 0 && stop.abort(), 5);
    heap.collector.setOptions({ onCycle: () => Atomics.add(signal, 0, 1) });
    return heap.collector.runMarker({ signal: stop.signal }).finally(() => clearInterval(timer));
  },
  /** Cycles without end. */
  async markForever(heap: SharedHeap) {
    const onCycle = () => Atomics.add(signal, 0, 1);
    heap.collector.setOptions({ heapMinimum: 0, gcPercent: 0, auto: true, onCycle });
    await heap.collector.runMarker();
  },
  /** Lists that are made, cut in two, put together the other way round, counted and dropped. The type is in signal 3. */
  lists(heap: SharedHeap) {
    const gc = heap.collector;
    const type = gc.typeFrom(signal[3]!);
    let good = 0;
    for (let round = 0; round < rounds; round++) {
      const [a, b] = [list(heap, type, 60), list(heap, type, 40)];
      const middle = gc.inside(() => {
        let p = a.ptr;
        for (let i = 0; i < 29; i++) p = heap.u32[p >>> 2]!;
        const rest = gc.handle(heap.u32[p >>> 2]);
        gc.writePointer(p, b);
        b.set(null);
        return rest;
      });
      for (let i = 0; i < 20; i++) gc.inside(() => gc.allocate(type, 10));
      const count = (handle: Handle): number =>
        gc.inside(() => {
          let n = 0;
          for (let p = handle.ptr; p !== 0; p = heap.u32[p >>> 2]!) n += gc.isObject(p) ? 1 : 1000;
          return n;
        });
      if (count(a) === 70 && count(middle) === 30) good++;
      for (const handle of [a, b, middle]) handle.dispose();
    }
    return good;
  },
  /** Makes objects, then sleeps with its P in its hands. */
  sleepWithObjects(heap: SharedHeap) {
    const handle = list(heap, heap.collector.defineType({ size: 8, pointers: [0] }), 100);
    Atomics.store(signal, 2, handle.id);
    tell(0, 1);
    Atomics.wait(signal, 1, 0);
  },
  /** Does not come out again. */
  stayInside(heap: SharedHeap) {
    heap.collector.inside(() => {
      tell(0, 1);
      Atomics.wait(signal, 1, 0);
    });
  },
  /** Works with the heap and leaves it. */
  churn(heap: SharedHeap) {
    return churn(heap, rounds);
  },
  /**
   * Frees the blocks whose addresses stand from signal 4 on, without a P; the one that it is about is in signal 2. Counts them
   * in signal 0, and sleeps when it has done all.
   */
  freeGiven(heap: SharedHeap) {
    for (let i = 4; i < signal.length; i++) {
      const ptr = signal[i]! >>> 0;
      Atomics.store(signal, 2, ptr);
      Atomics.store(signal, i, 0);
      heap.free(ptr);
      Atomics.store(signal, 2, 0);
      Atomics.add(signal, 0, 1);
    }
    Atomics.wait(signal, 1, 0);
  },
  /** Works until signal 1 is set or the worker is terminated. */
  churnForever(heap: SharedHeap) {
    heap.free(heap.malloc(10));
    Atomics.add(signal, 0, 1);
    return churn(heap, Number.POSITIVE_INFINITY, () => Atomics.load(signal, 1) === 0);
  },
  /** Makes a block, whose address is signal 2, and keeps its P without coming to its event loop. */
  giveAndSleep(heap: SharedHeap) {
    Atomics.store(signal, 2, heap.malloc(rounds));
    tell(0, heap.ps.current);
    Atomics.wait(signal, 1, 0);
  },
  /** Asks, after signal 1, for a block that takes the heap lock, which another has. */
  mallocLarge(heap: SharedHeap) {
    heap.malloc(10);
    tell(0, heap.ps.current);
    Atomics.wait(signal, 1, 0);
    heap.free(heap.malloc(500_000));
    return true;
  },
  /** Holds an mcentral's lock and the heap's. */
  holdTwoLocks(heap: SharedHeap) {
    heap.lock(7).lock();
    heap.lock().lock();
    tell(0, heap.ps.current);
    Atomics.wait(signal, 1, 0);
  },
  /** Detaches with a lock in its hands, and lives on. */
  leaveWithLock(heap: SharedHeap) {
    heap.lock().lock();
    heap.detach();
    tell(0, 1);
    return new Promise(() => setInterval(() => {}, 1000));
  },
  /** Throws with a lock in its hands, which nobody catches. */
  throwWithLock(heap: SharedHeap) {
    heap.lock().lock();
    tell(0, heap.ps.current);
    throw new Error("thrown on purpose");
  },
  /** Is a parent itself: its worker dies with the heap lock, and only this thread can hear of that. */
  async parent(heap: SharedHeap) {
    const child = heap.share();
    const childSignal = new Int32Array(new SharedArrayBuffer(16));
    const worker = new Worker(source, {
      eval: true,
      workerData: { ...workerData, message: child, task: "holdLock", signal: childSignal },
    });
    const report = new Promise((resolve) => heap.watch(worker, child, resolve));
    while (Atomics.load(childSignal, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    void worker.terminate();
    let name = "none";
    try {
      heap.malloc(500_000);
    } catch (error) {
      name = (error as Error).name;
    }
    await report;
    heap.free(heap.malloc(500_000));
    return name;
  },
  /** Takes a P and keeps it, idle in its event loop. */
  idle(heap: SharedHeap) {
    heap.malloc(10);
    tell(0, heap.ps.current);
    return new Promise(() => setInterval(() => {}, 1000));
  },
  /** Takes a P and keeps it, without ever coming to an operation. */
  stubborn(heap: SharedHeap) {
    heap.malloc(10);
    tell(0, heap.ps.current);
    Atomics.wait(signal, 1, 0);
    heap.free(heap.malloc(10));
    return heap.ps.current;
  },
  /** Waits for a P that it does not get until signal 1 is set. */
  wait(heap: SharedHeap) {
    tell(0, 1);
    return heap.malloc(16);
  },
  /** Holds the heap lock until signal 1 is set. */
  holdLock(heap: SharedHeap) {
    heap.lock().lock();
    tell(0, heap.ps.current);
    Atomics.wait(signal, 1, 0);
    heap.lock().unlock();
    return heap.malloc(100_000);
  },
  /** Adds to the word at address rounds under the heap lock, which is no atomic addition. */
  count(heap: SharedHeap) {
    const lock = heap.lock();
    for (let i = 0; i < 2000; i++) {
      lock.lock();
      const value = heap.u32[rounds >>> 2]!;
      heap.u32[rounds >>> 2] = value + 1;
      lock.unlock();
    }
  },
  /** Grows the memory and gives the address of a block in what is new. */
  grow(heap: SharedHeap) {
    const ptr = heap.malloc(rounds);
    heap.u8.fill(0x5a, ptr, ptr + rounds);
    return ptr;
  },
  /** Leaves the heap in good order, and goes on living for a moment. */
  async leave(heap: SharedHeap) {
    heap.free(heap.malloc(10));
    heap.detach();
  },
  /** Lends its P while it waits for signal 1. */
  async lend(heap: SharedHeap) {
    const before = heap.ps.acquire();
    heap.ps.block(() => {
      tell(0, before);
      Atomics.wait(signal, 1, 0);
    });
    heap.free(heap.malloc(10));
    return [before, heap.ps.current];
  },
  throws(heap: SharedHeap) {
    heap.malloc(10);
    throw new Error("thrown on purpose");
  },
} satisfies Record<string, (heap: SharedHeap) => unknown>;

export type Task = keyof typeof TASKS;

async function main(): Promise<void> {
  const heap = attachHeap(message);
  try {
    const value = await TASKS[task](heap);
    if (task !== "leave" && task !== "leaveWithLock") heap.detach();
    parentPort!.postMessage({ value });
  } catch (error) {
    if (task === "throws" || task === "throwWithLock") throw error;
    parentPort!.postMessage({ error: String((error as Error).stack) });
  }
}

void main();
