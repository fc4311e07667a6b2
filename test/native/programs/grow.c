/*
 * Takes up to 64 MiB, a MiB at a time, keeps all of it and reads it back. Prints after every 16 MiB: in emscripten that
 * goes through JavaScript's views of the memory, which growth must have renewed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 64
#define SIZE (1 << 20)

int main(void) {
  static unsigned char *blocks[BLOCKS];
  int count = 0;
  while (count < BLOCKS && (blocks[count] = malloc(SIZE)) != NULL) {
    memset(blocks[count], count + 1, SIZE);
    if (++count % 16 == 0) {
      char *text = malloc(40);
      snprintf(text, 40, "%d MiB", count);
      puts(text);
      free(text);
    }
  }
  int intact = 1;
  for (int i = 0; i < count; i++) {
    for (int at = 0; at < SIZE; at += 4093) intact = intact && blocks[i][at] == i + 1;
    free(blocks[i]);
  }
  printf("%s after %d, %s\n", count == BLOCKS ? "enough" : errno == ENOMEM ? "ENOMEM" : "no errno", count,
         intact ? "intact" : "damaged");
  return 0;
}
