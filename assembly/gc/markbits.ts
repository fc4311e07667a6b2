/**
 * Mark bits: one word for a group's 64 slots, before the span's record (base/layout.ts).
 *
 * In a shared heap mutators mark too: a mark is an atomic OR.
 */

import { MSpan } from "../base/layout";
import { markWord } from "../base/gcstate";
import { rowAt, rowAddress } from "../base/state";
import { spanOf } from "../heap/arena";
import { liveBits } from "../central/mspan";

/** Set a bit of a mark word. False: it is set. */
@inline
export function setMark(w: u32, bit: u64): bool {
  return (load<u64>(w) & bit) == 0 && (atomic.or<u64>(w, bit) & bit) == 0;
}

/** Whether a slot of a small span is one, and live. */
@inline
export function isLive(span: MSpan, slot: u32): bool {
  return slot < <u32>span.nelems && ((liveBits(span, slot >> 6) >> slot) & 1) != 0;
}

/** Whether the object that begins at `p` is marked; any address in the host flavours. */
export function isMarked(p: u32): bool {
  const span = spanOf(p);
  if (span == null) return false;
  if (span.ngroups == 0) return load<u64>(markWord(span, 0)) != 0;
  const slot = (p - span.startAddr) / rowAt(rowAddress(span.row)).elemsize;
  return ((load<u64>(markWord(span, slot >> 6)) >> slot) & 1) != 0;
}
