/*
 * Every function of gomalloc.c, called as a C program would. One line for each check that fails; "ok" and the number of
 * checks at the end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "gomalloc.h"

void *memalign(size_t, size_t);
void *valloc(size_t);
void *pvalloc(size_t);
void *reallocarray(void *, size_t, size_t);
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

/* The call fails as libc's does: NULL, and errno says why. */
#define FAILS(call, code)          \
  do {                             \
    errno = 0;                     \
    CHECK((call) == NULL);         \
    CHECK(errno == (code));        \
  } while (0)

static int aligned(void *ptr, size_t align) { return ptr != NULL && (uintptr_t)ptr % align == 0; }

/* Sizes that the compiler must not see through. */
static volatile size_t huge = 0xfffff000u, half = 0x80000001u, none = 0;

int main(void) {
  char *p = malloc(100);
  CHECK(aligned(p, 16));
  CHECK(malloc_usable_size(p) >= 100);
  CHECK(malloc_usable_size(NULL) == 0);
  memset(p, 7, malloc_usable_size(p));
  p = realloc(p, 100000);
  CHECK(p != NULL && p[0] == 7 && p[99] == 7);
  p = reallocarray(p, 10, 5);
  CHECK(p != NULL && p[0] == 7 && p[49] == 7);
  free(p);
  free(NULL);

  void *a = malloc(none), *b = malloc(none);
  CHECK(a != NULL && b != NULL && a != b);
  free(a);
  free(b);

  memset(p = malloc(3000), 0xff, 3000);
  free(p);
  p = calloc(300, 10);
  int dirty = 0;
  for (int i = 0; i < 3000; i++) dirty |= p[i];
  CHECK(dirty == 0);
  free(p);

  for (size_t align = 1; align <= 65536; align *= 2) {
    p = aligned_alloc(align, 40);
    CHECK(aligned(p, align));
    free_aligned_sized(p, align, 40);
    p = memalign(align, 3 * align);
    CHECK(aligned(p, align));
    free(p);
    void *out = NULL;
    CHECK(posix_memalign(&out, align, 24) == (align < 4 ? EINVAL : 0));
    CHECK(align < 4 ? out == NULL : aligned(out, align));
    free_sized(out, 24);
  }
  free_sized(NULL, 0);
  free_sized(NULL, 12);
  p = valloc(10);
  CHECK(aligned(p, 65536));
  free(p);
  p = pvalloc(10);
  CHECK(aligned(p, 65536) && malloc_usable_size(p) >= 65536);
  free(p);

  FAILS(malloc(huge), ENOMEM);
  FAILS(calloc(half, 2), ENOMEM);
  FAILS(calloc(2, huge), ENOMEM);
  FAILS(reallocarray(NULL, half, 2), ENOMEM);
  FAILS(aligned_alloc(16, huge), ENOMEM);
  FAILS(aligned_alloc(24, 48), EINVAL);
  FAILS(aligned_alloc(none, 48), EINVAL);
  FAILS(pvalloc(0xffffffffu - (none + 1)), ENOMEM);
  void *out = &out;
  errno = 0;
  CHECK(posix_memalign(&out, 16, huge) == ENOMEM && out == &out && errno == 0);
  CHECK(posix_memalign(&out, 24, 48) == EINVAL && out == &out && errno == 0);
  p = malloc(64);
  memset(p, 9, 64);
  FAILS(realloc(p, huge), ENOMEM);
  CHECK(p[63] == 9);
  free(p);

  p = __libc_malloc(20);
  p = __libc_realloc(p, 2000);
  CHECK(malloc_usable_size(p) >= 2000);
  __libc_free(p);
  p = __libc_calloc(5, 5);
  CHECK(p[24] == 0);
  __libc_free(p);
  p = __libc_memalign(512, 5);
  CHECK(aligned(p, 512));
  __libc_free(p);

  CHECK(gomalloc_mallopt(99, 0) == 0);
  CHECK(gomalloc_mallopt(GOMALLOC_M_RESERVE, 1u << 30) == 0);
  CHECK(gomalloc_mallopt(GOMALLOC_M_RESERVE, 65536) == 1);
  void *spans[64];
  for (int i = 0; i < 64; i++) spans[i] = malloc(8000);
  for (int i = 0; i < 64; i++) free(spans[i]);
  CHECK(malloc_trim(0) == 1);
  CHECK(malloc_trim(0) == 0);

  /* The limit is on what the heap obtains: it has more than that, and lives on what it has. */
  CHECK(gomalloc_mallopt(GOMALLOC_M_MAX_BYTES, 1) == 1);
  FAILS(malloc(48 << 20), ENOMEM);
  p = malloc(1000);
  CHECK(p != NULL);
  free(p);
  CHECK(gomalloc_mallopt(GOMALLOC_M_MAX_BYTES, 0) == 1);
  p = malloc(48 << 20);
  CHECK(p != NULL);
  free(p);

  printf("%s %d\n", failures == 0 ? "ok" : "failed", checks);
  return failures != 0;
}
