/**
 * Specials as roots: what they keep alive while a cycle marks.
 *
 *   finalizer   what its object points to lives, but not because of it the object itself. From the day the object is
 *               found dead until its thread has a handle for it, the object is a root
 *   weak        its indirection (gc/weak.ts) lives as long as its object: the next weak pointer gets the same one
 *
 * Lock: none; the world is stopped. Cost: O(specials, and bytes of the objects with finalizers).
 */

import { SPECIAL_FINALIZER, SPECIAL_WEAK } from "../base/abinumbers";
import { SPECIALS } from "../base/config";
import { gcState, isMarking } from "../base/gcstate";
import { KIND_MASK } from "../base/specials";
import { isAttached, specialAt } from "../central/specials";
import { shade } from "./mark";
import { scanObject } from "./scan";

/** Shade what the specials keep alive. The world is stopped, or there is one thread. */
export function shadeSpecials(): void {
  if (!SPECIALS || gcState().specialCount == 0) return;
  const g = gcState();
  for (let i: u32 = 1; i < g.specialSlots; i++) {
    const s = specialAt(i);
    const kind = s.tag & KIND_MASK;
    if (kind == SPECIAL_WEAK) shade(s.value);
    else if (kind != SPECIAL_FINALIZER) continue;
    else if (isAttached(s)) shadeReferences(s.at);
    else if (s.at != 0) shade(s.at);
  }
}

/** Shade what the object at `p` points to. */
function shadeReferences(p: u32): void {
  scanObject(p);
}

/** A finalizer was made for the object at `p` while a cycle marks, after shadeSpecials. */
@inline
export function shadeForFinalizer(p: u32): void {
  if (isMarking()) shadeReferences(p);
}
