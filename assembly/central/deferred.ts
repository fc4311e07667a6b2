/**
 * Large spans that were freed by a thread without H: they wait, marked by FLAG_DEFERRED and a note, for the next who has it.
 * Shared heaps only.
 *
 * Lock: H to free them. Cost: a note.
 */

import { PAGE_SHIFT } from "../base/config";
import { FLAG_DEFERRED, MSPAN_SIZE, MSpan } from "../base/layout";
import { pageRecord } from "../heap/arena";
import { spanAt } from "./mspan";
import { beginWalk, deferredNotes, hasNotes, nextNoted, note, unnote } from "./notes";
import { freeSpan } from "./spans";

/** Leave a large span to the next who has H. From the flag on it may go. */
export function defer(span: MSpan): void {
  const page = span.startAddr >> PAGE_SHIFT;
  span.flags |= FLAG_DEFERRED;
  note(deferredNotes(), page);
}

/** Free the large spans that wait for H, which this thread has. */
export function freeDeferred(): void {
  if (!hasNotes(deferredNotes())) return;
  beginWalk(deferredNotes());
  for (let page = nextNoted(); page != 0; page = nextNoted()) freeDeferredOn(page);
}

/** The part of freeDeferred for a page that was noted. */
function freeDeferredOn(page: u32): void {
  const groups = pageRecord(page).groups;
  const span = spanAt(groups - MSPAN_SIZE);
  if (groups == 0 || span.ngroups != 0 || (span.flags & FLAG_DEFERRED) == 0) return;
  unnote(page);
  freeSpan(span);
}
