/**
 * Checkmark: marks a second time, with the world stopped, and must find nothing new. Go's checkmark mode is the model.
 *
 * At the end of a cycle everything is marked again from the roots, in a separate bitmap (gc/checkbits.ts). An object
 * that is reached but not marked would be swept while in use: some store bypassed the write barrier.
 *
 * It exists in the host flavours, and in AssemblyScript programs compiled with GOMALLOC_CHECKMARK. Without memory for
 * the bitmap the cycle is not checked, and `unchecked` counts it.
 *
 * Owner: the thread that marks. Cost: that of the cycle once more.
 */

import { CHECKMARK } from "../base/config";
import { gcState } from "../base/gcstate";
import { beginCheck, endCheck } from "./checkbits";
import { drain } from "./drain";
import { shadeRoots } from "./roots";

/** Check the marks of the cycle that is ending, if the program asks for it. Its queue is empty. */
export function checkMarks(): void {
  const g = gcState();
  if (!CHECKMARK || g.checkmark == 0) return;
  let whole = beginCheck();
  if (whole) {
    g.passes += 1;
    shadeRoots();
    drain(~(<u64>0));
    whole = endCheck();
  }
  if (whole) g.checked += 1;
  else g.unchecked += 1;
}
