/**
 * Instances that are late to hear of each other's growth (test/support/lagging.ts): nothing in the allocator or the
 * collector may reach memory by memory.fill, memory.copy or an atomic before the instance sees it, and what malloc gives
 * is seen.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { lagging } from "../support/lagging.ts";
import { random } from "../support/random.ts";
import { type SharedFlavour, wasmPath } from "../support/wasm.ts";
import { SCENARIOS } from "./support/core-scenarios.ts";
import { describeFlavours, expectNothingLeft, type Thread, World } from "./support/core-world.ts";
import { startGraph } from "./support/gc-world.ts";

const modules = new Map<SharedFlavour, WebAssembly.Module>();
function moduleOf(flavour: SharedFlavour): WebAssembly.Module {
  const module = modules.get(flavour) ?? lagging(readFileSync(wasmPath(flavour).replace(/\.wasm$/, ".debug.wasm")));
  modules.set(flavour, module);
  return module;
}

/** What an instance sees of the memory, in bytes. */
const seen = (t: Thread) => (t.seen!.value as number) * 65536;

describeFlavours((flavour) => {
  /** Threads 1..n over a memory that each of them has seen at its beginning only. */
  function start(n: number, pages = 16): [World, ...Thread[]] {
    const world = new World(moduleOf(flavour), pages, 4096);
    const threads = Array.from({ length: n }, (_, i) => world.thread(i + 1));
    return [world, ...threads];
  }

  it("the model traps: an instance does not see what another has grown", () => {
    const [world, a, b] = start(2) as [World, Thread, Thread];
    a.malloc(3_000_000);
    expect(seen(a)).toBe(world.memory.buffer.byteLength);
    expect(seen(b)).toBe(16 * 65536);
  });

  it.each(SCENARIOS)("$name", ({ setup, script, pages, without, bare }) => {
    const [world, a, b, c, d] = start(4, pages) as [World, Thread, Thread, Thread, Thread];
    a.acquire();
    if (without !== true) for (const t of [b, c, d]) t.acquire();
    const kept = setup(a, b, c);
    for (const t of [a, b, c, d]) t.e.releaseP();
    // Others run these Ps from now on. None of them has seen any growth but its own.
    const [victim, other] = [b, d];
    if (without !== true && bare !== true) victim.acquire();
    script(victim, kept);
    other.acquire();
    world.checkAll();
    other.valid("after the script");
    world.drain(other);
  });

  it.each([
    ["small", 40],
    ["of a page", 8192],
    ["large", 100_000],
    ["very large", 1_000_000],
  ])("what malloc, realloc and aligned_alloc give is seen: %s", (_, size) => {
    const [, a, b] = start(2) as [World, Thread, Thread];
    const sees = (t: Thread, p: number) => expect(seen(t)).toBeGreaterThanOrEqual(p + size);
    const give = (t: Thread) => {
      for (let i = 0; i < 6; i++) {
        const p = t.malloc(size);
        sees(t, p);
        sees(t, t.aligned(4096, size));
        sees(t, t.realloc(t.malloc(size >> 1), size));
        // A place for the next: pages of the other's growth.
        t.free(p);
      }
    };
    for (let round = 0; round < 4; round++) {
      // The Ps change hands, with what they cache.
      give(round % 2 === 0 ? a : b);
      a.e.releaseP();
      b.e.releaseP();
      give(round % 2 === 0 ? b : a);
    }
  });

  it("gomalloc_sync lets a thread see what it has been handed", () => {
    const [, a, b] = start(2) as [World, Thread, Thread];
    const p = a.malloc(5_000_000);
    expect(seen(b)).toBeLessThan(p + 5_000_000);
    b.e.gomalloc_sync();
    expect(seen(b)).toBeGreaterThanOrEqual(p + 5_000_000);
  });

  it.each([1, 2, 3])("threads at random: allocate, free each other's, resize, give Ps up; seed %i", (seed) => {
    const [world, ...threads] = start(4) as [World, ...Thread[]];
    const r = random(seed);
    const size = () => (r() % 40 === 0 ? r() % 600_000 : r() % 3 === 0 ? r() % 20_000 : r() % 600);
    for (let step = 0; step < 12_000; step++) {
      const t = threads[r() % threads.length]!;
      const blocks = [...world.blocks.keys()];
      const any = () => blocks[r() % blocks.length]!;
      const kind = r() % 100;
      if (kind < 45 || blocks.length < 20) {
        const p = kind % 2 === 0 ? t.malloc(size()) : t.calloc(size());
        expect(seen(t)).toBeGreaterThanOrEqual(p);
      } else if (kind < 50) t.aligned(64 << (r() % 8), size());
      else if (kind < 60) t.realloc(any(), size());
      else if (kind < 96) t.free(any());
      else if (kind < 98) t.e.releaseP();
      else if (kind < 99) t.e.releaseAll();
      else for (let id = 1; id <= t.e.numPs(); id++) t.e.flushP(id);
      if (step % 2000 === 0) t.valid();
    }
    expect(world.memory.buffer.byteLength).toBeGreaterThan(64 * 65536);
    expectNothingLeft(world, threads[0]!);
  });
});

describe("the collector", () => {
  it.each([1, 2, 3])("threads make, link and lose objects while another marks; seed %i", (seed) => {
    const graph = startGraph(moduleOf("test-shared"), 3, seed, { most: 2500 });
    const { main, mutators, world } = graph;
    const pages = world.mem.pages;
    const r = random(seed);
    for (let cycle = 0; cycle < 6; cycle++) {
      for (let i = 0; i < 4000; i++) mutators[r() % mutators.length]!.step();
      expect(main.e.gcBegin(1, 0)).toBe(1);
      while (main.e.gcMark(20_000) > 0) for (let i = 0; i < 40; i++) mutators[r() % mutators.length]!.step();
      expect(main.endCycle()).toBe(1);
      for (let i = 0; i < 500; i++) mutators[r() % mutators.length]!.step();
      main.e.gcSweep(1e9);
    }
    expect(world.mem.pages).toBeGreaterThan(pages);
    graph.finish();
  });
});
