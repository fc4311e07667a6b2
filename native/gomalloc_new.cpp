/*
 * operator delete with a size, over free_sized. Optional: libc++ has all forms of new and delete over malloc, free and
 * aligned_alloc, which are gomalloc's once gomalloc.c is linked, and its sized deletes ignore the size. With this file
 * they hand it on, so that a delete through the wrong type is found (kind 5) when the block is too small for it.
 *
 * The compiler calls the sized forms by default since clang 19; before that, -fsized-deallocation.
 */
#include <new>

#include "gomalloc.h"

void operator delete(void *ptr, std::size_t size) noexcept { free_sized(ptr, size); }
void operator delete[](void *ptr, std::size_t size) noexcept { free_sized(ptr, size); }

void operator delete(void *ptr, std::size_t size, std::align_val_t align) noexcept {
  free_aligned_sized(ptr, static_cast<std::size_t>(align), size);
}
void operator delete[](void *ptr, std::size_t size, std::align_val_t align) noexcept {
  free_aligned_sized(ptr, static_cast<std::size_t>(align), size);
}
