/**
 * malloc: from a size to a block. Four levels, each reached when the one above has nothing:
 *
 *   1. the mcache: table -> row -> group -> lowest bit of allocCache        (this file, inlined)
 *      or the frees of the same group                                      (loadFreed, inlined)
 *   2. the mcentral: another group, another span                           (refill)
 *   3. the mheap: pages for a new span, or for a large block               (allocSpan, allocLargeSpan)
 *   4. linear memory: memory.grow                                          (mheap.grow)
 *
 * Sizes: up to 1024 by a table of 8-byte steps, up to 32768 by a table of 128-byte steps, beyond that by pages. This file
 * has the fast half; the slow one is alloc/blocks.ts. Between the two a block may be sampled (alloc/sampled.ts).
 *
 * Owner: the P; H below the mcentral. Cost: O(1) from the mcache; see alloc/mcache.ts for a refill.
 */

import { MAX_SMALL_SIZE, OBJECT, SAMPLES, SMALL_SIZE_MAX } from "../base/config";
import { Group, HEAP_TABLE8 } from "../base/layout";
import { ERRNO_ENOMEM, setErrno } from "../base/program";
import { here, rowAt } from "../base/state";
import { mallocBlock, tableRow, zeroedBlock } from "./blocks";
import { initReady, ensureReady } from "./procs";
import { freedSlots, loadFreed, mayLoad, takeSlot } from "./mcache";
import { mallocLargeSampled, mallocSampled, reclaimQuarantine } from "./sampled";

/**
 * malloc as in C: a block of at least `size` bytes, contents undefined. 0 if there is no memory.
 *
 * Everything but the last line is nextFreeFast for a request of 1..1024 bytes, to be inlined into callers. When a
 * window is used up, the frees into the same group become the next window: in a full heap this happens every few calls.
 */
export function malloc(size: u32): u32 {
  const h = here();
  const last = size - 1;
  if (last < SMALL_SIZE_MAX && h != 0) {
    const row = rowAt(load<u32>(h + ((last >> 3) << 2), HEAP_TABLE8 + 4));
    const g = changetype<Group>(<usize>row.group);
    const cache = g.allocCache;
    if (cache) return takeSlot(row, g, cache);
    const back = freedSlots(row, g);
    if (back && mayLoad(row, back)) {
      const p = takeSlot(row, g, back);
      loadFreed(row, g, back);
      return p;
    }
  }
  return OBJECT ? mallocOrErrno(size) : mallocSlow(size);
}

/** mallocSlow, which sets errno when there is no memory. */
function mallocOrErrno(size: u32): u32 {
  const p = mallocSlow(size);
  if (p == 0) setErrno(ERRNO_ENOMEM);
  // Never true, see mallocSlow.
  return size == 0 && p == 1 ? mallocOrErrno(p) : p;
}

/** malloc in full, for any size and any state of the heap. 0 if there is no memory. */
export function mallocSlow(size: u32): u32 {
  // It calls itself so that no optimiser sees a function with one caller and inlines it into malloc: the inlined half
  // would then pay for this function's registers.
  if (here() == 0) return initReady() ? mallocSlow(size) : 0;
  if (SAMPLES) {
    const p = sampled(size, false);
    if (p) return p;
  }
  const p = mallocBlock(size);
  return SAMPLES && p == 0 && reclaimQuarantine() ? mallocBlock(size) : p;
}

/** A sampled block, if one is due for a request of `size` bytes; else 0. */
function sampled(size: u32, zero: bool): u32 {
  return size <= MAX_SMALL_SIZE ? mallocSampled(tableRow(size), 16, size, zero) : mallocLargeSampled(16, size, zero);
}

/** calloc: `size` zero bytes; 0 if there is no memory. */
export function mallocZeroed(size: u32): u32 {
  if (!ensureReady()) return 0;
  size = max(size, 1);
  if (SAMPLES) {
    const p = sampled(size, true);
    if (p) return p;
  }
  const p = zeroedBlock(size);
  return SAMPLES && p == 0 && reclaimQuarantine() ? zeroedBlock(size) : p;
}
