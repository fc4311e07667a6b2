/**
 * Bump allocation: one cursor moves forward. No header, no list, no reuse; free does nothing.
 *
 * O(1) for every call, and the least memory per block, until the first block dies. Because a block's size is
 * not kept anywhere, realloc copies as many bytes as the new block has (up to the cursor), and moves always.
 */

import { grow, memoryEnd, pieceEnd } from "./growth";
import { zeroed } from "./zeroed";

let cursor: usize = 0;
let limit: usize = 0;

/** Takes [heapBase, end of memory). */
export function init(heapBase: u32): void {
  if (limit) return;
  cursor = (<usize>heapBase + 15) & ~15;
  limit = memoryEnd();
}

function refill(size: usize): bool {
  const start = grow(size);
  if (!start) return false;
  if (start != limit) cursor = start;
  limit = pieceEnd;
  return true;
}

/** Sizes are rounded up to 16, so the cursor is always aligned. 0 when the memory cannot grow. */
export function malloc(size: usize): usize {
  if (size > 0xffff_0000) return 0;
  const rounded = max<usize>((size + 15) & ~15, 16);
  if (<u64>cursor + rounded > <u64>limit) {
    if (!refill(rounded)) return 0;
  }
  const ptr = cursor;
  cursor += rounded;
  return ptr;
}

export function free(_ptr: usize): void {}

export function calloc(count: usize, size: usize): usize {
  const total = <u64>count * <u64>size;
  if (total >> 32) return 0;
  return zeroed(malloc(<usize>total), <usize>total);
}

export function realloc(ptr: usize, size: usize): usize {
  const end = cursor;
  const moved = malloc(size);
  if (ptr && moved) memory.copy(moved, ptr, ptr < end ? min(size, end - ptr) : size);
  return moved;
}

/** `align` must be a power of two. */
export function aligned_alloc(align: usize, size: usize): usize {
  if (align <= 16) return malloc(size);
  if (<u64>size + align > 0xffff_0000) return 0;
  const ptr = malloc(size + align - 16);
  return ptr ? (ptr + align - 1) & ~(align - 1) : 0;
}
