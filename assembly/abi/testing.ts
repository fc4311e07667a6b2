/**
 * The tests' only access to the internals: the host ABI, and below it the pieces that unit tests drive directly.
 *
 * Tests of the page allocator use an instance of their own. pagesInit makes a heap whose own pages are all taken, so
 * that the test's ranges are the only free ones. They need no memory behind them, because the page allocator never
 * touches pages.
 *
 * Owner: the test. Cost: irrelevant; no release module has it.
 */

export * from "./host";
export { findBitRange64 } from "../base/bits";
export { classPages, classSize } from "../alloc/init";
export { classOfSize } from "../gc/mallocgc";
export { summarize as pallocSumOf } from "../heap/pallocsum";
export { fillAligned } from "../heap/scavenge";

import { STAT_RUN_HITS, counter } from "../base/counters";
import { brokenLaw as foundBroken } from "../central/laws";
import { ARENA_SHIFT, MAX_SMALL_SIZE, PAGE_SHIFT } from "../base/config";
import { ARENA_BITS, ARENA_RECORD_SIZE, ARENA_SCAV, HEAP_ARENA_MAP } from "../base/layout";
import { arenaOf, central, heap, mheap, mlocal, rowIndex } from "../base/state";
import { bootstrap } from "../alloc/init";
import { tableRow } from "../alloc/blocks";
import { fittedPages } from "../central/fitted";
import { recordSpace } from "../central/records";
import { arenaInit } from "../heap/arena";
import {
  SUMS_SIZE,
  allocPages,
  chunkBits,
  chunkScav,
  coverArenas,
  freePages,
  growPages,
  sumAddress,
  rebuildSums,
} from "../heap/pagealloc";
import { pageCacheAlloc, pageCacheFlush, pageCacheRefill } from "../heap/pagecache";
import { mergeSums as mergeSumsImpl } from "../heap/pallocsum";
import { candidate, findCandidate } from "../heap/scavenge";

/** The broken law that a check in the heap's operations found (central/laws.ts); 0: none. */
export function brokenLaw(): u32 {
  return foundBroken;
}

let space: u32 = 0;
let spaceEnd: u32 = 0;
let scratchAt: u32 = 0;

/** Raw memory for records, from memory.grow, outside the heap. */
function rawRecord(size: u32): u32 {
  size = (size + 15) & ~15;
  if (spaceEnd - space < size) {
    const n = (size + 0xffff) >> 16;
    space = (<u32>memory.grow(n)) << 16;
    spaceEnd = space + (n << 16);
  }
  const at = space;
  space += size;
  return at;
}

/** Make a heap without a free page: all its pages are taken. Any error traps. */
export function pagesInit(): void {
  if (!bootstrap(false, 0)) unreachable();
  scratchAt = recordSpace(1024);
  while (allocPages(1)) {}
  const h = mheap();
  h.arenaLo = 1023;
  h.arenaHi = 0;
  for (let a: u32 = 0; a < 1024; a++) store<u32>(arenaMapAt(a), 0);
  h.searchPage = 0x80000;
}

function arenaMapAt(a: u32): u32 {
  return heap + HEAP_ARENA_MAP + (a << 2);
}

/** 1 KiB of scratch memory. */
export function scratch(): u32 {
  return scratchAt;
}

/** Give [base, base + bytes), page aligned, to the page allocator as fresh pages. */
export function pagesGrow(base: u32, bytes: u32): i32 {
  const h = mheap();
  const first = base >> ARENA_SHIFT;
  const last = (base + bytes - 1) >> ARENA_SHIFT;
  for (let a = first; a <= last; a++) {
    if (arenaOf(a) == 0) arenaInit(a, rawRecord(ARENA_RECORD_SIZE));
  }
  if (h.sums == 0) {
    h.sums = rawRecord(SUMS_SIZE);
    memory.fill(h.sums, 0, SUMS_SIZE);
  }
  coverArenas(min(h.arenaLo, first), max(h.arenaHi, last));
  growPages(base >> PAGE_SHIFT, bytes >> PAGE_SHIFT, true);
  return 1;
}

export function pagesAlloc(npages: u32): u32 {
  return allocPages(npages) << PAGE_SHIFT;
}

/** Number of scavenged pages in the last allocation. */
export function pagesAllocScav(): u32 {
  return mheap().lastScav;
}

export function pagesFree(base: u32, npages: u32): void {
  freePages(base >> PAGE_SHIFT, npages);
}

export function pagesBits(chunk: u32): u64 {
  return chunkBits(chunk);
}

export function pagesScav(chunk: u32): u64 {
  return chunkScav(chunk);
}

export function pagesSum(level: i32, index: u32): u64 {
  if (level == 2 && arenaOf(index >> 3) == 0) return 0;
  return load<u64>(sumAddress(level, index));
}

/** The run that the scavenger takes of a chunk: first page | count << 8; 0: none. */
export function candidateOf(bits: u64, m: u32, most: u32): u32 {
  const n = findCandidate(bits, m, most);
  return n == 0 ? 0 : candidate | (n << 8);
}

export function pagesRootLevel(): i32 {
  return mheap().rootLevel;
}

export function pagesSearchAddr(): u32 {
  const page = mheap().searchPage;
  return page >= 0x80000 ? 0xffffffff : page << PAGE_SHIFT;
}

/** Set a chunk's bits directly; pagesRebuild updates the rest. */
export function pagesSetState(chunk: u32, allocBits: u64, scavBits: u64): void {
  const at = arenaOf(chunk >> 3) + ((chunk & 7) << 3);
  store<u64>(at, allocBits, ARENA_BITS);
  store<u64>(at, scavBits, ARENA_SCAV);
}

export function pagesRebuild(): void {
  const h = mheap();
  rebuildSums();
  h.searchPage = h.arenaLo << 9;
}

export function mergeSums(sums: u32, n: i32, logPages: i32): u64 {
  return mergeSumsImpl(sums, n, 1 << logPages);
}

export function pcSet(base: u32, cache: u64, scav: u64): void {
  const h = mlocal();
  h.pcBase = base >> PAGE_SHIFT;
  h.pcCache = cache;
  h.pcScav = scav;
}

export function pcAlloc(npages: u32): u32 {
  mheap().lastScav = 0;
  return npages > 64 ? 0 : pageCacheAlloc(npages) << PAGE_SHIFT;
}

export function pcScav(): u32 {
  return mheap().lastScav;
}

export function pcFlush(): void {
  pageCacheFlush();
}

export function pcRefill(): i32 {
  return pageCacheRefill() ? 1 : 0;
}

export function pcBase(): u32 {
  return mlocal().pcBase << PAGE_SHIFT;
}

export function pcCache(): u64 {
  return mlocal().pcCache;
}

export function pcScavBits(): u64 {
  return mlocal().pcScav;
}

/** Number of cached runs, and how many runs the cache has given out. */
export function runCount(): u32 {
  return mheap().runCount;
}

export function runHits(): u32 {
  return <u32>counter(STAT_RUN_HITS);
}

/** Pages of a span of fitted slots. */
export { fittedPages };

/** Reciprocal of a class. */
export function classMagic(c: u32): u32 {
  return central(c).divMagic;
}

/** Class that the C entry points use for 1..32768 bytes. */
export function cClassOfSize(size: u32): u32 {
  const address = tableRow(size);
  return size > MAX_SMALL_SIZE ? 0 : central(rowIndex(address)).sizeclass;
}
