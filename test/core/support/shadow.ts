/**
 * A shadow of the heap in JavaScript: plays random calls against the host flavour and knows what must come of each.
 *
 * The model: the live blocks by address, each with its requested size, its usable size and its contents. Checked at
 * every call: alignment, bounds, no overlap (against both neighbours in address order), contents, zeroing, the kind of
 * each misuse. Checked now and then: validate(), the statistics against the model's own counts, pages of others.
 */
import { expect } from "vitest";
import { between, type Random, random } from "../../support/random.ts";
import {
  DOUBLE_FREE,
  ENOMEM,
  FOREIGN,
  type HostExports,
  INTERIOR,
  indexOfOther,
  M_MAX_BYTES,
  M_RESERVE,
  M_SOFT_LIMIT,
  type Opened,
  open,
  readStats,
  sumOfSys,
  TINY_BLOCK,
  WASM_PAGE,
} from "../../support/wasm.ts";

interface Block {
  p: number;
  size: number;
  usable: number;
  /** Where in the pattern its contents begin. */
  at: number;
}

/** Contents of all blocks: slices of one random pattern. */
const PATTERN = (() => {
  const r = random(1);
  return Uint8Array.from({ length: 3 << 20 }, () => r() & 0xff);
})();
const MAX_SIZE = 2 << 20;
const MAX_BYTES = 96 << 20;

/** As expect(got, what).toBe(want), at a hundredth of its price. */
function must(got: number, want: number, what: string): void {
  if (got !== want) throw new Error(`${what}: ${got}, not ${want}`);
}

class Shadow {
  readonly o: Opened<HostExports>;
  readonly r: Random;
  /** Live blocks in address order. */
  readonly blocks: Block[] = [];
  /** Objects of the tiny allocator: never freed. */
  readonly tiny: Block[] = [];
  readonly tinyBlocks = new Set<number>();
  /** Wasm pages that the test grew for itself: address and bytes. */
  readonly foreign: { base: number; bytes: number }[] = [];
  bytes = 0;
  allocs = 0;
  frees = 0;
  misuses = 0;
  refused = 0;
  limited = false;
  /** Sizes that a third of the requests have, drawn anew now and then. */
  favourites: number[] = [];

  constructor(seed: number) {
    this.r = random(seed);
    this.o = open("host", { initial: between(this.r, 1, 20), heapBase: 1024 + (this.r() % 60_000) });
    this.o.e.mallopt(M_RESERVE, this.r() % (1 << 20));
  }

  get e(): HostExports {
    return this.o.e;
  }

  chance(n: number): boolean {
    return this.r() % n === 0;
  }

  size(): number {
    const r = this.r;
    if (this.favourites.length === 0 || this.chance(4000)) {
      this.favourites = Array.from({ length: 4 }, () => between(r, 1, 2 ** between(r, 4, 15)));
    }
    if (this.chance(3)) return this.favourites[r() % 4] as number;
    const kind = r() % 100;
    if (kind < 2) return between(r, 0, 1);
    if (kind < 30) return between(r, 1, 16);
    if (kind < 75) return between(r, 17, 1024);
    if (kind < 94) return between(r, 1025, 32768 + 100);
    return between(r, 32769, kind === 99 ? MAX_SIZE : 200_000);
  }

  /** Index of the first block at or above `p`. */
  indexOf(p: number): number {
    let lo = 0;
    let hi = this.blocks.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if ((this.blocks[mid] as Block).p < p) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  write(b: Block): void {
    this.o.mem.u8.set(PATTERN.subarray(b.at, b.at + b.size), b.p);
  }

  verify(b: Block, upto: number, what: string): void {
    const { buffer } = this.o.mem.u8;
    const there = Buffer.from(buffer, b.p, upto);
    if (Buffer.compare(there, PATTERN.subarray(b.at, b.at + upto)) === 0) return;
    const at = PATTERN.subarray(b.at, b.at + upto).findIndex((v, i) => there[i] !== v);
    throw new Error(`${what}: byte ${at} of ${upto} at ${b.p.toString(16)} changed`);
  }

  verifyZero(p: number, size: number, what: string): void {
    const at = indexOfOther(this.o.mem.u8.subarray(p, p + size), 0);
    if (at >= 0) throw new Error(`${what}: byte ${at} of ${size} at ${p.toString(16)} is not zero`);
  }

  /** Takes a new block up. */
  adopt(p: number, size: number, align: number): void {
    const usable = this.e.malloc_usable_size(p);
    if (usable < size) throw new Error(`${usable} usable bytes of ${size} at ${p.toString(16)}`);
    if (p % align !== 0) throw new Error(`${p.toString(16)} is not aligned to ${align}`);
    if (p < this.o.heapBase || p + usable > this.o.mem.memory.buffer.byteLength) throw new Error("out of bounds");
    for (const f of this.foreign) {
      if (p < f.base + f.bytes && p + usable > f.base) throw new Error("a block in the pages of another");
    }
    const i = this.indexOf(p);
    const [before, after] = [this.blocks[i - 1], this.blocks[i]];
    if (before !== undefined && before.p + before.usable > p) throw new Error(`overlaps ${before.p.toString(16)}`);
    if (after !== undefined && p + usable > after.p) throw new Error(`overlaps ${after.p.toString(16)}`);
    const block = { p, size, usable, at: this.r() & 0xfffff };
    this.blocks.splice(i, 0, block);
    this.bytes += usable;
    this.write(block);
    this.allocs++;
  }

  /** Nothing came of a request: allowed only under a limit. */
  refuse(): void {
    if (!this.limited) throw new Error("out of memory without a limit");
    this.refused++;
  }

  /** One request through one of the entry points. */
  allocate(): void {
    const { r } = this;
    const size = this.size();
    const kind = r() % 10;
    if (kind < 4) this.take(this.e.malloc(size), size);
    else if (kind === 4) this.allocateZeroed(size);
    else if (kind < 7) this.allocateAligned(size);
    else if (kind === 7) this.take(this.e.realloc(0, size), size);
    else this.allocateTyped(size);
  }

  /** Takes the result of a C call up: at least 16-aligned from 16 bytes on, 8-aligned below. */
  take(p: number, size: number, align = 1): void {
    if (p === 0) this.refuse();
    else this.adopt(p, size, Math.max(align, size >= 16 ? 16 : 8));
  }

  allocateZeroed(size: number): void {
    const count = between(this.r, 1, 9);
    const each = Math.floor(size / count);
    const p = this.e.calloc(count, each);
    if (p !== 0) this.verifyZero(p, count * each, "calloc");
    this.take(p, count * each);
  }

  allocateAligned(size: number): void {
    const { e, r } = this;
    const align = 2 ** between(r, 2, 14);
    if (this.chance(3)) {
      this.take(e.aligned_alloc(align, size), size, align);
    } else if (this.chance(2)) {
      this.take(e.memalign(align, size), size, align);
    } else {
      // The result goes to a place below the heap.
      this.o.mem.view.setUint32(16, 0, true);
      const rc = e.posix_memalign(16, align, size);
      const p = this.o.mem.u32(16);
      must(rc, p === 0 ? ENOMEM : 0, "posix_memalign");
      this.take(p, size, align);
    }
  }

  allocateTyped(size: number): void {
    const { e, r } = this;
    const scan = r() & 1;
    const needzero = r() & 1;
    const p = e.mallocgc(size, scan, needzero);
    if (p !== 0 && (scan === 1 || needzero === 1)) this.verifyZero(p, size, "mallocgc");
    if (p === 0) {
      this.refuse();
    } else if (size === 0) {
      // One address for all objects of no size; freeing it is nothing.
      must(e.mallocgc(0, scan ^ 1, 0), p, "the address of objects of no size");
      must(e.tryFree(p), 0, "its free");
    } else if (size < 16 && scan === 0) {
      this.adoptTiny(p, size);
    } else {
      this.adopt(p, size, 8);
    }
  }

  adoptTiny(p: number, size: number): void {
    const align = size === 12 || size % 8 === 0 ? 8 : size % 4 === 0 ? 4 : size % 2 === 0 ? 2 : 1;
    if (p % align !== 0) throw new Error(`tiny object of ${size} at ${p.toString(16)}`);
    if ((p % 16) + size > 16) throw new Error("a tiny object over the end of its block");
    const i = this.indexOf(p + 16 - (p % 16));
    const before = this.blocks[i - 1];
    if (before !== undefined && before.p + before.usable > p - (p % 16)) throw new Error("a tiny block in another");
    this.tinyBlocks.add(p - (p % 16));
    const object = { p, size, usable: size, at: this.r() & 0xfffff };
    this.tiny.push(object);
    this.write(object);
  }

  release(i: number): void {
    const [b] = this.blocks.splice(i, 1);
    if (b === undefined) return;
    this.verify(b, b.size, "free");
    must(this.e.malloc_usable_size(b.p), b.usable, "usable size at free");
    if (this.chance(2)) must(this.e.tryFree(b.p), 0, "free of a live block");
    else this.e.free(b.p);
    this.bytes -= b.usable;
    this.frees++;
    if (this.chance(8)) this.misused(b.p, this.e.spanOf(b.p) === 0 ? FOREIGN : DOUBLE_FREE);
  }

  resize(i: number): void {
    const b = this.blocks[i];
    if (b === undefined) return;
    let size = this.size();
    if (this.chance(3)) size = b.size + (b.size >> 1);
    if (this.chance(4)) size = b.size >> 1;
    size = Math.min(size, MAX_SIZE);
    this.verify(b, b.size, "before realloc");
    // The block leaves the model meanwhile: the new one may lie over it.
    this.blocks.splice(i, 1);
    this.bytes -= b.usable;
    const p = this.chance(2) ? this.e.tryRealloc(b.p, size) : this.e.realloc(b.p, size);
    if (p === 0) {
      must(this.e.lastMisuse(), 0, "misuse of a live block");
      this.refuse();
      this.allocs--;
      this.verify(b, b.size, "after a realloc that failed");
      this.adopt(b.p, b.size, 8);
      return;
    }
    this.verify({ ...b, p }, Math.min(b.size, size), "realloc");
    // A move is an allocation and a free; in place it is neither.
    if (p === b.p) this.allocs--;
    else this.frees++;
    this.adopt(p, size, 8);
  }

  /** A call with `p` is refused as `kind` and changes nothing. */
  misused(p: number, kind: number): void {
    const what = p.toString(16);
    must(this.e.tryFree(p), kind, `free of ${what}`);
    must(this.e.tryRealloc(p, 1 + (this.r() % 1000)), 0, `realloc of ${what}`);
    must(this.e.lastMisuse(), kind, `realloc of ${what}`);
    must(this.e.malloc_usable_size(p), 0, `usable size of ${what}`);
    this.misuses += 2;
  }

  misuse(): void {
    const { e, r } = this;
    const b = this.blocks[r() % (this.blocks.length + 1)];
    const t = this.tiny[r() % (this.tiny.length + 1)];
    const f = this.foreign[r() % (this.foreign.length + 1)];
    const end = this.o.mem.memory.buffer.byteLength;
    if (b !== undefined) {
      const inside = b.p + between(r, 1, b.usable - 1);
      must(e.objectBase(inside), b.p, "objectBase from inside");
      must(e.objectBase(b.p), b.p, "objectBase of itself");
      this.misused(inside, INTERIOR);
      // The span's record is the heap's own: no block.
      this.misused(e.spanOf(b.p), FOREIGN);
    }
    if (t !== undefined) this.misused(t.p, TINY_BLOCK);
    if (f !== undefined) this.misused(f.base + (r() % f.bytes), FOREIGN);
    this.misused(1 + (r() % (this.o.heapBase - 1)), FOREIGN);
    this.misused(Math.min(end + (r() % 70_000), 0xffffffff), FOREIGN);
    this.misused(0xffffffff - (r() % 70_000), FOREIGN);
    must(e.tryFree(0), 0, "free of null");
    must(e.malloc_usable_size(0), 0, "usable size of null");
  }

  /** Someone else grows the memory and writes to its pages. */
  growForeign(): void {
    const pages = between(this.r, 1, 3);
    const base = this.o.mem.memory.grow(pages) * WASM_PAGE;
    this.foreign.push({ base, bytes: pages * WASM_PAGE });
    this.o.mem.u8.fill(0xee, base, base + pages * WASM_PAGE);
  }

  /** Limits come and go. */
  option(): void {
    const { e, r } = this;
    if (this.chance(3)) {
      // The heap may have more already than the limit says; then it only stops growing.
      e.mallopt(M_MAX_BYTES, between(r, 1, 48) * 2 ** 20);
      this.limited = true;
    } else if (this.chance(2)) {
      e.mallopt(M_SOFT_LIMIT, (r() % 64) * 2 ** 20);
      e.mallopt(M_RESERVE, r() % (1 << 20));
    } else {
      e.mallopt(M_MAX_BYTES, 0);
      this.limited = false;
    }
  }

  check(): void {
    const { e } = this;
    const code = e.validateDeep();
    if (code !== 0) throw new Error(`validate: ${code} at ${e.validateInfo().toString(16)}`);
    for (const t of this.tiny) this.verify(t, t.size, "tiny object");
    for (const f of this.foreign) {
      const at = indexOfOther(this.o.mem.u8.subarray(f.base, f.base + f.bytes), 0xee);
      if (at >= 0) throw new Error(`the page of another was written at ${(f.base + at).toString(16)}`);
    }
    const s = readStats(this.o);
    expect(s.mallocs - s.tinyAllocs, "allocations").toBe(this.allocs + this.tinyBlocks.size);
    expect(s.frees, "frees").toBe(this.frees + s.tinyAllocs);
    expect(s.misuses, "misuses").toBe(this.misuses);
    expect(s.tinyAllocs + this.tinyBlocks.size, "tiny objects").toBe(this.tiny.length);
    expect(s.heapAlloc, "live bytes").toBe(this.bytes + this.tinyBlocks.size * 16);
    expect(s.heapSys, "heapSys").toBe(s.heapInuse + s.heapIdle);
    expect(s.sys, "sys").toBe(sumOfSys(s));
    const perClass = s.bySize.reduce((n, c) => n + c.mallocs - c.frees, 0);
    expect(perClass + s.largeMallocs - s.largeFrees, "live blocks").toBe(this.blocks.length + this.tinyBlocks.size);
    const large = this.blocks.filter((b) => b.usable > 32768).reduce((n, b) => n + b.usable, 0);
    expect(s.largeLiveBytes, "large blocks").toBeGreaterThanOrEqual(large);
  }

  step(): void {
    const { r } = this;
    const live = this.blocks.length;
    const full = live > 3000 || this.bytes > MAX_BYTES;
    // More frees than allocations and the other way round, by turns.
    const freeShare = full ? 100 : Math.floor(this.allocs / 5000) % 2 === 0 ? 35 : 55;
    const kind = r() % 1000;
    if (kind < 8) this.misuse();
    else if (kind < 9) this.growForeign();
    else if (kind < 11) this.option();
    else if (kind < 12) this.e.releaseAll();
    else if (kind < 13) this.e.reclaim();
    else if (kind < 180 && live > 0) this.resize(r() % live);
    else if (live > 0 && r() % 100 < freeShare) this.release(r() % live);
    else this.allocate();
  }

  /** Frees everything; the memory serves again. */
  drain(): void {
    while (this.blocks.length > 0) this.release(this.r() % this.blocks.length);
    this.check();
    this.e.releaseAll();
    this.check();
    expect(this.e.validate()).toBe(0);
  }
}

/** Plays `ops` operations; an error names the seed and the operation. */
export function playShadow(seed: number, ops: number): void {
  const shadow = new Shadow(seed);
  let i = 0;
  try {
    for (; i < ops; i++) {
      shadow.step();
      if (i % 2000 === 1999) shadow.check();
    }
    shadow.drain();
    for (let more = 0; more < 2000; more++) shadow.step();
    shadow.drain();
  } catch (error) {
    throw new Error(`seed ${seed}, operation ${i} of ${ops}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}
