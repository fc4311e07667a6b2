/*
 * Members of the malloc family that are called with one constant, or from one place only: an optimiser leaves the
 * constant out of the function's type, or makes one function of the member and its caller. KIND says which.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define NOINLINE __attribute__((noinline))

#define CALLOC 1
#define CALLOC_ONE 2
#define REALLOC 3
#define REALLOCARRAY 4
#define ALIGNED 5
#define POSIX 6
#define FREE 7
#define HEADER 8

struct part { unsigned char *data; unsigned size; };

#if KIND == CALLOC
NOINLINE static void *make(unsigned n) { return calloc(n, 4); }
#elif KIND == CALLOC_ONE
NOINLINE static void *make(unsigned n) { return calloc(1, n); }
#elif KIND == REALLOC
NOINLINE static void *make(unsigned n) { return realloc(malloc(n), 400); }
#elif KIND == REALLOCARRAY
NOINLINE static void *again(void *p, unsigned n) { return realloc(p, n * 4); }
NOINLINE static void *make(unsigned n) { return again(again(NULL, n), n + 1); }
#elif KIND == ALIGNED
NOINLINE static void *make(unsigned n) { return aligned_alloc(256, n); }
#elif KIND == POSIX
NOINLINE static void *make(unsigned n) { void *p; return posix_memalign(&p, 256, n) ? NULL : p; }
#elif KIND == HEADER
/* An allocation with a hidden word in front: the sizes are not malloc's. */
NOINLINE static void *make(unsigned n) { unsigned *p = calloc(n + 24, 1); return p; }
#else
NOINLINE static void *make(unsigned n) { return malloc(n); }
#endif

#if KIND == FREE
NOINLINE static void give(void *p) { struct part *part = p; free(part->data); free(part); }
#else
NOINLINE static void give(void *p) { free(p); }
#endif

/* 0 when every block has room for 4 * n bytes where the kind says so, zeroes and alignment, and keeps what is in it. */
EXPORT("check") uint32_t check(uint32_t n) {
  uint32_t bad = 0;
  unsigned char *dirty[8];
  for (int i = 0; i < 8; i++) { dirty[i] = malloc(n * 4); memset(dirty[i], 0xff, n * 4); }
#if KIND == FREE
  for (int i = 0; i < 8; i++) { ((struct part *)dirty[i])->data = malloc(n); }
#endif
  for (int i = 0; i < 8; i++) give(dirty[i]);
  unsigned char *blocks[8];
  uint32_t size = KIND == CALLOC || KIND == REALLOCARRAY ? n * 4 : KIND == REALLOC ? 400 : n;
  for (int i = 0; i < 8; i++) {
    blocks[i] = make(n);
    if ((KIND == ALIGNED || KIND == POSIX) && (uintptr_t)blocks[i] % 256) bad |= 1;
    if (KIND == CALLOC || KIND == CALLOC_ONE)
      for (uint32_t at = 0; at < size; at++) if (blocks[i][at]) bad |= 2;
    memset(blocks[i], i + 1, size);
  }
  for (int i = 0; i < 8; i++)
    for (uint32_t at = 0; at < size; at++) if (blocks[i][at] != i + 1) bad |= 4;
#if KIND != FREE
  for (int i = 0; i < 8; i++) give(blocks[i]);
#endif
  return bad;
}
