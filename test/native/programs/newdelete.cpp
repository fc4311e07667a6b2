/*
 * operator new and delete in all their forms, with gomalloc_new.cpp: alignment as the standard promises, sizes handed on
 * to free_sized, and a delete through the wrong type found. One line a check that fails, "ok" and their number at the end.
 */
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <new>

#include "gomalloc.h"

static int kinds[8];

extern "C" void gomalloc_on_misuse(int kind, void *) { kinds[kind & 7]++; }

namespace {

int checks, failures;

void check(bool good, const char *what, std::size_t detail) {
  checks++;
  if (good) return;
  failures++;
  std::printf("%s (%zu)\n", what, detail);
}

bool is_aligned(const void *ptr, std::size_t align) {
  return ptr != nullptr && reinterpret_cast<std::uintptr_t>(ptr) % align == 0;
}

struct Base {
  int number;
};
struct Derived : Base {
  char more[1000];
};

/* What the compiler cannot see through. */
template <class T> T opaque(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

} // namespace

int main() {
  static_assert(alignof(std::max_align_t) <= 16);
  for (std::size_t size = 1; size <= 5000; size += size < 300 ? 1 : 97) {
    void *one = opaque(::operator new(size));
    check(is_aligned(one, size < 16 ? 8 : 16), "new", size);
    std::memset(one, 1, size);
    void *many = opaque(::operator new[](size));
    check(many != one && is_aligned(many, size < 16 ? 8 : 16), "new[]", size);
    ::operator delete(one, size);
    ::operator delete[](many, size);
  }
  for (std::size_t align = 16; align <= 65536; align *= 2) {
    const auto tag = static_cast<std::align_val_t>(align);
    for (std::size_t size : {std::size_t(1), align, 3 * align + 8}) {
      void *one = opaque(::operator new(size, tag));
      check(is_aligned(one, align), "aligned new", align);
      void *many = opaque(::operator new[](size, tag));
      check(is_aligned(many, align), "aligned new[]", align);
      ::operator delete(one, size, tag);
      ::operator delete[](many, tag);
    }
  }
  check(opaque(::operator new(opaque(std::size_t(0xfff00000)), std::nothrow)) == nullptr, "no memory", 0);
  ::operator delete(nullptr, std::size_t(8));
  for (int kind = 0; kind < 8; kind++) check(kinds[kind] == 0, "misuse", kind);

  /* No virtual destructor: delete is told a size that is too small, which is harmless ... */
  delete opaque<Base *>(new Derived);
  check(kinds[GOMALLOC_SIZE_MISMATCH] == 0, "smaller size", 0);
  /* ... and here one that is larger than the block. */
  Base *base = opaque(new Base);
  delete static_cast<Derived *>(base);
  check(kinds[GOMALLOC_SIZE_MISMATCH] == 1, "larger size", 0);
  delete base;
  delete opaque(base);
  check(kinds[GOMALLOC_DOUBLE_FREE] == 1, "double delete", 0);
  check(gomalloc_validate() == 0, "validate", gomalloc_validate());

  std::printf("%s %d\n", failures == 0 ? "ok" : "failed", checks);
  return failures != 0;
}
