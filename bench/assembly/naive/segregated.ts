/**
 * Segregated fit in its simple form: one free list per size range, a request is rounded up to its range's
 * largest size and takes the first block of that list. Blocks are never split or joined; an empty list is
 * filled by cutting a new block from the end of memory.
 *
 * Block sizes are 16, 32, 48, 64 and then four steps per doubling, as multiples of 16: the worst rounding is
 * about a fifth. Each block has a header of 4 bytes (the range's number) before its 16-byte aligned payload.
 *
 * malloc and free are O(1). Memory that one range has given up is of no use to another.
 */

import { grow, memoryEnd, pieceEnd } from "./growth";
import { zeroed } from "./zeroed";

const HEADER: usize = 4;
const LISTS: usize = 128;

let heads: usize = 0;
let cursor: usize = 0;
let limit: usize = 0;

// Ranges ----------------------------------------------------------------------------------------------------

/** The number of the range for a block of `size` bytes, header included. */
@inline
function rangeOf(size: usize): u32 {
  const units = <u32>((size + 15) >> 4) - 1;
  if (units < 4) return units;
  const magnitude = 31 - clz(units);
  return ((magnitude - 1) << 2) + ((units >> (magnitude - 2)) & 3);
}

/** The block size of a range, header included; a multiple of 16. */
@inline
function sizeOfRange(range: u32): u64 {
  if (range < 4) return (<u64>(range + 1)) << 4;
  const magnitude = (range >> 2) + 1;
  return ((<u64>((range & 3) + 5)) << (magnitude - 2)) << 4;
}

@inline
function listOf(range: u32): usize {
  return heads + ((<usize>range) << 2);
}

@inline
function capacity(ptr: usize): usize {
  return <usize>sizeOfRange(load<u32>(ptr - HEADER)) - HEADER;
}

// Memory ----------------------------------------------------------------------------------------------------

/** Sets up the list heads at the start of the heap. */
function begin(start: usize, stop: usize): void {
  heads = (start + 15) & ~15;
  memory.fill(heads, 0, LISTS * 4);
  cursor = heads + LISTS * 4 + 16 - HEADER;
  limit = stop;
}

/** Takes [heapBase, end of memory). */
export function init(heapBase: u32): void {
  if (heads) return;
  const stop = memoryEnd();
  if (<usize>heapBase + 2048 <= stop) begin(heapBase, stop);
}

/** Cuts a new block for `range`; 0 if the memory cannot grow. */
function cutNew(range: u32): usize {
  const size = sizeOfRange(range);
  if (size > 0xffff_0000) return 0;
  if (!heads) {
    const start = grow(2048);
    if (!start) return 0;
    begin(start, pieceEnd);
  }
  if (<u64>cursor + size > <u64>limit) {
    const start = grow(<usize>size + 16);
    if (!start) return 0;
    if (start != limit) cursor = start + 16 - HEADER;
    limit = pieceEnd;
  }
  const ptr = cursor + HEADER;
  cursor += <usize>size;
  store<u32>(ptr - HEADER, range);
  return ptr;
}

// The malloc family -----------------------------------------------------------------------------------------

export function malloc(request: usize): usize {
  if (request > 0xffff_0000) return 0;
  const range = rangeOf(request + HEADER);
  if (heads) {
    const list = listOf(range);
    const ptr: usize = load<u32>(list);
    if (ptr) {
      store<u32>(list, load<u32>(ptr));
      return ptr;
    }
  }
  return cutNew(range);
}

export function free(ptr: usize): void {
  if (!ptr) return;
  const list = listOf(load<u32>(ptr - HEADER));
  store<u32>(ptr, load<u32>(list));
  store<u32>(list, ptr);
}

export function calloc(count: usize, size: usize): usize {
  const total = <u64>count * <u64>size;
  if (total >> 32) return 0;
  return zeroed(malloc(<usize>total), <usize>total);
}

/** In place as long as the request stays within the block's range; else it moves. */
export function realloc(ptr: usize, request: usize): usize {
  if (!ptr) return malloc(request);
  const held = capacity(ptr);
  if (request <= held && (request > held >> 1 || held < 64)) return ptr;
  const moved = malloc(request);
  if (!moved) return 0;
  memory.copy(moved, ptr, min(held, request));
  free(ptr);
  return moved;
}

/**
 * An aligned payload inside a larger block would need a header that leads back to it; a block is instead cut
 * so that its payload is aligned, and the gap before it is lost. `align` must be a power of two.
 */
export function aligned_alloc(align: usize, request: usize): usize {
  if (align <= 16) return malloc(request);
  if (<u64>request + align > 0xffff_0000) return 0;
  const range = rangeOf(request + HEADER);
  if (!heads || <u64>cursor + align + sizeOfRange(range) > <u64>limit) {
    const start = grow(<usize>(sizeOfRange(range) + align + 2048));
    if (!start) return 0;
    if (!heads) begin(start, pieceEnd);
    if (start != limit && limit != pieceEnd) cursor = start + 16 - HEADER;
    limit = pieceEnd;
  }
  cursor = ((cursor + HEADER + align - 1) & ~(align - 1)) - HEADER;
  return cutNew(range);
}
