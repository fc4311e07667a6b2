/**
 * The host ABI of a shared heap: that of host.ts, and access to Ps and locks (src/shared/). Each thread calls its own
 * instance.
 *
 * Owner: any thread. Cost: O(1), a new P O(its record).
 */

import {
  MAX_PS,
  PSTAT_GROUPS_PUSHED,
  PSTAT_GROUPS_TAKEN,
  PSTAT_LATE_DOUBLE_FREES,
  PSTAT_PAGES_OWNED,
  PSTAT_REMOTE_FREES,
  PSTAT_SPANS_GIVEN,
  PSTAT_SPANS_TAKEN,
} from "../base/abinumbers";
export * from "./host";
export * from "./collectorshared";

import { HEAP_CLAIM, MHeap, NUM_LOCKS } from "../base/layout";
import { clearWaitedFor, lockAddress as addressOfLock, waitedFor } from "../base/locks";
import { heap, pAt, recordOf } from "../base/state";
import { procs as limit, setToken, stateAddress as addressOfState, takeP } from "../alloc/procs";

export { abandonP, blockP, currentP, numPs, procs, releaseP, setProcs, setToken, unblockP } from "../alloc/procs";
export { flushP, recoverP } from "../check/recover";
export { gomalloc_sync, gomalloc_thread_exit } from "./shared";

/** Take a P for the thread `token`, 0..0xffffff. Returns its number, 1..255; 0: all are taken, or no memory. */
export function acquireP(token: u32): u32 {
  setToken(token);
  return takeP(limit());
}

/** acquireP for a thread that has waited in vain: makes a P even beyond the limit. */
export function acquireBeyond(token: u32): u32 {
  setToken(token);
  return takeP(MAX_PS);
}

/** Address of the state word of P `id`, 1..255. */
export function stateAddress(id: u32): u32 {
  return heap ? addressOfState(id) : 0;
}

/** Address of a word for the host: whether somebody has claimed this heap. */
export function claimAddress(): u32 {
  return heap ? heap + HEAP_CLAIM : 0;
}

/** Address of a word for the host: where the heap's memory ends. */
export function endAddress(): u32 {
  return heap ? heap + <u32>offsetof<MHeap>("sysEnd") : 0;
}

/** Address of lock `i`: 0 the heap's, then those of the mcentrals by row, last the collector's two. */
export function lockAddress(i: u32): u32 {
  return heap != 0 && i < NUM_LOCKS ? addressOfLock(i) : 0;
}

export function lockCount(): u32 {
  return NUM_LOCKS;
}

/** Holder of the lock that this thread last gave up on. The call resets it. */
export function lastStuck(): u32 {
  const id = waitedFor;
  clearWaitedFor();
  return id;
}

/** Counter `i` of P `id`: PSTAT_REMOTE_FREES and the following. 0 for a P or a counter that does not exist. */
export function pStat(id: u32, i: u32): u64 {
  if (heap == 0 || id - 1 >= MAX_PS || recordOf(id) == 0) return 0;
  const p = pAt(recordOf(id));
  if (i == PSTAT_REMOTE_FREES) return p.remoteFrees;
  if (i == PSTAT_GROUPS_PUSHED) return p.groupsPushed;
  if (i == PSTAT_GROUPS_TAKEN) return p.groupsTaken;
  if (i == PSTAT_LATE_DOUBLE_FREES) return p.lateDoubleFrees;
  if (i == PSTAT_SPANS_TAKEN) return p.spansTaken;
  if (i == PSTAT_SPANS_GIVEN) return p.spansGiven;
  return i == PSTAT_PAGES_OWNED ? p.ownedPages : 0;
}
