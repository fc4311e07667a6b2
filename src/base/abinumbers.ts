/**
 * The numbers of the ABI, the same as in assembly/base/abinumbers.ts. Generated from scripts/abi.ts by
 * scripts/gen-abi.ts: do not edit.
 */

/**
 * Parameters of mallopt. LOCK_WAIT and CAN_BLOCK are of shared heaps: milliseconds that a lock is waited for (0:
 * forever), and whether this thread may sleep. The last three are of flavours that sample, for a heap that exists: mean
 * bytes between two samples (0: none), whether sampled blocks are guarded, bytes of the quarantine.
 */
export const M_MISUSE = 1;
export const M_MAX_BYTES = 2;
export const M_SOFT_LIMIT = 3;
export const M_RESERVE = 4;
export const M_LOCK_WAIT = 5;
export const M_CAN_BLOCK = 6;
export const M_PROFILE_RATE = 7;
export const M_PROFILE_GUARD = 8;
export const M_QUARANTINE = 9;

/** What flavours that sample ask of gomalloc.option besides the last three of these: where random numbers begin. */
export const PROFILE_SEED = 10;

/** The largest M_PROFILE_RATE. */
export const MAX_PROFILE_RATE = 0x70000000;

/** Values of M_MISUSE: a misused C call traps through gomalloc_misuse, or returns without effect. */
export const MISUSE_TRAP = 0;
export const MISUSE_RETURN = 1;

/** The largest values that mallopt takes: bytes of M_RESERVE, milliseconds of M_LOCK_WAIT. */
export const MAX_RESERVE = 16777216;
export const MAX_LOCK_WAIT = 3600000;

/**
 * Kinds of misuse. Double free: the slot is free already, or was never given out. Foreign: no span of the heap lies
 * there. Interior: inside a block, not at its start. Tiny: in a block of the tiny allocator, which other objects share.
 * Size: a sized free of more bytes than the block has. Pinned: an object that the collector was told to keep. The last
 * three are damage to guarded blocks, which gomalloc.report is told of: bytes behind the block, before it, or in a
 * freed block were written.
 */
export const MISUSE_NONE = 0;
export const MISUSE_DOUBLE_FREE = 1;
export const MISUSE_FOREIGN = 2;
export const MISUSE_INTERIOR = 3;
export const MISUSE_TINY = 4;
export const MISUSE_SIZE = 5;
export const MISUSE_PINNED = 6;
export const MISUSE_OVERFLOW = 7;
export const MISUSE_UNDERFLOW = 8;
export const MISUSE_WRITE_AFTER_FREE = 9;

/**
 * Of guarded blocks: most bytes of a back zone, and of a block in quarantine, that are filled and looked at. The byte
 * at an address is (address * GUARD_FACTOR >> 2 ^ GUARD_FLIP) & 0xff.
 */
export const GUARD_BACK_MAX = 256;
export const GUARD_FILL_MAX = 65536;
export const GUARD_FACTOR = 157;
export const GUARD_FLIP = 203;

/** Results of posix_memalign, as errno has them. */
export const EINVAL = 22;
export const ENOMEM = 12;

/** Ps are numbered 1 to MAX_PS. A thread's token has 24 bits; 0 is no thread's. */
export const MAX_PS = 255;
export const MAX_TOKEN = 16777215;

/** The low 8 bits of a P's state word; the 24 above are its holder's token. */
export const P_UNUSED = 0;
export const P_IDLE = 1;
export const P_RUNNING = 2;
export const P_BLOCKED = 3;
export const P_STOPPING = 4;
export const P_DEAD = 5;
export const P_STARTING = 6;

/**
 * A lock's record has 1 << LOCK_SHIFT bytes: the word (0 free, else the owner's P, and bit 31 when a thread may sleep
 * on it), then three u64 counters at these offsets, which the holder writes.
 */
export const LOCK_SHIFT = 6;
export const LOCK_ACQUIRED = 8;
export const LOCK_CONTENDED = 16;
export const LOCK_WAITS = 24;

/** Bits of recoverP's result. */
export const RECOVERED = 1;
export const HELD_HEAP = 2;
export const HELD_CENTRAL = 4;
export const PAGES_MOVING = 8;
export const FREE_PENDING = 16;

/** Counters of a P, by number. */
export const PSTAT_REMOTE_FREES = 0;
export const PSTAT_GROUPS_PUSHED = 1;
export const PSTAT_GROUPS_TAKEN = 2;
export const PSTAT_LATE_DOUBLE_FREES = 3;
export const PSTAT_SPANS_TAKEN = 4;
export const PSTAT_SPANS_GIVEN = 5;
export const PSTAT_PAGES_OWNED = 6;

/**
 * Results of gcBegin, gcMark and gcEnd. BUSY: another thread marks, or could not be waited for; never in a heap of one
 * thread.
 */
export const BUSY = -1;
export const MORE = 0;
export const DONE = 1;

/** What handleGet returns for what is no handle. */
export const NO_HANDLE = 0xffffffff;

/** Bits of gcDue: an allocation owes marking, the trigger is reached, a cycle runs. Above them the cycles begun. */
export const DUE_ASSIST = 1;
export const DUE_START = 2;
export const DUE_MARKING = 8;
export const DUE_CYCLES_SHIFT = 4;

/** The largest type, and the largest request of newObject, bytes. */
export const MAX_TYPE_SIZE = 0x20000;
export const MAX_OBJECT_BYTES = 0xfffe0000;

/**
 * Where a type's mask begins in its record: one bit per word of the bytes with pointers. Word 3 of the record is the
 * tag, combined by exclusive or with the type's address, its size and its bytes with pointers.
 */
export const TYPE_MASK = 0x10;
export const TYPE_TAG = 0x676f7470;

/**
 * Figures of gcStat: counts of cycles, of the running or last one (steps, marked bytes, scan work), of the sweep behind
 * it, and of what exists.
 */
export const STAT_CYCLES = 0;
export const STAT_FORCED = 1;
export const STAT_PHASE = 2;
export const STAT_HEAP_LIVE = 3;
export const STAT_HEAP_MARKED = 4;
export const STAT_GOAL = 5;
export const STAT_TRIGGER = 6;
export const STAT_SWEEPING = 7;
export const STAT_STEPS = 8;
export const STAT_PINS = 9;
export const STAT_HANDLES = 10;
export const STAT_FREED_OBJECTS = 11;
export const STAT_FREED_BYTES = 12;
export const STAT_OVERFLOWS = 13;
export const STAT_SCAN_WORK = 14;
export const STAT_HEAP_SCAN = 15;
export const STAT_TRIGGERED = 16;
export const STAT_ASSIST_BYTES = 17;
export const STAT_PAGES_SWEPT = 18;
export const STAT_BYTES_MARKED = 19;
export const STAT_TYPES = 20;
export const STAT_LOOKS = 21;
export const STAT_ASSIST_RATIO = 22;
export const STAT_PAGES = 23;
export const STAT_BUFFERS = 24;
export const STAT_CHECKED = 25;
export const STAT_UNCHECKED = 26;
export const STAT_CHECK_FAILED_AT = 27;
export const STAT_ROOT_BYTES = 28;
export const STAT_LAST_GOAL = 29;
export const STAT_COLLECTING = 30;
export const STAT_CHECKMARK = 31;

/** Of a shared heap, else 0: milliseconds of its last cycle and of its stops; cycles given up and carried on. */
export const STAT_MARK_TIME = 32;
export const STAT_STOP_BEGIN = 33;
export const STAT_STOP_END = 34;
export const STAT_ABANDONED = 35;
export const STAT_CARRIED_ON = 36;

/** More settings in force; bytes of the stacks among the roots of the last cycle. */
export const STAT_GC_PERCENT = 38;
export const STAT_MEMORY_LIMIT = 39;
export const STAT_HEAP_MINIMUM = 40;
export const STAT_CLOBBERFREE = 41;
export const STAT_STACK_BYTES = 42;

/** Specials of objects: cleanups, finalizers and weak references; those of dead objects that wait to be called. */
export const STAT_SPECIALS = 43;
export const STAT_FINISHED = 44;

/** Kinds of specials. A cleanup and a finalizer have numbers, from 1 on. */
export const SPECIAL_CLEANUP = 1;
export const SPECIAL_FINALIZER = 2;
export const SPECIAL_WEAK = 3;

/** What specialNew returns when the object has a finalizer. */
export const HAS_FINALIZER = 0xffffffff;

/**
 * By what a heap is found from outside: the word HEAP_MAGIC (`gomh`) in its record, and behind it the version of the
 * records' layout with the bits of the flavour. COMPACTS: records move, and page records name pages of records.
 * SAMPLES: it has a profile.
 */
export const HEAP_MAGIC = 0x686d6f67;
export const LAYOUT_VERSION = 0x1;
export const LAYOUT_HOST = 0x100;
export const LAYOUT_SHARED = 0x200;
export const LAYOUT_ASC = 0x400;
export const LAYOUT_COMPACTS = 0x800;
export const LAYOUT_SAMPLES = 0x1000;

/** The layout of the statistics' record: word 0. */
export const MEMSTATS_VERSION = 1;

/** Words of the statistics' record. */
export const MS_SYS = 1;
export const MS_HEAP_SYS = 2;
export const MS_HEAP_INUSE = 3;
export const MS_HEAP_IDLE = 4;
export const MS_HEAP_ALLOC = 5;
export const MS_TOTAL_ALLOC = 6;
export const MS_MALLOCS = 7;
export const MS_FREES = 8;
export const MS_TINY_ALLOCS = 9;
export const MS_LARGE_MALLOCS = 10;
export const MS_LARGE_FREES = 11;
export const MS_LARGE_LIVE_BYTES = 12;
export const MS_MSPAN_INUSE = 13;
export const MS_OTHER_SYS = 14;
export const MS_REFILLS = 15;
export const MS_GROUP_REFILLS = 16;
export const MS_SPAN_REFILLS = 17;
export const MS_CENTRAL_HITS = 18;
export const MS_CENTRAL_GROWS = 19;
export const MS_PAGE_CACHE_HITS = 20;
export const MS_PAGE_CACHE_REFILLS = 21;
export const MS_PAGE_ALLOCS = 22;
export const MS_SYS_GROWS = 23;
export const MS_SYS_GROW_FAILURES = 24;
export const MS_RECLAIMS = 25;
export const MS_REALLOC_IN_PLACE = 26;
export const MS_REALLOC_MOVES = 27;
export const MS_ZEROED_BYTES_SKIPPED = 28;
export const MS_ZEROED_BYTES_CLEARED = 29;
export const MS_MISUSES = 30;
export const MS_SPANS_IN_USE = 31;
export const MS_TINY_BLOCKS = 32;
export const MS_HEAP_RETAINED = 33;
export const MS_STACK_INUSE = 34;
export const MS_MSPAN_SYS = 35;
export const MS_MCACHE_INUSE = 36;
export const MS_MCACHE_SYS = 37;
export const MS_BUCK_HASH_SYS = 38;
export const MS_GC_SYS = 39;

/** The word at which the classes begin, and words per class: size, mallocs, frees, spans. */
export const MEMSTATS_CLASSES = 40;
export const MEMSTATS_CLASS_WORDS = 4;

/** The counters of a P by pStat's numbers, from 0 on. */
// biome-ignore format: filled lines
export const P_COUNTERS = [
  "remoteFrees", "groupsPushed", "groupsTaken", "lateDoubleFrees", "spansTaken", "spansGiven", "pagesOwned",
] as const;

/** The words of the statistics' record, from 1 on. */
// biome-ignore format: filled lines
export const MEMSTATS_FIELDS = [
  "sys", "heapSys", "heapInuse", "heapIdle", "heapAlloc", "totalAlloc", "mallocs", "frees", "tinyAllocs",
  "largeMallocs", "largeFrees", "largeLiveBytes", "mspanInuse", "otherSys", "refills", "groupRefills", "spanRefills",
  "centralHits", "centralGrows", "pageCacheHits", "pageCacheRefills", "pageAllocs", "sysGrows", "sysGrowFailures",
  "reclaims", "reallocInPlace", "reallocMoves", "zeroedBytesSkipped", "zeroedBytesCleared", "misuses", "spansInUse",
  "tinyBlocks", "heapRetained", "stackInuse", "mspanSys", "mcacheInuse", "mcacheSys", "buckHashSys", "gcSys",
] as const;
