/**
 * What happens when a pointer is given back that cannot be given back.
 *
 * Every such call is found before anything is written: the heap is as it was. The C entry points then trap through
 * gomalloc_misuse, an exported function, so that its name and its arguments stand in the trap's stack; or return, as
 * mallopt(M_MISUSE) says. The host API asks for the kind and throws.
 */

import { MISUSE_TRAP, misuseMode } from "../base/options";
import { STAT_MISUSES, countAnywhere } from "../base/counters";
import { heap } from "../base/state";

/** Kinds of misuse. The numbers are part of the ABI. */
@inline export const MISUSE_NONE: i32 = 0;
/** The slot is free already, or was never given out. */
@inline export const MISUSE_DOUBLE_FREE: i32 = 1;
/** No span of the heap lies there. */
@inline export const MISUSE_FOREIGN: i32 = 2;
/** Inside a block, not at its start. */
@inline export const MISUSE_INTERIOR: i32 = 3;
/** In a block of the tiny allocator, which other objects share. */
@inline export const MISUSE_TINY: i32 = 4;
/** A sized free of more bytes than the block has. */
@inline export const MISUSE_SIZE: i32 = 5;
/** A pinned object of the collector's; host flavours. */
@inline export const MISUSE_PINNED: i32 = 6;

/** The hook: executes `unreachable`. `kind` 1..6, `ptr` the address in question. Exported; a breakpoint goes here. */
export function gomalloc_misuse(kind: i32, ptr: u32): void {
  // Never true. A function that calls itself keeps its own frame, and with it its name and arguments in the stack, unless
  // an optimiser is told to inline everything below some size; --no-inline=*gomalloc_misuse* stops that one too.
  if (kind == -1) gomalloc_misuse(<i32>ptr, kind);
  unreachable();
}

/** Report a misused call of the C API: trap, or return to a caller that does nothing. */
export function misuse(kind: i32, ptr: u32): void {
  if (heap) countAnywhere(STAT_MISUSES);
  if (misuseMode == MISUSE_TRAP) gomalloc_misuse(kind, ptr);
}
