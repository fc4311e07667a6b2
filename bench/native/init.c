/*
 * The one function of the benchmark's allocator interface that a C library's allocator lacks. The malloc family itself
 * is exported by the linker (bench/lib/build/native.ts). The heap begins at __heap_base, right behind the allocator's
 * static state, which it finds by itself.
 */

extern void __wasm_call_ctors(void);

__attribute__((export_name("init"))) void init(unsigned heap_base) {
  (void)heap_base;
  /* emmalloc and mimalloc have a constructor, dlmalloc has none. */
  __wasm_call_ctors();
}
