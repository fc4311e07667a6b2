/**
 * Memory really goes back: a service whose heap peaks at 300 MiB and falls to 20 is seen to fall in /proc/self/smaps,
 * by a scavenger at its own pace and by freeOSMemory. Linux, with koffi.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createHeap, type Heap } from "../../src/index.ts";
import { madvise, scavenge } from "../../src/scavenge/index.ts";
import { createSharedHeap, type SharedHeap } from "../../src/shared/index.ts";

const MiB = 2 ** 20;

/** Resident bytes of the mapping that holds most of this process: the heap's memory, while it is the largest. */
function largestResident(): number {
  const sizes = readFileSync("/proc/self/smaps", "utf8").matchAll(/^Rss: +(\d+) kB$/gm);
  return Math.max(...Array.from(sizes, ([, kB]) => Number(kB))) * 1024;
}

const KINDS: [string, () => Heap | SharedHeap][] = [
  ["createHeap", () => createHeap()],
  ["createSharedHeap", () => createSharedHeap({ maximumPages: 16_384 })],
];

describe.runIf(process.platform === "linux").each(KINDS)("%s", (_, make) => {
  /** A heap that held 300 MiB in blocks of many sizes and holds 20, of which each byte is known. */
  function peaked(heap: Heap | SharedHeap): { check: () => void; freeKept: () => void } {
    const kept: [number, number, number][] = [];
    const others: number[] = [];
    const sizes = [64, 1000, 8000, 50_000, 300_000];
    let held = 0;
    for (let i = 0; held < 300 * MiB; i++) {
      const size = sizes[i % sizes.length]!;
      const ptr = heap.malloc(size);
      heap.u8.fill(1 + (i % 255), ptr, ptr + size);
      if (held < 20 * MiB) kept.push([ptr, size, 1 + (i % 255)]);
      else others.push(ptr);
      held += size;
    }
    for (const ptr of others) heap.free(ptr);
    const check = () => {
      for (const [ptr, size, byte] of kept) {
        expect(heap.u8.subarray(ptr, ptr + size).every((x) => x === byte)).toBe(true);
      }
    };
    const freeKept = () => {
      for (const [ptr] of kept) heap.free(ptr);
    };
    return { check, freeKept };
  }

  it("falls in RSS by the paced scavenger, and what lives stays as it is", async () => {
    // The memories of earlier heaps hold nothing any more, whether the engine has freed them or not.
    expect(largestResident()).toBeLessThan(60 * MiB);
    const heap = make();
    const { check, freeKept } = peaked(heap);
    expect(largestResident()).toBeGreaterThan(290 * MiB);
    using scavenger = scavenge(heap, { release: await madvise(), generationMs: 100, share: 0.05 });
    const end = performance.now() + 1_200_000;
    while (scavenger.stats().resident > 40 * MiB && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // At 64 KiB in a turn of at most 8 ms: no burst, and the share of time that it was given.
    const { background, turns, resident } = scavenger.stats();
    expect(resident).toBeLessThanOrEqual(40 * MiB);
    expect(background).toBeGreaterThan(250 * MiB);
    expect(turns).toBeGreaterThan(5);
    expect(largestResident()).toBeLessThan(60 * MiB);
    check();
    heap.validate({ deep: true });
    // The memory is as good as new.
    const again = peaked(heap);
    again.check();
    check();
    freeKept();
    again.freeKept();
    scavenger.freeOSMemory();
    heap.dispose();
  });

  it("falls at once by freeOSMemory", async () => {
    // The memories of earlier heaps hold nothing any more, whether the engine has freed them or not.
    expect(largestResident()).toBeLessThan(60 * MiB);
    const heap = make();
    const { check, freeKept } = peaked(heap);
    const scavenger = scavenge(heap, { release: await madvise(), auto: false });
    expect(scavenger.freeOSMemory()).toBeGreaterThan(260 * MiB);
    expect(largestResident()).toBeLessThan(60 * MiB);
    check();
    heap.validate({ deep: true });
    freeKept();
    scavenger.freeOSMemory();
    heap.dispose();
  });
});
