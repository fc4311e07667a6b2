/**
 * The layer under the heap: linear memory, which only grows, in 64 KiB steps.
 *
 * Go's sys* states shrink to two on wasm: memory does not exist, or it is Ready. There is no reserve, no unmap, no
 * fault. What memory.grow brings reads as zero. Other code may grow the same memory at any time: a new region begins
 * where the memory ended, which may be after the end of the heap's last region.
 *
 * Lock: H. Cost: memory.grow takes 1-2 microseconds; everything else is arithmetic.
 */

import { ADDRESS_END, ASC, SHARED, WASM_PAGE_SHIFT } from "../base/config";
import { maxBytes, reserveBytes, softLimit } from "../base/options";
import { growMemory } from "../base/program";
import { STAT_SYS_GROWS, STAT_SYS_GROW_FAILURES, count } from "../base/counters";
import { heap, mheap } from "../base/state";

@inline const LAST_WASM_PAGE: u32 = ADDRESS_END >> WASM_PAGE_SHIFT;

/** End of the memory that the heap may use: at most ADDRESS_END. */
export function memoryEnd(): u32 {
  // memory.size lags behind another thread's growth.
  if (SHARED) return min(<u32>memory.grow(0), LAST_WASM_PAGE) << WASM_PAGE_SHIFT;
  return min(<u32>memory.size(), LAST_WASM_PAGE) << WASM_PAGE_SHIFT;
}

/** The wasm page at which the last growth began. */
export let grownAt: u32 = 0;

/**
 * Grow the memory by at least `n` wasm pages for the heap, from the previous memoryEnd() on. Returns how many were
 * added; 0 if the memory's maximum, the option maxBytes or the end of the address space forbid it. More than n are
 * added if a merge has replaced memory.grow by a host's function: Emscripten's adds a fifth of the memory.
 */
export function sysGrow(n: u32): u32 {
  const size = <u32>memory.size();
  let most = LAST_WASM_PAGE - min(size, LAST_WASM_PAGE);
  if (maxBytes != 0) {
    const sys = heap ? mheap().sys : 0;
    most = min(most, (max(maxBytes, sys) - sys) >> WASM_PAGE_SHIFT);
  }
  if (n > most) return 0;
  const before = growMemory(n);
  if (heap) count(before < 0 ? STAT_SYS_GROW_FAILURES : STAT_SYS_GROWS);
  if (before < 0) return 0;
  if (SHARED) {
    // Another thread may have grown the memory for its own use since memory.size was read.
    grownAt = <u32>before;
    return n;
  }
  grownAt = size;
  return min(<u32>memory.size() - size, most);
}

/**
 * A growth adds this fraction of the heap. A collected heap will reach its goal anyway, and each growth is a pause: V8
 * takes some milliseconds for it when the memory is 100 MB and JavaScript has accessed its buffer.
 */
@inline const RESERVE_SHIFT: u32 = ASC ? 4 : 7;

/**
 * Wasm pages to add to a growth so that the next one comes later: 1/128 of the heap (1/16 in AssemblyScript's runtime),
 * at most the option reserve, and none at or above the soft limit. The bound keeps peak memory close to need: the heap
 * never doubles.
 */
export function growthReserve(n: u32): u32 {
  const sys = mheap().sys;
  if (softLimit != 0 && <u64>sys + ((<u64>n) << WASM_PAGE_SHIFT) >= <u64>softLimit) return 0;
  return min(reserveBytes, sys >> RESERVE_SHIFT) >> WASM_PAGE_SHIFT;
}
