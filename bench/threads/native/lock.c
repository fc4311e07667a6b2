/*
 * An allocator for one thread (module `inner`) made safe for several by one lock around every call: what a C library
 * does that has such an allocator. Compiled twice.
 *
 * FUTEX: the lock of Drepper's "Futexes Are Tricky" (0 free, 1 held, 2 held and somebody may be asleep) with the 100
 * spins that musl tries first. Otherwise a spin lock, test and test-and-set.
 *
 * The word lies at a fixed address below the heap, alone in its cache lines; a fresh memory has it unlocked.
 */
#include "bench.h"

IMPORT("inner", "malloc") void *inner_malloc(size_t size);
IMPORT("inner", "free") void inner_free(void *ptr);
IMPORT("inner", "calloc") void *inner_calloc(size_t count, size_t size);
IMPORT("inner", "realloc") void *inner_realloc(void *ptr, size_t size);
IMPORT("inner", "aligned_alloc") void *inner_aligned_alloc(size_t align, size_t size);

#define LOCK CONTROL(8)

#ifdef FUTEX

enum { SPINS = 100 };

/* Not inlined: the caller keeps the one compare-and-swap. */
static __attribute__((noinline)) void acquire_slowly(void) {
  for (u32 i = 0; i < SPINS; i++) {
    u32 held = 0;
    if (get(LOCK) == 0 && atomic_compare_exchange_strong(LOCK, &held, 1)) return;
  }
  while (atomic_exchange(LOCK, 2)) __builtin_wasm_memory_atomic_wait32((int *)LOCK, 2, -1);
}

static inline void acquire(void) {
  u32 held = 0;
  if (UNLIKELY(!atomic_compare_exchange_strong(LOCK, &held, 1))) acquire_slowly();
}

static inline void let_go(void) {
  if (UNLIKELY(atomic_exchange(LOCK, 0) == 2)) __builtin_wasm_memory_atomic_notify((int *)LOCK, 1);
}

#else

static inline void acquire(void) {
  while (UNLIKELY(atomic_exchange(LOCK, 1))) {
    for (u32 spins = 0; get(LOCK);) spins = pause(spins);
  }
}

static inline void let_go(void) {
  set(LOCK, 0);
}

#endif

/* The inner heap sets itself up at its first call. */
EXPORT(init) void init(u32 heap_base) {
  (void)heap_base;
}

EXPORT(malloc) void *locked_malloc(size_t size) {
  acquire();
  void *ptr = inner_malloc(size);
  let_go();
  return ptr;
}

EXPORT(free) void locked_free(void *ptr) {
  acquire();
  inner_free(ptr);
  let_go();
}

EXPORT(calloc) void *locked_calloc(size_t count, size_t size) {
  acquire();
  void *ptr = inner_calloc(count, size);
  let_go();
  return ptr;
}

EXPORT(realloc) void *locked_realloc(void *ptr, size_t size) {
  acquire();
  void *moved = inner_realloc(ptr, size);
  let_go();
  return moved;
}

EXPORT(aligned_alloc) void *locked_aligned_alloc(size_t align, size_t size) {
  acquire();
  void *ptr = inner_aligned_alloc(align, size);
  let_go();
  return ptr;
}
