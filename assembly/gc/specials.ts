/**
 * Specials as the collector sees them: which roots they are, and how a weak reference becomes a strong one.
 *
 *   finalizer   what its object points to lives, but not because of it the object itself. From the day the object is
 *               found dead until its thread has a handle for it, the object is a root
 *   weak        its indirection lives as long as its object: the next reference to the object gets the same one
 *
 * An indirection is an object of its own without pointers: one word, the address it was made for, or 0. References to it
 * are plain pointers, in handles or in objects. Two references to one address have the same indirection, also when the
 * object is dead.
 *
 * Whether the object of an indirection lives is known at any time: while its span is unswept its mark tells, else the
 * sweep has cleared the word. So no sweep has to be waited for.
 *
 * Lock: G, inside the gate. Cost: shadeSpecials O(specials, and bytes of the objects with finalizers); else as
 * central/specials.ts.
 */

import { SPECIAL_FINALIZER, SPECIAL_WEAK } from "../base/abinumbers";
import { TINY_SIZE } from "../base/config";
import { gcState, isMarking } from "../base/gcstate";
import { LOCK_GC } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { KIND_MASK } from "../base/specials";
import { findObject } from "../alloc/free";
import { addSpecial, findSpecial, isAttached, removeSpecial, specialAt } from "../central/specials";
import { isUnswept } from "../central/lists";
import { spanOf } from "../heap/arena";
import { mallocgc } from "./mallocgc";
import { shade } from "./mark";
import { isMarked } from "./markbits";
import { scanObject } from "./scan";

/** Shade what the specials keep alive. The world is stopped, or there is one thread. */
export function shadeSpecials(): void {
  const g = gcState();
  if (g.specialCount == 0) return;
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
