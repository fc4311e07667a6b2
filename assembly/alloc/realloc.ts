/**
 * realloc and aligned_alloc: what needs the span of a block besides its address.
 *
 * realloc stays in place while the block's slot fits and is not more than twice too large; a large block, and one that is
 * its span's only one, shrinks and grows over the pages behind it, into new memory too when it is the last one
 * (central/resize.ts). Otherwise it moves: a new block, a copy, a free. When there is no memory the old block stays as it was.
 */

import { MISUSE_NONE } from "../base/abinumbers";
import { ASC, MAX_SMALL_SIZE, NUM_CLASSES, PAGE_SHIFT, PAGE_SIZE, SHARED } from "../base/config";
import { STAT_REALLOC_IN_PLACE, STAT_REALLOC_MOVES, count } from "../base/counters";
import { lock, unlock } from "../base/locks";
import { MSpan } from "../base/layout";
import { clearMoving, rowAddress } from "../base/state";
import { classFor, classSlot } from "../central/rows";
import { giveBack, isSmall } from "../central/reclaim";
import { refusePinned } from "./pins";
import { blockSize } from "../central/mspan";
import { resizeLargeSpan, widenSpan } from "../central/resize";
import { checkPointer, checkedSpan, free, freeChecked, liveSlotSize } from "./free";
import { copyWords, malloc, mallocLarge, nextFree } from "./malloc";
import { misuse } from "./misuse";
import { isReady } from "./procs";
import { rawAlloc } from "./raw";

/** The least slot: nothing is gained by moving out of it. */
@inline const MIN_SLOT: u32 = 8;

/** realloc as C has it, for what is not null. */
export function reallocBlock(p: u32, size: u32): u32 {
  if (refusePinned(p)) return 0;
  const old = liveSlotSize(p);
  if (size <= old) {
    if (size > old >> 1) {
      count(STAT_REALLOC_IN_PLACE);
      return p;
    }
  } else if (old && size <= PAGE_SIZE) {
    return move(p, old, size);
  }
  const kind = checkPointer(p);
  if (kind == MISUSE_NONE) return reallocChecked(p, size);
  misuse(kind, p);
  // Never true, see mallocSlow.
  return kind == -1 ? reallocBlock(kind, size) : 0;
}

/** resizeLargeSpan under H. */
@inline
function resizeLarge(span: MSpan, npages: u32): bool {
  if ((SHARED && !isReady()) || !lock(0)) return false;
  const done = resizeLargeSpan(span, npages);
  clearMoving();
  unlock(0);
  return done;
}

/**
 * Resize the live block at `p` to `size` bytes (0 counts as 1). Returns its address, or 0 when there is no memory.
 * The caller has just had `p` checked by checkPointer.
 */
export function reallocChecked(p: u32, size: u32): u32 {
  const span = checkedSpan;
  const old = blockSize(span);
  if (size > 0xffff0000) return 0;
  size = max(size, 1);
  const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
  let done: bool;
  if (span.ngroups == 0) done = (size > MAX_SMALL_SIZE || size >= old >> 1) && resizeLarge(span, npages);
  else if (size > old) done = widenSpan(span, npages);
  else done = size >= old >> 1 || old == MIN_SLOT;
  if (done) {
    count(STAT_REALLOC_IN_PLACE);
    return p;
  }
  const q = move(p, min(size, old), size);
  // A shrink that found no memory to move to is still a success: the block is large enough.
  return q == 0 && size <= old ? p : q;
}

/** The block's first `used` bytes in a new one of `size` bytes; 0, and nothing has changed, when there is no memory. */
function move(p: u32, used: u32, size: u32): u32 {
  // What is to grow on gets the lowest room that there is, not the one behind the spans where it was before.
  if (!SHARED && size > PAGE_SIZE >> 1 && isSmall()) giveBack();
  const q = ASC ? rawAlloc(size) : malloc(size);
  if (q == 0) return 0;
  copyWords(q, p, used);
  if (ASC) freeChecked(p);
  else free(p);
  count(STAT_REALLOC_MOVES);
  return q;
}

/**
 * A block of `size` bytes at a multiple of `align`, a power of two. A class whose size is a multiple of `align` has all
 * its slots there, up to a page; beyond, and beyond the classes, it takes pages of its own. 0 when there is no memory.
 */
export function mallocAligned(align: u32, size: u32): u32 {
  if (!isReady()) return 0;
  size = max(size, align <= 16 ? align : 1);
  if (align <= 16) return malloc(size);
  if (align <= PAGE_SIZE && size <= MAX_SMALL_SIZE) {
    const c = classFor(size, align);
    if (c < NUM_CLASSES) return nextFree(rowAddress(c), classSlot(c));
  }
  return mallocLarge(size, align <= PAGE_SIZE ? 1 : align >> PAGE_SHIFT, false, 1);
}
