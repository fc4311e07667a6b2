/**
 * LiveReader: one frame after the other of a heap that works, read in slices.
 *
 * A frame is made by a snapshot reader and a FrameWriter, both in steps of some hundredths of a millisecond; a slice ends
 * before the longest step so far would not fit any more. Each 512 KiB of a frame are as they were at one moment, the whole
 * is not. Nothing that the heap's records say is thrown: a heap that cannot be read is a state. Cost: see docs/live.md.
 */
import { type GomallocError, HeapDisposedError, SnapshotError } from "../base/errors.js";
import type { FrameExtras } from "../map/wire.js";
import { checkHeap } from "../snapshot/find.js";
import { FrameWriter, type PageWindow } from "../snapshot/frame.js";
import { MHEAP_AT } from "../snapshot/layout.js";
import { MemoryWords } from "../snapshot/memory.js";
import { SnapshotReader } from "../snapshot/read.js";
import { SpanColumns } from "../snapshot/spans.js";
import type { LiveSource } from "./source.js";

/** Who gets the frame. */
export interface Wanted {
  /** Somebody has all frames so far. */
  readonly changes: boolean;
  /** Somebody has none, or missed one. */
  readonly whole: boolean;
  /** Pages of which the live slots are wanted. */
  readonly windows: readonly PageWindow[];
}

/** What came of it. */
export type Outcome =
  | { readonly state: "frame"; readonly changes: Uint8Array; readonly whole: Uint8Array | undefined }
  /** No heap can be read; there may be one later. */
  | { readonly state: "waiting"; readonly reason: string }
  /** The heap was disposed of. */
  | { readonly state: "ended"; readonly reason: string };

/** By so much the longest step is forgotten at each other one: it may have been a pause of the engine's. */
const FORGOTTEN = 0.9;
/** Share of a slice that is used: the rest is for what comes behind it, the sending. */
const FILLED = 0.8;

export class LiveReader {
  readonly #source: LiveSource;
  readonly #given: number | undefined;
  readonly #writer = new FrameWriter();
  /** Columns for the next snapshot, and those that the writer has. */
  #spare = new SpanColumns();
  #used = new SpanColumns();
  /** Address of the heap's record, once it was found. */
  #address: number | undefined;
  #work: Generator<void, Outcome> | undefined;
  /** About the longest step lately, milliseconds. */
  #longestStep = 0;
  /** Of the frame that is being read, and of the last one. */
  #reading = { slices: 0, ms: 0, longest: 0 };
  #figures: FrameExtras["read"] = { slices: 0, ms: 0, longest: 0 };

  /** `heap`: address of the heap's record, for a memory with several. */
  constructor(source: LiveSource, heap: number | undefined) {
    this.#source = source;
    this.#given = heap;
  }

  /** Address of the heap's record; undefined before the first frame. */
  get address(): number | undefined {
    return this.#address;
  }

  /** Milliseconds that the last frame took. */
  get cost(): number {
    return this.#figures.ms;
  }

  /** Whether a frame is being read. */
  get busy(): boolean {
    return this.#work !== undefined;
  }

  /** Begins a frame. */
  begin(wanted: Wanted): void {
    this.#reading = { slices: 0, ms: 0, longest: 0 };
    this.#work = this.#frame(wanted);
  }

  /** Reads on for at most `ms` milliseconds, but at least a step. Undefined: it is to be called again. Throws nothing. */
  step(ms: number): Outcome | undefined {
    const work = this.#work;
    if (work === undefined) return undefined;
    const from = performance.now();
    let now = from;
    let outcome: Outcome | undefined;
    do {
      outcome = next(work);
      const before = now;
      now = performance.now();
      this.#longestStep = Math.max(this.#longestStep * FORGOTTEN, now - before);
    } while (outcome === undefined && now - from + Math.min(this.#longestStep, ms / 2) < ms * FILLED);
    const reading = this.#reading;
    reading.slices++;
    reading.ms += now - from;
    reading.longest = Math.max(reading.longest, now - from);
    if (outcome !== undefined) {
      this.#work = undefined;
      this.#figures = reading;
    }
    return outcome;
  }

  /** The last picture, for whoever comes when the heap is gone; undefined: there never was one. O(pages) at once. */
  last(): Uint8Array | undefined {
    if (!this.#writer.ready) return undefined;
    const work = this.#writer.whole([]);
    for (;;) {
      const { done, value } = work.next();
      if (done) return value;
    }
  }

  *#frame({ whole, windows }: Wanted): Generator<void, Outcome> {
    const { memory } = this.#source;
    this.#address ??= this.#given ?? this.#source.address();
    // The writer still has the columns of the last snapshot.
    const spare = this.#spare;
    const reader = new SnapshotReader(memory, { heap: this.#address, bitmaps: windows.length > 0 }, spare);
    try {
      while (!reader.step(0)) yield;
    } catch (error) {
      // The heap may be somewhere else by now.
      this.#address = undefined;
      throw error;
    }
    // It may have been disposed of between two slices, and its memory be another's.
    void this.#source.memory;
    const { snapshot } = reader;
    this.#address = snapshot.address;
    const more: FrameExtras = { cycles: this.#cycles(memory, snapshot.address), read: this.#figures };
    const changes = yield* this.#writer.take(snapshot, windows, more);
    this.#spare = this.#used;
    this.#used = snapshot.columns;
    return { state: "frame", changes, whole: whole ? yield* this.#writer.whole(windows, more) : undefined };
  }

  /** Cycles of the collector that have ended; undefined for a flavour without one. */
  #cycles(memory: WebAssembly.Memory, address: number): number | undefined {
    const words = new MemoryWords(memory);
    const heap = checkHeap(words, address);
    return typeof heap === "string" || heap.layout.GC === 0 ? undefined : words.word(address + MHEAP_AT.sweepgen) >>> 1;
  }
}

/** A step of the work; what it throws is an outcome. */
function next(work: Generator<void, Outcome>): Outcome | undefined {
  try {
    const { done, value } = work.next();
    return done ? value : undefined;
  } catch (error) {
    if (error instanceof HeapDisposedError || codeOf(error) === "ERR_HEAP_DISPOSED") {
      return { state: "ended", reason: "the heap was disposed of" };
    }
    const reason = error instanceof SnapshotError ? error.problem : error instanceof Error ? error.message : `${error}`;
    return { state: "waiting", reason };
  }
}

/** Of an error of another copy of the package. */
function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as Partial<GomallocError>).code : undefined;
}
