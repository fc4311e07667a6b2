/**
 * The collector's own fields, in the heap's record at HEAP_GC: what the layers below gc/ must know of a cycle.
 *
 *   0..255    GcState
 *   256..767  the pacer's (base/pacer.ts)
 *   768..     SharedGc, in a shared heap
 *
 * Owner: the thread that works on the heap. In a shared heap the holder of M writes the words of GcState, and those
 * that mutators read it writes while the world is stopped. The words of the roots are under G; counts of bytes are
 * added atomically. Cost: read at every refill of a collected row; no fast path reads them.
 */

import { setBits } from "./words";
import { FIRST_GC_ROW, GC, SHARED } from "./config";
import { FLAG_FULL, HEAP_GC, MSPAN_SIZE, MSpan } from "./layout";
import { heap, mheap } from "./state";
import { Pacer } from "./pacer";

/** GcState.phase */
@inline export const PHASE_OFF: u32 = 0;
@inline export const PHASE_MARK: u32 = 1;
@inline export const PHASE_TERMINATION: u32 = 2;

@unmanaged @final
export class GcState {
  phase: u32;
  /** 1: a cycle begins when the heap has grown to the trigger. */
  enabled: u32;
  /** Work buffers: address past the last entry, 0 without a buffer; a spare buffer; the number of all buffers. */
  top: u32;
  spare: u32;
  buffers: u32;
  /** 1: a marked object could not be queued because there was no memory. */
  overflow: u32;
  /** Cycles begun. */
  cycles: u32;
  /** Cycles begun because the program or the host asked. */
  forced: u32;
  /** 1 while there may be unswept spans; and the row of the next one to sweep. */
  sweeping: u32;
  sweepRow: u32;
  /** Large spans: the swept ones, and those not swept since the last cycle ended. */
  large: u32;
  largeUnswept: u32;
  /** Bytes of slots marked in this cycle. */
  bytesMarked: u64;
  /** Bytes allocated since the last assist was paid. */
  debt: u64;
  /** Scans of the roots in this mark termination. */
  looks: u32;
  /** Steps that this cycle's marking took. */
  steps: u32;
  /** Pins: open-addressing table of {address u32, count u32}, its slots less one, pinned objects, used entries. */
  pins: u32;
  pinMask: u32;
  pinCount: u32;
  pinUsed: u32;
  /** Handles: table of u32, its slots, first free one, handles in use. */
  handles: u32;
  handleSlots: u32;
  handleFree: u32;
  handleCount: u32;
  /** Registered root ranges: first of a list of {next, start, end, kind}. */
  ranges: u32;
  /** Types made so far. */
  types: u32;
  /** Pages swept since the last cycle's end, and to be swept then. */
  pagesSwept: u32;
  pagesToSweep: u32;
  /** Slots and bytes that the last sweep found dead. */
  freedSlots: u64;
  freedBytes: u64;
  /** 1: every cycle is checked by a second marking (gc/checkmark.ts). */
  checkmark: u32;
  /** 1 once the pacer's record has been filled. */
  ready: u32;
  /** Markings so far, plus walks after an overflow: the value that marks AssemblyScript's static objects. */
  passes: u32;
  /** The first object that a check of the marks found in use but not marked; 0: none. The host resets it. */
  checkFailedAt: u32;
  /** How often there was no memory for a work buffer. */
  overflows: u64;
  /** The type that was made last: the head of the list of all types. */
  lastType: u32;
  /** Cycles checked by a second marking, and cycles that could not be. */
  checked: u32;
  unchecked: u32;
  /** 1: dead objects are filled with 0xdeadbeef when they are swept (central/sweep.ts). */
  clobberfree: u32;
  /** Specials: table of records, its slots, first free one, records in use. */
  specials: u32;
  specialSlots: u32;
  specialFree: u32;
  specialCount: u32;
  /** Specials of dead objects that wait for their thread: first and last of a list. */
  finqHead: u32;
  finqTail: u32;
  /** Number of the cleanup or finalizer that was made last. */
  specialIds: u32;
}
/** Slots of the first table of pins, which is a record; longer tables have their own pages. */
@inline export const FIRST_PINS: u32 = 64;
@inline export const HEAP_PACER: u32 = HEAP_GC + 256;

/** What the collector needs besides GcState in a shared heap. 64-aligned. */
@unmanaged @final
export class SharedGc {
  /** The P that has stopped the world, 0: none; atomic, and in its own cache line because every gate reads it. */
  stopped: u32;
  pad0: u32;
  pad1: u64;
  pad2: u64;
  pad3: u64;
  pad4: u64;
  pad5: u64;
  pad6: u64;
  pad7: u64;
  /**
   * Notes of what other threads have freed in collected spans (central/notes.ts): flags, then from 64 bytes on the
   * chunk bits; atomic.
   */
  freed: u32;
  pad8: u32;
  pad9: u64;
  pad10: u64;
  pad11: u64;
  pad12: u64;
  pad13: u64;
  pad14: u64;
  pad15: u64;
  chunks0: u64;
  chunks1: u64;
  chunks2: u64;
  chunks3: u64;
  chunks4: u64;
  chunks5: u64;
  chunks6: u64;
  chunks7: u64;
  /** Changes whenever there may be work for a marker; markers sleep on it. Atomic. */
  wake: u32;
  /** Page index at which the sweep continues; atomic. */
  cursor: u32;
  /** 1 while a cycle is being begun: if that thread dies, there are marks to clear. */
  starting: u32;
  /** The heap's sweepgen when the cycle began: if it differs, the marking has ended for good. */
  markGen: u32;
  /** What mutators have shaded: address past the last entry, in pages like those of gc/work.ts. Lock: G. */
  inbox: u32;
  /** Cycles that a death has ended early, and cycles that were continued after one. */
  abandoned: u32;
  carried: u32;
  /** Procs that run, for the pacer; 0: not known. */
  procs: u32;
  /** Milliseconds: when the marking began, by the clock of the thread that began it, 0: none; how long it took. */
  began: f64;
  markTime: f64;
  /** Milliseconds that the last two stops took, measured and reported by the host. */
  stopBegin: f64;
  stopEnd: f64;
}

@inline
export function sharedGc(): SharedGc {
  return changetype<SharedGc>(<usize>(heap + HEAP_GC + 768));
}

@inline
export function gcState(): GcState {
  return changetype<GcState>(<usize>(heap + HEAP_GC));
}

/** Whether a cycle marks. Flavours with the collector. */
@inline
export function isMarking(): bool {
  return gcState().phase == PHASE_MARK;
}

/** Whether a cycle is under way. Any flavour. */
@inline
export function isCollecting(): bool {
  return GC && gcState().phase != PHASE_OFF;
}

/** Whether the row at an index holds collected objects. */
@inline
export function isCollected(index: u32): bool {
  return GC && index >= FIRST_GC_ROW;
}

/** Whether all Ps share the spans of the row at an index: collected rows, in a shared heap (central/collected.ts). */
@inline
export function isCommon(index: u32): bool {
  return SHARED && isCollected(index);
}

/** Whether the spans of the row at an index are in sweep sets (central/lists.ts): collected rows, with one thread. */
@inline
export function hasSweepSets(index: u32): bool {
  return !SHARED && isCollected(index);
}

/** Whether a span, small or large, holds collected objects. */
@inline
export function isCollectedSpan(span: MSpan): bool {
  if (!GC) return false;
  return span.ngroups ? isCollected(span.row) : (span.flags & FLAG_FULL) != 0;
}

/** Address of the mark word of group `i` of a span; of a large span with i = 0. */
@inline
export function markWord(span: MSpan, i: u32): u32 {
  return <u32>changetype<usize>(span) - ((i + 1) << 3);
}

/** The same, given the address of the span's group 0, as page records have it. */
@inline
export function markWordAt(groups: u32, slot: u32): u32 {
  return groups - MSPAN_SIZE - 8 - ((slot >> 6) << 3);
}

/** Mark the free slots of a window that is loaded during the marking: what is allocated there is born marked. */
@inline
export function blacken(span: MSpan, i: u32, slots: u64): void {
  setBits<u64>(markWord(span, i), slots);
}

/** Clear the marks of group `i`. */
@inline
export function clearMark(span: MSpan, i: u32): void {
  if (GC) store<u64>(markWord(span, i), 0);
}

/** Mark the span as swept: its sweepgen becomes the heap's. */
@inline
export function setSwept(span: MSpan): void {
  if (GC) span.sweepgen = mheap().sweepgen;
}

/** Clear all marks of the span. */
export function clearMarks(span: MSpan): void {
  for (let i: u32 = 0; i < max<u32>(span.ngroups, 1); i++) clearMark(span, i);
}

@inline
export function pacer(): Pacer {
  return changetype<Pacer>(<usize>(heap + HEAP_PACER));
}
