/**
 * What all parts of a collector share: the wasm functions, the memory's views, the threads around it, and how an
 * address is checked.
 *
 * When the heap is disposed of, `close` replaces the exports by functions that throw HeapDisposedError: callers that
 * read `exports` again for each call need no check of their own.
 */
import { reading, u32 } from "../base/check.js";
import { ArenaFreedError, NotAnObjectError } from "../base/errors.js";
import type { CoreExports } from "../base/gcabi.js";
import type { Threads } from "../base/threads.js";
import type { MemoryViews } from "../base/views.js";

/** An address, or an object with one: a Handle. null and 0 are the null pointer. */
export type Target = number | { readonly ptr: number } | null;

export class Core {
  exports: CoreExports;
  readonly views: MemoryViews<ArrayBufferLike>;
  /** Null in a heap of one thread. */
  readonly threads: Threads | null;
  /** In a heap of one thread: called when `inside` begins and ends. */
  onInside: () => void = () => {};
  /** Chunks of arenas that this thread has freed: while it is 0, no address has to be looked up among such. */
  faults = 0;
  #depth = 0;
  #closed = false;

  constructor(exports: CoreExports, views: MemoryViews<ArrayBufferLike>, threads: Threads | null) {
    this.exports = exports;
    this.views = views;
    this.threads = threads;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The heap was disposed of: every later call of an export throws what those of `disposed` do. */
  close(disposed: CoreExports): void {
    this.exports = disposed;
    this.#closed = true;
  }

  /** Whether Collector.inside is running. */
  get isInside(): boolean {
    return this.threads?.inside ?? this.#depth > 0;
  }

  /** See Collector.inside. */
  inside<T>(fn: () => T): T {
    const { threads } = this;
    if (this.#closed) this.exports.gcPhase();
    if (threads === null) {
      if (this.#depth++ === 0) this.onInside();
    } else threads.enter();
    try {
      return fn();
    } finally {
      if (threads !== null) threads.leave();
      else if (--this.#depth === 0 && !this.#closed) this.onInside();
    }
  }

  /**
   * Runs `fn`, in which an address must stay good from one call of wasm to the next. One thread needs nothing for that.
   */
  atomic<T>(fn: () => T): T {
    return this.threads === null ? fn() : this.inside(fn);
  }

  /** The word at `address`, a multiple of 4; undefined beyond the memory. */
  word(address: number): number | undefined {
    return this.views.current.u32[address >>> 2];
  }

  /**
   * Start of the live object that `ptr` points to or into. Throws NotAnObjectError, naming `operation`, when there is
   * none: for null, for a block of malloc's, for what was freed by hand or found dead; ArenaFreedError for what lies in
   * a freed arena.
   */
  objectAt(ptr: number, operation: string): number {
    const base = this.exports.objectOf(ptr) >>> 0;
    if (base === 0) {
      if (this.exports.isFaulted(ptr) !== 0) throw new ArenaFreedError(ptr, operation);
      throw new NotAnObjectError(ptr, operation);
    }
    return base;
  }

  /** Throws ArenaFreedError for an address in an arena that this thread has freed. */
  refuseFaulted(ptr: number, operation: string): void {
    if (this.faults !== 0 && this.exports.isFaulted(ptr) !== 0) throw new ArenaFreedError(ptr, operation);
  }
}

/** The address of a target. Throws RangeError for what is none, and what its `ptr` throws: HandleDisposedError. */
export function addressOf(target: Target, name = "target"): number {
  if (target === null) return 0;
  const isObject = typeof target === "object";
  return u32(isObject ? reading(`${name}.ptr`, () => target.ptr) : target, name);
}

/** Bytes of a block of tiny objects. */
const TINY_SIZE = 16;

/** Throws RangeError unless `bytes` bytes from `ptr` on lie in one live object or block, or in one registered range. */
export function checkWritable(
  exports: Pick<CoreExports, "objectBase" | "malloc_usable_size" | "isRegistered">,
  ptr: number,
  bytes: number,
  name: string,
): void {
  const base = exports.objectBase(ptr) >>> 0;
  if (base !== 0) {
    // One word is in it. A tiny block has no size of its own to be asked for.
    if (bytes <= 4 || ptr + bytes <= base + (exports.malloc_usable_size(base) >>> 0 || TINY_SIZE)) return;
  }
  if (bytes === 0 || exports.isRegistered(ptr, bytes) !== 0) return;
  throw new RangeError(
    `${name}: ${bytes} bytes from ${ptr} are in no live object, and in no range of addRoots: register the memory, or ` +
      "store there without the collector",
  );
}

/** `address` when it is a multiple of 4 in range. */
export function wordAddress(address: number, name: string): number {
  if (u32(address, name) % 4 !== 0) throw new RangeError(`${name} must be a multiple of 4: ${address}`);
  return address;
}
