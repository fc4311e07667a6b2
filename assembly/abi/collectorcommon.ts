/**
 * The functions of the collector's ABI whose work is the same in a heap of one thread (collector.ts) and in a shared one
 * (collectorshared.ts). Those two export all of these, and add the steps of a cycle, which differ.
 *
 * Addresses and sizes are u32; what may exceed 2^32 is an f64, exact up to 2^53. Where an address of an object is asked
 * for, 0 is allowed only where that is said; other addresses are ignored where that is said.
 *
 * In a shared heap a call runs inside the gate of the thread's P (base/gates.ts), and holds G where it touches the tables
 * of handles, pins, ranges and types. Any thread may call. A call that runs out of patience (M_LOCK_WAIT) returns what it
 * returns for "no memory" or "none", and lastStuck tells whom it waited for; one that cannot be left half done traps. In a
 * heap of one thread gate and lock compile to nothing. What costs more than O(1) says so.
 */

import {
  DUE_ASSIST,
  DUE_CYCLES_SHIFT,
  DUE_MARKING,
  DUE_START,
  MAX_OBJECT_BYTES,
  MISUSE_NONE,
  MISUSE_PINNED,
  NO_HANDLE,
} from "../base/abinumbers";
import { checkPointer, checkedSpan, findObject, freeChecked } from "../alloc/free";
import { isPinned, pinObject, pinsOf, unpinObject } from "../alloc/pins";
import { isReady } from "../alloc/procs";
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
import { heap } from "../base/state";
import { isUnswept } from "../central/lists";
import { SWEPT_EMPTY, sweepSpan } from "../central/sweep";
import { typedClear as clearTyped, typedMove as moveTyped, writePointer as writeSlot } from "../gc/barrier";
import { readyGC, repace } from "../gc/cycle";
import { gcFigure } from "../gc/figures";
import { shade } from "../gc/mark";
import { isMarked } from "../gc/markbits";
import { newObject as allocate } from "../gc/mallocgc";
import { addRange, freeHandle, handleValue, isHandle, isInRange, newHandle, removeRange, setHandle } from "../gc/roots";
import { allocateShared } from "../gc/sharedabi";
import { newType as makeType, typeAt } from "../gc/typebits";
import { spanOf } from "../heap/arena";

// How the two flavours differ

/** Whether there is a heap, made if it is missing, and a P for this thread; in a heap of one thread its pacer has begun. */
@inline
function ready(): bool {
  if (!isReady()) return false;
  if (!SHARED) readyGC();
  return true;
}

/** Whether settings can be read and written: that takes no P. */
@inline
function hasSettings(): bool {
  return SHARED ? heap != 0 : ready();
}

/** Ready, and inside the gate until leaveGate. Traps when patience runs out. */
@inline
function enter(): bool {
  if (!ready()) return false;
  if (SHARED) enterSure();
  return true;
}

/** Inside the gate for a store, which has no way to say no. */
@inline
function enterStore(): void {
  if (!SHARED) return;
  if (!isReady()) unreachable();
  enterSure();
}

@inline
function lockTables(): bool {
  return !SHARED || lock(LOCK_GC);
}

@inline
function unlockTables(): void {
  if (SHARED) unlock(LOCK_GC);
}

/** Ready, inside the gate, with G. False: there is no memory, or patience ran out and lastStuck tells for whom. */
function enterTables(): bool {
  if (!ready() || !enterGate()) return false;
  if (lockTables()) return true;
  leaveGate();
  return false;
}

function leaveTables(): void {
  unlockTables();
  leaveGate();
}

// Types and objects

/**
 * A type of `size` bytes, 4..131072 and a multiple of 4, whose pointers lie in the first `ptrBytes` bytes. The caller sets
 * its mask, one bit per word from the address + 16 on, before its first object is made. 0: out of range, or no memory.
 */
export function newType(size: u32, ptrBytes: u32): u32 {
  if (!enterTables()) return 0;
  const type = makeType(size, ptrBytes);
  leaveTables();
  return type;
}

/** A zeroed array of `n` elements of `type`, n >= 1. 0: no memory, or an array that does not fit. */
export function newObject(type: u32, n: u32): u32 {
  if (!ready()) return 0;
  const bytes = <u64>typeAt(type).size * <u64>n;
  if (bytes - 1 >= MAX_OBJECT_BYTES) return 0;
  return SHARED ? allocateShared(type, <u32>bytes, true, true) : allocate(type, <u32>bytes);
}

/** 1 when `p` is the start of a live object of the collector's, 0 for anything else. */
export function isObject(p: u32): i32 {
  if (heap == 0 || checkPointer(p) != MISUSE_NONE) return 0;
  const span = checkedSpan;
  return <i32>isCollectedSpan(span);
}

/**
 * Start of the live object of the collector's that `p` points to or into, of a tiny one its block; 0: there is none, or
 * the last cycle has found it dead.
 */
export function objectOf(p: u32): u32 {
  return SHARED ? notDead(p) : sweptObject(p);
}

/** objectOf of one thread: sweeps the span first. */
function sweptObject(p: u32): u32 {
  const span = heap ? spanOf(p) : null;
  if (span == null || !isCollectedSpan(span)) return 0;
  return isUnswept(span) && sweepSpan(span) == SWEPT_EMPTY ? 0 : findObject(p);
}

/** objectOf of several threads: another may be sweeping the span, so the mark decides. */
function notDead(p: u32): u32 {
  if (!isReady()) return 0;
  enterSure();
  let base: u32 = 0;
  const span = spanOf(p);
  if (span != null && isCollectedSpan(span)) {
    base = findObject(p);
    // If the mark is gone, a sweep has looked at it meanwhile and left the object alive or not: ask again.
    if (base != 0 && isUnswept(span) && !isMarked(base)) base = isUnswept(span) ? 0 : findObject(p);
  }
  leaveGate();
  return base;
}

/** Free an object of the collector's by hand: 0, or the kind of misuse, and then nothing has changed. Null is 0. */
export function freeObject(p: u32): i32 {
  if (p == 0) return MISUSE_NONE;
  return isPinned(p) ? MISUSE_PINNED : freeChecked(p);
}

// Roots. What is stored there is shaded before G is taken: nothing may be queued under G.

@inline
function shadeObject(p: u32): void {
  if (p != 0 && isMarking()) shade(p);
}

/** What a handle keeps for `p`: no odd word, because those are free handles. Inside the gate. */
@inline
function wordOf(p: u32): u32 {
  return p & 1 ? objectOf(p) : p;
}

/** A handle for the object at `p` or 0; at an odd address, for the block it is in. Its number, 1 and up; 0: no memory. */
export function handleNew(ptr: u32): u32 {
  if (!enter()) return 0;
  const p = wordOf(ptr);
  shadeObject(p);
  let i: u32 = 0;
  if (lockTables()) {
    i = newHandle(p);
    unlockTables();
  }
  leaveGate();
  return i;
}

/** The object of a handle, 0 for none; NO_HANDLE for what is no handle; 0 when patience runs out. */
export function handleGet(i: u32): u32 {
  if (heap == 0 || !enterTables()) return 0;
  const p = isHandle(i) ? handleValue(i) : NO_HANDLE;
  leaveTables();
  return p;
}

/** Let a handle hold another object or 0, or with `drop` give it back. 1; 0: it is no handle. */
function changeHandle(i: u32, ptr: u32, drop: bool): i32 {
  if (heap == 0 || !enter()) return 0;
  const p = wordOf(ptr);
  let shaded: u32 = 0;
  shadeObject(p);
  while (true) {
    if (!lockTables()) {
      leaveGate();
      return 0;
    }
    if (!isHandle(i)) {
      leaveTables();
      return 0;
    }
    const old = handleValue(i);
    if (!SHARED || old == shaded || !isMarking()) break;
    unlockTables();
    // Another thread may set the same handle meanwhile: then once more.
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
  if (base == 0 || !enter()) return 0;
  shadeObject(base);
  let n: u32 = 0;
  if (lockTables()) {
    n = pinObject(base);
    unlockTables();
  }
  leaveGate();
  return n;
}

/** Undo one pin. Pins left, -1: it was not pinned. */
export function unpin(p: u32): i32 {
  const base = objectOf(p);
  if (base == 0 || !enter()) return -1;
  shadeObject(base);
  let n = -1;
  if (lockTables()) {
    n = unpinObject(base);
    unlockTables();
  }
  leaveGate();
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
 * Register the words of [start, start + bytes) as roots; both multiples of 4. With `pointer`, the address of a word with
 * the lowest address in use, only those from there on: a stack that grows down. 1; 0: no memory.
 *
 * A shared heap looks at them with the world stopped. Whoever stores there without the barrier does so between gcEnter
 * and gcLeave, or keeps every object reachable some other way until the next of these.
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

/** 1 when the `bytes` bytes from `start` on lie in one registered range. Takes no lock and waits for nobody. */
export function isRegistered(start: u32, bytes: u32): i32 {
  return heap != 0 && start + bytes >= start && isInRange(start, start + bytes) ? 1 : 0;
}

// Stores

/** Store the pointer `value`, 0 too, into an object or a registered range: with the write barrier. */
export function writePointer(slot: u32, value: u32): void {
  enterStore();
  writeSlot(slot, value);
  leaveGate();
}

/** Copy `n` elements of `type`, which may overlap: with the write barrier. */
export function typedMove(type: u32, to: u32, from: u32, n: u32): void {
  enterStore();
  moveTyped(type, to, from, typeAt(type).size * n);
  leaveGate();
}

/** Clear `n` elements of `type`: with the write barrier. */
export function typedClear(type: u32, to: u32, n: u32): void {
  enterStore();
  clearTyped(type, to, typeAt(type).size * n);
  leaveGate();
}

// Settings and figures

/** 1: cycles begin by themselves, when the heap has grown to the trigger. */
export function setCollecting(on: i32): void {
  if (hasSettings()) gcState().enabled = on != 0 ? 1 : 0;
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

/** 1: check every cycle's marks by a second marking. Either way the object that a check has noted is forgotten. */
export function setCheckmark(on: i32): void {
  if (!hasSettings()) return;
  gcState().checkmark = on != 0 ? 1 : 0;
  gcState().checkFailedAt = 0;
}

/** 0: no cycle; 1: marking; 2, in a shared heap: it is being ended. */
export function gcPhase(): u32 {
  return heap ? gcState().phase : 0;
}

/** What an allocation that the mcache cannot serve would meet: DUE_ASSIST, DUE_START, DUE_MARKING; and the cycles begun. */
export function gcDue(): u32 {
  if (heap == 0) return 0;
  const g = gcState();
  const p = pacer();
  const at = g.cycles << DUE_CYCLES_SHIFT;
  return g.phase ? at | 8 | u32(p.assistBytes < 0) : at | ((<u32>shouldStart(p)) << 1);
}

/** 1 when the object at `p` was marked by the running cycle. */
export function marked(p: u32): i32 {
  return heap != 0 && isMarked(p) ? 1 : 0;
}

/** Figures, by number: STAT_CYCLES and the following. */
export function gcStat(i: u32): f64 {
  return hasSettings() ? gcFigure(i) : 0;
}
