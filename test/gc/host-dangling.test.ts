/**
 * Words that point to no live object: to what was freed by hand, to slots that were never used, to pages that have
 * become something else. They are nothing to the collector, whenever it meets them.
 */
import { describe, expect, it } from "vitest";
import { collectChecked, liveBytes, openGC } from "./support/heap.ts";

const CLASSES = [144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480, 512];

describe("a pointer to what was freed by hand", () => {
  it("marks no slot of an empty span that is kept", () => {
    const o = openGC();
    const { gc, heap, raw } = o;
    const A = gc.defineType({ size: 8, pointers: [0] });
    const B = gc.defineType({ size: 24, pointers: [0] });
    const a = gc.new(A);
    const b = gc.allocate(B);
    a.store(0, b);
    heap.releaseAll();
    gc.free(b);
    expect(heap.stats().heapRetained).toBeGreaterThan(0);
    collectChecked(o);
    // The next object in the slot is not taken for marked: what it points to lives.
    const next = gc.new(B);
    expect(next.ptr).toBe(b);
    expect(raw.marked(b)).toBe(0);
    next.store(0, gc.allocate(B));
    collectChecked(o);
    expect(gc.isObject(next.load(0))).toBe(true);
  });

  it("keeps what comes there next alive, and nothing else", () => {
    const o = openGC();
    const { gc } = o;
    const A = gc.defineType({ size: 256, pointers: [0, 252] });
    const holder = gc.new(A);
    const dead = gc.allocate(A);
    const behind = gc.allocate(A);
    holder.store(0, dead);
    gc.writePointer(dead, behind);
    gc.free(dead);
    collectChecked(o);
    expect(gc.isObject(behind)).toBe(false);
    expect(liveBytes(o)).toBe(256);
  });

  it("may be queued when its object goes, and another class takes the pages", () => {
    const o = openGC();
    const { gc, heap } = o;
    const A = gc.defineType({ size: 64, pointers: [0] });
    const P = gc.defineType({ size: 4, pointers: [0] });
    const n = 20_000;
    const root = gc.new(P, n);
    for (let i = 0; i < n; i++) {
      const object = gc.allocate(A);
      heap.u8.fill(0xff, object + 4, object + 64);
      root.store(0, object, i);
    }
    gc.collect();
    gc.start();
    // The array is looked at, its objects wait.
    gc.step({ bytes: 1 });
    expect(gc.phase).toBe("mark");
    const queued = Array.from({ length: n }, (_, i) => root.load(0, i));
    gc.clear(P, root, n);
    for (const object of queued) gc.free(object);
    heap.releaseAll();
    const pages = new Set(queued.map((object) => object >>> 13));
    const next = CLASSES.map((size) => gc.new(gc.defineType({ size, pointers: [0] })));
    const large = gc.newConservative(100_000);
    const block = heap.malloc(100_000);
    expect(next.some(({ ptr }) => pages.has(ptr >>> 13))).toBe(true);
    while (gc.step({ bytes: 10_000 }));
    gc.sweep();
    heap.validate({ deep: true });
    expect([...next, large].every(({ ptr }) => gc.isObject(ptr))).toBe(true);
    heap.free(block);
    collectChecked(o);
  });

  it("may be that of a large object that is half marked", () => {
    const o = openGC();
    const { gc, heap } = o;
    const P = gc.defineType({ size: 4, pointers: [0] });
    const large = gc.new(P, (2 << 20) / 4);
    const root = gc.new(P, 2);
    const { ptr } = large;
    gc.start();
    gc.step({ bytes: 1 });
    gc.step({ bytes: 1 });
    expect(gc.phase).toBe("mark");
    gc.free(large);
    // Its pages: small objects, bytes, a block full of addresses.
    const bytes = gc.newBytes(300_000);
    const block = heap.malloc(300_000);
    for (const at of [bytes.ptr, block]) heap.u32.fill(root.ptr + 1, at >>> 2, (at + 300_000) >>> 2);
    for (let i = 0; i < 2000; i++) gc.new(P, 50).dispose();
    expect([bytes.ptr, block].some((at) => at >= ptr && at < ptr + (2 << 20))).toBe(true);
    while (gc.step({ bytes: 10_000 }));
    gc.sweep();
    heap.free(block);
    heap.validate({ deep: true });
    expect(gc.isObject(bytes.ptr) && gc.isObject(root.ptr)).toBe(true);
  });
});

describe("a word that may be a pointer", () => {
  it("to a slot that was never used, or past the last one of a span, is none", () => {
    const o = openGC();
    const { gc, heap } = o;
    // Memory that is not zero, for tables to stand in.
    const dirty = heap.malloc(1 << 20);
    heap.u8.fill(0xff, dirty, dirty + (1 << 20));
    heap.free(dirty);
    heap.releaseAll();
    const words = gc.newConservative(4096 * CLASSES.length);
    let word = words.ptr >>> 2;
    const objects = CLASSES.map((size) => {
      const { ptr } = gc.new(gc.defineType({ size, pointers: [0] }));
      const start = ptr - (ptr % 8192);
      for (let at = start; at < start + 8192; at += 16) heap.u32[word++] = at + 3;
      return ptr;
    });
    const live = liveBytes(o);
    for (let i = 0; i < 3; i++) {
      collectChecked(o);
      expect(liveBytes(o)).toBe(live);
      expect(objects.every((ptr) => gc.isObject(ptr))).toBe(true);
    }
  });

  it("to anywhere at all is looked up, and that is all", () => {
    const o = openGC();
    const { gc, heap } = o;
    const size = 1 << 18;
    const words = gc.newConservative(size);
    const { ptr } = words;
    const range = gc.addRoots(heap.calloc(65536, 4), 65536 * 4);
    const end = heap.memory.buffer.byteLength;
    const fill = (from: number, step: number) => {
      for (let i = 0; i < size; i += 4) heap.u32[(ptr + i) >>> 2] = from + (i >>> 2) * step;
      for (let i = 0; i < range.byteLength; i += 4) heap.u32[(range.start + i) >>> 2] = from + (i >>> 2) * step + 1;
    };
    // All of the heap's own records, free pages and blocks; the end of the memory; all over the address space.
    const steps: [number, number][] = [
      [0, Math.ceil(end / (size >>> 2))],
      [end - 4096, 1],
      [0, 65536],
      [0xffff0000, 1],
    ];
    for (const [from, step] of steps) {
      fill(from, step);
      collectChecked(o);
      expect(liveBytes(o)).toBe(size + range.byteLength);
    }
  });
});

describe("without memory for the queue", () => {
  it("empty spans become work buffers while all marked objects are looked through", () => {
    const o = openGC({ maxBytes: 1 << 20 });
    const { gc, heap } = o;
    const A = gc.defineType({ size: 4096, pointers: [0] });
    const P = gc.defineType({ size: 4, pointers: [0] });
    const stack = gc.shadowStack(2000);
    // Spans of objects, each with one of malloc's behind it.
    const blocks: number[] = [];
    for (let i = 0; i < 20; i++) {
      const a = gc.allocate(A);
      gc.writePointer(a, gc.allocate(A));
      stack.push(a);
      blocks.push(heap.malloc(8192));
    }
    // More than one page of queue holds.
    const wide = gc.allocate(P, 5000);
    stack.push(wide);
    for (let i = 0; i < 5000; i++) gc.writePointer(wide + i * 4, gc.allocate(P));
    for (const size of [8192, 4096, 1024, 256]) while (heap.tryMalloc(size) !== 0);
    gc.start();
    gc.step({ bytes: 1 });
    for (const block of blocks) heap.free(block);
    while (gc.step({ bytes: 100 }));
    gc.sweep();
    heap.validate({ deep: true });
    for (let i = 0; i < 5000; i++) expect(gc.isObject(gc.readPointer(wide + i * 4))).toBe(true);
    while (stack.depth > 1) {
      const at = stack.pop();
      if (at !== wide) expect(gc.isObject(at) && gc.isObject(gc.readPointer(at))).toBe(true);
    }
  });

  it("a list against the order of addresses does not overflow again and again", () => {
    const o = openGC({ maxBytes: 1 << 20 });
    const { gc, heap } = o;
    const A = gc.defineType({ size: 16, pointers: [0] });
    // A page for the queue stays from one cycle to the next.
    gc.new(A).dispose();
    using first = gc.new(A);
    gc.collect();
    expect(first.load(0)).toBe(0);
    const nodes = Array.from({ length: 4000 }, () => gc.allocate(A));
    for (let i = 1; i < 4000; i++) gc.writePointer(nodes[i]!, nodes[i - 1]!);
    const head = gc.handle(nodes[3999]!);
    for (const size of [8192, 4096, 1024]) while (heap.tryMalloc(size) !== 0);
    gc.collect();
    heap.validate({ deep: true });
    expect(nodes.every((node) => gc.isObject(node))).toBe(true);
    expect(gc.stats().overflows).toBe(0);
    head.dispose();
  });
});
