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

// @ts-ignore: decorator
@inline
export function packSum(start: u32, max: u32, end: u32): u64 {
  if (max == MAX_PACKED) return ALL_MAX;
  return <u64>start | (<u64>max << FIELD_BITS) | (<u64>end << (2 * FIELD_BITS));
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
  return packSum(<u32>ctz(allocBits), longestRun(~allocBits), <u32>clz(allocBits));
}

/** Merge of `n` summaries at `sums`, each standing for `pages` pages. O(n). */
export function mergeSums(sums: usize, n: u32, pages: u32): u64 {
  let start: u32 = 0;
  let max: u32 = 0;
  let end: u32 = 0;
  let total: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const sum = load<u64>(sums + (i << 3));
    if (sum == 0) {
      end = 0;
    } else {
      const s = sumStart(sum);
      if (start == total) start += s;
      const joined = end + s;
      const m = sumMax(sum);
      if (joined > max) max = joined;
      if (m > max) max = m;
      end = s == pages ? joined : sumEnd(sum);
    }
    total += pages;
  }
  return packSum(start, max, end);
}
