/** Handles and wrapped handles: what they keep alive, fields, the end of them, with and without FinalizationRegistry. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createHeap,
  type Handle,
  HandleDisposedError,
  HeapDisposedError,
  NotAnObjectError,
  OutOfMemoryError,
} from "../../src/index.ts";
import { collectChecked, liveBytes, openGC, openNodes } from "../gc/support/heap.ts";

describe("a handle", () => {
  it("keeps its object alive, and what that points to, until it is disposed of", () => {
    const { o, gc, Node } = openNodes();
    const head = gc.new(Node);
    let last: number = head.ptr;
    for (let i = 0; i < 1000; i++) {
      const node = gc.allocate(Node);
      gc.writePointer(last + Node.offsets.next, node);
      last = node;
    }
    collectChecked(o);
    expect(gc.isObject(last)).toBe(true);
    expect(liveBytes(o)).toBe(1001 * 16);
    head.store("next", null);
    collectChecked(o);
    expect(liveBytes(o)).toBe(16);
    head.dispose();
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("is one of many", () => {
    const { o, gc, Node } = openNodes();
    const handles = Array.from({ length: 10_000 }, () => gc.new(Node));
    expect(gc.stats().handles).toBe(10_000);
    handles.forEach((handle, i) => {
      if (i % 3 !== 0) handle.dispose();
    });
    const more = Array.from({ length: 100 }, () => gc.new(Node));
    const kept = [...handles.filter(({ disposed }) => !disposed), ...more];
    collectChecked(o);
    expect(kept.every(({ ptr }) => gc.isObject(ptr))).toBe(true);
    expect(gc.stats().handles).toBe(kept.length);
    expect(liveBytes(o)).toBe(kept.length * 16);
  });

  it("reads and writes pointer fields, by name and offset, of each element", () => {
    const { gc, heap, Node } = openNodes();
    using array = gc.new(Node, 5);
    using target = gc.new(Node);
    array.store("other", target, 3);
    expect(array.slot("other", 3)).toBe(array.ptr + 3 * 12 + 8);
    expect(heap.u32[array.slot("other", 3) >>> 2]).toBe(target.ptr);
    expect(array.load(8, 3)).toBe(target.ptr);
    expect(array.load("next", 3)).toBe(0);
    array.store("next", target.ptr + 5, 0);
    expect(array.load("next")).toBe(target.ptr + 5);
    expect(array.byteLength).toBe(60);
    for (const index of [5, -1, 0.5, 2 ** 32]) {
      expect(() => array.load("next", index)).toThrow(RangeError);
      expect(() => array.store("next", null, index)).toThrow(RangeError);
    }
    for (const field of [0, "left", "constructor"] as unknown[] as "next"[])
      expect(() => array.load(field)).toThrow(RangeError);
    expect(() => array.store("next", -1)).toThrow(RangeError);
    using bytes = gc.newBytes(16);
    expect(() => bytes.load(0)).toThrow(TypeError);
  });

  it("can be had for an object that is there, by any address in it", () => {
    const { o, gc, Node } = openNodes();
    const first = gc.new(Node, 10);
    const inside = gc.handle(first.ptr + 3 * 12, Node);
    const same = gc.handle(inside);
    expect(inside.ptr).toBe(first.ptr + 36);
    expect(inside.byteLength).toBe(128 - 36);
    expect(same.type).toBe(Node);
    first.dispose();
    collectChecked(o);
    expect(gc.isObject(same.ptr - 36)).toBe(true);
    inside.dispose();
    same.dispose();
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it.each([1, 2, 3, 4, 7, 8, 12, 15])("holds tiny objects of %d bytes, also at odd addresses", (size) => {
    const o = openGC();
    const { gc, heap } = o;
    const handles = Array.from({ length: 50 }, (_, i) => {
      const handle = gc.newBytes(size);
      heap.u8.fill(i + 1, handle.ptr, handle.ptr + size);
      return handle;
    });
    for (let i = 0; i < 200; i++) gc.allocateBytes(size);
    collectChecked(o);
    handles.forEach(({ ptr }, i) => {
      expect([...heap.u8.subarray(ptr, ptr + size)]).toEqual(Array.from({ length: size }, () => i + 1));
    });
    expect(handles[0]!.byteLength).toBe(size);
    expect(gc.handle(handles[1]!.ptr).byteLength).toBe(16 - (handles[1]!.ptr % 16));
    for (const handle of handles) handle.set(null);
    collectChecked(o);
    // The one of gc.handle above is still there.
    expect(liveBytes(o)).toBe(16);
  });

  it("changes hands with set", () => {
    const { o, gc, Node } = openNodes();
    const handle = gc.new(Node);
    const first = handle.ptr;
    const other = gc.new(Node, 3);
    handle.set(other);
    other.dispose();
    expect(handle.byteLength).toBe(48);
    collectChecked(o);
    expect([gc.isObject(first), gc.isObject(handle.ptr)]).toEqual([false, true]);
    expect(() => handle.set(first)).toThrow(NotAnObjectError);
    expect(handle.ptr).not.toBe(first);
    handle.set(null);
    expect([handle.ptr, handle.byteLength, handle.disposed]).toEqual([0, 0, false]);
    expect(() => handle.load("next")).toThrow(NotAnObjectError);
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });

  it("is no more after dispose", () => {
    const { gc, Node } = openNodes();
    const handle = gc.new(Node);
    const other = gc.new(Node);
    handle.dispose();
    handle.dispose();
    expect(gc.stats().handles).toBe(1);
    expect(handle.disposed).toBe(true);
    const uses: ((h: Handle<"next">) => unknown)[] = [
      (h) => h.ptr,
      (h) => h.byteLength,
      (h) => h.set(other),
      (h) => h.slot("next"),
      (h) => h.load("next"),
      (h) => h.store("next", null),
      (h) => gc.handle(h),
      (h) => gc.wrap(h),
      (h) => gc.pin(h),
      (h) => gc.writePointer(other.ptr + 4, h),
      (h) => other.store("next", h),
    ];
    for (const use of uses) {
      expect(() => use(handle as Handle<"next">)).toThrow(HandleDisposedError);
    }
    // Its number serves again, and it does not.
    const next = gc.new(Node);
    handle.dispose();
    expect(gc.stats().handles).toBe(2);
    expect(gc.isObject(next.ptr)).toBe(true);
  });

  it("ends with its block and with its heap", () => {
    const { gc, heap, Node } = openNodes();
    {
      using handle = gc.new(Node);
      expect(handle.disposed).toBe(false);
      expect(gc.stats().handles).toBe(1);
    }
    expect(gc.stats().handles).toBe(0);
    const left = gc.new(Node);
    heap.dispose();
    expect(() => left.ptr).toThrow(HeapDisposedError);
    expect(() => left.store("next", null)).toThrow(HeapDisposedError);
    left.dispose();
    expect(left.disposed).toBe(true);
  });

  it("is refused for what is no live object", () => {
    const { gc, heap, Node } = openNodes();
    const block = heap.malloc(100);
    const dead = gc.allocate(Node);
    const freed = gc.allocate(Node);
    gc.free(freed);
    gc.start();
    while (gc.step({ bytes: 1000 }));
    // Not swept yet, but dead.
    expect(gc.phase).toBe("sweep");
    for (const ptr of [0, 12, block, block + 5, freed, dead, 0xfffffff0]) {
      expect(() => gc.handle(ptr)).toThrow(NotAnObjectError);
      expect(() => gc.wrap(ptr)).toThrow(expect.objectContaining({ code: "ERR_NOT_AN_OBJECT", address: ptr }));
    }
    for (const ptr of [-1, 0.5, 2 ** 32, "4096", {}] as number[]) expect(() => gc.handle(ptr)).toThrow(RangeError);
    expect(gc.stats().handles).toBe(0);
    heap.validate({ deep: true });
  });

  it("throws OutOfMemoryError when the table cannot grow, and the object is garbage", () => {
    const o = openGC({ maxBytes: 256 * 1024 });
    const { gc, heap } = o;
    const object = gc.newBytes(100);
    // Nothing but single slots is left: the table is to grow by pages.
    while (heap.tryMalloc(8192) !== 0);
    const more: Handle[] = [];
    expect(() => {
      for (let i = 0; i < 100_000; i++) more.push(gc.handle(object));
    }).toThrow(OutOfMemoryError);
    expect(gc.stats().handles).toBe(more.length + 1);
    collectChecked(o);
    expect(gc.isObject(object.ptr)).toBe(true);
  });
});

describe("wrap", () => {
  setFlagsFromString("--expose-gc");
  const engineGC = runInNewContext("gc") as () => void;

  /** Lets the engine collect, and run its finalizers, until `done` or many times over. */
  async function settle(done: () => boolean): Promise<void> {
    for (let i = 0; i < 50 && !done(); i++) {
      engineGC();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("frees an object some time after the last JavaScript object that had it is gone", async () => {
    const { o, gc, Node } = openNodes();
    const kept = gc.wrap(gc.new(Node));
    let wrappers: Handle[] | null = Array.from({ length: 500 }, () => gc.wrap(gc.new(Node)) as unknown as Handle);
    // Those that are disposed of by hand are not disposed of again.
    for (const handle of wrappers.slice(0, 100)) handle.dispose();
    const unwrapped = gc.new(Node);
    expect(gc.stats().handles).toBe(402);
    expect([kept.wrapped, unwrapped.wrapped]).toEqual([true, false]);
    wrappers = null;
    await settle(() => gc.stats().handles === 2);
    expect(gc.stats().handles).toBe(2);
    collectChecked(o);
    expect(liveBytes(o)).toBe(32);
    expect(gc.isObject(kept.ptr) && gc.isObject(unwrapped.ptr)).toBe(true);
  });

  it("wraps addresses, and a handle but once", async () => {
    const { o, gc, Node } = openNodes();
    const parent = gc.new(Node);
    gc.writePointer(parent.slot("next"), gc.allocate(Node));
    let child: Handle<"next" | "other"> | null = gc.wrap(parent.load("next"), Node);
    expect(gc.wrap(child)).toBe(child);
    expect(child.load("next")).toBe(0);
    const { ptr } = child;
    parent.store("next", null);
    collectChecked(o);
    expect(gc.isObject(ptr)).toBe(true);
    child = null;
    await settle(() => gc.stats().handles === 1);
    collectChecked(o);
    expect(gc.isObject(ptr)).toBe(false);
  });

  it("does nothing to a heap that is gone before its wrappers are", async () => {
    const heap = createHeap();
    const { collector } = heap;
    let gone = false;
    const watch = new FinalizationRegistry<number>(() => {
      gone = true;
    });
    (() => {
      const handle = collector.wrap(collector.newBytes(64));
      watch.register(handle, 1);
    })();
    heap.dispose();
    await settle(() => gone);
    await new Promise((resolve) => setImmediate(resolve));
    expect(gone).toBe(true);
  });

  it("is a plain handle without FinalizationRegistry", () => {
    vi.stubGlobal("FinalizationRegistry", undefined);
    const o = openGC();
    const { gc } = o;
    const handle = gc.wrap(gc.newBytes(64));
    expect(handle.wrapped).toBe(false);
    collectChecked(o);
    expect(gc.isObject(handle.ptr)).toBe(true);
    handle.dispose();
    collectChecked(o);
    expect(liveBytes(o)).toBe(0);
  });
});
