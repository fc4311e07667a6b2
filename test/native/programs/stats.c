/* Statistics against what the program knows it did. Nothing is printed between the two readings: printf may allocate. */
#include <stdio.h>
#include <stdlib.h>

#include "gomalloc.h"

#define SMALL 1000

int main(void) {
  static void *blocks[SMALL];
  const struct gomalloc_stats before = *gomalloc_memstats();
  for (int i = 0; i < SMALL; i++) blocks[i] = malloc(128);
  void *large = malloc(100000);
  for (int i = 0; i < SMALL; i += 2) free(blocks[i]);
  const struct gomalloc_stats after = *gomalloc_memstats();

  int class = 0;
  while (class < 68 && after.by_size[class].size < 128) class++;
  unsigned slot = (unsigned)after.by_size[class].size;
  printf("version %u\n", (unsigned)after.version);
  printf("mallocs %u frees %u\n", (unsigned)(after.mallocs - before.mallocs), (unsigned)(after.frees - before.frees));
  printf("large %u of %u bytes\n", (unsigned)(after.large_mallocs - before.large_mallocs),
         (unsigned)(after.large_live_bytes - before.large_live_bytes));
  printf("class of %u: mallocs %u frees %u\n", slot,
         (unsigned)(after.by_size[class].mallocs - before.by_size[class].mallocs),
         (unsigned)(after.by_size[class].frees - before.by_size[class].frees));
  unsigned live = (unsigned)(after.heap_alloc - before.heap_alloc - (after.large_live_bytes - before.large_live_bytes));
  printf("small live bytes %s\n", live == SMALL / 2 * slot ? "as computed" : "wrong");
  uint64_t metadata = after.mspan_sys + after.mcache_sys + after.buck_hash_sys + after.gc_sys + after.other_sys;
  printf("sys %s\n", after.sys == after.heap_sys + after.stack_inuse + metadata ? "adds up" : "wrong");
  for (int i = 1; i < SMALL; i += 2) free(blocks[i]);
  free(large);
  printf("validate %u\n", (unsigned)gomalloc_validate());
  return 0;
}
