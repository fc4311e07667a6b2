/**
 * The bitmap of a checkmark pass (gc/checkmark.ts), one bit for 8 bytes of the arenas in use, and what shade does
 * during the pass.
 *
 * Each object that is reached must be marked already, and in AssemblyScript it must be live. Otherwise an
 * AssemblyScript program aborts, and the test flavours trap. The host flavours mark the object now, so that it
 * survives, and record it for the host.
 *
 * Owner: the thread that marks, with the world stopped. Cost: 1/64 of the arenas with objects, during the pass.
 */

import { ARENA_PAGES, ARENA_SHIFT, ASC, CHECK, NUM_ARENAS, PAGE_SHIFT } from "../base/config";
import { FLAG_FULL, OBJECT_AT } from "../base/layout";
import { rowAt, rowAddress } from "../base/state";
import { gcState, isCollected, markWord } from "../base/gcstate";
import { spanOf } from "../heap/arena";
import { liveBits } from "../central/mspan";
import { allocTable, freeTable } from "../central/records";
import { pushWork } from "./work";

/** Pages of an arena's bitmap; the table of them takes half a page. */
@inline const MAP_PAGES: u32 = ARENA_PAGES >> 6;

/** True while shade only checks. */
export let checking: bool = false;

/** Table of the arenas' bitmaps. */
let table: u32 = 0;
/** There was no memory for a bitmap or the queue: the check is abandoned. */
let failed: bool = false;

/** Begin a pass: from now on shade only checks. False: no memory for the table. */
export function beginCheck(): bool {
  table = allocTable(1) << PAGE_SHIFT;
  if (table == 0) return false;
  memory.fill(table, 0, NUM_ARENAS << 2);
  failed = false;
  checking = true;
  return true;
}

/** End the pass. False: memory ran out, and some objects were not checked. */
export function endCheck(): bool {
  checking = false;
  for (let arena: u32 = 0; arena < NUM_ARENAS; arena++) {
    const map = load<u32>(table + (arena << 2));
    if (map) freeTable(map >> PAGE_SHIFT, MAP_PAGES);
  }
  freeTable(table >> PAGE_SHIFT, 1);
  table = 0;
  const g = gcState();
  const whole = !failed && g.overflow == 0;
  g.overflow = 0;
  return whole;
}

/** Address of an arena's bitmap, allocated on first use; 0: no memory. */
function mapOf(arena: u32): u32 {
  const at = table + (arena << 2);
  let map = load<u32>(at);
  if (map) return map;
  map = allocTable(MAP_PAGES) << PAGE_SHIFT;
  if (map == 0) return 0;
  memory.fill(map, 0, MAP_PAGES << PAGE_SHIFT);
  store<u32>(at, map);
  return map;
}

/** The body of shade during a pass. */
export function checkShade(p: u32): void {
  const span = spanOf(p);
  if (span == null || failed) return;
  let base = span.startAddr;
  let slot: u32 = 0;
  let size = span.npages << PAGE_SHIFT;
  if (span.ngroups) {
    if (!isCollected(span.row)) return;
    size = rowAt(rowAddress(span.row)).elemsize;
    slot = (p - base) / size;
    if (slot >= <u32>span.nelems) return;
    base += slot * size;
    // A conservatively scanned word may point to a free slot.
    if (((liveBits(span, slot >> 6) >> slot) & 1) == 0) {
      if (ASC) fail(base);
      return;
    }
  } else if ((span.flags & FLAG_FULL) == 0) return;
  const map = mapOf(base >> ARENA_SHIFT);
  if (map == 0) {
    failed = true;
    return;
  }
  const bit = (base & ((1 << ARENA_SHIFT) - 1)) >> 3;
  const at = map + ((bit >> 3) & ~7);
  const bits = load<u64>(at);
  if ((bits >> (bit & 63)) & 1) return;
  store<u64>(at, bits | ((<u64>1) << (bit & 63)));
  const w = markWord(span, slot >> 6);
  const mark = (<u64>1) << slot;
  if ((load<u64>(w) & mark) == 0) {
    fail(base);
    store<u64>(w, load<u64>(w) | mark);
    gcState().bytesMarked += size;
  }
  if ((span.spanclass & 1) == 0) pushWork(base + OBJECT_AT);
}

function fail(p: u32): void {
  const g = gcState();
  if (g.checkFailedAt == 0) g.checkFailedAt = p;
  if (ASC) throw new Error("gomalloc: an object in use is not marked");
  if (CHECK) unreachable();
}
