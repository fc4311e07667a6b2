/**
 * The host ABI of a shared heap: that of host.ts, and what the host's Ps and locks need (src/shared/). Each thread calls
 * its own instance.
 */

export * from "./host";

import { NUM_ROWS } from "../base/config";
import { clearStuck, lockAddress as addressOfLock, stuck } from "../base/locks";
import { heap, pAt, recordOf } from "../base/state";
import {
  blockP as block,
  currentP as current,
  numPs as countPs,
  procs as limit,
  releaseP as release,
  setProcs as setLimit,
  stateAddress as addressOfState,
  takeP,
  unblockP as unblock,
} from "../alloc/procs";
import { flushP as flush, recoverP as recover } from "../check/recover";

export { gomalloc_thread_exit } from "./shared";

/** Take a P for the thread `token`, 0..0xffffff. Its number, 1..255; 0: all are taken, or there is no memory. */
export function acquireP(token: u32): u32 {
  return takeP(token & 0xffffff);
}

/** Give this thread's P up, with what it caches. */
export function releaseP(): void {
  release();
}

/** This thread's P, 0: none. */
export function currentP(): u32 {
  return current();
}

/** Lend this thread's P to others while the thread waits. 1, or 0 without a P. */
export function blockP(): i32 {
  return block() ? 1 : 0;
}

/** Have it back: 1; 0: another thread has it, and this one none. */
export function unblockP(): i32 {
  return unblock() ? 1 : 0;
}

/** The most Ps that may be made: 1..255. */
export function setProcs(n: u32): void {
  setLimit(n);
}

export function procs(): u32 {
  return limit();
}

/** Ps made so far. */
export function numPs(): u32 {
  return countPs();
}

/** All that an idle P caches back to the mcentrals and the heap. 1, or 0 when it was not idle. */
export function flushP(id: u32): i32 {
  return heap != 0 && id - 1 < 255 && flush(id) ? 1 : 0;
}

/** Repair what the dead thread of a P has left: bits as in check/recover.ts, 0 when there was nothing to do or no lock. */
export function recoverP(id: u32): u32 {
  return heap ? recover(id) : 0;
}

/** Address of the state word of P `id`, 1..255. */
export function stateAddress(id: u32): u32 {
  return heap ? addressOfState(id) : 0;
}

/** Address of lock `i`: 0 the heap's, else the mcentral's of row i. */
export function lockAddress(i: u32): u32 {
  return heap != 0 && i < NUM_ROWS ? addressOfLock(i) : 0;
}

export function lockCount(): u32 {
  return NUM_ROWS;
}

/** Holder of the lock that this thread last gave up on; asking forgets it. */
export function lastStuck(): u32 {
  const id = stuck;
  clearStuck();
  return id;
}

/** Counters of a P: 0 remote frees by it, 1 groups pushed, 2 groups taken over, 3 late double frees, 4 spans taken from
 * mcentrals, 5 given to them, 6 pages owned. */
export function pStat(id: u32, i: u32): u64 {
  if (heap == 0 || id - 1 >= 255 || recordOf(id) == 0) return 0;
  const p = pAt(recordOf(id));
  if (i == 0) return p.remoteFrees;
  if (i == 1) return p.groupsPushed;
  if (i == 2) return p.groupsTaken;
  if (i == 3) return p.lateDoubleFrees;
  if (i == 4) return p.spansTaken;
  if (i == 5) return p.spansGiven;
  return i == 6 ? p.ownedPages : 0;
}
