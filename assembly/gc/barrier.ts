/**
 * Write barriers: they keep marking correct while the program runs.
 *
 *   hybrid      of the host API: before a store, both the overwritten value and the new one are shaded (as in Go)
 *   insertion   of AssemblyScript: __link comes after the store and shades the child
 *
 * With the insertion barrier a reference can move unseen from an unscanned object to a local or a global; therefore
 * termination scans locals and globals again. With the hybrid barrier this cannot happen.
 *
 * Owner: the P. Cost outside a cycle: one load and one test.
 */

import { PHASE_MARK, gcState } from "../base/gcstate";
import { syncMemory } from "../base/state";
import { shade } from "./mark";
import { nextPointer } from "./typebits";

@inline
function shadeWord(at: u32): void {
  const value = load<u32>(at);
  if (value) shade(value);
}

/** Store the pointer `value`, which may be 0, at `slot`: a word of an object or of a registered range. */
export function writePointer(slot: u32, value: u32): void {
  if (gcState().phase == PHASE_MARK) {
    shadeWord(slot);
    if (value) shade(value);
  }
  store<u32>(slot, value);
}

/**
 * The barrier for `bytes` bytes at `to`, elements of `type`, before they are overwritten with those at `from`; `from`
 * 0: before they are cleared.
 */
function bulkBarrier(type: u32, to: u32, from: u32, bytes: u32): void {
  if (gcState().phase != PHASE_MARK) return;
  for (let at = nextPointer(type, 0, bytes); at < bytes; at = nextPointer(type, at + 4, bytes)) {
    shadeWord(to + at);
    if (from) shadeWord(from + at);
  }
}

/** Go's typedmemmove: copy `bytes` bytes, whole elements of `type`. The two areas may overlap. */
export function typedMove(type: u32, to: u32, from: u32, bytes: u32): void {
  bulkBarrier(type, to, from, bytes);
  syncMemory();
  memory.copy(to, from, bytes);
}

/** Go's typedmemclr: clear `bytes` bytes, whole elements of `type`. */
export function typedClear(type: u32, to: u32, bytes: u32): void {
  bulkBarrier(type, to, 0, bytes);
  syncMemory();
  memory.fill(to, 0, bytes);
}
