/**
 * The one who marks: cycles driven from JavaScript, step by step, by a worker that does little else.
 *
 *   wait    for the wake word, which changes at the trigger
 *   sweep   what the last cycle has left; then begin: the first stop
 *   mark    steps of some hundred kilobytes, with a turn of the event loop now and then
 *   end     the second stop; when there was more than it could do on the spot, mark again
 *   sweep   in batches, so that the others get their gates
 *
 * The world is stopped within wasm calls alone: a worker that is terminated between two of them leaves nothing but marks, with
 * which any thread goes on. The pauses are those calls, as this thread's clock sees them: the time until all had stopped is in.
 *
 * Cost: what the marking costs. The P is given up while it waits.
 */

import { callable, isAbortSignal, namesOf, object, reading, readOptions, show, within } from "../base/check.js";
import type { HeapLockError } from "../base/errors.js";
import { DUE_START, STAT_COLLECTING } from "../base/gcabi.js";
import { BUSY, type CollectorExports, DONE, MORE, reportCheckmark, STATS } from "./gcabi.js";
import type { Ps } from "./procs.js";
import { delay, hardwareThreads, now, type Words, waitForAsync } from "./support.js";

/** Longest sleep, milliseconds: then the signal is looked at, and whether something is due. */
const WAIT_MS = 200;
/** Bytes of a mark step, and milliseconds of steps between two turns of the event loop. */
const STEP_BYTES = 512 * 1024;
const TURN_MS = 8;
/** Pages of a batch of sweeping. */
const SWEEP_PAGES = 256;
/** Milliseconds until a thread that could not be waited for is tried again. */
const RETRY_MS = 5;

/** What the collector needs of its heap. */
export interface CollectorHost {
  readonly ps: Ps;
  readonly words: () => Words;
  /** What the heap knows of the thread that this one gave up waiting for: forgotten when asked. */
  readonly lastStuck: () => number;
  /** The error for having waited for that thread. */
  readonly blame: (p: number, why: string) => HeapLockError;
}

/** What one cycle was like. Times in milliseconds. */
export interface CycleRecord {
  /** Cycles begun by then. */
  readonly cycle: number;
  /** The stops at the begin and at the end, until all had stopped included. */
  readonly stopBegin: number;
  readonly stopEnd: number;
  /** Stops at the end that found more than could be done on the spot, and so ended nothing. */
  readonly retries: number;
  /** From the begin to the end, the others running. */
  readonly mark: number;
  /** Bytes: live before, when it ended, marked, and the goal. */
  readonly before: number;
  readonly after: number;
  readonly marked: number;
  readonly goal: number;
}

export interface MarkerOptions {
  /** Ends it, at the end of the cycle that runs. */
  readonly signal?: AbortSignal | undefined;
  /** After each cycle. */
  readonly onCycle?: ((record: CycleRecord) => void) | undefined;
  /** Cycles after which it ends by itself. Default: never. */
  readonly cycles?: number | undefined;
}

const OPTIONS = namesOf<MarkerOptions>({ signal: 0, onCycle: 0, cycles: 0 });

/** The options of runMarker, read once and checked. Throws RangeError, TypeError. */
export function checkMarkerOptions(given: MarkerOptions): MarkerOptions {
  const options = readOptions(given, OPTIONS, "runMarker");
  const { signal, onCycle, cycles } = options;
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw new TypeError(`signal must be an AbortSignal: ${show(signal)}`);
  }
  if (onCycle !== undefined) callable(onCycle, "onCycle");
  if (cycles !== undefined && cycles !== Number.POSITIVE_INFINITY) within(cycles, 0, Number.MAX_SAFE_INTEGER, "cycles");
  return options;
}

/** A clock that all threads share. */
function clock(): number {
  return typeof performance === "object" ? performance.timeOrigin + performance.now() : Date.now();
}

/** One line of a cycle, in the manner of Go's gctrace. Throws TypeError for what is no cycle's record. */
export function formatCycle(record: CycleRecord): string {
  object(record, "record");
  const { cycle, stopBegin, stopEnd, mark, before, after, marked, goal } = reading("record", () => ({ ...record }));
  for (const [name, figure] of Object.entries({ cycle, stopBegin, stopEnd, mark, before, after, marked, goal })) {
    if (typeof figure === "number") continue;
    throw new TypeError(`record.${name} must be a number: ${show(figure)}; pass what onCycle or runMarker gave`);
  }
  const ms = (time: number): string => time.toFixed(time < 1 ? 3 : 1);
  const mb = (bytes: number): string => (bytes / 1048576).toFixed(1);
  return `gc ${cycle}: ${ms(stopBegin)}+${ms(mark)}+${ms(stopEnd)} ms, ${mb(before)}->${mb(after)}->${mb(marked)} MB, ${mb(goal)} MB goal`;
}

/** Whether a cycle should begin by itself. */
function isDue(collector: CollectorExports): boolean {
  return collector.gcStat(STAT_COLLECTING) !== 0 && (collector.gcDue() & DUE_START) !== 0;
}

/** See SharedCollector.runMarker. The records of its cycles, 100 of the last. */
export async function runMarker(
  collector: () => CollectorExports,
  host: CollectorHost,
  { signal, onCycle, cycles = Number.POSITIVE_INFINITY }: MarkerOptions,
): Promise<CycleRecord[]> {
  const records: CycleRecord[] = [];
  for (let n = 0; n < cycles && !signal?.aborted; ) {
    const wake = collector().gcWakeAddress() >>> 2;
    const seen = wake === 0 ? 0 : Atomics.load(host.words(), wake);
    const running = collector().gcStat(STATS.phase) !== 0;
    if (!running && !isDue(collector())) {
      if (!host.ps.pinned) host.ps.release();
      if (wake === 0) await delay(WAIT_MS);
      else await waitForAsync(host.words(), wake, seen, WAIT_MS);
      continue;
    }
    await host.ps.acquireAsync();
    const record = await runCycle(collector, host);
    reportCheckmark(collector());
    if (record === null) continue;
    n++;
    records.push(record);
    if (records.length > 100) records.shift();
    onCycle?.(record);
  }
  return records;
}

/** A cycle from where it is to its end. Null: another thread has ended it. */
async function runCycle(collector: () => CollectorExports, host: CollectorHost): Promise<CycleRecord | null> {
  let turn = now();
  /** A turn of the event loop, in which the P may have gone to who waits for one. */
  const breathe = async (ms = 0): Promise<void> => {
    if (ms === 0 && now() - turn < TURN_MS) return;
    await delay(ms);
    await host.ps.acquireAsync();
    turn = now();
  };
  while (collector().gcSweep(SWEEP_PAGES) > 0) await breathe();
  const before = collector().gcStat(STATS.heapLive);
  let began = now();
  while (collector().gcBegin(0, clock()) === BUSY) {
    await breathe(RETRY_MS);
    began = now();
  }
  const cycle = collector().gcStat(STATS.cycles);
  const started = now();
  const stopBegin = started - began;
  let stopEnd = 0;
  let ended = started;
  let retries = -1;
  let after = before;
  for (let state = MORE; state !== DONE; ) {
    const work = collector().gcMark(STEP_BYTES);
    if (work !== MORE) {
      await breathe(work === BUSY ? RETRY_MS : 0);
      continue;
    }
    after = collector().gcStat(STATS.heapLive);
    ended = now();
    state = collector().gcEnd(clock());
    stopEnd = now() - ended;
    retries++;
    if (state === BUSY) await breathe(RETRY_MS);
  }
  const stat = (i: number): number => collector().gcStat(i);
  const mine = stat(STATS.cycles) === cycle;
  const record = { cycle, stopBegin, stopEnd, retries, mark: ended - started, before, after };
  const whole: CycleRecord = { ...record, marked: stat(STATS.heapMarked), goal: stat(STATS.goal) };
  if (mine) collector().gcTimes(stopBegin, stopEnd, hardwareThreads());
  while (collector().gcSweep(SWEEP_PAGES) > 0) await breathe();
  return mine ? whole : null;
}
