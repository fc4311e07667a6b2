/**
 * Allocation from the collected rows for callers of the ABI. In a shared heap it runs inside the gate: if memory runs
 * out, it runs a whole cycle and tries again, unless the caller was inside the gate before this call.
 *
 * Owner: the P. Cost: that of mallocgc, plus the gate.
 */

import { SHARED } from "../base/config";
import { enterGate, isInside, leaveGate } from "../base/gates";
import { gcState } from "../base/gcstate";
import { ensureReady } from "../alloc/procs";
import { collectShared } from "./sharedcycle";
import { mallocgc, newObject } from "./mallocgc";

@inline
function allocate(type: u32, size: u32, scan: bool, zero: bool): u32 {
  return type ? newObject(type, size) : mallocgc(size, scan, zero);
}

function allocateInside(type: u32, size: u32, scan: bool, zero: bool): u32 {
  if (!ensureReady() || !enterGate()) return 0;
  const p = allocate(type, size, scan, zero);
  leaveGate();
  return p;
}

/**
 * An object of `size` bytes: an array of `type`, or, if that is 0, as mallocgc makes it. 0: no memory, or a lock could
 * not be taken.
 */
export function allocateObject(type: u32, size: u32, scan: bool, zero: bool): u32 {
  if (!SHARED) return allocate(type, size, scan, zero);
  const p = allocateInside(type, size, scan, zero);
  if (p != 0 || !ensureReady() || isInside() || gcState().enabled == 0 || !collectShared()) return p;
  return allocateInside(type, size, scan, zero);
}
