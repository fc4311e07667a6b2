/**
 * MemStats: the heap's history and present state, as one record of u64 words.
 *
 * The fast paths count nothing. When the mcache takes a group, the free slots in its window are added to `taken`. The
 * slots handed out are exactly `taken` minus what the current window still has. Frees follow from the number of live
 * slots, which a walk over the spans counts. Layout below, version 1; words by their names in base/abinumbers.ts.
 *
 * Go's laws hold exactly: sys = heapSys + stackInuse + mspanSys + mcacheSys + buckHashSys + gcSys + otherSys, heapSys =
 * heapInuse + heapIdle. Registered stacks in live blocks count as stacks, and not in heapAlloc, heapInuse and heapSys.
 *
 * In a shared heap the figures are sums over all Ps. While other threads work they belong to no single moment.
 *
 * Records are checked before they are counted (check/records.ts). Cost: O(spans). Owner: the P; H in a shared heap.
 */

import {
  MEMSTATS_CLASSES,
  MEMSTATS_CLASS_WORDS,
  MEMSTATS_VERSION,
  MS_BUCK_HASH_SYS,
  MS_CENTRAL_GROWS,
  MS_CENTRAL_HITS,
  MS_FREES,
  MS_GC_SYS,
  MS_GROUP_REFILLS,
  MS_HEAP_ALLOC,
  MS_HEAP_IDLE,
  MS_HEAP_INUSE,
  MS_HEAP_RETAINED,
  MS_HEAP_SYS,
  MS_LARGE_FREES,
  MS_LARGE_LIVE_BYTES,
  MS_LARGE_MALLOCS,
  MS_MALLOCS,
  MS_MCACHE_INUSE,
  MS_MCACHE_SYS,
  MS_MISUSES,
  MS_MSPAN_INUSE,
  MS_MSPAN_SYS,
  MS_OTHER_SYS,
  MS_PAGE_ALLOCS,
  MS_PAGE_CACHE_HITS,
  MS_PAGE_CACHE_REFILLS,
  MS_REALLOC_IN_PLACE,
  MS_REALLOC_MOVES,
  MS_RECLAIMS,
  MS_REFILLS,
  MS_SPANS_IN_USE,
  MS_SPAN_REFILLS,
  MS_STACK_INUSE,
  MS_SYS,
  MS_SYS_GROWS,
  MS_SYS_GROW_FAILURES,
  MS_TINY_ALLOCS,
  MS_TINY_BLOCKS,
  MS_TOTAL_ALLOC,
  MS_ZEROED_BYTES_CLEARED,
  MS_ZEROED_BYTES_SKIPPED,
} from "../base/abinumbers";
import { isDeferred } from "../central/deferred";
import { LAST_P, NUM_CLASSES, NUM_ROWS, PAGE_SHIFT, SHARED } from "../base/config";
import { MHeap, recordGroups } from "../base/layout";
import {
  STAT_CENTRAL_GROWS,
  STAT_CENTRAL_HITS,
  STAT_GROUP_REFILLS,
  STAT_LARGE_FREES,
  STAT_LARGE_MALLOCS,
  STAT_LARGE_TOTAL,
  STAT_MISUSES,
  STAT_PAGE_ALLOCS,
  STAT_PAGE_CACHE_HITS,
  STAT_PAGE_CACHE_REFILLS,
  STAT_REALLOC_IN_PLACE,
  STAT_REALLOC_MOVES,
  STAT_RECLAIMS,
  STAT_REFILLS,
  STAT_SPAN_REFILLS,
  STAT_SYS_GROWS,
  STAT_SYS_GROW_FAILURES,
  STAT_TINY_BLOCKS,
  STAT_ZERO_CLEARED,
  STAT_ZERO_SKIPPED,
  counter,
} from "../base/counters";
import { central, centralOf, mheap, recordOf, rowAt, slotSize, rowAddressIn } from "../base/state";
import { classSize } from "../alloc/init";
import { nextSpanPage } from "../heap/mheap";
import { groupAt, usedSlots } from "../central/mspan";
import { countFreePages } from "../heap/pagealloc";
import { runPages } from "../heap/runs";
import {
  addOverhead,
  addSpan,
  beginOverhead,
  bufferBytes,
  collectorBytes,
  deadBytes,
  mcacheBytes,
  mcacheSys,
  profileBytes,
  spanBytes,
  stackBytes,
} from "./overhead";
import { checkRecords, checkSpan, checkedSpan, isReadable } from "./records";

@inline export const MEMSTATS_WORDS: u32 = MEMSTATS_CLASSES + NUM_CLASSES * MEMSTATS_CLASS_WORDS;

let out: u32 = 0;

@inline
function put(word: u32, value: u64): void {
  store<u64>(out + (word << 3), value);
}

@inline
function get(word: u32): u64 {
  return load<u64>(out + (word << 3));
}

@inline
function add(word: u32, value: u64): void {
  put(word, get(word) + value);
}

/**
 * Fill the record at `at`, MEMSTATS_WORDS u64. Requires a heap; changes nothing else. False: the heap's records are
 * damaged, and there are no figures.
 */
export function fillMemStats(at: u32): bool {
  if (checkRecords(!SHARED) != 0) return false;
  const h = mheap();
  out = at;
  memory.fill(at, 0, MEMSTATS_WORDS << 3);
  put(0, MEMSTATS_VERSION);
  put(MS_SYS, h.sys);
  let free = countFreePages() + runPages();
  let retained: u32 = 0;
  let tiny: u64 = 0;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    const p = changetype<MHeap>(<usize>record);
    free += <u32>popcnt(p.pcCache);
    retained += p.retainedPages;
    tiny += p.tinyAllocs;
  }
  for (let c: u32 = 0; c < NUM_CLASSES; c++) put(MEMSTATS_CLASSES + c * MEMSTATS_CLASS_WORDS, classSize(c));

  let mallocs: u64 = 0;
  let total: u64 = 0;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record == 0) continue;
    for (let row: u32 = 1; row < NUM_ROWS; row++) {
      const c = centralOf(record, row);
      const r = rowAt(rowAddressIn(record, row));
      if (!isReadable(record, r)) return false;
      const taken = c.taken - popcnt(groupAt(r.group).allocCache);
      const words = MEMSTATS_CLASSES + <u32>c.sizeclass * MEMSTATS_CLASS_WORDS;
      add(words + 1, taken);
      add(words + 2, taken);
      add(words + 3, c.nspans);
      mallocs += taken;
      total += taken * r.elemsize;
    }
  }

  let live: u64 = 0;
  let alloc: u64 = 0;
  let largeLive: u64 = 0;
  let spans: u64 = 0;
  beginOverhead();
  for (let page = nextSpanPage(1); page != 0;) {
    if (checkSpan(page) != 0) return false;
    const span = checkedSpan;
    addSpan(span, recordGroups(span));
    spans++;
    if (span.ngroups == 0) {
      // A span that waits for H is freed already, and counted as freed.
      if (!isDeferred(span)) largeLive += (<u64>span.npages) << PAGE_SHIFT;
    } else {
      const n = usedSlots(span);
      live += n;
      alloc += <u64>n * slotSize(span.row);
      const words = MEMSTATS_CLASSES + <u32>central(span.row).sizeclass * MEMSTATS_CLASS_WORDS;
      put(words + 2, get(words + 2) - n);
    }
    page = nextSpanPage(page + span.npages);
  }
  if (!addOverhead()) return false;
  const inUse = (<u64>h.inUsePages) << PAGE_SHIFT;
  const idle = (<u64>free) << PAGE_SHIFT;
  // Registered ranges may overlap.
  const stacks = min(stackBytes, alloc + largeLive);
  const known = inUse + idle + spanBytes + deadBytes + mcacheSys() + collectorBytes;
  if (known > <u64>h.sys) return false;
  const buffers = min(bufferBytes(), <u64>h.sys - known);
  const profile = min(profileBytes(), <u64>h.sys - known - buffers);
  put(MS_HEAP_SYS, inUse - stacks + idle);
  put(MS_HEAP_INUSE, inUse - stacks);
  put(MS_HEAP_IDLE, idle);
  put(MS_STACK_INUSE, stacks);
  put(MS_MSPAN_INUSE, spanBytes);
  put(MS_MSPAN_SYS, spanBytes + deadBytes);
  put(MS_MCACHE_INUSE, mcacheBytes());
  put(MS_MCACHE_SYS, mcacheSys());
  put(MS_GC_SYS, collectorBytes + buffers);
  put(MS_BUCK_HASH_SYS, profile);
  put(MS_OTHER_SYS, <u64>h.sys - known - buffers - profile);
  const largeMallocs = counter(STAT_LARGE_MALLOCS);
  const largeFrees = counter(STAT_LARGE_FREES);
  put(MS_HEAP_ALLOC, alloc + largeLive - stacks);
  put(MS_TOTAL_ALLOC, total + counter(STAT_LARGE_TOTAL));
  put(MS_MALLOCS, mallocs + largeMallocs + tiny);
  // As in Go, the pieces of tiny blocks count as allocated and freed.
  put(MS_FREES, mallocs - live + largeFrees + tiny);
  put(MS_TINY_ALLOCS, tiny);
  put(MS_LARGE_MALLOCS, largeMallocs);
  put(MS_LARGE_FREES, largeFrees);
  put(MS_LARGE_LIVE_BYTES, largeLive);
  put(MS_REFILLS, counter(STAT_REFILLS));
  put(MS_GROUP_REFILLS, counter(STAT_GROUP_REFILLS));
  put(MS_SPAN_REFILLS, counter(STAT_SPAN_REFILLS));
  put(MS_CENTRAL_HITS, counter(STAT_CENTRAL_HITS));
  put(MS_CENTRAL_GROWS, counter(STAT_CENTRAL_GROWS));
  put(MS_PAGE_CACHE_HITS, counter(STAT_PAGE_CACHE_HITS));
  put(MS_PAGE_CACHE_REFILLS, counter(STAT_PAGE_CACHE_REFILLS));
  put(MS_PAGE_ALLOCS, counter(STAT_PAGE_ALLOCS));
  put(MS_SYS_GROWS, counter(STAT_SYS_GROWS));
  put(MS_SYS_GROW_FAILURES, counter(STAT_SYS_GROW_FAILURES));
  put(MS_RECLAIMS, counter(STAT_RECLAIMS));
  put(MS_REALLOC_IN_PLACE, counter(STAT_REALLOC_IN_PLACE));
  put(MS_REALLOC_MOVES, counter(STAT_REALLOC_MOVES));
  put(MS_ZEROED_BYTES_SKIPPED, counter(STAT_ZERO_SKIPPED));
  put(MS_ZEROED_BYTES_CLEARED, counter(STAT_ZERO_CLEARED));
  put(MS_MISUSES, counter(STAT_MISUSES));
  put(MS_SPANS_IN_USE, spans);
  put(MS_TINY_BLOCKS, counter(STAT_TINY_BLOCKS));
  put(MS_HEAP_RETAINED, (<u64>retained) << PAGE_SHIFT);
  return true;
}
