/**
 * Coarse start: a size class opens when it is worth a span.
 *
 * A span is a page of 8 KiB at least, and Go has some thirty classes up to 1024 bytes and as many beyond: a program with a
 * few blocks of each would hold a page and more for each. So the lookup tables start with every size at a coarse class,
 * the next power of two from 16 up. When a coarse class has used up what it has, and the request has a class of its own,
 * that class is asked for. At the second time it is opened: its requests go to it from then on, and it grows instead. So
 * who has few blocks of a class pays for the rounding, not for a span; blocks of narrower classes in a coarse one's spans
 * are freed like any other, for free goes by the page record.
 *
 * All slots of 16 bytes and more are at multiples of 16. Who needs more than that takes a class's own row (realloc.ts,
 * mallocAligned).
 *
 * Lock: P. Cost: a comparison per slow path; opening a class a walk of the classes, once for each.
 */

import { NUM_CLASSES, SMALL_SIZE_MAX } from "../base/config";
import { HEAP_TABLE128, HEAP_TABLE8 } from "../base/layout";
import { central, here, rowAt, rowIndex, rowAddress } from "../base/state";
import { spanAt } from "./mspan";
import { classFor, classSlot } from "./rows";

/** A class is opened when a coarse one would have grown for it so often. */
@inline const ASKED: u32 = 2;

/** Fill the lookup tables: the sizes of each class go to its coarse class. */
export function startCoarse(): void {
  let coarse: u32 = 0;
  for (let c = NUM_CLASSES - 1; c > 0; c--) {
    const size = classSlot(c);
    if ((size & (size - 1)) == 0 && size > 8) coarse = c;
    send(c, coarse);
  }
  // A request of 0 bytes.
  store<u32>(here(), rowAddress(coarse), HEAP_TABLE8);
}

/** Send the sizes that have class `c` to the row of class `to`. */
function send(c: u32, to: u32): void {
  const least = classSlot(c - 1);
  const most = classSlot(c);
  for (let size = min(most, SMALL_SIZE_MAX); size > least; size -= 8) {
    store<u32>(here() + ((size >> 3) << 2), rowAddress(to), HEAP_TABLE8);
  }
  // The classes beyond are multiples of 128.
  for (let size = most; size > max(least, SMALL_SIZE_MAX); size -= 128) {
    store<u8>(here() + ((size - SMALL_SIZE_MAX) >> 7), <u8>to, HEAP_TABLE128);
  }
}

/**
 * The row for a request of `size` bytes, 0..32768, whose row at `address` has no slot in the mcache: another one if this
 * row would have to grow for it and its class is a narrower one that is opened now.
 */
export function openRow(address: u32, size: u32): u32 {
  const row = rowIndex(address);
  const c = central(row);
  const span = rowAt(address).span;
  if (row >= NUM_CLASSES || c.nspans == 0 || c.head != 0 || c.empty != 0) return address;
  if (span != 0 && spanAt(span).partialMask != 0) return address;
  const own = classFor(size, size > 16 ? 16 : 8);
  if (own == row) return address;
  const asked = central(own);
  asked.seen += 1;
  if (asked.seen < ASKED) return address;
  asked.seen = 0;
  send(own, own);
  return rowAddress(own);
}
