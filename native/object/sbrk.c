/*
 * sbrk over memory.grow: libc's own would hand out memory behind __heap_base, which is gomalloc's. Memory is given in
 * multiples of 64 KiB, and two calls need not give neighbours.
 */
#include <stddef.h>
#include <stdint.h>

int gomalloc_ready(void);
int gomalloc_grow(size_t pages);
void gomalloc_set_errno(int code);

enum { NO_MEMORY = 48 };

/* The end of the memory before it has grown by `bytes`; (void *)-1 and ENOMEM if it cannot, or is to shrink. */
void *sbrk(intptr_t bytes) {
  size_t pages = bytes > 0 ? ((size_t)bytes + 65535) >> 16 : 0;
  /* The heap takes what it finds when it is made, which must not be what is given here. */
  int before = bytes < 0 || !gomalloc_ready() ? -1 : gomalloc_grow(pages);
  if (before >= 0) return (void *)((size_t)before << 16);
  gomalloc_set_errno(NO_MEMORY);
  return (void *)-1;
}

/* There is no break to set. */
int brk(void *end) {
  (void)end;
  gomalloc_set_errno(NO_MEMORY);
  return -1;
}
