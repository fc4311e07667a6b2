/**
 * The C ABI: the malloc family as libc has it, over one heap per instance.
 *
 * Addresses and sizes are u32. Blocks are 16-aligned from 16 bytes up and 8-aligned below. Out of memory is NULL, and
 * nothing is lost by it. One thread at a time.
 */

import { EINVAL, ENOMEM } from "../base/abinumbers";
import { setOption } from "../base/options";
import { SHARED } from "../base/config";
import { attachHeap, bootstrap } from "../alloc/init";
import { malloc, mallocZeroed, takeBack } from "../alloc/malloc";
import { REPORT, free, freeBy, smallBlockSize, usableSize } from "../alloc/free";
import { mallocAligned, reallocBlock } from "../alloc/realloc";
import { isReady } from "../alloc/procs";
import { lock, unlock } from "../base/locks";
import { refusePinned } from "../alloc/pins";
import { heap } from "../base/state";
import { giveBackAll } from "../central/reclaim";

export { gomalloc_misuse } from "../alloc/misuse";

/**
 * Give the heap [heapBase, end of memory); nothing below heapBase is touched, ever. Call it before the first malloc and
 * once: a second call does nothing. When memory cannot grow enough for the heap's records, nothing is set up and the
 * first malloc tries on memory of its own.
 */
export function init(heapBase: u32): void {
  if (SHARED) attachHeap(heapBase);
  else bootstrap(true, heapBase);
}

/** Set an option, see base/options.ts for parameters and values; before or after init. 1 when it was taken, else 0. */
export function mallopt(param: i32, value: u32): i32 {
  return setOption(param, value);
}

/** A block of at least `size` bytes, contents undefined; malloc(0) is a block too. NULL: no memory. */
export { malloc };

/** Give a block back. NULL is nothing. A pointer that is not a live block's start is a misuse. */
export { free };

/** C23: free a block of which the caller knows that `size` bytes were asked for. More than the block has is a misuse. */
export function free_sized(ptr: u32, size: u32): void {
  if (refusePinned(ptr)) return;
  freeBy(ptr, size, REPORT);
}

/** `count` elements of `size` bytes, all zero; NULL when there is no memory or the product exceeds 2^32 - 1. */
export function calloc(count: u32, size: u32): u32 {
  const bytes = <u64>count * <u64>size;
  return bytes >> 32 ? 0 : mallocZeroed(<u32>bytes);
}

/**
 * Resize a block, keeping its contents up to the lesser size. realloc(NULL, n) is malloc(n), realloc(p, 0) shrinks the
 * block to the least. NULL: no memory, or misuse; the old block is as it was.
 */
export function realloc(ptr: u32, size: u32): u32 {
  return ptr ? reallocBlock(ptr, size) : malloc(size);
}

@inline
function isPowerOfTwo(n: u32): bool {
  return n != 0 && (n & (n - 1)) == 0;
}

/** A block at a multiple of `align`, a power of two; NULL for another alignment or when there is no memory. */
export function aligned_alloc(align: u32, size: u32): u32 {
  return isPowerOfTwo(align) ? mallocAligned(align, size) : 0;
}

/** The older name of aligned_alloc. */
export { aligned_alloc as memalign };

/**
 * Store an aligned block at *out: 0; EINVAL (22) unless align is a power of two and a multiple of 4; ENOMEM (12). An
 * address outside of the memory traps before a block is taken.
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
 * Bytes that the live block at `ptr` has, at least what was asked for; 0 for NULL. Of what is no live block it gives 0 or,
 * in the malloc flavour, the bytes of the free slot that starts there: whether it is live is for free to say.
 */
export function malloc_usable_size(ptr: u32): u32 {
  const n = smallBlockSize(ptr);
  return n ? n : usableSize(ptr);
}

/**
 * glibc's name: empty spans that are held for the next allocation go back to the page heap, for blocks of any size. 1
 * when there were any, else 0. Memory itself never shrinks on wasm; `pad` is not used.
 */
export function malloc_trim(_pad: u32): i32 {
  if (heap == 0 || !isReady()) return 0;
  takeBack();
  if (!lock(0)) return 0;
  const some = giveBackAll();
  unlock(0);
  return some ? 1 : 0;
}
