/**
 * The memory that all instances of driver and allocator share, as bench/threads/native/bench.h lays it out, and the
 * fields of a worker's record. The allocator's memory begins at HEAP_BASE, the same for every allocator; nobody but
 * the allocator grows it, and a wasm memory never shrinks, so what lies above at the end is its peak footprint.
 */

export const WASM_PAGE = 65536;

/** Set to 1 by the host when a worker has trapped: the others stop waiting for it. */
export const ABORT = 0x2180;

/** Records of the workers, RECORD_SIZE bytes apart. */
export const RECORDS = 0x3000;
export const RECORD_SIZE = 256;

/** Offsets of a record's fields. */
export const Field = {
  operations: 0,
  began: 8,
  ended: 16,
  checksum: 24,
  failures: 28,
  failure: 32,
  stalls: 36,
  cpuBegan: 40,
  cpuEnded: 48,
} as const;

/** Where a trace's slots, sizes and events go, and where that area ends. */
export const TRACE = 0x200000;

/** Where the allocator's memory begins. */
export const HEAP_BASE = 20 * 2 ** 20;

/** The memory's first size: one page above HEAP_BASE. */
export const INITIAL_PAGES = HEAP_BASE / WASM_PAGE + 1;

/** The memory's limit: 1 GiB. */
export const MAXIMUM_PAGES = 16384;

/** Kinds of failed checks, by their numbers in bench.h. */
export const FAILURES = [
  "none",
  "out of memory",
  "misaligned",
  "contents overwritten",
  "calloc not zero",
  "lost by realloc",
];
