/**
 * Zeroing of large blocks in a shared heap, as Go does it: outside of H, because it takes longer than anything that is
 * done under it.
 *
 *   under H   the pages become the block's span; which of them may be dirty is noted (heap/pagealloc.ts)
 *   after it  these are cleared in pieces. Between two pieces the thread drains what others have freed in its spans,
 *             and lets whoever stops the world have its way
 *
 * Nobody else knows the block yet: it is no collected object, and its address is nowhere. If the thread dies, the P's
 * `clearing` names it, and the recovery frees it. With one thread nothing of this happens: the page heap clears.
 *
 * Owner: the P. Cost: the bytes that may be dirty.
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { STAT_ZERO_CLEARED, STAT_ZERO_SKIPPED, countBy } from "../base/counters";
import { yieldGate } from "../base/gates";
import { MSpan } from "../base/layout";
import { local, pAt, syncMemory } from "../base/state";
import { hasRemote, takeRemote } from "../central/remote";
import { dirtyFrom, dirtyTo } from "../heap/pagealloc";

/** Bytes between two looks at what others want: some 30 to 60 us. */
@inline const PIECE: u32 = 256 << 10;

/** The span's block is about to be cleared by zeroOutside. Under H. */
@inline
export function beginZeroing(span: MSpan): void {
  if (SHARED) pAt(local).clearing = span.startAddr >> PAGE_SHIFT;
}

/** Clear the block of the span for which beginZeroing was just called. Takes locks. */
export function zeroOutside(span: MSpan): void {
  if (!SHARED) return;
  let at = dirtyFrom << PAGE_SHIFT;
  const bytes = (dirtyTo - dirtyFrom) << PAGE_SHIFT;
  for (const end = at + bytes; at < end; at += PIECE) {
    if (hasRemote()) takeRemote();
    yieldGate();
    syncMemory();
    memory.fill(at, 0, min(PIECE, end - at));
  }
  pAt(local).clearing = 0;
  countBy(STAT_ZERO_CLEARED, bytes);
  countBy(STAT_ZERO_SKIPPED, (span.npages << PAGE_SHIFT) - bytes);
}
