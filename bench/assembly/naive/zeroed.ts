/** `ptr`, with its first `bytes` bytes cleared; 0 as it is. */
@inline
export function zeroed(ptr: usize, bytes: usize): usize {
  if (ptr) memory.fill(ptr, 0, bytes);
  return ptr;
}
