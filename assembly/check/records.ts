/**
 * Checks records before anything relies on them: each address lies in the memory, and each number in its range. A later
 * walk over the heap therefore neither leaves the memory nor runs forever, whichever word was overwritten. validate and
 * memstats both begin here. Results are numbers of base/abinumbers.ts, 0: all is well.
 *
 * Reads only. Lock: H in a shared heap. Cost: O(1) for a record unless stated otherwise.
 */

import {
  BAD_ARENA,
  BAD_CLASS,
  BAD_HOLDER,
  BAD_OWNER,
  BAD_P,
  BAD_PAGE_CACHE,
  BAD_PAGE_RECORD,
  BAD_ROOT,
  BAD_ROW,
  BAD_SPAN,
  MAX_PS,
  P_IDLE,
  P_UNUSED,
} from "../base/abinumbers";
import {
  ARENA_PAGES,
  LAST_P,
  NUM_ARENAS,
  NUM_CLASSES,
  NUM_FITTED,
  NUM_ROWS,
  PAGE_SHIFT,
  PAGE_SIZE,
  ROW_FITTED,
  ROW_NOSCAN,
  ROW_SCAN,
  ROW_TINY,
  SAMPLES,
  SHARED,
  TINY_CLASS,
} from "../base/config";
import {
  ARENA_RECORD_SIZE,
  GROUP_RECORDS,
  GROUP_SHIFT,
  HEAP_DUMMY,
  HEAP_RECORD_SIZE,
  HEAP_RUNS,
  HEAP_SETUP,
  MSPAN_SIZE,
  MSpan,
  NUM_LOCKS,
  P_RECORD_SIZE,
  Row,
  SPAN_IN_USE,
  frontSize,
  recordGroups,
  ROW_DIRTY,
  ROW_SHORT,
  ROW_WITHHELD_SHIFT,
} from "../base/layout";
import { gateOf, stopper } from "../base/gates";
import { sharedGc } from "../base/gcstate";
import { NO_P, WAITERS, lockAddress, lockOwner } from "../base/locks";
import { arenaOf, centralOf, heap, mheap, pAt, recordOf, rowAt, rowAddressIn } from "../base/state";
import { SETUP_DONE, classPages, classSize } from "../alloc/init";
import { stateOf } from "../alloc/procs";
import { fittedPages } from "../central/fitted";
import { reciprocal } from "../central/rows";
import { inUseBits, pageRecord, spanOf } from "../heap/arena";
import { groupAt, spanAt } from "../central/mspan";
import { LEAF, SUMS_SIZE, chunkBits, levelFor } from "../heap/pagealloc";
import { MAX_RUNS, PAUSE, runAt, runEnd, runStart } from "../heap/runs";
import { memoryEnd } from "../heap/sys";
import { bad } from "./invariants";

/** End of the memory when the check began. It is kept because asking for it is slow in a shared heap. */
let end: u32 = 0;

/** Whether `size` bytes at `at`, a multiple of `align`, lie in the memory behind the heap's record. */
export function lies(at: u32, size: u32, align: u32): bool {
  return (at & (align - 1)) == 0 && at >= heap + HEAP_RECORD_SIZE && size <= end && at <= end - size;
}

/**
 * Check what every walk starts from: locks, arenas, the upper summaries and the records of Ps. O(arenas^2) comparisons.
 */
export function checkMaps(): u32 {
  const h = mheap();
  end = memoryEnd();
  if (h.arenaLo > h.arenaHi || h.arenaHi >= NUM_ARENAS) return bad(BAD_ARENA, h.arenaHi);
  for (let a: u32 = 0; a < NUM_ARENAS; a++) {
    const at = arenaOf(a);
    if (at == 0) {
      if (a == h.arenaLo || a == h.arenaHi) return bad(BAD_ARENA, a);
      continue;
    }
    if (a < h.arenaLo || a > h.arenaHi || !lies(at, ARENA_RECORD_SIZE, 16)) return bad(BAD_ARENA, at);
    for (let b = h.arenaLo; b < a; b++) if (arenaOf(b) == at) return bad(BAD_ARENA, at);
  }
  if (h.rootLevel != levelFor(h.arenaLo, h.arenaHi)) return bad(BAD_ROOT, h.rootLevel);
  // The tables of the upper levels exist when they are needed.
  if (h.rootLevel == LEAF ? h.sums != 0 : !lies(h.sums, SUMS_SIZE, 8)) return bad(BAD_ROOT, h.sums);
  if (SHARED) {
    if (load<u32>(heap, HEAP_SETUP) != SETUP_DONE) return bad(BAD_HOLDER, heap + HEAP_SETUP);
    for (let i: u32 = 0; i < NUM_LOCKS; i++) {
      const word = load<u32>(lockAddress(i));
      if (word != 0 && (word & ~WAITERS) - 1 >= NO_P) return bad(BAD_HOLDER, lockAddress(i));
    }
    for (let id: u32 = 1; id <= LAST_P; id++) {
      const record = recordOf(id);
      if (record != 0 && (!lies(record, P_RECORD_SIZE, PAGE_SIZE) || pAt(record).id != id)) return bad(BAD_P, record);
    }
  }
  return 0;
}

/** Go's class of a row; 0: the row has none, or is fitted. */
function classOf(rowIndex: u32): u32 {
  if (rowIndex < ROW_FITTED) return rowIndex;
  if (rowIndex < ROW_SCAN) return 0;
  if (rowIndex >= ROW_NOSCAN) return rowIndex - ROW_NOSCAN;
  return rowIndex == ROW_TINY ? TINY_CLASS : rowIndex - ROW_SCAN;
}

/** Whether a fitted row has the same values as a narrower slot of the class at `c.wider`. */
function isFitted(record: u32, rowIndex: u32): bool {
  const c = centralOf(record, rowIndex);
  const wider = <u32>c.wider;
  const size = rowAt(rowAddressIn(record, rowIndex)).elemsize;
  if (wider - 1 >= NUM_CLASSES - 1 || <u32>c.sizeclass != wider || <u32>c.spanclass != ((wider << 1) | 1)) return false;
  if (size <= classSize(wider - 1) || size >= classSize(wider) || (size & 15) != 0) return false;
  return (
    <u32>centralOf(record, wider).fittedRow == rowIndex &&
    c.divMagic == reciprocal(size) &&
    <u32>c.npages == fittedPages(size)
  );
}

/** What a row's flags may be below ROW_WITHHELD_SHIFT and above. */
@inline const FLAGS_MASK: u32 = SAMPLES ? (1 << ROW_WITHHELD_SHIFT) - 1 : ~0;
@inline const WITHHELD_MAX: u32 = SAMPLES ? 64 : 0;

/** Check the constant fields of the rows and mcentrals in the record at `record`. O(rows). */
export function checkRows(record: u32): u32 {
  const dummy = groupAt(record + HEAP_DUMMY);
  if ((dummy.allocCache | dummy.freed) != 0) return bad(BAD_ROW, record + HEAP_DUMMY);
  const fitted = mheap().nextFitted;
  if (fitted - ROW_FITTED > NUM_FITTED) return bad(BAD_CLASS, fitted);
  for (let row: u32 = 0; row < NUM_ROWS; row++) {
    const address = rowAddressIn(record, row);
    const r = rowAt(address);
    const c = centralOf(record, row);
    const own = classOf(row);
    if (own) {
      const size = classSize(own);
      const noscan: u32 = row > ROW_SCAN && row < ROW_TINY ? 0 : 1;
      if (size == 0 || r.elemsize != size || c.divMagic != reciprocal(size)) return bad(BAD_CLASS, row);
      if (<u32>c.npages != classPages(own) || <u32>c.sizeclass != own) return bad(BAD_CLASS, row);
      if (<u32>c.spanclass != ((own << 1) | noscan) || c.wider != 0) return bad(BAD_CLASS, row);
    } else if (row - ROW_FITTED < fitted - ROW_FITTED) {
      if (!isFitted(record, row)) return bad(BAD_CLASS, row);
    } else if (
      (r.elemsize | c.divMagic | c.npages | c.sizeclass | c.spanclass | c.wider) != 0 ||
      (r.span | c.nspans | c.head | c.tail | c.empty | c.npagesInUse) != 0
    ) {
      return bad(BAD_CLASS, row);
    }
    const narrower = <u32>c.fittedRow;
    if (narrower != 0) {
      if (row >= ROW_FITTED || narrower - ROW_FITTED >= fitted - ROW_FITTED) return bad(BAD_CLASS, row);
      if (<u32>centralOf(record, narrower).wider != row) return bad(BAD_CLASS, row);
    }
  }
  return 0;
}

/**
 * Check the groups that the mcache in the record at `record` holds. Its thread changes them without a lock, so it must
 * not be inside the allocator. O(rows).
 */
function checkCached(record: u32): u32 {
  for (let row: u32 = 0; row < NUM_ROWS; row++) {
    const r = rowAt(rowAddressIn(record, row));
    if ((r.flags & FLAGS_MASK) > (ROW_DIRTY | ROW_SHORT) || r.flags >> ROW_WITHHELD_SHIFT > WITHHELD_MAX)
      return bad(BAD_ROW, row);
    if (r.span == 0) {
      if (r.group != record + HEAP_DUMMY || r.tail != 0) return bad(BAD_ROW, row);
      continue;
    }
    if (!lies(r.span, MSPAN_SIZE, 16)) return bad(BAD_ROW, row);
    const group = r.group - r.span - MSPAN_SIZE;
    const ngroups = <u32>spanAt(r.span).ngroups;
    if ((group & 15) != 0 || group >> GROUP_SHIFT >= ngroups || !lies(r.group, 16, 16)) return bad(BAD_ROW, row);
  }
  return 0;
}

/** Whether the group of a row in the record at `record` can be read, whatever the row's thread is doing. */
export function isReadable(record: u32, row: Row): bool {
  return row.group == record + HEAP_DUMMY || lies(row.group, 16, 16);
}

/** Check the number of cached runs, and that each ends after it begins, where the heap has pages. */
function checkRuns(): u32 {
  const h = mheap();
  if (h.runCount > MAX_RUNS || h.runPause > PAUSE) return bad(BAD_PAGE_CACHE, heap + HEAP_RUNS);
  for (let i: u32 = 0; i < h.runCount; i++) {
    const start = runStart(runAt(i));
    const end = runEnd(runAt(i));
    if (start < h.arenaLo * ARENA_PAGES || end <= start || end > (h.arenaHi + 1) * ARENA_PAGES)
      return bad(BAD_PAGE_CACHE, start << PAGE_SHIFT);
  }
  return 0;
}

/**
 * Check the constant fields in the record of the heap and those of the Ps. `quiet`: no other thread is inside the
 * allocator, so the mcaches' groups and the holders of the locks are checked too.
 */
export function checkRecords(quiet: bool): u32 {
  let code = checkMaps() || checkRuns();
  for (let id: u32 = 0; id <= LAST_P && code == 0; id++) {
    if (recordOf(id) == 0) continue;
    code = checkRows(recordOf(id));
    if (quiet && code == 0) code = checkCached(recordOf(id));
  }
  return SHARED && quiet && code == 0 ? checkHolders() : code;
}

/**
 * Check that each holder of a lock, of a gate or of the stopped world is a P that a thread has, or a thread without a
 * P. Shared heaps.
 */
function checkHolders(): u32 {
  for (let i: u32 = 0; i < NUM_LOCKS; i++) if (!isHolder(lockOwner(i))) return bad(BAD_HOLDER, lockAddress(i));
  for (let id: u32 = 0; id <= LAST_P; id++) {
    if (recordOf(id) == 0) continue;
    const gate = gateOf(recordOf(id));
    const word = load<u32>(gate);
    if (word != 0 && ((word & ~WAITERS) == 0 || !isHolder(word & ~WAITERS))) return bad(BAD_HOLDER, gate);
  }
  return isHolder(stopper()) ? 0 : bad(BAD_HOLDER, <u32>changetype<usize>(sharedGc()));
}

/** Whether `owner` is nobody, a thread without a P, or a P that a thread has; the thread may be dead. */
function isHolder(owner: u32): bool {
  if (owner == 0 || owner == NO_P) return true;
  if (owner > MAX_PS) return false;
  const state = stateOf(owner) & 0xff;
  return state != P_UNUSED && state != P_IDLE;
}

/** The span that checkSpan last found. */
export let checkedSpan: MSpan = changetype<MSpan>(0);

/**
 * Check that a span in use with its own record begins at `page`, whose inUse bit is set. Stores it in `checkedSpan`.
 */
export function checkSpan(page: u32): u32 {
  const at = pageRecord(page).groups - MSPAN_SIZE;
  if (!lies(at, MSPAN_SIZE, 16)) return bad(BAD_PAGE_RECORD, page << PAGE_SHIFT);
  const span = spanAt(at);
  checkedSpan = span;
  const ngroups = <u32>span.ngroups;
  if (span.startAddr != page << PAGE_SHIFT || span.state != SPAN_IN_USE || <u32>span.row >= NUM_ROWS)
    return bad(BAD_SPAN, at);
  if (span.npages == 0 || span.npages > (mheap().arenaHi + 1) * ARENA_PAGES - page) return bad(BAD_SPAN, at);
  if (ngroups ? ngroups > 16 || span.row == 0 : span.partialMask > 1) return bad(BAD_SPAN, at);
  const front = frontSize(ngroups);
  if (!lies(at - front, front + MSPAN_SIZE + recordGroups(span) * GROUP_RECORDS, 16)) return bad(BAD_SPAN, at);
  return (SHARED ? recordOf(span.owner) != 0 : span.owner == 0) ? 0 : bad(BAD_OWNER, at);
}

/** Whether `at` is the record of a span in use. All spans have been checked. */
export function isSpan(at: u32): bool {
  if (!lies(at, MSPAN_SIZE, 16)) return false;
  const page = spanAt(at).startAddr >> PAGE_SHIFT;
  return (
    arenaOf(page / ARENA_PAGES) != 0 &&
    pageRecord(page).groups == at + MSPAN_SIZE &&
    ((inUseBits(page & ~63) >> (page & 63)) & 1) != 0
  );
}

/** Whether no page of [from, to) is free or in a span. All spans have been checked. */
export function areRecordPages(from: u32, to: u32): bool {
  for (let page = from >> PAGE_SHIFT; page << PAGE_SHIFT < to; page++) {
    if (((chunkBits(page >> 6) >> (page & 63)) & 1) == 0 || spanOf(page << PAGE_SHIFT) != null) return false;
  }
  return true;
}
