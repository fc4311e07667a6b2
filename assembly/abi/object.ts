/**
 * What libgomalloc.a defines: libc's malloc family as C programs know it, with errno as libc sets it, and the functions of
 * native/gomalloc.h. The build gives some of them more names (scripts/build-objects.ts).
 *
 * The heap begins behind the program's data and stack. It is made by the first constructor (native/object/program.c), or by
 * the first call, whatever comes first. With threads, each takes a P at its first call that allocates.
 *
 * Addresses and sizes are u32. Owner: one thread at a time per instance. Cost: that of alloc/, which this file calls.
 */

import { EINVAL } from "../base/abinumbers";
import { ERRNO_EINVAL, ERRNO_ENOMEM, setErrno } from "../base/program";
import { MAX_SMALL_SIZE, PAGE_SIZE, WASM_PAGE_SHIFT } from "../base/config";
import { rowAt } from "../base/state";
import { fillMallinfo } from "../check/mallinfo";
import { tableRow } from "../alloc/blocks";
import { ensureReady } from "../alloc/procs";
import * as libc from "./libc";

export { malloc, free, free_sized, malloc_usable_size, malloc_trim } from "./libc";
export { mallopt as gomalloc_mallopt } from "./libc";

/** The page of valloc and pvalloc, as sysconf(_SC_PAGESIZE) has it. */
@inline const SYSTEM_PAGE: u32 = 1 << WASM_PAGE_SHIFT;

/**
 * Makes the heap if there is none. 1: there is one, 0: no memory. The heap owns all memory that there is by then: whoever
 * grows the memory without it calls this first.
 */
export function gomalloc_ready(): i32 {
  return ensureReady() ? 1 : 0;
}

/** `p`; errno is ENOMEM if that is NULL. */
@inline
function orErrno(p: u32): u32 {
  if (p == 0) setErrno(ERRNO_ENOMEM);
  return p;
}

/** As libc's: NULL and ENOMEM when there is no memory or the product exceeds 2^32 - 1. */
export function calloc(count: u32, size: u32): u32 {
  return orErrno(libc.calloc(count, size));
}

/** As libc's: NULL and ENOMEM when there is no memory; the old block is unchanged. realloc(p, 0) shrinks the block. */
export function realloc(ptr: u32, size: u32): u32 {
  return orErrno(libc.realloc(ptr, size));
}

/** realloc of `count` elements of `size` bytes. NULL and ENOMEM also when the product exceeds 2^32 - 1. */
export function reallocarray(ptr: u32, count: u32, size: u32): u32 {
  const bytes = <u64>count * <u64>size;
  return orErrno(bytes >> 32 ? 0 : libc.realloc(ptr, <u32>bytes));
}

/** NULL and EINVAL unless `align` is a power of two; NULL and ENOMEM when there is no memory. */
export function aligned_alloc(align: u32, size: u32): u32 {
  const p = libc.aligned_alloc(align, size);
  if (p == 0) setErrno(align == 0 || (align & (align - 1)) != 0 ? ERRNO_EINVAL : ERRNO_ENOMEM);
  return p;
}

/** 0, EINVAL or ENOMEM, as libc numbers them; errno is left alone. */
export function posix_memalign(out: u32, align: u32, size: u32): i32 {
  const code = libc.posix_memalign(out, align, size);
  if (code == 0) return 0;
  return code == EINVAL ? ERRNO_EINVAL : ERRNO_ENOMEM;
}

/** A block at a page of the system, 64 KiB. */
export function valloc(size: u32): u32 {
  return orErrno(libc.aligned_alloc(SYSTEM_PAGE, size));
}

/** valloc of whole pages. */
export function pvalloc(size: u32): u32 {
  const bytes = (<u64>size + SYSTEM_PAGE - 1) & ~(<u64>SYSTEM_PAGE - 1);
  return orErrno(bytes >> 32 ? 0 : libc.aligned_alloc(SYSTEM_PAGE, <u32>bytes));
}

/** C23: free what aligned_alloc gave, told its size. */
export function free_aligned_sized(ptr: u32, _align: u32, size: u32): void {
  libc.free_sized(ptr, size);
}

/** The largest size, from `size` up, that takes no more room than `size`. */
export function malloc_good_size(size: u32): u32 {
  if (size > MAX_SMALL_SIZE) return max(size, (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
  return ensureReady() ? max(size, rowAt(tableRow(max(size, 1))).elemsize) : size;
}

/** glibc's parameters of mallopt are hints on other structures: 1 for those, and nothing changes; 0 for all others. */
export function mallopt(param: i32, _value: i32): i32 {
  // M_MXFAST is 1; M_TRIM_THRESHOLD to M_MMAP_MAX are -1 to -4; M_ARENA_TEST and M_ARENA_MAX are -7 and -8.
  return select<i32>(1, 0, param == 1 || (param <= -1 && param >= -4) || param == -7 || param == -8);
}

/** glibc's figures: fills the ten words of struct mallinfo2 at `out`. O(spans). */
export function mallinfo2(out: u32): void {
  fillMallinfo(out);
}
