/**
 * The runtime of an AssemblyScript program: what the compiler and the standard library call (`--runtime
 * .../gomalloc/rt`).
 *
 *   slot   0 rtId u32 | 4 rtSize u32 | 8 the object        its address is the slot's + 8
 *
 * There is no other header: mark bits, sizes and lists are out of band. All objects are collected objects; their class
 * determines whether they are in scan or noscan rows. The compiler's visitors find references. Roots are its globals,
 * its shadow stack and pins. Static objects lie below __heap_base in the compiler's own layout: see gc/ascroots.ts.
 *
 * The heap begins at __heap_base at the first allocation and grows as needed. When memory runs out, a cycle is run
 * first; if that does not help, the program aborts with that message and the heap is unchanged.
 *
 * Constants of --use: GOMALLOC_GOGC (percent), GOMALLOC_GC_OFF (cycles only on request), GOMALLOC_MEMORY_LIMIT (bytes),
 * GOMALLOC_HEAP_MINIMUM (bytes, the least goal), GOMALLOC_CHECKMARK (check each cycle's marks),
 * GOMALLOC_CLOBBERFREE (fill dead objects with 0xdeadbeef).
 *
 * Owner: the one thread. Cost: __new is a slot of the mcache in the common case.
 */

import { MAX_RESERVE, MISUSE_NONE, M_RESERVE } from "../base/abinumbers";
import {
  CHECKMARK,
  CLOBBERFREE,
  MAX_SMALL_SIZE,
  NUM_ROWS,
  PAGE_SHIFT,
  PAGE_SIZE,
  ROW_NOSCAN,
  ROW_SCAN,
  SAMPLES,
  SMALL_SIZE_MAX,
} from "../base/config";
import { FLAG_NEEDZERO, Group, HEAP_CLASS8, HEAP_ROWS, MSPAN_SIZE, ROW_SHIFT } from "../base/layout";
import { setOption } from "../base/options";
import { PHASE_MARK, gcState, pacer } from "../base/gcstate";
import { central, heap, mheap, rowAt, rowAddress } from "../base/state";
import { bootstrap } from "../alloc/init";
import { TELL, freeBy } from "../alloc/free";
import { checkPointer } from "../alloc/freeslow";
import { isDirty, takeSlot } from "../alloc/mcache";
import { rawAlloc } from "../alloc/raw";
import { reallocChecked } from "../alloc/realloc";
import { endSample } from "../alloc/sampled";
import { TRANSPARENT, noteAlloc, noteFree, sortExtra, unpinned, visit } from "../gc/ascroots";
import { collect, readyGC, repace, startGC, stepGC } from "../gc/cycle";
import { gcFigure } from "../gc/figures";
import { classOfSize, addLive, mallocgcLarge, nextFreeGC } from "../gc/mallocgc";
import {
  allocLittle,
  collectLittle,
  freeLittle,
  isLittle,
  isLittleBlock,
  newLittle,
  pinLittle,
  reallocLittle,
  roomLittle,
  unpinLittle,
} from "../gc/little";
import { setGCPercent as pacerPercent, setHeapMinimum, setMemoryLimit as pacerLimit } from "../base/pacer";
import { pinObject, unpinObject } from "../alloc/pins";
import { traceCollect } from "../gc/rtrace";
import { countVisit } from "../gc/scan";
import { isPointerFree } from "../gc/asctypes";
import { isMarked } from "../gc/markbits";
import { hasLittle, isMarkedLittle, visitLittle } from "../gc/littleblocks";
import { pageRecord } from "../heap/arena";
import { blockSize, groupAt, spanAt } from "../central/mspan";
import { resizeLargeSpan } from "../central/resize";

@inline const HEADER: u32 = 8;
/** Largest object: larger sizes would overflow. */
@inline const MAX_SIZE: u32 = 0xfffe0000;
// Lazy, like the compiler's own messages: the program's static data comes first, at --memoryBase.
@lazy @inline const NO_BLOCK: string =
  "heap.free or heap.realloc of what is no block of heap.alloc, or is free already";
/** Up to this many bytes, clearing word by word is cheaper than testing whether it is needed. */
@inline const CLEAR_ALWAYS: u32 = 64;

/** Copies of up to this many bytes go into an object from __new's fast half, which clears it whole. */
@inline const CLEAR_ANYWAY: u32 = 256;

/** Percent of the live bytes at which the compiler's runtimes begin a cycle. */
@inline const IDLE_GOGC: i32 = isDefined(ASC_GC_IDLEFACTOR)
  ? ASC_GC_IDLEFACTOR > 100
    ? ASC_GC_IDLEFACTOR - 100
    : 0
  : 100;
@inline const GOGC: i32 = isDefined(GOMALLOC_GC_OFF) ? -1 : isDefined(GOMALLOC_GOGC) ? GOMALLOC_GOGC : IDLE_GOGC;
@inline const LIMIT: u32 = isDefined(GOMALLOC_MEMORY_LIMIT) ? GOMALLOC_MEMORY_LIMIT : 0;
/** Least goal in bytes. Go's 4 MiB would be most of a small program's memory. */
@inline const MINIMUM: u32 = isDefined(GOMALLOC_HEAP_MINIMUM) ? GOMALLOC_HEAP_MINIMUM : 512 << 10;

/** Set up the heap, at the first allocation. False: no memory. */
function start(): bool {
  if (heap != 0) return true;
  if (isLittle(GOGC)) return false;
  if (!bootstrap(true, <u32>__heap_base)) return false;
  readyGC();
  const g = gcState();
  g.enabled = 1;
  g.passes = TRANSPARENT;
  setOption(M_RESERVE, MAX_RESERVE);
  const p = pacer();
  setHeapMinimum(p, MINIMUM);
  pacerPercent(p, GOGC);
  if (LIMIT) pacerLimit(p, LIMIT);
  if (CHECKMARK) g.checkmark = 1;
  if (CLOBBERFREE) g.clobberfree = 1;
  repace();
  return true;
}

/** Clear `size` bytes from `p`, 8-aligned, up to the end of a word. */
@inline
function clearObject(p: u32, size: u32): void {
  for (const end = p + size; p < end; p += 8) store<u64>(p, 0);
}

/** A zeroed object of `size` bytes and class `id`. Aborts when there is no memory. */
@global @unsafe
export function __new(size: usize, id: i32): usize {
  if (size <= SMALL_SIZE_MAX - 2 * HEADER && heap != 0) {
    const c = <u32>load<u8>(heap + ((<u32>size + 2 * HEADER - 1) >> 3), HEAP_CLASS8);
    const first = HEAP_ROWS + ((isPointerFree(id) ? ROW_NOSCAN : ROW_SCAN) << ROW_SHIFT);
    const row = rowAt(heap + first + (c << ROW_SHIFT));
    const g = changetype<Group>(<usize>row.group);
    const cache = g.allocCache;
    if (cache) {
      const p = takeSlot(row, g, cache) + HEADER;
      if (size <= CLEAR_ALWAYS || isDirty(row)) clearObject(p, <u32>size);
      store<u32>(p - HEADER, id);
      store<u32>(p - HEADER, <u32>size, 4);
      return p;
    }
  }
  return newSlow(<u32>size, id, 0);
}

/** The slow half of __new. The caller writes the first `keep` bytes itself. */
function newSlow(size: u32, id: u32, keep: u32): u32 {
  if (isLittle(GOGC)) {
    const p = newLittle(size, id);
    if (p == 0) throw new Error("out of memory");
    return p;
  }
  const p = allocate(size, isPointerFree(id), keep);
  if (p == 0) throw new Error("out of memory");
  store<u32>(p, id);
  store<u32>(p, size, 4);
  return p + HEADER;
}

/** A slot or pages with room for `size` bytes behind the header, zero from byte `keep` on; 0: no memory. */
function allocate(size: u32, noscan: bool, keep: u32): u32 {
  if (size > MAX_SIZE || !start()) return 0;
  const all = size + HEADER;
  if (all > MAX_SMALL_SIZE) {
    const p = mallocgcLarge(all, !noscan, keep == 0, 0);
    if (p == 0 || keep == 0) return p;
    const span = spanAt(pageRecord(p >> PAGE_SHIFT).groups - MSPAN_SIZE);
    if (span.flags & FLAG_NEEDZERO) memory.fill(p + HEADER + keep, 0, size - keep);
    return p;
  }
  const row = (noscan ? ROW_NOSCAN : ROW_SCAN) + classOfSize(all);
  let address = rowAddress(row);
  let p = nextFreeGC(address);
  if (p == 0) {
    address = rowBeyond(row, noscan);
    if (address) p = nextFreeGC(address);
    if (p == 0) return 0;
  }
  if (isDirty(rowAt(address))) {
    if (all <= 256) clearObject(p, all);
    else memory.fill(p + HEADER + keep, 0, size - keep);
  }
  return p;
}

/**
 * Memory is full, even after a cycle: find a row of longer slots that has a free one. Returns its address, 0: none. A
 * small memory does not have enough pages for spans of all classes. An object without references may get a slot of a
 * scan row.
 */
function rowBeyond(row: u32, noscan: bool): u32 {
  for (let r = row + 1; r < NUM_ROWS; r++) {
    if (r == ROW_SCAN && !noscan) break;
    const address = rowAddress(r);
    if (rowAt(address).elemsize < rowAt(rowAddress(row)).elemsize) continue;
    const at = rowAt(address);
    const span = at.span;
    if (groupAt(at.group).allocCache != 0 || (span != 0 && spanAt(span).partialMask != 0) || central(r).head != 0) {
      return address;
    }
  }
  return 0;
}

/** Resize the object at `ptr` to `size` bytes, in place if it fits. The added bytes are zero. */
@global @unsafe
export function __renew(ptr: usize, size: usize): usize {
  const old = load<u32>(ptr - HEADER, 4);
  const at = <u32>ptr - HEADER;
  if (ptr < __heap_base || hasLittle()) {
    if (size <= roomLittle(<u32>ptr)) {
      if (size > old) memory.fill(ptr + old, 0, size - old);
      store<u32>(at, <u32>size, 4);
      return ptr;
    }
  } else if (size <= MAX_SIZE) {
    const groups = pageRecord(at >> PAGE_SHIFT).groups;
    if (groups != 0) {
      // Bytes of the object that may be nonzero.
      let used = blockSize(spanAt(groups - MSPAN_SIZE)) - HEADER;
      if (size > used) used = growLarge(groups, <u32>size);
      if (used) {
        used = min<u32>(<u32>size, used);
        if (used > old) memory.fill(ptr + old, 0, used - old);
        store<u32>(at, <u32>size, 4);
        return ptr;
      }
    }
  }
  const keep = min<u32>(<u32>size, old);
  const id = load<i32>(ptr - HEADER);
  const fresh = size <= CLEAR_ANYWAY ? __new(size, id) : newSlow(<u32>size, id, keep);
  memory.copy(fresh, ptr, keep);
  return fresh;
}

/**
 * Extend a large object with the pages behind it, to hold `size` bytes. Returns how many of the object's bytes may be
 * nonzero; 0: the pages are not available.
 */
function growLarge(groups: u32, size: u32): u32 {
  const span = spanAt(groups - MSPAN_SIZE);
  if (span.ngroups != 0) return 0;
  const old = span.npages;
  const npages = (size + HEADER + PAGE_SIZE - 1) >> PAGE_SHIFT;
  if (!resizeLargeSpan(span, npages)) return 0;
  addLive((<u64>(npages - old)) << PAGE_SHIFT, (span.spanclass & 1) == 0);
  return mheap().lastScav == npages - old ? (old << PAGE_SHIFT) - HEADER : size;
}

/** The insertion barrier, called after a store of `child` into `parent`. */
@global @unsafe
export function __link(parent: usize, child: usize, expectMultiple: bool): void {
  if (child != 0 && heap != 0 && gcState().phase == PHASE_MARK) visit(<u32>child);
}

/** Visit a reference that marking found. */
@global @unsafe
export function __visit(ptr: usize, cookie: i32): void {
  if (ptr == 0) return;
  // Without a large heap this is a little one.
  if (heap == 0) {
    visitLittle(<u32>ptr);
    return;
  }
  countVisit();
  visit(<u32>ptr);
}

/** Keep an object alive, whatever points to it. Each pin needs its own __unpin. */
@global @unsafe
export function __pin(ptr: usize): usize {
  if (ptr == 0) return 0;
  if (isLittle(GOGC)) {
    if (!pinLittle(<u32>ptr)) throw new Error("out of memory");
    return ptr;
  }
  if (!start() || pinObject(<u32>ptr) == 0) throw new Error("out of memory");
  if (gcState().phase == PHASE_MARK) visit(<u32>ptr);
  return ptr;
}

@global @unsafe
export function __unpin(ptr: usize): void {
  if (ptr == 0) return;
  if (hasLittle()) {
    if (!unpinLittle(<u32>ptr)) throw new Error("Object is not pinned");
    return;
  }
  if (heap == 0 || unpinObject(<u32>ptr) < 0) throw new Error("Object is not pinned");
  // A local may still hold it: if marking has begun, keep it for this cycle.
  if (gcState().phase == PHASE_MARK) unpinned(<u32>ptr);
}

/** heap.alloc: a block at a multiple of 16. The caller owns it until __free. Its contents are undefined. */
@global @unsafe
export function __alloc(size: usize): usize {
  if (isLittle(GOGC)) {
    const extra = sortExtra(<u32>size);
    const p = allocLittle(<u32>size + extra);
    if (p) {
      noteAlloc(p, <u32>size, extra);
      return p;
    }
  } else if (size <= MAX_SIZE && start()) {
    const extra = sortExtra(<u32>size);
    let p = rawAlloc(<u32>size + extra);
    if (p == 0) {
      collect();
      p = rawAlloc(<u32>size + extra);
    }
    if (p) {
      noteAlloc(p, <u32>size, extra);
      return p;
    }
  }
  throw new Error("out of memory");
}

/** heap.realloc: resize the block at `ptr`. Returns its address, which may be new. */
@global @unsafe
export function __realloc(ptr: usize, size: usize): usize {
  if (ptr < __heap_base) {
    // A static block stays in place: copy it.
    const moved = __alloc(size);
    memory.copy(moved, ptr, min<usize>(size, load<u32>(ptr - 4) & ~3));
    return moved;
  }
  if (hasLittle()) {
    if (!isLittleBlock(<u32>ptr)) throw new Error(NO_BLOCK);
    noteFree(<u32>ptr);
    const p = reallocLittle(<u32>ptr, <u32>size);
    if (p == 0) throw new Error("out of memory");
    return p;
  }
  if (checkPointer(<u32>ptr) != MISUSE_NONE) throw new Error(NO_BLOCK);
  noteFree(<u32>ptr);
  let p = size <= MAX_SIZE ? reallocChecked(<u32>ptr, <u32>size) : 0;
  if (p == 0 && size <= MAX_SIZE) {
    collect();
    checkPointer(<u32>ptr);
    p = reallocChecked(<u32>ptr, <u32>size);
  }
  if (p == 0) throw new Error("out of memory");
  return p;
}

/** heap.free. Null and static blocks are ignored. */
@global @unsafe
export function __free(ptr: usize): void {
  if (ptr < __heap_base) return;
  noteFree(<u32>ptr);
  if (hasLittle()) {
    if (!isLittleBlock(<u32>ptr)) throw new Error(NO_BLOCK);
    freeLittle(<u32>ptr);
    return;
  }
  if (SAMPLES) endSample(<u32>ptr);
  if (freeBy(<u32>ptr, 0, TELL) != MISUSE_NONE) {
    throw new Error(NO_BLOCK);
  }
}

/**
 * For rt-weak.ts, at the end of marking: whether the object at `ptr` is marked. Static objects always are.
 */
@global @unsafe
export function __isMarked(ptr: usize): bool {
  if (ptr < __heap_base) return true;
  return hasLittle() ? isMarkedLittle(<u32>ptr) : isMarked(<u32>ptr);
}

/** Run a whole cycle: everything unreachable is free when it returns. */
@global @unsafe
export function __collect(): void {
  if (hasLittle()) {
    collectLittle(true);
  } else if (heap != 0) {
    collect();
    traceCollect(<usize>pacer().heapLive);
  }
}

/** Set GOGC in percent; negative: cycles only on request or for the memory limit. Returns the old value, -1 for off. */
@global
export function __setGCPercent(percent: i32): i32 {
  if (!start()) return GOGC;
  const old = pacerPercent(pacer(), percent);
  repace();
  return old;
}

/** Set the collector's limit of the memory in use, in bytes; 0: none. Returns the old limit. */
@global
export function __setMemoryLimit(bytes: u32): u32 {
  if (!start()) return 0;
  const old = pacerLimit(pacer(), bytes ? <u64>bytes : ~(<u64>0));
  repace();
  return old == ~(<u64>0) ? 0 : <u32>old;
}

/**
 * Mark about `budget` bytes of objects, and begin a cycle if none runs: for a host with idle time. Returns the bytes
 * marked; 0: the cycle has ended.
 */
@global
export function __gcStep(budget: u32): u32 {
  if (!start()) return 0;
  startGC(true);
  const work = stepGC(budget);
  return gcState().phase == PHASE_MARK ? max<u32>(<u32>work, 1) : 0;
}

/**
 * Figures: 0 cycles begun, 1 forced ones, 2 phase (1: marking), 3 heap live, 4 marked by the last cycle, 5 goal, 6
 * trigger (bytes, estimates between cycles), 7 pages in use of 8 KiB, 8 pages of records, 9 pins, 10 bytes freed by the
 * last sweep, 11 steps of the last marking, 12 times that the mark queue found no memory.
 */
@global
export function __gcStat(i: u32): f64 {
  if (heap == 0) return 0;
  if (i <= 6 || i == 9) return gcFigure(i);
  if (i == 7) return mheap().inUsePages;
  if (i == 8) return mheap().metaPages;
  if (i == 10) return <f64>gcState().freedBytes;
  if (i == 11) return gcState().steps;
  if (i == 12) return <f64>gcState().overflows;
  return 0;
}
