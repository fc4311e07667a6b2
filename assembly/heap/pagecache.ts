/**
 * The page cache of a P: up to 64 free pages of one chunk, taken from the page allocator at once.
 *
 *   pcBase (page index, chunk aligned) | pcCache u64, 1 = free | pcScav u64, 1 = reads as zero
 *
 * The page allocator counts these pages as allocated. The idea is Go's pageCache.
 *
 * Owner: the P; H only while it is filled or flushed. Cost: one find-run on a word per allocation; a refill is one walk
 * of the tree.
 */

import { CHUNK_PAGES, CHUNK_PAGES_SHIFT } from "../base/config";
import { bitRange, findBitRange64 } from "../base/bits";
import { mheap, mlocal, setMoving } from "../base/state";
import { chunkBits, chunkScav, findPages, takeChunk, raiseSearch, returnPages } from "./pagealloc";
import { dropBelow } from "./runs";

/** Page index of `npages` pages (1..3) from the cache; 0 if it has no such run. Sets lastScav. */
export function pageCacheAlloc(npages: u32): u32 {
  const h = mlocal();
  const cache = h.pcCache;
  if (cache == 0) return 0;
  const i = findBitRange64(cache, npages);
  if (i >= CHUNK_PAGES) return 0;
  const mask = bitRange(i, npages);
  setMoving(h.pcBase + i, npages);
  h.pcCache = cache & ~mask;
  mheap().lastScav = <u32>popcnt(h.pcScav & mask);
  h.pcScav &= ~mask;
  return h.pcBase + i;
}

/**
 * Take all free pages of the chunk that has the first free page, cached runs included. The page cache must be empty.
 * False if no page is free.
 */
export function pageCacheRefill(): bool {
  let page = findPages(1);
  if (dropBelow(page)) page = findPages(1);
  const m = mheap();
  if (page == 0) {
    m.searchPage = (m.arenaHi + 1) << 9;
    return false;
  }
  const h = mlocal();
  const chunk = page >> CHUNK_PAGES_SHIFT;
  h.pcBase = chunk << CHUNK_PAGES_SHIFT;
  h.pcCache = ~chunkBits(chunk);
  h.pcScav = chunkScav(chunk);
  takeChunk(chunk);
  raiseSearch(h.pcBase, CHUNK_PAGES);
  return true;
}

/** Return all cached pages to the page allocator. True if there were any. */
export function pageCacheFlush(): bool {
  const h = mlocal();
  if (h.pcCache == 0) return false;
  returnPages(h.pcBase >> CHUNK_PAGES_SHIFT, h.pcCache, h.pcScav);
  h.pcCache = 0;
  h.pcScav = 0;
  h.pcBase = 0;
  return true;
}
