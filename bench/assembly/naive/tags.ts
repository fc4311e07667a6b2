/**
 * Blocks with boundary tags (Knuth) and the explicit free list that the first-fit, next-fit and best-fit
 * allocators share.
 *
 *   block  +0   header: size of the whole block | 1 if in use      (block address = 12 mod 16)
 *          +4   payload, 16-byte aligned; in a free block: next, prev
 *          end-4 footer: the same word as the header
 *
 * Sizes are multiples of 16, at least 16. A piece of memory begins with a footer and ends with a header that
 * say "in use, size 0", so that no merge looks beyond it.
 *
 * Invariants: header equals footer; two free blocks are never neighbours; the list, circular around `anchor`,
 * holds each free block once. Freeing and merging are O(1); a search is O(free blocks).
 *
 * A freed block goes to the front of the list (the usual choice: keeping address order would make free O(n)).
 */

import { grow, memoryEnd, pieceEnd } from "./growth";

export const OVERHEAD: usize = 8;
const USED: u32 = 1;
const MINIMUM: usize = 16;

/**
 * The list's head, in globals: a block address never equals ANCHOR, and next/prev of the anchor are these.
 * Addresses below 16 are no blocks, so 4 can stand for the anchor.
 */
export const ANCHOR: usize = 4; // the initial values below repeat the literal: a name would bring a start function
let first: usize = 4;
let last: usize = 4;

// Tags ------------------------------------------------------------------------------------------------------

@inline
export function sizeOf(block: usize): usize {
  return load<u32>(block) & ~15;
}

@inline
function isUsed(tag: u32): bool {
  return (tag & USED) != 0;
}

@inline
function setTags(block: usize, size: usize, used: u32): void {
  store<u32>(block, (<u32>size) | used);
  store<u32>(block + size - 4, (<u32>size) | used);
}

@inline
export function payload(block: usize): usize {
  return block + 4;
}

@inline
export function blockOf(ptr: usize): usize {
  return ptr - 4;
}

/** The block size for a request: tags added, rounded to 16; 0 if it overflows. */
@inline
export function blockSize(request: usize): usize {
  if (request > 0xffff_0000) return 0;
  return max<usize>((request + OVERHEAD + 15) & ~15, MINIMUM);
}

// The free list ---------------------------------------------------------------------------------------------

@inline
export function next(block: usize): usize {
  return block == ANCHOR ? first : <usize>load<u32>(block, 4);
}

@inline
function setNext(block: usize, value: usize): void {
  if (block == ANCHOR) first = value;
  else store<u32>(block, value, 4);
}

@inline
function setPrev(block: usize, value: usize): void {
  if (block == ANCHOR) last = value;
  else store<u32>(block, value, 8);
}

function link(block: usize): void {
  const front = first;
  store<u32>(block, front, 4);
  store<u32>(block, ANCHOR, 8);
  setPrev(front, block);
  first = block;
}

/** Where next-fit goes on. Kept here because unlinking the block it points to must move it. */
export let rover: usize = 4;

export function setRover(block: usize): void {
  rover = block;
}

function unlink(block: usize): void {
  const after: usize = load<u32>(block, 4);
  const before: usize = load<u32>(block, 8);
  setNext(before, after);
  setPrev(after, before);
  if (rover == block) rover = after;
}

// Memory ----------------------------------------------------------------------------------------------------

let end: usize = 0;

/** Makes [start, stop) one free block between two walls, or lengthens the last piece if it follows that. */
function addPiece(start: usize, stop: usize): void {
  let block: usize;
  if (start == end) {
    // The wall at the end of the last piece becomes the header of the new block.
    block = start - 4;
  } else {
    block = ((start + 4 + 15) & ~15) - 4;
    if (block < start + 4) block += 16;
    store<u32>(block - 4, USED);
  }
  const size = (stop - 4 - block) & ~15;
  end = stop;
  if (<isize>size < <isize>MINIMUM) return;
  setTags(block, size, 0);
  store<u32>(block + size, USED);
  link(merge(block));
}

/** Takes [heapBase, end of memory). */
export function init(heapBase: u32): void {
  if (end) return;
  const stop = memoryEnd();
  if (<usize>heapBase + 64 <= stop) addPiece(heapBase, stop);
}

/** A free block of at least `size` from new memory, in the list; 0 if the memory cannot grow. */
export function growBy(size: usize): usize {
  const start = grow(size + 32);
  if (!start) return 0;
  addPiece(start, pieceEnd);
  return first;
}

// Splitting and merging -------------------------------------------------------------------------------------

/** Takes a free block out of the list for a request of `size`; the rest, if it can be a block, stays free. */
export function carve(block: usize, size: usize): usize {
  unlink(block);
  cut(block, sizeOf(block), size);
  return payload(block);
}

function cut(block: usize, whole: usize, size: usize): void {
  const rest = whole - size;
  if (rest >= MINIMUM) {
    setTags(block, size, USED);
    setTags(block + size, rest, 0);
    link(merge(block + size));
  } else {
    setTags(block, whole, USED);
  }
}

/** Joins a free block, not in the list, with its free neighbours, which leave the list. */
function merge(block: usize): usize {
  let size = sizeOf(block);
  const right = block + size;
  if (!isUsed(load<u32>(right))) {
    unlink(right);
    size += sizeOf(right);
  }
  const tag = load<u32>(block - 4);
  if (!isUsed(tag)) {
    block -= tag & ~15;
    unlink(block);
    size += tag & ~15;
  }
  setTags(block, size, 0);
  return block;
}

/** Gives a block back. O(1). */
export function giveBack(ptr: usize): void {
  const block = blockOf(ptr);
  setTags(block, sizeOf(block), 0);
  link(merge(block));
}

/** Tries to make the block `size` long where it is: shrinks, or takes the free block behind it. */
export function resizeInPlace(ptr: usize, size: usize): bool {
  const block = blockOf(ptr);
  let whole = sizeOf(block);
  if (whole < size) {
    const right = block + whole;
    if (isUsed(load<u32>(right)) || whole + sizeOf(right) < size) return false;
    unlink(right);
    whole += sizeOf(right);
  }
  cut(block, whole, size);
  return true;
}
