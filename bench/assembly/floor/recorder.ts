/**
 * An allocator that hands every call on to the one it is merged with (module `inner`) and writes down the address
 * it got: one word for each malloc, calloc, realloc and aligned_alloc, in the order of the calls.
 *
 * Not timed. The list is what oracle.ts reads.
 */

@external("inner", "malloc")
declare function innerMalloc(size: usize): usize;
@external("inner", "free")
declare function innerFree(ptr: usize): void;
@external("inner", "calloc")
declare function innerCalloc(count: usize, size: usize): usize;
@external("inner", "realloc")
declare function innerRealloc(ptr: usize, size: usize): usize;
@external("inner", "aligned_alloc")
declare function innerAlignedAlloc(align: usize, size: usize): usize;

let log: usize = 0;

/** The inner heap sets itself up. */
export function init(_heapBase: u32): void {}

/** The list begins at `at`; the caller has provided the memory. */
export function setLog(at: u32): void {
  log = at;
}

/** Where the next entry goes. */
export function logEnd(): u32 {
  return <u32>log;
}

function note(ptr: usize): usize {
  store<u32>(log, <u32>ptr);
  log += 4;
  return ptr;
}

export function malloc(size: usize): usize {
  return note(innerMalloc(size));
}

export function free(ptr: usize): void {
  innerFree(ptr);
}

export function calloc(count: usize, size: usize): usize {
  return note(innerCalloc(count, size));
}

export function realloc(ptr: usize, size: usize): usize {
  return note(innerRealloc(ptr, size));
}

export function aligned_alloc(align: usize, size: usize): usize {
  return note(innerAlignedAlloc(align, size));
}
