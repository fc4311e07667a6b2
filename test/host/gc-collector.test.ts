/** The Collector's objects and cycles: allocation, frees by hand, barriers, steps. */
import { describe, expect, it } from "vitest";
import { bindExports } from "../../src/base/abi.ts";
import { Heap } from "../../src/heap/heap.ts";
import {
  type Collector,
  CollectorUnavailableError,
  createHeap,
  createHeapAsync,
  HeapDisposedError,
  MisuseError,
  OutOfMemoryError,
  SIZE_CLASSES,
} from "../../src/index.ts";
import { createSharedHeap } from "../../src/shared/index.ts";
import {
  collectChecked,
  type GCHeap,
  liveBytes,
  openGC,
  openNodes,
  STAT_OVERFLOWS,
  STAT_UNCHECKED,
} from "../gc/support/heap.ts";
import { WASM_PAGE, wasmModule } from "../support/wasm.ts";

const NODE = { size: 12, pointers: { next: 4, other: 8 } } as const;
const NOT_U32 = [-1, 0.5, 2 ** 32, Number.NaN, "8", null, {}] as number[];

/** A list of `n` nodes in the field next, from a handle on. The addresses. */
function list({ gc }: GCHeap, n: number): { head: ReturnType<Collector["new"]>; nodes: number[] } {
  const Node = gc.defineType(NODE);
  const head = gc.new(Node);
  const nodes = [head.ptr];
  for (let i = 1; i < n; i++) {
    const node = gc.allocate(Node);
    gc.writePointer(nodes[i - 1]! + 4, node);
    nodes.push(node);
  }
  return { head: head as unknown as ReturnType<Collector["new"]>, nodes };
}

/** Steps and sweeps to the end. How many steps. */
function finish({ gc, heap }: GCHeap, bytes = 1000): number {
  let steps = 1;
  while (gc.step({ bytes })) steps++;
  while (gc.sweep(0.001));
  heap.validate({ deep: true });
  return steps;
}

describe("a heap's collector", () => {
  it("is one, made at its first use, and begins no cycle by itself", () => {
    const heap = createHeap();
    const { collector } = heap;
    expect(heap.collector).toBe(collector);
    expect(collector.settings).toEqual({
      gcPercent: 100,
      memoryLimit: Number.POSITIVE_INFINITY,
      heapMinimum: 4 << 20,
      auto: false,
      limiter: true,
      checkmark: false,
      clobberfree: false,
    });
    const type = { size: 1000, ptrBytes: 1000 };
    const objects = Array.from({ length: 20_000 }, () => heap.mallocgc(1000, type, true));
    expect(collector.stats().numGC).toBe(0);
    for (const object of objects) heap.free(object);
    heap.validate({ deep: true });
    expect(heap.stats().heapAlloc).toBe(0);
  });

  it("takes its options with the heap's", async () => {
    const collector = { gcPercent: 50, heapMinimum: 1 << 16, auto: true };
    for (const heap of [createHeap({ collector }), await createHeapAsync({ collector })]) {
      expect(heap.collector.settings).toMatchObject(collector);
    }
    expect(() => createHeap({ collector: { gcPercent: 0.5 } })).toThrow(RangeError);
  });

  it("is there in a heap that threads share, not in a module without one, nor after dispose", async () => {
    const { collector: _, ...exports } = bindExports({ exports: {} });
    const memory = new WebAssembly.Memory({ initial: 1 });
    const without = new Heap({ ...exports, collector: null }, memory, true);
    expect(() => without.collector).toThrow(CollectorUnavailableError);
    expect(() => without.collector).toThrow(expect.objectContaining({ code: "ERR_COLLECTOR_UNAVAILABLE" }));
    using shared = createSharedHeap({ maximumPages: 100 });
    expect(shared.stats()).toMatchObject({ numGC: 0, nextGC: 0, pauseNs: [] });
    expect(shared.collector.newBytes(8).byteLength).toBe(8);
    using alone = createSharedHeap({ shared: false });
    expect(alone.collector.newBytes(8).byteLength).toBe(8);
    const heap = createHeap();
    const { collector } = heap;
    const type = collector.defineType(NODE);
    const background = collector.background();
    heap.dispose();
    expect(background.running).toBe(false);
    expect(() => heap.collector).toThrow(HeapDisposedError);
    const calls: ((gc: Collector) => unknown)[] = [
      (gc) => gc.defineType({ size: 4, pointers: [] }),
      (gc) => gc.new(type),
      (gc) => gc.newBytes(8),
      (gc) => gc.newConservative(8),
      (gc) => gc.allocate(type),
      (gc) => gc.allocateBytes(8),
      (gc) => gc.allocateConservative(8),
      (gc) => gc.free(4096),
      (gc) => gc.isObject(4096),
      (gc) => gc.objectOf(4096),
      (gc) => gc.typeFrom(4096),
      (gc) => gc.inside(() => 1),
      (gc) => gc.handle(4096),
      (gc) => gc.handleFrom(1),
      (gc) => gc.wrap(4096),
      (gc) => gc.pin(4096),
      (gc) => gc.unpin(4096),
      (gc) => gc.pins(4096),
      (gc) => gc.addRoots(4096, 8),
      (gc) => gc.removeRoots(4096),
      (gc) => gc.shadowStack(),
      (gc) => gc.onCollect(4096, () => {}),
      (gc) => gc.setFinalizer(4096, () => {}),
      (gc) => gc.runFinished(),
      (gc) => gc.weak(4096),
      (gc) => gc.weakFrom(4096),
      (gc) => gc.pinner(),
      (gc) => gc.arena(),
      (gc) => gc.pool(),
      (gc) => gc.writePointer(4096, 0),
      (gc) => gc.readPointer(4096),
      (gc) => gc.copy(type, 4096, 4096),
      (gc) => gc.clear(type, 4096),
      (gc) => gc.phase,
      (gc) => gc.collect(),
      (gc) => gc.start(),
      (gc) => gc.step(),
      (gc) => gc.sweep(),
      (gc) => gc.background(),
      (gc) => gc.setOptions({ gcPercent: 7 }),
      (gc) => gc.settings,
      (gc) => gc.now,
      (gc) => gc.stats(),
    ];
    for (const call of calls) expect(() => call(collector)).toThrow(HeapDisposedError);
    await expect(collector.runMarker()).rejects.toThrow(HeapDisposedError);
    const members = Object.getOwnPropertyNames(Object.getPrototypeOf(collector));
    expect(members.filter((name) => !["constructor", "runMarker"].includes(name))).toHaveLength(calls.length);
  });
});

describe("allocation", () => {
  it("gives zeroed objects of every size, which a cycle frees", () => {
    const o = openGC();
    const { gc, heap } = o;
    const sizes = [...SIZE_CLASSES.flatMap(({ size }) => [size - 4, size, size + 4]), 65536, 70_000, 300_000].filter(
      (size) => size > 0,
    );
    for (let round = 0; round < 3; round++) {
      for (const size of sizes) {
        const words = size - (size % 4);
        const made = [gc.allocateBytes(size), gc.allocateConservative(size)];
        if (words > 0 && words <= 131072) {
          made.push(gc.allocate(gc.defineType({ size: words, pointers: [words - 4] })));
          made.push(gc.allocate(gc.defineType({ size: 4, pointers: [0] }), words / 4));
        }
        for (const object of made) {
          expect(heap.u8.subarray(object, object + size).every((byte) => byte === 0)).toBe(true);
          if (size >= 16) expect(gc.isObject(object)).toBe(true);
          heap.u8.fill(0xff, object, object + size);
        }
      }
      // Full of what may look like pointers, and all of it dead.
      collectChecked(o);
      expect(liveBytes(o)).toBe(0);
    }
  });

  it("takes counts and sizes in range", () => {
    const { gc, Node } = openNodes({ maxBytes: 1 << 20 });
    for (const n of [...NOT_U32, 0]) {
      expect(() => gc.new(Node, n)).toThrow(RangeError);
      expect(() => gc.allocate(Node, n)).toThrow(RangeError);
    }
    for (const size of NOT_U32) {
      expect(() => gc.newBytes(size)).toThrow(RangeError);
      expect(() => gc.newConservative(size)).toThrow(RangeError);
    }
    for (const huge of [2 ** 32 - 1, 2 ** 28]) {
      expect(() => gc.new(Node, huge)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_MEMORY", size: huge * 12 }));
      expect(() => gc.newBytes(huge)).toThrow(OutOfMemoryError);
    }
    const none = [gc.newBytes(0), gc.newBytes(0), gc.newConservative(0)];
    expect(new Set(none.map(({ ptr }) => ptr)).size).toBe(3);
    expect(gc.stats().handles).toBe(3);
  });

  it("of a type without pointers is of bytes", () => {
    const o = openGC();
    const { gc, heap } = o;
    const Plain = gc.defineType({ size: 24, pointers: [] });
    const plain = gc.new(Plain, 3);
    const target = gc.allocateBytes(16);
    heap.u32.fill(target, plain.ptr >>> 2, (plain.ptr + 72) >>> 2);
    collectChecked(o);
    expect([gc.isObject(plain.ptr), gc.isObject(target)]).toEqual([true, false]);
  });

  it("throws OutOfMemoryError when a cycle would not help, and succeeds where it does", () => {
    const o = openGC({ maxBytes: 2 << 20, auto: true, gcPercent: "off" });
    const { gc } = o;
    const { head } = list(o, 1000);
    for (let i = 0; i < 200; i++) gc.allocateBytes(100_000);
    for (let i = 0; i < 100_000; i++) gc.allocateBytes(100);
    expect(gc.stats().numGC).toBeGreaterThan(3);
    expect(() => gc.allocateBytes(3 << 20)).toThrow(expect.objectContaining({ size: 3 << 20 }));
    gc.setOptions({ auto: false });
    expect(() => {
      for (;;) gc.allocateBytes(1000);
    }).toThrow(OutOfMemoryError);
    collectChecked(o);
    expect(liveBytes(o)).toBe(1000 * 16);
    gc.allocateBytes(1000);
    head.dispose();
  });
});

describe("free", () => {
  it("frees at once, in every phase, and disposes of the handle that it is given", () => {
    const o = openGC();
    const { gc, heap } = o;
    const type = gc.defineType({ size: 400, pointers: [0, 396] });
    const phases = new Set<string>();
    const before = liveBytes(o);
    for (let round = 0; round < 60; round++) {
      const objects = Array.from({ length: 20 }, () => gc.new(type));
      const large = gc.new(type, 500);
      for (const object of objects) object.store(0, large);
      if (round % 4 === 1) gc.start();
      if (round % 4 === 2) gc.step({ bytes: 3000 });
      if (round % 4 === 3) {
        gc.start();
        while (gc.step({ bytes: 1 << 20 }));
      }
      phases.add(gc.phase);
      for (const object of objects) object.store(0, null);
      for (const [i, object] of objects.entries()) {
        const { ptr } = object;
        if (i % 2 === 0) gc.free(object);
        else {
          object.set(null);
          heap.free(ptr);
        }
        expect(gc.isObject(ptr)).toBe(false);
      }
      gc.free(large);
      expect(large.disposed).toBe(true);
      heap.validate({ deep: true });
    }
    expect(phases).toEqual(new Set(["off", "mark", "sweep"]));
    expect(liveBytes(o)).toBe(before);
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("reports misuse, and changes nothing then", () => {
    const { gc, heap, Node } = openNodes();
    const object = gc.new(Node, 2);
    const keep = gc.new(Node, 2);
    const tiny = gc.newBytes(3);
    const block = heap.malloc(64);
    const { ptr } = object;
    gc.free(0);
    gc.free(null);
    const kinds: [number, string][] = [
      [ptr + 4, "interior-pointer"],
      [tiny.ptr, "tiny-block"],
      [block, "foreign-pointer"],
      [block + 8, "interior-pointer"],
      [12, "foreign-pointer"],
    ];
    for (const [address, kind] of kinds) {
      expect(() => gc.free(address)).toThrow(expect.objectContaining({ code: "ERR_MISUSE", kind, address }));
    }
    gc.free(object);
    expect(() => gc.free(ptr)).toThrow(MisuseError);
    expect(() => gc.free(ptr)).toThrow(expect.objectContaining({ kind: "double-free" }));
    expect(gc.isObject(keep.ptr)).toBe(true);
    heap.free(block);
    heap.validate({ deep: true });
  });
});

describe("the write barrier", () => {
  it.each<[string, (gc: Collector, slot: number, type: ReturnType<typeof typeOf>, from: number) => void]>([
    ["writePointer", (gc, slot, _, from) => gc.writePointer(slot, gc.readPointer(from + 4))],
    ["copy", (gc, slot, type, from) => gc.copy(type, slot - 4, from)],
    ["store of a handle", (gc, slot, type, from) => gc.handle(slot - 4, type).store("next", gc.readPointer(from + 4))],
  ])("%s shades what it writes", (_, move) => {
    const o = openGC();
    const { gc, heap, raw } = o;
    const type = typeOf(gc);
    const black = gc.new(type);
    const white = gc.new(type);
    const hidden = gc.allocate(type);
    white.store("next", hidden);
    // A long array on top of the stack keeps `white` from being scanned in the first steps.
    const { nodes } = list(o, 2000);
    const from = nodes.at(-1)!;
    gc.writePointer(from + 4, hidden);
    white.dispose();
    gc.start();
    gc.step({ bytes: 1 });
    expect(raw.marked(hidden)).toBe(0);
    move(gc, black.ptr + 4, type, from);
    expect(raw.marked(hidden)).toBe(1);
    // Without a barrier of its own: what the first one has not seen is lost here.
    heap.u32[(from + 4) >>> 2] = 0;
    finish(o);
    expect(black.load("next")).toBe(hidden);
    expect(gc.isObject(hidden)).toBe(true);
  });

  it.each<[string, (gc: Collector, from: number, type: ReturnType<typeof typeOf>) => void]>([
    ["writePointer", (gc, from) => gc.writePointer(from + 4, 0)],
    ["clear", (gc, from, type) => gc.clear(type, from)],
    ["copy", (gc, from, type) => gc.copy(type, from, gc.allocate(type))],
    ["store of a handle", (gc, from, type) => gc.handle(from, type).store("next", null)],
  ])("%s shades what it overwrites", (_, drop) => {
    const o = openGC();
    const { gc, heap, raw } = o;
    const type = typeOf(gc);
    const black = gc.new(type);
    const { nodes } = list(o, 2000);
    const from = nodes.at(-1)!;
    const hidden = gc.allocate(type);
    gc.writePointer(from + 4, hidden);
    gc.start();
    gc.step({ bytes: 1 });
    expect(raw.marked(hidden)).toBe(0);
    heap.u32[(black.ptr + 4) >>> 2] = hidden;
    drop(gc, from, type);
    expect(raw.marked(hidden)).toBe(1);
    expect(gc.readPointer(from + 4)).toBe(0);
    finish(o);
    expect(gc.isObject(hidden)).toBe(true);
  });

  it("copies and clears whole elements, overlapping ones too", () => {
    const { gc, heap } = openGC();
    const type = typeOf(gc);
    const array = gc.new(type, 10);
    const targets = Array.from({ length: 10 }, () => gc.new(type).ptr);
    targets.forEach((target, i) => {
      array.store("next", target, i);
      heap.u32[(array.ptr + i * 12) >>> 2] = i;
    });
    gc.copy(type, array.ptr + 24, array.ptr, 8);
    expect(targets.map((_, i) => array.load("next", i))).toEqual([0, 1, 0, 1, 2, 3, 4, 5, 6, 7].map((i) => targets[i]));
    gc.copy(type, array, array.ptr + 12, 9);
    gc.clear(type, array.ptr + 12, 2);
    expect(targets.map((_, i) => heap.u32[(array.ptr + i * 12) >>> 2])).toEqual([1, 0, 0, 2, 3, 4, 5, 6, 7, 7]);
    gc.copy(type, array, array, 0);
    gc.clear(type, array, 0);
    expect(array.load("next")).toBe(targets[1]);
  });

  it("refuses what is not in the memory", () => {
    const { gc, heap } = openGC();
    const type = typeOf(gc);
    const object = gc.new(type);
    const end = heap.memory.buffer.byteLength;
    for (const slot of [...NOT_U32.filter((slot) => slot !== null), 0, 2, end, end - 2]) {
      expect(() => gc.writePointer(slot, 0)).toThrow(RangeError);
      expect(() => gc.readPointer(slot)).toThrow(RangeError);
    }
    for (const target of [...NOT_U32.filter((slot) => slot !== null), 0, null, 2, end - 8]) {
      expect(() => gc.copy(type, object, target)).toThrow();
      expect(() => gc.copy(type, target, object)).toThrow();
      expect(() => gc.clear(type, target)).toThrow();
    }
    expect(() => gc.copy(type, object, object, 2 ** 31)).toThrow(RangeError);
    expect(() => gc.clear(type, object, 2 ** 31)).toThrow(RangeError);
    expect(() => gc.writePointer(object.slot("next"), 2 ** 32)).toThrow(RangeError);
  });
});

function typeOf(gc: Collector) {
  return gc.defineType(NODE);
}

describe("cycles", () => {
  it("in steps: bounded by bytes, with allocation, stores and frees between", () => {
    const o = openGC();
    const { gc } = o;
    const { head, nodes } = list(o, 20_000);
    expect(gc.step()).toBe(false);
    expect(gc.start()).toBe(true);
    expect(gc.start()).toBe(false);
    expect(gc.phase).toBe("mark");
    // An allocated node may take over the rest of the list, and is not looked at itself.
    const Node = gc.defineType(NODE);
    let steps = 1;
    while (gc.step({ bytes: 16 * 100 })) {
      steps++;
      const at = nodes[(steps * 7919) % nodes.length]!;
      const rest = gc.readPointer(at + 4);
      const fresh = gc.allocate(Node);
      gc.writePointer(fresh + 4, rest);
      gc.writePointer(at + 4, fresh);
    }
    expect(steps).toBeGreaterThan(150);
    expect(gc.phase).toBe("sweep");
    expect(gc.sweep()).toBe(false);
    expect(gc.phase).toBe("off");
    let n = 0;
    for (let at: number = head.ptr; at !== 0; at = gc.readPointer(at + 4)) n++;
    expect(n).toBe(20_000 + steps - 1);
    collectChecked(o);
    expect(liveBytes(o)).toBe(n * 16);
  });

  it("within a time: a slice at least, and no more once it is up", () => {
    let time = 0;
    const o = openGC({ clock: () => time++ });
    const { gc } = o;
    list(o, 40_000);
    gc.start();
    let before = gc.stats().scanWork;
    // The clock moves on by 1 ms at each look: two slices of 64 KiB fit 2 ms.
    expect(gc.step({ budgetMs: 2 })).toBe(true);
    let work = gc.stats().scanWork - before;
    expect(work).toBeGreaterThanOrEqual(2 * 65536);
    expect(work).toBeLessThan(3 * 65536);
    before = gc.stats().scanWork;
    expect(gc.step({ budgetMs: 0.001 })).toBe(true);
    work = gc.stats().scanWork - before;
    expect(work).toBeGreaterThanOrEqual(65536);
    expect(work).toBeLessThan(65536 + 1000);
    before = gc.stats().scanWork;
    expect(gc.step({ budgetMs: 100, bytes: 5000 })).toBe(true);
    work = gc.stats().scanWork - before;
    expect(work).toBeGreaterThanOrEqual(5000);
    expect(work).toBeLessThan(6000);
    expect(gc.step({ bytes: Number.POSITIVE_INFINITY })).toBe(false);
    for (let i = 0; i < 600_000; i++) gc.allocateBytes(16);
    gc.start();
    while (gc.step({ budgetMs: 1 }));
    // 9.6 MB in slices of 512 KiB.
    let sweeps = 1;
    while (gc.sweep(1)) sweeps++;
    expect(sweeps).toBeGreaterThan(10);
    o.heap.validate({ deep: true });
    for (const bad of [0, -1, Number.NaN, "1"] as number[]) {
      expect(() => gc.step({ budgetMs: bad })).toThrow(RangeError);
      expect(() => gc.step({ bytes: bad })).toThrow(RangeError);
      expect(() => gc.sweep(bad)).toThrow(RangeError);
    }
  });

  it("ends a cycle that is marking before collect begins another", () => {
    const o = openGC();
    const { gc } = o;
    const { head } = list(o, 1000);
    gc.start();
    gc.step({ bytes: 100 });
    // Reachable when that one began: it takes the next to free it.
    head.dispose();
    collectChecked(o);
    expect(gc.stats()).toMatchObject({ numGC: 2, numForcedGC: 2, phase: "off" });
    expect(liveBytes(o)).toBe(0);
  });

  it("frees only what was unreachable when it began", () => {
    const o = openGC();
    const { gc } = o;
    const { head, nodes } = list(o, 100);
    const born = () => gc.allocateBytes(200);
    const before = born();
    gc.start();
    const during = born();
    gc.writePointer(head.ptr + 4, 0);
    gc.step({ bytes: 1 << 20 });
    gc.sweep();
    expect([gc.isObject(before), gc.isObject(during), gc.isObject(nodes[99]!)]).toEqual([false, true, true]);
    collectChecked(o);
    expect([gc.isObject(during), gc.isObject(nodes[99]!)]).toEqual([false, false]);
    expect(liveBytes(o)).toBe(16);
  });

  it("mark large objects in pieces, and find what is at their ends", () => {
    const o = openGC();
    const { gc } = o;
    const Word = gc.defineType({ size: 4, pointers: [0] });
    const Odd = gc.defineType({ size: 20, pointers: [16] });
    // 3 MiB: 24 pieces. Elements of 20 bytes lie across the pieces' borders.
    const words = gc.new(Word, (3 << 20) / 4);
    const odd = gc.new(Odd, Math.floor((3 << 20) / 20));
    const slots = new Set<number>();
    for (let piece = 0; piece < 24; piece++) {
      const at = piece * (128 << 10);
      for (const offset of [0, 4, (128 << 10) - 4]) slots.add(words.ptr + at + offset);
      for (const i of [-1, 0, 1]) slots.add(odd.slot(16, Math.max(Math.floor(at / 20) + i, 0)));
    }
    slots.add(odd.slot(16, Math.floor((3 << 20) / 20) - 1));
    const targets = [...slots].map((slot) => {
      const target = gc.allocateBytes(32);
      gc.writePointer(slot, target);
      return target;
    });
    gc.start();
    let pieces = 1;
    while (gc.step({ bytes: 1 })) pieces++;
    expect(pieces).toBeGreaterThanOrEqual(48);
    gc.sweep();
    expect(targets.every((target) => gc.isObject(target))).toBe(true);
    words.dispose();
    odd.dispose();
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("is right without memory for its queue", () => {
    const o = openGC({ maxBytes: 3 << 20 });
    const { gc, heap } = o;
    const Word = gc.defineType({ size: 4, pointers: [0] });
    const { head, nodes } = list(o, 300);
    const wide = gc.new(Word, 6000);
    for (let i = 0; i < 6000; i++) {
      const row = gc.allocate(Word, 8);
      gc.writePointer(wide.ptr + i * 4, row);
      gc.writePointer(row + 28, gc.allocateBytes(16));
    }
    const expected = 300 * 16 + heap.usableSize(wide.ptr) + 6000 * 48;
    const dead = gc.allocateBytes(500_000);
    for (const size of [65536, 8192, 4096, 2048, 1024, 512, 256]) while (heap.tryMalloc(size) !== 0);
    const blocks = heap.stats().heapAlloc - expected - heap.usableSize(dead);
    gc.collect();
    heap.validate({ deep: true });
    expect(o.raw.gcStat(STAT_OVERFLOWS)).toBeGreaterThan(0);
    expect(gc.stats().overflows).toBe(o.raw.gcStat(STAT_OVERFLOWS));
    expect(o.raw.gcStat(STAT_UNCHECKED)).toBe(1);
    expect(liveBytes(o)).toBe(blocks + expected);
    expect(nodes.every((node) => gc.isObject(node))).toBe(true);
    expect(gc.isObject(dead)).toBe(false);
    head.dispose();
  });

  it("works in a memory that others grow, above the heap's base", () => {
    const memory = new WebAssembly.Memory({ initial: 3 });
    const heap = createHeap({ memory, wasm: wasmModule("test") });
    const gc = heap.collector;
    expect(gc.stats().heapLive).toBe(0);
    const kept: ReturnType<typeof gc.newBytes>[] = [];
    for (let i = 0; i < 30; i++) {
      kept.push(gc.newBytes(20_000));
      gc.allocateBytes(20_000);
      const base = memory.grow(1) * WASM_PAGE;
      new Uint8Array(memory.buffer).fill(0xee, base, base + WASM_PAGE);
      if (i % 10 === 9) gc.collect();
    }
    heap.validate({ deep: true });
    expect(heap.stats().heapAlloc).toBe(30 * 20_480);
    expect(kept.every(({ ptr }) => gc.isObject(ptr))).toBe(true);
  });
});
