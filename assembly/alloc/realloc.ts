/**
 * realloc and aligned_alloc: the calls that need a block's span as well as its address.
 *
 * realloc stays in place while the block's slot fits and is at most twice too large. A large block, or one that is the
 * only block of its span, grows over the pages behind it, and a large block gives up pages at its end when it shrinks;
 * the heap's last block also grows into new memory (central/resize.ts). Otherwise it moves: a new block, a copy, a
 * free. If there is no memory the old block stays as it was.
 *
 * Owner: the P; H to resize a large block. Cost: O(1) in place, else a malloc, a copy and a free.
 */

import { MISUSE_INTERIOR, MISUSE_NONE } from "../base/abinumbers";
import { ASC, MAX_SMALL_SIZE, NUM_CLASSES, OBJECT, PAGE_SHIFT, PAGE_SIZE, SAMPLES, SHARED } from "../base/config";
import { STAT_REALLOC_IN_PLACE, STAT_REALLOC_MOVES, count } from "../base/counters";
import { lock, unlock } from "../base/locks";
import { MSpan } from "../base/layout";
import { clearMoving, rowAddress } from "../base/state";
import { classFor, classSlot } from "../central/rows";
import { freeUnused, isSmall } from "../central/reclaim";
import { refusePinned } from "./pins";
import { blockSize } from "../central/mspan";
import { resizeLargeSpan, widenSpan } from "../central/resize";
import { free, freeChecked, liveSlotSize } from "./free";
import { checkPointer, checkedSpan } from "./freeslow";
import { copyBytes, copyWords, mallocLarge, nextFree } from "./blocks";
import { malloc, mallocSlow } from "./malloc";
import { misuse } from "./misuse";
import { ensureReady } from "./procs";
import { rawAlloc } from "./raw";
import {
  endSample,
  freeSampled,
  interiorKind,
  mallocLargeSampled,
  mallocSampled,
  reclaimQuarantine,
  resampleLarge,
  sampledSize,
} from "./sampled";

/** The smallest slot: moving out of it gains nothing. */
@inline const MIN_SLOT: u32 = 8;

/** realloc as in C, for a pointer that is not null. */
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
  if (SAMPLES) {
    const n = sampledSize(p);
    if (n) return reallocSampled(p, n, size);
  }
  let kind = checkPointer(p);
  if (kind == MISUSE_NONE) return reallocChecked(p, size);
  if (SAMPLES && kind == MISUSE_INTERIOR) kind = interiorKind(p);
  misuse(kind, p);
  // Never true, see mallocSlow.
  return kind == -1 ? reallocBlock(kind, size) : 0;
}

/** resizeLargeSpan under H. */
@inline
function resizeLarge(span: MSpan, npages: u32): bool {
  if ((SHARED && !ensureReady()) || !lock(0)) return false;
  const done = resizeLargeSpan(span, npages);
  clearMoving();
  unlock(0);
  return done;
}

/** Whether a block of `size` bytes may have `npages` pages of its own: it leaves at most a fifth of them unused. */
@inline
function fillsPages(size: u32, npages: u32): bool {
  return size > MAX_SMALL_SIZE || (npages << PAGE_SHIFT) - size <= size >> 2;
}

/**
 * Resize the live block at `p` to `size` bytes (0 counts as 1). Returns its address, or 0 if there is no memory. The
 * caller must have passed `p` to checkPointer just before.
 */
export function reallocChecked(p: u32, size: u32): u32 {
  const span = checkedSpan;
  const old = blockSize(span);
  if (size > 0xffff0000) return 0;
  size = max(size, 1);
  const npages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
  // A small span that is widened was sampled as a small block or not at all.
  const large = SAMPLES && span.ngroups == 0;
  let done: bool;
  if (span.ngroups == 0) done = (size >= old >> 1 || fillsPages(size, npages)) && resizeLarge(span, npages);
  else if (size > old) done = widenSpan(span, npages);
  else done = size >= old >> 1 || old == MIN_SLOT;
  if (done) {
    if (SAMPLES && large) resampleLarge(p, old);
    count(STAT_REALLOC_IN_PLACE);
    return p;
  }
  const q = move(p, min(size, old), size);
  // A shrink that found no memory to move to still succeeds: the block is large enough.
  return q == 0 && size <= old ? p : q;
}

/**
 * realloc of the live sampled block at `p`, of `old` bytes: it moves. Without memory a smaller size leaves it as it is; for
 * a larger one the result is 0, and nothing has changed.
 */
export function reallocSampled(p: u32, old: u32, size: u32): u32 {
  const q = malloc(size);
  if (q == 0) return size <= old ? p : 0;
  copyBytes(q, p, min(old, size));
  freeSampled(p);
  return q;
}

/**
 * Copy the block's first `used` bytes to a new block of `size` bytes. 0, with nothing changed, if there is no memory.
 */
function move(p: u32, used: u32, size: u32): u32 {
  // A block that keeps growing gets the lowest free room, not the room behind the spans where it was before.
  if (!SHARED && size > max(used, PAGE_SIZE >> 1) && isSmall()) freeUnused();
  const q = ASC ? rawAlloc(size) : malloc(size);
  if (q == 0) return 0;
  if (SAMPLES) copyBytes(q, p, used);
  else copyWords(q, p, used);
  if (ASC && SAMPLES) endSample(p);
  if (ASC) freeChecked(p);
  else free(p);
  count(STAT_REALLOC_MOVES);
  return q;
}

/** mallocAligned, which frees what is in quarantine where there is no memory. */
export function mallocAligned(align: u32, size: u32): u32 {
  const p = alignedBlock(align, size);
  return SAMPLES && p == 0 && reclaimQuarantine() ? alignedBlock(align, size) : p;
}

/**
 * A block of `size` bytes at a multiple of `align`, a power of two. A class whose size is a multiple of `align` has all
 * its slots at such multiples, up to a page. Beyond a page, and beyond the classes, it takes its own pages. 0 if there
 * is no memory.
 */
function alignedBlock(align: u32, size: u32): u32 {
  if (!ensureReady()) return 0;
  size = max(size, align <= 16 ? align : 1);
  // In an object file malloc sets errno, which posix_memalign leaves alone.
  if (align <= 16) return OBJECT ? mallocSlow(size) : malloc(size);
  if (align <= PAGE_SIZE && size <= MAX_SMALL_SIZE) {
    const c = classFor(size, align);
    if (c < NUM_CLASSES) {
      if (SAMPLES) {
        const p = mallocSampled(rowAddress(c), align, size, false);
        if (p) return p;
      }
      return nextFree(rowAddress(c), classSlot(c));
    }
  }
  if (SAMPLES) {
    const p = mallocLargeSampled(align, size, false);
    if (p) return p;
  }
  return mallocLarge(size, align <= PAGE_SIZE ? 1 : align >> PAGE_SHIFT, false, 1);
}
