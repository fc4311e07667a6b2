/**
 * What mutators shade: its way to whoever marks. Shared heaps only.
 *
 *   P's buffer   127 addresses in the record of the P, inside of its gate
 *   inbox        pages of addresses as those of gc/work.ts, for all, under G
 *
 * A full buffer goes to the inbox. The marker takes the inbox when its own queue is empty, and then each P's buffer, with the
 * P's gate held for a moment. Without memory for a page the addresses are forgotten and `overflow` says so: the objects are
 * marked, and mark.ts looks for such.
 *
 * A thread that dies may have marked an object and not queued it; recovery says `overflow` then. Cost: a store and an add.
 */

import { MAX_PS } from "../base/abinumbers";
import { PAGE_SHIFT, PAGE_SIZE } from "../base/config";
import { dropGate, holdGate } from "../base/gates";
import { gcState, sharedGc } from "../base/gcstate";
import { LOCK_GC, P_SHADED, SHADED_MAX } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { local, recordOf } from "../base/state";
import { allocTable } from "../central/records";
import { HEADER, MASK, freeBuffer, pushWork } from "./work";

/** Queue an object that this thread, which does not mark, has just shaded. */
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

/** The buffer of a P to the inbox; its thread is inside of the gate. */
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
        gcState().buffers += 1;
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

/** Some marked object is in no queue. */
export function forget(): void {
  const g = gcState();
  if (g.overflow == 0) g.overflows += 1;
  g.overflow = 1;
}

/** The marker's queue is empty: what is in the inbox becomes its queue. False: nothing was, or G is not to be had. */
export function takeInbox(): bool {
  const s = sharedGc();
  if (s.inbox == 0 || !lock(LOCK_GC)) return false;
  const g = gcState();
  const top = s.inbox;
  const old = g.top;
  // If the thread dies in between they are in neither place, which a recovery makes good: the marked are looked through.
  s.inbox = 0;
  g.top = top;
  unlock(LOCK_GC);
  if (old) freeBuffer(old - HEADER);
  return true;
}

/** The buffer of the P at `record` into the marker's queue. Its thread is not inside of its gate. */
export function takeShaded(record: u32): void {
  const at = record + P_SHADED;
  const n = load<u32>(at);
  for (let i: u32 = 0; i < n; i++) pushWork(load<u32>(at + (i << 2), 4));
  store<u32>(at, 0);
}

/** takeShaded of all Ps. The world is stopped. */
export function takeAllShaded(): void {
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record) takeShaded(record);
  }
}

/** The ragged barrier: takeShaded of all Ps, one after the other. False: some gate was not to be had. */
export function takeShadedRagged(inside: bool): bool {
  let all = true;
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    // A look without the gate: nobody is made to wait for nothing.
    if (record == 0 || load<u32>(record + P_SHADED) == 0) continue;
    if (inside && record == local) takeShaded(record);
    else if (holdGate(record)) {
      takeShaded(record);
      dropGate(record);
    } else all = false;
  }
  return all;
}

/** Nothing is queued any more: the cycle is abandoned. Under M, the world is stopped. */
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
    // At a page's end it is the next one's start.
    const page = (top - 1) & ~MASK;
    const prev = load<u32>(page);
    freeBuffer(page);
    top = prev ? prev + PAGE_SIZE : 0;
  }
}
