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
 * Everything else, misuse included, is freeChecked (alloc/freeslow.ts).
 *
 * In a shared heap this holds for blocks of spans that the thread's P owns; the others go to central/remote.ts.
 *
 * Owner: the P; a remote free needs no lock. A large block needs H. Cost: O(1); O(groups) when a span becomes empty.
 */

import { MISUSE_INTERIOR, MISUSE_NONE, MISUSE_SIZE } from "../base/abinumbers";
import { HOST, PAGE_SHIFT, SAMPLES, SHARED } from "../base/config";
import { GROUP_SHIFT, Group, HEAP_P, MSPAN_SIZE, PageRecord, P_RECORD_SIZE } from "../base/layout";
import { heap, local, rowAt } from "../base/state";
import { mayFreeOrReport } from "./pins";
import { pageRecord, spanOf } from "../heap/arena";
import { blockSize, groupAt, liveBits, remoteBits, spanAt } from "../central/mspan";
import { misuse } from "./misuse";
import { NOT_SAMPLED, freeSampled, sampledBase, sampledSize } from "./sampled";
import { arenaAt, recordAt, checkPointer, checkedSpan, freeBlock, freeLargeFast } from "./freeslow";

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
  if (!mayFreeOrReport(ptr)) return;
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

/** Usable bytes of the live block at `p`; 0 if there is none (null, freed, foreign, interior). */
export function usableSize(p: u32): u32 {
  // Never true, see mallocSlow.
  if (p == 1) return usableSize(p - 1);
  if (SAMPLES && heap != 0) {
    const n = sampledSize(p);
    if (n) return n;
  }
  return checkPointer(p) == MISUSE_NONE ? blockSize(checkedSpan) : 0;
}

/** findObject: start of the live block that contains `p`, its tail included; 0 if there is none. */
export function findObject(p: u32): u32 {
  const found = innerObject(p);
  return SAMPLES && found != 0 ? sampledBase(p, found) : found;
}

/** findObject, which takes the inner block of a sampled block for the block. */
@inline
function innerObject(p: u32): u32 {
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
@inline
export function freeChecked(p: u32): i32 {
  const kind = freeBlock(p);
  if (!SAMPLES || kind != MISUSE_INTERIOR) return kind;
  const sampled = freeSampled(p);
  return sampled == NOT_SAMPLED ? kind : sampled;
}
