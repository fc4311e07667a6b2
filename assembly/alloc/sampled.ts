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
  GUARD_BACK_MAX,
  GUARD_FACTOR,
  GUARD_FILL_MAX,
  GUARD_FLIP,
  MISUSE_DOUBLE_FREE,
  MISUSE_INTERIOR,
  MISUSE_NONE,
  MISUSE_OVERFLOW,
  MISUSE_UNDERFLOW,
  MISUSE_WRITE_AFTER_FREE,
  M_PROFILE_RATE,
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
import { heap, here, rowAt, slotSize } from "../base/state";
import {
  drawAgain,
  isDue,
  isLargeDue,
  keepSmaller,
  profile,
  sampler,
  setBusy,
  setCurrentRate,
  setProfileOption,
  uncountSlot,
} from "../central/countdown";
import { addSample, bucketFor, bucketLike, readStack, stackTime, wantedRate } from "../central/newsample";
import {
  bucketAt,
  countAlloc,
  countFree,
  entry,
  findIn,
  findSample,
  isTable,
  removeSample,
  tableWord,
  uncountAlloc,
} from "../central/samples";
import { blockSize } from "../central/mspan";
import { pageRecord, spanOf } from "../heap/arena";
import { checkPointer, freeBlock } from "./freeslow";
import { mallocBlock, mallocLarge, zeroedBlock } from "./blocks";
import { ensureReady } from "./procs";

/** Bytes of a zone at least. */
@inline const ZONE: u32 = 16;
/** Larger blocks and alignments are not sampled. */
@inline const SIZE_MAX: u32 = 0xfff00000;
@inline const ALIGN_MAX: u32 = 4096;
/** Largest block that is guarded: reallocation moves it. */
@inline const GUARDED_MAX: u32 = 1 << 18;
/** Guarded blocks that each sample looks at, and entries of the table that it tries for that. */
@inline const LOOKS: u32 = 4;
@inline const STEPS: u32 = 64;

/** No sampled block. */
@inline export const NOT_SAMPLED: i32 = -1;

/** The byte that a zone or a freed block has at `address`. */
@inline
function pattern(address: u32): u8 {
  return <u8>(((address * GUARD_FACTOR) >> 2) ^ GUARD_FLIP);
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
  return min(s.ptr + s.size + GUARD_BACK_MAX, inner + s.extent);
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
  return p;
}

/** The same for a block of more than MAX_SMALL_SIZE bytes, or with pages of its own for its alignment. */
export function mallocLargeSampled(align: u32, size: u32, zero: bool): u32 {
  if (size > SIZE_MAX || align > ALIGN_MAX) return 0;
  const bytes = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
  if (!isLargeDue(bytes)) return 0;
  if (profile().guard == 0 || size > GUARDED_MAX) {
    // First, because the host may throw.
    const frames = readStack();
    const p = mallocLarge(size, 1, zero, 1);
    if (p) noteAt(p, blockSize(spanOf(p)!), 0, frames);
    return p;
  }
  return allocate(align, size, zero, bytes);
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
  if (!grows && !keepSmaller(bytes, old, bucketAt(s.bucket).rate)) {
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

/**
 * The sampled block, which counts as `weight` bytes. The host may throw while nothing is allocated: out of the stack, and
 * out of a report.
 */
function allocate(align: u32, size: u32, zero: bool, weight: u32): u32 {
  const frames = readStack();
  if (frames != ~0) lookAtSome();
  setBusy(true);
  size = max(size, 1);
  const total = max(ZONE, align) + size + ZONE;
  const inner: u32 = frames == ~0 ? 0 : zero ? zeroedBlock(total) : mallocBlock(total);
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
  if (frames != ~0) setCurrentRate(wantedRate());
  return p;
}

/**
 * Note the block at `p`, whose slot or pages begin at `key`, in the table and in the bucket of the stack that was read;
 * with the state GUARDED fill its zones. False: no memory, or no lock.
 */
function note(key: u32, p: u32, size: u32, extent: u32, frames: u32, weight: u32, state: u32): bool {
  const rate = state & SAMPLE_COLLECTED ? collectedRate(p) : sampler().rate;
  if (!lock(0)) return false;
  const bucket = bucketFor(frames, weight, rate);
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
    // Before the block has a sample, because a thread may die in between.
    if (p == key) spanOf(p)!.flags |= FLAG_SAMPLED;
    s.key = key;
    countAlloc(s);
  }
  unlock(0);
  return s != null;
}

/** What the object at `p` was drawn by: a large one counts with malloc's large blocks. */
@inline
function collectedRate(p: u32): u32 {
  return spanOf(p)!.ngroups ? sampler().gcRate : sampler().rate;
}

/** An object, or a block of AssemblyScript's, is being allocated from a row without a window, and is to be sampled. */
@inline
export function isObjectDue(row: Row): bool {
  return SAMPLES && isDue(row);
}

/** The object at `p`, taken from the row for isObjectDue, 0 for none, is sampled. */
export function sampleObject(row: Row, p: u32): void {
  drawAgain(row, p != 0 && sampleCollected(p, row.elemsize));
}

/** The same for a block of AssemblyScript's heap.alloc. It has no zones: it is where the program would have it anyway. */
export function sampleRaw(row: Row, p: u32): void {
  drawAgain(row, p != 0 && sampleAt(p, row.elemsize, 0));
}

/** A large block of heap.alloc, 0 for none: it is sampled if that is due. */
export function sampleLargeRaw(p: u32): u32 {
  if (p == 0) return 0;
  const bytes = blockSize(spanOf(p)!);
  if (isLargeDue(bytes)) sampleAt(p, bytes, 0);
  return p;
}

/**
 * The object or block at `p` is about to be freed by hand: the sample that it has in its own slot ends. Of a large one it
 * ends with the span, and that of an object which the collector frees with the sweep.
 */
export function endSample(p: u32): void {
  if (heap == 0) return;
  const span = spanOf(p);
  if (span == null || span.ngroups == 0 || (span.flags & FLAG_SAMPLED) == 0) return;
  if (checkPointer(p) != MISUSE_NONE || here() == 0 || !lock(0)) return;
  const s = findSample(p);
  if (s != null && s.ptr == p) removeSample(s, true);
  unlock(0);
}

/** Sample the object of the collector's at `p`, which takes `weight` bytes. False: there was no memory. */
@inline
export function sampleCollected(p: u32, weight: u32): bool {
  return sampleAt(p, weight, SAMPLE_COLLECTED);
}

/** Sample the object or large block at `p` where it is, without zones. `state`: flags. False: there was no memory. */
function sampleAt(p: u32, weight: u32, state: u32): bool {
  return noteAt(p, weight, state, readStack());
}

/** sampleAt by the stack that readStack has read. */
function noteAt(p: u32, weight: u32, state: u32, frames: u32): bool {
  const done = frames != ~0 && note(p, p, weight, weight, frames, weight, state);
  if (!done) profile().lost += 1;
  if (frames != ~0) setCurrentRate(wantedRate());
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

/** The sample in `table` whose block begins at `p`, inside its inner block; null: there is none. */
function sampleIn(table: u64, p: u32): Sample | null {
  if (<u32>table == 0) return null;
  const key = keyOf(p);
  if (key == 0 || key == p) return null;
  const s = findIn(table, key);
  return s != null && s.ptr == p ? s : null;
}

/** sampleIn the present table. Under H. */
@inline
function sampleOf(p: u32): Sample | null {
  return sampleIn(tableWord(), p);
}

/** The state of the sampled block at `p`; 0: no sampled block begins there. */
function stateAt(p: u32): u32 {
  while (true) {
    const table = tableWord();
    const s = sampleIn(table, p);
    const state = s == null ? 0 : stateOf(s);
    if (isTable(table)) return state;
  }
}

/** Bytes of the sampled block at `p` as the program asked for them; 0: no live sampled block begins there. */
export function sampledSize(p: u32): u32 {
  while (true) {
    const table = tableWord();
    const s = sampleIn(table, p);
    const size = s != null && stateOf(s) == SAMPLE_LIVE ? s.size : 0;
    if (isTable(table)) return size;
  }
}

/** The live sampled block into which `p` points, whose inner block begins at `key`: its address, or `key` if none is. */
export function sampledBase(p: u32, key: u32): u32 {
  while (true) {
    const table = tableWord();
    const s = <u32>table ? findIn(table, key) : null;
    const base = s == null || s.ptr == key ? key : stateOf(s) == SAMPLE_LIVE && p >= s.ptr ? s.ptr : 0;
    if (isTable(table)) return base;
  }
}

/** What is wrong with `p`, of which checkPointer says that it is INTERIOR: it may be a block in quarantine. */
export function interiorKind(p: u32): i32 {
  const state = stateAt(p);
  if (state != SAMPLE_QUARANTINED && state != SAMPLE_DEFERRED) return MISUSE_INTERIOR;
  tellTwice(p);
  return MISUSE_DOUBLE_FREE;
}

/** Report that the block at `p` is used after its free, if it is in quarantine. Takes H. */
function tellTwice(p: u32): void {
  if (!ensureReady() || readStack() == ~0 || !lock(0)) return;
  const s = sampleOf(p);
  if (s != null && stateOf(s) == SAMPLE_QUARANTINED) prepare(MISUSE_DOUBLE_FREE, s);
  unlock(0);
  tell();
}

/** Free the sampled block at `p`: MISUSE_NONE, or what is wrong; NOT_SAMPLED: no sampled block begins there. */
export function freeSampled(p: u32): i32 {
  if (stateAt(p) == 0) return NOT_SAMPLED;
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
    s.freeBucket = bucketFor(frames, 0, 0);
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
  fill(s.key, s.ptr);
  fill(s.ptr, s.ptr + min(s.size, GUARD_FILL_MAX));
  fill(s.ptr + s.size, backEnd(s.key, s));
  // When all of it is filled, because a thread may die in between.
  s.state = (s.state & ~SAMPLE_STATE) | SAMPLE_QUARANTINED | SAMPLE_GUARDED;
  append(s);
  unlock(0);
  tell();
  drainQuarantine(profile().quarantine);
}

/** Free blocks in quarantine, the oldest first, until `most` bytes are left. True: some were freed. No lock. */
export function drainQuarantine(most: u32): bool {
  let some = false;
  while (profile().quarantined > most && lock(0)) {
    const p = profile();
    const s = p.first ? findSample(p.first) : null;
    if (s == null) {
      unlock(0);
      break;
    }
    noteDamage(s);
    const inner = s.key;
    p.first = s.next;
    p.quarantined -= s.extent;
    if (s.next == 0) p.last = 0;
    removeSample(s, false);
    unlock(0);
    freeBlock(inner);
    some = true;
    tell();
  }
  return some;
}

/** There is no memory: free what is in quarantine. True: some was. */
export function reclaimQuarantine(): bool {
  return SAMPLES && heap != 0 && here() != 0 && drainQuarantine(0);
}

/** mallopt's options of a heap that samples, as setProfileOption. What is in quarantine beyond the new limit is freed. */
export function setSampling(param: i32, value: u32): i32 {
  const done = setProfileOption(param, value);
  if (done && param != M_PROFILE_RATE && here() != 0) drainQuarantine(profile().guard ? profile().quarantine : 0);
  return done;
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
  const filled = s.ptr + min(s.size, GUARD_FILL_MAX);
  return firstOther(s.ptr, filled) == filled ? MISUSE_NONE : MISUSE_WRITE_AFTER_FREE;
}

/** What is to be told to the host as soon as no lock is held: it may take its time, or throw. 0: nothing. */
let pending: i32 = MISUSE_NONE;

/** Keep a copy of the sample for the report: the entry may move. Under H. */
function prepare(kind: i32, s: Sample): void {
  memory.copy(sampler().buffer + REPORT_AT, changetype<usize>(s), 1 << SAMPLE_SHIFT);
  profile().reports += 1;
  pending = kind;
}

/** prepare for the damage that is found in a guarded block, once for each. True: there is some. Under H. */
function noteDamage(s: Sample): bool {
  if (!(s.state & SAMPLE_GUARDED) || s.state & SAMPLE_REPORTED || sampler().buffer == 0) return false;
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
  if (SHARED && p.deferred) freeWaiting();
  if (p.table == 0 || p.guard == 0) return;
  const most = min(p.mask + 1, STEPS);
  for (let i: u32 = 0, n: u32 = 0; i < most && n < LOOKS; i++) {
    if (!lock(0)) return;
    p.look = (p.look + 1) & p.mask;
    const s = entry(p.look);
    if (s.key > SAMPLE_REMOVED && s.state & SAMPLE_GUARDED) {
      n++;
      if (!noteDamage(s)) s.checked = stackTime();
    }
    unlock(0);
    tell();
  }
}

/** Free the blocks that threads without a P have freed. */
function freeWaiting(): void {
  const p = profile();
  // First, because more may come meanwhile.
  atomic.store<u32>(changetype<usize>(p), 0, offsetof<Profile>("deferred"));
  for (let i: u32 = 0; i <= p.mask; i++) {
    if (!lock(0)) {
      atomic.store<u32>(changetype<usize>(p), 1, offsetof<Profile>("deferred"));
      return;
    }
    const s = entry(i);
    if (i <= p.mask && s.key > SAMPLE_REMOVED && stateOf(s) == SAMPLE_DEFERRED) {
      s.state = (s.state & ~SAMPLE_STATE) | SAMPLE_LIVE;
      release(s, false);
    } else {
      unlock(0);
    }
  }
}

/**
 * Note that the block at `p` is free, for a thread that cannot hold H. The table may be replaced at any moment: its
 * holder brings the notes of the old one along after the new one is in place, and this thread looks again.
 */
function defer(p: u32): i32 {
  if (!SHARED) return NOT_SAMPLED;
  const waiting = changetype<usize>(profile()) + offsetof<Profile>("deferred");
  let mine = false;
  while (true) {
    const table = tableWord();
    const s = sampleIn(table, p);
    const state = s == null ? 0 : s.state;
    if (!isTable(table)) continue;
    if (s != null && (state & SAMPLE_STATE) == SAMPLE_LIVE) {
      // Before and after: a thread may die in between, and another may just have looked.
      atomic.store<u32>(waiting, 1);
      const at = changetype<usize>(s) + offsetof<Sample>("state");
      if (atomic.cmpxchg<u32>(at, state, (state & ~SAMPLE_STATE) | SAMPLE_DEFERRED) == state) mine = true;
      continue;
    }
    if (mine) atomic.store<u32>(waiting, 1);
    return mine ? MISUSE_NONE : s == null ? NOT_SAMPLED : MISUSE_DOUBLE_FREE;
  }
}
