/**
 * Specials: records of what hangs on single objects of the collector. central/specials.ts keeps them.
 *
 *   0 next u32   the next special of the span, by address; of the queue; of the free ones
 *   4 at u32     the address that it hangs on, in an object
 *   8 value u32  cleanup, finalizer: its number; weak: the address of the indirection
 *  12 tag u32    kind and state, and from TOKEN_SHIFT on the token of the thread that made it; 0: free
 *
 * The specials of a span are a list, sorted by address. Its head is the word behind the meta word in the front of the
 * span's record, which says at a glance that a span has none. Specials name each other by number, because the table
 * moves when it grows.
 *
 * Lock: G. Constants and views only: no cost.
 */

import { MSpan, frontSize } from "./layout";

@unmanaged @final
export class Special {
  next: u32;
  at: u32;
  value: u32;
  tag: u32;
}
@inline export const SPECIAL_SHIFT: u32 = 4;

/** Bits of the tag: the kind, as the ABI numbers them, and the state. */
@inline export const KIND_MASK: u32 = 15;
@inline export const STATE_MASK: u32 = 0xf0;
/** The object is dead: it waits in the queue for its thread. */
@inline export const QUEUED: u32 = 16;
/** Its thread has taken it from the queue. */
@inline export const TAKEN: u32 = 32;
@inline export const TOKEN_SHIFT: u32 = 8;

/** Address of the head of a span's list of specials. */
@inline
export function specialsWord(span: MSpan): u32 {
  return <u32>changetype<usize>(span) - frontSize(span.ngroups) + 4;
}
