/**
 * The numbers of the heap's invariants, and the result of a check.
 *
 * The groups of numbers: 1x pages and summaries, 2x spans and their records, 3x groups and slots, 4x lists and rows,
 * 5x accounts, 6x the heap's own record and its tables, 7x the collector's records. src/heap/invariants.ts has a sentence for
 * each.
 */

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
/** 17: a page of records is free or marked, or the record of a span in use lies on a page that is none. Where records move. */
@inline export const BAD_RECORD_PAGE: u32 = 17;
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
/** 45: a slot that another P has freed is not live, or there is no note of its span. Shared heaps. */
@inline export const BAD_REMOTE: u32 = 45;
/** 52: retained pages are not those of the lists of empty spans. */
@inline export const BAD_RETAINED: u32 = 52;

/** 53: a slot of a swept span is marked though no cycle runs. */
@inline export const STALE_MARK: u32 = 53;

/** 15: the arena map names what is no arena record, one twice, or one outside of arenaLo..arenaHi. */
@inline export const BAD_ARENA: u32 = 15;
/** 16: a page known to be zero is not. Found by the deep check. */
@inline export const DIRTY_PAGE: u32 = 16;
/** 60: a lookup table sends a size to a row that does not serve it, or says another class than the size has. */
@inline export const BAD_TABLE: u32 = 60;
/** 61: what a row or its mcentral says of its class is not what the class is. */
@inline export const BAD_CLASS: u32 = 61;
/** 62: a list of dead span records holds something else. */
@inline export const BAD_DEAD_LIST: u32 = 62;
/** 63: the chunk for records is not free memory of the heap's. */
@inline export const BAD_CHUNK: u32 = 63;
/** 64: bytes obtained and pages grown, or the heap's end, do not fit. */
@inline export const BAD_SYS: u32 = 64;
/** 65: the tiny block is no live slot of its row. */
@inline export const BAD_TINY: u32 = 65;
/** 66: a P's record, state or lock is none. Shared heaps. */
@inline export const BAD_P: u32 = 66;
/** 67: a lock, a gate or the stopped world is nobody's, or something is under way outside of the allocator. Shared heaps. */
@inline export const BAD_HOLDER: u32 = 67;
/** 70: a field of the collector's state has no such value. */
@inline export const BAD_GC_STATE: u32 = 70;
/** 71: the collector's large spans and its lists of them differ. */
@inline export const BAD_GC_LARGE: u32 = 71;
/** 72: the work buffers are not as many pages as are counted. */
@inline export const BAD_GC_WORK: u32 = 72;
/** 73: the table of pins. */
@inline export const BAD_PINS: u32 = 73;
/** 74: the table of handles. */
@inline export const BAD_HANDLES: u32 = 74;
/** 75: the list of root ranges. */
@inline export const BAD_ROOTS: u32 = 75;
/** 76: a span's meta word names no table of the heap's. */
@inline export const BAD_META: u32 = 76;

/** 77: a type's record is not in the list of types or says what no type can, or an object's type is none. */
@inline export const BAD_TYPE: u32 = 77;
/** 78: the pacer's goal, triggers or settings are not in their order. */
@inline export const BAD_PACER: u32 = 78;

let info: u32 = 0;

/** Address, or number in question, that the last broken invariant is about. */
export function brokenAt(): u32 {
  return info;
}

/** The invariant `code` is broken at `at`. */
export function bad(code: u32, at: u32): u32 {
  info = at;
  return code;
}
