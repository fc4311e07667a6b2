/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Registered ranges: words of the program's own memory (its globals, a stack, a block of malloc's) in which the
 * collector looks for pointers. Stores into them need no barrier: the end of each cycle looks at them again.
 *
 * Law: no two ranges begin at the same address, which is a range's name in the heap. Cost: O(ranges) to add or remove
 * one, and its words at the begin and the end of each cycle.
 */
import { namesOf, readOptions, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { OutOfMemoryError } from "../base/errors.js";
import { type Core, wordAddress } from "./core.js";

/** End of the highest range: the heap keeps an end of 2^32 as 0, its mark of an unused record. */
const MAX_END = 0xfffffffc;
/** Bytes of a word. */
const WORD = 4;
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

/** Throws RangeError unless a range, and the word that has its lowest address in use, lie in a memory of `size` bytes. */
export function checkRange(start: number, bytes: number, pointer: number | undefined, size: number): void {
  const end = Math.min(size, MAX_END);
  within(wordAddress(start, "start"), 0, end - WORD, "start");
  wordAddress(within(bytes, WORD, end - start, "bytes"), "bytes");
  if (pointer !== undefined) within(wordAddress(pointer, "pointer"), WORD, end - WORD, "pointer");
}

/** The ranges of one heap. */
export class Roots {
  readonly #core: Core;
  readonly #starts = new Set<number>();

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#starts.size;
  }

  /** See Collector.addRoots. */
  add(start: number, bytes: number, options: RootOptions): RootRange {
    const { pointer } = readOptions(options, OPTIONS, "addRoots");
    const { exports, views } = this.#core;
    checkRange(start, bytes, pointer, views.current.buffer.byteLength);
    if (this.#starts.has(start)) throw new RangeError(`a range that begins at ${start} is registered already`);
    if (exports.addRoots(start, bytes, pointer ?? 0) === 0) throw new OutOfMemoryError(RECORD_BYTES);
    this.#starts.add(start);
    return new RootRange(start, bytes, () => {
      this.#starts.delete(start);
      if (!this.#core.closed) this.#core.exports.removeRoots(start);
    });
  }
}
