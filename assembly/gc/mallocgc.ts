/**
 * mallocgc: Go's entry for collected objects, with the tiny allocator in front.
 *
 *   size 0                 the address zerobase, shared by all of them
 *   noscan, size < 16      a piece of the P's tiny block, or a new block
 *   size <= 32768          a slot of the scan or noscan row of Go's class (no 16-byte rule: 17..24 use the class of 24)
 *   beyond                 pages
 *
 * Objects with pointers are always zeroed, others on request. A tiny block has 16 bytes and a row of its own, because
 * its pieces cannot be freed by hand: it lives until all its pieces are dead, which only a collector can know.
 *
 * The slow path is where a program meets the collector. Before a window is loaded, gcPoll makes the allocation pay for
 * the marking or sweeping in progress, or begins a cycle. A window loaded during marking is marked whole; therefore the
 * fast path knows nothing of cycles. When memory runs out, a whole cycle is run before the allocation fails.
 *
 * In a shared heap all of this happens inside the P's gate, and the cycle is that of gc/sharedcycle.ts.
 *
 * Owner: the P. Cost: a tiny hit is an add and a compare.
 */

import { addWord } from "../base/words";
import {
  ASC,
  FINALIZE,
  MAX_SMALL_SIZE,
  MAX_SPAN_PAGES,
  PAGE_SHIFT,
  PAGE_SIZE,
  ROW_NOSCAN,
  ROW_SCAN,
  ROW_TINY,
  SAMPLES,
  SHARED,
  SMALL_SIZE_MAX,
  TINY_SIZE,
} from "../base/config";
import { addMarked } from "../base/gates";
import { HEAP_CLASS128, HEAP_CLASS8, HEAP_ZEROBASE, MSPAN_SIZE, Row } from "../base/layout";
import { STAT_TINY_BLOCKS, count } from "../base/counters";
import { GcState, blacken, gcState, isMarking, markWord, pacer } from "../base/gcstate";
import { Pacer } from "../base/pacer";
import { heap, mlocal, rowAt, rowAddress } from "../base/state";
import { isBornBlackAt, isScanRowAt } from "../base/gcrows";
import { classSize } from "../alloc/init";
import { mallocLarge, zeroed } from "../alloc/blocks";
import { freeChecked } from "../alloc/free";
import { freshSlots, refill, reloadRow, takeSlot } from "../alloc/mcache";
import { endSample, isObjectDue, sampleCollected, sampleObject } from "../alloc/sampled";
import { isLargeDue } from "../central/countdown";
import { ensureReady } from "../alloc/procs";
import { reclaimPages } from "../central/sweep";
import { pushLarge } from "../central/lists";
import { pageRecord } from "../heap/arena";
import { groupAt, groupIndex, metaWord, spanAt } from "../central/mspan";
import { collect, gcPoll, readyGC } from "./cycle";
import { pollShared, reclaimShared } from "./sharedcycle";
import { needMeta, setSlotType } from "./typebits";

/** Class of a request of 1..32768 bytes in Go's table. */
export function classOfSize(size: u32): u32 {
  if (size <= SMALL_SIZE_MAX - 8) return load<u8>(heap + ((size + 7) >> 3), HEAP_CLASS8);
  if (size <= SMALL_SIZE_MAX) return load<u8>(heap + (SMALL_SIZE_MAX >> 3), HEAP_CLASS8);
  return load<u8>(heap + ((size - SMALL_SIZE_MAX + 127) >> 7), HEAP_CLASS128);
}

/** A noscan object of 1..15 bytes; `size` determines its alignment within the block. 0: no memory. */
function mallocTiny(size: u32): u32 {
  const h = mlocal();
  let off = h.tinyOffset;
  if ((size & 7) == 0) off = (off + 7) & ~7;
  // A 12-byte object may begin with an 8-byte field.
  else if (size == 12) off = (off + 7) & ~7;
  else if ((size & 3) == 0) off = (off + 3) & ~3;
  else if ((size & 1) == 0) off = (off + 1) & ~1;
  if (off + size <= TINY_SIZE && h.tiny != 0) {
    h.tinyOffset = off + size;
    h.tinyAllocs += 1;
    return h.tiny + off;
  }
  const p = nextFreeGC(rowAddress(ROW_TINY));
  if (p == 0) return 0;
  count(STAT_TINY_BLOCKS);
  store<u64>(p, 0);
  store<u64>(p, 0, 8);
  // Keep the block with more room.
  if (size < h.tinyOffset || h.tiny == 0) {
    h.tiny = p;
    h.tinyOffset = size;
  }
  return p;
}

/** After a window is loaded: count its bytes as live, and during a cycle make its slots black. */
function windowLoaded(address: u32): void {
  const row = rowAt(address);
  const slots = groupAt(row.group).allocCache;
  const bytes = popcnt(slots) * <u64>row.elemsize;
  addLive(bytes, isScanRowAt(address));
  if (isMarking() && isBornBlackAt(address)) blackenWindow(row, slots, bytes);
}

function blackenWindow(row: Row, slots: u64, bytes: u64): void {
  const span = spanAt(row.span);
  blacken(span, groupIndex(span, row.group), slots);
  // Add at once: the end of the cycle subtracts what is left of the window.
  addWord<u64>(changetype<usize>(gcState()), bytes, offsetof<GcState>("bytesMarked"));
}

/** nextFree with the collector: a slot of the row at `address`; 0: no memory, even after a cycle. */
export function nextFreeGC(address: u32): u32 {
  const row = rowAt(address);
  let due: bool = false;
  if (groupAt(row.group).allocCache == 0) {
    due = isObjectDue(row);
    if (!loadWindow(address)) return 0;
  }
  const g = groupAt(row.group);
  const p = takeSlot(row, g, g.allocCache);
  if (SAMPLES && due) sampleObject(row, p);
  return p;
}

/**
 * Pay for an allocation of `bytes` bytes that the mcache cannot serve, and begin a cycle if one is due. A request for
 * `npages` pages also sweeps for a run of that length.
 */
function poll(bytes: u32, npages: u32): void {
  readyGC();
  if (SHARED) {
    pollShared(bytes);
    reclaimShared(npages);
  } else {
    gcPoll(bytes);
    reclaimPages(npages);
  }
}

/** No memory: run a whole cycle. False: none may begin here. In a shared heap the caller runs it, outside the gate. */
function collectNow(): bool {
  if (SHARED || !gcState().enabled) return false;
  collect();
  return true;
}

/** Whether a finalizer, called by a sweep, has loaded a window for the row. */
@inline
function isLoaded(row: Row): bool {
  return FINALIZE && groupAt(row.group).allocCache != 0;
}

/** Load a window that has a free slot for the row. False: no memory. */
function loadWindow(address: u32): bool {
  const row = rowAt(address);
  if (reloadRow(row, groupAt(row.group))) {
    // The slots were freed by hand and are allocated again: the live bytes do not grow, but for slots that had been cut
    // off the window before a sample.
    const slots = groupAt(row.group).allocCache;
    if (SAMPLES && freshSlots != 0) addLive(<u64>freshSlots * row.elemsize, isScanRowAt(address));
    if (isMarking() && isBornBlackAt(address)) blackenWindow(row, slots, popcnt(slots) * <u64>row.elemsize);
    return true;
  }
  poll(min<u32>(row.elemsize << 6, MAX_SPAN_PAGES << PAGE_SHIFT), 0);
  if (isLoaded(row)) return true;
  if (refill(address) == 0) {
    if (!collectNow()) return false;
    if (isLoaded(row)) return true;
    if (refill(address) == 0) return false;
  }
  windowLoaded(address);
  return true;
}

/** nextFreeZeroed with the collector: the first `size` bytes of the slot are zero. */
export function nextFreeGCZeroed(address: u32, size: u32): u32 {
  return zeroed(nextFreeGC(address), address, size);
}

/** A large collected object. `meta`: its type, or 0: conservatively scanned, or noscan. 0: no memory. */
export function mallocgcLarge(size: u32, scan: bool, zero: bool, meta: u32): u32 {
  if (size > 0xffff0000) return 0;
  poll(size, (size + PAGE_SIZE - 1) >> PAGE_SHIFT);
  let p = mallocLarge(size, 1, zero, scan ? 0 : 1);
  if (p == 0 && collectNow()) p = mallocLarge(size, 1, zero, scan ? 0 : 1);
  if (p == 0) return 0;
  const span = spanAt(pageRecord(p >> PAGE_SHIFT).groups - MSPAN_SIZE);
  const bytes = (<u64>span.npages) << PAGE_SHIFT;
  const black = isMarking() && !(ASC && scan);
  store<u64>(markWord(span, 0), black ? 1 : 0);
  store<u32>(metaWord(span), meta);
  // From here on it is a collected object.
  pushLarge(span);
  if (black) addMarked(bytes);
  addLive(bytes, scan);
  if (SAMPLES && isLargeDue(<u32>bytes)) sampleCollected(p, <u32>bytes);
  return p;
}

/** `bytes` more are live, of a large object or a window: count them. `scan`: of objects with pointers. */
export function addLive(bytes: u64, scan: bool): void {
  const p = changetype<usize>(pacer());
  addWord<u64>(p, bytes, offsetof<Pacer>("heapLive"));
  if (scan) addWord<u64>(p, bytes, offsetof<Pacer>("heapScan"));
  if (isMarking()) addWord<i64>(p, -(<i64>bytes), offsetof<Pacer>("assistBytes"));
}

/**
 * An object of `size` bytes. `scan`: it holds pointers, and is zeroed whatever `needzero` says. Aligned to 8 bytes, to
 * 16 where Go's class is a multiple of 16; a tiny object to the alignment its size suggests. 0: no memory. A scan
 * object is scanned conservatively; newObject takes a type.
 */
export function mallocgc(size: u32, scan: bool, needzero: bool): u32 {
  if (!ensureReady()) return 0;
  if (size == 0) return heap + HEAP_ZEROBASE;
  if (scan) return newObject(0, size);
  if (size > MAX_SMALL_SIZE) return mallocgcLarge(size, false, needzero, 0);
  if (size < TINY_SIZE) return mallocTiny(size);
  const address = rowAddress(ROW_NOSCAN + classOfSize(size));
  return needzero ? nextFreeGCZeroed(address, size) : nextFreeGC(address);
}

/**
 * A zeroed object of `size` bytes, 1 and up, with pointers. `type`: the object is an array of this type from newType;
 * 0: it is scanned conservatively. 0: no memory.
 */
export function newObject(type: u32, size: u32): u32 {
  if (!ensureReady()) return 0;
  if (size > MAX_SMALL_SIZE) return mallocgcLarge(size, true, true, type);
  const c = classOfSize(size);
  const address = rowAddress(ROW_SCAN + c);
  const p = nextFreeGCZeroed(address, classSize(c));
  if (p == 0) return 0;
  const meta = needMeta(p);
  // Without a meta table the object would not be scanned: free it as if it had never been allocated.
  if (meta == 0) {
    if (SAMPLES) endSample(p);
    freeChecked(p);
    return 0;
  }
  const r = pageRecord(p >> PAGE_SHIFT);
  const slot = <u32>((<u64>(p - r.base) * <u64>r.divMagic) >> 32);
  setSlotType(meta, r.base, p, classSize(c), slot, type, size);
  return p;
}
