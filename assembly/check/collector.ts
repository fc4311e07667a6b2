/**
 * validate's part for the collector: its state, its lists of large spans, its buffers and tables of roots, its types,
 * and the order of the pacer's values. Plain statistics are not checked. Runs after all spans have been checked.
 *
 * In a shared heap the number of buffers is only a statistic: a thread may die before it has counted one.
 *
 * Reads only. Lock: H, and G in a shared heap. Cost: O(tables).
 */

import { isDeferred } from "../central/deferred";
import {
  BAD_GC_LARGE,
  BAD_GC_STATE,
  BAD_GC_WORK,
  BAD_HANDLES,
  BAD_PACER,
  BAD_PINS,
  BAD_ROOTS,
  BAD_SPECIALS,
  BAD_TYPE,
  SPECIAL_WEAK,
} from "../base/abinumbers";
import { NUM_ROWS, PAGE_SHIFT, PAGE_SIZE, SHARED } from "../base/config";
import { FLAG_FULL, LOCK_MARK, MSPAN_SIZE, MSpan } from "../base/layout";
import {
  FIRST_PINS,
  HEAP_PACER,
  PHASE_MARK,
  PHASE_OFF,
  PHASE_TERMINATION,
  gcState,
  isCollectedSpan,
  sharedGc,
  pacer,
} from "../base/gcstate";
import { lockOwner } from "../base/locks";
import { KIND_MASK, QUEUED, SPECIAL_SHIFT, STATE_MASK, TAKEN, specialsWord } from "../base/specials";
import { heap, mheap, slotSize } from "../base/state";
import { isUnswept } from "../central/lists";
import { hasSpecials, isAttached, specialAt } from "../central/specials";
import { isOrdered } from "../base/pacer";
import { findSlot } from "../alloc/pins";
import { isLive } from "../gc/markbits";
import { RANGE_SIZE, rangeAt } from "../gc/roots";
import { TYPE_SIZE, isType, typeAt, typeBytes } from "../gc/typebits";
import { HEADER } from "../gc/work";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { spanAt } from "../central/mspan";
import { bad } from "./invariants";
import { areRecordPages, isSpan, lies } from "./records";

/** Whether a table of the collector may lie at [at, at + size). */
function isTable(at: u32, size: u32, align: u32): bool {
  return lies(at, size, align) && areRecordPages(at, at + size);
}

function checkState(large: i32): u32 {
  const g = gcState();
  const at = <u32>changetype<usize>(g);
  if (g.phase > PHASE_TERMINATION || g.sweepRow > NUM_ROWS || g.forced > g.cycles) return bad(BAD_GC_STATE, at);
  if ((g.enabled | g.overflow | g.sweeping | g.checkmark | g.ready) > 1) return bad(BAD_GC_STATE, at);
  if (g.ready == 0 && (g.cycles | g.types | g.handles | g.pins) != 0) return bad(BAD_GC_STATE, at);
  if (SHARED) return checkSharedState();
  // Each finished cycle has raised the generation by two.
  const ended = g.cycles - (g.phase == PHASE_OFF ? 0 : 1);
  return mheap().sweepgen == ended << 1 ? checkLarge(large) : bad(BAD_GC_STATE, mheap().sweepgen);
}

/**
 * Whether a cycle of a shared heap is being begun or ended. Only the holder of M does that, with the world stopped. If
 * it dies, it keeps M until its recovery.
 */
function isChanging(): bool {
  return SHARED && (gcState().phase == PHASE_TERMINATION || sharedGc().starting != 0);
}

/**
 * Further checks for several threads. A cycle that a dead thread was beginning or ending is not checked: its recovery
 * repairs it.
 */
function checkSharedState(): u32 {
  const g = gcState();
  const s = sharedGc();
  const at = <u32>changetype<usize>(s);
  if ((g.large | g.largeUnswept) != 0) return bad(BAD_GC_STATE, <u32>changetype<usize>(g));
  if (s.starting > 1 || (isChanging() && lockOwner(LOCK_MARK) == 0)) return bad(BAD_GC_STATE, at);
  if (g.phase == PHASE_MARK && s.markGen != mheap().sweepgen) return bad(BAD_GC_STATE, at);
  if (g.sweeping == 0) return 0;
  // Spans behind the sweep's cursor are swept, except those that wait for H.
  for (let page = nextSpanPage(1); page != 0 && page < s.cursor; page = nextSpanPage(page + 1)) {
    const span = spanAt(pageRecord(page).groups - MSPAN_SIZE);
    if (isCollectedSpan(span) && isUnswept(span) && !isDeferred(span)) return bad(BAD_GC_STATE, at);
  }
  return 0;
}

/** Number of spans in a list of large ones; -1: it is broken. More than `most` means a circle. */
function countLarge(head: u32, unswept: bool, most: i32): i32 {
  let n = 0;
  let prev: u32 = 0;
  for (let at = head; at != 0; at = spanAt(at).next) {
    if (++n > most || !isSpan(at)) return -1;
    const span: MSpan = spanAt(at);
    if (span.ngroups != 0 || (span.flags & FLAG_FULL) == 0 || span.prev != prev || isUnswept(span) != unswept)
      return -1;
    prev = at;
  }
  return n;
}

/** Check that each of the `n` collected large spans is in one of the two lists. */
function checkLarge(n: i32): u32 {
  const g = gcState();
  const swept = countLarge(g.large, false, n);
  if (swept < 0) return bad(BAD_GC_LARGE, g.large);
  const unswept = countLarge(g.largeUnswept, true, n);
  return unswept < 0 || swept + unswept != n ? bad(BAD_GC_LARGE, g.largeUnswept) : 0;
}

/** Number of pages of the stack of addresses that ends at `top`; -1: it is broken. More than `most` means a circle. */
function countBuffers(top: u32, most: i32): i32 {
  if (top == 0) return 0;
  // At a page's end `top` is the start of the next page.
  let page = (top - 4) & ~(PAGE_SIZE - 1);
  if ((top & 3) != 0 || page == 0 || top - page < HEADER) return -1;
  let n = 0;
  for (; page != 0; page = load<u32>(page)) if (++n > most || !isTable(page, PAGE_SIZE, PAGE_SIZE)) return -1;
  return n;
}

function checkWork(): u32 {
  const g = gcState();
  const most = <i32>mheap().metaPages;
  let n = countBuffers(g.top, most);
  if (n < 0) return bad(BAD_GC_WORK, g.top);
  if (g.spare) {
    n++;
    if (!isTable(g.spare, PAGE_SIZE, PAGE_SIZE)) return bad(BAD_GC_WORK, g.spare);
  }
  if (SHARED) return countBuffers(sharedGc().inbox, most) < 0 ? bad(BAD_GC_WORK, sharedGc().inbox) : 0;
  return n == g.buffers ? 0 : bad(BAD_GC_WORK, g.buffers);
}

function checkPins(): u32 {
  const g = gcState();
  const table = g.pins;
  if (table == 0) return (g.pinMask | g.pinCount | g.pinUsed) == 0 ? 0 : bad(BAD_PINS, 0);
  const slots = g.pinMask + 1;
  if (slots < FIRST_PINS || slots > 1 << 29 || (slots & g.pinMask) != 0) return bad(BAD_PINS, table);
  if (!isTable(table, slots << 3, 8)) return bad(BAD_PINS, table);
  let used: u32 = 0;
  let pinned: u32 = 0;
  for (let i: u32 = 0; i < slots; i++) {
    const at = table + (i << 3);
    if (load<u32>(at)) used++;
    if (load<u32>(at, 4)) pinned++;
    if (load<u32>(at) == 0 && load<u32>(at, 4) != 0) return bad(BAD_PINS, at);
  }
  // Without a free slot a search would never end.
  if (used != g.pinUsed || pinned != g.pinCount || used >= slots) return bad(BAD_PINS, table);
  for (let i: u32 = 0; i < slots; i++) {
    const at = table + (i << 3);
    const p = load<u32>(at);
    if (p != 0 && findSlot(table, g.pinMask, p) != at) return bad(BAD_PINS, at);
  }
  return 0;
}

function checkHandles(): u32 {
  const g = gcState();
  const table = g.handles;
  const slots = g.handleSlots;
  if (table == 0) return (slots | g.handleFree | g.handleCount) == 0 ? 0 : bad(BAD_HANDLES, 0);
  if (slots == 0 || slots > 1 << 30 || ((slots << 2) & (PAGE_SIZE - 1)) != 0) return bad(BAD_HANDLES, slots);
  if (!isTable(table, slots << 2, PAGE_SIZE) || load<u32>(table) != 1) return bad(BAD_HANDLES, table);
  let used: u32 = 0;
  for (let i: u32 = 1; i < slots; i++) used += 1 - (load<u32>(table + (i << 2)) & 1);
  if (used != g.handleCount) return bad(BAD_HANDLES, table);
  // All free handles are in one chain.
  let free: u32 = 0;
  for (let i = g.handleFree; i != 0;) {
    const next = i < slots ? load<u32>(table + (i << 2)) : 0;
    if ((next & 1) == 0 || ++free > slots) return bad(BAD_HANDLES, i);
    i = next >> 1;
  }
  return free + used == slots - 1 ? 0 : bad(BAD_HANDLES, g.handleFree);
}

/** Number of specials in the list of a span, whose objects they have to hang on, by address; -1: it is broken. */
function countSpecials(span: MSpan, most: i32): i32 {
  const slots = gcState().specialSlots;
  let n = 0;
  let last: u32 = span.startAddr;
  for (let i = load<u32>(specialsWord(span)); i != 0; i = specialAt(i).next) {
    if (i >= slots || ++n > most) return -1;
    const s = specialAt(i);
    if (!isAttached(s) || s.at < last || s.at - span.startAddr >= span.npages << PAGE_SHIFT) return -1;
    last = s.at;
    if (span.ngroups == 0) continue;
    const slot = (s.at - span.startAddr) / slotSize(span.row);
    if (!isLive(span, slot)) return -1;
  }
  return n;
}

function checkSpecials(): u32 {
  const g = gcState();
  const slots = g.specialSlots;
  if (g.specials == 0) {
    return (slots | g.specialFree | g.specialCount | g.finqHead | g.finqTail) == 0 ? 0 : bad(BAD_SPECIALS, 0);
  }
  const bytes = slots << SPECIAL_SHIFT;
  if (slots == 0 || slots > 1 << 28 || (bytes & (PAGE_SIZE - 1)) != 0) return bad(BAD_SPECIALS, slots);
  if (!isTable(g.specials, bytes, PAGE_SIZE)) return bad(BAD_SPECIALS, g.specials);
  let used: u32 = 0;
  let attached: u32 = 0;
  let queued: u32 = 0;
  for (let i: u32 = 1; i < slots; i++) {
    const s = specialAt(i);
    if (s.tag == 0) continue;
    used++;
    const kind = s.tag & KIND_MASK;
    const state = s.tag & STATE_MASK;
    if (kind == 0 || kind > SPECIAL_WEAK) return bad(BAD_SPECIALS, <u32>changetype<usize>(s));
    if (state == QUEUED) queued++;
    else if (state == 0) attached++;
    else if (state != TAKEN) return bad(BAD_SPECIALS, <u32>changetype<usize>(s));
  }
  if (used != g.specialCount) return bad(BAD_SPECIALS, used);
  let last: u32 = 0;
  for (let i = g.finqHead; i != 0; i = specialAt(i).next) {
    if (i >= slots || queued-- == 0 || (specialAt(i).tag & QUEUED) == 0) return bad(BAD_SPECIALS, i);
    last = i;
  }
  if (queued != 0 || last != g.finqTail) return bad(BAD_SPECIALS, g.finqHead);
  let free: u32 = 0;
  for (let i = g.specialFree; i != 0; i = specialAt(i).next) {
    if (i >= slots || ++free > slots || specialAt(i).tag != 0) return bad(BAD_SPECIALS, i);
  }
  if (free + used != slots - 1) return bad(BAD_SPECIALS, free);
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const span = spanAt(pageRecord(page).groups - MSPAN_SIZE);
    const n = isCollectedSpan(span) ? countSpecials(span, attached) : -(<i32>hasSpecials(span));
    if (n < 0 || <u32>n > attached) return bad(BAD_SPECIALS, <u32>changetype<usize>(span));
    attached -= n;
  }
  return attached == 0 ? 0 : bad(BAD_SPECIALS, attached);
}

/** Check that the list of ranges has no circle: `slow` moves at half speed and would be met in one. */
function checkRanges(): u32 {
  let slow = gcState().ranges;
  let n: u32 = 0;
  for (let at = gcState().ranges; at != 0; at = rangeAt(at).next) {
    if (!isTable(at, RANGE_SIZE, 16)) return bad(BAD_ROOTS, at);
    const r = rangeAt(at);
    // A record without an end is free; its start means nothing.
    if (r.end == 0 ? r.pointer != 0 : r.start > r.end || ((r.start | r.end) & 3) != 0) return bad(BAD_ROOTS, at);
    if (n != 0 && at == slow) return bad(BAD_ROOTS, at);
    if (n & 1) slow = rangeAt(slow).next;
    n++;
  }
  return 0;
}

/** Check the list of types, and that each type is one that newType can make. */
function checkTypes(): u32 {
  const g = gcState();
  let n: u32 = 0;
  for (let at = g.lastType; at != 0; at = typeAt(at).previous) {
    if (++n > g.types || !isTable(at, TYPE_SIZE, 16) || !isType(at)) return bad(BAD_TYPE, at);
    const words = typeAt(at).ptrBytes >> 2;
    const end = at + typeBytes(typeAt(at).ptrBytes);
    if (!isTable(at, end - at, 16)) return bad(BAD_TYPE, at);
    // No bit is set beyond the pointers.
    if ((words & 31) != 0 && load<u32>(end - 4) >> (words & 31) != 0) return bad(BAD_TYPE, at);
  }
  return n == g.types ? 0 : bad(BAD_TYPE, g.types);
}

/**
 * Check the order of the pacer's values. A cycle of a shared heap that a dead thread was beginning or ending is not
 * checked: its recovery repairs it.
 */
function checkPacer(): u32 {
  const g = gcState();
  const right = g.ready == 0 || isChanging() || isOrdered(pacer(), g.phase == PHASE_MARK);
  return right ? 0 : bad(BAD_PACER, heap + HEAP_PACER);
}

/** Check the collector's records, in a heap with `large` collected large spans. */
export function checkCollector(large: i32): u32 {
  let code = checkState(large);
  if (code == 0) code = checkWork();
  if (code == 0) code = checkPins();
  if (code == 0) code = checkHandles();
  if (code == 0) code = checkSpecials();
  if (code == 0) code = checkRanges();
  if (code == 0) code = checkTypes();
  if (code == 0) code = checkPacer();
  return code;
}
