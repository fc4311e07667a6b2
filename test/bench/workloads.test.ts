/**
 * The micro workloads: contents are kept in the checked driver; the timed driver does the same operations and reads
 * the same contents back whatever the allocator.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { ALLOCATORS, benchModule } from "../../bench/lib/catalog.ts";
import { check } from "../../bench/lib/checked.ts";
import { Heap } from "../../bench/lib/instance.ts";
import type { Mode } from "../../bench/lib/layout.ts";
import { MICROS, type Micro, reduced } from "../../bench/lib/workloads.ts";

async function modules(mode: Mode): Promise<Map<string, WebAssembly.Module>> {
  const found = new Map<string, WebAssembly.Module>();
  for (const allocator of ALLOCATORS.filter(({ onRequest }) => !onRequest)) {
    const bytes = await benchModule(allocator, mode);
    if (bytes) found.set(allocator.name, new WebAssembly.Module(bytes));
  }
  return found;
}

describe("checked", () => {
  let found: Map<string, WebAssembly.Module>;
  beforeAll(async () => {
    found = await modules("checked");
  });

  it.each(MICROS)("$name keeps all contents", (micro) => {
    for (const { name, kind, reduced: short } of ALLOCATORS) {
      const module = found.get(name);
      // One that reuses nothing cannot go on for long.
      if (!module || kind === "bump") continue;
      const verdict = check(module, short ? reduced(micro) : micro);
      expect(verdict.failure, name).toBeUndefined();
      expect(verdict.operations, name).toBeGreaterThan(0);
      expect(verdict.peakLive, name).toBeLessThanOrEqual(verdict.footprint);
    }
  });
});

describe("timed", () => {
  let found: Map<string, WebAssembly.Module>;
  beforeAll(async () => {
    found = await modules("timed");
  });

  function play(module: WebAssembly.Module, micro: Micro): { operations: number; checksum: number } {
    // Reduced for all, because those that search lists take part.
    const { setup, run, slice } = reduced(micro);
    const heap = new Heap(module, "timed");
    if (setup) heap.call(setup);
    heap.call(run, slice);
    const { operations, checksum } = heap;
    return { operations, checksum };
  }

  it.each(MICROS)("$name is the same for every allocator", (micro) => {
    const [first, ...others] = [...found].map(([name, module]) => ({ name, ...play(module, micro) }));
    expect(first!.operations).toBeGreaterThan(0);
    for (const { name, operations, checksum } of others) {
      expect({ operations, checksum }, name).toEqual({ operations: first!.operations, checksum: first!.checksum });
    }
  });
});
