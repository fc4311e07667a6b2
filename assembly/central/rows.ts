/**
 * What a row and the mcentral behind it are given once: the size of their slots and what follows from it.
 *
 * Lock: H. Cost: a division.
 */

import { NUM_CLASSES } from "../base/config";
import { MCentral } from "../base/layout";
import { central, rowAt, rowAddress } from "../base/state";

/** ceil(2^32 / size): the reciprocal by which an offset finds its slot, for 8 <= size <= 32768. */
@inline
export function reciprocal(size: u32): u32 {
  return 0xffffffff / size + 1;
}

/**
 * Set up the row at index `row` for slots of `size` bytes in spans of at most `npages` pages. All other fields of both
 * records stay as they were: zero at first.
 */
export function initRow(row: u32, sizeclass: u32, size: u32, npages: u32, noscan: u32): MCentral {
  rowAt(rowAddress(row)).elemsize = size;
  const c = central(row);
  c.divMagic = reciprocal(size);
  c.npages = <u8>npages;
  c.sizeclass = <u8>sizeclass;
  c.spanclass = <u8>((sizeclass << 1) | noscan);
  return c;
}

/** Slot bytes of a class. */
@inline
export function classSlot(c: u32): u32 {
  return rowAt(rowAddress(c)).elemsize;
}

/** The narrowest class for `size` bytes whose slots are multiples of `align`, a power of two; NUM_CLASSES: none. */
export function classFor(size: u32, align: u32): u32 {
  let c: u32 = 1;
  while (c < NUM_CLASSES && (classSlot(c) < size || (classSlot(c) & (align - 1)) != 0)) c++;
  return c;
}
