/**
 * validate: the heap's invariants as code. Reads everything; changes nothing but one scratch word per row.
 *
 * A result other than 0 is the number of the first broken invariant (base/abinumbers.ts); validateInfo has the address
 * that it is about. Nothing is trusted before it is checked. check/records.ts checks records where the walk meets them.
 * Lists may hold no more spans than are counted, and lists without a count are checked for circles. Therefore validate
 * ends, without a trap, whichever word was overwritten.
 *
 * Lock: H in a shared heap, and no other thread may be inside the allocator. Cost: O(the heap's records).
 */

import {
  BAD_CHUNK,
  BAD_DEAD_LIST,
  BAD_GROUP,
  BAD_HOLDER,
  BAD_LIST,
  BAD_LOOKUP,
  BAD_META,
  BAD_OWNER,
  BAD_P,
  BAD_PAGE_CACHE,
  BAD_PAGE_COUNT,
  BAD_PAGE_RECORD,
  BAD_PARTIAL_MASK,
  BAD_PLACE,
  BAD_RECORD_PAGE,
  BAD_REMOTE,
  BAD_RETAINED,
  BAD_ROW,
  BAD_SCAVENGED,
  BAD_SEARCH,
  BAD_SPAN,
  BAD_SPAN_COUNT,
  BAD_SUMMARY,
  BAD_SYS,
  BAD_TINY,
  BAD_TYPE,
  BIT_OUTSIDE,
  BIT_TWICE,
  DIRTY_PAGE,
  DIRTY_SLOT,
  NOT_EMPTY,
  P_DEAD,
  P_STARTING,
  P_UNUSED,
  SPANS_OVERLAP,
  SPAN_PAGE_FREE,
  STALE_MARK,
  STALE_PAGE_RECORD,
} from "../base/abinumbers";
import { isDeferred, isDeferredNoted } from "../central/deferred";
import {
  ARENA_CHUNKS,
  ARENA_PAGES,
  ARENA_SHIFT,
  CHUNK_PAGES,
  CHUNK_SHIFT,
  COMPACTS,
  FIRST_GC_ROW,
  HOST,
  LAST_P,
  MAX_SPAN_PAGES,
  NUM_ARENAS,
  NUM_ROWS,
  PAGE_SHIFT,
  PAGE_SIZE,
  ROW_TINY,
  SAMPLES,
  SHARED,
  TINY_SIZE,
} from "../base/config";
import {
  ARENA_RECORD_SIZE,
  FLAG_DEFERRED,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_LISTED,
  FLAG_NEEDZERO,
  FLAG_SAMPLED,
  FULL,
  GROUP_RECORDS,
  HEAP_FREE_SPANS,
  HEAP_RECORD_SIZE,
  MHeap,
  MSPAN_SIZE,
  MSpan,
  frontSize,
  recordGroups,
  ROW_DIRTY,
} from "../base/layout";
import {
  arenaOf,
  central,
  centralOf,
  heap,
  local,
  mheap,
  mlocal,
  pAt,
  recordOf,
  rowAt,
  rowAddress,
  setLocal,
  slotSize,
  rowAddressIn,
} from "../base/state";
import { gcState, isCollected, isCollectedSpan, isMarking, markWord, isCommon, hasSweepSets } from "../base/gcstate";
import { findObject } from "../alloc/free";
import { stateOf } from "../alloc/procs";
import { ALL_FLAGS, collectedNotes, deferredNotes, isNoted, notesAt } from "../central/notes";
import { isUnswept, sweepSets } from "../central/lists";
import { BITS_MAX_SIZE, TYPE_SIZE, isType } from "../gc/typebits";
import { inUseBits, pageRecord, spanOf } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import {
  addressOf,
  groupIndex,
  groupOf,
  isEmptyUncached,
  isFull,
  liveBits,
  metaOf,
  remoteBits,
  spanAt,
  validBits,
} from "../central/mspan";
import { LEAF, chunkBits, chunkScav, countFreePages, expectedSum, sumAddress } from "../heap/pagealloc";
import { runAt, runEnd, runPages, runStart } from "../heap/runs";
import { heldPages, isHeldRight } from "../heap/scavenge";
import { FIXED_SIZE, PAGE_MOVES, PAGE_STAYS, firstRegion, metaBytes } from "../heap/persistent";
import { memoryEnd } from "../heap/sys";
import { checkCollector } from "./collector";
import { bad } from "./invariants";
import { areRecordPages, checkRecords, checkSpan, checkedSpan, isSpan, lies } from "./records";
import { checkSamples } from "./samples";
import { checkTables } from "./tables";

/** Number of collected large spans found by the walk, and pages of all large spans. */
let large: i32 = 0;
let largePages: u32 = 0;

/**
 * Returns 0, or the number of a broken invariant. `deep`: also read the free slots and pages that are recorded as zero.
 */
export function validateHeap(deep: bool): u32 {
  bad(0, 0);
  if (heap == 0) return 0;
  let code = checkRecords(true);
  for (let id: u32 = 0; id <= LAST_P && code == 0; id++) if (recordOf(id)) code = checkTables(recordOf(id));
  if (code == 0) code = validatePages(deep);
  const mine = local;
  if (code == 0) code = validateSpans(deep);
  if (code == 0) code = validateRuns();
  for (let id: u32 = 0; id <= LAST_P && code == 0; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    setLocal(record);
    code = validateCaches(record);
    if (code == 0) code = validateLists();
    if (code == 0) code = validateP(record, id);
  }
  setLocal(mine);
  if (code == 0) code = checkCollector(large);
  return code == 0 ? checkSamples() : code;
}

/** Number of pages in the page cache of a P or of the heap; -1: it is broken. */
function cachedPages(h: MHeap): i32 {
  if ((h.pcBase & 63) != 0 || h.pcBase >> 6 >= NUM_ARENAS * ARENA_CHUNKS) return -1;
  if (h.pcCache != 0 && (h.pcCache & ~chunkBits(h.pcBase >> 6)) != 0) return -1;
  return (h.pcScav & ~h.pcCache) != 0 ? -1 : <i32>popcnt(h.pcCache);
}

/** Address of a nonzero word in the pages that `bits` selects of the 64 from page `first` on; 0: all are zero. */
function dirtyWord(first: u32, bits: u64): u32 {
  for (; bits != 0; bits &= bits - 1) {
    const at = (first + <u32>ctz(bits)) << PAGE_SHIFT;
    if (!lies(at, PAGE_SIZE, PAGE_SIZE)) return at;
    for (let b: u32 = 0; b < PAGE_SIZE; b += 8) if (load<u64>(at + b) != 0) return at + b;
  }
  return 0;
}

function validatePages(deep: bool): u32 {
  const h = mheap();
  const search = h.searchPage;
  if (search < h.arenaLo << 9) return bad(BAD_SEARCH, search);
  // Page 0 belongs to no span: its number means none.
  if ((inUseBits(0) & 1) != 0) return bad(BAD_SPAN, 0);
  let end: u32 = 0;
  let records: u32 = 0;
  for (let a = h.arenaLo; a <= h.arenaHi; a++) {
    if (arenaOf(a) == 0) continue;
    if (!areOnRecordPages(arenaOf(a), arenaOf(a) + ARENA_RECORD_SIZE)) return bad(BAD_RECORD_PAGE, arenaOf(a));
    for (let c = a << 3; c < (a + 1) << 3; c++) {
      const bits = chunkBits(c);
      const scav = chunkScav(c);
      const at = c << CHUNK_SHIFT;
      if ((scav & bits) != 0) return bad(BAD_SCAVENGED, at);
      if (load<u64>(sumAddress(LEAF, c)) != expectedSum(LEAF, c)) return bad(BAD_SUMMARY, at);
      const first = c << 6;
      if (~bits != 0) {
        if (first + <u32>ctz(~bits) < search) return bad(BAD_SEARCH, at);
        end = first + 64 - <u32>clz(~bits);
      }
      if (deep && dirtyWord(first, scav) != 0) return bad(DIRTY_PAGE, dirtyWord(first, scav));
      for (let page = first; page < first + CHUNK_PAGES; page++) {
        if (recordsOn(page) == 0) continue;
        if (((bits >> (page & 63)) & 1) == 0) return bad(BAD_RECORD_PAGE, page << PAGE_SHIFT);
        records++;
      }
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
  if (COMPACTS && records != h.metaPages) return bad(BAD_RECORD_PAGE, records);
  let free = countFreePages() + runPages();
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    const p = changetype<MHeap>(<usize>record);
    const cached = cachedPages(p);
    if (cached < 0) return bad(BAD_PAGE_CACHE, p.pcBase << PAGE_SHIFT);
    if (deep && dirtyWord(p.pcBase, p.pcScav) != 0) return bad(DIRTY_PAGE, dirtyWord(p.pcBase, p.pcScav));
    free += cached;
    if (HOST) {
      if (!isHeldRight(record)) return bad(BAD_HOLDER, record);
      free += heldPages(record);
    }
  }
  if (free + h.inUsePages + h.metaPages != h.grownPages) return bad(BAD_PAGE_COUNT, free);
  // The memory obtained consists of pages and of the records before the first page. Memory that a thread was adding
  // when it died is in neither.
  const before = firstRegion(heap) - heap;
  const obtained = (h.grownPages << PAGE_SHIFT) + before;
  if (SHARED ? h.sys < obtained : h.sys != obtained) return bad(BAD_SYS, h.sys);
  const last = h.sysEnd >> PAGE_SHIFT;
  return (h.sysEnd & (PAGE_SIZE - 1)) == 0 && h.sysEnd <= memoryEnd() && last >= end ? 0 : bad(BAD_SYS, h.sysEnd);
}

/** Whether [from, to) and the chunk for records in the record at `record` do not overlap. */
function isApart(record: u32, from: u32, to: u32): bool {
  const h = changetype<MHeap>(<usize>record);
  return to <= h.persistCur || from >= h.persistEnd;
}

/** Whether [from, to) lies where movable records do: at the heap's start, or on their pages. */
function areOnRecordPages(from: u32, to: u32): bool {
  if (!COMPACTS || from < firstRegion(heap)) return true;
  for (let page = from >> PAGE_SHIFT; page << PAGE_SHIFT < to; page++) {
    if (arenaOf(page / ARENA_PAGES) == 0 || recordsOn(page) != PAGE_MOVES) return false;
  }
  return true;
}

function validateSpans(deep: bool): u32 {
  const h = mheap();
  let inUse: u32 = 0;
  let next = h.arenaLo * ARENA_PAGES;
  large = 0;
  largePages = 0;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record) for (let row: u32 = 0; row < NUM_ROWS; row++) centralOf(record, row).counted = 0;
  }
  for (let page = nextSpanPage(1); page != 0;) {
    // No page between two spans has a record.
    for (; next < page; next++) {
      if (arenaOf(next >> 9) != 0 && !isClear(next) && recordsOn(next) == 0)
        return bad(STALE_PAGE_RECORD, next << PAGE_SHIFT);
    }
    let code = checkSpan(page);
    if (code != 0) return code;
    const span = checkedSpan;
    const at = addressOf(span);
    if (!hasSweepgen(span)) return bad(BAD_SPAN, at);
    const record = recordOf(span.owner);
    const front = frontSize(span.ngroups);
    const last = at + MSPAN_SIZE + recordGroups(span) * GROUP_RECORDS;
    if (!isApart(record, at - front, last)) return bad(BAD_CHUNK, at);
    if (!areOnRecordPages(at - front, last)) return bad(BAD_RECORD_PAGE, at);
    setLocal(record);
    const end = page + span.npages;
    for (let p = page; p < end; p++) {
      if ((chunkBits(p >> 6) & ((<u64>1) << (p & 63))) == 0) return bad(SPAN_PAGE_FREE, p << PAGE_SHIFT);
      if (p > page && (inUseBits(p & ~63) & ((<u64>1) << (p & 63))) != 0) return bad(SPANS_OVERLAP, p << PAGE_SHIFT);
      if (span.ngroups != 0 || p == page) {
        const r = pageRecord(p);
        if (r.groups != at + MSPAN_SIZE || r.base != span.startAddr) return bad(BAD_PAGE_RECORD, p << PAGE_SHIFT);
        if (r.row != expectedRow(span) || r.divMagic != expectedMagic(span))
          return bad(BAD_PAGE_RECORD, p << PAGE_SHIFT);
      } else if (!isClear(p)) return bad(BAD_PAGE_RECORD, p << PAGE_SHIFT);
      // A lookup from inside a large span walks back over its pages; checking its last page is enough.
      if ((span.ngroups != 0 || p == page || p == end - 1) && spanOf((p << PAGE_SHIFT) + 4096) != span)
        return bad(BAD_LOOKUP, p << PAGE_SHIFT);
    }
    inUse += span.npages;
    central(span.row).counted += 1;
    code = span.ngroups ? validateGroups(span, deep) : validateLarge(span);
    if (code != 0) return code;
    next = end;
    page = nextSpanPage(end);
  }
  for (; next < (h.arenaHi + 1) * ARENA_PAGES; next++) {
    if (arenaOf(next >> 9) != 0 && !isClear(next) && recordsOn(next) == 0)
      return bad(STALE_PAGE_RECORD, next << PAGE_SHIFT);
  }
  if (inUse != h.inUsePages) return bad(BAD_PAGE_COUNT, inUse);
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record) for (let row: u32 = 1; row < NUM_ROWS; row++) inUse -= centralOf(record, row).npagesInUse;
  }
  return inUse == largePages ? validateTables() : bad(BAD_SPAN_COUNT, inUse);
}

/** Whether a span's sweepgen equals the heap's, or is 2 behind while a sweep is unfinished. */
function hasSweepgen(span: MSpan): bool {
  const now = mheap().sweepgen;
  if (isUnswept(span) && (!gcState().sweeping || span.sweepgen + 2 != now)) return false;
  return (span.sweepgen & 1) == 0 && span.sweepgen <= now;
}

/** Whether a page's record is empty. */
function isClear(page: u32): bool {
  const r = pageRecord(page);
  return (r.base | r.divMagic | r.groups | r.row) == 0;
}

/** Kind of records on a page whose record says nothing else: PAGE_MOVES, PAGE_STAYS, or 0 for none. */
function recordsOn(page: u32): u32 {
  const r = pageRecord(page);
  return COMPACTS && (r.base | r.divMagic | r.groups) == 0 && r.row <= PAGE_STAYS ? r.row : 0;
}

/**
 * Row that the page records of a span must name: its owner's. Collected spans of a shared heap name the row of unowned
 * spans.
 */
function expectedRow(span: MSpan): u32 {
  if (span.ngroups == 0) return 0;
  return isCommon(span.row) ? rowAddressIn(heap, span.row) : rowAddress(span.row);
}

/** Reciprocal that its page records must have: 0 where addresses are not freed by their slot. */
function expectedMagic(span: MSpan): u32 {
  return span.ngroups == 0 || <u32>span.row == ROW_TINY ? 0 : central(span.row).divMagic;
}

function validateLarge(span: MSpan): u32 {
  const at = <u32>changetype<usize>(span);
  const collected = (span.flags & FLAG_FULL) != 0;
  const others = span.flags & ~(FLAG_NEEDZERO | FLAG_FULL | (SAMPLES ? FLAG_SAMPLED : 0));
  if (span.row != 0 || span.nelems != 1 || others != (isDeferred(span) ? FLAG_DEFERRED : 0)) return bad(BAD_SPAN, at);
  largePages += span.npages;
  if (isDeferred(span) && !isDeferredNoted(span)) return bad(BAD_REMOTE, at);
  // A thread may have died before it made the span a collected one.
  if (collected || SHARED ? span.spanclass > 1 : span.spanclass != 1) return bad(BAD_SPAN, at);
  if (collected) {
    large++;
    if (!isMarking() && !isUnswept(span) && load<u64>(markWord(span, 0)) != 0) return bad(STALE_MARK, at);
  }
  return 0;
}

/** Check the tables that the spans' records refer to. All spans have passed. */
function validateTables(): u32 {
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const span = spanAt(pageRecord(page).groups - MSPAN_SIZE);
    const meta = metaOf(span);
    if (meta == 0) continue;
    const size = span.ngroups ? metaBytes(span.ngroups) : TYPE_SIZE;
    if (!lies(meta, size, 16) || !areRecordPages(meta, meta + size)) return bad(BAD_META, addressOf(span));
    if (span.ngroups != 0 && !areOnRecordPages(meta, meta + size)) return bad(BAD_META, addressOf(span));
    if (!isCollectedSpan(span) || (span.spanclass & 1) != 0) continue;
    if (span.ngroups == 0 ? !isTypeAt(meta) : !hasTypes(span, meta)) return bad(BAD_TYPE, addressOf(span));
  }
  return 0;
}

/** Whether `at` is the address of a type. */
function isTypeAt(at: u32): bool {
  return lies(at, TYPE_SIZE, 16) && isType(at);
}

/** Whether the types of a small span's live objects are types, or 0: any word is a pointer. */
function hasTypes(span: MSpan, meta: u32): bool {
  // Smaller slots have a bit per word instead.
  if (slotSize(span.row) <= BITS_MAX_SIZE) return true;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    for (let bits = liveBits(span, i); bits != 0; bits &= bits - 1) {
      const type = load<u32>(meta + (((i << 6) + <u32>ctz(bits)) << 2));
      if (type != 0 && !isTypeAt(type)) return false;
    }
  }
  return true;
}

/** Check that the cached runs do not overlap, and that their pages are allocated but hold no span and no record. */
function validateRuns(): u32 {
  const n = mheap().runCount;
  for (let i: u32 = 0; i < n; i++) {
    const start = runStart(runAt(i));
    const end = runEnd(runAt(i));
    for (let j: u32 = 0; j < i; j++) {
      if (start < runEnd(runAt(j)) && runStart(runAt(j)) < end) return bad(BAD_PAGE_CACHE, start << PAGE_SHIFT);
    }
    if (!areRecordPages(start << PAGE_SHIFT, end << PAGE_SHIFT)) return bad(BAD_PAGE_CACHE, start << PAGE_SHIFT);
    for (let page = start; page < end; page++) if (recordsOn(page) != 0) return bad(BAD_PAGE_CACHE, page << PAGE_SHIFT);
  }
  return 0;
}

/** Check the page cache, the chunk and the tiny block in the record at `record`, of the heap or of a P. */
function validateCaches(record: u32): u32 {
  const h = changetype<MHeap>(<usize>record);
  for (let bits = h.pcCache; bits != 0; bits &= bits - 1) {
    const at = (h.pcBase + <u32>ctz(bits)) << PAGE_SHIFT;
    if (!lies(at, PAGE_SIZE, PAGE_SIZE) || !areRecordPages(at, at + PAGE_SIZE)) return bad(BAD_PAGE_CACHE, at);
  }
  const cur = h.persistCur;
  const end = h.persistEnd;
  if ((end & (PAGE_SIZE - 1)) != 0 || cur > end || (cur == 0 && end != 0)) return bad(BAD_CHUNK, cur);
  if (cur != 0 && (!lies(cur, end - cur, 16) || !areRecordPages(cur, end))) return bad(BAD_CHUNK, cur);
  if (h.tinyOffset > TINY_SIZE) return bad(BAD_TINY, h.tiny);
  if (h.tiny != 0) {
    const tiny = spanOf(h.tiny);
    if (tiny == null || <u32>tiny.row != ROW_TINY || findObject(h.tiny) != h.tiny) return bad(BAD_TINY, h.tiny);
  }
  const code = validateFixed();
  return code ? code : validateDead(record);
}

/**
 * Check the chunk of the records that never move: at the heap's start, or in a page of its own. Only where records can
 * move.
 */
function validateFixed(): u32 {
  if (FIXED_SIZE == 0) return 0;
  const h = mheap();
  const start = heap + HEAP_RECORD_SIZE;
  const end = h.fixedEnd;
  const from = end == start + FIXED_SIZE ? start : end - PAGE_SIZE;
  if (h.fixedCur < from || h.fixedCur > end || (h.fixedCur & 15) != 0) return bad(BAD_CHUNK, h.fixedCur);
  if (from == start) return 0;
  if (!lies(from, PAGE_SIZE, PAGE_SIZE) || arenaOf(from >> ARENA_SHIFT) == 0) return bad(BAD_CHUNK, end);
  return recordsOn(from >> PAGE_SHIFT) == PAGE_STAYS ? 0 : bad(BAD_CHUNK, end);
}

/** Check the lists of dead span records. `slow` moves at half speed and would be met in a circle. */
function validateDead(record: u32): u32 {
  for (let ngroups: u32 = 0; ngroups <= 16; ngroups++) {
    const size = MSPAN_SIZE + ngroups * GROUP_RECORDS;
    const front = frontSize(ngroups);
    const head = load<u32>(record + (ngroups << 2), HEAP_FREE_SPANS);
    let slow = head;
    let n: u32 = 0;
    for (let at = head; at != 0; at = spanAt(at).next) {
      if (!lies(at - front, front + size, 16) || !areRecordPages(at - front, at + size)) return bad(BAD_DEAD_LIST, at);
      if (isSpan(at) || recordGroups(spanAt(at)) != ngroups) return bad(BAD_DEAD_LIST, at);
      if (!isApart(record, at - front, at + size)) return bad(BAD_CHUNK, at);
      if (n != 0 && at == slow) return bad(BAD_DEAD_LIST, at);
      if (n & 1) slow = spanAt(slow).next;
      n++;
    }
  }
  return 0;
}

/** Check the counts, words and notes of the P `id`; 0: those for no P's spans. Shared heaps. */
function validateP(record: u32, id: u32): u32 {
  if (!SHARED) return 0;
  const p = pAt(record);
  if (p.id != id) return bad(BAD_P, record);
  if (id) {
    const state = stateOf(id) & 0xff;
    if (state > P_STARTING || state == P_UNUSED) return bad(BAD_P, record);
    let owned: u32 = 0;
    for (let row: u32 = 1; row < FIRST_GC_ROW; row++) owned += centralOf(record, row).npagesInUse;
    if (p.ownedPages != owned) return bad(BAD_P, record);
    // The recovery of a dead thread has yet to repair these.
    if (state != P_DEAD && (p.moving | p.clearing) != 0) return bad(BAD_HOLDER, record);
  } else {
    if ((p.moving | p.clearing | p.scavenging) != 0) return bad(BAD_HOLDER, record);
    const code = validateFlags(deferredNotes()) || validateFlags(collectedNotes());
    if (code != 0) return code;
  }
  return validateFlags(notesAt(record));
}

/** Check that notes have only valid flags. A superfluous bit only costs somebody a check. */
function validateFlags(notes: u32): u32 {
  return (load<u32>(notes) & ~ALL_FLAGS) != 0 ? bad(BAD_REMOTE, notes) : 0;
}

/** Whether the slots of group `i` freed by other Ps are live and noted. A common span that a P owns needs no note. */
function isRemoteRight(span: MSpan, i: u32): bool {
  if (!SHARED) return true;
  const remote = remoteBits(span, i);
  if (remote == 0) return true;
  if ((remote & ~liveBits(span, i)) != 0) return false;
  return (isCommon(span.row) && span.owner != 0) || isNoted(span.startAddr >> PAGE_SHIFT);
}

function validateGroups(span: MSpan, deep: bool): u32 {
  const at = <u32>changetype<usize>(span);
  const row = rowAt(rowAddress(span.row));
  const size = row.elemsize;
  const c = central(span.row);
  if (span.spanclass != c.spanclass || span.npages > MAX_SPAN_PAGES || size == 0) return bad(BAD_SPAN, at);
  if (<u32>span.nelems != (span.npages << PAGE_SHIFT) / size) return bad(BAD_SPAN, at);
  if (<u32>span.ngroups != (<u32>span.nelems + 63) >> 6) return bad(BAD_SPAN, at);
  const common = isCommon(span.row);
  const known = FLAG_LISTED | FLAG_EMPTY | FLAG_NEEDZERO | FLAG_FULL | (SAMPLES ? FLAG_SAMPLED : 0);
  if ((span.flags & ~known) != 0 || (<u32>span.dirtyMask) >> span.ngroups != 0) return bad(BAD_SPAN, at);
  let partial: u32 = 0;
  let cached = false;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    const g = groupOf(span, i);
    const where = <u32>changetype<usize>(g);
    const valid = validBits(span, i);
    if (!isRemoteRight(span, i)) return bad(BAD_REMOTE, where);
    if (row.group == where) {
      cached = true;
      if (row.span != at || row.base != span.startAddr + (i << 6) * size || row.tail != ~valid)
        return bad(BAD_ROW, where);
    } else if (isFull(span, i)) {
      if (g.allocCache != 0 || g.freed != FULL) return bad(BAD_GROUP, where);
      continue;
    } else {
      partial |= 1 << i;
      if (isCollected(span.row) && (g.allocCache | (g.freed & valid)) == 0) return bad(BAD_PARTIAL_MASK, where);
    }
    if ((g.allocCache & ~valid) != 0 || (~g.freed & ~valid) != 0) return bad(BIT_OUTSIDE, where);
    if ((g.allocCache & g.freed) != 0) return bad(BIT_TWICE, where);
    const dirty = row.group == where ? row.flags & ROW_DIRTY : ((<u32>span.dirtyMask) >> i) & 1;
    if (deep && dirty == 0) {
      for (let bits = g.allocCache; bits != 0; bits &= bits - 1) {
        const slot = span.startAddr + ((i << 6) + <u32>ctz(bits)) * size;
        for (let b: u32 = 0; b < size; b += 8) if (load<u64>(slot + b) != 0) return bad(DIRTY_SLOT, slot + b);
      }
    }
  }
  if (<u32>span.partialMask != partial) return bad(BAD_PARTIAL_MASK, at);
  const listed = (span.flags & (FLAG_LISTED | FLAG_EMPTY)) != 0;
  // In a shared heap collected spans are listed while they are unowned.
  if (common && (cached ? span.owner == 0 : span.owner != 0)) return bad(BAD_OWNER, at);
  if (listed != (!cached && partial != 0)) return bad(BAD_PLACE, at);
  if ((span.flags & (FLAG_LISTED | FLAG_EMPTY)) == (FLAG_LISTED | FLAG_EMPTY)) return bad(BAD_PLACE, at);
  const full = hasSweepSets(span.row) && !cached && partial == 0;
  return validateMarks(span, full);
}

/**
 * Check the collector's fields of a small span. `full`: it belongs into the list of full spans. Outside a cycle no slot
 * may be marked.
 */
function validateMarks(span: MSpan, full: bool): u32 {
  const at = addressOf(span);
  if (((span.flags & FLAG_FULL) != 0) != full) return bad(BAD_PLACE, at);
  if (isMarking() || isUnswept(span)) return 0;
  for (let i: u32 = 0; i < span.ngroups; i++) if (load<u64>(markWord(span, i))) return bad(STALE_MARK, at);
  return 0;
}

/**
 * Check the full and unswept spans of a row, of which `n` others are in its lists. Only collected rows have such spans.
 */
function validateSets(rowIndex: u32, n: u32): u32 {
  if (SHARED) return 0;
  const s = sweepSets(rowIndex);
  if (!isCollected(rowIndex)) return (s.fullHead | s.fullTail | s.unswept) != 0 ? bad(BAD_LIST, rowIndex) : 0;
  const most = central(rowIndex).nspans;
  let prev: u32 = 0;
  for (let at = s.fullHead; at != 0; at = spanAt(at).next) {
    if (!isSpan(at)) return bad(BAD_LIST, at);
    const span = spanAt(at);
    if (span.prev != prev || <u32>span.row != rowIndex || (span.flags & FLAG_FULL) == 0 || isUnswept(span))
      return bad(BAD_LIST, at);
    if (++n > most) return bad(BAD_LIST, at);
    prev = at;
  }
  if (s.fullTail != prev) return bad(BAD_LIST, s.fullTail);
  prev = 0;
  for (let at = s.unswept; at != 0; at = spanAt(at).next) {
    if (!isSpan(at)) return bad(BAD_LIST, at);
    const span = spanAt(at);
    if (span.prev != prev || <u32>span.row != rowIndex || !isUnswept(span)) return bad(BAD_LIST, at);
    if (++n > most) return bad(BAD_LIST, at);
    prev = at;
  }
  if (rowAt(rowAddress(rowIndex)).span) n++;
  // Each span of the row is in one of them.
  return n == most ? 0 : bad(BAD_SPAN_COUNT, rowIndex);
}

function validateLists(): u32 {
  const h = mlocal();
  let retained: u32 = 0;
  let code = validateSets(0, 0);
  if (code) return code;
  for (let row: u32 = 1; row < NUM_ROWS; row++) {
    const c = central(row);
    if (c.counted != c.nspans) return bad(BAD_SPAN_COUNT, row);
    let prev: u32 = 0;
    let n: u32 = 0;
    for (let at = c.head; at != 0;) {
      if (!isSpan(at)) return bad(BAD_LIST, at);
      const span = spanAt(at);
      if (span.prev != prev || <u32>span.row != row || (span.flags & FLAG_LISTED) == 0) return bad(BAD_LIST, at);
      if (++n > c.nspans) return bad(BAD_LIST, at);
      prev = at;
      at = span.next;
    }
    if (c.tail != prev) return bad(BAD_LIST, c.tail);
    for (let at = c.empty; at != 0;) {
      if (!isSpan(at)) return bad(BAD_LIST, at);
      const span = spanAt(at);
      if (<u32>span.row != row || (span.flags & FLAG_EMPTY) == 0) return bad(BAD_LIST, at);
      if (!isEmptyUncached(span)) return bad(NOT_EMPTY, at);
      if (++n > c.nspans) return bad(BAD_LIST, at);
      retained += span.npages;
      at = span.next;
    }
    code = validateSets(row, n);
    if (code) return code;
    const r = rowAt(rowAddress(row));
    if (r.span != 0) {
      if (!isSpan(r.span)) return bad(BAD_ROW, row);
      const span = spanAt(r.span);
      if (<u32>span.row != row) return bad(BAD_ROW, row);
      if ((((<u32>span.partialMask) >> groupIndex(span, r.group)) & 1) != 0) return bad(BAD_ROW, row);
      if ((span.flags & (FLAG_LISTED | FLAG_EMPTY)) != 0) return bad(BAD_PLACE, r.span);
    }
  }
  if (retained != h.retainedPages) return bad(BAD_RETAINED, retained);
  return 0;
}
