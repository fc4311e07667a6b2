/**
 * Who may die, throw or leave where, and what the others see: the rows of the table in docs/shared-protocol.md that no
 * other test has. Waits that would end only by the event loop of the thread that waits are made endless here, so that they
 * would hang.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join as path } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  AttachError,
  createSharedHeap,
  type DeathReport,
  type GCType,
  type Handle,
  HeapDisposedError,
  HeapLockError,
  MisuseError,
  OutOfMemoryError,
  ProcsBusyError,
  type SharedHeap,
} from "../../src/shared/index.ts";
import { thrown, thrownOrNull } from "../support/thrown.ts";
import { create, disposed, expectWorking, join } from "./support/heaps.ts";
import { list } from "./support/host-list.ts";
import type { Task } from "./support/host-worker.ts";
import { reached, signals, startThread, startWatched, type Thread, type Watched } from "./support/host-workers.ts";

/** Milliseconds that no test takes. */
const ENDLESS = 3_600_000;
const NOTHING = { heapLock: false, mcentralLock: false, pages: false, remoteFree: false, hostLock: false };

const threads: Thread[] = [];

/** A type of two words, the first a pointer. */
function pair({ collector }: SharedHeap): GCType {
  return collector.defineType({ size: 8, pointers: [0] });
}

/** A type of a layout that the heap has not had yet. */
let layouts = 0;
function anotherType({ collector }: SharedHeap): GCType {
  return collector.defineType({ size: 2048 + 4 * ++layouts, pointers: [2044] });
}

/** A watched worker at work, which does not outlive the test. */
async function start(heap: SharedHeap, task: Task, rounds = 1): Promise<Watched> {
  const thread = await startWatched(heap, task, { rounds });
  threads.push(thread);
  return thread;
}

afterEach(async () => {
  await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()));
});

describe("with every P and the heap lock in the hands of threads that do not move", () => {
  it.each([64, 500_000])("a block of %i bytes is freed at once", async (size) => {
    const heap = create({ procs: 2, lockWait: ENDLESS, turnWait: ENDLESS });
    heap.release();
    const giver = await start(heap, "giveAndSleep", size);
    const holder = await start(heap, "holdLock");
    const ptr = Atomics.load(giver.signal, 2);
    expect(heap.ps.list().map(({ state }) => state)).toEqual(["running", "running"]);
    for (const { worker } of [giver, holder]) void worker.terminate();
    expect(heap.usableSize(ptr)).toBeGreaterThanOrEqual(size);
    expect(heap.objectBase(ptr + 8)).toBe(ptr);
    heap.free(ptr);
    expect(heap.ps.current).toBe(0);
    expect(thrown(() => heap.free(ptr))).toBeInstanceOf(MisuseError);
    expect(await Promise.all([giver.death, holder.death])).toMatchObject([{ ok: true }, { ok: true }]);
    expectWorking(heap);
    const { mallocs, frees } = heap.stats();
    // The control block; of the holder's there are none.
    expect(mallocs - frees).toBe(1);
  });

  it("who needs a P makes one beyond the limit, and the limit stays", async () => {
    const heap = create({ procs: 2, turnWait: ENDLESS });
    heap.release();
    const two = [await start(heap, "giveAndSleep"), await start(heap, "giveAndSleep")];
    const ptr = heap.malloc(100);
    expect(heap.ps.list().length).toBe(3);
    expect(heap.ps.limit).toBe(2);
    heap.free(ptr);
    await Promise.all(two.map(({ worker }) => worker.terminate()));
    expect(await Promise.all(two.map(({ death }) => death))).toMatchObject([{ ok: true }, { ok: true }]);
    expectWorking(heap);
  });

  it("four workers, the first result wins and the others are terminated: its block is freed", async () => {
    const heap = create({ procs: 2, lockWait: ENDLESS, turnWait: ENDLESS });
    const deaths: DeathReport[] = [];
    const racers = await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        const message = heap.share();
        const signal = signals();
        let over: () => void = () => {};
        const dead = new Promise<void>((resolve) => {
          over = resolve;
        });
        const job = { message, signal, seed: i + 1, rounds: 64 };
        const thread = await startThread({ ...job, task: i === 0 ? "giveAndSleep" : "churnForever" }, (worker) =>
          heap.watch(worker, message, (report) => {
            deaths.push(report);
            over();
          }),
        );
        threads.push(thread);
        return { ...thread, signal, dead };
      }),
    );
    await reached(racers[0]!.signal, 0, 1);
    for (const { worker } of racers) void worker.terminate();
    heap.free(Atomics.load(racers[0]!.signal, 2));
    await Promise.all(racers.map(({ dead }) => dead));
    expect(deaths.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    expectWorking(heap);
  });
});

describe("two Ps and three threads, one dead with the heap lock and one waiting for it in its malloc", () => {
  it.each(["by the watch", "by hand"])("are rescued by a thread without a P, %s", async (how) => {
    const heap = create({ procs: 2, lockWait: ENDLESS, turnWait: ENDLESS });
    heap.release();
    const { holder, waiter } = await stuck(heap);
    expect(heap.ps.list().length).toBe(2);
    await holder.worker.terminate();
    const report = how === "by hand" ? heap.reap(holder.message) : await holder.death;
    expect(report).toMatchObject({ ok: true, left: null });
    expect(await waiter.result).toBe(true);
    expect(heap.ps.list().length).toBe(2);
    expectWorking(heap);
  });

  it("the waiting one dies, too: both are recovered, in either order", async () => {
    for (const order of [0, 1]) {
      const heap = create({ procs: 2, lockWait: ENDLESS, turnWait: ENDLESS });
      heap.release();
      const { holder, waiter } = await stuck(heap);
      const both = order === 0 ? [holder, waiter] : [waiter, holder];
      for (const { worker } of both) await worker.terminate();
      expect(await Promise.all(both.map(({ death }) => death))).toMatchObject([{ ok: true }, { ok: true }]);
      expectWorking(heap);
    }
  });
});

/** One that holds the heap lock and does not move, and one that sleeps for it. */
async function stuck(heap: SharedHeap): Promise<{ holder: Watched; waiter: Watched }> {
  const waiter = await start(heap, "mallocLarge");
  const holder = await start(heap, "holdLock");
  Atomics.store(waiter.signal, 1, 1);
  Atomics.notify(waiter.signal, 1);
  const { module, memory, heapBase } = heap.share();
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { init, lockAddress } = exports as Record<string, (value: number) => number>;
  init!(heapBase);
  const word = lockAddress!(0) >>> 2;
  // Bit 31: somebody sleeps for it.
  while (Atomics.load(heap.i32, word) >= 0) await new Promise((resolve) => setTimeout(resolve, 1));
  return { holder, waiter };
}

describe("a thread that leaves with something in its hands", () => {
  it("a lock: detach gives it back", () => {
    const heap = create({ lockWait: 1000 });
    const other = join(heap);
    other.lock(5).lock();
    other.detach();
    expect(heap.lock(5).owner()).toBeNull();
    heap.lock(5).with(() => {});
    expect(heap.ps.list().map(({ state }) => state)).toEqual(["running", "idle"]);
    const third = join(heap);
    third.lock().lock();
    const late = third.lock();
    third.dispose();
    expect(thrown(() => late.unlock())).toBeInstanceOf(HeapDisposedError);
    heap.free(heap.malloc(500_000));
    expectWorking(heap);
  });

  it("a lock, inside of with, lockAsync and a turn", async () => {
    const heap = create();
    const [one, two, three] = [join(heap), join(heap), join(heap)];
    one.lock().with(() => one.detach());
    await two.lock().lockAsync();
    two.detach();
    three.ps.turn(() => three.lock().with(() => three.detach()));
    expect(heap.lock().owner()).toBeNull();
    expectWorking(heap);
  });

  it("a lock, in a worker that lives on", async () => {
    const heap = create();
    const { message, worker, death } = await start(heap, "leaveWithLock");
    heap.free(heap.malloc(500_000));
    expect(heap.reap(message)).toEqual({ token: message.token, p: 0, ok: true, repaired: NOTHING, left: null });
    await worker.terminate();
    expect(await death).toMatchObject({ p: 0, ok: true });
    expectWorking(heap);
  });

  it("a lock, by an exception that nobody catches", async () => {
    const heap = create();
    const { result, death } = await start(heap, "throwWithLock");
    await expect(result).rejects.toThrow("thrown on purpose");
    expect(await death).toMatchObject({ ok: true, repaired: { heapLock: true } });
    expectWorking(heap);
  });

  it("two locks, one of an mcentral", async () => {
    const heap = create();
    const { worker, death } = await start(heap, "holdTwoLocks");
    await worker.terminate();
    expect(await death).toMatchObject({ ok: true, repaired: { heapLock: true, mcentralLock: true } });
    expect([heap.lock().owner(), heap.lock(7).owner()]).toEqual([null, null]);
    expectWorking(heap);
  });

  it("the gate: detach inside collector.inside opens it, at any depth", () => {
    const heap = create({ lockWait: 1000 });
    const other = join(heap);
    other.collector.inside(() => other.collector.inside(() => other.detach()));
    expect(thrown(() => other.collector.inside(() => 0))).toBeInstanceOf(HeapDisposedError);
    heap.collector.collect();
    expectWorking(heap);
  });

  it("nothing, reported dead by mistake: it takes no lock of others with it", () => {
    const heap = create();
    const other = join(heap);
    other.lock(5).lock();
    expect(heap.reap(other.token)).toMatchObject({ p: 2, ok: true, repaired: { mcentralLock: true } });
    const third = join(heap);
    third.lock(5).lock();
    expect(third.ps.current).toBe(2);
    other.detach();
    expect(third.lock(5).owner()).toMatchObject({ token: third.token });
    third.lock(5).unlock();
    const fourth = join(heap);
    fourth.malloc(10);
    heap.reap(fourth.token);
    expect(thrown(() => fourth.malloc(10))).toBeInstanceOf(AttachError);
    expectWorking(heap);
  });
});

describe("a callback of the program's that throws", () => {
  const fail = (): never => {
    throw new Error("on purpose");
  };

  it("in lock.with, collector.inside, ps.turn and ps.block leaves nothing taken", async () => {
    const heap = create({ lockWait: 1000 });
    expect(thrown(() => heap.lock().with(fail)).message).toBe("on purpose");
    expect(thrown(() => heap.collector.inside(() => heap.collector.inside(fail))).message).toBe("on purpose");
    expect(thrown(() => heap.ps.block(fail)).message).toBe("on purpose");
    expect(thrown(() => heap.ps.turn(() => heap.ps.turn(fail))).message).toBe("on purpose");
    await expect(heap.ps.turnAsync(fail)).rejects.toThrow("on purpose");
    await expect(heap.ps.blockAsync(fail)).rejects.toThrow("on purpose");
    const other = join(heap);
    expect(other.lock().owner()).toBeNull();
    other.collector.collect();
    expectWorking(heap);
  });

  it("in onCycle ends the marker between two cycles", async () => {
    const heap = create();
    const gc = heap.collector;
    list(heap, pair(heap), 100);
    gc.setOptions({ heapMinimum: 0, auto: true, onCycle: fail });
    const keep = setInterval(() => gc.inside(() => gc.allocateBytes(8000)), 1);
    await expect(gc.runMarker()).rejects.toThrow("on purpose");
    gc.setOptions({ onCycle: null });
    clearInterval(keep);
    heap.collector.collect();
    expectWorking(heap);
  });

  it("in a worker's own off() leaves the heap detached all the same", () => {
    const heap = createSharedHeap();
    heap.watch({ on() {}, off: fail }, heap.share());
    expect(thrown(() => heap.dispose()).message).toBe("on purpose");
    expect(thrown(() => heap.malloc(1))).toBeInstanceOf(HeapDisposedError);
    heap.dispose();
  });
});

describe("a lock that is not to be had", () => {
  const calls: [string, (heap: SharedHeap) => unknown][] = [
    ["malloc", (heap) => heap.malloc(500_000)],
    ["tryCalloc", (heap) => heap.tryCalloc(1, 500_000)],
    ["alignedAlloc", (heap) => heap.alignedAlloc(4096, 500_000)],
    ["realloc", (heap) => heap.realloc(0, 500_000)],
    ["mallocgc", (heap) => heap.mallocgc(500_000, null, false)],
    ["stats", (heap) => heap.stats()],
    ["reclaim", (heap) => heap.reclaim()],
    ["releaseAll", (heap) => heap.releaseAll()],
    ["ps.flush", (heap) => heap.ps.flush(3)],
    ["collector.defineType", (heap) => anotherType(heap)],
    ["collector.new", (heap) => heap.collector.new(pair(heap), 100_000)],
    ["collector.allocate", (heap) => heap.collector.allocate(pair(heap), 100_000)],
  ];

  it.each(calls)("the heap's: %s says so, with the holder and the remedy", (_, call) => {
    const heap = create({ lockWait: 40 });
    const [other, third] = [join(heap), join(heap)];
    other.malloc(1);
    third.malloc(1);
    third.release();
    // The types' tables are there, but not the next chunk of records.
    other.lock().lock();
    for (let i = 0; i < 500; i++) {
      const error = thrownOrNull(() => call(heap));
      if (error === null) continue;
      expect(error).toBeInstanceOf(HeapLockError);
      expect(error).toMatchObject({ lock: 0, owner: { token: other.token } });
      expect(error.message).toMatch(/reap\(\)/);
      other.lock().unlock();
      call(heap);
      expectWorking(heap);
      return;
    }
    expect.fail("it never needed the lock");
  });

  const tables: [string, (heap: SharedHeap, handle: Handle, object: number) => unknown][] = [
    ["handle", ({ collector: gc }) => gc.handle()],
    ["handleFrom", ({ collector: gc }, handle) => gc.handleFrom(handle.id)],
    ["new", (heap) => heap.collector.new(pair(heap))],
    ["handle.ptr", (_, handle) => handle.ptr],
    ["handle.set", (_, handle) => handle.set(null)],
    ["handle.dispose", (_, handle) => handle.dispose()],
    ["pin", ({ collector: gc }, _, object) => gc.pin(object)],
    ["unpin", ({ collector: gc }, _, object) => gc.unpin(object)],
    ["pins", ({ collector: gc }, _, object) => gc.pins(object)],
    ["addRoots", ({ collector: gc }, _, object) => gc.addRoots(object, 8)],
    ["removeRoots", ({ collector: gc }, _, object) => gc.removeRoots(object)],
    ["shadowStack", ({ collector: gc }) => gc.shadowStack(4)],
    ["defineType", (heap) => anotherType(heap)],
    ["setOptions gcPercent", ({ collector: gc }) => gc.setOptions({ gcPercent: 100 })],
    ["setOptions memoryLimit", ({ collector: gc }) => gc.setOptions({ memoryLimit: 1 << 30 })],
    ["setOptions heapMinimum", ({ collector: gc }) => gc.setOptions({ heapMinimum: 1 << 22 })],
  ];

  it.each(tables)("that of the collector's tables: %s says so, and changes nothing", (_, call) => {
    const heap = create({ lockWait: 40 });
    const other = join(heap);
    const gc = heap.collector;
    const handle = list(heap, pair(heap), 10);
    const object = handle.ptr;
    // From here on the handle asks the heap.
    expect(handle.id).toBeGreaterThan(0);
    gc.pin(object);
    gc.pin(object);
    // The last but one: the last is the marker's.
    const index = 221;
    expect(() => heap.lock(223)).toThrow(RangeError);
    other.lock(index).lock();
    const error = thrown(() => call(heap, handle, object));
    expect(error).toBeInstanceOf(HeapLockError);
    expect(error.message).toMatch(/token 2.*reap\(\)/);
    other.lock(index).unlock();
    expect(gc.unpin(object)).toBe(1);
    expect([handle.ptr, handle.disposed]).toEqual([object, false]);
    expect(gc.stats()).toMatchObject({ handles: 1, roots: 0 });
    gc.collect();
    expect(gc.isObject(object)).toBe(true);
    expectWorking(heap);
  });

  it.each([1, 40])("nobody waits for ever for a thread inside that stops the world, lockWait %i", async (lockWait) => {
    const heap = create({ lockWait });
    const handle = list(heap, pair(heap), 10);
    const { worker, message } = await start(heap, "stayInside");
    expect(thrown(() => heap.collector.collect())).toBeInstanceOf(HeapLockError);
    expect(handle.ptr).not.toBe(0);
    await worker.terminate();
    expect(heap.reap(message)).toMatchObject({ ok: true });
    heap.collector.collect();
    expectWorking(heap);
  });
});

describe("a call that traps in the middle", () => {
  it("is undone as if its thread had died there: the thread and the others go on", () => {
    const heap = create({ lockWait: 1000 });
    const other = join(heap, { lockWait: 1000 });
    const handle = list(heap, pair(heap), 50);
    const block = heap.malloc(100);
    const beyond = 0xfffffffc;
    for (let i = 0; i < 5; i++) {
      thrown(() => heap.collector.writePointer(beyond, 1));
      thrown(() => heap.collector.inside(() => heap.collector.clear(pair(heap), beyond - 4096, 1000)));
      other.collector.collect();
      heap.collector.collect();
      expect(other.collector.handleFrom(handle.id).ptr).not.toBe(0);
    }
    for (const index of [0, 221, 222]) expect(heap.lock(index).owner(), `lock ${index}`).toBeNull();
    heap.free(block);
    expect(heap.ps.list().length).toBe(2);
    expect(heap.ps.list().map(({ state }) => state)).not.toContain("dead");
    expectWorking(heap);
  });
});

describe("a worker that is a parent", () => {
  it("does not wait for ever for what its own child has died with", async () => {
    const heap = create();
    const { result } = await startThread({ message: heap.share(), task: "parent", signal: signals() });
    expect(await result).toBe("HeapLockError");
    expectWorking(heap);
  });
});

describe("errors", () => {
  it("a refused double free is not counted as one of another's blocks", () => {
    const heap = create();
    const other = join(heap);
    const [one, two] = [heap.malloc(64), heap.malloc(64)];
    other.malloc(1);
    other.free(one);
    for (let i = 0; i < 3; i++) expect(thrown(() => other.free(one))).toBeInstanceOf(MisuseError);
    other.free(two);
    const stats = heap.stats();
    expect(stats.ps.find(({ p }) => p === other.ps.current)!.remoteFrees).toBe(2);
  });

  it("ProcsBusyError and OutOfMemoryError for a P are two", () => {
    const heap = create({ procs: 1, turnWait: 20 });
    const other = join(heap);
    const error = thrown(() => other.malloc(1));
    expect(error).toBeInstanceOf(ProcsBusyError);
    expect(error.message).toMatch(/procs.*turnWait.*release\(\)/);
    const full = createSharedHeap({ procs: 1, maximumPages: 4 });
    disposed(full);
    while (full.tryMalloc(8192) !== 0);
    expect(thrown(() => join(full).malloc(1))).toBeInstanceOf(OutOfMemoryError);
  });
});

it("every row of the table of deaths names a test that exists", () => {
  const table = readFileSync("docs/shared-protocol.md", "utf8").split("## Who may die")[1]!.split("\n## ")[0]!;
  const rows = table.split("\n").filter((line) => line.startsWith("| ") && !/^\| (where|---)/.test(line));
  const tests = readdirSync("test/shared")
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(path("test/shared", name), "utf8"))
    .concat(readFileSync("test/shared/support/core-scenarios.ts", "utf8"))
    .join("\n");
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const names = [
      ...row
        .split("|")
        .at(-2)!
        .matchAll(/`([^`]+)`/g),
    ].map((match) => match[1]!);
    expect(names.length, row).toBeGreaterThan(0);
    for (const name of names) expect(tests, row).toContain(name);
  }
});
