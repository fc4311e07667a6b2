/**
 * malloc below its fast half: from a size to a block, without a look at samples (alloc/sampled.ts).
 *
 * A row by the tables, a window of its span or of another, pages of their own beyond 32 KiB. Zeroing is delayed and
 * exact: a group knows whether its slots may be dirty, and fresh pages are known to be zero.
 *
 * Owner: the P; H below the mcentral. Cost: O(1) from the mcache; see alloc/mcache.ts for a refill.
 */

import { MAX_SMALL_SIZE, PAGE_SHIFT, PAGE_SIZE, SHARED, SMALL_SIZE_MAX } from "../base/config";
import { Group, HEAP_TABLE128, HEAP_TABLE8 } from "../base/layout";
import {
  STAT_LARGE_MALLOCS,
  STAT_LARGE_TOTAL,
  STAT_ZERO_CLEARED,
  STAT_ZERO_SKIPPED,
  count,
  countBy,
} from "../base/counters";
import { lock, unlock } from "../base/locks";
import { central, clearMoving, heap, here, pAt, rowAt, rowIndex, rowAddress, syncMemory } from "../base/state";
import { openRow } from "../central/coarse";
import { noteSize } from "../central/fitted";
import { hasRemote, reclaimUnowned, takeRemote } from "../central/remote";
import { freeDeferred } from "../central/deferred";
import { allocLargeSpan, takeLarge } from "../central/newspan";
import { CACHED_MIN } from "../heap/runs";
import { isDirty, refill, reloadRow, takeSlot, loadPartial } from "./mcache";
import { beginZeroing, zeroOutside } from "./zeroing";

/** Below this many bytes, clearing or copying by words is faster than calling the engine. */
@inline const WORDS_MAX: u32 = 256;

/**
 * Up to this size a request's coarse class (central/coarse.ts) takes no more pages than the request. The class of 32
 * KiB may take one more page: if there is no memory for it, a block of exactly as many pages as the request needs is
 * tried.
 */
@inline const COARSE_FITS: u32 = 2 * PAGE_SIZE;

/** Blocks beyond this size have as many pages as runs of the run cache. */
@inline const LARGE_CACHED: u32 = (CACHED_MIN - 1) << PAGE_SHIFT;

/**
 * Row address for a request of 1025..32768 bytes: of its own class, a coarse class, or a fitted class that is wide
 * enough.
 */
function mediumRow(size: u32): u32 {
  let row = <u32>load<u8>(here() + ((size - SMALL_SIZE_MAX + 127) >> 7), HEAP_TABLE128);
  while (rowAt(rowAddress(row)).elemsize < size) row = central(row).wider;
  return rowAddress(row);
}

/** Row address for a request of 0..32768 bytes, from the tables. */
@inline
export function tableRow(size: u32): u32 {
  return size > SMALL_SIZE_MAX ? mediumRow(size) : load<u32>(here() + (((size + 7) >> 3) << 2), HEAP_TABLE8);
}

/**
 * Row address for a request of 0..32768 bytes. If the row that the tables say has no free slot outside retained spans,
 * the request's class is opened if it is due (central/coarse.ts).
 */
@inline
function slowRow(size: u32): u32 {
  const address = tableRow(size);
  const row = rowAt(address);
  const g = changetype<Group>(<usize>row.group);
  if ((g.allocCache | (g.freed & ~row.tail)) != 0 || loadPartial(address)) return address;
  return openRow(address, size);
}

/** nextFree: a slot of the row at `address` for `size` bytes, after a refill if needed; 0 if there is no memory. */
export function nextFree(address: u32, size: u32): u32 {
  const row = rowAt(address);
  let g = changetype<Group>(<usize>row.group);
  if (g.allocCache == 0 && !reloadRow(row, g)) {
    noteSize(rowIndex(address), size);
    const group = refill(address);
    if (group == 0) return 0;
    g = changetype<Group>(<usize>group);
  }
  return takeSlot(row, g, g.allocCache);
}

/** malloc outside the fast half, with a P, not sampled. */
@inline
export function mallocBlock(size: u32): u32 {
  if (!SHARED && size > LARGE_CACHED) {
    const npages = (size >> PAGE_SHIFT) + u32((size & (PAGE_SIZE - 1)) != 0);
    const p = takeLarge(npages);
    if (p) {
      countLarge(npages);
      return p;
    }
  }
  const p = size <= MAX_SMALL_SIZE ? nextFree(slowRow(size), size) : 0;
  return p || size <= COARSE_FITS ? p : mallocLarge(size, 1, false, 1);
}

/** Note a large block of malloc's. */
@inline
function countLarge(npages: u32): void {
  count(STAT_LARGE_MALLOCS);
  countBy(STAT_LARGE_TOTAL, (<u64>npages) << PAGE_SHIFT);
}

/** Drain what other threads have freed in this P's spans and in unowned ones, before memory grows. */
export function reclaimRemote(): void {
  if (!SHARED) return;
  if (hasRemote()) takeRemote();
  if (pAt(heap).remote != 0) reclaimUnowned();
}

/**
 * A block with its own pages, at a multiple of alignPages pages, which is 1 with `zero`: then it reads as zero. 0: no
 * memory.
 */
export function mallocLarge(size: u32, alignPages: u32, zero: bool, spanclass: u8): u32 {
  if (size > 0xffff0000) return 0;
  const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
  reclaimRemote();
  if (!lock(0)) return 0;
  freeDeferred();
  const span = allocLargeSpan(max(npages, 1), alignPages, zero, spanclass);
  clearMoving();
  if (zero && span != null) beginZeroing(span);
  unlock(0);
  if (span == null) return 0;
  if (zero) zeroOutside(span);
  countLarge(npages);
  return span.startAddr;
}

/** Clear the 16 bytes at `p`. */
@inline
function clear16(p: u32): void {
  store<u64>(p, 0);
  store<u64>(p, 0, 8);
}

/**
 * Clear `size` bytes, 1 and up, rounded up to words; p is 8-aligned. The last steps overlap the others: a loop over the
 * words would end where the processor does not expect it, and take longer.
 */
export function clearWords(p: u32, size: u32): void {
  if (size <= WORDS_MAX) {
    const end = p + ((size + 7) & ~7);
    if (size > 16) {
      const last = max(p, end - 32);
      for (; p < last; p += 32) {
        clear16(p);
        clear16(p + 16);
      }
      clear16(last);
      clear16(end - 16);
    } else {
      store<u64>(p, 0);
      store<u64>(end - 8, 0);
    }
  } else {
    syncMemory();
    memory.fill(p, 0, size);
  }
}

/** Copy `size` bytes, rounded up to words, between blocks; both are 8-aligned and as long as that. */
export function copyWords(to: u32, from: u32, size: u32): void {
  if (size <= WORDS_MAX) {
    for (let i: u32 = 0; i < size; i += 8) store<u64>(to + i, load<u64>(from + i));
  } else {
    syncMemory();
    memory.copy(to, from, size);
  }
}

/** Copy exactly `size` bytes between blocks: a sampled one has no room to round up to words. */
export function copyBytes(to: u32, from: u32, size: u32): void {
  syncMemory();
  memory.copy(to, from, size);
}

/** A slot of the row whose first `size` bytes are zero. It is cleared only if the group's slots may be dirty. */
export function nextFreeZeroed(address: u32, size: u32): u32 {
  return zeroed(nextFree(address, size), address, size);
}

/** The slot at `p`, which has just been taken from the row at `address`, with its first `size` bytes zero. 0 for 0. */
@inline
export function zeroed(p: u32, address: u32, size: u32): u32 {
  if (p == 0) return 0;
  if (isDirty(rowAt(address))) {
    clearWords(p, size);
    countBy(STAT_ZERO_CLEARED, size);
  } else {
    countBy(STAT_ZERO_SKIPPED, size);
  }
  return p;
}

/** mallocZeroed of 1 byte and more, with a P, not sampled. */
@inline
export function zeroedBlock(size: u32): u32 {
  const p = size <= MAX_SMALL_SIZE ? nextFreeZeroed(slowRow(size), size) : 0;
  return p || size <= COARSE_FITS ? p : mallocLarge(size, 1, true, 1);
}
