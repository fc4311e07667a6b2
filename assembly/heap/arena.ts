/**
 * heapArena: page records and the lookup from an address to its span.
 *
 *   address -> arenaMap[address >> 22] -> PageRecord[(address >> 13) & 511] -> groups - 32 = MSpan
 *
 * A small span has its record on each of its pages. A large span has one on its first page only: writing a hundred of
 * them would cost more than the whole allocation, and free needs only the first. For an address inside a large span,
 * spanOf searches back to the nearest set bit of inUse, which marks first pages.
 *
 * Lock: H to write; addresses of live blocks are read without a lock. Cost: O(1); inside a large span O(pages / 64).
 */

import { ARENA_SHIFT, PAGE_SHIFT, SHARED_GC } from "../base/config";
import {
  ARENA_BITS,
  ARENA_IN_USE,
  ARENA_RECORD_SIZE,
  MSPAN_SIZE,
  MSpan,
  PAGE_RECORD_SHIFT,
  PageRecord,
} from "../base/layout";
import { arenaOf, setArena } from "../base/state";

@inline const PAGE_IN_ARENA: u32 = 511;

/**
 * Register the arena `index`, with all of its pages marked allocated, so that none can be given out yet. `record` is
 * raw memory for its record.
 */
export function arenaInit(index: u32, record: u32): void {
  memory.fill(record, 0, ARENA_RECORD_SIZE);
  memory.fill(record + ARENA_BITS, 0xff, 64);
  setArena(index, record);
}

/** The record of a page by its index; the arena exists. */
@inline
export function pageRecord(page: u32): PageRecord {
  return changetype<PageRecord>(<usize>(arenaOf(page >> 9) + ((page & PAGE_IN_ARENA) << PAGE_RECORD_SHIFT)));
}

/** pageRecord as a call, for code that seldom runs: there a call costs less than the code size. */
export function recordAt(page: u32): PageRecord {
  return pageRecord(page);
}

/** No span begins or lies on the page any more. */
@inline
export function clearRecord(page: u32): void {
  const r = changetype<usize>(pageRecord(page));
  store<u64>(r, 0, offsetof<PageRecord>("base"));
  store<u64>(r, 0, offsetof<PageRecord>("groups"));
}

/** Words of inUse bits: 64 pages each. */
@inline
function inUseWord(page: u32): usize {
  return arenaOf(page >> 9) + (((page >> 6) & 7) << 3);
}

@inline
export function setInUse(page: u32): void {
  const w = inUseWord(page);
  store<u64>(w, load<u64>(w, ARENA_IN_USE) | ((<u64>1) << (page & 63)), ARENA_IN_USE);
}

@inline
export function clearInUse(page: u32): void {
  const w = inUseWord(page);
  store<u64>(w, load<u64>(w, ARENA_IN_USE) & ~((<u64>1) << (page & 63)), ARENA_IN_USE);
}

/** inUse bits of 64 pages from page index `page` (a multiple of 64); 0 where the heap owns nothing. */
export function inUseBits(page: u32): u64 {
  return arenaOf(page >> 9) ? load<u64>(inUseWord(page), ARENA_IN_USE) : 0;
}

/** The span in use that contains the byte at `p`, interior pages included; null if there is none. Any p. */
export function spanOf(p: u32): MSpan | null {
  let page = p >> PAGE_SHIFT;
  const arena = arenaOf(p >> ARENA_SHIFT);
  if (arena == 0) return null;
  let groups = changetype<PageRecord>(<usize>(arena + ((page & PAGE_IN_ARENA) << PAGE_RECORD_SHIFT))).groups;
  if (groups == 0) {
    let word = page >> 6;
    let bits = inUseBits(word << 6) & (~(<u64>0) >> (63 - (page & 63)));
    while (bits == 0) {
      if (word == 0) return null;
      word--;
      // A hole between arenas ends the search: no span crosses memory that the heap does not own.
      if (arenaOf(word >> 3) == 0) return null;
      bits = inUseBits(word << 6);
    }
    page = (word << 6) + 63 - <u32>clz(bits);
    groups = pageRecord(page).groups;
    // Another thread may be freeing the span.
    if (SHARED_GC && groups == 0) return null;
  }
  const span = changetype<MSpan>(<usize>(groups - MSPAN_SIZE));
  if (p - span.startAddr >= span.npages << PAGE_SHIFT) return null;
  return span;
}
