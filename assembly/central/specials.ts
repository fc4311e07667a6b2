/**
 * Specials: the table, the lists of the spans, and what a sweep does with the specials of the dead. Go's are the model.
 *
 *   cleanup     the object is dead: it waits in the queue until its thread takes it. Any number on an object
 *   finalizer   as a cleanup, but the object is kept once more, because the thread gets it. One on an object
 *   weak        the word of an indirection is the object's address as long as the object lives, and then 0
 *
 * A sweep looks at the specials of a span before it frees a slot. An object without a mark that has a finalizer is
 * marked: it lives, its finalizer is queued, its indirections become 0, and its cleanups stay until it dies for good.
 * Of all other dead objects every special ends. An object that is freed by hand ends like a dead one, and its finalizer
 * is dropped.
 *
 * A special stays while its object lives, and the table is the truth: lists and queue are made from it again when a
 * thread has died under the lock. So each change of a special's state is one store of its tag.
 *
 * Lock: G in a shared heap. Cost: O(specials of the span) to add one and to sweep; a span without any costs one load.
 */

import { SPECIAL_CLEANUP, SPECIAL_FINALIZER, SPECIAL_WEAK } from "../base/abinumbers";
import { PAGE_SHIFT, SPECIALS } from "../base/config";
import { GcState, gcState, isCollectedSpan, markWord } from "../base/gcstate";
import { LOCK_GC, MSpan } from "../base/layout";
import { lockSure, unlock } from "../base/locks";
import {
  KIND_MASK,
  QUEUED,
  SPECIAL_SHIFT,
  STATE_MASK,
  Special,
  TAKEN,
  TOKEN_SHIFT,
  specialsWord,
} from "../base/specials";
import { slotSize } from "../base/state";
import { setBits } from "../base/words";
import { spanOf } from "../heap/arena";
import { isUnswept } from "./lists";
import { liveBits } from "./mspan";
import { allocTable, freeTable } from "./records";

/** Specials that this thread has taken from the queue: number of the first of a list. */
let taken: u32 = 0;

@inline
export function specialAt(i: u32): Special {
  return changetype<Special>(<usize>(gcState().specials + (i << SPECIAL_SHIFT)));
}

@inline
function kindOf(s: Special): u32 {
  return s.tag & KIND_MASK;
}

/** Whether a special hangs on an object that has not been found dead. */
@inline
export function isAttached(s: Special): bool {
  return s.tag != 0 && (s.tag & STATE_MASK) == 0;
}

// The table

/** Move the specials to a table twice as long. False: no memory. */
function grow(): bool {
  const g = gcState();
  const oldPages = (g.specialSlots << SPECIAL_SHIFT) >> PAGE_SHIFT;
  const npages = max<u32>(1, oldPages << 1);
  const page = allocTable(npages);
  if (page == 0) return false;
  const table = page << PAGE_SHIFT;
  // Read after the allocation, which may have moved the table and swept.
  const old = g.specials;
  if (oldPages) memory.copy(table, old, oldPages << PAGE_SHIFT);
  const from = max<u32>(g.specialSlots, 1);
  const slots = (npages << PAGE_SHIFT) >> SPECIAL_SHIFT;
  let free = g.specialFree;
  for (let i = slots - 1; i >= from; i--) {
    const s = changetype<Special>(<usize>(table + (i << SPECIAL_SHIFT)));
    s.tag = 0;
    s.at = 0;
    s.next = free;
    free = i;
  }
  // No special has the number 0.
  if (from == 1) memory.fill(table, 0, 1 << SPECIAL_SHIFT);
  // One store for both, so that after a death neither is found without the other.
  store<u64>(changetype<usize>(g), (<u64>table) | ((<u64>slots) << 32), offsetof<GcState>("specials"));
  g.specialFree = free;
  if (oldPages) freeTable(old >> PAGE_SHIFT, oldPages);
  return true;
}

function freeSpecial(i: u32): void {
  const g = gcState();
  const s = specialAt(i);
  s.tag = 0;
  s.next = g.specialFree;
  g.specialFree = i;
  g.specialCount -= 1;
}

// Lists

/** Put a special into the list of its object's span. */
function link(i: u32): void {
  const s = specialAt(i);
  const span = spanOf(s.at);
  if (span == null) return;
  let at = specialsWord(span);
  for (let n = load<u32>(at); n != 0 && specialAt(n).at <= s.at; n = load<u32>(at)) at = addressOfNext(n);
  s.next = load<u32>(at);
  store<u32>(at, i);
}

@inline
function addressOfNext(i: u32): u32 {
  return <u32>changetype<usize>(specialAt(i));
}

/**
 * Hang a special on the object at or around `p`, which lives. `value` 0: a new number. Returns its value; 0: no memory.
 * Under G.
 */
export function addSpecial(kind: u32, p: u32, value: u32, token: u32): u32 {
  const g = gcState();
  if (g.specialFree == 0 && !grow()) return 0;
  if (value == 0) {
    // 0 is no number.
    value = max<u32>(g.specialIds + 1, 1);
    g.specialIds = value;
  }
  const i = g.specialFree;
  const s = specialAt(i);
  g.specialFree = s.next;
  g.specialCount += 1;
  s.at = p;
  s.value = value;
  s.tag = kind | (token << TOKEN_SHIFT);
  link(i);
  return value;
}

/**
 * The attached special of a kind at `p`: the one with this value, or with 0 any. Its number; 0: there is none. Under G.
 */
export function findSpecial(kind: u32, p: u32, value: u32): u32 {
  const span = spanOf(p);
  if (span == null || !isCollectedSpan(span)) return 0;
  for (let i = load<u32>(specialsWord(span)); i != 0; i = specialAt(i).next) {
    const s = specialAt(i);
    if (s.at > p) return 0;
    if (s.at == p && kindOf(s) == kind && (value == 0 || s.value == value)) return i;
  }
  return 0;
}

/** Remove the attached special number `i`. Under G. */
export function removeSpecial(i: u32): void {
  const span = spanOf(specialAt(i).at);
  if (span != null) {
    let at = specialsWord(span);
    while (load<u32>(at) != i) at = addressOfNext(load<u32>(at));
    store<u32>(at, specialAt(i).next);
  }
  freeSpecial(i);
}

// The dead

/** Append a special, which is in no list, to the queue. */
function enqueue(i: u32): void {
  const g = gcState();
  specialAt(i).next = 0;
  if (g.finqHead == 0) g.finqHead = i;
  else specialAt(g.finqTail).next = i;
  g.finqTail = i;
}

/** Whether one of the specials below `end`, the first of which is named by the word at `at`, is a finalizer. */
function hasFinalizer(at: u32, end: u32): bool {
  for (let i = load<u32>(at); i != 0 && specialAt(i).at < end; i = specialAt(i).next) {
    if (kindOf(specialAt(i)) == SPECIAL_FINALIZER) return true;
  }
  return false;
}

/**
 * End the specials below `end`, the first of which is named by the word at `at`: those of one object. `kept`: the
 * object lives on for its finalizer.
 */
function endObject(at: u32, end: u32, kept: bool): void {
  for (let i = load<u32>(at); i != 0; i = load<u32>(at)) {
    const s = specialAt(i);
    if (s.at >= end) return;
    const kind = kindOf(s);
    if (kind == SPECIAL_CLEANUP && kept) {
      at = addressOfNext(i);
      continue;
    }
    const next = s.next;
    if (kind == SPECIAL_WEAK) store<u32>(s.value, 0);
    else s.tag |= QUEUED;
    // Its thread is told of a finalizer that is dropped, without an object.
    if (kind == SPECIAL_FINALIZER && !kept) s.at = 0;
    store<u32>(at, next);
    if (kind == SPECIAL_WEAK) freeSpecial(i);
    else enqueue(i);
  }
}

/** Bytes of a slot of a span; of a large one, all of it. */
@inline
function bytesOfSlot(span: MSpan): u32 {
  return span.ngroups ? slotSize(span.row) : span.npages << PAGE_SHIFT;
}

/** Whether a span may have specials. */
@inline
export function hasSpecials(span: MSpan): bool {
  return SPECIALS && load<u32>(specialsWord(span)) != 0;
}

/**
 * End the specials of the dead objects of an unswept span that this thread holds. False: a recovery could not take the
 * lock, and the span must not be swept.
 */
export function sweepSpecials(span: MSpan): bool {
  if (!hasSpecials(span)) return true;
  if (!lockSure(LOCK_GC)) return false;
  endDead(span);
  unlock(LOCK_GC);
  return true;
}

/** sweepSpecials under G. */
export function endDead(span: MSpan): void {
  const size = bytesOfSlot(span);
  let at = specialsWord(span);
  for (let i = load<u32>(at); i != 0; i = load<u32>(at)) {
    const slot = (specialAt(i).at - span.startAddr) / size;
    const end = span.startAddr + (slot + 1) * size;
    if (!isKept(span, slot)) {
      // First the mark: if this thread dies, the next sweep of the span must find the object alive.
      const kept = isSlotLive(span, slot) && hasFinalizer(at, end);
      if (kept) setBits<u64>(markWord(span, slot >> 6), (<u64>1) << slot);
      endObject(at, end, kept);
    }
    for (i = load<u32>(at); i != 0 && specialAt(i).at < end; i = load<u32>(at)) at = addressOfNext(i);
  }
}

@inline
function isSlotLive(span: MSpan, slot: u32): bool {
  return span.ngroups == 0 || ((liveBits(span, slot >> 6) >> slot) & 1) != 0;
}

/** Whether a slot is live and stays so, as far as is known: a span that is swept has no marks between cycles. */
@inline
function isKept(span: MSpan, slot: u32): bool {
  return isSlotLive(span, slot) && (!isUnswept(span) || ((load<u64>(markWord(span, slot >> 6)) >> slot) & 1) != 0);
}

/**
 * The live object that begins at `p` is about to be freed by hand: end its specials. Any address. Inside the gate.
 */
export function freeSpecials(p: u32): void {
  const span = spanOf(p);
  if (span == null || !isCollectedSpan(span) || load<u32>(specialsWord(span)) == 0) return;
  const size = bytesOfSlot(span);
  const slot = (p - span.startAddr) / size;
  const start = span.startAddr + slot * size;
  if (p != start || !lockSure(LOCK_GC)) return;
  // What was found dead is left to the sweep.
  if (isKept(span, slot)) {
    let at = specialsWord(span);
    for (let i = load<u32>(at); i != 0 && specialAt(i).at < start; i = load<u32>(at)) at = addressOfNext(i);
    endObject(at, start + size, false);
  }
  unlock(LOCK_GC);
}

// The queue

/** Take what waits for the thread with this token out of the queue. Under G. Cost: O(queue). */
export function takeFinished(token: u32): void {
  const g = gcState();
  let prev: u32 = 0;
  let last = taken;
  if (last) while (specialAt(last).next != 0) last = specialAt(last).next;
  for (let i = g.finqHead; i != 0;) {
    const s = specialAt(i);
    const next = s.next;
    if (s.tag >> TOKEN_SHIFT == token) {
      s.tag = (s.tag & ~QUEUED) | TAKEN;
      if (prev) specialAt(prev).next = next;
      else g.finqHead = next;
      if (next == 0) g.finqTail = prev;
      s.next = 0;
      if (last) specialAt(last).next = i;
      else taken = i;
      last = i;
    } else prev = i;
    i = next;
  }
}

/** The first special that this thread has taken; 0: none. */
@inline
export function firstTaken(): u32 {
  return taken;
}

/** Free the first special that this thread has taken. Under G. */
export function dropTaken(): void {
  const i = taken;
  taken = specialAt(i).next;
  freeSpecial(i);
}

/** The thread with this token is gone: free its cleanups and finalizers. Under G. Cost: O(specials). */
export function dropSpecials(token: u32): void {
  const g = gcState();
  for (let i: u32 = 1; i < g.specialSlots; i++) {
    const s = specialAt(i);
    if (s.tag != 0 && kindOf(s) != SPECIAL_WEAK && s.tag >> TOKEN_SHIFT == token) s.tag = 0;
  }
  relink();
}

/** Make lists, queue and counts again from the table. Under G. Cost: O(specials), and the lists. */
export function relink(): void {
  const g = gcState();
  const slots = g.specialSlots;
  for (let i: u32 = 1; i < slots; i++) {
    if (specialAt(i).at == 0) continue;
    const span = spanOf(specialAt(i).at);
    if (span != null && isCollectedSpan(span)) store<u32>(specialsWord(span), 0);
  }
  g.finqHead = 0;
  g.finqTail = 0;
  let free: u32 = 0;
  let used: u32 = 0;
  for (let i: u32 = 1; i < slots; i++) {
    const s = specialAt(i);
    if (s.tag == 0) continue;
    used++;
    if (s.tag & QUEUED) enqueue(i);
    else if (isAttached(s)) link(i);
  }
  for (let i = slots; i > 1;) {
    const s = specialAt(--i);
    if (s.tag) continue;
    s.at = 0;
    s.next = free;
    free = i;
  }
  g.specialFree = free;
  g.specialCount = used;
}
