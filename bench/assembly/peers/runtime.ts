/**
 * An allocator of the compiler's own runtimes behind the malloc family. Which one, --runtime says:
 *
 *   minimal  TLSF, two-level segregated fit. The collector of that runtime is never called, so nothing of it is in the
 *            module. When memory cannot grow it traps instead of returning null. It doubles the whole memory when it
 *            grows.
 *   stub     a bump allocator with a size before each block, which takes back only the block it gave out last. It bumps
 *            through whatever lies behind its heap, so nobody else may grow the memory. Out of memory traps.
 *
 * An alignment beyond 16 is refused (null) by both.
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
