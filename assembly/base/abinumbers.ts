/**
 * The numbers of the ABI, the same as in src/base/abinumbers.ts. Generated from scripts/abi.ts by scripts/gen-abi.ts: do
 * not edit.
 */

/**
 * Parameters of mallopt. LOCK_WAIT and CAN_BLOCK are of shared heaps: milliseconds that a lock is waited for (0:
 * forever), and whether this thread may sleep. The last three are of flavours that sample, for a heap that exists: mean
 * bytes between two samples (0: none), whether sampled blocks are guarded, bytes of the quarantine.
 */
@inline export const M_MISUSE: i32 = 1;
@inline export const M_MAX_BYTES: i32 = 2;
@inline export const M_SOFT_LIMIT: i32 = 3;
@inline export const M_RESERVE: i32 = 4;
@inline export const M_LOCK_WAIT: i32 = 5;
@inline export const M_CAN_BLOCK: i32 = 6;
@inline export const M_PROFILE_RATE: i32 = 7;
@inline export const M_PROFILE_GUARD: i32 = 8;
@inline export const M_QUARANTINE: i32 = 9;

/** What flavours that sample ask of gomalloc.option besides the last three of these: where random numbers begin. */
@inline export const PROFILE_SEED: i32 = 10;

/** The largest M_PROFILE_RATE. */
@inline export const MAX_PROFILE_RATE: u32 = 0x70000000;

/** Values of M_MISUSE: a misused C call traps through gomalloc_misuse, or returns without effect. */
@inline export const MISUSE_TRAP: u32 = 0;
@inline export const MISUSE_RETURN: u32 = 1;

/** The largest values that mallopt takes: bytes of M_RESERVE, milliseconds of M_LOCK_WAIT. */
@inline export const MAX_RESERVE: u32 = 16777216;
@inline export const MAX_LOCK_WAIT: u32 = 3600000;

/**
 * Kinds of misuse. Double free: the slot is free already, or was never given out. Foreign: no span of the heap lies
 * there. Interior: inside a block, not at its start. Tiny: in a block of the tiny allocator, which other objects share.
 * Size: a sized free of more bytes than the block has. Pinned: an object that the collector was told to keep. The last
 * three are damage to guarded blocks, which gomalloc.report is told of: bytes behind the block, before it, or in a
 * freed block were written.
 */
@inline export const MISUSE_NONE: i32 = 0;
@inline export const MISUSE_DOUBLE_FREE: i32 = 1;
@inline export const MISUSE_FOREIGN: i32 = 2;
@inline export const MISUSE_INTERIOR: i32 = 3;
@inline export const MISUSE_TINY: i32 = 4;
@inline export const MISUSE_SIZE: i32 = 5;
@inline export const MISUSE_PINNED: i32 = 6;
@inline export const MISUSE_OVERFLOW: i32 = 7;
@inline export const MISUSE_UNDERFLOW: i32 = 8;
@inline export const MISUSE_WRITE_AFTER_FREE: i32 = 9;

/**
 * Of guarded blocks: most bytes of a back zone, and of a block in quarantine, that are filled and looked at. The byte
 * at an address is (address * GUARD_FACTOR >> 2 ^ GUARD_FLIP) & 0xff.
 */
@inline export const GUARD_BACK_MAX: u32 = 256;
@inline export const GUARD_FILL_MAX: u32 = 65536;
@inline export const GUARD_FACTOR: u32 = 157;
@inline export const GUARD_FLIP: u32 = 203;

/** Results of posix_memalign, as errno has them. */
@inline export const EINVAL: i32 = 22;
@inline export const ENOMEM: i32 = 12;

/** Ps are numbered 1 to MAX_PS. A thread's token has 24 bits; 0 is no thread's. */
@inline export const MAX_PS: u32 = 255;
@inline export const MAX_TOKEN: u32 = 16777215;

/** The low 8 bits of a P's state word; the 24 above are its holder's token. */
@inline export const P_UNUSED: u32 = 0;
@inline export const P_IDLE: u32 = 1;
@inline export const P_RUNNING: u32 = 2;
@inline export const P_BLOCKED: u32 = 3;
@inline export const P_STOPPING: u32 = 4;
@inline export const P_DEAD: u32 = 5;
@inline export const P_STARTING: u32 = 6;

/**
 * A lock's record has 1 << LOCK_SHIFT bytes: the word (0 free, else the owner's P, and bit 31 when a thread may sleep
 * on it), then three u64 counters at these offsets, which the holder writes.
 */
@inline export const LOCK_SHIFT: u32 = 6;
@inline export const LOCK_ACQUIRED: u32 = 8;
@inline export const LOCK_CONTENDED: u32 = 16;
@inline export const LOCK_WAITS: u32 = 24;

/** Bits of recoverP's result. */
@inline export const RECOVERED: u32 = 1;
@inline export const HELD_HEAP: u32 = 2;
@inline export const HELD_CENTRAL: u32 = 4;
@inline export const PAGES_MOVING: u32 = 8;
@inline export const FREE_PENDING: u32 = 16;

/** Counters of a P, by number. */
@inline export const PSTAT_REMOTE_FREES: u32 = 0;
@inline export const PSTAT_GROUPS_PUSHED: u32 = 1;
@inline export const PSTAT_GROUPS_TAKEN: u32 = 2;
@inline export const PSTAT_LATE_DOUBLE_FREES: u32 = 3;
@inline export const PSTAT_SPANS_TAKEN: u32 = 4;
@inline export const PSTAT_SPANS_GIVEN: u32 = 5;
@inline export const PSTAT_PAGES_OWNED: u32 = 6;

/**
 * Results of gcBegin, gcMark and gcEnd. BUSY: another thread marks, or could not be waited for; never in a heap of one
 * thread.
 */
@inline export const BUSY: i32 = -1;
@inline export const MORE: i32 = 0;
@inline export const DONE: i32 = 1;

/** What handleGet returns for what is no handle. */
@inline export const NO_HANDLE: u32 = 0xffffffff;

/** Bits of gcDue: an allocation owes marking, the trigger is reached, a cycle runs. Above them the cycles begun. */
@inline export const DUE_ASSIST: u32 = 1;
@inline export const DUE_START: u32 = 2;
@inline export const DUE_MARKING: u32 = 8;
@inline export const DUE_CYCLES_SHIFT: u32 = 4;

/** The largest type, and the largest request of newObject, bytes. */
@inline export const MAX_TYPE_SIZE: u32 = 0x20000;
@inline export const MAX_OBJECT_BYTES: u32 = 0xfffe0000;

/**
 * Where a type's mask begins in its record: one bit per word of the bytes with pointers. Word 3 of the record is the
 * tag, combined by exclusive or with the type's address, its size and its bytes with pointers.
 */
@inline export const TYPE_MASK: u32 = 0x10;
@inline export const TYPE_TAG: u32 = 0x676f7470;

/**
 * Figures of gcStat: counts of cycles, of the running or last one (steps, marked bytes, scan work), of the sweep behind
 * it, and of what exists.
 */
@inline export const STAT_CYCLES: u32 = 0;
@inline export const STAT_FORCED: u32 = 1;
@inline export const STAT_PHASE: u32 = 2;
@inline export const STAT_HEAP_LIVE: u32 = 3;
@inline export const STAT_HEAP_MARKED: u32 = 4;
@inline export const STAT_GOAL: u32 = 5;
@inline export const STAT_TRIGGER: u32 = 6;
@inline export const STAT_SWEEPING: u32 = 7;
@inline export const STAT_STEPS: u32 = 8;
@inline export const STAT_PINS: u32 = 9;
@inline export const STAT_HANDLES: u32 = 10;
@inline export const STAT_FREED_OBJECTS: u32 = 11;
@inline export const STAT_FREED_BYTES: u32 = 12;
@inline export const STAT_OVERFLOWS: u32 = 13;
@inline export const STAT_SCAN_WORK: u32 = 14;
@inline export const STAT_HEAP_SCAN: u32 = 15;
@inline export const STAT_TRIGGERED: u32 = 16;
@inline export const STAT_ASSIST_BYTES: u32 = 17;
@inline export const STAT_PAGES_SWEPT: u32 = 18;
@inline export const STAT_BYTES_MARKED: u32 = 19;
@inline export const STAT_TYPES: u32 = 20;
@inline export const STAT_LOOKS: u32 = 21;
@inline export const STAT_ASSIST_RATIO: u32 = 22;
@inline export const STAT_PAGES: u32 = 23;
@inline export const STAT_BUFFERS: u32 = 24;
@inline export const STAT_CHECKED: u32 = 25;
@inline export const STAT_UNCHECKED: u32 = 26;
@inline export const STAT_CHECK_FAILED_AT: u32 = 27;
@inline export const STAT_ROOT_BYTES: u32 = 28;
@inline export const STAT_LAST_GOAL: u32 = 29;
@inline export const STAT_COLLECTING: u32 = 30;
@inline export const STAT_CHECKMARK: u32 = 31;

/** Of a shared heap, else 0: milliseconds of its last cycle and of its stops; cycles given up and carried on. */
@inline export const STAT_MARK_TIME: u32 = 32;
@inline export const STAT_STOP_BEGIN: u32 = 33;
@inline export const STAT_STOP_END: u32 = 34;
@inline export const STAT_ABANDONED: u32 = 35;
@inline export const STAT_CARRIED_ON: u32 = 36;

/** More settings in force; bytes of the stacks among the roots of the last cycle. */
@inline export const STAT_GC_PERCENT: u32 = 38;
@inline export const STAT_MEMORY_LIMIT: u32 = 39;
@inline export const STAT_HEAP_MINIMUM: u32 = 40;
@inline export const STAT_CLOBBERFREE: u32 = 41;
@inline export const STAT_STACK_BYTES: u32 = 42;

/** Specials of objects: cleanups, finalizers and weak references; those of dead objects that wait to be called. */
@inline export const STAT_SPECIALS: u32 = 43;
@inline export const STAT_FINISHED: u32 = 44;

/** Kinds of specials. A cleanup and a finalizer have numbers, from 1 on. */
@inline export const SPECIAL_CLEANUP: u32 = 1;
@inline export const SPECIAL_FINALIZER: u32 = 2;
@inline export const SPECIAL_WEAK: u32 = 3;

/** What specialNew returns when the object has a finalizer. */
@inline export const HAS_FINALIZER: u32 = 0xffffffff;

/**
 * By what a heap is found from outside: the word HEAP_MAGIC (`gomh`) in its record, and behind it the version of the
 * records' layout with the bits of the flavour. COMPACTS: records move, and page records name pages of records.
 * SAMPLES: it has a profile.
 */
@inline export const HEAP_MAGIC: u32 = 0x686d6f67;
@inline export const LAYOUT_VERSION: u32 = 0x1;
@inline export const LAYOUT_HOST: u32 = 0x100;
@inline export const LAYOUT_SHARED: u32 = 0x200;
@inline export const LAYOUT_ASC: u32 = 0x400;
@inline export const LAYOUT_COMPACTS: u32 = 0x800;
@inline export const LAYOUT_SAMPLES: u32 = 0x1000;

/** The layout of the statistics' record: word 0. */
@inline export const MEMSTATS_VERSION: u64 = 1;

/** Words of the statistics' record. */
@inline export const MS_SYS: u32 = 1;
@inline export const MS_HEAP_SYS: u32 = 2;
@inline export const MS_HEAP_INUSE: u32 = 3;
@inline export const MS_HEAP_IDLE: u32 = 4;
@inline export const MS_HEAP_ALLOC: u32 = 5;
@inline export const MS_TOTAL_ALLOC: u32 = 6;
@inline export const MS_MALLOCS: u32 = 7;
@inline export const MS_FREES: u32 = 8;
@inline export const MS_TINY_ALLOCS: u32 = 9;
@inline export const MS_LARGE_MALLOCS: u32 = 10;
@inline export const MS_LARGE_FREES: u32 = 11;
@inline export const MS_LARGE_LIVE_BYTES: u32 = 12;
@inline export const MS_MSPAN_INUSE: u32 = 13;
@inline export const MS_OTHER_SYS: u32 = 14;
@inline export const MS_REFILLS: u32 = 15;
@inline export const MS_GROUP_REFILLS: u32 = 16;
@inline export const MS_SPAN_REFILLS: u32 = 17;
@inline export const MS_CENTRAL_HITS: u32 = 18;
@inline export const MS_CENTRAL_GROWS: u32 = 19;
@inline export const MS_PAGE_CACHE_HITS: u32 = 20;
@inline export const MS_PAGE_CACHE_REFILLS: u32 = 21;
@inline export const MS_PAGE_ALLOCS: u32 = 22;
@inline export const MS_SYS_GROWS: u32 = 23;
@inline export const MS_SYS_GROW_FAILURES: u32 = 24;
@inline export const MS_RECLAIMS: u32 = 25;
@inline export const MS_REALLOC_IN_PLACE: u32 = 26;
@inline export const MS_REALLOC_MOVES: u32 = 27;
@inline export const MS_ZEROED_BYTES_SKIPPED: u32 = 28;
@inline export const MS_ZEROED_BYTES_CLEARED: u32 = 29;
@inline export const MS_MISUSES: u32 = 30;
@inline export const MS_SPANS_IN_USE: u32 = 31;
@inline export const MS_TINY_BLOCKS: u32 = 32;
@inline export const MS_HEAP_RETAINED: u32 = 33;
@inline export const MS_STACK_INUSE: u32 = 34;
@inline export const MS_MSPAN_SYS: u32 = 35;
@inline export const MS_MCACHE_INUSE: u32 = 36;
@inline export const MS_MCACHE_SYS: u32 = 37;
@inline export const MS_BUCK_HASH_SYS: u32 = 38;
@inline export const MS_GC_SYS: u32 = 39;

/** The word at which the classes begin, and words per class: size, mallocs, frees, spans. */
@inline export const MEMSTATS_CLASSES: u32 = 40;
@inline export const MEMSTATS_CLASS_WORDS: u32 = 4;

// Results of validate: what does not hold.

/** a summary says what its children say. */
@inline export const BAD_SUMMARY: u32 = 10;
/** no page below the search address is free. */
@inline export const BAD_SEARCH: u32 = 11;
/** a page known to be zero is free. */
@inline export const BAD_SCAVENGED: u32 = 12;
/** the root of the summary tree covers the heap's arenas and no more. */
@inline export const BAD_ROOT: u32 = 13;
/** pages of both caches are allocated for the page allocator, and zero at most in the page cache. */
@inline export const BAD_PAGE_CACHE: u32 = 14;
/** the arena map names one record for each arena of the heap, and nothing else. */
@inline export const BAD_ARENA: u32 = 15;
/** a page known to be zero is zero. */
@inline export const DIRTY_PAGE: u32 = 16;
/** a page of records is allocated, and records that move lie on such pages or at the heap's start. */
@inline export const BAD_RECORD_PAGE: u32 = 17;
/** every page of a span in use is allocated. */
@inline export const SPAN_PAGE_FREE: u32 = 20;
/** a page's record names the span that holds the page. */
@inline export const BAD_PAGE_RECORD: u32 = 21;
/** a span in use has the state, the start and the size of one. */
@inline export const BAD_SPAN: u32 = 22;
/** spans do not overlap. */
@inline export const SPANS_OVERLAP: u32 = 23;
/** every address of a span resolves to it. */
@inline export const BAD_LOOKUP: u32 = 24;
/** a page outside of all spans has no record. */
@inline export const STALE_PAGE_RECORD: u32 = 25;
/** a group has no bit beyond its slots. */
@inline export const BIT_OUTSIDE: u32 = 30;
/** no slot is free twice. */
@inline export const BIT_TWICE: u32 = 31;
/** a full group that nobody holds is marked as one. */
@inline export const BAD_GROUP: u32 = 32;
/** partialMask names the groups that no row has and that are not full. */
@inline export const BAD_PARTIAL_MASK: u32 = 33;
/** a slot known to be zero is zero. */
@inline export const DIRTY_SLOT: u32 = 34;
/** a list of spans is linked both ways and holds spans of one row. */
@inline export const BAD_LIST: u32 = 40;
/** a span with free slots is in a list unless it is cached, and no other is. */
@inline export const BAD_PLACE: u32 = 41;
/** a span in the list of empty ones has no live slot. */
@inline export const NOT_EMPTY: u32 = 42;
/** a row's group belongs to a span of the row. */
@inline export const BAD_ROW: u32 = 43;
/** a span's owner is a P, or nobody. */
@inline export const BAD_OWNER: u32 = 44;
/** slots that others have freed are live until they are taken over, and there is a note of their span. */
@inline export const BAD_REMOTE: u32 = 45;
/** pages in use, free, cached and of metadata are the pages grown. */
@inline export const BAD_PAGE_COUNT: u32 = 50;
/** a row counts its spans. */
@inline export const BAD_SPAN_COUNT: u32 = 51;
/** retained pages are those of the empty spans. */
@inline export const BAD_RETAINED: u32 = 52;
/** outside of a cycle no slot of a swept span is marked. */
@inline export const STALE_MARK: u32 = 53;
/** a sample is of a live block and found by its address; the profile counts it, and the quarantine has it once. */
@inline export const BAD_SAMPLE: u32 = 54;
/** the lookup tables send each size to a row and a class that serve it. */
@inline export const BAD_TABLE: u32 = 60;
/** a row and its mcentral have the slot size and the span length of their class. */
@inline export const BAD_CLASS: u32 = 61;
/** the lists of free span records hold free span records, each once. */
@inline export const BAD_DEAD_LIST: u32 = 62;
/** the memory for the next records is free. */
@inline export const BAD_CHUNK: u32 = 63;
/** the bytes obtained are those of the pages grown, and the heap ends where its memory does. */
@inline export const BAD_SYS: u32 = 64;
/** the tiny block is a live slot of its row. */
@inline export const BAD_TINY: u32 = 65;
/** a P has a record, a state and counts of its own. */
@inline export const BAD_P: u32 = 66;
/** locks, gates and what is under way belong to threads that have a P. */
@inline export const BAD_HOLDER: u32 = 67;
/** the collector's state has values that exist, and its generation is that of its cycles. */
@inline export const BAD_GC_STATE: u32 = 70;
/** the collector's large objects are in its lists, each once. */
@inline export const BAD_GC_LARGE: u32 = 71;
/** the work buffers are pages of the heap's, as many as are counted. */
@inline export const BAD_GC_WORK: u32 = 72;
/** the pins are found where they are looked up, as many as are counted. */
@inline export const BAD_PINS: u32 = 73;
/** the handles in use and the free ones are all that there are. */
@inline export const BAD_HANDLES: u32 = 74;
/** the registered root ranges are a list, and each begins before it ends. */
@inline export const BAD_ROOTS: u32 = 75;
/** what a span's record names for its objects' types is a table of the heap's. */
@inline export const BAD_META: u32 = 76;
/** the types are a list of records that describe one each, and an object's type is in it. */
@inline export const BAD_TYPE: u32 = 77;
/** the pacer's settings have values that exist, and its triggers lie between what is marked and the goal. */
@inline export const BAD_PACER: u32 = 78;
/** a special of an object is in the list of its span, in order of addresses; all others are queued or free. */
@inline export const BAD_SPECIALS: u32 = 79;
