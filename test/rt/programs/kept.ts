/** Blocks of heap.alloc, and objects that stay. */
export function alloc(size: usize): usize {
  return heap.alloc(size);
}

export function free(p: usize): void {
  heap.free(p);
}

const kept = new StaticArray<StaticArray<u8> | null>(1000);

/** Address of an object of `size` bytes that entry `i` of a static list holds. */
export function keep(i: i32, size: i32): usize {
  const object = new StaticArray<u8>(size);
  kept[i] = object;
  return changetype<usize>(object);
}
