/**
 * Checkmark: a second marking after the first, with the world stopped, that must find nothing new.
 *
 * At the end of a cycle everything is marked again, from the roots, in a bitmap of its own (gc/checkbits.ts). An object that
 * is reached and not marked would be swept though it is in use, because some store went past the write barrier.
 *
 * In the host flavours, and in AssemblyScript programs that are compiled with GOMALLOC_CHECKMARK. Without memory for the
 * bitmap the cycle goes unchecked, which `unchecked` counts. Cost: the cycle's again.
 */

import { SHARED } from "../base/config";
import { gcState, sharedGc } from "../base/gcstate";
import { beginCheck, endCheck } from "./checkbits";
import { drain } from "./drain";
import { shadeRoots } from "./roots";

/** Cycles checked, and cycles that could not be. */
export let checked: u32 = 0;
export let unchecked: u32 = 0;

/** Check the marks of the cycle that ends. Its queue is empty. */
export function checkMarks(): void {
  let whole = beginCheck();
  if (whole) {
    gcState().passes += 1;
    shadeRoots();
    drain(~(<u64>0));
    whole = endCheck();
  }
  if (whole) checked++;
  else unchecked++;
  if (!SHARED) return;
  const s = sharedGc();
  if (whole) s.checked += 1;
  else s.unchecked += 1;
}
