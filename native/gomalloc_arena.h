/*
 * Arenas for C and C++: blocks that are freed together. An allocation is an addition and a compare, freeing the arena one
 * free for each chunk. gomalloc.h includes this file; it can also be used alone, over any malloc.
 *
 *   first chunk   | struct gm_arena | block, block, ... |
 *   next chunks   | struct gm_arena_chunk | block, block, ... |     each twice as large as the last, up to 1 MiB
 *
 * What needs more than a quarter of the next chunk gets a chunk of its own, and the present one is used on. Blocks are
 * aligned to 16 from 16 bytes up, to 8 below, as malloc's are, and are at least 8 bytes apart. A block cannot be freed
 * alone: free() of one is a misuse.
 *
 * Owner: one thread at a time. Sizes are bytes. NULL: out of memory, or a size that no memory has; the arena is as it was.
 */
#ifndef GOMALLOC_ARENA_H
#define GOMALLOC_ARENA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of libc, or of gomalloc.c; <stdlib.h> is not needed. */
void *malloc(size_t size);
void free(void *ptr);

/* Bytes of the first chunk when gm_arena_new is given 0, and of the largest chunk that is not for one block. */
#define GM_ARENA_CHUNK ((size_t)65536)
#define GM_ARENA_MAX_CHUNK ((size_t)1048576)

struct gm_arena_chunk {
  struct gm_arena_chunk *next;
  size_t size; /* bytes, this record included */
  size_t unused[2];
};

/* The fields are the functions'. */
typedef struct gm_arena {
  char *at;                      /* where the next block may begin */
  char *end;                     /* end of the chunk that is in use */
  struct gm_arena_chunk *chunks; /* all but the first, the newest first */
  size_t size;                   /* bytes of the first chunk */
  size_t grown;                  /* bytes of the last chunk that is not for one block */
  size_t total;                  /* bytes of all chunks */
  size_t unused[2];
} gm_arena;

/* An arena whose first chunk has `chunk` bytes, at least 256; 0: 64 KiB. NULL: out of memory. */
static inline gm_arena *gm_arena_new(size_t chunk) {
  gm_arena *arena;
  if (chunk == 0) chunk = GM_ARENA_CHUNK;
  if (chunk < 256) chunk = 256;
  arena = (gm_arena *)malloc(chunk);
  if (arena == NULL) return NULL;
  arena->at = (char *)(arena + 1);
  arena->end = (char *)arena + chunk;
  arena->chunks = NULL;
  arena->size = arena->grown = arena->total = chunk;
  return arena;
}

/* `at` at the next multiple of `align`, a power of two; wraps to a small number at the end of the address space. */
static inline uintptr_t gm_arena_up(const char *at, size_t align) {
  return ((uintptr_t)at + (align - 1)) & ~(uintptr_t)(align - 1);
}

/* For gm_arena_aligned_alloc: a block from a new chunk. */
static inline void *gm_arena_grow(gm_arena *arena, size_t align, size_t size) {
  const size_t record = sizeof(struct gm_arena_chunk);
  size_t least, want;
  struct gm_arena_chunk *chunk;
  char *block;
  /* The chunk begins at a multiple of 8 at least. */
  if (size > (size_t)-1 - record - align) return NULL;
  least = record + size + align;
  want = arena->grown > GM_ARENA_MAX_CHUNK / 2 ? GM_ARENA_MAX_CHUNK : arena->grown * 2;
  if (least > want / 4) want = least;
  chunk = (struct gm_arena_chunk *)malloc(want);
  if (chunk == NULL && want > least) chunk = (struct gm_arena_chunk *)malloc(want = least);
  if (chunk == NULL) return NULL;
  chunk->next = arena->chunks;
  chunk->size = want;
  arena->chunks = chunk;
  arena->total += want;
  block = (char *)gm_arena_up((char *)(chunk + 1), align);
  if (want == least) return block;
  arena->grown = want;
  arena->at = block + size;
  arena->end = (char *)chunk + want;
  return block;
}

/* `size` bytes at a multiple of `align`, undefined. Size 0 is a block of its own. NULL also: `align` is no power of two. */
static inline void *gm_arena_aligned_alloc(gm_arena *arena, size_t align, size_t size) {
  uintptr_t block;
  if (align == 0 || (align & (align - 1)) != 0) return NULL;
  if (align < 8) align = 8;
  if (size == 0) size = 1;
  block = gm_arena_up(arena->at, align);
  if (block >= (uintptr_t)arena->at && block <= (uintptr_t)arena->end && size <= (uintptr_t)arena->end - block) {
    arena->at = (char *)(block + size);
    return (void *)block;
  }
  return gm_arena_grow(arena, align, size);
}

/* `size` bytes, undefined. */
static inline void *gm_arena_alloc(gm_arena *arena, size_t size) {
  return gm_arena_aligned_alloc(arena, size >= 16 ? 16 : 8, size);
}

/* `count` times `size` bytes, zeroed. NULL also: the product exceeds 2^32-1. */
static inline void *gm_arena_calloc(gm_arena *arena, size_t count, size_t size) {
  size_t bytes;
  void *block;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  block = gm_arena_alloc(arena, bytes);
  if (block != NULL) __builtin_memset(block, 0, bytes);
  return block;
}

/* Bytes of its chunks. */
static inline size_t gm_arena_bytes(const gm_arena *arena) {
  return arena->total;
}

/*
 * Frees all blocks and keeps the arena. Of its chunks the first stays, and the largest that is not for one block, which is
 * used from then on: an arena that is reset again and again soon needs no malloc.
 */
static inline void gm_arena_reset(gm_arena *arena) {
  struct gm_arena_chunk *kept = NULL, *chunk = arena->chunks;
  while (chunk != NULL) {
    struct gm_arena_chunk *next = chunk->next;
    if (kept == NULL && chunk->size == arena->grown) {
      kept = chunk;
    } else {
      arena->total -= chunk->size;
      free(chunk);
    }
    chunk = next;
  }
  arena->chunks = kept;
  if (kept != NULL) kept->next = NULL;
  arena->at = kept != NULL ? (char *)(kept + 1) : (char *)(arena + 1);
  arena->end = kept != NULL ? (char *)kept + kept->size : (char *)arena + arena->size;
}

/* Frees the arena and all its blocks. NULL is nothing. */
static inline void gm_arena_free(gm_arena *arena) {
  struct gm_arena_chunk *chunk;
  if (arena == NULL) return;
  chunk = arena->chunks;
  while (chunk != NULL) {
    struct gm_arena_chunk *next = chunk->next;
    free(chunk);
    chunk = next;
  }
  free(arena);
}

#ifdef __cplusplus
}
#endif
#endif
