/**
 * Marking: white objects become grey (marked and queued), grey ones become black (scanned).
 *
 *   shade   address -> page record -> mark word: sets the bit, and queues the object if it has pointers
 *   drain   takes objects from the queue, last in first out, and shades what they point to (gc/drain.ts)
 *
 * Mark bits lie before the span's record (base/layout.ts), one word for the 64 slots of a group. Therefore marking
 * writes to no object, and reads only objects with pointers. Blocks from malloc are ignored: they belong to their
 * callers. In the host flavours any address may be shaded; an address outside all collected objects is ignored.
 * AssemblyScript only shades objects, which begin 8 bytes into their slots there (abi/asc.ts).
 *
 * In a shared heap mutators shade too: a mark is an atomic OR, and threads other than the marker queue by gc/inbox.ts.
 * A page record may change while it is read, when its span is allocated or freed. Then the address points to no live
 * object, and the worst result is a superfluous mark.
 *
 * Owner: the thread that marks. Cost of shade: four cache lines at worst.
 */

import { ARENA_PAGES, ARENA_SHIFT, ASC, CHECKMARK, PAGE_SHIFT, SHARED } from "../base/config";
import { FLAG_FULL, MSPAN_SIZE, MSpan, PAGE_RECORD_SHIFT, PageRecord, OBJECT_AT } from "../base/layout";
import { markWord, markWordAt } from "../base/gcstate";
import { addMarked, marker } from "../base/gates";
import { arenaOf, rowAt, seeWord } from "../base/state";
import { isScanRowAt, isCollectedRowAt } from "../base/gcrows";
import { pageRecord, spanOf } from "../heap/arena";
import { spanAt } from "../central/mspan";
import { pushShaded } from "./inbox";
import { pushWork } from "./work";
import { setMark, isLive } from "./markbits";
import { checkShade, checking } from "./checkbits";

@inline const RECORD_MASK: u32 = (ARENA_PAGES - 1) << PAGE_RECORD_SHIFT;

/** Queue a marked object. `p` is its start. */
@inline
function queue(p: u32): void {
  if (!SHARED || marker) pushWork(p);
  else pushShaded(p);
}

/** Mark the object at `p`, if there is one, and queue it if it has pointers. */
export function shade(p: u32): void {
  if (CHECKMARK && checking) {
    checkShade(p);
    return;
  }
  const arena = arenaOf(p >> ARENA_SHIFT);
  if (arena == 0) return;
  const r = changetype<PageRecord>(<usize>(arena + ((p >> (PAGE_SHIFT - PAGE_RECORD_SHIFT)) & RECORD_MASK)));
  const magic = r.divMagic;
  if (magic == 0) {
    shadeSlow(p);
    return;
  }
  if (SHARED) {
    shadeSmall(r, magic, p);
    return;
  }
  if (!isCollectedRowAt(r.row)) return;
  const slot = <u32>((<u64>(p - r.base) * <u64>magic) >> 32);
  const groups = r.groups;
  // The address may be in a free slot or in no slot: a stale word, or a word that is not a pointer.
  if (!ASC && !isLive(spanAt(groups - MSPAN_SIZE), slot)) return;
  if (!setMark(markWordAt(groups, slot), (<u64>1) << slot)) return;
  const rowAddress = r.row;
  const size = rowAt(rowAddress).elemsize;
  addMarked(size);
  if (isScanRowAt(rowAddress)) pushWork(ASC ? p : r.base + slot * size);
}

/** shade in a shared heap: each word of the page record is read once. */
@inline
function shadeSmall(r: PageRecord, magic: u32, p: u32): void {
  // The row was written last, after the span's record was complete: see allocSpan in central/newspan.ts.
  seeWord(changetype<usize>(r));
  const rowAddress = atomic.load<u32>(changetype<usize>(r), offsetof<PageRecord>("row"));
  const groups = r.groups;
  const base = r.base;
  if (!isCollectedRowAt(rowAddress) || groups == 0) return;
  const slot = <u32>((<u64>(p - base) * <u64>magic) >> 32);
  if (slot >= <u32>changetype<MSpan>(<usize>(groups - MSPAN_SIZE)).nelems) return;
  if (!setMark(markWordAt(groups, slot), (<u64>1) << slot)) return;
  const size = rowAt(rowAddress).elemsize;
  addMarked(size);
  if (isScanRowAt(rowAddress)) queue(base + slot * size);
}

/** shade for large objects and tiny blocks. */
function shadeSlow(p: u32): void {
  const span = spanOf(p);
  if (span == null) return;
  if (span.ngroups) {
    const r = pageRecord(p >> PAGE_SHIFT);
    const size = rowAt(r.row).elemsize;
    const slot = (p - span.startAddr) / size;
    // With several threads the span may be another one by now, and its slots may change: see the header.
    const maybe = SHARED ? slot < <u32>span.nelems && isCollectedRowAt(r.row) : isLive(span, slot);
    if (maybe && setMark(markWord(span, slot >> 6), (<u64>1) << slot)) addMarked(size);
    return;
  }
  if ((span.flags & FLAG_FULL) == 0 || !setMark(markWord(span, 0), 1)) return;
  addMarked((<u64>span.npages) << PAGE_SHIFT);
  if ((span.spanclass & 1) == 0) queue(span.startAddr + OBJECT_AT);
}
