/**
 * Snapshots of heaps whose blocks are known: of each flavour, after random calls, the live slots are exactly the model's
 * blocks and the totals are the heap's own figures. SNAPSHOT_SEED chooses other calls; a failure prints the seed.
 */
import { describe, expect, it } from "vitest";
import { readSnapshot, SnapshotReader } from "../../src/snapshot/index.ts";
import { build, configuration, instantiate } from "../rt/support/compile.ts";
import { World } from "../shared/support/core-world.ts";
import { between, env, type Random, random } from "../support/random.ts";
import {
  type Flavour,
  type HostExports,
  isShared,
  type MallocExports,
  open,
  readStats,
  WASM_PAGE,
  wasmModule,
} from "../support/wasm.ts";
import { expectFigures, expectLive, expectSound } from "./support/expect.ts";

const SEED = env("SNAPSHOT_SEED", 0x5a9);

/** Sizes of all kinds; a third of them are one that a fitted class may be made for. */
function sizeOf(r: Random): number {
  const kind = r() % 100;
  if (kind < 30) return between(r, 1, 64);
  if (kind < 60) return between(r, 65, 2048);
  if (kind < 85) return 4368;
  if (kind < 97) return between(r, 2049, 33_000);
  return between(r, 33_000, 300_000);
}

/** Random calls, with a look at the heap now and then. */
function play(r: Random, e: MallocExports, look: (live: Set<number>) => void): Set<number> {
  const live: number[] = [];
  const take = () => live.splice(r() % live.length, 1)[0]!;
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 1500; i++) {
      // It grows in even rounds and shrinks in odd ones.
      if (live.length > 0 && r() % 10 < (round % 2 === 0 ? 3 : 7)) {
        if (r() % 5 > 0) e.free(take());
        else live.push(e.realloc(take(), sizeOf(r)));
      } else live.push(e.malloc(sizeOf(r)));
    }
    look(new Set(live));
  }
  return new Set(live);
}

describe(`seed ${SEED}`, () => {
  it.each(["malloc", "host", "test", "shared", "host-shared", "test-shared"] as const)("%s", (flavour: Flavour) => {
    const r = random(SEED);
    const o = open(flavour, { initial: 3, heapBase: WASM_PAGE + 4321 });
    const e = o.e as HostExports;
    const name = flavour.replace("test", "host");
    play(r, e, (live) => {
      const snapshot = readSnapshot(o.mem.memory);
      expect(snapshot).toMatchObject({ flavour: name, memoryBytes: o.mem.u8.length });
      expectSound(snapshot);
      expectLive(snapshot, live);
      expect(snapshot.totals.foreign).toBe(0);
      if (name.startsWith("host")) expectFigures(snapshot, readStats({ ...o, e }));
    });
    const { rows } = readSnapshot(o.mem.memory);
    expect(rows.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["malloc", "large"]));
    expect(rows.some(({ kind }) => kind === "fitted")).toBe(!isShared(flavour));
  });

  it("objects of the collector, tiny blocks, and what a cycle leaves unswept", () => {
    const r = random(SEED + 1);
    const o = open("host", { initial: 3 });
    const kept: number[] = [];
    const pinned: number[] = [];
    for (let i = 0; i < 4000; i++) {
      const p = o.e.mallocgc(between(r, 20, 3000), i & 1, 1);
      if (i % 3 === 0) pinned.push(p);
      kept.push(p);
    }
    const large = o.e.mallocgc(100_000, 1, 1);
    const tiny = o.e.mallocgc(5, 0, 1);
    const snapshot = readSnapshot(o.mem.memory);
    expectSound(snapshot);
    expectLive(snapshot, [...kept, large, tiny]);
    expectFigures(snapshot, readStats(o));
    expect(snapshot.slotAt(large + 99_999)).toMatchObject({ address: large, slot: 0, live: true });
    expect(snapshot.slotAt(large)!.span.flags).toEqual(expect.arrayContaining(["collected", "scan"]));
    expect(snapshot.slotAt(tiny)!.span).toMatchObject({ kind: "tiny", size: 16 });
    expect(snapshot.slotAt(kept[0]!)!.span.kind).toBe("noscan");
    expect(snapshot.slotAt(kept[1]!)!.span.kind).toBe("scan");

    const gc = o.e as unknown as { pin(p: number): number; gc(): number; gcStart(): number; gcStep(n: number): number };
    for (const p of pinned) gc.pin(p);
    gc.gc();
    const swept = readSnapshot(o.mem.memory);
    expectFigures(swept, readStats(o));
    const live = new Set(swept.liveBlocks());
    expect(pinned.every((p) => live.has(p))).toBe(true);
    expect(live.size).toBeLessThan(kept.length);
  });

  it.each(["malloc-profile", "host-profile", "shared-profile"] as const)("%s, every block sampled", (flavour) => {
    const r = random(SEED + 7);
    const o = open(flavour, { initial: 3 });
    const live: number[] = [];
    for (let i = 0; i < 3000; i++) {
      if (live.length > 0 && r() % 3 === 0) o.e.free(live.splice(r() % live.length, 1)[0]!);
      else live.push(o.e.malloc(sizeOf(r)));
    }
    const snapshot = readSnapshot(o.mem.memory);
    expect(snapshot.flavour).toBe(flavour.replace("-profile", ""));
    expectSound(snapshot);
    // A guarded block lies inside its slot, between red zones.
    const slots = new Set<number>();
    for (const p of live) {
      const slot = snapshot.slotAt(p)!;
      expect(slot.live, p.toString(16)).toBe(true);
      slots.add(slot.address);
    }
    expect(slots.size).toBe(live.length);
    expect(snapshot.totals.heapObjects).toBe(live.length);
    if (flavour === "host-profile") expectFigures(snapshot, readStats(o as unknown as Parameters<typeof readStats>[0]));
  });

  it("two Ps, remote frees, unowned spans, page caches of both", () => {
    const r = random(SEED + 2);
    const world = new World(wasmModule("host-shared"), 16, 4096);
    const [a, b] = [world.thread(1), world.thread(2)];
    a.acquire();
    b.acquire();
    for (let round = 0; round < 5; round++) {
      for (const t of [a, b]) for (let i = 0; i < 400; i++) t.malloc(sizeOf(r));
      const blocks = [...world.blocks.keys()];
      for (const p of blocks) if (r() % 2 === 0) (r() % 2 === 0 ? a : b).free(p);
      // By the other thread: their bits are in remote words until their owner takes them over.
      b.frees(a.mallocs(40, 48).slice(0, 20));
      expect(world.pending(a).length).toBeGreaterThan(0);
      const snapshot = readSnapshot(world.memory);
      expectSound(snapshot);
      expectLive(snapshot, world.blocks.keys());
      expectFigures(snapshot, a.stats());
      expect(snapshot.ps!.map(({ id, state }) => [id, state])).toEqual([
        [1, "running"],
        [2, "running"],
      ]);
      const owners = new Set([...snapshot.spans()].map(({ owner }) => owner));
      expect(owners).toEqual(new Set([1, 2]));
      for (const { id, ownedPages, remoteFrees } of snapshot.ps!) {
        expect(remoteFrees).toBe(a.stat(id, 0));
        expect(ownedPages).toBe(a.stat(id, 6));
        const own = [...snapshot.spans()].filter(({ owner, kind }) => owner === id && kind !== "large");
        expect(own.reduce((sum, { pages }) => sum + pages, 0)).toBe(ownedPages);
      }
    }
    // Idle Ps that are flushed own nothing.
    b.e.releaseP();
    a.e.flushP(2);
    const flushed = readSnapshot(world.memory);
    expectSound(flushed);
    expectLive(flushed, world.blocks.keys());
    expectFigures(flushed, a.stats());
    expect([...flushed.spans()].some(({ owner, kind }) => owner === undefined && kind === "malloc")).toBe(true);
    expect(flushed.runs.some(({ kind, owner }) => kind === 2 && owner === 1)).toBe(true);
  });

  it("memory that others grow between the heap's is not the heap's", () => {
    for (const flavour of ["malloc", "host-shared"] as const) {
      const r = random(SEED + 3);
      const o = open(flavour, { initial: 3 });
      const live = new Set<number>();
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 300; i++) live.add(o.e.malloc(sizeOf(r)));
        o.mem.memory.grow(2);
        live.add(o.e.malloc(400_000));
      }
      const snapshot = readSnapshot(o.mem.memory);
      expectSound(snapshot);
      expectLive(snapshot, live);
      expect(snapshot.totals.foreign).toBe(8 * WASM_PAGE);
      if (flavour !== "malloc") expectFigures(snapshot, readStats(o as unknown as Parameters<typeof readStats>[0]));
    }
  });

  it("the runtime of an AssemblyScript program", async () => {
    const source = "test/rt/programs/kept.ts";
    const built = await build(source, configuration("gomalloc", "-O1"));
    interface Exports {
      alloc(size: number): number;
      free(p: number): void;
      keep(i: number, size: number): number;
    }
    const { exports } = instantiate<Exports>(built);
    const r = random(SEED + 4);
    const raw: number[] = [];
    const objects: number[] = [];
    for (let i = 0; i < 3000; i++) raw.push(exports.alloc(sizeOf(r)) >>> 0);
    for (let i = 0; i < 1000; i++) exports.free(raw.splice(r() % raw.length, 1)[0]!);
    for (let i = 0; i < 500; i++) objects.push(exports.keep(i, between(r, 1, 40_000)) >>> 0);
    exports.__collect();
    const snapshot = readSnapshot(exports.memory);
    expect(snapshot.flavour).toBe("assemblyscript");
    expectSound(snapshot);
    const live = new Set(snapshot.liveBlocks());
    expect(raw.filter((p) => !live.has(p))).toEqual([]);
    // An object's address lies 8 bytes behind its slot's.
    expect(objects.filter((p) => !live.has(p - 8))).toEqual([]);
    const rawLive = snapshot.rows.find(({ kind }) => kind === "raw");
    expect(rawLive).toBeDefined();
    const sum = (kind: string) => snapshot.rows.reduce((n, row) => n + (row.kind === kind ? row.live : 0), 0);
    expect(sum("raw") + sum("large")).toBeGreaterThanOrEqual(raw.length);
    expect(sum("scan") + sum("noscan")).toBeGreaterThan(300);
  });
});

describe("read in steps", () => {
  it("while the program allocates, grows the memory and moves records", () => {
    const r = random(SEED + 5);
    const o = open("host", { initial: 3 });
    const live: number[] = [];
    for (let i = 0; i < 8000; i++) live.push(o.e.malloc(sizeOf(r)));
    const reader = new SnapshotReader(o.mem.memory);
    let steps = 0;
    for (; !reader.step(0); steps++) {
      if (steps % 8 !== 0) continue;
      for (let i = 0; i < 50; i++) o.e.free(live.splice(r() % live.length, 1)[0]!);
      for (let i = 0; i < 45; i++) live.push(o.e.malloc(sizeOf(r)));
      if (steps % 64 === 0) o.e.reclaim();
    }
    expect(steps).toBeGreaterThan(50);
    expect(reader.snapshot.spanCount).toBeGreaterThan(1000);
    // At rest the same reader's successor finds all as it is.
    const after = readSnapshot(o.mem.memory, { heap: reader.snapshot.address });
    expectSound(after);
    expectLive(after, live);
  });

  it("gives what one step gives, and no bitmaps where none are asked for", () => {
    const r = random(SEED + 6);
    const o = open("host", { initial: 3 });
    play(r, o.e, () => {});
    const whole = readSnapshot(o.mem.memory, { time: 1, label: "all" });
    const reader = new SnapshotReader(o.mem.memory, { time: 1, label: "all" });
    expect(() => reader.snapshot).toThrow("call step until it is true");
    while (!reader.step(0));
    expect(reader.step(0)).toBe(true);
    expect(JSON.stringify(reader.snapshot)).toBe(JSON.stringify(whole));
    const plain = readSnapshot(o.mem.memory, { time: 1, label: "all", bitmaps: false });
    expect(plain.totals).toEqual(whole.totals);
    expect(plain.pageMap()).toEqual(whole.pageMap());
    expect([...plain.spans()]).toEqual([...whole.spans()].map(({ bits: _, ...span }) => span));
  });
});
