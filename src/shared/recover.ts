/**
 * What becomes of a dead thread's P: found by the thread's token, repaired by wasm, and reported.
 *
 * Called by a living thread, with a P of its own, on another thread's token. The caller must know that the thread is
 * dead: recovering the P of a living one breaks the heap. Cost: wasm walks all spans for each P.
 */
import type { HostExports } from "../abi.js";
import { GomallocError, type Holder } from "../errors.js";
import { setOption } from "../options.js";
import {
  M_LOCK_WAIT,
  MAX_PROCS,
  REPAIR_DONE,
  REPAIR_HEAP_LOCK,
  REPAIR_MCENTRAL,
  REPAIR_PAGES,
  REPAIR_REMOTE_FREE,
} from "./abi.js";
import type { HeapLock, LockHost } from "./lock.js";

/** Milliseconds that a recovery waits for the heap lock: whoever recovers has more to hear of. */
const PATIENCE_MS = 20;

/** What was found broken off and was made good. All false: the thread died outside of the allocator. */
export interface Repairs {
  /** It held the heap lock: the page heap was made anew from the records of spans. */
  readonly heapLock: boolean;
  /** It held the lock of an mcentral: the list was made anew. */
  readonly mcentralLock: boolean;
  /** Pages were on their way from one state to another: they are free. */
  readonly pages: boolean;
  /** A block of another P's was freed by half: the owner knows now. */
  readonly remoteFree: boolean;
  /** It held the lock of the host's. */
  readonly hostLock: boolean;
}

/** What a thread's death left, and what was done about it. */
export interface DeathReport {
  /** The thread's name among the heap's. */
  readonly token: number;
  /** Id of the P that it had, 0: none. */
  readonly p: number;
  /** Everything is in order: the P and its caches serve the others. */
  readonly ok: boolean;
  readonly repaired: Repairs;
  /** Not ok: the P and the state it is left in. Its memory is not lost to a later try. */
  readonly left: Holder | null;
}

/** Recovers the P of the dead thread `token`. */
export function recover(host: LockHost, exports: HostExports, hostLock: HeapLock, token: number): DeathReport {
  const { ps, shared, control } = host;
  control.forget(token);
  const theirs = (): Holder[] => ps.list().filter((holder) => holder.token === token);
  const [first] = theirs();
  if (first === undefined) return { token, p: 0, ok: true, repaired: repairs(0, false), left: null };

  // Before the P can be another thread's.
  const heldHost = hostLock.free(first.p);
  const had = ps.current !== 0;
  let found = 0;
  setOption(exports, M_LOCK_WAIT, host.lockWait > 0 ? Math.min(host.lockWait, PATIENCE_MS) : PATIENCE_MS);
  try {
    // A P that the thread had lent may be this one's now, which is all that it takes.
    if (takeAny(host)) for (const { p } of theirs()) found |= shared.recoverP(p);
  } catch (error) {
    // The heap lock is not to be had. What is left tells.
    if (!(error instanceof GomallocError)) throw error;
  } finally {
    setOption(exports, M_LOCK_WAIT, host.lockWait);
    if (!had && !ps.pinned) ps.release();
  }
  shared.lastStuck();
  control.free();
  const [left = null] = theirs();
  return { token, p: first.p, ok: left === null, repaired: repairs(found, heldHost), left };
}

/** A P for this thread, even if it has to be one beyond the limit: the dead may have them all. */
function takeAny({ ps }: LockHost): boolean {
  if (ps.pinned || ps.tryAcquire()) return true;
  const { limit } = ps;
  if (limit >= MAX_PROCS) return false;
  ps.limit = limit + 1;
  try {
    return ps.tryAcquire();
  } finally {
    ps.limit = limit;
  }
}

function repairs(bits: number, hostLock: boolean): Repairs {
  const done = (bits & REPAIR_DONE) !== 0;
  return {
    heapLock: done && (bits & REPAIR_HEAP_LOCK) !== 0,
    mcentralLock: done && (bits & REPAIR_MCENTRAL) !== 0,
    pages: done && (bits & REPAIR_PAGES) !== 0,
    remoteFree: done && (bits & REPAIR_REMOTE_FREE) !== 0,
    hostLock,
  };
}
