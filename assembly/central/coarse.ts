/**
 * Coarse start: a size class opens when it is worth a span.
 *
 * A span is at least a page of 8 KiB, and Go has some thirty classes up to 1024 bytes and as many beyond: a program
 * with a few blocks of each would hold a page or more for each. So at the start the lookup tables map every size to a
 * coarse class, the next power of two from 16 up. When a coarse class has used up its slots, and the request has a
 * narrower class of its own, that class is asked for. The second time it is opened: its requests go to it from then on,
 * and it grows instead of the coarse class. So a program with few blocks of a class pays for the rounding, not for a
 * span. Blocks of narrower classes in the spans of a coarse one are freed like any other, because free goes by the page
 * record.
 *
 * All slots of 16 bytes and more are at multiples of 16. Callers that need a larger alignment use a class's own row
 * (alloc/realloc.ts, mallocAligned).
 *
 * Owner: the P. Cost: a comparison per slow path; opening a class is a walk of the classes, once for each.
 */

import { NUM_CLASSES, SMALL_SIZE_MAX } from "../base/config";
import { HEAP_TABLE128, HEAP_TABLE8 } from "../base/layout";
import { central, here, rowIndex, rowAddress } from "../base/state";
import { classSlot } from "./rows";

/** A class is opened when a coarse class would have grown for it this many times. */
@inline const ASKED: u32 = 2;

/** Fill the lookup tables: map the sizes of each class to its coarse class. */
export function startCoarse(): void {
  let coarse: u32 = 0;
  for (let c = NUM_CLASSES - 1; c > 0; c--) {
    const size = classSlot(c);
    if ((size & (size - 1)) == 0 && size > 8) coarse = c;
    routeSizes(c, coarse);
  }
  // A request of 0 bytes.
  store<u32>(here(), rowAddress(coarse), HEAP_TABLE8);
}

/** Map the sizes of class `c` to the row of class `to`. */
function routeSizes(c: u32, to: u32): void {
  const least = classSlot(c - 1);
  const most = classSlot(c);
  for (let size = min(most, SMALL_SIZE_MAX); size > least; size -= 8) {
    store<u32>(here() + ((size >> 3) << 2), rowAddress(to), HEAP_TABLE8);
  }
  // The larger classes are multiples of 128.
  for (let size = most; size > max(least, SMALL_SIZE_MAX); size -= 128) {
    store<u8>(here() + ((size - SMALL_SIZE_MAX) >> 7), <u8>to, HEAP_TABLE128);
  }
}

/** The narrowest class up to `c` for `size` bytes whose slots are multiples of `align`, a power of two. `c` is one. */
function narrowest(c: u32, size: u32, align: u32): u32 {
  for (let next = c - 1; classSlot(next) >= size && next != 0; next--) {
    if ((classSlot(next) & (align - 1)) == 0) c = next;
  }
  return c;
}

/**
 * The row address for a request of `size` bytes, 0..32768, whose row at `address` has no slot, except in retained
 * spans. It is another row if this one would have to grow for the request, and the request has a narrower class that is
 * opened now.
 */
export function openRow(address: u32, size: u32): u32 {
  const row = rowIndex(address);
  const c = central(row);
  if (row >= NUM_CLASSES || c.nspans == 0 || c.empty != 0) return address;
  const own = narrowest(row, size, size > 16 ? 16 : 8);
  if (own == row) return address;
  const asked = central(own);
  asked.seen += 1;
  if (asked.seen < ASKED) return address;
  asked.seen = 0;
  routeSizes(own, own);
  return rowAddress(own);
}
