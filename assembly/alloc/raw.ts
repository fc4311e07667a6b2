/**
 * Blocks without an owner but their caller: heap.alloc of AssemblyScript programs.
 *
 * They have rows of their own, which the collector does not look at: a block costs no header, no clearing and no part of
 * a cycle, and lives until it is freed. Slots are multiples of 16 up to 128 bytes, then four to each doubling up to 32 KiB,
 * which is found by arithmetic, without a table; beyond they are pages. All blocks are at multiples of 16.
 *
 * Owner: the P. Cost: that of malloc and free.
 */

import { MAX_SMALL_SIZE, PAGE_SHIFT, PAGE_SIZE, RAW_ROWS } from "../base/config";
import { gcState } from "../base/gcstate";
import { rowAddress } from "../base/state";
import { fittedPages } from "../central/fitted";
import { initRow } from "../central/rows";
import { reclaimPages } from "../central/sweep";
import { findPages } from "../heap/pagealloc";
import { mallocLarge, nextFree } from "./malloc";

/** Rows of multiples of 16: up to 128 bytes. */
@inline const STEPS: u32 = 8;

/** Slot bytes of row `row`, 1..RAW_ROWS. */
function rawSize(row: u32): u32 {
  if (row <= STEPS) return row << 4;
  const i = row - STEPS - 1;
  return (5 + (i & 3)) << (5 + (i >> 2));
}

/** Row of a block of 1..32768 bytes. */
// @ts-ignore: decorator
@inline
function rawRow(size: u32): u32 {
  const last = size - 1;
  if (last < 128) return (last >> 4) + 1;
  const k = 31 - <u32>clz(last);
  return STEPS + 1 + ((k - 7) << 2) + ((last >> (k - 2)) & 3);
}

export function initRawRows(): void {
  for (let row: u32 = 1; row <= RAW_ROWS; row++) initRow(row, 0, rawSize(row), fittedPages(rawSize(row)), 1);
}

/** A block of at least `size` bytes at a multiple of 16, contents undefined; 0: no memory. The heap is there. */
export function rawAlloc(size: u32): u32 {
  if (size - 1 < MAX_SMALL_SIZE) return nextFree(rowAddress(rawRow(size)), size);
  if (size == 0) return rawAlloc(1);
  const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
  // What a sweep still has to give is taken before the memory grows, not before that.
  if (gcState().sweeping && findPages(npages) == 0) reclaimPages(npages);
  return mallocLarge(size, 1, false, 1);
}
