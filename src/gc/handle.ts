/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Handles: roots that JavaScript holds.
 *
 * A handle is a numbered slot in a table of the heap's, and the object that the slot names lives. The JavaScript object
 * keeps the exact address, which may lie inside of the heap's object; the slot has that one's start. Slots are used
 * again, so only this file knows their numbers.
 *
 * A wrapped handle gives its slot back when the engine's collector finds the handle unreachable, by
 * FinalizationRegistry.
 *
 * Cost: `new` one wasm call, dispose one, ptr none, wrap about a microsecond.
 */
import { within } from "../base/check.js";
import { DISPOSE } from "../base/dispose.js";
import { HandleDisposedError, HeapDisposedError, NotAnObjectError, OutOfMemoryError } from "../base/errors.js";
import { POINTER_SIZE } from "../base/types.js";
import { addressOf, type Core, type Target } from "./core.js";
import type { GCType } from "./types.js";

/** Largest number of an element. */
const MAX_INDEX = 0xffffffff;

/**
 * A root: while it is not disposed of, its object lives, and with it what that points to. Made by a Collector. `F` are
 * the names of the pointer fields of the object's type.
 */
export class Handle<F extends string = never> implements Disposable {
  readonly #core: Core;
  readonly #registry: FinalizationRegistry<number> | null;
  /** The object's type, null where none was told. */
  readonly type: GCType<F> | null;
  /** Number in the heap's table; 0: disposed of. */
  #id: number;
  #ptr: number;
  /** Bytes from ptr on that belong to the object; -1: not asked yet. */
  #bytes: number;
  #wrapped = false;

  /** For Handles. */
  constructor(
    core: Core,
    registry: FinalizationRegistry<number> | null,
    id: number,
    ptr: number,
    type: GCType<F> | null,
    bytes: number,
  ) {
    this.#core = core;
    this.#registry = registry;
    this.#id = id;
    this.#ptr = ptr;
    this.type = type;
    this.#bytes = bytes;
  }

  /** Address of the object, or within it; 0 after set(null). Objects do not move. Throws HandleDisposedError. */
  get ptr(): number {
    if (this.#id === 0) throw new HandleDisposedError();
    if (this.#core.closed) throw new HeapDisposedError();
    return this.#ptr;
  }

  get disposed(): boolean {
    return this.#id === 0;
  }

  /** Whether the engine's collector disposes of it: Collector.wrap. */
  get wrapped(): boolean {
    return this.#wrapped;
  }

  /** Bytes that the object has from ptr on: those asked for where that is known, else those of its slot. 0 for null. */
  get byteLength(): number {
    const ptr = this.ptr;
    if (this.#bytes < 0) {
      const base = this.#core.objectAt(ptr, "byteLength");
      // A tiny block has no size of its own to be asked for.
      this.#bytes = base + (this.#core.exports.malloc_usable_size(base) >>> 0 || 16) - ptr;
    }
    return this.#bytes;
  }

  /**
   * Holds another object, or none; the one before is let go. The type stays, so that it should be of that type. Throws
   * NotAnObjectError, HandleDisposedError; then nothing has changed.
   */
  set(target: Target): void {
    const ptr = addressOf(target);
    if (this.#id === 0) throw new HandleDisposedError();
    const base = ptr === 0 ? 0 : this.#core.objectAt(ptr, "set");
    this.#core.exports.handleSet(this.#id, base);
    this.#ptr = ptr;
    this.#bytes = ptr === 0 ? 0 : -1;
  }

  /**
   * Address of a pointer field, by name or offset, of element `index`. Throws TypeError without a type, RangeError for
   * what is no pointer of it or beyond the object, HandleDisposedError.
   */
  slot(field: F | number, index = 0): number {
    const { type, ptr } = this;
    if (type === null) throw new TypeError("the handle's object has no type: give one to collector.handle");
    if (ptr === 0) throw new NotAnObjectError(0, "slot");
    const offset = type.offsetOf(field);
    const at = offset + type.size * within(index, 0, MAX_INDEX, "index");
    if (at + POINTER_SIZE > this.byteLength) {
      throw new RangeError(`element ${index} is beyond the object's ${this.byteLength} bytes`);
    }
    return ptr + at;
  }

  /** The pointer in a field; 0 for null. Throws what slot throws. */
  load(field: F | number, index = 0): number {
    return this.#core.word(this.slot(field, index))!;
  }

  /** Lets a field point to an object, or nowhere: with the write barrier. Throws what slot throws. */
  store(field: F | number, target: Target, index = 0): void {
    // First, because it may be a getter of the user's.
    const value = addressOf(target);
    this.#core.exports.writePointer(this.slot(field, index), value);
  }

  /** Gives the slot back: the handle is no root any more, and every use but this one throws. Twice is fine. */
  dispose(): void {
    const id = this.#id;
    if (id === 0) return;
    this.#id = 0;
    if (this.#wrapped) this.#registry?.unregister(this);
    if (!this.#core.closed) this.#core.exports.handleFree(id);
  }

  [DISPOSE](): void {
    this.dispose();
  }

  /** For Handles.wrap: the engine's collector may dispose of it from now on. */
  static wrap(handle: Handle<string>): void {
    if (handle.#id === 0) throw new HandleDisposedError();
    if (handle.#wrapped || handle.#registry === null) return;
    handle.#registry.register(handle, handle.#id, handle);
    handle.#wrapped = true;
  }

  /** Whether a value is a handle of the heap of `core`. */
  static isOf(core: Core, value: unknown): value is Handle<string> {
    return typeof value === "object" && value !== null && #core in value && value.#core === core;
  }
}

/** The handles of one heap. */
export class Handles {
  readonly #core: Core;
  /** Null on engines without one. */
  readonly #registry: FinalizationRegistry<number> | null;

  constructor(core: Core) {
    this.#core = core;
    this.#registry =
      typeof FinalizationRegistry === "function"
        ? new FinalizationRegistry((id) => {
            if (!core.closed) core.exports.handleFree(id);
          })
        : null;
  }

  /** A handle of `ptr` in the object at `base`, `bytes` long from there on; -1: unknown. Throws OutOfMemoryError. */
  make<F extends string>(ptr: number, base: number, type: GCType<F> | null, bytes: number): Handle<F> {
    const id = this.#core.exports.handleNew(base) >>> 0;
    if (id === 0) throw new OutOfMemoryError(POINTER_SIZE);
    return new Handle(this.#core, this.#registry, id, ptr, type, bytes);
  }
}
