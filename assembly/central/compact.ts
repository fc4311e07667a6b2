/**
 * Compaction of records: they move out of the way of long runs, and pages on which no record is in use are returned to
 * the page allocator.
 *
 *   spans in use       the record with its front and meta table; page records, the row and its list are updated
 *   arenas, summaries  named by the arena map and the heap's record
 *   dead spans         are unlinked if their page is returned
 *   the collector's    a work buffer that is kept, tables of handles, pins and specials
 *
 * Each record moves to the lowest free pages if those are lower than its own. Then the pages with a record in use are
 * marked, and the other pages of records become free. What is at the heap's start stays, as does what
 * central/records.ts allocates by recordSpace.
 *
 * Only where COMPACTS. Nothing moves during the marking, because the collector holds addresses of records when it asks
 * for memory. All other code that asks for memory looks its records up again afterwards, or holds the record that it
 * has allocated for a new span (holdRecord). The caller has freed all empty spans: they are in a list that is not
 * updated here.
 *
 * Owner: the thread. Cost: O(pages + spans + dead records) and the copies. It runs in malloc_trim and releaseAll,
 * before memory is refused, and before memory grows by half a MiB or more for one block while half of the heap is free,
 * if pages have been freed since the last time.
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
import { SPECIAL_SHIFT } from "../base/specials";
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

/** Where the next record goes: room on pages of records that were allocated for it. */
let to: u32 = 0;
let end: u32 = 0;
/** What is below this address stays. */
let first: u32 = 0;
/** A span record that no span has yet, and its groups; 0: there is none. */
let held: u32 = 0;
let heldGroups: u32 = 0;

/**
 * The caller keeps the address of the record at `record`, for a span of `ngroups` groups, until heldRecord returns its
 * present address.
 */
export function holdRecord(record: u32, ngroups: u32): void {
  if (!COMPACTS) return;
  held = record;
  heldGroups = ngroups;
}

/** Present address of the record at `record` that was given to holdRecord. */
export function heldRecord(record: u32): u32 {
  if (!COMPACTS) return record;
  record = held;
  held = 0;
  return record;
}

/** Move records down and free the pages without a record in use. True if that freed a page. */
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
    // Update the map before the marks, which may be in this record.
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

/** Move the record of `size` bytes at `from` down if there is room, and mark its pages. Returns its address. */
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

/** Move the record of `size` bytes at `from` down if there is room below. Returns its address. */
function lower(from: u32, size: u32): u32 {
  if (from < first) return from;
  if (end - to < size) {
    const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    const page = findPages(npages);
    // Page 0 means none, and must not count as lower.
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
  to = at + size;
  return at;
}

/** Whether a record with room for `ngroups` groups may have a meta table, named by the first word of its front. */
@inline
function hasMetaTable(ngroups: u32): bool {
  return GC && ngroups != 0;
}

/**
 * Visit the span record at `old`, which has `ngroups` groups, and its meta table; if not `whole`, drop the meta table.
 * Returns the record's address.
 */
function visitRecord(old: u32, ngroups: u32, whole: bool): u32 {
  const front = frontSize(ngroups);
  const at = visit(old - front, recordBytes(ngroups));
  if (hasMetaTable(ngroups)) {
    const meta = load<u32>(at);
    if (meta) store<u32>(at, whole ? visit(meta, metaBytes(ngroups)) : 0);
  }
  return at + front;
}

/** Visit the record of the span that begins at `page`, and update everything that names it. */
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

/** Update the list that contains a span. Empty spans are in none: they have been freed. */
function relinkSpan(span: MSpan): void {
  const c = changetype<usize>(central(span.row));
  const flags = span.flags;
  if (isCollectedSpan(span) && (flags & (FLAG_LISTED | FLAG_FULL)) != 0) {
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

/** Make a span's neighbours in its list, or the words that name the list's ends, point to its present address. */
function relink(span: MSpan, head: usize, tail: usize): void {
  const at = addressOf(span);
  if (span.prev) spanAt(span.prev).next = at;
  else store<u32>(head, at);
  if (span.next) spanAt(span.next).prev = at;
  else if (tail) store<u32>(tail, at);
}

/** Whether the pages with the bytes `from` and `last`, the ends of a dead record, stay. */
function isMarked(from: u32, last: u32): bool {
  return from < first || (recordAt(from >> PAGE_SHIFT).base & recordAt(last >> PAGE_SHIFT).base) != 0;
}

/** Drop what is free on pages that are returned: dead span records, their meta tables, the chunk. */
function dropDead(): void {
  const h = mheap();
  const cur = h.persistCur;
  if (cur >= first) {
    // The rest of its page stays in the chunk while a record on that page is in use.
    const pageEnd = (cur + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    const stays = cur != pageEnd && isMarked(cur, cur);
    h.persistCur = stays ? cur : 0;
    h.persistEnd = stays ? pageEnd : 0;
  }
  for (let ngroups: u32 = 0; ngroups <= MAX_GROUPS; ngroups++) {
    const front = frontSize(ngroups);
    // A link is the first word of a span record; the head of its list has the same form.
    let link = heap + HEAP_FREE_SPANS + (ngroups << 2);
    for (let at = load<u32>(link); at != 0; at = load<u32>(at)) {
      const from = at - front;
      if (!isMarked(from, from + recordBytes(ngroups) - 1)) {
        store<u32>(link, load<u32>(at));
        continue;
      }
      link = at;
      if (!hasMetaTable(ngroups)) continue;
      const meta = load<u32>(from);
      if (meta != 0 && !isMarked(meta, meta + metaBytes(ngroups) - 1)) store<u32>(from, 0);
    }
  }
}

/** Move the collector's pages to lower ones. True if any was moved. */
function lowerTables(): bool {
  if (!GC) return false;
  const g = gcState();
  const spare = lowerTable(g.spare, PAGE_SIZE);
  const handles = lowerTable(g.handles, g.handleSlots << 2);
  const slots = g.pinMask + 1;
  const pins = slots > FIRST_PINS ? lowerTable(g.pins, slots << 3) : g.pins;
  const specials = lowerTable(g.specials, g.specialSlots << SPECIAL_SHIFT);
  if (spare == g.spare && handles == g.handles && pins == g.pins && specials == g.specials) return false;
  g.spare = spare;
  g.handles = handles;
  g.pins = pins;
  g.specials = specials;
  return true;
}

/**
 * Move the table of `bytes` bytes at `from`, which has its own pages, to the lowest free pages. Returns its address.
 */
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
