/**
 * free, the mirror of malloc: address -> page record -> group -> one bit.
 *
 *   1. The arena map and the page record give the span's base, its reciprocal and its groups.
 *   2. offset * reciprocal: the high half is the slot. The low half is below the reciprocal only at a slot's start.
 *   3. The slot's bit must be live; then it is set in `freed`.
 *   4. A group that was full returns to its span, and the span to its mcentral. A span without a live slot goes to the
 *      empty spans of its mcentral or back to the heap.
 *
 * The inlined half does 1 to 3 for a group that is not full and does not become empty, or that the mcache holds.
 * Everything else, misuse included, is freeChecked. It starts again from the address, so the fast half is a pure subset
 * of it.
 *
 * In a shared heap this holds for blocks of spans that the thread's P owns; the others go to central/remote.ts.
 *
 * Owner: the P; a remote free needs no lock. A large block needs H. Cost: O(1); O(groups) when a span becomes empty.
 */

import {
  MISUSE_DOUBLE_FREE,
  MISUSE_FOREIGN,
  MISUSE_INTERIOR,
  MISUSE_NONE,
  MISUSE_SIZE,
  MISUSE_TINY,
} from "../base/abinumbers";
import { checkGroup } from "../central/laws";
import { isCollectedSpan } from "../base/gcstate";
import { ARENA_PAGES, ARENA_SHIFT, HOST, NUM_ARENAS, PAGE_SHIFT, SHARED } from "../base/config";
import {
  GROUP_SHIFT,
  Group,
  HEAP_ARENA_MAP,
  HEAP_P,
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
import { refusePinned } from "./pins";
import { pageRecord, spanOf } from "../heap/arena";
import { addressOf, blockSize, groupAt, liveBits, remoteBits, spanAt, freeSlots } from "../central/mspan";
import { misuse } from "./misuse";

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
function arenaAt(h: u32, p: u32): u32 {
  return load<u32>(h + ((p >> ARENA_MAP_SHIFT) & ARENA_MAP_MASK), HEAP_ARENA_MAP);
}

/** Page record of `p` in its arena. */
@inline
function recordAt(arena: u32, p: u32): PageRecord {
  return changetype<PageRecord>(<usize>(arena + ((p >> RECORD_SHIFT) & RECORD_MASK)));
}

/** What freeBy does outside the common case. */
@inline export const REPORT: i32 = 0; // frees it, or reports the misuse
@inline export const TELL: i32 = 1; // frees it, or returns what is wrong

/**
 * Whether the thread's P owns the page; always true with one thread. If other threads have freed slots of this P's
 * spans, those are drained first: the note flags that they set are larger than any offset in a P's record, so one
 * comparison tests both.
 */
@inline
function isOwn(r: PageRecord): bool {
  return SHARED ? ((r.row - local) | load<u32>(local, HEAP_P)) < P_RECORD_SIZE : true;
}

/** Whether the span of the page is unowned or belongs to another P. */
@inline
function isOthers(r: PageRecord): bool {
  return SHARED && r.row - local >= P_RECORD_SIZE;
}

/** Offset, from group 0, of the group of the slot that is the product's high half. */
@inline
function groupOffset(product: u64): u32 {
  return (<u32>(product >> (32 + 6 - GROUP_SHIFT))) & ~((1 << GROUP_SHIFT) - 1);
}

/**
 * free of a block of at least `size` bytes; a literal 0 for `size` compiles to nothing. The nested code here is the
 * common case, small enough to be inlined. With TELL: MISUSE_NONE or what is wrong.
 */
@inline
export function freeBy(p: u32, size: u32, otherwise: i32): i32 {
  const h = heap;
  // Before init there is no arena map. Below the heap, and at null, the records are all zero or the arena is missing.
  if (h != 0) {
    const arena = arenaAt(h, p);
    if (arena != 0) {
      const r = recordAt(arena, p);
      const magic = r.divMagic;
      const product = <u64>(p - r.base) * <u64>magic;
      if (<u32>product < magic && isOwn(r) && (size == 0 || size <= rowAt(r.row).elemsize)) {
        const g = changetype<Group>(<usize>(r.groups + groupOffset(product)));
        const freed = g.freed;
        const live = ~(g.allocCache | freed);
        const bit: u64 = (<u64>1) << (product >> 32);
        // The store is duplicated on purpose: V8 materialises `a || b` as a value and tests it again.
        if ((live & bit) != 0) {
          if (live != bit) {
            g.freed = freed | bit;
            return MISUSE_NONE;
          }
          if (rowAt(r.row).group == <u32>changetype<usize>(g)) {
            g.freed = freed | bit;
            return MISUSE_NONE;
          }
        }
      }
    }
  }
  if (otherwise == TELL) return freeChecked(p);
  if (size != 0) freeSizedSlow(p, size);
  else freeSlow(p);
  return MISUSE_NONE;
}

/**
 * Bytes of the live slot that starts at `p`, according to its group's words. 0 if there is none, for slots of a full
 * group that no mcache holds, and in a shared heap for spans of other Ps. Inlined.
 */
@inline
export function liveSlotSize(p: u32): u32 {
  const h = heap;
  if (h == 0) return 0;
  const arena = arenaAt(h, p);
  if (arena == 0) return 0;
  const r = recordAt(arena, p);
  const magic = r.divMagic;
  const product = <u64>(p - r.base) * <u64>magic;
  if (<u32>product >= magic || !isOwn(r)) return 0;
  const g = changetype<Group>(<usize>(r.groups + groupOffset(product)));
  return (~(g.allocCache | g.freed) >> (product >> 32)) & 1 ? rowAt(r.row).elemsize : 0;
}

/**
 * Bytes of the slot that starts at `p`; 0 if no slot of a span starts there, which includes large blocks. Small enough
 * to be inlined, and it reads only as far as the page record: C programs ask right after malloc, when the group has
 * just been written. The host flavours also read the group, and return 0 for a free slot.
 */
@inline
export function smallBlockSize(p: u32): u32 {
  const h = heap;
  if (h == 0) return 0;
  const arena = arenaAt(h, p);
  if (arena == 0) return 0;
  const r = recordAt(arena, p);
  const magic = r.divMagic;
  const product = <u64>(p - r.base) * <u64>magic;
  if (<u32>product >= magic) return 0;
  if (HOST) {
    const slot = <u32>(product >> 32);
    const g = groupAt(r.groups + ((slot >> 6) << GROUP_SHIFT));
    const remote = remoteBits(spanAt(r.groups - MSPAN_SIZE), slot >> 6);
    if (((~(g.allocCache | g.freed | remote) >> slot) & 1) == 0) return 0;
  }
  return rowAt(r.row).elemsize;
}

/** free as in C: null is ignored, misuse is reported. */
export function free(ptr: u32): void {
  if (refusePinned(ptr)) return;
  freeBy(ptr, 0, REPORT);
}

/** free_sized outside the common case. freeSlow reports what is not a live block. */
export function freeSizedSlow(p: u32, size: u32): void {
  const n = usableSize(p);
  if (n != 0 && size > n) misuse(MISUSE_SIZE, p);
  else freeSlow(p);
  // Never true, see mallocSlow.
  if (n == 1) freeSizedSlow(n, n);
}

/** free outside the common case. */
export function freeSlow(p: u32): void {
  if (p == 0) return;
  if (!SHARED && freeLargeFast(p)) return;
  const kind = freeChecked(p);
  if (kind == MISUSE_NONE) return;
  misuse(kind, p);
  // Never true. A function that calls itself is not inlined into its only caller; see mallocSlow.
  if (kind == -1) freeSlow(kind);
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

/** Usable bytes of the live block at `p`; 0 if there is none (null, freed, foreign, interior). */
export function usableSize(p: u32): u32 {
  // Never true, see mallocSlow.
  if (p == 1) return usableSize(p - 1);
  return checkPointer(p) == MISUSE_NONE ? blockSize(checkedSpan) : 0;
}

/** findObject: start of the live block that contains `p`, its tail included; 0 if there is none. */
export function findObject(p: u32): u32 {
  const span = spanOf(p);
  if (span == null) return 0;
  if (span.ngroups == 0) return span.startAddr;
  const row = rowAt(pageRecord(p >> PAGE_SHIFT).row);
  const slot = (p - span.startAddr) / row.elemsize;
  if (slot >= <u32>span.nelems) return 0;
  const live = liveBits(span, slot >> 6) & ~remoteBits(span, slot >> 6);
  return live & ((<u64>1) << slot) ? span.startAddr + slot * row.elemsize : 0;
}

/** free in full: MISUSE_NONE if the block was freed. Otherwise what is wrong, and nothing has changed. */
export function freeChecked(p: u32): i32 {
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
function freeLargeFast(p: u32): bool {
  if (heap == 0) return false;
  const arena = arenaOf(p >> ARENA_SHIFT);
  if (arena == 0) return false;
  const r = recordAt(arena, p);
  const span = spanAt(r.groups - MSPAN_SIZE);
  if (r.groups == 0 || r.base != p || span.ngroups != 0 || isCollectedSpan(span)) return false;
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
