/**
 * Options of the heap: globals of the instance, set by mallopt before or after init. No locks. In a shared heap each
 * thread has its own, and goes by them when it is the one that grows.
 */

import { SHARED } from "./config";

/** Parameters of mallopt. The numbers are part of the ABI. */
@inline export const M_MISUSE: i32 = 1;
@inline export const M_MAX_BYTES: i32 = 2;
@inline export const M_SOFT_LIMIT: i32 = 3;
@inline export const M_RESERVE: i32 = 4;
/** Shared heaps: milliseconds of patience for a lock, 0 for ever; whether this thread may sleep. */
@inline export const M_LOCK_WAIT: i32 = 5;
@inline export const M_CAN_BLOCK: i32 = 6;

/** What a misused call does: trap through gomalloc_misuse, or return without effect. */
@inline export const MISUSE_TRAP: u32 = 0;
@inline export const MISUSE_RETURN: u32 = 1;

/** Longest wait for a lock that mallopt takes, milliseconds. */
@inline const MAX_LOCK_WAIT: u32 = 3600000;
/** Largest growth reserve that mallopt takes, bytes. */
@inline export const MAX_RESERVE: u32 = 16 << 20;

export let misuseMode: u32 = MISUSE_TRAP;
/** Bytes that the heap may obtain, 0: no limit. */
export let maxBytes: u32 = 0;
/** Bytes from which on the heap keeps no reserve, 0: no limit. */
export let softLimit: u32 = 0;
/** Bytes grown beyond the need, at most; see heap/sys.ts. */
export let reserveBytes: u32 = 4194304;

/** Shared heaps: milliseconds that a lock is waited for, 0: for ever; and whether waiting may be sleeping. */
export let lockPatience: u32 = 0;
export let canBlock: bool = true;

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
  } else if (SHARED && param == M_LOCK_WAIT) {
    if (value > MAX_LOCK_WAIT) return 0;
    lockPatience = value;
  } else if (SHARED && param == M_CAN_BLOCK) {
    canBlock = value != 0;
  } else {
    return 0;
  }
  return 1;
}
