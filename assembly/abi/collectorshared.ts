/**
 * The collector of a shared heap as the TypeScript host sees it: what abi/collector.ts exports for one thread, each call inside
 * of the gate of the thread's P, and the steps of a cycle for whoever marks (src/shared/gc.ts).
 *
 * Addresses, sizes and words are as there. Any thread may call; a call that finds the world stopped waits for its start. Where
 * a call says no for want of patience (M_LOCK_WAIT), lastStuck tells whom it waited for.
 */

import { checkPointer, checkedSpan, findObject, freeChecked } from "../alloc/free";
import { MISUSE_NONE, MISUSE_PINNED } from "../alloc/misuse";
import { isReady } from "../alloc/procs";
import { LOCK_GC } from "../base/layout";
import { enterGate, enterSure, isInside, leaveGate } from "../base/gates";
import { SharedGc, gcState, isCollectedSpan, isMarking, sharedGc, pacer } from "../base/gcstate";
import { lock, unlock } from "../base/locks";
import { heap } from "../base/state";
import { isUnswept } from "../central/lists";
import { typedClear as clearTyped, typedMove as moveTyped, writePointer as writeSlot } from "../gc/barrier";
import { repace } from "../gc/cycle";
import { gcFigure } from "../gc/figures";
import { shade } from "../gc/mark";
import {
  setGCPercent as pacerPercent,
  setHeapMinimum as pacerMinimum,
  setMemoryLimit as pacerLimit,
  shouldStart,
} from "../base/pacer";
import { isPinned, pinObject, pinsOf, unpinObject } from "../alloc/pins";
import { addRange, freeHandle, handleValue, isHandle, isInRange, newHandle, removeRange, setHandle } from "../gc/roots";
import { allocateShared } from "../gc/sharedabi";
import {
  BUSY,
  beginShared,
  collectShared,
  endShared,
  finishMarkShared,
  leaveMarker,
  markShared,
  pollOutside,
  sweepShared,
  takeMarker,
  wakeMarkers,
} from "../gc/sharedcycle";
import { newType as makeType, typeAt } from "../gc/typebits";
import { isMarked } from "../gc/markbits";
import { spanOf } from "../heap/arena";

/** Inside of the gate, with G. False: one of them is not to be had, and lastStuck tells whose it is. */
function enterTables(): bool {
  if (!isReady() || !enterGate()) return false;
  if (lock(LOCK_GC)) return true;
  leaveGate();
  return false;
}

function leaveTables(): void {
  unlock(LOCK_GC);
  leaveGate();
}

/**
 * Stay inside of the gate until gcLeave: addresses in variables are good from here to there, for no cycle begins or ends
 * meanwhile, not by this thread either; what it owes is paid before. Calls of the collector's, and calls of this, may come
 * between; who waits for another thread must not. 1; 0: no P, or the world is stopped for longer than patience lasts.
 */
export function gcEnter(): i32 {
  if (!isReady()) return 0;
  pollOutside();
  return enterGate() ? 1 : 0;
}

/** Undo one gcEnter. */
export function gcLeave(): void {
  if (isInside()) leaveGate();
}

/** As in abi/collector.ts. */
export function newType(size: u32, ptrBytes: u32): u32 {
  if (!enterTables()) return 0;
  const type = makeType(size, ptrBytes);
  leaveTables();
  return type;
}

/** A zeroed array of `n` elements of `type`, n >= 1. 0: no memory, or an array that does not fit. */
export function newObject(type: u32, n: u32): u32 {
  if (!isReady()) return 0;
  const bytes = <u64>typeAt(type).size * <u64>n;
  return bytes - 1 >= 0xfffe0000 ? 0 : allocateShared(type, <u32>bytes, true, true);
}

/** 1 when `p` is the start of a live object of the collector's, 0 for anything else. */
export function isObject(p: u32): i32 {
  if (heap == 0 || checkPointer(p) != MISUSE_NONE) return 0;
  const span = checkedSpan;
  return <i32>isCollectedSpan(span);
}

/** Start of the live object of the collector's that `p` points to or into; 0: none, or one that the last cycle found dead. */
export function objectOf(p: u32): u32 {
  if (!isReady()) return 0;
  enterSure();
  let base: u32 = 0;
  const span = spanOf(p);
  if (span != null && isCollectedSpan(span)) {
    base = findObject(p);
    // A mark that is gone by now was looked at by the sweep, which has left the object alive or not.
    if (base != 0 && isUnswept(span) && !isMarked(base)) base = isUnswept(span) ? 0 : findObject(p);
  }
  leaveGate();
  return base;
}

/** What a handle keeps for `p`: no odd word, for those are free handles. Inside of the gate. */
@inline
function wordOf(p: u32): u32 {
  return p & 1 ? objectOf(p) : p;
}

/** A handle for the object at `p` or 0; at an odd address, for the block it is in. Its number, 1 and up; 0: no memory. */
export function handleNew(ptr: u32): u32 {
  if (!isReady()) return 0;
  enterSure();
  const p = wordOf(ptr);
  // Under G nothing is queued: here, too, what is shaded below.
  if (p != 0 && isMarking()) shade(p);
  let i: u32 = 0;
  if (lock(LOCK_GC)) {
    i = newHandle(p);
    unlock(LOCK_GC);
  }
  leaveGate();
  return i;
}

/** The object of a handle; 0 for what is no handle. */
export function handleGet(i: u32): u32 {
  if (heap == 0 || !enterTables()) return 0;
  const p = isHandle(i) ? handleValue(i) : 0;
  leaveTables();
  return p;
}

/** Let a handle hold another object or 0, or with `drop` give it back. 1; 0: it is no handle. */
function changeHandle(i: u32, ptr: u32, drop: bool): i32 {
  if (heap == 0 || !isReady()) return 0;
  enterSure();
  const p = wordOf(ptr);
  let shaded: u32 = 0;
  if (p != 0 && isMarking()) shade(p);
  while (true) {
    if (!lock(LOCK_GC)) {
      leaveGate();
      return 0;
    }
    if (!isHandle(i)) {
      leaveTables();
      return 0;
    }
    const old = handleValue(i);
    if (old == shaded || !isMarking()) break;
    unlock(LOCK_GC);
    // As in handleNew. Another thread may set the same handle: then once more.
    shade(old);
    shaded = old;
  }
  if (drop) freeHandle(i);
  else setHandle(i, p);
  leaveTables();
  return 1;
}

/** Let a handle hold another object or 0. 1; 0: it is no handle. */
export function handleSet(i: u32, p: u32): i32 {
  return changeHandle(i, p, false);
}

/** Give a handle back. 1; 0: it is none. */
export function handleFree(i: u32): i32 {
  return changeHandle(i, 0, true);
}

/** Pin the object at `p`, interior addresses too, once more. Pins now; 0: it is no object of the collector's, or no memory. */
export function pin(p: u32): u32 {
  const base = objectOf(p);
  if (base == 0) return 0;
  enterSure();
  if (isMarking()) shade(base);
  let n: u32 = 0;
  if (lock(LOCK_GC)) {
    n = pinObject(base);
    unlock(LOCK_GC);
  }
  leaveGate();
  return n;
}

/** Undo one pin. Pins left, -1: it was not pinned. */
export function unpin(p: u32): i32 {
  const base = objectOf(p);
  if (base == 0) return -1;
  enterSure();
  if (isMarking()) shade(base);
  if (!lock(LOCK_GC)) {
    leaveGate();
    return -1;
  }
  const n = unpinObject(base);
  leaveTables();
  return n;
}

/** How often the object at `p` is pinned. */
export function pins(p: u32): u32 {
  const base = objectOf(p);
  if (base == 0 || !enterTables()) return 0;
  const n = pinsOf(base);
  leaveTables();
  return n;
}

/**
 * Register the words of [start, start + bytes) as roots; both multiples of 4. They are looked at with the world stopped, so
 * whoever writes there without the barrier has to do it inside of no call, with every object reached some other way until
 * the call is over. With `pointer`, the address of a word with the lowest address in use. 1; 0: no memory.
 */
export function addRoots(start: u32, bytes: u32, pointer: u32): i32 {
  if (bytes == 0 || !enterTables()) return 0;
  const done = addRange(start & ~3, (start + bytes) & ~3, pointer);
  leaveTables();
  return done ? 1 : 0;
}

/** Undo addRoots of the range that begins at `start`. 1; 0: there is none. */
export function removeRoots(start: u32): i32 {
  if (heap == 0 || !enterTables()) return 0;
  const done = removeRange(start & ~3);
  leaveTables();
  return done ? 1 : 0;
}

/** 1 when the `bytes` bytes from `start` on lie in one registered range. A look without the lock: it waits for nobody. */
export function isRegistered(start: u32, bytes: u32): i32 {
  return heap != 0 && start + bytes >= start && isInRange(start, start + bytes) ? 1 : 0;
}

/** Store the pointer `value`, 0 too, into an object or a registered range: with the write barrier. */
export function writePointer(slot: u32, value: u32): void {
  if (!isReady()) unreachable();
  enterSure();
  writeSlot(slot, value);
  leaveGate();
}

/** Copy `n` elements of `type`, which may overlap: with the write barrier. */
export function typedMove(type: u32, to: u32, from: u32, n: u32): void {
  if (!isReady()) unreachable();
  enterSure();
  moveTyped(type, to, from, typeAt(type).size * n);
  leaveGate();
}

/** Clear `n` elements of `type`: with the write barrier. */
export function typedClear(type: u32, to: u32, n: u32): void {
  if (!isReady()) unreachable();
  enterSure();
  clearTyped(type, to, typeAt(type).size * n);
  leaveGate();
}

/** Free an object of the collector's by hand: 0, or the kind of misuse, and then nothing has changed. Null is 0. */
export function freeObject(p: u32): i32 {
  if (p == 0) return MISUSE_NONE;
  return isPinned(p) ? MISUSE_PINNED : freeChecked(p);
}

/** 1: cycles begin by themselves, when the heap has grown to the trigger. */
export function setCollecting(on: i32): void {
  if (heap) gcState().enabled = on != 0 ? 1 : 0;
}

/** GOGC, percent, negative for off. The old value, -1 for off. */
export function setGCPercent(percent: i32): i32 {
  if (!enterTables()) return 100;
  const old = pacerPercent(pacer(), percent);
  repace();
  leaveTables();
  return old;
}

/** Limit of the memory in use that cycles keep to, bytes; infinite for none. The old one. */
export function setMemoryLimit(bytes: f64): f64 {
  if (!enterTables()) return Infinity;
  const old = pacerLimit(pacer(), bytes >= 9007199254740992.0 ? ~(<u64>0) : <u64>bytes);
  repace();
  leaveTables();
  return old == ~(<u64>0) ? Infinity : <f64>old;
}

/** Least goal at GOGC 100, bytes. The old one. */
export function setHeapMinimum(bytes: f64): f64 {
  if (!enterTables()) return 0;
  const old = pacerMinimum(pacer(), <u64>bytes);
  repace();
  leaveTables();
  return <f64>old;
}

// The steps of a cycle. Any thread that has a P may do any of them; one at a time does. The world runs when they return.

/**
 * Begin a cycle. What is unswept is swept first, so gcSweep before makes the call short, which is then the first stop.
 * `now`: milliseconds of a clock that all threads share, 0: none. 1; 0: one is running; -1: somebody is not to be waited for.
 */
export function gcBegin(forced: i32, now: f64): i32 {
  if (!isReady() || isInside() || !takeMarker()) return BUSY;
  const running = gcState().phase != 0;
  const begun = !running && beginShared(forced != 0, now);
  leaveMarker();
  return begun ? 1 : running ? 0 : BUSY;
}

/** Mark for about `budget` bytes. Bytes scanned; 0: nothing is queued, gcEnd is next; -1: another marks. */
export function gcMark(budget: f64): f64 {
  if (!isReady() || !takeMarker()) return BUSY;
  const work = <f64>markShared(<u64>budget);
  leaveMarker();
  return work;
}

/** End the marking if nothing is left: 1, and no cycle is running; 0: there is more; -1: somebody is not to be waited for. */
export function gcEnd(now: f64): i32 {
  if (!isReady() || isInside() || !takeMarker()) return BUSY;
  const done = endShared(now);
  leaveMarker();
  return done;
}

/** Sweep up to `pages` pages of 8 KiB. How many; 0: all is swept. */
export function gcSweep(pages: u32): u32 {
  return isReady() ? sweepShared(pages) : 0;
}

/** A whole cycle, begun now and swept. 1; 0: somebody is not to be waited for. O(heap). */
export function gc(): i32 {
  return isReady() && collectShared() ? 1 : 0;
}

/** Mark the running cycle to its end. 1; 0 as gc. */
export function gcFinish(): i32 {
  return isReady() && finishMarkShared() ? 1 : 0;
}

/** 0: no cycle; 1: marking; 2: its end. */
export function gcPhase(): u32 {
  return heap ? gcState().phase : 0;
}

/** 1 when a cycle should begin by itself. */
export function gcDue(): u32 {
  return heap != 0 && gcState().enabled != 0 && shouldStart(pacer()) ? 1 : 0;
}

/** Address of the word that changes when there may be work for a marker, and at which it is notified. */
export function gcWakeAddress(): u32 {
  return heap ? <u32>(changetype<usize>(sharedGc()) + offsetof<SharedGc>("wake")) : 0;
}

/** Wake the markers. */
export function gcWake(): void {
  if (heap) wakeMarkers();
}

/** Tell what the two stops of the last cycle took, milliseconds, and the processors that there are. Negative: as it was. */
export function gcTimes(begin: f64, end: f64, procs: u32): void {
  if (heap == 0) return;
  const s = sharedGc();
  if (begin >= 0) s.stopBegin = begin;
  if (end >= 0) s.stopEnd = end;
  s.procs = procs;
}

/** 1 when the object at `p` was marked by the running cycle. */
export function marked(p: u32): i32 {
  return heap != 0 && isMarked(p) ? 1 : 0;
}

/** 1: check every cycle's marks by a second marking. Either way the object that a check has noted is forgotten. */
export function setCheckmark(on: i32): void {
  if (heap == 0) return;
  gcState().checkmark = on != 0 ? 1 : 0;
  gcState().checkFailedAt = 0;
}

/** Figures, by number: those of abi/collector.ts up to 29, and from 32 on those of a shared heap. */
export function gcStat(i: u32): f64 {
  if (heap == 0) return 0;
  if (i < 32) return gcFigure(i);
  const s = sharedGc();
  if (i == 32) return s.markTime;
  if (i == 33) return s.stopBegin;
  if (i == 34) return s.stopEnd;
  if (i == 35) return s.abandoned;
  if (i == 36) return s.carried;
  if (i == 37) return pacer().consMark;
  return 0;
}
