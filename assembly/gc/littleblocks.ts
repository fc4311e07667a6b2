/**
 * The blocks of the little heap (gc/little.ts, which draws them), and the list of those that a collection has marked.
 *
 * Owner: the one thread. Cost of isLittleObject: O(blocks).
 */

import { traceVisit } from "./rtrace";
import { isPointerFree } from "./asctypes";

/** An object's address less its block's. */
@inline export const OBJECT: u32 = 20;
/** Flags of a block: free; of heap.alloc, or nobody's. */
@inline export const FREE: u32 = 1;
@inline export const RAW: u32 = 2;
@inline export const FLAGS: u32 = 3;
/** In an object's link: it is marked. */
@inline const MARKED: u32 = 1;

/** The first block; 0: there is no little heap. And where the last one ends. */
export let first: u32 = 0;
export let end: u32 = 0;
/** The list of what is marked and holds references: first and last object. */
let head: u32 = 0;
let tail: u32 = 0;

/** The blocks lie from `from` to `to`. */
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

/** Begin to mark: nothing is. */
export function beginMarks(): void {
  head = 0;
  tail = 0;
}

/** Visit what the marked objects refer to until nothing new is found. Then the static ones are unmarked; others are by the sweep. */
export function drainLittle(): void {
  for (let p = head; p != 0; p = load<u32>(p - 16) & ~MARKED) __visit_members(p, 0);
  for (let p = head; p != 0;) {
    const next = load<u32>(p - 16) & ~MARKED;
    if (p < <u32>__heap_base) store<u32>(p - 16, 0);
    p = next;
  }
}

/** A reference that marking has come upon. */
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

/** Whether a word that may be anything is the address of an object that is not marked yet. */
export function isLittleObject(p: u32): bool {
  const block = p - OBJECT;
  if ((p & 15) != 0 || block < first || block >= end) return false;
  if ((load<u32>(block) & FLAGS) != 0 || isMarkedLittle(p)) return false;
  let b = first;
  while (b < block) b = after(b);
  return b == block;
}
