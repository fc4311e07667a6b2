/*
 * What bench/arena.ts --c measures: `n` blocks of 24 bytes from malloc and from an arena, a word of each written, and the
 * end of all of them.
 */
#include "gomalloc.h"

#define MOST 100000
#define SIZE 24

static int *blocks[MOST];
static gm_arena *arena;

__attribute__((export_name("malloc_blocks"))) void malloc_blocks(int n) {
  for (int i = 0; i < n; i++) *(blocks[i] = (int *)malloc(SIZE)) = i;
}

__attribute__((export_name("free_blocks"))) void free_blocks(int n) {
  for (int i = 0; i < n; i++) free(blocks[i]);
}

__attribute__((export_name("arena_blocks"))) void arena_blocks(int n) {
  arena = gm_arena_new(0);
  for (int i = 0; i < n; i++) *(blocks[i] = (int *)gm_arena_alloc(arena, SIZE)) = i;
}

__attribute__((export_name("free_arena"))) void free_arena(void) {
  gm_arena_free(arena);
}
