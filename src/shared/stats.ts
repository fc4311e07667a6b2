/** Statistics that only a shared heap has: those of its locks and its Ps, beside MemStats over all Ps. */
import { P_COUNTERS } from "../base/abinumbers.js";
import type { Holder } from "../base/errors.js";
import type { MemStats } from "../base/memstats.js";
import type { SharedExports } from "./abi.js";
import type { LockCounters } from "./lock.js";

/** A lock's counters. */
export interface LockStats extends LockCounters {
  /** 0: the heap lock; else that of mcentral `index`. */
  readonly index: number;
}

/** A P and its counters. They go with the P from thread to thread. */
export interface PStats extends Holder {
  /** Blocks of other Ps that it freed: one atomic operation each. */
  readonly remoteFrees: number;
  /** Of these, the first in their group of slots: up to three more atomic operations, to tell the owner. */
  readonly groupsPushed: number;
  /** Groups of its own that it took over with what others had freed in them. */
  readonly groupsTaken: number;
  /** Blocks freed twice by different threads, found when their group was taken over. */
  readonly lateDoubleFrees: number;
  /** Spans taken from mcentrals. */
  readonly spansTaken: number;
  /** Spans given to mcentrals. */
  readonly spansGiven: number;
  /** Pages of 8 KiB of the small spans that it owns. */
  readonly pagesOwned: number;
}

/** Statistics of a shared heap. */
export interface SharedMemStats extends MemStats {
  /** Every lock that was ever taken; the heap lock first. */
  readonly locks: readonly LockStats[];
  readonly ps: readonly PStats[];
}

/** The counters of one P. */
export function readPStats(exports: SharedExports, holder: Holder): PStats {
  const counts = P_COUNTERS.map((name, i) => [name, Number(exports.pStat(holder.p, i))]);
  return { ...holder, ...(Object.fromEntries(counts) as Record<(typeof P_COUNTERS)[number], number>) };
}
