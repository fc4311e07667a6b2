/**
 * persistentalloc and fixalloc: memory for the allocator's own records, outside of all spans.
 *
 * persistentalloc bumps through a chunk. fixalloc, here for span records only, keeps the dead ones in a list per number
 * of groups. The chunk comes from whoever calls persistChunk: heap/mheap.ts, out of pages. Where records move
 * (central/compact.ts) the page records tell these pages from others, so that they can go back to the page allocator. What
 * bootstrap put at the heap's start before there was a page allocator stays.
 *
 * In a shared heap each P has a chunk and lists of its own, so that the records of two Ps hardly share cache lines.
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
/** Bytes behind the heap's record for records that stay (mheap.ts, recordSpace). */
@inline export const FIXED_SIZE: u32 = GC && COMPACTS ? 576 : 0;
/** What the page record of a page of records has as its row: they move, or stay where they are. */
@inline export const PAGE_MOVES: u32 = 1;
@inline export const PAGE_STAYS: u32 = 2;

/** Where the page allocator's pages begin for a heap whose record is at `start`: behind the first arena's record. */
@inline
export function firstRegion(start: u32): u32 {
  return (start + HEAP_RECORD_SIZE + FIXED_SIZE + ARENA_RECORD_SIZE + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/** Note what the allocated pages [page, page + npages) have, PAGE_MOVES or PAGE_STAYS; with 0 they are to be free. */
export function markPages(page: u32, npages: u32, kind: u32): void {
  if (!COMPACTS) return;
  for (const end = page + npages; page < end; page++) recordAt(page).row = kind;
}

/** `size` bytes, 16-aligned, contents undefined; 0 when the chunk is too short. */
export function persistentAlloc(size: u32): u32 {
  const h = mlocal();
  const at = h.persistCur;
  size = (size + 15) & ~15;
  if (h.persistEnd - at < size) return 0;
  h.persistCur = at + size;
  return at;
}

/** Bytes that the chunk has left. */
@inline
export function persistentLeft(): u32 {
  return mlocal().persistEnd - mlocal().persistCur;
}

/**
 * Give [from, to) to persistentalloc if that is more than it has. The other rest is lost, by choice, until its page goes
 * back: it is short.
 */
export function persistChunk(from: u32, to: u32): void {
  from = (from + 15) & ~15;
  if (to <= from || to - from <= persistentLeft()) return;
  // Both at once: nobody may find the one without the other after a death.
  store<u64>(here(), (<u64>from) | ((<u64>to) << 32), offsetof<MHeap>("persistCur"));
}

/** What is left of one record's chunk becomes another's, which has none. */
export function moveChunk(from: u32, to: u32): void {
  const at = <u32>offsetof<MHeap>("persistCur");
  const chunk = load<u64>(from + at);
  store<u64>(from + at, 0);
  store<u64>(to + at, chunk);
}

/** Record for a span of `ngroups` groups, from the list of dead ones or the chunk; 0 when both are dry. */
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
  // The front outlives its span, for the meta table does: it has an address there, or none yet.
  store<u32>(at, 0);
  return at + front;
}

/** Bytes of a span's record with room for `ngroups` groups, its front included. */
@inline
export function recordBytes(ngroups: u32): u32 {
  return frontSize(ngroups) + MSPAN_SIZE + ngroups * GROUP_RECORDS;
}

/** Bytes of the meta table of a span of `ngroups` groups. A slot's bits are read and written by eight bytes. */
@inline
export function metaBytes(ngroups: u32): u32 {
  return ngroups * META_PER_GROUP + 8;
}

/** Back to its list. The caller has set state to dead, where there is one. */
export function spanRecordFree(span: MSpan): void {
  const list: usize = here() + (recordGroups(span) << 2);
  span.next = load<u32>(list, HEAP_FREE_SPANS);
  store<u32>(list, <u32>changetype<usize>(span), HEAP_FREE_SPANS);
}
