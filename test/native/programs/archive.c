/*
 * What libgomalloc.a has beyond family.c. One line for each check that fails; "ok" and the number of checks at the end. The
 * first block is allocated by the constructor that runs before all others.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "gomalloc.h"

/* As in glibc's malloc.h. */
struct mallinfo2 {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 mallinfo2(void);
int mallopt(int parameter, int value);
size_t malloc_good_size(size_t size);

static char *early;

#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wprio-ctor-dtor"
__attribute__((constructor(0))) static void first(void) { early = strcpy(malloc(40), "before all others"); }

extern unsigned char __heap_base;

int main(void) {
  CHECK(strcmp(early, "before all others") == 0);
  /* The heap begins behind the program's data and stack: what lies between is not lost. */
  CHECK((uintptr_t)early > (uintptr_t)&__heap_base && (uintptr_t)early < (uintptr_t)&__heap_base + 65536);
  free(early);

  struct mallinfo2 before = mallinfo2();
  CHECK(before.arena > 0 && before.uordblks + before.fordblks == before.arena);
  char *small[100];
  size_t usable = 0;
  for (int i = 0; i < 100; i++) usable += malloc_usable_size(small[i] = malloc(48));
  char *large = malloc(1000000);
  struct mallinfo2 after = mallinfo2();
  CHECK(after.hblks == before.hblks + 1);
  CHECK(after.hblkhd - before.hblkhd >= 1000000 && after.hblkhd - before.hblkhd < 1000000 + 8192);
  CHECK(after.uordblks - before.uordblks == usable);
  CHECK(after.uordblks + after.fordblks == after.arena && after.ordblks > 0);
  CHECK(after.smblks == 0 && after.usmblks == 0 && after.fsmblks == 0);
  for (int i = 0; i < 100; i++) free(small[i]);
  free(large);
  after = mallinfo2();
  CHECK(after.uordblks == before.uordblks && after.hblks == before.hblks && after.hblkhd == before.hblkhd);
  malloc_trim(0);
  CHECK(mallinfo2().keepcost == 0);

  for (size_t size = 0; size < 40000; size += size < 2000 ? 1 : 97) {
    size_t good = malloc_good_size(size);
    void *p = malloc(good);
    CHECK(good >= size && malloc_usable_size(p) >= good);
    free(p);
  }
  CHECK(malloc_good_size(33) <= 64 && malloc_good_size(100000) == 106496);
  CHECK(malloc_good_size(0xffffffffu) == 0xffffffffu);

  /* M_MXFAST, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD are hints; M_PERTURB would have an effect that is not there. */
  CHECK(mallopt(1, 64) == 1 && mallopt(-1, 1 << 20) == 1 && mallopt(-3, 1 << 20) == 1);
  CHECK(mallopt(-6, 1) == 0 && mallopt(99, 0) == 0);

  printf("%s %d\n", failures == 0 ? "ok" : "failed", checks);
  return failures != 0;
}
