/**
 * Pins: objects that the collector keeps because something outside the heap needs them, with a count each.
 *
 * An open-addressing table of {address, count} in records of the heap, at most half full. A removed entry leaves a mark
 * (count 0) until the table is next rebuilt. Pinned objects are roots of the collector (gc/roots.ts), and may not be
 * freed by hand. In AssemblyScript static objects may be pinned too.
 *
 * Owner: the P. Lock: G in a shared heap. Cost: O(1) expected; O(pins) when the table grows and for each scan of the
 * roots.
 */

import { MISUSE_PINNED } from "../base/abinumbers";
import { HOST, PAGE_SHIFT, SAMPLES, SHARED } from "../base/config";
import { misuse } from "./misuse";
import { ensureReady } from "./procs";
import { endSample } from "./sampled";
import { enterSure, leaveGate } from "../base/gates";
import { FIRST_PINS, GcState, gcState, isCollectedSpan } from "../base/gcstate";
import { LOCK_GC } from "../base/layout";
import { lockSure, unlock } from "../base/locks";
import { heap } from "../base/state";
import { spanOf } from "../heap/arena";
import { allocTable, freeTable, newRecord } from "../central/records";
import { freeSpecials } from "../central/specials";

@inline
function slotAt(table: u32, i: u32): u32 {
  return table + (i << 3);
}

/** Slot of `p` in a table, or the free slot where it belongs. */
export function findSlot(table: u32, mask: u32, p: u32): u32 {
  let i = (p >> 3) * 0x9e3779b1;
  while (true) {
    const at = slotAt(table, i & mask);
    const key = load<u32>(at);
    if (key == p || key == 0) return at;
    i++;
  }
}

/** A table of `slots` slots, all free; 0: no memory. Every table but the first has its own pages. */
function newTable(slots: u32): u32 {
  const bytes = slots << 3;
  if (slots == FIRST_PINS) {
    const at = newRecord(bytes, false);
    if (at) memory.fill(at, 0, bytes);
    return at;
  }
  const npages = (bytes + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
  const page = allocTable(npages);
  if (page == 0) return 0;
  memory.fill(page << PAGE_SHIFT, 0, bytes);
  return page << PAGE_SHIFT;
}

/** Make room for one more. False: no memory. */
function grow(): bool {
  const g = gcState();
  const oldSlots = g.pins ? g.pinMask + 1 : 0;
  // The first table is a record. Records are never returned, so it is not allocated again.
  let slots = FIRST_PINS;
  if (oldSlots != 0) slots = g.pinCount >= oldSlots >> 2 || oldSlots == FIRST_PINS ? oldSlots << 1 : oldSlots;
  const table = newTable(slots);
  if (table == 0) return false;
  // The allocation may have compacted records, and moved the old table.
  const old = g.pins;
  const mask = slots - 1;
  for (let i: u32 = 0; i < oldSlots; i++) {
    const entry = load<u64>(slotAt(old, i));
    if (entry >> 32) store<u64>(findSlot(table, mask, <u32>entry), entry);
  }
  // One store for pins and pinMask: after a death no thread may find one without the other.
  store<u64>(changetype<usize>(g), (<u64>table) | ((<u64>mask) << 32), offsetof<GcState>("pins"));
  if (oldSlots > FIRST_PINS) {
    const npages = ((oldSlots << 3) + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
    freeTable(old >> PAGE_SHIFT, npages);
  }
  g.pinUsed = g.pinCount;
  return true;
}

/** Pin the object at `p` once more. Returns its new count; 0: no memory for it, or the count is at its maximum. */
export function pinObject(p: u32): u32 {
  const g = gcState();
  if ((g.pins == 0 || g.pinUsed >= (g.pinMask + 1) >> 1) && !grow()) return 0;
  const at = findSlot(g.pins, g.pinMask, p);
  if (load<u32>(at) == 0) {
    store<u32>(at, p);
    g.pinUsed += 1;
  }
  const n = load<u32>(at, 4) + 1;
  if (n == 0) return 0;
  if (n == 1) g.pinCount += 1;
  store<u32>(at, n, 4);
  return n;
}

/** Undo one pinObject. Returns the pins left; -1: there was none. */
export function unpinObject(p: u32): i32 {
  const g = gcState();
  if (g.pins == 0 || p == 0) return -1;
  const at = findSlot(g.pins, g.pinMask, p);
  const n = load<u32>(at, 4);
  if (load<u32>(at) == 0 || n == 0) return -1;
  if (n == 1) g.pinCount -= 1;
  store<u32>(at, n - 1, 4);
  return <i32>(n - 1);
}

/** Recount the entries of the table, because a thread that may have been changing it has died. Under G. */
export function recountPins(): void {
  const g = gcState();
  let used: u32 = 0;
  let pinned: u32 = 0;
  for (let i: u32 = 0; g.pins != 0 && i <= g.pinMask; i++) {
    const entry = load<u64>(slotAt(g.pins, i));
    if (entry) used++;
    if (entry >> 32) pinned++;
  }
  g.pinUsed = used;
  g.pinCount = pinned;
}

/** How often the object at `p` is pinned. */
export function pinsOf(p: u32): u32 {
  const g = gcState();
  return g.pins != 0 && p != 0 ? load<u32>(findSlot(g.pins, g.pinMask, p), 4) : 0;
}

/**
 * Whether the object that begins at `p` is pinned, so that it may not be freed by hand. Any address; O(1). In a shared
 * heap a thread that gets no P always sees false.
 */
export function isPinned(p: u32): bool {
  if (!HOST || heap == 0 || gcState().pinCount == 0) return false;
  const span = spanOf(p);
  if (span == null || !isCollectedSpan(span)) return false;
  if (!SHARED) return pinsOf(p) != 0;
  if (!ensureReady()) return false;
  enterSure();
  lockSure(LOCK_GC);
  const n = pinsOf(p);
  unlock(LOCK_GC);
  leaveGate();
  return n != 0;
}

/**
 * Before a block or an object is freed by hand: whether it may be, because it is not pinned. Then this is the end of
 * what hangs on it: its specials (central/specials.ts) and its sample (sampled.ts). Any address.
 */
export function mayFree(p: u32): bool {
  if (!HOST || heap == 0) return true;
  if ((gcState().pinCount | gcState().specialCount) != 0) {
    if (isPinned(p)) return false;
    if (gcState().specialCount != 0 && ensureReady()) {
      enterSure();
      freeSpecials(p);
      leaveGate();
    }
  }
  if (SAMPLES) endSample(p);
  return true;
}

/** mayFree that reports a pinned object. */
export function mayFreeOrReport(p: u32): bool {
  if (mayFree(p)) return true;
  misuse(MISUSE_PINNED, p);
  return false;
}

/** Report a realloc of a pinned object. False: it is not pinned. */
export function refusePinned(p: u32): bool {
  if (!isPinned(p)) return false;
  misuse(MISUSE_PINNED, p);
  return true;
}

/** Slots of the table. */
export function pinSlots(): u32 {
  const g = gcState();
  return g.pinCount ? g.pinMask + 1 : 0;
}

/** The pinned object in slot `i` of the table; 0: none. */
export function pinAt(i: u32): u32 {
  const entry = load<u64>(slotAt(gcState().pins, i));
  return entry >> 32 ? <u32>entry : 0;
}
