/*
 * The component of words.wit, written out by hand where a generator such as wit-bindgen would have written it: the
 * canonical ABI passes a string as its address and its length, and a larger result as the address of a record.
 *
 * Who receives a block owns it. The host asks cabi_realloc for room for the text, and calls cabi_post_words when it
 * has read the result.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* string and list<string>, as the canonical ABI has them in memory */
struct string {
  char *text;
  size_t length;
};
struct list {
  struct string *strings;
  size_t length;
};

/* What allocates for the host, and for the adapter between the component's WASI and the C library's: gomalloc. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old_size;
  if (size == 0) return (void *)align; /* an address that is no block and not NULL */
  void *block = realloc(old, size);    /* aligned to 8 at least, which is the ABI's largest alignment */
  if (block == NULL) abort();
  return block;
}

static int by_text(const void *left, const void *right) {
  const struct string *a = left, *b = right;
  int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
  return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

__attribute__((export_name("words"))) struct list *words(char *text, size_t length) {
  static struct list result;
  struct string *found = NULL;
  size_t total = 0, room = 0;
  for (size_t start = 0, end; start < length; start = end + 1) {
    for (end = start; end < length && isalnum((unsigned char)text[end]); end++) {}
    if (end == start) continue;
    if (total == room) found = cabi_realloc(found, 0, 8, (room = 2 * room + 16) * sizeof *found);
    found[total++] = (struct string){text + start, end - start};
  }
  if (total > 0) qsort(found, total, sizeof *found, by_text);

  /* Each word once, in a block of its own, because the text is freed. */
  size_t kept = 0;
  for (size_t i = 0; i < total; i++) {
    if (kept > 0 && by_text(&found[kept - 1], &found[i]) == 0) continue;
    found[kept] = found[i];
    found[kept].text = memcpy(cabi_realloc(NULL, 0, 1, found[i].length), found[i].text, found[i].length);
    kept++;
  }
  if (length > 0) free(text);
  printf("%zu words, %zu different\n", total, kept);
  fflush(stdout);
  result = (struct list){found, kept};
  return &result;
}

__attribute__((export_name("cabi_post_words"))) void words_done(struct list *result) {
  for (size_t i = 0; i < result->length; i++) free(result->strings[i].text);
  free(result->strings);
}
