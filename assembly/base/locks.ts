/**
 * Locks: a word in shared memory, taken by compare-and-swap, with the holder's number in it.
 *
 *   word   0 free; else the number of the P that holds it, and bit 31 if a thread may be asleep on it
 *
 * The host takes the same words by Atomics (src/shared/lock.ts). A thread that waits spins a little, then sets bit 31
 * and sleeps by memory.atomic.wait32; a thread that must not sleep, such as a browser's main thread, goes on spinning.
 * The release is an exchange with 0, and a notify if bit 31 was set. A lock whose holder has died stays taken until
 * check/recover.ts takes it over; a thread that runs out of patience gets false, and `waitedFor` is the P that
 * it waited for.
 *
 * Order: H, then the lock C of one mcentral. H is never requested under C. With the collector: M (the marker), then
 * gates (base/gates.ts), then G (its tables), then H. Under a gate M is only tried. The test flavours check the order.
 * Each lock has its own line of 64 bytes, so that two locks never share one. Cost: two atomic operations without
 * contention. With one thread lock, lockSoon and unlock do nothing, so callers need not ask how many threads there are.
 */

import { LOCK_ACQUIRED, LOCK_CONTENDED, LOCK_SHIFT, LOCK_WAITS, MAX_PS } from "./abinumbers";
import { CHECK, SHARED } from "./config";
import { HEAP_LOCKS, LOCK_GC } from "./layout";
import { canBlock, lockPatience } from "./options";
import { heap, syncMemory } from "./state";

@inline export const WAITERS: u32 = 0x80000000;
/** Reads of the word before the thread sleeps. */
@inline export const SPINS: u32 = 200;
/** One sleep, milliseconds: then the holder is read again. */
@inline const NAP: u32 = 20;
/** Reads that replace a nap in a thread that must not sleep. */
@inline const SPINS_PER_NAP: u32 = 1 << 20;

/** Used in place of a P's number by a thread that has none. */
@inline export const NO_P: u32 = MAX_PS + 1;

/**
 * Number of the P that this thread holds or is about to hold: what it writes into a lock. Never 0, which is a free
 * lock.
 */
export let self: u32 = NO_P;
export function setSelf(id: u32): void {
  self = id;
}

/** Holder of the lock for which this thread last ran out of patience; 0: none. */
export let waitedFor: u32 = 0;
export function clearWaitedFor(): void {
  waitedFor = 0;
}
export function setWaitedFor(id: u32): void {
  waitedFor = id;
}

/**
 * Set while this thread recovers another's P: it waits for a lock at most a second, because the holder may be dead too.
 */
export let briefWaits: bool = false;
export function setBriefWaits(yes: bool): void {
  briefWaits = yes;
}
@inline const BRIEF_NAPS: u32 = 50;

/** Locks held, for the check of the order: bit 0 is H, bit 1 an mcentral's, bit 2 is G, bit 3 is M. */
let held: u32 = 0;

function rank(i: u32): u32 {
  if (i >= LOCK_GC) return i == LOCK_GC ? 4 : 8;
  return i ? 2 : 1;
}

/** The locks that must not be held when one of this rank is requested. */
function before(rank: u32): u32 {
  return rank == 2 ? 2 : rank == 1 ? 3 : rank == 4 ? 7 : 15;
}

/** Address of lock `i`: 0 is H, else that of the mcentral of row `i`. */
@inline
export function lockAddress(i: u32): u32 {
  return heap + HEAP_LOCKS + (i << LOCK_SHIFT);
}

/** The holder's number in a lock's word; 0 if it is free. */
export function lockOwner(i: u32): u32 {
  return atomic.load<u32>(lockAddress(i)) & ~WAITERS;
}

function bump(at: usize): void {
  store<u64>(at, load<u64>(at) + 1);
}

/** Take lock `i`. False when patience ran out: nothing is held then. */
export function lock(i: u32): bool {
  if (!SHARED) return true;
  if (CHECK) {
    if (held & before(rank(i))) unreachable();
  }
  const at = lockAddress(i);
  return (atomic.cmpxchg<u32>(at, 0, self) == 0 || lockSlow(at)) && noteTaken(i, at);
}

/** lock that waits at most a second, whatever the patience: for callers that look at a heap that may be damaged. */
export function lockBriefly(i: u32): bool {
  const before = briefWaits;
  briefWaits = true;
  const had = lock(i);
  briefWaits = before;
  return had;
}

/** Take lock `i` if it is free. */
export function tryLock(i: u32): bool {
  const at = lockAddress(i);
  return atomic.cmpxchg<u32>(at, 0, self) == 0 && noteTaken(i, at);
}

/** Take lock `i` if it becomes free during a short spin: for work that can be left to another thread. */
export function lockSoon(i: u32): bool {
  if (!SHARED) return true;
  const at = lockAddress(i);
  return (atomic.cmpxchg<u32>(at, 0, self) == 0 || spin(at)) && noteTaken(i, at);
}

/** What the lock protects may lie in memory that its last holder has grown. */
function noteTaken(i: u32, at: u32): bool {
  syncMemory();
  bump(at + LOCK_ACQUIRED);
  if (CHECK) held |= rank(i);
  return true;
}

/** Read the word of a lock for a while, and take it if it is free. */
function spin(at: u32): bool {
  for (let i: u32 = 0; i < SPINS; i++) {
    if (atomic.load<u32>(at) == 0 && atomic.cmpxchg<u32>(at, 0, self) == 0) {
      bump(at + LOCK_CONTENDED);
      return true;
    }
  }
  return false;
}

/**
 * Take lock `i` for work that cannot be left half done: when patience runs out it traps, and the P must be abandoned
 * (alloc/procs.ts). In a recovery it returns false instead, like lock.
 */
export function lockSure(i: u32): bool {
  if (lock(i)) return true;
  if (!briefWaits) unreachable();
  return false;
}

/** This thread has no locks any more: its P was abandoned with them. */
export function forgetLocks(): void {
  held = 0;
  briefWaits = false;
}

/** Wait for the word of a lock at `at` and take it. */
export function lockSlow(at: u32): bool {
  if (spin(at)) return true;
  let naps = (lockPatience + NAP - 1) / NAP;
  if (briefWaits && naps - 1 >= BRIEF_NAPS) naps = BRIEF_NAPS;
  let n: u32 = 0;
  let word = atomic.load<u32>(at);
  while (true) {
    if (word == 0) {
      // Other threads may be asleep: the bit stays set until the last of them has had the lock.
      word = atomic.cmpxchg<u32>(at, 0, self | WAITERS);
      if (word == 0) break;
    }
    if ((word & WAITERS) == 0) {
      const seen = atomic.cmpxchg<u32>(at, word, word | WAITERS);
      if (seen != word) {
        word = seen;
        continue;
      }
    }
    if (naps != 0 && n == naps) {
      waitedFor = word & ~WAITERS;
      return false;
    }
    n++;
    pause(at, word | WAITERS);
    word = atomic.load<u32>(at);
  }
  bump(at + LOCK_CONTENDED);
  if (n) store<u64>(at, load<u64>(at, LOCK_WAITS) + n, LOCK_WAITS);
  return true;
}

/**
 * Wait until the word may have changed, or a nap is over. Sleeping must be a call: the baseline compiler of Node 20's
 * V8 loses locals of a function that continues after memory.atomic.wait32. It calls itself, in a branch that is never
 * taken, so that it is not inlined.
 */
export function pause(at: u32, word: u32): void {
  if (at == 1) pause(at - 1, word);
  if (canBlock) {
    atomic.wait<i32>(at, word, <i64>NAP * 1000000);
  } else {
    for (let i: u32 = 0; i < SPINS_PER_NAP && atomic.load<u32>(at) == word; i++) {}
  }
}

/** Release lock `i`. */
export function unlock(i: u32): void {
  if (!SHARED) return;
  if (CHECK) {
    if ((held & rank(i)) == 0) unreachable();
    held &= ~rank(i);
  }
  const at = lockAddress(i);
  if (atomic.xchg<u32>(at, 0) & WAITERS) atomic.notify(at, 1);
}

/** Return lock `i`, which this thread has taken over, to the dead P. */
export function handOver(i: u32, dead: u32): void {
  if (CHECK) held &= ~rank(i);
  atomic.store<u32>(lockAddress(i), dead | WAITERS);
}

/** Take lock `i` over from P `dead`, whose thread has died. False if that P does not hold it. */
export function takeOver(i: u32, dead: u32): bool {
  const at = lockAddress(i);
  const word = atomic.load<u32>(at);
  if ((word & ~WAITERS) != dead) return false;
  // Only bit 31 can have been set meanwhile.
  if (atomic.cmpxchg<u32>(at, word, self | WAITERS) != word) return takeOver(i, dead);
  syncMemory();
  if (CHECK) held |= rank(i);
  return true;
}
