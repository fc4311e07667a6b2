/**
 * Replay of a recorded trace (format: bench/traces/README.md). The host copies events into the window below
 * the heap and calls replay() for each piece; slots live on between pieces.
 *
 * Cost besides the allocator: 8 bytes of event read in order, one slot read or written, one branch on the
 * operation (which the branch predictor cannot know, as in any replay), and the marks of blocks.ts.
 */

import { obtain, obtainAligned, obtainZeroed, release, resize } from "./blocks";
import { SLOTS, WINDOW } from "./slots";
import { count } from "./tally";

const MALLOC: u32 = 0;
const FREE: u32 = 1;
const REALLOC: u32 = 2;
const CALLOC: u32 = 3;

/** Plays `events` events from the window. `slots` is the trace's maxSlots. */
export function replay(events: u32, slots: u32): void {
  const sizes = CHECKED ? (<usize>slots) << 2 : 0;
  const end = WINDOW + ((<usize>events) << 3);
  for (let event = WINDOW; event < end; event += 8) {
    const head = load<u32>(event);
    const size: usize = load<u32>(event, 4);
    const op = head >>> 29;
    const slot = SLOTS + ((<usize>(head & 0x1fffffff)) << 2);
    if (op == MALLOC) {
      store<u32>(slot, obtain(size));
    } else if (op == FREE) {
      release(load<u32>(slot), CHECKED ? <usize>load<u32>(slot + sizes) : 0);
    } else if (op == REALLOC) {
      store<u32>(slot, resize(load<u32>(slot), CHECKED ? <usize>load<u32>(slot + sizes) : 0, size));
    } else if (op == CALLOC) {
      store<u32>(slot, obtainZeroed(size));
    } else {
      store<u32>(slot, obtainAligned((<usize>1) << (size >>> 27), size & 0x7ffffff));
    }
    if (CHECKED) store<u32>(slot + sizes, op > CALLOC ? size & 0x7ffffff : size);
  }
  count(events);
}
