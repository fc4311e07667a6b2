/**
 * Options of the heap: globals of the instance, set by mallopt before or after init. No locks.
 */

/** Parameters of mallopt. The numbers are part of the ABI. */
@inline export const M_MISUSE: i32 = 1;
@inline export const M_MAX_BYTES: i32 = 2;
@inline export const M_SOFT_LIMIT: i32 = 3;
@inline export const M_RESERVE: i32 = 4;

/** What a misused call does: trap through gomalloc_misuse, or return without effect. */
@inline export const MISUSE_TRAP: u32 = 0;
@inline export const MISUSE_RETURN: u32 = 1;

/** Largest growth reserve that mallopt takes, bytes. */
@inline const MAX_RESERVE: u32 = 16 << 20;

export let misuseMode: u32 = MISUSE_TRAP;
/** Bytes that the heap may obtain, 0: no limit. */
export let maxBytes: u32 = 0;
/** Bytes from which on the heap keeps no reserve, 0: no limit. */
export let softLimit: u32 = 0;
/** Bytes grown beyond the need, at most; see heap/sys.ts. */
export let reserveBytes: u32 = 4194304;

/** Set one option. 1 when taken, 0 for an unknown parameter or a value out of range. */
export function setOption(param: i32, value: u32): i32 {
  if (param == M_MISUSE) {
    if (value > MISUSE_RETURN) return 0;
    misuseMode = value;
  } else if (param == M_MAX_BYTES) {
    maxBytes = value;
  } else if (param == M_SOFT_LIMIT) {
    softLimit = value;
  } else if (param == M_RESERVE) {
    if (value > MAX_RESERVE) return 0;
    reserveBytes = value;
  } else {
    return 0;
  }
  return 1;
}
