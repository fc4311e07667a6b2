/**
 * Sampled blocks of malloc: allocation, free, realloc, and the checks of guarded ones.
 *
 * A sampled block is an ordinary block that is a little larger, its inner block, and the program's address lies inside:
 *
 *   inner                    ptr                 ptr + size              inner + extent
 *   | front zone, 16 or more | the program's     | back zone, 16 or more |
 *
 * So the fast half of free refuses it as an interior pointer, and the slow half finds its sample by the start of the
 * slot or of the pages. No other block pays for that.
 *
 * With Profile.guard the zones are filled with a pattern that depends on the address, and a block that is freed goes to
 * quarantine: it is filled too, and freed when enough others have come after it. Damage is found when the block is freed
 * (zones), when it leaves the quarantine (block and zones), and by a look at some of the guarded blocks with each new
 * sample, which narrows the time. It is reported to the host (base/hooks.ts), once for each block; then all goes on. A
 * double free of a block in quarantine is a misuse like others, and reported with the stacks of both.
 *
 * Large blocks that are not guarded are sampled where they are, so that they can be resized in place. So are objects of
 * the collector, of whatever size; the sweep finds that they are dead.
 *
 * Owner: the P; H for the table. Cost: a stack of the host's for each sample, a look-up for each of its frees.
 */

import {
  MISUSE_DOUBLE_FREE,
  MISUSE_NONE,
  MISUSE_OVERFLOW,
  MISUSE_UNDERFLOW,
  MISUSE_WRITE_AFTER_FREE,
} from "../base/abinumbers";
import { PAGE_SHIFT, PAGE_SIZE, SAMPLES, SHARED } from "../base/config";
import { FLAG_SAMPLED, Group, Row } from "../base/layout";
import {
  SAMPLE_COLLECTED,
  SAMPLE_DEFERRED,
  SAMPLE_GUARDED,
  SAMPLE_LIVE,
  SAMPLE_QUARANTINED,
  SAMPLE_REMOVED,
  SAMPLE_REPORTED,
  SAMPLE_SHIFT,
  SAMPLE_STATE,
  Profile,
  Sample,
} from "../base/samples";
import { lock, unlock } from "../base/locks";
import { REPORT_AT, tellHost } from "../base/hooks";
import { rowAt, slotSize } from "../base/state";
import {
  drawAgain,
  isDue,
  isLargeDue,
  keepSmaller,
  profile,
  sampler,
  setBusy,
  uncountSlot,
} from "../central/countdown";
import { addSample, bucketFor, bucketLike, readStack, stackTime } from "../central/newsample";
import { countAlloc, countFree, entry, findSample, removeSample, uncountAlloc } from "../central/samples";
import { blockSize } from "../central/mspan";
import { pageRecord, spanOf } from "../heap/arena";
import { freeBlock } from "./freeslow";
import { mallocBlock, mallocLarge, zeroedBlock } from "./blocks";
import { ensureReady } from "./procs";

/** Bytes of a zone at least, and of the back zone that are filled. */
@inline const ZONE: u32 = 16;
@inline const BACK_MAX: u32 = 256;
/** Larger blocks and alignments are not sampled. */
@inline const SIZE_MAX: u32 = 0xfff00000;
@inline const ALIGN_MAX: u32 = 4096;
/** Largest block that is guarded: reallocation moves it. */
@inline const GUARDED_MAX: u32 = 1 << 18;
/** Most bytes of a block in quarantine that are filled and looked at. */
@inline const FILL_MAX: u32 = 65536;
/** Guarded blocks that each sample looks at, and entries of the table that it tries for that. */
@inline const LOOKS: u32 = 4;
@inline const STEPS: u32 = 64;

/** No sampled block. */
@inline export const NOT_SAMPLED: i32 = -1;

/** The byte that a zone or a freed block has at `address`. */
@inline
function pattern(address: u32): u8 {
  return (<u8>((address * 0x9d) >> 2)) ^ 0xcb;
}

function fill(from: u32, to: u32): void {
  for (; from < to; from++) store<u8>(from, pattern(from));
}

/** The first byte of [from, to) that fill did not leave there; `to`: there is none. */
function firstOther(from: u32, to: u32): u32 {
  while (from < to && load<u8>(from) == pattern(from)) from++;
  return from;
}

/** Where the filled part of the back zone ends, of the block whose inner block is at `inner`. */
@inline
function backEnd(inner: u32, s: Sample): u32 {
  return min(s.ptr + s.size + BACK_MAX, inner + s.extent);
}

@inline
function stateOf(s: Sample): u32 {
  return s.state & SAMPLE_STATE;
}

/**
 * A sampled block of `size` bytes at a multiple of `align`, if one is due in the row at `address`, from which the request
 * would be served; 0: none is, or there was no memory for it. The caller then allocates as always. Called before a
 * window is loaded.
 */
export function mallocSampled(address: u32, align: u32, size: u32, zero: bool): u32 {
  const row = rowAt(address);
  if (changetype<Group>(<usize>row.group).allocCache != 0 || align > ALIGN_MAX || !isDue(row)) return 0;
  const p = allocate(align, size, zero, row.elemsize);
  drawAgain(row, p != 0);
  if (p) lookAtSome();
  return p;
}

/** The same for a block of more than MAX_SMALL_SIZE bytes, or with pages of its own for its alignment. */
export function mallocLargeSampled(align: u32, size: u32, zero: bool): u32 {
  if (size > SIZE_MAX || align > ALIGN_MAX) return 0;
  const bytes = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
  if (!isLargeDue(bytes)) return 0;
  if (profile().guard == 0 || size > GUARDED_MAX) return inPlace(mallocLarge(size, 1, zero, 1));
  const p = allocate(align, size, zero, bytes);
  if (p) lookAtSome();
  return p;
}

/** The large block at `p`, 0 for none, is sampled where it is. */
function inPlace(p: u32): u32 {
  if (p) sampleAt(p, blockSize(spanOf(p)!), 0);
  return p;
}

/**
 * The large block at `p` had `old` bytes and has been resized in place. What it grew by may be sampled as if it had been
 * allocated, so a block that grows step by step is sampled as one of its final size would be. A sampled block that
 * shrinks is free and, with a chance that makes up for its size, allocated anew.
 */
export function resampleLarge(p: u32, old: u32): void {
  const span = spanOf(p)!;
  const bytes = blockSize(span);
  if (bytes == old) return;
  if ((span.flags & FLAG_SAMPLED) == 0) {
    if (bytes > old && isLargeDue(bytes - old)) sampleAt(p, bytes, 0);
    return;
  }
  if (!lock(0)) return;
  const s = findSample(p);
  if (s != null) resize(s, bytes, old);
  unlock(0);
}

/** Move a sample to the bucket of its new size. Under H. */
function resize(s: Sample, bytes: u32, old: u32): void {
  const grows = bytes > old;
  if (!grows) countFree(s);
  if (!grows && !keepSmaller(bytes, old)) {
    spanOf(s.ptr)!.flags &= ~FLAG_SAMPLED;
    removeSample(s, false);
    return;
  }
  const bucket = bucketLike(s.bucket, bytes);
  if (bucket == 0) return;
  if (grows) uncountAlloc(s);
  s.bucket = bucket;
  s.size = bytes;
  s.extent = bytes;
  countAlloc(s);
}

/** The sampled block, which counts as `weight` bytes. */
function allocate(align: u32, size: u32, zero: bool, weight: u32): u32 {
  setBusy(true);
  size = max(size, 1);
  const frames = readStack();
  const total = max(ZONE, align) + size + ZONE;
  const inner = frames == ~0 ? 0 : zero ? zeroedBlock(total) : mallocBlock(total);
  let p: u32 = 0;
  if (inner) {
    const span = spanOf(inner)!;
    if (span.ngroups) uncountSlot(rowAt(pageRecord(inner >> PAGE_SHIFT).row));
    p = (inner + ZONE + align - 1) & ~(align - 1);
    const state = profile().guard ? SAMPLE_GUARDED : 0;
    if (!note(inner, p, size, blockSize(span), frames, weight, state)) {
      freeBlock(inner);
      p = 0;
    }
  }
  if (p == 0) profile().lost += 1;
  setBusy(false);
  return p;
}

/**
 * Note the block at `p`, whose slot or pages begin at `key`, in the table and in the bucket of the stack that was read;
 * with the state GUARDED fill its zones. False: no memory, or no lock.
 */
function note(key: u32, p: u32, size: u32, extent: u32, frames: u32, weight: u32, state: u32): bool {
  if (!lock(0)) return false;
  const bucket = bucketFor(frames, weight);
  const s = bucket ? addSample(key) : null;
  if (s != null) {
    s.ptr = p;
    s.size = size;
    s.extent = extent;
    s.bucket = bucket;
    s.time = s.checked = stackTime();
    s.cycle = profile().cycle;
    s.state = SAMPLE_LIVE | state;
    if (state & SAMPLE_GUARDED) {
      fill(key, p);
      fill(p + size, backEnd(key, s));
    }
    s.key = key;
    countAlloc(s);
  }
  unlock(0);
  return s != null;
}

/** An object of the collector's is being allocated from a row without a window, and is to be sampled. */
@inline
export function isObjectDue(row: Row): bool {
  return SAMPLES && isDue(row);
}

/** The object at `p`, taken from the row for isObjectDue, 0 for none, is sampled. */
export function sampleObject(row: Row, p: u32): void {
  if (p == 0) return drawAgain(row, false);
  drawAgain(row, sampleCollected(p, row.elemsize));
}

/** Sample the object of the collector's at `p`, which takes `weight` bytes. False: there was no memory. */
@inline
export function sampleCollected(p: u32, weight: u32): bool {
  return sampleAt(p, weight, SAMPLE_COLLECTED);
}

/** Sample the object or large block at `p` where it is, without zones. `state`: flags. False: there was no memory. */
function sampleAt(p: u32, weight: u32, state: u32): bool {
  setBusy(true);
  const frames = readStack();
  const done = frames != ~0 && note(p, p, weight, weight, frames, weight, state);
  if (done) spanOf(p)!.flags |= FLAG_SAMPLED;
  else profile().lost += 1;
  setBusy(false);
  return done;
}

/** Where the slot or the pages begin that hold `p`, live or not; 0: no span. */
function keyOf(p: u32): u32 {
  const span = spanOf(p);
  if (span == null) return 0;
  if (span.ngroups == 0) return span.startAddr;
  const size = slotSize(span.row);
  return p - ((p - span.startAddr) % size);
}

/** The sample whose block begins at `p`, inside its inner block; null: there is none. Under H, or for a glance. */
function sampleOf(p: u32): Sample | null {
  if (profile().table == 0) return null;
  const key = keyOf(p);
  if (key == 0 || key == p) return null;
  const s = findSample(key);
  return s != null && s.ptr == p ? s : null;
}

/** Bytes of the sampled block at `p` as the program asked for them; 0: no live sampled block begins there. */
export function sampledSize(p: u32): u32 {
  const s = sampleOf(p);
  return s != null && stateOf(s) == SAMPLE_LIVE ? s.size : 0;
}

/** The live sampled block into which `p` points, whose inner block begins at `key`: its address, or `key` if none is. */
export function sampledBase(p: u32, key: u32): u32 {
  const s = profile().table ? findSample(key) : null;
  if (s == null || s.ptr == key) return key;
  return stateOf(s) == SAMPLE_LIVE && p >= s.ptr ? s.ptr : 0;
}

/** Free the sampled block at `p`: MISUSE_NONE, or what is wrong; NOT_SAMPLED: no sampled block begins there. */
export function freeSampled(p: u32): i32 {
  if (sampleOf(p) == null) return NOT_SAMPLED;
  // A thread without a P cannot hold a lock: the next sample that is taken frees the block.
  if (!ensureReady()) return defer(p);
  const guarded = profile().guard != 0;
  const frames = guarded ? readStack() : ~0;
  if (!lock(0)) return defer(p);
  const s = sampleOf(p);
  if (s == null || stateOf(s) != SAMPLE_LIVE) {
    const twice = s != null && stateOf(s) == SAMPLE_QUARANTINED;
    if (twice) prepare(MISUSE_DOUBLE_FREE, s!);
    unlock(0);
    tell();
    return s == null ? NOT_SAMPLED : MISUSE_DOUBLE_FREE;
  }
  if (frames != ~0) {
    s.freeBucket = bucketFor(frames, 0);
    s.freeTime = stackTime();
  }
  release(s, guarded);
  return MISUSE_NONE;
}

/** The block of a live sample is freed: it goes to quarantine or is freed at once. Under H, which is released. */
function release(s: Sample, guarded: bool): void {
  noteDamage(s);
  countFree(s);
  if (!guarded || s.extent > profile().quarantine) {
    const inner = s.key;
    removeSample(s, false);
    unlock(0);
    freeBlock(inner);
    tell();
    return;
  }
  s.state = (s.state & ~SAMPLE_STATE) | SAMPLE_QUARANTINED | SAMPLE_GUARDED;
  fill(s.key, s.ptr);
  fill(s.ptr, s.ptr + min(s.size, FILL_MAX));
  fill(s.ptr + s.size, backEnd(s.key, s));
  append(s);
  unlock(0);
  tell();
  while (profile().quarantined > profile().quarantine && lock(0)) {
    const first = findSample(profile().first);
    if (first == null) {
      unlock(0);
      return;
    }
    noteDamage(first);
    const inner = first.key;
    profile().first = first.next;
    profile().quarantined -= first.extent;
    if (first.next == 0) profile().last = 0;
    removeSample(first, false);
    unlock(0);
    freeBlock(inner);
    tell();
  }
}

/** Put a block at the end of the quarantine. Under H. */
function append(s: Sample): void {
  const p = profile();
  const last = p.last ? findSample(p.last) : null;
  s.next = 0;
  if (last != null) last.next = s.key;
  else p.first = s.key;
  p.last = s.key;
  p.quarantined += s.extent;
}

/** What has been done to a guarded block, live or in quarantine. Under H. */
function damageOf(s: Sample): i32 {
  if (firstOther(s.key, s.ptr) != s.ptr) return MISUSE_UNDERFLOW;
  if (firstOther(s.ptr + s.size, backEnd(s.key, s)) != backEnd(s.key, s)) return MISUSE_OVERFLOW;
  if (stateOf(s) != SAMPLE_QUARANTINED) return MISUSE_NONE;
  const filled = s.ptr + min(s.size, FILL_MAX);
  return firstOther(s.ptr, filled) == filled ? MISUSE_NONE : MISUSE_WRITE_AFTER_FREE;
}

/** What is to be told to the host as soon as no lock is held: it may take its time, or throw. 0: nothing. */
let pending: i32 = MISUSE_NONE;

/** Keep a copy of the sample for the report: the entry may move. Under H. */
function prepare(kind: i32, s: Sample): void {
  if (sampler().buffer == 0) return;
  memory.copy(sampler().buffer + REPORT_AT, changetype<usize>(s), 1 << SAMPLE_SHIFT);
  profile().reports += 1;
  pending = kind;
}

/** prepare for the damage that is found in a guarded block, once for each. True: there is some. Under H. */
function noteDamage(s: Sample): bool {
  if (!(s.state & SAMPLE_GUARDED) || s.state & SAMPLE_REPORTED) return false;
  const kind = damageOf(s);
  if (kind == MISUSE_NONE) return false;
  s.state |= SAMPLE_REPORTED;
  prepare(kind, s);
  return true;
}

/** Tell the host what is pending. No lock. */
function tell(): void {
  const kind = pending;
  pending = MISUSE_NONE;
  if (kind) tellHost(kind, sampler().buffer + REPORT_AT);
}

/** Look at some of the guarded blocks, and free those whose free had to wait. */
function lookAtSome(): void {
  const p = profile();
  if (p.table == 0 || (p.guard | p.deferred) == 0) return;
  let n: u32 = 0;
  const most = p.deferred ? p.mask + 1 : min(p.mask + 1, STEPS);
  for (let i: u32 = 0; i < most && n < LOOKS; i++) {
    if (!lock(0)) return;
    p.look = (p.look + 1) & p.mask;
    const s = entry(p.look);
    if (s.key > SAMPLE_REMOVED && stateOf(s) == SAMPLE_DEFERRED) {
      p.deferred -= 1;
      s.state = (s.state & ~SAMPLE_STATE) | SAMPLE_LIVE;
      release(s, false);
      continue;
    }
    if (s.key > SAMPLE_REMOVED && s.state & SAMPLE_GUARDED) {
      n++;
      if (!noteDamage(s)) s.checked = stackTime();
    }
    unlock(0);
    tell();
  }
}

/** Note that the block at `p` is free, for a thread that cannot hold H. */
function defer(p: u32): i32 {
  if (!SHARED) return NOT_SAMPLED;
  const s = sampleOf(p);
  if (s == null) return NOT_SAMPLED;
  const at = changetype<usize>(s) + offsetof<Sample>("state");
  const state = s.state;
  if (stateOf(s) != SAMPLE_LIVE) return MISUSE_DOUBLE_FREE;
  if (atomic.cmpxchg<u32>(at, state, (state & ~SAMPLE_STATE) | SAMPLE_DEFERRED) != state) return MISUSE_DOUBLE_FREE;
  atomic.add<u32>(changetype<usize>(profile()) + offsetof<Profile>("deferred"), 1);
  return MISUSE_NONE;
}
