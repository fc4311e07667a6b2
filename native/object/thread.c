/*
 * The end of a thread, for programs with pthreads: a thread that allocates leaves a mark under a key of its own, whose
 * destructor gives back what the thread has cached. A program that ends its threads otherwise defines gomalloc_thread_start
 * as an empty function, and calls gomalloc_thread_exit itself.
 *
 * A block that a later destructor frees or allocates is right: it sets the mark again, and the destructor runs once more.
 */
#include <stddef.h>

typedef unsigned pthread_key_t;
int pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int pthread_setspecific(pthread_key_t key, const void *value);
int pthread_once(int *control, void (*init)(void));

void gomalloc_thread_exit(void);

static int once;
static int made;
static pthread_key_t key;

static void leave(void *mark) {
  (void)mark;
  gomalloc_thread_exit();
}

static void make_key(void) { made = pthread_key_create(&key, leave) == 0; }

#ifdef GOMALLOC_EMSCRIPTEN
int gomalloc_mallopt(int parameter, size_t value);
int emscripten_is_main_runtime_thread(void);
void *pthread_self(void);
int _emscripten_thread_supports_atomics_wait(void);
enum { CAN_BLOCK = 6 };

/* A browser's main thread must not sleep. Emscripten knows which it is behind its own constructor, the 48th. */
__attribute__((constructor(101))) static void main_can_block(void) {
  gomalloc_mallopt(CAN_BLOCK, _emscripten_thread_supports_atomics_wait() != 0);
}

/* The main thread allocates before it has room for keys, and does not end before the program. Until it is known, it spins. */
static int is_main(void) {
  if (pthread_self() != NULL && !emscripten_is_main_runtime_thread()) return 0;
  gomalloc_mallopt(CAN_BLOCK, _emscripten_thread_supports_atomics_wait() != 0);
  return 1;
}
#else
static int is_main(void) { return 0; }
#endif

/* The calling thread has got a P. */
void gomalloc_thread_start(void) {
  if (is_main()) return;
  pthread_once(&once, make_key);
  if (made) pthread_setspecific(key, &key);
}
