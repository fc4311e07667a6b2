/** The setting `checkmark`: it finds pointers that were stored without the write barrier, and keeps what they point to. */
import { describe, expect, it, vi } from "vitest";
import { CheckmarkError, type CollectorOptions, createHeap, type Heap } from "../../src/index.ts";

/**
 * A cycle is marking; the last of a list's objects, with 3 behind it, has gone to an object that is marked already.
 * `barrier`: as it has to be done.
 */
function hide(heap: Heap, { barrier = false } = {}) {
  const gc = heap.collector;
  const Pair = gc.defineType({ size: 24, pointers: { left: 0, right: 12 } });
  const root = gc.new(Pair);
  let last = root.ptr;
  for (let i = 0; i < 100; i++) {
    const next = gc.allocate(Pair);
    gc.writePointer(last, next);
    last = next;
  }
  const hidden = gc.allocate(Pair);
  const behind = [gc.allocateBytes(20), gc.allocate(Pair), gc.allocateConservative(100_000)];
  gc.writePointer(hidden, behind[0]!);
  gc.writePointer(hidden + 12, behind[1]!);
  gc.writePointer(behind[1]!, behind[2]!);
  gc.writePointer(last, hidden);
  gc.start();
  gc.step({ bytes: 1 });
  const late = gc.new(Pair);
  const store = (slot: number, value: number) => {
    if (barrier) gc.writePointer(slot, value);
    else heap.u32[slot >>> 2] = value;
  };
  store(late.ptr + 12, hidden);
  store(last, 0);
  return { gc, hidden, live: [hidden, ...behind], late };
}

function open(collector: CollectorOptions): Heap {
  return createHeap({ collector });
}

describe("checkmark", () => {
  it("is off at first, and then what was hidden is lost", () => {
    const heap = open({});
    const { gc, live } = hide(heap);
    expect(gc.settings.checkmark).toBe(false);
    while (gc.step());
    gc.sweep();
    expect(live.map((ptr) => gc.isObject(ptr))).toEqual([false, false, false, false]);
    expect(gc.stats()).toMatchObject({ checked: 0, unchecked: 0 });
  });

  it.each(["step", "collect", "background"] as const)("tells it in %s, and keeps what was hidden", (way) => {
    const turns: ((mostMs: number) => void)[] = [];
    const heap = open({ checkmark: true });
    const { gc, hidden, live, late } = hide(heap);
    const work = {
      step: () => {
        while (gc.step({ bytes: 100 }));
      },
      collect: () => gc.collect(),
      background: () => {
        const schedule = (turn: (mostMs: number) => void) => {
          turns.push(turn);
          return () => {};
        };
        gc.background({ schedule });
        for (let i = 0; i < 1000; i++) turns.shift()!(Infinity);
      },
    }[way];
    let thrown: unknown;
    try {
      work();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CheckmarkError);
    expect(thrown).toMatchObject({ code: "ERR_CHECKMARK", address: hidden });
    expect((thrown as Error).message).toContain("writePointer");
    heap.validate({ deep: true });
    for (let i = 0; i < 2; i++) {
      expect(live.map((ptr) => gc.isObject(ptr))).toEqual([true, true, true, true]);
      // Once: from here on nothing is wrong.
      gc.collect();
    }
    late.dispose();
    gc.collect();
    expect(live.map((ptr) => gc.isObject(ptr))).toEqual([false, false, false, false]);
    expect(gc.stats().checked).toBeGreaterThan(3);
  });

  it("tells it in an allocation that ends the cycle", () => {
    const heap = open({ checkmark: true, auto: true, heapMinimum: 65536, limiter: false });
    const { gc, hidden } = hide(heap);
    const garbage = () => {
      for (let i = 0; i < 100_000; i++) gc.allocateConservative(1000);
    };
    expect(garbage).toThrow(expect.objectContaining({ code: "ERR_CHECKMARK", address: hidden }));
    expect(garbage).not.toThrow();
    expect(gc.isObject(hidden)).toBe(true);
  });

  it("has nothing to say where the barrier was used, and where it is turned off again", () => {
    const heap = open({ checkmark: true });
    const { gc, live } = hide(heap, { barrier: true });
    gc.collect();
    expect(live.every((ptr) => gc.isObject(ptr))).toBe(true);
    gc.setOptions({ checkmark: false });
    const { checked } = gc.stats();
    hide(heap);
    gc.collect();
    expect(gc.stats().checked).toBe(checked);
    expect(() => gc.setOptions({ checkmark: 1 as unknown as boolean })).toThrow(TypeError);
  });

  it("runs the hooks before it throws, and the figures do not throw", () => {
    const onCycle = vi.fn();
    const heap = open({ checkmark: true, onCycle });
    const { gc } = hide(heap);
    expect(() => {
      while (gc.step());
    }).toThrow(CheckmarkError);
    expect(onCycle).toHaveBeenCalledTimes(1);
    expect(gc.stats().numGC).toBe(1);
  });

  it("leaves a cycle unchecked when there is no memory for it", () => {
    const heap = open({ checkmark: true });
    const gc = heap.collector;
    const kept = gc.newBytes(100);
    heap.setLimits({ maxBytes: heap.memory.buffer.byteLength });
    while (heap.tryMalloc(8192));
    while (heap.tryMalloc(8));
    gc.collect();
    expect(gc.stats()).toMatchObject({ checked: 0, unchecked: 1 });
    expect(gc.isObject(kept.ptr)).toBe(true);
  });
});
