/**
 * The marker: cycles driven step by step by a thread that does little else, for Collector.runMarker.
 *
 *   wait    until a cycle runs, or one is due by the trigger
 *   sweep   what the last cycle has left; then begin: the first stop of a shared heap
 *   mark    steps of some hundred kilobytes, with turns of the event loop between; the last one is the second stop
 *   sweep   in batches, so that other threads get their gates
 *
 * The world is stopped within wasm calls alone: a worker that is terminated between two of them leaves nothing but
 * marks, and any thread can go on from there.
 *
 * Cost: that of the marking. On a shared heap the P is given up while it waits.
 */
import { isAbortSignal, namesOf, readOptions, show, within } from "../base/check.js";
import { BUSY, DUE_CYCLES_SHIFT, DUE_START, STAT_COLLECTING } from "../base/gcabi.js";
import type { Core } from "./core.js";
import type { GCCycle } from "./gctrace.js";

/** Longest sleep of a heap of one thread, milliseconds: then it looks whether a cycle is due. */
const WAIT_MS = 200;
/** Bytes of a mark step, and milliseconds of steps between two turns of the event loop. */
const STEP_BYTES = 512 * 1024;
const TURN_MS = 8;
/** Pages of a batch of sweeping. */
const SWEEP_PAGES = 256;
/** Milliseconds until another thread that could not be waited for is tried again. */
const RETRY_MS = 5;
/** Records that runMarker resolves with, the newest ones. */
const MAX_RECORDS = 100;

export interface MarkerOptions {
  /** Ends the marker, at the end of the cycle that runs. Default: nothing does. */
  readonly signal?: AbortSignal | undefined;
  /** Cycles after which it ends by itself, from 0 on, or Infinity. Default Infinity. */
  readonly cycles?: number | undefined;
}

const OPTIONS = namesOf<MarkerOptions>({ signal: 0, cycles: 0 });

/** The options of runMarker, read once and checked. Throws RangeError, TypeError. */
export function checkMarkerOptions(given: MarkerOptions): MarkerOptions {
  const options = readOptions(given, OPTIONS, "runMarker");
  const { signal, cycles } = options;
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw new TypeError(`signal must be an AbortSignal: ${show(signal)}`);
  }
  if (cycles !== undefined && cycles !== Number.POSITIVE_INFINITY) within(cycles, 0, Number.MAX_SAFE_INTEGER, "cycles");
  return options;
}

/** The collector's steps. */
export interface MarkerSteps {
  /** 1: a cycle has begun; 0: one is running; BUSY. */
  begin(): number;
  /** Marks, and ends the marking when there is nothing left. Bytes scanned; BUSY. */
  mark(bytes: number): number;
  /** Sweeps. How many pages; 0: all is swept. */
  sweep(pages: number): number;
  /** Hands records to the hooks. Throws what they throw, and CheckmarkError. */
  settle(): void;
  /** The record of the last cycle. */
  last(): GCCycle | null;
}

/** See Collector.runMarker. */
export async function runMarker(core: Core, options: MarkerOptions, steps: MarkerSteps): Promise<GCCycle[]> {
  const { signal, cycles = Number.POSITIVE_INFINITY } = options;
  const records: GCCycle[] = [];
  for (let n = 0; n < cycles && !signal?.aborted; ) {
    if (!isDue(core)) {
      await (core.threads?.rest() ?? delay(WAIT_MS));
      continue;
    }
    await core.threads?.resume();
    const record = await runCycle(core, steps);
    steps.settle();
    if (record === null) continue;
    n++;
    records.push(record);
    if (records.length > MAX_RECORDS) records.shift();
  }
  return records;
}

/** Whether a cycle runs, or should begin by itself. */
function isDue({ exports }: Core): boolean {
  if (exports.gcPhase() !== 0) return true;
  return exports.gcStat(STAT_COLLECTING) !== 0 && (exports.gcDue() & DUE_START) !== 0;
}

/** A cycle from where it is to its end. Its record; null: another thread has ended it. */
async function runCycle(core: Core, steps: MarkerSteps): Promise<GCCycle | null> {
  let turn = now();
  /** A turn of the event loop, in which another thread may have taken the P. */
  const breathe = async (ms = 0): Promise<void> => {
    if (ms === 0 && now() - turn < TURN_MS) return;
    await delay(ms);
    await core.threads?.resume();
    turn = now();
  };
  while (steps.sweep(SWEEP_PAGES) > 0) await breathe();
  while (steps.begin() === BUSY) await breathe(RETRY_MS);
  const cycle = cyclesBegun(core);
  let mine = false;
  while (core.exports.gcPhase() !== 0 && cyclesBegun(core) === cycle) {
    const scanned = steps.mark(STEP_BYTES);
    mine = scanned !== BUSY && core.exports.gcPhase() === 0;
    if (!mine) await breathe(scanned === BUSY ? RETRY_MS : 0);
  }
  const record = mine ? steps.last() : null;
  if (record !== null) core.threads?.stopped(record.clock.sweepTermination, record.clock.markTermination);
  while (steps.sweep(SWEEP_PAGES) > 0) await breathe();
  return record;
}

function cyclesBegun({ exports }: Core): number {
  return exports.gcDue() >>> DUE_CYCLES_SHIFT;
}

function now(): number {
  return typeof performance === "object" ? performance.now() : Date.now();
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
