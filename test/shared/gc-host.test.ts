/** The collector of a shared heap through the TypeScript API: objects, roots, a marker in a worker of its own, pauses, death. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createSharedHeap, formatCycle, HeapLockError, type SharedHeap } from "../../src/shared/index.ts";
import { list } from "./support/host-list.ts";
import { reached, signals, startThread } from "./support/host-workers.ts";

let heap: SharedHeap;
afterEach(() => heap.dispose());

/** Objects from a handle on. */
function length(heap: SharedHeap, handle: number): number {
  const { gc } = heap;
  return gc.inside(() => {
    let n = 0;
    for (let p = gc.get(handle); p !== 0; p = heap.u32[p >>> 2]!) {
      if (!gc.isObject(p)) throw new Error(`${p} is no object`);
      n++;
    }
    return n;
  });
}

describe.each([{ shared: true }, { shared: false }])("heap.gc with %o", (options) => {
  it("keeps what roots reach, and frees the rest", () => {
    heap = createSharedHeap(options);
    const { gc } = heap;
    const type = gc.newType(8, [0]);
    const handle = list(heap, type, 1000);
    const lost = list(heap, type, 1000);
    gc.release(lost);
    gc.collect();
    expect(length(heap, handle)).toBe(1000);
    expect(gc.stats().freedObjects).toBe(1000);
    const p = gc.get(handle);
    expect(gc.pin(p + 4)).toBe(1);
    gc.release(handle);
    gc.collect();
    expect(gc.objectOf(p + 4)).toBe(p);
    expect(gc.unpin(p)).toBe(0);
    gc.collect();
    expect(gc.objectOf(p)).toBe(0);
    heap.validate();
  });

  it.each([true, false])("checks the marks: barrier %s", (barrier) => {
    heap = createSharedHeap(options);
    const { gc } = heap;
    const type = gc.newType(32, [0, 8]);
    gc.checkmark = true;
    gc.collecting = true;
    gc.setHeapMinimum(65536);
    gc.setPercent(20);
    // The end of a long list is scanned late, an object with a handle of its own early.
    const [first, last] = gc.inside(() => {
      let p = gc.get(list(heap, type, 50_000));
      while (heap.u32[p >>> 2] !== 0) p = heap.u32[p >>> 2]!;
      return [gc.get(gc.handle(gc.newObject(type))), p];
    });
    const store = (slot: number, value: number) => {
      if (barrier) gc.writePointer(slot, value);
      else heap.u32[slot >>> 2] = value;
    };
    // Goes to and fro between the two while cycles begin and end.
    let hidden = gc.inside(() => {
      const object = gc.newObject(type);
      gc.writePointer(last + 8, object);
      return object;
    });
    const play = () => {
      for (let i = 0; i < 20_000; i++) {
        gc.newObject(type, 16);
        gc.inside(() => {
          // Not in step with the allocations that mark.
          if (Math.imul(i, 0x9e3779b1) < 0) return;
          const [from, to] = heap.u32[(first + 8) >>> 2] !== 0 ? [first, last] : [last, first];
          hidden = heap.u32[(from + 8) >>> 2]!;
          store(to + 8, hidden);
          store(from + 8, 0);
        });
      }
      gc.collect();
    };
    if (barrier) play();
    else expect(play).toThrow(expect.objectContaining({ code: "ERR_CHECKMARK", address: expect.any(Number) }));
    expect(gc.stats().checked).toBeGreaterThan(1);
    expect(gc.isObject(hidden)).toBe(true);
    gc.checkmark = false;
    gc.collect();
    heap.validate();
    expect(() => {
      gc.checkmark = 1 as unknown as boolean;
    }).toThrow(TypeError);
  });

  it.each([8, 40_000])("refuses to free %i bytes that are pinned", (size) => {
    heap = createSharedHeap(options);
    const { gc } = heap;
    const p = gc.inside(() => {
      const object = gc.newObject(gc.newType(size, [0]));
      gc.pin(object);
      return object;
    });
    const refused = expect.objectContaining({ code: "ERR_PIN", kind: "pinned", address: p });
    expect(() => gc.free(p)).toThrow(refused);
    expect(() => heap.free(p)).toThrow(refused);
    gc.inside(() => expect(() => heap.free(p)).toThrow(refused));
    expect(() => heap.realloc(p, 2 * size)).toThrow();
    gc.collect();
    expect(gc.isObject(p)).toBe(true);
    expect(gc.unpin(p)).toBe(0);
    heap.free(p);
    expect(gc.isObject(p)).toBe(false);
    heap.validate();
  });

  it("moves, clears and frees by hand", () => {
    heap = createSharedHeap(options);
    const { gc } = heap;
    const type = gc.newType(16, [4, 12]);
    gc.inside(() => {
      const handle = gc.handle(gc.newObject(type, 10));
      const p = gc.get(handle);
      gc.writePointer(p + 4, gc.newObject(type));
      gc.move(type, p + 16, p);
      const words = heap.u32;
      expect(words[(p + 20) >>> 2]).toBe(words[(p + 4) >>> 2]);
      gc.clear(type, p, 2);
      expect(words[(p + 20) >>> 2]).toBe(0);
      gc.release(handle);
      expect([gc.free(p), gc.free(p)]).toEqual([true, false]);
    });
    gc.collect();
    heap.releaseAll();
    heap.validate();
  });

  it("throws for what is out of range", () => {
    heap = createSharedHeap(options);
    const { gc } = heap;
    expect(() => gc.newType(6, [])).toThrow(RangeError);
    expect(() => gc.newType(8, [8])).toThrow(RangeError);
    expect(() => gc.newType(8, [2])).toThrow(RangeError);
    expect(() => gc.set(77, 0)).toThrow(RangeError);
    expect(() => gc.unpin(4096)).toThrow(RangeError);
    expect(() => gc.inside(() => gc.collect())).toThrow(RangeError);
  });

  it("collects when it is due, without a marker and with one in the same thread", async () => {
    heap = createSharedHeap(options);
    const { gc } = heap;
    gc.setHeapMinimum(256 * 1024);
    gc.collecting = true;
    const type = gc.newType(64, [0]);
    const kept = list(heap, type, 500);
    for (let i = 0; i < 60_000; i++) gc.inside(() => gc.newObject(type));
    expect(gc.stats().cycles).toBeGreaterThan(3);
    const stop = new AbortController();
    const done = gc.runMarker({ signal: stop.signal, cycles: 3 });
    for (let i = 0; i < 400; i++) {
      for (let j = 0; j < 200; j++) gc.inside(() => gc.newObject(type));
      await sleep(1);
      if (i % 100 === 99) heap.release();
    }
    stop.abort();
    for (const record of await done) expect(formatCycle(record)).toMatch(/^gc \d+: .* MB goal$/);
    expect(length(heap, kept)).toBe(500);
  });
});

describe("a marker in a worker", () => {
  it("marks while others change the graph, and tells its pauses", async () => {
    heap = createSharedHeap({ procs: 6 });
    const { gc } = heap;
    gc.setHeapMinimum(512 * 1024);
    gc.collecting = true;
    const type = gc.newType(32, [0, 8]);
    const signal = signals();
    signal[3] = type;
    const marker = await startThread({ message: heap.share(), task: "mark", signal });
    // Again while the marker, on a busy machine, has not had its turn.
    for (let wave = 0; wave < 20 && Atomics.load(signal, 0) === 0; wave++) {
      const others = await Promise.all(
        [1, 2].map((seed) => startThread({ message: heap.share(), task: "lists", seed, rounds: 300, signal })),
      );
      const sums = await Promise.all(others.map(({ result }) => result));
      expect(sums).toEqual([300, 300]);
    }
    Atomics.store(signal, 1, 1);
    const records = (await marker.result) as { stopBegin: number; mark: number; marked: number }[];
    expect(records.length).toBeGreaterThan(0);
    expect(gc.stats().cycles).toBeGreaterThanOrEqual(records.length);
    for (const { marked, mark, stopBegin } of records) {
      expect(marked).toBeGreaterThanOrEqual(0);
      expect(Math.min(mark, stopBegin)).toBeGreaterThanOrEqual(0);
    }
    gc.collecting = false;
    gc.collect();
    heap.validate();
  });

  it("does not wait for a worker that is outside of wasm, nor for one that has lent its P", async () => {
    heap = createSharedHeap({ procs: 4 });
    const signal = signals();
    const { worker } = await startThread({ message: heap.share(), task: "sleepWithObjects", signal });
    await reached(signal, 0, 1);
    // It is in Atomics.wait until signal 1, with a list of 100 objects on a handle.
    for (let i = 0; i < 3; i++) heap.gc.collect();
    expect(heap.gc.stats().cycles).toBe(3);
    expect(length(heap, Atomics.load(signal, 2))).toBe(100);
    await worker.terminate();
  });

  it("whose thread dies while it marks is replaced by any other", async () => {
    heap = createSharedHeap({ procs: 4 });
    const { gc } = heap;
    const type = gc.newType(32, [0, 8]);
    const handle = list(heap, type, 20_000);
    for (let i = 0; i < 5; i++) {
      const signal = signals();
      const message = heap.share();
      const { worker } = await startThread({ message, task: "markForever", signal });
      await reached(signal, 0, 2 + i);
      await worker.terminate();
      const report = heap.reap(message);
      expect(report.ok).toBe(true);
      gc.collect();
      expect(length(heap, handle)).toBe(20_000);
    }
    heap.validate();
  });

  it("is told who keeps it from going on", async () => {
    heap = createSharedHeap({ procs: 4, lockWait: 50 });
    const signal = signals();
    const message = heap.share();
    const { worker } = await startThread({ message, task: "stayInside", signal });
    await reached(signal, 0, 1);
    expect(() => heap.gc.collect()).toThrow(HeapLockError);
    // A living thread in malloc is not kept, and one that has died inside is recovered.
    heap.free(heap.malloc(100));
    await worker.terminate();
    expect(heap.reap(message).ok).toBe(true);
    heap.gc.collect();
    heap.validate();
  });
});
