/**
 * Roots that only AssemblyScript programs have, and which of them are scanned a second time when a cycle ends.
 *
 *   static objects   below __heap_base, in the compiler's own layout; the heap has no mark bits for them
 *   shadow stack     from __stack_pointer up to __heap_base
 *   sort buffers     where Array#sort keeps elements that are temporarily not in the array
 *
 * A static object's header has two words that nothing else uses. At -16: the number of the last pass that saw the
 * object. At -12: the next object in the list of all static objects ever seen.
 *
 * Three kinds of stores have no barrier. A host stores references into pinned objects and into static objects, and
 * Array#sort moves elements while its comparator allocates. Such an object may have been scanned before the store.
 * Therefore each look at the roots at the end of a cycle makes these objects white or queues them again:
 *
 *   - the pinned objects
 *   - the static objects, except arrays whose elements have moved to the heap
 *   - the arrays on the shadow stack: the short ones, which are sorted in place, and all of them while a sort has a
 *     buffer
 *
 * A sort buffer is recognised by what util/sort of the standard library does. It calls __alloc for two tables of runs
 * and fills the first with ones. Its next call of __alloc has one word for each element. The buffer is scanned
 * conservatively, because it may hold numbers.
 *
 * Owner: the one thread. Cost of a look: O(stack + pins + bytes of the objects named above); it does not grow with the
 * heap. A cycle has at most MAX_LOOKS looks, usually one.
 */

import { FLAG_FULL, MSpan } from "../base/layout";
import { PAGE_SHIFT } from "../base/config";
import { gcState, markWord } from "../base/gcstate";
import { rowAt, rowAddress } from "../base/state";
import { spanOf } from "../heap/arena";
import { shade } from "./mark";
import { pinAt, pinSlots } from "../alloc/pins";
import { pushWork } from "./work";
import { isLive } from "./markbits";
import { typeinfo, isPointerFree } from "./asctypes";
import { hasLittle, isLittleObject, visitLittle } from "./littleblocks";

/** Flags of __typeinfo. */
@inline const ARRAY: u32 = 1 << 1;
@inline const STATIC_ARRAY: u32 = 1 << 2;
@inline const VALUE_MANAGED: u32 = 1 << 14;
/** Offset of Array#dataStart and of Array#length_. */
@inline const DATA_START: u32 = 4;
@inline const LENGTH: u32 = 12;
/** Bytes of a static object's header. */
@inline const STATIC_HEADER: u32 = 20;

/**
 * The compiler writes this at -16 of the arrays that assemble template literals. They are not scanned, because between
 * two uses they hold dead references. Passes are counted from this number.
 */
@inline export const TRANSPARENT: u32 = 3;
/** End of the list of static objects; and the link of an object in no list. */
@inline const LAST: u32 = 1;
@inline const UNLISTED: u32 = 0;
let statics: u32 = LAST;

/** Longest array that Array#sort sorts without a buffer. */
@inline const SORT_IN_PLACE: u32 = 48;
/** Bytes behind a sort buffer, for its link. */
@inline const SORT_LINK: u32 = 8;
/** An unused entry in the tables of runs. */
@inline const NO_RUN: u32 = 0xffffffff;
/**
 * The buffer of the latest sort: its address, with its size in the upper half. It links to the buffer of the sort
 * before.
 */
let sorts: u64 = 0;
/** The block that __alloc returned last, 0 after it was freed, and its size. */
let lastBlock: u32 = 0;
let lastSize: u32 = 0;

@inline
function sizeOf(p: u32): u32 {
  return load<u32>(p - 4);
}

// Marking

/** Mark the object at `p`, which may be static, and queue it unless it was seen before. */
export function visit(p: u32): void {
  if (p >= <u32>__heap_base) shade(p);
  else visitStatic(p);
}

/** visit, in the kind of heap that the program has. */
function visitRoot(p: u32): void {
  if (hasLittle()) visitLittle(p);
  else visit(p);
}

/** A static object is queued before it counts as seen. If the queue has no room the next pass reaches it again. */
function visitStatic(p: u32): void {
  if (isPointerFree(load<u32>(p - 8))) return;
  const g = gcState();
  const seen = load<u32>(p - 16);
  if (seen == g.passes || seen == TRANSPARENT) return;
  if (load<u32>(p - 12) == UNLISTED) {
    store<u32>(p - 12, statics);
    statics = p;
  }
  const before = g.overflow;
  g.overflow = 0;
  pushWork(p);
  if (g.overflow == 0) store<u32>(p - 16, g.passes);
  g.overflow |= before;
}

/** Shade the shadow stack and the elements in sort buffers. */
export function shadeStack(): void {
  for (let at = <u32>__stack_pointer; at < <u32>__heap_base; at += 4) {
    const p = load<u32>(at);
    if (p) visitRoot(p);
  }
  for (let sort = sorts; sort != 0; sort = load<u64>(linkOf(sort))) {
    for (let at = <u32>sort; at < linkOf(sort); at += 4) {
      const p = load<u32>(at);
      if (isReference(p)) visitRoot(p);
    }
  }
}

/** Whether an arbitrary word is the address of an object. */
function isReference(p: u32): bool {
  if (p == 0 || (p & 7) != 0) return false;
  if (p < <u32>__heap_base) return isStatic(p);
  if (hasLittle()) return isLittleObject(p);
  const span = spanOf(p);
  if (span == null) return false;
  const offset = p - 8 - span.startAddr;
  if (span.ngroups == 0) return offset == 0 && (span.flags & FLAG_FULL) != 0;
  const size = slotSize(span);
  return offset % size == 0 && isLive(span, offset / size);
}

/** Whether the compiler laid out an object at `p`, judged by its header. */
function isStatic(p: u32): bool {
  if ((p & 15) != 0 || p < STATIC_HEADER || p > <u32>__data_end || load<u32>(p - 8) >= load<u32>(__rtti_base))
    return false;
  return load<u32>(p - STATIC_HEADER) == ((sizeOf(p) + STATIC_HEADER + 15) & ~15) - 4;
}

@inline
function slotSize(span: MSpan): u32 {
  return rowAt(rowAddress(span.row)).elemsize;
}

// Scanning again

/** Make the object at `p` white if it holds references; a static one becomes unseen. The caller visits it again. */
export function unmark(p: u32): void {
  if (p < <u32>__heap_base) {
    if (!isPointerFree(load<u32>(p - 8)) && load<u32>(p - 16) != TRANSPARENT) store<u32>(p - 16, 0);
    return;
  }
  const span = spanOf(p);
  if (span == null || (span.spanclass & 1) != 0) return;
  let w = markWord(span, 0);
  let bit: u64 = 1;
  let size = span.npages << PAGE_SHIFT;
  if (span.ngroups) {
    size = slotSize(span);
    const slot = (p - span.startAddr) / size;
    w = markWord(span, slot >> 6);
    bit <<= slot;
  }
  const bits = load<u64>(w);
  if ((bits & bit) == 0) return;
  store<u64>(w, bits & ~bit);
  gcState().bytesMarked -= size;
}

/** Bytes of the references in the array at `p`; 0 if it is not an array of references. */
function arrayBytes(p: u32): u32 {
  const info = typeinfo(load<u32>(p - 8));
  if ((info & VALUE_MANAGED) == 0) return 0;
  if (info & ARRAY) return load<u32>(p, LENGTH) << 2;
  return info & STATIC_ARRAY ? sizeOf(p) : 0;
}

/**
 * Start a look at the roots: prepare everything that may hold references which no barrier saw for another scan. Heap
 * objects become white until the roots are shaded; static objects are queued. Returns the bytes of these objects.
 */
export function unmarkRoots(): u64 {
  let bytes: u64 = 0;
  for (let i: u32 = 0; i < pinSlots(); i++) {
    const p = pinAt(i);
    if (p == 0) continue;
    unmark(p);
    bytes += sizeOf(p) + arrayBytes(p);
  }
  for (let at = <u32>__stack_pointer; at < <u32>__heap_base; at += 4) {
    const p = load<u32>(at);
    const n = p ? arrayBytes(p) : 0;
    if (n == 0 || (sorts == 0 && n > SORT_IN_PLACE << 2)) continue;
    unmark(p);
    bytes += n;
  }
  const pass = gcState().passes;
  for (let p = statics; p != LAST; p = load<u32>(p - 12)) {
    if (load<u32>(p - 16) != pass) continue;
    const isArray = (typeinfo(load<u32>(p - 8)) & ARRAY) != 0;
    if (isArray && load<u32>(p, DATA_START) >= <u32>__heap_base) continue;
    pushWork(p);
    bytes += sizeOf(p) + arrayBytes(p);
  }
  return bytes;
}

/**
 * The object at `p` lost its last pin during marking. Scan it again, because its owner may have stored into it without
 * a barrier.
 */
export function unpinned(p: u32): void {
  unmark(p);
  visit(p);
}

// Sorts

/** Extra bytes that __alloc must add to a block of `size` bytes: room for the link if it is a sort buffer, else 0. */
export function sortExtra(size: u32): u32 {
  if (size <= SORT_IN_PLACE << 2 || (size & 3) != 0 || lastBlock == 0) return 0;
  const runs: u32 = 33 - <u32>clz(size >> 2);
  if (lastSize != runs << 3) return 0;
  for (let i: u32 = 0; i < runs; i++) if (load<u32>(lastBlock + (i << 2)) != NO_RUN) return 0;
  return SORT_LINK;
}

/** __alloc allocated a block of `size` bytes plus the `extra` that sortExtra returned. */
export function noteAlloc(p: u32, size: u32, extra: u32): void {
  lastBlock = p;
  lastSize = size;
  if (extra == 0) return;
  memory.fill(p, 0, size);
  store<u64>(p + size, sorts);
  sorts = ((<u64>size) << 32) | p;
}

/** The block at `p` is about to be freed or to get another size. */
export function noteFree(p: u32): void {
  if (p == lastBlock) lastBlock = 0;
  if (<u32>sorts == p) sorts = load<u64>(linkOf(sorts));
  else if (sorts) unlinkSort(p);
}

/** Sorts end in reverse order, unless a comparator aborted. */
function unlinkSort(p: u32): void {
  for (let sort = sorts; sort != 0; sort = load<u64>(linkOf(sort))) {
    const next = load<u64>(linkOf(sort));
    if (<u32>next == p && p != 0) store<u64>(linkOf(sort), load<u64>(linkOf(next)));
  }
}

/** Where a sort buffer keeps the address and the size of the buffer before it. */
@inline
function linkOf(sort: u64): u32 {
  return <u32>sort + <u32>(sort >> 32);
}
