/**
 * The C ABI: the malloc family as in libc, over one heap per instance.
 *
 * Addresses and sizes are u32. Blocks are 16-aligned from 16 bytes up and 8-aligned below. Out of memory returns NULL
 * and changes nothing.
 *
 * Owner: one thread at a time per instance. Cost: that of alloc/, which this file calls.
 */

import { EINVAL, ENOMEM } from "../base/abinumbers";
import { setOption } from "../base/options";
import { SAMPLES, SHARED } from "../base/config";
import { attachHeap, bootstrap } from "../alloc/init";
import { reclaimRemote } from "../alloc/blocks";
import { malloc, mallocZeroed } from "../alloc/malloc";
import { REPORT, free, freeBy, smallBlockSize, usableSize } from "../alloc/free";
import { mallocAligned, reallocBlock } from "../alloc/realloc";
import { ensureReady } from "../alloc/procs";
import { setSampling } from "../alloc/sampled";
import { isProfileOption } from "../central/countdown";
import { lock, unlock } from "../base/locks";
import { mayFreeOrReport } from "../alloc/pins";
import { heap } from "../base/state";
import { freeUnusedAndCompact } from "../central/reclaim";

export { gomalloc_misuse } from "../alloc/misuse";

/**
 * Give the heap [heapBase, end of memory); nothing below heapBase is ever touched. Call it once, before the first
 * malloc; a second call does nothing. If memory cannot grow enough for the heap's records, nothing is set up, and the
 * first malloc tries again on memory that it grows itself.
 */
export function init(heapBase: u32): void {
  if (SHARED) attachHeap(heapBase);
  else bootstrap(true, heapBase);
}

/** Set an option (base/options.ts has parameters and values), before or after init. 1: accepted, else 0. */
export function mallopt(param: i32, value: u32): i32 {
  return SAMPLES && isProfileOption(param) ? setSampling(param, value) : setOption(param, value);
}

/** A block of at least `size` bytes with undefined contents; malloc(0) returns a block too. NULL: no memory. */
export { malloc };

/** Free a block. NULL is ignored. A pointer that is not the start of a live block is a misuse. */
export { free };

/** C23: free a block of which the caller knows that it asked for `size` bytes. More than the block has is a misuse. */
export function free_sized(ptr: u32, size: u32): void {
  if (!mayFreeOrReport(ptr)) return;
  freeBy(ptr, size, REPORT);
}

/** `count` elements of `size` bytes, all zero. NULL: no memory, or the product exceeds 2^32 - 1. */
export function calloc(count: u32, size: u32): u32 {
  const bytes = <u64>count * <u64>size;
  return bytes >> 32 ? 0 : mallocZeroed(<u32>bytes);
}

/**
 * Resize a block and keep its contents up to the smaller size. realloc(NULL, n) is malloc(n); realloc(p, 0) shrinks the
 * block to the smallest size. NULL: no memory, or misuse; the old block is unchanged.
 */
export function realloc(ptr: u32, size: u32): u32 {
  return ptr ? reallocBlock(ptr, size) : malloc(size);
}

@inline
function isPowerOfTwo(n: u32): bool {
  return n != 0 && (n & (n - 1)) == 0;
}

/** A block at a multiple of `align`, a power of two. NULL: another alignment, or no memory. */
export function aligned_alloc(align: u32, size: u32): u32 {
  return isPowerOfTwo(align) ? mallocAligned(align, size) : 0;
}

/** The older name of aligned_alloc. */
export { aligned_alloc as memalign };

/**
 * Store an aligned block at *out. Returns 0; EINVAL (22) unless align is a power of two and a multiple of 4; ENOMEM
 * (12). An address outside the memory traps before a block is allocated.
 */
export function posix_memalign(out: u32, align: u32, size: u32): i32 {
  if (!isPowerOfTwo(align) || align < 4) return EINVAL;
  load<u32>(out);
  const p = mallocAligned(align, size);
  if (p == 0) return ENOMEM;
  store<u32>(out, p);
  return 0;
}

/**
 * Bytes of the live block at `ptr`, at least the requested size; 0 for NULL. For anything else it returns 0 or, in the
 * malloc flavour, the bytes of the free slot that starts there: only free checks whether a block is live.
 */
export function malloc_usable_size(ptr: u32): u32 {
  const n = smallBlockSize(ptr);
  return n ? n : usableSize(ptr);
}

/**
 * glibc's name: return retained empty spans to the page heap, so that blocks of any size can use them. 1: there were
 * any, else 0. Memory itself never shrinks on wasm; `pad` is ignored.
 */
export function malloc_trim(_pad: u32): i32 {
  if (heap == 0 || !ensureReady()) return 0;
  reclaimRemote();
  if (!lock(0)) return 0;
  const some = freeUnusedAndCompact();
  unlock(0);
  return some ? 1 : 0;
}
