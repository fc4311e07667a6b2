/*
 * A trace of several threads, played by as many workers as there are lists of events. A worker plays its list in order.
 * Where an event's slot was last touched by another worker, it waits until that one has done so: the slot counts how
 * often it went from worker to worker (`turn`), and an event names the turn that it needs. Events whose slot stays with
 * the same worker touch no atomic, as the program would not.
 *
 * An event is 12 bytes, made by bench/threads/lib/trace.ts: op << 29 | AWAIT | PASS | slot, size, turn.
 */
#include "bench.h"

enum { AWAIT = 1 << 28, PASS = 1 << 27, SLOT_MASK = PASS - 1 };
enum { MALLOC, FREE, REALLOC, CALLOC, ALIGNED };

struct event {
  u32 head;
  u32 size;
  u32 turn;
};

struct slot {
  u8 *ptr;
  word turn;
};

static inline u32 size_of(u32 op, u32 size) {
  return op == ALIGNED ? size & 0x7ffffff : size;
}

/* Plays `count` events; `sizes` (one word for each slot) is used in the checked build only. */
EXPORT(replay) void replay(u32 index, struct event *events, u32 count, struct slot *slots, u32 *sizes) {
  struct worker *self = worker(index);
  u32 stalls = 0;
  begin(self);
  for (struct event *event = events, *last = events + count; event < last; event++) {
    u32 head = event->head;
    u32 op = head >> 29;
    struct slot *slot = slots + (head & SLOT_MASK);
    if (head & AWAIT && get(&slot->turn) != event->turn) {
      stalls++;
      for (u32 spins = 0; get(&slot->turn) != event->turn;) spins = pause(spins);
    }
#ifdef CHECKED
    u32 *kept = sizes + (head & SLOT_MASK);
    u32 before = *kept;
    *kept = op == FREE ? 0 : size_of(op, event->size);
#else
    (void)sizes;
    u32 before = 0;
#endif
    if (op == MALLOC) {
      slot->ptr = obtain(self, event->size);
    } else if (op == FREE) {
      release(self, slot->ptr, before);
    } else if (op == REALLOC) {
      slot->ptr = resize(self, slot->ptr, before, event->size);
    } else if (op == CALLOC) {
      slot->ptr = obtain_zeroed(self, event->size);
    } else {
      slot->ptr = obtain_aligned(self, 1u << (event->size >> 27), size_of(op, event->size));
    }
    if (head & PASS) set(&slot->turn, event->turn + 1);
  }
  end(self, count);
  self->stalls = stalls;
}

/* Before each pass, in one instance, while all are quiet. */
EXPORT(rewind) void rewind(struct slot *slots, u32 count) {
  for (u32 i = 0; i < count; i++) set(&slots[i].turn, 0);
}
