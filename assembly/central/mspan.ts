/**
 * mspan: what a span's record says without further lookups. The record and the groups behind it are drawn in
 * base/layout.ts.
 *
 * Owner: whoever owns the span may read; the few writers say what they need. Cost: O(groups) at most.
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { FULL, GROUP_SHIFT, Group, MSPAN_SIZE, MSpan, frontSize } from "../base/layout";
import { lowBits } from "../base/bits";
import { recordOf, rowAt, seeWord, slotSize, heap, rowAddressIn } from "../base/state";

@inline
export function spanAt(address: u32): MSpan {
  return changetype<MSpan>(<usize>address);
}

@inline
export function addressOf(span: MSpan): u32 {
  return <u32>changetype<usize>(span);
}

@inline
export function groupAt(address: u32): Group {
  return changetype<Group>(<usize>address);
}

/** Address of a span's meta word, in its record's front. With the collector only. */
@inline
export function metaWord(span: MSpan): u32 {
  return addressOf(span) - frontSize(span.ngroups);
}

/** Meta table of a small span (gc/typebits.ts), or the type of a large one; 0 if it has none. */
@inline
export function metaOf(span: MSpan): u32 {
  return load<u32>(metaWord(span));
}

/** Group `i` of a span. */
@inline
export function groupOf(span: MSpan, i: u32): Group {
  return groupAt(addressOf(span) + MSPAN_SIZE + (i << GROUP_SHIFT));
}

/** Index, in its span, of the group at an address. */
@inline
export function groupIndex(span: MSpan, group: u32): u32 {
  return (group - addressOf(span) - MSPAN_SIZE) >> GROUP_SHIFT;
}

/** The slots that group `i` has: all ones except in the last group. */
@inline
export function validBits(span: MSpan, i: u32): u64 {
  const slots = <u32>span.nelems - (i << 6);
  return slots >= 64 ? ~(<u64>0) : lowBits(slots);
}

/**
 * Shared heaps: if all slots of group `i`, which no mcache holds, are in freed, make them its window. With all ones it
 * would look full to other threads, which then could not detect a double free.
 */
@inline
export function reopenFree(span: MSpan, i: u32): void {
  if (!SHARED) return;
  const g = groupOf(span, i);
  if (g.freed != FULL) return;
  const valid = validBits(span, i);
  g.allocCache = valid;
  g.freed = ~valid;
  span.dirtyMask = <u16>((<u32>span.dirtyMask) | (1 << i));
}

/** The record of a span's P; the heap's with one thread, and for unowned spans. */
@inline
export function ownerRecord(span: MSpan): u32 {
  return SHARED ? recordOf(span.owner) : heap;
}

/**
 * Free the slots `bits` of group `i`; `cached`: the mcache has the group. A group that was full returns to its span.
 * Returns those of `bits` that were already free; nothing happens to them.
 */
export function freeSlots(span: MSpan, i: u32, bits: u64, cached: bool): u64 {
  const g = groupOf(span, i);
  const mask = <u32>span.partialMask;
  let twice: u64 = 0;
  if (cached || (mask >> i) & 1) {
    twice = bits & (g.allocCache | g.freed);
    g.freed |= bits & ~twice;
  } else {
    g.freed = ~validBits(span, i) | bits;
    span.partialMask = <u16>(mask | (1 << i));
  }
  if (!cached) reopenFree(span, i);
  return twice;
}

/** Whether the mcache holds this group. */
@inline
function isCached(span: MSpan, group: u32): bool {
  return rowAt(rowAddressIn(ownerRecord(span), span.row)).group == group;
}

/** Whether group `i` is full and not in the mcache: then its words do not describe its slots. */
export function isFull(span: MSpan, i: u32): bool {
  const group = addressOf(span) + MSPAN_SIZE + (i << GROUP_SHIFT);
  return (((<u32>span.partialMask) >> i) & 1) == 0 && !isCached(span, group);
}

/** Shared heaps: address of the word that other threads write for group `i`. */
@inline
export function remoteOf(span: MSpan, i: u32): u32 {
  return addressOf(span) + MSPAN_SIZE + ((<u32>span.ngroups + i) << GROUP_SHIFT);
}

/** Clear the remote word of group `i` of a new span. */
@inline
export function clearRemote(span: MSpan, i: u32): void {
  if (SHARED) store<u64>(remoteOf(span, i), 0);
}

/** Slots of group `i` that other Ps have freed and the owner has not drained yet. */
@inline
export function remoteBits(span: MSpan, i: u32): u64 {
  if (!SHARED) return 0;
  const at = remoteOf(span, i);
  seeWord(at);
  return atomic.load<u64>(at);
}

/** The live slots of group `i`; a slot that another P has freed stays live until the owner drains it. */
export function liveBits(span: MSpan, i: u32): u64 {
  if (isFull(span, i)) return validBits(span, i);
  const g = groupOf(span, i);
  return ~(g.allocCache | g.freed);
}

/** Count of the slots of a small span that are not freed. */
export function usedSlots(span: MSpan): u32 {
  let n: u32 = 0;
  for (let i: u32 = 0; i < span.ngroups; i++) n += <u32>popcnt(liveBits(span, i) & ~remoteBits(span, i));
  return n;
}

/** Whether no slot of the span is live. */
export function isEmpty(span: MSpan): bool {
  for (let i: u32 = 0; i < span.ngroups; i++) {
    if (liveBits(span, i) != 0) return false;
    // A span is not freed before a slot that was freed twice has been counted.
    if (remoteBits(span, i) != 0) return false;
  }
  return true;
}

/** Bytes of a block in the span. */
@inline
export function blockSize(span: MSpan): u32 {
  return span.ngroups ? slotSize(span.row) : span.npages << PAGE_SHIFT;
}

/** isEmpty for a span that no mcache holds: partialMask alone answers most cases. */
export function isEmptyUncached(span: MSpan): bool {
  return <u32>span.partialMask == <u32>lowBits(span.ngroups) && isEmpty(span);
}
