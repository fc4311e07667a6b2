/**
 * Growth refused at every possible point. A fixed workload runs in memories that may grow by 0, 1, 2 .. pages, and
 * under every limit of mallopt: each request that cannot be met gives null, what was there stays intact, the heap is
 * valid, frees everything and uses the memory again.
 */
import { describe, expect, it } from "vitest";
import { between, type Random, random } from "../support/random.ts";
import {
  ENOMEM,
  type Flavour,
  indexOfOther,
  M_MAX_BYTES,
  M_RESERVE,
  M_SOFT_LIMIT,
  type MallocExports,
  type Opened,
  open,
  PAGE,
  readStats,
  WASM_PAGE,
} from "../support/wasm.ts";
import { expectValid, isHost } from "./support/valid.ts";

const INITIAL = 2;

interface Live {
  p: number;
  size: number;
  mark: number;
}

interface Outcome {
  live: Live[];
  /** Requests that were met, by index. */
  met: boolean[];
}

function verify(o: Opened<MallocExports>, { p, size, mark }: Live, note: string): void {
  const at = indexOfOther(o.mem.u8.subarray(p, p + size), mark);
  if (at >= 0) expect.fail(`${note}: byte ${at} of ${size} at ${p.toString(16)} changed`);
}

/** A size; some of several wasm pages. */
function size(r: Random): number {
  const kind = r() % 20;
  if (kind < 8) return between(r, 0, 200);
  if (kind < 14) return between(r, 200, 4000);
  if (kind < 19) return between(r, 4000, 40_000);
  return between(r, 40_000, 300_000);
}

/** 120 requests of all kinds, of some 1.5 MiB; nothing is freed but by realloc. */
function request(o: Opened<MallocExports>, note: string): Outcome {
  const { e, mem } = o;
  const r = random(42);
  const live: Live[] = [];
  const met: boolean[] = [];
  for (let i = 0; i < 120; i++) {
    const n = size(r);
    const kind = r() % 8;
    const which = live[r() % (live.length + 1)];
    const mark = (i * 37) & 0xff || 1;
    let p = 0;
    if (kind === 0 && which !== undefined) {
      verify(o, which, `${note}, before request ${i}`);
      const q = e.realloc(which.p, n);
      if (q === 0) {
        verify(o, which, `${note}, after realloc ${i} failed`);
      } else {
        verify(o, { ...which, p: q, size: Math.min(n, which.size) }, `${note}, realloc ${i}`);
        live.splice(live.indexOf(which), 1);
      }
      p = q;
    } else if (kind === 1) {
      p = e.calloc(n, 1);
      if (p !== 0) verify(o, { p, size: n, mark: 0 }, `${note}, calloc ${i}`);
    } else if (kind === 2) {
      p = e.aligned_alloc(2 ** between(r, 4, 15), n);
    } else if (kind === 3) {
      mem.view.setUint32(64, 0, true);
      const rc = e.posix_memalign(64, 2 ** between(r, 4, 13), n);
      p = mem.u32(64);
      expect(rc, `${note}, posix_memalign ${i}`).toBe(p === 0 ? ENOMEM : 0);
    } else if (kind === 4 && isHost(o)) {
      p = o.e.mallocgc(n + 16, 1, 1);
      if (p !== 0) verify(o, { p, size: n, mark: 0 }, `${note}, mallocgc ${i}`);
    } else {
      p = e.malloc(n);
    }
    met.push(p !== 0);
    if (p === 0) {
      expectValid(o, `${note}, after request ${i} of ${n} bytes was refused`);
    } else {
      mem.u8.fill(mark, p, p + n);
      live.push({ p, size: n, mark });
    }
  }
  return { live, met };
}

/** The workload, then all of it freed, then the workload again. Returns how many requests were refused at first. */
function play(o: Opened<MallocExports>, note: string): number {
  const first = request(o, note);
  expectValid(o, `${note}, after the requests`);
  for (const b of first.live) verify(o, b, note);
  for (const b of first.live) o.e.free(b.p);
  expectValid(o, `${note}, after freeing`);
  if (isHost(o)) {
    o.e.releaseAll();
    expectValid(o, `${note}, after releaseAll`);
    // The record of the statistics takes memory too.
    if (o.e.memstats() !== 0) {
      const stats = readStats(o);
      expect(stats.heapAlloc, `${note}, live bytes after freeing`).toBe(0);
      expect(stats.heapInuse, `${note}, bytes in spans after freeing`).toBe(0);
    }
  }
  const again = request(o, `${note}, again`);
  for (const b of again.live) verify(o, b, `${note}, again`);
  // What went well up to the first refusal goes well again, but for a page or two that became records meanwhile, and one
  // that the first object of the collector's takes for its queue.
  const ok = first.met.indexOf(false);
  const prefix = ok < 0 ? first.met.length : ok;
  const lost = again.met.slice(0, prefix).filter((m) => !m).length;
  expect(lost, `${note}: refused of ${prefix} requests met before`).toBeLessThanOrEqual(
    Math.ceil(prefix / 20) + (isHost(o) ? 1 : 0),
  );
  for (const b of again.live) o.e.free(b.p);
  expectValid(o, `${note}, at the end`);
  return first.met.filter((m) => !m).length;
}

const FLAVOURS: Flavour[] = ["host", "malloc"];

describe.each(FLAVOURS)("%s: a memory with a maximum", (flavour) => {
  it("of every size: requests that do not fit give null, the heap goes on", () => {
    const free = open(flavour, { initial: INITIAL });
    expect(play(free, "no maximum"), "refused without a maximum").toBe(0);
    const needed = free.mem.pages - INITIAL;
    expect(needed).toBeGreaterThan(16);
    const refusals: number[] = [];
    for (let k = 0; k <= needed; k++) {
      const o = open(flavour, { initial: INITIAL, maximum: INITIAL + k });
      refusals.push(play(o, `${k} pages to grow`));
      expect(o.mem.pages).toBeLessThanOrEqual(INITIAL + k);
    }
    expect(refusals[0], "all but frees are refused without memory").toBeGreaterThan(100);
    expect(refusals[needed]).toBe(0);
    expect(refusals.filter((n) => n > 0).length, "maxima that refuse something").toBeGreaterThan(needed / 2);
  });

  it("that is given to the heap as a whole, and cannot grow at all", () => {
    for (let pages = 1; pages <= 24; pages++) {
      const o = open(flavour, { initial: pages, maximum: pages, heapBase: 1024 });
      const refused = play(o, `${pages} pages, none to grow`);
      expect(o.mem.pages).toBe(pages);
      // Two pages hold the heap's records and something besides.
      if (pages >= 2) expect(refused).toBeLessThan(120);
    }
  });

  it("and a heap base at every offset near its end", () => {
    for (let rest = 0; rest <= 3 * 8192; rest += 1024) {
      const o = open(flavour, { initial: 2, maximum: 8, heapBase: 2 * WASM_PAGE - rest });
      play(o, `${rest} bytes at the end`);
    }
  });

  it("and a heap base behind its end", () => {
    for (const beyond of [1, 16, 8192, WASM_PAGE, WASM_PAGE + 1, 5 * WASM_PAGE]) {
      const o = open(flavour, { initial: 2, maximum: 12, heapBase: 2 * WASM_PAGE + beyond });
      const p = o.e.malloc(100);
      if (p !== 0) expect(p).toBeGreaterThanOrEqual(2 * WASM_PAGE + beyond);
      o.e.free(p);
      play(o, `heap base ${beyond} beyond`);
    }
  });
});

describe("a limit on the bytes obtained", () => {
  it("of every size: never exceeded, requests beyond give null, the heap goes on", () => {
    const free = open("host", { initial: INITIAL });
    play(free, "no limit");
    const needed = free.mem.pages - INITIAL;
    for (let k = 1; k <= needed; k++) {
      const o = open("host", { initial: INITIAL, heapBase: null });
      const limit = k * WASM_PAGE - (k % 3) * 1000;
      expect(o.e.mallopt(M_MAX_BYTES, limit)).toBe(1);
      o.e.init(o.heapBase);
      play(o, `limit ${limit}`);
      // The record of the statistics may have no room either in a heap of a page.
      if (o.e.memstats() !== 0) expect(readStats(o).sys, `limit ${limit}`).toBeLessThanOrEqual(limit);
    }
  });

  it("set late stops growth where it is, and taken away lets it go on", () => {
    const o = open("host");
    const blocks: number[] = [];
    for (let i = 0; i < 100; i++) blocks.push(o.e.malloc(10_000));
    expect(blocks).not.toContain(0);
    const { sys } = readStats(o);
    o.e.mallopt(M_MAX_BYTES, 1);
    const before = blocks.length;
    for (let p = o.e.malloc(10_000); p !== 0; p = o.e.malloc(10_000)) blocks.push(p);
    expect(blocks.length - before, "blocks out of the reserve").toBeLessThan(100);
    expectValid(o, "at the limit");
    expect(readStats(o).sys).toBe(sys);
    o.e.mallopt(M_MAX_BYTES, 0);
    blocks.push(o.e.malloc(10_000));
    expect(blocks).not.toContain(0);
    for (const b of blocks) o.e.free(b);
    expectValid(o, "after freeing");
  });
});

describe("the reserve of a growth", () => {
  /** Pages that a heap has after `mib` MiB of small blocks. */
  const pagesFor = (mib: number, options: [number, number][]) => {
    const o = open("host", { initial: 1, heapBase: 1024 });
    for (const [param, value] of options) expect(o.e.mallopt(param, value)).toBe(1);
    for (let i = 0; i < mib * 1024; i++) expect(o.e.malloc(1024)).not.toBe(0);
    return o.mem.pages;
  };

  it("is bounded, whatever the heap's size: memory never doubles", () => {
    for (const mib of [1, 4, 16, 40]) {
      const pages = pagesFor(mib, []);
      // Records take some 1.5 %, the reserve 16 MiB at most and a 64th of the heap.
      expect(pages, `${mib} MiB`).toBeLessThanOrEqual(mib * 16 * 1.05 + 4);
    }
  });

  it("is nothing at and beyond the soft limit", () => {
    const eager = pagesFor(32, [[M_RESERVE, 4 << 20]]);
    const frugal = pagesFor(32, [
      [M_RESERVE, 4 << 20],
      [M_SOFT_LIMIT, 1 << 20],
    ]);
    // From the soft limit on, retained spans go back before each growth: at other moments than elsewhere, so that
    // spans come to lie elsewhere. That moves a few pages, either way.
    expect(frugal).toBeLessThanOrEqual(eager + 3);
    expect(frugal).toBeLessThanOrEqual(pagesFor(32, [[M_RESERVE, 0]]) + 3);
  });
});

describe("memory that came back", () => {
  it("in pieces of 64 KiB between live ones is used before the memory grows", () => {
    const o = open("host", { initial: 1, heapBase: 1024 });
    const piece = () => {
      const p = o.e.malloc(WASM_PAGE);
      expect(p).not.toBe(0);
      return p;
    };
    const pieces = Array.from({ length: 512 }, piece);
    pieces.forEach((p, i) => {
      if (i % 2 === 0) o.e.free(p);
    });
    const pages = o.mem.pages;
    for (let i = 0; i < 256; i++) piece();
    expect(o.mem.pages).toBeLessThanOrEqual(pages * 1.02);
    expectValid(o, "at the end");
  });

  it("from one size serves every other", () => {
    const o = open("host", { initial: 1, heapBase: 1024 });
    /** Pages of the memory after 8 MiB of blocks of one size have come and gone. */
    const use = (size: number) => {
      const blocks = Array.from({ length: Math.ceil((8 << 20) / size) }, () => o.e.malloc(size));
      expect(blocks).not.toContain(0);
      for (const p of blocks) o.e.free(p);
      expectValid(o, `${size} bytes`);
      return o.mem.pages;
    };
    const pages = use(16);
    // A span wastes an eighth at most, rounding an eighth of an octave; runs of 13 pages leave gaps between records.
    for (const size of [4000, 48, 100_000, 640, 30_000]) use(size);
    expect(o.mem.pages).toBeLessThanOrEqual(pages * 1.3);
    // Runs of 123 pages find fewer gaps: records of spans lie in clusters that never move.
    for (const size of [1_000_000, 100, 2000, 16]) use(size);
    expect(o.mem.pages).toBeLessThanOrEqual(pages * 2);
    const again = () => {
      for (const size of [16, 100_000, 640, 1_000_000, 2000, 16]) use(size);
      return o.mem.pages;
    };
    // Long runs are placed by best fit, which needs some rounds until every size has its places.
    for (let i = 0; i < 3; i++) again();
    const settled = again();
    expect(settled).toBeLessThanOrEqual(pages * 2);
    for (let i = 0; i < 3; i++) expect(again(), "and no more").toBeLessThanOrEqual(settled);
  });
});

describe.each(FLAVOURS)("%s: before a small heap grows", (flavour) => {
  it("it has the rest of its page cache back", () => {
    const o = open(flavour, { initial: 8, heapBase: 1024 });
    // The first small block fills the page cache: with all free pages of the chunk, which is all of this heap.
    const small = o.e.malloc(16);
    const large = o.e.malloc(6 * WASM_PAGE);
    expect(o.mem.pages).toBe(8);
    o.e.free(large);
    o.e.free(small);
  });

  it("it has its empty spans back", () => {
    const o = open(flavour, { initial: 8, heapBase: 1024 });
    // Buffers that grew through the classes: a span of each is retained.
    for (const size of [1792, 3456, 6784, 13_568, 27_264]) o.e.free(o.e.malloc(size));
    for (let round = 0; round < 20; round++) {
      const large = o.e.malloc(6 * WASM_PAGE);
      expect(o.mem.pages, `round ${round}`).toBe(8);
      o.e.free(large);
      for (const size of [3456, 13_568, 32_768]) o.e.free(o.e.malloc(size));
    }
  });
});

describe.each(FLAVOURS)("%s: a block that needs many pages in a row", (flavour) => {
  it("continues the free pages at the heap's end: records of new arenas do not part them", () => {
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const hole = o.e.malloc(WASM_PAGE);
    const rest = o.e.malloc(100_000);
    const tail = o.e.malloc(48 * WASM_PAGE);
    o.e.free(hole);
    o.e.free(tail);
    const before = o.mem.pages;
    // Up into the third arena, of which there is no record yet.
    const p = o.e.malloc(140 * WASM_PAGE);
    expect(p).toBe(tail);
    expect(o.mem.pages - before).toBeLessThanOrEqual(140 - 48 + 2);
    expectValid(o, "at the end");
    for (const block of [p, rest]) o.e.free(block);
  });

  it("takes the place of empty spans, however much else is in use", () => {
    // Little dirty memory to begin with: what is left of it would be taken first.
    const o = open(flavour, { initial: 1, heapBase: 1024 });
    const small = Array.from({ length: 16 * 128 }, () => o.e.malloc(64));
    const used = o.e.malloc(4 << 20);
    for (const p of small) o.e.free(p);
    const p = o.e.malloc(9 * PAGE);
    expect(p).toBeLessThan(used);
    expectValid(o, "at the end");
  });

  it("and has grown through the classes stands behind what was there: no trail of its former places is left", () => {
    const o = open(flavour, { initial: 16, heapBase: 1024 });
    const small = Array.from({ length: 60 * 170 }, () => o.e.malloc(48));
    const end = Math.ceil((Math.max(...small) + 48) / PAGE) * PAGE;
    for (let round = 0; round < 3; round++) {
      let p = o.e.malloc(1000);
      for (let size = 1674; size < 120_000; size *= 2) p = o.e.realloc(p, size);
      expect(p - end, `round ${round}`).toBeLessThanOrEqual(PAGE);
      o.e.free(p);
      expectValid(o, `round ${round}`);
    }
  });
});

describe("memory that is partly fresh", () => {
  it("is cleared where it was used", () => {
    for (const used of [33_000, 40_000, 60_000]) {
      // 10 MiB, used up page by page, so that the next growth brings a reserve of a few wasm pages.
      const o = open("host", { initial: 160, heapBase: 1024 });
      while (o.mem.pages === 160) expect(o.e.malloc(8192)).not.toBe(0);
      const p = o.e.malloc(used);
      const usable = o.e.malloc_usable_size(p);
      o.mem.u8.fill(0xff, p, p + usable);
      expect(o.e.tryFree(p)).toBe(0);
      // All is given back: the next run of pages is partly used and partly fresh.
      o.e.releaseAll();
      const before = readStats(o);
      const size = usable + 3 * 8192;
      const q = o.e.calloc(1, size);
      expect(q, "over the used pages").toBe(p);
      verify(o, { p: q, size, mark: 0 }, `calloc of ${size} over ${used} used bytes`);
      const cleared = readStats(o).zeroedBytesCleared - before.zeroedBytesCleared;
      expect(cleared, "bytes cleared").toBeGreaterThanOrEqual(usable);
    }
  });
});

describe("a failed growth", () => {
  it("is counted, and tried again by the next request", () => {
    const o = open("host", { initial: 2, maximum: 6, heapBase: 1024 });
    expect(o.e.malloc(1_000_000)).toBe(0);
    expect(o.e.malloc(2_000_000)).toBe(0);
    const stats = readStats(o);
    expect(stats.sysGrowFailures).toBeGreaterThanOrEqual(2);
    expect(o.e.malloc(100_000)).not.toBe(0);
    expect(readStats(o).sysGrows).toBe(1);
  });

  it("takes nothing of what is free, for the records of arenas that do not come", () => {
    for (const flavour of FLAVOURS) {
      const o = open(flavour, { initial: 16, maximum: 16, heapBase: 1024 });
      const rest = o.e.malloc(16 * WASM_PAGE - 50 * PAGE);
      const p = o.e.malloc(40 * PAGE);
      o.e.free(p);
      for (const size of [0xfff00000, 0x80000000, 100 << 20, 8 << 20])
        expect(o.e.malloc(size), `${size} bytes`).toBe(0);
      expect(o.e.malloc(40 * PAGE), "the same pages again").toBe(p);
      o.e.free(rest);
      expectValid(o, "at the end");
    }
  });

  it("does not hide a misuse of the next realloc, nor the other way round", () => {
    const o = open("host", { initial: 2, maximum: 4, heapBase: 1024 });
    const p = o.e.malloc(100);
    expect(o.e.tryRealloc(p + 8, 10)).toBe(0);
    // lastMisuse was not asked: the next call has an outcome of its own.
    expect(o.e.tryRealloc(p, 10_000_000)).toBe(0);
    expect(o.e.lastMisuse()).toBe(0);
    expect(o.e.tryRealloc(p, 10_000_000)).toBe(0);
    expect(o.e.tryRealloc(p + 8, 10)).toBe(0);
    expect(o.e.lastMisuse()).toBe(3);
  });
});
