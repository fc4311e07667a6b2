/**
 * Constants of the heap and the switches of its flavours.
 *
 * Sizes are bytes unless a name says pages. A "page" is the runtime's page of 8 KiB, a "wasm page" is the unit of
 * memory.grow, 64 KiB. A "chunk" is 64 pages, so that one u64 is its allocation bitmap; an "arena" is 8 chunks, so that
 * one arena is one entry of level 1 of the summary tree.
 *
 * Flavours are chosen at compile time by `--use NAME=1`:
 *   GOMALLOC_HOST   scan classes, the tiny allocator, the collector and statistics (not in the plain malloc flavours)
 *   GOMALLOC_SHARED several threads
 *   GOMALLOC_OBJECT an object file for linkers, which has some imports more (base/program.ts)
 *   GOMALLOC_PROFILE sampled allocations: profiles and guarded blocks, with imports of the host (base/hooks.ts)
 * and by the compiler's own ASC_RUNTIME where these sources are the runtime of an AssemblyScript program (rt.ts).
 *
 * Constants only: no owner, no cost.
 */

import { MAX_PS } from "./abinumbers";

/** log2 of the runtime's page. */
@inline export const PAGE_SHIFT: u32 = 13;
@inline export const PAGE_SIZE: u32 = 1 << 13;
/** log2 of the unit of memory.grow. */
@inline export const WASM_PAGE_SHIFT: u32 = 16;
/** Runtime pages in a wasm page. */
@inline export const WASM_PAGE_PAGES: u32 = 8;

/** log2 of the pages in a bitmap chunk: one u64 of pallocBits. */
@inline export const CHUNK_PAGES_SHIFT: u32 = 6;
@inline export const CHUNK_PAGES: u32 = 64;
@inline export const CHUNK_SHIFT: u32 = 19;
/** Chunks in an arena, and children of every inner node of the summary tree. */
@inline export const ARENA_CHUNKS: u32 = 8;
@inline export const ARENA_SHIFT: u32 = 22;
@inline export const ARENA_PAGES: u32 = 512;
@inline export const NUM_ARENAS: u32 = 1024;

/** Entries of the uppermost level of the summary tree: 32 MiB each. */
@inline export const L0_ENTRIES: u32 = 128;

/** The heap never manages memory from this address on: base + size must not wrap, so the last wasm page is not used. */
@inline export const ADDRESS_END: u32 = 0xffff0000;

/** Page runs below this many pages are served by the P's page cache. */
@inline export const PAGE_CACHE_MAX: u32 = 4;

/** Size classes, including class 0 for large objects. */
@inline export const NUM_CLASSES: u32 = 68;
/** Rows for fitted classes: see central/fitted.ts. */
@inline export const NUM_FITTED: u32 = 16;

/** True in the flavours with scan classes, tiny blocks and statistics. */
@inline export const HOST: bool = isDefined(GOMALLOC_HOST);
/** True in the flavours for several threads over one shared memory. */
@inline export const SHARED: bool = isDefined(GOMALLOC_SHARED);
/** True in the flavours that become object files: what they import is a symbol of the program that they are linked to. */
@inline export const OBJECT: bool = isDefined(GOMALLOC_OBJECT);
/**
 * True where this is the runtime of an AssemblyScript program: objects are collected, and heap.alloc has its own rows.
 */
@inline export const ASC: bool = ASC_RUNTIME == 2;
/** True where the program has a global function __finalize, which is called with each object that is freed. */
@inline export const FINALIZE: bool = ASC && isDefined(__finalize);
/** True where the program has weak references (rt-weak.ts), which are looked at when all marks are made. */
@inline export const MARKED_HOOK: bool = ASC && isDefined(__gcMarked);
/**
 * True where records move (central/compact.ts). With several threads, one may die or read a record without a lock while
 * another moves it; and a sweep that calls __finalize holds a record while the program allocates.
 */
@inline export const COMPACTS: bool = !SHARED && !FINALIZE;
/** True where the program imports the hooks of gc/rtrace.ts: all of them, or those that report collections. */
@inline export const RTRACE: bool = ASC && isDefined(ASC_RTRACE);
@inline export const PROFILE: bool = ASC && isDefined(ASC_PROFILE);
/** True with the collector, and with scan and noscan classes as Go has them. */
@inline export const GC: bool = ASC || HOST;
/** True with the collector on a heap of several threads: gates, a marker's lock, mcentrals that all Ps share. */
@inline export const SHARED_GC: bool = GC && SHARED;
/** True where every cycle's marks are checked by a second marking if the program asks for it (gc/checkmark.ts). */
@inline export const CHECKMARK: bool = HOST || (ASC && isDefined(GOMALLOC_CHECKMARK));
/** True where dead objects are overwritten as they are swept, if the program asks for it (central/sweep.ts). */
@inline export const CLOBBERFREE: bool = HOST || (ASC && isDefined(GOMALLOC_CLOBBERFREE));
/** True where cleanups, finalizers and weak pointers hang on objects (central/specials.ts). */
@inline export const SPECIALS: bool = HOST;
/** True in the test flavours: laws are checked where they may break (central/laws.ts), and so is the order of locks. */
@inline export const CHECK: bool = isDefined(GOMALLOC_TEST);
/** True in the flavours that sample allocations (central/samples.ts, alloc/sampled.ts). */
@inline export const SAMPLES: bool = isDefined(GOMALLOC_PROFILE);
/** For walks over all records, beginning with the unowned record 0: with one thread it is the only one. */
@inline export const LAST_P: u32 = SHARED ? MAX_PS : 0;

/**
 * Rows. A row is an entry of the mcache and the mcentral behind it: a span class, or a fitted class.
 *   0..67     noscan, row = class (row 0: none, large objects have no row)
 *   68..83    fitted noscan classes
 *   84..151   scan, row = 84 + class            (GC)
 *   152       blocks of the tiny allocator      (HOST)
 *   153..220  noscan of mallocgc, row = 153 + class (HOST)
 * A block of malloc belongs to its caller until it is freed: the collector has the rows from FIRST_GC_ROW on. The
 * runtime of AssemblyScript has other rows:
 *   0..40     blocks of heap.alloc, with their own sizes (alloc/raw.ts)
 *   41..107   noscan, row = 40 + class
 *   109..175  scan, row = 108 + class
 */
@inline export const ROW_FITTED: u32 = 68;
/** Rows of heap.alloc: 1..RAW_ROWS. */
@inline export const RAW_ROWS: u32 = 40;
@inline export const ROW_SCAN: u32 = ASC ? RAW_ROWS + NUM_CLASSES : 84;
/** Row of the tiny allocator's blocks. The runtime of AssemblyScript has none: there it is a number that no row has. */
@inline export const ROW_TINY: u32 = ASC ? 255 : 152;
/** Row of mallocgc's noscan objects of class 0. */
@inline export const ROW_NOSCAN: u32 = ASC ? RAW_ROWS : HOST ? 153 : 0;
@inline export const NUM_ROWS: u32 = HOST ? 221 : ASC ? ROW_SCAN + NUM_CLASSES : 84;
@inline export const FIRST_GC_ROW: u32 = ASC ? RAW_ROWS + 1 : HOST ? ROW_SCAN : 1;

/*
 * What the records of base/layout.ts have only in some flavours, in bytes; 0 in the others.
 */
/** The heap's record, and what a P's has besides, begin at multiples of this: shared heaps keep to cache lines. */
@inline export const RECORD_ALIGN: u32 = SHARED ? 64 : 16;
/** Counters of events (base/counters.ts), and the room for the statistics' record. */
@inline export const STATS_SIZE: u32 = HOST ? 256 : 0;
@inline export const MEMSTATS_SIZE: u32 = HOST ? 312 * 8 : 0;
/** malloc's tables of rows by size, and the collector's of classes by size. */
@inline export const ROW_TABLES_SIZE: u32 = ASC ? 0 : 520 + 256;
@inline export const CLASS_TABLES_SIZE: u32 = GC ? 136 + 256 : 0;
/** SweepSets, behind each mcentral of a collector that looks for its spans there. */
@inline export const SWEEP_SETS_SIZE: u32 = GC && !SHARED ? 16 : 0;
/** The remote word of a group, padded, and the bits of noted pages in an arena's record. */
@inline export const REMOTE_SIZE: u32 = SHARED ? 16 : 0;
@inline export const NOTED_SIZE: u32 = SHARED ? 64 : 0;
/** Pages in use of an arena's chunks, as the scavenger has seen them. */
@inline export const DENSE_SIZE: u32 = HOST ? RECORD_ALIGN : 0;
/** What a P knows of its samples, and the heap's part of the profile. */
@inline export const SAMPLER_SIZE: u32 = SAMPLES ? 48 : 0;
@inline export const PROFILE_SIZE: u32 = SAMPLES ? 128 : 0;
/** PRecord, and with the collector the P's gate and what it has shaded. */
@inline export const P_SIZE: u32 = SHARED_GC ? 192 + 64 + 512 : SHARED ? 192 : 0;
/** The collector's own fields (base/gcstate.ts), and the number of its locks. */
@inline export const GC_SIZE: u32 = SHARED_GC ? 1088 : GC ? 768 : 0;
@inline export const GC_LOCKS: u32 = SHARED_GC ? 2 : 0;

/** Requests up to here are looked up by one load: the table of 8-byte steps. */
@inline export const SMALL_SIZE_MAX: u32 = 1024;
/** Largest request served from a size class. */
@inline export const MAX_SMALL_SIZE: u32 = 32768;

/** Class and block size of the tiny allocator. */
@inline export const TINY_CLASS: u32 = 2;
@inline export const TINY_SIZE: u32 = 16;

/** Longest span of a size class or a fitted class, pages. */
@inline export const MAX_SPAN_PAGES: u32 = 16;

/** Slots of a group: the window of allocBits that one allocCache covers. */
@inline export const GROUP_SLOTS_SHIFT: u32 = 6;
@inline export const GROUP_SLOTS: u32 = 64;
