/**
 * HeapSnapshot: a heap at one moment, as read.ts has read it or as a file says. Immutable.
 *
 * Pages are numbered from address 0. Spans lie in columns (spans.ts); `toJSON` gives the format of docs/map.md. Cost:
 * some 40 bytes a span and a bit a slot; questions about an address O(log spans).
 */
import {
  flagBit,
  PAGE_BYTES,
  type PJSON,
  type RowJSON,
  RUN_KINDS,
  type RunJSON,
  type RunKind,
  type SampledBlock,
  type SkippedJSON,
  SNAPSHOT_FORMAT,
  SNAPSHOT_VERSION,
  type SnapshotJSON,
  SPAN_FLAGS,
  type SpanFlag,
  type SpanJSON,
  type SpanKind,
  type TotalsJSON,
} from "./format.js";
import type { Flavour } from "./layout.js";
import { NO_BITS, type SpanColumns } from "./spans.js";

/** What a page is, in pageMap: 0 to 5 are RUN_KINDS, in their order. */
export const PAGE_SPAN = 6;

/** One byte a page for each of three questions; index 0 is page `start` of the snapshot. */
export interface PageMap {
  /** Index in RUN_KINDS, or PAGE_SPAN. */
  readonly kinds: Uint8Array<ArrayBuffer>;
  /** Row of the page's span. */
  readonly rows: Uint8Array<ArrayBuffer>;
  /** Share of the span's slots that are live, 0 to 255; of a page without a span 0. */
  readonly fill: Uint8Array<ArrayBuffer>;
}

/** A run of pages without a span. */
export interface Run {
  readonly page: number;
  readonly pages: number;
  /** Index in RUN_KINDS. */
  readonly kind: number;
  /** P whose page cache has it; 0: none. */
  readonly owner: number;
}

/** A block or free slot that an address lies in. */
export interface SlotInfo {
  readonly span: SpanJSON;
  /** Index of the slot in its span. */
  readonly slot: number;
  /** Its first address. */
  readonly address: number;
  /** undefined: the snapshot has no bitmaps. */
  readonly live: boolean | undefined;
}

/** Everything that a snapshot is made of. */
export interface SnapshotParts {
  readonly time: number;
  readonly label: string | undefined;
  readonly flavour: Flavour;
  readonly address: number;
  readonly memoryBytes: number;
  readonly start: number;
  readonly end: number;
  readonly totals: TotalsJSON;
  readonly rows: readonly RowJSON[];
  readonly columns: SpanColumns;
  readonly runs: readonly Run[];
  readonly ps: readonly PJSON[] | undefined;
  readonly skipped: SkippedJSON;
  readonly samples: readonly SampledBlock[] | undefined;
}

export class HeapSnapshot {
  /** Milliseconds of Unix time. */
  readonly time: number;
  readonly label: string | undefined;
  readonly flavour: Flavour;
  /** Address of the heap's record. */
  readonly address: number;
  readonly memoryBytes: number;
  /** The pages that are described: from `start` up to `end`, which is not one of them. */
  readonly start: number;
  readonly end: number;
  readonly totals: TotalsJSON;
  /** Rows with a span, by number. */
  readonly rows: readonly RowJSON[];
  /** Pages without a span, in address order. */
  readonly runs: readonly Run[];
  /** The Ps of a shared heap. */
  readonly ps: readonly PJSON[] | undefined;
  readonly skipped: SkippedJSON;
  readonly samples: readonly SampledBlock[] | undefined;
  /** The spans as numbers: for code that goes over all of them often. */
  readonly columns: SpanColumns;
  readonly #rowOf: readonly (RowJSON | undefined)[];

  /** For readSnapshot and parseSnapshot. */
  constructor(parts: SnapshotParts) {
    this.time = parts.time;
    this.label = parts.label;
    this.flavour = parts.flavour;
    this.address = parts.address;
    this.memoryBytes = parts.memoryBytes;
    this.start = parts.start;
    this.end = parts.end;
    this.totals = parts.totals;
    this.rows = parts.rows;
    this.runs = parts.runs;
    this.ps = parts.ps;
    this.skipped = parts.skipped;
    this.samples = parts.samples;
    this.columns = parts.columns;
    const byNumber: RowJSON[] = [];
    for (const row of parts.rows) byNumber[row.row] = row;
    this.#rowOf = byNumber;
  }

  /** Number of spans. */
  get spanCount(): number {
    return this.columns.count;
  }

  /** The row of that number; undefined: it has no span. */
  row(index: number): RowJSON | undefined {
    return this.#rowOf[index];
  }

  /** What the span is for. */
  kindOf(span: number): SpanKind {
    return this.#rowOf[this.columns.row[span]!]!.kind;
  }

  /** Bytes of a slot of the span. */
  sizeOf(span: number): number {
    const row = this.columns.row[span]!;
    return row === 0 ? this.columns.pages[span]! * PAGE_BYTES : this.#rowOf[row]!.size;
  }

  /** Span number `span` as JSON has it; `bits` only if it has some of its own. */
  span(span: number): SpanJSON {
    const c = this.columns;
    const row = c.row[span]!;
    const mask = c.flags[span]!;
    const owner = c.owner[span]!;
    const at = c.bitsAt[span]!;
    return {
      page: c.page[span]!,
      pages: c.pages[span]!,
      kind: this.kindOf(span),
      row,
      class: this.#rowOf[row]!.class,
      size: this.sizeOf(span),
      slots: c.slots[span]!,
      live: c.live[span]!,
      ...(at === NO_BITS ? {} : { bits: encodeBits(c, span) }),
      ...(mask === 0 ? {} : { flags: flagsOf(mask) }),
      ...(owner === 0 ? {} : { owner }),
    };
  }

  /** The spans one by one, in address order. */
  *spans(): Generator<SpanJSON> {
    for (let i = 0; i < this.columns.count; i++) yield this.span(i);
  }

  /** The slot that `address` lies in; undefined: in none. */
  slotAt(address: number): SlotInfo | undefined {
    const span = this.columns.at(Math.floor(address / PAGE_BYTES));
    if (span < 0) return undefined;
    const size = this.sizeOf(span);
    const base = this.columns.page[span]! * PAGE_BYTES;
    const slot = Math.floor((address - base) / size);
    if (slot >= this.columns.slots[span]!) return undefined;
    return { span: this.span(span), slot, address: base + slot * size, live: this.columns.isLive(span, slot) };
  }

  /** Addresses of all live blocks, in their order. Blocks of spans whose bits were not read are left out. */
  *liveBlocks(): Generator<number> {
    const c = this.columns;
    for (let span = 0; span < c.count; span++) {
      const size = this.sizeOf(span);
      const base = c.page[span]! * PAGE_BYTES;
      for (let word = 0; word < c.wordsOf(span); word++) {
        for (let bits = c.word(span, word); bits !== 0; bits &= bits - 1) {
          yield base + (word * 32 + 31 - Math.clz32(bits & -bits)) * size;
        }
      }
    }
  }

  /** What each page is, without bitmaps. O(pages). */
  pageMap(): PageMap {
    const length = this.end - this.start;
    const kinds = new Uint8Array(length);
    const rows = new Uint8Array(length);
    const fill = new Uint8Array(length);
    for (const { page, pages, kind } of this.runs) kinds.fill(kind, page - this.start, page - this.start + pages);
    const c = this.columns;
    for (let i = 0; i < c.count; i++) {
      const from = c.page[i]! - this.start;
      const to = from + c.pages[i]!;
      const share = Math.round((c.live[i]! / c.slots[i]!) * 255);
      kinds.fill(PAGE_SPAN, from, to);
      rows.fill(c.row[i]!, from, to);
      fill.fill(share, from, to);
    }
    return { kinds, rows, fill };
  }

  /** The format of docs/map.md, for JSON.stringify. */
  toJSON(): SnapshotJSON {
    const { label, ps, samples } = this;
    return {
      format: SNAPSHOT_FORMAT,
      version: SNAPSHOT_VERSION,
      time: this.time,
      ...(label === undefined ? {} : { label }),
      flavour: this.flavour,
      address: this.address,
      memoryBytes: this.memoryBytes,
      pageSize: PAGE_BYTES,
      start: this.start,
      end: this.end,
      totals: this.totals,
      rows: this.rows,
      spans: [...this.spans()],
      runs: this.runs.map(runJSON),
      ...(ps === undefined ? {} : { ps }),
      skipped: this.skipped,
      ...(samples === undefined ? {} : { samples }),
    };
  }
}

function runJSON({ page, pages, kind, owner }: Run): RunJSON {
  const word: RunKind = RUN_KINDS[kind]!;
  return owner === 0 ? { page, pages, kind: word } : { page, pages, kind: word, owner };
}

/** The flags of a mask, as words. */
export function flagsOf(mask: number): SpanFlag[] {
  return SPAN_FLAGS.filter((flag) => (mask & flagBit(flag)) !== 0);
}

function encodeBits(c: SpanColumns, span: number): string {
  let text = "";
  const bytes = Math.ceil(c.slots[span]! / 8);
  for (let i = 0; i < bytes; i++) text += String.fromCharCode((c.word(span, i >>> 2) >>> ((i & 3) * 8)) & 255);
  return btoa(text);
}
