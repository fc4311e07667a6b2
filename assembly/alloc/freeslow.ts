/**
 * free below its fast half: what a pointer is, and the free of a block that the fast half does not know, without a look
 * at samples (alloc/sampled.ts).
 *
 * It starts again from the address, so the fast half is a pure subset of it. In a shared heap blocks of spans that the
 * thread's P does not own go to central/remote.ts. Misuse is told, and then nothing has changed.
 *
 * Owner: the P; a remote free needs no lock. A large block needs H. Cost: O(1); O(groups) when a span becomes empty.
 */

import { MISUSE_DOUBLE_FREE, MISUSE_FOREIGN, MISUSE_INTERIOR, MISUSE_NONE, MISUSE_TINY } from "../base/abinumbers";
import { checkGroup } from "../central/laws";
import { isCollectedSpan } from "../base/gcstate";
import { ARENA_PAGES, ARENA_SHIFT, NUM_ARENAS, PAGE_SHIFT, SAMPLES, SHARED } from "../base/config";
import {
  FLAG_SAMPLED,
  GROUP_SHIFT,
  HEAP_ARENA_MAP,
  HEAP_ZEROBASE,
  MSPAN_SIZE,
  MSpan,
  PAGE_RECORD_SHIFT,
  PageRecord,
  P_RECORD_SIZE,
} from "../base/layout";
import { STAT_LARGE_FREES, count, countAnywhere } from "../base/counters";
import { enterSure, leaveGate } from "../base/gates";
import { lockSoon, unlock } from "../base/locks";
import { arenaOf, heap, local, rowAt } from "../base/state";
import { isCommonRowAt } from "../base/gcrows";
import { freeCollected } from "../central/collected";
import { freeRemote, hasRemote, takeRemote } from "../central/remote";
import { sweepBefore } from "../central/sweep";
import { unlinkLarge } from "../central/lists";
import { release } from "../central/release";
import { freeLargeCached, freeSpan } from "../central/spans";
import { defer, freeDeferred, isDeferred } from "../central/deferred";
import { spanOf } from "../heap/arena";
import { addressOf, groupAt, liveBits, remoteBits, spanAt, freeSlots } from "../central/mspan";

/**
 * Shift and mask from an address to its offset in the arena map (arena * 4), and to its record in the arena (page *
 * 16).
 */
@inline const ARENA_MAP_SHIFT: u32 = ARENA_SHIFT - 2;
@inline const ARENA_MAP_MASK: u32 = (NUM_ARENAS - 1) << 2;
@inline const RECORD_SHIFT: u32 = PAGE_SHIFT - PAGE_RECORD_SHIFT;
@inline const RECORD_MASK: u32 = (ARENA_PAGES - 1) << PAGE_RECORD_SHIFT;

/** Address of the arena record that covers `p`, 0 when there is none; `h` is the heap. */
@inline
export function arenaAt(h: u32, p: u32): u32 {
  return load<u32>(h + ((p >> ARENA_MAP_SHIFT) & ARENA_MAP_MASK), HEAP_ARENA_MAP);
}

/** Page record of `p` in its arena. */
@inline
export function recordAt(arena: u32, p: u32): PageRecord {
  return changetype<PageRecord>(<usize>(arena + ((p >> RECORD_SHIFT) & RECORD_MASK)));
}

/** Whether the span of the page is unowned or belongs to another P. */
@inline
function isOthers(r: PageRecord): bool {
  return SHARED && r.row - local >= P_RECORD_SIZE;
}

/** The span that checkPointer last read: that of the block if it returned MISUSE_NONE. */
export let checkedSpan: MSpan = changetype<MSpan>(0);

/** Whether `p` is the start of a live block: MISUSE_NONE, or what is wrong with it. Writes only checkedSpan. */
export function checkPointer(p: u32): i32 {
  if (heap == 0) return MISUSE_FOREIGN;
  const arena = arenaOf(p >> ARENA_SHIFT);
  if (arena == 0) return MISUSE_FOREIGN;
  const r = recordAt(arena, p);
  const magic = r.divMagic;
  const product = <u64>(p - r.base) * <u64>magic;
  const slot = <u32>(product >> 32);
  const bit: u64 = (<u64>1) << slot;
  let span = spanAt(r.groups - MSPAN_SIZE);
  if (<u32>product < magic && slot < <u32>span.nelems) {
    checkedSpan = span;
    const g = groupAt(r.groups + ((slot >> 6) << GROUP_SHIFT));
    const remote = remoteBits(span, slot >> 6);
    if ((~(g.allocCache | g.freed | remote) & bit) != 0) return MISUSE_NONE;
    return liveBits(span, slot >> 6) & ~remote & bit ? MISUSE_NONE : MISUSE_DOUBLE_FREE;
  }
  const found = spanOf(p);
  if (found == null) return MISUSE_FOREIGN;
  span = found;
  checkedSpan = span;
  if (isDeferred(span)) return MISUSE_DOUBLE_FREE;
  if (span.ngroups == 0) return p == span.startAddr ? MISUSE_NONE : MISUSE_INTERIOR;
  if (magic == 0) return MISUSE_TINY;
  if (slot >= <u32>span.nelems) return MISUSE_FOREIGN;
  return liveBits(span, slot >> 6) & bit ? MISUSE_INTERIOR : MISUSE_DOUBLE_FREE;
}

/** free in full: MISUSE_NONE if the block was freed. Otherwise what is wrong, and nothing has changed. */
export function freeBlock(p: u32): i32 {
  if (heap == 0) return MISUSE_FOREIGN;
  if (hasRemote()) takeRemote();
  const arena = arenaOf(p >> ARENA_SHIFT);
  if (arena != 0) {
    const r = recordAt(arena, p);
    const magic = r.divMagic;
    const product = <u64>(p - r.base) * <u64>magic;
    const slot = <u32>(product >> 32);
    const span = spanAt(r.groups - MSPAN_SIZE);
    if (<u32>product < magic && slot < <u32>span.nelems) {
      if (isCommonRowAt(r.row)) return freeCollected(span, slot) ? MISUSE_NONE : MISUSE_DOUBLE_FREE;
      if (isOthers(r)) return freeRemote(span, slot) ? MISUSE_NONE : MISUSE_DOUBLE_FREE;
      if (!sweepBefore(span)) return MISUSE_DOUBLE_FREE;
      return freeSlot(r, span, slot);
    }
    if (magic == 0 && p == r.base && r.groups != 0 && span.ngroups == 0) return freeLarge(r, span, p);
  }
  if (p == heap + HEAP_ZEROBASE) return MISUSE_NONE;
  return checkPointer(p);
}

/** Free the large block of malloc's at `p` if its pages stay in the run cache. False: nothing has changed. */
export function freeLargeFast(p: u32): bool {
  if (heap == 0) return false;
  const arena = arenaOf(p >> ARENA_SHIFT);
  if (arena == 0) return false;
  const r = recordAt(arena, p);
  const span = spanAt(r.groups - MSPAN_SIZE);
  if (r.groups == 0 || r.base != p || span.ngroups != 0 || isCollectedSpan(span)) return false;
  if (SAMPLES && span.flags & FLAG_SAMPLED) return false;
  if (!freeLargeCached(span, p >> PAGE_SHIFT)) return false;
  count(STAT_LARGE_FREES);
  return true;
}

/** Free the large block at `p`, whose span is `span`. */
@inline
function freeLarge(r: PageRecord, span: MSpan, p: u32): i32 {
  if (SHARED) return freeLargeGated(r, span, p);
  if (isCollectedSpan(span)) unlinkLarge(span);
  freeSpan(span);
  count(STAT_LARGE_FREES);
  return MISUSE_NONE;
}

/** The same in a shared heap. A collected block is freed inside the gate. */
function freeLargeGated(r: PageRecord, span: MSpan, p: u32): i32 {
  if (local == 0 || !isCollectedSpan(span)) return freeLargeShared(r, p);
  enterSure();
  const kind = freeLargeShared(r, p);
  leaveGate();
  return kind;
}

/**
 * Free the large block at `p` of a shared heap. `r` was its page record a moment ago, but another thread may be freeing
 * it too. A free never waits: if H is not free soon, or this thread has no P to hold it with, the next holder of H
 * frees the span.
 */
function freeLargeShared(r: PageRecord, p: u32): i32 {
  const held = local != 0 && lockSoon(0);
  const span = spanAt(r.groups - MSPAN_SIZE);
  const found = r.groups != 0 && r.base == p && span.ngroups == 0 && !isDeferred(span);
  if (found) {
    if (held) freeSpan(span);
    else defer(span);
    countAnywhere(STAT_LARGE_FREES);
  }
  if (held) {
    freeDeferred();
    unlock(0);
  }
  return found ? MISUSE_NONE : MISUSE_DOUBLE_FREE;
}

/** Free a slot of a small span. The span exists, but the slot may not be live. */
function freeSlot(r: PageRecord, span: MSpan, slot: u32): i32 {
  const i = slot >> 6;
  const group = r.groups + (i << GROUP_SHIFT);
  const g = groupAt(group);
  const row = rowAt(r.row);
  const bit = (<u64>1) << slot;
  const cached = group == row.group;
  // Slots that other threads have freed are drained by this P.
  if ((remoteBits(span, i) & bit) != 0 || freeSlots(span, i, bit, cached) != 0) return MISUSE_DOUBLE_FREE;
  // A group of the cached span waits for the mcache in partialMask; any other span goes to the mcentral.
  checkGroup(span, i);
  if (!cached && row.span != addressOf(span)) release(span, ~(g.allocCache | g.freed) == 0);
  return MISUSE_NONE;
}
