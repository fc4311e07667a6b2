/**
 * The spans of a snapshot as columns: 32,768 of them for 256 MiB of small blocks, so they are numbers in typed arrays and
 * become objects only where somebody asks. Cost: a few bytes a span, and a bit a slot.
 */
import { popcount } from "./memory.js";

type Column = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Bits of no span: all or none of its slots are live, or bitmaps were not asked for. */
export const NO_BITS = 0xffffffff;

/** What is known of one span, as numbers. */
export interface SpanFields {
  /** First page, and how many. */
  page: number;
  pages: number;
  /** Row of the mcache; 0: large. */
  row: number;
  /** Number of the owning P; 0: nobody, or the only one. */
  owner: number;
  /** Mask of SPAN_FLAGS. */
  flags: number;
  slots: number;
  live: number;
}

/** Filled in address order, then only read. */
export class SpanColumns {
  count = 0;
  page: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  pages: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  row: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  owner: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  flags: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  slots: Uint16Array<ArrayBuffer> = new Uint16Array(64);
  live: Uint16Array<ArrayBuffer> = new Uint16Array(64);
  /** Index in `bits` of a span's first word; NO_BITS: it has none. */
  bitsAt: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  /** Words of 32 slots, the lowest bit first. */
  bits: Uint32Array<ArrayBuffer> = new Uint32Array(64);
  words = 0;

  /** Appends a span; its bits are the last `words` words put. */
  add(span: SpanFields, bitsAt: number): void {
    const i = this.count++;
    if (i === this.page.length) this.#grow();
    this.page[i] = span.page;
    this.pages[i] = span.pages;
    this.row[i] = span.row;
    this.owner[i] = span.owner;
    this.flags[i] = span.flags;
    this.slots[i] = span.slots;
    this.live[i] = span.live;
    this.bitsAt[i] = bitsAt;
  }

  /** Appends a word of bits. */
  put(word: number): void {
    if (this.words === this.bits.length) this.bits = longer(this.bits);
    this.bits[this.words++] = word;
  }

  /** Index of the span that has the page; -1: none. */
  at(page: number): number {
    const i = this.from(page + 1) - 1;
    return i >= 0 && page < this.page[i]! + this.pages[i]! ? i : -1;
  }

  /** Index of the first span that begins at the page or behind it; `count`: none. */
  from(page: number): number {
    let lo = 0;
    let hi = this.count;
    while (lo < hi) {
      const mid = (lo + hi) >>> 1;
      if (this.page[mid]! < page) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  /** Whether a slot is live; undefined: it is not known, because bitmaps were not read. */
  isLive(span: number, slot: number): boolean | undefined {
    if (slot < 0 || slot >= this.slots[span]!) return false;
    const at = this.bitsAt[span]!;
    if (at !== NO_BITS) return ((this.bits[at + (slot >>> 5)]! >>> (slot & 31)) & 1) === 1;
    const live = this.live[span]!;
    return live === 0 ? false : live === this.slots[span] ? true : undefined;
  }

  /** 32 slots of a span from slot 32 * `word` on, as bits. Of a span without bits all or none are set. */
  word(span: number, word: number): number {
    const at = this.bitsAt[span]!;
    if (at !== NO_BITS) return this.bits[at + word]!;
    if (this.live[span] !== this.slots[span]) return 0;
    const left = this.slots[span]! - word * 32;
    return left >= 32 ? 0xffffffff : left > 0 ? 2 ** left - 1 : 0;
  }

  /** Words that the bits of a span have. */
  wordsOf(span: number): number {
    return (this.slots[span]! + 31) >>> 5;
  }

  /** Live slots of the span that begin on one of its pages, for slots of `size` bytes. */
  liveOn(span: number, page: number, size: number, pageBytes: number): number {
    if (this.pages[span] === 1) return this.live[span]!;
    const from = Math.ceil(((page - this.page[span]!) * pageBytes) / size);
    const to = Math.min(Math.ceil(((page + 1 - this.page[span]!) * pageBytes) / size), this.slots[span]!);
    let n = 0;
    for (let slot = from; slot < to; slot++) {
      if ((slot & 31) === 0 && to - slot >= 32) {
        n += popcount(this.word(span, slot >>> 5));
        slot += 31;
      } else n += (this.word(span, slot >>> 5) >>> (slot & 31)) & 1;
    }
    return n;
  }

  /** No spans; the room stays. */
  clear(): void {
    this.count = 0;
    this.words = 0;
  }

  /** Lets go of the room that was kept for more. */
  close(): void {
    for (const name of COLUMNS) this.#set(name, (column) => sliced(column, this.count));
    this.bits = this.bits.slice(0, this.words);
  }

  #grow(): void {
    for (const name of COLUMNS) this.#set(name, longer);
  }

  #set(name: (typeof COLUMNS)[number], to: <T extends Column>(column: T) => T): void {
    Object.assign(this, { [name]: to(this[name]) });
  }
}

const COLUMNS = ["page", "pages", "row", "owner", "flags", "slots", "live", "bitsAt"] as const;

function sliced<T extends Column>(column: T, count: number): T {
  return column.slice(0, count) as T;
}

/** The column with twice the room. */
function longer<T extends Column>(column: T): T {
  const more = new (column.constructor as new (length: number) => Column)(column.length * 2);
  more.set(column);
  return more as T;
}
