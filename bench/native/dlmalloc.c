/*
 * dlmalloc of wasi-libc behind the benchmark's allocator interface. The malloc family itself is linked from the
 * C library and exported by the linker (bench/lib/build/dlmalloc.ts); this file only adds init, which the others
 * have. dlmalloc's heap begins at __heap_base, right behind its own static state, and it finds that by itself.
 */

__attribute__((export_name("init"))) void init(unsigned heap_base) {
  (void)heap_base;
}
