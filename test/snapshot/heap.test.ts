/** heap.snapshot() of the JavaScript API: of one thread, shared, and a shared one where memory cannot be shared. */
import { describe, expect, it } from "vitest";
import { createHeap, type Heap, HeapDisposedError } from "../../src/index.ts";
import { createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";
import { parseSnapshot } from "../../src/snapshot/index.ts";
import { expectSound } from "./support/expect.ts";

const HEAPS: [name: string, flavour: string, make: () => Heap | SharedHeap][] = [
  ["a heap of its own memory", "host", () => createHeap()],
  ["a heap that grows a given memory", "host", () => createHeap({ memory: new WebAssembly.Memory({ initial: 3 }) })],
  ["a shared heap", "host-shared", () => createSharedHeap()],
  ["a shared heap of one thread", "host", () => createSharedHeap({ shared: false })],
];

describe.each(HEAPS)("%s", (_, flavour, make) => {
  it("is read with its blocks, and is as it was", () => {
    const heap = make();
    const blocks = Array.from({ length: 500 }, (_, i) => heap.malloc(i * 7));
    for (const p of blocks.splice(0, 200)) heap.free(p);
    const before = heap.stats();
    const snapshot = heap.snapshot({ label: "now", time: 5 });
    const { mallocs, frees, heapAlloc, heapObjects, sys } = before;
    expect(heap.stats()).toMatchObject({ mallocs, frees, sys });
    expect(snapshot).toMatchObject({ flavour, label: "now", time: 5 });
    expectSound(snapshot);
    expect(snapshot.totals).toMatchObject({ heapAlloc, heapObjects, sys });
    for (const p of blocks) expect(snapshot.slotAt(p)).toMatchObject({ address: p, live: true });
    expect(parseSnapshot(JSON.parse(JSON.stringify(snapshot))).totals).toEqual(snapshot.totals);
    heap.dispose();
    expect(() => heap.snapshot()).toThrow(HeapDisposedError);
  });
});

it("finds the heap among several in one memory", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const heaps = [createHeap({ memory }), createHeap({ memory })];
  const blocks = heaps.map((heap) => heap.malloc(100));
  heaps.forEach((heap, i) => {
    expect([...heap.snapshot().liveBlocks()]).toEqual([blocks[i]]);
  });
});
