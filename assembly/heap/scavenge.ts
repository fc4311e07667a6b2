/**
 * The scavenger's part in wasm: it picks free pages that the host can give back to the system.
 *
 * A page is scavenged when it is free, and known to be zero: nobody has used it since memory.grow, or the host has
 * given it back. The host asks for a run (scavengeOne), gives it back, and says so (scavengeEnd). Meanwhile the run is
 * allocated, and no lock is held: what a system call takes, nobody waits for. If the thread dies in between, the
 * record of its P names the run, and the recovery frees it.
 *
 *   quantum    aligned groups of QUANTUM pages, 64 KiB: a wasm page, and a multiple of every system's page
 *   order      from high addresses down, because the page allocator fills from low ones up
 *   density    a chunk that was nearly full when the generation began, or is now, keeps its pages: they will be wanted
 *              soon, and a system that backs it by a huge page does not have to split that. A new generation begins
 *              when the host says so. `force` takes every page.
 *
 * The idea and the rules are those of Go's scavenger (mgcscavenge.go). Its index counts as pages come and go; here a
 * generation's begin looks at all chunks once, so that allocation pays nothing.
 *
 * Lock: H. Cost: O(chunks above the run), and for a generation O(chunks). Host flavours only.
 */

import { CHUNK_PAGES, CHUNK_PAGES_SHIFT, NUM_ARENAS, SHARED, WASM_PAGE_PAGES } from "../base/config";
import { ARENA_DENSE } from "../base/layout";
import { bitRange } from "../base/bits";
import { arenaOf, clearMoving, local, mheap, pAt, setMoving } from "../base/state";
import { chunkBits, chunkScav, freePages, freeScavenged, takePages } from "./pagealloc";

/** Least pages of a run, to whose multiples it is aligned. */
@inline const QUANTUM: u32 = WASM_PAGE_PAGES;
/** A chunk with this many pages in use is dense. */
@inline const DENSE: u32 = 62;

/** With one thread: the run that the host is giving back, first page | count << 32. */
let held: u64 = 0;

/** `bits` with each aligned group of `m` bits, a power of two, set if one of its bits is. */
export function fillAligned(bits: u64, m: u32): u64 {
  if (m >= 64) return bits == 0 ? 0 : ~(<u64>0);
  for (let n: u32 = 1; n < m; n <<= 1) bits |= bits >> n;
  const group = ((<u64>1) << m) - 1;
  return (bits & (~(<u64>0) / group)) * group;
}

/** What findCandidate found: its first page within the chunk, and its length. */
export let candidate: u32 = 0;

/**
 * Number of pages of the highest run in a chunk of which no page is set in `bits`, in whole aligned groups of `m`
 * pages; at most `most`, rounded up to such groups, from its high end. 0: there is none.
 */
export function findCandidate(bits: u64, m: u32, most: u32): u32 {
  const free = ~fillAligned(bits, m);
  if (free == 0) return 0;
  const end = CHUNK_PAGES - <u32>clz(free);
  const run = end == CHUNK_PAGES ? <u32>clz(~free) : <u32>clz(~(free << (CHUNK_PAGES - end)));
  const n = min(run, (max(most, 1) + m - 1) & ~(m - 1));
  candidate = end - n;
  return n;
}

/** Pages in use of a chunk. */
@inline
function pagesInUse(chunk: u32): u32 {
  return <u32>popcnt(chunkBits(chunk));
}

/** Where the pages in use of a chunk are noted; its arena exists. */
@inline
function denseAt(chunk: u32): usize {
  return arenaOf(chunk >> 3) + (chunk & 7);
}

/** A generation begins: note how many pages each chunk has in use. Under H. */
export function nextGeneration(): void {
  const h = mheap();
  for (let c = h.arenaLo << 3; c < (h.arenaHi + 1) << 3; c++) {
    if (arenaOf(c >> 3)) store<u8>(denseAt(c), <u8>pagesInUse(c), ARENA_DENSE);
  }
}

/** Whether the pages of a chunk may be scavenged without force. */
function isSparse(chunk: u32): bool {
  return max(pagesInUse(chunk), <u32>load<u8>(denseAt(chunk), ARENA_DENSE)) < DENSE;
}

/**
 * Take the highest run of free pages that are not scavenged, all of them below page `end`, and at most `most` pages,
 * rounded up to whole quanta. Returns its first page, 0: there is none, or this thread has one already. Under H.
 */
export function takeCandidate(end: u32, most: u32, force: bool): u32 {
  const h = mheap();
  if (heldRun() != 0) return 0;
  const top = min(end, (h.arenaHi + 1) << 9);
  for (let c = (top + CHUNK_PAGES - 1) >> CHUNK_PAGES_SHIFT; c > h.arenaLo << 3;) {
    c--;
    if (arenaOf(c >> 3) == 0) continue;
    const first = c << CHUNK_PAGES_SHIFT;
    let bits = chunkBits(c) | chunkScav(c);
    if (top - first < CHUNK_PAGES) bits |= ~bitRange(0, top - first);
    if (bits == ~(<u64>0) || (!force && !isSparse(c))) continue;
    const n = findCandidate(bits, QUANTUM, most);
    if (n == 0) continue;
    const page = first + candidate;
    const scavenged = h.lastScav;
    setMoving(page, n);
    takePages(page, n);
    hold((<u64>page) | ((<u64>n) << 32));
    clearMoving();
    h.lastScav = scavenged;
    return page;
  }
  return 0;
}

/** The run that is held by the P at `record`, first page | count << 32; 0: none. With one thread the heap has it. */
@inline
function heldBy(record: u32): u64 {
  return SHARED ? pAt(record).scavenging : held;
}

/** heldBy this thread: what its host is giving back. */
export function heldRun(): u64 {
  return heldBy(local);
}

function hold(run: u64): void {
  if (SHARED) pAt(local).scavenging = run;
  else held = run;
}

/** The run that takeCandidate took is free; `zero`: it was given back, and reads as zero. Under H. */
export function putCandidate(zero: bool): void {
  const run = heldRun();
  if (run == 0) return;
  const page = <u32>run;
  const n = <u32>(run >> 32);
  setMoving(page, n);
  hold(0);
  if (zero) freeScavenged(page, n);
  else freePages(page, n);
  clearMoving();
}

/** Pages of the run that the P at `record` holds. */
export function heldPages(record: u32): u32 {
  return <u32>(heldBy(record) >> 32);
}

/** Whether the run that the P at `record` holds is one that takeCandidate gives, if it holds any. */
export function isHeldRight(record: u32): bool {
  const run = heldBy(record);
  if (run == 0) return true;
  const page = <u32>run;
  const n = <u32>(run >> 32);
  if (page == 0 || n == 0 || n > CHUNK_PAGES || ((page | n) & (QUANTUM - 1)) != 0) return false;
  const bit = page & (CHUNK_PAGES - 1);
  if (bit + n > CHUNK_PAGES || page >> CHUNK_PAGES_SHIFT >= NUM_ARENAS << 3) return false;
  if (arenaOf((page >> CHUNK_PAGES_SHIFT) >> 3) == 0) return false;
  return (~chunkBits(page >> CHUNK_PAGES_SHIFT) & bitRange(bit, n)) == 0;
}

/** Free the run that a dead thread held, as dirty. False: it held none. Under H. */
export function freeHeld(record: u32): bool {
  if (!SHARED) return false;
  const run = pAt(record).scavenging;
  if (run == 0) return false;
  freePages(<u32>run, <u32>(run >> 32));
  pAt(record).scavenging = 0;
  return true;
}

/** Free pages that are scavenged, or with `dirty` those that are not. O(chunks). */
export function countIdle(dirty: bool): u32 {
  const h = mheap();
  let n: u32 = 0;
  for (let c = h.arenaLo << 3; c < (h.arenaHi + 1) << 3; c++) {
    const scav = chunkScav(c);
    n += <u32>popcnt(dirty ? ~(chunkBits(c) | scav) : scav);
  }
  return n;
}
