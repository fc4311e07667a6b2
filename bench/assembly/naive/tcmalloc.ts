/**
 * TCMalloc as texts describe it, for one thread:
 *
 *   thread cache   a list of free objects for each size class, linked through their first words
 *   central lists  for each class the spans that have free objects; batches of up to 32 go to and from the cache
 *   page heap      spans of pages of 8 KiB (pageheap.ts)
 *
 * Requests up to 256 KiB are small: rounded to one of about ninety classes and served from the cache. Larger ones are
 * spans of their own. Classes are generated as TCMalloc generates them: steps of at most an eighth, spans so long that
 * their tail wastes at most an eighth, neighbours joined that would put as many objects into as long a span.
 *
 * Slow start: a list may be one object long at first. Each visit to the central list lengthens it, by one up to a
 * batch, then by a batch, up to 8192. A list that grew too long gives a batch back; one that does so often is shortened. When
 * all lists together hold more than 2 MiB, each gives back half of what it did not need since the last time.
 *
 * A span goes back to the page heap when all of its objects are back in it. Objects in the cache do not count, so a
 * program that freed everything still has spans held by the cache.
 */

import {
  OBJECTS,
  PAGE,
  PAGE_SHIFT,
  TAKEN,
  WHOLE,
  addressOf,
  beginAt,
  begun,
  cutFront,
  cutTail,
  enterAll,
  giveSpan,
  kindOf,
  link,
  meta,
  pagesFor,
  pagesOf,
  setKind,
  spanAt,
  takeSpan,
  unlink,
} from "./pageheap";
import { zeroed } from "./zeroed";

const LARGEST_SMALL: usize = 256 * 1024;
const BATCH: u32 = 32;
const LONGEST_LIST: u32 = 8192;
const OVERAGES: u32 = 3;
const CACHE_LIMIT: usize = 2 << 20;

// A class's record: what it is, its list in the cache, its central list.
const SIZE: usize = 0;
const SPAN_PAGES: usize = 4;
const MOVED: usize = 8; // objects in a batch
const HEAD: usize = 12;
const LENGTH: usize = 16;
const LOW: usize = 20; // the least length since the last scavenge
const LIMIT: usize = 24;
const OVER: usize = 28;
const SPANS: usize = 32; // head of the spans that have free objects
const RECORD: usize = 48;
const MOST_CLASSES: u32 = 128;

/** Entries of the table from size to class: steps of 8 up to 1 KiB, of 128 beyond. */
const FINE: usize = 1024;
const ENTRIES: usize = 2176;

let classes: usize = 0; // records, from number 1 on; 0 until begun
let table: usize = 0;
let count: u32 = 0; // classes + 1
let cached: usize = 0; // bytes in the cache's lists

// Size classes ----------------------------------------------------------------------------------------------

@inline
function entryOf(size: usize): usize {
  return table + (size <= FINE ? (size + 7) >> 3 : (size + 127 + (120 << 7)) >> 7);
}

@inline
function recordOf(number: u32): usize {
  return classes + <usize>number * RECORD;
}

@inline
function classOf(size: usize): usize {
  return recordOf(load<u8>(entryOf(size)));
}

@inline
function sizeOf(record: usize): usize {
  return load<u32>(record, SIZE);
}

function stepAt(size: usize): usize {
  if (size < 16) return 8;
  if (size < 128) return 16;
  return min<usize>(((<usize>1) << (31 - clz(<u32>size))) >> 3, PAGE);
}

/** Objects of a size that move between the cache and the central list at once. */
function batchOf(size: usize): u32 {
  return max<u32>(min<u32>(<u32>(65536 / size), BATCH), 2);
}

/** Bytes of a span for objects of a size: its tail wastes at most an eighth, and it holds a quarter of a batch. */
function spanBytes(size: usize): usize {
  let bytes: usize = 0;
  do {
    bytes += PAGE;
    while (bytes % size > bytes >> 3) bytes += PAGE;
  } while (bytes / size < batchOf(size) >> 2);
  return bytes;
}

function fillClasses(): void {
  let last: usize = 0;
  count = 1;
  for (let size: usize = 8; size <= LARGEST_SMALL; size += stepAt(size)) {
    const bytes = spanBytes(size);
    const pages = bytes >> PAGE_SHIFT;
    const joins = last && load<u32>(last, SPAN_PAGES) == <u32>pages && bytes / size == bytes / sizeOf(last);
    if (!joins) last = recordOf(count++);
    store<u32>(last, size, SIZE);
    store<u32>(last, pages, SPAN_PAGES);
    store<u32>(last, batchOf(size), MOVED);
    store<u32>(last, 1, LIMIT);
  }
  let size: usize = 0;
  for (let number: u32 = 1; number < count; number++) {
    const largest = sizeOf(recordOf(number));
    for (; size <= largest; size += 8) store<u8>(entryOf(size), number);
  }
}

/** True once there are classes; false if the memory cannot grow. */
function ready(): bool {
  if (classes) return true;
  if (!begun()) return false;
  if (!table) table = meta(ENTRIES);
  if (!table) return false;
  classes = meta(MOST_CLASSES * RECORD);
  if (classes) fillClasses();
  return classes != 0;
}

/** Takes [heapBase, end of memory). */
export function init(heapBase: u32): void {
  beginAt(heapBase);
}

// Central lists ---------------------------------------------------------------------------------------------

/** A new span cut into objects of a class, first in its central list; false if the memory cannot grow. */
function cutUp(record: usize): bool {
  const span = takeSpan(load<u32>(record, SPAN_PAGES));
  if (!span) return false;
  if (!enterAll(span)) {
    giveSpan(span);
    return false;
  }
  setKind(span, <u32>((record - classes) / RECORD));
  const size = sizeOf(record);
  const start = addressOf(span);
  let object: usize = 0;
  // From the last to the first, so that they are given out in the order of their addresses.
  for (let i = (pagesOf(span) << PAGE_SHIFT) / size; i > 0; i--) {
    const at = start + (i - 1) * size;
    store<u32>(at, object);
    object = at;
  }
  store<u32>(span, object, OBJECTS);
  store<u32>(span, 0, TAKEN);
  link(record + SPANS, span);
  return true;
}

/** Takes one object out of the central list; 0 if the memory cannot grow. */
function takeCentral(record: usize): usize {
  if (!load<u32>(record, SPANS) && !cutUp(record)) return 0;
  const span: usize = load<u32>(record, SPANS);
  const object: usize = load<u32>(span, OBJECTS);
  const after = load<u32>(object);
  store<u32>(span, after, OBJECTS);
  store<u32>(span, load<u32>(span, TAKEN) + 1, TAKEN);
  if (!after) unlink(span);
  return object;
}

/** Puts one object back into its span, and the span back into the page heap if that was the last. */
function giveCentral(record: usize, object: usize): void {
  const span = spanAt(object >> PAGE_SHIFT);
  const head = load<u32>(span, OBJECTS);
  const taken = load<u32>(span, TAKEN) - 1;
  if (!taken) {
    if (head) unlink(span);
    giveSpan(span);
    return;
  }
  if (!head) link(record + SPANS, span);
  store<u32>(object, head);
  store<u32>(span, object, OBJECTS);
  store<u32>(span, taken, TAKEN);
}

// The thread cache ------------------------------------------------------------------------------------------

/** Fills an empty list with a batch, or as many as it may hold, and takes one; 0 if the memory cannot grow. */
function fetch(record: usize): usize {
  if (!record) return 0;
  const batch = load<u32>(record, MOVED);
  const limit = load<u32>(record, LIMIT);
  const object = takeCentral(record);
  if (!object) return 0;
  let head: usize = 0;
  let length: u32 = 0;
  for (const wanted = min(limit, batch) - 1; length < wanted; length++) {
    const another = takeCentral(record);
    if (!another) break;
    store<u32>(another, head);
    head = another;
  }
  store<u32>(record, head, HEAD);
  store<u32>(record, length, LENGTH);
  cached += length * sizeOf(record);
  store<u32>(record, limit < batch ? limit + 1 : min(limit + batch, LONGEST_LIST), LIMIT);
  return object;
}

/** Gives the first `number` objects of a list back. */
function release(record: usize, number: u32): void {
  let object: usize = load<u32>(record, HEAD);
  for (let i: u32 = 0; i < number; i++) {
    const after: usize = load<u32>(object);
    giveCentral(record, object);
    object = after;
  }
  const length = load<u32>(record, LENGTH) - number;
  store<u32>(record, object, HEAD);
  store<u32>(record, length, LENGTH);
  if (length < load<u32>(record, LOW)) store<u32>(record, length, LOW);
  cached -= number * sizeOf(record);
}

function tooLong(record: usize): void {
  const batch = load<u32>(record, MOVED);
  release(record, min(batch, load<u32>(record, LENGTH)));
  const limit = load<u32>(record, LIMIT);
  if (limit < batch) store<u32>(record, limit + 1, LIMIT);
  else if (limit > batch) {
    const over = load<u32>(record, OVER) + 1;
    store<u32>(record, over > OVERAGES ? 0 : over, OVER);
    if (over > OVERAGES) store<u32>(record, limit - batch, LIMIT);
  }
}

/** Gives back half of what each list did not need since the last time. */
function scavenge(): void {
  for (let number: u32 = 1; number < count; number++) {
    const record = recordOf(number);
    const low = load<u32>(record, LOW);
    if (low) {
      release(record, low > 1 ? low >> 1 : 1);
      const batch = load<u32>(record, MOVED);
      const limit = load<u32>(record, LIMIT);
      if (limit > batch) store<u32>(record, max(limit - batch, batch), LIMIT);
    }
    store<u32>(record, load<u32>(record, LENGTH), LOW);
  }
}

// The malloc family -----------------------------------------------------------------------------------------

function mallocLarge(size: usize): usize {
  if (size > 0xffff_0000 || !ready()) return 0;
  const span = takeSpan(pagesFor(size));
  return span ? addressOf(span) : 0;
}

export function malloc(size: usize): usize {
  if (size > LARGEST_SMALL) return mallocLarge(size);
  if (!classes && !ready()) return 0;
  return take(classOf(size));
}

@inline
function take(record: usize): usize {
  const object: usize = load<u32>(record, HEAD);
  if (!object) return fetch(record);
  const length = load<u32>(record, LENGTH) - 1;
  store<u32>(record, load<u32>(object), HEAD);
  store<u32>(record, length, LENGTH);
  if (length < load<u32>(record, LOW)) store<u32>(record, length, LOW);
  cached -= sizeOf(record);
  return object;
}

export function free(ptr: usize): void {
  if (!ptr) return;
  const span = spanAt(ptr >> PAGE_SHIFT);
  const kind = kindOf(span);
  if (kind == WHOLE) return giveSpan(span);
  const record = recordOf(kind);
  const length = load<u32>(record, LENGTH) + 1;
  store<u32>(ptr, load<u32>(record, HEAD));
  store<u32>(record, ptr, HEAD);
  store<u32>(record, length, LENGTH);
  cached += sizeOf(record);
  if (length > load<u32>(record, LIMIT)) tooLong(record);
  else if (cached > CACHE_LIMIT) scavenge();
}

export function calloc(count: usize, size: usize): usize {
  const total = <u64>count * <u64>size;
  if (total >> 32) return 0;
  return zeroed(malloc(<usize>total), <usize>total);
}

/** In place within its class or pages unless half would do; one that grows is given a quarter more than it had. */
export function realloc(ptr: usize, size: usize): usize {
  if (!ptr) return malloc(size);
  const span = spanAt(ptr >> PAGE_SHIFT);
  const kind = kindOf(span);
  const held = kind == WHOLE ? pagesOf(span) << PAGE_SHIFT : sizeOf(recordOf(kind));
  if (size <= held && size >= held >> 1) return ptr;
  let moved: usize = 0;
  if (size > held && size < held + (held >> 2)) moved = malloc(held + (held >> 2));
  if (!moved) moved = malloc(size);
  if (!moved) return 0;
  memory.copy(moved, ptr, min(held, size));
  free(ptr);
  return moved;
}

/** From the first class whose size is a multiple of `align`, or a span of its own. `align` must be a power of two. */
export function aligned_alloc(align: usize, size: usize): usize {
  if (size > 0xffff_0000 || !ready()) return 0;
  size = max<usize>(size, 1);
  if (align <= PAGE && size <= LARGEST_SMALL) {
    const end = recordOf(count);
    for (let record = classOf(size); record < end; record += RECORD) {
      if (!(sizeOf(record) & (align - 1))) return take(record);
    }
  }
  if (align <= PAGE) return mallocLarge(size);
  const pages = pagesFor(size);
  const span = takeSpan(pages + (align >> PAGE_SHIFT));
  if (!span) return 0;
  const front = ((addressOf(span) + align - 1) & ~(align - 1)) - addressOf(span);
  if (front && !cutFront(span, front >> PAGE_SHIFT)) {
    giveSpan(span);
    return 0;
  }
  // If there is no memory for its record, the rest stays part of the block.
  if (pagesOf(span) > pages) cutTail(span, pages);
  return addressOf(span);
}
