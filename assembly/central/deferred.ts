/**
 * Large spans that a thread without H has freed: they wait, marked by FLAG_DEFERRED and a note, for the next thread
 * that holds H. Shared heaps only.
 *
 * Lock: H to free them; none to defer. Cost: a note.
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { FLAG_DEFERRED, MSPAN_SIZE, MSpan } from "../base/layout";
import { pageRecord } from "../heap/arena";
import { spanAt } from "./mspan";
import { beginWalk, deferredNotes, hasNotes, nextNoted, note, unnote, isPageNoted, leadTo } from "./notes";
import { freeSpan } from "./spans";

/** Whether a large span has been freed and waits for H. */
@inline
export function isDeferred(span: MSpan): bool {
  return SHARED && (span.flags & FLAG_DEFERRED) != 0;
}

/** Leave a large span to the next holder of H. Once the flag is set the span may be freed at any time. */
export function defer(span: MSpan): void {
  const page = span.startAddr >> PAGE_SHIFT;
  span.flags |= FLAG_DEFERRED;
  note(deferredNotes(), page);
}

/** Free the large spans that wait for H. The caller holds H. */
export function freeDeferred(): void {
  if (!SHARED || !hasNotes(deferredNotes())) return;
  beginWalk(deferredNotes());
  for (let page = nextNoted(); page != 0; page = nextNoted()) freeDeferredOn(page);
}

/** The part of freeDeferred for a page that was noted. */
function freeDeferredOn(page: u32): void {
  const groups = pageRecord(page).groups;
  const span = spanAt(groups - MSPAN_SIZE);
  if (groups == 0 || span.ngroups != 0 || !isDeferred(span)) return;
  unnote(page);
  freeSpan(span);
}

/** Whether the next holder of H will find a large span that waits. For validate. */
export function isDeferredNoted(span: MSpan): bool {
  if (!SHARED) return true;
  const page = span.startAddr >> PAGE_SHIFT;
  return isPageNoted(page) && leadTo(deferredNotes(), page);
}
