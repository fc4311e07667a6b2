/**
 * persistentalloc and fixalloc: memory for the allocator's own records, outside all spans.
 *
 * persistentalloc bumps through a chunk. fixalloc, here for span records only, keeps dead records in a list per number
 * of groups. heap/mheap.ts gives the chunk, out of pages, by persistChunk. Where records move (central/compact.ts), the
 * page records tell these pages from others, so that they can be returned to the page allocator. What bootstrap put at
 * the heap's start, before there was a page allocator, stays. Both names and ideas are Go's.
 *
 * In a shared heap each P has its own chunk and lists, so that the records of two Ps hardly share cache lines.
 *
 * Lock: H. Cost: O(1).
 */

import { COMPACTS, GC, PAGE_SIZE } from "../base/config";
import {
  ARENA_RECORD_SIZE,
  GROUP_RECORDS,
  HEAP_FREE_SPANS,
  HEAP_RECORD_SIZE,
  META_PER_GROUP,
  MHeap,
  MSPAN_SIZE,
  MSpan,
  frontSize,
  recordGroups,
} from "../base/layout";
import { here, mlocal } from "../base/state";
import { recordAt } from "./arena";

/** Most groups of a span. */
@inline export const MAX_GROUPS: u32 = 16;
/** Bytes behind the heap's record for records that stay (central/records.ts, recordSpace). */
@inline export const FIXED_SIZE: u32 = GC && COMPACTS ? 576 : 0;
/** The row field in the page record of a page of records: the records move, or stay where they are. */
@inline export const PAGE_MOVES: u32 = 1;
@inline export const PAGE_STAYS: u32 = 2;

/** Where the page allocator's pages begin if the heap's record is at `start`: behind the first arena's record. */
@inline
export function firstRegion(start: u32): u32 {
  return (start + HEAP_RECORD_SIZE + FIXED_SIZE + ARENA_RECORD_SIZE + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/**
 * Set the kind of the allocated pages [page, page + npages): PAGE_MOVES or PAGE_STAYS; 0 if they are about to be freed.
 */
export function markPages(page: u32, npages: u32, kind: u32): void {
  if (!COMPACTS) return;
  for (const end = page + npages; page < end; page++) recordAt(page).row = kind;
}

/** `size` bytes, 16-aligned, contents undefined; 0 if the chunk is too short. */
export function persistentAlloc(size: u32): u32 {
  const h = mlocal();
  const at = h.persistCur;
  size = (size + 15) & ~15;
  if (h.persistEnd - at < size) return 0;
  h.persistCur = at + size;
  return at;
}

/** Bytes left in the chunk. */
@inline
export function persistentLeft(): u32 {
  return mlocal().persistEnd - mlocal().persistCur;
}

/**
 * Make [from, to) the persistent chunk if it is longer than what the present one has left. The shorter rest is lost, by
 * choice, until its page is freed.
 */
export function persistChunk(from: u32, to: u32): void {
  from = (from + 15) & ~15;
  if (to <= from || to - from <= persistentLeft()) return;
  // One store for both: after a death no thread may find one without the other.
  store<u64>(here(), (<u64>from) | ((<u64>to) << 32), offsetof<MHeap>("persistCur"));
}

/** Move what is left of one record's chunk to another record, which has none. */
export function moveChunk(from: u32, to: u32): void {
  const at = <u32>offsetof<MHeap>("persistCur");
  const chunk = load<u64>(from + at);
  store<u64>(from + at, 0);
  store<u64>(to + at, chunk);
}

/** Record for a span of `ngroups` groups, from the list of dead ones or the chunk; 0 if both are empty. */
export function spanRecordAlloc(ngroups: u32): u32 {
  const list: usize = here() + (ngroups << 2);
  const dead = load<u32>(list, HEAP_FREE_SPANS);
  if (dead) {
    store<u32>(list, changetype<MSpan>(<usize>dead).next, HEAP_FREE_SPANS);
    return dead;
  }
  const front = frontSize(ngroups);
  const at = persistentAlloc(recordBytes(ngroups));
  if (!GC || at == 0) return at;
  // The front outlives its span because the meta table does: the front has the table's address, or none yet. The word
  // behind it names no special while there is no span.
  store<u64>(at, 0);
  return at + front;
}

/** Bytes of a span's record with room for `ngroups` groups, including its front. */
@inline
export function recordBytes(ngroups: u32): u32 {
  return frontSize(ngroups) + MSPAN_SIZE + ngroups * GROUP_RECORDS;
}

/**
 * Bytes of the meta table of a span of `ngroups` groups, a multiple of 16. There is room behind the last slot's bits,
 * which are read and written eight bytes at a time.
 */
@inline
export function metaBytes(ngroups: u32): u32 {
  return ngroups * META_PER_GROUP + 16;
}

/** A dead record for a large span, taken out of its list; null if there is none. */
@inline
export function deadLargeRecord(): MSpan | null {
  const list: usize = here();
  const dead = load<u32>(list, HEAP_FREE_SPANS);
  if (dead) store<u32>(list, changetype<MSpan>(<usize>dead).next, HEAP_FREE_SPANS);
  return changetype<MSpan | null>(<usize>dead);
}

/** Return a span record to its list. The caller has set state to dead, in flavours that have a state. */
@inline
export function spanRecordFree(span: MSpan): void {
  const list: usize = here() + (recordGroups(span) << 2);
  span.next = load<u32>(list, HEAP_FREE_SPANS);
  store<u32>(list, <u32>changetype<usize>(span), HEAP_FREE_SPANS);
}
