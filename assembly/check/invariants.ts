/**
 * The result of a check: the number of a broken invariant, and what it is about.
 *
 * The numbers are in base/abinumbers.ts: 1x pages and summaries, 2x spans and their records, 3x groups and slots, 4x
 * lists and rows, 5x accounts, 6x the heap's own record and its tables, 7x the collector's records.
 * src/heap/invariants.ts has a sentence for each.
 *
 * Owner: the thread that checks. Cost: O(1).
 */

let info: u32 = 0;

/** Address or number that the last broken invariant is about. */
export function brokenAt(): u32 {
  return info;
}

/** Record that the invariant `code` is broken at `at`. Returns `code`. */
export function bad(code: u32, at: u32): u32 {
  info = at;
  return code;
}
