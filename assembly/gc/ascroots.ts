/**
 * Roots that only AssemblyScript programs have, and what of them is scanned a second time when a cycle ends.
 *
 *   static objects   below __heap_base in the compiler's own layout; the heap has no mark bits for them
 *   shadow stack     from __stack_pointer up to __heap_base
 *   sort buffers     where Array#sort keeps elements that its array has lost for a while
 *
 * A static object's header has two words that nothing else uses: at -16 the number of the last pass that has seen it, at
 * -12 the next one of the list of all that were ever seen.
 *
 * Three kinds of stores have no barrier: a host stores references into what it has pinned, and into static objects; and
 * Array#sort moves elements about while its comparator allocates. Such an object may have been scanned before the store.
 * So each look at the end of a cycle makes these objects white or queues them again: the pinned ones, the static ones
 * unless they are arrays whose elements have moved to the heap, and the arrays on the shadow stack. Of the latter the short
 * ones, which are sorted in place; all of them while a sort has a buffer.
 *
 * A sort buffer is known by what util/sort of the standard library does: __alloc of two tables of runs, of which the first
 * is then filled with ones, and right behind it __alloc of a word for each element. It is scanned conservatively, for it may
 * be one of numbers.
 *
 * Owner: the one thread. Cost of a look: O(stack + pins + bytes of the objects named above), nothing that grows with the
 * heap. There are at most MAX_LOOKS in a cycle, as a rule one.
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
 * What the compiler writes at -16 of the arrays that template literals are put together in: nobody is to look there, for
 * between two uses they hold what is dead. Passes are counted from there on.
 */
@inline export const TRANSPARENT: u32 = 3;
/** End of the list of static objects, and in no list. */
@inline const LAST: u32 = 1;
@inline const UNLISTED: u32 = 0;
let statics: u32 = LAST;

/** Longest array that Array#sort sorts without a buffer. */
@inline const SORT_IN_PLACE: u32 = 48;
/** Bytes behind a sort buffer, for its link. */
@inline const SORT_LINK: u32 = 8;
/** What an unused run is in the tables of runs. */
@inline const NO_RUN: u32 = 0xffffffff;
/** The buffer of the sort that began last: its address, and above it its size. It is linked to that of the sort before. */
let sorts: u64 = 0;
/** The block that __alloc gave out last, 0 when it was freed, and its size. */
let lastBlock: u32 = 0;
let lastSize: u32 = 0;

@inline
function sizeOf(p: u32): u32 {
  return load<u32>(p - 4);
}

// Marking

/** Mark the object at `p`, a static one too, and queue it if it has not been seen. */
export function visit(p: u32): void {
  if (p >= <u32>__heap_base) shade(p);
  else visitStatic(p);
}

/** visit in whichever heap the program has. */
function visitRoot(p: u32): void {
  if (hasLittle()) visitLittle(p);
  else visit(p);
}

/** A static object is queued before it counts as seen: what finds no room in the queue is reached by the next pass. */
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

/** Shade the shadow stack and what sorts keep in their buffers. */
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

/** Whether a word that may be anything is the address of an object. */
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

/** Whether the compiler has laid out an object at `p`, by its header. */
function isStatic(p: u32): bool {
  if ((p & 15) != 0 || p < STATIC_HEADER || p > <u32>__data_end || load<u32>(p - 8) >= load<u32>(__rtti_base))
    return false;
  return load<u32>(p - STATIC_HEADER) == ((sizeOf(p) + STATIC_HEADER + 15) & ~15) - 4;
}

@inline
function slotSize(span: MSpan): u32 {
  return rowAt(rowAddress(span.row)).elemsize;
}

// Looking again

/** Make the object at `p` white if it holds references, or a static one not seen. The caller visits it again. */
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

/** Bytes of the references in the array at `p`; 0: it is no array of references. */
function arrayBytes(p: u32): u32 {
  const info = typeinfo(load<u32>(p - 8));
  if ((info & VALUE_MANAGED) == 0) return 0;
  if (info & ARRAY) return load<u32>(p, LENGTH) << 2;
  return info & STATIC_ARRAY ? sizeOf(p) : 0;
}

/**
 * A look at the roots begins: what may hold references that no barrier has seen is to be scanned once more. It is white
 * until the roots are shaded, or queued. Bytes that this is about.
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

/** The pins of the object at `p` are gone while marking goes on: what its owner has stored there meanwhile is to be seen. */
export function unpinned(p: u32): void {
  unmark(p);
  visit(p);
}

// Sorts

/** Bytes that a block of `size` bytes has to be longer, when __alloc is asked for it: some if it is a sort's buffer. */
export function sortExtra(size: u32): u32 {
  if (size <= SORT_IN_PLACE << 2 || (size & 3) != 0 || lastBlock == 0) return 0;
  const runs: u32 = 33 - <u32>clz(size >> 2);
  if (lastSize != runs << 3) return 0;
  for (let i: u32 = 0; i < runs; i++) if (load<u32>(lastBlock + (i << 2)) != NO_RUN) return 0;
  return SORT_LINK;
}

/** __alloc has made a block of `size` bytes and `extra`, which sortExtra has said. */
export function blockTaken(p: u32, size: u32, extra: u32): void {
  lastBlock = p;
  lastSize = size;
  if (extra == 0) return;
  memory.fill(p, 0, size);
  store<u64>(p + size, sorts);
  sorts = ((<u64>size) << 32) | p;
}

/** The block at `p` is about to be freed or to get another size. */
export function blockGiven(p: u32): void {
  if (p == lastBlock) lastBlock = 0;
  if (<u32>sorts == p) sorts = load<u64>(linkOf(sorts));
  else if (sorts) unlinkSort(p);
}

/** Sorts end in the reverse order, but for one whose comparator was aborted. */
function unlinkSort(p: u32): void {
  for (let sort = sorts; sort != 0; sort = load<u64>(linkOf(sort))) {
    const next = load<u64>(linkOf(sort));
    if (<u32>next == p && p != 0) store<u64>(linkOf(sort), load<u64>(linkOf(next)));
  }
}

/** Where a sort buffer's link is: the address and the size of the buffer before it. */
@inline
function linkOf(sort: u64): u32 {
  return <u32>sort + <u32>(sort >> 32);
}
