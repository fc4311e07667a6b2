/*
 * What a program says on standard error, for wasi-libc and emscripten: compile this file with the program and gomalloc.c.
 *
 *   misuse           a double free, a foreign or interior pointer, or a sized free of too many bytes prints its kind and
 *                    address, then traps. The stack of the trap shows the call that was wrong; with -g for clang it has
 *                    names, which `gomalloc link` keeps.
 *   malloc_stats()   prints the heap's figures in one line. A program that calls it gets the host flavour.
 *
 * Neither allocates. A hook of the program's own takes the place of this one. libgomalloc-debug.a has this file in it.
 */
#include "gomalloc.h"

#include <unistd.h>

/* A line as it is put together: longer ones are cut. */
struct line {
  size_t length;
  char text[256];
};

static void put(struct line *line, const char *text) {
  while (*text != 0 && line->length < sizeof line->text - 1) line->text[line->length++] = *text++;
}

static void put_number(struct line *line, uint64_t n, unsigned base) {
  char digits[24];
  char *at = digits + sizeof digits - 1;
  *at = 0;
  do {
    *--at = "0123456789abcdef"[n % base];
    n /= base;
  } while (n != 0);
  put(line, at);
}

static void print(struct line *line) {
  line->text[line->length++] = '\n';
  /* An error of the error output has nowhere to go. */
  ssize_t written = write(STDERR_FILENO, line->text, line->length);
  (void)written;
}

#ifndef GOMALLOC_NO_HOOK
__attribute__((weak)) void gomalloc_on_misuse(int kind, void *ptr) {
  static const char *const kinds[] = {
      "misuse",
      "double free: the block is free already, or was never given out",
      "foreign pointer: no block of this heap lies there",
      "interior pointer: the address is inside of a block, not at its start",
      "tiny block: the object shares its block with others",
      "sized free: the size given is more than the block has",
      "pinned object: unpin it first",
  };
  struct line line = {0};
  put(&line, "gomalloc: ");
  put(&line, kinds[kind >= 1 && kind <= 6 ? kind : 0]);
  put(&line, " (kind ");
  put_number(&line, (uint64_t)(unsigned)kind, 10);
  put(&line, ", address 0x");
  put_number(&line, (uintptr_t)ptr, 16);
  put(&line, ")");
  print(&line);
  __builtin_trap();
}
#endif

void malloc_stats(void) {
  const struct gomalloc_stats *stats = gomalloc_memstats();
  struct line line = {0};
  if (stats == NULL) {
    put(&line, "gomalloc: no heap, or its records are damaged");
    print(&line);
    return;
  }
  put(&line, "gomalloc: ");
  put_number(&line, stats->heap_alloc, 10);
  put(&line, " bytes live in ");
  put_number(&line, stats->mallocs - stats->frees, 10);
  put(&line, " blocks, ");
  put_number(&line, stats->sys, 10);
  put(&line, " bytes obtained (");
  put_number(&line, stats->heap_idle + stats->heap_retained, 10);
  put(&line, " free), ");
  put_number(&line, stats->mallocs, 10);
  put(&line, " mallocs, ");
  put_number(&line, stats->frees, 10);
  put(&line, " frees, ");
  put_number(&line, stats->misuses, 10);
  put(&line, " misuses");
  print(&line);
}
