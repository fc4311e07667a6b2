/**
 * The globals of an instance, and accessors of the records that they point to.
 *
 * A wasm global belongs to its instance: what all threads must see is in linear memory (base/layout.ts). The first
 * global here is the address where that begins; 0 sends malloc and free to their slow paths. In a shared heap the
 * second global is the record of the P that this thread runs: thread-local storage at no cost. With one thread the two
 * are the same record.
 *
 * Owner: the thread, for the globals; each accessor's record says who owns its fields. Cost: a load or an addition.
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
import { ARENA_SHIFT, SHARED, WASM_PAGE_SHIFT } from "./config";

/**
 * Address of the heap's record; 0 before init. Where it is known beforehand and init runs first, `gomalloc link` makes
 * it a constant and removes each test for 0. Therefore init itself tests isMade.
 */
export let heap: u32 = 0;
export let isMade: bool = false;
export function setHeap(record: u32): void {
  heap = record;
  isMade = true;
}

/** Shared heaps: address of the record of this thread's P; 0 without a P. */
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

/** The record of this thread's P as an MHeap: valid for the fields that belong to a P. */
@inline
export function mlocal(): MHeap {
  return changetype<MHeap>(<usize>here());
}

/** PRecord of the P whose record is at an address. */
@inline
export function pAt(record: u32): PRecord {
  return changetype<PRecord>(<usize>(record + HEAP_P));
}

/** Address of the record of P `id`; for 0, unowned, the heap's own. */
@inline
export function recordOf(id: u32): u32 {
  return id ? load<u32>(heap + (id << 2), HEAP_P_RECORDS) : heap;
}

/** Number of this thread's P; 0 with one thread. */
@inline
export function ownId(): u32 {
  return SHARED ? pAt(local).id : 0;
}

/** The row at an address. */
@inline
export function rowAt(address: u32): Row {
  return changetype<Row>(<usize>address);
}

@inline
export function rowAddress(index: u32): u32 {
  return here() + HEAP_ROWS + (index << ROW_SHIFT);
}

/** Address of a row in the record at `record`, of the heap or of a P. */
@inline
export function rowAddressIn(record: u32, index: u32): u32 {
  return record + HEAP_ROWS + (index << ROW_SHIFT);
}

/** Index of the row at an address. */
@inline
export function rowIndex(address: u32): u32 {
  return (address - here() - HEAP_ROWS) >> ROW_SHIFT;
}

@inline
export function central(index: u32): MCentral {
  return centralOf(here(), index);
}

/** The lists of a row, by its index, in the record of a P; in the heap's record, the mcentral that all Ps share. */
@inline
export function centralOf(record: u32, index: u32): MCentral {
  return changetype<MCentral>(<usize>(record + HEAP_CENTRAL + index * MCENTRAL_SIZE));
}

@inline
export function dummyGroup(): u32 {
  return here() + HEAP_DUMMY;
}

/** Slot bytes of a row, by its index; from any thread. */
@inline
export function slotSize(index: u32): u32 {
  return rowAt(rowAddressIn(heap, index)).elemsize;
}

/**
 * Shared heaps, under H: the pages [page, page + npages) are changing from one state to another. If this thread dies
 * before clearMoving, they become free pages (check/recover.ts).
 */
@inline
export function setMoving(page: u32, npages: u32): void {
  if (SHARED) pAt(local).moving = (<u64>page) | ((<u64>npages) << 32);
}

@inline
export function clearMoving(): void {
  if (SHARED) pAt(local).moving = 0;
}

/**
 * V8 keeps the size of a shared memory per thread. When another thread has grown the memory, that size is too small for
 * a while, and memory.fill, memory.copy, memory.init and atomic instructions on the new pages trap, because V8 checks
 * them against it. memory.size returns the same size; memory.grow(0) corrects it. Loads and stores need nothing. So the
 * two functions below compare with memory.size, which costs nothing while the size is right. docs/shared-protocol.md
 * names the versions.
 */
function refreshMemory(): void {
  memory.grow(0);
}

/** Make sure that this thread sees all memory of the heap, as of now. Every lock does it when it is taken. */
@inline
export function syncMemory(): void {
  if (SHARED && (mheap().sysEnd + 0xffff) >> WASM_PAGE_SHIFT > <u32>memory.size()) refreshMemory();
}

/** Make sure that this thread sees the word at `address`, which another thread may have made a moment ago. */
@inline
export function seeWord(address: usize): void {
  if (SHARED && address >> WASM_PAGE_SHIFT >= <u32>memory.size()) refreshMemory();
}

/** Leave a row of this P's mcache without a group. */
@inline
export function clearRow(row: Row): void {
  clearRowOf(here(), row);
}

/** The same for the mcache in the record at `record`. */
@inline
export function clearRowOf(record: u32, row: Row): void {
  row.group = record + HEAP_DUMMY;
  row.span = 0;
  row.tail = 0;
}

/** Address of the HeapArena of an arena index below 1024; 0 if the heap owns nothing in it. */
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

/** Drop the tiny block of the P, so that the next tiny object opens a new one. */
export function dropTiny(): void {
  const h = mlocal();
  h.tiny = 0;
  h.tinyOffset = 0;
}
