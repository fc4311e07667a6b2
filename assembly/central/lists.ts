/**
 * The lists in which the collector finds the spans of a row: besides mcentral's partial and empty spans it needs the
 * full ones.
 *
 *   partial (head..tail), full (fullHead..fullTail)   swept: sweepgen is the heap's
 *   unswept                                           from before the last cycle's end: sweepgen is 2 behind
 *
 * At a cycle's end the two swept lists become the unswept one, partial spans first, and the heap's sweepgen goes up by
 * 2: no span is touched. Large spans have their own lists (GcState). Only collected rows take part. The sets and
 * sweepgen are Go's.
 *
 * Owner: the P. Cost: O(1).
 */

import { NUM_ROWS, FIRST_GC_ROW, GC, SHARED } from "../base/config";
import { FLAG_EMPTY, FLAG_FULL, FLAG_LISTED, MCentral, MSpan, SweepSets } from "../base/layout";
import { gcState, isCollectedSpan, GcState } from "../base/gcstate";
import { central, mheap } from "../base/state";
import { addressOf, spanAt } from "./mspan";

@inline
export function sweepSets(row: u32): SweepSets {
  return changetype<SweepSets>(changetype<usize>(central(row)) + offsetof<MCentral>());
}

/** Whether a span that no mcache holds still has to be swept. */
@inline
export function isUnswept(span: MSpan): bool {
  if (!GC) return false;
  if (span.sweepgen == mheap().sweepgen || (span.flags & FLAG_EMPTY) != 0) return false;
  return isCollectedSpan(span);
}

/** Append a span to the list whose first and last spans the words at `list` and `list` + 4 name. */
@inline
function append(list: usize, span: MSpan): void {
  const at = addressOf(span);
  const tail = load<u32>(list, 4);
  span.prev = tail;
  span.next = 0;
  if (tail) spanAt(tail).next = at;
  else store<u32>(list, at);
  store<u32>(list, at, 4);
}

/** Take a span out of the list whose first span is in the word at `head`, and the last at `tail`; 0: none is kept. */
@inline
function unlink(span: MSpan, head: usize, tail: usize): void {
  const next = span.next;
  const prev = span.prev;
  if (prev) spanAt(prev).next = next;
  else store<u32>(head, next);
  if (next) spanAt(next).prev = prev;
  else if (tail) store<u32>(tail, prev);
}

/** List a collected span that has left the mcache without a free slot. */
export function pushFull(span: MSpan): void {
  append(changetype<usize>(sweepSets(span.row)), span);
  span.flags |= FLAG_FULL;
}

/** Unlink a full span, which has regained a slot. */
export function unlinkFull(span: MSpan): void {
  const list = changetype<usize>(sweepSets(span.row));
  unlink(span, list, list + 4);
  span.flags &= ~FLAG_FULL;
}

/** Unlink a span from the unswept spans of its row. */
export function unlinkUnswept(span: MSpan): void {
  unlink(span, changetype<usize>(sweepSets(span.row)) + offsetof<SweepSets>("unswept"), 0);
  span.flags &= ~(FLAG_FULL | FLAG_LISTED);
}

/**
 * List a collected large span, new or swept: FLAG_FULL distinguishes it from a span of malloc. A shared heap has no
 * such list.
 */
export function pushLarge(span: MSpan): void {
  span.flags |= FLAG_FULL;
  if (SHARED) return;
  const g = gcState();
  span.prev = 0;
  span.next = g.large;
  if (g.large) spanAt(g.large).prev = addressOf(span);
  g.large = addressOf(span);
}

/** Unlink a collected large span. */
export function unlinkLarge(span: MSpan): void {
  const isSwept = span.sweepgen == mheap().sweepgen;
  const list = isSwept ? offsetof<GcState>("large") : offsetof<GcState>("largeUnswept");
  unlink(span, changetype<usize>(gcState()) + list, 0);
}

/** A cycle has ended: everything becomes unswept. Nothing was unswept before, and no mcache holds a collected span. */
export function switchSets(): void {
  const g = gcState();
  mheap().sweepgen += 2;
  for (let row: u32 = FIRST_GC_ROW; row < NUM_ROWS; row++) {
    const c = central(row);
    const s = sweepSets(row);
    if (c.head) {
      s.unswept = c.head;
      spanAt(c.tail).next = s.fullHead;
      if (s.fullHead) spanAt(s.fullHead).prev = c.tail;
    } else {
      s.unswept = s.fullHead;
    }
    c.head = 0;
    c.tail = 0;
    s.fullHead = 0;
    s.fullTail = 0;
  }
  g.largeUnswept = g.large;
  g.large = 0;
}

/** Append to the partial list. */
export function pushPartial(c: MCentral, span: MSpan): void {
  append(changetype<usize>(c), span);
  span.flags |= FLAG_LISTED;
}

/** Take out of the partial list. */
export function unlinkPartial(c: MCentral, span: MSpan): void {
  const list = changetype<usize>(c);
  unlink(span, list, list + 4);
  span.flags &= ~FLAG_LISTED;
}
