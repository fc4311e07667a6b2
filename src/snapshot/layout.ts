/**
 * The layout of a heap's records, for readers from outside. Generated from assembly/ by scripts/gen-layout.ts: do not
 * edit.
 */

// The same in all flavours.
export const PAGE_SHIFT = 13;
export const NUM_ARENAS = 1024;
export const ARENA_PAGES = 512;
export const CHUNK_PAGES = 64;
export const ROW_FITTED = 68;
export const RAW_ROWS = 40;
export const HEAP_MARK = 232;
export const HEAP_ZEROBASE = 240;
export const HEAP_DUMMY = 128;
export const HEAP_FREE_SPANS = 160;
export const HEAP_STATS = 256;
export const ARENA_BITS = 8192;
export const ARENA_SCAV = 8256;
export const ARENA_IN_USE = 8320;
export const PAGE_RECORD_SHIFT = 4;
export const ROW_SHIFT = 5;
export const GROUP_SHIFT = 4;
export const MSPAN_SIZE = 32;
export const MAX_GROUPS = 16;
export const MAX_RUNS = 32;
export const PAGE_STAYS = 2;
export const SPAN_IN_USE = 1;
export const FLAG_LISTED = 1;
export const FLAG_EMPTY = 2;
export const FLAG_DEFERRED = 8;
export const FLAG_FULL = 16;
export const SAMPLE_SHIFT = 6;
export const BUCKET_FRAMES = 48;
export const BUCKET_HEADS = 4096;
export const NAME_HEADS = 2048;
export const NAME_TEXT = 12;
export const STAT_LARGE_MALLOCS = 16;
export const SUMS_SIZE = 9216;

/** Byte offsets of fields of MHeap. */
export const MHEAP_AT = {
  sysEnd: 0,
  arenaLo: 4,
  arenaHi: 8,
  sums: 20,
  persistCur: 24,
  persistEnd: 28,
  grownPages: 32,
  inUsePages: 36,
  metaPages: 40,
  retainedPages: 44,
  sys: 52,
  sweepgen: 60,
  nextFitted: 64,
  pcCache: 72,
  pcScav: 80,
  pcBase: 88,
  tinyAllocs: 104,
  runCount: 124,
} as const;

/** Byte offsets of fields of Row. */
export const ROW_AT = {
  group: 0,
  elemsize: 4,
  span: 12,
} as const;

/** Byte offsets of fields of MCentral. */
export const MCENTRAL_AT = {
  nspans: 12,
  taken: 16,
  npages: 30,
  spanclass: 31,
  sizeclass: 38,
  npagesInUse: 44,
} as const;

/** Byte offsets of fields of MSpan. */
export const MSPAN_AT = {
  next: 0,
  startAddr: 8,
  npages: 12,
  partialMask: 16,
  sweepgen: 20,
  row: 24,
  state: 25,
  ngroups: 26,
  owner: 27,
  nelems: 28,
  flags: 30,
  spanclass: 31,
} as const;

/** Byte offsets of fields of PageRecord. */
export const PAGERECORD_AT = {
  base: 0,
  divMagic: 4,
  groups: 8,
  row: 12,
} as const;

/** Byte offsets of fields of Profile. */
export const PROFILE_AT = {
  rate: 0,
  guard: 8,
  table: 16,
  mask: 20,
  used: 24,
  live: 28,
  heads: 32,
  names: 36,
  buckets: 40,
  cycle: 44,
  quarantined: 56,
  quarantine: 60,
  lost: 80,
  reports: 84,
  begun: 88,
} as const;

/** Byte offsets of fields of Sample. */
export const SAMPLE_AT = {
  key: 0,
  ptr: 4,
  size: 8,
  bucket: 12,
  freeBucket: 16,
  state: 20,
  cycle: 28,
  time: 32,
  freeTime: 40,
  checked: 48,
  extent: 56,
} as const;

/** Byte offsets of fields of Bucket. */
export const BUCKET_AT = {
  next: 0,
  hash: 4,
  size: 8,
  frames: 12,
  allocs: 16,
  frees: 20,
  allocs0: 24,
  frees0: 28,
  allocs1: 32,
  frees1: 36,
  allocs2: 40,
  frees2: 44,
} as const;

/** Byte offsets of fields of Name. */
export const NAME_AT = {
  next: 0,
  number: 4,
  bytes: 8,
} as const;

/** Byte offsets of fields of PRecord. */
export const PRECORD_AT = {
  id: 128,
  ownedPages: 132,
  remoteFrees: 144,
  groupsPushed: 152,
  groupsTaken: 160,
  lateDoubleFrees: 168,
  spansTaken: 176,
  spansGiven: 184,
} as const;

/** What differs from flavour to flavour. LAYOUT is the word behind the magic in the heap's record. */
export interface Layout {
  readonly flavour: Flavour;
  readonly LAYOUT: number;
  readonly RECORD_ALIGN: number;
  readonly FIXED_SIZE: number;
  readonly NUM_ROWS: number;
  readonly ROW_SCAN: number;
  readonly ROW_TINY: number;
  readonly ROW_NOSCAN: number;
  readonly FIRST_GC_ROW: number;
  readonly HEAP_CLAIM: number;
  readonly HEAP_ROWS: number;
  readonly HEAP_CENTRAL: number;
  readonly MCENTRAL_SIZE: number;
  readonly HEAP_P: number;
  readonly P_RECORD_SIZE: number;
  readonly HEAP_ARENA_MAP: number;
  readonly HEAP_RUNS: number;
  readonly HEAP_P_STATES: number;
  readonly HEAP_P_RECORDS: number;
  readonly HEAP_SETUP: number;
  readonly HEAP_RECORD_SIZE: number;
  readonly ARENA_RECORD_SIZE: number;
  readonly GROUP_RECORDS: number;
  readonly HEAP_PROFILE: number;
  readonly HOST: number;
  readonly SHARED: number;
  readonly ASC: number;
  readonly GC: number;
  readonly COMPACTS: number;
  readonly SAMPLES: number;
}

export type Flavour = "malloc" | "host" | "shared" | "host-shared" | "assemblyscript";

export const LAYOUTS: readonly Layout[] = [
  {
    flavour: "malloc",
    LAYOUT: 2049,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 0,
    NUM_ROWS: 84,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 0,
    FIRST_GC_ROW: 1,
    HEAP_CLAIM: 19784,
    HEAP_ROWS: 1248,
    HEAP_CENTRAL: 3936,
    MCENTRAL_SIZE: 48,
    HEAP_P: 7968,
    P_RECORD_SIZE: 7968,
    HEAP_ARENA_MAP: 7968,
    HEAP_RUNS: 12064,
    HEAP_P_STATES: 17728,
    HEAP_P_RECORDS: 18752,
    HEAP_SETUP: 19776,
    HEAP_RECORD_SIZE: 12320,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 12320,
    HOST: 0,
    SHARED: 0,
    ASC: 0,
    GC: 0,
    COMPACTS: 1,
    SAMPLES: 0,
  },
  {
    flavour: "malloc",
    LAYOUT: 6145,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 0,
    NUM_ROWS: 84,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 0,
    FIRST_GC_ROW: 1,
    HEAP_CLAIM: 19784,
    HEAP_ROWS: 1248,
    HEAP_CENTRAL: 3936,
    MCENTRAL_SIZE: 48,
    HEAP_P: 8000,
    P_RECORD_SIZE: 8000,
    HEAP_ARENA_MAP: 8000,
    HEAP_RUNS: 12096,
    HEAP_P_STATES: 17728,
    HEAP_P_RECORDS: 18752,
    HEAP_SETUP: 19776,
    HEAP_RECORD_SIZE: 12480,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 12352,
    HOST: 0,
    SHARED: 0,
    ASC: 0,
    GC: 0,
    COMPACTS: 1,
    SAMPLES: 1,
  },
  {
    flavour: "host",
    LAYOUT: 2305,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 576,
    NUM_ROWS: 221,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 153,
    FIRST_GC_ROW: 84,
    HEAP_CLAIM: 46920,
    HEAP_ROWS: 1888,
    HEAP_CENTRAL: 8960,
    MCENTRAL_SIZE: 64,
    HEAP_P: 23104,
    P_RECORD_SIZE: 23104,
    HEAP_ARENA_MAP: 23872,
    HEAP_RUNS: 27968,
    HEAP_P_STATES: 44864,
    HEAP_P_RECORDS: 45888,
    HEAP_SETUP: 46912,
    HEAP_RECORD_SIZE: 30720,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 30720,
    HOST: 1,
    SHARED: 0,
    ASC: 0,
    GC: 1,
    COMPACTS: 1,
    SAMPLES: 0,
  },
  {
    flavour: "host",
    LAYOUT: 6401,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 576,
    NUM_ROWS: 221,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 153,
    FIRST_GC_ROW: 84,
    HEAP_CLAIM: 46984,
    HEAP_ROWS: 1888,
    HEAP_CENTRAL: 8960,
    MCENTRAL_SIZE: 64,
    HEAP_P: 23136,
    P_RECORD_SIZE: 23136,
    HEAP_ARENA_MAP: 23904,
    HEAP_RUNS: 28000,
    HEAP_P_STATES: 44928,
    HEAP_P_RECORDS: 45952,
    HEAP_SETUP: 46976,
    HEAP_RECORD_SIZE: 30880,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 30752,
    HOST: 1,
    SHARED: 0,
    ASC: 0,
    GC: 1,
    COMPACTS: 1,
    SAMPLES: 1,
  },
  {
    flavour: "shared",
    LAYOUT: 513,
    RECORD_ALIGN: 64,
    FIXED_SIZE: 0,
    NUM_ROWS: 84,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 0,
    FIRST_GC_ROW: 1,
    HEAP_CLAIM: 19976,
    HEAP_ROWS: 1248,
    HEAP_CENTRAL: 3936,
    MCENTRAL_SIZE: 48,
    HEAP_P: 8000,
    P_RECORD_SIZE: 8192,
    HEAP_ARENA_MAP: 8192,
    HEAP_RUNS: 12288,
    HEAP_P_STATES: 17920,
    HEAP_P_RECORDS: 18944,
    HEAP_SETUP: 19968,
    HEAP_RECORD_SIZE: 20160,
    ARENA_RECORD_SIZE: 8512,
    GROUP_RECORDS: 32,
    HEAP_PROFILE: 20160,
    HOST: 0,
    SHARED: 1,
    ASC: 0,
    GC: 0,
    COMPACTS: 0,
    SAMPLES: 0,
  },
  {
    flavour: "shared",
    LAYOUT: 4609,
    RECORD_ALIGN: 64,
    FIXED_SIZE: 0,
    NUM_ROWS: 84,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 0,
    FIRST_GC_ROW: 1,
    HEAP_CLAIM: 19976,
    HEAP_ROWS: 1248,
    HEAP_CENTRAL: 3936,
    MCENTRAL_SIZE: 48,
    HEAP_P: 8000,
    P_RECORD_SIZE: 8192,
    HEAP_ARENA_MAP: 8192,
    HEAP_RUNS: 12288,
    HEAP_P_STATES: 17920,
    HEAP_P_RECORDS: 18944,
    HEAP_SETUP: 19968,
    HEAP_RECORD_SIZE: 20288,
    ARENA_RECORD_SIZE: 8512,
    GROUP_RECORDS: 32,
    HEAP_PROFILE: 20160,
    HOST: 0,
    SHARED: 1,
    ASC: 0,
    GC: 0,
    COMPACTS: 0,
    SAMPLES: 1,
  },
  {
    flavour: "host-shared",
    LAYOUT: 769,
    RECORD_ALIGN: 64,
    FIXED_SIZE: 0,
    NUM_ROWS: 221,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 153,
    FIRST_GC_ROW: 84,
    HEAP_CLAIM: 44616,
    HEAP_ROWS: 1888,
    HEAP_CENTRAL: 8960,
    MCENTRAL_SIZE: 48,
    HEAP_P: 19584,
    P_RECORD_SIZE: 20352,
    HEAP_ARENA_MAP: 21440,
    HEAP_RUNS: 25536,
    HEAP_P_STATES: 42560,
    HEAP_P_RECORDS: 43584,
    HEAP_SETUP: 44608,
    HEAP_RECORD_SIZE: 44800,
    ARENA_RECORD_SIZE: 8512,
    GROUP_RECORDS: 32,
    HEAP_PROFILE: 44800,
    HOST: 1,
    SHARED: 1,
    ASC: 0,
    GC: 1,
    COMPACTS: 0,
    SAMPLES: 0,
  },
  {
    flavour: "host-shared",
    LAYOUT: 4865,
    RECORD_ALIGN: 64,
    FIXED_SIZE: 0,
    NUM_ROWS: 221,
    ROW_SCAN: 84,
    ROW_TINY: 152,
    ROW_NOSCAN: 153,
    FIRST_GC_ROW: 84,
    HEAP_CLAIM: 44680,
    HEAP_ROWS: 1888,
    HEAP_CENTRAL: 8960,
    MCENTRAL_SIZE: 48,
    HEAP_P: 19648,
    P_RECORD_SIZE: 20416,
    HEAP_ARENA_MAP: 21504,
    HEAP_RUNS: 25600,
    HEAP_P_STATES: 42624,
    HEAP_P_RECORDS: 43648,
    HEAP_SETUP: 44672,
    HEAP_RECORD_SIZE: 44992,
    ARENA_RECORD_SIZE: 8512,
    GROUP_RECORDS: 32,
    HEAP_PROFILE: 44864,
    HOST: 1,
    SHARED: 1,
    ASC: 0,
    GC: 1,
    COMPACTS: 0,
    SAMPLES: 1,
  },
  {
    flavour: "assemblyscript",
    LAYOUT: 3073,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 576,
    NUM_ROWS: 176,
    ROW_SCAN: 108,
    ROW_TINY: 255,
    ROW_NOSCAN: 40,
    FIRST_GC_ROW: 41,
    HEAP_CLAIM: 36232,
    HEAP_ROWS: 864,
    HEAP_CENTRAL: 6496,
    MCENTRAL_SIZE: 64,
    HEAP_P: 17760,
    P_RECORD_SIZE: 17760,
    HEAP_ARENA_MAP: 18528,
    HEAP_RUNS: 22624,
    HEAP_P_STATES: 34176,
    HEAP_P_RECORDS: 35200,
    HEAP_SETUP: 36224,
    HEAP_RECORD_SIZE: 22880,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 22880,
    HOST: 0,
    SHARED: 0,
    ASC: 1,
    GC: 1,
    COMPACTS: 1,
    SAMPLES: 0,
  },
  {
    flavour: "assemblyscript",
    LAYOUT: 7169,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 576,
    NUM_ROWS: 176,
    ROW_SCAN: 108,
    ROW_TINY: 255,
    ROW_NOSCAN: 40,
    FIRST_GC_ROW: 41,
    HEAP_CLAIM: 36232,
    HEAP_ROWS: 864,
    HEAP_CENTRAL: 6496,
    MCENTRAL_SIZE: 64,
    HEAP_P: 17792,
    P_RECORD_SIZE: 17792,
    HEAP_ARENA_MAP: 18560,
    HEAP_RUNS: 22656,
    HEAP_P_STATES: 34176,
    HEAP_P_RECORDS: 35200,
    HEAP_SETUP: 36224,
    HEAP_RECORD_SIZE: 23040,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 22912,
    HOST: 0,
    SHARED: 0,
    ASC: 1,
    GC: 1,
    COMPACTS: 1,
    SAMPLES: 1,
  },
  {
    flavour: "assemblyscript",
    LAYOUT: 1025,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 0,
    NUM_ROWS: 176,
    ROW_SCAN: 108,
    ROW_TINY: 255,
    ROW_NOSCAN: 40,
    FIRST_GC_ROW: 41,
    HEAP_CLAIM: 36232,
    HEAP_ROWS: 864,
    HEAP_CENTRAL: 6496,
    MCENTRAL_SIZE: 64,
    HEAP_P: 17760,
    P_RECORD_SIZE: 17760,
    HEAP_ARENA_MAP: 18528,
    HEAP_RUNS: 22624,
    HEAP_P_STATES: 34176,
    HEAP_P_RECORDS: 35200,
    HEAP_SETUP: 36224,
    HEAP_RECORD_SIZE: 22880,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 22880,
    HOST: 0,
    SHARED: 0,
    ASC: 1,
    GC: 1,
    COMPACTS: 0,
    SAMPLES: 0,
  },
  {
    flavour: "assemblyscript",
    LAYOUT: 5121,
    RECORD_ALIGN: 16,
    FIXED_SIZE: 0,
    NUM_ROWS: 176,
    ROW_SCAN: 108,
    ROW_TINY: 255,
    ROW_NOSCAN: 40,
    FIRST_GC_ROW: 41,
    HEAP_CLAIM: 36232,
    HEAP_ROWS: 864,
    HEAP_CENTRAL: 6496,
    MCENTRAL_SIZE: 64,
    HEAP_P: 17792,
    P_RECORD_SIZE: 17792,
    HEAP_ARENA_MAP: 18560,
    HEAP_RUNS: 22656,
    HEAP_P_STATES: 34176,
    HEAP_P_RECORDS: 35200,
    HEAP_SETUP: 36224,
    HEAP_RECORD_SIZE: 23040,
    ARENA_RECORD_SIZE: 8448,
    GROUP_RECORDS: 16,
    HEAP_PROFILE: 22912,
    HOST: 0,
    SHARED: 0,
    ASC: 1,
    GC: 1,
    COMPACTS: 0,
    SAMPLES: 1,
  },
];
