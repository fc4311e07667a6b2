/**
 * When the next sample is due. On average one in `rate` bytes is sampled: after each sample the distance to the next
 * byte is drawn from an exponential distribution of that mean, as in Go.
 *
 * Each row counts for itself, in slots. Separate rows are separate processes of the same rate, so together they are one.
 * The fast half of malloc counts nothing: a window that is loaded is cut before the slot that is to be sampled, and what
 * is cut off counts as freed into the group (law 31). So malloc runs into the slow half at exactly that slot. Large
 * blocks count in bytes, in their slow path.
 *
 *   Row.left = slots until the sample + 1; 0: not drawn yet; 1: the next block of the row is sampled
 *
 * With a rate of 1 every block is sampled. With 0 none is, and a row looks again after OFF slots. The rate may change at
 * any time; each sample is weighed with the rate that it was drawn by.
 *
 * Owner: the P. Cost: a popcount per window; a logarithm per sample.
 */

import { MAX_PROFILE_RATE, M_PROFILE_GUARD, M_PROFILE_RATE, M_QUARANTINE } from "../base/abinumbers";
import { FIRST_GC_ROW, GC, NUM_ROWS, SAMPLES, SHARED_GC } from "../base/config";
import { isInside } from "../base/gates";
import { isCollectedRowAt } from "../base/gcrows";
import { Group, HEAP_PROFILE, HEAP_SAMPLER, ROW_DIRTY, ROW_SHORT, ROW_WITHHELD_SHIFT, Row } from "../base/layout";
import { countReturned } from "../base/counters";
import { dummyGroup, heap, here, ownId, rowAddress, rowAt } from "../base/state";
import { Profile, Sampler } from "../base/samples";

/** Slots, or bytes of large blocks, after which a row looks whether sampling has begun. */
@inline const OFF: u32 = 1 << 20;
@inline const OFF_BYTES: u64 = 1 << 30;
/** Longest distance, slots. */
@inline const FAR: u32 = 1 << 30;

/** True while this thread takes a sample: what it allocates for that is not sampled, and not counted. */
let busy: bool = false;
export function setBusy(on: bool): void {
  busy = on;
}
@inline
export function profile(): Profile {
  return changetype<Profile>(<usize>(heap + HEAP_PROFILE));
}

@inline
export function sampler(): Sampler {
  return changetype<Sampler>(<usize>(here() + HEAP_SAMPLER));
}

/** xorshift64*: 53 random bits as a number in (0, 1]. */
function random(): f64 {
  const s = sampler();
  let x = s.random;
  // Mixed with the number of the P, so that no two Ps draw the same.
  if (x == 0) x = (profile().seed ^ 0x9e3779b97f4a7c15) + <u64>(ownId() + 1) * 0xbf58476d1ce4e5b9;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  s.random = x | u64(x == 0);
  return <f64>(((x * 0x2545f4914f6cdd1d) >> 11) + 1) / 9007199254740992.0;
}

/** -ln(x) for x in (0, 1], to 8 digits: no table, because the core has no data. */
function negativeLog(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  const exponent = <i32>(bits >> 52) - 1023;
  const m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  const s = (m - 1.0) / (m + 1.0);
  const q = s * s;
  // The series of the inverse hyperbolic tangent, s at most 1/3.
  let sum = 1.0 / 15.0;
  for (let i = 13; i > 0; i -= 2) sum = sum * q + 1.0 / <f64>i;
  return -(2.0 * s * sum + <f64>exponent * 0.6931471805599453);
}

/** Bytes to the next sample. */
function drawBytes(rate: u32): f64 {
  return negativeLog(random()) * <f64>rate;
}

/** Whether a row has objects of the collector's. */
@inline
function isCollectedRow(row: Row): bool {
  return GC && isCollectedRowAt(<u32>changetype<usize>(row));
}

/** The rate that the distances of a row are drawn by. */
function rateOf(row: Row): u32 {
  const s = sampler();
  const p = profile();
  if (isCollectedRow(row)) {
    if (s.gcGeneration == 0) {
      s.gcRate = p.current;
      s.gcGeneration = p.generation;
    }
    return s.gcRate;
  }
  if (s.generation == 0) {
    s.rate = p.current;
    s.generation = p.generation;
  }
  return s.rate;
}

/** A new value of Row.left. */
export function drawSlots(row: Row): u32 {
  const rate = rateOf(row);
  const size = row.elemsize;
  if (rate == 0) return OFF + 1;
  if (rate == 1) return 1;
  const slots = drawBytes(rate) / <f64>size;
  return slots < <f64>FAR ? <u32>slots + 1 : FAR;
}

/** Whether a large block of `bytes` bytes is to be sampled. Counts it. */
export function isLargeDue(bytes: u32): bool {
  if (busy) return false;
  seeRate();
  const s = sampler();
  const rate = s.rate;
  if (rate == 1) return true;
  if (!s.drawn) {
    s.drawn = 1;
    s.largeLeft = rate == 0 ? OFF_BYTES : <u64>drawBytes(rate);
  }
  if (<u64>bytes <= s.largeLeft) {
    s.largeLeft -= bytes;
    return false;
  }
  s.drawn = 0;
  return rate != 0;
}

/**
 * Whether a sample of `old` bytes, drawn by `drawnBy`, is one of fewer `bytes`, too: with the chance that makes both as
 * likely as they are.
 */
export function keepSmaller(bytes: u32, old: u32, drawnBy: u32): bool {
  const rate = <f64>drawnBy;
  return rate == 0 || random() * chance(<f64>old / rate) <= chance(<f64>bytes / rate);
}

/** 1 - e^-x, x > 0: what is sampled of blocks of x times the rate. */
function chance(x: f64): f64 {
  if (x > 32.0) return 1.0;
  // e^-x by squaring of e^-(x/64), whose series is short.
  const y = x / 64.0;
  let e = 1.0 - y * (1.0 - (y / 2.0) * (1.0 - (y / 3.0) * (1.0 - (y / 4.0) * (1.0 - y / 5.0))));
  for (let i = 0; i < 6; i++) e *= e;
  return 1.0 - e;
}

/** Whether the next block of a row without a window is to be sampled. */
export function isDue(row: Row): bool {
  if (busy) return false;
  seeRate();
  if (row.left == 0) row.left = drawSlots(row);
  return row.left == 1 && rateOf(row) != 0;
}

/** A sample of the row was taken, or there was no memory for one: then one block goes without. */
@inline
export function drawAgain(row: Row, taken: bool): void {
  row.left = taken ? drawSlots(row) : 2;
}

/**
 * If the rate has changed since this P last looked, every distance is drawn again; those of the collector's rows when
 * this thread is inside its gate. Distances have no memory: one that is cut short says nothing of the next.
 */
function seeRate(): void {
  const s = sampler();
  const p = profile();
  const generation = p.generation;
  if (s.generation != generation) {
    s.generation = generation;
    s.rate = p.current;
    s.drawn = 0;
    redraw(1, GC ? FIRST_GC_ROW : NUM_ROWS);
  }
  if (GC && s.gcGeneration != generation && (!SHARED_GC || isInside())) {
    s.gcGeneration = generation;
    s.gcRate = p.current;
    redraw(FIRST_GC_ROW, NUM_ROWS);
  }
}

function redraw(from: u32, to: u32): void {
  for (let i = from; i < to; i++) {
    const row = rowAt(rowAddress(i));
    if (row.group != dummyGroup()) {
      const g = changetype<Group>(<usize>row.group);
      countReturned(here(), row);
      g.freed |= g.allocCache;
      g.allocCache = 0;
    }
    row.left = 0;
  }
}

/** Of the slots `bits`, which a row is about to load, those that come before the next sample: at least one. */
export function beforeSample(row: Row, bits: u64): u64 {
  if (row.left == 0) row.left = drawSlots(row);
  const n = <u32>popcnt(bits);
  const quota = row.left - 1;
  if (n <= quota) {
    row.left -= n;
    return bits;
  }
  // While a sample is taken, its own slot does not count. Else nobody has looked whether one was due (heap.alloc of
  // AssemblyScript does not): it is missed.
  if (quota == 0) {
    row.left = busy ? 0 : drawSlots(row);
    return bits & -bits;
  }
  row.left = 1;
  let rest = bits;
  for (let i: u32 = 0; i < quota; i++) rest &= rest - 1;
  return bits ^ rest;
}

/** The slot that this thread has just taken from the row for a sample does not count. */
@inline
export function uncountSlot(row: Row): void {
  row.left += 1;
}

/**
 * Load the frees `back` into the row's group as its window, up to the next sample. Returns how many of them the last
 * cut had put there: they were never given out.
 */
export function loadCounted(row: Row, g: Group, back: u64): u32 {
  const visible = beforeSample(row, back);
  const rest = back ^ visible;
  const withheld = row.flags >> ROW_WITHHELD_SHIFT;
  const fresh = min(withheld, <u32>popcnt(visible));
  g.allocCache = visible;
  g.freed = row.tail | rest;
  row.flags = ROW_DIRTY | ROW_SHORT | ((withheld - fresh) << ROW_WITHHELD_SHIFT);
  return fresh;
}

/** The row has loaded a group: cut its window before the next sample. */
@inline
export function cutWindow(row: Row, g: Group): void {
  if (!SAMPLES) return;
  const bits = g.allocCache;
  const visible = beforeSample(row, bits);
  if (visible == bits) return;
  g.allocCache = visible;
  g.freed = row.tail | (bits ^ visible);
  row.flags |= (<u32>popcnt(bits ^ visible)) << ROW_WITHHELD_SHIFT;
}

/** The host wants fewer samples, or more, than now; 0: none would be for good, and is not taken. */
export function setCurrentRate(rate: u32): void {
  const p = profile();
  if (rate == p.current || rate == 0 || rate > MAX_PROFILE_RATE || p.current == 0) return;
  p.current = rate;
  p.generation += 1;
  seeRate();
}

@inline
export function isProfileOption(param: i32): bool {
  return param >= M_PROFILE_RATE && param <= M_QUARANTINE;
}

/** mallopt's options of a heap that samples. 1: accepted; 0: there is no heap yet, or the value is out of range. */
export function setProfileOption(param: i32, value: u32): i32 {
  if (heap == 0) return 0;
  const p = profile();
  if (param == M_PROFILE_RATE) {
    if (value > MAX_PROFILE_RATE) return 0;
    p.rate = value;
    p.current = value;
    p.generation += 1;
    if (here() != 0) seeRate();
  } else if (param == M_PROFILE_GUARD) {
    if (value > 1) return 0;
    p.guard = value;
  } else {
    p.quarantine = value;
  }
  return 1;
}
