// gm_arena_* in C++, beside libc's own declarations: objects by placement new.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "gomalloc.h"

struct Node {
  Node *next;
  double value;
};

int main() {
  gm_arena *arena = gm_arena_new(0);
  Node *list = nullptr;
  for (int i = 0; i < 10000; i++) {
    list = new (gm_arena_alloc(arena, sizeof(Node))) Node{list, i * 0.5};
  }
  double sum = 0;
  bool aligned = true;
  for (Node *node = list; node != nullptr; node = node->next) {
    sum += node->value;
    aligned = aligned && reinterpret_cast<std::uintptr_t>(node) % alignof(Node) == 0;
  }
  void *page = gm_arena_aligned_alloc(arena, 4096, 10);
  gm_arena_reset(arena);
  gm_arena_free(arena);
  std::printf("%.1f %s %s\n", sum, aligned ? "aligned" : "crooked", page == nullptr ? "none" : "page");
}
