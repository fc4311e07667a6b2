/**
 * The malloc family over one free list with boundary tags. Which free block a request gets is the policy,
 * chosen when compiling (asc --use POLICY=0|1|2):
 *
 *   0 first-fit  the first block from the head of the list that is big enough
 *   1 next-fit   the same, but the search goes on where the last one stopped
 *   2 best-fit   the smallest block that is big enough; the whole list is looked at unless one fits exactly
 *
 * Every search is O(free blocks): with many holes these allocators are slow. That is what they are here to show.
 */

import {
  ANCHOR,
  OVERHEAD,
  blockOf,
  blockSize,
  carve,
  giveBack,
  growBy,
  next,
  resizeInPlace,
  rover,
  setRover,
  sizeOf,
} from "./tags";
import { zeroed } from "./zeroed";

export { init } from "./tags";

const NEXT_FIT: i32 = 1;
const BEST_FIT: i32 = 2;

@inline
function firstFit(size: usize): usize {
  for (let block = next(ANCHOR); block != ANCHOR; block = next(block)) {
    if (sizeOf(block) >= size) return block;
  }
  return 0;
}

@inline
function nextFit(size: usize): usize {
  const start = rover;
  let block = start;
  do {
    if (block != ANCHOR && sizeOf(block) >= size) {
      setRover(next(block));
      return block;
    }
    block = next(block);
  } while (block != start);
  return 0;
}

@inline
function bestFit(size: usize): usize {
  let best: usize = 0;
  let least: usize = ~0;
  for (let block = next(ANCHOR); block != ANCHOR; block = next(block)) {
    const has = sizeOf(block);
    if (has >= size && has < least) {
      best = block;
      if (has == size) break;
      least = has;
    }
  }
  return best;
}

function find(size: usize): usize {
  if (POLICY == NEXT_FIT) return nextFit(size);
  if (POLICY == BEST_FIT) return bestFit(size);
  return firstFit(size);
}

export function malloc(request: usize): usize {
  const size = blockSize(request);
  if (!size) return 0;
  const block = find(size) || growBy(size);
  return block ? carve(block, size) : 0;
}

export function free(ptr: usize): void {
  if (ptr) giveBack(ptr);
}

export function calloc(count: usize, size: usize): usize {
  const total = <u64>count * <u64>size;
  if (total >> 32) return 0;
  return zeroed(malloc(<usize>total), <usize>total);
}

export function realloc(ptr: usize, request: usize): usize {
  if (!ptr) return malloc(request);
  const size = blockSize(request);
  if (!size) return 0;
  const held = sizeOf(blockOf(ptr)) - OVERHEAD;
  if (resizeInPlace(ptr, size)) return ptr;
  const moved = malloc(request);
  if (!moved) return 0;
  memory.copy(moved, ptr, min(held, request));
  giveBack(ptr);
  return moved;
}

/**
 * A block long enough for an aligned payload with a whole free block before it, which is split off.
 * `align` must be a power of two.
 */
export function aligned_alloc(align: usize, request: usize): usize {
  if (align <= 16) return malloc(request);
  if (<u64>request + align > 0xffff_0000) return 0;
  const ptr = malloc(request + align);
  if (!ptr) return 0;
  const aligned = (ptr + align - 1) & ~(align - 1);
  if (aligned == ptr) {
    resizeInPlace(ptr, blockSize(request));
    return ptr;
  }
  splitFront(blockOf(ptr), aligned - ptr);
  resizeInPlace(aligned, blockSize(request));
  return aligned;
}

/** Makes the first `front` bytes of a used block (a multiple of 16) a block of its own and frees it. */
function splitFront(block: usize, front: usize): void {
  const rest = sizeOf(block) - front;
  store<u32>(block + front, (<u32>rest) | 1);
  store<u32>(block + front + rest - 4, (<u32>rest) | 1);
  store<u32>(block, (<u32>front) | 1);
  store<u32>(block + front - 4, (<u32>front) | 1);
  giveBack(block + 4);
}
