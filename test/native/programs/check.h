/* Checks of a program that prints one line for each that fails. */
#include <errno.h>
#include <stdio.h>

static int checks, failures;

#define CHECK(condition)                                               \
  do {                                                                 \
    checks++;                                                          \
    if (!(condition)) {                                                \
      failures++;                                                      \
      printf("line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
    }                                                                  \
  } while (0)
