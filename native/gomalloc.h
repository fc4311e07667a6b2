/*
 * gomalloc for C and C++: what it has beyond the malloc of libc.
 *
 * malloc and its family come from <stdlib.h>; gomalloc.c defines them. This header adds options, the misuse hook, C23's
 * sized frees and the heap's statistics. Each function here is an import from module "gomalloc" or a call of gomalloc.c,
 * and only what a program calls is imported: gomalloc_memstats, gomalloc_validate and gomalloc_validate_info take the
 * host flavour of the allocator, which counts and is larger; everything else is in the small one.
 *
 * One heap an instance; in a program with threads one heap in the shared memory, for all of them. Sizes are bytes.
 */
#ifndef GOMALLOC_H
#define GOMALLOC_H

#include <stddef.h>
#include <stdint.h>

#define GOMALLOC_IMPORT(name) __attribute__((import_module("gomalloc"), import_name(#name)))

#ifdef __cplusplus
#define GOMALLOC_ASSERT(condition) static_assert(condition, #condition)
extern "C" {
#else
#define GOMALLOC_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* ---- Options: gomalloc_mallopt(parameter, value), before or after the first malloc ------------------------------- */

/* 0: misuse traps (default). 1: the misused call does nothing; realloc returns NULL. */
#define GOMALLOC_M_MISUSE 1
/* Bytes that the heap may obtain, its records included; 0: no limit. malloc beyond it returns NULL. */
#define GOMALLOC_M_MAX_BYTES 2
/* Bytes from which on the heap grows by what it needs and keeps no reserve; 0: none. */
#define GOMALLOC_M_SOFT_LIMIT 3
/* Bytes that a growth may add to its need, at most 16 MiB. */
#define GOMALLOC_M_RESERVE 4
/* With threads: milliseconds to wait for a lock before malloc gives up and returns NULL, at most an hour; 0: no end. */
#define GOMALLOC_M_LOCK_WAIT 5
/* With threads: 0 for a thread that must not sleep (a browser's main thread): it spins. Default 1. */
#define GOMALLOC_M_CAN_BLOCK 6
/* Where allocations are sampled (libgomalloc-profile.a, gomalloc link --profile), once the heap exists; the host's values
   are in force before. Mean bytes between two samples, 1: every block, 0: none. */
#define GOMALLOC_M_PROFILE_RATE 7
/* 1: sampled blocks are guarded. */
#define GOMALLOC_M_PROFILE_GUARD 8
/* Most bytes of freed blocks in quarantine. */
#define GOMALLOC_M_QUARANTINE 9

/* Values of GOMALLOC_M_MISUSE. */
#define GOMALLOC_MISUSE_TRAP 0
#define GOMALLOC_MISUSE_RETURN 1

/* 1 when the option was taken, 0 for an unknown parameter or a value out of range. Each thread has its own options. */
GOMALLOC_IMPORT(mallopt) int gomalloc_mallopt(int parameter, size_t value);

/* ---- Misuse ------------------------------------------------------------------------------------------------------ */

/* Kinds. All are found before anything is written: the heap is whole. */
#define GOMALLOC_DOUBLE_FREE 1   /* the block is free already, or was never given out */
#define GOMALLOC_FOREIGN 2       /* no block of this heap lies there */
#define GOMALLOC_INTERIOR 3      /* inside a block, not at its start */
#define GOMALLOC_TINY 4          /* a tiny block of mallocgc, which other objects share (host API only) */
#define GOMALLOC_SIZE_MISMATCH 5 /* a sized free names more bytes than the block has */
#define GOMALLOC_PINNED 6        /* a pinned object of the collector (host API only) */
/* Damage to guarded blocks, of which the host is told, not the hook: bytes behind a block, before it, of a freed one. */
#define GOMALLOC_OVERFLOW 7
#define GOMALLOC_UNDERFLOW 8
#define GOMALLOC_WRITE_AFTER_FREE 9

/*
 * The hook. A program that defines this function gets every misuse instead of a trap: print and abort(), or return, and
 * then the misused call does nothing. The heap is whole, so the hook may allocate. It is not called when
 * GOMALLOC_M_MISUSE is 1. The definition is exported under this name, by which `gomalloc link` finds it.
 */
__attribute__((export_name("gomalloc_on_misuse"))) void gomalloc_on_misuse(int kind, void *ptr);

/* ---- Beyond ISO C17; defined in gomalloc.c ----------------------------------------------------------------------- */

/* C23. free, told the size that was asked for. A size above the block's is a misuse of kind 5. */
void free_sized(void *ptr, size_t size);
/* C23. The same for what aligned_alloc gave. */
void free_aligned_sized(void *ptr, size_t alignment, size_t size);
/* Bytes that the live block has, at least what was asked for; 0 for NULL. */
size_t malloc_usable_size(void *ptr);
/* Empty spans that are kept for their size go back to the page heap. 1 when there were any, else 0. */
int malloc_trim(size_t pad);

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

#ifdef __wasm_atomics__
/*
 * The calling thread is about to end: what it cached for its allocations goes to whoever comes next. Where threads are
 * those of wasi-threads or emscripten, `gomalloc link` puts the call there; others make it themselves, as the thread's
 * last act (a malloc or free behind it is right, but undoes it). Blocks stay what they are.
 */
__attribute__((import_module("gomalloc"), import_name("gomalloc_thread_exit"))) void gomalloc_thread_exit(void);
/*
 * Call it in a thread that was handed a block, before code that `gomalloc link` has not seen works on it by memory.fill,
 * memory.copy or atomics: another module over the same memory, or a function made at run time. V8 keeps the memory's size
 * per thread, and where another thread has grown the memory these trap ("memory access out of bounds") until this call.
 * Linked code needs none: it compares by itself. A load and a compare.
 */
__attribute__((import_module("gomalloc"), import_name("gomalloc_sync"))) void gomalloc_sync(void);
/* How many threads at most have used the heap at the same time so far: the number of Ps. Host flavour. */
__attribute__((import_module("gomalloc"), import_name("numPs"))) uint32_t gomalloc_num_ps(void);
#else
static inline void gomalloc_thread_exit(void) {}
static inline void gomalloc_sync(void) {}
#endif

/* ---- Statistics and checks; host flavour ------------------------------------------------------------------------- */

/* One size class. Objects and spans are counts. */
struct gomalloc_class_stats {
  uint64_t size; /* bytes of a slot; 0 for class 0, which stands for large objects */
  uint64_t mallocs;
  uint64_t frees;
  uint64_t spans;
};

/*
 * The record, version 1. Names and meaning as in Go's runtime.MemStats where there is such a field. Always
 * sys == heap_sys + stack_inuse + mspan_sys + mcache_sys + buck_hash_sys + gc_sys + other_sys.
 */
struct gomalloc_stats {
  uint64_t version;
  uint64_t sys;           /* bytes obtained, metadata included */
  uint64_t heap_sys;      /* bytes obtained for spans: in use, idle, or not yet given out */
  uint64_t heap_inuse;    /* bytes in spans that are in use or retained */
  uint64_t heap_idle;     /* bytes in pages that belong to no span */
  uint64_t heap_alloc;    /* bytes of live objects, each rounded up to its class or its pages */
  uint64_t total_alloc;   /* bytes of all objects ever allocated */
  uint64_t mallocs;       /* objects ever allocated */
  uint64_t frees;         /* objects ever freed */
  uint64_t tiny_allocs;   /* mallocgc only */
  uint64_t large_mallocs; /* objects of more than 32768 bytes */
  uint64_t large_frees;
  uint64_t large_live_bytes;
  uint64_t mspan_inuse; /* bytes of the records of spans in use */
  uint64_t other_sys;   /* bytes obtained that no other field has: tables of pages, what is spare between records */
  uint64_t refills;     /* mallocs for which the mcache had no slot */
  uint64_t group_refills;
  uint64_t span_refills;
  uint64_t central_hits;
  uint64_t central_grows;
  uint64_t page_cache_hits;
  uint64_t page_cache_refills;
  uint64_t page_allocs;
  uint64_t sys_grows;         /* growths of the memory by the heap */
  uint64_t sys_grow_failures; /* growths that were refused */
  uint64_t reclaims;
  uint64_t realloc_in_place;
  uint64_t realloc_moves;
  uint64_t zeroed_bytes_skipped; /* asked for as zero and known to be zero */
  uint64_t zeroed_bytes_cleared;
  uint64_t misuses;
  uint64_t spans_in_use;
  uint64_t tiny_blocks;
  uint64_t heap_retained; /* bytes in spans without a live object, kept for their class; part of heap_inuse */
  uint64_t stack_inuse;   /* bytes of registered stacks in live blocks; not in the fields named heap_ */
  uint64_t mspan_sys;     /* bytes of all records of spans */
  uint64_t mcache_inuse;  /* bytes of the caches of each P */
  uint64_t mcache_sys;    /* bytes obtained for them */
  uint64_t buck_hash_sys; /* bytes of profiles: 0 */
  uint64_t gc_sys;        /* bytes of the collector's marks and tables */
  struct gomalloc_class_stats by_size[68];
};

GOMALLOC_ASSERT(offsetof(struct gomalloc_stats, heap_alloc) == 5 * 8);
GOMALLOC_ASSERT(offsetof(struct gomalloc_stats, refills) == 15 * 8);
GOMALLOC_ASSERT(offsetof(struct gomalloc_stats, gc_sys) == 39 * 8);
GOMALLOC_ASSERT(offsetof(struct gomalloc_stats, by_size) == 40 * 8);
GOMALLOC_ASSERT(sizeof(struct gomalloc_stats) == 312 * 8);

/*
 * A freshly filled record, valid until the next call; NULL when there is no memory for a heap, or its records are damaged.
 * O(spans).
 */
GOMALLOC_IMPORT(memstats) const struct gomalloc_stats *gomalloc_memstats(void);
/* One line of figures on standard error. Defined in gomalloc_debug.c. */
void malloc_stats(void);
/*
 * 0 when every invariant of the heap holds, else the number of a broken one. O(records of the heap). No other thread may
 * be in the allocator.
 */
GOMALLOC_IMPORT(validate) uint32_t gomalloc_validate(void);
/* The address that the last result of gomalloc_validate is about. */
GOMALLOC_IMPORT(validateInfo) void *gomalloc_validate_info(void);

#ifdef __cplusplus
}
#endif
#undef GOMALLOC_ASSERT

/* ---- Arenas: gm_arena_new, gm_arena_alloc, gm_arena_free and more ------------------------------------------------ */

/* Who copies files of this folder and uses no arenas needs gomalloc.c and gomalloc.h alone. */
#ifdef __has_include
#if __has_include("gomalloc_arena.h")
#include "gomalloc_arena.h"
#endif
#endif

#endif
