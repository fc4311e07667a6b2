/**
 * The collector's spans in a shared heap.
 *
 * malloc's spans are a P's for as long as it lives; a collected span is one only while it is in the P's mcache, as in Go.
 * All others are nobody's: those with free slots stand in the mcentral of their row, full ones in no list. So the sweeper
 * needs no P to let go of anything, and when the marking ends there are as many spans to be taken away from a P as it has rows.
 *
 *   owner != 0   in that P's mcache, or in the hands of its thread, which sweeps or frees it
 *   unswept      mspan.sweepgen is 2 behind the heap's; nobody's for sure. A cycle's end makes all spans so by one store
 *
 * Their page records name the heap's rows whoever the owner is, so that free's fast half, which knows no gates, takes none of
 * them for its own. A free by the owner, inside of its gate, sets the slot's bit in `freed`; any other sets one in the
 * group's remote word and makes a note for all who refill rows of the collector (central/notes.ts).
 *
 * Law: a span with remote bits is noted, or it has an owner, which takes the bits before it gives the span up, or a thread
 * is about to make the note.
 *
 * Inside of the gate. Lock: C; H for a span that goes back. Cost: O(groups) a span.
 */

import { evict } from "./release";
import { NUM_ROWS, PAGE_SHIFT, SHARED, SHARED_GC } from "../base/config";
import { STAT_CENTRAL_HITS, STAT_LARGE_FREES, count } from "../base/counters";
import { enterSure, leaveGate } from "../base/gates";
import { SharedGc, clearMarks, gcState, isCollected, markWord, sharedGc } from "../base/gcstate";
import { FLAG_DEFERRED, HEAP_ROWS, MSPAN_SIZE, MSpan, ROW_SHIFT, Row, SPAN_IN_USE } from "../base/layout";
import { lock, lockSure, unlock } from "../base/locks";
import { centralOf, heap, local, mheap, pAt, rowAt, here } from "../base/state";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { addressOf, groupOf, isEmptyUncached, remoteBits, spanAt, giveSlots } from "./mspan";
import { beginWalk, breakWalk, collectedNotes, hasNotes, nextNoted, passOn, unnote } from "./notes";
import { freeRemote, takeRemoteBits } from "./remote";
import { adopt, listShared, adoptFirst, abandon } from "./owner";
import { SWEPT_FULL, sweepSlots, account } from "./sweep";
import { isUnswept } from "./lists";
import { freeSpan } from "./spans";

/** Listed spans that one refill goes through, and spans that it sweeps before it takes a new one. */
@inline const TAKE_BUDGET: u32 = 100;
@inline const SWEEP_BUDGET: u32 = 16;
/** sweepSome: all is swept. */
@inline export const ALL_SWEPT: u32 = 0;

/** What others have freed in the span of this P's row. False: nothing. */
export function takeOwnRemote(row: Row): bool {
  return SHARED && row.span != 0 && takeRemoteBits(spanAt(row.span), row.group);
}

/** A span of the P at `record`, in no row any more, becomes nobody's. False: a recovery could not have the lock. */
export function giveCollected(record: u32, span: MSpan): bool {
  if (!SHARED) return false;
  const row = <u32>span.row;
  if (!lockSure(row)) return false;
  takeRemoteBits(span, 0);
  abandon(record, span);
  unlock(row);
  return true;
}

/** The row at index `row` of the P at `record` gives its span up. The world is stopped, or it is this thread's P. */
export function uncacheCollected(record: u32, index: u32): void {
  const span = evict(record, rowAt(record + HEAP_ROWS + (index << ROW_SHIFT)));
  if (span != null) giveCollected(record, span);
}

/** A span of `row` with free slots for the mcache, swept; null: a new one has to be made. */
export function cacheCollected(row: u32): MSpan | null {
  if (!SHARED) return null;
  let span = takeListed(row);
  if (span == null && gcState().sweeping != 0) {
    for (let n: u32 = 0; n < SWEEP_BUDGET && centralOf(heap, row).head == 0; n++) if (sweepSome() == ALL_SWEPT) break;
    span = takeListed(row);
  }
  if (span != null) count(STAT_CENTRAL_HITS);
  return span;
}

function takeListed(row: u32): MSpan | null {
  for (let n: u32 = 0; n < TAKE_BUDGET && centralOf(heap, row).head != 0; n++) {
    if (!lockSure(row)) return null;
    const span = adoptFirst(row);
    if (span != null) takeRemoteBits(span, 0);
    unlock(row);
    if (span == null || !isUnswept(span) || sweepSlots(span) != SWEPT_FULL) return span;
    giveCollected(local, span);
  }
  return null;
}

/** A swept span in this thread's hands goes where it belongs. */
function settleSwept(span: MSpan): void {
  if (isEmptyUncached(span) && lock(0)) {
    freeSpan(span);
    unlock(0);
  } else giveCollected(local, span);
}

/** Sweep some span, of any row. Its pages; ALL_SWEPT: none was left, but perhaps in the hands of others inside their gates. */
export function sweepSome(): u32 {
  const g = gcState();
  if (!g.sweeping) return ALL_SWEPT;
  const at = changetype<usize>(sharedGc());
  while (true) {
    const from = atomic.load<u32>(at, offsetof<SharedGc>("cursor"));
    const page = nextSpanPage(max<u32>(from, 1));
    if (page == 0) {
      g.sweeping = 0;
      if (atomic.load<u32>(at, offsetof<SharedGc>("cursor")) == from) return ALL_SWEPT;
      // See sweepAgain.
      g.sweeping = 1;
      continue;
    }
    // Whoever moves the cursor has the span to himself, but for refills of its row, which sweep it too.
    if (atomic.cmpxchg<u32>(at, from, page + 1, offsetof<SharedGc>("cursor")) != from) continue;
    const groups = pageRecord(page).groups;
    const span = spanAt(groups - MSPAN_SIZE);
    if (groups == 0 || !isUnswept(span)) continue;
    const swept = span.ngroups ? sweepSmall(span) : sweepLarge(span, page);
    if (swept) return swept;
  }
}

/** Pages; 0: it was swept by another. */
function sweepSmall(span: MSpan): u32 {
  const row = <u32>span.row;
  if (!isCollected(row) || !lockSure(row)) return 0;
  // Under the lock of its row it is sure what it is.
  const mine = <u32>span.row == row && span.state == SPAN_IN_USE && span.owner == 0 && isUnswept(span);
  if (mine) {
    adopt(span);
    takeRemoteBits(span, 0);
  }
  unlock(row);
  if (!mine) return 0;
  const npages = span.npages;
  sweepSlots(span);
  settleSwept(span);
  return npages;
}

/** The large span that begins at a page, under H. */
function sweepLarge(span: MSpan, page: u32): u32 {
  if (!lockSure(0)) return 0;
  let npages: u32 = 0;
  const here = pageRecord(page).groups == addressOf(span) + MSPAN_SIZE && span.ngroups == 0;
  if (here && isUnswept(span) && (span.flags & FLAG_DEFERRED) == 0) {
    npages = span.npages;
    const marked = load<u64>(markWord(span, 0)) != 0;
    account(npages, marked ? 0 : 1, marked ? 0 : (<u64>npages) << PAGE_SHIFT);
    if (marked) {
      span.sweepgen = mheap().sweepgen;
      clearMarks(span);
    } else {
      count(STAT_LARGE_FREES);
      freeSpan(span);
    }
  }
  unlock(0);
  return npages;
}

/** Begin to sweep: the heap's sweepgen has gone up. */
export function startSharedSweep(): void {
  const g = gcState();
  atomic.store<u32>(changetype<usize>(sharedGc()), 0, offsetof<SharedGc>("cursor"));
  g.pagesSwept = 0;
  g.freedSlots = 0;
  g.freedBytes = 0;
  g.sweeping = 1;
}

/** There may be unswept spans behind the cursor: a dead thread had them. */
export function sweepAgain(): void {
  atomic.store<u32>(changetype<usize>(sharedGc()), 0, offsetof<SharedGc>("cursor"));
  gcState().sweeping = 1;
}

/** Free a slot of a collected span, whoever has it. False: it is free. A thread without a P may do it too. */
export function freeCollected(span: MSpan, slot: u32): bool {
  if (!SHARED_GC) return false;
  if (local == 0 || <u32>span.owner != pAt(local).id) return freeRemote(span, slot);
  enterSure();
  let freed: bool;
  // The collector may have taken it away in the meantime.
  if (<u32>span.owner == pAt(local).id) freed = freeOwn(span, slot);
  else freed = freeRemote(span, slot);
  leaveGate();
  return freed;
}

/** Free a slot of the span that stands in this P's row. */
function freeOwn(span: MSpan, slot: u32): bool {
  const i = slot >> 6;
  const bit = (<u64>1) << slot;
  const row = rowAt(local + HEAP_ROWS + ((<u32>span.row) << ROW_SHIFT));
  const cached = row.group == <u32>changetype<usize>(groupOf(span, i));
  return (remoteBits(span, i) & bit) == 0 && giveSlots(span, i, bit, cached) == 0;
}

/** Take over what was freed in nobody's collected spans: they are listed, or go back to the heap when empty. */
export function settleCollected(): void {
  if (!SHARED_GC || !hasNotes(collectedNotes())) return;
  beginWalk(collectedNotes());
  for (let page = nextNoted(); page != 0; page = nextNoted()) {
    if (settleCollectedOn(page)) continue;
    breakWalk();
    return;
  }
}

/**
 * The part of settleCollected for a page that was noted. What has an owner is left to the owner. False: a recovery could not
 * have the lock.
 */
function settleCollectedOn(page: u32): bool {
  const groups = pageRecord(page).groups;
  const span = spanAt(groups - MSPAN_SIZE);
  if (groups == 0 || span.ngroups == 0) return true;
  const row = <u32>span.row;
  if (!isCollected(row)) {
    passOn(page);
    return true;
  }
  if (!lockSure(row)) return false;
  let empty: bool = false;
  // Under the lock of its row it is sure what it is.
  if (pageRecord(page).groups == groups && <u32>span.row == row && span.state == SPAN_IN_USE) {
    unnote(page);
    if (span.owner == 0) {
      takeRemoteBits(span, 0);
      empty = isEmptyUncached(span);
      if (empty) adopt(span);
      else if (span.partialMask) listShared(span);
    }
  }
  unlock(row);
  if (empty) settleSwept(span);
  return true;
}

/** Let go of all collected spans that the P at `record` has in its mcache. The world is stopped. */
export function uncacheAll(record: u32, from: u32): void {
  for (let row = from; row < NUM_ROWS; row++) uncacheCollected(record, row);
}
