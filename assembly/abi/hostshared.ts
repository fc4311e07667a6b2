/**
 * The host ABI of a shared heap: that of host.ts, and what the host's Ps and locks need (src/shared/). Each thread calls
 * its own instance.
 */

export * from "./host";
export * from "./collectorshared";

import { MAX_PS } from "../base/config";
import { HEAP_CLAIM, NUM_LOCKS } from "../base/layout";
import { clearStuck, lockAddress as addressOfLock, stuck } from "../base/locks";
import { heap, pAt, recordOf } from "../base/state";
import { procs as limit, setToken, stateAddress as addressOfState, takeP } from "../alloc/procs";

export { abandonP, blockP, currentP, numPs, procs, releaseP, setProcs, setToken, unblockP } from "../alloc/procs";
export { flushP, recoverP } from "../check/recover";
export { gomalloc_thread_exit } from "./shared";

/** Take a P for the thread `token`, 0..0xffffff. Its number, 1..255; 0: all are taken, or there is no memory. */
export function acquireP(token: u32): u32 {
  setToken(token);
  return takeP(limit());
}

/** acquireP for a thread that has waited in vain: it makes a P though as many exist as the limit allows. */
export function acquireBeyond(token: u32): u32 {
  setToken(token);
  return takeP(MAX_PS);
}

/** Address of the state word of P `id`, 1..255. */
export function stateAddress(id: u32): u32 {
  return heap ? addressOfState(id) : 0;
}

/** Address of a word for the host: whether somebody has this heap. */
export function claimAddress(): u32 {
  return heap ? heap + HEAP_CLAIM : 0;
}

/** Address of lock `i`: 0 the heap's, else the mcentral's of row i, and at last the collector's two. */
export function lockAddress(i: u32): u32 {
  return heap != 0 && i < NUM_LOCKS ? addressOfLock(i) : 0;
}

export function lockCount(): u32 {
  return NUM_LOCKS;
}

/** Holder of the lock that this thread last gave up on; asking forgets it. */
export function lastStuck(): u32 {
  const id = stuck;
  clearStuck();
  return id;
}

/**
 * Counters of a P: 0 remote frees by it, 1 groups that it told the owners of, 2 groups taken over, 3 late double frees, 4 spans
 * taken from mcentrals, 5 given to them, 6 pages owned.
 */
export function pStat(id: u32, i: u32): u64 {
  if (heap == 0 || id - 1 >= MAX_PS || recordOf(id) == 0) return 0;
  const p = pAt(recordOf(id));
  if (i == 0) return p.remoteFrees;
  if (i == 1) return p.groupsPushed;
  if (i == 2) return p.groupsTaken;
  if (i == 3) return p.lateDoubleFrees;
  if (i == 4) return p.spansTaken;
  if (i == 5) return p.spansGiven;
  return i == 6 ? p.ownedPages : 0;
}
