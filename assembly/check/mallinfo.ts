/**
 * mallinfo2, glibc's figures of a heap, from a walk over its spans.
 *
 *   hblks      large blocks              hblkhd     bytes of large blocks, in nothing else as in glibc
 *   arena      all other bytes obtained  uordblks   bytes of live blocks, each as large as its slot
 *   ordblks    free slots                fordblks   bytes of the arena that are not in a live block
 *   keepcost   bytes that malloc_trim gives back to the page heap
 *
 * smblks, usmblks and fsmblks are 0: glibc's fastbins. Lock: H. Cost: O(spans).
 */

import { LAST_P, PAGE_SHIFT } from "../base/config";
import { MHeap } from "../base/layout";
import { lock, unlock } from "../base/locks";
import { heap, mheap, recordOf, slotSize } from "../base/state";
import { isDeferred } from "../central/deferred";
import { usedSlots } from "../central/mspan";
import { spanOnPage } from "../central/tidy";
import { ensureReady } from "../alloc/procs";
import { nextSpanPage } from "../heap/mheap";

/** Fill the ten words at `out`; without a heap, or if its lock stays taken, all are 0. */
export function fillMallinfo(out: u32): void {
  for (let i: u32 = 0; i < 40; i += 4) store<u32>(out + i, 0);
  if (heap == 0 || !ensureReady() || !lock(0)) return;
  const h = mheap();
  let live: u32 = 0;
  let free: u32 = 0;
  let large: u32 = 0;
  let largeBytes: u32 = 0;
  for (let page = nextSpanPage(1); page != 0;) {
    const span = spanOnPage(page);
    const bytes = span.npages << PAGE_SHIFT;
    if (span.ngroups != 0) {
      const n = usedSlots(span);
      live += n * slotSize(span.row);
      free += <u32>span.nelems - n;
    } else if (!isDeferred(span)) {
      large++;
      largeBytes += bytes;
    }
    page = nextSpanPage(page + span.npages);
  }
  let retained: u32 = 0;
  for (let id: u32 = 0; id <= LAST_P; id++) {
    const record = recordOf(id);
    if (record) retained += changetype<MHeap>(<usize>record).retainedPages;
  }
  const sys = <u32>h.sys;
  store<u32>(out, sys - largeBytes);
  store<u32>(out, free, 4);
  store<u32>(out, large, 12);
  store<u32>(out, largeBytes, 16);
  store<u32>(out, live, 28);
  store<u32>(out, sys - live - largeBytes, 32);
  store<u32>(out, retained << PAGE_SHIFT, 36);
  unlock(0);
}
