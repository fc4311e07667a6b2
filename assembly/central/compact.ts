/**
 * Compaction of records: they move out of the way of long runs, and pages of records on which none is in use go back to the
 * page allocator.
 *
 *   spans in use       the record with its front and meta table; page records, the row and the list that name it follow
 *   arenas, summaries  the arena map and the heap's record name them
 *   dead spans         leave their lists if their page goes
 *   the collector's    a work buffer that is kept, tables of handles and pins
 *
 * Each moves to the lowest free pages if those are lower than where it lies. Then the pages with a record in use are marked,
 * and the other pages of records become free. What lies at the heap's start stays, as does what mheap.ts takes by
 * recordSpace.
 *
 * Only where COMPACTS. Nothing moves while the collector marks: it holds addresses of records when it asks for memory.
 * Everybody else who asks for memory looks up again the records that it knew before, or holds the one that it has taken for a
 * new span (holdRecord). The caller has given back all empty spans: they are in a list that is not looked at here.
 *
 * Owner: the thread. Cost: O(pages + spans + dead records) and the copies. It is paid by malloc_trim and releaseAll, before
 * memory is refused, and before memory grows by half a MiB or more for one block while half of the heap is free, if pages have been
 * freed since the last time.
 */

import { ARENA_PAGES, GC, PAGE_SHIFT, PAGE_SIZE, COMPACTS } from "../base/config";
import { FIRST_PINS, GcState, gcState, isCollectedSpan, isCollecting } from "../base/gcstate";
import {
  ARENA_RECORD_SIZE,
  FLAG_FULL,
  FLAG_LISTED,
  HEAP_FREE_SPANS,
  MCentral,
  MSPAN_SIZE,
  MSpan,
  PAGE_RECORD_SHIFT,
  PageRecord,
  SweepSets,
  frontSize,
  recordGroups,
} from "../base/layout";
import { arenaOf, central, heap, mheap, rowAddress, rowAt, setArena } from "../base/state";
import { recordAt } from "../heap/arena";
import { addressOf, spanAt } from "./mspan";
import { SUMS_SIZE, findPages, freePages, raiseSearch, takePages } from "../heap/pagealloc";
import {
  MAX_GROUPS,
  PAGE_MOVES,
  PAGE_STAYS,
  firstRegion,
  markPages,
  metaBytes,
  persistChunk,
  recordBytes,
} from "../heap/persistent";

/** Where the next record goes: room on pages of records that were taken for it. */
let to: u32 = 0;
let end: u32 = 0;
/** What lies below stays. */
let first: u32 = 0;
/** A span record that is no span's yet, and its groups; 0: there is none. */
let held: u32 = 0;
let heldGroups: u32 = 0;

/** The record at `record`, for a span of `ngroups` groups, is in somebody's hands until heldRecord tells where it is. */
export function holdRecord(record: u32, ngroups: u32): void {
  if (!COMPACTS) return;
  held = record;
  heldGroups = ngroups;
}

/** Where the record at `record` that was given to holdRecord is now. */
export function heldRecord(record: u32): u32 {
  if (!COMPACTS) return record;
  record = held;
  held = 0;
  return record;
}

/** Move records down and give back the pages that have none in use. True if any page is free now that was not. */
export function compact(): bool {
  if (!COMPACTS || isCollecting()) return false;
  const h = mheap();
  if (h.freedPages == 0) return false;
  h.freedPages = 0;
  first = firstRegion(heap);
  to = 0;
  end = 0;
  h.sums = visit(h.sums, SUMS_SIZE);
  if (held) held = visitRecord(held, heldGroups, false);
  for (let a = h.arenaLo; a <= h.arenaHi; a++) {
    const from = arenaOf(a);
    if (from == 0) continue;
    // The map before the marks: they may be in this record.
    const at = lower(from, ARENA_RECORD_SIZE);
    setArena(a, at);
    mark(at, ARENA_RECORD_SIZE);
    for (let i: u32 = 0; i < ARENA_PAGES; i++) {
      const r = changetype<PageRecord>(<usize>(at + (i << PAGE_RECORD_SHIFT)));
      const page = a * ARENA_PAGES + i;
      if (r.groups != 0 && r.base == page << PAGE_SHIFT) visitSpan(spanAt(r.groups - MSPAN_SIZE), page);
    }
  }
  dropDead();
  persistChunk(to, end);
  let some = false;
  for (let page = h.arenaLo * ARENA_PAGES; page < (h.arenaHi + 1) * ARENA_PAGES; page++) {
    if (arenaOf(page / ARENA_PAGES) == 0) continue;
    const r = recordAt(page);
    if (r.groups != 0 || r.row != PAGE_MOVES) continue;
    if (r.base == 0) {
      r.row = 0;
      h.metaPages -= 1;
      freePages(page, 1);
      some = true;
    }
    r.base = 0;
  }
  return lowerTables() || some;
}

/** Move the record of `size` bytes at `from` down if there is room, and mark its pages. Its address. */
function visit(from: u32, size: u32): u32 {
  const at = lower(from, size);
  mark(at, size);
  return at;
}

/** Note that the pages of the record of `size` bytes at `at` are in use. */
function mark(at: u32, size: u32): void {
  if (at < first) return;
  for (let page = at >> PAGE_SHIFT; page << PAGE_SHIFT < at + size; page++) recordAt(page).base = 1;
}

/** Move the record of `size` bytes at `from` down if there is room below. Its address. */
function lower(from: u32, size: u32): u32 {
  if (from < first) return from;
  if (end - to < size) {
    const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    const page = findPages(npages);
    // 0, for none, is not lower.
    if (page - 1 >= from >> PAGE_SHIFT) return from;
    takePages(page, npages);
    mheap().metaPages += npages;
    markPages(page, npages, PAGE_MOVES);
    to = page << PAGE_SHIFT;
    end = to + (npages << PAGE_SHIFT);
  }
  const at = to;
  if (at >= from) return from;
  memory.copy(at, from, size);
  // The length of a meta table is the only one that is no multiple of 16.
  to = at + (GC ? (size + 15) & ~15 : size);
  return at;
}

/** Visit the span record at `old`, which has `ngroups` groups, and its meta table or, if not `whole`, drop that. Its address. */
function visitRecord(old: u32, ngroups: u32, whole: bool): u32 {
  const front = frontSize(ngroups);
  const at = visit(old - front, recordBytes(ngroups));
  if (GC && ngroups != 0) {
    const meta = load<u32>(at);
    if (meta) store<u32>(at, whole ? visit(meta, metaBytes(ngroups)) : 0);
  }
  return at + front;
}

/** Visit the record of the span that begins at `page`, and let all that names it follow. */
function visitSpan(span: MSpan, page: u32): void {
  const old = addressOf(span);
  const at = visitRecord(old, recordGroups(span), span.ngroups != 0);
  if (at == old) return;
  const last = page + (span.ngroups ? span.npages : 1);
  for (; page < last; page++) recordAt(page).groups = at + MSPAN_SIZE;
  const row = rowAt(rowAddress(span.row));
  if (row.span == old) {
    row.span = at;
    row.group += at - old;
  }
  relinkSpan(spanAt(at));
}

/** Those that name a span in a list. Empty spans are in none: they have been given back. */
function relinkSpan(span: MSpan): void {
  const c = changetype<usize>(central(span.row));
  const flags = span.flags;
  if (GC && (flags & (FLAG_LISTED | FLAG_FULL)) != 0 && isCollectedSpan(span)) {
    const swept = span.sweepgen == mheap().sweepgen;
    const g = changetype<usize>(gcState());
    const s = c + offsetof<MCentral>();
    if (span.ngroups == 0) {
      relink(span, g + (swept ? offsetof<GcState>("large") : offsetof<GcState>("largeUnswept")), 0);
      return;
    }
    if (!swept) {
      relink(span, s + offsetof<SweepSets>("unswept"), 0);
      return;
    }
    if (flags & FLAG_FULL) {
      relink(span, s + offsetof<SweepSets>("fullHead"), s + offsetof<SweepSets>("fullTail"));
      return;
    }
  }
  if (flags & FLAG_LISTED) relink(span, c + offsetof<MCentral>("head"), c + offsetof<MCentral>("tail"));
}

/** The neighbours of a span in its list, or the words that name its ends, name it where it is now. */
function relink(span: MSpan, head: usize, tail: usize): void {
  const at = addressOf(span);
  if (span.prev) spanAt(span.prev).next = at;
  else store<u32>(head, at);
  if (span.next) spanAt(span.next).prev = at;
  else if (tail) store<u32>(tail, at);
}

/** Whether the pages of the bytes `from` and `last` stay, the ends of a dead record. */
function isMarked(from: u32, last: u32): bool {
  return from < first || (recordAt(from >> PAGE_SHIFT).base & recordAt(last >> PAGE_SHIFT).base) != 0;
}

/** What is free on pages that go: dead span records, their meta tables, the chunk. */
function dropDead(): void {
  const h = mheap();
  const cur = h.persistCur;
  if (cur >= first) {
    // The rest of its page stays the chunk's while a record there is in use.
    const pageEnd = (cur + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    const stays = cur != pageEnd && isMarked(cur, cur);
    h.persistCur = stays ? cur : 0;
    h.persistEnd = stays ? pageEnd : 0;
  }
  for (let ngroups: u32 = 0; ngroups <= MAX_GROUPS; ngroups++) {
    const front = frontSize(ngroups);
    // A link is the first word of a span record, and of its list's head.
    let link = heap + HEAP_FREE_SPANS + (ngroups << 2);
    for (let at = load<u32>(link); at != 0; at = load<u32>(at)) {
      const from = at - front;
      if (!isMarked(from, from + recordBytes(ngroups) - 1)) {
        store<u32>(link, load<u32>(at));
        continue;
      }
      link = at;
      if (!GC || ngroups == 0) continue;
      const meta = load<u32>(from);
      if (meta != 0 && !isMarked(meta, meta + metaBytes(ngroups) - 1)) store<u32>(from, 0);
    }
  }
}

/** The collector's pages to lower ones. True if any was moved. */
function lowerTables(): bool {
  if (!GC) return false;
  const g = gcState();
  const spare = lowerTable(g.spare, PAGE_SIZE);
  const handles = lowerTable(g.handles, g.handleSlots << 2);
  const slots = g.pinMask + 1;
  const pins = slots > FIRST_PINS ? lowerTable(g.pins, slots << 3) : g.pins;
  if (spare == g.spare && handles == g.handles && pins == g.pins) return false;
  g.spare = spare;
  g.handles = handles;
  g.pins = pins;
  return true;
}

/** Where the table of `bytes` bytes at `from`, in pages of its own, stands after it has been moved to the lowest place. */
function lowerTable(from: u32, bytes: u32): u32 {
  const npages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
  const page = from ? findPages(npages) : 0;
  const to = page << PAGE_SHIFT;
  if (page == 0 || to >= from) return from;
  takePages(page, npages);
  raiseSearch(page, npages);
  memory.copy(to, from, bytes);
  markPages(page, npages, PAGE_STAYS);
  markPages(from >> PAGE_SHIFT, npages, 0);
  freePages(from >> PAGE_SHIFT, npages);
  return to;
}
