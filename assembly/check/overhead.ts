/**
 * What a heap needs beside the pages of its blocks: bytes by purpose, for the statistics (check/memstats.ts).
 *
 *   spans        records of spans in use, and of dead ones, which wait for the next span
 *   mcaches      the rows of the only P; in a shared heap the records of the Ps
 *   collector    its state, marks and tables of pointers, work buffers, handles, pins, types and root ranges
 *   stacks       ranges in live blocks that are registered as stacks: the only ones here that lie in spans
 *   profile      in flavours that sample: the table of samples, buckets, names, and a page of each P
 *
 * What is left of the memory obtained is the heap's own record, arenas, summaries and what their pages have spare.
 *
 * Reads only. Every list is checked as it is walked, so the walk ends whatever was written over it. A table that is
 * being replaced is counted once or not at all. Lock: H in a shared heap. Cost: O(dead records + types + ranges +
 * buckets).
 */

import { ARENA_PAGES, GC, GC_SIZE, LAST_P, NUM_ROWS, PAGE_SHIFT, PAGE_SIZE, SAMPLES, SHARED } from "../base/config";
import { FIRST_PINS, gcState } from "../base/gcstate";
import { HEAP_FREE_SPANS, HEAP_SAMPLER, MSpan, P_RECORD_SIZE, ROW_SHIFT, frontSize } from "../base/layout";
import {
  BUCKET_FRAMES,
  BUCKET_HEADS,
  Bucket,
  NAME_HEADS,
  NAME_TEXT,
  Name,
  SAMPLE_SHIFT,
  Sampler,
} from "../base/samples";
import { SPECIAL_SHIFT } from "../base/specials";
import { arenaOf, mheap, recordOf, slotSize } from "../base/state";
import { profile } from "../central/countdown";
import { isDeferred } from "../central/deferred";
import { liveBits, remoteBits, spanAt } from "../central/mspan";
import { RANGE_SIZE, rangeAt } from "../gc/roots";
import { TYPE_SIZE, typeAt, typeBytes } from "../gc/typebits";
import { inUseBits } from "../heap/arena";
import { MAX_GROUPS, metaBytes, recordBytes } from "../heap/persistent";
import { checkSpan, checkedSpan, lies } from "./records";

/** Bytes of span records, in use and dead; what the collector has but for its work buffers; registered stacks. */
export let spanBytes: u64 = 0;
export let deadBytes: u64 = 0;
export let collectorBytes: u64 = 0;
export let stackBytes: u64 = 0;

/** Begin a count. */
export function beginOverhead(): void {
  spanBytes = 0;
  deadBytes = 0;
  collectorBytes = GC_SIZE;
  stackBytes = 0;
}

/** Bytes of the meta table that the front of a record with `ngroups` groups names. */
@inline
function tableBytes(span: MSpan, ngroups: u32): u32 {
  return GC && ngroups != 0 && load<u32>(changetype<usize>(span) - frontSize(ngroups)) != 0 ? metaBytes(ngroups) : 0;
}

/** Count the record of a span in use with room for `ngroups` groups; the span has been checked. */
@inline
export function addSpan(span: MSpan, ngroups: u32): void {
  const front = frontSize(ngroups);
  spanBytes += recordBytes(ngroups) - front;
  collectorBytes += front + (span.ngroups ? tableBytes(span, ngroups) : 0);
}

/** Count all the rest but the work buffers. All spans have been checked. False: a list is damaged. */
export function addOverhead(): bool {
  return addDead() && (!GC || (addTypes() && addRanges() && addTables()));
}

/** Bytes of the collector's work buffers. In a shared heap a death may leave the count wrong by some. */
export function bufferBytes(): u64 {
  return GC ? (<u64>max<i32>(<i32>gcState().buffers, 0)) << PAGE_SHIFT : 0;
}

/** Bytes of the Ps' mcaches. */
export function mcacheBytes(): u64 {
  if (!SHARED) return NUM_ROWS << ROW_SHIFT;
  return <u64>countPs() * P_RECORD_SIZE;
}

/** Bytes of the memory that the mcaches lie in. */
export function mcacheSys(): u64 {
  if (!SHARED) return mcacheBytes();
  return <u64>countPs() * ((P_RECORD_SIZE + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
}

function countPs(): u32 {
  let n: u32 = 0;
  for (let id: u32 = 1; id <= LAST_P; id++) if (recordOf(id) != 0) n++;
  return n;
}

/** Bytes that records may have at most: a list that is longer has a circle. */
@inline
function mostBytes(): u64 {
  return <u64>mheap().sys;
}

/** Dead span records, in the lists of the heap and of all Ps. */
function addDead(): bool {
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    for (let ngroups: u32 = 0; ngroups <= MAX_GROUPS; ngroups++) {
      const front = frontSize(ngroups);
      const bytes = recordBytes(ngroups);
      for (let at = load<u32>(record + (ngroups << 2), HEAP_FREE_SPANS); at != 0; at = spanAt(at).next) {
        if (at < front || !lies(at - front, bytes, 16) || deadBytes > mostBytes()) return false;
        deadBytes += bytes - front;
        collectorBytes += front + tableBytes(spanAt(at), ngroups);
      }
    }
  }
  return true;
}

/**
 * Bytes of the profile. Its records are not validated: a chain ends where it cannot be read, so that a damaged one
 * counts for less.
 */
export function profileBytes(): u64 {
  if (!SAMPLES) return 0;
  const p = profile();
  let bytes = p.table ? (<u64>p.mask + 1) << SAMPLE_SHIFT : 0;
  const heads = p.heads;
  const length: u32 = (BUCKET_HEADS + NAME_HEADS) << 2;
  if (heads != 0 && lies(heads, length, PAGE_SIZE)) {
    bytes += length;
    for (let i: u32 = 0; i < BUCKET_HEADS + NAME_HEADS; i++) {
      // A link is the first word of both.
      for (let at = load<u32>(heads + (i << 2)); at != 0; at = load<u32>(at)) {
        if (!lies(at, BUCKET_FRAMES, 4) || bytes > mostBytes()) return bytes;
        const own =
          i < BUCKET_HEADS
            ? BUCKET_FRAMES + (changetype<Bucket>(<usize>at).frames << 2)
            : NAME_TEXT + changetype<Name>(<usize>at).bytes;
        bytes += (own + 15) & ~15;
      }
    }
  }
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record != 0 && changetype<Sampler>(<usize>(record + HEAP_SAMPLER)).buffer != 0) bytes += PAGE_SIZE;
  }
  return bytes;
}

function addTypes(): bool {
  for (let at = gcState().lastType; at != 0; at = typeAt(at).previous) {
    if (!lies(at, TYPE_SIZE, 16) || collectorBytes > mostBytes()) return false;
    collectorBytes += (typeBytes(typeAt(at).ptrBytes) + 15) & ~15;
  }
  return true;
}

/** Root ranges; and the bytes of those that are stacks in live blocks. */
function addRanges(): bool {
  for (let at = gcState().ranges; at != 0; at = rangeAt(at).next) {
    if (!lies(at, RANGE_SIZE, 16) || collectorBytes > mostBytes()) return false;
    collectorBytes += RANGE_SIZE;
    const r = rangeAt(at);
    const end = r.end;
    if (r.pointer != 0 && end > r.start && isInBlock(r.start, end)) stackBytes += end - r.start;
  }
  return true;
}

/** Tables that have their own pages, in whole pages; the first table of pins is a record. */
function addTables(): bool {
  const g = gcState();
  const pins = g.pins ? (<u64>g.pinMask + 1) << 3 : 0;
  collectorBytes += (<u64>g.handleSlots) << 2;
  collectorBytes += (<u64>g.specialSlots) << SPECIAL_SHIFT;
  collectorBytes += pins > FIRST_PINS << 3 ? (pins + (PAGE_SIZE - 1)) & ~(<u64>(PAGE_SIZE - 1)) : pins;
  return true;
}

/** Whether [start, end) lies in one live block. Finds the span by the inUse bits, which need no page record. */
function isInBlock(start: u32, end: u32): bool {
  let page = start >> PAGE_SHIFT;
  let bits = inUseBits(page & ~63) & (~(<u64>0) >> (63 - (page & 63)));
  page &= ~63;
  while (bits == 0) {
    // A hole between arenas ends the search: no span crosses memory that the heap does not own.
    if (page == 0 || arenaOf(page / ARENA_PAGES) == 0) return false;
    page -= 64;
    bits = inUseBits(page);
  }
  page += 63 - <u32>clz(bits);
  if (checkSpan(page) != 0) return false;
  const span = checkedSpan;
  const offset = start - span.startAddr;
  if (end - span.startAddr > span.npages << PAGE_SHIFT) return false;
  if (span.ngroups == 0) return !isDeferred(span);
  const size = slotSize(span.row);
  if (size == 0) return false;
  const slot = offset / size;
  if (slot >= min(<u32>span.nelems, (<u32>span.ngroups) << 6) || end - span.startAddr > (slot + 1) * size) return false;
  return (((liveBits(span, slot >> 6) & ~remoteBits(span, slot >> 6)) >> (slot & 63)) & 1) != 0;
}
