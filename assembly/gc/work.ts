/**
 * Work buffers: the grey objects, as a stack of addresses in pages of their own.
 *
 *   page   0 previous page u32 | 8 entries u32[2046]
 *   top    address past the last entry; at a page's end it is the next page's start, which says full
 *
 * Last in, first out. A page that runs empty is kept as the spare, so that a stack which goes up and down at its edge asks
 * the heap for nothing. When there is no memory for another page the object stays marked and unqueued, and `overflow`
 * tells: mark.ts then looks through all marked objects for such. So a full heap can still be collected.
 *
 * Owner: the thread that marks, which in a shared heap has M. Cost: a store and an add. Lock: H for a page.
 */

import { PAGE_SHIFT, PAGE_SIZE, SHARED } from "../base/config";
import { gcState } from "../base/gcstate";
import { allocTable, freeTable } from "../central/records";

@inline export const HEADER: u32 = 8;
@inline export const MASK: u32 = PAGE_SIZE - 1;

/** Queue an object that has just been marked. */
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

/** The object queued last; 0: none. */
@inline
export function popWork(): u32 {
  const g = gcState();
  let top = g.top;
  if ((top & MASK) == HEADER) top = lastBuffer(top);
  if (top == 0) return 0;
  g.top = top - 4;
  return load<u32>(top - 4);
}

/** Whether no object is queued. */
export function isWorkEmpty(): bool {
  const top = gcState().top;
  return top == 0 || ((top & MASK) == HEADER && load<u32>(top - HEADER) == 0);
}

/** A first page while there is memory, for a cycle that begins when there is none. */
export function reserveBuffer(): void {
  const g = gcState();
  if (g.spare != 0 || g.top != 0) return;
  const at = nextBuffer(0);
  g.overflow = 0;
  if (at) g.spare = at - HEADER;
}

/** The full page at whose end `top` is gets a successor: where its first entry goes, 0 when there is no memory. */
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
    g.buffers += 1;
  }
  store<u32>(page, top ? top - PAGE_SIZE : 0);
  return page + HEADER;
}

/** The page in which `top` stands is empty: the end of the one before, 0 when it is the first; then nothing changes. */
function lastBuffer(top: u32): u32 {
  const g = gcState();
  const page = top - HEADER;
  const prev = load<u32>(page);
  if (prev == 0) return 0;
  // If the thread dies nobody may find a page that is free.
  if (SHARED) g.top = prev + PAGE_SIZE;
  if (g.spare) freeBuffer(page);
  else g.spare = page;
  return prev + PAGE_SIZE;
}

export function freeBuffer(page: u32): void {
  gcState().buffers -= 1;
  freeTable(page >> PAGE_SHIFT, 1);
}

/**
 * The cycle ends, nothing is queued: all but one page go back. That one is there when the next cycle begins because memory
 * is out; without any, each object would cost a walk of the heap.
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
