/*
 * C++'s operator delete. With a size it hands the size on, so that a delete through the wrong type is found. All are weak,
 * as in libc++: a program may replace any of them, and those that it leaves call its own, as the standard has it.
 */
#include <stddef.h>

void free(void *ptr);
void free_sized(void *ptr, size_t size);

#define WEAK(function) __attribute__((weak, alias(#function)))

static void own(void *ptr) { free(ptr); }
static void own_aligned(void *ptr, size_t align) {
  (void)align;
  free(ptr);
}

/* operator delete(void *) and operator delete(void *, std::align_val_t). */
WEAK(own) void _ZdlPv(void *ptr);
WEAK(own_aligned) void _ZdlPvSt11align_val_t(void *ptr, size_t align);

/* operator delete[] of the same. */
static void own_array(void *ptr) { _ZdlPv(ptr); }
static void own_aligned_array(void *ptr, size_t align) { _ZdlPvSt11align_val_t(ptr, align); }
WEAK(own_array) void _ZdaPv(void *ptr);
WEAK(own_aligned_array) void _ZdaPvSt11align_val_t(void *ptr, size_t align);

/* The sized forms. */
__attribute__((weak)) void _ZdlPvm(void *ptr, size_t size) {
  if (_ZdlPv == own) free_sized(ptr, size);
  else _ZdlPv(ptr);
}
__attribute__((weak)) void _ZdaPvm(void *ptr, size_t size) {
  if (_ZdaPv == own_array && _ZdlPv == own) free_sized(ptr, size);
  else _ZdaPv(ptr);
}
__attribute__((weak)) void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align) {
  if (_ZdlPvSt11align_val_t == own_aligned) free_sized(ptr, size);
  else _ZdlPvSt11align_val_t(ptr, align);
}
__attribute__((weak)) void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align) {
  if (_ZdaPvSt11align_val_t == own_aligned_array && _ZdlPvSt11align_val_t == own_aligned) free_sized(ptr, size);
  else _ZdaPvSt11align_val_t(ptr, align);
}
