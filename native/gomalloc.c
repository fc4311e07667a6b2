/*
 * gomalloc as the malloc of a C or C++ program: compile this file with the program, link, then `npx gomalloc link`.
 *
 * It defines malloc and its family, and the names by which the libcs call themselves, over imports from module
 * "gomalloc". The linker then never takes libc's own allocator out of its archive, and drops every wrapper that nothing
 * calls, its import with it. After the merge the optimiser dissolves the rest: a wrapper costs nothing but the test for
 * errno behind a NULL (leave it out with -DGOMALLOC_NO_ERRNO).
 *
 * Names, as found in the archives: wasi-libc's dlmalloc.o has the ISO functions, posix_memalign and __libc_malloc, _free,
 * _calloc. Emscripten's libdlmalloc.a and libemmalloc.a, which -sMALLOC=none leaves out, have __libc_realloc,
 * emscripten_builtin_*, memalign, malloc_usable_size, malloc_trim, valloc and pvalloc besides.
 * One name missing here would bring the other allocator back beside this one.
 */
#include "gomalloc.h"

#if __has_include(<errno.h>)
#include <errno.h>
#else
#define GOMALLOC_NO_ERRNO
#define EINVAL GM_EINVAL
#define ENOMEM GM_ENOMEM
#endif

#ifdef GOMALLOC_NO_ERRNO
#define FAIL(code) ((void)0)
#else
#define FAIL(code) (errno = (code))
#endif

/* What gomalloc's posix_memalign returns: Linux's numbers. The libcs of WebAssembly have others, 28 and 48. */
#define GM_EINVAL 22
#define GM_ENOMEM 12

/* Bytes of a page as sysconf(_SC_PAGESIZE) says: for valloc and pvalloc. */
#define PAGE ((size_t)65536)

GOMALLOC_IMPORT(init) void gm_init(uintptr_t heap_base);
GOMALLOC_IMPORT(malloc) void *gm_malloc(size_t size);
GOMALLOC_IMPORT(free) void gm_free(void *ptr);
GOMALLOC_IMPORT(calloc) void *gm_calloc(size_t count, size_t size);
GOMALLOC_IMPORT(realloc) void *gm_realloc(void *ptr, size_t size);
GOMALLOC_IMPORT(aligned_alloc) void *gm_aligned_alloc(size_t align, size_t size);
GOMALLOC_IMPORT(posix_memalign) int gm_posix_memalign(void **out, size_t align, size_t size);
GOMALLOC_IMPORT(malloc_usable_size) size_t gm_malloc_usable_size(void *ptr);
GOMALLOC_IMPORT(free_sized) void gm_free_sized(void *ptr, size_t size);
GOMALLOC_IMPORT(malloc_trim) int gm_malloc_trim(size_t pad);

/*
 * The heap owns what lies above the program's data and stack. The first constructor of all, for others allocate; when
 * `gomalloc link` has called init before, this call does nothing.
 */
extern unsigned char __heap_base;

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wprio-ctor-dtor"
__attribute__((constructor(1))) static void gm_start(void) { gm_init((uintptr_t)&__heap_base); }
#pragma clang diagnostic pop

#ifdef __wasm_atomics__
/*
 * With threads the module is instantiated once for each, and none of the later instances runs constructors: `gomalloc
 * link` reads the address here and has every instance call init with it. The linked module does not have the export.
 */
__attribute__((export_name("gomalloc_heap_base"))) uintptr_t gm_heap_base(void) { return (uintptr_t)&__heap_base; }
#endif

/* The body of a function that returns a block, or NULL and sets errno. */
#define CHECKED(expression, code)                 \
  void *p = (expression);                         \
  if (__builtin_expect(p == NULL, 0)) FAIL(code); \
  return p

/* ---- ISO C and POSIX --------------------------------------------------------------------------------------------- */

void *malloc(size_t size) { CHECKED(gm_malloc(size), ENOMEM); }
void *calloc(size_t count, size_t size) { CHECKED(gm_calloc(count, size), ENOMEM); }
void *realloc(void *ptr, size_t size) { CHECKED(gm_realloc(ptr, size), ENOMEM); }
void free(void *ptr) { gm_free(ptr); }

void *aligned_alloc(size_t align, size_t size) {
  CHECKED(gm_aligned_alloc(align, size), align == 0 || (align & (align - 1)) != 0 ? EINVAL : ENOMEM);
}

/* 0, EINVAL or ENOMEM; errno is left alone. */
int posix_memalign(void **out, size_t align, size_t size) {
  int code = gm_posix_memalign(out, align, size);
  if (__builtin_expect(code == 0, 1)) return 0;
  return code == GM_EINVAL ? EINVAL : ENOMEM;
}

/* ---- Extensions -------------------------------------------------------------------------------------------------- */

void *memalign(size_t align, size_t size) { return aligned_alloc(align, size); }
size_t malloc_usable_size(void *ptr) { return gm_malloc_usable_size(ptr); }
void free_sized(void *ptr, size_t size) { gm_free_sized(ptr, size); }

void free_aligned_sized(void *ptr, size_t align, size_t size) {
  (void)align;
  gm_free_sized(ptr, size);
}

void *reallocarray(void *ptr, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    FAIL(ENOMEM);
    return NULL;
  }
  return realloc(ptr, bytes);
}

void *valloc(size_t size) { return aligned_alloc(PAGE, size); }

void *pvalloc(size_t size) {
  size_t bytes;
  if (__builtin_add_overflow(size, PAGE - 1, &bytes)) {
    FAIL(ENOMEM);
    return NULL;
  }
  return aligned_alloc(PAGE, bytes & ~(PAGE - 1));
}

int malloc_trim(size_t pad) { return gm_malloc_trim(pad); }

/* ---- What the libcs call inside ---------------------------------------------------------------------------------- */

void *__libc_malloc(size_t size) { return malloc(size); }
void *__libc_calloc(size_t count, size_t size) { return calloc(count, size); }
void *__libc_realloc(void *ptr, size_t size) { return realloc(ptr, size); }
void *__libc_memalign(size_t align, size_t size) { return aligned_alloc(align, size); }
void __libc_free(void *ptr) { gm_free(ptr); }

#ifdef __EMSCRIPTEN__
void *emscripten_builtin_malloc(size_t size) { return malloc(size); }
void *emscripten_builtin_calloc(size_t count, size_t size) { return calloc(count, size); }
void *emscripten_builtin_realloc(void *ptr, size_t size) { return realloc(ptr, size); }
void *emscripten_builtin_memalign(size_t align, size_t size) { return aligned_alloc(align, size); }
void emscripten_builtin_free(void *ptr) { gm_free(ptr); }

/*
 * Emscripten's JavaScript keeps views of the memory and must hear of growth: `gomalloc link` makes the heap grow through
 * this import. Without libc's allocator nothing else would call it, and the glue would be made without it.
 */
int emscripten_resize_heap(size_t bytes);
__attribute__((export_name("gomalloc_resize_heap"))) int gm_resize_heap(size_t bytes) {
  return emscripten_resize_heap(bytes);
}

#ifdef __EMSCRIPTEN_PTHREADS__
/* A browser's main thread must not sleep. Emscripten knows which it is behind its own constructor, the 48th. */
int _emscripten_thread_supports_atomics_wait(void);
__attribute__((constructor(101))) static void gm_main_thread(void) {
  if (!_emscripten_thread_supports_atomics_wait()) gomalloc_mallopt(GOMALLOC_M_CAN_BLOCK, 0);
}
#endif
#endif
