/**
 * validate's part for the lookup tables in the record of the heap or of a P: which row or class serves a size.
 *
 * Reads only. Runs after checkRows. Lock: H in a shared heap. Cost: O(entries * classes).
 */

import { BAD_TABLE } from "../base/abinumbers";
import { MAX_SMALL_SIZE, NUM_CLASSES, ROW_FITTED, SMALL_SIZE_MAX } from "../base/config";
import {
  HEAP_CLASS128,
  HEAP_CLASS8,
  HEAP_CLASS_SIZE,
  HEAP_ROWS,
  HEAP_TABLE128,
  HEAP_TABLE8,
  ROW_SHIFT,
} from "../base/layout";
import { centralOf, heap, mheap, rowAt, rowAddressIn } from "../base/state";
import { classPages, classSize } from "../alloc/init";
import { bad } from "./invariants";

/** The narrowest class from `from` on whose slots have `size` bytes and are multiples of `align`. NUM_CLASSES: none. */
function classFrom(from: u32, size: u32, align: u32): u32 {
  while (from < NUM_CLASSES && (classSize(from) < size || (classSize(from) & (align - 1)) != 0)) from++;
  return from;
}

/**
 * Whether `row` may serve requests of `size` bytes, whose own class is `own`, in steps of `step`. It must be that
 * class, the coarse class in its place (central/coarse.ts), or a fitted row, which may be too narrow for the end of the
 * step.
 */
function serves(record: u32, row: u32, own: u32, size: u32, step: u32): bool {
  if (row >= ROW_FITTED) {
    if (row >= mheap().nextFitted) return false;
    const slot = rowAt(rowAddressIn(record, row)).elemsize;
    return slot + step > size && <u32>centralOf(record, row).wider >= own;
  }
  if (row == own) return true;
  const slot = row ? classSize(row) : 0;
  return slot >= size && (slot & (slot - 1)) == 0 && (slot == 16 || slot >> 1 < size);
}

/** Check the tables in the record at `record`. */
export function checkTables(record: u32): u32 {
  let own: u32 = 1;
  for (let i: u32 = 0; i <= SMALL_SIZE_MAX >> 3; i++) {
    const size = max<u32>(i << 3, 1);
    own = classFrom(own, size, size > 8 ? 16 : 8);
    const offset = load<u32>(record + (i << 2), HEAP_TABLE8) - record - HEAP_ROWS;
    if ((offset & ((1 << ROW_SHIFT) - 1)) != 0 || !serves(record, offset >> ROW_SHIFT, own, size, 1))
      return bad(BAD_TABLE, record + HEAP_TABLE8 + (i << 2));
  }
  // The entry for 1024 bytes is in the other table.
  if (load<u8>(record, HEAP_TABLE128) != 0) return bad(BAD_TABLE, record + HEAP_TABLE128);
  for (let i: u32 = 1; i <= (MAX_SMALL_SIZE - SMALL_SIZE_MAX) >> 7; i++) {
    const size = SMALL_SIZE_MAX + (i << 7);
    own = classFrom(own, size, 16);
    if (!serves(record, load<u8>(record + i, HEAP_TABLE128), own, size, 128))
      return bad(BAD_TABLE, record + HEAP_TABLE128 + i);
  }
  let c: u32 = 1;
  for (let i: u32 = 0; i <= SMALL_SIZE_MAX >> 3; i++) {
    if (i << 3 > classSize(c)) c++;
    if (<u32>load<u8>(record + i, HEAP_CLASS8) != c) return bad(BAD_TABLE, record + HEAP_CLASS8 + i);
  }
  for (let i: u32 = 0; i <= (MAX_SMALL_SIZE - SMALL_SIZE_MAX) >> 7; i++) {
    if (SMALL_SIZE_MAX + (i << 7) > classSize(c)) c++;
    if (<u32>load<u8>(record + i, HEAP_CLASS128) != c) return bad(BAD_TABLE, record + HEAP_CLASS128 + i);
  }
  // A P has a copy of the class table.
  for (let i = HEAP_CLASS_SIZE; i < HEAP_ROWS; i += 4) {
    if (load<u32>(record + i) != load<u32>(heap + i)) return bad(BAD_TABLE, record + i);
  }
  return classSize(0) == 0 && classPages(0) == 0 ? 0 : bad(BAD_TABLE, record + HEAP_CLASS_SIZE);
}
