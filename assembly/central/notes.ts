/**
 * Notes: which spans have something that other threads have freed and that has to be drained. Shared heaps only.
 *
 *   page bit    in the arena's record, for the page that the span begins on
 *   chunk bit   in the notes of the drainer, one for 64 pages; chunks that are 512 apart, 256 MiB, share one
 *   flag        there too, one for 64 chunk bits, in the word that the drainer reads
 *
 *   a free      sets what is to be drained (a group's remote bits, FLAG_DEFERRED), then page bit, chunk bit, flag
 *   a drain     clears flags, chunk bits, a page bit, in this order, then drains the span
 *
 * Each P has notes for its own spans. The heap's record has notes for unowned spans and others for the large blocks
 * that wait for H; the collector has notes for its spans. A span can change owner under a note: a thread that finds a
 * page of another owner makes a note for that owner.
 *
 * Law: what is to be drained has its page bit, and a chunk bit and flag in some notes, or a thread is about to set
 * them.
 *
 * A note only says where to look. A second note, or one for a span that no longer exists, costs a look and does nothing
 * else, so a note need not be made exactly once. A death needs this: a thread may die between any two steps of a free
 * or a drain, and noteAll, in any thread and while others continue, makes all notes again from the spans themselves.
 * For the same reason a free does not touch the span after it has set the bits: the span may be freed before the note
 * is made. A thread that reads the record of a freed span still reads a span record: a shared heap never reuses them
 * for anything else.
 *
 * Lock: none to make a note; a drain says itself what it needs. Cost: two atomic reads, and up to three atomic writes
 * for the first note of a chunk.
 */

import { MAX_PS } from "../base/abinumbers";
import { ARENA_CHUNKS } from "../base/config";
import { SharedGc, sharedGc, isCommon } from "../base/gcstate";
import { ARENA_NOTED, FLAG_DEFERRED, HEAP_DEFERRED, HEAP_P, MSPAN_SIZE, MSpan, NOTES_CHUNKS } from "../base/layout";
import { arenaOf, heap, mheap, recordOf, seeWord } from "../base/state";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { isEmptyUncached, remoteBits, spanAt } from "./mspan";

/** Flags begin at this bit: as numbers they are larger than any offset in a P's record (see isOwn in alloc/free.ts). */
@inline const FLAG_SHIFT: u32 = 16;
@inline export const ALL_FLAGS: u32 = 0xff << FLAG_SHIFT;
/** Chunk bits in one set of notes. */
@inline const CHUNK_BITS: u32 = 512;

/** Address of the notes of the P with the record at `record`; with the heap's record, those of unowned spans. */
@inline
export function notesAt(record: u32): u32 {
  return record + HEAP_P;
}

/** Notes of the large blocks that wait for H. */
@inline
export function deferredNotes(): u32 {
  return heap + HEAP_DEFERRED;
}

/** Notes of the collector's spans. */
@inline
export function collectedNotes(): u32 {
  return <u32>(changetype<usize>(sharedGc()) + offsetof<SharedGc>("freed"));
}

/** The notes for frees into spans of a row (by index) and an owner. */
@inline
export function notesOf(row: u32, owner: u32): u32 {
  return isCommon(row) ? collectedNotes() : notesAt(recordOf(owner));
}

/** Whether notes have a flag. Only a look, without a lock. */
@inline
export function hasNotes(notes: u32): bool {
  return load<u32>(notes) != 0;
}

/** Address of the word with the page bit of a page, minus ARENA_NOTED. */
@inline
function pageWord(page: u32): usize {
  return arenaOf(page >> 9) + (((page >> 6) & (ARENA_CHUNKS - 1)) << 3);
}

/** The page bits of the 64 pages around a page. */
@inline
function pageBits(page: u32): u64 {
  const at = pageWord(page);
  seeWord(at + ARENA_NOTED);
  return atomic.load<u64>(at, ARENA_NOTED);
}

/** Whether a page bit is set. */
export function isPageNoted(page: u32): bool {
  return ((pageBits(page) >> (page & 63)) & 1) != 0;
}

/** Whether notes would lead a drainer to the chunk of a page. */
export function leadTo(notes: u32, page: u32): bool {
  const chunk = (page >> 6) & (CHUNK_BITS - 1);
  seeWord(notes + NOTES_CHUNKS + (CHUNK_BITS >> 3));
  const bits = atomic.load<u64>(notes + ((chunk >> 6) << 3), NOTES_CHUNKS);
  return ((bits >> (chunk & 63)) & (atomic.load<u32>(notes) >> (FLAG_SHIFT + (chunk >> 6))) & 1) != 0;
}

/**
 * Make a note of the span that begins on a page. False: its page bit was already set; chunk bit and flag were set
 * again.
 */
export function note(notes: u32, page: u32): bool {
  const noted = isPageNoted(page);
  if (!noted) atomic.or<u64>(pageWord(page), (<u64>1) << (page & 63), ARENA_NOTED);
  const chunk = (page >> 6) & (CHUNK_BITS - 1);
  if (!leadTo(notes, page)) {
    atomic.or<u64>(notes + ((chunk >> 6) << 3), (<u64>1) << (chunk & 63), NOTES_CHUNKS);
    atomic.or<u32>(notes, 1 << (FLAG_SHIFT + (chunk >> 6)));
  }
  return !noted;
}

/** Clear the page bit: the caller is about to drain the span on the page. */
@inline
export function unnote(page: u32): void {
  atomic.and<u64>(pageWord(page), ~((<u64>1) << (page & 63)), ARENA_NOTED);
}

/** The span on a noted page is not the caller's: make a note for its present owner. */
export function passOn(page: u32): void {
  const groups = pageRecord(page).groups;
  if (groups == 0) return;
  const span = spanAt(groups - MSPAN_SIZE);
  if (span.ngroups) note(notesOf(span.row, span.owner), page);
}

/**
 * The walk in progress, one at a time in a thread: the notes, then the flags and chunk bits still to do, lowest first.
 */
let walked: u32 = 0;
let flags: u32 = 0;
let chunks: u64 = 0;
/** The word of chunk bits in use, minus NOTES_CHUNKS; 0: none yet. */
let word: u32 = 0;
/** The chunk in use, its page bits still to do, and the end of all chunks. */
let chunk: u32 = 0;
let pages: u64 = 0;
let end: u32 = 0;

/** Clear the flags of some notes, in order to walk the pages that they lead to by nextNoted. */
export function beginWalk(notes: u32): void {
  walked = notes;
  flags = atomic.xchg<u32>(notes, 0) >> FLAG_SHIFT;
  chunks = 0;
  word = 0;
  pages = 0;
  end = 0;
}

/** The next page of the walk, with its page bit set; 0: no more. */
export function nextNoted(): u32 {
  while (pages == 0) {
    chunk += CHUNK_BITS;
    while (chunk >= end) {
      chunks &= chunks - 1;
      while (chunks == 0) {
        if (word) flags &= flags - 1;
        if (flags == 0) return 0;
        word = walked + ((<u32>ctz(flags)) << 3);
        chunks = atomic.xchg<u64>(word, 0, NOTES_CHUNKS);
        // Read after the bits, so that it covers every page that was noted.
        end = (mheap().arenaHi + 1) * ARENA_CHUNKS;
      }
      chunk = ((word - walked) << 3) + <u32>ctz(chunks);
    }
    if (arenaOf(chunk / ARENA_CHUNKS) != 0) pages = pageBits(chunk << 6);
  }
  const page = (chunk << 6) + <u32>ctz(pages);
  pages &= pages - 1;
  return page;
}

/** End the walk early: the pages that are left, including the last one returned, stay noted. */
export function breakWalk(): void {
  atomic.or<u64>(word, chunks, NOTES_CHUNKS);
  atomic.or<u32>(walked, flags << FLAG_SHIFT);
}

/**
 * A thread has died: make each note that is missing. Needs no lock and no P, and other threads continue meanwhile: a
 * span with something to drain stays, and for one that comes or goes meanwhile the worst case is a note for nothing.
 * True if a page bit was missing: a free or a drain was interrupted. O(groups of all spans).
 */
export function noteAll(): bool {
  let some: bool = false;
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const groups = pageRecord(page).groups;
    if (groups == 0) continue;
    const span = spanAt(groups - MSPAN_SIZE);
    if (span.ngroups == 0) {
      if (span.flags & FLAG_DEFERRED) some = note(deferredNotes(), page) || some;
    } else if (hasFreed(span)) {
      // A collected span that has an owner needs none until it is given up.
      const needed = span.owner == 0 || !isCommon(span.row);
      if (note(notesOf(span.row, span.owner), page) && needed) some = true;
    }
  }
  return some;
}

/** Whether a span needs a drain: it has freed slots to drain, or it is unowned and has no live slot. */
function hasFreed(span: MSpan): bool {
  for (let i: u32 = 0; i < span.ngroups; i++) if (remoteBits(span, i) != 0) return true;
  return span.owner == 0 && isEmptyUncached(span);
}

/** Whether some notes lead to a page whose bit is set. For validate. */
export function isNoted(page: u32): bool {
  if (!isPageNoted(page)) return false;
  if (leadTo(collectedNotes(), page)) return true;
  for (let id: u32 = 0; id <= MAX_PS; id++) if (recordOf(id) != 0 && leadTo(notesAt(recordOf(id)), page)) return true;
  return false;
}
