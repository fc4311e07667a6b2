/**
 * The functions of the collector's ABI that work alike in a one-thread heap (collector.ts) and in a shared one
 * (collectorshared.ts). Those two files export all of these, and add the steps of a cycle, which differ.
 *
 * Addresses and sizes are u32; values that may exceed 2^32 are f64, exact up to 2^53. Where a function takes the
 * address of an object, it allows 0 or ignores other addresses only where it says so.
 *
 * In a shared heap a call runs inside the gate of the thread's P (base/gates.ts), and takes G for the tables of
 * handles, pins, ranges and types. Any thread may call. A call that times out (M_LOCK_WAIT) returns the same as for "no
 * memory" or "none", and lastStuck tells which thread it waited for; a call that cannot be left half done traps. In a
 * one-thread heap gate and lock compile to nothing. Functions that cost more than O(1) say so.
 */

import {
  DUE_CYCLES_SHIFT,
  DUE_MARKING,
  MAX_OBJECT_BYTES,
  MISUSE_NONE,
  MISUSE_PINNED,
  HAS_FINALIZER,
  NO_HANDLE,
  SPECIAL_FINALIZER,
} from "../base/abinumbers";
import { findObject, freeChecked } from "../alloc/free";
import { checkPointer, checkedSpan } from "../alloc/freeslow";
import { mayFree, pinObject, pinsOf, unpinObject } from "../alloc/pins";
import { ensureReady, token } from "../alloc/procs";
import { SHARED } from "../base/config";
import { enterGate, enterSure, leaveGate } from "../base/gates";
import { gcState, isCollectedSpan, isMarking, pacer } from "../base/gcstate";
import { LOCK_GC } from "../base/layout";
import { lock, unlock } from "../base/locks";
import {
  setGCPercent as pacerPercent,
  setHeapMinimum as pacerMinimum,
  setMemoryLimit as pacerLimit,
  shouldStart,
} from "../base/pacer";
import { KIND_MASK } from "../base/specials";
import { heap } from "../base/state";
import { isUnswept } from "../central/lists";
import {
  addSpecial,
  dropSpecials,
  dropTaken,
  findSpecial,
  firstTaken,
  removeSpecial,
  specialAt,
  takeFinished,
} from "../central/specials";
import { SWEPT_EMPTY, sweepSpan } from "../central/sweep";
import { typedClear as clearTyped, typedMove as moveTyped, writePointer as writeSlot } from "../gc/barrier";
import { readyGC, repace } from "../gc/cycle";
import { isFault, setFault } from "../gc/fault";
import { gcFigure } from "../gc/figures";
import { shade } from "../gc/mark";
import { isMarked } from "../gc/markbits";
import { addRange, freeHandle, handleValue, isHandle, isInRange, newHandle, removeRange, setHandle } from "../gc/roots";
import { allocateObject } from "../gc/allocate";
import { shadeForFinalizer } from "../gc/specials";
import { isWeak, strengthen, weakFor } from "../gc/weak";
import { newType as makeType, typeAt } from "../gc/typebits";
import { spanOf } from "../heap/arena";

// How the two flavours differ

/** Set up the heap, a P for this thread, and, in a one-thread heap, the pacer. False: no memory. */
@inline
function ready(): bool {
  if (!ensureReady()) return false;
  readyGC();
  return true;
}

/** Whether settings can be read and written. This needs no P. */
@inline
function hasSettings(): bool {
  return SHARED ? heap != 0 : ready();
}

/** Get ready and enter the gate until leaveGate. Traps on timeout. False: no memory. */
@inline
function enter(): bool {
  if (!ready()) return false;
  enterSure();
  return true;
}

/** Enter the gate for a store, which cannot report failure. */
@inline
function enterStore(): void {
  if (!SHARED) return;
  if (!ensureReady()) unreachable();
  enterSure();
}

/**
 * Get ready, enter the gate and take G. False: no memory, or a timeout; then lastStuck tells which thread has the lock.
 */
function enterTables(): bool {
  if (!ready() || !enterGate()) return false;
  if (lock(LOCK_GC)) return true;
  leaveGate();
  return false;
}

function leaveTables(): void {
  unlock(LOCK_GC);
  leaveGate();
}

// Types and objects

/**
 * Make a type of `size` bytes, 4..131072 and a multiple of 4, whose pointers lie in the first `ptrBytes` bytes. The
 * caller sets its mask, one bit per word from the address + 16 on, before it makes the first object. 0: out of range,
 * or no memory.
 */
export function newType(size: u32, ptrBytes: u32): u32 {
  if (!enterTables()) return 0;
  const type = makeType(size, ptrBytes);
  leaveTables();
  return type;
}

/** A zeroed array of `n` elements of `type`, n >= 1. 0: no memory, or the array is too large. */
export function newObject(type: u32, n: u32): u32 {
  if (!ready()) return 0;
  const bytes = <u64>typeAt(type).size * <u64>n;
  if (bytes - 1 >= MAX_OBJECT_BYTES) return 0;
  return allocateObject(type, <u32>bytes, true, true);
}

/** 1 if `p` is the start of a live collected object, else 0. */
export function isObject(p: u32): i32 {
  if (heap == 0 || checkPointer(p) != MISUSE_NONE) return 0;
  const span = checkedSpan;
  return <i32>isCollectedSpan(span);
}

/**
 * Start of the live collected object that `p` points to or into; for a tiny object, of its block. 0: there is none, the
 * last cycle found it dead, or it was faulted.
 */
export function objectOf(p: u32): u32 {
  return isFaulted(p) ? 0 : undeadObject(p);
}

/** objectOf that knows nothing of faults. */
function undeadObject(p: u32): u32 {
  return SHARED ? notDead(p) : sweptObject(p);
}

/** objectOf for one thread: sweeps the span first. */
function sweptObject(p: u32): u32 {
  const span = heap ? spanOf(p) : null;
  if (span == null || !isCollectedSpan(span)) return 0;
  return isUnswept(span) && sweepSpan(span) == SWEPT_EMPTY ? 0 : findObject(p);
}

/** objectOf for several threads: another thread may be sweeping the span, so the mark decides. */
function notDead(p: u32): u32 {
  if (!ensureReady()) return 0;
  enterSure();
  let base: u32 = 0;
  const span = spanOf(p);
  if (span != null && isCollectedSpan(span)) {
    base = findObject(p);
    // If the mark is gone, a sweep has meanwhile decided whether the object lives: ask again.
    if (base != 0 && isUnswept(span) && !isMarked(base)) base = isUnswept(span) ? 0 : findObject(p);
  }
  leaveGate();
  return base;
}

/**
 * Free a collected object by hand. 0, or the kind of misuse; then nothing has changed. Null is allowed and returns 0.
 */
export function freeObject(p: u32): i32 {
  if (p == 0) return MISUSE_NONE;
  if (!mayFree(p)) return MISUSE_PINNED;
  return freeChecked(p);
}

/**
 * Quarantine the object that begins at `p`, made by newObject and of at most MAX_TYPE_SIZE bytes: a chunk of a user
 * arena. `type`: of MAX_TYPE_SIZE bytes without pointers. 1: done; 0: no such object is there. O(bytes) while a cycle
 * marks, else O(1).
 */
export function faultObject(p: u32, type: u32): i32 {
  if (heap == 0 || !enter()) return 0;
  const done = findObject(p) == p && setFault(p, type);
  leaveGate();
  return done ? 1 : 0;
}

/** 1 if `p` points into an object that was faulted and is not reused yet. Takes no lock and never waits. */
export function isFaulted(p: u32): i32 {
  return heap != 0 && isFault(p) ? 1 : 0;
}

// Roots. Objects stored there are shaded before G is taken, because nothing may be queued under G.

@inline
function shadeObject(p: u32): void {
  if (p != 0 && isMarking()) shade(p);
}

/** The word that a handle keeps for `p`. It is never odd, because odd words are free handles. Inside the gate. */
@inline
function wordOf(p: u32): u32 {
  return p & 1 ? objectOf(p) : p;
}

/**
 * Make a handle for the object at `p` or for 0; for an odd address, for the block around it. Returns its number, 1 and
 * up; 0: no memory.
 */
export function handleNew(ptr: u32): u32 {
  if (!enter()) return 0;
  const p = wordOf(ptr);
  shadeObject(p);
  let i: u32 = 0;
  if (lock(LOCK_GC)) {
    i = newHandle(p);
    unlock(LOCK_GC);
  }
  leaveGate();
  return i;
}

/** The object of a handle, 0 for none. NO_HANDLE: `i` is not a handle. 0 also on timeout. */
export function handleGet(i: u32): u32 {
  if (heap == 0 || !enterTables()) return 0;
  const p = isHandle(i) ? handleValue(i) : NO_HANDLE;
  leaveTables();
  return p;
}

/** Make a handle hold another object or 0, or, with `drop`, free it. 1: done; 0: `i` is not a handle. */
function changeHandle(i: u32, ptr: u32, drop: bool): i32 {
  if (heap == 0 || !enter()) return 0;
  const p = wordOf(ptr);
  let shaded: u32 = 0;
  shadeObject(p);
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
    if (!SHARED || old == shaded || !isMarking()) break;
    unlock(LOCK_GC);
    // Another thread may have set the same handle meanwhile: try again.
    shade(old);
    shaded = old;
  }
  if (drop) freeHandle(i);
  else setHandle(i, p);
  leaveTables();
  return 1;
}

/** Make a handle hold another object or 0. 1: done; 0: `i` is not a handle. */
export function handleSet(i: u32, p: u32): i32 {
  return changeHandle(i, p, false);
}

/** Free a handle. 1: done; 0: `i` is not a handle. */
export function handleFree(i: u32): i32 {
  return changeHandle(i, 0, true);
}

/** Pin the object at or around `p` once more, or with `undo` once less. Returns its number of pins; `none`: failed. */
function changePins(p: u32, undo: bool, none: i32): i32 {
  // What is pinned can be unpinned, faulted or not.
  const base = undo ? undeadObject(p) : objectOf(p);
  if (base == 0 || !enter()) return none;
  shadeObject(base);
  let n = none;
  if (lock(LOCK_GC)) {
    n = undo ? unpinObject(base) : <i32>pinObject(base);
    unlock(LOCK_GC);
  }
  leaveGate();
  return n;
}

/**
 * Pin the object at or around `p` once more. Returns its number of pins; 0: it is not a collected object, or no memory.
 */
export function pin(p: u32): u32 {
  return changePins(p, false, 0);
}

/** Undo one pin. Returns the pins left; -1: it was not pinned. */
export function unpin(p: u32): i32 {
  return changePins(p, true, -1);
}

/** Number of pins of the object at `p`. */
export function pins(p: u32): u32 {
  const base = undeadObject(p);
  if (base == 0 || !enterTables()) return 0;
  const n = pinsOf(base);
  leaveTables();
  return n;
}

/**
 * Register the words of [start, start + bytes) as roots; both multiples of 4. `pointer`, if not 0, is the address of a
 * word that holds the lowest address in use: only words from there on are roots. This is for a stack that grows down.
 * 1: done; 0: no memory.
 *
 * A shared heap scans them with the world stopped. A thread that stores there without the barrier must do so between
 * gcEnter and gcLeave, or keep every such object reachable some other way until its next pair of these.
 */
export function addRoots(start: u32, bytes: u32, pointer: u32): i32 {
  if (bytes == 0 || !enterTables()) return 0;
  const done = addRange(start & ~3, (start + bytes) & ~3, pointer);
  leaveTables();
  return done ? 1 : 0;
}

/** Remove the range that begins at `start`. 1: done; 0: there is none. */
export function removeRoots(start: u32): i32 {
  if (heap == 0 || !enterTables()) return 0;
  const done = removeRange(start & ~3);
  leaveTables();
  return done ? 1 : 0;
}

/** 1 if the `bytes` bytes from `start` on lie in one registered range. Takes no lock and never waits. */
export function isRegistered(start: u32, bytes: u32): i32 {
  return heap != 0 && start + bytes >= start && isInRange(start, start + bytes) ? 1 : 0;
}

// Specials

/**
 * Hang a cleanup or a finalizer (SPECIAL_CLEANUP, SPECIAL_FINALIZER) of this thread on the live object at or around
 * `p`; a finalizer needs its start. Returns its number; 0: no memory, or a lock could not be taken; HAS_FINALIZER: the
 * object has a finalizer already.
 */
export function specialNew(kind: u32, p: u32): u32 {
  if (!enterTables()) return 0;
  const taken = kind == SPECIAL_FINALIZER && findSpecial(kind, p, 0) != 0;
  const id = taken ? HAS_FINALIZER : addSpecial(kind, p, 0, token());
  unlock(LOCK_GC);
  if (kind == SPECIAL_FINALIZER && !taken && id != 0) shadeForFinalizer(p);
  leaveGate();
  return id;
}

/** Undo specialNew, before the object was found dead. 1: done; 0: there is none. */
export function specialFree(kind: u32, p: u32, id: u32): i32 {
  if (heap == 0 || !enterTables()) return 0;
  const i = findSpecial(kind, p, id);
  if (i) removeSpecial(i);
  leaveTables();
  return i ? 1 : 0;
}

/**
 * The indirection of the address `p` in a live object: a collected object whose first word is `p`, and 0 once the
 * object is dead. It needs a root. 0: no memory, or a lock could not be taken.
 */
export function weakNew(p: u32): u32 {
  if (!enter()) return 0;
  const weak = weakFor(p);
  leaveGate();
  return weak;
}

/** The address that an indirection stands for, if its object lives and was not faulted, else 0. `weak` is checked: 0 for anything else. */
export function weakGet(weak: u32): u32 {
  if (heap == 0 || !enter()) return 0;
  const p = isWeak(weak) ? strengthen(weak) : 0;
  leaveGate();
  return isFaulted(p) ? 0 : p;
}

/** 1 if `p` is the address of an indirection. */
export function isIndirection(p: u32): i32 {
  if (heap == 0 || !enter()) return 0;
  const is = isWeak(p);
  leaveGate();
  return is ? 1 : 0;
}

/**
 * The number of a cleanup or finalizer of this thread's whose object was found dead; 0: there is none. It stays the same
 * until finishedDone.
 */
export function finishedId(): u32 {
  if (heap == 0) return 0;
  if (firstTaken() == 0) {
    if (gcState().finqHead == 0 || !enterTables()) return 0;
    takeFinished(token());
    leaveTables();
  }
  return firstTaken() ? specialAt(firstTaken()).value : 0;
}

/** The object of the finalizer that finishedId names; 0: it is a cleanup. */
export function finishedObject(): u32 {
  if (firstTaken() == 0) return 0;
  const s = specialAt(firstTaken());
  return (s.tag & KIND_MASK) == SPECIAL_FINALIZER ? s.at : 0;
}

/** Forget what finishedId names. A finalizer's object needs another root before. */
export function finishedDone(): void {
  if (firstTaken() == 0 || !enterTables()) return;
  dropTaken();
  leaveTables();
}

/** The thread with this token, 0: this one, is gone: forget its cleanups and finalizers. */
export function dropFinished(thread: u32): void {
  if (heap == 0 || !enterTables()) return;
  dropSpecials(thread ? thread : token());
  leaveTables();
}

// Stores

/** Store the pointer `value`, which may be 0, into an object or a registered range, with the write barrier. */
export function writePointer(slot: u32, value: u32): void {
  enterStore();
  writeSlot(slot, value);
  leaveGate();
}

/** Copy `n` elements of `type`, with the write barrier. The two areas may overlap. */
export function typedMove(type: u32, to: u32, from: u32, n: u32): void {
  enterStore();
  moveTyped(type, to, from, typeAt(type).size * n);
  leaveGate();
}

/** Clear `n` elements of `type`, with the write barrier. */
export function typedClear(type: u32, to: u32, n: u32): void {
  enterStore();
  clearTyped(type, to, typeAt(type).size * n);
  leaveGate();
}

// Settings and figures

/** 1: cycles begin automatically when the heap has grown to the trigger. 0: they do not. */
export function setCollecting(on: i32): void {
  if (hasSettings()) gcState().enabled = on != 0 ? 1 : 0;
}

/** Set GOGC in percent, negative for off. Returns the old value, -1 for off. */
export function setGCPercent(percent: i32): i32 {
  if (!enterTables()) return 100;
  const old = pacerPercent(pacer(), percent);
  repace();
  leaveTables();
  return old;
}

/** Set the limit of the memory in use that cycles aim for, in bytes; infinite: none. Returns the old limit. */
export function setMemoryLimit(bytes: f64): f64 {
  if (!enterTables()) return Infinity;
  const old = pacerLimit(pacer(), bytes >= 9007199254740992.0 ? ~(<u64>0) : <u64>bytes);
  repace();
  leaveTables();
  return old == ~(<u64>0) ? Infinity : <f64>old;
}

/** Set the least goal at GOGC 100, in bytes. Returns the old one. */
export function setHeapMinimum(bytes: f64): f64 {
  if (!enterTables()) return 0;
  const old = pacerMinimum(pacer(), <u64>bytes);
  repace();
  leaveTables();
  return <f64>old;
}

/** 1: check the marks of every cycle by a second marking. Any value clears the object that a check has recorded. */
export function setCheckmark(on: i32): void {
  if (!hasSettings()) return;
  gcState().checkmark = on != 0 ? 1 : 0;
  gcState().checkFailedAt = 0;
}

/** 1: fill what a cycle has found dead with 0xdeadbeef as it is swept. */
export function setClobberfree(on: i32): void {
  if (hasSettings()) gcState().clobberfree = on != 0 ? 1 : 0;
}

/** 0: no cycle; 1: marking; 2, in a shared heap: ending. */
export function gcPhase(): u32 {
  return heap ? gcState().phase : 0;
}

/**
 * What an allocation that the mcache cannot serve would meet: bits DUE_ASSIST, DUE_START and DUE_MARKING. From
 * DUE_CYCLES_SHIFT on: the number of cycles begun.
 */
export function gcDue(): u32 {
  if (heap == 0) return 0;
  const g = gcState();
  const p = pacer();
  const at = g.cycles << DUE_CYCLES_SHIFT;
  return g.phase ? at | DUE_MARKING | u32(p.assistBytes < 0) : at | ((<u32>shouldStart(p)) << 1);
}

/** 1 if the running cycle has marked the object at `p`. */
export function marked(p: u32): i32 {
  return heap != 0 && isMarked(p) ? 1 : 0;
}

/** A figure, by its number: STAT_CYCLES and the following. */
export function gcStat(i: u32): f64 {
  return hasSettings() ? gcFigure(i) : 0;
}
