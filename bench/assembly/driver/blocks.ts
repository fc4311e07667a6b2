/**
 * Blocks as the workloads handle them. The driver is compiled twice from the same source (asc --use CHECKED=0|1).
 *
 * Timed build: a new block has its first and last byte written, a block about to be freed has its first byte
 * read. That is the least a program does with memory it asked for, and it is the same for every allocator.
 * Bytes, not words, so that no request is too small and no branch on the size is needed.
 *
 * Checked build: a new block is checked for alignment and range and stamped with a pattern that follows from
 * its address and size; before it is freed or resized the pattern must still be there. Two live blocks that
 * overlap, an allocator that writes into a live block and a realloc that loses bytes all show.
 *
 * Stamped are all words below FULL, beyond that one word in each STRIDE bytes, and the block's last bytes.
 */

import { aligned_alloc, calloc, free, malloc, realloc } from "./allocator";
import { born, died, fail, mix } from "./tally";

/** Kinds of failed checks. */
export const MISALIGNED: u32 = 1;
export const OUT_OF_RANGE: u32 = 2;
export const OVERWRITTEN: u32 = 3;
export const NOT_ZERO: u32 = 4;
export const LOST_BY_REALLOC: u32 = 5;

const FULL: usize = 1024;
const STRIDE: usize = 256;
const TAIL: usize = 32;

let heapBase: usize = 0;

/** Checked build: no block may lie below `base`. */
export function setHeapBase(base: usize): void {
  heapBase = base;
}

// Patterns ----------------------------------------------------------------------------------------------

@inline
function word(key: u32, offset: usize): u32 {
  return (key ^ (<u32>offset)) * 0x9e3779b1;
}

@inline
function byte(key: u32, offset: usize): u8 {
  return <u8>(word(key, offset & ~3) >> ((((<u32>offset) & 3) << 3) as u32));
}

@inline
function keyOf(ptr: usize, size: usize): u32 {
  return (<u32>ptr * 0x85ebca6b) ^ (<u32>size * 0xc2b2ae35);
}

function stamp(ptr: usize, size: usize, from: usize, key: u32): void {
  const words = size & ~3;
  const full = min(words, FULL);
  for (let at = from; at < full; at += 4) store<u32>(ptr + at, word(key, at));
  for (let at = FULL; at + 4 <= words; at += STRIDE) store<u32>(ptr + at, word(key, at));
  const tail = size > TAIL ? max(size - TAIL, from) : from;
  for (let at = tail; at < size; at++) store<u8>(ptr + at, byte(key, at));
}

/** True if the first `length` bytes of a block stamped at `size` bytes still bear its pattern. */
function intact(ptr: usize, size: usize, length: usize, from: usize, key: u32): bool {
  const words = length & ~3;
  const full = min(words, FULL);
  for (let at = from; at < full; at += 4) {
    if (load<u32>(ptr + at) != word(key, at)) return false;
  }
  for (let at = FULL; at + 4 <= words; at += STRIDE) {
    if (load<u32>(ptr + at) != word(key, at)) return false;
  }
  const tail = size > TAIL ? max(size - TAIL, from) : from;
  for (let at = tail; at < length; at++) {
    if (load<u8>(ptr + at) != byte(key, at)) return false;
  }
  return true;
}

function checkPlace(ptr: usize, size: usize, align: usize): void {
  if (ptr & (align - 1)) fail(MISALIGNED);
  if (ptr < heapBase) fail(OUT_OF_RANGE);
  if (<u64>ptr + size > (<u64>(<u32>memory.size())) << 16) fail(OUT_OF_RANGE);
}

@inline
function promisedAlign(size: usize): usize {
  return size >= 16 ? 16 : size >= 8 ? 8 : SMALL_ALIGNMENT;
}

/** The byte that the timed build writes: different for neighbouring sizes, not 0 for powers of two. */
@inline
function tagOf(size: usize): u8 {
  return <u8>(size + 1);
}

/**
 * Marks a fresh block. The first `reserved` bytes belong to the workload (a link, a stored size) and are left
 * alone; the tag in the timed build goes right behind them.
 */
@inline
export function mark(ptr: usize, size: usize, reserved: usize = 0): void {
  if (CHECKED) {
    stamp(ptr, size, reserved, keyOf(ptr, size));
  } else {
    store<u8>(ptr + reserved, tagOf(size));
    store<u8>(ptr + size - 1, tagOf(size));
  }
}

/** Reads a block back before it goes. `size` is looked at in the checked build only. */
@inline
export function unmark(ptr: usize, size: usize, reserved: usize = 0): void {
  if (CHECKED) {
    if (!intact(ptr, size, size, reserved, keyOf(ptr, size))) fail(OVERWRITTEN);
    mix(tagOf(size));
  } else {
    mix(load<u8>(ptr + reserved));
  }
}

// The malloc family with marks ----------------------------------------------------------------------------

/** malloc(size) and mark; traps when there is no memory. size >= reserved + 1. */
@inline
export function obtain(size: usize, reserved: usize = 0): usize {
  const ptr = malloc(size);
  if (!ptr) unreachable();
  if (CHECKED) {
    checkPlace(ptr, size, promisedAlign(size));
    born(<u32>size);
  }
  mark(ptr, size, reserved);
  return ptr;
}

/** calloc and mark; the checked build looks at every byte. */
@inline
export function obtainZeroed(size: usize): usize {
  const ptr = calloc(1, size);
  if (!ptr) unreachable();
  if (CHECKED) {
    checkPlace(ptr, size, promisedAlign(size));
    born(<u32>size);
    let any: u32 = 0;
    for (let at: usize = 0; at < size; at++) any |= load<u8>(ptr + at);
    if (any) fail(NOT_ZERO);
  }
  mark(ptr, size);
  return ptr;
}

/** aligned_alloc and mark. */
@inline
export function obtainAligned(align: usize, size: usize): usize {
  const ptr = aligned_alloc(align, size);
  if (!ptr) unreachable();
  if (CHECKED) {
    checkPlace(ptr, size, align);
    born(<u32>size);
  }
  mark(ptr, size);
  return ptr;
}

/** Unmark and free. */
@inline
export function release(ptr: usize, size: usize, reserved: usize = 0): void {
  unmark(ptr, size, reserved);
  if (CHECKED) died(<u32>size);
  free(ptr);
}

/** realloc(ptr, size) of a block that has `old` bytes (looked at in the checked build only), and mark. */
@inline
export function resize(ptr: usize, old: usize, size: usize): usize {
  unmark(ptr, old);
  const moved = realloc(ptr, size);
  if (!moved) unreachable();
  if (CHECKED) {
    if (!intact(moved, old, min(old, size), 0, keyOf(ptr, old))) fail(LOST_BY_REALLOC);
    checkPlace(moved, size, promisedAlign(size));
    died(<u32>old);
    born(<u32>size);
  }
  mark(moved, size);
  return moved;
}
