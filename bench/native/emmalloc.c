/*
 * What the benchmark asks of emmalloc and its own function refuses: an aligned block whose size is no multiple of the
 * alignment. Its own is weak.
 */

#include <stddef.h>

extern void *memalign(size_t align, size_t size);

void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
