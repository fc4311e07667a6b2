/**
 * The collector's figures, by the numbers that src/base/gcabi.ts names: one table for all ABIs. Byte counts are estimates between
 * cycles. Any thread; O(1).
 */

import { SHARED } from "../base/config";
import { gcState, sharedGc, pacer } from "../base/gcstate";
import { mheap } from "../base/state";
import { checked, unchecked } from "./checkmark";

/** Figure `i` of a heap that is there; 0 for a number that has none. */
export function gcFigure(i: u32): f64 {
  const g = gcState();
  const p = pacer();
  if (i == 0) return g.cycles;
  if (i == 1) return g.forced;
  if (i == 2) return g.phase;
  if (i == 3) return <f64>p.heapLive;
  if (i == 4) return <f64>p.heapMarked;
  if (i == 5) return <f64>p.goal;
  if (i == 6) return <f64>p.trigger;
  if (i == 7) return g.sweeping;
  if (i == 8) return g.steps;
  if (i == 9) return g.pinCount;
  if (i == 10) return g.handleCount;
  if (i == 11) return <f64>g.freedSlots;
  if (i == 12) return <f64>g.freedBytes;
  if (i == 13) return <f64>g.overflows;
  if (i == 14) return <f64>p.heapScanWork;
  if (i == 15) return <f64>p.heapScan;
  if (i == 16) return <f64>p.triggered;
  if (i == 17) return <f64>p.assistBytes;
  if (i == 18) return g.pagesSwept;
  if (i == 19) return <f64>g.bytesMarked;
  if (i == 20) return g.types;
  if (i == 21) return g.looks;
  if (i == 22) return p.assistWorkPerByte;
  if (i == 23) return mheap().inUsePages;
  if (i == 24) return g.buffers;
  if (i == 25) return SHARED ? sharedGc().checked : checked;
  if (i == 26) return SHARED ? sharedGc().unchecked : unchecked;
  if (i == 27) return g.checkFailedAt;
  if (i == 28) return <f64>p.globalsScanWork;
  if (i == 29) return <f64>p.lastHeapGoal;
  if (i == 30) return g.enabled;
  if (i == 31) return g.checkmark;
  if (SHARED && i >= 32 && i < 37) return sharedFigure(i);
  if (i == 38) return p.gcPercent;
  if (i == 39) return <f64>p.memoryLimit;
  if (i == 40) return <f64>p.baseMinimum;
  return 0;
}

/** The figures that only a shared heap has. */
function sharedFigure(i: u32): f64 {
  const s = sharedGc();
  if (i == 32) return s.markTime;
  if (i == 33) return s.stopBegin;
  if (i == 34) return s.stopEnd;
  if (i == 35) return s.abandoned;
  return s.carried;
}
