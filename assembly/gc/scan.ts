/**
 * Scanning: from a grey object to what it points to. The two kinds of programs find pointers differently:
 *
 *   host flavours     by the bits or the type that gc/typebits.ts keeps; large objects in pieces of 128 KiB (Go's
 *                     oblets)
 *   AssemblyScript    by the compiler's visitors: __visit_members calls __visit for each reference
 *
 * A piece of a large object is queued like an object; its address is not the object's start. In AssemblyScript an
 * object is always scanned whole: the visitors cannot stop half-way, and between two steps a program may shift an
 * array's elements without a barrier.
 *
 * Owner: the thread that marks. Cost: O(size).
 */

import { ASC, PAGE_SHIFT, SHARED } from "../base/config";
import { FLAG_FULL, MSPAN_SIZE, MSpan, PageRecord } from "../base/layout";
import { rowAt, seeWord } from "../base/state";
import { isScanRowAt } from "../base/gcrows";
import { pageRecord, spanOf } from "../heap/arena";
import { metaOf, spanAt } from "../central/mspan";
import { shade } from "./mark";
import { BITS_MAX_SIZE, nextPointer, readBits } from "./typebits";
import { pushWork } from "./work";
import { isLive } from "./markbits";

/** Bytes of a piece. */
@inline const OBLET: u32 = 128 << 10;

/** AssemblyScript: number of references visited so far; the only measure of a visitor's work. */
let visited: u32 = 0;

/** Count a visited reference. */
@inline
export function countVisit(): void {
  visited++;
}

/** Shade what the queued object or piece at `p` points to. Returns the bytes scanned, at least 8. */
export function scanObject(p: u32): u64 {
  if (ASC) {
    const before = visited;
    __visit_members(p, 0);
    return 8 + <u64>max<u32>((visited - before) << 2, load<u32>(p - 4));
  }
  const r = pageRecord(p >> PAGE_SHIFT);
  if (r.divMagic == 0) return scanLarge(p);
  if (SHARED) return scanSmall(p);
  // The object may have been freed by hand since it was queued, and its page may belong to another span by now.
  const span = spanAt(r.groups - MSPAN_SIZE);
  const slot = <u32>((<u64>(p - r.base) * <u64>r.divMagic) >> 32);
  const meta = metaOf(span);
  if (!isScanRowAt(r.row) || meta == 0 || !isLive(span, slot)) return 8;
  const size = rowAt(r.row).elemsize;
  const start = r.base + slot * size;
  if (size <= BITS_MAX_SIZE) {
    for (let bits = readBits(meta, (start - r.base) >> 2, size >> 2); bits != 0; bits &= bits - 1) {
      const value = load<u32>(start + ((<u32>ctz(bits)) << 2));
      if (value) shade(value);
    }
    return size;
  }
  scanRange(start, load<u32>(meta + (slot << 2)), 0, size);
  return size;
}

/**
 * scanObject for a small object in a shared heap. It may have been freed since it was queued, and its slot may be free
 * or hold another object. Any word that is read may be shaded, but a type may only be followed if it is a type.
 */
function scanSmall(p: u32): u64 {
  const r = pageRecord(p >> PAGE_SHIFT);
  const rowAddress = r.row;
  const groups = r.groups;
  const base = r.base;
  const magic = r.divMagic;
  if (!isScanRowAt(rowAddress) || groups == 0) return 8;
  const span = changetype<MSpan>(<usize>(groups - MSPAN_SIZE));
  const size = rowAt(rowAddress).elemsize;
  const slot = <u32>((<u64>(p - base) * <u64>magic) >> 32);
  const meta = metaOf(span);
  if (meta == 0 || slot >= <u32>span.nelems) return 8;
  if (size <= BITS_MAX_SIZE) {
    for (let bits = readBits(meta, (p - base) >> 2, size >> 2); bits != 0; bits &= bits - 1) {
      const value = load<u32>(p + ((<u32>ctz(bits)) << 2));
      if (value) shade(value);
    }
    return size;
  }
  const type = load<u32>(meta + (slot << 2));
  // The span may have been freed meanwhile, and its table may be another span's, with bits in it. While the span is
  // still this one, the table holds types.
  seeWord(changetype<usize>(r));
  if (atomic.load<u32>(changetype<usize>(r), offsetof<PageRecord>("row")) != rowAddress || r.groups != groups) return 8;
  scanRange(p, type, 0, size);
  return size;
}

/** Shade what the bytes [from, end) of the object at `base` point to. `type` 0: any word may be a pointer. */
export function scanRange(base: u32, type: u32, from: u32, end: u32): void {
  if (type == 0) {
    for (let at = from; at < end; at += 4) {
      const value = load<u32>(base + at);
      if (value) shade(value);
    }
    return;
  }
  for (let at = nextPointer(type, from, end); at < end; at = nextPointer(type, at + 4, end)) {
    const value = load<u32>(base + at);
    if (value) shade(value);
  }
}

/** Scan a large object at `p` and queue its other pieces, or scan one of these pieces. */
function scanLarge(p: u32): u64 {
  const span = spanOf(p);
  if (span == null || span.ngroups != 0 || (span.flags & FLAG_FULL) == 0 || (span.spanclass & 1) != 0) return 8;
  const base = span.startAddr;
  const end = span.npages << PAGE_SHIFT;
  const from = p - base;
  if (from == 0) for (let at = OBLET; at < end; at += OBLET) pushWork(base + at);
  const to = min(end, from + OBLET);
  scanRange(base, metaOf(span), from, to);
  return to - from;
}
