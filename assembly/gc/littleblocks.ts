/**
 * The blocks of the little heap (gc/little.ts draws them), and the list of blocks that a collection has marked.
 *
 * Owner: the one thread. Cost: O(1); isLittleObject and drainLittle O(blocks).
 */

import { traceVisit } from "./rtrace";
import { isPointerFree } from "./asctypes";

/** Distance from a block's address to its object's address. */
@inline export const OBJECT: u32 = 20;
/** Flags of a block. FREE: it is free. RAW: it comes from heap.alloc, or belongs to nobody. */
@inline export const FREE: u32 = 1;
@inline export const RAW: u32 = 2;
@inline export const FLAGS: u32 = 3;
/** Flag in an object's link: it is marked. */
@inline const MARKED: u32 = 1;

/** Address of the first block, 0: there is no little heap; and the end of the last block. */
export let first: u32 = 0;
export let end: u32 = 0;
/** The list of marked objects that hold references: the first and the last. */
let head: u32 = 0;
let tail: u32 = 0;

/** Set the area of the blocks to [from, to). */
export function setBlocks(from: u32, to: u32): void {
  first = from;
  end = to;
}

@inline
export function hasLittle(): bool {
  return first != 0;
}

@inline
export function bytesOf(block: u32): u32 {
  return load<u32>(block) & ~FLAGS;
}

@inline
export function after(block: u32): u32 {
  return block + 4 + bytesOf(block);
}

/** Whether the object at `p`, in the heap or static, is marked. */
@inline
export function isMarkedLittle(p: u32): bool {
  return (load<u32>(p - 16) & MARKED) != 0;
}

/** Begin marking with an empty list. */
export function beginMarks(): void {
  head = 0;
  tail = 0;
}

/**
 * Visit the references of marked objects until nothing new is found. Then unmark the static objects; the sweep unmarks
 * the others.
 */
export function drainLittle(): void {
  for (let p = head; p != 0; p = load<u32>(p - 16) & ~MARKED) __visit_members(p, 0);
  for (let p = head; p != 0;) {
    const next = load<u32>(p - 16) & ~MARKED;
    if (p < <u32>__heap_base) store<u32>(p - 16, 0);
    p = next;
  }
}

/** Mark the object at `p`, a reference that marking found. */
export function visitLittle(p: u32): void {
  if (!traceVisit(p - OBJECT)) return;
  if (isMarkedLittle(p)) return;
  if (isPointerFree(load<u32>(p - 8))) {
    if (p >= <u32>__heap_base) store<u32>(p - 16, MARKED);
    return;
  }
  store<u32>(p - 16, MARKED);
  if (tail) store<u32>(tail - 16, p | MARKED);
  else head = p;
  tail = p;
}

/** Whether an arbitrary word is the address of an object that is not marked yet. */
export function isLittleObject(p: u32): bool {
  const block = p - OBJECT;
  if ((p & 15) != 0 || block < first || block >= end) return false;
  if ((load<u32>(block) & FLAGS) != 0 || isMarkedLittle(p)) return false;
  let b = first;
  while (b < block) b = after(b);
  return b == block;
}
