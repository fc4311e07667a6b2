/**
 * Blocks that only their caller owns: heap.alloc of AssemblyScript programs.
 *
 * They have their own rows (central/rawrows.ts), which the collector does not look at: a block costs no header, no
 * clearing and no part of a cycle, and lives until it is freed. Beyond 32 KiB it has its own pages. All blocks are at
 * multiples of 16.
 *
 * Owner: the P. Cost: that of malloc and free.
 */

import { MAX_SMALL_SIZE, PAGE_SHIFT, PAGE_SIZE, SAMPLES } from "../base/config";
import { gcState } from "../base/gcstate";
import { Group } from "../base/layout";
import { rowAddress, rowAt } from "../base/state";
import { reclaimPages } from "../central/sweep";
import { rawRow } from "../central/rawrows";
import { findPages } from "../heap/pagealloc";
import { hasRun } from "../heap/runs";
import { mallocLarge, nextFree } from "./blocks";
import { isObjectDue, sampleLargeRaw, sampleRaw } from "./sampled";

/** A block of at least `size` bytes at a multiple of 16, contents undefined; 0: no memory. The heap must exist. */
export function rawAlloc(size: u32): u32 {
  if (size - 1 < MAX_SMALL_SIZE) {
    const address = rowAddress(rawRow(size));
    return SAMPLES ? rawCounted(address, size) : nextFree(address, size);
  }
  if (size == 0) return rawAlloc(1);
  const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
  // Pages that a sweep can still free are used before memory grows, but not earlier.
  if (gcState().sweeping && !hasRun(npages) && findPages(npages) == 0) reclaimPages(npages);
  const p = mallocLarge(size, 1, false, 1);
  return SAMPLES ? sampleLargeRaw(p) : p;
}

/** A slot of the row at `address`; it is sampled if that is due. */
function rawCounted(address: u32, size: u32): u32 {
  const row = rowAt(address);
  const due = changetype<Group>(<usize>row.group).allocCache == 0 && isObjectDue(row);
  const p = nextFree(address, size);
  if (due) sampleRaw(row, p);
  return p;
}
