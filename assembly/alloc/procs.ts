/**
 * Ps: what a thread must hold to allocate. Shared heaps only; with one thread there is one P, the heap itself.
 *
 *   state word   state | token << 8, changed only by compare-and-swap; token names the thread to the host, 0: unnamed
 *
 *   UNUSED -> STARTING -> RUNNING <-> BLOCKED      made and acquired by a thread; lent while it waits for something
 *   RUNNING -> STOPPING                            the host asks for it back (src/shared/procs.ts)
 *   RUNNING, STOPPING -> IDLE -> RUNNING           released with its caches, and acquired again
 *   IDLE -> STOPPING -> IDLE                       being flushed
 *   any -> DEAD -> IDLE                            being recovered
 *
 * A P's record is made once and stays. A thread acquires an idle P; else it makes one while fewer than `procs` exist;
 * else it acquires one whose thread has lent it.
 *
 * Owner: the thread whose token is in the state word. Cost: a walk of the state words; a new P takes its own pages, so
 * that no two Ps share a cache line.
 */

import {
  MAX_PS,
  MAX_TOKEN,
  P_BLOCKED,
  P_DEAD,
  P_IDLE,
  P_RUNNING,
  P_STARTING,
  P_STOPPING,
  P_UNUSED,
} from "../base/abinumbers";
import { OBJECT, PAGE_SHIFT, PAGE_SIZE, SHARED } from "../base/config";
import { forgetGate, isInside, setMarker } from "../base/gates";
import { HEAP_P_RECORDS, HEAP_P_STATES, HEAP_PROCS, P_RECORD_SIZE } from "../base/layout";
import { NO_P, forgetLocks, lock, self, setSelf, unlock } from "../base/locks";
import { clearMoving, heap, local, mheap, pAt, recordOf, setLocal, syncMemory, here } from "../base/state";
import { noteThread, programHeapBase } from "../base/program";
import { pageCacheFlush } from "../heap/pagecache";
import { moveChunk } from "../heap/persistent";
import { allocRun } from "../central/reclaim";
import { attachHeap, bootstrap, initTables } from "./init";

/** The token with which this thread acquires Ps, and claims those of dead threads. */
let ownToken: u32 = 0;
export function setToken(token: u32): void {
  ownToken = token & MAX_TOKEN;
}

/** Address of the state word of P `id`, 1..255. */
@inline
export function stateAddress(id: u32): u32 {
  return heap + HEAP_P_STATES + (id << 2);
}

@inline
export function stateOf(id: u32): u32 {
  return atomic.load<u32>(stateAddress(id));
}

@inline
export function changeState(id: u32, from: u32, to: u32): bool {
  return atomic.cmpxchg<u32>(stateAddress(id), from, to) == from;
}

/** Whether this thread can allocate. Makes the heap or acquires a P if one of these is missing. */
@inline
export function ensureReady(): bool {
  return here() != 0 || initReady();
}

export function initReady(): bool {
  if (!SHARED) return bootstrap(OBJECT, programHeapBase());
  if (OBJECT) attachHeap(programHeapBase());
  if (takeP(procs()) == 0) return false;
  noteThread();
  return true;
}

/** The most Ps that may be made. */
export function procs(): u32 {
  return heap ? atomic.load<u32>(heap, HEAP_PROCS) : 0;
}

/** Set the most Ps that may be made, 1..255. Ps that exist stay. */
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

/**
 * Acquire a P, or keep the one that this thread has; make one if fewer than `limit` exist. Its number; 0: there is
 * none.
 */
export function takeP(limit: u32): u32 {
  if (heap == 0) return 0;
  if (local) return self;
  const running = P_RUNNING | (ownToken << 8);
  for (let id: u32 = 1; id <= MAX_PS; id++) {
    if (stateOf(id) == P_IDLE && changeState(id, P_IDLE, running)) return enter(id);
  }
  for (let id: u32 = 1; id <= limit; id++) {
    if (stateOf(id) != P_UNUSED || !changeState(id, P_UNUSED, P_STARTING | (ownToken << 8))) continue;
    setSelf(id);
    if (makeP(id)) {
      atomic.store<u32>(stateAddress(id), running);
      return enter(id);
    }
    setSelf(NO_P);
    atomic.store<u32>(stateAddress(id), P_UNUSED);
    return 0;
  }
  for (let id: u32 = 1; id <= MAX_PS; id++) {
    const word = stateOf(id);
    if ((word & 0xff) == P_BLOCKED && changeState(id, word, running)) return enter(id);
  }
  return 0;
}

/** Run P `id`. What it caches may lie in memory that its last holder has grown. */
function enter(id: u32): u32 {
  syncMemory();
  setSelf(id);
  setLocal(recordOf(id));
  return id;
}

/**
 * Work as P `id`, which no thread runs and which this thread has claimed, to flush or to recover it. Locks and gates
 * are taken with its number, and progress is noted in its record, or in the heap's record while it has none. So this
 * thread needs no P of its own, and if it dies, the P's next recovery finds everything.
 */
export function workAs(id: u32): void {
  syncMemory();
  setSelf(id);
  setLocal(recordOf(id) ? recordOf(id) : heap);
}

/** End workAs: this thread is P `id` again, with its record, or has no P. */
export function workAgainAs(id: u32, record: u32): void {
  setSelf(id);
  setLocal(record);
}

/** The record of P `id`, published when it is complete. False: no memory, or no lock. */
function makeP(id: u32): bool {
  if (!lock(0)) return false;
  // Its pages are allocated through the heap's own record. No P owns that record's page cache, so it is flushed at
  // once.
  setLocal(heap);
  const npages = (P_RECORD_SIZE + PAGE_SIZE - 1) >> PAGE_SHIFT;
  const page = allocRun(npages, false);
  // In this order, as in allocTable.
  clearMoving();
  if (page) mheap().metaPages += npages;
  pageCacheFlush();
  if (page) {
    const record = page << PAGE_SHIFT;
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

/** The token with which this thread acquires Ps. */
export function token(): u32 {
  return ownToken;
}

/** Release this thread's P, with what it caches. */
export function releaseP(): void {
  // Inside its gate the P has to stay this thread's.
  if (local == 0 || isInside()) return;
  const id = self;
  leave();
  const word = stateOf(id);
  const state = word & 0xff;
  // RUNNING or STOPPING with this thread's token; otherwise another thread acquired it while it was lent.
  if (word >> 8 != ownToken || (state != P_RUNNING && state != P_STOPPING && state != P_BLOCKED)) return;
  if (!changeState(id, word, P_IDLE)) changeState(id, P_STOPPING | (ownToken << 8), P_IDLE);
}

/**
 * This thread's P is in a state that only a recovery can repair, with its locks and its gate, as after a trap in the
 * middle of a call. It becomes unowned, for the next thread that recovers anything.
 */
export function abandonP(): void {
  if (local == 0) return;
  const id = self;
  leave();
  forgetLocks();
  forgetGate();
  setMarker(false);
  atomic.store<u32>(stateAddress(id), P_DEAD);
}

/** Lend this thread's P out while the thread waits for something. */
export function blockP(): bool {
  if (local == 0 || isInside()) return false;
  return changeState(self, P_RUNNING | (ownToken << 8), P_BLOCKED | (ownToken << 8));
}

/** Take the lent P back. False if another thread has acquired it: this thread has no P now. */
export function unblockP(): bool {
  if (local == 0) return false;
  if (changeState(self, P_BLOCKED | (ownToken << 8), P_RUNNING | (ownToken << 8))) return true;
  leave();
  return false;
}
