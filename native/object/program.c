/*
 * What gomalloc's object file asks of a program, for one target: compiled by the build and merged with the allocator
 * (assembly/base/program.ts has the other side). No header is included: what libc has is declared here, for all targets
 * are built by one compiler.
 *
 *   -DGOMALLOC_EMSCRIPTEN   growth goes through emscripten's JavaScript, which keeps views of the memory
 *   -DGOMALLOC_NO_ERRNO     there is no libc
 *   -DGOMALLOC_NO_HOOK      the misuse hook is elsewhere
 */
#include <stddef.h>

#define PAGE_SHIFT 16

#ifdef GOMALLOC_EMSCRIPTEN
int emscripten_resize_heap(size_t bytes);

/* As memory.grow. More pages may come than were asked for. */
int gomalloc_grow(size_t pages) {
#ifdef __wasm_atomics__
  /* Emscripten's JavaScript looks for itself whether a shared memory has become larger. It is called when the instruction
     fails, for it ends programs that want to end there. memory.size may lag behind another thread; growing by 0 does not. */
  int before = (int)__builtin_wasm_memory_grow(0, pages);
  if (before < 0) emscripten_resize_heap((__builtin_wasm_memory_grow(0, 0) + pages) << PAGE_SHIFT);
  return before;
#else
  size_t before = __builtin_wasm_memory_size(0);
  if (!emscripten_resize_heap((before + pages) << PAGE_SHIFT)) return -1;
  return __builtin_wasm_memory_size(0) - before < pages ? -1 : (int)before;
#endif
}
#else
int gomalloc_grow(size_t pages) { return (int)__builtin_wasm_memory_grow(0, pages); }
#endif

#if !defined(GOMALLOC_NO_ERRNO) && !defined(GOMALLOC_EMSCRIPTEN)
/*
 * The heap is made before all other constructors, so that it does not take for its own what the program grows. Elsewhere the
 * first call makes it: where there is no libc, a constructor would have the linker wrap each export of the program;
 * emscripten's sbrk is ours, and its first constructors know nothing of threads yet.
 */
int gomalloc_ready(void);
__attribute__((constructor(0))) static void make_heap(void) { gomalloc_ready(); }
#endif

#ifndef GOMALLOC_NO_HOOK
/* A program that defines this function gets every misuse instead of the trap. */
__attribute__((weak)) void gomalloc_on_misuse(int kind, void *ptr) {
  (void)kind;
  (void)ptr;
  __builtin_trap();
}
#endif
