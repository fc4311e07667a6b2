/**
 * The ABI: every function that a flavour exports and every number that both sides must agree on. gen-abi.ts writes the
 * files for assembly/ and for src/ from these tables; the build takes its lists of exports from here.
 *
 * A new function is a line here, beside its body in assembly/abi/. A new number is a line here, and nothing else.
 */

/**
 * Functions in groups, one a line: `name(parameter: type, ...): result`. The types are AssemblyScript's: wasm passes u32,
 * i32 and bool as i32.
 */
export const FUNCTIONS = {
  family: {
    about: "The malloc family: programs may import it from gomalloc or env.",
    text: `
      malloc(size: u32): u32
      free(ptr: u32)
      calloc(count: u32, size: u32): u32
      realloc(ptr: u32, size: u32): u32
      aligned_alloc(alignment: u32, size: u32): u32
      memalign(alignment: u32, size: u32): u32
      posix_memalign(out: u32, alignment: u32, size: u32): i32
      malloc_usable_size(ptr: u32): u32
      free_sized(ptr: u32, size: u32)
      malloc_trim(pad: u32): i32`,
  },
  control: {
    about: "What every flavour has besides.",
    text: `
      init(heapBase: u32)
      mallopt(param: i32, value: u32): i32
      gomalloc_misuse(kind: i32, ptr: u32)`,
  },
  host: {
    about: "What the host flavours have for programs and hosts.",
    text: `
      mallocgc(size: u32, scan: i32, needzero: i32): u32
      tryFree(ptr: u32): i32
      tryRealloc(ptr: u32, size: u32): u32
      lastMisuse(): i32
      memstats(): u32
      validate(): u32
      validateDeep(): u32
      validateInfo(): u32
      reclaim(): u32
      releaseAll()
      objectBase(ptr: u32): u32
      spanOf(ptr: u32): u32
      scavengeBegin(): i32
      scavengeOne(end: u32, bytes: u32, force: i32): u32
      scavengeBytes(): u32
      scavengeEnd(zero: i32): i32
      idlePages(dirty: i32): u32`,
  },
  hostOnly: {
    about: "What the host flavours have for the JavaScript API alone.",
    text: `
      heapLast(): u32`,
  },
  collector: {
    about: "The collector, in both host flavours.",
    text: `
      newType(size: u32, ptrBytes: u32): u32
      newObject(type: u32, n: u32): u32
      isObject(ptr: u32): i32
      objectOf(ptr: u32): u32
      faultObject(ptr: u32, type: u32): i32
      isFaulted(ptr: u32): i32
      freeObject(ptr: u32): i32
      handleNew(ptr: u32): u32
      handleGet(handle: u32): u32
      handleSet(handle: u32, ptr: u32): i32
      handleFree(handle: u32): i32
      pin(ptr: u32): u32
      unpin(ptr: u32): i32
      pins(ptr: u32): u32
      addRoots(start: u32, bytes: u32, pointer: u32): i32
      removeRoots(start: u32): i32
      isRegistered(start: u32, bytes: u32): i32
      specialNew(kind: u32, ptr: u32): u32
      specialFree(kind: u32, ptr: u32, id: u32): i32
      weakNew(ptr: u32): u32
      weakGet(weak: u32): u32
      isIndirection(ptr: u32): i32
      finishedId(): u32
      finishedObject(): u32
      finishedDone()
      dropFinished(token: u32)
      writePointer(slot: u32, value: u32)
      typedMove(type: u32, to: u32, from: u32, n: u32)
      typedClear(type: u32, to: u32, n: u32)
      setCollecting(on: i32)
      setGCPercent(percent: i32): i32
      setMemoryLimit(bytes: f64): f64
      setHeapMinimum(bytes: f64): f64
      setCheckmark(on: i32)
      setClobberfree(on: i32)
      gcSweep(pages: u32): u32
      gcPhase(): u32
      gcDue(): u32
      gcStat(i: u32): f64`,
  },
  soloCycle: {
    about: "The steps of a cycle in a heap of one thread.",
    text: `
      gcStart(): i32
      gcStep(budget: f64): f64`,
  },
  sharedCycle: {
    about: "The steps of a cycle in a shared heap, and the gate.",
    text: `
      gcEnter(): i32
      gcLeave()
      gcBegin(forced: i32, now: f64): i32
      gcMark(budget: f64): f64
      gcEnd(now: f64): i32
      gc(): i32
      gcWakeAddress(): u32
      gcTimes(begin: f64, end: f64, procs: u32)`,
  },
  threadExit: {
    about: "What every shared flavour has besides.",
    text: `
      gomalloc_thread_exit()
      gomalloc_sync()`,
  },
  procs: {
    about: "Ps and locks, in the shared host flavour. Ps are numbered from 1; a result of 0 is none.",
    text: `
      setToken(token: u32)
      acquireP(token: u32): u32
      acquireBeyond(token: u32): u32
      releaseP()
      abandonP()
      currentP(): u32
      blockP(): bool
      unblockP(): bool
      setProcs(n: u32)
      procs(): u32
      numPs(): u32
      flushP(id: u32): i32
      recoverP(id: u32): u32
      stateAddress(id: u32): u32
      lockAddress(i: u32): u32
      lockCount(): u32
      lastStuck(): u32
      pStat(id: u32, i: u32): u64`,
  },
  procsOnly: {
    about: "What the shared host flavour has for the JavaScript API alone.",
    text: `
      claimAddress(): u32
      endAddress(): u32`,
  },
} as const satisfies Record<string, { about: string; text: string }>;

export type Group = keyof typeof FUNCTIONS;

/** Exports that tests and rt-gc.ts alone call: their names, in the host flavours of one thread and of several. */
export const UNTYPED = { solo: ["gc", "gcFinish", "marked"], shared: ["gcFinish", "marked"] } as const;

type Numbers = readonly {
  readonly about: string;
  /** AssemblyScript's type. */
  readonly type: "i32" | "u32" | "u64";
  /** How the values are written. */
  readonly hex?: boolean;
  readonly values: Readonly<Record<string, number>>;
}[];

/** Names from 0 or `first` on, with a prefix. */
function counted(prefix: string, names: string, first = 0): Record<string, number> {
  return Object.fromEntries(names.split(/\s+/).map((name, i) => [prefix + name, first + i]));
}

/** The counters of a P, as pStat numbers them and SharedMemStats names them. */
export const P_COUNTERS = [
  ...["remoteFrees", "groupsPushed", "groupsTaken", "lateDoubleFrees", "spansTaken", "spansGiven", "pagesOwned"],
] as const;

/** Words 1 and following of the statistics' record, as MemStats names them. */
export const MEMSTATS_FIELDS = [
  ...["sys", "heapSys", "heapInuse", "heapIdle", "heapAlloc", "totalAlloc", "mallocs", "frees", "tinyAllocs"],
  ...["largeMallocs", "largeFrees", "largeLiveBytes", "mspanInuse", "otherSys", "refills", "groupRefills"],
  ...["spanRefills", "centralHits", "centralGrows", "pageCacheHits", "pageCacheRefills", "pageAllocs", "sysGrows"],
  ...["sysGrowFailures", "reclaims", "reallocInPlace", "reallocMoves", "zeroedBytesSkipped", "zeroedBytesCleared"],
  ...["misuses", "spansInUse", "tinyBlocks", "heapRetained", "stackInuse", "mspanSys", "mcacheInuse", "mcacheSys"],
  ...["buckHashSys", "gcSys"],
] as const;

/** groupRefills: GROUP_REFILLS */
function upper(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

export const NUMBERS: Numbers = [
  {
    about:
      "Parameters of mallopt. LOCK_WAIT and CAN_BLOCK are of shared heaps: milliseconds that a lock is waited for (0: " +
      "forever), and whether this thread may sleep. The last three are of flavours that sample, for a heap that exists: " +
      "mean bytes between two samples (0: none), whether sampled blocks are guarded, bytes of the quarantine.",
    type: "i32",
    values: counted(
      "M_",
      "MISUSE MAX_BYTES SOFT_LIMIT RESERVE LOCK_WAIT CAN_BLOCK PROFILE_RATE PROFILE_GUARD QUARANTINE",
      1,
    ),
  },
  {
    about:
      "What flavours that sample ask of gomalloc.option besides the last three of these: where random numbers begin.",
    type: "i32",
    values: { PROFILE_SEED: 10 },
  },
  { about: "The largest M_PROFILE_RATE.", type: "u32", hex: true, values: { MAX_PROFILE_RATE: 0x70000000 } },
  {
    about: "Values of M_MISUSE: a misused C call traps through gomalloc_misuse, or returns without effect.",
    type: "u32",
    values: counted("MISUSE_", "TRAP RETURN"),
  },
  {
    about: "The largest values that mallopt takes: bytes of M_RESERVE, milliseconds of M_LOCK_WAIT.",
    type: "u32",
    values: { MAX_RESERVE: 16 << 20, MAX_LOCK_WAIT: 3600000 },
  },
  {
    about:
      "Kinds of misuse. Double free: the slot is free already, or was never given out. Foreign: no span of the heap lies " +
      "there. Interior: inside a block, not at its start. Tiny: in a block of the tiny allocator, which other objects " +
      "share. Size: a sized free of more bytes than the block has. Pinned: an object that the collector was told to keep. " +
      "The last three are damage to guarded blocks, which gomalloc.report is told of: bytes behind the block, before it, or " +
      "in a freed block were written.",
    type: "i32",
    values: counted(
      "MISUSE_",
      "NONE DOUBLE_FREE FOREIGN INTERIOR TINY SIZE PINNED OVERFLOW UNDERFLOW WRITE_AFTER_FREE",
    ),
  },
  {
    about:
      "Of guarded blocks: most bytes of a back zone, and of a block in quarantine, that are filled and looked at. The byte at " +
      "an address is (address * GUARD_FACTOR >> 2 ^ GUARD_FLIP) & 0xff.",
    type: "u32",
    values: { GUARD_BACK_MAX: 256, GUARD_FILL_MAX: 65536, GUARD_FACTOR: 0x9d, GUARD_FLIP: 0xcb },
  },
  { about: "Results of posix_memalign, as errno has them.", type: "i32", values: { EINVAL: 22, ENOMEM: 12 } },
  {
    about: "Ps are numbered 1 to MAX_PS. A thread's token has 24 bits; 0 is no thread's.",
    type: "u32",
    values: { MAX_PS: 255, MAX_TOKEN: 0xffffff },
  },
  {
    about: "The low 8 bits of a P's state word; the 24 above are its holder's token.",
    type: "u32",
    values: counted("P_", "UNUSED IDLE RUNNING BLOCKED STOPPING DEAD STARTING"),
  },
  {
    about:
      "A lock's record has 1 << LOCK_SHIFT bytes: the word (0 free, else the owner's P, and bit 31 when a thread may " +
      "sleep on it), then three u64 counters at these offsets, which the holder writes.",
    type: "u32",
    values: { LOCK_SHIFT: 6, LOCK_ACQUIRED: 8, LOCK_CONTENDED: 16, LOCK_WAITS: 24 },
  },
  {
    about: "Bits of recoverP's result.",
    type: "u32",
    values: { RECOVERED: 1, HELD_HEAP: 2, HELD_CENTRAL: 4, PAGES_MOVING: 8, FREE_PENDING: 16 },
  },
  {
    about: "Counters of a P, by number.",
    type: "u32",
    values: counted("PSTAT_", P_COUNTERS.map(upper).join(" ")),
  },
  {
    about:
      "Results of gcBegin, gcMark and gcEnd. BUSY: another thread marks, or could not be waited for; never in a heap of " +
      "one thread.",
    type: "i32",
    values: { BUSY: -1, MORE: 0, DONE: 1 },
  },
  { about: "What handleGet returns for what is no handle.", type: "u32", hex: true, values: { NO_HANDLE: 0xffffffff } },
  {
    about:
      "Bits of gcDue: an allocation owes marking, the trigger is reached, a cycle runs. Above them the cycles begun.",
    type: "u32",
    values: { DUE_ASSIST: 1, DUE_START: 2, DUE_MARKING: 8, DUE_CYCLES_SHIFT: 4 },
  },
  {
    about: "The largest type, and the largest request of newObject, bytes.",
    type: "u32",
    hex: true,
    values: { MAX_TYPE_SIZE: 0x20000, MAX_OBJECT_BYTES: 0xfffe0000 },
  },
  {
    about:
      "Where a type's mask begins in its record: one bit per word of the bytes with pointers. Word 3 of the record is the " +
      "tag, combined by exclusive or with the type's address, its size and its bytes with pointers.",
    type: "u32",
    hex: true,
    values: { TYPE_MASK: 16, TYPE_TAG: 0x676f7470 },
  },
  {
    about:
      "Figures of gcStat: counts of cycles, of the running or last one (steps, marked bytes, scan work), of the sweep " +
      "behind it, and of what exists.",
    type: "u32",
    values: counted(
      "STAT_",
      "CYCLES FORCED PHASE HEAP_LIVE HEAP_MARKED GOAL TRIGGER SWEEPING STEPS PINS HANDLES FREED_OBJECTS FREED_BYTES " +
        "OVERFLOWS SCAN_WORK HEAP_SCAN TRIGGERED ASSIST_BYTES PAGES_SWEPT BYTES_MARKED TYPES LOOKS ASSIST_RATIO PAGES " +
        "BUFFERS CHECKED UNCHECKED CHECK_FAILED_AT ROOT_BYTES LAST_GOAL COLLECTING CHECKMARK",
    ),
  },
  {
    about: "Of a shared heap, else 0: milliseconds of its last cycle and of its stops; cycles given up and carried on.",
    type: "u32",
    values: counted("STAT_", "MARK_TIME STOP_BEGIN STOP_END ABANDONED CARRIED_ON", 32),
  },
  {
    about: "More settings in force; bytes of the stacks among the roots of the last cycle.",
    type: "u32",
    values: counted("STAT_", "GC_PERCENT MEMORY_LIMIT HEAP_MINIMUM CLOBBERFREE STACK_BYTES", 38),
  },
  {
    about:
      "Specials of objects: cleanups, finalizers and weak references; those of dead objects that wait to be called.",
    type: "u32",
    values: counted("STAT_", "SPECIALS FINISHED", 43),
  },
  {
    about: "Kinds of specials. A cleanup and a finalizer have numbers, from 1 on.",
    type: "u32",
    values: counted("SPECIAL_", "CLEANUP FINALIZER WEAK", 1),
  },
  {
    about: "What specialNew returns when the object has a finalizer.",
    type: "u32",
    hex: true,
    values: { HAS_FINALIZER: 0xffffffff },
  },
  {
    about:
      "By what a heap is found from outside: the word HEAP_MAGIC (`gomh`) in its record, and behind it the version of the " +
      "records' layout with the bits of the flavour. COMPACTS: records move, and page records name pages of records. SAMPLES: it has a profile.",
    type: "u32",
    hex: true,
    values: {
      HEAP_MAGIC: 0x686d6f67,
      LAYOUT_VERSION: 1,
      LAYOUT_HOST: 0x100,
      LAYOUT_SHARED: 0x200,
      LAYOUT_ASC: 0x400,
      LAYOUT_COMPACTS: 0x800,
      LAYOUT_SAMPLES: 0x1000,
    },
  },
  { about: "The layout of the statistics' record: word 0.", type: "u64", values: { MEMSTATS_VERSION: 1 } },
  {
    about: "Words of the statistics' record.",
    type: "u32",
    values: counted("MS_", MEMSTATS_FIELDS.map(upper).join(" "), 1),
  },
  {
    about: "The word at which the classes begin, and words per class: size, mallocs, frees, spans.",
    type: "u32",
    values: { MEMSTATS_CLASSES: 40, MEMSTATS_CLASS_WORDS: 4 },
  },
];

/** What validate checks: its result, the name in assembly/, and what holds. */
export const INVARIANTS = [
  // Pages and summaries
  { code: 10, name: "BAD_SUMMARY", holds: "a summary says what its children say" },
  { code: 11, name: "BAD_SEARCH", holds: "no page below the search address is free" },
  { code: 12, name: "BAD_SCAVENGED", holds: "a page known to be zero is free" },
  { code: 13, name: "BAD_ROOT", holds: "the root of the summary tree covers the heap's arenas and no more" },
  {
    code: 14,
    name: "BAD_PAGE_CACHE",
    holds: "pages of both caches are allocated for the page allocator, and zero at most in the page cache",
  },
  { code: 15, name: "BAD_ARENA", holds: "the arena map names one record for each arena of the heap, and nothing else" },
  { code: 16, name: "DIRTY_PAGE", holds: "a page known to be zero is zero" },
  {
    code: 17,
    name: "BAD_RECORD_PAGE",
    holds: "a page of records is allocated, and records that move lie on such pages or at the heap's start",
  },
  // Spans and their records
  { code: 20, name: "SPAN_PAGE_FREE", holds: "every page of a span in use is allocated" },
  { code: 21, name: "BAD_PAGE_RECORD", holds: "a page's record names the span that holds the page" },
  { code: 22, name: "BAD_SPAN", holds: "a span in use has the state, the start and the size of one" },
  { code: 23, name: "SPANS_OVERLAP", holds: "spans do not overlap" },
  { code: 24, name: "BAD_LOOKUP", holds: "every address of a span resolves to it" },
  { code: 25, name: "STALE_PAGE_RECORD", holds: "a page outside of all spans has no record" },
  // Groups and slots
  { code: 30, name: "BIT_OUTSIDE", holds: "a group has no bit beyond its slots" },
  { code: 31, name: "BIT_TWICE", holds: "no slot is free twice" },
  { code: 32, name: "BAD_GROUP", holds: "a full group that nobody holds is marked as one" },
  { code: 33, name: "BAD_PARTIAL_MASK", holds: "partialMask names the groups that no row has and that are not full" },
  { code: 34, name: "DIRTY_SLOT", holds: "a slot known to be zero is zero" },
  // Lists and rows
  { code: 40, name: "BAD_LIST", holds: "a list of spans is linked both ways and holds spans of one row" },
  { code: 41, name: "BAD_PLACE", holds: "a span with free slots is in a list unless it is cached, and no other is" },
  { code: 42, name: "NOT_EMPTY", holds: "a span in the list of empty ones has no live slot" },
  { code: 43, name: "BAD_ROW", holds: "a row's group belongs to a span of the row" },
  { code: 44, name: "BAD_OWNER", holds: "a span's owner is a P, or nobody" },
  {
    code: 45,
    name: "BAD_REMOTE",
    holds: "slots that others have freed are live until they are taken over, and there is a note of their span",
  },
  // Accounts
  { code: 50, name: "BAD_PAGE_COUNT", holds: "pages in use, free, cached and of metadata are the pages grown" },
  { code: 51, name: "BAD_SPAN_COUNT", holds: "a row counts its spans" },
  { code: 52, name: "BAD_RETAINED", holds: "retained pages are those of the empty spans" },
  { code: 53, name: "STALE_MARK", holds: "outside of a cycle no slot of a swept span is marked" },
  {
    code: 54,
    name: "BAD_SAMPLE",
    holds:
      "a sample is of a live block and found by its address; the profile counts it, and the quarantine has it once",
  },
  // The heap's own record
  { code: 60, name: "BAD_TABLE", holds: "the lookup tables send each size to a row and a class that serve it" },
  {
    code: 61,
    name: "BAD_CLASS",
    holds: "a row and its mcentral have the slot size and the span length of their class",
  },
  { code: 62, name: "BAD_DEAD_LIST", holds: "the lists of free span records hold free span records, each once" },
  { code: 63, name: "BAD_CHUNK", holds: "the memory for the next records is free" },
  {
    code: 64,
    name: "BAD_SYS",
    holds: "the bytes obtained are those of the pages grown, and the heap ends where its memory does",
  },
  { code: 65, name: "BAD_TINY", holds: "the tiny block is a live slot of its row" },
  { code: 66, name: "BAD_P", holds: "a P has a record, a state and counts of its own" },
  { code: 67, name: "BAD_HOLDER", holds: "locks, gates and what is under way belong to threads that have a P" },
  // The collector's records
  {
    code: 70,
    name: "BAD_GC_STATE",
    holds: "the collector's state has values that exist, and its generation is that of its cycles",
  },
  { code: 71, name: "BAD_GC_LARGE", holds: "the collector's large objects are in its lists, each once" },
  { code: 72, name: "BAD_GC_WORK", holds: "the work buffers are pages of the heap's, as many as are counted" },
  { code: 73, name: "BAD_PINS", holds: "the pins are found where they are looked up, as many as are counted" },
  { code: 74, name: "BAD_HANDLES", holds: "the handles in use and the free ones are all that there are" },
  { code: 75, name: "BAD_ROOTS", holds: "the registered root ranges are a list, and each begins before it ends" },
  { code: 76, name: "BAD_META", holds: "what a span's record names for its objects' types is a table of the heap's" },
  {
    code: 77,
    name: "BAD_TYPE",
    holds: "the types are a list of records that describe one each, and an object's type is in it",
  },
  {
    code: 78,
    name: "BAD_PACER",
    holds: "the pacer's settings have values that exist, and its triggers lie between what is marked and the goal",
  },
  {
    code: 79,
    name: "BAD_SPECIALS",
    holds: "a special of an object is in the list of its span, in order of addresses; all others are queued or free",
  },
] as const;
