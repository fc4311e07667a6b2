/**
 * validate: the heap's invariants as code. Reads everything, changes nothing of it; O(heap's records).
 *
 * A result other than 0 is the number of the first invariant found broken; validateInfo has the address it is about.
 * The groups of numbers: 1x pages and summaries, 2x spans and their records, 3x groups and slots, 4x lists and rows,
 * 5x accounts. src/ has a sentence for each. In a shared heap no other thread may be inside the allocator.
 */

import {
  ARENA_PAGES,
  GC,
  CHUNK_SHIFT,
  LAST_P,
  MAX_SPAN_PAGES,
  NUM_ROWS,
  PAGE_SHIFT,
  ROW_TINY,
  SHARED,
  SHARED_GC,
} from "../base/config";
import {
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_LISTED,
  FULL,
  HEAP_ROWS,
  MHeap,
  MSPAN_SIZE,
  MSpan,
  REMOTE_NEXT,
  REMOTE_SPAN,
  ROW_SHIFT,
  SPAN_IN_USE,
} from "../base/layout";
import {
  arenaOf,
  central,
  centralOf,
  dummyGroup,
  heap,
  local,
  mheap,
  mlocal,
  recordOf,
  rowAt,
  rowAddress,
  setLocal,
} from "../base/state";
import { gcState, isCollected, isMarking, markWord } from "../base/gcstate";
import { isUnswept, sweepSets } from "../central/sweepsets";
import { inUseBits, pageRecord, spanOf } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import {
  groupAt,
  groupIndex,
  groupOf,
  isEmptyUncached,
  isFull,
  liveBits,
  remoteBits,
  remoteOf,
  spanAt,
  validBits,
} from "../heap/mspan";
import { LEAF, chunkBits, chunkScav, countFreePages, expectedSum, levelFor, sumAddress } from "../heap/pagealloc";

/** 10: a summary differs from what its children say. */
@inline export const BAD_SUMMARY: u32 = 10;
/** 11: a page below searchPage is free. */
@inline export const BAD_SEARCH: u32 = 11;
/** 12: a page is scavenged and allocated. */
@inline export const BAD_SCAVENGED: u32 = 12;
/** 13: rootLevel does not fit the arenas. */
@inline export const BAD_ROOT: u32 = 13;
/** 14: a page of the page cache is free in the bitmap, or scavenged without being free in the cache. */
@inline export const BAD_PAGE_CACHE: u32 = 14;
/** 20: a page of a span in use is free. */
@inline export const SPAN_PAGE_FREE: u32 = 20;
/** 21: a page record does not name the span that holds the page. */
@inline export const BAD_PAGE_RECORD: u32 = 21;
/** 22: a span's state, start or flags are not those of a span in use. */
@inline export const BAD_SPAN: u32 = 22;
/** 23: an inUse bit lies inside a span. */
@inline export const SPANS_OVERLAP: u32 = 23;
/** 24: an address inside a span resolves to another one. */
@inline export const BAD_LOOKUP: u32 = 24;
/** 25: a page outside of all spans has a page record. */
@inline export const STALE_PAGE_RECORD: u32 = 25;
/** 30: a group has a bit of allocCache beyond its slots, or lacks one of freed there. */
@inline export const BIT_OUTSIDE: u32 = 30;
/** 31: a slot is in allocCache and in freed. */
@inline export const BIT_TWICE: u32 = 31;
/** 32: a full group that nobody holds does not look like one. */
@inline export const BAD_GROUP: u32 = 32;
/** 33: partialMask and the groups' free slots differ. */
@inline export const BAD_PARTIAL_MASK: u32 = 33;
/** 34: a slot that is said to be zero is not. */
@inline export const DIRTY_SLOT: u32 = 34;
/** 40: a list's links are broken, or a span of another row stands in it. */
@inline export const BAD_LIST: u32 = 40;
/** 41: a span outside of the mcache with free slots is in no list, or a full or cached one is in one. */
@inline export const BAD_PLACE: u32 = 41;
/** 42: a span in the list of empty ones has a live slot. */
@inline export const NOT_EMPTY: u32 = 42;
/** 43: a row's group is not one of its spans. */
@inline export const BAD_ROW: u32 = 43;
/** 50: in use + free + cached + metadata pages are not the grown pages. */
@inline export const BAD_PAGE_COUNT: u32 = 50;
/** 51: a row's number of spans is not what the walk counts. */
@inline export const BAD_SPAN_COUNT: u32 = 51;
/** 44: a span's owner is no P, or the page records name another's row. Shared heaps. */
@inline export const BAD_OWNER: u32 = 44;
/** 45: a slot that another P has freed is not live, or its group is in no stack. Shared heaps. */
@inline export const BAD_REMOTE: u32 = 45;
/** 52: retained pages are not those of the lists of empty spans. */
@inline export const BAD_RETAINED: u32 = 52;

/** 53: a slot of a swept span is marked though no cycle runs. */
@inline export const STALE_MARK: u32 = 53;

let info: u32 = 0;

/** Address that the last result of validate is about. */
export function validateInfo(): u32 {
  return info;
}

function bad(code: u32, at: u32): u32 {
  info = at;
  return code;
}

/** 0, or the number of a broken invariant. With `deep` the slots that are said to be zero are read as well. */
export function validateHeap(deep: bool): u32 {
  info = 0;
  if (heap == 0) return 0;
  let code = validatePages();
  if (!SHARED) {
    if (code == 0) code = validateSpans(deep);
    if (code == 0) code = validateLists();
    return code;
  }
  const mine = local;
  if (code == 0) code = validateSpans(deep);
  for (let id: u32 = 0; id <= LAST_P && code == 0; id++) {
    if (recordOf(id) == 0) continue;
    setLocal(recordOf(id));
    code = validateLists();
  }
  setLocal(mine);
  return code;
}

/** The page cache of a P, or of the heap: pages in it; -1 when it is broken. */
function cachedPages(h: MHeap): i32 {
  if (h.pcCache != 0 && (h.pcCache & ~chunkBits(h.pcBase >> 6)) != 0) return -1;
  return (h.pcScav & ~h.pcCache) != 0 ? -1 : <i32>popcnt(h.pcCache);
}

function validatePages(): u32 {
  const h = mheap();
  if (h.rootLevel != levelFor(h.arenaLo, h.arenaHi)) return bad(BAD_ROOT, h.rootLevel);
  const search = h.searchPage;
  for (let a = h.arenaLo; a <= h.arenaHi; a++) {
    if (arenaOf(a) == 0) continue;
    for (let c = a << 3; c < (a + 1) << 3; c++) {
      const bits = chunkBits(c);
      const at = c << CHUNK_SHIFT;
      if ((chunkScav(c) & bits) != 0) return bad(BAD_SCAVENGED, at);
      if (load<u64>(sumAddress(LEAF, c)) != expectedSum(LEAF, c)) return bad(BAD_SUMMARY, at);
      const first = c << 6;
      if (first < search && ~bits != 0 && first + <u32>ctz(~bits) < search) return bad(BAD_SEARCH, at);
    }
  }
  let lo = h.arenaLo;
  let hi = h.arenaHi;
  for (let level = LEAF; level > h.rootLevel;) {
    level--;
    for (let i = lo; i <= hi; i++) {
      if (load<u64>(sumAddress(level, i)) != expectedSum(level, i)) return bad(BAD_SUMMARY, (level << 28) | i);
    }
    lo >>= 3;
    hi >>= 3;
  }
  let free = countFreePages();
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    const p = changetype<MHeap>(<usize>record);
    const cached = cachedPages(p);
    if (cached < 0) return bad(BAD_PAGE_CACHE, p.pcBase << PAGE_SHIFT);
    free += cached;
  }
  if (free + h.inUsePages + h.metaPages != h.grownPages) return bad(BAD_PAGE_COUNT, free);
  return 0;
}

function validateSpans(deep: bool): u32 {
  const h = mheap();
  let inUse: u32 = 0;
  let next = h.arenaLo * ARENA_PAGES;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record) for (let row: u32 = 0; row < NUM_ROWS; row++) centralOf(record, row).counted = 0;
  }
  for (let page = nextSpanPage(1); page != 0;) {
    // Between two spans no page has a record.
    for (; next < page; next++) {
      if (arenaOf(next >> 9) != 0 && pageRecord(next).groups != 0) return bad(STALE_PAGE_RECORD, next << PAGE_SHIFT);
    }
    const at = pageRecord(page).groups - MSPAN_SIZE;
    const span = changetype<MSpan>(<usize>at);
    if (span.state != SPAN_IN_USE || span.startAddr != page << PAGE_SHIFT || span.npages == 0) return bad(BAD_SPAN, at);
    if (!SHARED && span.owner != 0) return bad(BAD_SPAN, at);
    if (GC && isUnswept(span) && (!gcState().sweeping || span.sweepgen + 2 != h.sweepgen)) return bad(BAD_SPAN, at);
    if (SHARED) {
      if (recordOf(span.owner) == 0) return bad(BAD_OWNER, at);
      setLocal(recordOf(span.owner));
    }
    const end = page + span.npages;
    for (let p = page; p < end; p++) {
      if ((chunkBits(p >> 6) & ((<u64>1) << (p & 63))) == 0) return bad(SPAN_PAGE_FREE, p << PAGE_SHIFT);
      if (p > page && (inUseBits(p & ~63) & ((<u64>1) << (p & 63))) != 0) return bad(SPANS_OVERLAP, p << PAGE_SHIFT);
      if (span.ngroups != 0 || p == page) {
        const r = pageRecord(p);
        if (r.groups != at + MSPAN_SIZE || r.base != span.startAddr) return bad(BAD_PAGE_RECORD, p << PAGE_SHIFT);
      } else if (pageRecord(p).groups != 0) return bad(BAD_PAGE_RECORD, p << PAGE_SHIFT);
      if (spanOf((p << PAGE_SHIFT) + 4096) != span) return bad(BAD_LOOKUP, p << PAGE_SHIFT);
    }
    inUse += span.npages;
    central(span.row).counted += 1;
    if (span.ngroups != 0) {
      const code = validateGroups(span, deep);
      if (code != 0) return code;
    } else if (span.row != 0 || span.nelems != 1) return bad(BAD_SPAN, at);
    next = end;
    page = nextSpanPage(end);
  }
  if (inUse != h.inUsePages) return bad(BAD_PAGE_COUNT, inUse);
  return 0;
}

function validateGroups(span: MSpan, deep: bool): u32 {
  const at = <u32>changetype<usize>(span);
  const row = rowAt(rowAddress(span.row));
  const size = row.elemsize;
  const c = central(span.row);
  if (span.spanclass != c.spanclass || span.npages > MAX_SPAN_PAGES) return bad(BAD_SPAN, at);
  if (<u32>span.nelems != (span.npages << PAGE_SHIFT) / size) return bad(BAD_SPAN, at);
  if (<u32>span.ngroups != (<u32>span.nelems + 63) >> 6) return bad(BAD_SPAN, at);
  const r = pageRecord(span.startAddr >> PAGE_SHIFT);
  const collected = SHARED_GC && isCollected(span.row);
  if (
    r.row != (collected ? heap + HEAP_ROWS + ((<u32>span.row) << ROW_SHIFT) : rowAddress(span.row)) ||
    r.divMagic != (<u32>span.row == ROW_TINY ? 0 : c.divMagic)
  ) {
    return bad(BAD_PAGE_RECORD, span.startAddr);
  }
  let partial: u32 = 0;
  let cached = false;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    const g = groupOf(span, i);
    const where = <u32>changetype<usize>(g);
    const valid = validBits(span, i);
    if (SHARED) {
      const remote = remoteBits(span, i);
      const beside = remoteOf(span, i);
      if ((remote & ~liveBits(span, i)) != 0) return bad(BAD_REMOTE, where);
      // Of a collected span that is a P's it may lie beside.
      const owned = SHARED_GC && isCollected(span.row) && span.owner != 0;
      if (remote != 0 && !owned && load<u32>(beside, REMOTE_NEXT) == 0) return bad(BAD_REMOTE, where);
      if (load<u32>(beside, REMOTE_SPAN) != at) return bad(BAD_REMOTE, where);
    }
    if (row.group == where) {
      cached = true;
      if (row.span != at || row.base != span.startAddr + (i << 6) * size || row.tail != ~valid)
        return bad(BAD_ROW, where);
    } else if (isFull(span, i)) {
      if (g.allocCache != 0 || g.freed != FULL) return bad(BAD_GROUP, where);
      continue;
    } else {
      partial |= 1 << i;
      if ((g.allocCache | (g.freed & valid)) == 0) return bad(BAD_PARTIAL_MASK, where);
    }
    if ((g.allocCache & ~valid) != 0 || (~g.freed & ~valid) != 0) return bad(BIT_OUTSIDE, where);
    if ((g.allocCache & g.freed) != 0) return bad(BIT_TWICE, where);
    const dirty = row.group == where ? row.dirty : ((<u32>span.dirtyMask) >> i) & 1;
    if (deep && dirty == 0) {
      for (let bits = g.allocCache; bits != 0; bits &= bits - 1) {
        const slot = span.startAddr + ((i << 6) + <u32>ctz(bits)) * size;
        for (let b: u32 = 0; b < size; b += 8) if (load<u64>(slot + b) != 0) return bad(DIRTY_SLOT, slot + b);
      }
    }
  }
  if (<u32>span.partialMask != partial) return bad(BAD_PARTIAL_MASK, at);
  const listed = (span.flags & (FLAG_LISTED | FLAG_EMPTY)) != 0;
  // In a shared heap the collector's spans are listed when they are nobody's.
  if (collected && (cached ? span.owner == 0 : span.owner != 0)) return bad(BAD_OWNER, at);
  if (listed != (!cached && partial != 0)) return bad(BAD_PLACE, at);
  if (GC) {
    const full = (span.flags & FLAG_FULL) != 0;
    if (!SHARED && full != (isCollected(span.row) && !cached && partial == 0)) return bad(BAD_PLACE, at);
    if (!isMarking() && !isUnswept(span)) {
      for (let i: u32 = 0; i < span.ngroups; i++) if (load<u64>(markWord(span, i))) return bad(STALE_MARK, at);
    }
  }
  return 0;
}

/** The full and unswept spans of a collected row, of which `n` others are in its lists. */
function validateSets(row: u32, n: u32): u32 {
  const s = sweepSets(row);
  const most = central(row).nspans;
  let prev: u32 = 0;
  for (let at = s.fullHead; at != 0; at = spanAt(at).next) {
    const span = spanAt(at);
    if (span.prev != prev || <u32>span.row != row || (span.flags & FLAG_FULL) == 0 || isUnswept(span))
      return bad(BAD_LIST, at);
    if (++n > most) return bad(BAD_LIST, at);
    prev = at;
  }
  if (s.fullTail != prev) return bad(BAD_LIST, s.fullTail);
  prev = 0;
  for (let at = s.unswept; at != 0; at = spanAt(at).next) {
    const span = spanAt(at);
    if (span.prev != prev || <u32>span.row != row || !isUnswept(span)) return bad(BAD_LIST, at);
    if (++n > most) return bad(BAD_LIST, at);
    prev = at;
  }
  if (rowAt(rowAddress(row)).span) n++;
  // No span of the row is outside of all of them.
  return n == most ? 0 : bad(BAD_SPAN_COUNT, row);
}

function validateLists(): u32 {
  const h = mlocal();
  let retained: u32 = 0;
  for (let row: u32 = 1; row < NUM_ROWS; row++) {
    const c = central(row);
    let prev: u32 = 0;
    let n: u32 = 0;
    for (let at = c.head; at != 0;) {
      const span = changetype<MSpan>(<usize>at);
      if (span.prev != prev || <u32>span.row != row || (span.flags & FLAG_LISTED) == 0) return bad(BAD_LIST, at);
      if (++n > c.nspans) return bad(BAD_LIST, at);
      prev = at;
      at = span.next;
    }
    if (c.tail != prev) return bad(BAD_LIST, c.tail);
    for (let at = c.empty; at != 0;) {
      const span = changetype<MSpan>(<usize>at);
      if (<u32>span.row != row || (span.flags & FLAG_EMPTY) == 0) return bad(BAD_LIST, at);
      if (!isEmptyUncached(span)) return bad(NOT_EMPTY, at);
      if (++n > c.nspans) return bad(BAD_LIST, at);
      retained += span.npages;
      at = span.next;
    }
    if (GC && !SHARED && isCollected(row)) {
      const code = validateSets(row, n);
      if (code) return code;
    }
    const r = rowAt(rowAddress(row));
    if (r.span != 0) {
      const span = spanAt(r.span);
      if (<u32>span.row != row || span.state != SPAN_IN_USE) return bad(BAD_ROW, row);
      if ((((<u32>span.partialMask) >> groupIndex(span, r.group)) & 1) != 0) return bad(BAD_ROW, row);
      if ((span.flags & (FLAG_LISTED | FLAG_EMPTY)) != 0) return bad(BAD_PLACE, r.span);
    } else if (r.group != dummyGroup() || groupAt(r.group).allocCache != 0) return bad(BAD_ROW, row);
    if (c.counted != c.nspans) return bad(BAD_SPAN_COUNT, row);
  }
  if (retained != h.retainedPages) return bad(BAD_RETAINED, retained);
  return 0;
}
