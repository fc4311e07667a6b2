/*
 * What mimalloc asks of the system where several threads use it, included before all of its files: its port to WASI
 * has no threads. A lock is that of lock.c; each instance has a stack and a block of thread-local variables of its own
 * (instance.c).
 */
#ifndef THREADS_PTHREADS_H
#define THREADS_PTHREADS_H

#include <errno.h>

/* The C library's is one for all threads. */
#undef errno
static _Thread_local int errno_of_thread;
#define errno errno_of_thread

/* For the locks of include/mimalloc/atomic.h, which has none worth the name where there are no threads. */
#define MI_USE_PTHREADS 1

typedef struct {
  _Atomic unsigned word;
} bench_mutex;

#define pthread_mutex_t bench_mutex
#define PTHREAD_MUTEX_INITIALIZER {0}
#define pthread_mutex_lock bench_mutex_lock
#define pthread_mutex_unlock bench_mutex_unlock
#define pthread_mutex_trylock bench_mutex_trylock
#define pthread_mutex_destroy(mutex) ((void)(mutex))

/* 0 free, 1 held, 2 held and somebody may be asleep. The results are those of pthread.h: 0 for taken. */
static inline int bench_mutex_trylock(bench_mutex *mutex) {
  unsigned held = 0;
  return !__c11_atomic_compare_exchange_strong(&mutex->word, &held, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline int bench_mutex_lock(bench_mutex *mutex) {
  for (int i = 0; i < 100; i++)
    if (!bench_mutex_trylock(mutex)) return 0;
  while (__c11_atomic_exchange(&mutex->word, 2, __ATOMIC_SEQ_CST))
    __builtin_wasm_memory_atomic_wait32((int *)&mutex->word, 2, -1);
  return 0;
}

static inline int bench_mutex_unlock(bench_mutex *mutex) {
  if (__c11_atomic_exchange(&mutex->word, 0, __ATOMIC_SEQ_CST) == 2)
    __builtin_wasm_memory_atomic_notify((int *)&mutex->word, 1);
  return 0;
}

#endif
