/**
 * Event counters of the host flavours: u64 words in the record of a P (of the heap, with one thread), counted only on
 * slow paths. The plain malloc flavours compile every call here to nothing.
 *
 * Owner: the P, so no lock; a thread without a P counts in the heap's record. Cost: one addition; O(Ps) to read one.
 */

import { HOST, SAMPLES, SHARED, LAST_P } from "./config";
import { HEAP_STATS, MCentral, Row, Group, HEAP_ROWS, ROW_SHIFT } from "./layout";
import { heap, here, local, recordOf, centralOf } from "./state";
import { addWord } from "./words";

@inline export const STAT_REFILLS: u32 = 0; // malloc found no slot in its group
@inline export const STAT_GROUP_REFILLS: u32 = 1; // windows of the same group's frees, no refill
@inline export const STAT_SPAN_REFILLS: u32 = 2; // went on to another group of the span
@inline export const STAT_CENTRAL_HITS: u32 = 3; // took a span from the mcentral
@inline export const STAT_CENTRAL_GROWS: u32 = 4; // took a new span from the heap
@inline export const STAT_PAGE_CACHE_HITS: u32 = 5;
@inline export const STAT_PAGE_CACHE_REFILLS: u32 = 6;
@inline export const STAT_PAGE_ALLOCS: u32 = 7; // runs given out by the tree
@inline export const STAT_SYS_GROWS: u32 = 8;
@inline export const STAT_SYS_GROW_FAILURES: u32 = 9;
@inline export const STAT_RECLAIMS: u32 = 10;
@inline export const STAT_REALLOC_IN_PLACE: u32 = 11;
@inline export const STAT_REALLOC_MOVES: u32 = 12;
@inline export const STAT_ZERO_SKIPPED: u32 = 13; // bytes known to be zero
@inline export const STAT_ZERO_CLEARED: u32 = 14; // bytes cleared
@inline export const STAT_MISUSES: u32 = 15;
@inline export const STAT_LARGE_MALLOCS: u32 = 16;
@inline export const STAT_LARGE_FREES: u32 = 17;
@inline export const STAT_LARGE_TOTAL: u32 = 18; // bytes of large spans ever given out
@inline export const STAT_TINY_BLOCKS: u32 = 19;
@inline export const STAT_RUN_HITS: u32 = 20; // runs given out by the run cache

/** Address of a counter of this thread's P; of the heap, in a thread without one. */
@inline
function counterAt(stat: u32): usize {
  return (SHARED && local == 0 ? heap : here()) + HEAP_STATS + (stat << 3);
}

@inline
export function count(stat: u32): void {
  countBy(stat, 1);
}

@inline
export function countBy(stat: u32, n: u64): void {
  if (!HOST) return;
  const at = counterAt(stat);
  store<u64>(at, load<u64>(at) + n);
}

/** The mcentral behind a row in the record at `record`. */
@inline
function centralBehind(record: u32, row: Row): MCentral {
  return centralOf(record, (<u32>changetype<usize>(row) - record - HEAP_ROWS) >> ROW_SHIFT);
}

/** `n` more slots have been handed to a row of the mcache in the record at `record`; fewer if negative. */
@inline
export function countTaken(record: u32, row: Row, n: i64): void {
  if (HOST) centralBehind(record, row).taken += n;
}

/** Slots in a row's window, in flavours that count them. */
@inline
function windowSlots(row: Row): u64 {
  return HOST || SAMPLES ? popcnt(changetype<Group>(<usize>row.group).allocCache) : 0;
}

/** Count all of the row's window as taken: it has just been loaded. */
@inline
export function countLoaded(record: u32, row: Row): void {
  countTaken(record, row, windowSlots(row));
}

/** Uncount what is left of the row's window: it is returned to the span. */
@inline
export function countReturned(record: u32, row: Row): void {
  const n = windowSlots(row);
  countTaken(record, row, -n);
  if (SAMPLES && row.left != 0) row.left += <u32>n;
}

/** count for events that need no P: threads without one share one counter, so they add atomically. */
export function countAnywhere(stat: u32): void {
  if (HOST) addWord<u64>(counterAt(stat), 1);
}

/** Sum of a counter over all Ps and the heap. Host flavours. */
export function counter(stat: u32): u64 {
  let sum: u64 = 0;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    if (recordOf(id)) sum += load<u64>(recordOf(id) + HEAP_STATS + (stat << 3));
  }
  return sum;
}
