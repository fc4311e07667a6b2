/** The Collector's settings: what is refused, goal and trigger, automatic cycles, the memory limit. */
import { describe, expect, it } from "vitest";
import { createHeap } from "../../src/index.ts";
import { type GCHeap, openGC } from "../gc/support/heap.ts";

/** A list of `n` nodes that a handle keeps. Their addresses. */
function list({ gc }: GCHeap, n: number): number[] {
  const Node = gc.defineType({ size: 12, pointers: { next: 4 } });
  const nodes = [gc.new(Node).ptr];
  for (let i = 1; i < n; i++) {
    const node = gc.allocate(Node);
    gc.writePointer(nodes[i - 1]! + 4, node);
    nodes.push(node);
  }
  return nodes;
}

describe("settings", () => {
  it("are checked, all before any is in force", () => {
    const { gc } = openGC();
    const before = gc.settings;
    const bad: [object, typeof Error][] = [
      [{ gcPercent: -2 }, RangeError],
      [{ gcPercent: 1.5 }, RangeError],
      [{ gcPercent: 2 ** 31 }, RangeError],
      [{ gcPercent: "on" }, RangeError],
      [{ memoryLimit: -1 }, RangeError],
      [{ memoryLimit: 0.5 }, RangeError],
      [{ heapMinimum: -1 }, RangeError],
      [{ heapMinimum: 2 ** 38 }, RangeError],
      [{ auto: 1 }, TypeError],
      [{ limiter: "yes" }, TypeError],
      [{ onCycle: 5 }, TypeError],
      [{ trace: "x" }, TypeError],
      [{ traceUnit: "GB" }, TypeError],
      [{ events: {} }, TypeError],
    ];
    for (const [options, error] of bad) {
      expect(() => gc.setOptions({ heapMinimum: 1000, ...options })).toThrow(error);
      expect(() => createHeap({ collector: options })).toThrow(error);
    }
    expect(() => createHeap({ collector: { clock: 5 as unknown as () => number } })).toThrow(TypeError);
    expect(gc.settings).toEqual(before);
  });

  it("move goal and trigger", () => {
    const o = openGC();
    const { gc } = o;
    const big = gc.newBytes(16 << 20);
    gc.collect();
    const marked = gc.stats().heapMarked;
    expect(marked).toBe(16 << 20);
    expect(gc.stats().nextGC).toBe(2 * marked);
    gc.setOptions({ gcPercent: 50 });
    expect(gc.stats().nextGC).toBe(1.5 * marked);
    gc.setOptions({ memoryLimit: 20 << 20 });
    expect(gc.stats().nextGC).toBeLessThan(20 << 20);
    expect(gc.stats().trigger).toBeLessThanOrEqual(gc.stats().nextGC);
    gc.setOptions({ memoryLimit: 0, gcPercent: "off" });
    expect(gc.settings).toMatchObject({ memoryLimit: Number.POSITIVE_INFINITY, gcPercent: -1 });
    expect(gc.stats()).toMatchObject({ nextGC: Number.POSITIVE_INFINITY, trigger: Number.POSITIVE_INFINITY });
    gc.setOptions({ gcPercent: 100, heapMinimum: 64 << 20 });
    expect(gc.stats().nextGC).toBe(64 << 20);
    big.dispose();
  });

  it("auto: cycles begin by themselves, keep near the goal, and free garbage", () => {
    const o = openGC({ auto: true, heapMinimum: 256 << 10 });
    const { gc, heap } = o;
    const nodes = list(o, 5000);
    for (let i = 0; i < 300_000; i++) gc.allocateBytes(32);
    const stats = gc.stats();
    expect(stats.numGC).toBeGreaterThan(10);
    expect(stats.numForcedGC).toBe(0);
    expect(heap.stats().heapInuse).toBeLessThan(1 << 20);
    expect(nodes.every((node) => gc.isObject(node))).toBe(true);
    heap.validate({ deep: true });
    gc.setOptions({ auto: false });
    const { numGC } = gc.stats();
    for (let i = 0; i < 100_000; i++) gc.allocateBytes(32);
    expect(gc.stats().numGC - numGC).toBeLessThanOrEqual(1);
  });

  it("memoryLimit: memory in use stays below it while garbage can be had", () => {
    const o = openGC({ auto: true, gcPercent: "off", memoryLimit: 4 << 20 });
    const { gc, heap } = o;
    list(o, 20_000);
    for (let i = 0; i < 40_000; i++) {
      gc.allocateBytes(1000);
      if (i % 1000 === 0) expect(heap.stats().heapInuse).toBeLessThan(4 << 20);
    }
    expect(gc.stats().numGC).toBeGreaterThan(5);
  });
});
