/**
 * pallocSum: the packed summary of a power-of-two run of pages, and how to make one.
 *
 *   bit 44          30 29          15 14           0
 *      +--------------+--------------+--------------+
 *      |     end      |     max      |    start     |
 *      +--------------+--------------+--------------+
 *
 * start and end are the free pages at the low and the high end, max is the longest free run. Each is at most 2^12: the
 * pages of an entry of the tree's uppermost level. 0 means that nothing is free. The shape is that of Go's radix-tree
 * page allocator, whose fields have 21 bits and one more for a whole region of 2^21 free pages.
 *
 * Pure functions over values; any thread, no lock. Cost: O(1), or O(n) for a merge.
 */

import { longestRun } from "../base/bits";

@inline const FIELD_BITS: u32 = 15;
@inline const FIELD_MASK: u64 = 0x7fff;

@inline
export function packSum(start: u32, max: u32, end: u32): u64 {
  return (<u64>start) | ((<u64>max) << FIELD_BITS) | ((<u64>end) << (2 * FIELD_BITS));
}

@inline
export function sumStart(sum: u64): u32 {
  return <u32>(sum & FIELD_MASK);
}

@inline
export function sumMax(sum: u64): u32 {
  return <u32>((sum >> FIELD_BITS) & FIELD_MASK);
}

@inline
export function sumEnd(sum: u64): u32 {
  return <u32>(sum >> (2 * FIELD_BITS));
}

/** Summary of one chunk from its allocation bits (1 = allocated). */
export function summarize(allocBits: u64): u64 {
  const start = <u32>ctz(allocBits);
  const end = <u32>clz(allocBits);
  const free = ~allocBits;
  // Usually the free pages are one run, whose length is their count.
  const run = free >> ctz(free);
  const max = (run & (run + 1)) == 0 ? <u32>popcnt(run) : longestRun(free);
  return packSum(start, max, end);
}

/** The greater of two counts, without a branch: the branch would be unpredictable. */
@inline
function greater(a: i32, b: i32): i32 {
  const d = a - b;
  return b + (d & ~(d >> 31));
}

/**
 * Merge of `n` summaries at `sums`, each covering `pages` pages, at most 2^9. O(n), without a branch in the loop: which
 * children are full, free or mixed is as good as random, and each misprediction costs more than the arithmetic.
 */
export function mergeSums(sums: usize, n: u32, pages: u32): u64 {
  let start: i32 = 0;
  let max: i32 = 0;
  let end: i32 = 0;
  let total: i32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const sum = load<u64>(sums + (i << 3));
    const s = <i32>sumStart(sum);
    const e = <i32>sumEnd(sum);
    const joined = end + s;
    start += s & -i32(start == total);
    max = greater(max, greater(joined, sumMax(sum)));
    end = e + ((joined - e) & -i32(s == <i32>pages));
    total += pages;
  }
  return packSum(start, max, end);
}
