/*
 * What every part of the threads driver shares: the memory below the heap, atomics, random numbers, blocks.
 *
 * One instance of driver + allocator runs in each worker, all over one memory. Nothing here is a C global: a static
 * lies in the memory, so all instances would share it. What a worker owns is its record (struct worker) and its table;
 * the control words are shared and only touched by atomics. The driver has no C stack either: it is linked with one
 * of no bytes, so the first push would trap.
 *
 *   0x000000  nothing (dlmalloc's C stack lies here; dlmalloc runs under a lock, so one is enough for all instances.
 *             mimalloc's are here, one for each of two instances)
 *   0x002000  control words, 128 bytes apart: no two share a cache line or a pair of lines that is fetched together
 *   0x003000  records of up to MOST_WORKERS workers
 *   0x004000  the ring of producer and consumer
 *   0x010000  up to MOST_TABLES tables of live blocks: addresses, and behind them sizes (checked build)
 *   0x200000  the trace: slots, sizes (checked build), events; laid out by the host (bench/threads/lib/trace.ts)
 *
 * bench/threads/lib/layout.ts knows the same addresses.
 */
#ifndef THREADS_BENCH_H
#define THREADS_BENCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(from, name) __attribute__((import_module(from), import_name(name)))
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* The allocator under test. */
IMPORT("alloc", "malloc") void *malloc(size_t size);
IMPORT("alloc", "free") void free(void *ptr);
IMPORT("alloc", "calloc") void *calloc(size_t count, size_t size);
IMPORT("alloc", "realloc") void *realloc(void *ptr, size_t size);
IMPORT("alloc", "aligned_alloc") void *aligned_alloc(size_t align, size_t size);

/* Milliseconds, the same clock in all workers; processor time of the whole process. */
IMPORT("host", "now") double now(void);
IMPORT("host", "cpu") double cpu(void);

/* Shared words ------------------------------------------------------------------------------------------------ */

typedef _Atomic u32 word;

#define CONTROL(n) ((word *)(0x2000 + (n) * 128))
#define START CONTROL(0)   /* 1: go */
#define ARRIVED CONTROL(1) /* workers at the start */
#define STOP CONTROL(2)    /* 1: end after the current slice */
#define ABORT CONTROL(3)   /* 1: another worker has trapped; set by the host */
#define SPARE CONTROL(4)   /* larson: the table of the lot that nobody holds */
#define TAIL CONTROL(5)    /* pipe: blocks put in */
#define HEAD CONTROL(6)    /* pipe: blocks taken out */
#define NEVER CONTROL(7)   /* nobody ever notifies here */

enum { RING = 4096, MOST_WORKERS = 4, MOST_TABLES = 2 * MOST_WORKERS + 1, TABLE_ENTRIES = 16384 };

#define RING_AT ((u32 *)0x4000)
#define TABLES_AT 0x10000

static inline void set(word *at, u32 value) {
  atomic_store(at, value);
}

static inline u32 get(word *at) {
  return atomic_load(at);
}

/* Waits a little; `spins` counts the calls in a row and the new count is returned. Traps once ABORT is set. */
static inline u32 pause(u32 spins) {
  if (UNLIKELY((++spins & 1023) == 0)) {
    if (get(ABORT)) __builtin_trap();
    /* After 100 microseconds or so the other side may have lost its processor: let it have this one for 20. */
    if (spins >= 1 << 16) __builtin_wasm_memory_atomic_wait32((int *)NEVER, 0, 20000);
  }
  return spins;
}

/* Workers ----------------------------------------------------------------------------------------------------- */

/* One worker's own state, 256 bytes apart. The host reads the first fields; see layout.ts. */
struct worker {
  u64 operations; /* +0: calls of the malloc family in the last run; blocks passed on for pipe */
  double began;   /* +8: milliseconds */
  double ended;   /* +16 */
  u32 checksum;   /* +24: what was read back, since enter */
  u32 failures;   /* +28: checked build: failed checks, since enter */
  u32 failure;    /* +32: kind of the first one */
  u32 stalls;     /* +36: replay: events that had to wait, in the last run */
  double cpu_began; /* +40 */
  double cpu_ended; /* +48 */
  u64 random;
  u32 index;
  u32 threads;
  u32 lot;    /* larson: the table in which it puts down what it gives away */
  u32 cursor; /* alloc-test */
  u32 slices; /* larson: slices since enter */
  u8 padding[256 - 84];
};
_Static_assert(sizeof(struct worker) == 256, "records are 256 bytes apart");

static inline struct worker *worker(u32 index) {
  return (struct worker *)0x3000 + index;
}

/* All workers leave together; the clock starts behind that. */
static inline void begin(struct worker *self) {
  if (atomic_fetch_add(ARRIVED, 1) + 1 == self->threads) set(START, 1);
  for (u32 spins = 0; !get(START);) spins = pause(spins);
  self->cpu_began = cpu();
  self->began = now();
}

/* True after `done` slices of `slices`, or when the first worker has said that time is up. */
static inline int over(struct worker *self, u32 done, u32 slices, double limit) {
  if (done == slices) return 1;
  if (limit == 0) return 0;
  if (get(STOP)) return 1;
  if (self->index || now() - self->began < limit) return 0;
  set(STOP, 1);
  return 1;
}

static inline void end(struct worker *self, u64 operations) {
  self->ended = now();
  self->cpu_ended = cpu();
  self->operations = operations;
}

/* Random numbers: the generator of bench/assembly/driver/prng.ts. ---------------------------------------------- */

static inline u32 draw(struct worker *self) {
  self->random = self->random * 6364136223846793005u + 1442695040888963407u;
  return (u32)(self->random >> 32);
}

static inline u32 below(struct worker *self, u32 limit) {
  return (u32)(((u64)draw(self) * limit) >> 32);
}

/* Both ends included. */
static inline u32 between(struct worker *self, u32 low, u32 high) {
  return low + below(self, high - low + 1);
}

/* Blocks --------------------------------------------------------------------------------------------------------
 *
 * Timed build: the first and last word of a new block are written, the first byte of a dying one is read. Checked
 * build: every byte of a new block follows from its address and size, and must still do so when it dies.
 */

enum { NO_MEMORY = 1, MISALIGNED, OVERWRITTEN, NOT_ZERO, LOST_BY_REALLOC };

static inline void fail(struct worker *self, u32 kind) {
  if (!self->failures++) self->failure = kind;
}

static inline u8 tag_of(u32 size) {
  return (u8)(size + 1);
}

#ifdef CHECKED
static inline u8 stamp(u32 at, u32 size, u32 offset) {
  u32 mixed = (at * 0x85ebca6bu ^ size * 0xc2b2ae35u ^ offset) * 0x9e3779b1u;
  return (u8)(mixed >> 24);
}

/* True if the first `length` bytes of a block at `ptr` are those of a block of `size` bytes marked at `at`. */
static int intact(const u8 *ptr, u32 at, u32 size, u32 length) {
  for (u32 i = 0; i < length; i++) {
    if (ptr[i] != stamp(at, size, i)) return 0;
  }
  return 1;
}
#endif

static inline void mark(u8 *ptr, u32 size) {
#ifdef CHECKED
  for (u32 i = 0; i < size; i++) ptr[i] = stamp((u32)ptr, size, i);
#else
  if (size >= 4) {
    u32 four = tag_of(size) * 0x01010101u;
    __builtin_memcpy(ptr, &four, 4);
    __builtin_memcpy(ptr + size - 4, &four, 4);
  } else {
    ptr[0] = tag_of(size);
    ptr[size - 1] = tag_of(size);
  }
#endif
}

/* `size` is looked at in the checked build only. */
static inline void unmark(struct worker *self, u8 *ptr, u32 size) {
#ifdef CHECKED
  if (!intact(ptr, (u32)ptr, size, size)) fail(self, OVERWRITTEN);
  self->checksum += tag_of(size);
#else
  (void)size;
  self->checksum += ptr[0];
#endif
}

/* A new block, marked; traps when there is no memory. */
static inline u8 *accept(struct worker *self, void *ptr, u32 size, u32 align) {
  if (UNLIKELY(!ptr)) {
    fail(self, NO_MEMORY);
    __builtin_trap();
  }
#ifdef CHECKED
  if ((u32)ptr & (align - 1)) fail(self, MISALIGNED);
#else
  (void)align;
#endif
  mark(ptr, size);
  return ptr;
}

/* What an allocator promises blocks below 8 bytes, where its driver is not told otherwise. */
#ifndef SMALL_ALIGNMENT
#define SMALL_ALIGNMENT 8
#endif

static inline u32 promised(u32 size) {
  return size >= 16 ? 16 : size >= 8 ? 8 : SMALL_ALIGNMENT;
}

static inline u8 *obtain(struct worker *self, u32 size) {
  return accept(self, malloc(size), size, promised(size));
}

static inline u8 *obtain_zeroed(struct worker *self, u32 size) {
  u8 *ptr = calloc(1, size);
#ifdef CHECKED
  for (u32 i = 0; ptr && i < size; i++) {
    if (ptr[i]) {
      fail(self, NOT_ZERO);
      break;
    }
  }
#endif
  return accept(self, ptr, size, promised(size));
}

static inline u8 *obtain_aligned(struct worker *self, u32 align, u32 size) {
  return accept(self, aligned_alloc(align, size), size, align);
}

static inline void release(struct worker *self, u8 *ptr, u32 size) {
  unmark(self, ptr, size);
  free(ptr);
}

/* `before` is looked at in the checked build only. */
static inline u8 *resize(struct worker *self, u8 *ptr, u32 before, u32 size) {
  unmark(self, ptr, before);
  u8 *moved = realloc(ptr, size);
#ifdef CHECKED
  if (moved && !intact(moved, (u32)ptr, before, before < size ? before : size)) fail(self, LOST_BY_REALLOC);
#endif
  return accept(self, moved, size, promised(size));
}

/* Tables of live blocks --------------------------------------------------------------------------------------- */

static inline u32 *table_at(u32 table) {
  return (u32 *)(TABLES_AT + table * TABLE_ENTRIES * 8);
}

static inline void put(u32 *table, u32 i, u8 *ptr, u32 size) {
  table[i] = (u32)ptr;
#ifdef CHECKED
  table[TABLE_ENTRIES + i] = size;
#else
  (void)size;
#endif
}

/* The size kept for entry `i`; 0 in the timed build, where nobody asks. */
static inline u32 size_at(const u32 *table, u32 i) {
#ifdef CHECKED
  return table[TABLE_ENTRIES + i];
#else
  (void)table;
  (void)i;
  return 0;
#endif
}

static inline void drop(struct worker *self, u32 *table, u32 i) {
  release(self, (u8 *)table[i], size_at(table, i));
}

#endif
