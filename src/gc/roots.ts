/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Registered ranges: words of the program's own memory (its globals, a stack, a block of malloc's) in which the
 * collector looks for pointers. Stores into them need no barrier: the end of each cycle looks at them again.
 *
 * Law: no two ranges begin at the same address, which is a range's name in the heap. Cost: O(ranges) to add or remove
 * one, and its words at the begin and the end of each cycle.
 */
import { namesOf, readOptions, within } from "../check.js";
import { DISPOSE } from "../dispose.js";
import { OutOfMemoryError } from "../errors.js";
import { type Core, wordAddress } from "./core.js";

/** End of the highest range: the heap keeps an end of 2^32 as 0, its mark of an unused record. */
const MAX_END = 0xfffffffc;
/** Bytes of a range's record. */
const RECORD_BYTES = 16;

export interface RootOptions {
  /**
   * Address of a word that holds the lowest address in use, as a stack's pointer does that grows down: only from there
   * on is the range looked at. Default: all of it.
   */
  readonly pointer?: number | undefined;
}

const OPTIONS = namesOf<RootOptions>({ pointer: 0 });

/** A registered range, until it is disposed of. */
export class RootRange implements Disposable {
  readonly #release: () => void;
  /** Address of the first byte. */
  readonly start: number;
  readonly byteLength: number;
  #disposed = false;

  /** For Roots. */
  constructor(start: number, byteLength: number, release: () => void) {
    this.start = start;
    this.byteLength = byteLength;
    this.#release = release;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The range is no root any more. Twice is fine. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release();
  }

  [DISPOSE](): void {
    this.dispose();
  }
}

/** The ranges of one heap. */
export class Roots {
  readonly #core: Core;
  /** The end of each range, by its start. */
  readonly #ends = new Map<number, number>();

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#ends.size;
  }

  /** Whether all of `bytes` bytes from `ptr` on lie in one range. O(ranges). */
  has(ptr: number, bytes: number): boolean {
    for (const [start, end] of this.#ends) if (ptr >= start && ptr + bytes <= end) return true;
    return false;
  }

  /** See Collector.addRoots. */
  add(start: number, bytes: number, options: RootOptions): RootRange {
    const { pointer } = readOptions(options, OPTIONS, "addRoots");
    const { exports, views } = this.#core;
    const end = Math.min(views.current.buffer.byteLength, MAX_END);
    wordAddress(start, "start");
    wordAddress(within(bytes, 4, end - start, "bytes"), "bytes");
    if (pointer !== undefined) within(wordAddress(pointer, "pointer"), 4, end - 4, "pointer");
    if (this.#ends.has(start)) throw new RangeError(`a range that begins at ${start} is registered already`);
    if (exports.addRoots(start, bytes, pointer ?? 0) === 0) throw new OutOfMemoryError(RECORD_BYTES);
    this.#ends.set(start, start + bytes);
    return new RootRange(start, bytes, () => {
      this.#ends.delete(start);
      if (!this.#core.closed) this.#core.exports.removeRoots(start);
    });
  }
}
