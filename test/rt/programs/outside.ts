/** Blocks outside the collector, for the host. */

export function alloc(bytes: usize): usize {
  return heap.alloc(bytes);
}

export function realloc(p: usize, bytes: usize): usize {
  return heap.realloc(p, bytes);
}

export function free(p: usize): void {
  heap.free(p);
}
