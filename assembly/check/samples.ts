/**
 * The records of a heap that samples: validate's part for them, and their repair when a thread has died that held H.
 *
 *   an entry    its key is the start of a live slot or of a large block, and the search for the key finds it
 *   a bucket    allocs - frees, with what is to be published later, are the samples of its blocks in use
 *   quarantine  a list of all entries in that state, whose bytes are counted
 *
 * Nothing is trusted before it is checked. Writes Bucket.seen. A collected object that is dead may have a sample until
 * its span is swept.
 *
 * Lock: H. Cost: O(samples + buckets).
 */

import { BAD_SAMPLE } from "../base/abinumbers";
import { PAGE_SIZE, SAMPLES } from "../base/config";
import {
  BUCKET_FRAMES,
  BUCKET_HEADS,
  Bucket,
  NAME_HEADS,
  NAME_MAX,
  NAME_TEXT,
  Name,
  Profile,
  SAMPLE_COLLECTED,
  SAMPLE_DEFERRED,
  SAMPLE_LIVE,
  SAMPLE_QUARANTINED,
  SAMPLE_REMOVED,
  SAMPLE_SHIFT,
  SAMPLE_STATE,
  Sample,
} from "../base/samples";
import { MAX_FRAMES } from "../base/hooks";
import { slotSize } from "../base/state";
import { profile } from "../central/countdown";
import { blockSize, liveBits, remoteBits } from "../central/mspan";
import { bucketAt, entry, findSample, repairFlush } from "../central/samples";
import { spanOf } from "../heap/arena";
import { bad } from "./invariants";
import { areRecordPages, lies } from "./records";

/** Bucket.seen of a bucket in a chain, in its upper bits; the lower ones count. */
@inline const IN_CHAIN: u32 = 0xb0000000;
@inline const SEEN: u32 = 0x0fffffff;
/** More names than a heap has room for would be a circle. */
@inline const MAX_NAMES: u32 = 1 << 22;

/** Whether records of `bytes` bytes may lie at `at`. */
function isRecord(at: u32, bytes: u32, align: u32): bool {
  return lies(at, bytes, align) && areRecordPages(at, at + bytes);
}

/** What the bucket's figures say that is in use. */
function inUse(b: Bucket): i32 {
  return <i32>(b.allocs - b.frees + (b.allocs0 - b.frees0) + (b.allocs1 - b.frees1) + (b.allocs2 - b.frees2));
}

/** Check the chains of buckets and names, and mark the buckets as seen in them. */
function checkChains(p: Profile): u32 {
  if (p.heads == 0) return (p.names | p.buckets) != 0 ? bad(BAD_SAMPLE, p.names) : 0;
  const length: u32 = (BUCKET_HEADS + NAME_HEADS) << 2;
  if (p.names != p.heads + (BUCKET_HEADS << 2) || !isRecord(p.heads, length, PAGE_SIZE))
    return bad(BAD_SAMPLE, p.heads);
  let n: u32 = 0;
  for (let i: u32 = 0; i < BUCKET_HEADS; i++) {
    for (let at = load<u32>(p.heads + (i << 2)); at != 0; at = bucketAt(at).next) {
      if (++n > p.buckets || !isRecord(at, BUCKET_FRAMES, 4)) return bad(BAD_SAMPLE, at);
      const b = bucketAt(at);
      if ((b.hash & (BUCKET_HEADS - 1)) != i || b.frames > MAX_FRAMES) return bad(BAD_SAMPLE, at);
      b.seen = IN_CHAIN;
    }
  }
  if (n != p.buckets) return bad(BAD_SAMPLE, n);
  n = 0;
  for (let i: u32 = 0; i < NAME_HEADS; i++) {
    for (let at = load<u32>(p.names + (i << 2)); at != 0; at = changetype<Name>(<usize>at).next) {
      if (++n > MAX_NAMES || !isRecord(at, NAME_TEXT, 4)) return bad(BAD_SAMPLE, at);
      const name = changetype<Name>(<usize>at);
      if ((name.number & (NAME_HEADS - 1)) != i || name.bytes > NAME_MAX) return bad(BAD_SAMPLE, at);
    }
  }
  return 0;
}

/** Whether the sample is of a block that is there. */
function isOfBlock(s: Sample): bool {
  const span = spanOf(s.key);
  if (span == null || s.ptr < s.key || s.extent > blockSize(span)) return false;
  const inside = s.ptr - s.key;
  if (s.size > s.extent || inside > s.extent - s.size) return false;
  if (span.ngroups == 0) return s.key == span.startAddr;
  const size = slotSize(span.row);
  const slot = (s.key - span.startAddr) / size;
  if (s.key - span.startAddr != slot * size || slot >= <u32>span.nelems) return false;
  if (s.state & SAMPLE_COLLECTED) return true;
  const live = liveBits(span, slot >> 6) & ~remoteBits(span, slot >> 6);
  return ((live >> (slot & 63)) & 1) != 0;
}

/** 0, or BAD_SAMPLE. All spans have been checked. */
export function checkSamples(): u32 {
  if (!SAMPLES) return 0;
  const p = profile();
  if (p.from != 0) return bad(BAD_SAMPLE, p.from);
  const code = checkChains(p);
  if (code) return code;
  let used: u32 = 0;
  let live: u32 = 0;
  let waiting: u32 = 0;
  let bytes: u32 = 0;
  if (p.table) {
    const entries = p.mask + 1;
    if ((entries & p.mask) != 0 || entries == 0 || entries > (<u32>1) << (32 - SAMPLE_SHIFT - 1))
      return bad(BAD_SAMPLE, p.mask);
    if (!isRecord(p.table, entries << SAMPLE_SHIFT, PAGE_SIZE)) return bad(BAD_SAMPLE, p.table);
    for (let i: u32 = 0; i < entries; i++) {
      const s = entry(i);
      const at = <u32>changetype<usize>(s);
      if (s.key != 0) used++;
      if (s.key <= SAMPLE_REMOVED) continue;
      live++;
      if (findSample(s.key) != s || !isOfBlock(s)) return bad(BAD_SAMPLE, at);
      if (!isRecord(s.bucket, BUCKET_FRAMES, 4) || bucketAt(s.bucket).seen < IN_CHAIN) return bad(BAD_SAMPLE, at);
      const state = s.state & SAMPLE_STATE;
      if (state == SAMPLE_LIVE || state == SAMPLE_DEFERRED) {
        bucketAt(s.bucket).seen += 1;
      } else if (state == SAMPLE_QUARANTINED) {
        waiting++;
        bytes += s.extent;
      } else return bad(BAD_SAMPLE, at);
    }
    if (used > entries - (entries >> 2)) return bad(BAD_SAMPLE, used);
  } else if (p.mask != 0) return bad(BAD_SAMPLE, p.mask);
  if (p.used != used || p.live != live || p.quarantined != bytes) return bad(BAD_SAMPLE, live);
  let last: u32 = 0;
  for (let key = p.first; key != 0; waiting--) {
    const s = p.table ? findSample(key) : null;
    if (s == null || waiting == 0 || (s.state & SAMPLE_STATE) != SAMPLE_QUARANTINED) return bad(BAD_SAMPLE, key);
    last = key;
    key = s.next;
  }
  if (waiting != 0 || p.last != last) return bad(BAD_SAMPLE, p.last);
  return checkFigures(p);
}

/** Whether each bucket counts as many blocks in use as have been seen. */
function checkFigures(p: Profile): u32 {
  if (p.heads == 0) return 0;
  for (let i: u32 = 0; i < BUCKET_HEADS; i++) {
    for (let at = load<u32>(p.heads + (i << 2)); at != 0; at = bucketAt(at).next) {
      if (inUse(bucketAt(at)) != <i32>(bucketAt(at).seen & SEEN)) return bad(BAD_SAMPLE, at);
    }
  }
  return 0;
}

/** Make all that is counted what is in the table and the chains. A dead thread held H. Under H. */
export function repairSamples(): void {
  if (!SAMPLES) return;
  const p = profile();
  repairFlush();
  p.buckets = 0;
  p.used = 0;
  p.live = 0;
  p.first = 0;
  p.last = 0;
  p.quarantined = 0;
  const heads = p.names ? p.heads : 0;
  if (heads == 0) p.heads = 0;
  for (let i: u32 = 0; heads != 0 && i < BUCKET_HEADS; i++) {
    for (let at = load<u32>(heads + (i << 2)); at != 0; at = bucketAt(at).next) {
      bucketAt(at).seen = 0;
      p.buckets += 1;
    }
  }
  const entries = p.table ? p.mask + 1 : 0;
  let last: Sample | null = null;
  for (let i: u32 = 0; i < entries; i++) {
    const s = entry(i);
    if (s.key != 0) p.used += 1;
    if (s.key <= SAMPLE_REMOVED) continue;
    p.live += 1;
    if ((s.state & SAMPLE_STATE) != SAMPLE_QUARANTINED) {
      bucketAt(s.bucket).seen += 1;
      continue;
    }
    // The order is lost: the oldest is not the first.
    s.next = 0;
    if (last == null) p.first = s.key;
    else last.next = s.key;
    last = s;
    p.last = s.key;
    p.quarantined += s.extent;
  }
  for (let i: u32 = 0; heads != 0 && i < BUCKET_HEADS; i++) {
    for (let at = load<u32>(heads + (i << 2)); at != 0; at = bucketAt(at).next) balance(bucketAt(at));
  }
}

/** The bucket counts what was seen: what a dead thread had counted by half is a free, or none. */
function balance(b: Bucket): void {
  const more = inUse(b) - <i32>b.seen;
  if (more > 0 || b.frees >= <u32>-more) b.frees += <u32>more;
  else b.allocs += <u32>-more;
}
