/**
 * Which rows hold what: objects of the collector, and objects with pointers. A row is given by its address.
 *
 * Comparisons of addresses; any thread.
 */

import { ASC, FIRST_GC_ROW, NUM_CLASSES, NUM_ROWS, ROW_SCAN, SHARED, SHARED_GC } from "./config";
import { HEAP_ROWS, ROW_SHIFT } from "./layout";
import { heap, here } from "./state";

/** Whether a row, by its address, is one of objects with pointers. */
@inline
export function isScanRow(row: u32): bool {
  // Page records name the heap's rows.
  if (SHARED && row - (heap + HEAP_ROWS + (ROW_SCAN << ROW_SHIFT)) < NUM_CLASSES << ROW_SHIFT) return true;
  return row - (here() + HEAP_ROWS + (ROW_SCAN << ROW_SHIFT)) < NUM_CLASSES << ROW_SHIFT;
}

/**
 * Whether what is allocated from a row during the marking is black at once. AssemblyScript's library fills new arrays with
 * references that it copies out of old ones without __link: objects that have any are white there, like all others that
 * marking has not reached.
 */
@inline
export function isBornBlack(row: u32): bool {
  return !ASC || !isScanRow(row);
}

/** Whether a row, by its address, is one that all Ps share: the heap's own, of the collector. */
@inline
export function isCommonRow(row: u32): bool {
  return SHARED_GC && isCollectedRow(row);
}

/** Whether a row, by its address, is one of the collector's. */
@inline
export function isCollectedRow(row: u32): bool {
  if (SHARED) {
    return row - (heap + HEAP_ROWS + (FIRST_GC_ROW << ROW_SHIFT)) < (NUM_ROWS - FIRST_GC_ROW) << ROW_SHIFT;
  }
  return row >= here() + HEAP_ROWS + (FIRST_GC_ROW << ROW_SHIFT);
}
