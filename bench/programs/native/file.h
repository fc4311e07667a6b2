/* For the drivers here: a file as a whole. */
#include <stdio.h>
#include <stdlib.h>

/* The bytes of a file and `room` more behind them, which are not set; its length in *length. NULL: it cannot be read. */
static char *read_file(const char *path, size_t room, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(*length + room);
  if (text && fread(text, 1, *length, file) != *length) {
    free(text);
    text = NULL;
  }
  fclose(file);
  return text;
}

/* The text of a file, with a 0 behind it; its length in *length. NULL: it cannot be read. */
static inline char *read_text(const char *path, size_t *length) {
  char *text = read_file(path, 1, length);
  if (text) text[*length] = 0;
  return text;
}
