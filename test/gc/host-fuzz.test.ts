/**
 * Random programs over the host API of the collector, against a model of their object graph (support/graph.ts). Every
 * cycle's marks are checked by a second marking in wasm.
 *
 * FUZZ_SEED and FUZZ_GC_STEPS (steps of each run) choose another run; a failure prints the seed.
 */
import { describe, expect, it } from "vitest";
import { env } from "../support/random.ts";
import { playGraph } from "./support/graph.ts";
import { STAT_CHECKED } from "./support/heap.ts";

const SEED = env("FUZZ_SEED", 0x6c);
const STEPS = env("FUZZ_GC_STEPS", 4000);

describe(`random object graphs, seed ${SEED}`, () => {
  it.each([0, 1, 2, 3])("keep what is reachable and lose the rest, run %d", (run) => {
    const graph = playGraph(SEED + run, STEPS);
    expect(graph.o.raw.gcStat(STAT_CHECKED)).toBeGreaterThan(10);
    expect(graph.frees).toBeGreaterThan(0);
    expect(graph.refused).toBe(0);
  });

  it.each([0, 1, 2, 3])("of small objects only, run %d", (run) => {
    const graph = playGraph(SEED + 100 + run, STEPS, { largest: 4000, roots: 8 });
    expect(graph.o.raw.gcStat(STAT_CHECKED)).toBeGreaterThan(10);
  });

  it.each([0, 1, 2, 3])("with cleanups, finalizers and weak pointers, run %d", (run) => {
    const graph = playGraph(SEED + 300 + run, STEPS, { largest: run % 2 ? 4000 : 200_000, specials: true });
    expect(graph.o.raw.gcStat(STAT_CHECKED)).toBeGreaterThan(10);
    expect(graph.finalized).toBeGreaterThan(5);
    expect(graph.cleaned).toBeGreaterThan(10);
  });

  it.each([0, 1, 2, 3])("with arenas, run %d", (run) => {
    const graph = playGraph(SEED + 500 + run, STEPS, {
      largest: run % 2 ? 4000 : 200_000,
      specials: run > 1,
      arenas: true,
    });
    expect(graph.o.raw.gcStat(STAT_CHECKED)).toBeGreaterThan(10);
    expect(graph.regionsFreed).toBeGreaterThan(10);
    expect(graph.quarantined).toBeGreaterThan(5);
  });

  it.each([400, 700])("with these, in a heap of %d KiB", (kib) => {
    const graph = playGraph(SEED + 400 + kib, STEPS, { maxBytes: kib * 1024, largest: 100_000, specials: true });
    expect(graph.refused).toBeGreaterThan(0);
    expect(graph.cleaned).toBeGreaterThan(10);
  });

  it.each([400, 700, 1200])("in a heap of %d KiB, where memory is out again and again", (kib) => {
    const graph = playGraph(SEED + 200 + kib, STEPS, { maxBytes: kib * 1024, largest: 200_000 });
    expect(graph.refused).toBeGreaterThan(0);
    expect(graph.gc.stats().numGC).toBeGreaterThan(10);
  });
});
