/* One misuse, chosen by the argument. With -DHOOK the program reports it itself and goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gomalloc.h"

static void *expected;

#ifdef HOOK
void gomalloc_on_misuse(int kind, void *ptr) { printf("kind %d%s\n", kind, ptr == expected ? "" : ", other address"); }
#endif

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  char *p = malloc(100), *keep = malloc(100);
  char *volatile q = p;
  expected = q;
  if (strcmp(what, "double") == 0) {
    free(q);
    free(q);
  } else if (strcmp(what, "foreign") == 0) {
    expected = &expected;
    free(expected);
  } else if (strcmp(what, "interior") == 0) {
    expected = q + 16;
    free(expected);
  } else if (strcmp(what, "size") == 0) {
    free_sized(q, 5000);
    free_sized(q, 100);
  } else if (strcmp(what, "realloc") == 0) {
    free(q);
    if (realloc(q, 200) != NULL) return 1;
  }
  strcpy(keep, "the heap is whole");
  puts(keep);
  free(keep);
  return 0;
}
