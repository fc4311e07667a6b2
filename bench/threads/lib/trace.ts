/**
 * A recorded trace of several threads (.mtr2.gz): reading, dealing its threads out to workers, and the lists of events
 * that the workers play (bench/threads/native/replay.c).
 *
 * What orders the replay is the slot: an event waits until the previous event of its slot is done. Within a worker that
 * holds by itself. Where a slot goes from worker to worker, the event before gets PASS, the one behind AWAIT and the
 * number of such turns so far. A worker plays its threads' events in the order of the recording, so every wait is for
 * an event that was recorded earlier, and nobody waits for ever.
 */

import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { benchFile } from "../../lib/paths.ts";
import { Op, requestSize } from "../../lib/trace.ts";
import { HEAP_BASE, TRACE } from "./layout.ts";

const HEADER_BYTES = 16;
const SLOT_MASK = 0x1fffffff;
const AWAIT = 1 << 28;
const PASS = 1 << 27;

/** Words of an event, in the file and in a list. */
const WORDS = 3;
const EVENT_BYTES = WORDS * 4;
const SLOT_BYTES = 8;
const SIZE_BYTES = 4;

/**
 * The worker of each of the recording's eight threads when there are two. Of all 128 ways to deal them out, this one
 * has the shortest critical path if every event takes the same time: 1.25 times as fast as one worker. Most of the
 * rest is the program's own: start-up and clean-up are thread 0's alone, and its pipeline has narrow places.
 */
const DEALT = [0, 1, 1, 0, 1, 1, 0, 0];

/** A trace in memory. */
export interface ThreadsTrace {
  /** Three words for each event: op << 29 | slot, size, thread. */
  readonly events: Uint32Array;
  readonly count: number;
  readonly maxSlots: number;
  readonly threads: number;
}

/** A trace as some number of workers play it. */
export interface Plan {
  /** Each worker's events, and what was left at the end freed; shared, so that it can be handed to workers. */
  readonly lists: readonly Uint32Array<SharedArrayBuffer>[];
  readonly maxSlots: number;
  /** Where things lie in the memory. */
  readonly slotsAt: number;
  readonly sizesAt: number;
  readonly listsAt: readonly number[];
  /** What a replay must read back in all. */
  readonly checksum: number;
  /** Slots that go from one worker to another, counted each time. */
  readonly turns: number;
  /** Requested bytes live at their peak, in the order of the recording. */
  readonly peak: number;
}

/** Reads and checks a trace of bench/traces. */
export async function readThreadsTrace(name: string): Promise<ThreadsTrace> {
  const bytes = gunzipSync(await readFile(benchFile("traces", `${name}.mtr2.gz`)));
  if (bytes.toString("latin1", 0, 4) !== "MTR2") throw new Error(`${name}: not a trace of several threads (MTR2)`);
  const [count, maxSlots, threads] = [4, 8, 12].map((at) => bytes.readUInt32LE(at)) as [number, number, number];
  if (bytes.length !== HEADER_BYTES + count * EVENT_BYTES)
    throw new Error(`${name}: its length is not that of its events`);
  if (maxSlots >= PASS) throw new Error(`${name}: more slots than an event can name`);
  // Copied, so that the words are aligned.
  const body = bytes.buffer.slice(bytes.byteOffset + HEADER_BYTES, bytes.byteOffset + bytes.length);
  return { events: new Uint32Array(body), count, maxSlots, threads };
}

/** Reads a trace, cut to its first `events` events, and gives its plans. */
export async function planTrace(name: string, events: number): Promise<{ count: number; plan(workers: number): Plan }> {
  const whole = await readThreadsTrace(name);
  const trace = { ...whole, count: Math.min(whole.count, events) };
  const made = new Map<number, Plan>();
  return {
    count: trace.count,
    plan(workers) {
      const known = made.get(workers) ?? plan(trace, workers);
      made.set(workers, known);
      return known;
    },
  };
}

/** The worker that plays each thread. */
function deal(threads: number, workers: number): number[] {
  if (workers === 2 && threads === DEALT.length) return DEALT;
  return Array.from({ length: threads }, (_, thread) => thread % workers);
}

/** Deals a trace out to `workers` workers; blocks that the program left are freed by who touched them last. */
export function plan({ events, count, maxSlots, threads }: ThreadsTrace, workers: number): Plan {
  const workerOf = deal(threads, workers);
  const lists: number[][] = Array.from({ length: workers }, () => []);
  // Per slot: the block's size, the worker of its last event and where in the list that event is, turns so far.
  const sizes = new Uint32Array(maxSlots);
  const holder = new Int32Array(maxSlots).fill(-1);
  const place = new Uint32Array(maxSlots);
  const turn = new Uint32Array(maxSlots);
  let [checksum, turns, live, peak] = [0, 0, 0, 0];

  const play = (worker: number, op: number, slot: number, size: number) => {
    let flags = 0;
    const last = holder[slot]!;
    if (last >= 0 && last !== worker) {
      lists[last]![place[slot]!]! |= PASS;
      flags = AWAIT;
      turn[slot]!++;
      turns++;
    }
    const list = lists[worker]!;
    holder[slot] = worker;
    place[slot] = list.length;
    list.push((op << 29) | flags | slot, size, turn[slot]!);
    const before = sizes[slot]!;
    const after = op === Op.free ? 0 : requestSize(op, size);
    // The driver reads a dying block's mark; see tag_of in bench/threads/native/bench.h.
    if (before) checksum = (checksum + ((before + 1) & 0xff)) >>> 0;
    sizes[slot] = after;
    live += after - before;
    peak = Math.max(peak, live);
  };

  for (let i = 0; i < count; i++) {
    const head = events[i * WORDS]!;
    play(workerOf[events[i * WORDS + 2]!]!, head >>> 29, head & SLOT_MASK, events[i * WORDS + 1]!);
  }
  sizes.forEach((size, slot) => {
    if (size) play(holder[slot]!, Op.free, slot, 0);
  });
  return { lists: lists.map(shared), ...layOut(lists, maxSlots), maxSlots, checksum, turns, peak };
}

function shared(list: readonly number[]): Uint32Array<SharedArrayBuffer> {
  const words = new Uint32Array(new SharedArrayBuffer(list.length * 4));
  words.set(list);
  return words;
}

/** Slots, their sizes, then the lists, one behind the other from TRACE on. */
function layOut(lists: readonly (readonly number[])[], maxSlots: number) {
  const slotsAt = TRACE;
  const sizesAt = slotsAt + maxSlots * SLOT_BYTES;
  let at = sizesAt + maxSlots * SIZE_BYTES;
  const listsAt = lists.map((list) => {
    const begin = at;
    at += list.length * 4;
    return begin;
  });
  if (at > HEAP_BASE) throw new Error(`the trace does not fit below the heap: ${at} bytes`);
  return { slotsAt, sizesAt, listsAt };
}

/** Events in a list. */
export function eventsIn(list: Uint32Array): number {
  return list.length / WORDS;
}
