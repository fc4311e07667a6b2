/**
 * The globals of an instance, and the accessors of the records that hang on them.
 *
 * A wasm global belongs to its instance: what must be seen by all threads lies in linear memory (base/layout.ts). The
 * one global here is where that begins; 0 sends malloc and free to their slow paths.
 */

import {
  HEAP_ARENA_MAP,
  HEAP_CENTRAL,
  HEAP_DUMMY,
  HEAP_ROWS,
  MCENTRAL_SIZE,
  MCentral,
  MHeap,
  ROW_SHIFT,
  Row,
} from "./layout";
import { ARENA_SHIFT } from "./config";

/** Address of the heap's record; 0 before init. */
export let heap: u32 = 0;
export function setHeap(record: u32): void {
  heap = record;
}

// @ts-ignore: decorator
@inline
export function mheap(): MHeap {
  return changetype<MHeap>(<usize>heap);
}

/** Row at its address. */
// @ts-ignore: decorator
@inline
export function rowAt(address: u32): Row {
  return changetype<Row>(<usize>address);
}

// @ts-ignore: decorator
@inline
export function rowAddress(row: u32): u32 {
  return heap + HEAP_ROWS + (row << ROW_SHIFT);
}

/** Number of the row at an address. */
// @ts-ignore: decorator
@inline
export function rowIndex(address: u32): u32 {
  return (address - heap - HEAP_ROWS) >> ROW_SHIFT;
}

// @ts-ignore: decorator
@inline
export function central(row: u32): MCentral {
  return changetype<MCentral>(<usize>(heap + HEAP_CENTRAL + row * MCENTRAL_SIZE));
}

// @ts-ignore: decorator
@inline
export function dummyGroup(): u32 {
  return heap + HEAP_DUMMY;
}

/** Leave a row of the mcache without a group. */
// @ts-ignore: decorator
@inline
export function clearRow(row: Row): void {
  row.group = dummyGroup();
  row.span = 0;
  row.tail = 0;
}

/** Address of the HeapArena of an arena index below 1024, 0 when the heap owns nothing in it. */
// @ts-ignore: decorator
@inline
export function arenaOf(index: u32): u32 {
  return load<u32>(heap + (index << 2), HEAP_ARENA_MAP);
}

// @ts-ignore: decorator
@inline
export function setArena(index: u32, record: u32): void {
  store<u32>(heap + (index << 2), record, HEAP_ARENA_MAP);
}

// @ts-ignore: decorator
@inline
export function arenaIndex(address: u32): u32 {
  return address >> ARENA_SHIFT;
}
