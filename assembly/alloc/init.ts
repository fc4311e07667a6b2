/**
 * Bootstrap of a heap: where its record is, its tables, its first pages.
 *
 *   init(heapBase)   the heap owns [heapBase, end of memory) and what it grows
 *   no init          the first malloc takes memory that it grows itself, and nothing else; in an object file, what lies
 *                    behind the program's __heap_base
 *
 * The tables are computed here, not loaded: the module has no data segment, so it can be merged into any other. In a
 * shared heap the record is at heapBase, where all threads can find it: the first thread that calls init makes it, the
 * others wait and attach.
 *
 * One thread, once. Cost: a few microseconds, 12 KiB of records and at least one page for spans.
 */

import { MAX_PS } from "../base/abinumbers";
import {
  ADDRESS_END,
  ARENA_SHIFT,
  MAX_SMALL_SIZE,
  NUM_ARENAS,
  NUM_CLASSES,
  NUM_ROWS,
  PAGE_SIZE,
  RECORD_ALIGN,
  ASC,
  GC,
  HOST,
  ROW_FITTED,
  ROW_NOSCAN,
  ROW_SCAN,
  ROW_TINY,
  SHARED,
  SHARED_GC,
  SMALL_SIZE_MAX,
  TINY_CLASS,
  WASM_PAGE_SHIFT,
} from "../base/config";
import {
  ARENA_RECORD_SIZE,
  HEAP_CLASS128,
  HEAP_CLASS8,
  HEAP_CLASS_PAGES,
  HEAP_CLASS_SIZE,
  HEAP_LOCKS,
  HEAP_MARK,
  HEAP_PROCS,
  HEAP_RECORD_SIZE,
  HEAP_SETUP,
  MARK,
  P_RECORD_SIZE,
} from "../base/layout";
import { startCoarse } from "../central/coarse";
import { initRow } from "../central/rows";
import { initProfile } from "../central/samples";
import { initRawRows } from "../central/rawrows";
import { gcState, pacer } from "../base/gcstate";
import { initPacer } from "../base/pacer";
import { fillSizeClasses } from "../base/sizeclasses";
import { pause } from "../base/locks";
import { maxBytes } from "../base/options";
import { growMemory } from "../base/program";
import { dummyGroup, heap, here, isMade, mheap, rowAt, rowAddress, setHeap, setLocal } from "../base/state";
import { addRegion } from "../heap/mheap";
import { FIXED_SIZE, firstRegion } from "../heap/persistent";
import { memoryEnd, sysGrow } from "../heap/sys";

/** Bytes of a slot of class c. */
@inline
export function classSize(c: u32): u32 {
  return load<u16>(heap + (c << 1), HEAP_CLASS_SIZE);
}

/** Pages of a span of class c. */
@inline
export function classPages(c: u32): u32 {
  return load<u8>(heap + c, HEAP_CLASS_PAGES);
}

/**
 * No heap record begins below this address. In a shared heap no row may lie in the first P_RECORD_SIZE bytes, because a
 * thread without a P would take such a row for its own (alloc/free.ts).
 */
@inline const LOWEST: u32 = SHARED ? P_RECORD_SIZE : 16;

/** Address of the record of a heap that begins at `base`. */
@inline
function alignRecord(base: u32): u32 {
  return (base + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
}

/**
 * Where init said that the heap begins; 0: it did not say. If that was refused, the heap is later made there or
 * nowhere.
 */
let wanted: u32 = 0;

/** The lookup tables of mallocgc. */
function initClasses(): void {
  let c: u32 = 1;
  for (let i: u32 = 0; i <= SMALL_SIZE_MAX >> 3; i++) {
    if (i << 3 > classSize(c)) c++;
    // AssemblyScript: the address of an object of no bytes is the end of its header, and must lie inside its slot.
    store<u8>(here() + i, <u8>(ASC ? max<u32>(c, 2) : c), HEAP_CLASS8);
  }
  for (let i: u32 = 0; i <= (MAX_SMALL_SIZE - SMALL_SIZE_MAX) >> 7; i++) {
    if (SMALL_SIZE_MAX + (i << 7) > classSize(c)) c++;
    store<u8>(here() + i, <u8>c, HEAP_CLASS128);
  }
}

/** The rows of malloc and its lookup tables. In AssemblyScript's runtime, those of heap.alloc. */
@inline
function initMallocRows(): void {
  if (ASC) {
    initRawRows();
    return;
  }
  for (let c: u32 = 1; c < NUM_CLASSES; c++) initRow(c, c, classSize(c), classPages(c), 1);
  startCoarse();
}

/** The rows that only flavours with the collector have, and the lookup tables of mallocgc. */
function initCollectedRows(): void {
  for (let c: u32 = 1; c < NUM_CLASSES; c++) {
    initRow(ROW_SCAN + c, c, classSize(c), classPages(c), 0);
    initRow(ROW_NOSCAN + c, c, classSize(c), classPages(c), 1);
  }
  if (HOST) initRow(ROW_TINY, TINY_CLASS, classSize(TINY_CLASS), classPages(TINY_CLASS), 1);
  initClasses();
}

/** The lookup tables and the rows, computed from the size classes. */
export function initTables(): void {
  fillSizeClasses(here() + HEAP_CLASS_SIZE, here() + HEAP_CLASS_PAGES);
  for (let row: u32 = 0; row < NUM_ROWS; row++) rowAt(rowAddress(row)).group = dummyGroup();
  mheap().nextFitted = ROW_FITTED;
  initMallocRows();
  if (GC) initCollectedRows();
}

/**
 * Make the heap. With `given` it owns everything from heapBase to the end of memory, and grows it if that is too short
 * for its record. Without, it grows a region of its own. It owns no more than maxBytes. False if that is too little or
 * the memory cannot grow; the next call tries again, at the same place if one was given.
 */
export function bootstrap(given: bool, heapBase: u32): bool {
  if (isMade) return true;
  if (given) wanted = max(heapBase, LOWEST);
  let end = memoryEnd();
  let start = wanted ? wanted : max(end, 16);
  const records = HEAP_RECORD_SIZE + ARENA_RECORD_SIZE + FIXED_SIZE;
  if (start > ADDRESS_END - (records + 2 * PAGE_SIZE + 64)) return false;
  start = alignRecord(start);
  const need = start + records + 2 * PAGE_SIZE;
  // maxBytes 0 means no limit: the difference wraps.
  const most = maxBytes - 1 < ADDRESS_END - start ? start + maxBytes : ADDRESS_END;
  if (need > most) return false;
  const zero = start >= end;
  if (need > end) {
    if (sysGrow((need - end + 0xffff) >> WASM_PAGE_SHIFT) == 0) return false;
    end = memoryEnd();
  }
  // In a shared heap everything from HEAP_LOCKS on already reads as zero, or other threads are using it by now.
  memory.fill(start, 0, SHARED ? HEAP_LOCKS : HEAP_RECORD_SIZE);
  setHeap(start);
  setLocal(start);
  const h = mheap();
  const region = firstRegion(start);
  end = min(end, most) & ~(PAGE_SIZE - 1);
  // A few pages of a second arena would be fewer than its records need.
  const over = end & ((1 << ARENA_SHIFT) - 1);
  if (over >> WASM_PAGE_SHIFT == 0 && end - over > region) end -= over;
  h.sys = end - start;
  if (FIXED_SIZE != 0) {
    h.fixedCur = start + HEAP_RECORD_SIZE;
    h.fixedEnd = h.fixedCur + FIXED_SIZE;
  }
  h.persistCur = start + HEAP_RECORD_SIZE + FIXED_SIZE;
  h.persistEnd = region;
  h.searchPage = 0x80000;
  h.arenaLo = NUM_ARENAS - 1;
  initTables();
  initProfile();
  addRegion(region, (end - region) & ~(PAGE_SIZE - 1), zero);
  // With several threads, before any of them can start a cycle.
  if (SHARED_GC) {
    gcState().ready = 1;
    initPacer(pacer());
  }
  setLocal(0);
  store<u64>(start, MARK, HEAP_MARK);
  return true;
}

@inline const SETUP_BUSY: u32 = 1;
@inline export const SETUP_DONE: u32 = 2;

/**
 * init of a shared heap: make it, or attach to the heap at heapBase. The memory from there on must read as zero at
 * first. Without memory nothing happens, and the next call tries again.
 */
export function attachHeap(heapBase: u32): void {
  if (isMade || heapBase > ADDRESS_END - 2 * HEAP_RECORD_SIZE) return;
  const start = alignRecord(max(heapBase, LOWEST));
  const need = (start + HEAP_RECORD_SIZE + 0xffff) >> WASM_PAGE_SHIFT;
  // memory.size may lag behind another thread's growth.
  const pages = <u32>memory.grow(0);
  if (need > pages && growMemory(need - pages) < 0) return;
  const setup = start + HEAP_SETUP;
  while (true) {
    const seen = atomic.cmpxchg<u32>(setup, 0, SETUP_BUSY);
    if (seen == 0) break;
    if (seen == SETUP_DONE) {
      setHeap(start);
      return;
    }
    // There is no heap and no room for one.
    if (seen != SETUP_BUSY) return;
    pause(setup, SETUP_BUSY);
  }
  const made = bootstrap(true, start);
  if (made) store<u32>(start, MAX_PS, HEAP_PROCS);
  atomic.store<u32>(setup, made ? SETUP_DONE : 0);
  atomic.notify(setup, -1);
}
