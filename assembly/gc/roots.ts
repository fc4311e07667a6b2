/**
 * Roots: where marking begins.
 *
 *   pins       objects that somebody outside holds by address (alloc/pins.ts)
 *   handles    objects that somebody outside holds by number
 *   ranges     registered memory of the program: each word may be a pointer
 *   stacks     ranges in use only from [word] on; the program keeps its stack pointer in that word
 *   globals    of AssemblyScript, through its visitors, and the roots in gc/ascroots.ts
 *
 * Stores into handles and pins shade. Stores into ranges, stacks and globals do not, so termination scans those again.
 *
 * Handles: a table of words, 0..slots - 1. A used one is an object's address. A free one is the number of the next free
 * one, times 2 plus 1; no object's address is odd. Number 0 is never used.
 *
 * Owner: the P. In a shared heap everything here is under G, except shadeRoots, which needs the world stopped. Callers
 * that shade under G have shaded the same object before they took it, so that nothing is queued under G. Cost:
 * O(roots).
 */

import { ASC, PAGE_SHIFT } from "../base/config";
import { GcState, gcState, isMarking } from "../base/gcstate";
import { allocTable, freeTable, newRecord } from "../central/records";
import { pinAt, pinSlots } from "../alloc/pins";
import { shadeStack, visit } from "./ascroots";
import { shade } from "./mark";

@unmanaged @final
export class RootRange {
  next: u32;
  start: u32;
  end: u32;
  /** Not 0: address of a word that holds the lowest address in use, between start and end. */
  pointer: u32;
}
@inline export const RANGE_SIZE: u32 = 16;

@inline
export function rangeAt(address: u32): RootRange {
  return changetype<RootRange>(<usize>address);
}

/** Bytes of registered stacks, as far as they were in use, that shadeRoots has scanned last. */
export let stackWork: u64 = 0;

/** Shade all roots. Returns the bytes scanned besides stackWork, without the globals and stacks of AssemblyScript. */
export function shadeRoots(): u64 {
  shadePins();
  if (ASC) {
    __visit_globals(0);
    shadeStack();
    return 0;
  }
  const g = gcState();
  let work: u64 = g.handleSlots << 2;
  let stacks: u64 = 0;
  for (let i: u32 = 1; i < g.handleSlots; i++) {
    const value = load<u32>(g.handles + (i << 2));
    if ((value & 1) == 0 && value != 0) shade(value);
  }
  for (let at = g.ranges; at != 0; at = rangeAt(at).next) {
    const r = rangeAt(at);
    const start = r.pointer ? max(load<u32>(r.pointer), r.start) : r.start;
    for (let p = start & ~3; p < r.end; p += 4) {
      const value = load<u32>(p);
      if (value) shade(value);
    }
    const bytes = r.end - min(start, r.end);
    if (r.pointer) stacks += bytes;
    else work += bytes;
  }
  stackWork = stacks;
  return work;
}

/** Register [start, end), multiples of 4, as roots. `pointer`: see RootRange. False: no memory. */
export function addRange(start: u32, end: u32, pointer: u32): bool {
  const g = gcState();
  let at = g.ranges;
  // Reuse the record of a removed range.
  while (at != 0 && rangeAt(at).end != 0) at = rangeAt(at).next;
  if (at == 0) {
    at = newRecord(RANGE_SIZE, false);
    if (at == 0) return false;
    rangeAt(at).next = g.ranges;
    g.ranges = at;
  }
  const r = rangeAt(at);
  r.start = start;
  // From this store on the record is a valid range, also for readers without the lock.
  r.end = end;
  r.pointer = pointer;
  return true;
}

/** Remove the range that begins at `start`. False: there is none. */
export function removeRange(start: u32): bool {
  for (let at = gcState().ranges; at != 0; at = rangeAt(at).next) {
    const r = rangeAt(at);
    if (r.start != start || r.end == 0) continue;
    r.pointer = 0;
    r.end = 0;
    r.start = 0;
    return true;
  }
  return false;
}

/**
 * Whether all of [start, end) lies in one registered range. Needs no lock, because records of ranges stay. O(ranges).
 */
export function isInRange(start: u32, end: u32): bool {
  for (let at = gcState().ranges; at != 0; at = rangeAt(at).next) {
    if (start >= rangeAt(at).start && end <= rangeAt(at).end) return true;
  }
  return false;
}

/** Move the handles to a table twice as long. False: no memory. */
function growHandles(): bool {
  const g = gcState();
  const oldPages = (g.handleSlots << 2) >> PAGE_SHIFT;
  const npages = max<u32>(1, oldPages << 1);
  const page = allocTable(npages);
  if (page == 0) return false;
  const table = page << PAGE_SHIFT;
  if (oldPages) memory.copy(table, g.handles, oldPages << PAGE_SHIFT);
  const slots = (npages << PAGE_SHIFT) >> 2;
  let free = g.handleFree;
  for (let i = slots - 1; i >= max<u32>(g.handleSlots, 1); i--) {
    store<u32>(table + (i << 2), (free << 1) | 1);
    free = i;
  }
  if (g.handleSlots == 0) store<u32>(table, 1);
  const old = g.handles;
  // One store for both, so that after a death neither is found without the other.
  store<u64>(changetype<usize>(g), (<u64>table) | ((<u64>slots) << 32), offsetof<GcState>("handles"));
  g.handleFree = free;
  if (oldPages) freeTable(old >> PAGE_SHIFT, oldPages);
  return true;
}

/** Make a handle for the object at `p`, which may be 0. Returns its number, 1 and up; 0: no memory. */
export function newHandle(p: u32): u32 {
  const g = gcState();
  if (g.handleFree == 0 && !growHandles()) return 0;
  const i = g.handleFree;
  const at = g.handles + (i << 2);
  g.handleFree = load<u32>(at) >> 1;
  g.handleCount += 1;
  store<u32>(at, p);
  if (p != 0 && isMarking()) shade(p);
  return i;
}

/** Whether `i` is a handle in use. */
export function isHandle(i: u32): bool {
  const g = gcState();
  return i - 1 < g.handleSlots - 1 && g.handleSlots != 0 && (load<u32>(g.handles + (i << 2)) & 1) == 0;
}

/** The object that the handle `i`, in use, holds. */
export function handleValue(i: u32): u32 {
  return load<u32>(gcState().handles + (i << 2));
}

/**
 * Make the handle `i`, in use, hold the object at `p`. The old object is shaded too, because its reference may be on
 * its way to somewhere else.
 */
export function setHandle(i: u32, p: u32): void {
  const at = gcState().handles + (i << 2);
  if (isMarking()) {
    const old = load<u32>(at);
    if (old) shade(old);
    if (p) shade(p);
  }
  store<u32>(at, p);
}

/**
 * Rebuild the list of free handles and recount the used ones, after the death of a thread that may have been changing
 * them. Under G.
 */
export function recountHandles(): void {
  const g = gcState();
  let free: u32 = 0;
  let used: u32 = 0;
  for (let i = g.handleSlots; i > 1;) {
    const at = g.handles + (--i << 2);
    if ((load<u32>(at) & 1) == 0) used++;
    else {
      store<u32>(at, (free << 1) | 1);
      free = i;
    }
  }
  g.handleFree = free;
  g.handleCount = used;
}

/** Free the handle `i`, in use. */
export function freeHandle(i: u32): void {
  const g = gcState();
  const at = g.handles + (i << 2);
  const old = load<u32>(at);
  // The caller may still move the reference, without a barrier, into one of its locals.
  if (old != 0 && isMarking()) shade(old);
  store<u32>(at, (g.handleFree << 1) | 1);
  g.handleFree = i;
  g.handleCount -= 1;
}

/** Shade all pinned objects. */
export function shadePins(): void {
  const n = pinSlots();
  for (let i: u32 = 0; i < n; i++) {
    const p = pinAt(i);
    if (p == 0) continue;
    if (ASC) visit(p);
    else shade(p);
  }
}
