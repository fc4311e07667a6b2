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
export const BUCKET_FRAMES = 56;
export const BUCKET_HEADS = 4096;
export const NAME_HEADS = 2048;
export const NAME_TEXT = 12;
export const NAME_MAX = 1024;
export const SAMPLE_STATE = 3;
export const SAMPLE_LIVE = 1;
export const SAMPLE_COLLECTED = 4;
export const SAMPLE_GUARDED = 8;
export const SAMPLE_REMOVED = 1;
export const SAMPLE_QUARANTINED = 2;
export const SAMPLE_REPORTED = 16;
export const MAX_FRAMES = 64;
export const STACK_TEXT_BYTES = 8;
export const STACK_RATE = 12;
export const STACK_FRAMES = 16;
export const STACK_TEXTS = 272;
export const REPORT_AT = 8128;
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
  current: 12,
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
  rate: 52,
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

// biome-ignore format: filled lines
const NAMES = [
  "LAYOUT", "RECORD_ALIGN", "FIXED_SIZE", "NUM_ROWS", "ROW_SCAN", "ROW_TINY", "ROW_NOSCAN", "FIRST_GC_ROW",
  "HEAP_CLAIM", "HEAP_ROWS", "HEAP_CENTRAL", "MCENTRAL_SIZE", "HEAP_P", "P_RECORD_SIZE", "HEAP_ARENA_MAP", "HEAP_RUNS",
  "HEAP_P_STATES", "HEAP_P_RECORDS", "HEAP_SETUP", "HEAP_RECORD_SIZE", "ARENA_RECORD_SIZE", "GROUP_RECORDS",
  "HEAP_PROFILE", "HOST", "SHARED", "ASC", "GC", "COMPACTS", "SAMPLES",
] as const;

// biome-ignore format: one line each
const TABLE: readonly (readonly [Flavour, ...number[]])[] = [
  ["malloc", 2049, 16, 0, 84, 84, 152, 0, 1, 19784, 1248, 3936, 48, 7968, 7968, 7968, 12064, 17728, 18752, 19776, 12320, 8448, 16, 12320, 0, 0, 0, 0, 1, 0],
  ["malloc", 6145, 16, 0, 84, 84, 152, 0, 1, 19848, 1248, 3936, 48, 8016, 8016, 8016, 12112, 17792, 18816, 19840, 12496, 8448, 16, 12368, 0, 0, 0, 0, 1, 1],
  ["host", 2305, 16, 576, 221, 84, 152, 153, 84, 46920, 1888, 8960, 64, 23104, 23104, 23872, 27968, 44864, 45888, 46912, 30720, 8464, 16, 30720, 1, 0, 0, 1, 1, 0],
  ["host", 6401, 16, 576, 221, 84, 152, 153, 84, 46984, 1888, 8960, 64, 23152, 23152, 23920, 28016, 44928, 45952, 46976, 30896, 8464, 16, 30768, 1, 0, 0, 1, 1, 1],
  ["shared", 513, 64, 0, 84, 84, 152, 0, 1, 19976, 1248, 3936, 48, 8000, 8192, 8192, 12288, 17920, 18944, 19968, 20160, 8512, 32, 20160, 0, 1, 0, 0, 0, 0],
  ["shared", 4609, 64, 0, 84, 84, 152, 0, 1, 20040, 1248, 3936, 48, 8064, 8256, 8256, 12352, 17984, 19008, 20032, 20352, 8512, 32, 20224, 0, 1, 0, 0, 0, 1],
  ["host-shared", 769, 64, 0, 221, 84, 152, 153, 84, 44616, 1888, 8960, 48, 19584, 20352, 21440, 25536, 42560, 43584, 44608, 44800, 8576, 32, 44800, 1, 1, 0, 1, 0, 0],
  ["host-shared", 4865, 64, 0, 221, 84, 152, 153, 84, 44680, 1888, 8960, 48, 19648, 20416, 21504, 25600, 42624, 43648, 44672, 44992, 8576, 32, 44864, 1, 1, 0, 1, 0, 1],
  ["assemblyscript", 3073, 16, 576, 176, 108, 255, 40, 41, 36232, 864, 6496, 64, 17760, 17760, 18528, 22624, 34176, 35200, 36224, 22880, 8448, 16, 22880, 0, 0, 1, 1, 1, 0],
  ["assemblyscript", 7169, 16, 576, 176, 108, 255, 40, 41, 36296, 864, 6496, 64, 17808, 17808, 18576, 22672, 34240, 35264, 36288, 23056, 8448, 16, 22928, 0, 0, 1, 1, 1, 1],
  ["assemblyscript", 1025, 16, 0, 176, 108, 255, 40, 41, 36232, 864, 6496, 64, 17760, 17760, 18528, 22624, 34176, 35200, 36224, 22880, 8448, 16, 22880, 0, 0, 1, 1, 0, 0],
  ["assemblyscript", 5121, 16, 0, 176, 108, 255, 40, 41, 36296, 864, 6496, 64, 17808, 17808, 18576, 22672, 34240, 35264, 36288, 23056, 8448, 16, 22928, 0, 0, 1, 1, 0, 1],
];

let made: readonly Layout[] | undefined;

/** All layouts, made at the first call: importing this file does nothing. */
export function layouts(): readonly Layout[] {
  made ??= TABLE.map(([flavour, ...values]) => {
    return { flavour, ...Object.fromEntries(NAMES.map((name, i) => [name, values[i]])) } as unknown as Layout;
  });
  return made;
}
