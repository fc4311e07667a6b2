/**
 * Remote free: a block freed by a thread whose P does not own its span.
 *
 *   free   sets the slot's bit in a record beside the group by one atomic OR; no lock, nothing else is written. The first
 *          bit of a group also pushes the record on the stack of the span's owner.
 *   owner  takes its whole stack by an exchange, at the next refill or free of its own, and each record's bits by another:
 *          the slots become freed ones of its own.
 *
 *   next   0: in no stack | an address, or STACK_END at the bottom | id << 1 | 1: P `id` is about to push it
 *
 * Law: a record with bits is in a stack, or a thread is between its OR and its push. The compare-and-swap of next from 0
 * lets one thread push at a time. The owner clears next before it takes the bits: one that comes in between is taken
 * along, one that comes after finds none and pushes again.
 *
 * A span may change hands while a free is under way: the record then lies in the stack of its former owner, who hands it
 * on (the stack of the heap's own record is nobody's). So an idle P can have some of others, until it is taken or flushed.
 *
 * A double free is seen at once if the slot is free, or its bit is set; the owner looks at its stack before it frees. If
 * the owner and another free a block in the same moment, it is seen when the bits are taken (lateDoubleFrees).
 *
 * Lock: none, but C for nobody's spans. Cost: one atomic operation, three for the first slot of a group.
 */

import { SHARED_GC } from "../base/config";
import { SharedGc, isCollected, sharedGc } from "../base/gcstate";
import { FLAG_LISTED, FULL, Group, HEAP_P, MSpan, PRecord, REMOTE_NEXT, REMOTE_SPAN } from "../base/layout";
import { lock, self, unlock } from "../base/locks";
import { centralOf, heap, local, pAt, recordOf, rowAt, rowAddress } from "../base/state";
import { freeSpan } from "../heap/mheap";
import {
  addressOf,
  groupOf,
  isEmptyUncached,
  remoteIndex,
  remoteOf,
  reopenFree,
  spanAt,
  validBits,
} from "../heap/mspan";
import { release, unlinkPartial } from "./mcentral";
import { adopt, listShared } from "./shared";

/** Bottom of a stack: no group has this address, nor is it odd. */
@inline export const STACK_END: u32 = 2;

/** Whether slot `bit` of the group, whose span is another's, is live as far as one can see from here. */
// @ts-ignore: decorator
@inline
function looksLive(g: Group, bit: u64): bool {
  const at = changetype<usize>(g);
  const freed = atomic.load<u64>(at, 8);
  return freed == FULL || ((atomic.load<u64>(at) | freed) & bit) == 0;
}

/** Free a slot of a span that another P owns, or nobody. False: it is free already. */
export function freeRemote(span: MSpan, slot: u32): bool {
  const i = slot >> 6;
  const bit: u64 = (<u64>1) << slot;
  if (!looksLive(groupOf(span, i), bit)) return false;
  const at = remoteOf(span, i);
  const p = pAt(local ? local : heap);
  // Noted, so that the push can be made up for if this thread dies before it.
  if (local) p.freeing = at;
  const before = atomic.or<u64>(at, bit);
  if (before == 0) announce(at);
  const freed = (before & bit) == 0;
  if (local) {
    p.freeing = 0;
    if (freed) p.remoteFrees += 1;
  }
  return freed;
}

/** Push a remote on its owner's stack, unless somebody does or has. */
export function announce(remote: u32): void {
  if (atomic.cmpxchg<u32>(remote, 0, (self << 1) | 1, REMOTE_NEXT) == 0) push(remote);
}

/** Address of the stack for groups of the span: its owner's, or the one of all collected spans (central/collected.ts). */
// @ts-ignore: decorator
@inline
function stackOf(span: MSpan): usize {
  if (SHARED_GC && isCollected(span.row)) return changetype<usize>(sharedGc()) + offsetof<SharedGc>("freed");
  return <usize>changetype<usize>(pAt(recordOf(span.owner)));
}

/** The push itself, by whose mark stands in next. */
export function push(remote: u32): void {
  const span = spanAt(load<u32>(remote, REMOTE_SPAN));
  const stack = stackOf(span);
  let top = atomic.load<u32>(stack);
  while (true) {
    atomic.store<u32>(remote, top ? top : STACK_END, REMOTE_NEXT);
    const seen = atomic.cmpxchg<u32>(stack, top, remote);
    if (seen == top) break;
    top = seen;
  }
  if (local) pAt(local).groupsPushed += 1;
}

/** Take the stack of the record at `record`: its top, or 0. */
// @ts-ignore: decorator
@inline
export function takeStack(record: u32): u32 {
  return atomic.xchg<u32>(changetype<usize>(pAt(record)), 0);
}

/**
 * Take `remote` off the stack that P `p`, this one, has taken: what was below it is its top. Between the two stores to next
 * nobody pushes `remote`, and a thread that dies there leaves all that recovery needs (takeAgain).
 */
export function takeNext(p: PRecord, remote: u32): void {
  const next = atomic.load<u32>(remote, REMOTE_NEXT);
  p.freeing = remote;
  p.below = next == STACK_END ? 0 : next;
  atomic.store<u32>(remote, (p.id << 1) | 1, REMOTE_NEXT);
  p.taking = p.below;
  atomic.store<u32>(remote, 0, REMOTE_NEXT);
}

/** Tell the owner of what dead P `p` has freed in a group, or was taking over. */
export function takeAgain(p: PRecord): void {
  const remote = p.freeing;
  const next = atomic.load<u32>(remote, REMOTE_NEXT);
  if (next == ((p.id << 1) | 1)) {
    if (p.taking == remote) p.taking = p.below;
    push(remote);
  } else if (next == 0 && atomic.load<u64>(remote) != 0) announce(remote);
  p.freeing = 0;
}

/** Slots `bits` come back to group `i`: bits of them that were free already are counted and dropped. */
export function giveBits(p: PRecord, span: MSpan, i: u32, bits: u64, cached: bool): void {
  const g = groupOf(span, i);
  const mask = <u32>span.partialMask;
  if (cached || (mask >> i) & 1) {
    const twice = bits & (g.allocCache | g.freed);
    if (twice) p.lateDoubleFrees += popcnt(twice);
    g.freed |= bits & ~twice;
  } else {
    g.freed = ~validBits(span, i) | bits;
    span.partialMask = <u16>(mask | (1 << i));
  }
  if (!cached) reopenFree(span, i);
}

/** Whether others have freed slots of this P. A look only. */
// @ts-ignore: decorator
@inline
export function hasRemote(): bool {
  return load<u32>(local, HEAP_P) != 0;
}

/** The owner takes over what others have freed. Groups of spans that are not its own any more are handed on. */
export function takeRemote(): void {
  const p = pAt(local);
  p.taking = takeStack(local);
  for (let remote = p.taking; remote != 0; remote = p.taking) {
    takeNext(p, remote);
    const span = spanAt(load<u32>(remote, REMOTE_SPAN));
    if (<u32>span.owner == p.id) {
      p.groupsTaken += 1;
      takeGroup(p, span, remote);
    } else {
      announce(remote);
    }
  }
  p.freeing = 0;
}

function takeGroup(p: PRecord, span: MSpan, remote: u32): void {
  const bits = atomic.xchg<u64>(remote, 0);
  if (bits == 0) return;
  const i = remoteIndex(span, remote);
  const g = groupOf(span, i);
  const row = rowAt(rowAddress(span.row));
  giveBits(p, span, i, bits, row.group == <u32>changetype<usize>(g));
  if (row.span != addressOf(span)) release(span, ~(g.allocCache | g.freed) == 0);
}

/** Take over what was freed in nobody's spans: they are listed in their mcentrals, or go back to the heap when empty. */
export function settleNobodys(): void {
  settle(heap);
}

/** Settle the stack of the record at `record`, whose spans are nobody's by now; groups of others are handed on. */
export function settle(record: u32): void {
  settleChain(takeStack(record));
}

/** The same for the groups of a stack that was taken. A remote that cannot be settled now ends the round. */
export function settleChain(chain: u32): void {
  const p = pAt(local);
  p.taking = chain;
  for (let remote = chain; remote != 0; remote = p.taking) {
    takeNext(p, remote);
    const span = spanAt(load<u32>(remote, REMOTE_SPAN));
    if (span.owner != 0 || !settleGroup(p, span, remote)) announce(remote);
  }
  p.freeing = 0;
}

/** False: it is somebody's, or its lock was not to be had. */
function settleGroup(p: PRecord, span: MSpan, remote: u32): bool {
  const row = <u32>span.row;
  // H comes first: an empty span goes back to the heap.
  if (!lock(0)) return false;
  if (!lock(row)) {
    unlock(0);
    return false;
  }
  const mine = span.owner == 0;
  let empty = false;
  if (mine) {
    const bits = atomic.xchg<u64>(remote, 0);
    if (bits) {
      giveBits(p, span, remoteIndex(span, remote), bits, false);
      empty = isEmptyUncached(span);
      if (!empty) listShared(span);
      else {
        adopt(span);
        if (span.flags & FLAG_LISTED) unlinkPartial(centralOf(heap, row), span);
      }
    }
  }
  unlock(row);
  if (empty) freeSpan(span);
  unlock(0);
  return mine;
}
