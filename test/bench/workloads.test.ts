/**
 * The micro workloads: contents are kept in the checked driver; the timed driver does the same operations and reads
 * the same contents back whatever the allocator.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule } from "../../bench/lib/catalog.ts";
import { check } from "../../bench/lib/checked.ts";
import { Heap } from "../../bench/lib/instance.ts";
import type { Mode } from "../../bench/lib/layout.ts";
import { MICROS, type Micro } from "../../bench/lib/workloads.ts";

async function modules(mode: Mode, wanted: (name: string) => boolean): Promise<Map<string, WebAssembly.Module>> {
  const found = new Map<string, WebAssembly.Module>();
  for (const allocator of ALLOCATORS) {
    if (!wanted(allocator.name)) continue;
    const bytes = await benchModule(allocator, mode);
    if (bytes) found.set(allocator.name, new WebAssembly.Module(bytes));
  }
  return found;
}

/** Ours and the peers, and the textbook one that does not search; the others had the traces. */
const CHECKED = ["gomalloc", "dlmalloc", "tlsf", "segregated"];

describe("checked", () => {
  let found: Map<string, WebAssembly.Module>;
  beforeAll(async () => {
    found = await modules("checked", (name) => CHECKED.includes(name));
  });

  it.each(MICROS)("$name keeps all contents", (micro) => {
    for (const [name, module] of found) {
      const verdict = check(module, micro);
      expect(verdict.failure, name).toBeUndefined();
      expect(verdict.operations, name).toBeGreaterThan(0);
      expect(verdict.peakLive, name).toBeLessThanOrEqual(verdict.footprint);
    }
  });
});

describe("timed", () => {
  let found: Map<string, WebAssembly.Module>;
  beforeAll(async () => {
    found = await modules("timed", () => true);
  });

  function play(module: WebAssembly.Module, { setup, run, slice }: Micro): { operations: number; checksum: number } {
    const heap = new Heap(module, "timed");
    if (setup) heap.call(setup);
    // A tenth of what is timed at once: allocators that search lists take part too.
    heap.call(run, Math.max(1, Math.floor(slice / 10)));
    const { operations, checksum } = heap;
    return { operations, checksum };
  }

  it.each(MICROS.filter(({ name }) => name !== "million"))("$name is the same for every allocator", (micro) => {
    const [first, ...others] = [...found].map(([name, module]) => ({ name, ...play(module, micro) }));
    expect(first!.operations).toBeGreaterThan(0);
    for (const { name, operations, checksum } of others) {
      expect({ operations, checksum }, name).toEqual({ operations: first!.operations, checksum: first!.checksum });
    }
  });

  it("million is the same for every allocator that does not search", () => {
    const micro = MICROS.find(({ name }) => name === "million")!;
    const sums = new Set<number>();
    for (const { name, searches } of ALLOCATORS) {
      const module = found.get(name);
      if (module && !searches) sums.add(play(module, micro).checksum);
    }
    expect(sums.size).toBe(1);
  });
});
