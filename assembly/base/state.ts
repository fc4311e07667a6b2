/**
 * The globals of an instance, and the accessors of the records that hang on them.
 *
 * A wasm global belongs to its instance: what must be seen by all threads lies in linear memory (base/layout.ts). The
 * first global here is where that begins; 0 sends malloc and free to their slow paths. In a shared heap the second one is
 * the record of the P that this thread runs: thread-local storage for nothing. With one thread the two are one.
 */

import {
  HEAP_ARENA_MAP,
  HEAP_CENTRAL,
  HEAP_DUMMY,
  HEAP_ROWS,
  MCENTRAL_SIZE,
  MCentral,
  HEAP_P,
  HEAP_P_RECORDS,
  MHeap,
  PRecord,
  ROW_SHIFT,
  Row,
} from "./layout";
import { ARENA_SHIFT, SHARED, HOST } from "./config";

/**
 * Address of the heap's record; 0 before init. Where it is known beforehand and init runs before all else, `gomalloc link`
 * makes a constant of it, and of each test for 0 nothing: init itself therefore goes by isMade.
 */
export let heap: u32 = 0;
export let isMade: bool = false;
export function setHeap(record: u32): void {
  heap = record;
  isMade = true;
}

/** Shared heaps: address of the record of this thread's P, 0 without one. */
export let local: u32 = 0;
export function setLocal(record: u32): void {
  if (SHARED) local = record;
}

/** The record whose rows, lists and tables this thread works on. */
@inline
export function here(): u32 {
  return SHARED ? local : heap;
}

@inline
export function mheap(): MHeap {
  return changetype<MHeap>(<usize>heap);
}

/** The fields of MHeap that are the P's. */
@inline
export function mlocal(): MHeap {
  return changetype<MHeap>(<usize>here());
}

/** PRecord of the P whose record is at an address. */
@inline
export function pAt(record: u32): PRecord {
  return changetype<PRecord>(<usize>(record + HEAP_P));
}

/** Address of the record of P `id`; the heap's own for nobody. */
@inline
export function recordOf(id: u32): u32 {
  return id ? load<u32>(heap + (id << 2), HEAP_P_RECORDS) : heap;
}

/** Number of this thread's P; 0 with one thread. */
@inline
export function ownId(): u32 {
  return SHARED ? pAt(local).id : 0;
}

/** Row at its address. */
@inline
export function rowAt(address: u32): Row {
  return changetype<Row>(<usize>address);
}

@inline
export function rowAddress(row: u32): u32 {
  return here() + HEAP_ROWS + (row << ROW_SHIFT);
}

/** Number of the row at an address. */
@inline
export function rowIndex(address: u32): u32 {
  return (address - here() - HEAP_ROWS) >> ROW_SHIFT;
}

@inline
export function central(row: u32): MCentral {
  return centralOf(here(), row);
}

/** The lists of a row in the record of a P, or the mcentral that all share in the heap's. */
@inline
export function centralOf(record: u32, row: u32): MCentral {
  return changetype<MCentral>(<usize>(record + HEAP_CENTRAL + row * MCENTRAL_SIZE));
}

@inline
export function dummyGroup(): u32 {
  return here() + HEAP_DUMMY;
}

/** Slot bytes of a row, from any thread. */
@inline
export function slotSize(row: u32): u32 {
  return rowAt(heap + HEAP_ROWS + (row << ROW_SHIFT)).elemsize;
}

/**
 * Shared heaps, under H: the pages [page, page + npages) are on their way from one state to another. If this thread dies
 * before clearMoving they become free pages (check/recover.ts).
 */
@inline
export function setMoving(page: u32, npages: u32): void {
  if (SHARED) pAt(local).moving = (<u64>page) | ((<u64>npages) << 32);
}

@inline
export function clearMoving(): void {
  if (SHARED) pAt(local).moving = 0;
}

/** Shared heaps: sysEnd when this thread last made sure of the memory's size. */
let seenEnd: u32 = 0;

function refreshMemory(): void {
  seenEnd = mheap().sysEnd;
  memory.grow(0);
}

/**
 * To be called before memory.fill and memory.copy in a shared heap: V8 checks these two against a size of the memory that
 * lags behind when another thread has grown it, and memory.grow(0) brings that up to date. Loads and stores need nothing.
 */
@inline
export function syncMemory(): void {
  if (SHARED && mheap().sysEnd != seenEnd) refreshMemory();
}

/** Leave a row of this P's mcache without a group. */
@inline
export function clearRow(row: Row): void {
  clearRowOf(here(), row);
}

/** The same of the mcache in the record at `record`. */
@inline
export function clearRowOf(record: u32, row: Row): void {
  row.group = record + HEAP_DUMMY;
  row.span = 0;
  row.tail = 0;
}

/** Address of the HeapArena of an arena index below 1024, 0 when the heap owns nothing in it. */
@inline
export function arenaOf(index: u32): u32 {
  return load<u32>(heap + (index << 2), HEAP_ARENA_MAP);
}

@inline
export function setArena(index: u32, record: u32): void {
  store<u32>(heap + (index << 2), record, HEAP_ARENA_MAP);
}

@inline
export function arenaIndex(address: u32): u32 {
  return address >> ARENA_SHIFT;
}

/** Drop the tiny block of the P: the next tiny object opens a new one. */
export function dropTiny(): void {
  if (!HOST) return;
  const h = mlocal();
  h.tiny = 0;
  h.tinyOffset = 0;
}
