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
#define emscripten_errf(...) ((void)0)
#define EM_JS_DEPS(...) struct dependencies

/*
 * Its alignment, which it takes from here: 8, as emscripten's ABI says, unless ALIGNMENT says more (WASI's is 16). Its
 * static assertions insist on 8, so they go.
 */
#ifdef ALIGNMENT
typedef struct { _Alignas(ALIGNMENT) char bytes[ALIGNMENT]; } emscripten_max_align_t;
#define _Static_assert(...) struct asserted
#else
typedef double emscripten_max_align_t;
#endif
#define max_align_t emscripten_max_align_t

struct mallinfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

enum { WASM_PAGE = 65536 };

extern unsigned char __heap_base;
static uintptr_t break_at, limit;

static inline size_t emscripten_get_heap_size(void) { return (size_t)__builtin_wasm_memory_size(0) * WASM_PAGE; }
static inline size_t emscripten_get_heap_max(void) { return (size_t)-WASM_PAGE; }

static void *emmalloc_sbrk(int64_t bytes) {
  if (!break_at) {
    break_at = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
    limit = emscripten_get_heap_size();
  }
  uint64_t after = (uint64_t)break_at + (uint64_t)bytes;
  if (after > limit) {
    size_t pages = (size_t)((after - limit + WASM_PAGE - 1) / WASM_PAGE);
    size_t grown = __builtin_wasm_memory_grow(0, pages);
    if (grown == (size_t)-1) return (void *)-1;
    if (grown * WASM_PAGE != limit) {
      /* Somebody else grew the memory: a new piece behind theirs, as long as what was asked for. */
      size_t more = (size_t)(((uint64_t)bytes + WASM_PAGE - 1) / WASM_PAGE) - pages;
      if (more && __builtin_wasm_memory_grow(0, more) == (size_t)-1) return (void *)-1;
      break_at = grown * WASM_PAGE;
      after = (uint64_t)break_at + (uint64_t)bytes;
    }
    limit = emscripten_get_heap_size();
  }
  uintptr_t before = break_at;
  break_at = (uintptr_t)after;
  return (void *)before;
}
/* By its older and its newer name. */
#define sbrk emmalloc_sbrk
#define _sbrk64 emmalloc_sbrk
