/**
 * TCMalloc's page heap: runs of pages of 8 KiB, called spans, for tcmalloc.ts.
 *
 *   lists    free spans of 1 to 128 pages, one list for each length
 *   set      longer free spans, ordered by length, then by address
 *   map      two levels, from a page's number to its span
 *
 * A request takes the shortest free span that is long enough (among those of one length the last freed) and leaves the
 * rest as a span of its own. A freed span joins its free neighbours. When nothing fits, the heap grows: what the host
 * gives becomes one free span, joined with what lies before it.
 *
 * The map always holds a span's first and last page, which is all that joining looks at; tcmalloc.ts enters every page
 * of the spans that it cuts up. Other entries may be stale.
 *
 * Records and tables lie apart from the pages, in memory of their own that is never given back.
 *
 * Cost: at most 128 lists are looked at; the set is a sorted list, O(spans of more than 1 MiB).
 */

import { grow, memoryEnd, pieceEnd } from "./growth";

export const PAGE_SHIFT: usize = 13;
export const PAGE: usize = 8192;
/** Longest spans that have a list. */
const LISTED: usize = 128;

// A span's record. `kind` is the class it is cut up for, or one of the two below.
const START: usize = 0;
const PAGES: usize = 4;
const NEXT: usize = 8;
const PREV: usize = 12;
const KIND: usize = 16;
/** Head of the free objects inside, linked through their first words, and how many are out of the span: tcmalloc.ts. */
export const OBJECTS: usize = 20;
export const TAKEN: usize = 24;
const RECORD: usize = 32;

/** In use as a whole. No class has this number. */
export const WHOLE: u32 = 0;
const FREE: u32 = 255;

/** Entries of a leaf of the map (8 MiB), and leaves. */
const LEAF_SHIFT: usize = 10;
const LEAF: usize = 1024;
const LEAVES: usize = 512;

/** What metadata takes from the host at once, and what it takes of the first piece. */
const META_CHUNK: usize = 65536;
const META_FIRST: usize = 16384;

/** Addresses of the map's root and of the heads of the lists; heads[0] is the set's. 0 until begun. */
let map: usize = 0;
let heads: usize = 0;
let spare: usize = 0; // span records to be used again
let metaAt: usize = 0;
let metaEnd: usize = 0;

@inline
export function pagesFor(bytes: usize): usize {
  return (bytes + PAGE - 1) >> PAGE_SHIFT;
}

@inline
export function addressOf(span: usize): usize {
  return (<usize>load<u32>(span, START)) << PAGE_SHIFT;
}

@inline
export function pagesOf(span: usize): usize {
  return load<u32>(span, PAGES);
}

@inline
export function kindOf(span: usize): u32 {
  return load<u32>(span, KIND);
}

/** Makes a span one that is cut up for a class, 1 to 254. */
@inline
export function setKind(span: usize, number: u32): void {
  store<u32>(span, number, KIND);
}

@inline
export function nextOf(span: usize): usize {
  return load<u32>(span, NEXT);
}

// Metadata --------------------------------------------------------------------------------------------------

/** `bytes` of zeroes for a record or a table, at most META_CHUNK; 0 if the memory cannot grow. */
export function meta(bytes: usize): usize {
  if (metaAt + bytes > metaEnd) {
    const page = memory.grow(1);
    if (page < 0) return 0;
    metaAt = <usize>((<u64>page) << 16);
    metaEnd = metaAt + META_CHUNK - 16; // below 4 GiB also at the end of memory
  }
  const at = metaAt;
  metaAt += (bytes + 15) & ~15;
  memory.fill(at, 0, bytes);
  return at;
}

/** A record for `pages` pages from number `start` on, in the map; 0 if the memory cannot grow. */
function newSpan(start: usize, pages: usize): usize {
  let span = spare;
  if (span) spare = load<u32>(span, NEXT);
  else {
    span = meta(RECORD);
    if (!span) return 0;
  }
  if (!place(span, start, pages)) {
    dropSpan(span);
    return 0;
  }
  return span;
}

/** Keeps a record for later. Entries of the map that still name it must not take it for a free neighbour. */
function dropSpan(span: usize): void {
  store<u32>(span, WHOLE, KIND);
  store<u32>(span, spare, NEXT);
  spare = span;
}

// The map ---------------------------------------------------------------------------------------------------

/** The span of a page that is the first or the last of one, or lies in one that is cut up. */
@inline
export function spanAt(page: usize): usize {
  return load<u32>(<usize>load<u32>(map + ((page >> LEAF_SHIFT) << 2)) + ((page & (LEAF - 1)) << 2));
}

/** The same for any page; 0 if the heap never had it. */
function spanIfAny(page: usize): usize {
  const leaf: usize = load<u32>(map + ((page >> LEAF_SHIFT) << 2));
  return leaf ? <usize>load<u32>(leaf + ((page & (LEAF - 1)) << 2)) : 0;
}

function enter(page: usize, span: usize): bool {
  const entry = map + ((page >> LEAF_SHIFT) << 2);
  let leaf: usize = load<u32>(entry);
  if (!leaf) {
    leaf = meta(LEAF * 4);
    if (!leaf) return false;
    store<u32>(entry, leaf);
  }
  store<u32>(leaf + ((page & (LEAF - 1)) << 2), span);
  return true;
}

/** Makes a record stand for these pages. */
function place(span: usize, start: usize, pages: usize): bool {
  store<u32>(span, start, START);
  store<u32>(span, pages, PAGES);
  return enter(start, span) && enter(start + pages - 1, span);
}

/** Enters the pages between the ends too, for a span that is cut up; false if the memory cannot grow. */
export function enterAll(span: usize): bool {
  const start: usize = load<u32>(span, START);
  const end = start + pagesOf(span);
  for (let page = start; page < end; page++) if (!enter(page, span)) return false;
  return true;
}

// Lists of spans --------------------------------------------------------------------------------------------

/** Puts a span at the front of the list whose head is kept at `head`. */
export function link(head: usize, span: usize): void {
  linkAfter(head - NEXT, span);
}

/** Puts a span behind another, or behind a head that is taken for one. */
function linkAfter(before: usize, span: usize): void {
  const after: usize = load<u32>(before, NEXT);
  store<u32>(span, after, NEXT);
  store<u32>(span, before, PREV);
  store<u32>(before, span, NEXT);
  if (after) store<u32>(after, span, PREV);
}

export function unlink(span: usize): void {
  const after: usize = load<u32>(span, NEXT);
  const before: usize = load<u32>(span, PREV);
  store<u32>(before, after, NEXT);
  if (after) store<u32>(after, before, PREV);
}

@inline
function listOf(pages: usize): usize {
  return heads + (pages << 2);
}

/** Makes a span free and lists it; it must not have free neighbours. */
function list(span: usize): void {
  const pages = pagesOf(span);
  store<u32>(span, FREE, KIND);
  if (pages <= LISTED) return link(listOf(pages), span);
  let before = heads - NEXT;
  for (let other = nextOf(before); other; other = nextOf(other)) {
    const length = pagesOf(other);
    if (length > pages || (length == pages && addressOf(other) > addressOf(span))) break;
    before = other;
  }
  linkAfter(before, span);
}

// Spans -----------------------------------------------------------------------------------------------------

/** Sets up the tables in [start, stop), META_FIRST long at least, and makes the rest of it a free span. */
function begin(start: usize, stop: usize): void {
  metaAt = (start + 15) & ~15;
  metaEnd = (metaAt + META_FIRST) & ~(PAGE - 1);
  map = meta(LEAVES * 4);
  heads = meta((LISTED + 1) * 4);
  addPiece(metaEnd, stop);
}

/** Takes [heapBase, end of memory). */
export function beginAt(heapBase: usize): void {
  const stop = memoryEnd();
  if (!map && heapBase + 2 * META_FIRST <= stop) begin(heapBase, stop);
}

/** True once there are tables; false if the memory cannot grow. */
export function begun(): bool {
  if (!map) {
    const start = grow(2 * META_FIRST);
    if (start) begin(start, pieceEnd);
  }
  return map != 0;
}

/** Makes whole pages of new memory a free span. */
function addPiece(start: usize, stop: usize): bool {
  const first = (start + PAGE - 1) >> PAGE_SHIFT;
  const end = stop >> PAGE_SHIFT;
  if (end <= first) return false;
  const span = newSpan(first, end - first);
  if (!span) return false;
  giveSpan(span);
  return true;
}

/** The shortest listed span of at least `pages`; 0 if there is none. */
function find(pages: usize): usize {
  for (let length = pages; length <= LISTED; length++) {
    const span: usize = load<u32>(listOf(length));
    if (span) return span;
  }
  for (let span: usize = load<u32>(heads); span; span = nextOf(span)) {
    if (pagesOf(span) >= pages) return span;
  }
  return 0;
}

/** A span of `pages` pages, of kind WHOLE; 0 if the memory cannot grow. The tables must be there. */
export function takeSpan(pages: usize): usize {
  let span = find(pages);
  if (!span) {
    const start = grow(pages << PAGE_SHIFT);
    if (!start || !addPiece(start, pieceEnd)) return 0;
    span = find(pages);
    if (!span) return 0;
  }
  unlink(span);
  store<u32>(span, WHOLE, KIND);
  if (pagesOf(span) > pages && !cutTail(span, pages)) {
    list(span);
    return 0;
  }
  return span;
}

/** Leaves a span its first `pages` pages and frees the rest; false if there is no memory for the rest's record. */
export function cutTail(span: usize, pages: usize): bool {
  const start: usize = load<u32>(span, START);
  const rest = newSpan(start + pages, pagesOf(span) - pages);
  if (!rest) return false;
  place(span, start, pages);
  giveSpan(rest);
  return true;
}

/** Frees a span's first `pages` pages and leaves it the rest; false if there is no memory for their record. */
export function cutFront(span: usize, pages: usize): bool {
  const start: usize = load<u32>(span, START);
  const front = newSpan(start, pages);
  if (!front) return false;
  place(span, start + pages, pagesOf(span) - pages);
  giveSpan(front);
  return true;
}

/** Frees a span: joins it with its free neighbours and lists what that makes. */
export function giveSpan(span: usize): void {
  let start: usize = load<u32>(span, START);
  let pages = pagesOf(span);
  const before = spanIfAny(start - 1);
  if (before && kindOf(before) == FREE) {
    unlink(before);
    start = load<u32>(before, START);
    pages += pagesOf(before);
    dropSpan(before);
  }
  const after = spanIfAny(start + pages);
  if (after && kindOf(after) == FREE) {
    unlink(after);
    pages += pagesOf(after);
    dropSpan(after);
  }
  // The leaves of these pages are there.
  place(span, start, pages);
  list(span);
}
