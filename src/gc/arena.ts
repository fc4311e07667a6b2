/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Arena: objects that end together, as Go's arena package. Allocating is an addition; freeing takes one call a chunk.
 *
 *   root     an object {itself, list of links}, with a finalizer's record of this thread. That record keeps alive what
 *            its object points to: here the object itself. So it is a root that ends with the arena or with the thread
 *   link     {next, chunk}: one for each chunk and each large object
 *   chunk    an array of one type, at most 128 KiB; the first is 4 KiB, each later one of the same type twice as large.
 *            Bytes without pointers have chunks of their own
 *
 *   chunk    | header: one element, or 16 bytes | object, object, ... | zero, not given out yet |
 *
 * A chunk is an object of the collector's like any other, and so it needs no barrier of its own: it is scanned as an
 * array of its type, its unused part is zero, and an address in it keeps all of it alive. The header makes that no
 * object of the arena begins where its chunk begins: `free` takes none of them for the chunk. Its first word is a seal, by
 * which a chunk that was freed by hand is told.
 *
 * What needs more than a quarter of a chunk is an object of its own, which the arena keeps alive.
 *
 * Freeing faults the chunks (assembly/gc/fault.ts): they are not scanned any more, and nothing takes an address in them
 * for an object. Their memory serves again after a cycle that has found no pointer into them.
 *
 * Owner: one thread. Cost: allocate some additions and compares; a chunk three wasm calls, and one to free it.
 */
import { u32, within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { ArenaFreedError, GomallocError, OutOfMemoryError } from "../base/errors.js";
import { MAX_TYPE_SIZE } from "../base/gcabi.js";
import type { Core } from "./core.js";
import type { Finished } from "./finished.js";
import type { Handle, Handles } from "./handle.js";
import { GCType, type Types } from "./types.js";

/** Bytes of the first chunk of a type, and of the largest. */
const MIN_CHUNK = 4096;
const MAX_CHUNK = 131_072;
/** More is an object of its own: at most a quarter of a chunk is left unused. */
const MAX_IN_CHUNK = MAX_CHUNK / 4;
/** Bytes before the first object of a chunk of bytes. */
const BYTES_HEADER = 16;
/** Byte offsets in a root: the list of its links; in a link: what it keeps. */
const LIST = 4;
const KEPT = 4;

/** What an arena needs of its collector. */
export interface ArenaHost {
  readonly core: Core;
  readonly types: Types;
  readonly handles: Handles;
  readonly finished: Finished;
  /** An array of `count` elements of `size` bytes, of the type at `address`. Throws OutOfMemoryError. */
  readonly array: (address: number, size: number, count: number) => number;
  /** Bytes without pointers, zeroed. Throws OutOfMemoryError. */
  readonly bytes: (size: number) => number;
  /** An arena was freed. */
  readonly ended: (parts: Parts) => void;
  /** Memory is out: runs a cycle where the settings allow it, on a shared heap. False: it did not. */
  readonly reclaim: () => boolean;
}

/** The types of an arena's own parts. */
interface Kinds {
  readonly link: GCType<string>;
  readonly bytes: GCType<string>;
  readonly fault: GCType<string>;
}

/** The chunk that objects of one type come from. */
interface Bump {
  readonly type: GCType<string>;
  /** Bytes of an element, and of the header. */
  readonly size: number;
  readonly header: number;
  /** Where the next object begins, and the end of the chunk. */
  next: number;
  end: number;
  /** Bytes of the chunk. */
  chunk: number;
}

/** What of an arena outlives it, until it is freed. */
interface Parts {
  readonly root: number;
  /** Number of the root's record; 0: given back. */
  id: number;
  readonly chunks: number[];
  /** By type. They have no room when the arena or the heap has ended, so that allocate need not ask. */
  readonly bumps: Map<GCType<string>, Bump>;
}

/** A region of objects that are freed together. Made by Collector.arena. */
export class Arena implements Disposable {
  readonly #host: ArenaHost;
  readonly #core: Core;
  readonly #kinds: Kinds;
  readonly #parts: Parts;
  readonly #bytes: Bump;
  /** Of the type that was allocated last. */
  #bump: Bump;
  /** A link that keeps nothing yet; 0: there is none. */
  #spare = 0;
  #taken = 0;
  #freed = false;

  /** For Arenas. */
  constructor(host: ArenaHost, kinds: Kinds, parts: Parts) {
    this.#host = host;
    this.#core = host.core;
    this.#kinds = kinds;
    this.#parts = parts;
    this.#bytes = newBump(kinds.bytes, 1, BYTES_HEADER);
    this.#bump = this.#bytes;
    parts.bumps.set(kinds.bytes, this.#bytes);
  }

  /**
   * A zeroed array of `count` objects of `type`: its address, which is good until the arena is freed, on a shared heap
   * outside of `inside` too. Aligned to what the type's size divides by: 16, 8 or 4. A type without pointers is as
   * bytes. Throws ArenaFreedError, OutOfMemoryError, RangeError, TypeError; then nothing has changed.
   */
  allocate(type: GCType<string>, count = 1): number {
    const bump = this.#bump;
    const ptr = bump.next;
    const next = ptr + bump.size;
    if (count === 1 && bump.type === type && next <= bump.end) {
      bump.next = next;
      return ptr;
    }
    return this.#allocateSlow(type, count);
  }

  /**
   * `size` bytes in which the collector looks for no pointers, zeroed; at least 1. Aligned to 16 from 16 bytes up, to 8
   * below. See allocate.
   */
  allocateBytes(size: number): number {
    const bump = this.#bytes;
    const mask = size >= 16 ? 15 : 7;
    const least = bump.next + mask;
    const ptr = least - (least & mask);
    const next = ptr + size;
    // What is no number of bytes above 0 goes the slow way.
    if (size >>> 0 === size && size !== 0 && next <= bump.end) {
      bump.next = next;
      return ptr;
    }
    return this.#allocateBytesSlow(size);
  }

  #allocateBytesSlow(size: number): number {
    const bytes = Math.max(u32(size, "size"), 1);
    this.#checkOpen("allocateBytes");
    const bump = this.#bytes;
    const ptr = bump.next + 7 - ((bump.next + 7) & 7);
    if (bytes === 1 && ptr < bump.end) {
      bump.next = ptr + 1;
      return ptr;
    }
    if (bytes > MAX_IN_CHUNK) return this.#keep(() => this.#host.bytes(bytes));
    this.#refill(bump, bytes);
    const first = bump.next;
    bump.next = first + bytes;
    return first;
  }

  /** What allocate makes, and a handle of it: uses of the handle after `free` throw ArenaFreedError. */
  new<F extends string>(type: GCType<F>, count = 1): Handle<F> {
    return this.#handle(this.allocate(type, count), type, () => type.size * count);
  }

  /** What allocateBytes makes, and a handle of it. */
  newBytes(size: number): Handle {
    return this.#handle(this.allocateBytes(size), null, () => Math.max(size, 1));
  }

  /** Bytes that it has taken from the heap: chunks, and objects of their own. */
  get byteLength(): number {
    return this.#taken;
  }

  /** Whether it was freed. */
  get freed(): boolean {
    return this.#freed;
  }

  /**
   * Frees all its objects. What they point to dies with the next cycle, and so does their memory, unless a pointer into
   * it is left; such a pointer is no object any more, and host calls that are given it throw ArenaFreedError or
   * NotAnObjectError. Throws ArenaFreedError the second time. HeapLockError on a shared heap: then call it again.
   */
  free(): void {
    if (this.#freed && this.#parts.id === 0) throw new ArenaFreedError(0, "free");
    this.#end();
  }

  /** As free; twice is fine, and so is after the heap's end. */
  dispose(): void {
    this.#end();
  }

  [DISPOSE](): void {
    this.#end();
  }

  #end(): void {
    this.#freed = true;
    close(this.#parts);
    if (this.#core.closed) return;
    const { root, chunks, id } = this.#parts;
    if (id === 0) return;
    for (; chunks.length > 0; chunks.pop()) {
      const chunk = chunks.at(-1)!;
      if (this.#core.word(chunk) === seal(root)) this.#core.exports.faultObject(chunk, this.#kinds.fault.id);
      this.#core.faults++;
    }
    this.#host.finished.unroot(root, id);
    this.#parts.id = 0;
    this.#host.ended(this.#parts);
  }

  #checkOpen(operation: string): void {
    if (this.#core.closed) this.#core.exports.gcPhase();
    if (this.#freed) throw new ArenaFreedError(0, operation);
  }

  #allocateSlow(type: GCType<string>, count: number): number {
    this.#checkOpen("allocate");
    const address = GCType.addressIn(this.#core, type);
    const bytes = type.size * within(count, 1, 0xffffffff, "count");
    if (type.ptrBytes === 0) {
      if (bytes > 0xffffffff) throw new OutOfMemoryError(bytes);
      return this.allocateBytes(bytes);
    }
    if (bytes > MAX_IN_CHUNK) return this.#keep(() => this.#host.array(address, type.size, count));
    let bump = this.#parts.bumps.get(type);
    if (bump === undefined) {
      bump = newBump(type, type.size, type.size);
      this.#parts.bumps.set(type, bump);
    }
    this.#bump = bump;
    if (bump.next + bytes > bump.end) this.#refill(bump, bytes);
    const ptr = bump.next;
    bump.next = ptr + bytes;
    return ptr;
  }

  /** Gives `bump` a chunk with room for `bytes` bytes, twice as large as the one before. Throws OutOfMemoryError. */
  #refill(bump: Bump, bytes: number): void {
    const least = bump.header + bytes;
    const wanted = Math.min(Math.max(bump.chunk * 2, MIN_CHUNK, 4 * bytes, least), MAX_CHUNK);
    let count = 0;
    const make = (chunk: number) => () => {
      // Bytes come in elements of the type that chunks of bytes have.
      const { size } = bump === this.#bytes ? this.#kinds.bytes : bump;
      count = Math.floor(chunk / size) * size;
      return this.#host.array(bump.type.id, size, count / size);
    };
    let base = 0;
    try {
      base = this.#keep(make(wanted));
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || wanted <= MIN_CHUNK) throw error;
      base = this.#keep(make(Math.max(least + 7 - ((least + 7) & 7), 512)));
    }
    this.#core.views.current.u32[base >>> 2] = seal(this.#parts.root);
    this.#parts.chunks.push(base);
    bump.next = base + bump.header;
    bump.end = base + count;
    bump.chunk = count;
  }

  /** What `make` makes, kept alive by the arena. Throws OutOfMemoryError; then nothing has changed. */
  #keep(make: () => number): number {
    const { core } = this.#host;
    const before = core.isInside;
    try {
      return this.#keepOnce(make);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || before || !this.#host.reclaim()) throw error;
      return this.#keepOnce(make);
    }
  }

  #keepOnce(make: () => number): number {
    const core = this.#core;
    const { root } = this.#parts;
    const { exports } = core;
    if (this.#spare === 0) {
      core.atomic(() => {
        const link = this.#host.array(this.#kinds.link.id, this.#kinds.link.size, 1);
        exports.writePointer(link, core.word(root + LIST)!);
        exports.writePointer(root + LIST, link);
        this.#spare = link;
      });
    }
    return core.atomic(() => {
      const ptr = make();
      exports.writePointer(this.#spare + KEPT, ptr);
      this.#spare = 0;
      this.#taken += exports.malloc_usable_size(ptr) >>> 0;
      return ptr;
    });
  }

  #handle<F extends string>(ptr: number, type: GCType<F> | null, bytes: () => number): Handle<F> {
    const size = bytes();
    return this.#core.atomic(() => this.#host.handles.make(ptr, this.#core.objectAt(ptr, "new"), type, size));
  }
}

/** The arenas of one collector. */
export class Arenas {
  readonly #host: ArenaHost;
  #kinds: Kinds | null = null;
  /** Arenas that nobody refers to any more, and that could not be given up because a lock was held. */
  readonly #late: Parts[] = [];
  readonly #open = new Set<Parts>();
  /** Null on engines without one: there a dropped arena stays. */
  readonly #registry: FinalizationRegistry<Parts> | null;

  constructor(host: Omit<ArenaHost, "ended">) {
    this.#host = { ...host, ended: (parts) => this.#open.delete(parts) };
    this.#registry =
      typeof FinalizationRegistry === "function"
        ? new FinalizationRegistry((parts) => {
            this.#late.push(parts);
            this.#dropLate();
          })
        : null;
  }

  /** Throws OutOfMemoryError. */
  make(): Arena {
    const { core, types, finished, array } = this.#host;
    this.#dropLate();
    this.#kinds ??= {
      link: types.define<string>({ size: 8, pointers: { first: 0, second: 4 } }),
      bytes: types.define<string>({ size: 8, pointers: [] }),
      fault: types.define<string>({ size: MAX_TYPE_SIZE, pointers: [] }),
    };
    const { link } = this.#kinds;
    const parts = core.atomic((): Parts => {
      const root = array(link.id, link.size, 1);
      core.exports.writePointer(root, root);
      return { root, id: finished.root(root), chunks: [], bumps: new Map() };
    });
    const arena = new Arena(this.#host, this.#kinds, parts);
    this.#open.add(parts);
    this.#registry?.register(arena, parts);
    return arena;
  }

  /** The heap has ended: no arena of it has room. */
  close(): void {
    for (const parts of this.#open) close(parts);
    this.#open.clear();
  }

  /** Gives up what dropped arenas kept alive: pointers into their chunks stay good. */
  #dropLate(): void {
    try {
      for (; this.#late.length > 0 && !this.#host.core.closed; this.#late.pop()) {
        const parts = this.#late.at(-1)!;
        if (parts.id !== 0) this.#host.finished.unroot(parts.root, parts.id);
        this.#open.delete(parts);
      }
    } catch (error) {
      if (!(error instanceof GomallocError)) throw error;
    }
  }
}

/** Lets nothing be allocated from an arena any more. */
function close({ bumps }: Parts): void {
  for (const bump of bumps.values()) bump.end = 0;
}

function newBump(type: GCType<string>, size: number, header: number): Bump {
  return { type, size, header, next: 0, end: 0, chunk: 0 };
}

/** The first word of a chunk: no address of the arena's. */
function seal(root: number): number {
  return ~root >>> 0;
}
