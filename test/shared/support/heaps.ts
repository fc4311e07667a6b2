/** Shared heaps of a test, each disposed of when the test ends: the newest first, after what the test's own afterEach does. */
import { afterEach } from "vitest";
import { attachHeap, createSharedHeap, type SharedHeap, type SharedHeapOptions } from "../../../src/shared/index.ts";

const heaps: SharedHeap[] = [];

afterEach(() => {
  for (const heap of heaps.splice(0).reverse()) heap.dispose();
});

/** Has a heap disposed of when the test ends. */
export function disposed(heap: SharedHeap): SharedHeap {
  heaps.push(heap);
  return heap;
}

export function create(options?: SharedHeapOptions): SharedHeap {
  return disposed(createSharedHeap(options));
}

/** The heap is in order and does its work. */
export function expectWorking(heap: SharedHeap): void {
  heap.validate({ deep: true });
  const blocks = Array.from({ length: 500 }, (_, i) => heap.malloc(i * 9));
  heap.free(heap.malloc(200_000));
  for (const ptr of blocks) heap.free(ptr);
  heap.validate({ deep: true });
}

/** Another thread's end of the heap, on this thread: enough where nobody has to sleep. */
export function join(heap: SharedHeap, options?: Parameters<typeof attachHeap>[1]): SharedHeap {
  return disposed(attachHeap(heap.share(), options));
}
