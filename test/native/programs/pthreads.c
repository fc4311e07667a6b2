/*
 * Threads that end in every way that POSIX has: by returning, by pthread_exit from deep inside, detached, and with
 * destructors of thread-specific data that free and allocate. All of them take blocks from main and leave some to it.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef COUNT_PS
#include "gomalloc.h"
#endif

enum { THREADS = 48, BLOCKS = 100 };

static pthread_key_t key;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;
static int ended, destroyed, wrong;

static char *filled(int seed) {
  char *block = malloc(seed % 700 + 1);
  if (block == NULL) abort();
  return memset(block, seed, seed % 700 + 1);
}

static void check(const char *block, int seed) {
  for (int i = 0; i < seed % 700 + 1; i++) wrong += block[i] != (char)seed;
}

/* The second time it only counts: the destructor itself has set the value again. */
static void destroy(void *value) {
  char **list = value;
  if (list[0] != NULL) {
    free(list[0]);
    list[0] = NULL;
    free(filled(77));
    pthread_setspecific(key, list);
    return;
  }
  free(list);
  pthread_mutex_lock(&mutex);
  destroyed++;
  pthread_mutex_unlock(&mutex);
}

__attribute__((noinline)) static void leave(void *result, int deep) {
  if (deep > 0) leave(result, deep - 1);
  pthread_exit(result);
}

static void *work(void *arg) {
  char **blocks = arg;
  char **list = calloc(1, sizeof *list);
  list[0] = filled(12);
  pthread_setspecific(key, list);
  for (int i = 0; i < BLOCKS; i++) {
    check(blocks[i], i * 37);
    free(blocks[i]);
    blocks[i] = filled(i * 41);
  }
  pthread_mutex_lock(&mutex);
  int number = ended++;
  pthread_cond_broadcast(&over);
  pthread_mutex_unlock(&mutex);
  if (number % 3 == 1) leave(blocks, 5);
  return blocks;
}

int main(void) {
  pthread_key_create(&key, destroy);
  for (int t = 0; t < THREADS; t++) {
    char **blocks = malloc(BLOCKS * sizeof *blocks);
    for (int i = 0; i < BLOCKS; i++) blocks[i] = filled(i * 37);
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, blocks) != 0) abort();
    if (t % 4 == 3) {
      pthread_detach(thread);
      pthread_mutex_lock(&mutex);
      while (ended <= t) pthread_cond_wait(&over, &mutex);
      pthread_mutex_unlock(&mutex);
    } else {
      void *result = NULL;
      pthread_join(thread, &result);
      wrong += result != blocks;
    }
    for (int i = 0; i < BLOCKS; i++) {
      check(blocks[i], i * 41);
      free(blocks[i]);
    }
    free(blocks);
  }
  /* Detached threads may be on their way out still: they get five seconds. */
  int gone = 0;
  for (int i = 0; i < 500 && gone < THREADS - 1; i++) {
    pthread_mutex_lock(&mutex);
    gone = destroyed;
    pthread_mutex_unlock(&mutex);
    if (gone < THREADS - 1) usleep(10000);
  }
  printf("%d threads, %s, wrong: %d\n", ended, gone >= THREADS - 1 ? "destroyed" : "not destroyed", wrong);
#ifdef COUNT_PS
  printf("Ps %s\n", gomalloc_num_ps() <= 5 ? "few" : "many");
#endif
  return 0;
}
