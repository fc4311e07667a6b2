/**
 * Several instances over one memory in one thread: what one P does to the blocks, spans and locks of another, step by
 * step and the same each time.
 */
import { describe, expect, it } from "vitest";
import { DOUBLE_FREE, FOREIGN, M_RESERVE, wasmModule } from "../support/wasm.ts";
import {
  BLOCKED,
  describeFlavours,
  expectNothingLeft,
  GROUPS_PUSHED,
  GROUPS_TAKEN,
  IDLE,
  LATE_DOUBLE_FREES,
  PAGES_OWNED,
  REMOTE_FREES,
  RUNNING,
  SPAN_START,
  SPANS_GIVEN,
  SPANS_TAKEN,
  STOPPING,
  type Thread,
  UNUSED,
  World,
} from "./support/core-world.ts";

describeFlavours((flavour, start) => {
  describe("frees by another P", () => {
    it("are one atomic operation each, one push a group, and come back when the window has run dry", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = a.mallocs(256, 64);
      const { pages } = world.mem;
      b.frees(blocks);
      expect(b.stat(2, REMOTE_FREES)).toBe(256);
      expect(b.stat(2, GROUPS_PUSHED)).toBe(4);
      expect(a.stat(1, GROUPS_TAKEN)).toBe(0);
      a.valid();
      const s = a.stats();
      expect([s.mallocs - s.frees, s.heapAlloc], "a freed block is not live, whoever freed it").toEqual([0, 0]);
      const old = new Set(blocks);
      const again = a.mallocs(256, 64);
      expect(again.filter((p) => old.has(p)).length).toBe(256);
      expect(a.stat(1, GROUPS_TAKEN)).toBe(4);
      expect(world.mem.pages).toBe(pages);
      a.valid();
      expectNothingLeft(world, a);
    });

    it("take no lock", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = [...a.mallocs(100, 40), ...a.mallocs(100, 200), ...a.mallocs(30, 3000)];
      const total = () =>
        Array.from({ length: a.e.lockCount() }, (_, i) => world.lockCounters(a, i).acquired).reduce((x, y) => x + y);
      const before = total();
      b.frees(blocks);
      expect(total()).toBe(before);
      expect(before).toBeGreaterThan(0);
      expect(Array.from({ length: a.e.lockCount() }, (_, i) => world.lockCounters(a, i).contended)).not.toContain(1);
    });

    it.each([
      ["of a full group", 128, 3],
      ["of the cached group", 10, 3],
      ["of the last block of a span", 129, 128],
    ])("are refused the second time, by either P: %s", (_, n, which) => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = a.mallocs(n, 64);
      const p = blocks[which]!;
      b.free(p);
      expect([b.e.tryFree(p), a.e.tryFree(p), b.e.tryFree(p)]).toEqual([DOUBLE_FREE, DOUBLE_FREE, DOUBLE_FREE]);
      expect([a.e.tryRealloc(p, 10), b.e.tryRealloc(p, 10)]).toEqual([0, 0]);
      expect([a.e.malloc_usable_size(p), b.e.objectBase(p)]).toEqual([0, 0]);
      // The owner first, then another.
      const q = blocks[0]!;
      a.free(q);
      expect([b.e.tryFree(q), a.e.tryFree(q)]).toEqual([DOUBLE_FREE, DOUBLE_FREE]);
      // Still so when the owner has taken them back.
      a.mallocs(300, 64);
      a.valid();
      world.checkAll();
      expect(a.stat(1, LATE_DOUBLE_FREES)).toBe(0);
      expectNothingLeft(world, b);
    });

    it("are refused the second time when all slots of the group are free: the owner's spans and nobody's", () => {
      const [world, a, b, c] = start(3) as [World, Thread, Thread, Thread];
      const mine = a.mallocs(170, 48).slice(0, 64);
      a.frees(mine);
      expect(b.e.tryFree(mine[3]!), "freed by the owner").toBe(DOUBLE_FREE);
      const theirs = c.mallocs(170, 48).slice(0, 64);
      c.frees(theirs);
      c.e.releaseP();
      expect(a.e.flushP(3)).toBe(1);
      expect(b.e.tryFree(theirs[3]!), "in a span of nobody").toBe(DOUBLE_FREE);
      a.valid();
      expectNothingLeft(world, a);
    });

    it("at the same moment as the owner's are found when the owner takes them over, and give nothing out twice", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = a.mallocs(128, 64);
      const [p, q] = [blocks[5]!, blocks[6]!];
      const span = a.e.spanOf(p);
      const slot = (p - world.mem.u32(span + SPAN_START)) / 64;
      const remote = world.remoteWord(span, slot >> 6);
      a.free(p);
      b.free(q);
      // What b writes if it has looked before a's free.
      Atomics.or(new BigInt64Array(world.memory.buffer), remote >> 3, BigInt.asIntN(64, 1n << BigInt(slot & 63)));
      const again = a.mallocs(200, 64);
      expect(again).toContain(p);
      expect(again).toContain(q);
      expect(a.stat(1, LATE_DOUBLE_FREES)).toBe(1);
      a.valid();
      expectNothingLeft(world, a);
    });

    it("of large blocks are done at once, and refused the second time", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = a.mallocs(4, 50_000);
      b.free(blocks[1]!);
      expect([a.e.tryFree(blocks[1]!), b.e.tryFree(blocks[1]!)]).toEqual([FOREIGN, FOREIGN]);
      expect(b.malloc(50_000), "its pages are free for all").toBe(blocks[1]);
      expect(b.realloc(blocks[3]!, 200_000)).not.toBe(0);
      a.valid();
      expectNothingLeft(world, a);
    });

    it("work for realloc too: contents move over", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = a.mallocs(100, 100);
      for (const p of blocks) expect(b.realloc(p, 150), "another's block").not.toBe(p);
      expect(b.stat(2, REMOTE_FREES)).toBe(100);
      expectNothingLeft(world, a);
    });

    it("keep a pipeline's memory bounded, in both directions", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const sizes = [24, 100, 700, 3000, 9000, 60_000];
      let pages = 0;
      for (let round = 0; round < 120; round++) {
        const [from, to] = round % 3 === 2 ? [b, a] : [a, b];
        to.frees(sizes.flatMap((size) => from.mallocs(20, size)));
        if (round === 20) pages = world.mem.pages;
      }
      expect(world.mem.pages).toBe(pages);
      a.valid();
      expectNothingLeft(world, a);
    });
  });

  describe("Ps", () => {
    it("are taken by the first malloc of a thread that has none, and named by their token", () => {
      const world = new World(wasmModule(flavour));
      const a = world.thread(0);
      expect([a.e.currentP(), a.e.numPs()]).toEqual([0, 0]);
      a.malloc(100);
      expect([a.e.currentP(), a.e.numPs(), world.stateWord(a, 1)]).toEqual([1, 1, RUNNING]);
      const b = world.thread(0xabcdef);
      expect([b.acquire(), b.acquire(), b.e.currentP(), b.e.numPs()]).toEqual([2, 2, 2, 2]);
      expect(world.stateWord(a, 2)).toBe(((0xabcdef << 8) | RUNNING) >>> 0);
      expect(world.stateWord(a, 3)).toBe(UNUSED);
      b.e.gomalloc_thread_exit();
      expect([b.e.currentP(), world.stateWord(a, 2)]).toEqual([0, IDLE]);
      b.e.releaseP();
      expect(world.stateWord(a, 2)).toBe(IDLE);
    });

    it("keep their caches for the next taker, which needs no lock", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const blocks = b.mallocs(128, 64);
      b.frees(blocks);
      b.e.releaseP();
      const before = world.lockCounters(a, 0).acquired;
      const c = world.thread(9);
      expect(c.acquire()).toBe(2);
      const old = new Set(blocks);
      expect(c.mallocs(128, 64).every((p) => old.has(p))).toBe(true);
      expect(world.lockCounters(a, 0).acquired).toBe(before);
      expect(b.acquire(), "the first owner gets a new one").toBe(3);
      expectNothingLeft(world, a);
    });

    it("are as many as setProcs says", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      expect(a.e.procs()).toBe(255);
      a.e.setProcs(2);
      a.e.setProcs(0);
      a.e.setProcs(256);
      expect(b.e.procs()).toBe(2);
      const c = world.thread(3);
      expect([c.acquire(), c.malloc(10), c.e.calloc(1, 10), c.e.mallocgc(10, 0, 0), c.e.currentP()]).toEqual([
        0, 0, 0, 0, 0,
      ]);
      b.e.releaseP();
      expect(c.acquire()).toBe(2);
      expect(c.malloc(10)).not.toBe(0);
      expect(b.malloc(10)).toBe(0);
      a.e.setProcs(3);
      expect(b.acquire()).toBe(3);
      expectNothingLeft(world, a);
    });

    it("can be 255, with blocks in all of them", () => {
      const world = new World(wasmModule(flavour), 16, 65536);
      const threads = Array.from({ length: 256 }, (_, i) => world.thread(i + 1));
      expect(threads.map((t) => t.acquire())).toEqual([...Array.from({ length: 255 }, (_, i) => i + 1), 0]);
      for (const t of threads.slice(0, 255)) t.mallocs(3, 40);
      const [a] = threads as [Thread];
      a.valid();
      expect(a.e.numPs()).toBe(255);
      const last = threads[254]!;
      last.frees([...world.blocks.keys()]);
      expect(last.stat(255, REMOTE_FREES)).toBe(254 * 3);
      for (const t of threads.slice(1, 255)) t.e.releaseP();
      expectNothingLeft(world, a);
    });

    it("can be lent while their thread waits, and are had back or taken", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      const mine = a.mallocs(50, 80);
      expect(a.e.blockP()).toBe(1);
      expect(world.stateWord(b, 1)).toBe((1 << 8) | BLOCKED);
      expect(a.e.blockP(), "twice").toBe(0);
      expect(a.e.unblockP()).toBe(1);
      expect(world.stateWord(b, 1)).toBe((1 << 8) | RUNNING);
      a.e.blockP();
      const c = world.thread(3);
      expect(c.acquire(), "a new one while there may be more").toBe(3);
      a.e.setProcs(3);
      const d = world.thread(4);
      expect(d.acquire(), "a lent one when there may not").toBe(1);
      expect(world.stateWord(b, 1)).toBe((4 << 8) | RUNNING);
      expect([a.e.unblockP(), a.e.currentP()]).toEqual([0, 0]);
      expect(a.malloc(10), "no P for its first owner").toBe(0);
      d.frees(mine);
      expect(d.stat(1, REMOTE_FREES), "they lie in spans of the P, whoever runs it").toBe(0);
      a.e.releaseP();
      expect(world.stateWord(b, 1), "nothing to give up").toBe((4 << 8) | RUNNING);
      c.e.releaseP();
      expect(a.acquire()).toBe(3);
      expectNothingLeft(world, b);
    });

    it("cannot be lent by who has none", () => {
      const [world] = start(1) as [World, Thread];
      const b = world.thread(2);
      expect([b.e.blockP(), b.e.unblockP(), b.e.currentP()]).toEqual([0, 0, 0]);
    });

    it("that were lent and are given up are idle; one that was taken meanwhile stays the taker's", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      b.e.blockP();
      b.e.releaseP();
      expect(world.stateWord(a, 2)).toBe(IDLE);
      expect(b.acquire()).toBe(2);
      // The host asks for it back: the thread gives it up at its next chance.
      Atomics.store(new Int32Array(world.memory.buffer), a.e.stateAddress(2) >> 2, (2 << 8) | STOPPING);
      b.e.releaseP();
      expect(world.stateWord(a, 2)).toBe(IDLE);
    });

    it("attach to a heap that stands, and change nothing of it", () => {
      const [world, a] = start(1) as [World, Thread];
      a.mallocs(100, 50);
      const before = Buffer.from(world.mem.u8.slice());
      world.thread(2);
      expect(Buffer.compare(before, Buffer.from(world.mem.u8.slice()))).toBe(0);
      world.checkAll();
    });
  });

  describe("flushing an idle P", () => {
    it("hands its spans and pages to others", () => {
      const [world, a, b, c] = start(3) as [World, Thread, Thread, Thread];
      const blocks = c.mallocs(400, 320);
      c.frees(blocks.filter((_, i) => i % 2 === 0));
      c.mallocs(3, 9000);
      expect(c.stat(3, PAGES_OWNED)).toBeGreaterThan(0);
      expect(a.e.flushP(3), "not while it runs").toBe(0);
      c.e.releaseP();
      expect(a.e.flushP(3)).toBe(1);
      expect([world.stateWord(a, 3), a.stat(3, PAGES_OWNED)]).toEqual([IDLE, 0]);
      expect(a.stat(3, SPANS_GIVEN)).toBeGreaterThan(400 / 25 / 2);
      a.valid();
      world.checkAll();
      const { spansInUse } = a.stats();
      const taken = b.mallocs(200, 320);
      expect(taken.filter((p) => blocks.includes(p)).length).toBeGreaterThan(150);
      expect(b.stat(2, SPANS_TAKEN)).toBeGreaterThan(4);
      expect(a.stats().spansInUse).toBeLessThanOrEqual(spansInUse + 1);
      expectNothingLeft(world, a);
    });

    it("is refused for a P that is none, and done twice", () => {
      const [world, a, b] = start(2) as [World, Thread, Thread];
      for (const id of [0, 1, 2, 3, 255, 256, 2 ** 32 - 1]) expect(a.e.flushP(id), `P ${id}`).toBe(0);
      b.malloc(10);
      b.e.releaseP();
      expect([a.e.flushP(2), a.e.flushP(2)]).toEqual([1, 1]);
      expectNothingLeft(world, a);
    });

    it("settles what was freed in its spans: before, meanwhile nobody's, and after another has taken them", () => {
      const [world, a, b, c] = start(3) as [World, Thread, Thread, Thread];
      const blocks = c.mallocs(512, 128);
      a.frees(blocks.slice(0, 100));
      c.e.releaseP();
      expect(a.e.flushP(3)).toBe(1);
      a.valid("flushed");
      a.frees(blocks.slice(100, 300));
      a.valid("freed in nobody's spans");
      const mine = b.mallocs(250, 128);
      expect(mine.filter((p) => blocks.includes(p)).length).toBeGreaterThan(200);
      b.valid("taken");
      a.frees(blocks.slice(300));
      b.mallocs(250, 128);
      b.valid("taken again");
      expectNothingLeft(world, a);
    });
  });

  it("a memory that cannot grow refuses both Ps, and serves both again after frees", () => {
    const [world, a, b] = start(2, 8, 40) as [World, Thread, Thread];
    for (const t of [a, b]) expect(t.e.mallopt(M_RESERVE, 0)).toBe(1);
    for (const size of [20_000, 100_000, 3000, 64]) {
      let misses = 0;
      for (let i = 0; misses < 4; i++) {
        if ((i % 2 === 0 ? a : b).malloc(size) === 0) misses++;
        if (i > 50_000) throw new Error("the memory has no end");
      }
      a.valid(`full of ${size} bytes`);
    }
    expect(world.mem.pages).toBe(40);
    const s = a.stats();
    expect(s.sysGrowFailures).toBeGreaterThan(0);
    expect(s.mallocs - s.frees).toBe(world.blocks.size);
    // Each frees the other's blocks. Their spans lie mixed: both must give theirs back before a long run is free.
    const blocks = [...world.blocks.keys()];
    for (const [i, p] of blocks.entries()) (i % 2 === 0 ? b : a).free(p);
    for (const t of [a, b]) expect(t.malloc(15_000)).not.toBe(0);
    for (const t of [a, b]) expect(t.e.malloc_trim(0)).toBe(1);
    for (const t of [a, b]) expect(t.malloc(300_000)).not.toBe(0);
    for (const t of [a, b]) expect(t.malloc(5000)).not.toBe(0);
    world.checkAll();
    expectNothingLeft(world, a);
  });

  it("a memory that cannot grow has room for a large block when another P has freed the small ones", () => {
    const [world, a, b] = start(2, 8, 40) as [World, Thread, Thread];
    const blocks: number[] = [];
    for (let p = a.malloc(2000); p !== 0; p = a.malloc(2000)) blocks.push(p);
    expect(blocks.length).toBeGreaterThan(900);
    b.frees(blocks);
    expect(a.malloc(1_000_000)).not.toBe(0);
    a.valid();
    expectNothingLeft(world, a);
  });
});
