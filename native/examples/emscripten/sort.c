/*
 * Sorts the lines of a text for JavaScript, which hands in a block that it got by malloc and frees the one it gets back.
 * The lines are cut out into a block each, as a program would that keeps them.
 */
#include <emscripten.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right) {
  return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The lines of `text` in order, each with its newline, as a block of the caller's; NULL when memory runs out. */
EMSCRIPTEN_KEEPALIVE char *sort_lines(const char *text) {
  char **lines = NULL;
  size_t count = 0, capacity = 0, bytes = 0;
  char *sorted = NULL;
  for (const char *end; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
    end = strchr(text, '\n');
    if (end == NULL) end = text + strlen(text);
    if (count == capacity) {
      capacity = capacity != 0 ? capacity * 2 : 64;
      char **more = realloc(lines, capacity * sizeof *lines);
      if (more == NULL) goto out;
      lines = more;
    }
    size_t length = (size_t)(end - text);
    char *line = malloc(length + 1);
    if (line == NULL) goto out;
    memcpy(line, text, length);
    line[length] = '\0';
    lines[count++] = line;
    bytes += length + 1;
  }
  qsort(lines, count, sizeof *lines, compare);
  char *at = sorted = malloc(bytes + 1);
  if (sorted == NULL) goto out;
  for (size_t i = 0; i < count; i++) {
    size_t length = strlen(lines[i]);
    memcpy(at, lines[i], length);
    at[length] = '\n';
    at += length + 1;
  }
  *at = '\0';
out:
  for (size_t i = 0; i < count; i++) free(lines[i]);
  free(lines);
  return sorted;
}
