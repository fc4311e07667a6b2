/**
 * The collector as the TypeScript host sees it, for the heap of one thread. Addresses and sizes are u32; what may be more
 * than 2^32 is an f64, exact up to 2^53. Every address given has to be an object's, or 0 where that is said to be allowed;
 * others are passed over where that is said.
 *
 * An object lives while a root reaches it: a handle, a pin, a registered range, an object that lives. An address in a
 * variable of the host's is no root: between the allocation and the first root no other allocation may come.
 * One thread at a time. What costs more than O(1) says so.
 */

import { checkPointer, checkedSpan, findObject, freeChecked } from "../alloc/free";
import { MISUSE_NONE, MISUSE_PINNED } from "../alloc/misuse";
import { isReady } from "../alloc/procs";
import { gcState, isCollectedSpan, isMarking, pacer } from "../base/gcstate";
import { heap } from "../base/state";
import { SWEPT_EMPTY, sweepSpan } from "../central/sweep";
import { isUnswept } from "../central/lists";
import { typedClear as clearTyped, typedMove as moveTyped, writePointer as writeSlot } from "../gc/barrier";
import { collect, finishMark, readyGC, repace, startGC, stepGC, sweepPages } from "../gc/cycle";
import { gcFigure } from "../gc/figures";
import { newObject as allocate } from "../gc/mallocgc";
import { shade } from "../gc/mark";
import {
  setGCPercent as pacerPercent,
  setHeapMinimum as pacerMinimum,
  setMemoryLimit as pacerLimit,
  shouldStart,
} from "../base/pacer";
import { isPinned, pinObject, pinsOf, unpinObject } from "../alloc/pins";
import { addRange, freeHandle, handleValue, isHandle, isInRange, newHandle, removeRange, setHandle } from "../gc/roots";
import { newType as makeType, typeAt } from "../gc/typebits";
import { isMarked } from "../gc/markbits";
import { spanOf } from "../heap/arena";

@inline
function ready(): bool {
  if (!isReady()) return false;
  readyGC();
  return true;
}

/**
 * A type of `size` bytes, 4..131072 and a multiple of 4, whose pointers lie in the first `ptrBytes` bytes. The caller sets
 * its mask, one bit per word from the address + 16 on, before its first object is made. 0: out of range, or no memory.
 */
export function newType(size: u32, ptrBytes: u32): u32 {
  return ready() ? makeType(size, ptrBytes) : 0;
}

/** A zeroed array of `n` elements of `type`, n >= 1. 0: no memory, or an array that does not fit. */
export function newObject(type: u32, n: u32): u32 {
  if (!ready()) return 0;
  const bytes = <u64>typeAt(type).size * <u64>n;
  if (bytes - 1 >= 0xfffe0000) return 0;
  return allocate(type, <u32>bytes);
}

/** 1 when `p` is the start of a live object of the collector's, 0 for anything else. */
export function isObject(p: u32): i32 {
  if (heap == 0 || checkPointer(p) != MISUSE_NONE) return 0;
  const span = checkedSpan;
  return <i32>isCollectedSpan(span);
}

/**
 * Start of the live object of the collector's that `p` points to or into, a tiny one's block; 0 when there is none. What
 * is unswept there is swept first, so that no object which the last cycle found dead is live here.
 */
export function objectOf(p: u32): u32 {
  const span = heap ? spanOf(p) : null;
  if (span == null || !isCollectedSpan(span)) return 0;
  return isUnswept(span) && sweepSpan(span) == SWEPT_EMPTY ? 0 : findObject(p);
}

/** What a handle keeps for `p`: no odd word, for those are free handles. */
@inline
function wordOf(p: u32): u32 {
  return p & 1 ? objectOf(p) : p;
}

/** A handle for the object at `p` or 0; at an odd address, for the block it is in. Its number, 1 and up; 0: no memory. */
export function handleNew(p: u32): u32 {
  return ready() ? newHandle(wordOf(p)) : 0;
}

/** The object of a handle; 0 for what is no handle. */
export function handleGet(i: u32): u32 {
  return heap != 0 && isHandle(i) ? handleValue(i) : 0;
}

/** Let a handle hold another object or 0. 1; 0: it is no handle. */
export function handleSet(i: u32, p: u32): i32 {
  if (heap == 0 || !isHandle(i)) return 0;
  setHandle(i, wordOf(p));
  return 1;
}

/** Give a handle back. 1; 0: it is none. */
export function handleFree(i: u32): i32 {
  if (heap == 0 || !isHandle(i)) return 0;
  freeHandle(i);
  return 1;
}

/** Pin the object at `p`, interior addresses too, once more. Pins now; 0: it is no object of the collector's, or no memory. */
export function pin(p: u32): u32 {
  if (!ready()) return 0;
  const base = objectOf(p);
  if (base == 0) return 0;
  const n = pinObject(base);
  if (n != 0 && isMarking()) shade(base);
  return n;
}

/** Undo one pin. Pins left, -1: it was not pinned. */
export function unpin(p: u32): i32 {
  if (heap == 0) return -1;
  const base = findObject(p);
  if (base != 0 && isMarking()) shade(base);
  return unpinObject(base);
}

/** How often the object at `p` is pinned. */
export function pins(p: u32): u32 {
  return heap ? pinsOf(findObject(p)) : 0;
}

/**
 * Register the words of [start, start + bytes) as roots; both multiples of 4. With `pointer`, the address of a word with the
 * lowest address in use, only those from there on: a stack that grows down. 1; 0: no memory.
 */
export function addRoots(start: u32, bytes: u32, pointer: u32): i32 {
  return ready() && bytes != 0 && addRange(start & ~3, (start + bytes) & ~3, pointer) ? 1 : 0;
}

/** Undo addRoots of the range that begins at `start`. 1; 0: there is none. */
export function removeRoots(start: u32): i32 {
  return heap != 0 && removeRange(start & ~3) ? 1 : 0;
}

/** 1 when the `bytes` bytes from `start` on lie in one registered range. */
export function isRegistered(start: u32, bytes: u32): i32 {
  return heap != 0 && start + bytes >= start && isInRange(start, start + bytes) ? 1 : 0;
}

/** Store the pointer `value`, 0 too, into an object or a registered range: with the write barrier. */
export function writePointer(slot: u32, value: u32): void {
  writeSlot(slot, value);
}

/** Copy `n` elements of `type`, which may overlap: with the write barrier. */
export function typedMove(type: u32, to: u32, from: u32, n: u32): void {
  moveTyped(type, to, from, typeAt(type).size * n);
}

/** Clear `n` elements of `type`: with the write barrier. */
export function typedClear(type: u32, to: u32, n: u32): void {
  clearTyped(type, to, typeAt(type).size * n);
}

/** Free an object of the collector's by hand: 0, or the kind of misuse, and then nothing has changed. Null is 0. */
export function freeObject(p: u32): i32 {
  if (p == 0) return MISUSE_NONE;
  return isPinned(p) ? MISUSE_PINNED : freeChecked(p);
}

/** 1: cycles begin by themselves, when the heap has grown to the trigger. */
export function setCollecting(on: i32): void {
  if (ready()) gcState().enabled = on != 0 ? 1 : 0;
}

/** GOGC, percent, negative for off. The old value, -1 for off. */
export function setGCPercent(percent: i32): i32 {
  if (!ready()) return 100;
  const old = pacerPercent(pacer(), percent);
  repace();
  return old;
}

/** Limit of the memory in use that cycles keep to, bytes; infinite for none. The old one. */
export function setMemoryLimit(bytes: f64): f64 {
  if (!ready()) return Infinity;
  const old = pacerLimit(pacer(), bytes >= 9007199254740992.0 ? ~(<u64>0) : <u64>bytes);
  repace();
  return old == ~(<u64>0) ? Infinity : <f64>old;
}

/** Least goal at GOGC 100, bytes. The old one. */
export function setHeapMinimum(bytes: f64): f64 {
  if (!ready()) return 0;
  const old = pacerMinimum(pacer(), <u64>bytes);
  repace();
  return <f64>old;
}

/** Begin a cycle, sweeping what is unswept first. 1; 0: one is running, or there is no heap. */
export function gcStart(): i32 {
  if (!ready() || gcState().phase != 0) return 0;
  startGC(true);
  return 1;
}

/** Mark for about `budget` bytes; ends the cycle's marking when there is nothing left. Bytes scanned. */
export function gcStep(budget: f64): f64 {
  return heap ? <f64>stepGC(<u64>budget) : 0;
}

/** Sweep up to `pages` pages of 8 KiB. How many; 0: all is swept. */
export function gcSweep(pages: u32): u32 {
  return heap != 0 && ready() ? sweepPages(pages) : 0;
}

/** A whole cycle, begun now and swept. O(heap). */
export function gc(): void {
  if (ready()) collect();
}

/** Mark the running cycle to its end. O(heap). */
export function gcFinish(): void {
  if (heap) finishMark();
}

/** 0: no cycle; 1: marking. */
export function gcPhase(): u32 {
  return heap ? gcState().phase : 0;
}

/**
 * What an allocation that the mcache cannot serve would meet, and where the cycles are: 1, it owes marking; 2, the trigger
 * is reached; 8, a cycle is marking; from 16 on the number of cycles begun.
 */
export function gcDue(): u32 {
  if (heap == 0) return 0;
  const g = gcState();
  const p = pacer();
  const at = (g.cycles << 4) | (g.phase << 3);
  return g.phase ? at | (<u32>(p.assistBytes < 0)) : at | ((<u32>shouldStart(p)) << 1);
}

/** 1 when the object at `p` was marked by the running cycle. */
export function marked(p: u32): i32 {
  return heap != 0 && isMarked(p) ? 1 : 0;
}

/** 1: check every cycle's marks by a second marking. Either way the object that a check has noted is forgotten. */
export function setCheckmark(on: i32): void {
  if (!ready()) return;
  gcState().checkmark = on != 0 ? 1 : 0;
  gcState().checkFailedAt = 0;
}

/** Figures, by number; see src/gc/abi.ts. */
export function gcStat(i: u32): f64 {
  return ready() ? gcFigure(i) : 0;
}
