/**
 * Weak pointers: references that know an object and do not keep it. Go's weak package is the model.
 *
 * Between a weak pointer and its object is an indirection: a collected object of its own without pointers, of one word,
 * the address it was made for, or 0. Weak pointers are plain pointers to it, in handles or in objects. Two to one
 * address have the same indirection, also when the object is dead. A special of the object names it.
 *
 * Whether the object of an indirection lives is known at any time: while its span is unswept its mark tells, else the
 * sweep has cleared the word. So no sweep has to be waited for.
 *
 * Lock: G, inside the gate. Cost: that of an object to make one; O(specials of the span).
 */

import { SPECIAL_WEAK } from "../base/abinumbers";
import { TINY_SIZE } from "../base/config";
import { gcState, isMarking } from "../base/gcstate";
import { LOCK_GC } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { findObject } from "../alloc/free";
import { addSpecial, findSpecial, removeSpecial, specialAt } from "../central/specials";
import { isUnswept } from "../central/lists";
import { spanOf } from "../heap/arena";
import { mallocgc } from "./mallocgc";
import { shade } from "./mark";
import { isMarked } from "./markbits";

/** The indirection of `p`; 0: there is none. Under G. */
function findWeak(p: u32): u32 {
  const i = findSpecial(SPECIAL_WEAK, p, 0);
  if (i == 0) return 0;
  const weak = specialAt(i).value;
  if (load<u32>(weak) == p) return weak;
  // A thread has died between clearing the word and freeing the special, and the object lives for its finalizer.
  removeSpecial(i);
  return 0;
}

/**
 * The indirection of `p`, an address in a live object. A new one where there is none. 0: no memory, or a lock could not
 * be taken. Inside the gate.
 */
export function weakFor(p: u32): u32 {
  if (isMarking()) shade(p);
  if (!lock(LOCK_GC)) return 0;
  let weak = findWeak(p);
  unlock(LOCK_GC);
  if (weak == 0) {
    weak = newWeak(p);
    if (weak == 0 || !lock(LOCK_GC)) return 0;
    const other = findWeak(p);
    if (other) weak = other;
    else if (addSpecial(SPECIAL_WEAK, p, weak, 0) == 0) weak = 0;
    unlock(LOCK_GC);
  }
  if (weak != 0 && isMarking()) shade(weak);
  return weak;
}

/** A new indirection. No cycle begins meanwhile, because the caller's address may have no root. */
function newWeak(p: u32): u32 {
  const g = gcState();
  const enabled = g.enabled;
  g.enabled = 0;
  // A slot of its own: a piece of a tiny block would live as long as its neighbours.
  const weak = mallocgc(TINY_SIZE, false, true);
  g.enabled = enabled;
  if (weak) store<u32>(weak, p);
  return weak;
}

/** The address of a weak reference, as a strong one: 0 if its object is dead. Inside the gate. */
export function strengthen(weak: u32): u32 {
  const p = load<u32>(weak);
  const span = p ? spanOf(p) : null;
  if (span == null) return 0;
  if (isUnswept(span) && !isMarked(p)) {
    // If the mark is gone, a sweep has decided meanwhile.
    if (isUnswept(span)) return 0;
    return load<u32>(weak);
  }
  // The sweep may have cleared the word since it was read.
  const now = load<u32>(weak);
  if (now != 0 && isMarking()) shade(now);
  return now;
}

/** Whether an address may be that of an indirection: a live object of 16 bytes whose word is 0 or an object's. */
export function isWeak(p: u32): bool {
  if (findObject(p) != p) return false;
  const at = load<u32>(p);
  if (at == 0) return true;
  if (!lock(LOCK_GC)) return false;
  const i = findSpecial(SPECIAL_WEAK, at, p);
  unlock(LOCK_GC);
  return i != 0;
}
