/**
 * Locks that are not given back and Ps whose threads are gone, step by step and the same each time: instances over one
 * memory in one thread, lock words and state words forged from JavaScript where a thread would have to stand still or die
 * in the middle of a call.
 */
import { describe, expect, it } from "vitest";
import { M_LOCK_WAIT, WASM_PAGE } from "../support/wasm.ts";
import { COUNTDOWN, instrumented } from "./support/core-instrument.ts";
import {
  BLOCKED,
  DEAD,
  DONE,
  describeFlavours,
  expectNothingLeft,
  HELD_CENTRAL,
  HELD_HEAP,
  IDLE,
  PAGES_OWNED,
  RUNNING,
  SPANS_GIVEN,
  SPANS_TAKEN,
  STARTING,
  STOPPING,
  type Thread,
  UNUSED,
  World,
} from "./support/core-world.ts";

/** Byte offset of the row in a span's record. */
const SPAN_ROW = 24;

/** Bit 31 of a lock's word. */
const WAITERS = 0x80000000;

describeFlavours((_, start) => {
  describe("a lock that somebody holds and does not give back", () => {
    it("makes malloc give up after a while, names the holder, and loses nothing", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const small = a.mallocs(10, 64);
      expect(a.e.mallopt(M_LOCK_WAIT, 30)).toBe(1);
      expect(a.e.mallopt(M_LOCK_WAIT, 3_600_001), "an hour at most").toBe(0);
      const before = a.stats();
      expect(a.e.lastStuck()).toBe(0);
      world.setLockWord(a, 0, 2);
      expect(a.malloc(100_000)).toBe(0);
      expect([a.e.lastStuck(), a.e.lastStuck()]).toEqual([2, 0]);
      expect(world.lockWord(a, 0) >>> 0, "it has noted that it waits").toBe((WAITERS | 2) >>> 0);
      expect([a.e.calloc(1, 100_000), a.e.realloc(small[0]!, 100_000), a.e.aligned_alloc(8192, 40_000)]).toEqual([
        0, 0, 0,
      ]);
      expect(a.e.memstats()).toBe(0);
      expect(a.e.flushP(3)).toBe(0);
      expect(a.e.lastStuck()).toBe(2);
      // What needs no lock goes on.
      a.frees(small.splice(0, 5));
      small.push(...a.mallocs(5, 64));
      b.frees(small.splice(0, 3));
      expect(a.e.lastStuck()).toBe(0);
      world.setLockWord(a, 0, 0);
      a.valid();
      const after = a.stats();
      expect(after).toMatchObject({ sys: before.sys, spansInUse: before.spansInUse });
      expect(a.malloc(100_000)).not.toBe(0);
      expect(world.lockCounters(a, 0).acquired).toBeGreaterThan(0);
      expectNothingLeft(world, a);
    });

    it("keeps spans that run empty meanwhile", () => {
      const [world, a] = start(2) as [World, Thread, Thread];
      const blocks = a.mallocs(200, 8192);
      const p = a.malloc(9000);
      world.setLockWord(a, 0, 2);
      a.frees(blocks);
      expect(a.e.lastStuck(), "a free waits for nobody").toBe(0);
      world.setLockWord(a, 0, 0);
      a.valid();
      a.free(p);
      expectNothingLeft(world, a);
    });

    it("of a class is passed by: a new span instead of one from the mcentral", () => {
      const [world, a, b, c] = start(3) as [World, Thread, Thread, Thread];
      const blocks = c.mallocs(200, 320);
      c.frees(blocks.filter((_, i) => i % 2 === 0));
      const row = world.mem.u8[a.e.spanOf(blocks[1]!) + SPAN_ROW]!;
      c.e.releaseP();
      a.e.flushP(3);
      world.setLockWord(a, row, 3);
      const mine = b.mallocs(10, 320);
      expect(mine.filter((p) => p === 0 || blocks.includes(p))).toEqual([]);
      expect(b.e.lastStuck()).toBe(3);
      world.setLockWord(a, row, 0);
      b.mallocs(200, 320);
      expect(b.stat(2, SPANS_TAKEN)).toBeGreaterThan(0);
      b.valid();
      expectNothingLeft(world, a);
    });

    it("leaves a thread without a P as it was", () => {
      const [world, a] = start(1) as [World, Thread];
      const b = world.thread(2);
      world.setLockWord(a, 0, 1);
      expect([b.acquire(), b.malloc(10), b.e.currentP()]).toEqual([0, 0, 0]);
      expect(world.stateWord(a, 2)).toBe(UNUSED);
      expect(b.e.lastStuck()).toBe(1);
      world.setLockWord(a, 0, 0);
      expect(b.acquire()).toBe(2);
      expectNothingLeft(world, a);
    });
  });

  it("locks lie 64 bytes apart, on lines of their own", () => {
    const [, a] = start(1) as [World, Thread];
    const addresses = Array.from({ length: a.e.lockCount() }, (_, i) => a.e.lockAddress(i));
    expect(a.e.lockCount()).toBe(223);
    addresses.forEach((at, i) => {
      expect(at % 64).toBe(0);
      expect(at).toBe(addresses[0]! + 64 * i);
    });
    expect(a.e.lockAddress(a.e.lockCount())).toBe(0);
    expect(new Set(Array.from({ length: 255 }, (_, i) => a.e.stateAddress(i + 1) % 4))).toEqual(new Set([0]));
  });

  describe("recovery", () => {
    /** b has used much and stops; a block of a's is freed remotely, blocks of b's by a. */
    function dead(): [World, Thread, number[]] {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const theirs = [24, 64, 320, 1000, 5000, 8192, 20_000].flatMap((size) => b.mallocs(70, size));
      const mine = a.mallocs(100, 64);
      b.frees(theirs.filter((_, i) => i % 3 === 0));
      b.frees(mine.slice(0, 30));
      a.frees(theirs.filter((_, i) => i % 3 === 1));
      b.mallocs(2, 100_000);
      return [world, a, theirs.filter((_, i) => i % 3 === 2)];
    }

    it("of a P that just stopped: its spans are for others, its live blocks stay", () => {
      const [world, a, theirs] = dead();
      expect(a.e.recoverP(2)).toBe(DONE);
      expect([world.stateWord(a, 2), a.stat(2, PAGES_OWNED)]).toEqual([IDLE, 0]);
      expect(a.stat(2, SPANS_GIVEN)).toBeGreaterThan(0);
      a.valid();
      world.checkAll();
      const more = [64, 320, 5000].flatMap((size) => a.mallocs(70, size));
      expect(a.stat(1, SPANS_TAKEN)).toBeGreaterThan(0);
      expect(more).not.toContain(0);
      for (const p of theirs) a.free(p);
      const c = world.thread(3);
      expect(c.acquire(), "the next thread's P").toBe(2);
      c.mallocs(50, 320);
      a.valid();
      expectNothingLeft(world, a);
    });

    it("is refused where nobody died", () => {
      const [world, a] = dead();
      for (const id of [1, 3, 255, 256, 2 ** 32 - 1]) expect(a.e.recoverP(id), `P ${id}`).toBe(0);
      expect(a.e.recoverP(2)).toBe(DONE);
      expect(a.e.recoverP(2), "twice").toBe(0);
      world.checkAll();
    });

    it.each([0, WAITERS])("with the heap lock held (waiters: %i)", (bit) => {
      const [world, a] = dead();
      world.setLockWord(a, 0, 2 | bit | 0);
      expect(a.e.recoverP(2)).toBe(DONE | HELD_HEAP);
      expect(world.lockWord(a, 0)).toBe(0);
      a.valid();
      world.checkAll();
      expectNothingLeft(world, a);
    });

    it.each([0, WAITERS])("with an mcentral's lock held (waiters: %i)", (bit) => {
      const [world, a, theirs] = dead();
      const row = world.mem.u8[a.e.spanOf(theirs[100]!) + SPAN_ROW]!;
      world.setLockWord(a, row, 2 | bit | 0);
      expect(a.e.recoverP(2)).toBe(DONE | HELD_CENTRAL);
      expect(world.lockWord(a, row)).toBe(0);
      a.valid();
      world.checkAll();
      expectNothingLeft(world, a);
    });

    it("with both held, in any state that a thread can die in", () => {
      for (const state of [RUNNING, BLOCKED, STOPPING, DEAD]) {
        const [world, a] = dead();
        Atomics.store(new Int32Array(world.memory.buffer), a.e.stateAddress(2) >> 2, (2 << 8) | state);
        world.setLockWord(a, 0, 2);
        world.setLockWord(a, 7, 2);
        expect(a.e.recoverP(2), `state ${state}`).toBe(DONE | HELD_HEAP | HELD_CENTRAL);
        expect(world.stateWord(a, 2)).toBe(IDLE);
        a.valid();
        expectNothingLeft(world, a);
      }
    });

    it("of a P that was being made: it is unused again, and made by the next", () => {
      const [world, a] = start(1) as [World, Thread];
      Atomics.store(new Int32Array(world.memory.buffer), a.e.stateAddress(2) >> 2, (9 << 8) | STARTING);
      world.setLockWord(a, 0, 2);
      expect(a.e.recoverP(2)).toBe(DONE | HELD_HEAP);
      expect(world.stateWord(a, 2)).toBe(UNUSED);
      a.valid();
      expect(world.thread(2).acquire()).toBe(2);
      expectNothingLeft(world, a);
    });

    it("waits for a living holder, is refused when that takes too long, and can be tried again", () => {
      const [world, a] = dead();
      const c = world.thread(3);
      expect(c.acquire()).toBe(3);
      world.setLockWord(a, 0, 3);
      expect(a.e.recoverP(2)).toBe(0);
      expect(a.e.lastStuck()).toBe(3);
      world.setLockWord(a, 0, 0);
      expect(a.e.recoverP(2)).toBe(DONE);
      a.valid();
      world.checkAll();
      expectNothingLeft(world, a);
    });

    it.each([
      ["the holder last", [2, 3]],
      ["the holder first", [3, 2]],
    ])("of two that died together, one with an mcentral's lock: %s", (_, order) => {
      const [world, a, theirs] = dead();
      const c = world.thread(3);
      expect(c.acquire()).toBe(3);
      c.mallocs(200, 320);
      const row = world.mem.u8[a.e.spanOf(theirs[60]!) + SPAN_ROW]!;
      world.setLockWord(a, row, 3);
      const left = new Set(order);
      for (let round = 0; round < 3; round++) for (const id of left) if (a.e.recoverP(id) & DONE) left.delete(id);
      expect([...left], "not recovered").toEqual([]);
      a.valid();
      world.checkAll();
      expectNothingLeft(world, a);
    });
  });
});

describe("the order of locks, in the test flavour", () => {
  const { module } = instrumented("test-shared");

  /** Kills a thread when it holds an mcentral's lock, H, or both; what it does then with what it believes to hold. */
  function holding(heapLock: boolean, central: boolean): Thread {
    let moments = 0;
    for (let k = 1; k < 5000; k++) {
      const world = new World(module, 8, 64, WASM_PAGE);
      const [a, b, c] = [1, 2, 3].map((token) => world.thread(token)) as [Thread, Thread, Thread];
      expect([a, b, c].map((t) => t.acquire())).toEqual([1, 2, 3]);
      c.frees(c.mallocs(30, 320).filter((_, i) => i % 2 === 0));
      c.e.releaseP();
      a.e.flushP(3);
      b.countdown!.value = k;
      try {
        b.mallocs(20, 320);
        b.malloc(50_000);
        b.e.releaseAll();
      } catch {
        const held = Array.from({ length: a.e.lockCount() }, (_, i) => world.lockWord(a, i) === 2);
        b.countdown!.value = 0;
        // The first such moment comes before the thread itself has noted that it holds the lock.
        const here = held[0] === heapLock && held.slice(1).includes(true) === central;
        if (here && moments++ > 0) {
          world.setLockWord(a, 0, 0);
          for (let i = 1; i < held.length; i++) world.setLockWord(a, i, 0);
          return b;
        }
      }
    }
    throw new Error("no such moment");
  }

  it("has a module that can be stopped", () => {
    expect(WebAssembly.Module.exports(module).map((x) => x.name)).toContain(COUNTDOWN);
  });

  it.each([
    ["H is not asked for under H", true, false],
    ["H is not asked for under an mcentral's lock", false, true],
    ["nor under both", true, true],
  ])("%s: that traps, though the word is free", (_, heapLock, central) => {
    const b = holding(heapLock, central);
    expect(() => b.e.malloc(50_000)).toThrow(/unreachable/);
  });
});
