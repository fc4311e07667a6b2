/* Work on every member of the malloc family, for the tests of gomalloc swap. Nothing depends on where blocks lie. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef WITH_SBRK
#include <unistd.h>
#endif

#define EXPORT(name) __attribute__((export_name(name)))
#define SLOTS 512

/* Called through the table as well. */
static void *(*volatile by_table)(size_t) = malloc;

static uint32_t state;
static uint32_t next(void) { return (state = state * 1103515245u + 12345u) >> 8; }

struct block { unsigned char *at; uint32_t size; unsigned char fill; };
static struct block blocks[SLOTS];

static uint32_t hash(uint32_t sum, const unsigned char *at, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) sum = (sum ^ at[i]) * 16777619u;
  return sum;
}

static void *obtain(uint32_t kind, uint32_t size) {
  void *out = NULL;
  switch (kind) {
    case 0: return malloc(size);
    case 1: return calloc(size, 1);
    case 2: return aligned_alloc(64, (size + 63) & ~63u);
    case 3: return posix_memalign(&out, 256, size) ? NULL : out;
    default: return by_table(size);
  }
}

/* A checksum of all contents; 0: something was wrong. */
EXPORT("work") uint32_t work(uint32_t seed, uint32_t steps) {
  uint32_t sum = 2166136261u;
  state = seed;
  for (uint32_t step = 0; step < steps; step++) {
    struct block *b = &blocks[next() % SLOTS];
    uint32_t size = next() % 64 == 0 ? next() % 200000 : next() % 600;
    uint32_t kind = next() % 5;
    if (b->at == NULL) {
      b->at = obtain(kind, size);
      if (b->at == NULL) return 0;
      if (kind == 1) for (uint32_t i = 0; i < size; i++) if (b->at[i] != 0) return 0;
      if (kind == 2 && (uintptr_t)b->at % 64 != 0) return 0;
      if (kind == 3 && (uintptr_t)b->at % 256 != 0) return 0;
      if (malloc_usable_size(b->at) < size) return 0;
    } else if (kind < 2) {
      uint32_t kept = size < b->size ? size : b->size;
      unsigned char *moved = realloc(b->at, size);
      if (moved == NULL) return 0;
      sum = hash(sum, moved, kept);
      b->at = moved;
    } else {
      sum = hash(sum, b->at, b->size);
      free(b->at);
      b->at = NULL;
      continue;
    }
    b->size = size;
    b->fill = (unsigned char)next();
    memset(b->at, b->fill, size);
  }
  for (int i = 0; i < SLOTS; i++) {
    sum = hash(sum, blocks[i].at, blocks[i].at ? blocks[i].size : 0);
    free(blocks[i].at);
    blocks[i].at = NULL;
  }
  return sum ? sum : 1;
}

/* Bytes between two neighbours of 64 bytes: a header between them shows. */
EXPORT("stride") uint32_t stride(void) {
  char *volatile first = malloc(64), *volatile second = malloc(64), *volatile third = malloc(64);
  return (uint32_t)(third - second == second - first ? second - first : 0);
}

/* A second caller of each, so that no optimiser takes them into the first. Bits: what went wrong. */
EXPORT("misaligned") int misaligned(uint32_t align, uint32_t size) {
  void *posix = NULL;
  unsigned char *block = aligned_alloc(align, size), *zero = calloc(size, 3);
  int wrong = posix_memalign(&posix, align, size);
  if ((uintptr_t)block % align || (uintptr_t)posix % align) wrong |= 64;
  if (malloc_usable_size(block) < size) wrong |= 128;
  zero = realloc(zero, size * 6);
  for (uint32_t i = 0; i < size * 3; i++) if (zero[i]) wrong |= 256;
  free(block);
  free(posix);
  free(zero);
  return wrong;
}

EXPORT("bad_alignment") int bad_alignment(void) {
  void *out;
  return posix_memalign(&out, 24, 8);
}

EXPORT("too_much") int too_much(void) {
  void *volatile large = malloc(0xfffffff0u), *volatile product = calloc(65536, 65537);
  return large != NULL || product != NULL;
}

#ifdef WITH_SBRK
EXPORT("take") void *take(void) { return sbrk(65536); }
#endif
