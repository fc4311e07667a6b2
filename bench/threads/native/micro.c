/*
 * The micro workloads on threads. Each export runs slices of equal work in one worker until `slices` of them are done
 * or, with limit > 0, until the first worker has found that `limit` milliseconds are over; all workers of a run call
 * the same one at once. Live sets are a worker's own; of larson's a part goes round.
 */
#include "bench.h"

/* Sets a worker's record up: before anything else, in every instance. */
EXPORT(enter) void enter(u32 index, u32 threads) {
  struct worker *self = worker(index);
  self->random = ((u64)index + 2) * 0x9e3779b97f4a7c15u;
  self->checksum = self->failures = self->failure = self->stalls = 0;
  self->index = index;
  self->threads = threads;
  self->cursor = self->slices = 0;
}

/* Before each run, in one instance, while all are quiet. */
EXPORT(prepare) void prepare(void) {
  set(START, 0);
  set(ARRIVED, 0);
  set(STOP, 0);
  set(TAIL, 0);
  set(HEAD, 0);
}

/* The memory's size in wasm pages. */
EXPORT(pages) u32 pages(void) {
  return __builtin_wasm_memory_size(0);
}

/* Pairs: malloc and free at once ------------------------------------------------------------------------------- */

enum { PAIRS = 10000 };

static inline void pairs_of(u32 index, u32 slices, double limit, u32 pairs, u32 size) {
  struct worker *self = worker(index);
  u32 done = 0;
  begin(self);
  for (; !over(self, done, slices, limit); done++) {
    for (u32 i = 0; i < pairs; i++) release(self, obtain(self, size), size);
  }
  end(self, (u64)done * pairs * 2);
}

/* Slices of 10000 pairs of 64 bytes. */
EXPORT(pairs) void pairs(u32 index, u32 slices, double limit) {
  pairs_of(index, slices, limit, PAIRS, 64);
}

/* Slices of 1000 pairs of 40000 bytes: each call goes to the heap itself. */
EXPORT(large) void large(u32 index, u32 slices, double limit) {
  pairs_of(index, slices, limit, PAIRS / 10, 40000);
}

/* LIFO: 10000 blocks of 64 bytes, freed last first ---------------------------------------------------------------- */

enum { LIFO_LIVE = 10000, LIFO_SIZE = 64 };

/* A slice is all blocks once. */
EXPORT(lifo) void lifo(u32 index, u32 slices, double limit) {
  struct worker *self = worker(index);
  u32 *table = table_at(index);
  u32 done = 0;
  begin(self);
  for (; !over(self, done, slices, limit); done++) {
    for (u32 i = 0; i < LIFO_LIVE; i++) put(table, i, obtain(self, LIFO_SIZE), LIFO_SIZE);
    for (u32 i = LIFO_LIVE; i-- > 0;) drop(self, table, i);
  }
  end(self, (u64)done * LIFO_LIVE * 2);
}

/* alloc-test: skewed sizes and lifetimes, as in bench/assembly/driver/replacement.ts ------------------------------ */

enum { YOUNG = 64, REPLACEMENTS = 4000 };

/* Half of the sizes within 9..16 bytes, a quarter within 17..32, and so on up to 8 KiB. */
static inline u32 skewed(struct worker *self) {
  u32 r = draw(self);
  u32 e = (u32)__builtin_ctz(r | 0x200);
  return (16u << e) - ((r >> 10) & ((8u << e) - 1));
}

EXPORT(allocTestSetup) void alloc_test_setup(u32 index) {
  struct worker *self = worker(index);
  u32 *table = table_at(index);
  for (u32 i = 0; i < TABLE_ENTRIES; i++) {
    u32 size = skewed(self);
    put(table, i, obtain(self, size), size);
  }
}

/* Slices of 4000 replacements in the worker's own 16384 blocks, three in four among the youngest 64. */
EXPORT(allocTest) void alloc_test(u32 index, u32 slices, double limit) {
  struct worker *self = worker(index);
  u32 *table = table_at(index);
  u32 done = 0;
  begin(self);
  for (; !over(self, done, slices, limit); done++) {
    for (u32 k = 0; k < REPLACEMENTS; k++) {
      u32 r = draw(self);
      u32 i = (r & 3 ? self->cursor - ((r >> 8) % YOUNG) : r >> 8) & (TABLE_ENTRIES - 1);
      self->cursor++;
      u32 size = skewed(self);
      drop(self, table, i);
      put(table, i, obtain(self, size), size);
    }
  }
  end(self, (u64)done * REPLACEMENTS * 2);
}

EXPORT(allocTestFinish) void alloc_test_finish(u32 index) {
  struct worker *self = worker(index);
  u32 *table = table_at(index);
  for (u32 i = 0; i < TABLE_ENTRIES; i++) drop(self, table, i);
}

/* larson: random replacement, some blocks handed on --------------------------------------------------------------- */

enum { LARSON_LIVE = 10000, LARSON_MAX = 1024, ROUND = 25, LOT = 1000 };

static void larson_fill(struct worker *self, u32 *table, u32 count) {
  for (u32 i = 0; i < count; i++) {
    u32 size = between(self, 1, LARSON_MAX);
    put(table, i, obtain(self, size), size);
  }
}

/* A live set for each worker. A lot lies in a table of its own; there is one more than workers, and that is full. */
EXPORT(larsonSetup) void larson_setup(u32 index) {
  struct worker *self = worker(index);
  larson_fill(self, table_at(index), LARSON_LIVE);
  self->lot = self->threads + index;
  if (index) return;
  larson_fill(self, table_at(2 * self->threads), LOT);
  set(SPARE, 2 * self->threads);
}

static void copy_lot(u32 *to, const u32 *from) {
  for (u32 i = 0; i < LOT; i++) {
    to[i] = from[i];
    to[TABLE_ENTRIES + i] = from[TABLE_ENTRIES + i];
  }
}

/* Puts a tenth of the live set down where others find it and takes what lies there instead. */
static void hand_on(struct worker *self, u32 *table, u32 round) {
  u32 *window = table + round % (LARSON_LIVE / LOT) * LOT;
  copy_lot(table_at(self->lot), window);
  self->lot = atomic_exchange(SPARE, self->lot);
  copy_lot(window, table_at(self->lot));
}

/*
 * Slices of 4000 replacements among 10000 blocks of 1 to 1024 bytes. After a round of 25 slices, 100000 replacements,
 * a worker puts 1000 blocks down and goes on with the 1000 that lie there: with two at work mostly the other's. So one
 * free in a hundred is of a block that another thread allocated, as in the original with the usual 100 replacements a
 * block before its threads hand over. Nobody waits for anybody.
 */
EXPORT(larson) void larson(u32 index, u32 slices, double limit) {
  struct worker *self = worker(index);
  u32 *table = table_at(index);
  u32 done = 0;
  begin(self);
  for (; !over(self, done, slices, limit); done++) {
    for (u32 k = 0; k < REPLACEMENTS; k++) {
      u32 i = below(self, LARSON_LIVE);
      u32 size = between(self, 1, LARSON_MAX);
      drop(self, table, i);
      put(table, i, obtain(self, size), size);
    }
    if (++self->slices % ROUND == 0) hand_on(self, table, self->slices / ROUND);
  }
  end(self, (u64)done * REPLACEMENTS * 2);
}

EXPORT(larsonFinish) void larson_finish(u32 index) {
  struct worker *self = worker(index);
  for (u32 i = 0; i < LARSON_LIVE; i++) drop(self, table_at(index), i);
  if (index) return;
  for (u32 i = 0; i < LOT; i++) drop(self, table_at(get(SPARE)), i);
}
