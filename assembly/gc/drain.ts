/**
 * Drain: takes grey objects from the queue, last in first out, scans each, and so shades what it points to. Also the
 * walk over all marked objects, needed after the queue had no room.
 *
 * Owner: the thread that marks. Cost: O(bytes scanned), which is also how the work is counted.
 */

import { FLAG_FULL, MSPAN_SIZE, MSpan, SPAN_IN_USE, OBJECT_AT } from "../base/layout";
import { gcState, markWord } from "../base/gcstate";
import { rowAt, rowAddress } from "../base/state";
import { isScanRowAt } from "../base/gcrows";
import { pageRecord } from "../heap/arena";
import { nextSpanPage } from "../heap/mheap";
import { liveBits, spanAt } from "../central/mspan";
import { scanObject } from "./scan";
import { takeInbox } from "./inbox";
import { popWork } from "./work";

/** Scan queued objects until about `budget` bytes are done or none is left. Returns the bytes scanned. */
export function drain(budget: u64): u64 {
  let work: u64 = 0;
  while (work < budget) {
    const p = popWork();
    if (p != 0) work += scanObject(p);
    else if (!takeInbox()) break;
  }
  return work;
}

/**
 * After an overflow: scan every marked object again, because some were not queued. The heap is walked in address order;
 * if `overflow` is set again meanwhile, another walk is needed. Returns the bytes scanned.
 */
export function rescanMarked(): u64 {
  const g = gcState();
  g.overflow = 0;
  let work: u64 = 0;
  // The next page is read last: a work buffer may have been made from empty spans, including the next one.
  for (let page = nextSpanPage(1); page != 0; page = nextSpanPage(page + 1)) {
    const groups = pageRecord(page).groups;
    const span = spanAt(groups - MSPAN_SIZE);
    // Another thread may have freed the span in the meantime.
    if (groups == 0 || span.state != SPAN_IN_USE || (span.spanclass & 1) != 0) continue;
    if (span.ngroups) {
      if (isScanRowAt(rowAddress(span.row))) work += rescanSpan(span);
    } else if (span.flags & FLAG_FULL && load<u64>(markWord(span, 0)) != 0) {
      work += scanObject(span.startAddr + OBJECT_AT);
    }
    work += drain(~(<u64>0));
  }
  return work;
}

function rescanSpan(span: MSpan): u64 {
  const size = rowAt(rowAddress(span.row)).elemsize;
  let work: u64 = 0;
  for (let i: u32 = 0; i < span.ngroups; i++) {
    for (let bits = load<u64>(markWord(span, i)) & liveBits(span, i); bits != 0; bits &= bits - 1) {
      work += scanObject(span.startAddr + ((i << 6) + <u32>ctz(bits)) * size + OBJECT_AT);
    }
  }
  return work;
}
