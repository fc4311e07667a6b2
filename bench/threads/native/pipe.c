/*
 * Producer and consumer: one worker allocates, another frees, through a ring of 4096 addresses in shared memory. Both
 * move CHUNK blocks at a time, so that the ring itself costs little: two atomics for 64 blocks on each side. At most
 * RING blocks are on their way; an allocator that needs more memory than that keeps what it should reuse.
 */
#include "bench.h"

enum { CHUNK = 64, SLICE_CHUNKS = 64, SIZE = 64 };

_Static_assert(RING % CHUNK == 0, "a chunk does not wrap round");

static void produce(struct worker *self, u32 at) {
  u32 *ring = RING_AT + at % RING;
  for (u32 i = 0; i < CHUNK; i++) ring[i] = (u32)obtain(self, SIZE);
}

static void consume(struct worker *self, u32 at) {
  u32 *ring = RING_AT + at % RING;
  for (u32 i = 0; i < CHUNK; i++) release(self, (u8 *)ring[i], SIZE);
}

static void producer(struct worker *self, u32 slices, double limit) {
  u32 put = 0;
  for (u32 done = 0; !over(self, done, slices, limit); done++) {
    for (u32 i = 0; i < SLICE_CHUNKS; i++) {
      for (u32 spins = 0; put - get(HEAD) > RING - CHUNK;) spins = pause(spins);
      produce(self, put);
      put += CHUNK;
      set(TAIL, put);
    }
  }
  /* Behind the last TAIL: who sees this sees that. */
  set(STOP, 1);
}

/* Returns the number of blocks it freed. */
static u32 consumer(struct worker *self) {
  u32 taken = 0;
  for (u32 spins = 0;;) {
    u32 last = get(STOP);
    if (get(TAIL) != taken) {
      consume(self, taken);
      taken += CHUNK;
      set(HEAD, taken);
      spins = 0;
    } else if (last) {
      return taken;
    } else {
      spins = pause(spins);
    }
  }
}

/*
 * Slices of 4096 blocks of 64 bytes. With two workers the first produces and the second consumes; one alone does both,
 * a chunk at a time. Operations are blocks that were freed.
 */
EXPORT(pipe) void pipe(u32 index, u32 slices, double limit) {
  struct worker *self = worker(index);
  u32 done = 0;
  /* No thread only frees: the consumer has an allocator's cache of its own, as others have. */
  release(self, obtain(self, SIZE), SIZE);
  begin(self);
  if (self->threads == 1) {
    for (; !over(self, done, slices, limit); done++) {
      for (u32 i = 0; i < SLICE_CHUNKS; i++) {
        produce(self, i * CHUNK);
        consume(self, i * CHUNK);
      }
    }
    end(self, (u64)done * SLICE_CHUNKS * CHUNK);
  } else if (index == 0) {
    producer(self, slices, limit);
    end(self, 0);
  } else {
    u32 blocks = consumer(self);
    end(self, blocks);
  }
}
