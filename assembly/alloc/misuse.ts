/**
 * What happens when a pointer is freed that cannot be freed.
 *
 * Every such call is detected before anything is written, so the heap stays as it was. The C entry points then trap
 * through gomalloc_misuse, an exported function, so that its name and arguments appear in the trap's stack; or they
 * return, as mallopt(M_MISUSE) says. The host API asks for the kind and throws.
 *
 * Any thread, no lock. Cost: none until a misuse.
 */

import { MISUSE_TRAP } from "../base/abinumbers";
import { OBJECT } from "../base/config";
import { misuseMode } from "../base/options";
import { callMisuseHook } from "../base/program";
import { STAT_MISUSES, countAnywhere } from "../base/counters";
import { heap } from "../base/state";

/** The hook: executes `unreachable`. `kind` 1..6, `ptr` the address in question. Exported; a breakpoint goes here. */
export function gomalloc_misuse(kind: i32, ptr: u32): void {
  // Never true. A function that calls itself keeps its own frame, and with it its name and arguments in the stack,
  // unless an optimiser is told to inline everything below some size; --no-inline=*gomalloc_misuse* prevents that too.
  if (kind == -1) gomalloc_misuse(<i32>ptr, kind);
  if (OBJECT) callMisuseHook(kind, ptr);
  else unreachable();
}

/** Report a misused call of the C API: trap, or return to a caller that does nothing. */
export function misuse(kind: i32, ptr: u32): void {
  if (heap) countAnywhere(STAT_MISUSES);
  if (misuseMode == MISUSE_TRAP) gomalloc_misuse(kind, ptr);
}
