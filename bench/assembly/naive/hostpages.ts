/**
 * Memory from the host for each allocation: what a program has without an allocator. Each block has wasm pages of its
 * own (64 KiB, the least that the host gives), as it would have pages of mmap's under an operating system.
 *
 * Wasm's host takes nothing back. In its place, pages of freed blocks are listed, up to 16 by their number and longer
 * runs in one list, and the next request for as many has them, as an operating system would give them to somebody. Each
 * allocation calls the host all the same, for no pages if a list had them.
 *
 * 65,536 blocks fill the memory: long workloads end there.
 */

import { memoryEnd } from "./growth";
import { zeroed } from "./zeroed";

const PAGE: u64 = 65536;
/** Before a block: its first page's address, which also links the list, and how many pages it has. */
const HEADER: usize = 16;
const LISTED: u32 = 16;

/** Heads of the lists; 0 until begun. */
let heads: usize = 0;

/** Takes the start of [heapBase, end of memory) for the heads of the lists, and nothing else. */
export function init(heapBase: u32): void {
  if (!heads && <usize>heapBase + (LISTED + 2) * 4 <= memoryEnd()) begin(heapBase);
}

function begin(at: usize): void {
  memory.fill(at, 0, (LISTED + 2) * 4);
  heads = at;
}

/** The list for runs of `pages` pages. Those in it are linked through their first word; the second is their length. */
@inline
function listOf(pages: u32): usize {
  return heads + ((<usize>min(pages, LISTED + 1)) << 2);
}

/** The address of `pages` pages; 0 if the memory cannot grow. */
function take(pages: u32): usize {
  let link = listOf(pages);
  let run: usize = load<u32>(link);
  while (run && load<u32>(run, 4) < pages) {
    link = run;
    run = load<u32>(link);
  }
  const before = memory.grow(run ? 0 : pages);
  if (run) {
    store<u32>(link, load<u32>(run));
    return run;
  }
  if (before < 0) return 0;
  const start = <usize>(<u64>before * PAGE);
  store<u32>(start, pages, 4);
  return start;
}

export function malloc(size: usize): usize {
  return aligned_alloc(16, size);
}

export function free(ptr: usize): void {
  if (!ptr) return;
  const run: usize = load<u32>(ptr - HEADER);
  const pages = load<u32>(ptr - HEADER, 4);
  const list = listOf(pages);
  store<u32>(run, load<u32>(list));
  store<u32>(run, pages, 4);
  store<u32>(list, run);
}

export function calloc(count: usize, size: usize): usize {
  const total = <u64>count * <u64>size;
  if (total >> 32) return 0;
  return zeroed(malloc(<usize>total), <usize>total);
}

/** In place within its pages. */
export function realloc(ptr: usize, size: usize): usize {
  if (!ptr) return malloc(size);
  const run: usize = load<u32>(ptr - HEADER);
  const held = <usize>(<u64>run + <u64>load<u32>(ptr - HEADER, 4) * PAGE - <u64>ptr);
  if (size <= held) return ptr;
  const moved = malloc(size);
  if (!moved) return 0;
  memory.copy(moved, ptr, held);
  free(ptr);
  return moved;
}

/** `align` must be a power of two. */
export function aligned_alloc(align: usize, size: usize): usize {
  const bytes = <u64>size + <u64>max(align, HEADER);
  if (bytes > 0xffff_0000) return 0;
  if (!heads) {
    const before = memory.grow(1);
    if (before < 0) return 0;
    begin(<usize>(<u64>before * PAGE));
  }
  const pages = <u32>((bytes + PAGE - 1) / PAGE);
  const run = take(pages);
  if (!run) return 0;
  const held = load<u32>(run, 4);
  const ptr = (run + HEADER + align - 1) & ~(align - 1);
  store<u32>(ptr - HEADER, run);
  store<u32>(ptr - HEADER, held, 4);
  return ptr;
}
