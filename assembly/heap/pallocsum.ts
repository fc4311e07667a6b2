/**
 * pallocSum: the packed summary of a power-of-two run of pages, and how to make one.
 *
 *   bit 63        48 45          30 29          15 14           0
 *      +-+----------+--------------+--------------+--------------+
 *      |A|          |     end      |     max      |    start     |
 *      +-+----------+--------------+--------------+--------------+
 *
 * start and end are the free pages at the low and the high end, max the longest free run, each at most 2^15 - 1.
 * A free region of 2^15 pages does not fit its fields: bit 63 (A) stands for "all 2^15 pages free". 0 is "nothing
 * free". Pure functions over values; any thread. Shape after Go's radix-tree page allocator.
 */

import { longestRun } from "../base/bits";

@inline const FIELD_BITS: u32 = 15;
@inline const FIELD_MASK: u64 = 0x7fff;
@inline const MAX_PACKED: u32 = 1 << 15;
@inline const ALL_MAX: u64 = 1 << 63;

/** Summary of a chunk of 64 free pages. */
@inline export const FREE_CHUNK_SUM: u64 = 64 | (64 << 15) | (64 << 30);

/** The fields of a summary that cannot be ALL_MAX: any below level 0. */
// @ts-ignore: decorator
@inline
export function rawStart(sum: u64): u32 {
  return <u32>(sum & FIELD_MASK);
}

// @ts-ignore: decorator
@inline
export function rawMax(sum: u64): u32 {
  return <u32>((sum >> FIELD_BITS) & FIELD_MASK);
}

// @ts-ignore: decorator
@inline
export function rawEnd(sum: u64): u32 {
  return <u32>(sum >> (2 * FIELD_BITS));
}

// @ts-ignore: decorator
@inline
export function packSum(start: u32, max: u32, end: u32): u64 {
  if (max == MAX_PACKED) return ALL_MAX;
  return (<u64>start) | ((<u64>max) << FIELD_BITS) | ((<u64>end) << (2 * FIELD_BITS));
}

// @ts-ignore: decorator
@inline
export function sumStart(sum: u64): u32 {
  return <i64>sum < 0 ? MAX_PACKED : <u32>(sum & FIELD_MASK);
}

// @ts-ignore: decorator
@inline
export function sumMax(sum: u64): u32 {
  return <i64>sum < 0 ? MAX_PACKED : <u32>((sum >> FIELD_BITS) & FIELD_MASK);
}

// @ts-ignore: decorator
@inline
export function sumEnd(sum: u64): u32 {
  return <i64>sum < 0 ? MAX_PACKED : <u32>((sum >> (2 * FIELD_BITS)) & FIELD_MASK);
}

/** Summary of one chunk from its allocation bits (1 = allocated). */
export function summarize(allocBits: u64): u64 {
  if (allocBits == 0) return FREE_CHUNK_SUM;
  if (~allocBits == 0) return 0;
  const start = <u32>ctz(allocBits);
  const end = <u32>clz(allocBits);
  const free = ~allocBits;
  // Mostly the free pages are one run: then its length is their count.
  const run = free >> ctz(free);
  const max = (run & (run + 1)) == 0 ? <u32>popcnt(run) : longestRun(free);
  return (<u64>start) | ((<u64>max) << FIELD_BITS) | ((<u64>end) << (2 * FIELD_BITS));
}

/** The greater of two counts, without a branch: which it is cannot be guessed. */
// @ts-ignore: decorator
@inline
function greater(a: i32, b: i32): i32 {
  const d = a - b;
  return b + (d & ~(d >> 31));
}

/**
 * Merge of `n` summaries at `sums`, each standing for `pages` pages, at most 2^12. O(n), without a branch in the loop:
 * which children are full, free or neither is as good as random, and each guess gone wrong costs more than the sums.
 */
export function mergeSums(sums: usize, n: u32, pages: u32): u64 {
  let start: i32 = 0;
  let max: i32 = 0;
  let end: i32 = 0;
  let total: i32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const sum = load<u64>(sums + (i << 3));
    const s = <i32>rawStart(sum);
    const e = <i32>rawEnd(sum);
    const joined = end + s;
    start += s & -(<i32>(start == total));
    max = greater(max, greater(joined, rawMax(sum)));
    end = e + ((joined - e) & -(<i32>(s == <i32>pages)));
    total += pages;
  }
  return packSum(start, max, end);
}
