/*
 * What emscripten's emmalloc.c expects of its platform, over a bare wasm memory. Included in front of it.
 *
 * sbrk gives exactly what is asked for: emscripten's own would take a fifth of the heap more at each growth.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* Its messages to the console. */
#define MAIN_THREAD_ASYNC_EM_ASM(...) ((void)0)

/* Its alignment, which it takes from here and insists on: emscripten's ABI says 8, that of WASI 16. */
typedef double emscripten_max_align_t;
#define max_align_t emscripten_max_align_t

struct mallinfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

enum { WASM_PAGE = 65536 };

extern unsigned char __heap_base;
static uintptr_t break_at;

static inline size_t emscripten_get_heap_size(void) { return (size_t)__builtin_wasm_memory_size(0) * WASM_PAGE; }
static inline size_t emscripten_get_heap_max(void) { return (size_t)-WASM_PAGE; }

static void *emmalloc_sbrk(intptr_t bytes) {
  if (!break_at) break_at = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
  uintptr_t before = break_at;
  uint64_t after = (uint64_t)before + (uint64_t)(int64_t)bytes;
  size_t have = emscripten_get_heap_size();
  if (after > have) {
    size_t pages = (size_t)((after - have + WASM_PAGE - 1) / WASM_PAGE);
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return (void *)-1;
  }
  break_at = (uintptr_t)after;
  return (void *)before;
}
#define sbrk emmalloc_sbrk
