/**
 * The symbols that gomalloc's object files define: what assembly/abi/object.ts exports, each with its other names.
 *
 * They are global: a program that has two definitions of malloc is refused by the linker. What is weak is in native/object/.
 */

/** Names by export. The names that libcs call inside must all be here: one that is missing brings libc's allocator back. */
export const OBJECT_SYMBOLS: Readonly<Record<string, readonly string[]>> = {
  malloc: ["__libc_malloc", "emscripten_builtin_malloc"],
  free: ["__libc_free", "emscripten_builtin_free"],
  calloc: ["__libc_calloc", "emscripten_builtin_calloc"],
  realloc: ["__libc_realloc", "emscripten_builtin_realloc"],
  reallocarray: ["__libc_reallocarray"],
  aligned_alloc: ["memalign", "__libc_memalign", "emscripten_builtin_memalign"],
  posix_memalign: [],
  valloc: [],
  pvalloc: [],
  malloc_usable_size: [],
  malloc_good_size: [],
  malloc_trim: [],
  free_sized: [],
  free_aligned_sized: [],
  mallopt: [],
  mallinfo2: ["mallinfo"],
  gomalloc_mallopt: [],
  gomalloc_ready: [],
};
export const THREAD_SYMBOLS: typeof OBJECT_SYMBOLS = { gomalloc_sync: [], gomalloc_thread_exit: [] };
export const DEBUG_SYMBOLS: typeof OBJECT_SYMBOLS = {
  gomalloc_memstats: [],
  gomalloc_validate: [],
  gomalloc_validate_info: [],
};
export const DEBUG_THREAD_SYMBOLS: typeof OBJECT_SYMBOLS = { gomalloc_num_ps: [] };
