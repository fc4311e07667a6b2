/**
 * Work buffers: the grey objects, as a stack of addresses in separate pages.
 *
 *   page   0 previous page u32 | 8 entries u32[2046]
 *   top    address behind the last entry; at a page's end it is the next page's start, which means full
 *
 * Last in, first out. A page that becomes empty is kept as the spare, so that a stack that moves back and forth across
 * a page boundary does not call the heap. Without memory for another page the object stays marked and unqueued, and
 * `overflow` is set: gc/drain.ts then walks all marked objects. So even a full heap can be collected. Go's workbufs are
 * the model.
 *
 * Owner: the thread that marks, which in a shared heap has M. Lock: H for a page. Cost: a store and an add.
 */

import { PAGE_SHIFT, PAGE_SIZE, SHARED } from "../base/config";
import { GcState, gcState } from "../base/gcstate";
import { addWord } from "../base/words";
import { allocTable, freeTable } from "../central/records";

@inline export const HEADER: u32 = 8;
@inline export const MASK: u32 = PAGE_SIZE - 1;

/** Queue an object that was just marked. */
@inline
export function pushWork(p: u32): void {
  const g = gcState();
  let top = g.top;
  if ((top & MASK) == 0) {
    top = nextBuffer(top);
    if (top == 0) return;
  }
  store<u32>(top, p);
  g.top = top + 4;
}

/** Remove and return the object queued last; 0: the queue is empty. */
@inline
export function popWork(): u32 {
  const g = gcState();
  let top = g.top;
  if ((top & MASK) == HEADER) top = lastBuffer(top);
  if (top == 0) return 0;
  g.top = top - 4;
  return load<u32>(top - 4);
}

/** Whether the queue is empty. */
export function isWorkEmpty(): bool {
  const top = gcState().top;
  return top == 0 || ((top & MASK) == HEADER && load<u32>(top - HEADER) == 0);
}

/** Allocate a first page while there is memory, for a cycle that begins when there is none. */
export function reserveBuffer(): void {
  const g = gcState();
  if (g.spare != 0 || g.top != 0) return;
  const at = nextBuffer(0);
  g.overflow = 0;
  if (at) g.spare = at - HEADER;
}

/** Add a page after the full one that ends at `top`. Returns where its first entry goes; 0: no memory. */
function nextBuffer(top: u32): u32 {
  const g = gcState();
  let page = g.spare;
  if (page) {
    g.spare = 0;
  } else {
    page = allocTable(1) << PAGE_SHIFT;
    if (page == 0) {
      if (g.overflow == 0) g.overflows += 1;
      g.overflow = 1;
      return 0;
    }
    countBuffers(1);
  }
  store<u32>(page, top ? top - PAGE_SIZE : 0);
  return page + HEADER;
}

/**
 * The page of `top` is empty: return to the end of the page before. Returns 0, and changes nothing, if it is the first.
 */
function lastBuffer(top: u32): u32 {
  const g = gcState();
  const page = top - HEADER;
  const prev = load<u32>(page);
  if (prev == 0) return 0;
  // First, so that after a death of this thread nobody finds a page that is free.
  g.top = prev + PAGE_SIZE;
  if (g.spare) freeBuffer(page);
  else g.spare = page;
  return prev + PAGE_SIZE;
}

/** Count `n` more pages of addresses. */
@inline
export function countBuffers(n: i32): void {
  addWord<u32>(changetype<usize>(gcState()), <u32>n, offsetof<GcState>("buffers"));
}

export function freeBuffer(page: u32): void {
  countBuffers(-1);
  freeTable(page >> PAGE_SHIFT, 1);
}

/**
 * At the end of a cycle, with an empty queue: free all pages but one. The next cycle may begin because memory has run
 * out, and needs this page: without any page, each object would cost a walk of the heap.
 */
export function freeBuffers(): void {
  const g = gcState();
  if (SHARED) {
    const spare = g.spare;
    const top = g.top;
    g.spare = 0;
    g.top = 0;
    if (spare) freeBuffer(spare);
    if (top) freeBuffer(top - HEADER);
    return;
  }
  if (g.top == 0) return;
  if (g.spare) freeBuffer(g.top - HEADER);
  else g.spare = g.top - HEADER;
  g.top = 0;
}
