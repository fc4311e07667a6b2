/**
 * The laws of a span and its groups as checks, made where they may break: at the end of each operation on a span. Only
 * in the test flavours (CHECK); elsewhere they compile to nothing. A broken law traps, and brokenLaw is its number
 * (base/abinumbers.ts has them all, and validate checks them for the whole heap).
 *
 * Called by the owner of the span: its P, or a thread that holds it. Cost: O(groups).
 */

import { isCollected } from "../base/gcstate";
import {
  BAD_SPAN,
  BIT_OUTSIDE,
  BIT_TWICE,
  BAD_GROUP,
  BAD_PARTIAL_MASK,
  BAD_PLACE,
  NOT_EMPTY,
} from "../base/abinumbers";
import { CHECK } from "../base/config";
import { FLAG_EMPTY, FLAG_LISTED, FULL, MSpan, SPAN_IN_USE } from "../base/layout";
import { groupOf, isEmpty, isFull, validBits } from "./mspan";

/** The number of the law that was found broken; 0: none. */
export let brokenLaw: u32 = 0;

function demand(yes: bool, law: u32): void {
  if (yes) return;
  brokenLaw = law;
  unreachable();
}

/**
 * Check group `i` of a span: its words give each slot exactly one state, and partialMask says whether any slot is free.
 */
export function checkGroup(span: MSpan, i: u32): void {
  if (!CHECK) return;
  const g = groupOf(span, i);
  const valid = validBits(span, i);
  if (isFull(span, i)) {
    demand(g.allocCache == 0 && g.freed == FULL, BAD_GROUP);
    return;
  }
  demand(((g.allocCache | ~g.freed) & ~valid) == 0, BIT_OUTSIDE);
  demand((g.allocCache & g.freed) == 0, BIT_TWICE);
  const partial = (((<u32>span.partialMask) >> i) & 1) != 0;
  demand(!partial || !isCollected(span.row) || (g.allocCache | (g.freed & valid)) != 0, BAD_PARTIAL_MASK);
}

/** Check a small span and all of its groups: the list that it is in fits its slots. */
export function checkSpan(span: MSpan): void {
  if (!CHECK) return;
  const flags = span.flags & (FLAG_LISTED | FLAG_EMPTY);
  demand(<u32>span.ngroups == (<u32>span.nelems + 63) >> 6, BAD_SPAN);
  demand(span.state == SPAN_IN_USE, BAD_SPAN);
  demand(flags != (FLAG_LISTED | FLAG_EMPTY) && (flags != FLAG_LISTED || span.partialMask != 0), BAD_PLACE);
  demand(flags != FLAG_EMPTY || isEmpty(span), NOT_EMPTY);
  for (let i: u32 = 0; i < span.ngroups; i++) checkGroup(span, i);
}
