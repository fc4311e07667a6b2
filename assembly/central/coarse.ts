/**
 * Coarse start: up to 1024 bytes, a size class opens when it is worth a span.
 *
 * A span is a page of 8 KiB at least, and Go has some thirty classes up to 1024 bytes: a program with a few blocks of each
 * would hold 8 KiB for each. So the lookup table starts with every size at a coarse class, the next of 2^n or 3 * 2^n
 * bytes. When a coarse class has used up what it has, and the request has a class of its own, that class is asked for. At
 * the third time it is opened: its requests go to it from then on, and it grows instead. So who has few blocks of a class
 * pays for the rounding, not for a span; blocks of narrower classes in a coarse one's spans are freed like any other, for
 * free goes by the page record.
 *
 * A coarse class's size is a multiple of every power of two that divides a class which it stands for: who needs
 * alignment may go through the table (realloc.ts, mallocAligned).
 *
 * Lock: H. Cost: a comparison per slow path; opening a class a walk of the classes, once for each.
 */

import { NUM_CLASSES, SMALL_SIZE_MAX } from "../base/config";
import { HEAP_TABLE8 } from "../base/layout";
import { central, here, rowAt, rowIndex, rowAddress } from "../base/state";
import { spanAt } from "../heap/mspan";
import { classFor, classSlot } from "./rows";

/** A class is opened when a coarse one would have grown for it so often. */
@inline const ASKED: u32 = 3;

/** Send every size of the table, which is that of the classes, to its coarse class. */
export function startCoarse(): void {
  let coarse: u32 = 0;
  for (let at = here() + ((SMALL_SIZE_MAX >> 3) << 2); at >= here(); at -= 4) {
    const address = load<u32>(at, HEAP_TABLE8);
    const size = rowAt(address).elemsize;
    // Two leading bits and nothing below them.
    if ((size & ~(3 << (30 - clz(size)))) == 0) coarse = address;
    store<u32>(at, coarse, HEAP_TABLE8);
  }
}

/**
 * The row for a request of `size` bytes, 0..1024, whose row at `address` has no slot in the mcache: another one if this
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
  const opened = rowAddress(own);
  for (let i = classSlot(own) >> 3; i << 3 > classSlot(own - 1); i--)
    store<u32>(here() + (i << 2), opened, HEAP_TABLE8);
  return opened;
}
