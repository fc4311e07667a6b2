/**
 * The pacer alone, for its tests: every function as it is, over a record at an address that the test chooses. Fields are
 * read and written by the test through the memory, at the offsets that the record's comment gives.
 */

export {
  assistCredit,
  assistWork,
  commit,
  endCycle,
  endCycleUntimed,
  expectedWork,
  initPacer,
  largestWork,
  noteMemory,
  resetLive,
  revise,
  setGCPercent,
  setHeapMinimum,
  setMemoryLimit,
  setWorkRatio,
  shouldStart,
  startCycle,
  sweepDebt,
  sweepFinished,
  takeCredit,
  workDone,
} from "../../assembly/base/pacer";

import { PACER_SIZE, Pacer } from "../../assembly/base/pacer";

/** PACER_SIZE, and what the compiler has laid out: to be the same. */
export function declaredSize(): u32 {
  return PACER_SIZE;
}
export function recordSize(): u32 {
  return <u32>offsetof<Pacer>();
}
/** Offsets of the first and the last field of each kind, for the test of the record's comment. */
export function lastOffset(): u32 {
  return <u32>offsetof<Pacer>("untimed");
}
