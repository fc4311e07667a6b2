/*
 * mimalloc behind the benchmark's allocator interface: its whole library, by its own static.c, over its own port to
 * WASI (memory comes from memory.grow), and the malloc family by the names that the others have. One source for
 * versions 2 and 3. bench/lib/build/native.ts has the flags.
 *
 * The module may import nothing but the memory, so what mimalloc asks of its host has answers here: it prints nothing,
 * finds no environment variable, and its clock stands still. The clock only says when freed pages are given back to
 * the system, and on wasm none are.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#undef stderr
#undef stdout
#define stderr NULL
#define stdout NULL
#define fputs(message, file) ((void)(message))
#define getenv(name) ((char *)NULL)
#define clock_gettime(id, time) ((time)->tv_sec = 0, (time)->tv_nsec = 0, 0)
#define clock() 0
#define sleep(seconds) ((void)(seconds))
#define sched_yield() 0
#define vsnprintf(buffer, size, format, arguments) (*(buffer) = 0)
#define snprintf(buffer, size, ...) (*(buffer) = 0)
#define abort() __builtin_trap()

#include "static.c"

#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(malloc) void *malloc_(size_t size) { return mi_malloc(size); }
EXPORT(free) void free_(void *p) { mi_free(p); }
EXPORT(calloc) void *calloc_(size_t count, size_t size) { return mi_calloc(count, size); }
EXPORT(realloc) void *realloc_(void *p, size_t size) { return mi_realloc(p, size); }
EXPORT(aligned_alloc) void *aligned_alloc_(size_t align, size_t size) { return mi_aligned_alloc(align, size); }
EXPORT(posix_memalign) int posix_memalign_(void **p, size_t align, size_t size) {
  return mi_posix_memalign(p, align, size);
}
EXPORT(malloc_usable_size) size_t malloc_usable_size_(void *p) { return mi_usable_size(p); }
