/** measureHeapMemory: the shape of performance.measureUserAgentSpecificMemory(), and that the parts are the whole. */
import { describe, expect, it } from "vitest";
import { createHeap } from "../../src/index.ts";
import { measureHeapMemory } from "../../src/metrics/index.ts";
import { createSharedHeap } from "../../src/shared/index.ts";

describe("measureHeapMemory", () => {
  it.each([
    ["of one thread", () => createHeap()],
    ["of several threads", () => createSharedHeap()],
  ])("tells what the memory of a heap %s is for", (_, make) => {
    const heap = make();
    heap.collector.shadowStack(500);
    for (let i = 0; i < 1000; i++) heap.malloc(i);
    const { bytes, breakdown } = measureHeapMemory(heap, { url: "https://example.com/", scope: "Window" });
    const stats = heap.stats();
    expect(bytes).toBe(stats.sys);
    expect(breakdown.reduce((sum, entry) => sum + entry.bytes, 0)).toBe(bytes);
    expect(breakdown.map(({ types }) => types)).toEqual(
      ["live blocks", "free slots", "idle pages", "stacks", "collector", "records"].map((name) => [
        "WebAssembly",
        name,
      ]),
    );
    for (const entry of breakdown) {
      expect(Number.isInteger(entry.bytes) && entry.bytes >= 0).toBe(true);
      expect(entry.attribution).toEqual([{ url: "https://example.com/", scope: "Window" }]);
    }
    expect(breakdown[0]!.bytes).toBe(stats.heapAlloc);
    expect(breakdown[3]!.bytes).toBe(2000);
    heap.dispose();
  });

  it("knows the page or worker that it runs in, and none in Node", () => {
    using heap = createHeap();
    const attribution = () => measureHeapMemory(heap).breakdown[0]!.attribution;
    expect(attribution()).toEqual([{ url: "", scope: "" }]);
    const here = globalThis as { location?: object };
    const kind = Object.getOwnPropertyDescriptor(globalThis, "constructor");
    try {
      here.location = { href: "https://example.com/w.js" };
      Object.defineProperty(globalThis, "constructor", {
        value: { name: "DedicatedWorkerGlobalScope" },
        configurable: true,
      });
      expect(attribution()).toEqual([{ url: "https://example.com/w.js", scope: "DedicatedWorkerGlobalScope" }]);
    } finally {
      delete here.location;
      if (kind === undefined) delete (globalThis as { constructor?: unknown }).constructor;
      else Object.defineProperty(globalThis, "constructor", kind);
    }
    expect(attribution()).toEqual([{ url: "", scope: "" }]);
  });

  it("checks what it is given", () => {
    using heap = createHeap();
    expect(() => measureHeapMemory(5 as never)).toThrow(TypeError);
    expect(() => measureHeapMemory(heap, { url: 5 as never })).toThrow("url must be a string: 5");
    expect(() => measureHeapMemory(heap, { page: "" } as never)).toThrow(/has no option "page"/);
  });
});
