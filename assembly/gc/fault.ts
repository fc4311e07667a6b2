/**
 * Faults: chunks of a user arena that was freed (Go's setUserArenaChunkToFault).
 *
 * A faulted chunk is quarantined. It is not scanned any more, and no call takes an address in it for an object. But its
 * memory is not used again while a pointer into it is left: a cycle that finds none frees it as any object.
 *
 * What says so is the chunk's type: one of MAX_TYPE_SIZE bytes without pointers. Nothing else has such a type, because
 * objects without pointers are allocated without a type.
 *
 * Owner: any thread, inside the gate. Cost: O(1); while a cycle marks, setting a fault is O(bytes).
 */

import { MAX_TYPE_SIZE } from "../base/abinumbers";
import { PAGE_SHIFT } from "../base/config";
import { isCollectedSpan, isMarking } from "../base/gcstate";
import { isScanRowAt } from "../base/gcrows";
import { rowAt } from "../base/state";
import { usableSize } from "../alloc/free";
import { pageRecord, spanOf } from "../heap/arena";
import { metaOf, metaWord } from "../central/mspan";
import { scanRange } from "./scan";
import { BITS_MAX_SIZE, typeAt } from "./typebits";

/** Where the type of the object with pointers at or around `p` is kept; 0: it has none, or there is no such object. */
function typeWord(p: u32): u32 {
  const span = spanOf(p);
  if (span == null || !isCollectedSpan(span)) return 0;
  if (span.ngroups == 0) return span.spanclass & 1 ? 0 : metaWord(span);
  const r = pageRecord(p >> PAGE_SHIFT);
  if (!isScanRowAt(r.row) || rowAt(r.row).elemsize <= BITS_MAX_SIZE) return 0;
  const meta = metaOf(span);
  const slot = <u32>((<u64>(p - r.base) * <u64>r.divMagic) >> 32);
  return meta != 0 && slot < <u32>span.nelems ? meta + (slot << 2) : 0;
}

/** Whether `p` lies in an object, live or dead and not reused yet, whose type says that it was faulted. */
export function isFault(p: u32): bool {
  const word = typeWord(p);
  const type = word ? load<u32>(word) : 0;
  if (type == 0) return false;
  // Another thread may have freed the span by hand meanwhile; then the word may be anything.
  const groups = pageRecord(p >> PAGE_SHIFT).groups;
  if (groups == 0 || typeWord(p) != word) return false;
  const t = typeAt(type);
  return t.size == MAX_TYPE_SIZE && t.ptrBytes == 0;
}

/**
 * Fault the object with pointers that begins at `p`: give it `type`, of MAX_TYPE_SIZE bytes without pointers. While a
 * cycle marks, what the object points to is shaded first, as by any store over a pointer. False: it has no type of its
 * own.
 */
export function setFault(p: u32, type: u32): bool {
  const word = typeWord(p);
  if (word == 0) return false;
  if (isMarking()) scanRange(p, load<u32>(word), 0, usableSize(p));
  store<u32>(word, type);
  return true;
}
