/**
 * Gates: how the world is stopped. Shared heaps with the collector only.
 *
 * A thread passes its P's gate around every call that touches collected objects or the collector's state: allocation,
 * write barriers, roots, frees of objects, sweeping. malloc and free know nothing of gates; a thread that is inside
 * malloc or free, or outside wasm, need not be waited for.
 *
 *   gate      a word in the form of a lock's (base/locks.ts), in the record of the P: 0, or the number of the P inside
 *   stopped   one word for all (SharedGc): the P that has stopped the world
 *
 *   enter     gate 0 -> self; then read stopped: if it is another's, leave again and sleep there
 *   stop      stopped = self; then wait until each gate but one's own has been seen 0
 *   start     stopped = 0, and wake all
 *
 * Both sides write and then read, atomically: either the thread that enters sees `stopped`, or the thread that stops
 * the world sees the gate taken. A P that is made meanwhile enters after its record is published, so it sees `stopped`.
 * One word holds the stop, not one per P: a recovery has one word to read, and a stop writes no line of other Ps. To
 * flush what a P has shaded, its gate is taken like a lock, for a moment: Go's ragged barrier.
 *
 * Law: only the holder of M may stop the world. Cost: two atomic operations and a load a call.
 */

import { MAX_PS } from "./abinumbers";
import { SHARED_GC } from "./config";
import { P_GATE } from "./layout";
import { SPINS, WAITERS, briefWaits, lockSlow, pause, self, setWaitedFor } from "./locks";
import { gcState, sharedGc } from "./gcstate";
import { lockPatience } from "./options";
import { local, recordOf, seeWord } from "./state";

/** Naps of a recovery that waits for a thread to leave its gate. */
@inline const BRIEF_NAPS: u32 = 50;
/** Milliseconds of a nap: see pause. */
@inline const NAP: u32 = 20;

/** How many nested calls of this thread are inside its gate: a call inside may use another that passes the gate. */
let depth: u32 = 0;
/** The gate that this thread is inside: its P's, or that of a dead P that it recovers. */
let insideGate: u32 = 0;

/** Bytes that this thread has marked and not yet reported (gc/mark.ts). */
export let markedBytes: u64 = 0;
/** Count `bytes` as marked: with several threads, for this one to report. */
@inline
export function addMarked(bytes: u64): void {
  if (SHARED_GC) markedBytes += bytes;
  else gcState().bytesMarked += bytes;
}
export function clearMarked(): void {
  markedBytes = 0;
}

/** Whether this thread is inside its gate. */
@inline
export function isInside(): bool {
  return depth != 0;
}

/** Whether it is inside for more than the calling function: then that function may neither begin nor end a cycle. */
@inline
export function isNested(): bool {
  return depth > 1;
}

@inline
export function gateOf(record: u32): u32 {
  return record + P_GATE;
}

/** The gate of any P, whose record may lie in memory that its thread has just grown. */
function gateSeen(record: u32): u32 {
  const at = gateOf(record);
  seeWord(at);
  return at;
}

@inline
function stoppedWord(): usize {
  return changetype<usize>(sharedGc());
}

/** Naps that make up this thread's patience; 0: forever. */
function patience(): u32 {
  const naps = (lockPatience + NAP - 1) / NAP;
  return briefWaits && naps - 1 >= BRIEF_NAPS ? BRIEF_NAPS : naps;
}

/** Release a gate that this thread has taken. */
function open(at: u32): void {
  if (atomic.xchg<u32>(at, 0) & WAITERS) atomic.notify(at, 1);
}

/** Take the gate of any record as a lock, for a moment. False: patience ran out. */
export function holdGate(record: u32): bool {
  const at = gateSeen(record);
  return atomic.cmpxchg<u32>(at, 0, self) == 0 || lockSlow(at);
}

export function dropGate(record: u32): void {
  open(gateOf(record));
}

/** Pass the gate of this thread's P, and wait outside while the world is stopped. False: patience ran out. */
export function enterGate(): bool {
  if (!SHARED_GC) return true;
  if (depth == 0) {
    if (atomic.cmpxchg<u32>(gateOf(local), 0, self) != 0 || atomic.load<u32>(stoppedWord()) != 0) return enterSlow();
  }
  if (depth++ == 0) insideGate = gateOf(local);
  return true;
}

/** In the middle of long work that touches nothing of the collector's: let a thread that waits stop the world. */
export function yieldGate(): void {
  if (!SHARED_GC || depth != 1 || atomic.load<u32>(stoppedWord()) == 0) return;
  leaveGate();
  enterSure();
}

function enterSlow(): bool {
  const at = gateOf(local);
  const most = patience();
  let n: u32 = 0;
  while (true) {
    // Either this thread has the gate, or another thread flushes it, for a moment.
    if ((atomic.load<u32>(at) & ~WAITERS) != self && atomic.cmpxchg<u32>(at, 0, self) != 0 && !lockSlow(at))
      return false;
    const stopped = atomic.load<u32>(stoppedWord());
    if (stopped == 0 || stopped == self) {
      depth++;
      insideGate = at;
      return true;
    }
    open(at);
    if (most != 0 && n++ == most) {
      setWaitedFor(stopped);
      return false;
    }
    pause(<u32>stoppedWord(), stopped);
  }
}

/**
 * enterGate for calls that cannot fail: when patience runs out they trap, and the P must be abandoned (alloc/procs.ts).
 */
export function enterSure(): void {
  if (!enterGate()) unreachable();
}

/** This thread is inside no gate any more: its P was abandoned with the gate. */
export function forgetGate(): void {
  depth = 0;
  markedBytes = 0;
}

export function leaveGate(): void {
  if (!SHARED_GC || --depth != 0) return;
  open(insideGate);
}

/** Wait until the gate of the record has been seen open. False: patience ran out. */
function awaitGate(record: u32): bool {
  const at = gateSeen(record);
  const most = patience();
  let n: u32 = 0;
  let looks: u32 = 0;
  let word = atomic.load<u32>(at);
  while (word != 0) {
    if (looks++ >= SPINS) {
      if ((word & WAITERS) != 0 || atomic.cmpxchg<u32>(at, word, word | WAITERS) == word) {
        if (most != 0 && n++ == most) {
          setWaitedFor(word & ~WAITERS);
          return false;
        }
        pause(at, word | WAITERS);
      }
    }
    word = atomic.load<u32>(at);
  }
  return true;
}

/** Stop the world: on return no other thread is inside a gate. False: patience ran out, and the world was restarted. */
export function stopWorld(): bool {
  const done = haltWorld();
  if (!done) startWorld();
  return done;
}

/** stopWorld that leaves the world half stopped when patience runs out: threads that want to enter are kept out. */
export function haltWorld(): bool {
  atomic.store<u32>(stoppedWord(), self);
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record == 0 || (depth != 0 && gateOf(record) == insideGate)) continue;
    if (!awaitGate(record)) return false;
  }
  return true;
}

export function startWorld(): void {
  atomic.store<u32>(stoppedWord(), 0);
  atomic.notify(stoppedWord(), -1);
}

/** The P that has stopped the world; 0: it runs. */
export function stopper(): u32 {
  return atomic.load<u32>(stoppedWord());
}

/** Take a stop over from P `dead`, whose thread has died: the world stays stopped. False: that P has not stopped it. */
export function takeOverStop(dead: u32): bool {
  return atomic.cmpxchg<u32>(stoppedWord(), dead, self) == dead;
}

/** Undo takeOverStop: P `dead` has stopped the world again. */
export function returnStop(dead: u32): void {
  atomic.store<u32>(stoppedWord(), dead);
}

/**
 * To recover P `dead`, whose thread has died inside its gate: the gate is this thread's from now on, until leaveGate.
 * So the world cannot be stopped meanwhile, not even by a thread that waits for that gate. False: it was not inside.
 */
export function takeOverGate(dead: u32): bool {
  const record = recordOf(dead);
  if (record == 0 || depth != 0) return false;
  const at = gateSeen(record);
  const word = atomic.load<u32>(at);
  if ((word & ~WAITERS) != dead) return false;
  // Only the waiters' bit can have been set meanwhile.
  if (atomic.cmpxchg<u32>(at, word, self | WAITERS) != word) return takeOverGate(dead);
  depth = 1;
  insideGate = at;
  return true;
}

/** Undo takeOverGate: the dead P is inside again, for the next attempt. */
export function returnGate(dead: u32): void {
  depth = 0;
  atomic.store<u32>(insideGate, dead | WAITERS);
}

/**
 * Open the gates that P `dead` has taken, its own or others', except the one that this thread is inside. Returns how
 * many.
 */
export function openGatesOf(dead: u32): u32 {
  let n: u32 = 0;
  for (let id: u32 = 0; id <= MAX_PS; id++) {
    const record = recordOf(id);
    if (record == 0 || (depth != 0 && gateOf(record) == insideGate)) continue;
    if ((atomic.load<u32>(gateSeen(record)) & ~WAITERS) != dead) continue;
    n++;
    open(gateOf(record));
  }
  return n;
}

/** True in the thread that has M (gc/sharedcycle.ts). */
export let marker: bool = false;

export function setMarker(yes: bool): void {
  marker = yes;
}
