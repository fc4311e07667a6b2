/**
 * What a flavour that samples imports from its host, beside its memory. The program keeps these imports when it is
 * linked: whoever instantiates it gives them, from the package's entry gomalloc/profile or by an implementation of
 * their own. In all other flavours nothing of this exists.
 *
 *   gomalloc.option(param) -> value          asked once for each, when the heap is made
 *   gomalloc.stack(buffer, max) -> frames    the stack of the call, leaf first
 *   gomalloc.report(kind, sample)            a guarded block was written to outside its bounds, or misused
 *
 * The hooks may not call the heap: with a stack for each block `stack` would have no end. An exception out of them leaves
 * the heap whole. It loses nothing but what is on its way to the caller: an object of the collector's, a block of
 * AssemblyScript's heap.alloc, or what a realloc has moved to.
 *
 * The buffer of stack is a page of 8 KiB:
 *
 *      0 now u64       time in milliseconds as f64; before the call the rate asked for, u32
 *      8 texts u32     bytes of texts that the hook has written
 *     12 rate u32      the rate in force; the hook may write another, which is from the next sample on
 *     16 frames u32[MAX_FRAMES]: below 2^31 a byte offset in the program's file; else the number of a text
 *    272 texts: number u32, bytes u32, UTF-8, padded to 4 bytes, up to byte 8128; each text once per thread is enough
 *   8128 the sample of a report
 *
 * Any thread. Cost: some microseconds for a stack.
 */

import { OBJECT, SAMPLES } from "./config";

@external("gomalloc", "option")
declare function optionHook(param: u32): u32;

@external("gomalloc", "stack")
declare function stackHook(buffer: u32, max: u32): u32;

@external("gomalloc", "report")
declare function reportHook(kind: i32, sample: u32): void;

// The same in object files, by native/object/profile.c: there an import is a symbol of the linker.
@external("env", "gomalloc_hook_option")
declare function optionSymbol(param: u32): u32;

@external("env", "gomalloc_hook_stack")
declare function stackSymbol(buffer: u32, max: u32): u32;

@external("env", "gomalloc_hook_report")
declare function reportSymbol(kind: i32, sample: u32): void;

/** Parameters of gomalloc.option: PROFILE_RATE, PROFILE_GUARD, ... of base/abinumbers.ts. */
@inline
export function hostOption(param: u32): u32 {
  return !SAMPLES ? 0 : OBJECT ? optionSymbol(param) : optionHook(param);
}

@inline export const MAX_FRAMES: u32 = 64;
@inline export const STACK_TEXT_BYTES: u32 = 8;
@inline export const STACK_RATE: u32 = 12;
@inline export const STACK_FRAMES: u32 = 16;
@inline export const STACK_TEXTS: u32 = STACK_FRAMES + (MAX_FRAMES << 2);
@inline export const REPORT_AT: u32 = 8128;

/** Fill the page at `buffer`. Returns the number of frames, at most MAX_FRAMES. */
@inline
export function takeStack(buffer: u32): u32 {
  if (!SAMPLES) return 0;
  return min(OBJECT ? stackSymbol(buffer, MAX_FRAMES) : stackHook(buffer, MAX_FRAMES), MAX_FRAMES);
}

@inline
export function tellHost(kind: i32, sample: u32): void {
  if (!SAMPLES) return;
  if (OBJECT) reportSymbol(kind, sample);
  else reportHook(kind, sample);
}
