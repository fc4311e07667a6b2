/**
 * Recorded traces (.mtr.gz): reading, and what follows from the requests alone.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { TRACES } from "./paths.ts";

/** Operations of a trace event, bits 29..31 of its first word. */
export const Op = { malloc: 0, free: 1, realloc: 2, calloc: 3, aligned: 4 } as const;

const SLOT_MASK = 0x1fffffff;
const ALIGNED_SIZE_MASK = 0x7ffffff;

/** A trace in memory. */
export interface Trace {
  readonly name: string;
  /** Two words for each event: op << 29 | slot, size. */
  readonly events: Uint32Array;
  readonly count: number;
  /** Slots needed: the peak of live objects. */
  readonly maxSlots: number;
}

/** The traces, by file name. */
export const TRACE_NAMES = [
  "cc1-c",
  "python-json",
  "sqlite-index",
  "lua-script",
  "redis-mixed",
  "postgres-shop",
  "git-log",
  "perl-web",
  "jq-query",
  "groff-man",
  "bsdtar-xz",
  "magick-sheet",
] as const;

/** Reads and checks a trace of bench/traces. */
export async function readTrace(name: string): Promise<Trace> {
  const bytes = gunzipSync(await readFile(join(TRACES, `${name}.mtr.gz`)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.toString("latin1", 0, 4) !== "MTR1") throw new Error(`${name}: not a single-threaded trace (MTR1)`);
  const count = view.getUint32(4, true);
  const maxSlots = view.getUint32(8, true);
  if (bytes.byteLength !== 12 + count * 8) throw new Error(`${name}: ${count} events do not fill the file`);
  // Copied, so that the words are aligned.
  const events = new Uint32Array(bytes.buffer.slice(bytes.byteOffset + 12, bytes.byteOffset + bytes.byteLength));
  return { name, events, count, maxSlots };
}

/** The request's size in an event that allocates. */
export function requestSize(op: number, word: number): number {
  return op === Op.aligned ? word & ALIGNED_SIZE_MASK : word;
}

/** The alignment that an event of aligned allocation asks for. */
function alignmentOf(word: number): number {
  return 2 ** (word >>> 27);
}

/** Calls `visit` for every event in order with the block's size before and after it (0: no block). */
export function walk(
  trace: Trace,
  visit: (index: number, op: number, before: number, after: number, slot: number) => void,
): void {
  const sizes = new Uint32Array(trace.maxSlots);
  const { events, count } = trace;
  for (let i = 0; i < count; i++) {
    const head = events[2 * i]!;
    const op = head >>> 29;
    const slot = head & SLOT_MASK;
    const before = sizes[slot]!;
    const after = op === Op.free ? 0 : requestSize(op, events[2 * i + 1]!);
    sizes[slot] = after;
    visit(i, op, before, after, slot);
  }
}

/** What follows from a trace's requests alone. */
export interface Survey {
  /** Requested bytes live at their peak. */
  readonly peak: number;
  /** The event that reached it, and the objects that were live then. */
  readonly peakEvent: number;
  readonly peakObjects: number;
  /** True if it asks for alignments beyond 16. */
  readonly aligned: boolean;
  /** Events that free what the program left to the operating system at its end. */
  readonly rest: Trace;
  /** What a replay of the trace and its rest must read back: see tagOf in bench/assembly/driver/blocks.ts. */
  readonly checksum: number;
}

/** One walk over all events. */
export function survey(trace: Trace): Survey {
  let live = 0;
  let objects = 0;
  let peak = 0;
  let peakEvent = 0;
  let peakObjects = 0;
  let checksum = 0;
  let aligned = false;
  const sizes = new Uint32Array(trace.maxSlots);
  walk(trace, (event, op, before, after, slot) => {
    if (op === Op.aligned && alignmentOf(trace.events[2 * event + 1]!) > 16) aligned = true;
    live += after - before;
    if (before) checksum = (checksum + ((before + 1) & 0xff)) >>> 0;
    else objects++;
    if (!after) objects--;
    sizes[slot] = after;
    if (live > peak) {
      peak = live;
      peakEvent = event;
      peakObjects = objects;
    }
  });
  const left: number[] = [];
  sizes.forEach((size, slot) => {
    if (!size) return;
    checksum = (checksum + ((size + 1) & 0xff)) >>> 0;
    left.push(((Op.free << 29) | slot) >>> 0, 0);
  });
  const rest = {
    name: `${trace.name} (leftovers)`,
    events: Uint32Array.from(left),
    count: objects,
    maxSlots: trace.maxSlots,
  };
  return { peak, peakEvent, peakObjects, aligned, rest, checksum };
}
