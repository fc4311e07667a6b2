/*
 * Counts the words of its input: a chained hash table that grows, a key a word, one array of pointers to sort it by.
 * Many small blocks, some realloc, everything freed at the end.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
  struct word *next;
  unsigned hash;
  unsigned count;
  char text[];
};

struct table {
  struct word **buckets;
  size_t size; /* a power of two */
  size_t words;
};

static void *need(void *block) {
  if (block == NULL) {
    perror("words");
    exit(1);
  }
  return block;
}

static unsigned hash_of(const char *text, size_t length) {
  unsigned hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
  return hash;
}

static void rehash(struct table *table, size_t size) {
  struct word **buckets = need(calloc(size, sizeof *buckets));
  for (size_t i = 0; i < table->size; i++) {
    for (struct word *word = table->buckets[i], *next; word != NULL; word = next) {
      next = word->next;
      word->next = buckets[word->hash & (size - 1)];
      buckets[word->hash & (size - 1)] = word;
    }
  }
  free(table->buckets);
  table->buckets = buckets;
  table->size = size;
}

static void count(struct table *table, const char *text, size_t length) {
  unsigned hash = hash_of(text, length);
  for (struct word *word = table->buckets[hash & (table->size - 1)]; word != NULL; word = word->next) {
    if (word->hash == hash && strncmp(word->text, text, length) == 0 && word->text[length] == '\0') {
      word->count++;
      return;
    }
  }
  if (++table->words > table->size) rehash(table, table->size * 2);
  struct word *word = need(malloc(sizeof *word + length + 1));
  memcpy(word->text, text, length);
  word->text[length] = '\0';
  word->hash = hash;
  word->count = 1;
  word->next = table->buckets[hash & (table->size - 1)];
  table->buckets[hash & (table->size - 1)] = word;
}

static int by_count(const void *left, const void *right) {
  const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  return strcmp(a->text, b->text);
}

int main(void) {
  struct table table = {0};
  rehash(&table, 16);

  char *line = NULL;
  size_t capacity = 0;
  size_t total = 0;
  for (ssize_t length; (length = getline(&line, &capacity, stdin)) > 0;) {
    for (ssize_t start = 0, end; start < length; start = end + 1) {
      for (end = start; end < length && isalnum((unsigned char)line[end]); end++) {
        line[end] = (char)tolower((unsigned char)line[end]);
      }
      if (end == start) continue;
      count(&table, line + start, (size_t)(end - start));
      total++;
    }
  }
  free(line);

  struct word **sorted = need(malloc(table.words * sizeof *sorted));
  size_t n = 0;
  for (size_t i = 0; i < table.size; i++) {
    for (struct word *word = table.buckets[i]; word != NULL; word = word->next) sorted[n++] = word;
  }
  qsort(sorted, n, sizeof *sorted, by_count);
  printf("%zu words, %zu different\n", total, n);
  for (size_t i = 0; i < n && i < 10; i++) printf("%6u %s\n", sorted[i]->count, sorted[i]->text);
  for (size_t i = 0; i < n; i++) free(sorted[i]);
  free(sorted);
  free(table.buckets);
  return 0;
}
