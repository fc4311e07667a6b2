/* gm_arena_*: blocks that do not overlap, alignment, sizes that no memory has, memory that runs out, reset and free. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "gomalloc.h"

#define BLOCKS 3000

struct block {
  unsigned char *at;
  size_t size;
};

static uint32_t seed = 0x6c;
static uint32_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}

/* Fills blocks of many sizes, each with a byte of its own, and looks at the end whether they still have it. */
static void fill(gm_arena *arena, size_t most) {
  static struct block blocks[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) {
    uint32_t kind = next_random() % 8;
    size_t size = next_random() % (kind == 0 ? most : 200);
    size_t align = size >= 16 ? 16 : 8;
    unsigned char *at;
    if (kind == 1) {
      align = (size_t)1 << next_random() % 13;
      at = (unsigned char *)gm_arena_aligned_alloc(arena, align, size);
    } else if (kind == 2) {
      at = (unsigned char *)gm_arena_calloc(arena, size, 1);
      for (size_t n = 0; n < size; n++)
        if (at[n] != 0) CHECK(at[n] == 0);
    } else {
      at = (unsigned char *)gm_arena_alloc(arena, size);
    }
    CHECK(at != NULL && (uintptr_t)at % align == 0);
    memset(at, i & 0xff, size);
    blocks[i].at = at;
    blocks[i].size = size;
  }
  int changed = 0, equal = 0;
  for (int i = 0; i < BLOCKS; i++) {
    for (size_t n = 0; n < blocks[i].size; n++) changed += blocks[i].at[n] != (i & 0xff);
    if (i > 0) equal += blocks[i].at == blocks[i - 1].at;
  }
  CHECK(changed == 0);
  CHECK(equal == 0);
}

int main(void) {
  gm_arena *arena = gm_arena_new(0);
  CHECK(arena != NULL && gm_arena_bytes(arena) == GM_ARENA_CHUNK);

  /* Size 0 is a block of its own. */
  CHECK(gm_arena_alloc(arena, 0) != gm_arena_alloc(arena, 0));
  CHECK(gm_arena_calloc(arena, 0, 8) != NULL);
  CHECK(gm_arena_bytes(arena) == GM_ARENA_CHUNK);

  /* No memory has these; the arena stays as it was. */
  char *before = (char *)gm_arena_alloc(arena, 16);
  for (size_t less = 0; less < 200; less++) {
    CHECK(gm_arena_alloc(arena, SIZE_MAX - less) == NULL);
    CHECK(gm_arena_calloc(arena, SIZE_MAX - less, 1) == NULL);
  }
  CHECK(gm_arena_calloc(arena, 65536, 65536) == NULL);
  CHECK(gm_arena_calloc(arena, SIZE_MAX, SIZE_MAX) == NULL);
  CHECK(gm_arena_aligned_alloc(arena, 4096, SIZE_MAX - 4096) == NULL);
  CHECK(gm_arena_aligned_alloc(arena, (size_t)1 << 31, SIZE_MAX / 2) == NULL);
  CHECK(gm_arena_aligned_alloc(arena, 0, 8) == NULL);
  CHECK(gm_arena_aligned_alloc(arena, 24, 8) == NULL);
  CHECK((char *)gm_arena_alloc(arena, 16) == before + 16);
  CHECK(gm_arena_bytes(arena) == GM_ARENA_CHUNK);

  /* A block above a quarter of the next chunk has a chunk of its own; the present one is used on. */
  before = (char *)gm_arena_alloc(arena, 8);
  CHECK(gm_arena_alloc(arena, 100000) != NULL);
  CHECK((char *)gm_arena_alloc(arena, 8) == before + 8);

  fill(arena, 300000);
  size_t grown = gm_arena_bytes(arena);
  CHECK(grown > 2 * GM_ARENA_MAX_CHUNK);

  /* reset keeps the first chunk and the largest. The same again needs no more memory than before. */
  gm_arena_reset(arena);
  CHECK(gm_arena_bytes(arena) == GM_ARENA_CHUNK + GM_ARENA_MAX_CHUNK);
  for (int round = 0; round < 3; round++) {
    fill(arena, 3000);
    gm_arena_reset(arena);
    CHECK(gm_arena_bytes(arena) == GM_ARENA_CHUNK + GM_ARENA_MAX_CHUNK);
  }
  gm_arena_free(arena);
  gm_arena_free(NULL);

  /* All of it goes back: the same memory serves arena after arena. */
#ifdef GOMALLOC
  size_t pages = __builtin_wasm_memory_size(0);
#endif
  for (int round = 0; round < 300; round++) {
    arena = gm_arena_new(round % 2 ? 1 : 5000);
    CHECK(arena != NULL && gm_arena_bytes(arena) == (round % 2 ? 256 : 5000));
    for (int i = 0; i < 40; i++) CHECK(gm_arena_alloc(arena, 40000) != NULL);
    gm_arena_free(arena);
  }
#ifdef GOMALLOC
  CHECK(__builtin_wasm_memory_size(0) == pages);

  /* Memory is out: NULL, and what there is can still be used. */
  CHECK(gomalloc_mallopt(GOMALLOC_M_MAX_BYTES, pages * 65536) == 1);
  arena = gm_arena_new(0);
  int n = 0;
  while (gm_arena_alloc(arena, 1000) != NULL) n++;
  CHECK((size_t)n > pages * 65536 / 4000);
  size_t full = gm_arena_bytes(arena);
  CHECK(gm_arena_alloc(arena, 100000) == NULL);
  CHECK(gm_arena_bytes(arena) == full);
  gm_arena_reset(arena);
  CHECK(gm_arena_alloc(arena, 1000) != NULL);
  gm_arena_free(arena);

  /* A block of an arena is no block of malloc's. */
  CHECK(gomalloc_mallopt(GOMALLOC_M_MISUSE, GOMALLOC_MISUSE_RETURN) == 1);
  arena = gm_arena_new(0);
  free(gm_arena_alloc(arena, 64));
  CHECK(gm_arena_alloc(arena, 64) != NULL);
  gm_arena_free(arena);
#endif
  printf(failures ? "failed %d\n" : "ok %d\n", failures ? failures : checks);
  return failures != 0;
}
