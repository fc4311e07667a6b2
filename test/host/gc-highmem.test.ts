/** The collector above 2 GiB and at the memory's end, where addresses are negative to wasm's JavaScript interface. */
import { describe, expect, it } from "vitest";
import { createHeap } from "../../src/index.ts";

const HIGH = 2 ** 31;

/** Why a memory of 4 GiB cannot be had here, or null. */
function refusal(): string | null {
  try {
    new WebAssembly.Memory({ initial: 65536 });
    return null;
  } catch (error) {
    if (error instanceof RangeError) return `${error.message}; run on 64 bits, without a limit by ulimit -v`;
    throw error;
  }
}

const noMemory = refusal();

describe.skipIf(noMemory !== null)(`a collector${noMemory === null ? "" : ` (skipped: ${noMemory})`}`, () => {
  it("collects above 2 GiB", () => {
    const heap = createHeap({ initial: 32_768 + 64, heapBase: HIGH - 65536 });
    const gc = heap.collector;
    const Node = gc.defineType({ size: 24, pointers: { next: 4, other: 20 } });
    // Up to the first object above the border.
    while (gc.allocateBytes(4096) < HIGH);
    const head = gc.new(Node, 100);
    expect(head.ptr).toBeGreaterThan(HIGH);
    let last: number = head.ptr;
    for (let i = 0; i < 10_000; i++) {
      const node = gc.allocate(Node);
      gc.writePointer(last + 4, node);
      last = node;
    }
    const pinned = gc.allocate(Node);
    expect([gc.pin(pinned), gc.pin(pinned + 23), gc.pins(pinned), gc.unpin(pinned)]).toEqual([1, 2, 2, 1]);
    const stack = gc.shadowStack(8);
    const slot = stack.push(gc.allocate(Node));
    const block = heap.calloc(4, 4);
    const range = gc.addRoots(block, 16);
    heap.u32[block >>> 2] = gc.allocateConservative(40_000);
    gc.copy(Node, head.ptr + 24, head, 3);
    gc.clear(Node, head.ptr + 48);
    const tiny = gc.newBytes(3);
    const large = gc.new(Node, 10_000);
    large.store("other", last, 9999);
    const handle = gc.handle(head.load("next"), Node);
    handle.set(head.load("next", 1));
    gc.start();
    while (gc.step({ bytes: 1000 }));
    while (gc.sweep(0.001));
    heap.validate({ deep: true });
    const live = [pinned, stack.get(slot), heap.u32[block >>> 2]!, handle.ptr, large.ptr, last, head.ptr];
    expect(live.map((ptr) => gc.isObject(ptr))).toEqual(live.map(() => true));
    expect([stack.pointer, block, tiny.ptr, large.ptr].every((ptr) => ptr > HIGH - 65536)).toBe(true);
    let n = 0;
    for (let at: number = head.load("next"); at !== 0; at = gc.readPointer(at + 4)) n++;
    expect(n).toBe(10_000);
    for (const one of [head, handle, tiny, large]) one.dispose();
    gc.unpin(pinned);
    stack.dispose();
    range.dispose();
    heap.free(block);
    gc.collect();
    expect(heap.stats().heapAlloc).toBe(0);
  });

  it("has roots up to the memory's end", () => {
    const heap = createHeap({ initial: 65_536, heapBase: 2 ** 32 - 2 ** 22 });
    const gc = heap.collector;
    const object = gc.allocateBytes(64);
    expect(object).toBeGreaterThan(2 ** 32 - 2 ** 22);
    // Below the heap: memory of the program's own.
    const range = gc.addRoots(4096, 65536);
    heap.u32[(4096 + 65532) >>> 2] = object + 63;
    gc.collect();
    expect(gc.isObject(object)).toBe(true);
    range.dispose();
    expect(() => gc.addRoots(2 ** 32 - 8, 8)).toThrow(RangeError);
    expect(() => gc.writePointer(2 ** 32 - 2, 0)).toThrow(RangeError);
    expect(() => gc.clear(gc.defineType({ size: 12, pointers: [0] }), 2 ** 32 - 8)).toThrow(RangeError);
    gc.collect();
    expect(gc.isObject(object)).toBe(false);
    heap.validate({ deep: true });
  });
});
