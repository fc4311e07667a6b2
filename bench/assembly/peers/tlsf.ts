/**
 * AssemblyScript's own allocator (TLSF, two-level segregated fit) behind the malloc family. Compiled with
 * --runtime minimal; the collector of that runtime is never called, so nothing of it is in the module.
 *
 * What it cannot do stays undone: an alignment beyond 16 is refused (null), and when memory cannot grow it
 * traps instead of returning null. It doubles the whole memory when it grows.
 */

/** The heap begins at the compiler's __heap_base (--memoryBase); TLSF sets itself up at the first call. */
export function init(_heapBase: u32): void {}

export function malloc(size: usize): usize {
  return __alloc(size);
}

export function free(ptr: usize): void {
  if (ptr) __free(ptr);
}

export function calloc(count: usize, size: usize): usize {
  const total = <u64>count * <u64>size;
  if (total >> 32) return 0;
  const ptr = __alloc(<usize>total);
  memory.fill(ptr, 0, <usize>total);
  return ptr;
}

export function realloc(ptr: usize, size: usize): usize {
  return ptr ? __realloc(ptr, size) : __alloc(size);
}

export function aligned_alloc(align: usize, size: usize): usize {
  return align > 16 ? 0 : __alloc(size);
}
