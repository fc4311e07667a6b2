/**
 * Handles a P without a thread: flushes it when it is idle, recovers it when its thread has died.
 *
 * A thread can be terminated between any two instructions. Recovery relies on the records of who owns what, not on the
 * lists that the thread was changing:
 *
 *   a lock        its word has the dead P's number; the thread that recovers takes it over
 *   H             pages noted as moving become free; the pages of spans in use and of page caches are taken; summaries
 *                 and counts are rebuilt. Free records and the persistent chunk change by single stores, so they need
 *                 no repair.
 *   C             the list of the row is rebuilt from the unowned spans
 *   its spans     found by mspan.owner. Each group's words say which slots are free, whatever the row and the lists
 *                 say. The span becomes unowned, or free pages.
 *   a free        of another P's block, or its takeover by the owner: all notes are rebuilt from the spans
 *                 (central/notes.ts)
 *
 * Anything uncertain counts as live: it is lost, not handed out twice. These are the blocks that the dead thread's
 * program held, a slot on its way to it, and the memory of a growth that was not recorded yet.
 *
 * A living thread calls this and works in the name of the P in question (workAs). It needs no P of its own. If it dies
 * too, the P can be recovered as before. Lock: H, then each C. Cost: O(spans) for each P. The walk never follows a
 * list.
 */

import {
  FREE_PENDING,
  HELD_CENTRAL,
  HELD_HEAP,
  MAX_PS,
  PAGES_MOVING,
  P_DEAD,
  P_IDLE,
  P_STOPPING,
  P_UNUSED,
  RECOVERED,
} from "../base/abinumbers";
import { HOST, LAST_P, NUM_ARENAS, NUM_ROWS, PAGE_SHIFT, SHARED_GC } from "../base/config";
import { enterGate, leaveGate } from "../base/gates";
import { isCommon } from "../base/gcstate";
import { FLAG_LISTED, FULL, MHeap, MSPAN_SIZE, MSpan, PRecord } from "../base/layout";
import { lock, lockOwner, self, setBriefWaits, takeOver, unlock } from "../base/locks";
import {
  arenaOf,
  centralOf,
  clearMoving,
  heap,
  local,
  mheap,
  pAt,
  recordOf,
  rowAt,
  setLocal,
  clearRowOf,
  rowAddressIn,
} from "../base/state";
import { abandonP, changeState, token, stateAddress, stateOf, workAgainAs, workAs } from "../alloc/procs";
import { reclaimCollected } from "../central/collected";
import { noteAll } from "../central/notes";
import { forgetDrained, reclaimNotes, takeRemoteBits } from "../central/remote";
import { disown, setOwner } from "../central/owner";
import { pushPartial } from "../central/lists";
import { spanOnPage, tidySpan } from "../central/tidy";
import { addSpan, freeSpan } from "../central/spans";
import { freeDeferred } from "../central/deferred";
import { enterRecovery, leaveRecovery, recoverGC } from "../gc/sharedcycle";
import { repairSamples } from "./samples";
import { clearInUse, clearRecord, pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { groupOf, isEmpty, validBits } from "../central/mspan";
import { claimPages, countFreePages, freePages, levelFor, rebuildSums } from "../heap/pagealloc";
import { pageCacheFlush } from "../heap/pagecache";
import { flushRuns } from "../heap/runs";
import { freeHeld, heldPages } from "../heap/scavenge";

/**
 * Make all that the P at `record` owns unowned or free. Under H. False: a lock could not be taken, and only a part is
 * done.
 */
function giveAll(record: u32): bool {
  const p = pAt(record);
  for (let page = nextSpanPage(1); page != 0;) {
    const span = spanOnPage(page);
    page += span.npages;
    if (<u32>span.owner == p.id) {
      if (span.ngroups == 0) {
        span.owner = 0;
      } else {
        tidySpan(span, record);
        if (isCommon(span.row)) takeRemoteBits(span, 0);
        if (isEmpty(span)) freeSpan(span);
        else if (!disown(record, span)) return false;
        p.spansGiven += 1;
      }
    }
    page = nextSpanPage(page);
  }
  for (let i: u32 = 1; i < NUM_ROWS; i++) {
    clearRowOf(record, rowAt(rowAddressIn(record, i)));
    const c = centralOf(record, i);
    c.head = 0;
    c.tail = 0;
    c.empty = 0;
    c.nspans = 0;
    c.npagesInUse = 0;
  }
  p.ownedPages = 0;
  const h = changetype<MHeap>(<usize>record);
  h.retainedPages = 0;
  h.tiny = 0;
  h.tinyOffset = 0;
  flushPages(record);
  freeDeferred();
  return true;
}

/** Return the pages in a record's page cache to the page heap. Under H. */
function flushPages(record: u32): void {
  const h = changetype<MHeap>(<usize>record);
  h.pcScav &= h.pcCache;
  const mine = local;
  setLocal(record);
  pageCacheFlush();
  setLocal(mine);
}

/**
 * Release all that this thread's own P caches; the thread keeps the P. False: a lock could not be taken. If it was an
 * mcentral's, only a part is done: the thread then has no P, and recoverP must finish.
 */
export function giveOwn(): bool {
  if (!enterGate()) return false;
  if (!lock(0)) {
    leaveGate();
    return false;
  }
  const all = giveAll(local);
  unlock(0);
  if (all) {
    reclaimNotes(local);
    reclaimNotes(heap);
    reclaimCollected();
  }
  leaveGate();
  if (!all) abandonP();
  return all;
}

/**
 * Flush the idle P `id`; this thread needs no P. True: it was idle, and is idle again. False: it was not idle, or a
 * lock could not be taken; see giveOwn.
 */
export function flushP(id: u32): bool {
  if (heap == 0 || id - 1 >= MAX_PS || !changeState(id, P_IDLE, P_STOPPING | (token() << 8))) return false;
  const mine = self;
  const record = local;
  workAs(id);
  const entered = enterGate();
  const held = entered && lock(0);
  let all: bool = false;
  if (held) {
    all = giveAll(local);
    unlock(0);
  }
  if (all) {
    reclaimNotes(local);
    reclaimNotes(heap);
    reclaimCollected();
  }
  if (entered) leaveGate();
  workAgainAs(mine, record);
  atomic.store<u32>(stateAddress(id), held && !all ? P_DEAD : P_IDLE);
  return all;
}

/** Free the pages that a P was moving, and remove a span that was to begin there. False: there were none. Under H. */
function undoMoving(p: PRecord): bool {
  const moving = p.moving;
  if (moving == 0) return false;
  const page = <u32>moving;
  const npages = <u32>(moving >> 32);
  for (let i = page; i < page + npages; i++) {
    if (arenaOf(i >> 9) == 0) continue;
    // First, so that no walk finds a span there.
    clearInUse(i);
    clearRecord(i);
  }
  freePages(page, npages);
  p.moving = 0;
  return true;
}

/** Free the block that the thread of a P was clearing: nobody knows it. False: there was none. Under H. */
function freeCleared(p: PRecord): bool {
  const page = p.clearing;
  p.clearing = 0;
  if (page == 0 || arenaOf(page >> 9) == 0) return false;
  const groups = pageRecord(page).groups;
  const span = changetype<MSpan>(<usize>(groups - MSPAN_SIZE));
  if (groups == 0 || span.startAddr != page << PAGE_SHIFT || span.ngroups != 0 || <u32>span.owner != p.id) return false;
  freeSpan(span);
  return true;
}

/** Rebuild the page heap from what is certain. A dead thread held its lock. */
function repairHeap(): void {
  const h = mheap();
  // Include arenas whose record exists but was not counted yet: their pages are unowned.
  for (let a: u32 = 0; a < NUM_ARENAS; a++) {
    if (arenaOf(a) == 0) continue;
    h.arenaLo = min(h.arenaLo, a);
    h.arenaHi = max(h.arenaHi, a);
  }
  // First, because a run may still be listed whose pages have become a span's.
  flushRuns();
  let inUse: u32 = 0;
  for (let page = nextSpanPage(1); page != 0;) {
    const span = spanOnPage(page);
    claimPages(page, span.npages);
    inUse += span.npages;
    page = nextSpanPage(page + span.npages);
  }
  let cached: u32 = 0;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    if (HOST) cached += heldPages(record);
    const p = changetype<MHeap>(<usize>record);
    for (let bits = p.pcCache; bits != 0; bits &= bits - 1) claimPages(p.pcBase + <u32>ctz(bits), 1);
    if (id) cached += <u32>popcnt(p.pcCache);
  }
  h.searchPage = h.arenaLo << 9;
  h.rootLevel = levelFor(h.arenaLo, h.arenaHi);
  rebuildSums();
  flushPages(heap);
  h.inUsePages = inUse;
  h.grownPages = inUse + h.metaPages + cached + countFreePages();
}

/** Rebuild the list and the counts of unowned spans of a row. A dead thread held its lock. Under H and C. */
function relist(rowIndex: u32): void {
  const c = centralOf(heap, rowIndex);
  c.head = 0;
  c.tail = 0;
  c.nspans = 0;
  c.npagesInUse = 0;
  for (let page = nextSpanPage(1); page != 0;) {
    const span = spanOnPage(page);
    if (<u32>span.row == rowIndex && span.owner == 0) {
      span.flags &= ~FLAG_LISTED;
      // The group may have received its slots, but not its bit yet.
      for (let i: u32 = 0; i < span.ngroups; i++) {
        const g = groupOf(span, i);
        // Or the slots were being moved into its window.
        if (g.allocCache & g.freed) g.freed = (g.freed & ~g.allocCache) | ~validBits(span, i);
        forgetDrained(span, i, g.allocCache | (g.freed == FULL ? 0 : g.freed));
        if (g.allocCache != 0 || g.freed != FULL) span.partialMask = <u16>((<u32>span.partialMask) | (1 << i));
      }
      if (span.partialMask) pushPartial(c, span);
      addSpan(heap, span);
      // Its record may say unowned while its pages do not yet.
      setOwner(span, heap);
    }
    page = nextSpanPage(page + span.npages);
  }
}

/**
 * Take over the locks of mcentrals that a dead thread held, repair their rows and release them. False: it held none.
 */
function freeCentrals(id: u32): bool {
  let some = false;
  for (let rowIndex: u32 = 1; rowIndex < NUM_ROWS; rowIndex++) {
    if (lockOwner(rowIndex) != id || !takeOver(rowIndex, id)) continue;
    some = true;
    relist(rowIndex);
    unlock(rowIndex);
  }
  return some;
}

/**
 * Recover P `id`, whose thread is dead. Returns bits that say what was found. 0: no thread has the P, or a lock could
 * not be taken within a second. The holder of that lock may be dead too and must be recovered first; the P stays DEAD.
 * Id 0 means a thread that had no P: it could only free, so this needs no lock and always returns RECOVERED.
 */
export function recoverP(id: u32): u32 {
  if (id == 0) return heap == 0 ? 0 : noteAll() ? RECOVERED | FREE_PENDING : RECOVERED;
  if (heap == 0 || id - 1 >= MAX_PS || (local != 0 && id == self)) return 0;
  const word = stateOf(id);
  const state = word & 0xff;
  if (state == P_UNUSED || state == P_IDLE) return 0;
  // The token of this thread claims it: nobody else recovers it meanwhile, unless this thread dies as well.
  if (!changeState(id, word, P_DEAD | (token() << 8))) return 0;
  const mine = self;
  const record = local;
  setBriefWaits(true);
  workAs(id);
  let found: u32 = 0;
  if (!SHARED_GC) found = recover(id);
  else if (enterRecovery(id)) {
    found = recover(id);
    leaveRecovery(id, found != 0);
  }
  workAgainAs(mine, record);
  setBriefWaits(false);
  const next = found == 0 ? P_DEAD | (word & ~0xff) : recordOf(id) != 0 ? P_IDLE : P_UNUSED;
  atomic.store<u32>(stateAddress(id), next);
  return found;
}

function recover(id: u32): u32 {
  let found: u32 = RECOVERED;
  const record = recordOf(id);
  if (noteAll()) found |= FREE_PENDING;
  if (takeOver(0, id)) {
    found |= HELD_HEAP;
    // Its own pages, and those of a dead P that it was recovering itself.
    for (let dead: u32 = 1; dead <= MAX_PS; dead++) {
      const record = recordOf(dead);
      if (record == 0 || (stateOf(dead) & 0xff) != P_DEAD) continue;
      if (undoMoving(pAt(record))) found |= PAGES_MOVING;
      // They may be among those, so first: the heap's pages are counted now.
      if (HOST && freeHeld(record)) found |= PAGES_MOVING;
    }
    if (undoMoving(pAt(heap))) found |= PAGES_MOVING;
    repairHeap();
    repairSamples();
  } else if (!lock(0)) {
    // The holder of H may be waiting for an mcentral's lock that the dead thread has. It changes no span meanwhile.
    if (!freeCentrals(id)) return 0;
    found |= HELD_CENTRAL;
    if (!lock(0)) return 0;
  }
  if (freeCentrals(id)) found |= HELD_CENTRAL;
  if (record != 0 && freeCleared(pAt(record))) found |= PAGES_MOVING;
  if (HOST && record != 0 && freeHeld(record)) found |= PAGES_MOVING;
  const all = record == 0 || giveAll(record);
  clearMoving();
  unlock(0);
  if (!all) return 0;
  if (SHARED_GC && !recoverGC(id)) return 0;
  if (record) {
    reclaimNotes(record);
    reclaimNotes(heap);
    reclaimCollected();
  }
  return found;
}
