/**
 * Collected spans in a shared heap.
 *
 * A span of malloc belongs to its P as long as the P lives. A collected span belongs to a P only while it is in the P's
 * mcache, as in Go. All others are unowned: those with free slots are listed in the mcentral of their row, full ones
 * are in no list. So the sweeper needs no P to give anything up, and when the marking ends, a P has only as many spans
 * to evict as it has rows.
 *
 *   owner != 0   in that P's mcache, or held by its thread, which sweeps or frees it
 *   unswept      mspan.sweepgen is 2 behind the heap's; always unowned. One store at a cycle's end makes all spans so
 *
 * Their page records name the heap's rows whoever the owner is, so that free's fast half, which knows no gates, takes
 * none of them for its own. A free by the owner, inside its gate, sets the slot's bit in `freed`; any other free sets a
 * bit in the group's remote word and makes a note for whoever next refills a collected row (central/notes.ts).
 *
 * Law: a span with remote bits is noted, or has an owner that drains the bits before it gives the span up, or a thread
 * is about to make the note.
 *
 * Callers are inside the gate. Lock: C; H for a span that is freed; G where objects have specials. Cost: O(groups) a span.
 */

import { isDeferred } from "./deferred";
import { evict } from "./release";
import { NUM_ROWS, PAGE_SHIFT, SHARED, SHARED_GC } from "../base/config";
import { STAT_CENTRAL_HITS, STAT_LARGE_FREES, count } from "../base/counters";
import { enterSure, leaveGate } from "../base/gates";
import { SharedGc, clearMarks, gcState, isCollected, markWord, sharedGc, setSwept } from "../base/gcstate";
import { LOCK_GC, MSPAN_SIZE, MSpan, Row, SPAN_IN_USE } from "../base/layout";
import { lock, lockSure, unlock } from "../base/locks";
import { centralOf, heap, local, pAt, rowAt, here, rowAddressIn } from "../base/state";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { addressOf, groupOf, isEmptyUncached, remoteBits, spanAt, freeSlots } from "./mspan";
import { beginWalk, breakWalk, collectedNotes, hasNotes, nextNoted, passOn, unnote } from "./notes";
import { freeRemote, takeRemoteBits } from "./remote";
import { adopt, listShared, adoptFirst, abandon } from "./owner";
import { SWEPT_FULL, account, clobberLarge, sweepSlots } from "./sweep";
import { isUnswept } from "./lists";
import { endDead, hasSpecials } from "./specials";
import { freeSpan } from "./spans";

/** Most listed spans that one refill tries, and most spans that it sweeps before it makes a new one. */
@inline const TAKE_BUDGET: u32 = 100;
@inline const SWEEP_BUDGET: u32 = 16;
/** Result of sweepSome: everything is swept. */
@inline export const ALL_SWEPT: u32 = 0;

/** Drain what other threads have freed in the span of this P's row. False: nothing. */
export function takeOwnRemote(row: Row): bool {
  return row.span != 0 && takeRemoteBits(spanAt(row.span), row.group);
}

/** A span of the P at `record`, in no row any more, becomes unowned. False: a recovery could not take the lock. */
export function giveCollected(record: u32, span: MSpan): bool {
  const row = <u32>span.row;
  if (!lockSure(row)) return false;
  takeRemoteBits(span, 0);
  abandon(record, span);
  unlock(row);
  return true;
}

/** Evict the span of the row at `index` of the P at `record`. The world is stopped, or it is this thread's P. */
export function uncacheCollected(record: u32, index: u32): void {
  const span = evict(record, rowAt(rowAddressIn(record, index)));
  if (span != null) giveCollected(record, span);
}

/** A swept span of `row` with free slots for the mcache; null: the caller has to make a new one. */
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

/** List a swept span that this thread holds, or free it. */
function retireSwept(span: MSpan): void {
  if (isEmptyUncached(span) && lock(0)) {
    freeSpan(span);
    unlock(0);
  } else giveCollected(local, span);
}

/**
 * Sweep some span, of any row. Returns its pages. ALL_SWEPT: none was left, except what other threads inside their
 * gates may still be sweeping.
 */
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
      // The cursor was reset meanwhile: see sweepAgain.
      g.sweeping = 1;
      continue;
    }
    // The thread that moves the cursor has the span to itself, except for refills of the span's row, which sweep it
    // too.
    if (atomic.cmpxchg<u32>(at, from, page + 1, offsetof<SharedGc>("cursor")) != from) continue;
    const groups = pageRecord(page).groups;
    const span = spanAt(groups - MSPAN_SIZE);
    if (groups == 0 || !isUnswept(span)) continue;
    const swept = span.ngroups ? sweepSmall(span) : sweepLarge(span, page);
    if (swept) return swept;
  }
}

/** Sweep a small span. Returns its pages; 0: another thread swept it. */
function sweepSmall(span: MSpan): u32 {
  const row = <u32>span.row;
  if (!isCollected(row) || !lockSure(row)) return 0;
  // Under the lock of its row its state is certain.
  const mine = <u32>span.row == row && span.state == SPAN_IN_USE && span.owner == 0 && isUnswept(span);
  if (mine) {
    adopt(span);
    takeRemoteBits(span, 0);
  }
  unlock(row);
  if (!mine) return 0;
  const npages = span.npages;
  sweepSlots(span);
  retireSwept(span);
  return npages;
}

/** Sweep the large span that begins at a page. Takes H. Returns its pages; 0: there was none to sweep. */
function sweepLarge(span: MSpan, page: u32): u32 {
  // Before H: see the order of the locks. A special that is added meanwhile hangs on a marked object.
  const special = hasSpecials(span);
  if (special && !lockSure(LOCK_GC)) return 0;
  let npages: u32 = 0;
  if (lockSure(0)) {
    const here = pageRecord(page).groups == addressOf(span) + MSPAN_SIZE && span.ngroups == 0;
    if (here && isUnswept(span) && !isDeferred(span)) {
      npages = span.npages;
      if (special) endDead(span);
      sweepBlock(span);
    }
    unlock(0);
  }
  if (special) unlock(LOCK_GC);
  return npages;
}

/** Sweep an unswept large span. Under H. */
function sweepBlock(span: MSpan): void {
  const npages = span.npages;
  const marked = load<u64>(markWord(span, 0)) != 0;
  account(npages, marked ? 0 : 1, marked ? 0 : (<u64>npages) << PAGE_SHIFT);
  if (marked) {
    setSwept(span);
    clearMarks(span);
  } else {
    count(STAT_LARGE_FREES);
    clobberLarge(span);
    freeSpan(span);
  }
}

/** Start a sweep: the heap's sweepgen has gone up. */
export function startSharedSweep(): void {
  const g = gcState();
  atomic.store<u32>(changetype<usize>(sharedGc()), 0, offsetof<SharedGc>("cursor"));
  g.pagesSwept = 0;
  g.freedSlots = 0;
  g.freedBytes = 0;
  g.sweeping = 1;
}

/** There may be unswept spans behind the cursor, because a thread that held them has died. */
export function sweepAgain(): void {
  atomic.store<u32>(changetype<usize>(sharedGc()), 0, offsetof<SharedGc>("cursor"));
  gcState().sweeping = 1;
}

/**
 * Free a slot of a collected span, whoever owns it. False: it is already free. A thread without a P may call it too.
 */
export function freeCollected(span: MSpan, slot: u32): bool {
  if (local == 0 || <u32>span.owner != pAt(local).id) return freeRemote(span, slot);
  enterSure();
  let freed: bool;
  // The collector may have evicted it in the meantime.
  if (<u32>span.owner == pAt(local).id) freed = freeOwn(span, slot);
  else freed = freeRemote(span, slot);
  leaveGate();
  return freed;
}

/** Free a slot of the span in this P's row. */
function freeOwn(span: MSpan, slot: u32): bool {
  const i = slot >> 6;
  const bit = (<u64>1) << slot;
  const row = rowAt(rowAddressIn(local, span.row));
  const cached = row.group == <u32>changetype<usize>(groupOf(span, i));
  return (remoteBits(span, i) & bit) == 0 && freeSlots(span, i, bit, cached) == 0;
}

/** Drain what was freed in unowned collected spans: they are listed, or freed when empty. */
export function reclaimCollected(): void {
  if (!SHARED_GC || !hasNotes(collectedNotes())) return;
  beginWalk(collectedNotes());
  for (let page = nextNoted(); page != 0; page = nextNoted()) {
    if (reclaimCollectedOn(page)) continue;
    breakWalk();
    return;
  }
}

/**
 * The part of reclaimCollected for a page that was noted. A span with an owner is left to the owner. False: a recovery
 * could not take the lock.
 */
function reclaimCollectedOn(page: u32): bool {
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
  // Under the lock of its row its state is certain.
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
  if (empty) retireSwept(span);
  return true;
}

/** Evict all collected spans of the P at `record`, from row `from` on. The world is stopped. */
export function uncacheAll(record: u32, from: u32): void {
  for (let row = from; row < NUM_ROWS; row++) uncacheCollected(record, row);
}
