/**
 * The records of the heap in linear memory, with their byte offsets.
 *
 * All of them lie out of band: no block of a program shares a page with them but by the chance of being neighbours.
 * They are `@unmanaged` views over raw addresses: a field access is one load or store with a constant offset.
 *
 *   heap -> MHeap                 the heap's own fields, room for 128 bytes
 *           dummy Group, lists of dead span records, zerobase, statistics
 *           lookup tables         size -> row, class -> size, class -> pages
 *           Row[NUM_ROWS]         the mcache of the P
 *           MCentral[NUM_ROWS]    behind each row its mcentral
 *           arenaMap u32[1024]    address of each arena's HeapArena, 0 where the heap owns nothing
 *
 * Ownership with one thread: everything belongs to the only P. The comments name the lock that a shared flavour
 * takes: H the heap lock, C the row's mcentral lock, P nobody but the owner.
 *
 * A shared heap has a second record of the same shape for each P, up to the arena map: its rows, the lists of the spans
 * that it owns (MCentral), its page cache and tiny block (in MHeap), its tables and statistics. In the heap's own record
 * these fields stand for nobody's spans: the mcentrals that all Ps share.
 */

import { ARENA_PAGES, ASC, GC, HOST, MAX_PS, NUM_ARENAS, NUM_ROWS, SHARED, SHARED_GC } from "./config";

/**
 * A group: 64 consecutive slots of a span, a window of its allocBits. It is what the mcache holds.
 *
 *   0 allocCache u64   slots that malloc takes, lowest first
 *   8 freed u64        slots given back since the window was loaded; bits beyond the span's last slot always set
 *                      all ones: the group is full and nobody holds it (see below)          16 bytes
 *
 * Law: every slot is in exactly one of allocCache, freed, or live = ~(allocCache | freed). Two words, because malloc
 * writes only the one and free only the other: a pair of them does not wait for its own store.
 *
 * A group that the mcache leaves without a free slot gets freed = all ones. Then no slot of it looks live to free's fast
 * half, which so needs no test for "was full": the first free takes the slow half, and that brings the group back. Its
 * bit in the span's partialMask is clear, which tells it from a group that is all free.
 */
@unmanaged @final
export class Group {
  allocCache: u64; // P
  freed: u64; // P
}
@inline export const GROUP_SHIFT: u32 = 4;
/** freed of a full group that no mcache holds. */
@inline export const FULL: u64 = ~(<u64>0);

/*
 * What others write of a group, 16 bytes, of which the first 8 are used: the slots freed by other Ps and not yet taken over,
 * u64, atomic. In a shared heap as many of them as a span has groups follow its groups, so that the owner's frees and a full
 * heap's groups fill no more cache lines than with one thread.
 */
/** Bytes that a span's record has for each group. */
@inline export const GROUP_RECORDS: u32 = SHARED ? 32 : 16;

/**
 * mspan: a run of pages in use, 32 bytes. A small span's groups follow the record directly.
 *
 *   0 next | 4 prev | 8 startAddr | 12 npages | 16 partialMask u16 | 18 dirtyMask u16 | 20 sweepgen
 *   24 row u8 | 25 state u8 | 26 ngroups u8 | 27 owner u8 | 28 nelems u16 | 30 flags u8 | 31 spanclass u8
 *   32 Group[ngroups], 0..16; a large span has none, and at 16 as many as its record has room for: 0, or 1 once it was small
 *      in a shared heap ngroups records of what others freed
 *
 * Without the collector and with one thread nobody reads sweepgen, state, owner and spanclass: they are not written.
 *
 * With the collector the record has a front, which is written by it only:
 *
 *   -8 * (i + 1)  mark bits u64 of group i: they become what is live when the span is swept. One word for a large span
 *   -frontSize    meta u32: address of the pointer bits or type words of a scan span's slots (gc/typebits.ts), 256 bytes a
 *                 group; the type of a large scan span
 */
@unmanaged @final
export class MSpan {
  /** Links of the mcentral list it stands in (flag LISTED or EMPTY); of the free list of records when dead. C */
  next: u32;
  prev: u32;
  /** First byte, page aligned. */
  startAddr: u32;
  npages: u32;
  /** Groups with free slots that no mcache holds, one bit each. */
  partialMask: u16;
  /** needzero, by group: free slots of it may be dirty. */
  dirtyMask: u16;
  /** The collector's generation (h.sweepgen when the span was made). */
  sweepgen: u32;
  row: u8;
  state: u8;
  ngroups: u8;
  /** P that owns it; 0 is the only one of a single-threaded heap, and nobody in a shared one. */
  owner: u8;
  nelems: u16;
  flags: u8;
  /** Go's span class: class << 1 | noscan. */
  spanclass: u8;
}
@inline export const MSPAN_SIZE: u32 = 32;
/** Bytes before the record of a span with `ngroups` groups, a multiple of 16. */
@inline
export function frontSize(ngroups: u32): u32 {
  return GC ? ((max<u32>(ngroups, 1) << 3) + 8 + 15) & ~15 : 0;
}

/** Bytes of a span's meta table for each group. */
@inline export const META_PER_GROUP: u32 = 256;

/** Groups that the span's record has room for, which is not what it has when it was widened (central/resize.ts). */
@inline
export function recordGroups(span: MSpan): u32 {
  return span.ngroups == 0 ? span.partialMask : span.ngroups;
}

/** mspan.state */
@inline export const SPAN_DEAD: u8 = 0;
@inline export const SPAN_IN_USE: u8 = 1;

/** mspan.flags */
@inline export const FLAG_LISTED: u8 = 1; // in its mcentral's partial list
@inline export const FLAG_EMPTY: u8 = 2; // retained without a live slot, in its mcentral's list of empty spans
@inline export const FLAG_NEEDZERO: u8 = 4; // large: may be dirty
@inline export const FLAG_DEFERRED: u8 = 8; // large: freed, and waits for H
@inline export const FLAG_FULL: u8 = 16; // in its mcentral's list of full spans, or large and the collector's

/**
 * What free needs to know of a page: one record of 16 bytes, no other access before the group.
 *
 *   0 base u32 | 4 divMagic u32 | 8 groups u32 | 12 row u32
 *
 * All zero: no span starts or small span lies here. divMagic is 0 for large spans and for tiny blocks, so that the
 * slot test of free fails for them. A large span has a record on its first page only; spanOf finds it from inside
 * through the arena's inUse bits. Of a page of records (heap/persistent.ts) row is 1 or 2, and during a
 * compaction base is 1 when a record in use lies on it.
 */
@unmanaged @final
export class PageRecord {
  base: u32;
  divMagic: u32;
  /** Address of the span's group 0 = address of the MSpan + MSPAN_SIZE. */
  groups: u32;
  /** Address of the row, in a shared heap the owner's: so it tells whose the page is. */
  row: u32;
}
@inline export const PAGE_RECORD_SHIFT: u32 = 4;

/*
 * heapArena: what is known of 4 MiB of addresses, 8448 bytes; 8512 in a shared heap. Written under H, but for the last words.
 *
 *      0 PageRecord[512]
 *   8192 pallocBits u64[8]   1 = allocated, or not the heap's
 *   8256 scavenged  u64[8]   free and known to read as zero
 *   8320 inUse      u64[8]   first pages of the spans in use
 *   8384 sums       u64[8]   pallocSum of each chunk
 *   8448 noted      u64[8]   spans that others have freed something in, by first page; atomic (central/notes.ts)
 */
@inline export const ARENA_BITS: u32 = ARENA_PAGES << PAGE_RECORD_SHIFT;
@inline export const ARENA_SCAV: u32 = ARENA_BITS + 64;
@inline export const ARENA_IN_USE: u32 = ARENA_SCAV + 64;
@inline export const ARENA_SUMS: u32 = ARENA_IN_USE + 64;
@inline export const ARENA_NOTED: u32 = ARENA_SUMS + 64;
@inline export const ARENA_RECORD_SIZE: u32 = SHARED ? ARENA_NOTED + 64 : ARENA_NOTED;

/** A line of the mcache: 32 bytes. P */
@unmanaged @final
export class Row {
  /** The cached group; the dummy group when there is none. */
  group: u32;
  /** Bytes of a slot. */
  elemsize: u32;
  /** Address of the group's slot 0. */
  base: u32;
  /** The group's MSpan, 0 with the dummy. */
  span: u32;
  /** The bits of `freed` that are no slots of the group: what it reads when nothing was freed. */
  tail: u64;
  /** 1 when the slots of the group's window may be dirty. The span's dirtyMask hears of it when the group leaves the row. */
  dirty: u32;
  pad: u32;
}
@inline export const ROW_SHIFT: u32 = 5;

/** mcentral: the spans of one row that no mcache holds and that have free slots. 48 bytes; 64 with SweepSets behind it. */
@unmanaged @final
export class MCentral {
  /** Partial spans, first in first out. C */
  head: u32;
  tail: u32;
  /** Retained empty spans, last in first out. C */
  empty: u32;
  /** Spans of this row in use, in all places. */
  nspans: u32;
  /** Slots handed to the mcache so far, by allocCache windows. HOST statistics. */
  taken: u64;
  /** ceil(2^32 / elemsize). */
  divMagic: u32;
  /** Of a fitted row: the row of its class. */
  wider: u16;
  /** Pages of a span as the size class has it; mcentral.spanPages may choose fewer or more. */
  npages: u8;
  spanclass: u8;
  /**
   * Largest and number of the requests noted: what fitting goes by. Before the class is open: how often it was asked for.
   */
  seenMax: u32;
  seen: u16;
  sizeclass: u8;
  /** Of a class: the row fitted for it, 0 for none. */
  fittedRow: u8;
  /** Scratch of validate: spans counted. */
  counted: u32;
  /** Pages of its spans in use. */
  npagesInUse: u32;
}
@inline export const MCENTRAL_SIZE: u32 = GC && !SHARED ? 64 : 48;

/** What the collector of one thread has behind an mcentral: it must find the full spans too. The lists are doubly linked. */
@unmanaged @final
export class SweepSets {
  /** Full spans, swept. */
  fullHead: u32;
  fullTail: u32;
  /** Spans of before the last cycle's end, partial ones first. */
  unswept: u32;
  /** Scratch of validate. */
  pad: u32;
}

/** The heap's own fields, at most 128 bytes. H but where a P is named. */
@unmanaged @final
export class MHeap {
  /** Address from which on everything is the heap's or was grown by somebody: the end of the heap's last region. */
  sysEnd: u32;
  /** Arenas arenaLo..arenaHi hold all that was grown into; there may be foreign ones between. None: 1023..0. */
  arenaLo: u32;
  arenaHi: u32;
  /** Lowest maintained level of the summary tree, where find starts. */
  rootLevel: u32;
  /** Every page below this page index is allocated. */
  searchPage: u32;
  /** Address of the summaries of levels 1 and 0: u64[1024], u64[128]; 0 while the root is the leaves. */
  sums: u32;
  /** Bump chunk of persistentalloc. */
  persistCur: u32;
  persistEnd: u32;
  /** Pages given to the page allocator so far, and pages in spans in use. */
  grownPages: u32;
  inUsePages: u32;
  /** Pages given to records: what is neither a span nor free. */
  metaPages: u32;
  /** Pages of retained empty spans. */
  retainedPages: u32;
  /** Pages given to spans since the last reclaim. */
  sinceReclaim: u32;
  /** Bytes obtained from memory.grow or given at init, in all. */
  sys: u32;
  /** Scavenged pages in the last run that the page allocator gave out. */
  lastScav: u32;
  /** The collector's sweep generation. */
  sweepgen: u32;
  /** Row of the next fitted class; NUM_FITTED rows at most. */
  nextFitted: u32;
  /** Page cache of the P: 64 pages at pcBase, 1 = free; P */
  pcCache: u64;
  pcScav: u64;
  pcBase: u32;
  /** Tiny block of the P: address (0: none) and first free offset. P */
  tinyOffset: u32;
  tiny: u32;
  tinyPad: u32;
  /** Objects combined into tiny blocks, beyond the first of each. P */
  tinyAllocs: u64;
  /** Chunk of the records that stay: types, root ranges, the first table of pins. Collected heaps. */
  fixedCur: u32;
  fixedEnd: u32;
  /** Pages of spans that have gone since the last compaction, and times that pages were taken for records. */
  freedPages: u32;
}

/*
 * Byte offsets from the heap's record, where the arrays stand. In the order of use by the fast path.
 */
/** The group that stands in a row without a span: no slots at all. */
@inline export const HEAP_DUMMY: u32 = 128; // Group
/** Dead span records by number of groups. */
@inline export const HEAP_FREE_SPANS: u32 = 160; // u32[17]
@inline export const HEAP_ZEROBASE: u32 = 240; // 16 bytes: the object of size 0
@inline export const HEAP_STATS: u32 = 256; // u64[32], HOST
/** Address of the row of each request of 8 * i bytes, rounded up as C wants it. */
@inline export const HEAP_TABLE8: u32 = HEAP_STATS + (HOST ? 256 : 0); // u32[129], padded to 520 bytes
/** Row of each request of 1024 + 128 * i bytes. */
@inline export const HEAP_TABLE128: u32 = HEAP_TABLE8 + (ASC ? 0 : 520); // u8[249], padded to 256
/** Go's class of each request of 8 * i bytes (mallocgc). */
@inline export const HEAP_CLASS8: u32 = HEAP_TABLE128 + (ASC ? 0 : 256); // u8[129], padded to 136, GC
/** The same of 1024 + 128 * i bytes. */
@inline export const HEAP_CLASS128: u32 = HEAP_CLASS8 + 136; // u8[249], padded to 256, GC
@inline export const HEAP_CLASS_SIZE: u32 = HEAP_CLASS8 + (GC ? 136 + 256 : 0); // u16[68]
@inline export const HEAP_CLASS_PAGES: u32 = HEAP_CLASS_SIZE + 136; // u8[68], padded to 72
@inline export const HEAP_ROWS: u32 = (HEAP_CLASS_PAGES + 72 + 15) & ~15; // Row[NUM_ROWS]
@inline export const HEAP_CENTRAL: u32 = HEAP_ROWS + (NUM_ROWS << ROW_SHIFT); // MCentral[NUM_ROWS]
/** PRecord, 64-byte aligned, in shared heaps: what a record of a P has besides. */
@inline export const HEAP_P: u32 = SHARED
  ? (HEAP_CENTRAL + NUM_ROWS * MCENTRAL_SIZE + 63) & ~63
  : HEAP_CENTRAL + NUM_ROWS * MCENTRAL_SIZE;
/** The gate of a P, in the form of a lock (base/gates.ts); behind it what the P has shaded, u32 number and u32[127]. */
@inline export const P_GATE: u32 = HEAP_P + 192;
@inline export const P_SHADED: u32 = P_GATE + 64;
@inline export const SHADED_MAX: u32 = 127;
@inline export const P_RECORD_SIZE: u32 = SHARED ? (SHARED_GC ? P_SHADED + 512 : HEAP_P + 192) : 0;
/** The collector's own fields (base/gcstate.ts). */
@inline export const HEAP_GC: u32 = SHARED ? P_RECORD_SIZE : (HEAP_P + 15) & ~15;
@inline export const GC_SIZE: u32 = GC ? (SHARED ? 1088 : 768) : 0;
@inline export const HEAP_ARENA_MAP: u32 = SHARED ? P_RECORD_SIZE + GC_SIZE : GC ? HEAP_GC + GC_SIZE : HEAP_P; // u32[1024]
/** Where memstats puts its record: there is always room for it. */
@inline export const HEAP_MEMSTATS: u32 = HEAP_ARENA_MAP + (NUM_ARENAS << 2); // u64[312], HOST
/** A lock: 64 bytes, so that no two share a cache line. */
@inline export const LOCK_SHIFT: u32 = 6;
/** Its fields of a lock: word i32, counters u64. */
@inline export const LOCK_ACQUIRED: u32 = 8;
@inline export const LOCK_CONTENDED: u32 = 16;
@inline export const LOCK_WAITS: u32 = 24;
/** Locks of a shared heap, 64 bytes each: H, then the mcentrals' by row, then the collector's two. */
@inline export const HEAP_LOCKS: u32 = (HEAP_MEMSTATS + (HOST ? 312 * 8 : 0) + 63) & ~63;
/** State words of the Ps: u32[MAX_PS + 1], and the addresses of their records. */
/** G, of the collector's tables: roots, types, the inbox. And M, of whoever marks. */
@inline export const LOCK_GC: u32 = NUM_ROWS;
@inline export const LOCK_MARK: u32 = NUM_ROWS + 1;
@inline export const NUM_LOCKS: u32 = SHARED_GC ? NUM_ROWS + 2 : NUM_ROWS;
@inline export const HEAP_P_STATES: u32 = HEAP_LOCKS + (NUM_LOCKS << LOCK_SHIFT);
@inline export const HEAP_P_RECORDS: u32 = HEAP_P_STATES + ((MAX_PS + 1) << 2);
/** Whether the heap stands: 0, SETUP_BUSY or SETUP_DONE; then the most Ps that may be made. */
@inline export const HEAP_SETUP: u32 = HEAP_P_RECORDS + ((MAX_PS + 1) << 2);
@inline export const HEAP_PROCS: u32 = HEAP_SETUP + 4;
/** 1 while some host has the heap: see src/shared/create.ts. */
@inline export const HEAP_CLAIM: u32 = HEAP_SETUP + 8;
/** Bytes of notes (central/notes.ts), and where the chunk bits stand in them. */
@inline export const NOTES_SIZE: u32 = 128;
@inline export const NOTES_CHUNKS: u32 = 64;
/** Notes of the large blocks that wait for H to be freed. */
@inline export const HEAP_DEFERRED: u32 = HEAP_SETUP + 64;
@inline export const HEAP_RECORD_SIZE: u32 = SHARED ? HEAP_DEFERRED + NOTES_SIZE : HEAP_MEMSTATS + (HOST ? 312 * 8 : 0);

/**
 * What a P has besides the fields of its record that have namesakes in the heap's. Shared heaps only.
 *
 *   lines 0, 1   written by all: the notes of what others have freed (central/notes.ts)
 *   line 2       written by the owner
 */
@unmanaged @final
export class PRecord {
  /** Flags of the notes; atomic. */
  remote: u32;
  pad0: u32;
  pad1: u64;
  pad2: u64;
  pad3: u64;
  pad4: u64;
  pad5: u64;
  pad6: u64;
  pad7: u64;
  /** Chunk bits of the notes, u64[8]; atomic. */
  chunks0: u64;
  chunks1: u64;
  chunks2: u64;
  chunks3: u64;
  chunks4: u64;
  chunks5: u64;
  chunks6: u64;
  chunks7: u64;
  /** Number of the P; 0 in the heap's record. */
  id: u32;
  /** Pages of the small spans that it owns. */
  ownedPages: u32;
  /** Pages on their way between two states, first | count << 32: free if the thread dies; see check/recover.ts. */
  moving: u64;
  remoteFrees: u64;
  groupsPushed: u64;
  groupsTaken: u64;
  lateDoubleFrees: u64;
  spansTaken: u64;
  spansGiven: u64;
}

/** Bytes from a slot's start to where its object begins. */
@inline export const OBJECT_AT: u32 = ASC ? 8 : 0;
