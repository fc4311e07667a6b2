/**
 * How objects shaded by mutators reach the marker. Shared heaps only; Go's wbBuf is the model.
 *
 *   P's buffer   127 addresses in the P's record, written inside its gate
 *   inbox        pages of addresses, like those of gc/work.ts, shared by all, under G
 *
 * A full buffer goes to the inbox. When its own queue is empty the marker takes the inbox, then each P's buffer, for
 * which it briefly holds the P's gate. Without memory for a page the addresses are dropped and `overflow` is set: the
 * objects are marked, and gc/drain.ts walks all marked objects to find them.
 *
 * A thread that dies may have marked an object without queueing it; its recovery then sets `overflow`.
 *
 * Cost: a store and an add.
 */

import { MAX_PS } from "../base/abinumbers";
import { PAGE_SHIFT, PAGE_SIZE, SHARED } from "../base/config";
import { dropGate, holdGate } from "../base/gates";
import { gcState, sharedGc } from "../base/gcstate";
import { LOCK_GC, P_SHADED, SHADED_MAX } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { local, recordOf } from "../base/state";
import { allocTable } from "../central/records";
import { HEADER, MASK, countBuffers, freeBuffer, pushWork } from "./work";

/** Queue an object that this thread has just shaded. The thread is not the marker. */
export function pushShaded(p: u32): void {
  const at = local + P_SHADED;
  let n = load<u32>(at);
  if (n == SHADED_MAX) {
    post(local);
    n = 0;
  }
  store<u32>(at + (n << 2), p, 4);
  store<u32>(at, n + 1);
}

/** Move the buffer of a P to the inbox. The P's thread is inside its gate. */
function post(record: u32): void {
  const at = record + P_SHADED;
  const n = load<u32>(at);
  const s = sharedGc();
  if (lock(LOCK_GC)) {
    for (let i: u32 = 0; i < n; i++) {
      let top = s.inbox;
      if ((top & MASK) == 0) {
        const page = allocTable(1) << PAGE_SHIFT;
        if (page == 0) {
          forget();
          break;
        }
        countBuffers(1);
        store<u32>(page, top ? top - PAGE_SIZE : 0);
        top = page + HEADER;
      }
      store<u32>(top, load<u32>(at + (i << 2), 4));
      s.inbox = top + 4;
    }
    unlock(LOCK_GC);
  } else forget();
  store<u32>(at, 0);
}

/** Note that some marked object is in no queue. */
export function forget(): void {
  const g = gcState();
  if (g.overflow == 0) g.overflows += 1;
  g.overflow = 1;
}

/**
 * With the marker's queue empty: make the inbox its queue. False: there is no inbox, it was empty, or G could not be
 * taken.
 */
export function takeInbox(): bool {
  if (!SHARED) return false;
  const s = sharedGc();
  if (s.inbox == 0 || !lock(LOCK_GC)) return false;
  const g = gcState();
  const top = s.inbox;
  const old = g.top;
  // A thread that dies between these stores leaves them in neither place. Recovery then walks all marked objects.
  s.inbox = 0;
  g.top = top;
  unlock(LOCK_GC);
  if (old) freeBuffer(old - HEADER);
  return true;
}

/** Move the buffer of the P at `record` into the marker's queue. No thread is inside that P's gate. */
export function takeShaded(record: u32): void {
  const at = record + P_SHADED;
  const n = load<u32>(at);
  for (let i: u32 = 0; i < n; i++) pushWork(load<u32>(at + (i << 2), 4));
  store<u32>(at, 0);
}

/** takeShaded for all Ps. The world is stopped. */
export function takeAllShaded(): void {
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record) takeShaded(record);
  }
}

/** The ragged barrier: takeShaded for all Ps, one after the other. False: some gate could not be taken. */
export function takeShadedRagged(inside: bool): bool {
  let all = true;
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    // Checked without the gate first, so that no thread waits for an empty buffer.
    if (record == 0 || load<u32>(record + P_SHADED) == 0) continue;
    if (inside && record == local) takeShaded(record);
    else if (holdGate(record)) {
      takeShaded(record);
      dropGate(record);
    } else all = false;
  }
  return all;
}

/** Empty all queues because the cycle is abandoned. Under M, with the world stopped. */
export function dropQueues(): void {
  const g = gcState();
  const s = sharedGc();
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record) store<u32>(record + P_SHADED, 0);
  }
  let top = g.top;
  g.top = 0;
  freeChain(top);
  top = s.inbox;
  s.inbox = 0;
  freeChain(top);
}

function freeChain(top: u32): void {
  while (top) {
    // At a page's end the address is the start of the next page.
    const page = (top - 1) & ~MASK;
    const prev = load<u32>(page);
    freeBuffer(page);
    top = prev ? prev + PAGE_SIZE : 0;
  }
}
