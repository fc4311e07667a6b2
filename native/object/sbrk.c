/*
 * sbrk beside the heap: libc's own would hand out memory behind __heap_base, which is gomalloc's. What it gives are blocks
 * of the heap that nobody frees, zeroed, in multiples of 64 KiB; two calls need not give neighbours.
 */
#include <stddef.h>
#include <stdint.h>

void *calloc(size_t count, size_t size);
void gomalloc_set_errno(int code);

enum { PAGE = 65536, NO_MEMORY = 48 };

/* The end of the memory for 0, else `bytes` zeroed bytes; (void *)-1 and ENOMEM if there are none, or it is to shrink. */
void *sbrk(intptr_t bytes) {
  if (bytes == 0) return (void *)(__builtin_wasm_memory_size(0) * PAGE);
  void *block = bytes < 0 ? NULL : calloc(((size_t)bytes + PAGE - 1) / PAGE, PAGE);
  if (block != NULL) return block;
  gomalloc_set_errno(NO_MEMORY);
  return (void *)-1;
}

/* There is no break to set. */
int brk(void *end) {
  (void)end;
  gomalloc_set_errno(NO_MEMORY);
  return -1;
}
