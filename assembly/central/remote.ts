/**
 * Remote free: a block freed by a thread whose P does not own its span.
 *
 *   free   sets the slot's bit in a word beside the group by one atomic OR; no lock. The first bit of a group also makes a
 *          note of the span for its owner (central/notes.ts).
 *   owner  walks its notes at the next refill or free of its own, and takes over each word's bits: the slots become freed
 *          ones of its own, then the bits are cleared.
 *
 * A span may change hands while a free is under way: its former owner finds the note and passes it on (the notes in the
 * heap's own record are for nobody's spans). So an idle P can have some of others, until it is taken or flushed.
 *
 * A slot is live until it has been taken over, so no span goes before that.
 *
 * A double free is seen at once if the slot is free, or its bit is set; the owner looks at its notes before it frees. If
 * the owner and another free a block in the same moment, it is seen when the bits are taken (lateDoubleFrees).
 *
 * Lock: none, but H and C for nobody's spans. Cost: one atomic operation; for the first slot of a group, a note.
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { isCommon } from "../base/gcstate";
import { FULL, Group, MSPAN_SIZE, MSpan, P_RECORD_SIZE } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { heap, local, pAt, rowAt } from "../base/state";
import { pageRecord } from "../heap/arena";
import { addressOf, groupOf, isEmptyUncached, remoteBits, remoteOf, spanAt, giveSlots } from "./mspan";
import { beginWalk, breakWalk, hasNotes, nextNoted, note, notesAt, notesOf, passOn, unnote } from "./notes";
import { adopt, listShared } from "./owner";
import { release } from "./release";
import { freeSpan } from "./spans";

/** Whether slot `bit` of the group, whose span is another's, is live as far as one can see from here. */
@inline
function looksLive(g: Group, bit: u64): bool {
  const at = changetype<usize>(g);
  const freed = atomic.load<u64>(at, 8);
  return freed == FULL || ((atomic.load<u64>(at) | freed) & bit) == 0;
}

/** Free a slot of a span that another P owns, or nobody. False: it is free already. */
export function freeRemote(span: MSpan, slot: u32): bool {
  if (!SHARED) return false;
  const i = slot >> 6;
  const bit: u64 = (<u64>1) << slot;
  if (!looksLive(groupOf(span, i), bit)) return false;
  // From the OR on the span may go, with all that is said of it.
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

/** Take over what others have freed in a span of this P's, or under C in nobody's; `cached`: the group in the mcache. */
export function takeRemoteBits(span: MSpan, cached: u32): bool {
  const p = pAt(local);
  let some = false;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    let bits = remoteBits(span, i);
    if (bits == 0) continue;
    p.groupsTaken += 1;
    some = true;
    do {
      // Given before they are cleared: a thread that dies in between loses none. See forgetGiven.
      p.lateDoubleFrees += popcnt(giveSlots(span, i, bits, <u32>changetype<usize>(groupOf(span, i)) == cached));
      // No note is made of those that have come in the meantime.
      bits = atomic.and<u64>(remoteOf(span, i), ~bits) & ~bits;
    } while (bits != 0);
  }
  return some;
}

/**
 * Who was taking over what others have freed in group `i`, with the slots `free` by now, has died: it does not have to be
 * done twice. How many slots that were.
 */
export function forgetGiven(span: MSpan, i: u32, free: u64): u32 {
  const given = remoteBits(span, i) & free;
  if (given) atomic.and<u64>(remoteOf(span, i), ~given);
  return <u32>popcnt(given);
}

/** Whether others have freed slots of this P, if the thread has one. A look only. */
@inline
export function hasRemote(): bool {
  return SHARED && local != 0 && hasNotes(notesAt(local));
}

/** The owner takes over what others have freed. */
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

/** Take over what was freed in nobody's spans: they are listed in their mcentrals, or go back to the heap when empty. */
export function settleNobodys(): void {
  settle(heap);
}

/** The same for the notes in the record at `record`, whose spans are nobody's by now. */
export function settle(record: u32): void {
  const notes = notesAt(record);
  // H comes before C, and an empty span goes back to the heap.
  if (!hasNotes(notes) || !lock(0)) return;
  beginWalk(notes);
  for (let page = nextNoted(); page != 0; page = nextNoted()) {
    if (settleOn(page)) continue;
    breakWalk();
    break;
  }
  unlock(0);
}

/** The part of settle for a page that was noted. Under H. False: the lock of its row was not to be had. */
function settleOn(page: u32): bool {
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
