/*
 * The least malloc that threads can share, to compare with where there is no libc: addresses are given out upwards from
 * __heap_base, and nothing is ever used again.
 */
#include <stddef.h>
#include <stdint.h>

extern unsigned char __heap_base;

static _Atomic uintptr_t top;

void *malloc(size_t size) {
  size_t need = (size + 31) / 16 * 16;
  uintptr_t base = ((uintptr_t)&__heap_base + 15) / 16 * 16;
  uintptr_t at = base + __atomic_fetch_add((uintptr_t *)&top, need, __ATOMIC_SEQ_CST);
  /* Threads that grow at the same time only get more than they need. */
  while (at + need > __builtin_wasm_memory_size(0) * 65536) {
    if (__builtin_wasm_memory_grow(0, need / 65536 + 16) == (size_t)-1) return NULL;
  }
  *(size_t *)at = size;
  return (void *)(at + 16);
}

void free(void *ptr) { (void)ptr; }

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *ptr, size_t size) {
  unsigned char *to = malloc(size);
  size_t old = ((size_t *)ptr)[-4];
  if (to != NULL) __builtin_memcpy(to, ptr, old < size ? old : size);
  return to;
}
