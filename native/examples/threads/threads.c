/*
 * Blocks on their way round a ring of threads. Each thread makes batches of blocks of many sizes, fills them and hands
 * them to the next one, which finds them whole, resizes some and frees all: nearly every block is freed by another
 * thread than the one that allocated it. Then many short threads, one after the other, each with a little of its own.
 *
 * What it prints depends on nothing but the constants below: not on the order in which the threads run.
 */
#include "thread.h"

#include <stdatomic.h>

#ifdef COUNT_PS
#include "gomalloc.h"
#endif

enum { THREADS = 4, BATCHES = 400, BATCH = 50, SHORT_THREADS = 40 };

struct block {
  struct block *next;
  uint32_t size; /* bytes behind this header */
  uint32_t seed; /* byte i is the low byte of seed + i */
  unsigned char bytes[];
};

static _Atomic(struct block *) mailboxes[THREADS];
static _Atomic uint32_t made, freed, kilobytes, wrong;

/* Each thread's own, so that sizes do not depend on the others. */
static _Thread_local uint32_t state = 1;

static uint32_t next_random(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

static int intact(const struct block *block, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    if (block->bytes[i] != (unsigned char)(block->seed + i)) return 0;
  }
  return 1;
}

static struct block *make_block(void) {
  uint32_t kind = next_random() % 100;
  uint32_t size = kind == 0 ? next_random() % 100000 : next_random() % (kind < 90 ? 200 : 3000);
  struct block *block = kind % 2 == 0 ? malloc(sizeof *block + size) : calloc(1, sizeof *block + size);
  if (block == NULL) {
    wrong++;
    return NULL;
  }
  if (kind % 2 == 1) {
    for (uint32_t i = 0; i < size; i++) wrong += block->bytes[i] != 0;
  }
  block->size = size;
  block->seed = next_random();
  for (uint32_t i = 0; i < size; i++) block->bytes[i] = (unsigned char)(block->seed + i);
  made++;
  kilobytes += size / 1024;
  return block;
}

static void give(int to, struct block *list) {
  struct block *last = list;
  while (last->next != NULL) last = last->next;
  struct block *before = mailboxes[to];
  do last->next = before;
  while (!atomic_compare_exchange_weak(&mailboxes[to], &before, list));
}

static void check_and_free(struct block *list) {
  for (struct block *next; list != NULL; list = next) {
    next = list->next;
    uint32_t size = list->size;
    if (!intact(list, size)) wrong++;
    if (list->seed % 8 == 0) {
      struct block *resized = realloc(list, sizeof *list + size * 2);
      if (resized == NULL || resized->size != size || !intact(resized, size)) wrong++;
      if (resized != NULL) list = resized;
    }
    free(list);
    freed++;
  }
}

static void ring_thread(void *arg) {
  int self = (int)(intptr_t)arg;
  state = 7919u * (uint32_t)(self + 1);
  for (int batch = 0; batch < BATCHES; batch++) {
    struct block *list = NULL;
    for (int i = 0; i < BATCH; i++) {
      struct block *block = make_block();
      if (block == NULL) continue;
      block->next = list;
      list = block;
    }
    if (list != NULL) give((self + 1) % THREADS, list);
    check_and_free(atomic_exchange(&mailboxes[self], NULL));
  }
}

static void short_thread(void *arg) {
  (void)arg;
  struct block *block = make_block();
  if (block != NULL) block->next = NULL;
  check_and_free(block);
}

int main(void) {
  struct thread *threads[THREADS];
  for (int i = 0; i < THREADS; i++) threads[i] = thread_start(ring_thread, (void *)(intptr_t)i);
  for (int i = 0; i < THREADS; i++) {
    if (threads[i] == NULL) wrong++;
    else thread_join(threads[i]);
  }
  for (int i = 0; i < THREADS; i++) check_and_free(atomic_exchange(&mailboxes[i], NULL));
  print("blocks made:", made);
  print("kilobytes:", kilobytes);
  print("blocks freed:", freed);

  for (int i = 0; i < SHORT_THREADS; i++) {
    struct thread *thread = thread_start(short_thread, NULL);
    if (thread == NULL) wrong++;
    else thread_join(thread);
  }
  print("and after short threads:", freed);
  print("found wrong:", wrong);
#ifdef COUNT_PS
  print("Ps:", gomalloc_num_ps());
#endif
  return 0;
}
