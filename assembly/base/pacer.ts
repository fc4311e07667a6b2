/**
 * Pacer: when a cycle begins, how much marking an allocation pays for, how fast the sweep must go.
 *
 * It is one record in linear memory and pure functions over it: it calls nothing, allocates nothing, and knows no heap.
 * The collector counts in its fields (heapLive, heapScan, the work counters) and calls
 *
 *   commit -> (heapLive reaches trigger) -> startCycle -> revise ... -> endCycle -> resetLive -> commit
 *
 * and for n bytes allocated during a cycle, in this order: assistBytes -= n; while that is negative, mark assistWork
 * bytes, count them, revise, assistBytes += assistCredit; then heapLive += n and revise. If an allocation near the goal
 * were counted before its debt is paid, it would raise the ratio for itself, up to paying for the whole rest of the
 * cycle.
 *
 * Bytes are u64 and saturate, ratios are f64. They hold from a heap of one wasm page to one of 4 GiB, and with goals
 * that do not exist (NONE). Every function is O(1): some tens of instructions; revise and commit do three f64
 * divisions.
 *
 * Goal: heapMarked + (heapMarked + stacks + globals) * GOGC/100, at least heapMinimum, or what the memory limit leaves
 * if that is less. Trigger: the goal minus the runway, which is what the program will allocate during the marking.
 * Between the two an allocation of n bytes owes n * assistWorkPerByte bytes of marking, so that both end at the same
 * time. Law: heapMarked <= minTrigger <= trigger <= maxTrigger <= goal, after each commit and noteMemory.
 *
 * The algorithm is that of Go's pacer (mgcpacer.go). Go's constants suit heaps of 4 MiB and more. Here they are
 * fractions of the record's base of heapMinimum, which a program with a small memory sets lower (setHeapMinimum); with
 * Go's base of 4 MiB and GOGC >= 100 they equal Go's.
 *
 * The runway, with a clock (endCycle): consMark is the bytes allocated per byte scanned if both had the same processor
 * time, the highest of five cycles. It predicts what is allocated while the marking has a quarter of the time.
 *
 * The runway, without a clock (endCycleUntimed): on one thread, where only assists mark, the bytes allocated during a
 * cycle say nothing about speeds. They are what the assist ratio allowed, and the ratio came from the runway: a
 * measured runway would only repeat its previous value. So it is chosen: runway = expected work / k, where k =
 * workRatio, bytes scanned per byte allocated. A larger k begins later, with less floating garbage (objects made during
 * the mark survive it), but an allocation waits longer.
 *
 * Bound, in force while the goal is GOGC's: a cycle begun at its trigger asks for at most max(k, 337/GOGC) bytes per
 * byte allocated. Either the runway fits, or the trigger is minTrigger, where 19/64 of the distance goal - heapMarked
 * >= expected * GOGC/100 is left. A cycle begun later, by a large allocation, asks for at most max(4k, 400/GOGC),
 * because the goal moves away (see lateRoom). With GOGC 100 the trigger's own bound is 3.37. The default k of 4, the
 * next round number, makes k the bound, and leaves at most a quarter of the live heap as floating garbage. If more is
 * found than expected the goal moves so that the ratio is kept, to (1 + GOGC/100) of itself at most.
 *
 * Owner: the thread that works on the heap; in a shared heap see base/gcstate.ts.
 */

@inline const MIB: u64 = 1 << 20;
/** No goal, no limit, no cycle: larger than any sum of bytes. */
@inline export const NONE: u64 = ~(<u64>0);
/** Values of a fresh record. */
@inline export const DEFAULT_GC_PERCENT: i32 = 100;
@inline export const DEFAULT_HEAP_MINIMUM: u64 = 4 << 20;
@inline export const DEFAULT_WORK_RATIO: f64 = 4.0;

/** Share of the processors that marks in the background; time that an endCycle reports beyond it is that of assists. */
@inline export const BACKGROUND_UTILIZATION: f64 = 0.25;
/** In 64ths of the way from heapMarked to the goal: no cycle begins before MIN_TRIGGER or after MAX_TRIGGER. */
@inline const MIN_TRIGGER: u64 = 45;
@inline const MAX_TRIGGER: u64 = 61;
/** For goals above this size a cycle may begin as late as this many bytes before the goal. */
@inline const LATEST_TRIGGER: u64 = 4 << 20;
/** An assist scans at least this many bytes: entering one costs something too. */
@inline const ASSIST_CHUNK: u64 = 64 << 10;
/** The smallest distances over which the sweep and the assists are spread. */
@inline const SWEEP_DISTANCE_MIN: u64 = 8192;
@inline const REMAINING_WORK_MIN: f64 = 1000.0;
/** Most bytes of credit for one assist: 1 TiB, so that sums of credits do not wrap. */
@inline const CREDIT_MAX: f64 = 1099511627776.0;
/** Largest value of the least goal at GOGC 100. */
@inline const MAX_MINIMUM: u64 = 1 << 37;
/** Percent used for GOGC=off in the hard goal. */
@inline const OFF_PERCENT: f64 = 100000.0;

/**
 * 336 bytes, 8-aligned. `C`: the collector writes it directly, at any time. All others: read them.
 *
 *     0 heapLive | 8 trigger | 16 assistBytes | 24 assistWorkPerByte | 32 assistBytesPerWork | 40 bgScanCredit
 *    48 heapScan | 56 heapScanWork | 64 stackScanWork | 72 globalsScanWork | 80 maxStackScan | 88 globalsScan
 *    96 triggered | 104 goal | 112 minTrigger | 120 maxTrigger | 128 runway | 136 heapMarked | 144 lastHeapScan
 *   152 lastStackScan | 160 percentGoal | 168 sweepTrigger | 176 lastHeapGoal | 184 consMark | 192 lastConsMark[4]
 *   224 workRatio | 232 memoryLimit | 240 mappedReady | 248 heapFree | 256 heapAlloc | 264 baseMinimum
 *   272 heapMinimum | 280 sweepPagesPerByte | 288 sweepLiveBasis | 296 sweepPagesBasis | 304 sweepSlack
 *   312 remainingWork | 320 remainingHeap | 328 gcPercent i32 | 332 untimed u32
 */
@unmanaged @final
export class Pacer {
  /** Bytes marked by the last cycle plus bytes allocated since; never less than what is really allocated. C */
  heapLive: u64;
  /** A cycle is due when heapLive is at or above this. */
  trigger: u64;
  /** The program's allocation credit, bytes; below 0 it is in debt. For one mutator; others keep their own. C */
  assistBytes: i64;
  assistWorkPerByte: f64;
  assistBytesPerWork: f64;
  /** Bytes scanned by background workers that no assist has claimed; may be below 0 for a moment. C */
  bgScanCredit: i64;
  /** The bytes of heapLive that would have to be scanned: without noscan objects and tails without pointers. C */
  heapScan: u64;
  /** Bytes scanned in this cycle. C */
  heapScanWork: u64;
  stackScanWork: u64;
  globalsScanWork: u64;
  /** Bytes of stacks in use now, and of globals that hold pointers. C */
  maxStackScan: u64;
  globalsScan: u64;
  /** heapLive when the current cycle began; NONE outside cycles. */
  triggered: u64;
  /** What heapLive should be when the cycle ends, as of the last commit, noteMemory or revise. */
  goal: u64;
  minTrigger: u64;
  maxTrigger: u64;
  runway: u64;
  /** Bytes marked by the last cycle; bytes of heap and stacks that it scanned. */
  heapMarked: u64;
  lastHeapScan: u64;
  lastStackScan: u64;
  /** The goal by GOGC alone; NONE when that is off. */
  percentGoal: u64;
  /** While the sweep goes on: heapLive at the commit plus sweepSlack, before which no cycle begins; else 0. */
  sweepTrigger: u64;
  /** The goal when the last cycle ended. */
  lastHeapGoal: u64;
  /** See the header; and the values of the last four cycles, oldest first. */
  consMark: f64;
  lastConsMark0: f64;
  lastConsMark1: f64;
  lastConsMark2: f64;
  lastConsMark3: f64;
  /** k, for the runway without a clock. */
  workRatio: f64;
  /** Bytes; NONE for no limit. */
  memoryLimit: u64;
  /** As given by commit and noteMemory. */
  mappedReady: u64;
  heapFree: u64;
  heapAlloc: u64;
  /** heapMinimum at GOGC 100, and at the GOGC in force. */
  baseMinimum: u64;
  heapMinimum: u64;
  /** Pages to sweep per byte allocated; 0 when there is nothing to sweep. */
  sweepPagesPerByte: f64;
  /** heapLive and pages swept when that ratio was computed. */
  sweepLiveBasis: u64;
  sweepPagesBasis: u64;
  /** Least bytes of allocation that the next cycle leaves for an unfinished sweep. */
  sweepSlack: u64;
  /** What the assist ratio was computed from: bytes to scan and bytes to allocate until the goal. */
  remainingWork: f64;
  remainingHeap: f64;
  /** -1: off. */
  gcPercent: i32;
  /** 1 after endCycleUntimed. */
  untimed: u32;
}
export const PACER_SIZE: u32 = 336;

/** A count of bytes from a float: saturates, and NaN is 0. */
function toBytes(x: f64): u64 {
  if (!(x > 0)) return 0;
  return x >= 18446744073709549568.0 ? NONE : <u64>x;
}

/** x * percent / 100, without an intermediate that wraps: x < 2^38, percent < 2^31. */
@inline
function percentOf(x: u64, percent: u64): u64 {
  return (x / 100) * percent + ((x % 100) * percent) / 100;
}

/** Bytes that the running cycle has scanned. */
export function workDone(p: Pacer): u64 {
  return p.heapScanWork + p.stackScanWork + p.globalsScanWork;
}

/** Bytes that the next cycle, or this one, will scan if it finds what the last one found. */
export function expectedWork(p: Pacer): u64 {
  return p.lastHeapScan + p.lastStackScan + p.globalsScan;
}

/** Bytes that it will scan if nothing has died. */
export function largestWork(p: Pacer): u64 {
  return p.heapScan + p.maxStackScan + p.globalsScan;
}

/** Fills the PACER_SIZE bytes of `p`: GOGC 100, no limit, an empty heap. Ready for use. */
export function initPacer(p: Pacer): void {
  memory.fill(changetype<usize>(p), 0, PACER_SIZE);
  p.triggered = NONE;
  p.memoryLimit = NONE;
  p.gcPercent = DEFAULT_GC_PERCENT;
  p.workRatio = DEFAULT_WORK_RATIO;
  p.baseMinimum = DEFAULT_HEAP_MINIMUM;
  scaleMinimum(p);
  commit(p, true, 0, 0, 0, 0, 0);
}

/** Computes heapMinimum and what depends on it, from baseMinimum and GOGC. */
function scaleMinimum(p: Pacer): void {
  const base = p.baseMinimum;
  const percent = p.gcPercent < 0 ? 100 : <u64>p.gcPercent;
  p.heapMinimum = percentOf(base, percent);
  // A quarter of the base. Below GOGC 100 it shrinks with the square, so that the slack of an unfinished sweep ends
  // before the natural minTrigger, even for the smallest distance that such a GOGC makes.
  const small = min<u64>(percent, 100);
  p.sweepSlack = max<u64>(min<u64>(MIB, ((base >> 2) * small * small) / 10000), leastRoom(p));
}

/** Least distance from the start of a cycle to its goal, and least work of an assist: 64 KiB with Go's base. */
function leastRoom(p: Pacer): u64 {
  return max<u64>(1024, min<u64>(ASSIST_CHUNK, p.baseMinimum >> 6));
}

/** Sets GOGC, any negative number for off; returns the old value, -1 for off. Call commit afterwards. */
export function setGCPercent(p: Pacer, percent: i32): i32 {
  const old = p.gcPercent;
  p.gcPercent = max<i32>(percent, -1);
  scaleMinimum(p);
  return old;
}

/** Sets the limit for mappedReady, bytes, NONE for no limit; returns the old one. Call commit afterwards. */
export function setMemoryLimit(p: Pacer, bytes: u64): u64 {
  const old = p.memoryLimit;
  p.memoryLimit = bytes;
  return old;
}

/**
 * Sets the least goal at GOGC 100, bytes, up to 2^37; it scales with GOGC. The default is 4 MiB; a program that should
 * fit into a few wasm pages sets 64 KiB or so. Returns the old base. Call commit afterwards.
 */
export function setHeapMinimum(p: Pacer, bytes: u64): u64 {
  const old = p.baseMinimum;
  p.baseMinimum = min<u64>(bytes, MAX_MINIMUM);
  scaleMinimum(p);
  return old;
}

/**
 * Sets k, bytes scanned per byte allocated, for cycles that end untimed; returns the old one. Sensible values are 1 to
 * 64; a value not above 0 changes nothing. In force from the next endCycleUntimed and commit on.
 */
export function setWorkRatio(p: Pacer, k: f64): f64 {
  const old = p.workRatio;
  if (k > 0) p.workRatio = k;
  return old;
}

/** What the memory limit leaves for the heap; NONE without a limit. */
function limitGoal(p: Pacer): u64 {
  const limit = p.memoryLimit;
  if (limit == NONE) return NONE;
  const heap = p.heapFree + p.heapAlloc;
  const nonHeap = p.mappedReady > heap ? p.mappedReady - heap : 0;
  const overage = p.mappedReady > limit ? p.mappedReady - limit : 0;
  const marked = p.heapMarked;
  const taken = nonHeap + overage;
  if (taken >= limit) return marked;
  let goal = limit - taken;
  // The headroom is for what is allocated before the next check; an eighth of the limit where that is below 8 MiB.
  const headroom = max<u64>((goal / 100) * 3, min<u64>(MIB, limit >> 3));
  goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
  return max<u64>(goal, marked);
}

/**
 * Least distance from `triggered` to the goal. Untimed cycles that begin late, because a large allocation has jumped
 * over the trigger, get more: 1/4k of the work, up to a quarter of what GOGC allows at all.
 */
function lateRoom(p: Pacer): u64 {
  const least = leastRoom(p);
  if (!p.untimed || p.percentGoal == NONE) return least;
  const fair = toBytes(<f64>expectedWork(p) / (4.0 * p.workRatio));
  return max<u64>(least, min<u64>(fair, (p.percentGoal - p.heapMarked) >> 2));
}

/** The goal in force now; it is below percentGoal exactly when the memory limit determines it. */
function heapGoal(p: Pacer): u64 {
  const byLimit = limitGoal(p);
  let goal = p.percentGoal;
  if (byLimit < goal) return byLimit;
  goal = max<u64>(goal, p.sweepTrigger);
  if (p.triggered != NONE) goal = max<u64>(goal, p.triggered + lateRoom(p));
  return goal;
}

/** Computes goal, minTrigger, maxTrigger and trigger from the fields that they depend on. */
function retarget(p: Pacer): void {
  const goal = heapGoal(p);
  const marked = p.heapMarked;
  p.goal = goal;
  // An unfinished sweep has no influence when the memory limit determines the goal.
  const sweep = goal < p.percentGoal ? 0 : p.sweepTrigger;
  if (marked >= goal) {
    p.minTrigger = goal;
    p.maxTrigger = goal;
    p.trigger = goal;
    return;
  }
  const step = (goal - marked) >> 6;
  const least = max<u64>(marked + step * MIN_TRIGGER, sweep);
  let most = marked + step * MAX_TRIGGER;
  if (goal > LATEST_TRIGGER) most = max<u64>(most, goal - LATEST_TRIGGER);
  most = max<u64>(most, least);
  p.minTrigger = least;
  p.maxTrigger = most;
  const runway = p.runway;
  p.trigger = runway > goal ? least : min<u64>(most, max<u64>(least, goal - runway));
}

/**
 * Call when the memory in use has changed; it matters only with a memory limit. Bytes: mappedReady is all memory that
 * the program uses, as the limit counts it; heapFree is the free heap pages of that; heapAlloc is live and dead
 * objects.
 *
 * A wasm memory does not shrink, so a heap that was once beyond its limit would stay there forever. Where free pages
 * are never returned to the system, pass heapFree = 0 and leave them out of mappedReady: then the memory in use counts.
 */
export function noteMemory(p: Pacer, mappedReady: u64, heapFree: u64, heapAlloc: u64): void {
  p.mappedReady = mappedReady;
  p.heapFree = heapFree;
  p.heapAlloc = heapAlloc;
  if (p.memoryLimit == NONE) return;
  retarget(p);
  if (p.triggered != NONE) revise(p);
}

/**
 * Recomputes goal, runway, trigger and sweep ratio: after resetLive, after a change of GOGC, limit or minimum, and when
 * the sweep is done. Memory as in noteMemory; pagesInUse: of all spans; pagesSwept: since the cycle ended.
 */
export function commit(
  p: Pacer,
  sweepDone: bool,
  mappedReady: u64,
  heapFree: u64,
  heapAlloc: u64,
  pagesInUse: u64,
  pagesSwept: u64,
): void {
  p.mappedReady = mappedReady;
  p.heapFree = heapFree;
  p.heapAlloc = heapAlloc;
  const marked = p.heapMarked;
  const percent = p.gcPercent;
  p.percentGoal =
    percent < 0
      ? NONE
      : max<u64>(marked + percentOf(marked + p.lastStackScan + p.globalsScan, <u64>percent), p.heapMinimum);
  p.sweepTrigger = sweepDone ? 0 : p.heapLive + p.sweepSlack;
  const perWork = (p.consMark * (1.0 - BACKGROUND_UTILIZATION)) / BACKGROUND_UTILIZATION;
  p.runway = toBytes(perWork * <f64>expectedWork(p));
  retarget(p);
  if (sweepDone) p.sweepPagesPerByte = 0;
  else paceSweep(p, pagesInUse, pagesSwept);
  if (p.triggered != NONE) revise(p);
}

/** Spreads the pages left to sweep evenly over the bytes left to the trigger. */
function paceSweep(p: Pacer, pagesInUse: u64, pagesSwept: u64): void {
  const live = p.heapLive;
  if (pagesInUse <= pagesSwept) {
    p.sweepPagesPerByte = 0;
    return;
  }
  // Finish a little earlier: 1 MiB, or a quarter of a short distance.
  let distance = p.trigger > live ? p.trigger - live : 0;
  distance -= min<u64>(MIB, distance >> 2);
  p.sweepLiveBasis = live;
  p.sweepPagesBasis = pagesSwept;
  p.sweepPagesPerByte = <f64>(pagesInUse - pagesSwept) / <f64>max<u64>(distance, SWEEP_DISTANCE_MIN);
}

/**
 * Pages that must be swept before `spanBytes` more are allocated, 0 for none. The caller is about to sweep
 * `callerPages` pages anyway. If the sweep then finds no page left, call sweepFinished.
 */
export function sweepDebt(p: Pacer, spanBytes: u64, callerPages: u64, pagesSwept: u64): u64 {
  const ratio = p.sweepPagesPerByte;
  if (ratio == 0) return 0;
  const bytes = <i64>(p.heapLive - p.sweepLiveBasis + spanBytes);
  if (bytes <= 0) return 0;
  const due = toBytes(ratio * <f64>bytes);
  const done = pagesSwept - p.sweepPagesBasis + callerPages;
  return due > done ? due - done : 0;
}

/** No page is left to sweep. Call commit soon, so that the goal no longer leaves room for the sweep. */
export function sweepFinished(p: Pacer): void {
  p.sweepPagesPerByte = 0;
}

/**
 * Begins a cycle: resets work counters, credit and debt to 0, sets triggered = heapLive, computes the first assist
 * ratio.
 */
export function startCycle(p: Pacer): void {
  p.heapScanWork = 0;
  p.stackScanWork = 0;
  p.globalsScanWork = 0;
  p.bgScanCredit = 0;
  p.assistBytes = 0;
  p.triggered = p.heapLive;
  revise(p);
}

/**
 * Recomputes the assist ratio: call in a cycle, after changes of heapLive, heapScan or the work counters. Outside a
 * cycle it does nothing.
 */
export function revise(p: Pacer): void {
  const triggered = p.triggered;
  if (triggered == NONE) return;
  const live = p.heapLive;
  const done = workDone(p);
  const most = <f64>largestWork(p);
  let expected = <f64>expectedWork(p);
  p.goal = heapGoal(p);
  let goal = <f64>p.goal;
  if (<f64>done > expected) {
    // More is alive than last time. Keep the pace: make room for the most there can be, up to a hard goal.
    const percent = p.gcPercent < 0 ? OFF_PERCENT : <f64>p.gcPercent;
    // The memory limit leaves no more room than it has left; and only the threads that allocate mark.
    const hard = p.goal < p.percentGoal ? goal : goal * (1.0 + percent / 100.0);
    const start = <f64>triggered;
    const paced = expected > 0 ? start + ((goal - start) / expected) * most : hard;
    goal = min<f64>(paced, hard);
    expected = most;
  }
  if (<f64>live > goal) {
    // Still behind: extend the goal by a tenth, and let the ratio rise as high as it must.
    goal *= 1.1;
    expected = most;
  }
  const work = max<f64>(expected - <f64>done, REMAINING_WORK_MIN);
  const heap = max<f64>(goal - <f64>live, 1.0);
  p.remainingWork = work;
  p.remainingHeap = heap;
  p.assistWorkPerByte = work / heap;
  p.assistBytesPerWork = heap / work;
}

/**
 * Bytes to scan for a debt of `bytes`: enough to be worth starting, and no more than the ratio is valid for. Count what
 * was scanned, revise, and add assistCredit for it; if a debt is left, repeat.
 */
export function assistWork(p: Pacer, bytes: u64): u64 {
  return max<u64>(leastRoom(p), toBytes(min<f64>(p.assistWorkPerByte * <f64>bytes, p.remainingWork)));
}

/**
 * Bytes of allocation that `work` bytes scanned have paid for, by the ratio computed after them. At least 1, so that a
 * debt always ends; at most the distance to the goal, because otherwise a little work done early would allow to pass
 * it.
 */
export function assistCredit(p: Pacer, work: u64): i64 {
  return 1 + <i64>min<f64>(min<f64>(p.assistBytesPerWork * <f64>work, p.remainingHeap), CREDIT_MAX);
}

/** Claims up to `work` bytes of the background workers' credit; returns how many. One thread. */
export function takeCredit(p: Pacer, work: u64): u64 {
  const credit = p.bgScanCredit;
  if (credit <= 0) return 0;
  const taken = min<u64>(<u64>credit, work);
  p.bgScanCredit = credit - <i64>taken;
  return taken;
}

/**
 * Ends the marking, with a clock. `duration`: wall time of the mark phase; `assistTime`: processor time of assists;
 * `idleTime`: processor time of marking on otherwise idle processors; all in the same unit, whichever. procs >= 1. With
 * duration 0, or a clock too coarse to measure one, it does the same as endCycleUntimed.
 */
export function endCycle(p: Pacer, assistTime: f64, idleTime: f64, duration: f64, procs: u32): void {
  const time = duration * <f64>procs;
  if (!(time > 0)) {
    endCycleUntimed(p);
    return;
  }
  p.untimed = 0;
  p.lastHeapGoal = heapGoal(p);
  const scanned = workDone(p);
  if (p.heapLive <= p.triggered || scanned == 0) return;
  const used = BACKGROUND_UTILIZATION + assistTime / time;
  // A program that did not run at all would be infinitely fast.
  const mutator = max<f64>(1.0 - used, 1.0 / 1024.0);
  const now = (<f64>(p.heapLive - p.triggered) * (used + idleTime / time)) / (<f64>scanned * mutator);
  const older = max<f64>(max<f64>(p.lastConsMark0, p.lastConsMark1), max<f64>(p.lastConsMark2, p.lastConsMark3));
  p.consMark = max<f64>(now, older);
  p.lastConsMark0 = p.lastConsMark1;
  p.lastConsMark1 = p.lastConsMark2;
  p.lastConsMark2 = p.lastConsMark3;
  p.lastConsMark3 = now;
}

/** Ends the marking of a program without a clock: the runway will be expected work / workRatio. See the header. */
export function endCycleUntimed(p: Pacer): void {
  p.untimed = 1;
  p.lastHeapGoal = heapGoal(p);
  p.consMark = BACKGROUND_UTILIZATION / ((1.0 - BACKGROUND_UTILIZATION) * p.workRatio);
}

/**
 * Call after the marking: exactly what is marked is live. `bytesMarked`: all marked objects, including those allocated
 * during the cycle. maxStackScan and globalsScan stay. Call commit afterwards.
 */
export function resetLive(p: Pacer, bytesMarked: u64): void {
  p.heapMarked = bytesMarked;
  p.heapLive = bytesMarked;
  p.heapScan = p.heapScanWork;
  p.lastHeapScan = p.heapScanWork;
  p.lastStackScan = p.stackScanWork;
  p.triggered = NONE;
}

/**
 * Whether the record satisfies what this file promises between two calls: settings in their ranges, the order of goal
 * and triggers, ratios that are numbers, and `triggered` set exactly while `marking`.
 */
export function isOrdered(p: Pacer, marking: bool): bool {
  return (
    p.gcPercent >= -1 &&
    p.untimed <= 1 &&
    p.workRatio > 0 &&
    p.baseMinimum <= MAX_MINIMUM &&
    p.heapMarked <= p.minTrigger &&
    p.minTrigger <= p.trigger &&
    p.trigger <= p.maxTrigger &&
    p.maxTrigger <= p.goal &&
    p.heapMarked <= p.percentGoal &&
    p.gcPercent < 0 == (p.percentGoal == NONE) &&
    p.consMark >= 0 &&
    p.sweepPagesPerByte >= 0 &&
    p.assistWorkPerByte >= 0 &&
    p.assistBytesPerWork >= 0 &&
    p.remainingWork >= 0 &&
    p.remainingHeap >= 0 &&
    (p.triggered != NONE) == marking
  );
}

/** Whether a cycle is due. */
@inline
export function shouldStart(p: Pacer): bool {
  return p.heapLive >= p.trigger && p.triggered == NONE;
}
