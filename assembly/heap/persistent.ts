/**
 * persistentalloc and fixalloc: memory for the allocator's own records, outside of all spans.
 *
 * persistentalloc bumps through a chunk and never frees. fixalloc, here for span records only, keeps the dead ones in
 * a list per number of groups. The chunk comes from whoever calls persistChunk: heap/mheap.ts, out of pages.
 *
 * In a shared heap each P has a chunk and lists of its own, so that the records of two Ps hardly share cache lines.
 *
 * Lock: H. Cost: O(1).
 */

import { GC, SHARED } from "../base/config";
import {
  GROUP_RECORDS,
  HEAP_FREE_SPANS,
  META_PER_GROUP,
  MHeap,
  MSPAN_SIZE,
  MSpan,
  frontSize,
  recordGroups,
} from "../base/layout";
import { here, mlocal } from "../base/state";
import { metaOf } from "./mspan";

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
// @ts-ignore: decorator
@inline
export function persistentLeft(): u32 {
  return mlocal().persistEnd - mlocal().persistCur;
}

/** Give [from, to) to persistentalloc if that is more than it has. The other rest is lost, by choice: it is short. */
export function persistChunk(from: u32, to: u32): void {
  from = (from + 15) & ~15;
  if (to <= from || to - from <= persistentLeft()) return;
  const h = mlocal();
  if (SHARED) {
    // Both at once: nobody may find the one without the other after a death.
    store<u64>(here(), (<u64>from) | ((<u64>to) << 32), offsetof<MHeap>("persistCur"));
    return;
  }
  h.persistCur = from;
  h.persistEnd = to;
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
  const at = persistentAlloc(front + MSPAN_SIZE + ngroups * GROUP_RECORDS);
  if (!GC || at == 0) return at;
  // The front outlives its span, for the meta table does: it has an address there, or none yet.
  store<u32>(at, 0);
  return at + front;
}

/**
 * The meta table at a record's front (gc/typebits.ts), if there is one, says of all slots that any word may be a pointer. In
 * a shared heap a marker may look at a slot before its type is written, also for ever if the writer dies: what it finds
 * must not be the pointer bits that an earlier span of this record had there.
 */
export function clearMeta(span: MSpan): void {
  const table = metaOf(span);
  if (table == 0) return;
  const end = table + <u32>span.ngroups * META_PER_GROUP;
  for (let at = table; at < end; at += 8) store<u64>(at, 0);
}

/** Back to its list. The caller has set state to dead, where there is one. */
export function spanRecordFree(span: MSpan): void {
  const list: usize = here() + (recordGroups(span) << 2);
  span.next = load<u32>(list, HEAP_FREE_SPANS);
  store<u32>(list, <u32>changetype<usize>(span), HEAP_FREE_SPANS);
}
