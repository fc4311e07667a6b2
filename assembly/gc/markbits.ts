/**
 * Mark bits: one word for the 64 slots of a group, before the span's record (base/layout.ts).
 *
 * Owner: the thread that marks. In a shared heap mutators mark too, so a mark is an atomic OR. Cost: O(1).
 */

import { SHARED } from "../base/config";
import { MSpan } from "../base/layout";
import { markWord } from "../base/gcstate";
import { rowAt, rowAddress, seeWord } from "../base/state";
import { spanOf } from "../heap/arena";
import { liveBits } from "../central/mspan";

/** Set a bit of a mark word. False: it was set already. */
@inline
export function setMark(w: u32, bit: u64): bool {
  const bits = load<u64>(w);
  if (bits & bit) return false;
  seeWord(w);
  if (SHARED) return (atomic.or<u64>(w, bit) & bit) == 0;
  store<u64>(w, bits | bit);
  return true;
}

/** Whether a slot number exists in a small span, and the slot is live. */
@inline
export function isLive(span: MSpan, slot: u32): bool {
  return slot < <u32>span.nelems && ((liveBits(span, slot >> 6) >> slot) & 1) != 0;
}

/** Whether the object that begins at `p` is marked. The host flavours allow any address. */
export function isMarked(p: u32): bool {
  const span = spanOf(p);
  if (span == null) return false;
  if (span.ngroups == 0) return load<u64>(markWord(span, 0)) != 0;
  const slot = (p - span.startAddr) / rowAt(rowAddress(span.row)).elemsize;
  return ((load<u64>(markWord(span, slot >> 6)) >> slot) & 1) != 0;
}
