/**
 * Options of the heap: globals of the instance, set by mallopt before or after init.
 *
 * No locks. In a shared heap each thread has its own options: those of the thread that grows the memory apply. Cost:
 * none.
 */

import {
  MAX_LOCK_WAIT,
  MAX_RESERVE,
  MISUSE_RETURN,
  MISUSE_TRAP,
  M_CAN_BLOCK,
  M_LOCK_WAIT,
  M_MAX_BYTES,
  M_MISUSE,
  M_RESERVE,
  M_SOFT_LIMIT,
} from "./abinumbers";
import { SHARED } from "./config";

export let misuseMode: u32 = MISUSE_TRAP;
/** Bytes that the heap may obtain, 0: no limit. */
export let maxBytes: u32 = 0;
/** Bytes at and above which the heap keeps no reserve, 0: no limit. */
export let softLimit: u32 = 0;
/** Most bytes that a growth adds beyond the need; see heap/sys.ts. */
export let reserveBytes: u32 = 4194304;

/** Shared heaps: milliseconds that a thread waits for a lock, 0: forever; and whether it may sleep meanwhile. */
export let lockPatience: u32 = 0;
export let canBlock: bool = true;

/** Set one option. 1 if accepted, 0 for an unknown parameter or a value out of range. */
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
  } else if (!SHARED) {
    return 0;
  } else if (param == M_LOCK_WAIT) {
    if (value > MAX_LOCK_WAIT) return 0;
    lockPatience = value;
  } else if (param == M_CAN_BLOCK) {
    canBlock = value != 0;
  } else {
    return 0;
  }
  return 1;
}
