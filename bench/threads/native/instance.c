/*
 * How an instance of mimalloc begins: with a C stack and thread-local variables of its own, which all lie in the one
 * memory. Its static state is there once: the linker's start function writes it in the first instance only.
 *
 * The stacks are the two halves of the 8 KiB below 0x2000 that the linker took for one (bench.h).
 */
#include <stdatomic.h>
#include <stdint.h>

enum { INSTANCES = 2, STACK = 4096, THREAD_LOCAL = 1024 };

static _Alignas(64) uint8_t locals[INSTANCES][THREAD_LOCAL];
static _Atomic uint32_t instances;

extern void __wasm_call_ctors(void);
extern void __wasm_init_tls(void *block);

/* Not inlined: what runs here has its frame on the new stack. */
static __attribute__((noinline)) void begin(uint32_t index) {
  __wasm_init_tls(locals[index]);
  if (index == 0) __wasm_call_ctors();
}

__attribute__((export_name("init"))) void init(uint32_t heap_base) {
  (void)heap_base;
  uint32_t index = atomic_fetch_add(&instances, 1);
  if (index >= INSTANCES || __builtin_wasm_tls_size() > THREAD_LOCAL) __builtin_trap();
  uint32_t top = (index + 1) * STACK;
  __asm__ volatile(".globaltype __stack_pointer, i32\nlocal.get %0\nglobal.set __stack_pointer" : : "r"(top));
  begin(index);
}
