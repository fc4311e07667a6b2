/**
 * The page allocator as its textbook says it, without any structure: one byte a page for the whole address space.
 * Address-ordered first fit by scanning; summaries by counting. What the wasm is compared with.
 *
 * Laws compared after every sequence: bitmaps equal, scavenged implies free, every maintained summary equals the
 * counted one, no free page lies below searchAddr.
 */
import { expect } from "vitest";
import { CHUNK_PAGES, type Opened, open, PAGE, type TestExports } from "../../support/wasm.ts";

const PAGES = 2 ** 32 / PAGE;
/** log2 of the pages of a summary, per level, root first. */
const LOG_PAGES = [12, 9, 6];
const FIELD = 15n;

/** A pallocSum from its three counts. */
export function packSum(start: number, max: number, end: number): bigint {
  return BigInt(start) | (BigInt(max) << FIELD) | (BigInt(end) << (2n * FIELD));
}

export function unpackSum(sum: bigint): { start: number; max: number; end: number } {
  const field = (i: bigint) => Number((sum >> (i * FIELD)) & 0x7fffn);
  return { start: field(0n), max: field(1n), end: field(2n) };
}

/** start, max and end of the free pages in a row of flags (1 = free). */
export function countSum(free: ArrayLike<number>, from: number, to: number): bigint {
  let max = 0;
  let run = 0;
  let start = -1;
  for (let i = from; i < to; i++) {
    if (free[i] === 1) {
      run++;
    } else {
      if (start < 0) start = run;
      if (run > max) max = run;
      run = 0;
    }
  }
  if (start < 0) start = run;
  return packSum(start, Math.max(max, run), run);
}

/** The bits [from, from + length). */
export function bits(from: number, length: number): bigint {
  return ((1n << BigInt(length)) - 1n) << BigInt(from);
}

export const ALL_BITS = bits(0, 64);

export class PageModel {
  readonly free = new Uint8Array(PAGES);
  readonly scav = new Uint8Array(PAGES);
  /** Chunks that some range ever touched. */
  readonly chunks = new Set<number>();
  /** Scavenged pages in the last run given out. */
  lastScav = 0;

  #touch(page: number, n: number): void {
    for (let c = page >> 6; c <= (page + n - 1) >> 6; c++) this.chunks.add(c);
  }

  /** The pages become free and scavenged. */
  grow(page: number, n: number): void {
    this.free.fill(1, page, page + n);
    this.scav.fill(1, page, page + n);
    this.#touch(page, n);
  }

  /** Lowest page of the first run of n free pages, or 0. */
  find(n: number): number {
    let run = 0;
    const ordered = [...this.chunks].sort((a, b) => a - b);
    let previous = -2;
    for (const c of ordered) {
      if (c !== previous + 1) run = 0;
      previous = c;
      for (let p = c * CHUNK_PAGES; p < (c + 1) * CHUNK_PAGES; p++) {
        run = this.free[p] === 1 ? run + 1 : 0;
        if (run === n) return p - n + 1;
      }
    }
    return 0;
  }

  /** Takes the first fit: its lowest page, or 0. */
  alloc(n: number): number {
    const page = this.find(n);
    this.lastScav = 0;
    if (page !== 0) {
      for (let p = page; p < page + n; p++) this.lastScav += this.scav[p] ?? 0;
      this.free.fill(0, page, page + n);
      this.scav.fill(0, page, page + n);
    }
    return page;
  }

  release(page: number, n: number): void {
    this.free.fill(1, page, page + n);
  }

  setChunk(chunk: number, alloc: bigint, scav: bigint): void {
    for (let i = 0; i < CHUNK_PAGES; i++) {
      const isFree = ((alloc >> BigInt(i)) & 1n) === 0n;
      this.free[chunk * CHUNK_PAGES + i] = isFree ? 1 : 0;
      this.scav[chunk * CHUNK_PAGES + i] = isFree ? Number((scav >> BigInt(i)) & 1n) : 0;
    }
    this.chunks.add(chunk);
  }

  /** What the page cache takes: the chunk of the lowest free page. */
  refill(): { base: number; cache: bigint; scav: bigint } {
    const page = this.find(1);
    if (page === 0) return { base: 0, cache: 0n, scav: 0n };
    const first = page - (page % CHUNK_PAGES);
    const got = { base: first * PAGE, cache: this.word(this.free, first), scav: this.word(this.scav, first) };
    this.free.fill(0, first, first + CHUNK_PAGES);
    this.scav.fill(0, first, first + CHUNK_PAGES);
    return got;
  }

  /** 64 flags from `page` as a word. */
  word(flags: Uint8Array, page: number): bigint {
    let w = 0n;
    for (let i = 0; i < CHUNK_PAGES; i++) if (flags[page + i] === 1) w |= 1n << BigInt(i);
    return w;
  }

  allocBits(chunk: number): bigint {
    return this.word(this.free, chunk * CHUNK_PAGES) ^ ALL_BITS;
  }

  scavBits(chunk: number): bigint {
    return this.word(this.scav, chunk * CHUNK_PAGES);
  }

  /** Compares everything that the wasm maintains; `note` is printed with a difference. */
  check({ e }: Opened<TestExports>, note = ""): void {
    const near = this.#neighbourhood();
    for (const c of near) {
      expect(hex(e.pagesBits(c)), `alloc bits of chunk ${c} ${note}`).toBe(hex(this.allocBits(c)));
      expect(hex(e.pagesScav(c)), `scavenged bits of chunk ${c} ${note}`).toBe(hex(this.scavBits(c)));
    }
    for (let level = 2; level >= e.pagesRootLevel(); level--) {
      const log = LOG_PAGES[level] ?? 0;
      for (const i of new Set([...near].map((c) => (c * CHUNK_PAGES) >> log))) {
        const want = countSum(this.free, i << log, (i + 1) << log);
        const got = e.pagesSum(level, i);
        expect(unpackSum(got), `summary ${i} of level ${level} ${note}`).toEqual(unpackSum(want));
        expect(hex(got), `packed summary ${i} of level ${level} ${note}`).toBe(hex(want));
      }
    }
    const lowest = this.find(1);
    if (lowest !== 0) expect(e.pagesSearchAddr(), `searchAddr ${note}`).toBeLessThanOrEqual(lowest * PAGE);
  }

  /** That nothing but the touched chunks was written: every other leaf is allocated, unscavenged, of summary 0. */
  checkElsewhere({ e }: Opened<TestExports>): void {
    const wrong: number[] = [];
    for (let c = 0; c < PAGES / CHUNK_PAGES; c++) {
      if (this.chunks.has(c)) continue;
      if (e.pagesBits(c) !== ALL_BITS || e.pagesScav(c) !== 0n || e.pagesSum(2, c) !== 0n) wrong.push(c);
    }
    expect(wrong, "chunks that the heap was never given").toEqual([]);
  }

  /** The touched chunks and those beside them. */
  #neighbourhood(): Set<number> {
    const near = new Set<number>();
    for (const c of this.chunks) {
      for (const d of [-1, 0, 1]) if (c + d >= 0 && c + d < PAGES / CHUNK_PAGES) near.add(c + d);
    }
    return near;
  }
}

/** A playground of the page allocator, with nothing in it, and the model of that. */
export class PagePlayground {
  readonly o: Opened<TestExports>;
  readonly model = new PageModel();
  readonly #grown = new Uint8Array(PAGES);

  constructor() {
    this.o = open("test", { heapBase: null });
    this.o.e.pagesInit();
    // The playground's own records may have come through the page cache.
    this.o.e.pcSet(0, 0n, 0n);
  }

  get e(): TestExports {
    return this.o.e;
  }

  /** Gives the pages to both; false if some were given before (then nothing happens). */
  grow(page: number, n: number): boolean {
    if (this.#grown.subarray(page, page + n).includes(1)) return false;
    this.#grown.fill(1, page, page + n);
    expect(this.e.pagesGrow(page * PAGE, n * PAGE), `grow of ${n} pages at ${page}`).not.toBe(0);
    this.model.grow(page, n);
    return true;
  }

  /** A chunk with the allocation and scavenged bits given; the summaries wait for rebuild(). */
  chunk(chunk: number, alloc: bigint, scav: bigint): void {
    this.grow(chunk * CHUNK_PAGES, CHUNK_PAGES);
    this.model.setChunk(chunk, alloc, scav);
    this.e.pagesSetState(chunk, alloc, scav & ~alloc);
  }

  rebuild(): void {
    this.e.pagesRebuild();
    this.model.check(this.o, "after the setup");
  }

  /** Allocates in both and compares: the page, or 0. */
  alloc(n: number, note = ""): number {
    const page = this.e.pagesAlloc(n) / PAGE;
    expect(page, `page of a run of ${n} ${note}`).toBe(this.model.alloc(n));
    if (page !== 0) expect(this.e.pagesAllocScav(), `scavenged of ${n} at ${page} ${note}`).toBe(this.model.lastScav);
    return page;
  }

  release(page: number, n: number): void {
    this.e.pagesFree(page * PAGE, n);
    this.model.release(page, n);
  }

  check(note = ""): void {
    this.model.check(this.o, note);
  }
}

/** A request for pages and what must come of it. */
export interface Request {
  npages: number;
  /** Page relative to the scenario's first; null: nothing. */
  page: number | null;
  scav: number;
}

/** Reads requests from "2@62/1 5!": 2 pages are found at 62, one of them scavenged; 5 are not found. */
export function requests(text: string): Request[] {
  return text.split(" ").map((word) => {
    const match = /^(\d+)(?:!|@(\d+)\/(\d+))$/.exec(word);
    if (match === null) throw new Error(`not a request: ${word}`);
    const [, npages, page, scav] = match;
    return { npages: Number(npages), page: page === undefined ? null : Number(page), scav: Number(scav ?? 0) };
  });
}

export const hex = (w: bigint): string => `0x${w.toString(16).padStart(16, "0")}`;
