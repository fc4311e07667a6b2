/**
 * Ps: what a thread must hold to allocate. Shared heaps only; with one thread there is one P, the heap itself.
 *
 *   state word   state | token << 8, changed by compare-and-swap alone; token names the thread to the host, 0: unnamed
 *
 *   UNUSED -> STARTING -> RUNNING <-> BLOCKED      made and taken by a thread; lent while it waits for something
 *   RUNNING -> STOPPING                            the host asks for it back (src/shared/procs.ts)
 *   RUNNING, STOPPING -> IDLE -> RUNNING           given up with its caches, and taken again
 *   IDLE -> STOPPING -> IDLE                       being flushed
 *   any -> DEAD -> IDLE                            being recovered
 *
 * A P's record is made once and stays. A thread takes an idle P, then makes one while fewer than `procs` exist, then takes
 * one whose thread has lent it. Cost: a walk of the state words; a new P takes pages of its own, so that no two share a
 * cache line.
 */

import { MAX_PS, PAGE_SHIFT, PAGE_SIZE, SHARED, SHARED_GC } from "../base/config";
import { isInside } from "../base/gates";
import { HEAP_P_RECORDS, HEAP_P_STATES, HEAP_PROCS, P_RECORD_SIZE } from "../base/layout";
import { NO_P, lock, self, setSelf, unlock } from "../base/locks";
import { clearMoving, heap, local, mheap, pAt, recordOf, setLocal, syncMemory } from "../base/state";
import { allocRun } from "../heap/mheap";
import { pageCacheFlush } from "../heap/pagecache";
import { moveChunk } from "../heap/persistent";
import { bootstrap, initTables } from "./init";

@inline export const P_UNUSED: u32 = 0;
@inline export const P_IDLE: u32 = 1;
@inline export const P_RUNNING: u32 = 2;
@inline export const P_BLOCKED: u32 = 3;
@inline export const P_STOPPING: u32 = 4;
@inline export const P_DEAD: u32 = 5;
@inline export const P_STARTING: u32 = 6;

/** The token by which this thread last took a P, and takes the next one if it is not told another. */
let ownToken: u32 = 0;

/** Address of the state word of P `id`, 1..255. */
// @ts-ignore: decorator
@inline
export function stateAddress(id: u32): u32 {
  return heap + HEAP_P_STATES + (id << 2);
}

// @ts-ignore: decorator
@inline
export function stateOf(id: u32): u32 {
  return atomic.load<u32>(stateAddress(id));
}

// @ts-ignore: decorator
@inline
export function changeState(id: u32, from: u32, to: u32): bool {
  return atomic.cmpxchg<u32>(stateAddress(id), from, to) == from;
}

/** Whether this thread can allocate; makes the heap or takes a P if that is all that lacks. */
// @ts-ignore: decorator
@inline
export function isReady(): bool {
  return (SHARED ? local != 0 : heap != 0) || getReady();
}

export function getReady(): bool {
  return SHARED ? takeP(ownToken) != 0 : bootstrap(false, 0);
}

/** The most Ps that may be made. */
export function procs(): u32 {
  return heap ? atomic.load<u32>(heap, HEAP_PROCS) : 0;
}

/** Set it, 1..255. Ps that exist stay. */
export function setProcs(n: u32): void {
  if (heap != 0 && n != 0 && n <= MAX_PS) atomic.store<u32>(heap, n, HEAP_PROCS);
}

/** Ps made so far. */
export function numPs(): u32 {
  let n: u32 = 0;
  if (heap) for (let id: u32 = 1; id <= MAX_PS; id++) if (recordOf(id) != 0) n++;
  return n;
}

/** The P of this thread, 0: none. */
export function currentP(): u32 {
  return local ? self : 0;
}

/** The P that this thread has, or an idle one; 0: none is. */
export function takeIdleP(token: u32): u32 {
  if (local) return self;
  for (let id: u32 = 1; id <= (heap ? MAX_PS : 0); id++) {
    if (stateOf(id) == P_IDLE && changeState(id, P_IDLE, P_RUNNING | (token << 8))) return enter(id, token);
  }
  return 0;
}

/**
 * Work on the heap's own record, for want of a P: to recover one, when all are taken and none can be made. It is for one
 * thread at a time. stopAsHeap ends it.
 */
export function workAsHeap(): void {
  setSelf(NO_P);
  setLocal(heap);
}

export function stopAsHeap(): void {
  setLocal(0);
}

/** Take a P for the thread `token`. Its number; 0: all are taken, or there is no memory. */
export function takeP(token: u32): u32 {
  const idle = takeIdleP(token);
  if (idle != 0 || heap == 0) return idle;
  const running = P_RUNNING | (token << 8);
  const limit = procs();
  for (let id: u32 = 1; id <= limit; id++) {
    if (stateOf(id) != P_UNUSED || !changeState(id, P_UNUSED, P_STARTING | (token << 8))) continue;
    setSelf(id);
    if (makeP(id)) {
      atomic.store<u32>(stateAddress(id), running);
      return enter(id, token);
    }
    setSelf(NO_P);
    atomic.store<u32>(stateAddress(id), P_UNUSED);
    return 0;
  }
  for (let id: u32 = 1; id <= MAX_PS; id++) {
    const word = stateOf(id);
    if ((word & 0xff) == P_BLOCKED && changeState(id, word, running)) return enter(id, token);
  }
  return 0;
}

function enter(id: u32, token: u32): u32 {
  setSelf(id);
  ownToken = token;
  setLocal(recordOf(id));
  return id;
}

/** The record of P `id`, published when it is complete. False: no memory, or no lock. */
function makeP(id: u32): bool {
  if (!lock(0)) return false;
  // Its pages come through the heap's own record, which has a page cache for nobody: emptied at once.
  setLocal(heap);
  const npages = (P_RECORD_SIZE + PAGE_SIZE - 1) >> PAGE_SHIFT;
  const page = allocRun(npages, false);
  if (page) mheap().metaPages += npages;
  clearMoving();
  pageCacheFlush();
  if (page) {
    const record = page << PAGE_SHIFT;
    syncMemory();
    memory.fill(record, 0, npages << PAGE_SHIFT);
    setLocal(record);
    initTables();
    pAt(record).id = id;
    moveChunk(heap, record);
    atomic.store<u32>(heap + (id << 2), record, HEAP_P_RECORDS);
  }
  setLocal(0);
  unlock(0);
  return page != 0;
}

function leave(): void {
  setLocal(0);
  setSelf(NO_P);
}

/** The token by which this thread takes Ps. */
export function token(): u32 {
  return ownToken;
}

/** Give this thread's P up, with what it caches. */
export function releaseP(): void {
  // Inside of its gate it has to be this thread's.
  if (local == 0 || (SHARED_GC && isInside())) return;
  const id = self;
  leave();
  const word = stateOf(id);
  const state = word & 0xff;
  // RUNNING or STOPPING with this thread's token; else somebody has taken it while it was lent.
  if (word >> 8 != ownToken || (state != P_RUNNING && state != P_STOPPING && state != P_BLOCKED)) return;
  if (!changeState(id, word, P_IDLE)) changeState(id, P_STOPPING | (ownToken << 8), P_IDLE);
}

/** This thread's P is in a state that only a recovery can make good. */
export function abandonP(): void {
  atomic.store<u32>(stateAddress(self), P_DEAD | (ownToken << 8));
  leave();
}

/** Lend this thread's P out while the thread waits for something. */
export function blockP(): bool {
  if (local == 0 || (SHARED_GC && isInside())) return false;
  return changeState(self, P_RUNNING | (ownToken << 8), P_BLOCKED | (ownToken << 8));
}

/** Have it back: false if another has taken it, and this thread has none now. */
export function unblockP(): bool {
  if (local == 0) return false;
  if (changeState(self, P_BLOCKED | (ownToken << 8), P_RUNNING | (ownToken << 8))) return true;
  leave();
  return false;
}
