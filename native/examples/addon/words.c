/*
 * A Node-API addon that works in threads: words(text) counts the different words of a text and gives a promise. Node-API is
 * emnapi's; there is no libc. A work's thread allocates what it needs and frees it; what it was handed was allocated by the
 * main thread, and is freed there.
 */
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *block);
void gomalloc_sync(void); /* the thread sees the memory of a block that another has handed over */

struct word {
  struct word *next;
  size_t length;
  char text[];
};

struct work {
  napi_async_work work;
  napi_deferred deferred;
  char *text;
  size_t length;
  uint32_t different; /* words; UINT32_MAX: no memory */
};

enum { BUCKETS = 1 << 12 };

static int is_word(struct word *word, const char *text, size_t length) {
  if (word->length != length) return 0;
  for (size_t i = 0; i < length; i++) {
    if (word->text[i] != text[i]) return 0;
  }
  return 1;
}

/* Adds the word if it is new: 1 if so, 0 if not, -1 without memory. */
static int add(struct word **buckets, const char *text, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
  struct word **bucket = &buckets[hash % BUCKETS];
  for (struct word *word = *bucket; word != NULL; word = word->next) {
    if (is_word(word, text, length)) return 0;
  }
  struct word *word = malloc(sizeof *word + length);
  if (word == NULL) return -1;
  for (size_t i = 0; i < length; i++) word->text[i] = text[i];
  word->length = length;
  word->next = *bucket;
  *bucket = word;
  return 1;
}

/* In a worker. */
static void execute(napi_env env, void *data) {
  (void)env;
  gomalloc_sync();
  struct work *work = data;
  struct word **buckets = calloc(BUCKETS, sizeof *buckets);
  uint32_t different = 0;
  int added = buckets == NULL ? -1 : 0;
  for (size_t start = 0, end; added >= 0 && start < work->length; start = end + 1) {
    for (end = start; end < work->length && work->text[end] != ' '; end++) {}
    if (end == start) continue;
    added = add(buckets, work->text + start, end - start);
    different += added == 1;
  }
  work->different = added < 0 ? UINT32_MAX : different;
  for (size_t i = 0; buckets != NULL && i < BUCKETS; i++) {
    for (struct word *word = buckets[i], *next; word != NULL; word = next) {
      next = word->next;
      free(word);
    }
  }
  free(buckets);
}

/* In the main thread again. */
static void complete(napi_env env, napi_status status, void *data) {
  struct work *work = data;
  napi_value result;
  if (status == napi_ok && work->different != UINT32_MAX) {
    napi_create_uint32(env, work->different, &result);
    napi_resolve_deferred(env, work->deferred, result);
  } else {
    napi_value message;
    napi_create_string_utf8(env, "no memory for the words", NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, NULL, message, &result);
    napi_reject_deferred(env, work->deferred, result);
  }
  napi_delete_async_work(env, work->work);
  free(work->text);
  free(work);
}

static napi_value words(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value text, name, promise;
  napi_get_cb_info(env, info, &count, &text, NULL, NULL);
  struct work *work = calloc(1, sizeof *work);
  if (work == NULL || napi_get_value_string_utf8(env, text, NULL, 0, &work->length) != napi_ok ||
      (work->text = malloc(work->length + 1)) == NULL) {
    free(work);
    napi_throw_type_error(env, NULL, "words(text): no text, or no memory for it");
    return NULL;
  }
  napi_get_value_string_utf8(env, text, work->text, work->length + 1, NULL);
  napi_create_promise(env, &work->deferred, &promise);
  napi_create_string_utf8(env, "words", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, execute, complete, work, &work->work);
  napi_queue_async_work(env, work->work);
  return promise;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "words", NAPI_AUTO_LENGTH, words, NULL, &function);
  napi_set_named_property(env, exports, "words", function);
  return exports;
}
