/**
 * The records of the heap in linear memory: byte offsets, owners, locks and laws.
 *
 * All records are out of band: a block of a program shares no page with them. They are `@unmanaged` views of raw
 * addresses: a field access is one load or store with a constant offset.
 *
 *   heap -> MHeap                 the heap's own fields, room for 128 bytes
 *           dummy Group, lists of dead span records, zerobase, statistics
 *           lookup tables         size -> row, class -> size, class -> pages
 *           Row[NUM_ROWS]         the mcache of the P
 *           MCentral[NUM_ROWS]    behind each row its mcentral
 *           PRecord, the gate     shared heaps
 *           GcState, Pacer        with the collector (base/gcstate.ts, base/pacer.ts)
 *           arenaMap u32[1024]    address of each arena's record, 0 where the heap owns nothing
 *           memstats, locks, states and addresses of the Ps    host flavours; shared heaps
 *
 * A shared heap has a second record of the same shape for each P, up to the arena map: its rows, the lists of the spans
 * that it owns (MCentral), its page cache and tiny block (in MHeap), its tables and statistics. In the heap's own
 * record the same fields are those of unowned spans: the mcentrals that all Ps share.
 *
 * TERMS
 *   page        8 KiB, the runtime's page; a wasm page is 64 KiB, the unit of memory.grow
 *   span        a run of pages with one MSpan: small (slots of one size, in groups) or large (one block)
 *   slot        the place of one block in a small span
 *   group       64 slots of a span; window: the group's allocCache while a row of the mcache has the group
 *   row         a line of the mcache, and its number: a span class or a fitted class (base/config.ts lists them).
 *               Code that has a number says row or index; code that has an address says address or Row
 *   P           what a thread must hold to allocate; with one thread the only P is the heap itself
 *   record      the heap's record or a P's, by its address; pAt(record).id is the P's number, 0 the heap's
 *   gate        a word that a thread holds while it touches what the collector has (base/gates.ts)
 *   notes       bits that say in which spans others have freed something (central/notes.ts)
 *   common row  a row of the collector in a shared heap: its spans go from P to P, and unowned ones are shared
 *
 * LOCKS (shared heaps; with one thread every field belongs to the thread)
 *   H  lock 0, the heap lock: pages, arenas, records, spans that come and go
 *   C  lock r, 1 <= r < NUM_ROWS: the mcentral of unowned spans of row r, and the owner of those spans
 *   G  LOCK_GC: the collector's tables (roots, handles, pins, types, specials, the inbox)
 *   M  LOCK_MARK: whoever begins, marks for or ends a cycle
 *   P  no lock: only the thread that has the P writes
 *   Order: M, gates, G, H, C. Nobody asks for H under C. M under a gate is only tried. base/locks.ts checks this in the
 *   test flavours. A field that is "atomic" may be written by any thread.
 *
 * WHO OWNS A SPAN, and what else is true of it then
 *   small, malloc's       owner    listed in                                        page records name
 *     cached              P        no list; the row has one of its groups           the P's row
 *     partial             P        the P's MCentral: head..tail, FLAG_LISTED        the P's row
 *     empty, retained     P        the P's MCentral: empty, FLAG_EMPTY              the P's row
 *     full                P        no list: the next free finds it by address       the P's row
 *     unowned             0        partial: the heap's MCentral, FLAG_LISTED        the heap's row
 *   small, the collector's, one thread: as above, but a full span is in SweepSets.fullHead..fullTail (FLAG_FULL), and a
 *     span from before the last cycle's end is in SweepSets.unswept until it is swept; owner 0, the only P
 *   small, the collector's, shared heap (a common row): page records always name the heap's row
 *     cached              P        no list
 *     in hand             P        no list: its thread sweeps it, frees into it or gives it up
 *     partial, full       0        partial: the heap's MCentral, FLAG_LISTED; full: no list
 *   large                 P that made it, and of no further meaning; freed under H by anybody
 *     the collector's     FLAG_FULL; one thread: in GcState.large or largeUnswept; shared heap: in no list
 *     freed without H     FLAG_DEFERRED and a note, until somebody has H
 *   dead record           state SPAN_DEAD, in the list of its size in the record of the P that freed it
 *
 * WHICH FIELD OF A SPAN IS WRITTEN UNDER WHAT
 *   field                               one owner (P)                  unowned (owner 0)        comes or goes
 *   Group.allocCache                    P                              C                        H
 *   Group.freed                         P                              C                        H
 *   remote word of a group              atomic, any thread             atomic, any thread       H
 *   next, prev, FLAG_LISTED, FLAG_EMPTY P                              C                        H (dead: its list)
 *   FLAG_FULL, FLAG_DEFERRED            P; large: H, or the thread that has just made the span
 *   partialMask, dirtyMask              P                              C                        H
 *   owner, page records' row            C                              C                        H
 *   startAddr, npages, nelems, ngroups  -                              -                        H; realloc: H
 *   row, state, spanclass               -                              -                        H
 *   sweepgen                            the thread that has swept it, which owns it
 *   mark words                          atomic while a cycle marks; the sweeper afterwards
 *   PageRecord, arenas                  H, but for `row` (see owner)
 *   MCentral of a P / of the heap       P / C; nspans and npagesInUse likewise
 *   MHeap of a P / of the heap          P / H
 *
 * LAWS that hold whenever nobody is inside an operation on the record; the numbers are those of validate(), each with a
 * name in base/abinumbers.ts. central/laws.ts checks 22, 30 to 33, 41 and 42 after each operation (test
 * flavours).
 *   pages    10 to 17   summaries, free pages, the page cache, record pages
 *   spans    20 to 25   page records and inUse bits name the span; spans do not overlap
 *   groups   30 to 34   a slot is in exactly one of allocCache, freed and live; partialMask; full groups; zero slots
 *   lists    40 to 45   a span is in exactly one of the places above; owners; notes
 *   accounts 50 to 53   pages, spans of a row, retained pages, marks
 *   tables   60 to 67   the heap's record, rows, chunks, Ps, locks
 *   gc       70 to 78   the collector's state, lists, tables, types, pacer
 */

import {
  HEAP_MAGIC,
  LAYOUT_ASC,
  LAYOUT_COMPACTS,
  LAYOUT_HOST,
  LAYOUT_SAMPLES,
  LAYOUT_SHARED,
  LAYOUT_VERSION,
  LOCK_SHIFT,
  MAX_PS,
} from "./abinumbers";
import {
  ARENA_PAGES,
  ASC,
  CLASS_TABLES_SIZE,
  COMPACTS,
  DENSE_SIZE,
  GC,
  GC_LOCKS,
  GC_SIZE,
  HOST,
  MEMSTATS_SIZE,
  NOTED_SIZE,
  NUM_ARENAS,
  NUM_ROWS,
  PROFILE_SIZE,
  P_SIZE,
  RECORD_ALIGN,
  REMOTE_SIZE,
  ROW_TABLES_SIZE,
  SAMPLER_SIZE,
  SAMPLES,
  SHARED,
  STATS_SIZE,
  SWEEP_SETS_SIZE,
} from "./config";

/**
 * A group: 64 consecutive slots of a span, a window of its allocBits. It is what a row of the mcache holds.
 *
 *   0 allocCache u64   slots that malloc takes, lowest first
 *   8 freed u64        slots given back since the window was loaded; bits beyond the span's last slot always set
 *                      all ones: the group is full and no row has it (see below)            16 bytes
 *
 * Law 31: every slot is in exactly one of allocCache, freed, or live = ~(allocCache | freed). Two words, because malloc
 * writes only the first and free only the second: a malloc does not wait for the store of the free before it.
 *
 * Law 32: a full group has freed = all ones. A group that leaves its row without a free slot is made full, at once or
 * when the mcache comes by again (alloc/mcache.ts). Then no slot of it looks live to the fast half of free, which needs
 * no test for "was full": the first free takes the slow half, which brings the group back. Its bit in the span's
 * partialMask is clear; that distinguishes it from a group whose slots are all free.
 */
@unmanaged @final
export class Group {
  allocCache: u64;
  freed: u64;
}
@inline export const GROUP_SHIFT: u32 = 4;
/** freed of a full group that no row has. */
@inline export const FULL: u64 = ~(<u64>0);

/*
 * The remote word of a group: the slots that other Ps have freed and the owner has not taken over, u64, atomic. 16
 * bytes, of which 8 are used. In a shared heap a span's remote words follow its groups, apart from them: the owner's
 * frees touch no more cache lines than with one thread.
 */
/** Bytes that a span's record has for each group: the group, and in a shared heap its remote word. */
@inline export const GROUP_RECORDS: u32 = 16 + REMOTE_SIZE;

/**
 * mspan: a run of pages in use, 32 bytes. A small span's groups follow the record directly.
 *
 *   0 next | 4 prev | 8 startAddr | 12 npages | 16 partialMask u16 | 18 dirtyMask u16 | 20 sweepgen
 *   24 row u8 | 25 state u8 | 26 ngroups u8 | 27 owner u8 | 28 nelems u16 | 30 flags u8 | 31 spanclass u8
 *   32 Group[ngroups], 0..16; a large span has none
 *      in a shared heap ngroups remote words
 *
 * Without the collector and with one thread sweepgen, state and owner are not read, and not written.
 *
 * With the collector the record has a front, which only the collector writes:
 *
 *   -8 * (i + 1)  mark bits u64 of group i: when the span is swept, its marked slots stay live. Large: one word
 *   -frontSize    meta u32: address of the pointer bits or type words of a scan span's slots (gc/typebits.ts), 256
 *                 bytes a group; the type of a large scan span
 *   -frontSize+4  specials u32: number of the first special of the span's objects (base/specials.ts), 0: none
 */
@unmanaged @final
export class MSpan {
  /** Links of the list that has the span (FLAG_LISTED, FLAG_EMPTY, FLAG_FULL); of the list of dead records. */
  next: u32;
  prev: u32;
  /** First byte, page aligned. */
  startAddr: u32;
  npages: u32;
  /**
   * Law 33: groups that no row has and that are not full, one bit each. A group of malloc may have lost its last free
   * slot to a row that gave it up (alloc/mcache.ts). Large: 1 if the record has room for a group, see resize.ts.
   */
  partialMask: u16;
  /**
   * needzero by group: free slots may be dirty. What allocCache has in a group without its bit reads as zero (law 34).
   */
  dirtyMask: u16;
  /** The heap's sweepgen when the span was made or swept; 2 behind: the span is unswept. */
  sweepgen: u32;
  row: u8;
  state: u8;
  ngroups: u8;
  /** Number of the P that owns it. 0: in a shared heap unowned, else the only P. */
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

/** Groups that the span's record has room for; a large span that was small (central/resize.ts) has room for one. */
@inline
export function recordGroups(span: MSpan): u32 {
  return span.ngroups == 0 ? span.partialMask : span.ngroups;
}

/** mspan.state */
@inline export const SPAN_DEAD: u8 = 0;
@inline export const SPAN_IN_USE: u8 = 1;

/** mspan.flags */
@inline export const FLAG_LISTED: u8 = 1; // in the partial list of an mcentral
@inline export const FLAG_EMPTY: u8 = 2; // retained without a live slot, in the list of empty spans of an mcentral
@inline export const FLAG_NEEDZERO: u8 = 4; // large: may be dirty
@inline export const FLAG_DEFERRED: u8 = 8; // large: freed, and waits for H
@inline export const FLAG_FULL: u8 = 16; // small: in the list of full spans; large: the collector's
@inline export const FLAG_SAMPLED: u8 = 32; // may have sampled objects of the collector's

/**
 * What free needs to know of a page: one record of 16 bytes, no other access before the group.
 *
 *   0 base u32 | 4 divMagic u32 | 8 groups u32 | 12 row u32
 *
 * All zero: no page of a small span, and not the first page of a large one. divMagic is 0 for large spans and for tiny
 * blocks, so that the slot test of free fails for them. A large span has a record on its first page only; spanOf finds
 * it from inside through the arena's inUse bits. On a page of records (heap/persistent.ts) row is 1 or 2, and during a
 * compaction base is 1 if a record on it is in use.
 */
@unmanaged @final
export class PageRecord {
  base: u32;
  divMagic: u32;
  /** Address of the span's group 0 = address of the MSpan + MSPAN_SIZE. */
  groups: u32;
  /** Address of the row, in a shared heap the owner's: it says which P owns the page. */
  row: u32;
}
@inline export const PAGE_RECORD_SHIFT: u32 = 4;

/*
 * heapArena: what is known of 4 MiB of addresses, 8448 bytes; 8512 in a shared heap, and in the host flavours 16 or 64
 * more. Written under H, but for the notes.
 *
 *      0 PageRecord[512]
 *   8192 pallocBits u64[8]   1 = allocated, or not the heap's
 *   8256 scavenged  u64[8]   free and known to read as zero
 *   8320 inUse      u64[8]   first pages of the spans in use
 *   8384 sums       u64[8]   pallocSum of each chunk
 *   8448 noted      u64[8]   spans that others have freed something in, by first page; atomic (central/notes.ts)
 *   next dense      u8[8]    pages in use of each chunk when the scavenger's generation began (heap/scavenge.ts)
 */
@inline export const ARENA_BITS: u32 = ARENA_PAGES << PAGE_RECORD_SHIFT;
@inline export const ARENA_SCAV: u32 = ARENA_BITS + 64;
@inline export const ARENA_IN_USE: u32 = ARENA_SCAV + 64;
@inline export const ARENA_SUMS: u32 = ARENA_IN_USE + 64;
@inline export const ARENA_NOTED: u32 = ARENA_SUMS + 64;
@inline export const ARENA_DENSE: u32 = ARENA_NOTED + NOTED_SIZE;
@inline export const ARENA_RECORD_SIZE: u32 = ARENA_DENSE + DENSE_SIZE;

/** A line of the mcache: 32 bytes. */
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
  /** The bits of `freed` beyond the group's slots: its value when nothing was freed. */
  tail: u64;
  /** ROW_DIRTY, ROW_SHORT, and from ROW_WITHHELD_SHIFT on the slots that the window was cut by (central/countdown.ts). */
  flags: u32;
  /** Slots until the next sample, and 1; 0: not drawn yet. Flavours that sample (central/countdown.ts). */
  left: u32;
}
@inline export const ROW_SHIFT: u32 = 5;
/** Slots of the window may be dirty. It goes into the span's dirtyMask when the group leaves the row. */
@inline export const ROW_DIRTY: u32 = 1;
/** The window had few slots, or slots that were freed while the row had the group (alloc/mcache.ts). */
@inline export const ROW_SHORT: u32 = 2;
@inline export const ROW_WITHHELD_SHIFT: u32 = 8;

/** mcentral: the spans of one row that have free slots and are not cached. 48 bytes; 64 with SweepSets behind it. */
@unmanaged @final
export class MCentral {
  /** Partial spans, first in first out. */
  head: u32;
  tail: u32;
  /** Retained empty spans, last in first out. */
  empty: u32;
  /** Spans of this row in use, in all places. */
  nspans: u32;
  /** Slots handed to the mcache so far, by windows (base/counters.ts). Host flavours. */
  taken: u64;
  /** ceil(2^32 / elemsize). */
  divMagic: u32;
  /** Of a fitted row: the row of its class. */
  wider: u16;
  /** Pages of a span as the size class has it; mcentral.spanPages may choose fewer or more. */
  npages: u8;
  spanclass: u8;
  /**
   * Largest request noted, and number of requests: for fitting. Before the class is open, the number of requests so
   * far.
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
@inline export const MCENTRAL_SIZE: u32 = 48 + SWEEP_SETS_SIZE;

/** Behind an mcentral of the collector of one thread, which must find full spans too. The lists are doubly linked. */
@unmanaged @final
export class SweepSets {
  /** Full spans, swept. */
  fullHead: u32;
  fullTail: u32;
  /** Spans from before the last cycle's end, partial ones first. */
  unswept: u32;
  /** Scratch of validate. */
  pad: u32;
}

/**
 * The heap's own fields, at most 128 bytes. In the heap's record under H; what is named the P's is in use in a P's
 * record.
 */
@unmanaged @final
export class MHeap {
  /** End of the heap's last region. */
  sysEnd: u32;
  /** The heap's pages are in arenas arenaLo..arenaHi; some between may not be the heap's. None: 1023..0. */
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
  /** Pages given to records: neither in a span nor free. */
  metaPages: u32;
  /** Pages of retained empty spans. */
  retainedPages: u32;
  /** Pages given to spans since the last reclaim. */
  sinceReclaim: u32;
  /** Bytes obtained so far, from memory.grow and at init. */
  sys: u32;
  /** Scavenged pages in the last run that the page allocator gave out. */
  lastScav: u32;
  /** The collector's sweep generation. */
  sweepgen: u32;
  /** Row of the next fitted class; NUM_FITTED rows at most. */
  nextFitted: u32;
  /** The P's page cache: 64 pages at pcBase, 1 = free; and which of them are known to be zero. */
  pcCache: u64;
  pcScav: u64;
  pcBase: u32;
  /** The P's tiny block: address (0: none) and first free offset. */
  tinyOffset: u32;
  tiny: u32;
  /** Freed runs that go directly to the tree (heap/runs.ts). In the heap's record. */
  runPause: u32;
  /** The P's objects combined into tiny blocks, beyond the first of each. */
  tinyAllocs: u64;
  /** Chunk of the records that stay: types, root ranges, the first table of pins. Collected heaps. */
  fixedCur: u32;
  fixedEnd: u32;
  /** Pages of spans that have gone since the last compaction, and times that pages were taken for records. */
  freedPages: u32;
  /** Number of cached runs. */
  runCount: u32;
}

/*
 * Byte offsets of the arrays from the heap's record, in the order in which the fast path uses them.
 */
/** The group of a row without a span: it has no slots. */
@inline export const HEAP_DUMMY: u32 = 128; // Group
/** Dead span records by number of groups. */
@inline export const HEAP_FREE_SPANS: u32 = 160; // u32[17]
/**
 * By what src/snapshot finds the heap in a memory: HEAP_MAGIC, then LAYOUT. In the heap's record alone, and stored last:
 * whoever finds it finds a heap that is made. A release that moves or changes what src/snapshot reads has another
 * LAYOUT_VERSION.
 */
@inline export const HEAP_MARK: u32 = 232; // u32[2]
@inline export const LAYOUT: u32 =
  LAYOUT_VERSION |
  (HOST ? LAYOUT_HOST : 0) |
  (SHARED ? LAYOUT_SHARED : 0) |
  (ASC ? LAYOUT_ASC : 0) |
  (COMPACTS ? LAYOUT_COMPACTS : 0) |
  (SAMPLES ? LAYOUT_SAMPLES : 0);
@inline export const MARK: u64 = HEAP_MAGIC | ((<u64>LAYOUT) << 32);
@inline export const HEAP_ZEROBASE: u32 = 240; // 16 bytes: the object of size 0
@inline export const HEAP_STATS: u32 = 256; // u64[32], HOST
/** Address of the row of each request of 8 * i bytes, aligned as C wants it. */
@inline export const HEAP_TABLE8: u32 = HEAP_STATS + STATS_SIZE; // u32[129], padded to 520 bytes
/** Row of each request of 1024 + 128 * i bytes. */
@inline export const HEAP_TABLE128: u32 = HEAP_TABLE8 + 520; // u8[249], padded to 256
/** Go's class of each request of 8 * i bytes (mallocgc). */
@inline export const HEAP_CLASS8: u32 = HEAP_TABLE8 + ROW_TABLES_SIZE; // u8[129], padded to 136, GC
/** The same of 1024 + 128 * i bytes. */
@inline export const HEAP_CLASS128: u32 = HEAP_CLASS8 + 136; // u8[249], padded to 256, GC
@inline export const HEAP_CLASS_SIZE: u32 = HEAP_CLASS8 + CLASS_TABLES_SIZE; // u16[68]
@inline export const HEAP_CLASS_PAGES: u32 = HEAP_CLASS_SIZE + 136; // u8[68], padded to 72
@inline export const HEAP_ROWS: u32 = (HEAP_CLASS_PAGES + 72 + 15) & ~15; // Row[NUM_ROWS]
@inline export const HEAP_CENTRAL: u32 = HEAP_ROWS + (NUM_ROWS << ROW_SHIFT); // MCentral[NUM_ROWS]
/** The P's Sampler. Flavours that sample. */
@inline export const HEAP_SAMPLER: u32 = HEAP_CENTRAL + NUM_ROWS * MCENTRAL_SIZE;
/** PRecord, in shared heaps: what a record of a P has besides. */
@inline export const HEAP_P: u32 = (HEAP_SAMPLER + SAMPLER_SIZE + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
/** The gate of a P, in the form of a lock (base/gates.ts); behind it what the P has shaded, u32 number and u32[127]. */
@inline export const P_GATE: u32 = HEAP_P + 192;
@inline export const P_SHADED: u32 = P_GATE + 64;
@inline export const SHADED_MAX: u32 = 127;
@inline export const P_RECORD_SIZE: u32 = HEAP_P + P_SIZE;
/** The collector's own fields (base/gcstate.ts). */
@inline export const HEAP_GC: u32 = P_RECORD_SIZE;
/** u32[1024] */
@inline export const HEAP_ARENA_MAP: u32 = HEAP_GC + GC_SIZE;
/** The run cache (heap/runs.ts). */
@inline export const HEAP_RUNS: u32 = HEAP_ARENA_MAP + (NUM_ARENAS << 2); // u64[32]
/** Room for the record of memstats. */
@inline export const HEAP_MEMSTATS: u32 = HEAP_RUNS + 256; // u64[312], HOST
/** Locks of a shared heap, 64 bytes each: H, then the mcentrals' by row, then the collector's two. */
@inline export const HEAP_LOCKS: u32 = (HEAP_MEMSTATS + MEMSTATS_SIZE + 63) & ~63;
/** Numbers of G and M. */
@inline export const LOCK_GC: u32 = NUM_ROWS;
@inline export const LOCK_MARK: u32 = NUM_ROWS + 1;
@inline export const NUM_LOCKS: u32 = NUM_ROWS + GC_LOCKS;
/** State words of the Ps: u32[MAX_PS + 1], and the addresses of their records. */
@inline export const HEAP_P_STATES: u32 = HEAP_LOCKS + (NUM_LOCKS << LOCK_SHIFT);
@inline export const HEAP_P_RECORDS: u32 = HEAP_P_STATES + ((MAX_PS + 1) << 2);
/** Whether the heap is made: 0, SETUP_BUSY or SETUP_DONE; then the most Ps that may be made. */
@inline export const HEAP_SETUP: u32 = HEAP_P_RECORDS + ((MAX_PS + 1) << 2);
@inline export const HEAP_PROCS: u32 = HEAP_SETUP + 4;
/** 1 while some host has the heap: see src/shared/create.ts. */
@inline export const HEAP_CLAIM: u32 = HEAP_SETUP + 8;
/** Bytes of notes (central/notes.ts), and the offset of the chunk bits in them. */
@inline export const NOTES_SIZE: u32 = 128;
@inline export const NOTES_CHUNKS: u32 = 64;
/** Notes of the large blocks that wait for H to be freed. */
@inline export const HEAP_DEFERRED: u32 = HEAP_SETUP + 64;
/** The Profile (central/samples.ts). Flavours that sample. */
@inline export const HEAP_PROFILE: u32 = SHARED ? HEAP_DEFERRED + NOTES_SIZE : HEAP_MEMSTATS + MEMSTATS_SIZE;
@inline export const HEAP_RECORD_SIZE: u32 = HEAP_PROFILE + PROFILE_SIZE;

/**
 * The fields of a P's record that the heap of one thread has not. Shared heaps only.
 *
 *   lines 0, 1   written by all: the notes of what others have freed (central/notes.ts); `clearing` and `scavenging` by
 *                the owner
 *   line 2       written by the owner
 */
@unmanaged @final
export class PRecord {
  /** Flags of the notes; atomic. */
  remote: u32;
  /** Page of the large block that its thread clears, 0: none: freed if the thread dies (alloc/zeroing.ts). */
  clearing: u32;
  /** Pages that its thread's host gives back, first | count << 32: freed if the thread dies (heap/scavenge.ts). */
  scavenging: u64;
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
