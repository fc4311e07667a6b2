/**
 * The collector's controls as exports of an AssemblyScript program: a second entry file for asc, after the program's own.
 * `asc app.ts ./node_modules/gomalloc/rt-gc.ts --runtime ./node_modules/gomalloc/rt`. What a program wants to call itself
 * it calls by the names below, which are globals.
 */

/** Set GOGC, percent; negative: cycles only when asked for or when the memory limit demands it. The old value, -1: off. */
export function setGCPercent(percent: i32): i32 {
  return __setGCPercent(percent);
}

/** Set the limit of memory in use that the collector keeps to, bytes; 0: none. The old one. */
export function setMemoryLimit(bytes: u32): u32 {
  return __setMemoryLimit(bytes);
}

/** Mark for about `budget` bytes, beginning a cycle if none runs: for a host with time to spare. 0: the cycle has ended. */
export function gcStep(budget: u32): u32 {
  return __gcStep(budget);
}

/** A figure of the collector by its number; see docs/assemblyscript.md. */
export function gcStat(i: i32): f64 {
  return __gcStat(i);
}
