/**
 * The collector's figures, by the numbers in base/abinumbers.ts: one table for all ABIs. Byte counts are estimates
 * between cycles.
 *
 * Owner: none; any thread may read. Cost: O(1).
 */

import {
  STAT_ABANDONED,
  STAT_ASSIST_BYTES,
  STAT_ASSIST_RATIO,
  STAT_BUFFERS,
  STAT_BYTES_MARKED,
  STAT_CARRIED_ON,
  STAT_CHECKED,
  STAT_CHECKMARK,
  STAT_CHECK_FAILED_AT,
  STAT_CLOBBERFREE,
  STAT_COLLECTING,
  STAT_CYCLES,
  STAT_FORCED,
  STAT_FREED_BYTES,
  STAT_FREED_OBJECTS,
  STAT_GC_PERCENT,
  STAT_GOAL,
  STAT_HANDLES,
  STAT_HEAP_LIVE,
  STAT_HEAP_MARKED,
  STAT_HEAP_MINIMUM,
  STAT_HEAP_SCAN,
  STAT_LAST_GOAL,
  STAT_LOOKS,
  STAT_MARK_TIME,
  STAT_MEMORY_LIMIT,
  STAT_OVERFLOWS,
  STAT_PAGES,
  STAT_PAGES_SWEPT,
  STAT_PHASE,
  STAT_PINS,
  STAT_ROOT_BYTES,
  STAT_SCAN_WORK,
  STAT_STACK_BYTES,
  STAT_STEPS,
  STAT_STOP_BEGIN,
  STAT_STOP_END,
  STAT_SWEEPING,
  STAT_TRIGGER,
  STAT_TRIGGERED,
  STAT_TYPES,
  STAT_UNCHECKED,
  STAT_SPECIALS,
  STAT_FINISHED,
} from "../base/abinumbers";
import { SHARED } from "../base/config";
import { gcState, sharedGc, pacer } from "../base/gcstate";
import { mheap } from "../base/state";

/** Figure `i` of an existing heap; 0 for an unknown number. */
export function gcFigure(i: u32): f64 {
  const g = gcState();
  const p = pacer();
  if (i == STAT_CYCLES) return g.cycles;
  if (i == STAT_FORCED) return g.forced;
  if (i == STAT_PHASE) return g.phase;
  if (i == STAT_HEAP_LIVE) return <f64>p.heapLive;
  if (i == STAT_HEAP_MARKED) return <f64>p.heapMarked;
  if (i == STAT_GOAL) return <f64>p.goal;
  if (i == STAT_TRIGGER) return <f64>p.trigger;
  if (i == STAT_SWEEPING) return g.sweeping;
  if (i == STAT_STEPS) return g.steps;
  if (i == STAT_PINS) return g.pinCount;
  if (i == STAT_HANDLES) return g.handleCount;
  if (i == STAT_FREED_OBJECTS) return <f64>g.freedSlots;
  if (i == STAT_FREED_BYTES) return <f64>g.freedBytes;
  if (i == STAT_OVERFLOWS) return <f64>g.overflows;
  if (i == STAT_SCAN_WORK) return <f64>p.heapScanWork;
  if (i == STAT_HEAP_SCAN) return <f64>p.heapScan;
  if (i == STAT_TRIGGERED) return <f64>p.triggered;
  if (i == STAT_ASSIST_BYTES) return <f64>p.assistBytes;
  if (i == STAT_PAGES_SWEPT) return g.pagesSwept;
  if (i == STAT_BYTES_MARKED) return <f64>g.bytesMarked;
  if (i == STAT_TYPES) return g.types;
  if (i == STAT_LOOKS) return g.looks;
  if (i == STAT_ASSIST_RATIO) return p.assistWorkPerByte;
  if (i == STAT_PAGES) return mheap().inUsePages;
  if (i == STAT_BUFFERS) return g.buffers;
  if (i == STAT_CHECKED) return g.checked;
  if (i == STAT_UNCHECKED) return g.unchecked;
  if (i == STAT_CHECK_FAILED_AT) return g.checkFailedAt;
  if (i == STAT_ROOT_BYTES) return <f64>p.globalsScanWork;
  if (i == STAT_LAST_GOAL) return <f64>p.lastHeapGoal;
  if (i == STAT_COLLECTING) return g.enabled;
  if (i == STAT_CHECKMARK) return g.checkmark;
  if (SHARED && i >= STAT_MARK_TIME && i < STAT_CARRIED_ON + 1) return sharedFigure(i);
  if (i == STAT_GC_PERCENT) return p.gcPercent;
  if (i == STAT_MEMORY_LIMIT) return <f64>p.memoryLimit;
  if (i == STAT_HEAP_MINIMUM) return <f64>p.baseMinimum;
  if (i == STAT_CLOBBERFREE) return g.clobberfree;
  if (i == STAT_STACK_BYTES) return <f64>p.stackScanWork;
  if (i == STAT_SPECIALS) return g.specialCount;
  if (i == STAT_FINISHED) return g.finqHead ? 1 : 0;
  return 0;
}

/** The figures that only a shared heap has. */
function sharedFigure(i: u32): f64 {
  const s = sharedGc();
  if (i == STAT_MARK_TIME) return s.markTime;
  if (i == STAT_STOP_BEGIN) return s.stopBegin;
  if (i == STAT_STOP_END) return s.stopEnd;
  if (i == STAT_ABANDONED) return s.abandoned;
  return s.carried;
}
