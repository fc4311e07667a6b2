/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Registered ranges: words of the program's own memory (its globals, a stack, a block of malloc's) in which the
 * collector looks for pointers. Stores into them need no barrier: the end of each cycle looks at them again. On a
 * shared heap that happens with the world stopped, so a store there is safe inside (Collector.inside), or when the
 * object is reachable some other way until the thread is next inside.
 *
 * Law: no two ranges begin at the same address, which is a range's name in the heap. On a shared heap the program has
 * to keep it across threads. Cost: O(ranges) to add or remove one, and its words at the begin and the end of each
 * cycle.
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
   * Address of a word that holds the lowest address in use, like the pointer of a stack that grows down: the range is
   * scanned only from there on. Default: all of it.
   */
  readonly pointer?: number | undefined;
}

const OPTIONS = namesOf<RootOptions>({ pointer: 0 });

/** A registered range, until it is disposed of. */
export class RootRange implements Disposable {
  /** Null: it was disposed of. */
  #release: (() => void) | null;
  /** Address of the first byte. */
  readonly start: number;
  readonly byteLength: number;

  /** For Roots. */
  constructor(start: number, byteLength: number, release: () => void) {
    this.start = start;
    this.byteLength = byteLength;
    this.#release = release;
  }

  get disposed(): boolean {
    return this.#release === null;
  }

  /** The range is no root any more. Twice is fine. Throws HeapLockError on a shared heap: then it is still a root. */
  dispose(): void {
    this.#release?.();
    this.#release = null;
  }

  [DISPOSE](): void {
    this.dispose();
  }
}

/** Throws RangeError unless a range, and the word with its lowest address in use, lie in a memory of `size` bytes. */
function checkRange(start: number, bytes: number, pointer: number | undefined, size: number): void {
  const end = Math.min(size, MAX_END);
  within(wordAddress(start, "start"), 0, end - WORD, "start");
  wordAddress(within(bytes, WORD, end - start, "bytes"), "bytes");
  if (pointer !== undefined) within(wordAddress(pointer, "pointer"), WORD, end - WORD, "pointer");
}

/** The ranges of one heap, or those that one thread of a shared heap has registered. */
export class Roots {
  readonly #core: Core;
  readonly #ranges = new Map<number, RootRange>();

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#ranges.size;
  }

  /** See Collector.addRoots. */
  add(start: number, bytes: number, options: RootOptions): RootRange {
    const { pointer } = readOptions(options, OPTIONS, "addRoots");
    const { exports, views } = this.#core;
    checkRange(start, bytes, pointer, views.current.buffer.byteLength);
    if (this.#ranges.has(start)) {
      throw new RangeError(`a range that begins at ${start} is registered already: dispose of it first`);
    }
    if (exports.addRoots(start, bytes, pointer ?? 0) === 0) throw new OutOfMemoryError(RECORD_BYTES);
    const range = new RootRange(start, bytes, () => {
      if (!this.#core.closed) this.#core.exports.removeRoots(start);
      this.#ranges.delete(start);
    });
    this.#ranges.set(start, range);
    return range;
  }

  /** See Collector.removeRoots. */
  remove(start: number): boolean {
    const range = this.#ranges.get(wordAddress(start, "start"));
    if (range === undefined) return this.#core.exports.removeRoots(start) !== 0;
    range.dispose();
    return true;
  }
}
