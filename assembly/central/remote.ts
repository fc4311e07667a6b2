/**
 * Remote free: a block freed by a thread whose P does not own its span.
 *
 *   free   sets the slot's bit in a word beside the group by one atomic OR; no lock. The first bit of a group also
 *          makes a note of the span for its owner (central/notes.ts).
 *   owner  walks its notes at its next refill or slow free, and drains each word: the slots become freed slots of its
 *          own, then the bits are cleared.
 *
 * A span may change owner while a free is in progress: its former owner finds the note and passes it on (the notes in
 * the heap's own record are for unowned spans). So an idle P can have undrained slots, until it is acquired or flushed.
 *
 * Law: a slot is live until it has been drained, so no span is freed before that.
 *
 * A double free is detected at once if the slot is free or its bit is set; the owner drains its notes before it frees.
 * If the owner and another thread free a block at the same moment, it is detected by the drain (lateDoubleFrees).
 *
 * Lock: none, except H and C for unowned spans. Cost: one atomic operation; for the first slot of a group, a note.
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { isCommon } from "../base/gcstate";
import { FULL, Group, MSPAN_SIZE, MSpan, P_RECORD_SIZE } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { heap, local, pAt, rowAt, seeWord } from "../base/state";
import { pageRecord } from "../heap/arena";
import { addressOf, groupOf, isEmptyUncached, remoteBits, remoteOf, spanAt, freeSlots } from "./mspan";
import { beginWalk, breakWalk, hasNotes, nextNoted, note, notesAt, notesOf, passOn, unnote } from "./notes";
import { adopt, listShared } from "./owner";
import { release } from "./release";
import { freeSpan } from "./spans";

/** Whether slot `bit` of a group in another owner's span is live, as far as this thread can see. */
@inline
function looksLive(g: Group, bit: u64): bool {
  const at = changetype<usize>(g);
  const freed = atomic.load<u64>(at, 8);
  return freed == FULL || ((atomic.load<u64>(at) | freed) & bit) == 0;
}

/** Free a slot of a span that is unowned or belongs to another P. False: it is already free. */
export function freeRemote(span: MSpan, slot: u32): bool {
  if (!SHARED) return false;
  const i = slot >> 6;
  const bit: u64 = (<u64>1) << slot;
  // The remote words follow the groups.
  seeWord(remoteOf(span, i));
  if (!looksLive(groupOf(span, i), bit)) return false;
  // From the OR on, the span and everything in its record may be freed.
  const page = span.startAddr >> PAGE_SHIFT;
  const row = <u32>span.row;
  const owner = <u32>span.owner;
  const before = atomic.or<u64>(remoteOf(span, i), bit);
  if (before == 0) {
    note(notesOf(row, owner), page);
    if (local) pAt(local).groupsPushed += 1;
  }
  if (before & bit) return false;
  if (local) pAt(local).remoteFrees += 1;
  return true;
}

/**
 * Drain what other threads have freed in a span of this P, or under C in an unowned one; `cached`: the group in the
 * mcache.
 */
export function takeRemoteBits(span: MSpan, cached: u32): bool {
  if (!SHARED) return false;
  const p = pAt(local);
  let some = false;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    let bits = remoteBits(span, i);
    if (bits == 0) continue;
    p.groupsTaken += 1;
    some = true;
    do {
      // Freed before the bits are cleared: a thread that dies in between loses none. See forgetDrained.
      p.lateDoubleFrees += popcnt(freeSlots(span, i, bits, <u32>changetype<usize>(groupOf(span, i)) == cached));
      // Bits that have been set meanwhile have no note of their own, so they are drained too.
      bits = atomic.and<u64>(remoteOf(span, i), ~bits) & ~bits;
    } while (bits != 0);
  }
  return some;
}

/**
 * A thread that was draining group `i`, of which the slots `free` are free by now, has died: clear the bits of slots
 * that it has already freed. Returns how many.
 */
export function forgetDrained(span: MSpan, i: u32, free: u64): u32 {
  const given = remoteBits(span, i) & free;
  if (given) atomic.and<u64>(remoteOf(span, i), ~given);
  return <u32>popcnt(given);
}

/** Whether other threads have freed slots of this P, if the thread has one. Only a look. */
@inline
export function hasRemote(): bool {
  return SHARED && local != 0 && hasNotes(notesAt(local));
}

/** Drain what other threads have freed in this P's spans. */
export function takeRemote(): void {
  if (!SHARED) return;
  beginWalk(notesAt(local));
  for (let page = nextNoted(); page != 0; page = nextNoted()) takeOn(page);
}

/** The part of takeRemote for a page that was noted. */
function takeOn(page: u32): void {
  const r = pageRecord(page);
  if (r.row - local >= P_RECORD_SIZE) {
    passOn(page);
    return;
  }
  const span = spanAt(r.groups - MSPAN_SIZE);
  unnote(page);
  const row = rowAt(r.row);
  if (takeRemoteBits(span, row.group) && row.span != addressOf(span)) release(span, true);
}

/** Drain what was freed in unowned spans: they are listed in their mcentrals, or freed when empty. */
export function reclaimUnowned(): void {
  reclaimNotes(heap);
}

/** The same for the notes in the record at `record`, whose spans are unowned by now. */
export function reclaimNotes(record: u32): void {
  const notes = notesAt(record);
  // H comes before C, and an empty span is freed under H.
  if (!hasNotes(notes) || !lock(0)) return;
  beginWalk(notes);
  for (let page = nextNoted(); page != 0; page = nextNoted()) {
    if (reclaimUnownedOn(page)) continue;
    breakWalk();
    break;
  }
  unlock(0);
}

/** The part of reclaimNotes for a page that was noted. Under H. False: the lock of its row was not available. */
function reclaimUnownedOn(page: u32): bool {
  const groups = pageRecord(page).groups;
  const span = spanAt(groups - MSPAN_SIZE);
  if (groups == 0 || span.ngroups == 0) return true;
  const row = <u32>span.row;
  if (span.owner != 0 || isCommon(row)) {
    passOn(page);
    return true;
  }
  if (!lock(row)) return false;
  const mine = span.owner == 0;
  let empty: bool = false;
  if (mine) {
    unnote(page);
    takeRemoteBits(span, 0);
    empty = isEmptyUncached(span);
    if (empty) adopt(span);
    else if (span.partialMask) listShared(span);
  }
  unlock(row);
  if (empty) freeSpan(span);
  else if (!mine) passOn(page);
  return true;
}
