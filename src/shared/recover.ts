/**
 * Recovery of a dead thread's P: found by the thread's token, repaired by wasm, and reported. A thread that had no P
 * may have died in a free, which is completed.
 *
 * A living thread calls it with another thread's token; it needs no P of its own. The caller must know that the thread
 * is dead: recovering the P of a living one breaks the heap. Cost: wasm walks all spans for each P.
 */
import type { Holder } from "../base/errors.js";
import { FREE_PENDING, HELD_CENTRAL, HELD_HEAP, NOBODY, PAGES_MOVING, RECOVERED } from "./abi.js";
import type { HeapLock, LockHost } from "./lock.js";

/** Milliseconds that a recovery waits for the heap lock: this thread may have to hear of more deaths. */
const PATIENCE_MS = 20;

/** What was left unfinished and has been repaired. All false: the thread died outside the allocator. */
export interface Repairs {
  /** It held the heap lock: the page heap was rebuilt from the records of spans. */
  readonly heapLock: boolean;
  /** It held the lock of an mcentral: the list was rebuilt. */
  readonly mcentralLock: boolean;
  /** Pages were between two states: they are free now. */
  readonly pages: boolean;
  /** The free of another P's block was unfinished: the owner knows of it now. */
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
  /** Not ok: the P, and its state. A later try can still recover it. */
  readonly left: Holder | null;
}

/** Recovers the P of the dead thread `token`. */
export function recover(host: LockHost, hostLock: HeapLock, token: number): DeathReport {
  const { ps, shared, control } = host;
  control.forget(token);
  // The Ps that it had, those that it was flushing or recovering itself, and those that a flush has left half done.
  const theirs = (): Holder[] => ps.list().filter((holder) => holder.token === token);
  const orphans = (): Holder[] => ps.list().filter((holder) => holder.token === 0 && holder.state === "dead");
  const [first] = theirs();
  // Before another thread can have the P.
  const heldHost = theirs().some(({ p }) => hostLock.free(p));
  let found = 0;
  host.setLockWait(Math.min(host.waits.lock || PATIENCE_MS, PATIENCE_MS));
  if (first === undefined) found = shared.recoverP(NOBODY);
  for (const { p } of theirs()) found |= shared.recoverP(p);
  for (const { p } of orphans()) shared.recoverP(p);
  host.setLockWait(host.waits.lock);
  shared.lastStuck();
  if (first !== undefined) control.free();
  const [left = null] = theirs();
  return { token, p: first?.p ?? 0, ok: left === null, repaired: repairs(found, heldHost), left };
}

function repairs(bits: number, hostLock: boolean): Repairs {
  const done = (bits & RECOVERED) !== 0;
  return {
    heapLock: done && (bits & HELD_HEAP) !== 0,
    mcentralLock: done && (bits & HELD_CENTRAL) !== 0,
    pages: done && (bits & PAGES_MOVING) !== 0,
    remoteFree: done && (bits & FREE_PENDING) !== 0,
    hostLock,
  };
}
