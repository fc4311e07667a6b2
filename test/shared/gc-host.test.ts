/** The collector of a shared heap through the TypeScript API: objects, roots, a marker in a worker of its own, pauses, death. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import {
  createSharedHeap,
  formatGCTrace,
  type GCCycle,
  type Handle,
  HeapLockError,
  MisuseError,
  type SharedHeap,
} from "../../src/shared/index.ts";
import { list } from "./support/host-list.ts";
import { reached, signals, startThread } from "./support/host-workers.ts";

let heap: SharedHeap;
afterEach(() => heap.dispose());

/** Objects from a handle on. */
function length(heap: SharedHeap, handle: Handle<string>): number {
  const gc = heap.collector;
  return gc.inside(() => {
    let n = 0;
    for (let p = handle.ptr; p !== 0; p = heap.u32[p >>> 2]!) {
      if (!gc.isObject(p)) throw new Error(`${p} is no object`);
      n++;
    }
    return n;
  });
}

describe.each([{ shared: true }, { shared: false }])("heap.collector with %o", (options) => {
  it("keeps what roots reach, and frees the rest", () => {
    heap = createSharedHeap(options);
    const gc = heap.collector;
    const type = gc.defineType({ size: 8, pointers: [0] });
    const handle = list(heap, type, 1000);
    const lost = list(heap, type, 1000);
    lost.dispose();
    gc.collect();
    expect(length(heap, handle)).toBe(1000);
    expect(gc.stats().sweptObjects).toBe(1000);
    const p = handle.ptr;
    expect(gc.pin(p + 4)).toBe(1);
    handle.dispose();
    gc.collect();
    expect(gc.objectOf(p + 4)).toBe(p);
    expect(gc.unpin(p)).toBe(0);
    gc.collect();
    expect(gc.objectOf(p)).toBe(0);
    heap.validate();
  });

  it.each([true, false])("checks the marks: barrier %s", (barrier) => {
    heap = createSharedHeap(options);
    const gc = heap.collector;
    const type = gc.defineType({ size: 32, pointers: [0, 8] });
    gc.setOptions({ checkmark: true, auto: true, heapMinimum: 65536, gcPercent: 20, limiter: false });
    // The end of a long list is scanned late, an object with a handle of its own early.
    const [first, last] = gc.inside(() => {
      let p = list(heap, type, 50_000).ptr;
      while (heap.u32[p >>> 2] !== 0) p = heap.u32[p >>> 2]!;
      return [gc.new(type).ptr, p];
    });
    const store = (slot: number, value: number) => {
      if (barrier) gc.writePointer(slot, value);
      else heap.u32[slot >>> 2] = value;
    };
    // Goes to and fro between the two while cycles begin and end.
    let hidden = gc.inside(() => {
      const object = gc.allocate(type);
      gc.writePointer(last + 8, object);
      return object;
    });
    const play = () => {
      for (let i = 0; i < 20_000; i++) {
        gc.allocate(type, 16);
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
    gc.setOptions({ checkmark: false });
    gc.collect();
    heap.validate();
    expect(() => gc.setOptions({ checkmark: 1 as unknown as boolean })).toThrow(TypeError);
  });

  it.each([8, 40_000])("refuses to free %i bytes that are pinned", (size) => {
    heap = createSharedHeap(options);
    const gc = heap.collector;
    const p = gc.inside(() => {
      const object = gc.allocate(gc.defineType({ size, pointers: [0] }));
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
    const gc = heap.collector;
    const type = gc.defineType({ size: 16, pointers: [4, 12] });
    gc.inside(() => {
      const handle = gc.new(type, 10);
      const p = handle.ptr;
      gc.writePointer(p + 4, gc.allocate(type));
      gc.copy(type, p + 16, p);
      const words = heap.u32;
      expect(words[(p + 20) >>> 2]).toBe(words[(p + 4) >>> 2]);
      gc.clear(type, p, 2);
      expect(words[(p + 20) >>> 2]).toBe(0);
      handle.dispose();
      gc.free(p);
      expect(gc.isObject(p)).toBe(false);
      expect(() => gc.free(p)).toThrow(MisuseError);
    });
    gc.collect();
    heap.releaseAll();
    heap.validate();
  });

  it("throws for what is out of range", () => {
    heap = createSharedHeap(options);
    const gc = heap.collector;
    expect(() => gc.defineType({ size: 6, pointers: [] })).toThrow(RangeError);
    expect(() => gc.defineType({ size: 8, pointers: [8] })).toThrow(RangeError);
    expect(() => gc.defineType({ size: 8, pointers: [2] })).toThrow(RangeError);
    expect(() => gc.handleFrom(77)).toThrow(RangeError);
    expect(() => gc.unpin(4096)).toThrow(expect.objectContaining({ code: "ERR_PIN", kind: "not-pinned" }));
    expect(() => gc.inside(() => gc.collect())).toThrow(RangeError);
  });

  it("collects when it is due, without a marker and with one in the same thread", async () => {
    heap = createSharedHeap(options);
    const gc = heap.collector;
    gc.setOptions({ heapMinimum: 256 * 1024, auto: true, limiter: false });
    const type = gc.defineType({ size: 64, pointers: [0] });
    const kept = list(heap, type, 500);
    for (let i = 0; i < 60_000; i++) gc.inside(() => gc.allocate(type));
    expect(gc.stats().numGC).toBeGreaterThan(3);
    const stop = new AbortController();
    const done = gc.runMarker({ signal: stop.signal, cycles: 3 });
    for (let i = 0; i < 400; i++) {
      for (let j = 0; j < 200; j++) gc.inside(() => gc.allocate(type));
      await sleep(1);
      if (i % 100 === 99) heap.release();
    }
    stop.abort();
    for (const record of await done) expect(formatGCTrace(record)).toMatch(/^gc \d+ @.* MB goal, .* P$/);
    expect(length(heap, kept)).toBe(500);
  });
});

describe("a marker in a worker", () => {
  it("marks while others change the graph, and tells its pauses", async () => {
    heap = createSharedHeap({ procs: 6 });
    const gc = heap.collector;
    gc.setOptions({ heapMinimum: 512 * 1024, auto: true });
    const type = gc.defineType({ size: 32, pointers: [0, 8] });
    const signal = signals();
    signal[3] = type.id;
    const marker = await startThread({ message: heap.share(), task: "mark", signal });
    // Only a marker knows how long the world stops; allocating threads begin and end cycles too.
    const shortestStop = () => Math.min(gc.stats().stopBeginNs, gc.stats().stopEndNs);
    // Again while the marker, on a busy machine, has not had its turn.
    for (let wave = 0; wave < 20 && (Atomics.load(signal, 0) === 0 || shortestStop() === 0); wave++) {
      const others = await Promise.all(
        [1, 2].map((seed) => startThread({ message: heap.share(), task: "lists", seed, rounds: 300, signal })),
      );
      const sums = await Promise.all(others.map(({ result }) => result));
      expect(sums).toEqual([300, 300]);
    }
    Atomics.store(signal, 1, 1);
    const records = (await marker.result) as GCCycle[];
    expect(records.length).toBeGreaterThan(0);
    expect(gc.stats().numGC).toBeGreaterThanOrEqual(records.length);
    for (const { heapMarked, clock } of records) {
      expect(heapMarked).toBeGreaterThanOrEqual(0);
      expect(Math.min(clock.mark, clock.sweepTermination)).toBeGreaterThanOrEqual(0);
    }
    expect(shortestStop()).toBeGreaterThan(0);
    gc.setOptions({ auto: false });
    gc.collect();
    heap.validate();
  });

  it("does not wait for a worker that is outside of wasm, nor for one that has lent its P", async () => {
    heap = createSharedHeap({ procs: 4 });
    const signal = signals();
    const { worker } = await startThread({ message: heap.share(), task: "sleepWithObjects", signal });
    await reached(signal, 0, 1);
    // It is in Atomics.wait until signal 1, with a list of 100 objects on a handle.
    for (let i = 0; i < 3; i++) heap.collector.collect();
    expect(heap.collector.stats().numGC).toBe(3);
    expect(length(heap, heap.collector.handleFrom(Atomics.load(signal, 2)))).toBe(100);
    await worker.terminate();
  });

  it("whose thread dies while it marks is replaced by any other", async () => {
    heap = createSharedHeap({ procs: 4 });
    const gc = heap.collector;
    const type = gc.defineType({ size: 32, pointers: [0, 8] });
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
    expect(() => heap.collector.collect()).toThrow(HeapLockError);
    // A living thread in malloc is not kept, and one that has died inside is recovered.
    heap.free(heap.malloc(100));
    await worker.terminate();
    expect(heap.reap(message).ok).toBe(true);
    heap.collector.collect();
    heap.validate();
  });
});
