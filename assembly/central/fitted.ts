/**
 * Fitted classes: rows of our own beside Go's 68 classes, for programs that ask for one size over and over.
 *
 * A size class may be an eighth larger than the request: 4368-byte buffers live in slots of 4864. That is fine for a
 * mixture, but a program that fills half its heap with them loses a tenth of it. So a noscan class that has grown large
 * watches the requested sizes (one for each span that it takes, retained or new). When all of a series of them are
 * clearly smaller than the class, a row is made with slots of exactly that size, and the lookup tables send such
 * requests there. Larger requests of the class are served as before. There are at most NUM_FITTED such rows per heap; a
 * row is never removed.
 *
 * The slot arithmetic holds for them as for the classes: the reciprocal is exact while span bytes * slot bytes <= 2^32.
 *
 * Not in shared heaps, because a fitted row would have to mean the same to all Ps.
 *
 * Lock: H. Cost: some instructions per slow path; a new row is a walk of the lookup tables, once.
 */

import {
  MAX_SMALL_SIZE,
  MAX_SPAN_PAGES,
  NUM_FITTED,
  PAGE_SHIFT,
  ROW_FITTED,
  SHARED,
  SMALL_SIZE_MAX,
  ASC,
} from "../base/config";
import { HEAP_TABLE128, HEAP_TABLE8 } from "../base/layout";
import { central, heap, mheap, rowAt, rowAddress } from "../base/state";
import { classSlot, initRow } from "./rows";

/** A class is watched from this many pages on. */
@inline const MIN_PAGES: u32 = 8;
/** Requests in a row that have to agree. */
@inline const MIN_SEEN: u32 = 16;

/** Note a request of `size` bytes for which the row at index `row` takes another span. */
@inline
export function noteSize(row: u32, size: u32): void {
  if (SHARED) return;
  const c = central(row);
  c.seenMax = max(c.seenMax, size);
  c.seen += 1;
}

/**
 * Called when the class of the row at index `row` needs another span: make a row for the sizes seen, if that saves at
 * least 1/16. Sizes that have a narrower class of their own wait until that is opened (central/coarse.ts). The present
 * request still gets a span of the class.
 */
export function maybeFit(row: u32): void {
  if (SHARED || ASC) return;
  const c = central(row);
  if (row >= ROW_FITTED || c.seen < MIN_SEEN || c.npagesInUse < MIN_PAGES || c.fittedRow != 0) return;
  const classSize = rowAt(rowAddress(row)).elemsize;
  const size = (c.seenMax + 15) & ~15;
  c.seen = 0;
  c.seenMax = 0;
  const fitted = mheap().nextFitted;
  if (size > classSize - (classSize >> 4) || size <= classSlot(row - 1) || fitted >= ROW_FITTED + NUM_FITTED) return;
  mheap().nextFitted = fitted + 1;
  c.fittedRow = <u8>fitted;
  initRow(fitted, row, size, fittedPages(size), 1).wider = <u16>row;
  // Requests of the class up to `size` now go to the new row.
  for (let i: u32 = 1; i <= min(size, SMALL_SIZE_MAX) >> 3; i++) {
    const at = heap + (i << 2);
    if (load<u32>(at, HEAP_TABLE8) == rowAddress(row)) store<u32>(at, rowAddress(fitted), HEAP_TABLE8);
  }
  // Above that, a step of 128 bytes may reach beyond `size`; then tableRow uses the wider row.
  for (let i: u32 = 0; i <= (MAX_SMALL_SIZE - SMALL_SIZE_MAX) >> 7; i++) {
    if (SMALL_SIZE_MAX + (i << 7) >= size + 128) break;
    if (<u32>load<u8>(heap + i, HEAP_TABLE128) == row) store<u8>(heap + i, <u8>fitted, HEAP_TABLE128);
  }
}

/** Shortest span whose tail wastes at most 1/256, else the one that wastes least. */
export function fittedPages(size: u32): u32 {
  let best: u32 = 0;
  let bestWaste: u32 = 0xffffffff;
  for (let pages = (size >> PAGE_SHIFT) + 1; pages <= MAX_SPAN_PAGES; pages++) {
    const tail = (pages << PAGE_SHIFT) % size;
    // Waste per page, in units of 1/256 byte.
    const waste = (tail << 8) / pages;
    if (waste < bestWaste) {
      best = pages;
      bestWaste = waste;
    }
    if (tail << 8 <= pages << PAGE_SHIFT) break;
  }
  return best;
}
