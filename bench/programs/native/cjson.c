/*
 * Reads a JSON document with cJSON, copies it, edits the copy, writes both; `rounds` times.
 *
 *   cjson <file> <rounds>
 */
#include <stdio.h>
#include <stdlib.h>

#include "cJSON.h"
#include "file.h"

/* Drops every third member of objects that is no object or array itself. */
static void edit(cJSON *value, unsigned *count) {
  for (cJSON *child = value->child; child;) {
    cJSON *next = child->next;
    if (cJSON_IsObject(value) && !child->child && ++*count % 3 == 0) {
      cJSON_Delete(cJSON_DetachItemViaPointer(value, child));
    } else {
      edit(child, count);
    }
    child = next;
  }
}

/* A hash of what is written, and its length. */
static void report(char *text) {
  unsigned hash = 0;
  size_t length = 0;
  for (; text[length]; length++) hash = hash * 31 + (unsigned char)text[length];
  printf("%zu bytes, %08x\n", length, hash);
  free(text);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size_t length;
  char *text = read_text(argv[1], &length);
  if (!text) return 1;
  unsigned count = 0;
  for (int round = atoi(argv[2]); round > 0; round--) {
    cJSON *document = cJSON_Parse(text);
    cJSON *copy = cJSON_Duplicate(document, 1);
    if (!copy) return 1;
    edit(copy, &count);
    report(cJSON_PrintUnformatted(copy));
    report(cJSON_Print(document));
    cJSON_Delete(document);
    cJSON_Delete(copy);
  }
  free(text);
  return 0;
}
