/**
 * Allocation from the collector's rows of a shared heap, as its callers see it: inside of the gate, and again after a whole
 * cycle when there is no memory, unless the caller is inside of the gate for more than this call.
 */

import { enterGate, isInside, leaveGate } from "../base/gates";
import { gcState } from "../base/gcstate";
import { isReady } from "../alloc/procs";
import { collectShared } from "./sharedcycle";
import { mallocgc, newObject } from "./mallocgc";

function allocate(type: u32, size: u32, scan: bool, zero: bool): u32 {
  if (!isReady() || !enterGate()) return 0;
  const p = type ? newObject(type, size) : mallocgc(size, scan, zero);
  leaveGate();
  return p;
}

/** An object of `size` bytes: of `type` if that is not 0, else as mallocgc has it. 0: no memory, or a lock was not to be had. */
export function allocateShared(type: u32, size: u32, scan: bool, zero: bool): u32 {
  const p = allocate(type, size, scan, zero);
  if (p != 0 || !isReady() || isInside() || gcState().enabled == 0 || !collectShared()) return p;
  return allocate(type, size, scan, zero);
}
