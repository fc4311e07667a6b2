/** Pins, registered ranges and shadow stacks. */
import { describe, expect, it } from "vitest";
import {
  createHeap,
  HeapDisposedError,
  NotAnObjectError,
  OutOfMemoryError,
  PinError,
  ShadowStackError,
} from "../../src/index.ts";
import { collectChecked, liveBytes, openGC, openNodes } from "../gc/support/heap.ts";

describe("pins", () => {
  it("count", () => {
    const { o, gc, Node } = openNodes();
    const object = gc.allocate(Node, 4);
    expect([gc.pin(object), gc.pin(object + 20), gc.pin(object)]).toEqual([1, 2, 3]);
    expect([gc.pins(object), gc.pins(object + 47), gc.stats().pins]).toEqual([3, 3, 1]);
    expect([gc.unpin(object + 1), gc.unpin(object)]).toEqual([2, 1]);
    collectChecked(o);
    expect(gc.isObject(object)).toBe(true);
    expect(gc.unpin(object)).toBe(0);
    expect([gc.pins(object), gc.stats().pins]).toEqual([0, 0]);
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("hold many objects, and what these point to", () => {
    const { o, gc, Node } = openNodes();
    const pinned = Array.from({ length: 5000 }, () => {
      const object = gc.allocate(Node);
      gc.pin(object);
      gc.writePointer(object + 8, gc.allocateBytes(16));
      return object;
    });
    for (const object of pinned.splice(1000)) gc.unpin(object);
    collectChecked(o);
    expect(liveBytes(o)).toBe(1000 * 32);
    expect(pinned.every((object) => gc.pins(object) === 1 && gc.isObject(gc.readPointer(object + 8)))).toBe(true);
    for (const object of pinned) gc.unpin(object);
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("refuse what is not pinned, and what is no object", () => {
    const { gc, heap } = openGC();
    const object = gc.newBytes(40);
    const block = heap.malloc(40);
    expect(() => gc.unpin(object)).toThrow(PinError);
    gc.pin(object);
    gc.unpin(object);
    expect(() => gc.unpin(object)).toThrow(
      expect.objectContaining({ code: "ERR_PIN", kind: "not-pinned", address: object.ptr }),
    );
    expect(() => gc.unpin(0)).toThrow(PinError);
    for (const ptr of [0, 16, block, block + 3, 0xffffffff]) expect(() => gc.pin(ptr)).toThrow(NotAnObjectError);
    for (const ptr of [-1, 1.5, 2 ** 32]) {
      expect(() => gc.pin(ptr)).toThrow(RangeError);
      expect(() => gc.unpin(ptr)).toThrow(RangeError);
    }
    expect(gc.stats().pins).toBe(0);
  });

  it("hold tiny objects, and keep what they hold from being freed by hand", () => {
    const o = openGC();
    const { gc } = o;
    const tiny = gc.allocateBytes(3);
    gc.pin(tiny);
    const object = gc.allocateBytes(100);
    gc.pin(object);
    expect(() => gc.free(object)).toThrow(expect.objectContaining({ code: "ERR_PIN", kind: "pinned" }));
    collectChecked(o);
    expect([gc.pins(tiny), gc.isObject(object)]).toEqual([1, true]);
    gc.unpin(object);
    gc.free(object);
    expect(gc.isObject(object)).toBe(false);
  });

  it.each([16, 200, 40_000])("keep %i bytes from every door that frees by hand", (size) => {
    const o = openGC();
    const { gc, heap } = o;
    const Node = gc.defineType({ size, pointers: [0] });
    const { free, free_sized, realloc } = o.raw;
    const makers = [() => gc.allocate(Node), () => gc.allocateConservative(size), () => gc.allocateBytes(size)];
    for (const make of makers) {
      const object = make();
      gc.pin(object);
      gc.pin(object);
      const refused = (operation: string) =>
        expect.objectContaining({ code: "ERR_PIN", kind: "pinned", address: object, operation });
      for (const pins of [2, 1]) {
        expect(() => gc.free(object)).toThrow(refused("free"));
        expect(() => heap.free(object)).toThrow(refused("free"));
        for (const bytes of [0, size, size * 4]) {
          expect(() => heap.realloc(object, bytes)).toThrow(refused("realloc"));
          expect(() => heap.tryRealloc(object, bytes)).toThrow(refused("realloc"));
          expect(realloc(object, bytes)).toBe(0);
        }
        const { misuses } = heap.stats();
        free(object);
        free_sized(object, size);
        expect(heap.stats().misuses).toBe(misuses + 2);
        collectChecked(o);
        expect([gc.isObject(object), gc.pins(object)]).toEqual([true, pins]);
        gc.unpin(object);
      }
      heap.free(object);
      expect(gc.isObject(object)).toBe(false);
    }
    // Whoever gets the place next has no pins.
    const next = gc.allocate(Node);
    expect(gc.pins(next)).toBe(0);
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("are not in the way of what is not pinned", () => {
    const { gc, heap } = openGC();
    const pinned = gc.allocateBytes(100);
    gc.pin(pinned);
    const blocks = Array.from({ length: 100 }, () => heap.malloc(100));
    const objects = Array.from({ length: 100 }, () => gc.allocateBytes(100));
    expect(heap.realloc(objects.pop()!, 300)).toBeGreaterThan(0);
    for (const ptr of [...blocks, ...objects]) heap.free(ptr);
    expect(() => heap.free(pinned + 8)).toThrow(expect.objectContaining({ kind: "interior-pointer" }));
    expect(() => heap.free(blocks[0]!)).toThrow(expect.objectContaining({ kind: "double-free" }));
  });

  it("shade what comes and goes while a cycle marks", () => {
    const { o, gc, Node } = openNodes();
    const root = gc.new(Node);
    const child = gc.allocate(Node);
    root.store("next", child);
    const pinned = gc.allocate(Node);
    gc.pin(pinned);
    gc.start();
    // What a pin gives up may go elsewhere: into an object that has been looked at.
    gc.step({ bytes: 1 });
    gc.unpin(pinned);
    gc.pin(root.load("next"));
    root.store("next", pinned);
    collectAll(o);
    expect([gc.isObject(child), gc.isObject(pinned)]).toEqual([true, true]);
    gc.unpin(child);
    collectChecked(o);
    expect(gc.isObject(child)).toBe(false);
  });
});

function collectAll({ gc, heap }: ReturnType<typeof openGC>): void {
  while (gc.step({ bytes: 64 }));
  gc.sweep();
  heap.validate({ deep: true });
}

describe("addRoots", () => {
  it("keeps alive what the words of a range point to, as they are when a cycle ends", () => {
    const o = openGC();
    const { gc, heap } = o;
    const block = heap.calloc(4, 4);
    const range = gc.addRoots(block, 12);
    const objects = Array.from({ length: 4 }, () => gc.allocateBytes(64));
    objects.forEach((object, i) => {
      heap.u32[(block >>> 2) + i] = object + i * 7;
    });
    collectChecked(o);
    // The fourth word is not part of the range.
    expect(objects.map((object) => gc.isObject(object))).toEqual([true, true, true, false]);
    expect(gc.stats().roots).toBe(1);
    // Stores need no barrier: those after the begin of a cycle count.
    heap.u32[block >>> 2] = 0;
    gc.start();
    const late = gc.allocateBytes(64);
    heap.u32[block >>> 2] = late;
    heap.u32[(block >>> 2) + 1] = 7;
    heap.u32[(block >>> 2) + 2] = 0xffffffff;
    collectAll(o);
    expect(gc.isObject(late)).toBe(true);
    collectChecked(o);
    expect(objects.slice(0, 3).some((object) => gc.isObject(object))).toBe(false);
    range.dispose();
    range.dispose();
    expect([range.disposed, gc.stats().roots]).toEqual([true, 0]);
    collectChecked(o);
    expect(liveBytes(o)).toBe(16);
  });

  it("serves again after a range is gone", () => {
    const { gc, heap } = openGC();
    const block = heap.calloc(1000, 4);
    for (let round = 0; round < 3; round++) {
      const ranges = Array.from({ length: 100 }, (_, i) => gc.addRoots(block + i * 40, 40));
      expect(gc.stats().roots).toBe(100);
      for (const range of ranges) range.dispose();
    }
    using range = gc.addRoots(block, 4000);
    expect([range.start, range.byteLength, gc.stats().roots]).toEqual([block, 4000, 1]);
  });

  it("looks at the part that is in use where there is a pointer to it", () => {
    const o = openGC();
    const { gc, heap } = o;
    const block = heap.calloc(11, 4);
    gc.addRoots(block + 4, 40, { pointer: block });
    const objects = Array.from({ length: 10 }, (_, i) => {
      const object = gc.allocateBytes(32);
      heap.u32[(block >>> 2) + 1 + i] = object;
      return object;
    });
    const live = () => objects.map((object) => gc.isObject(object)).indexOf(true);
    for (const inUse of [0, 3, 9]) {
      heap.u32[block >>> 2] = block + 4 + inUse * 4;
      collectChecked(o);
      expect(live()).toBe(inUse);
    }
    // A pointer beyond either end: all of it, or nothing.
    heap.u32[block >>> 2] = 0;
    collectChecked(o);
    expect(live()).toBe(9);
    heap.u32[block >>> 2] = block + 1000;
    collectChecked(o);
    expect(live()).toBe(-1);
  });

  it("refuses ranges that are none", () => {
    const { gc, heap } = openGC();
    const block = heap.malloc(64);
    const end = heap.memory.buffer.byteLength;
    const bad: [number, number, number?][] = [
      ...([
        [block + 1, 8],
        [block, 6],
        [block, 0],
        [block, -4],
        [end - 4, 8],
        [0.5, 4],
        [-4, 4],
      ] as [number, number][]),
      ...([
        [block, 8, 2],
        [block, 8, 0],
        [block, 8, end],
      ] as [number, number, number][]),
    ];
    for (const [start, bytes, pointer] of bad) expect(() => gc.addRoots(start, bytes, { pointer })).toThrow(RangeError);
    gc.addRoots(block, 8);
    expect(() => gc.addRoots(block, 4)).toThrow(RangeError);
    gc.addRoots(block + 4, 8);
    expect(gc.stats().roots).toBe(2);
  });
});

describe("shadowStack", () => {
  it("pushes and pops", () => {
    const o = openGC();
    const { gc, heap } = o;
    const stack = gc.shadowStack(100);
    const before = liveBytes(o);
    const objects = Array.from({ length: 100 }, () => gc.allocateBytes(48));
    const slots = objects.map((object) => stack.push(object));
    expect(slots.every((slot, i) => i === 0 || slot === slots[i - 1]! - 4)).toBe(true);
    expect(heap.u32[stack.pointer >>> 2]).toBe(slots[99]);
    expect(stack.depth).toBe(100);
    expect(() => stack.push(0)).toThrow(expect.objectContaining({ code: "ERR_SHADOW_STACK", kind: "overflow" }));
    collectChecked(o);
    expect(objects.every((object) => gc.isObject(object))).toBe(true);
    expect(stack.get(slots[5]!)).toBe(objects[5]);
    stack.set(slots[5]!, null);
    for (let i = 99; i >= 50; i--) expect(stack.pop()).toBe(objects[i]);
    expect(() => stack.get(slots[50]!)).toThrow(expect.objectContaining({ kind: "slot" }));
    expect(() => stack.set(slots[0]! + 4, 0)).toThrow(ShadowStackError);
    expect(() => stack.get(slots[0]! + 1)).toThrow(RangeError);
    collectChecked(o);
    expect(objects.filter((object) => gc.isObject(object))).toEqual(objects.filter((_, i) => i < 50 && i !== 5));
    for (let i = 49; i >= 0; i--) stack.pop();
    expect(() => stack.pop()).toThrow(expect.objectContaining({ kind: "underflow" }));
    collectChecked(o);
    expect(liveBytes(o)).toBe(before);
  });

  it("has frames, which end in reverse order", () => {
    const { gc } = openGC();
    const stack = gc.shadowStack();
    stack.push(gc.newBytes(16));
    const outer = stack.enter();
    stack.push(gc.newBytes(16));
    {
      using _inner = stack.enter();
      expect(() => stack.pop()).toThrow(expect.objectContaining({ kind: "underflow" }));
      stack.push(gc.newBytes(16));
      stack.push(gc.newBytes(16));
      expect(() => outer.leave()).toThrow(expect.objectContaining({ kind: "frame" }));
      expect(stack.depth).toBe(4);
    }
    expect(stack.depth).toBe(2);
    outer.leave();
    outer.leave();
    expect(stack.depth).toBe(1);
  });

  it("is shared with who lowers the pointer himself", () => {
    const o = openGC();
    const { gc, heap } = o;
    const stack = gc.shadowStack(10);
    const frame = stack.enter();
    const object = gc.allocateBytes(16);
    const slot = heap.u32[stack.pointer >>> 2]! - 4;
    heap.u32[stack.pointer >>> 2] = slot;
    heap.u32[slot >>> 2] = object;
    expect(stack.depth).toBe(1);
    collectChecked(o);
    expect(gc.isObject(object)).toBe(true);
    expect(stack.get(slot)).toBe(object);
    frame.leave();
    collectChecked(o);
    expect(gc.isObject(object)).toBe(false);
  });

  it("gives its memory back", () => {
    const o = openGC();
    const { gc } = o;
    const stack = gc.shadowStack(5000);
    const frame = stack.enter();
    stack.push(gc.newBytes(16));
    expect(gc.stats().roots).toBe(1);
    stack.dispose();
    stack.dispose();
    frame.leave();
    expect(gc.stats().roots).toBe(0);
    for (const use of [() => stack.push(0), () => stack.pop(), () => stack.enter(), () => stack.depth]) {
      expect(use).toThrow(expect.objectContaining({ kind: "disposed" }));
    }
    gc.sweep();
    expect(o.heap.stats().largeLiveBytes).toBe(0);
  });

  it("refuses sizes that cannot be, and ends with the heap", () => {
    const heap = createHeap({ maximum: 8 });
    const { collector: gc } = heap;
    for (const slots of [0, -1, 0.5, 2 ** 29]) expect(() => gc.shadowStack(slots)).toThrow(RangeError);
    expect(() => gc.shadowStack(2 ** 20)).toThrow(OutOfMemoryError);
    const stack = gc.shadowStack(4);
    heap.dispose();
    expect(() => stack.push(0)).toThrow(HeapDisposedError);
    stack.dispose();
  });
});
