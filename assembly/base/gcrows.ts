/**
 * What a row holds: collected objects, or objects with pointers. Each function takes the row's address, not its index.
 *
 * Any thread, no lock. Cost: comparisons of addresses.
 */

import { ASC, FIRST_GC_ROW, NUM_CLASSES, NUM_ROWS, ROW_SCAN, SHARED, SHARED_GC } from "./config";
import { HEAP_ROWS, ROW_SHIFT } from "./layout";
import { heap, here } from "./state";

/** Whether the row at an address holds objects with pointers. */
@inline
export function isScanRowAt(address: u32): bool {
  // Page records name the heap's rows.
  if (SHARED && address - (heap + HEAP_ROWS + (ROW_SCAN << ROW_SHIFT)) < NUM_CLASSES << ROW_SHIFT) return true;
  return address - (here() + HEAP_ROWS + (ROW_SCAN << ROW_SHIFT)) < NUM_CLASSES << ROW_SHIFT;
}

/**
 * Whether an object allocated from a row during the marking is black at once. AssemblyScript's library fills new arrays
 * with references copied from old ones without __link: there, objects that have references are allocated white, like
 * all others that marking has not reached.
 */
@inline
export function isBornBlackAt(address: u32): bool {
  return !ASC || !isScanRowAt(address);
}

/** Whether the row at an address is shared by all Ps: one of the heap's own rows that the collector has. */
@inline
export function isCommonRowAt(address: u32): bool {
  return SHARED_GC && isCollectedRowAt(address);
}

/** Whether the row at an address holds collected objects. */
@inline
export function isCollectedRowAt(address: u32): bool {
  if (SHARED) {
    return address - (heap + HEAP_ROWS + (FIRST_GC_ROW << ROW_SHIFT)) < (NUM_ROWS - FIRST_GC_ROW) << ROW_SHIFT;
  }
  return address >= here() + HEAP_ROWS + (FIRST_GC_ROW << ROW_SHIFT);
}
