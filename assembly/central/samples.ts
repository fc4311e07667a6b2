/**
 * The table of sampled blocks and the buckets of the profile, as in Go: a bucket counts the blocks of one size from one
 * stack, and each live sample has an entry by which its free finds its bucket.
 *
 * Blocks of malloc are published at once. Objects of the collector are published by cycle, so that the profile shows a
 * heap as of a finished cycle: an allocation counts when a sweep could have freed it. It is noted two cycles ahead, and
 * what a sweep frees one cycle ahead.
 *
 * Lock: H, which the functions say they need or take. A thread that dies in between leaves a count that is off by one,
 * never a broken chain: an entry is filled before its key is stored. central/newsample.ts makes entries and buckets. Cost: O(1).
 */

import { MAX_PROFILE_RATE, M_PROFILE_GUARD, M_PROFILE_RATE, M_QUARANTINE, PROFILE_SEED } from "../base/abinumbers";
import { SAMPLES, SHARED } from "../base/config";
import { FLAG_SAMPLED, MSpan } from "../base/layout";
import { hostOption } from "../base/hooks";
import { BUCKET_HEADS, Bucket, Profile, SAMPLE_COLLECTED, SAMPLE_REMOVED, SAMPLE_SHIFT, Sample } from "../base/samples";
import { markWord } from "../base/gcstate";
import { lock, unlock } from "../base/locks";
import { slotSize } from "../base/state";
import { profile } from "./countdown";
import { liveBits } from "./mspan";

/** Ask the host for its options. Once, when the heap is made. */
export function initProfile(): void {
  if (!SAMPLES) return;
  const p = profile();
  p.rate = min(hostOption(M_PROFILE_RATE), MAX_PROFILE_RATE);
  p.current = p.rate;
  p.generation = 1;
  p.guard = min(hostOption(M_PROFILE_GUARD), 1);
  p.quarantine = hostOption(M_QUARANTINE);
  p.seed = hostOption(PROFILE_SEED);
}

@inline
export function sampleAt(address: u32): Sample {
  return changetype<Sample>(<usize>address);
}

@inline
export function entry(i: u32): Sample {
  return sampleAt(profile().table + (i << SAMPLE_SHIFT));
}

@inline
export function bucketAt(address: u32): Bucket {
  return changetype<Bucket>(<usize>address);
}

/** Where the search for a key begins: keys are multiples of 8. */
@inline
export function startOf(key: u32): u32 {
  return ((key >> 3) * 0x9e3779b1) >> 8;
}

/** The table: its address, and its mask in the upper half. Any thread may read it, and then isTable. */
@inline
export function tableWord(): u64 {
  const at = changetype<usize>(profile());
  return SHARED ? atomic.load<u64>(at, offsetof<Profile>("table")) : load<u64>(at, offsetof<Profile>("table"));
}

/** Whether `table` still is the table. If it is not, what was read in it without H may be anything. */
@inline
export function isTable(table: u64): bool {
  return !SHARED || tableWord() == table;
}

/** The sample in `table`, which is there, of the block whose slot or pages begin at `key`; null: it is not sampled. */
export function findIn(table: u64, key: u32): Sample | null {
  const mask = <u32>(table >> 32);
  for (let i = startOf(key) & mask, n: u32 = 0; n <= mask; i = (i + 1) & mask, n++) {
    const s = sampleAt(<u32>table + (i << SAMPLE_SHIFT));
    if (s.key == key) return s;
    if (s.key == 0) return null;
  }
  return null;
}

/** The sample of the block whose slot or pages begin at `key`; null: it is not sampled. Under H. */
export function findSample(key: u32): Sample | null {
  const table = tableWord();
  return <u32>table ? findIn(table, key) : null;
}

/** Remove an entry. `count`: its block is freed now, and its bucket counts that. Under H. */
export function removeSample(s: Sample, count: bool): void {
  if (count) countFree(s);
  s.key = SAMPLE_REMOVED;
  profile().live -= 1;
}

/** Address of the figures of a bucket for the cycle that comes `ahead` cycles after the present one. */
@inline
function ahead(bucket: u32, ahead: u32): u32 {
  return bucket + <u32>offsetof<Bucket>("allocs0") + (((profile().cycle + ahead) % 3) << 3);
}

/** The bucket of the sample counts one block more. Under H. */
export function countAlloc(s: Sample): void {
  const at = s.state & SAMPLE_COLLECTED ? ahead(s.bucket, 2) : s.bucket + <u32>offsetof<Bucket>("allocs");
  store<u32>(at, load<u32>(at) + 1);
}

/** Undo countAlloc: the block counts in another bucket. Under H. For a block of malloc. */
export function uncountAlloc(s: Sample): void {
  bucketAt(s.bucket).allocs -= 1;
}

/** The bucket of the sample counts one free more. Under H. */
export function countFree(s: Sample): void {
  const at = s.state & SAMPLE_COLLECTED ? ahead(s.bucket, 1) + 4 : s.bucket + <u32>offsetof<Bucket>("frees");
  store<u32>(at, load<u32>(at) + 1);
}

/** Publish what was noted for the cycle that comes `distance` cycles after the present one. Under H. */
function flush(distance: u32): void {
  const p = profile();
  if (p.heads == 0) return;
  for (let i: u32 = 0; i < BUCKET_HEADS; i++) {
    for (let b = load<u32>(p.heads + (i << 2)); b != 0; b = bucketAt(b).next) {
      const at = ahead(b, distance);
      if (load<u64>(at) == 0) continue;
      const allocs = bucketAt(b).allocs + load<u32>(at);
      const frees = bucketAt(b).frees + load<u32>(at, 4);
      p.sum = (<u64>allocs) | ((<u64>frees) << 32);
      p.bucket = b;
      // From here on a thread that dies has published it: repairFlush does the rest.
      p.from = at;
      publish(p);
    }
  }
}

/** Do what the profile notes of a bucket. Again, after a death, it does the same. Under H. */
function publish(p: Profile): void {
  store<u64>(p.bucket, p.sum, offsetof<Bucket>("allocs"));
  store<u64>(p.from, 0);
  p.from = 0;
}

/** A dead thread held H: publish what it had begun to. Under H. */
export function repairFlush(): void {
  const p = profile();
  if (p.from) publish(p);
  flush(0);
}

/** Marking has ended: the next cycle of the profile. The caller holds no lock after H. */
export function nextProfileCycle(): void {
  if (!SAMPLES || !lock(0)) return;
  profile().cycle += 1;
  flush(0);
  unlock(0);
}

/** All of the last cycle's garbage is swept: publish that, too. */
export function publishSwept(): void {
  if (!SAMPLES || !lock(0)) return;
  flush(1);
  unlock(0);
}

/** The objects of a span that is about to be swept: the samples of those that die are removed. No lock. */
export function sweepSamples(span: MSpan): void {
  if (!SAMPLES || !(span.flags & FLAG_SAMPLED) || !lock(0)) return;
  dropSamples(span, true);
  unlock(0);
}

/** The span is freed: its objects' samples are removed. Under H. */
export function freeSamples(span: MSpan): void {
  if (!SAMPLES || !(span.flags & FLAG_SAMPLED)) return;
  dropSamples(span, false);
}

/** Remove the samples of the span's objects; with `marked` only of those that are free or not marked. Under H. */
function dropSamples(span: MSpan, marked: bool): void {
  if (span.ngroups == 0) {
    const s = findSample(span.startAddr);
    if (s != null) removeSample(s, true);
    return;
  }
  const size = slotSize(span.row);
  let kept = false;
  for (let i: u32 = 0; i < <u32>span.ngroups; i++) {
    const keep = marked ? liveBits(span, i) & load<u64>(markWord(span, i)) : 0;
    const from = i << 6;
    const to = min(from + 64, <u32>span.nelems);
    for (let slot = from; slot < to; slot++) {
      const s = findSample(span.startAddr + slot * size);
      if (s == null) continue;
      if ((keep >> (slot & 63)) & 1) kept = true;
      else removeSample(s, true);
    }
  }
  if (!kept) span.flags &= ~FLAG_SAMPLED;
}
