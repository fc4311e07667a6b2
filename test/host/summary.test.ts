/** String(heap) and console.log(heap): one line of figures, whatever state the heap is in. */
import { inspect } from "node:util";
import { expect, it } from "vitest";
import { createHeap } from "../../src/index.ts";
import { createSharedHeap } from "../../src/shared/index.ts";

it("of a heap has its live blocks and bytes", () => {
  const heap = createHeap();
  heap.malloc(100);
  heap.free(heap.malloc(50));
  const { sys, heapIdle, heapRetained, heapAlloc } = heap.stats();
  const text = `Heap { 1 block, ${heapAlloc} bytes live, ${sys} bytes obtained, ${heapIdle + heapRetained} free }`;
  expect(String(heap)).toBe(text);
  expect(inspect(heap)).toBe(text);
  expect(inspect({ heap })).toContain(text);
});

it("counts misuses, and says that a heap was disposed of", () => {
  const heap = createHeap();
  expect(() => heap.free(12_345)).toThrow();
  expect(String(heap)).toContain(", 1 misuse }");
  heap.dispose();
  expect(String(heap)).toBe(
    "Heap { the heap was disposed of: make a new one, or attach to the shared one by a new message }",
  );
  expect(inspect(heap)).toBe(String(heap));
});

it("of a shared heap has the same", async () => {
  const heap = await createSharedHeap();
  heap.malloc(100);
  // A block is its own, for what the threads have to tell each other.
  expect(String(heap)).toMatch(/^SharedHeap \{ 2 blocks, \d+ bytes live, \d+ bytes obtained, \d+ free \}$/);
  expect(inspect(heap)).toBe(String(heap));
  heap.dispose();
});
