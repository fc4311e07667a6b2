/*
 * What libgomalloc.a for wasm32-wasip1-threads asks of a libc, for native/examples/threads without one: a key whose
 * destructor runs when a thread ends, pthread_once and errno. One key, one control, and no error is possible.
 * -Dgomalloc_thread_exit=thread_end has thread.h end a thread as a libc does: the archive itself calls the allocator.
 */
#include <stddef.h>

typedef unsigned pthread_key_t;

_Thread_local int errno;

static void (*_Atomic destroy)(void *);
static _Thread_local void *value;

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
  *key = 0;
  destroy = destructor;
  return 0;
}

int pthread_setspecific(pthread_key_t key, const void *mark) {
  (void)key;
  value = (void *)mark;
  return 0;
}

int pthread_once(int *control, void (*init)(void)) {
  static _Atomic int over;
  (void)control;
  int expected = 0;
  if (__atomic_compare_exchange_n((int *)&over, &expected, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    init();
    over = 2;
  }
  while (over != 2) {
  }
  return 0;
}

/* Until no destructor sets its key again. */
void thread_end(void) {
  while (value != NULL) {
    void *mark = value;
    value = NULL;
    destroy(mark);
  }
}

void gomalloc_on_misuse(int kind, void *ptr) {
  (void)kind;
  (void)ptr;
  __builtin_trap();
}
