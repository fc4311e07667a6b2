/**
 * A heap that is looked at again and again, as frames: the whole once, then what has changed. FrameWriter makes frames of
 * snapshots, FrameReader makes snapshots of frames; between them lies a wire, a message port, or nothing.
 *
 * A piece is a span or a run of pages without one. Both sides keep a table with three words for each page, which are 0
 * but at a piece's first page. A frame lists the pages whose words changed, so a heap at rest costs a few hundred bytes,
 * whatever its size. Which slots are live is sent for the pages that somebody looks at closely, and for no others.
 *
 *   frame   u32 bytes of the head | u32 pieces | u32 words of bits | head: JSON, filled with spaces to 4 bytes | pieces | bits
 *   piece   u32 page | u32 pages, kind << 20 | u32 row, owner << 8, flags << 16 | u32 slots, live << 16
 *   bits    u32 page of a span | its words of 32 slots; again for the next span
 *
 * Words are little-endian, as those of linear memory. This format is no interface: both sides are of one version of the
 * package. Cost: O(spans + pages) a frame, in steps.
 */
import { SnapshotError } from "../base/errors.js";
import type { PJSON, RowJSON, SkippedJSON, TotalsJSON } from "./format.js";
import type { Flavour } from "./layout.js";
import { HeapSnapshot, PAGE_SPAN, type Run } from "./snapshot.js";
import { NO_BITS, SpanColumns } from "./spans.js";

/** What a frame says in words. */
export interface FrameHead {
  /** The first of its kind: what was known before is void. */
  readonly full: boolean;
  readonly time: number;
  readonly flavour: Flavour;
  readonly address: number;
  readonly memoryBytes: number;
  readonly start: number;
  readonly end: number;
  readonly totals: TotalsJSON;
  /** Rows that changed, and the numbers of those that have no span any more. */
  readonly rows: readonly RowJSON[];
  readonly gone: readonly number[];
  readonly ps?: readonly PJSON[];
  readonly skipped: SkippedJSON;
  /** What somebody else adds. */
  readonly more?: unknown;
}

/** Pages that somebody looks at closely: from `from` up to `to`, which is not one of them. */
export interface PageWindow {
  readonly from: number;
  readonly to: number;
}

const WORDS = 3;
const HEADER = 12;
const PIECE_WORDS = 4;
const KIND_SHIFT = 20;
const PAGES_MASK = (1 << KIND_SHIFT) - 1;
/** Spans or pages between two steps. */
const STRIDE = 1 << 12;

/** Makes frames of one heap's snapshots. */
export class FrameWriter {
  #words: Uint32Array<ArrayBuffer> = new Uint32Array(0);
  #next: Uint32Array<ArrayBuffer> = new Uint32Array(0);
  /** The snapshot that #words has. */
  #last: HeapSnapshot | undefined;
  /** Used again by each frame. */
  readonly #pieces = new Words();

  /** Whether there is a frame for whoever begins to look. */
  get ready(): boolean {
    return this.#last !== undefined;
  }

  /**
   * Takes the next snapshot, in steps; returns the frame of what changed since the last one. It is a full one for the first
   * and for another heap.
   */
  *take(snapshot: HeapSnapshot, windows: readonly PageWindow[], more?: unknown): Generator<void, Uint8Array> {
    const last = this.#last;
    const full = last === undefined || last.address !== snapshot.address || last.start !== snapshot.start;
    const pages = Math.max(snapshot.end - snapshot.start, full ? 0 : this.#words.length / WORDS);
    yield* this.#fill(snapshot, pages);
    const known = full ? new Uint32Array(0) : this.#words;
    const pieces = this.#pieces.cleared();
    const next = this.#next;
    for (let i = 0; i < pages; i++) {
      if (i % STRIDE === STRIDE - 1) yield;
      const at = i * WORDS;
      const [a, b, c] = [next[at]!, next[at + 1]!, next[at + 2]!];
      if (a === (known[at] ?? 0) && b === (known[at + 1] ?? 0) && c === (known[at + 2] ?? 0)) continue;
      pieces.put(snapshot.start + i, a, b, c);
    }
    yield;
    const bits = bitsIn(snapshot, windows);
    const frame = pack(headOf(snapshot, full ? undefined : last, more), pieces.taken(), bits);
    [this.#words, this.#next] = [next, this.#words];
    this.#last = snapshot;
    return frame;
  }

  /** The frame that begins with the last snapshot taken. Throws TypeError before there is one. */
  *whole(windows: readonly PageWindow[], more?: unknown): Generator<void, Uint8Array> {
    const last = this.#last;
    if (last === undefined) throw new TypeError("there is no frame yet: take a snapshot first");
    const pieces = this.#pieces.cleared();
    const words = this.#words;
    for (let i = 0; i < words.length / WORDS; i++) {
      if (i % STRIDE === STRIDE - 1) yield;
      const at = i * WORDS;
      if (words[at] !== 0) pieces.put(last.start + i, words[at]!, words[at + 1]!, words[at + 2]!);
    }
    return pack(headOf(last, undefined, more), pieces.taken(), bitsIn(last, windows));
  }

  /** Puts the snapshot's pieces into #next. */
  *#fill(snapshot: HeapSnapshot, pages: number): Generator<void> {
    const { start, columns: c, runs } = snapshot;
    if (this.#next.length === pages * WORDS) this.#next.fill(0);
    else this.#next = new Uint32Array(pages * WORDS);
    const words = this.#next;
    for (let i = 0; i < c.count; i++) {
      if (i % STRIDE === STRIDE - 1) yield;
      const at = (c.page[i]! - start) * WORDS;
      words[at] = c.pages[i]! | (PAGE_SPAN << KIND_SHIFT);
      words[at + 1] = c.row[i]! | (c.owner[i]! << 8) | (c.flags[i]! << 16);
      words[at + 2] = c.slots[i]! | (c.live[i]! << 16);
    }
    for (let i = 0; i < runs.length; i++) {
      if (i % STRIDE === STRIDE - 1) yield;
      const { page, pages, kind, owner } = runs[i]!;
      const at = (page - start) * WORDS;
      words[at] = pages | (kind << KIND_SHIFT);
      words[at + 1] = owner << 8;
    }
  }
}

function headOf(snapshot: HeapSnapshot, last: HeapSnapshot | undefined, more: unknown): FrameHead {
  const { time, flavour, address, memoryBytes, start, end, totals, rows, ps, skipped } = snapshot;
  return {
    ...{ full: last === undefined, time, flavour, address, memoryBytes, start, end, totals },
    rows: last === undefined ? rows : rows.filter((row) => !sameRow(row, last.row(row.row))),
    gone: last === undefined ? [] : last.rows.map(({ row }) => row).filter((row) => snapshot.row(row) === undefined),
    ...(ps === undefined ? {} : { ps }),
    skipped,
    ...(more === undefined ? {} : { more }),
  };
}

function sameRow(a: RowJSON, b: RowJSON | undefined): boolean {
  return (
    b !== undefined &&
    a.spans === b.spans &&
    a.live === b.live &&
    a.pages === b.pages &&
    a.mallocs === b.mallocs &&
    a.size === b.size &&
    a.class === b.class
  );
}

/** The bits of spans that have some and begin in a window. */
function bitsIn({ columns: c }: HeapSnapshot, windows: readonly PageWindow[]): Uint32Array<ArrayBuffer> {
  const words = new Words();
  let done = 0;
  for (const { from, to } of [...windows].sort((a, b) => a.from - b.from)) {
    for (let i = Math.max(c.from(from), done); i < c.count && c.page[i]! < to; i++) {
      done = i + 1;
      if (c.bitsAt[i] === NO_BITS) continue;
      words.put(c.page[i]!);
      for (let word = 0; word < c.wordsOf(i); word++) words.put(c.word(i, word));
    }
  }
  return words.taken();
}

function pack(head: FrameHead, pieces: Uint32Array, bits: Uint32Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const headBytes = (text.length + 3) & ~3;
  const frame = new Uint8Array(HEADER + headBytes + (pieces.length + bits.length) * 4).fill(32, HEADER);
  new Uint32Array(frame.buffer, 0, 3).set([headBytes, pieces.length / PIECE_WORDS, bits.length]);
  frame.set(text, HEADER);
  new Uint32Array(frame.buffer, HEADER + headBytes, pieces.length).set(pieces);
  new Uint32Array(frame.buffer, HEADER + headBytes + pieces.length * 4, bits.length).set(bits);
  return frame;
}

/** A list of words that grows. */
class Words {
  #words: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  #count = 0;

  put(...words: number[]): void {
    if (this.#count + words.length > this.#words.length) {
      const more = new Uint32Array(this.#words.length * 2);
      more.set(this.#words);
      this.#words = more;
    }
    for (const word of words) this.#words[this.#count++] = word;
  }

  cleared(): this {
    this.#count = 0;
    return this;
  }

  /** What was put; good until the next put. */
  taken(): Uint32Array<ArrayBuffer> {
    return this.#words.subarray(0, this.#count);
  }
}

/** A frame that was read: what it says, and the heap as it is then. */
export interface ReadFrame {
  readonly head: FrameHead;
  readonly snapshot: HeapSnapshot;
}

/** Makes snapshots of the frames of one FrameWriter. */
export class FrameReader {
  #words: Uint32Array<ArrayBuffer> = new Uint32Array(0);
  readonly #rows = new Map<number, RowJSON>();
  #started = false;

  /** Throws SnapshotError "format" for what is no frame, or does not go on with the last one. */
  read(frame: Uint8Array<ArrayBuffer>): ReadFrame {
    if (frame.length < HEADER) throw broken("it is too short");
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const [headBytes, pieces, bits] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [number, number, number];
    if (frame.length !== HEADER + headBytes + (pieces * PIECE_WORDS + bits) * 4) throw broken("its length is wrong");
    const head = JSON.parse(new TextDecoder().decode(frame.subarray(HEADER, HEADER + headBytes))) as FrameHead;
    if (head.full) {
      this.#words = new Uint32Array(0);
      this.#rows.clear();
      this.#started = true;
    } else if (!this.#started) throw broken("the frames before it are missing");
    // From a multiple of 4 on, whatever the frame was cut out of.
    const words = new Uint32Array(frame.slice(HEADER + headBytes).buffer);
    this.#change(head, words.subarray(0, pieces * PIECE_WORDS));
    for (const row of head.gone) this.#rows.delete(row);
    for (const row of head.rows) this.#rows.set(row.row, row);
    return { head, snapshot: this.#snapshot(head, words.subarray(pieces * PIECE_WORDS)) };
  }

  #change({ start, end }: FrameHead, pieces: Uint32Array): void {
    const length = Math.max((end - start) * WORDS, this.#words.length);
    if (length > this.#words.length) {
      const more = new Uint32Array(length);
      more.set(this.#words);
      this.#words = more;
    }
    for (let i = 0; i < pieces.length; i += PIECE_WORDS) {
      const at = (pieces[i]! - start) * WORDS;
      for (let k = 0; k < WORDS; k++) this.#words[at + k] = pieces[i + 1 + k]!;
    }
  }

  #snapshot(head: FrameHead, bits: Uint32Array): HeapSnapshot {
    const { time, flavour, address, memoryBytes, start, end, totals, ps, skipped } = head;
    const columns = new SpanColumns();
    const runs: Run[] = [];
    const words = this.#words;
    let bit = 0;
    for (let page = start; page < end; ) {
      const at = (page - start) * WORDS;
      const pages = words[at]! & PAGES_MASK;
      const kind = words[at]! >>> KIND_SHIFT;
      if (pages === 0) throw broken(`page ${page} is in no piece`);
      const owner = (words[at + 1]! >>> 8) & 0xff;
      if (kind === PAGE_SPAN) {
        const [slots, live] = [words[at + 2]! & 0xffff, words[at + 2]! >>> 16];
        let bitsAt = NO_BITS;
        if (bits[bit] === page) {
          bitsAt = columns.words;
          for (bit++; columns.words - bitsAt < (slots + 31) >>> 5; bit++) columns.put(bits[bit]!);
        }
        const row = words[at + 1]! & 0xff;
        if (!this.#rows.has(row)) throw broken(`page ${page} is of row ${row}, which is unknown`);
        columns.add({ page, pages, row, owner, flags: words[at + 1]! >>> 16, slots, live }, bitsAt);
      } else runs.push({ page, pages, kind, owner });
      page += pages;
    }
    columns.close();
    const rows = [...this.#rows.values()].sort((a, b) => a.row - b.row);
    return new HeapSnapshot({
      ...{
        time,
        label: undefined,
        flavour,
        address,
        memoryBytes,
        start,
        end,
        totals,
        rows,
        columns,
        runs,
        ps,
        skipped,
      },
      samples: undefined,
    });
  }
}

function broken(what: string): SnapshotError {
  return new SnapshotError("format", `this is no frame of a heap: ${what}`, "reload the page");
}
