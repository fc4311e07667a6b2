/**
 * What a workload reports: operations done, a checksum of what it read back, and, in the checked build, the
 * requested bytes that were live and how often a check failed.
 *
 * An operation is one call of the malloc family. The checksum depends on the workload's seed and on the
 * contents of the blocks, never on addresses, so it is equal for every allocator that keeps its promises.
 */

let operations: u64 = 0;
let sum: u32 = 0;

// Checked build only.
let live: u32 = 0;
let livePeak: u32 = 0;
let failed: u32 = 0;
let firstFailure: u32 = 0;

/** Counts `n` calls of the malloc family. */
@inline
export function count(n: u32): void {
  operations += n;
}

/** Folds `value` into the checksum. */
@inline
export function mix(value: u32): void {
  sum += value;
}

/** The checked build's account of requested bytes: `size` more are live. */
export function born(size: u32): void {
  live += size;
  if (live > livePeak) livePeak = live;
}

/** The checked build's account of requested bytes: `size` fewer are live. */
export function died(size: u32): void {
  live -= size;
}

/** Records a failed check; the kind of the first one is kept. */
export function fail(kind: u32): void {
  if (!failed) firstFailure = kind;
  failed++;
}

/** Operations since the instance began, as a double. */
export function operationCount(): f64 {
  return <f64>operations;
}

/** The checksum so far. */
export function checksum(): u32 {
  return sum;
}

/** Checked build: checks that failed so far. */
export function failureCount(): u32 {
  return failed;
}

/** Checked build: the kind of the first failed check, see blocks.ts; 0 if none failed. */
export function failureKind(): u32 {
  return firstFailure;
}

/** Checked build: the greatest sum of requested bytes that were live at once. */
export function peakLiveBytes(): u32 {
  return livePeak;
}
