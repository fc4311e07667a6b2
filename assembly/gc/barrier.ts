/**
 * Write barriers: what keeps a mark right while the program goes on.
 *
 *   hybrid      of the host API: the value that a store overwrites is shaded, and the one that it writes, both before
 *   insertion   of AssemblyScript, whose __link comes after the store: the child is shaded
 *
 * With the insertion barrier a reference can leave an unscanned place for a local or a global unseen: termination looks at
 * these again. With the hybrid one it cannot.
 *
 * Owner: the P. Cost: outside of a cycle a load and a test.
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

/** Store the pointer `value`, 0 too, at `slot`, a word of an object or of a registered range. */
export function writePointer(slot: u32, value: u32): void {
  if (gcState().phase == PHASE_MARK) {
    shadeWord(slot);
    if (value) shade(value);
  }
  store<u32>(slot, value);
}

/** The barrier of `bytes` bytes at `to`, elements of `type`, that are about to become those at `from`; 0: to be cleared. */
function bulkBarrier(type: u32, to: u32, from: u32, bytes: u32): void {
  if (gcState().phase != PHASE_MARK) return;
  for (let at = nextPointer(type, 0, bytes); at < bytes; at = nextPointer(type, at + 4, bytes)) {
    shadeWord(to + at);
    if (from) shadeWord(from + at);
  }
}

/** Go's typedmemmove: copy `bytes` bytes, whole elements of `type`; the two may overlap. */
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
