/**
 * Sizes of the rows of heap.alloc in AssemblyScript programs: multiples of 16 up to 128 bytes, then four to each
 * doubling up to 32 KiB, so that the row of a size is found by arithmetic, without a table.
 *
 * Pure functions; any thread. Cost: O(1).
 */

import { RAW_ROWS } from "../base/config";
import { fittedPages } from "./fitted";
import { initRow } from "./rows";

/** Rows of multiples of 16: up to 128 bytes. */
@inline const STEPS: u32 = 8;

/** Slot bytes of the row at index `row`, 1..RAW_ROWS. */
function rawSize(row: u32): u32 {
  if (row <= STEPS) return row << 4;
  const i = row - STEPS - 1;
  return (5 + (i & 3)) << (5 + (i >> 2));
}

/** Index of the row for a block of 1..32768 bytes. */
@inline
export function rawRow(size: u32): u32 {
  const last = size - 1;
  if (last < 128) return (last >> 4) + 1;
  const k = 31 - <u32>clz(last);
  return STEPS + 1 + ((k - 7) << 2) + ((last >> (k - 2)) & 3);
}

export function initRawRows(): void {
  for (let row: u32 = 1; row <= RAW_ROWS; row++) initRow(row, 0, rawSize(row), fittedPages(rawSize(row)), 1);
}
