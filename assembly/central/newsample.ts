/**
 * What a new sample needs: a stack, a bucket, an entry in the table.
 *
 * Lock: H, which the functions say they need or take. A new table is complete before it replaces the old one, by one
 * store. Cost: a stack of the host's; a new table O(samples).
 */

import { PAGE_SHIFT, SHARED } from "../base/config";
import { REPORT_AT, STACK_FRAMES, STACK_RATE, STACK_TEXTS, STACK_TEXT_BYTES, takeStack } from "../base/hooks";
import {
  BUCKET_FRAMES,
  BUCKET_HEADS,
  NAME_HEADS,
  NAME_MAX,
  NAME_TEXT,
  Name,
  Profile,
  SAMPLE_DEFERRED,
  SAMPLE_REMOVED,
  SAMPLE_SHIFT,
  SAMPLE_STATE,
  Sample,
} from "../base/samples";
import { lock, unlock } from "../base/locks";
import { profile, sampler } from "./countdown";
import { freeTableHere, recordSpace, takeTable } from "./records";
import { bucketAt, entry, findSample, removeSample, sampleAt, startOf } from "./samples";

@inline const FIRST_ENTRIES: u32 = 256;

/** Make room for one more entry. Under H. False: no memory. */
function ensureEntry(): bool {
  const p = profile();
  const entries = p.table ? p.mask + 1 : 0;
  if (p.used + 1 <= entries - (entries >> 2) && entries != 0) return true;
  // Removed entries count as used; a table that is mostly those is made anew at the same length.
  const next = max(FIRST_ENTRIES, p.live << 1 >= entries >> 1 ? entries << 1 : entries);
  const npages = (next << SAMPLE_SHIFT) >> PAGE_SHIFT;
  const page = takeTable(npages);
  if (page == 0) return false;
  const to = page << PAGE_SHIFT;
  memory.fill(to, 0, npages << PAGE_SHIFT);
  // Only now, because to take pages may have freed spans and with them samples.
  const from = p.table;
  const mask = next - 1;
  let used: u32 = 0;
  for (let i: u32 = 0; i < entries; i++) {
    const s = from + (i << SAMPLE_SHIFT);
    const key = sampleAt(s).key;
    if (key <= SAMPLE_REMOVED) continue;
    let j = startOf(key) & mask;
    while (sampleAt(to + (j << SAMPLE_SHIFT)).key != 0) j = (j + 1) & mask;
    memory.copy(to + (j << SAMPLE_SHIFT), s, 1 << SAMPLE_SHIFT);
    used++;
  }
  const word = (<u64>to) | ((<u64>mask) << 32);
  if (SHARED) atomic.store<u64>(changetype<usize>(p), word, offsetof<Profile>("table"));
  else store<u64>(changetype<usize>(p), word, offsetof<Profile>("table"));
  p.used = used;
  if (SHARED) bringDeferred(from, entries);
  if (from) freeTableHere(from >> PAGE_SHIFT, (entries << SAMPLE_SHIFT) >> PAGE_SHIFT);
  return true;
}

/** Threads without a P may have noted frees in the old table at `from` while it was copied (alloc/sampled.ts). Under H. */
function bringDeferred(from: u32, entries: u32): void {
  for (let i: u32 = 0; i < entries; i++) {
    const old = sampleAt(from + (i << SAMPLE_SHIFT));
    if (old.key <= SAMPLE_REMOVED || (old.state & SAMPLE_STATE) != SAMPLE_DEFERRED) continue;
    const s = findSample(old.key);
    if (s != null) s.state = (s.state & ~SAMPLE_STATE) | SAMPLE_DEFERRED;
  }
}

/** A new entry for the block at `key`, all of it 0 but the key's place. Under H. Null: no memory. */
export function addSample(key: u32): Sample | null {
  const old = findSample(key);
  // An object that was freed by hand, and whose slot has been given out again.
  if (old != null) removeSample(old, true);
  if (!ensureEntry()) return null;
  const p = profile();
  const mask = p.mask;
  let i = startOf(key) & mask;
  while (entry(i).key > SAMPLE_REMOVED) i = (i + 1) & mask;
  const s = entry(i);
  if (s.key == 0) p.used += 1;
  memory.fill(changetype<usize>(s) + 4, 0, (1 << SAMPLE_SHIFT) - 4);
  p.live += 1;
  return s;
}

/** Take the stack of this call into this P's page. Returns the number of frames; ~0: no memory for the page. No lock. */
export function readStack(): u32 {
  const s = sampler();
  if (s.buffer == 0) {
    if (!lock(0)) return ~0;
    const page = takeTable(1);
    unlock(0);
    if (page == 0) return ~0;
    memory.fill(page << PAGE_SHIFT, 0, STACK_FRAMES);
    s.buffer = page << PAGE_SHIFT;
  }
  store<u32>(s.buffer, 0, STACK_TEXT_BYTES);
  store<u32>(s.buffer, profile().rate);
  store<u32>(s.buffer, profile().current, STACK_RATE);
  return takeStack(s.buffer);
}

/** The time at which readStack was last called, milliseconds. */
@inline
export function stackTime(): f64 {
  return load<f64>(sampler().buffer);
}

/** The rate that the host wants from the next sample on, told with the stack. */
@inline
export function wantedRate(): u32 {
  return load<u32>(sampler().buffer, STACK_RATE);
}

/**
 * The bucket for blocks of `size` bytes, drawn by `rate`, and the `frames` frames that readStack read. Under H. 0: no
 * memory.
 */
export function bucketFor(frames: u32, size: u32, rate: u32): u32 {
  const p = profile();
  if (!ensureHeads()) return 0;
  const buffer = sampler().buffer;
  const from = buffer + STACK_FRAMES;
  let hash = (size ^ rate) * 0x9e3779b1;
  for (let i: u32 = 0; i < frames; i++) {
    hash = (hash ^ load<u32>(from + (i << 2))) * 0x01000193;
    hash ^= hash >> 15;
  }
  const head = p.heads + ((hash & (BUCKET_HEADS - 1)) << 2);
  for (let b = load<u32>(head); b != 0; b = bucketAt(b).next) {
    const bucket = bucketAt(b);
    if (bucket.hash != hash || bucket.size != size || bucket.frames != frames || bucket.rate != rate) continue;
    if (memory.compare(b + BUCKET_FRAMES, from, frames << 2) == 0) return b;
  }
  internTexts(buffer);
  const bytes = BUCKET_FRAMES + (frames << 2);
  const b = recordSpace(bytes);
  if (b == 0) return 0;
  memory.fill(b, 0, BUCKET_FRAMES);
  memory.copy(b + BUCKET_FRAMES, from, frames << 2);
  const bucket = bucketAt(b);
  bucket.next = load<u32>(head);
  bucket.hash = hash;
  bucket.size = size;
  bucket.frames = frames;
  bucket.rate = rate;
  // Last: a reader from outside follows the chain.
  store<u32>(head, b);
  p.buckets += 1;
  return b;
}

/** The bucket for blocks of `size` bytes from the stack and of the rate of `bucket`. Under H. 0: no memory. */
export function bucketLike(bucket: u32, size: u32): u32 {
  if (sampler().buffer == 0) return 0;
  const frames = bucketAt(bucket).frames;
  memory.copy(sampler().buffer + STACK_FRAMES, bucket + BUCKET_FRAMES, frames << 2);
  store<u32>(sampler().buffer, 0, STACK_TEXT_BYTES);
  return bucketFor(frames, size, bucketAt(bucket).rate);
}

function ensureHeads(): bool {
  const p = profile();
  if (p.names != 0) return true;
  const page = takeTable(((BUCKET_HEADS + NAME_HEADS) << 2) >> PAGE_SHIFT);
  if (page == 0) return false;
  const heads = page << PAGE_SHIFT;
  memory.fill(heads, 0, (BUCKET_HEADS + NAME_HEADS) << 2);
  p.heads = heads;
  p.names = heads + (BUCKET_HEADS << 2);
  return true;
}

/** Keep the texts that the host has written behind the frames. One that finds no memory is missing in the profile. */
function internTexts(buffer: u32): void {
  const bytes = min(load<u32>(buffer, STACK_TEXT_BYTES), REPORT_AT - STACK_TEXTS);
  const end = buffer + STACK_TEXTS + bytes;
  for (let at = buffer + STACK_TEXTS; end - at > 8;) {
    const number = load<u32>(at);
    const length = load<u32>(at, 4);
    if (length > end - at - 8) return;
    intern(number, at + 8, min(length, NAME_MAX));
    at += 8 + ((length + 3) & ~3);
    if (at > end) return;
  }
}

function intern(number: u32, text: u32, bytes: u32): void {
  const head = profile().names + ((number & (NAME_HEADS - 1)) << 2);
  for (let at = load<u32>(head); at != 0; at = changetype<Name>(<usize>at).next) {
    if (changetype<Name>(<usize>at).number == number) return;
  }
  const at = recordSpace(NAME_TEXT + bytes);
  if (at == 0) return;
  memory.copy(at + NAME_TEXT, text, bytes);
  const name = changetype<Name>(<usize>at);
  name.next = load<u32>(head);
  name.number = number;
  name.bytes = bytes;
  store<u32>(head, at);
}
