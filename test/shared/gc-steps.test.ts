/**
 * The collector of a shared heap, step by step in one thread: several instances stand for threads, one of them marks, and
 * what happens between two steps is chosen. Every cycle's marks are checked by a second marking with the world stopped.
 */
import { describe, expect, it } from "vitest";
import { LONG } from "../support/long.ts";
import { env, random } from "../support/random.ts";
import { wasmModule } from "../support/wasm.ts";
import { type Graph, startGraph } from "./support/gc-world.ts";

const SEEDS = env("GC_SEEDS", LONG ? 200 : 12);
const FIRST = env("GC_SEED", 1);
const module = wasmModule("test-shared");

/** A graph of `n` threads, the last of which only marks. */
const start = (n: number, seed = 1): Graph => startGraph(module, n, seed);

describe("a cycle", () => {
  it("frees what no root reaches, whichever thread has made it", () => {
    const { a, b, main, list } = start(2);
    const [p, q] = [list(a, 20), list(b, 30)];
    expect(main.e.gc()).toBe(1);
    expect(p.alive() + q.alive()).toBe(50);
    a.e.handleFree(p.handle);
    expect(main.e.gc()).toBe(1);
    expect([p.alive(), q.alive()]).toEqual([0, 30]);
    b.e.handleFree(q.handle);
    expect(main.e.gc()).toBe(1);
    expect([p.alive(), q.alive()]).toEqual([0, 0]);
    main.valid();
    expect(main.e.gcStat(25)).toBe(3);
  });

  it("keeps what is linked behind the marker's back, by the barrier of either thread", () => {
    const { a, b, main, list } = start(2);
    const p = list(a, 40);
    const q = list(b, 40);
    expect(main.e.gcBegin(1, 0)).toBe(1);
    // The tail of one list moves to the other thread's list, and its last reference goes.
    b.e.writePointer(q.nodes.at(-1)! + 8, p.nodes[20]!);
    b.e.writePointer(p.nodes[19]! + 8, 0);
    a.e.handleSet(p.handle, 0);
    expect(main.endCycle()).toBe(1);
    main.e.gcSweep(1e9);
    expect(q.alive()).toBe(40);
    for (const node of p.nodes.slice(20)) expect(main.e.isObject(node)).toBe(1);
    main.e.gc();
    for (const node of p.nodes.slice(20)) expect(main.e.isObject(node)).toBe(1);
    for (const node of p.nodes.slice(0, 20)) expect(main.e.isObject(node)).toBe(0);
    main.valid();
  });

  it("keeps what is made while it marks, and frees it in the next", () => {
    const { a, main, list } = start(1);
    main.e.gcBegin(1, 0);
    const p = list(a, 100);
    a.e.handleFree(p.handle);
    expect(main.endCycle()).toBe(1);
    main.e.gcSweep(1e9);
    expect(p.alive()).toBe(100);
    main.e.gc();
    expect(p.alive()).toBe(0);
    main.valid();
  });

  it("keeps what a handle holds at an odd address", () => {
    const { a, main } = start(1);
    const pieces = Array.from({ length: 64 }, () => a.e.mallocgc(3, 0, 1));
    const odd = pieces.filter((p) => p % 2 !== 0);
    expect(odd.length).toBeGreaterThan(8);
    const handles = odd.map((p) => a.e.handleNew(p));
    const last = a.e.handleNew(0);
    expect(a.e.handleSet(last, odd[0]!)).toBe(1);
    expect(new Set([...handles, last]).size).toBe(odd.length + 1);
    main.e.gc();
    for (const p of odd) expect(main.e.objectOf(p) >>> 0).toBe(p - (p % 16));
    handles.forEach((handle, i) => {
      expect(main.e.handleGet(handle) >>> 0).toBe(odd[i]! - (odd[i]! % 16));
    });
    for (const handle of [...handles, last]) expect(a.e.handleFree(handle)).toBe(1);
    main.e.gc();
    // The block that the next tiny object goes into stays.
    const open = pieces.at(-1)! >>> 4;
    for (const p of odd) if (p >>> 4 !== open) expect(main.e.objectOf(p)).toBe(0);
    main.valid();
  });

  it("leaves malloc's blocks alone, and stops nobody who is inside of malloc only", () => {
    const { a, b, main, world } = start(2);
    const blocks = [...a.mallocs(300, 100), ...b.mallocs(10, 50_000)];
    for (let i = 0; i < 3; i++) {
      main.e.gcBegin(1, 0);
      blocks.push(...a.mallocs(50, 64));
      b.frees(blocks.splice(0, 30));
      main.endCycle();
    }
    main.e.gcSweep(1e9);
    world.checkAll();
    main.valid();
  });

  it("is another's to go on with: mark steps by different threads", () => {
    const { a, b, main, list } = start(2);
    const p = list(a, 2000);
    a.e.gcBegin(1, 0);
    for (let i = 0; main.e.gcEnd(0) === 0; i++) [a, b, main][i % 3]!.e.gcMark(500);
    b.e.gcSweep(1e9);
    expect(p.alive()).toBe(2000);
    main.valid();
  });

  it("is begun and paid for by allocation when nobody else does it", () => {
    const { a, main, list } = start(1);
    a.e.setHeapMinimum(256 << 10);
    a.e.setCollecting(1);
    const kept = list(a, 100);
    for (let i = 0; i < 60_000; i++) a.e.newObject(kept.type, 2);
    expect(a.e.gcStat(0)).toBeGreaterThan(3);
    expect(a.stats().heapInuse).toBeLessThan(2 << 20);
    expect(kept.alive()).toBe(100);
    main.valid();
  });

  it("does not begin or end by a thread that stays inside", () => {
    const { a, main, list } = start(1);
    a.e.setHeapMinimum(64 << 10);
    a.e.setCollecting(1);
    const { type } = list(a, 1);
    expect(a.e.gcEnter()).toBe(1);
    const p = a.e.newObject(type, 1);
    for (let i = 0; i < 20_000; i++) a.e.newObject(type, 2);
    expect([a.e.gc(), a.e.gcBegin(1, 0), a.e.gcStat(0)]).toEqual([0, -1, 0]);
    a.e.writePointer(p + 8, a.e.newObject(type, 1));
    const handle = a.e.handleNew(p);
    a.e.releaseP();
    expect(a.e.currentP()).toBe(1);
    a.e.gcLeave();
    for (let i = 0; i < 20_000; i++) a.e.newObject(type, 2);
    expect(a.e.gcStat(0)).toBeGreaterThan(1);
    expect(a.e.objectOf(a.e.handleGet(handle))).toBe(p);
    // Who allocates inside only pays when it enters.
    const before = a.e.gcStat(0);
    for (let i = 0; i < 20_000; i++) {
      a.e.gcEnter();
      a.e.newObject(type, 2);
      a.e.gcLeave();
    }
    expect(a.e.gcStat(0)).toBeGreaterThan(before + 1);
    main.valid();
  });

  it("is run when the memory is at its end", () => {
    const { a, list } = startGraph(module, 1, 1, { pages: 20, maximum: 32 });
    a.e.setCollecting(1);
    a.e.setGCPercent(-1);
    const kept = list(a, 50);
    for (let i = 0; i < 200; i++) expect(a.e.newObject(kept.type, 1000), `object ${i}`).not.toBe(0);
    expect(a.e.gcStat(1)).toBeGreaterThan(0);
    expect(kept.alive()).toBe(50);
  });
});

describe("a free by hand", () => {
  it("of another's object while the marker is at work is a free, and a second one is refused", () => {
    const { a, b, main, list } = start(2);
    const p = list(a, 200);
    main.e.gcBegin(1, 0);
    main.e.gcMark(100);
    a.e.handleFree(p.handle);
    for (const [i, node] of p.nodes.entries()) expect((i % 2 === 0 ? a : b).e.freeObject(node), `object ${i}`).toBe(0);
    for (const node of p.nodes.slice(0, 20)) expect(b.e.freeObject(node)).toBe(1);
    const again = list(b, 300);
    expect(main.endCycle()).toBe(1);
    main.e.gcSweep(1e9);
    expect(again.alive()).toBe(300);
    main.valid();
  });

  it("gives the memory back without any cycle", () => {
    const { a, b, main, list, world } = start(2);
    const p = list(a, 3000);
    a.e.handleFree(p.handle);
    for (const node of p.nodes) expect(b.e.freeObject(node)).toBe(0);
    for (const t of [a, b]) t.e.releaseP();
    world.flush(main);
    main.valid();
    expect(main.stats().heapInuse).toBe(0);
  });
});

describe("roots", () => {
  it("are pins and ranges, of all threads", () => {
    const { a, b, main, list, world } = start(2);
    const p = list(a, 10);
    const q = list(b, 10);
    expect(b.e.pin(p.nodes[0]! + 4)).toBe(1);
    const range = a.malloc(64);
    world.blocks.delete(range);
    new Uint32Array(world.memory.buffer).fill(0, range >>> 2, (range >>> 2) + 16);
    expect(a.e.addRoots(range, 64, 0)).toBe(1);
    main.e.gcBegin(1, 0);
    a.e.handleFree(p.handle);
    b.e.writePointer(range + 40, q.nodes[0]!);
    b.e.handleFree(q.handle);
    expect(main.endCycle()).toBe(1);
    main.e.gc();
    expect([p.alive(), q.alive()]).toEqual([10, 10]);
    expect(a.e.unpin(p.nodes[0]!)).toBe(0);
    expect(a.e.removeRoots(range)).toBe(1);
    main.e.gc();
    expect([p.alive(), q.alive()]).toEqual([0, 0]);
  });

  it("may be many: handles and pins outgrow their tables", () => {
    const { a, b, main, list } = start(2);
    const p = list(a, 3000);
    main.e.gcBegin(1, 0);
    const handles = p.nodes.map((node, i) => (i % 2 === 0 ? a : b).e.handleNew(node));
    for (const node of p.nodes) expect(b.e.pin(node)).toBe(1);
    expect(main.endCycle()).toBe(1);
    a.e.handleFree(p.handle);
    for (const handle of handles) expect(a.e.handleFree(handle)).toBe(1);
    main.e.gc();
    expect(p.alive()).toBe(3000);
    for (const node of p.nodes) expect(a.e.unpin(node)).toBe(0);
    main.e.gc();
    expect(p.alive()).toBe(0);
    main.valid();
  });
});

describe("threads that play at random between the marker's steps", () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => FIRST + i))("seed %i", (seed) => {
    const graph = start(3, seed);
    const { main, mutators } = graph;
    const r = random(seed);
    if (seed % 2 === 0) {
      main.e.setHeapMinimum(128 << 10);
      main.e.setCollecting(1);
    }
    for (let i = 0; i < 6000; i++) {
      mutators[r() % 3]!.step();
      const kind = r() % 200;
      if (kind === 0) main.e.gcBegin(0, 0);
      else if (kind < 20) main.e.gcMark(2000);
      else if (kind < 24) main.e.gcEnd(0);
      else if (kind < 26) main.e.gcSweep(5);
      else if (kind === 26) main.e.gc();
      else if (kind === 27) main.valid(`seed ${seed}, round ${i}`);
    }
    expect(main.e.gcStat(25)).toBeGreaterThan(3);
    graph.finish();
  });
});
