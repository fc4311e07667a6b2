/**
 * mallocgc: Go's entry for typed objects, with the tiny allocator in front. Host flavours only.
 *
 *   size 0                 the address zerobase, shared by all of them
 *   noscan, size < 16      a piece of the P's tiny block, or a new block
 *   size <= 32768          a slot of the scan or noscan row of Go's class (no 16-byte rule: 17..24 use the class of 24)
 *   beyond                 pages
 *
 * Objects with pointers are always zeroed; others when asked. A tiny block is 16 bytes in a row of its own, because its
 * pieces cannot be freed by hand: it lives until all of them are dead, which only a collector can know.
 *
 * Owner: the P. Cost: a tiny hit is an add and a compare.
 */

import { HOST, MAX_SMALL_SIZE, ROW_SCAN, ROW_TINY, SMALL_SIZE_MAX, TINY_SIZE } from "../base/config";
import { HEAP_CLASS8, HEAP_TABLE128, HEAP_ZEROBASE } from "../base/layout";
import { STAT_TINY_BLOCKS, count } from "../base/counters";
import { central, heap, mlocal, rowAddress } from "../base/state";
import { classSize } from "./init";
import { mallocLarge, nextFree, nextFreeZeroed } from "./malloc";
import { isReady } from "./procs";

/** Class of a request of 1..32768 bytes in Go's table. */
export function classOfSize(size: u32): u32 {
  if (size <= SMALL_SIZE_MAX - 8) return load<u8>(heap + ((size + 7) >> 3), HEAP_CLASS8);
  if (size <= SMALL_SIZE_MAX) return load<u8>(heap + (SMALL_SIZE_MAX >> 3), HEAP_CLASS8);
  // The table may name a fitted row: its class is the one it was fitted for.
  return central(load<u8>(heap + ((size - SMALL_SIZE_MAX + 127) >> 7), HEAP_TABLE128)).sizeclass;
}

/** A noscan object of 1..15 bytes; `size` decides its alignment within the block. 0: no memory. */
function mallocTiny(size: u32): u32 {
  const h = mlocal();
  let off = h.tinyOffset;
  if ((size & 7) == 0) off = (off + 7) & ~7;
  // A 12-byte object may begin with an 8-byte field.
  else if (size == 12) off = (off + 7) & ~7;
  else if ((size & 3) == 0) off = (off + 3) & ~3;
  else if ((size & 1) == 0) off = (off + 1) & ~1;
  if (off + size <= TINY_SIZE && h.tiny != 0) {
    h.tinyOffset = off + size;
    h.tinyAllocs += 1;
    return h.tiny + off;
  }
  const p = nextFree(rowAddress(ROW_TINY), TINY_SIZE);
  if (p == 0) return 0;
  count(STAT_TINY_BLOCKS);
  store<u64>(p, 0);
  store<u64>(p, 0, 8);
  // Keep the block with more room.
  if (size < h.tinyOffset || h.tiny == 0) {
    h.tiny = p;
    h.tinyOffset = size;
  }
  return p;
}

/**
 * An object of `size` bytes. `scan`: it holds pointers, and is zeroed whatever `needzero` says. Aligned to 8 bytes, to
 * 16 where Go's class is a multiple of 16; a tiny object to what its size divides by. 0: no memory.
 */
export function mallocgc(size: u32, scan: bool, needzero: bool): u32 {
  if (!isReady()) return 0;
  if (size == 0) return heap + HEAP_ZEROBASE;
  if (size > MAX_SMALL_SIZE) return mallocLarge(size, 1, scan || needzero, scan ? 0 : 1);
  if (!scan && size < TINY_SIZE) return mallocTiny(size);
  const c = classOfSize(size);
  const address = rowAddress(scan ? ROW_SCAN + c : c);
  // A pointerful slot is cleared to its end, where nothing was stored but a collector may look.
  if (scan) return nextFreeZeroed(address, classSize(c));
  return needzero ? nextFreeZeroed(address, size) : nextFree(address, classSize(c));
}

/** Drop the tiny block of the P: the next tiny object opens a new one. */
export function dropTiny(): void {
  if (!HOST) return;
  const h = mlocal();
  h.tiny = 0;
  h.tinyOffset = 0;
}
